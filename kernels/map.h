// The 1-DEC map in its angle coordinate, in 64-bit integers (docs/FORMAT.md, "The map").
//
// Published: y' = 1 - 2 cos^2(arccos(y) * e^(1/mu) * arccos(y)). With y = cos(pi u) this is
// u' = 1 - tri(K u^2), K = 2 pi e^(1/mu), tri(x) = x mod 2 reflected at 1. The state below is u in
// units of 2^-63 and K2 = 2K = 4 pi e^(1/mu) is an integer, so that every CPU and GPU computes the
// same bits. C and CUDA compile this text unchanged: keep it free of floating point and of libc.
#ifndef ORRERY_KERNELS_MAP_H
#define ORRERY_KERNELS_MAP_H

#include <stdint.h>

#ifdef __CUDACC__
#define ORR_SHARED __host__ __device__ static inline
#else
#define ORR_SHARED static inline
#endif

#define ORR_MAP_K2_DEFAULT 2825054457u // mu = 0.0519999999988
#define ORR_LANE_DROP 2                // steps a lane takes before its first word

// One step. u in [0, 2^63), k2 odd; the result is in [0, 2^63).
ORR_SHARED uint64_t orr_map_step(uint64_t u, uint32_t k2) {
    uint64_t high = u >> 32, low = u & 0xffffffffu;
    uint64_t square = high * high + ((high * low) >> 31); // u^2 in units of 2^-62
    uint64_t v = k2 * square;                             // K u^2 mod 2, in units of 2^-63
    return (v >> 63 ? v : ~v) & 0x7fffffffffffffffu;
}

// The 32 key bits of a state: bits 20..51. In memory a word lies little-endian.
ORR_SHARED uint32_t orr_map_word(uint64_t u) {
    return (uint32_t)(u >> 20);
}

// Finalizer of splitmix64 (Steele, Lea, Flood 2014): spreads lane numbers over the state space.
ORR_SHARED uint64_t orr_mix64(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// State of lane `lane` of the sequence with initial state x, after its dropped steps.
ORR_SHARED uint64_t orr_lane_start(uint64_t x, uint32_t lane, uint32_t k2) {
    uint64_t u = orr_mix64(x + ((uint64_t)lane + 1) * 0x9e3779b97f4a7c15u) >> 1;
    for (int i = 0; i < ORR_LANE_DROP; i++) u = orr_map_step(u, k2);
    return u;
}

#endif
