// The input and the keys that every device and the CPU work on.
#include <string.h>

#include "bench/bench_cuda.h"
#include "kernels/map.h"

void orr_bench_cuda_input(uint8_t *bytes, size_t tiles) {
    for (size_t n = 0; n < tiles * ORR_TILE_BYTES; n += 8) {
        uint64_t word = orr_mix64(n);
        memcpy(bytes + n, &word, 8);
    }
}

void orr_bench_cuda_key(size_t tile, int renewed, orr_tile_key *key) {
    for (size_t k = 0; k < 8; k++)
        key->state[k] = orr_mix64((uint64_t)(8 * tile + k) << 32 | (renewed ? 0x80000000u : 0));
}
