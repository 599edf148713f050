// What a new file draws: randomness and time. In the program these are the operating system's
// generator and clock, nothing else. The test build (ORRERY_TEST_HOOKS, host/CMakeLists.txt) can
// fix both, so that tests can compare whole files over runs, file orders and thread counts.
#ifndef ORRERY_HOST_KEYS_SECRET_H
#define ORRERY_HOST_KEYS_SECRET_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "host/container/crypto.h"
#include "host/container/slot.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a writer draws for one file, all on one thread:
//     orr_file_draw_begin(relative path);
//     orr_file_random(file_id);  orr_file_secret_new(keyring, orr_file_now(), ...);
// and anything else random in that file through orr_file_random, in a fixed order. What other
// threads draw for it is a part with a number: a segment, or one of these.
#define ORR_FILE_DRAW_METADATA UINT64_MAX
#define ORR_FILE_DRAW_UNFINISHED (UINT64_MAX - 1) // for the head of an unfinished file

// Wraps for all readers, with seeds drawn by orr_file_random. Errors as orr_wraps_make.
orr_status orr_wraps_draw(orr_wraps *wraps, const orr_wrap_key *readers, size_t count,
                          const orr_file_secret *secret, const uint8_t header[ORR_HEADER_BYTES],
                          orr_error *error);

#ifdef ORRERY_TEST_HOOKS

// With ORRERY_TEST_SEED in the environment, what this thread draws next is a function of the seed
// and of these `bytes` path bytes: SHA-512(key || be64(0)), SHA-512(key || be64(1)) ... with key =
// SHA-512(seed || 0x00 || path), each call starting at a new block. Without the variable nothing is
// fixed.
void orr_file_draw_begin(const uint8_t *path, size_t bytes);
// The same of a part of the file: the number goes into the seed behind another zero byte.
void orr_file_draw_part(const uint8_t *path, size_t bytes, uint64_t part);
// Fails with ORR_INTERNAL when OpenSSL does, or when a seed is set and no draw was begun.
orr_status orr_file_random(void *out, size_t bytes, orr_error *error);
// The clock; with a seed always 1732406400 s (24-11-2024 00:00:00).
struct timespec orr_file_now(void);

#else

static inline void orr_file_draw_begin(const uint8_t *path, size_t bytes) {
    (void)path;
    (void)bytes;
}

static inline void orr_file_draw_part(const uint8_t *path, size_t bytes, uint64_t part) {
    (void)path;
    (void)bytes;
    (void)part;
}

static inline orr_status orr_file_random(void *out, size_t bytes, orr_error *error) {
    return orr_random(out, bytes, error);
}

static inline struct timespec orr_file_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

#endif

#ifdef __cplusplus
}
#endif
#endif
