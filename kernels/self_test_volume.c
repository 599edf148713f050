// Known-answer self-test of a backend, volumes: fixed volumes in, digests of the right cipher
// volumes built in. Like those of kernels/self_test.c they come from an implementation that shares
// no code with kernels/.
#include <stdlib.h>
#include <string.h>

#include "kernels/backend.h"
#include "kernels/fixed_trig.h"

// One fixed volume: part n of its key is orr_mix64(16 * case + n) mod 10^15, byte n of the
// plaintext is (7 * case + n) mod 251.
typedef struct known_volume {
    orr_volume_shape shape;
    uint64_t digest[2]; // FNV-1a of the cipher volume under self_test_rule[0] and [1]
} known_volume;

static const uint32_t self_test_rule[2] = {ORR_RULE_DEFAULT, 12345};

static const known_volume answers[] = {
    {{3, 40, 50}, {0x40ffa229dc31975b, 0x0010c071e4e36bd6}},
    {{1, 1, 1}, {0xaf64864c86030d6a, 0xaf64764c8602f23a}},
    {{4, 7, 61}, {0x6d34dddd4dc626e4, 0x01cf9666b0ed100a}},
    {{1, 33, 1}, {0xeb510116bfeef885, 0xa633418570b53c10}},
    {{2, 1, 130}, {0xeb3cae408951bc2d, 0xb4d9e700fff1fed6}},
};

#define CASES (sizeof answers / sizeof answers[0])
#define MOST_BYTES 6000

static uint64_t fnv1a(const uint8_t *data, size_t bytes) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t n = 0; n < bytes; n++) hash = (hash ^ data[n]) * 0x100000001b3u;
    return hash;
}

static size_t bytes_of(size_t c) {
    orr_volume_shape shape = answers[c].shape;
    return (size_t)shape.channels * shape.rows * shape.columns;
}

static orr_status wrong(orr_backend *backend, size_t c, const char *what, orr_error *error) {
    orr_backend_properties properties;
    orr_volume_shape shape = answers[c].shape;
    backend->api->properties(backend, &properties);
    return orr_fail(error, ORR_SELF_TEST,
                    "self-test: %s gives a wrong %s of a volume of %u x %u x %u bytes; do not use "
                    "this device",
                    properties.name, what, shape.channels, shape.rows, shape.columns);
}

typedef struct self_test {
    orr_volume_task task[CASES];
    uint8_t plain[CASES][MOST_BYTES], cipher[CASES][MOST_BYTES], back[CASES][MOST_BYTES];
} self_test;

// All volumes in flight together, one way. Every submitted one is waited for.
static orr_status run_all(orr_backend *backend, self_test *test, orr_error *error) {
    orr_error first = {.status = ORR_OK}, now = {.status = ORR_OK};
    size_t submitted = 0;
    while (submitted < CASES && first.status == ORR_OK) {
        if (orr_volume_submit(backend, &test->task[submitted], &first) == ORR_OK) submitted++;
    }
    for (size_t c = 0; c < submitted; c++)
        if (orr_volume_wait(backend, &test->task[c], &now) != ORR_OK && first.status == ORR_OK)
            first = now;
    if (first.status != ORR_OK && error) *error = first;
    return first.status;
}

static orr_status run_rule(orr_backend *backend, self_test *test, int rule, orr_error *error) {
    orr_cipher cipher;
    orr_status status = orr_cipher_init(&cipher, self_test_rule[rule], ORR_MAP_K2_DEFAULT, error);
    if (status != ORR_OK) return status;
    for (size_t c = 0; c < CASES; c++) {
        orr_volume_task *task = &test->task[c];
        *task = (orr_volume_task){.op = ORR_VOLUME_ENCRYPT,
                                  .cipher = &cipher,
                                  .shape = answers[c].shape,
                                  .in = test->plain[c],
                                  .out = test->cipher[c]};
        for (size_t n = 0; n < 8; n++) task->key.part[n] = orr_mix64(16 * c + n) % ORR_TEN15;
        for (size_t n = 0; n < bytes_of(c); n++) test->plain[c][n] = (uint8_t)((7 * c + n) % 251);
    }
    status = run_all(backend, test, error);
    for (size_t c = 0; status == ORR_OK && c < CASES; c++)
        if (fnv1a(test->cipher[c], bytes_of(c)) != answers[c].digest[rule])
            status = wrong(backend, c, "encryption", error);
    for (size_t c = 0; c < CASES; c++) {
        test->task[c].op = ORR_VOLUME_DECRYPT;
        test->task[c].in = test->cipher[c];
        test->task[c].out = test->back[c];
    }
    if (status == ORR_OK) status = run_all(backend, test, error);
    for (size_t c = 0; status == ORR_OK && c < CASES; c++)
        if (memcmp(test->back[c], test->plain[c], bytes_of(c)) != 0)
            status = wrong(backend, c, "decryption", error);
    return status;
}

orr_status orr_backend_self_test_volumes(orr_backend *backend, orr_error *error) {
    if (!backend->api->volume_submit) return ORR_OK;
    self_test *test = calloc(1, sizeof *test);
    if (!test) return orr_fail(error, ORR_INTERNAL, "out of memory for the self-test of a device");
    orr_status status = run_rule(backend, test, 0, error);
    if (status == ORR_OK) status = run_rule(backend, test, 1, error);
    free(test);
    return status;
}
