// What the host and the tile kernels agree on. Nothing outside kernels/cuda and tests includes
// this.
#ifndef ORRERY_KERNELS_CUDA_TILE_LAUNCH_H
#define ORRERY_KERNELS_CUDA_TILE_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/tile.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_CUDA_TILE_THREADS 512
#define ORR_CUDA_TILE_SHARED 50176 // bytes: the tile and 1 KiB of tables; two blocks fit in 100 KiB

typedef enum orr_cuda_op { ORR_CUDA_ENCRYPT, ORR_CUDA_DECRYPT, ORR_CUDA_REENCRYPT } orr_cuda_op;

// Stages that encryption can be compiled without, to measure what they cost; the bytes then mean
// nothing. bench/cuda alone does so.
#define ORR_CUDA_WITHOUT_KEY_WORDS 1 // K4 and K8
#define ORR_CUDA_WITHOUT_RANKS 2     // sorting of the index sequences
#define ORR_CUDA_WITHOUT_ENCODING 4  // VPD
#define ORR_CUDA_WITHOUT_SHUFFLE 8   // the way through shared memory
#define ORR_CUDA_WITHOUT_ALL 15

// A tile's flag. Neither value is one that untouched or cleared memory holds.
#define ORR_CUDA_TILE_RIGHT 0x52494748u
#define ORR_CUDA_TILE_WRONG 0x57524f4eu

// orr_tile_task as the kernels read it.
typedef struct orr_cuda_task {
    uint64_t offset; // of the tile in both buffers; multiple of 16
    uint32_t rows, unused;
    uint64_t key[2][8]; // initial states of the key and, for re-encryption, of the new key
} orr_cuda_task;

// orr_cipher as the kernels read it: algebraic normal forms (kernels/vpd.h) and the map constant.
typedef struct orr_cuda_cipher {
    uint32_t planet[3][7], symbol[3][7], rank[3][7], unrank[3][7];
    uint32_t k2, rule;
} orr_cuda_cipher;

// Arguments of a launch. Pointers are the device's.
typedef struct orr_cuda_launch {
    const uint8_t *in;
    uint8_t *out; // does not overlap `in`
    const orr_cuda_task *tasks;
    uint32_t *flags; // one word for each task
    uint32_t count, unused;
    orr_cuda_cipher cipher[2]; // of key[0] and of key[1]
} orr_cuda_launch;

// Copies what the kernels need of a cipher.
void orr_cuda_cipher_init(orr_cuda_cipher *to, const orr_cipher *from);

// Makes the kernels ready on the current device. Returns a CUDA error number, 0 when all is well.
int orr_cuda_tile_prepare(void);

// Starts op on launch->count tiles with `blocks` thread blocks (at least one; each takes every
// blocks-th tile) in a stream (cudaStream_t) of the current device. check = 0 leaves out the check
// of each tile, and the flags are then not written: for measuring only, and built only with
// ORR_CUDA_MEASURE. Returns a CUDA error number; 0 says that the launch was accepted, not that it
// has ended well.
int orr_cuda_tile_launch(orr_cuda_op op, int check, const orr_cuda_launch *launch, unsigned blocks,
                         void *stream);

#ifdef __cplusplus
}
#endif
#endif
