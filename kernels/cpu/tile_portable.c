// The definition of the tile cipher (kernels/tile.c) as a level beside the SIMD ones.
#include "kernels/cpu/cpu.h"

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
