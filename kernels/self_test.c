// Known-answer self-test of a backend: fixed tiles in, digests of the right cipher tiles built in.
//
// The digests come from the second reader (tests/kernels/self_test_digests_test.py), which shares
// no code with kernels/: a backend is not only compared with functions that share its compiler and
// its bugs.
#include <stdlib.h>
#include <string.h>

#include "kernels/backend.h"
#include "kernels/map.h"

// One fixed tile: state n of its key is orr_mix64(16 * case + n) (8 + n for the new key of
// reencryption), byte n of the plaintext is (7 * case + n) mod 251.
typedef struct known_answer {
    uint32_t rows;
    uint64_t digest[2]; // FNV-1a of the cipher tile under self_test_rule[0] and [1]
} known_answer;

static const uint32_t self_test_rule[2] = {ORR_RULE_DEFAULT, 12345};

static const known_answer answers[] = {
    {128, {0x3a7b7a9c4857024a, 0xc57667715e0c78ef}},
    {127, {0xbfefa611b922d837, 0xf78ea4e0fa071a0f}},
    {64, {0x59b935aac2c73cec, 0xd6ea8fe5ec21af9d}},
    {9, {0x1f2a0cc5cf9bf753, 0xb8360e30b9ed74bf}},
    {8, {0x21014bc972bb2008, 0x817a0833aa11f2a1}},
    {1, {0xc2de39159ac9aabb, 0x5d1e2531e0dc6e6a}},
};

#define CASES (sizeof answers / sizeof answers[0])

static uint64_t fnv1a(const uint8_t *data, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t n = 0; n < bytes; n++) hash = (hash ^ data[n]) * 0x100000001b3u;
    return hash;
}

static const char *operation_name(orr_tile_op op) {
    return op == ORR_TILE_ENCRYPT   ? "encryption"
           : op == ORR_TILE_DECRYPT ? "decryption"
                                    : "re-encryption";
}

// What the test works on: `plain` and the cipher tiles that the portable path makes under the first
// key and rule[0] and under the new key and rule[1].
typedef struct self_test {
    orr_cipher cipher[2];
    orr_tile_task task[CASES];
    size_t bytes;
    uint8_t *plain, *old_cipher, *new_cipher;
} self_test;

// Fills the expected bytes; the portable path itself must give the digests built in.
static orr_status expect(self_test *test, orr_error *error) {
    size_t offset = 0;
    for (uint32_t c = 0; c < CASES; c++) {
        orr_tile_task *task = &test->task[c];
        size_t bytes = (size_t)ORR_TILE_ROW_BYTES * answers[c].rows;
        task->offset = offset;
        task->rows = answers[c].rows;
        for (uint32_t n = 0; n < 8; n++) {
            task->key.state[n] = orr_mix64(16 * c + n);
            task->new_key.state[n] = orr_mix64(16 * c + 8 + n);
        }
        for (size_t n = 0; n < bytes; n++) test->plain[offset + n] = (uint8_t)((7 * c + n) % 251);
        for (int rule = 0; rule < 2; rule++) {
            uint8_t *out = (rule ? test->new_cipher : test->old_cipher) + offset;
            if (orr_tile_encrypt_portable(&test->cipher[rule], &task->key, task->rows,
                                          test->plain + offset, out) != ORR_OK)
                return orr_fail(error, ORR_INTERNAL, "out of memory for the self-test");
            if (fnv1a(out, bytes) != answers[c].digest[rule])
                return orr_fail(error, ORR_SELF_TEST,
                                "self-test: this build enciphers a tile of %u rows wrongly under "
                                "rule %u; rebuild, or report processor and compiler",
                                task->rows, self_test_rule[rule]);
        }
        if (orr_tile_encrypt_portable(&test->cipher[1], &task->new_key, task->rows,
                                      test->plain + offset, test->new_cipher + offset) != ORR_OK)
            return orr_fail(error, ORR_INTERNAL, "out of memory for the self-test");
        offset += bytes;
    }
    return ORR_OK;
}

// Runs all tiles as one batch and compares.
static orr_status check(orr_backend *backend, self_test *test, orr_tile_op op, const uint8_t *from,
                        const uint8_t *expected, uint8_t *in, uint8_t *out, orr_error *error) {
    orr_batch batch = {.op = op,
                       .cipher = &test->cipher[0],
                       .new_cipher = &test->cipher[1],
                       .in = in,
                       .out = out,
                       .bytes = test->bytes,
                       .tasks = test->task,
                       .count = CASES};
    memcpy(in, from, test->bytes);
    orr_status status = backend->api->submit(backend, &batch, error);
    if (status == ORR_OK) status = backend->api->wait(backend, &batch, error);
    if (status != ORR_OK) return status;
    for (size_t n = 0; n < test->bytes; n++) {
        if (out[n] == expected[n]) continue;
        orr_backend_properties properties;
        backend->api->properties(backend, &properties);
        return orr_fail(error, ORR_SELF_TEST,
                        "self-test: %s gives a wrong byte at %zu in %s; do not use this device",
                        properties.name, n, operation_name(op));
    }
    return ORR_OK;
}

orr_status orr_backend_self_test(orr_backend *backend, orr_error *error) {
    self_test test = {.bytes = 0};
    uint8_t *in = NULL, *out = NULL;
    orr_status status = ORR_OK;
    for (size_t c = 0; c < CASES; c++) test.bytes += (size_t)ORR_TILE_ROW_BYTES * answers[c].rows;
    for (int rule = 0; rule < 2 && status == ORR_OK; rule++)
        status =
            orr_cipher_init(&test.cipher[rule], self_test_rule[rule], ORR_MAP_K2_DEFAULT, error);
    if (status != ORR_OK) return status;
    test.plain = malloc(3 * test.bytes);
    in = backend->api->alloc(backend, test.bytes);
    out = backend->api->alloc(backend, test.bytes);
    if (!test.plain || !in || !out) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for the self-test of a device");
        goto end;
    }
    test.old_cipher = test.plain + test.bytes;
    test.new_cipher = test.old_cipher + test.bytes;
    status = expect(&test, error);
    if (status == ORR_OK)
        status =
            check(backend, &test, ORR_TILE_ENCRYPT, test.plain, test.old_cipher, in, out, error);
    if (status == ORR_OK)
        status =
            check(backend, &test, ORR_TILE_DECRYPT, test.old_cipher, test.plain, in, out, error);
    if (status == ORR_OK)
        status = check(backend, &test, ORR_TILE_REENCRYPT, test.old_cipher, test.new_cipher, in,
                       out, error);
    if (status == ORR_OK) status = orr_backend_self_test_volumes(backend, error);
end:
    backend->api->free(backend, in, test.bytes);
    backend->api->free(backend, out, test.bytes);
    free(test.plain);
    return status;
}
