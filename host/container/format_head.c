// The head of an archive-profile file: everything before the data. One generator serves the writer
// and the check, so that what is checked is what is written.
#include "host/container/format.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define PIECE (1u << 20)

enum { TYPE_ASCII = 2, TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_LONG8 = 16 };

static const char archive_text[] =
    "Orrery encrypted file, format version 1, profile archive. These pixels are ciphertext: open "
    "the file with `orrery decrypt -k KEYRING FILE -o OUT`. Confidentiality and integrity rest on "
    "AES-256-GCM under keys of their own; the planet layer (1-DEC map and Virtual Planet Domain) "
    "adds no claimed security bits. Programs that rewrite TIFF files destroy it.";

static const char paper_text[] =
    "Orrery encrypted file, format version 1, profile paper, for study of a published scheme. "
    "Open it with `orrery decrypt -k KEYRING FILE -o OUT`. The pixels are NOT sealed: they are "
    "enciphered by the planet layer alone (1-DEC map and Virtual Planet Domain), which adds no "
    "claimed security bits. Only the tags and the digest of the original are sealed with "
    "AES-256-GCM. Use the archive profile to protect data. Programs that rewrite TIFF files "
    "destroy it.";

_Static_assert(sizeof archive_text <= ORR_DESCRIPTION_MAX, "description too long");
_Static_assert(sizeof paper_text <= ORR_DESCRIPTION_MAX, "description too long");

const char *orr_description(orr_profile profile) {
    return profile == ORR_PROFILE_ARCHIVE ? archive_text : paper_text;
}

void orr_page0_encode(const orr_header *header, const uint8_t commitment[32], int big,
                      uint8_t page[ORR_PAGE]) {
    uint64_t ifd_offset = orr_ifd_offset(header);
    memset(page, 0, ORR_PAGE);
    memcpy(page, "II", 2);
    if (big) {
        orr_store_le16(page + 2, 43);
        orr_store_le16(page + 4, 8);
        orr_store_le64(page + 8, ifd_offset);
    } else {
        orr_store_le16(page + 2, 42);
        orr_store_le32(page + 4, (uint32_t)ifd_offset);
    }
    memcpy(page + ORR_MAGIC_OFFSET, ORR_MAGIC, ORR_MAGIC_BYTES);
    orr_header_encode(header, page + 32);
    memcpy(page + 224, commitment, 32);
    const char *text = orr_description(header->profile);
    memcpy(page + ORR_DESCRIPTION_OFFSET, text, strlen(text) + 1);
}

// What lies from the IFD to the data: the IFD in memory, the two arrays (huge in huge files) by
// formula. Offsets are file offsets; an array that fits in its IFD entry has length zero here.
typedef struct head_tail {
    const orr_geometry *geometry;
    uint8_t ifd[512]; // from geometry->ifd_offset; zero to its end
    uint64_t offsets_at, offsets_end;
    uint64_t counts_at, counts_end;
} head_tail;

static uint32_t strip_bytes(const orr_geometry *geometry, uint64_t tile) {
    return orr_tile_rows(geometry, tile) * ORR_TILE_ROW_BYTES;
}

// Writes one IFD entry and returns where the next one goes. `value` is the value itself or, for a
// value that does not fit, its offset: both are left-justified little-endian numbers.
static uint8_t *entry(uint8_t *at, int big, unsigned tag, unsigned type, uint64_t count,
                      uint64_t value) {
    orr_store_le16(at, (uint16_t)tag);
    orr_store_le16(at + 2, (uint16_t)type);
    if (big) {
        orr_store_le64(at + 4, count);
        orr_store_le64(at + 12, value);
        return at + 20;
    }
    orr_store_le32(at + 4, (uint32_t)count);
    orr_store_le32(at + 8, (uint32_t)value);
    return at + 12;
}

