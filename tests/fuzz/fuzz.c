#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/keys/keyring_codec.h"

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

static const uint8_t *master_id(void) {
    static uint8_t id[ORR_KEY_ID_BYTES];
    static int known;
    if (!known) fuzz_check(orr_master_key_id(fuzz_master, id, NULL) == ORR_OK, "a key has an ID");
    known = 1;
    return id;
}

orr_slot fuzz_slot(uint64_t generation) {
    orr_slot slot = {.generation = generation, .count = 1};
    uint8_t both[96];
    memcpy(both, fuzz_secret.seal_root, 32);
    memcpy(both + 32, fuzz_secret.planet_secret, 64);
    memcpy(slot.wrap[0].key_id, master_id(), ORR_KEY_ID_BYTES);
    fuzz_check(orr_kwp_wrap(fuzz_master, both, sizeof both, slot.wrap[0].wrapped) == ORR_OK,
               "a secret can be wrapped");
    return slot;
}

orr_status fuzz_lookup(void *context, const uint8_t id[ORR_KEY_ID_BYTES], uint8_t key[32],
                       orr_error *error) {
    (void)context;
    if (memcmp(id, master_id(), ORR_KEY_ID_BYTES) != 0)
        return orr_fail(error, ORR_KEY, "the keyring lacks this key");
    memcpy(key, fuzz_master, 32);
    return ORR_OK;
}

void fuzz_keyring(orr_keyring *keyring) {
    orr_error error = {0};
    const orr_decoy decoy = {{1000, 2000, 3000}};
    fuzz_check_ok(orr_keyring_init(keyring, "fuzz", &error), &error, "a keyring can be made");
    memcpy(keyring->keys[0].key, fuzz_master, 32);
    memcpy(keyring->keys[0].id, master_id(), ORR_KEY_ID_BYTES);
    fuzz_check_ok(orr_master_key_pair(&keyring->keys[0], &error), &error,
                  "its pair can be derived");
    fuzz_check_ok(orr_keyring_add_decoy(keyring, &decoy, &error), &error, "a decoy can be added");
}
