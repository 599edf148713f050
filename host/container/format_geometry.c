// Sizes and offsets of an archive-profile file: all of them follow from two lengths.
#include "host/container/format.h"

#define IFD_ENTRIES 11

static uint64_t align_up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

uint64_t orr_ifd_offset(uint64_t metadata_length) {
    return align_up(ORR_METADATA_OFFSET + metadata_length + ORR_GCM_TAG, 16);
}

// Bytes from the IFD's start to the end of its arrays. The order of what follows the IFD is that of
// format_head.c: BitsPerSample (classic only), StripOffsets, StripByteCounts, each aligned to 8.
static uint64_t ifd_bytes(uint64_t tiles, int big) {
    uint64_t bytes = big ? 8 + IFD_ENTRIES * 20 + 8 : 2 + IFD_ENTRIES * 12 + 4;
    uint64_t word = big ? 8 : 4;
    if (!big) bytes = align_up(bytes, 8) + 3 * 2;
    if (tiles * word > word) bytes = align_up(bytes, 8) + tiles * word;
    if (tiles * 4 > word) bytes = align_up(bytes, 8) + tiles * 4;
    return bytes;
}

orr_status orr_geometry_init(orr_geometry *geometry, uint64_t length, uint64_t metadata_length,
                             orr_error *error) {
    if (length > ORR_MAX_LENGTH) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%llu bytes are more than one encrypted file can hold (%llu); split it",
                        (unsigned long long)length, (unsigned long long)ORR_MAX_LENGTH);
    }
    if (metadata_length > ORR_MAX_METADATA_ARCHIVE) {
        return orr_fail(error, ORR_UNSUPPORTED, "%llu bytes of metadata are over the limit of %u",
                        (unsigned long long)metadata_length, ORR_MAX_METADATA_ARCHIVE);
    }
    uint64_t rows = (length + ORR_TILE_ROW_BYTES - 1) / ORR_TILE_ROW_BYTES;
    if (rows == 0) rows = 1;
    geometry->rows = rows;
    geometry->tiles = (rows + ORR_TILE_ROWS - 1) / ORR_TILE_ROWS;
    geometry->segments = (geometry->tiles + ORR_SEGMENT_TILES - 1) / ORR_SEGMENT_TILES;
    geometry->ifd_offset = orr_ifd_offset(metadata_length);
    uint64_t data = geometry->tiles * ORR_GCM_TAG + geometry->segments * ORR_SEALED_DIGEST_BYTES +
                    rows * ORR_TILE_ROW_BYTES;
    for (geometry->big = 0;; geometry->big = 1) {
        geometry->data_offset =
            align_up(geometry->ifd_offset + ifd_bytes(geometry->tiles, geometry->big), ORR_PAGE);
        geometry->file_length = geometry->data_offset + data;
        if (geometry->big || geometry->file_length < 1ull << 32) return ORR_OK;
    }
}

uint32_t orr_segment_tiles(const orr_geometry *geometry, uint64_t segment) {
    uint64_t left = geometry->tiles - segment * ORR_SEGMENT_TILES;
    return left < ORR_SEGMENT_TILES ? (uint32_t)left : ORR_SEGMENT_TILES;
}

uint32_t orr_tile_rows(const orr_geometry *geometry, uint64_t tile) {
    uint64_t left = geometry->rows - tile * ORR_TILE_ROWS;
    return left < ORR_TILE_ROWS ? (uint32_t)left : ORR_TILE_ROWS;
}

uint64_t orr_segment_source_bytes(const orr_geometry *geometry, uint64_t length, uint64_t segment) {
    (void)geometry;
    uint64_t start = segment * ORR_SEGMENT_BYTES;
    uint64_t left = length > start ? length - start : 0;
    return left < ORR_SEGMENT_BYTES ? left : ORR_SEGMENT_BYTES;
}

uint64_t orr_segment_offset(const orr_geometry *geometry, uint64_t segment) {
    return geometry->data_offset + segment * (ORR_SEGMENT_TILES * (uint64_t)ORR_GCM_TAG +
                                              ORR_SEALED_DIGEST_BYTES + ORR_SEGMENT_BYTES);
}

uint64_t orr_segment_file_bytes(const orr_geometry *geometry, uint64_t segment) {
    uint64_t tiles = orr_segment_tiles(geometry, segment);
    uint64_t last = segment * ORR_SEGMENT_TILES + tiles - 1;
    return tiles * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES + (tiles - 1) * ORR_TILE_BYTES +
           (uint64_t)orr_tile_rows(geometry, last) * ORR_TILE_ROW_BYTES;
}