static void tail_init(head_tail *tail, const orr_geometry *geometry, orr_profile profile) {
    int big = geometry->big;
    uint64_t tiles = geometry->tiles, word = big ? 8 : 4;
    uint64_t next = geometry->ifd_offset + (big ? 8 + 11 * 20 + 8 : 2 + 11 * 12 + 4);
    const uint64_t three_eights = 8 | 8 << 16 | 8ull << 32;
    memset(tail, 0, sizeof *tail);
    tail->geometry = geometry;

    uint64_t bits = three_eights;
    if (!big) {
        bits = next = (next + 7) / 8 * 8;
        orr_store_le64(tail->ifd + (bits - geometry->ifd_offset), three_eights);
        next += 6;
    }
    uint64_t offsets = orr_tile_offset(geometry, 0), counts = strip_bytes(geometry, 0);
    if (tiles > 1) {
        offsets = tail->offsets_at = (next + 7) / 8 * 8;
        next = tail->offsets_end = offsets + tiles * word;
    }
    if (tiles * 4 > word) {
        counts = tail->counts_at = (next + 7) / 8 * 8;
        tail->counts_end = counts + tiles * 4;
    } else if (tiles == 2) { // BigTIFF only: both counts fit in the entry
        counts |= (uint64_t)strip_bytes(geometry, 1) << 32;
    }

    uint8_t *at = tail->ifd + (big ? 8 : 2);
    orr_store_le16(tail->ifd, 11);
    at = entry(at, big, 256, TYPE_LONG, 1, ORR_TILE_COLUMNS);
    at = entry(at, big, 257, TYPE_LONG, 1, geometry->rows);
    at = entry(at, big, 258, TYPE_SHORT, 3, bits);
    at = entry(at, big, 259, TYPE_SHORT, 1, 1);
    at = entry(at, big, 262, TYPE_SHORT, 1, 2);
    at = entry(at, big, 270, TYPE_ASCII, strlen(orr_description(profile)) + 1,
               ORR_DESCRIPTION_OFFSET);
    at = entry(at, big, 273, big ? TYPE_LONG8 : TYPE_LONG, tiles, offsets);
    at = entry(at, big, 277, TYPE_SHORT, 1, 3);
    at = entry(at, big, 278, TYPE_LONG, 1, ORR_TILE_ROWS);
    at = entry(at, big, 279, TYPE_LONG, tiles, counts);
    entry(at, big, 284, TYPE_SHORT, 1, 1);
}

// The eight bytes at file offset `at` (a multiple of 8 from the IFD on), as a little-endian number.
static uint64_t tail_word(const head_tail *tail, uint64_t at) {
    const orr_geometry *geometry = tail->geometry;
    if (at >= tail->offsets_at && at < tail->offsets_end) {
        uint64_t i = (at - tail->offsets_at) / (geometry->big ? 8 : 4);
        uint64_t word = orr_tile_offset(geometry, i);
        if (!geometry->big && i + 1 < geometry->tiles)
            word |= orr_tile_offset(geometry, i + 1) << 32;
        return word;
    }
    if (at >= tail->counts_at && at < tail->counts_end) {
        uint64_t i = (at - tail->counts_at) / 4;
        uint64_t word = strip_bytes(geometry, i);
        if (i + 1 < geometry->tiles) word |= (uint64_t)strip_bytes(geometry, i + 1) << 32;
        return word;
    }
    uint64_t into = at - geometry->ifd_offset;
    return into < sizeof tail->ifd ? orr_load_le64(tail->ifd + into) : 0;
}

void orr_archive_directory_bytes(const orr_geometry *geometry, orr_profile profile, uint64_t offset,
                                 size_t bytes, uint8_t *out) {
    head_tail tail;
    tail_init(&tail, geometry, profile);
    for (size_t i = 0; i < bytes; i += 8) orr_store_le64(out + i, tail_word(&tail, offset + i));
}

// Called for each piece of the head from the IFD on, in order.
typedef orr_status (*piece_function)(void *context, const uint8_t *piece, size_t bytes,
                                     uint64_t offset);

static orr_status tail_walk(const orr_geometry *geometry, orr_profile profile, uint8_t *piece,
                            piece_function function, void *context) {
    head_tail tail;
    tail_init(&tail, geometry, profile);
    for (uint64_t at = geometry->ifd_offset; at < geometry->data_offset;) {
        uint64_t left = geometry->data_offset - at;
        size_t bytes = left < PIECE ? (size_t)left : PIECE;
        for (size_t i = 0; i < bytes; i += 8) orr_store_le64(piece + i, tail_word(&tail, at + i));
        orr_status status = function(context, piece, bytes, at);
        if (status != ORR_OK) return status;
        at += bytes;
    }
    return ORR_OK;
}

typedef struct head_io {
    int fd;
    const char *name;
    uint8_t *scratch; // PIECE bytes; the check only
    orr_error *error;
} head_io;

static orr_status write_piece(void *context, const uint8_t *piece, size_t bytes, uint64_t offset) {
    head_io *io = context;
    return orr_pwrite_all(io->fd, piece, bytes, offset, io->name, io->error);
}

orr_status orr_archive_directory_write(const orr_header *header, int fd, const char *name,
                                       orr_error *error) {
    orr_geometry geometry;
    orr_status status = orr_geometry_init(&geometry, header, error);
    if (status != ORR_OK) return status;
    uint8_t *piece = malloc(PIECE);
    if (!piece) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    head_io io = {fd, name, NULL, error};
    status = tail_walk(&geometry, header->profile, piece, write_piece, &io);
    free(piece);
    return status;
}

