// Picks the SIMD level, and what all levels share.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "kernels/bitslice.h"
#include "kernels/cpu/cpu.h"

// ---- the portable level -------------------------------------------------------------------------

static void portable_encrypt(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_cpu_scratch *scratch) {
    orr_tile_encrypt_within(cipher, key, rows, in, out, &scratch->portable);
}

static void portable_decrypt(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_cpu_scratch *scratch) {
    orr_tile_decrypt_within(cipher, key, rows, in, out, &scratch->portable);
}

static void portable_streams(const orr_tile_key *key, uint32_t rows, uint32_t k2, const uint8_t *in,
                             const uint8_t *out, orr_cpu_scratch *scratch) {
    (void)in;
    (void)out;
    orr_tile_keystream(key->state[3], 1, rows, k2, scratch->k4);
    orr_tile_keystream(key->state[7], 0, rows, k2, scratch->k8);
}

static void portable_ranks(const orr_tile_key *key, uint32_t rows, uint32_t k2,
                           orr_cpu_scratch *scratch) {
    for (int round = 0; round < 2; round++) {
        orr_tile_ranks(key->state[4 * round], rows, k2, scratch->row[round]);
        orr_tile_ranks(key->state[4 * round + 1], ORR_TILE_COLUMNS, k2, scratch->column[round]);
        orr_tile_channel_ranks(key->state[4 * round + 2], k2, scratch->channel[round]);
    }
}

const orr_cpu_level orr_cpu_portable = {"portable", portable_encrypt, portable_decrypt,
                                        portable_streams, portable_ranks};

// ---- choice -------------------------------------------------------------------------------------

// The compiler's runtime asks the processor (and the system) once, before main().
orr_simd orr_cpu_simd(orr_simd level) {
    orr_simd best = ORR_SIMD_PORTABLE;
#ifdef ORR_CPU_X86
    if (__builtin_cpu_supports("avx2")) best = ORR_SIMD_AVX2;
    if (best == ORR_SIMD_AVX2 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        best = ORR_SIMD_AVX512;
#endif
    return level == ORR_SIMD_BEST || level > best ? best : level;
}

const orr_cpu_level *orr_cpu_level_of(orr_simd level) {
    switch (orr_cpu_simd(level)) {
#ifdef ORR_CPU_X86
    case ORR_SIMD_AVX512:
        return &orr_cpu_avx512;
    case ORR_SIMD_AVX2:
        return &orr_cpu_avx2;
#endif
    default:
        return &orr_cpu_portable;
    }
}

const char *orr_simd_name(orr_simd level) {
    switch (level) {
    case ORR_SIMD_AVX512:
        return "avx512";
    case ORR_SIMD_AVX2:
        return "avx2";
    case ORR_SIMD_PORTABLE:
        return "portable";
    case ORR_SIMD_BEST:
        break;
    }
    return "best";
}

// ---- shared by the levels -----------------------------------------------------------------------

static orr_cpu_lane_steps lanes[2];
static pthread_once_t lanes_once = PTHREAD_ONCE_INIT;

static void build_lanes(void) {
    for (unsigned wide = 0; wide < 2; wide++) {
        uint32_t cells = wide ? 16 : 8;
        for (uint32_t row = 0; row < 16; row++) {
            for (uint32_t n = 0; n < 32; n++) {
                uint32_t place = n % cells, half = cells / 2;
                uint32_t cell = n - place + 2 * (place % half) + place / half;
                uint64_t zigzag = orr_zigzag(16, 32, row, cell);
                lanes[wide].zigzag_order[row][n] = (zigzag + 1) * 0x9e3779b97f4a7c15u;
                lanes[wide].row_order[row][n] = (32 * row + cell + 1) * 0x9e3779b97f4a7c15u;
            }
        }
    }
}

const orr_cpu_lane_steps *orr_cpu_lanes(unsigned vector_bytes) {
    pthread_once(&lanes_once, build_lanes);
    return &lanes[vector_bytes == 64];
}

__attribute__((noinline)) void orr_cpu_wipe_stack(void) {
    uint8_t below[16384];
    OPENSSL_cleanse(below, sizeof below);
}

// ---- one tile at a time -------------------------------------------------------------------------

// Scratch that the last caller left, wiped, for the next one. Freed and taken anew by whichever
// thread comes next, it would soon stand once in each of the allocator's arenas.
static _Atomic(orr_cpu_scratch *) spare_scratch;

// Runs a level's function on scratch that nobody else uses.
static orr_status run_alone(orr_cpu_tile function, const orr_cipher *cipher,
                            const orr_tile_key *key, uint32_t rows, const uint8_t *in,
                            uint8_t *out) {
    orr_cpu_scratch *scratch = atomic_exchange(&spare_scratch, NULL);
    if (!scratch) scratch = aligned_alloc(64, sizeof *scratch);
    if (!scratch) return ORR_INTERNAL;
    function(cipher, key, rows, in, out, scratch);
    OPENSSL_cleanse(scratch, sizeof *scratch);
    free(atomic_exchange(&spare_scratch, scratch));
    orr_cpu_wipe_stack();
    return ORR_OK;
}

#ifdef ORR_CPU_X86
static orr_status encrypt_avx2(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                               const uint8_t *in, uint8_t *out) {
    return run_alone(orr_cpu_avx2.encrypt, cipher, key, rows, in, out);
}

static orr_status decrypt_avx2(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                               const uint8_t *in, uint8_t *out) {
    return run_alone(orr_cpu_avx2.decrypt, cipher, key, rows, in, out);
}

static orr_status encrypt_avx512(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                                 const uint8_t *in, uint8_t *out) {
    return run_alone(orr_cpu_avx512.encrypt, cipher, key, rows, in, out);
}

static orr_status decrypt_avx512(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                                 const uint8_t *in, uint8_t *out) {
    return run_alone(orr_cpu_avx512.decrypt, cipher, key, rows, in, out);
}
#endif

orr_tile_function orr_cpu_tile_encrypt(orr_simd level) {
    switch (orr_cpu_simd(level)) {
#ifdef ORR_CPU_X86
    case ORR_SIMD_AVX512:
        return encrypt_avx512;
    case ORR_SIMD_AVX2:
        return encrypt_avx2;
#endif
    default:
        return orr_tile_encrypt_portable;
    }
}

orr_tile_function orr_cpu_tile_decrypt(orr_simd level) {
    switch (orr_cpu_simd(level)) {
#ifdef ORR_CPU_X86
    case ORR_SIMD_AVX512:
        return decrypt_avx512;
    case ORR_SIMD_AVX2:
        return decrypt_avx2;
#endif
    default:
        return orr_tile_decrypt_portable;
    }
}
