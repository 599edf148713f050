// Encrypted files on their way in: header, slots, metadata, head, tiles, paper directories.
//
// Byte 0 chooses. Odd: the rest is a whole file. Even: a valid container is altered as the rest
// says, then the parts that only a holder of the key can make (keys, commitment, MACs, checksums,
// the seal of the metadata) are put right as far as byte 1 says, so that the checks behind them are
// reached. An alteration with nothing put right must be refused, wherever it is.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/container/tile_read.h"
#include "host/paper/paper.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/containers.h"

enum {
    FIX_KEYS = 1,     // commitment of the altered header
    FIX_MACS = 2,     // of both slots
    FIX_SUMS = 4,     // checksums of both slots
    FIX_METADATA = 8, // the alterations hit its plaintext, which is sealed again
    FIX_LENGTH = 16,  // the file gets the length that its header says
};

#define MAX_FILE ((uint64_t)1 << 20)
#define FOOT 48 // MAC and checksum of a slot

enum { PAPER = 4, REPAIR, READERS, RECORDS, BASES }; // before them archives of a few lengths

// ---- valid containers

static orr_metadata metadata_of(uint64_t size) {
    orr_metadata metadata = {.path = "ward/scan1.svs",
                             .path_length = 14,
                             .size = size,
                             .mtime_seconds = -5,
                             .mode = 0640};
    strcpy(metadata.timestamp, "02-01-2025 03:04:05");
    return metadata;
}

// Records that only some files have.
static void add_records(orr_metadata *metadata) {
    metadata->has_vault_id = 1;
    strcpy(metadata->decoy_label, "decoy");
    metadata->holes = calloc(1, metadata->holes_length = 32);
    fuzz_check(metadata->holes != NULL, "memory can be had");
    orr_store_le64(metadata->holes, 100);
    orr_store_le64(metadata->holes + 8, 50);
    orr_store_le64(metadata->holes + 16, 900);
    orr_store_le64(metadata->holes + 24, 100);
}

static void add_wraps(container_draft *draft) {
    const orr_wrap_key reader = fuzz_reader(ORR_WRAP_RECIPIENT);
    const uint8_t seed[32] = {9}, body[40] = {1, 2, 3};
    const orr_wrap later = {77, reader.key_id, body, sizeof body};
    fuzz_check(orr_wraps_add(&draft->wraps, &later, NULL) == ORR_OK &&
                   orr_wraps_make(&draft->wraps, &reader, seed, &draft->secret, draft->header_bytes,
                                  NULL) == ORR_OK,
               "a slot has room");
}

static void write_archive(int fd, unsigned n) {
    static const uint64_t lengths[] = {0, 1, 1000, ORR_TILE_BYTES + 5};
    uint64_t length = n < PAPER ? lengths[n] : 1000;
    const orr_wrap_key reader = fuzz_reader(ORR_WRAP_MASTER);
    container_draft draft;
    container_draft_begin(&draft, length);
    draft.secret = fuzz_secret;
    memcpy(draft.header.file_id, fuzz_file_id, sizeof draft.header.file_id);
    draft.metadata.has_sha256 = n < PAPER && n % 2;
    if (n == REPAIR) draft.header.groups = draft.header.repair_pages = 2;
    if (n == READERS) draft.header.slot_pages = 2;
    if (n == RECORDS) add_records(&draft.metadata);
    container_draft_settle(&draft, &reader, 1);
    if (n == READERS) add_wraps(&draft);
    uint8_t *plain = malloc(length + 1);
    fuzz_check(plain != NULL, "memory can be had");
    for (uint64_t i = 0; i < length; i++) plain[i] = (uint8_t)(i % 251);
    container_draft_write(&draft, plain, fd);
    container_draft_end(&draft);
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
    orr_metadata metadata = metadata_of(sizeof tiff);
    orr_paper_request request = fuzz_paper_request("base", &metadata, MAX_FILE * 64);
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
        int fd = fuzz_file("", 0);
        if (n == PAPER)
            write_paper(fd);
        else
            write_archive(fd, n);
        made[n].data = fuzz_content(fd, &made[n].size);
        close(fd);
    }
    return made[n];
}

