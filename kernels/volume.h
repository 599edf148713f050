// The cipher of the `paper` profile on a whole image (docs/FORMAT.md, "Paper profile").
//
// A volume is C channels of M rows x N columns of bytes, planar: byte n = (k M + i) N + j is
// channel k, row i, column j. A 16-bit sample is two columns, most significant byte first.
#ifndef ORRERY_KERNELS_VOLUME_H
#define ORRERY_KERNELS_VOLUME_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/tile.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_volume_shape {
    uint32_t channels, rows, columns; // C, M, N, each >= 1
} orr_volume_shape;

// The eight initial values of one image: y0 = part / 10^15, part in [0, 10^15).
typedef struct orr_volume_key {
    uint64_t part[8];
} orr_volume_key;

// SHA-512 digest -> eight values: each big-endian 64-bit eighth mod 10^15 (paper, key generation
// 5-6).
void orr_volume_key_from_hash(orr_volume_key *key, const uint8_t hash[64]);

// Fixed-point trigonometry that DEFINES the profile (tables in docs/FORMAT.md; MPFR bounds its
// error in the tests). Angles are u = theta / pi in units of 2^-63. cos(pi u) * 10^15, truncated
// toward zero; u in [0, 2^63).
int64_t orr_cos15(uint64_t u);
// u with cos(pi u) = part / 10^15, by bisection over orr_cos's own fixed-point values.
uint64_t orr_arccos15(uint64_t part);

// Enciphers or deciphers a volume in place. Allocates keys and one copy of the volume
// (about 4 bytes of scratch for each volume byte at most); scratch is wiped. ORR_INTERNAL when
// memory runs out, ORR_UNSUPPORTED when C*M*N overflows.
orr_status orr_volume_encrypt(const orr_cipher *cipher, const orr_volume_key *key,
                              orr_volume_shape shape, uint8_t *data, orr_error *error);
orr_status orr_volume_decrypt(const orr_cipher *cipher, const orr_volume_key *key,
                              orr_volume_shape shape, uint8_t *data, orr_error *error);

// The same, until *stop is set (base/status.h): ORR_STOPPED then, with `data` half done.
orr_status orr_volume_encrypt_until(const orr_cipher *cipher, const orr_volume_key *key,
                                    orr_volume_shape shape, uint8_t *data, orr_stop_flag *stop,
                                    orr_error *error);
orr_status orr_volume_decrypt_until(const orr_cipher *cipher, const orr_volume_key *key,
                                    orr_volume_shape shape, uint8_t *data, orr_stop_flag *stop,
                                    orr_error *error);

// Ranks (ascending, ties by index) of the `count` >= 1 elements of the sequence with initial value
// `part` under map constant k2: ranks[n] is the place of element n. ORR_INTERNAL when memory runs
// out.
orr_status orr_volume_ranks(uint64_t part, uint32_t count, uint32_t k2, uint32_t *ranks,
                            orr_error *error);

// K2 for a map parameter mu: the odd integer nearest 4 pi e^(1/mu). ORR_UNSUPPORTED outside the
// range that fits 32 bits and keeps the map chaotic (see docs/FORMAT.md).
orr_status orr_map_constant(double mu, uint32_t *k2, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
