// The cipher of the `archive` profile on one tile (docs/FORMAT.md, "Archive profile").
//
// A tile is 3 channels of `rows` rows x 128 columns of bytes, 1 <= rows <= 128; byte
// n = 128 rows k + 128 i + j is channel k, row i, column j. A tile holds 384 * rows bytes.
// The portable functions here are the definition in code; every SIMD and CUDA path equals them.
#ifndef ORRERY_KERNELS_TILE_H
#define ORRERY_KERNELS_TILE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/vpd.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_TILE_COLUMNS 128
#define ORR_TILE_ROWS 128
#define ORR_TILE_CHANNELS 3
#define ORR_TILE_ROW_BYTES 384 // one row of all three channels: the unit of padding
#define ORR_TILE_BYTES 49152
#define ORR_TILE_LANES 512 // lanes of K4 and of K8: a 16 x 32 grid of cells of 8 rows x 4 bytes
#define ORR_LANE_WORDS 24  // words a lane gives to a whole tile: 8 rows x 3 channels

// Everything that is public about a cipher run and the same for many tiles.
typedef struct orr_cipher {
    orr_rule rule;
    uint32_t k2; // map constant, odd
} orr_cipher;

// Fills *cipher. ORR_UNSUPPORTED for a rule outside 1..40320 or an even or zero k2.
orr_status orr_cipher_init(orr_cipher *cipher, uint32_t rule, uint32_t k2, orr_error *error);

// Eight initial states K1..K8 of one tile (key[0] is K1). Secret: wipe after use.
typedef struct orr_tile_key {
    uint64_t state[8];
} orr_tile_key;

// What a tile needs besides itself and its key, all of it secret. Too large for a stack.
typedef struct orr_tile_workspace {
    uint8_t k4[ORR_TILE_BYTES], k8[ORR_TILE_BYTES];
    uint8_t other[ORR_TILE_BYTES];                      // the tile after an intershuffle
    uint8_t row[2][128], column[2][128], channel[2][3]; // ranks of both rounds
} orr_tile_workspace;

// out = cipher(in). in and out may be the same buffer, else they must not overlap; any alignment.
// ORR_INTERNAL: no memory for a workspace.
orr_status orr_tile_encrypt_portable(const orr_cipher *cipher, const orr_tile_key *key,
                                     uint32_t rows, const uint8_t *in, uint8_t *out);
// The exact inverse.
orr_status orr_tile_decrypt_portable(const orr_cipher *cipher, const orr_tile_key *key,
                                     uint32_t rows, const uint8_t *in, uint8_t *out);
// The same with the caller's workspace, which holds secrets afterwards: its owner wipes it.
void orr_tile_encrypt_within(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_tile_workspace *work);
void orr_tile_decrypt_within(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_tile_workspace *work);

// Pieces of the definition, for tests, benchmarks and `orrery keystream`.
// Key bytes of K4 (zigzag != 0: lane n serves the n-th cell in JPEG zigzag order) or of K8 (lane n
// serves the n-th cell in row order), in tile byte order: 384 * rows bytes.
void orr_tile_keystream(uint64_t state, int zigzag, uint32_t rows, uint32_t k2, uint8_t *out);
// Ranks (ascending, ties by index) of the first `count` (1..128) keys of a K1/K2/K5/K6 sequence.
void orr_tile_ranks(uint64_t state, uint32_t count, uint32_t k2, uint8_t *ranks);
// Ranks of the three keys of a K3/K7 sequence.
void orr_tile_channel_ranks(uint64_t state, uint32_t k2, uint8_t ranks[3]);
// VPD encoding of a tile in place, and its inverse.
void orr_tile_vpd(const orr_rule *rule, uint32_t rows, uint8_t *tile);
void orr_tile_vpd_inverse(const orr_rule *rule, uint32_t rows, uint8_t *tile);

#ifdef __cplusplus
}
#endif
#endif
