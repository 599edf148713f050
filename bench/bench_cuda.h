// Measurements on a CUDA device, through a shared object of their own: liborrery_bench_cuda.so.
// It holds kernels that production has no use for: without the check of their own work, with stages
// left out, and AES-256-CTR as a peer.
#ifndef ORRERY_BENCH_CUDA_H
#define ORRERY_BENCH_CUDA_H

#include "base/library.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_bench_cuda_kind {
    ORR_BENCH_KERNEL,        // the tile cipher, data on the device
    ORR_BENCH_AES_CTR,       // AES-256-CTR, data on the device
    ORR_BENCH_DEVICE_COPY,   // device to device: reads and writes every byte once
    ORR_BENCH_COPY_IN,       // pinned host memory to the device
    ORR_BENCH_COPY_OUT,      // and back
    ORR_BENCH_COPY_BOTH_WAYS // both at once, in two streams; bytes of one direction count
} orr_bench_cuda_kind;

// Stages that a kernel can be built without, for evidence of what it waits for. Its bytes are then
// meaningless.
typedef enum orr_bench_without {
    ORR_WITHOUT_NOTHING = 0,
    ORR_WITHOUT_KEY_WORDS = 1, // K4 and K8
    ORR_WITHOUT_RANKS = 2,     // sorting of the index sequences
    ORR_WITHOUT_ENCODING = 4,  // VPD
    ORR_WITHOUT_SHUFFLE = 8,   // shared memory
    ORR_WITHOUT_ALL = 15       // load and store alone
} orr_bench_without;

typedef struct orr_bench_cuda_work {
    orr_bench_cuda_kind kind;
    orr_tile_op op;
    int check;   // the kernel undoes its work and compares, as in production
    int without; // orr_bench_without; only whole encryption under the default rule, unchecked
    uint32_t rule, new_rule;
    size_t tiles; // of 49,152 bytes
} orr_bench_cuda_work;

typedef struct orr_bench_cuda_info {
    char name[128], driver[32], clocks[64];
    int major, minor;
    size_t memory; // bytes that are free
} orr_bench_cuda_info;

typedef struct orr_bench_cuda_session orr_bench_cuda_session;

#define ORR_BENCH_CUDA_ABI 1u

typedef struct orr_bench_cuda {
    uint32_t abi;
    unsigned (*count)(void); // devices
    orr_status (*describe)(unsigned device, orr_bench_cuda_info *info, orr_error *error);
    // Buffers for `tiles` tiles on a device, filled with input and keys of a fixed generator
    // (orr_bench_cuda_input and _key). NULL on failure.
    orr_bench_cuda_session *(*open)(unsigned device, size_t tiles, orr_error *error);
    // Runs `work` once and gives its time by the device's own clock. `out` (NULL: not wanted)
    // receives tiles * 49,152 bytes of result.
    orr_status (*run)(orr_bench_cuda_session *session, const orr_bench_cuda_work *work,
                      double *seconds, uint8_t *out, orr_error *error);
    void (*close)(orr_bench_cuda_session *session);
} orr_bench_cuda;

const orr_bench_cuda *orr_bench_cuda_get(void);

extern orr_library orr_bench_cuda_module; // its table is an orr_bench_cuda

// The input that every device works on, and its keys: the same on host and device. The AES key and
// first counter block are the first 32 and the next 16 bytes of tile 0's key states.
void orr_bench_cuda_input(uint8_t *bytes, size_t tiles);
void orr_bench_cuda_key(size_t tile, int renewed, orr_tile_key *key);

#ifdef __cplusplus
}
#endif

#endif
