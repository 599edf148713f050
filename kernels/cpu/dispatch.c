// Picks the SIMD level. The processor is asked once, before main(), by the compiler's runtime.
#include <openssl/crypto.h>

#include "kernels/cpu/cpu.h"

static void portable_encrypt(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_cpu_scratch *scratch) {
    (void)scratch;
    orr_tile_encrypt_portable(cipher, key, rows, in, out);
}

static void portable_decrypt(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_cpu_scratch *scratch) {
    (void)scratch;
    orr_tile_decrypt_portable(cipher, key, rows, in, out);
}

const orr_cpu_level orr_cpu_portable = {"portable", portable_encrypt, portable_decrypt};

orr_simd orr_cpu_simd(orr_simd level) {
    orr_simd best = ORR_SIMD_PORTABLE;
    return level == ORR_SIMD_BEST || level > best ? best : level;
}

const orr_cpu_level *orr_cpu_level_of(orr_simd level) {
    switch (orr_cpu_simd(level)) {
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

orr_tile_function orr_cpu_tile_encrypt(orr_simd level) {
    switch (orr_cpu_simd(level)) {
    default:
        return orr_tile_encrypt_portable;
    }
}

orr_tile_function orr_cpu_tile_decrypt(orr_simd level) {
    switch (orr_cpu_simd(level)) {
    default:
        return orr_tile_decrypt_portable;
    }
}
