// What the files of the CPU backend share: per-thread scratch and one pair of functions per SIMD
// level. Nothing outside kernels/cpu includes this.
#ifndef ORRERY_KERNELS_CPU_CPU_H
#define ORRERY_KERNELS_CPU_CPU_H

#include <stdint.h>
#include "kernels/backend.h"

#if defined(__x86_64__)
#define ORR_CPU_X86 1
#endif

// Secrets of the tile being worked on. One for each thread, wiped after a batch rather than after
// each tile, because wiping 200 KB costs as much as a tenth of a tile.
typedef struct orr_cpu_scratch {
    _Alignas(64) uint8_t k4[ORR_TILE_BYTES];
    _Alignas(64) uint8_t k8[ORR_TILE_BYTES];
    _Alignas(64) uint8_t middle[ORR_TILE_BYTES]; // the tile between its two rounds
    _Alignas(64) uint8_t plain[ORR_TILE_BYTES];  // reencrypt: the tile between its two keys
    _Alignas(64) uint8_t line[3][ORR_TILE_COLUMNS];
    _Alignas(64) uint8_t state[3][ORR_TILE_COLUMNS];
    _Alignas(64) uint8_t mask[8][ORR_TILE_COLUMNS]; // shuffle control for each 16-byte source block
    _Alignas(64) uint32_t words[ORR_TILE_ROWS];
    _Alignas(64) uint8_t row[2][ORR_TILE_ROWS], column[2][ORR_TILE_COLUMNS];
    uint8_t channel[2][3];
} orr_cpu_scratch;

typedef void (*orr_cpu_tile)(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_cpu_scratch *scratch);

// One SIMD level. The scratch holds secrets when a function returns; its owner wipes it.
typedef struct orr_cpu_level {
    const char *name;
    orr_cpu_tile encrypt, decrypt;
} orr_cpu_level;

extern const orr_cpu_level orr_cpu_portable;
#ifdef ORR_CPU_X86
extern const orr_cpu_level orr_cpu_avx2, orr_cpu_avx512;
#endif

// The level's functions; `level` is clamped to what the processor has.
const orr_cpu_level *orr_cpu_level_of(orr_simd level);

#endif
