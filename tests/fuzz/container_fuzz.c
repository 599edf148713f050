// Encrypted files on their way in: header, slots, metadata, head, tiles, paper directories.
//
// Byte 0 chooses. Odd: the rest is a whole file. Even: a valid container is altered as the rest
// says, then the parts that only a holder of the key can make (keys, commitment, MACs, checksums,
// the seal of the metadata) are put right as far as byte 1 says, so that the checks behind them are
// reached. An alteration with nothing put right must be refused, wherever it is.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/bytes.h"
#include "host/container/tile_read.h"
#include "host/paper/paper.h"
#include "kernels/map.h"
#include "tests/fuzz/fuzz.h"

enum {
    FIX_KEYS = 1,     // commitment of the altered header
    FIX_MACS = 2,     // of both slots
    FIX_SUMS = 4,     // checksums of both slots
    FIX_METADATA = 8, // the alterations hit its plaintext, which is sealed again
    FIX_LENGTH = 16,  // the file gets the length that its header says
};

#define BASES 5
#define MAX_FILE ((uint64_t)1 << 20)

// ---- valid containers

static void digest_of(const void *data, size_t bytes, uint8_t out[16]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
    memcpy(out, canonical.digest, 16);
}

static void write_segment(int fd, const orr_header *header, const orr_file_keys *keys,
                          const orr_geometry *geometry, uint8_t *plain, uint8_t digest[16]) {
    orr_error error = {0};
    uint8_t head[ORR_SEGMENT_TILES * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES], nonce[12];
    orr_gcm *tiles = orr_gcm_new(keys->tile_key), *digests = orr_gcm_new(keys->digest_key);
    orr_cipher cipher;
    orr_tile_key key;
    size_t head_bytes = geometry->tiles * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES;
    fuzz_check(tiles && digests, "memory can be had");
    fuzz_check_ok(orr_cipher_init(&cipher, header->rule, header->k2, &error), &error, "a cipher");
    digest_of(plain, header->length, digest);
    for (uint64_t n = 0; n < geometry->tiles; n++) {
        uint8_t *at = plain + n * ORR_TILE_BYTES;
        uint32_t rows = orr_tile_rows(geometry, n);
        orr_tile_key_derive(&fuzz_secret, n, &key);
        orr_tile_encrypt_portable(&cipher, &key, rows, at, at);
        orr_tile_nonce(keys, n, nonce);
        orr_gcm_seal(tiles, nonce, NULL, 0, at, rows * ORR_TILE_ROW_BYTES, at,
                     head + n * ORR_GCM_TAG);
    }
    orr_digest_seal(digests, 0, digest, head + geometry->tiles * ORR_GCM_TAG);
    uint64_t at = orr_segment_offset(geometry, 0);
    fuzz_check_ok(orr_pwrite_all(fd, head, head_bytes, at, "base", &error), &error, "writes");
    fuzz_check_ok(orr_pwrite_all(fd, plain, geometry->rows * ORR_TILE_ROW_BYTES, at + head_bytes,
                                 "base", &error),
                  &error, "writes");
    orr_gcm_free(tiles);
    orr_gcm_free(digests);
}

static orr_metadata metadata_of(uint64_t size, int sha256) {
    orr_metadata metadata = {.path = "ward/scan1.svs",
                             .path_length = 14,
                             .size = size,
                             .mtime_seconds = -5,
                             .mode = 0640,
                             .has_sha256 = sha256};
    strcpy(metadata.timestamp, "02-01-2025 03:04:05");
    return metadata;
}

static void write_archive(int fd, uint64_t length, int sha256) {
    orr_error error = {0};
    orr_metadata metadata = metadata_of(length, sha256);
    orr_geometry geometry;
    orr_file_keys keys;
    orr_slot slot = fuzz_slot(3);
    uint8_t encoded[ORR_HEADER_BYTES], digest[16];
    size_t bytes = orr_metadata_length(&metadata);
    fuzz_check_ok(orr_geometry_init(&geometry, length, bytes, &error), &error, "small files fit");
    orr_header header = {.version = 1,
                         .suite = 1,
                         .profile = ORR_PROFILE_ARCHIVE,
                         .rule = ORR_RULE_DEFAULT,
                         .k2 = ORR_MAP_K2_DEFAULT,
                         .length = length,
                         .metadata_length = bytes,
                         .file_length = geometry.file_length,
                         .pages = 1};
    memcpy(header.file_id, fuzz_file_id, 32);
    orr_header_encode(&header, encoded);
    fuzz_check_ok(orr_file_keys_derive(&keys, &fuzz_secret, encoded, &error), &error, "keys");
    uint8_t *plain = calloc(geometry.rows, ORR_TILE_ROW_BYTES);
    fuzz_check(plain != NULL, "memory can be had");
    for (uint64_t n = 0; n < length; n++) plain[n] = (uint8_t)(n % 251);
    write_segment(fd, &header, &keys, &geometry, plain, digest);
    digest_of(digest, sizeof digest, metadata.digest);
    fuzz_check_ok(orr_archive_head_write(&header, &keys, &slot, &metadata, fd, "base", &error),
                  &error, "a head can be written");
    free(plain);
}

