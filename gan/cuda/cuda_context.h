// A CUDA device as the networks use it: its two streams, and one block of its memory.
#ifndef ORRERY_GAN_CUDA_CUDA_CONTEXT_H
#define ORRERY_GAN_CUDA_CUDA_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <cuda_runtime_api.h>

#include "base/status.h"
#include "gan/cuda/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

// A device with its stream, where queued calls go, and one beside it for what nothing waits for
// until later: gradients of filters while gradients of images go on their way back.
typedef struct cuda_lane {
    cudaStream_t stream;
    orr_plan_engine *engine;
    orr_plan_device *kind;
} cuda_lane;
typedef struct cuda_context {
    int device;
    char name[160];       // "NVIDIA H200 (cuda:0)"
    cuda_lane main, side; // `side` comes after it when both want the device
    cudaEvent_t forked, joined;
    cudaStream_t stream; // main.stream
} cuda_context;

// ORR_UNSUPPORTED when there is no such device, it is older than compute capability 8.0, or cuDNN
// refuses it. Close in any case; a zeroed context is fine.
orr_status cuda_context_open(cuda_context *context, int device, orr_error *error);
void cuda_context_close(cuda_context *context);

// What is queued on the side from now on comes after what is queued in the stream so far. May be
// captured into a graph, where the side takes part until it is joined. Give a CUDA error number.
int cuda_fork(const cuda_context *context);
// What is queued in the stream from now on comes after what is queued on the side so far.
int cuda_join(const cuda_context *context);

// ORR_OK for 0, else the sentence for a failed CUDA call.
orr_status cuda_check(const cuda_context *context, int code, const char *call, orr_error *error);

#define CUDA_TRY(context, call)                                                        \
    do {                                                                               \
        orr_status cuda_try_status = cuda_check((context), (int)(call), #call, error); \
        if (cuda_try_status != ORR_OK) return cuda_try_status;                         \
    } while (0)

// Waits for the stream before host memory of a copy may be freed or used again, also after an
// error: a copy that is under way still reads or writes it. Returns `code`, or what the wait said.
// Copies are queued in the stream alone.
int cuda_wait(const cuda_context *context, int code);

// Device memory is one block. A first walk over everything that wants a part of it, with base NULL,
// finds out how large it must be; a second one gives the parts out.
typedef struct cuda_memory {
    uint8_t *base;
    size_t used;
} cuda_memory;
void *cuda_take(cuda_memory *memory, size_t bytes); // aligned to 256 bytes
// Allocates memory->used zeroed bytes. ORR_UNSUPPORTED, saying how much is missing for `what`.
orr_status cuda_memory_open(const cuda_context *context, cuda_memory *memory, const char *what,
                            orr_error *error);
void cuda_memory_close(const cuda_context *context, cuda_memory *memory); // wiped

#ifdef __cplusplus
}
#endif
#endif
