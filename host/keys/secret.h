// What a new file draws: randomness and time. In the program these are the operating system's
// generator and clock, nothing else. The test build (ORRERY_TEST_HOOKS, host/CMakeLists.txt) can
// fix both, so that tests can compare whole files over runs, file orders and thread counts.
#ifndef ORRERY_HOST_KEYS_SECRET_H
#define ORRERY_HOST_KEYS_SECRET_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "host/container/crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a writer draws for one file, all on one thread:
//     orr_file_draw_begin(relative path);
//     orr_file_random(file_id);  orr_file_secret_new(keyring, orr_file_now(), ...);
// and anything else random in that file through orr_file_random, in a fixed order.

#ifdef ORRERY_TEST_HOOKS

// With ORRERY_TEST_SEED in the environment, what this thread draws next is a function of the seed
// and of these `bytes` path bytes: SHA-512(key || be64(0)), SHA-512(key || be64(1)) ... with key =
// SHA-512(seed || 0x00 || path), each call starting at a new block. Without the variable nothing is
// fixed.
void orr_file_draw_begin(const uint8_t *path, size_t bytes);
// Fails with ORR_INTERNAL when OpenSSL does, or when a seed is set and no draw was begun.
orr_status orr_file_random(void *out, size_t bytes, orr_error *error);
// Unix seconds; with a seed always 1732406400 (24-11-2024 00:00:00).
int64_t orr_file_now(void);

#else

static inline void orr_file_draw_begin(const uint8_t *path, size_t bytes) {
    (void)path;
    (void)bytes;
}

static inline orr_status orr_file_random(void *out, size_t bytes, orr_error *error) {
    return orr_random(out, bytes, error);
}

static inline int64_t orr_file_now(void) {
    return (int64_t)time(NULL);
}

#endif

#ifdef __cplusplus
}
#endif
#endif
