// Sizes and offsets: all of them follow from a few fields of the header.
#include "host/container/format.h"

#include "host/container/parity.h"

#define IFD_ENTRIES 11

static uint64_t align_up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

uint64_t orr_metadata_offset(const orr_header *header) {
    return ORR_PAGE * (1 + 2 * (uint64_t)header->slot_pages);
}

uint64_t orr_ifd_offset(const orr_header *header) {
    return orr_metadata_offset(header) + header->metadata_length;
}

size_t orr_slot_size(const orr_header *header) {
    return (size_t)header->slot_pages * ORR_PAGE;
}

uint64_t orr_slot_offset(const orr_header *header, int slot) {
    uint64_t size = orr_slot_size(header);
    return slot < 2 ? ORR_PAGE + (uint64_t)slot * size : header->file_length - ORR_PAGE - size;
}

orr_status orr_repair_layout(const orr_header *header, uint64_t data_end, orr_parity_layout *layout,
                             orr_error *error) {
    orr_error inner = {0};
    uint64_t first = orr_metadata_offset(header) / ORR_PAGE;
    if (orr_parity_layout_init(layout, first, data_end / ORR_PAGE - first, header->repair_pages,
                               header->groups, header->metadata_length, header->slot_pages,
                               &inner) == ORR_OK)
        return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED, "%s", inner.text);
}

orr_status orr_repair_plan(orr_header *header, uint64_t data_end, unsigned tenths,
                           orr_error *error) {
    uint64_t body = (data_end - orr_metadata_offset(header)) / ORR_PAGE, groups = 0;
    uint32_t pages = 0;
    orr_status status = tenths ? orr_parity_choose(body, tenths, &pages, &groups, error) : ORR_OK;
    if (status != ORR_OK) return status;
    header->repair_pages = pages;
    header->groups = (uint32_t)groups; // fewer than pages, of which a file has at most 2^32 / 10
    return orr_file_length(header, data_end, &header->file_length, error);
}

orr_status orr_file_length(const orr_header *header, uint64_t data_end, uint64_t *length,
                           orr_error *error) {
    orr_parity_layout layout;
    *length = data_end;
    if (header->groups == 0) return ORR_OK;
    orr_status status = orr_repair_layout(header, data_end, &layout, error);
    *length = layout.length;
    return status;
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

static orr_status check_lengths(const orr_header *header, orr_error *error) {
    if (header->length > ORR_MAX_LENGTH)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%llu bytes are more than one encrypted file can hold (%llu); split it",
                        (unsigned long long)header->length, (unsigned long long)ORR_MAX_LENGTH);
    if (header->metadata_length > ORR_MAX_METADATA_ARCHIVE)
        return orr_fail(error, ORR_UNSUPPORTED, "%llu bytes of metadata are over the limit of %u",
                        (unsigned long long)header->metadata_length, ORR_MAX_METADATA_ARCHIVE);
    return ORR_OK;
}

orr_status orr_geometry_init(orr_geometry *geometry, const orr_header *header, orr_error *error) {
    orr_status status = check_lengths(header, error);
    if (status != ORR_OK) return status;
    uint64_t rows = (header->length + ORR_TILE_ROW_BYTES - 1) / ORR_TILE_ROW_BYTES;
    if (rows == 0) rows = 1;
    geometry->rows = rows;
    geometry->tiles = (rows + ORR_TILE_ROWS - 1) / ORR_TILE_ROWS;
    geometry->segments = (geometry->tiles + ORR_SEGMENT_TILES - 1) / ORR_SEGMENT_TILES;
    geometry->ifd_offset = orr_ifd_offset(header);
    uint64_t data = geometry->segments * ORR_PAGE + align_up(rows * ORR_TILE_ROW_BYTES, ORR_PAGE);
    for (geometry->big = 0;; geometry->big = 1) {
        geometry->data_offset =
            align_up(geometry->ifd_offset + ifd_bytes(geometry->tiles, geometry->big), ORR_PAGE);
        geometry->data_end = geometry->data_offset + data;
        if (geometry->big || geometry->data_end < 1ull << 32) break;
    }
    return orr_file_length(header, geometry->data_end, &geometry->file_length, error);
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
    return geometry->data_offset + segment * (ORR_PAGE + ORR_SEGMENT_BYTES);
}

uint64_t orr_segment_tile_bytes(const orr_geometry *geometry, uint64_t segment) {
    uint64_t tiles = orr_segment_tiles(geometry, segment);
    uint64_t last = segment * ORR_SEGMENT_TILES + tiles - 1;
    return (tiles - 1) * ORR_TILE_BYTES +
           (uint64_t)orr_tile_rows(geometry, last) * ORR_TILE_ROW_BYTES;
}

size_t orr_segment_padding(const orr_geometry *geometry, uint64_t segment) {
    return (size_t)(-orr_segment_tile_bytes(geometry, segment) % ORR_PAGE);
}

uint64_t orr_tile_offset(const orr_geometry *geometry, uint64_t tile) {
    return orr_segment_offset(geometry, tile / ORR_SEGMENT_TILES) + ORR_PAGE +
           tile % ORR_SEGMENT_TILES * ORR_TILE_BYTES;
}