// A gray TIFF of 8 x 4 pixels, through the paper profile.
static void write_paper(int fd) {
    orr_error error = {0};
    static const uint8_t tiff[] = {
        'I', 'I', 42, 0,  40, 0,  0,  0,                                  // header
        1,   2,   3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, // pixels
        17,  18,  19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, //
        8,   0,                                                           // directory
        0,   1,   4,  0,  1,  0,  0,  0,  8,  0,  0,  0,  1,  1,  4,  0,
        1,   0,   0,  0,  4,  0,  0,  0, // 8 x 4
        2,   1,   3,  0,  1,  0,  0,  0,  8,  0,  0,  0,  3,  1,  3,  0,
        1,   0,   0,  0,  1,  0,  0,  0, // 8 bits, plain
        6,   1,   3,  0,  1,  0,  0,  0,  1,  0,  0,  0,  17, 1,  4,  0,
        1,   0,   0,  0,  8,  0,  0,  0, // gray, at 8
        22,  1,   4,  0,  1,  0,  0,  0,  4,  0,  0,  0,  23, 1,  4,  0,
        1,   0,   0,  0,  32, 0,  0,  0, // one strip
        0,   0,   0,  0};
    int source = fuzz_file(tiff, sizeof tiff);
    orr_slot slot = fuzz_slot(3);
    orr_metadata metadata = metadata_of(sizeof tiff, 0);
    orr_paper_request request = {
        "base", ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, &fuzz_secret,
        &slot,  fuzz_file_id,     &metadata,          {NULL, MAX_FILE * 64, NULL, NULL}};
    fuzz_check_ok(orr_paper_encrypt(&request, source, fd, &error), &error, "a small TIFF is taken");
    orr_metadata_free(&metadata);
    close(source);
}

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static bytes base(unsigned n) {
    static bytes made[BASES];
    if (!made[n].data) {
        static const uint64_t lengths[BASES] = {0, 1, 1000, ORR_TILE_BYTES + 5, 0};
        int fd = fuzz_file("", 0);
        if (n < BASES - 1)
            write_archive(fd, lengths[n], n % 2 != 0);
        else
            write_paper(fd);
        made[n].data = fuzz_content(fd, &made[n].size);
        close(fd);
    }
    return made[n];
}

// ---- reading, as strictly as `verify`

static orr_status check_tiles(const orr_container *container, int fd, const orr_file_secret *secret,
                              const orr_file_keys *keys, const orr_metadata *metadata,
                              orr_error *error) {
    const orr_header *header = &container->header;
    orr_cipher cipher;
    orr_status status = orr_cipher_init(&cipher, header->rule, header->k2, error);
    if (status == ORR_OK)
        status = orr_container_check(fd, &container->geometry, secret, keys, &cipher,
                                     header->length, metadata->digest, NULL, "file", error);
    return status;
}

static orr_status read_whole(int fd, uint64_t length) {
    static orr_container container;
    orr_error error = {0};
    orr_file_secret secret;
    orr_file_keys keys;
    orr_metadata metadata;
    orr_status status = orr_container_read(&container, fd, length, "file", &error);
    if (status != ORR_OK) {
        fuzz_check(error.text[0], "a refusal has a sentence");
        return status;
    }
    int stale = orr_container_stale_slot(&container);
    fuzz_check(stale == 0 || stale == 1, "one slot is the older");
    orr_container_check_head(&container, fd, "file", &error);
    status = orr_container_unlock(&container, fuzz_lookup, NULL, "file", &secret, &keys, &error);
    if (status != ORR_OK) return status;
    status = orr_container_metadata(&container, fd, &keys, "file", &metadata, &error);
    if (status != ORR_OK) return status;
    fuzz_check(orr_path_is_safe(metadata.path, metadata.path_length), "a sealed path is safe");
    if (container.header.profile == ORR_PROFILE_PAPER) {
        int target = fuzz_file("", 0);
        status =
            orr_paper_decrypt(&container, &secret, &metadata, NULL, fd, target, "file", &error);
        close(target);
    } else {
        status = check_tiles(&container, fd, &secret, &keys, &metadata, &error);
    }
    orr_metadata_free(&metadata);
    for (int i = 0; i < 2 && status == ORR_OK; i++) // of which verify warns
        if (!container.slot_good[i] || container.slot_wrong[i]) status = ORR_AUTH;
    return status;
}

// ---- altering

