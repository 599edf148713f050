#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/keys/keyring_codec.h"
#include "kernels/map.h"
#include "kernels/vpd.h"

const uint8_t fuzz_master[32] = "a master key of the fuzz targets";
const orr_file_secret fuzz_secret = {
    "the seal root of the fuzz target",
    "a planet secret of sixty-four bytes, known to everybody, abcdefg"};
const uint8_t fuzz_file_id[32] = "one fixed file ID, thirty-two by";

void fuzz_check(int ok, const char *promise) {
    if (ok) return;
    fprintf(stderr, "broken promise: %s\n", promise);
    abort();
}

void fuzz_check_ok(orr_status status, const orr_error *error, const char *promise) {
    if (status != ORR_OK) fprintf(stderr, "status %d: %s\n", (int)status, error->text);
    fuzz_check(status == ORR_OK, promise);
}

uint8_t fuzz_byte(fuzz_input *input) {
    if (!input->left) return 0;
    input->left--;
    return *input->at++;
}

uint64_t fuzz_number(fuzz_input *input, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)fuzz_byte(input) << 8 * i;
    return value;
}

void fuzz_bytes(fuzz_input *input, void *out, size_t bytes) {
    size_t there = bytes < input->left ? bytes : input->left;
    if (there) memcpy(out, input->at, there);
    memset((uint8_t *)out + there, 0, bytes - there);
    input->at += there;
    input->left -= there;
}

int fuzz_file(const void *content, size_t bytes) {
    orr_error error = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_check(fd >= 0, "a file in memory can be had");
    fuzz_check_ok(orr_pwrite_all(fd, content, bytes, 0, "memory", &error), &error,
                  "a file in memory can be written");
    return fd;
}

const char *fuzz_path(int fd, char path[32]) {
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return path;
}

uint64_t fuzz_length(int fd) {
    struct stat st;
    fuzz_check(fstat(fd, &st) == 0, "fstat works");
    return (uint64_t)st.st_size;
}

uint8_t *fuzz_content(int fd, size_t *bytes) {
    orr_error error = {0};
    *bytes = (size_t)fuzz_length(fd);
    uint8_t *content = malloc(*bytes + 1);
    fuzz_check(content != NULL, "memory can be had");
    fuzz_check_ok(orr_pread_all(fd, content, *bytes, 0, "memory", &error), &error,
                  "a file in memory can be read");
    return content;
}

static const orr_master_key *master_key(void) {
    static orr_master_key key;
    static int known;
    if (known) return &key;
    memcpy(key.key, fuzz_master, sizeof key.key);
    fuzz_check(orr_master_key_id(fuzz_master, key.id, NULL) == ORR_OK, "a key has an ID");
    fuzz_check(orr_master_key_pair(&key, NULL) == ORR_OK, "a key has a pair");
    known = 1;
    return &key;
}

orr_wrap_key fuzz_reader(orr_wrap_type type) {
    const orr_master_key *key = master_key();
    orr_wrap_key reader = {.type = type};
    memcpy(reader.key_id, key->id, sizeof reader.key_id);
    memcpy(reader.key, type == ORR_WRAP_MASTER ? key->key : key->x25519_public, sizeof reader.key);
    return reader;
}

orr_status fuzz_lookup(void *context, const uint8_t id[ORR_KEY_ID_BYTES], orr_unwrap_key *key,
                       orr_error *error) {
    (void)context;
    if (memcmp(id, master_key()->id, ORR_KEY_ID_BYTES) != 0)
        return orr_fail(error, ORR_KEY, "the keyring lacks this key");
    memcpy(key->master, fuzz_master, sizeof key->master);
    memcpy(key->x25519, master_key()->x25519_private, sizeof key->x25519);
    return ORR_OK;
}

orr_paper_request fuzz_paper_request(const char *name, orr_metadata *metadata, uint64_t memory) {
    static orr_wrap_key reader;
    static const uint8_t salt[ORR_SALT_BYTES] = "sixteen of salt";
    reader = fuzz_reader(ORR_WRAP_MASTER);
    return (orr_paper_request){.name = name,
                               .rule = ORR_RULE_DEFAULT,
                               .k2 = ORR_MAP_K2_DEFAULT,
                               .secret = &fuzz_secret,
                               .readers = &reader,
                               .reader_count = 1,
                               .slot_pages = 1,
                               .file_id = fuzz_file_id,
                               .metadata_salt = salt,
                               .metadata = metadata,
                               .means = {.memory = memory}};
}

void fuzz_keyring(orr_keyring *keyring) {
    orr_error error = {0};
    const orr_decoy decoy = {{1000, 2000, 3000}};
    fuzz_check_ok(orr_keyring_init(keyring, "fuzz", &error), &error, "a keyring can be made");
    memcpy(keyring->keys[0].key, fuzz_master, 32);
    memcpy(keyring->keys[0].id, master_key()->id, ORR_KEY_ID_BYTES);
    fuzz_check_ok(orr_master_key_pair(&keyring->keys[0], &error), &error,
                  "its pair can be derived");
    fuzz_check_ok(orr_keyring_add_decoy(keyring, &decoy, &error), &error, "a decoy can be added");
}
