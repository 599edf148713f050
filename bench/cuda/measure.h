// What measure.c and measure.cu agree on.
#ifndef ORRERY_BENCH_CUDA_MEASURE_H
#define ORRERY_BENCH_CUDA_MEASURE_H

#include "bench/bench_cuda.h"
#include "kernels/cuda/tile_launch.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_AES_THREADS 512
#define ORR_AES_SHARED 32768 // bytes: a table of 256 words for each of 32 banks
#define ORR_AES_ROUND_KEYS 60

// Arguments of AES-256 in counter mode (FIPS 197, NIST SP 800-38A section 6.5). Words are
// big-endian. Pointers are the device's.
typedef struct orr_aes_launch {
    const uint32_t *in;
    uint32_t *out;
    const uint32_t *table; // 256 words: 2 S(x), S(x), S(x), 3 S(x), highest byte first
    uint64_t blocks;       // of 16 bytes
    uint32_t key[ORR_AES_ROUND_KEYS];
    uint32_t counter[4]; // of block 0
} orr_aes_launch;

// Table and round keys from 32 key bytes.
void orr_aes_prepare(uint32_t table[256], uint32_t round_keys[ORR_AES_ROUND_KEYS],
                     const uint8_t key[32]);

// CUDA error numbers. The kernels without a check take whole tiles under any rule; with stages left
// out only encryption under the default rule.
int orr_measure_prepare(void);
int orr_measure_tiles(orr_cuda_op op, int without, const orr_cuda_launch *launch, unsigned blocks,
                      void *stream);
int orr_measure_aes(const orr_aes_launch *launch, unsigned blocks, void *stream);

#ifdef __cplusplus
}
#endif

#endif
