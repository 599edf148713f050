// What the host and the volume kernels agree on. Nothing outside kernels/cuda and tests includes
// this.
//
// Of the eight sequences of an image, K4 and K8 (a key byte for every byte of a channel, and of the
// volume) are made on the device. The ranks of K1..K3 and K5..K7 are made on the host: 2 (M + N +
// C) elements beside M N + C M N, less than a thousandth of the steps for an image of 2000 x 2000,
// and sorting that few is no work for a GPU. (Only images one row high or one column wide have as
// many; they cost the host what they cost it without a GPU.)
//
// Everything is made twice, in memory of its own: what the work uses and what the check of the work
// uses. The check is the inverse cipher on the result, under key bytes made anew and with the
// inverse tables; its result is compared with the input.
#ifndef ORRERY_KERNELS_CUDA_VOLUME_LAUNCH_H
#define ORRERY_KERNELS_CUDA_VOLUME_LAUNCH_H

#include "kernels/backend.h"
#include "kernels/cuda/tile_launch.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_CUDA_VOLUME_THREADS 256
#define ORR_CUDA_VOLUME_SHARED 32     // bytes: a word for each warp
#define ORR_CUDA_VOLUME_BLOCKS 1024   // most blocks of a launch, and flags of an image
#define ORR_CUDA_VOLUME_CHUNK 24576   // bytes that a block scans at a time
#define ORR_CUDA_SEQUENCE_THREADS 64  // a warp that steps and a warp that makes key bytes
#define ORR_CUDA_SEQUENCE_STEPS 128   // between two barriers
#define ORR_CUDA_SEQUENCE_SHARED 2048 // bytes: two runs of states
#define ORR_CUDA_SEQUENCES 4          // of an image: K4 and K8, each twice

// A flag's values, as in kernels/cuda/tile_launch.h.
#define ORR_CUDA_VOLUME_RIGHT ORR_CUDA_TILE_RIGHT
#define ORR_CUDA_VOLUME_WRONG ORR_CUDA_TILE_WRONG

// A part of a key sequence: key bytes `done` .. `end` - 1, counted from 0.
typedef struct orr_cuda_sequence {
    uint64_t start;     // u_0; secret
    uint64_t *state;    // device: u after `done` steps, unless that is 0; then after `end`
    uint8_t *out;       // device: key byte n goes to out[n]
    uint64_t done, end; // done < end
    uint32_t k2, unused;
} orr_cuda_sequence;

typedef struct orr_cuda_sequence_launch {
    const orr_cuda_sequence *list; // device
    uint32_t count, unused;
} orr_cuda_sequence_launch;

// One image. Pointers are the device's.
typedef struct orr_cuda_volume {
    uint8_t *in;         // C M N bytes, kept
    uint8_t *k8[2];      // C M N bytes each, of the work and of the check; their results in the end
    uint8_t *k4[2];      // M N bytes each, likewise
    uint8_t *scratch[2]; // C M N bytes each
    uint32_t *tables[2]; // 2 (M + N + C) words each: ranks, and their inverses; see
                         // orr_cuda_volume_tables
    uint32_t *totals;    // a word for each ORR_CUDA_VOLUME_CHUNK bytes of the volume
    uint32_t *flags;     // ORR_CUDA_VOLUME_BLOCKS words
    uint64_t *state;     // ORR_CUDA_SEQUENCES words: of k4[0], k8[0], k4[1], k8[1]
    uint64_t bytes, plane; // C M N, M N
    orr_volume_shape shape;
    uint32_t unused;
    orr_cuda_cipher cipher;
} orr_cuda_volume;

// Lays an image of that shape out from `base` (256-byte aligned) on: fills all of *volume but the
// cipher. Returns the bytes it takes, a multiple of 256; 0 when they overflow. `base` may be NULL
// when only the size is wanted.
size_t orr_cuda_volume_layout(orr_volume_shape shape, uint8_t *base, orr_cuda_volume *volume);

// Host: the tables of an image, 4 (M + N + C) words, malloc'ed: ranks of K1, K2, K3, K5, K6, K7,
// then the inverse of each in the same order. Secret. ORR_INTERNAL when memory runs out.
orr_status orr_cuda_volume_tables(const orr_volume_key *key, orr_volume_shape shape, uint32_t k2,
                                  uint32_t **tables, orr_error *error);
size_t orr_cuda_volume_table_bytes(orr_volume_shape shape); // of both tables

// Starts launch->count sequences on `blocks` thread blocks (at least one; each takes every
// blocks-th) in a stream (cudaStream_t) of the current device. Like orr_cuda_volume_run it returns
// a CUDA error number; 0 says that the launches were accepted, not that they have ended well.
int orr_cuda_sequence_run(const orr_cuda_sequence_launch *launch, unsigned blocks, void *stream);

// Starts the cipher on one image whose input, tables, K4 and K8 are there, and the check of it, on
// `blocks` (1..ORR_CUDA_VOLUME_BLOCKS) thread blocks. Then k8[0] holds the result, and the first
// `blocks` flags are all ORR_CUDA_VOLUME_RIGHT when the check found the input again.
int orr_cuda_volume_run(orr_volume_op op, const orr_cuda_volume *volume, unsigned blocks,
                        void *stream);

#ifdef __cplusplus
}
#endif
#endif
