// What the files of the CPU backend share: per-thread scratch and one pair of functions per SIMD
// level. Outside kernels/cpu only the cipher benchmark includes this, to time stages.
#ifndef ORRERY_KERNELS_CPU_CPU_H
#define ORRERY_KERNELS_CPU_CPU_H

#include <stdint.h>

#include "kernels/backend.h"

#define ORR_CPU_LINES 8      // rows whose columns are permuted together
#define ORR_CPU_STAGGER 1024 // keeps equal offsets of two buffers out of one L1 set

// Secrets of the tile being worked on. One for each thread, wiped after a batch rather than after
// each tile, because wiping 200 KB costs as much as a tenth of a tile.
typedef struct orr_cpu_scratch {
    union {
        struct { // of the SIMD levels
            _Alignas(64) uint8_t k4[ORR_TILE_BYTES + ORR_CPU_STAGGER];
            _Alignas(64) uint8_t k8[ORR_TILE_BYTES + ORR_CPU_STAGGER];
            // the tile between its two rounds
            _Alignas(64) uint8_t middle[ORR_TILE_BYTES + ORR_CPU_STAGGER];
            _Alignas(64) uint8_t line[ORR_CPU_LINES * ORR_TILE_ROW_BYTES]; // rows in work
            _Alignas(64) uint8_t state[ORR_TILE_ROW_BYTES];                // what bit columns carry
            _Alignas(64) uint32_t words[ORR_TILE_ROWS];
            // Of both rounds: where each row goes (the inverse of its ranks), ranks of columns and
            // channels.
            _Alignas(64) uint8_t row[2][ORR_TILE_ROWS], column[2][ORR_TILE_COLUMNS];
            uint8_t channel[2][3];
        };
        orr_tile_workspace portable;
    };
    _Alignas(64) uint8_t plain[ORR_TILE_BYTES]; // reencrypt: the tile between its two keys
} orr_cpu_scratch;

typedef void (*orr_cpu_tile)(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_cpu_scratch *scratch);

// One SIMD level. The scratch holds secrets when a function returns; its owner wipes it.
typedef struct orr_cpu_level {
    const char *name;
    orr_cpu_tile encrypt, decrypt;
    // Stages of both, to be timed alone: K4 and K8 (`in` and `out` are only prefetched); ranks of
    // the other sequences.
    void (*streams)(const orr_tile_key *key, uint32_t rows, uint32_t k2, const uint8_t *in,
                    const uint8_t *out, orr_cpu_scratch *scratch);
    void (*ranks)(const orr_tile_key *key, uint32_t rows, uint32_t k2, orr_cpu_scratch *scratch);
} orr_cpu_level;

// (lane + 1) * 0x9e3779b97f4a7c15 for the cells of a 16 x 32 grid, lanes numbered along the zigzag
// (K4) or by rows (K8). Inside each group of `vector_bytes` / 4 cells the even ones come first.
typedef struct orr_cpu_lane_steps {
    uint64_t zigzag_order[16][32], row_order[16][32];
} orr_cpu_lane_steps;

// The table for vectors of 32 or 64 bytes; built at the first call.
const orr_cpu_lane_steps *orr_cpu_lanes(unsigned vector_bytes);

// Overwrites the stack below the caller, where spilled registers of a tile function may lie.
void orr_cpu_wipe_stack(void);

// The level's functions; `level` is clamped to what the processor has.
const orr_cpu_level *orr_cpu_level_of(orr_simd level);

#endif