// Overwrites or flips a few bytes of `region` as the input says: kind, place, value.
static void alter(fuzz_input *input, uint8_t *region, size_t size) {
    for (unsigned left = 1 + fuzz_byte(input) % 8; left && input->left && size; left--) {
        unsigned kind = fuzz_byte(input);
        size_t at = fuzz_number(input, 3) % size;
        unsigned width = 1u << (kind >> 2) % 4;
        for (unsigned i = 0; i < width && at + i < size; i++) {
            uint8_t value = fuzz_byte(input);
            region[at + i] = (uint8_t)(kind % 2 ? value : region[at + i] ^ value);
        }
    }
}

// Takes the base's metadata in clear, alters it, gives it the length that the (altered) header says
// as far as there is room, and seals it under the new keys.
static void alter_metadata(fuzz_input *input, uint8_t *file, size_t size, const uint8_t *valid,
                           const orr_file_keys *keys) {
    static const uint8_t nonce[ORR_GCM_NONCE];
    static uint8_t plain[65536];
    orr_file_keys was;
    const uint8_t *sealed = valid + ORR_METADATA_OFFSET;
    size_t old_length = (size_t)orr_load_le64(valid + 32 + 56);
    uint64_t length = orr_load_le64(file + 32 + 56);
    orr_file_keys_derive(&was, &fuzz_secret, valid + 32, NULL);
    orr_gcm *gcm = orr_gcm_new(was.metadata_key);
    fuzz_check(gcm != NULL, "memory can be had");
    memset(plain, 0, sizeof plain);
    fuzz_check(orr_gcm_open(gcm, nonce, NULL, 0, sealed, old_length, plain, sealed + old_length) ==
                   ORR_OK,
               "the base's metadata opens");
    if (length <= sizeof plain && ORR_METADATA_OFFSET + length + ORR_GCM_TAG <= size) {
        uint8_t *at = file + ORR_METADATA_OFFSET;
        alter(input, plain, length);
        orr_gcm_rekey(gcm, keys->metadata_key);
        orr_gcm_seal(gcm, nonce, NULL, 0, plain, length, at, at + length);
    }
    orr_gcm_free(gcm);
}

static void fix_slots(uint8_t *file, const orr_file_keys *keys, unsigned fix) {
    for (int i = 1; i <= 2; i++) {
        uint8_t *page = file + (size_t)i * ORR_PAGE;
        if (fix & FIX_MACS) orr_hmac_sha256(keys->header_mac, page, 4048, page + 4048);
        if (fix & (FIX_MACS | FIX_SUMS)) digest_of(page, 4080, page + 4080);
    }
}

static void fuzz_altered(fuzz_input input, unsigned choice) {
    orr_file_keys keys;
    unsigned fix = fuzz_byte(&input);
    bytes valid = base(choice % BASES);
    size_t size = valid.size;
    uint8_t *file = calloc(1, MAX_FILE);
    fuzz_check(file != NULL, "memory can be had");
    memcpy(file, valid.data, size);
    // The interesting bytes are few among many: choose the region first.
    static const struct {
        size_t at, bytes;
    } regions[] = {{32, 192}, {0, 4096}, {4096, 600}, {8192, 600}, {12288, 400}, {0, SIZE_MAX}};
    for (unsigned left = fuzz_byte(&input) % 4; left; left--) {
        unsigned n = fuzz_byte(&input) % 6;
        size_t room = size - regions[n].at;
        alter(&input, file + regions[n].at, room < regions[n].bytes ? room : regions[n].bytes);
    }
    orr_file_keys_derive(&keys, &fuzz_secret, fix & FIX_KEYS ? file + 32 : valid.data + 32, NULL);
    if (fix & FIX_LENGTH) {
        uint64_t wanted = orr_load_le64(file + 32 + 72);
        if (wanted >= ORR_METADATA_OFFSET && wanted <= MAX_FILE) size = (size_t)wanted;
    }
    if (fix & FIX_METADATA) alter_metadata(&input, file, size, valid.data, &keys);
    if (fix & FIX_KEYS) memcpy(file + 224, keys.commitment, 32);
    fix_slots(file, &keys, fix);
    int cut = (fix & 32) && size > 0;
    if (cut) size -= 1 + fuzz_number(&input, 2) % size;
    int fd = fuzz_file(file, size);
    orr_status status = read_whole(fd, size);
    int same = size == valid.size && memcmp(file, valid.data, size) == 0;
    if (same) fuzz_check(status == ORR_OK, "an unaltered file is read");
    if (!same && !(fix & (FIX_KEYS | FIX_MACS | FIX_METADATA)))
        fuzz_check(status != ORR_OK, "an altered file is refused");
    close(fd);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    unsigned mode = fuzz_byte(&input);
    if (mode % 2 == 0) {
        fuzz_altered(input, mode >> 1);
        return 0;
    }
    int fd = fuzz_file(input.at, input.left);
    uint64_t length = input.left;
    // The length of a file can change between fstat and read: let it say what the header says.
    if (mode & 2 && input.left >= 32 + ORR_HEADER_BYTES) length = orr_load_le64(input.at + 32 + 72);
    read_whole(fd, length);
    close(fd);
    return 0;
}
