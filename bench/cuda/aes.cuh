// AES-256 in counter mode as a peer for the tile cipher: the table implementation that is quickest
// on GPUs of this kind, one table of 256 words for each shared-memory bank, so that no two lanes
// ever meet in one. One thread enciphers one block at a time. Not constant in time: for measuring.
#ifndef ORRERY_BENCH_CUDA_AES_CUH
#define ORRERY_BENCH_CUDA_AES_CUH

#include "bench/cuda/measure.h"
#include "kernels/cuda/device.cuh"

ORR_DEVICE uint32_t aes_rotated(uint32_t x, uint32_t bits) {
    return orr_funnel_right(x, x, bits);
}

// A word of a full round: S-boxes, row shift, column mix, by one table and rotations.
ORR_DEVICE uint32_t aes_column(const uint32_t *mine, uint32_t a, uint32_t b, uint32_t c, uint32_t d,
                               uint32_t key) {
    return mine[(a >> 24) * 32] ^ aes_rotated(mine[(b >> 16 & 255) * 32], 8) ^
           aes_rotated(mine[(c >> 8 & 255) * 32], 16) ^ aes_rotated(mine[(d & 255) * 32], 24) ^ key;
}

// A word of the last round, which mixes no columns: the S-box is the table's second byte.
ORR_DEVICE uint32_t aes_last(const uint32_t *mine, uint32_t a, uint32_t b, uint32_t c, uint32_t d,
                             uint32_t key) {
    return ((mine[(a >> 24) * 32] << 8 & 0xff000000u) | (mine[(b >> 16 & 255) * 32] & 0xff0000u) |
            (mine[(c >> 8 & 255) * 32] & 0xff00u) | (mine[(d & 255) * 32] >> 8 & 0xffu)) ^
           key;
}

ORR_DEVICE uint32_t aes_swap(uint32_t x) {
    return orr_byte_permute(x, 0, 0x0123);
}

ORR_DEVICE void aes_block(const orr_aes_launch &launch, const uint32_t *mine, uint64_t n) {
    uint64_t low = (uint64_t)launch.counter[2] << 32 | launch.counter[3], sum = low + n;
    uint64_t high = ((uint64_t)launch.counter[0] << 32 | launch.counter[1]) + (sum < low);
    const uint32_t *key = launch.key;
    uint32_t a = (uint32_t)(high >> 32) ^ key[0], b = (uint32_t)high ^ key[1];
    uint32_t c = (uint32_t)(sum >> 32) ^ key[2], d = (uint32_t)sum ^ key[3];
#pragma unroll
    for (int round = 1; round < 14; round++) {
        uint32_t w = aes_column(mine, a, b, c, d, key[4 * round]);
        uint32_t x = aes_column(mine, b, c, d, a, key[4 * round + 1]);
        uint32_t y = aes_column(mine, c, d, a, b, key[4 * round + 2]);
        uint32_t z = aes_column(mine, d, a, b, c, key[4 * round + 3]);
        a = w;
        b = x;
        c = y;
        d = z;
    }
    const uint32_t *in = launch.in + 4 * n;
    uint32_t *out = launch.out + 4 * n;
    out[0] = in[0] ^ aes_swap(aes_last(mine, a, b, c, d, key[56]));
    out[1] = in[1] ^ aes_swap(aes_last(mine, b, c, d, a, key[57]));
    out[2] = in[2] ^ aes_swap(aes_last(mine, c, d, a, b, key[58]));
    out[3] = in[3] ^ aes_swap(aes_last(mine, d, a, b, c, key[59]));
}

ORR_DEVICE void run_aes(const orr_aes_launch &launch, uint32_t *shared) {
    for (uint32_t n = orr_thread_id(); n < 256 * 32; n += ORR_AES_THREADS)
        shared[n] = launch.table[n / 32];
    orr_barrier();
    const uint32_t *mine = shared + orr_lane_id();
    uint64_t step = (uint64_t)orr_block_count() * ORR_AES_THREADS;
    for (uint64_t n = (uint64_t)orr_block_id() * ORR_AES_THREADS + orr_thread_id();
         n < launch.blocks; n += step)
        aes_block(launch, mine, n);
}

#endif