// Is all that is read without repair data the same? (They are only warned of.)
static int same_file(bytes valid, const uint8_t *file, size_t size) {
    orr_header header;
    orr_geometry geometry;
    if (size != valid.size) return 0;
    fuzz_check(orr_header_decode(valid.data + 32, &header, NULL) == ORR_OK, "a base has a header");
    if (!header.groups) return memcmp(file, valid.data, size) == 0;
    fuzz_check(orr_geometry_init(&geometry, &header, NULL) == ORR_OK, "a base has a geometry");
    uint64_t slot = orr_slot_offset(&header, 2);
    return memcmp(file, valid.data, geometry.data_end) == 0 &&
           memcmp(file + slot, valid.data + slot, orr_slot_size(&header)) == 0;
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
    fuzz_check(stale >= 0 && stale < container.slots, "one slot is the older");
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
    for (int i = 0; i < container.slots && status == ORR_OK; i++) // of which verify warns
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

// nonce = HKDF-Expand(nonce key, "metadata" || 0x00 || salt)
static void metadata_nonce(const orr_file_keys *keys, const uint8_t *salt,
                           uint8_t nonce[ORR_GCM_NONCE]) {
    uint8_t info[9 + ORR_SALT_BYTES] = "metadata";
    memcpy(info + 9, salt, ORR_SALT_BYTES);
    fuzz_check(orr_hkdf_expand(keys->nonce_key, info, sizeof info, nonce, ORR_GCM_NONCE) == ORR_OK,
               "a nonce can be derived");
}

// Where slots and metadata are by the (altered) header at file + 32.
static size_t slot_size(const uint8_t *file) {
    return (size_t)file[32 + 5] * ORR_PAGE;
}

static size_t metadata_at(const uint8_t *file) {
    return ORR_PAGE + 2 * slot_size(file);
}

// Takes the base's metadata in clear, alters it, gives it the length that the (altered) header says
// as far as there is room, and seals it under the new keys.
static void alter_metadata(fuzz_input *input, uint8_t *file, size_t size, const uint8_t *valid,
                           const orr_file_keys *keys) {
    static uint8_t plain[65536];
    const size_t around = ORR_SALT_BYTES + ORR_GCM_TAG;
    uint8_t nonce[ORR_GCM_NONCE], *at = file + metadata_at(file);
    const uint8_t *sealed = valid + metadata_at(valid);
    size_t was = (size_t)orr_load_le64(valid + 32 + 56) - around;
    uint64_t length = orr_load_le64(file + 32 + 56) - around;
    orr_file_keys old;
    orr_file_keys_derive(&old, &fuzz_secret, valid + 32, NULL);
    orr_gcm *gcm = orr_gcm_new(old.metadata_key);
    fuzz_check(gcm != NULL, "memory can be had");
    memset(plain, 0, sizeof plain);
    metadata_nonce(&old, sealed, nonce);
    fuzz_check(orr_gcm_open(gcm, nonce, NULL, 0, sealed + ORR_SALT_BYTES, was, plain,
                            sealed + ORR_SALT_BYTES + was) == ORR_OK,
               "the base's metadata opens");
    if (length <= sizeof plain && metadata_at(file) + length + around <= size) {
        alter(input, plain, length);
        metadata_nonce(keys, at, nonce);
        orr_gcm_rekey(gcm, keys->metadata_key);
        at += ORR_SALT_BYTES;
        orr_gcm_seal(gcm, nonce, NULL, 0, plain, length, at, at + length);
    }
    orr_gcm_free(gcm);
}

// Slot n of `size` bytes in the file; NULL when it has none there.
static uint8_t *slot_of(uint8_t *file, size_t size, int n) {
    size_t room = slot_size(file), at = n < 2 ? ORR_PAGE + (size_t)n * room : 0;
    if (room == 0 || room > ORR_MAX_SLOT_PAGES * ORR_PAGE) return NULL;
    if (n == 2 && (!orr_load_le32(file + 32 + 88) || size < ORR_PAGE + room)) return NULL;
    if (n == 2) at = size - ORR_PAGE - room;
    return at + room <= size ? file + at : NULL;
}

// Wraps open in the file of their header alone: those of an altered header are made anew, and what
// was altered in the slots is altered again.
static void rewrap(uint8_t *file, size_t size, bytes valid, const orr_file_keys *keys) {
    static uint8_t fresh[ORR_MAX_SLOT_PAGES * ORR_PAGE];
    orr_error error = {0};
    orr_wraps wraps = {0};
    orr_wrap_key reader = fuzz_reader(ORR_WRAP_MASTER);
    size_t room = slot_size(file);
    if (memcmp(file + 32, valid.data + 32, ORR_HEADER_BYTES) == 0) return;
    fuzz_check_ok(orr_wraps_make(&wraps, &reader, NULL, &fuzz_secret, file + 32, &error), &error,
                  "a secret can be wrapped");
    for (int n = 0; n < ORR_SLOTS; n++) {
        uint8_t *slot = slot_of(file, size, n);
        if (!slot) continue;
        fuzz_check(orr_slot_encode(&wraps, 1, keys->header_mac, fresh, room) == ORR_OK,
                   "a slot takes one wrap");
        const uint8_t *was =
            room == slot_size(valid.data) && size == valid.size ? valid.data + (slot - file) : NULL;
        for (size_t i = 0; i < room; i++)
            slot[i] = (uint8_t)(was ? fresh[i] ^ slot[i] ^ was[i] : fresh[i]);
    }
    orr_wraps_free(&wraps);
}

static void fix_slots(uint8_t *file, size_t size, const orr_file_keys *keys, unsigned fix) {
    size_t room = slot_size(file);
    for (int n = 0; n < ORR_SLOTS; n++) {
        uint8_t *slot = slot_of(file, size, n);
        if (!slot) continue;
        if (fix & FIX_MACS)
            orr_hmac_sha256(keys->header_mac, slot, room - FOOT, slot + room - FOOT);
        if (fix & (FIX_MACS | FIX_SUMS)) container_slot_checksum(slot, room);
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
        if (wanted >= metadata_at(file) && wanted <= MAX_FILE) size = (size_t)wanted;
    }
    if (fix & FIX_METADATA) alter_metadata(&input, file, size, valid.data, &keys);
    if (fix & FIX_KEYS) {
        memcpy(file + 224, keys.commitment, 32);
        rewrap(file, size, valid, &keys);
    }
    fix_slots(file, size, &keys, fix);
    int cut = (fix & 32) && size > 0;
    if (cut) size -= 1 + fuzz_number(&input, 2) % size;
    int fd = fuzz_file(file, size);
    orr_status status = read_whole(fd, size);
    int same = same_file(valid, file, size);
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