uint64_t orr_second_metadata_offset(const orr_header *header) {
    uint64_t pages = (header->metadata_length + ORR_PAGE - 1) / ORR_PAGE;
    return orr_slot_offset(header, 2) - pages * ORR_PAGE;
}

orr_status orr_metadata_write(const orr_header *header, const orr_file_keys *keys,
                              const orr_metadata *metadata, const uint8_t salt[ORR_SALT_BYTES],
                              int fd, const char *name, orr_error *error) {
    size_t length = (size_t)header->metadata_length,
           whole = (length + ORR_PAGE - 1) / ORR_PAGE * ORR_PAGE;
    if (orr_metadata_sealed_length(metadata, header->profile) != length)
        return orr_fail(error, ORR_INTERNAL, "%s: the metadata is not of the length announced",
                        name);
    uint8_t *sealed = calloc(1, whole);
    if (!sealed) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    orr_status status = orr_metadata_seal(metadata, keys, salt, sealed, length, error);
    if (status == ORR_OK && header->groups)
        status = orr_pwrite_all(fd, sealed, whole, orr_second_metadata_offset(header), name, error);
    if (status == ORR_OK)
        status = orr_pwrite_all(fd, sealed, length, orr_metadata_offset(header), name, error);
    free(sealed);
    return status;
}

orr_status orr_head_write(const orr_header *header, const orr_file_keys *keys,
                          const orr_wraps *wraps, int big, int fd, const char *name,
                          orr_error *error) {
    size_t size = orr_slot_size(header);
    uint8_t page[ORR_PAGE], *slot = malloc(size);
    if (!slot) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    orr_status status = orr_slot_encode(wraps, 1, keys->header_mac, slot, size);
    if (status != ORR_OK) orr_fail(error, status, "%s: the wrap slot could not be encoded", name);
    for (int i = 0; i < (header->groups ? 3 : 2) && status == ORR_OK; i++)
        status = orr_pwrite_all(fd, slot, size, orr_slot_offset(header, i), name, error);
    orr_page0_encode(header, keys->commitment, big, page);
    if (status == ORR_OK && header->groups)
        status = orr_pwrite_all(fd, page, ORR_PAGE, header->file_length - ORR_PAGE, name, error);
    if (status == ORR_OK) status = orr_pwrite_all(fd, page, ORR_PAGE, 0, name, error);
    free(slot);
    return status;
}

// Offset of the first byte that differs, or `bytes`.
static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t bytes) {
    if (memcmp(a, b, bytes) == 0) return bytes;
    size_t i = 0;
    while (a[i] == b[i]) i++;
    return i;
}

static orr_status compare_piece(void *context, const uint8_t *piece, size_t bytes,
                                uint64_t offset) {
    head_io *io = context;
    orr_status status = orr_pread_all(io->fd, io->scratch, bytes, offset, io->name, io->error);
    if (status != ORR_OK) return status;
    size_t at = first_difference(piece, io->scratch, bytes);
    if (at == bytes) return ORR_OK;
    return orr_fail(io->error, ORR_AUTH,
                    "%s: the TIFF directory was altered or damaged at byte %llu; the sealed data "
                    "do not depend on it, so --salvage can bring them back",
                    io->name, (unsigned long long)(offset + at));
}

static orr_status check_page0(const orr_container *container, const char *name, int big,
                              orr_error *error) {
    uint8_t page[ORR_PAGE];
    orr_page0_encode(&container->header, container->commitment, big, page);
    size_t at = first_difference(page, container->page0, ORR_PAGE);
    if (at == ORR_PAGE) return ORR_OK;
    return orr_fail(error, ORR_AUTH, "%s: the first page was altered or damaged at byte %zu (%s)",
                    name, at, at < ORR_MAGIC_OFFSET ? "TIFF header" : "description or padding");
}

// The paper profile's data have their end only in the page table; host/paper/paper.h looks at
// whether that fits.
static int is_big(const orr_container *container) {
    if (container->header.profile == ORR_PROFILE_ARCHIVE) return container->geometry.big;
    return orr_load_le16(container->page0 + 2) == 43;
}

orr_status orr_container_check_head(const orr_container *container, int fd, const char *name,
                                    orr_error *error) {
    const orr_header *header = &container->header;
    orr_status status = check_page0(container, name, is_big(container), error);
    if (status != ORR_OK || header->profile != ORR_PROFILE_ARCHIVE) return status;
    uint8_t *pieces = malloc(2 * (size_t)PIECE);
    if (!pieces) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    head_io io = {fd, name, pieces + PIECE, error};
    status = tail_walk(&container->geometry, header->profile, pieces, compare_piece, &io);
    free(pieces);
    return status;
}
