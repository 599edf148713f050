// Convolutions on a CUDA device: cuDNN's graph interface (cudnn_graph.h) reduced to what a DCGAN
// needs. A plan is one convolution of fixed shape, compiled for one kind of device; building needs
// no GPU, running does.
//
// All tensors are dense and channels-last: images [batch][height][width][channels], filters
// [filters][kernel][kernel][channels]. Channel counts are best multiples
// of 8. All three tensors of a plan are of one type. The three operations of one convolution, x * w
// = y:
//   forward          y  from x, w
//   backward data    dx from dy, w   (this is also the transposed convolution's forward)
//   backward filter  dw from dy, x
//
// Choice of engine: the first of cuDNN's own ranking that is deterministic, sums in 32-bit float,
// takes factors as they are or rounded to TF32 (never to half precision, whose range is small),
// does not transform (no Winograd, no FFT) and keeps to the workspace ceiling. The same library on
// the same device therefore always runs the same arithmetic; nothing is timed.
#ifndef ORRERY_GAN_CUDA_PLAN_H
#define ORRERY_GAN_CUDA_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_plan_op {
    ORR_PLAN_FORWARD,
    ORR_PLAN_BACKWARD_DATA,
    ORR_PLAN_BACKWARD_FILTER
} orr_plan_op;

typedef enum orr_plan_math {
    ORR_PLAN_FLOAT32, // 32-bit float throughout, no tensor cores
    ORR_PLAN_TF32,    // 32-bit tensors; products of factors rounded to 10 bits of fraction
    ORR_PLAN_BF16     // bfloat16 tensors, sums in 32-bit float
} orr_plan_math;

typedef struct orr_plan_shape {
    int64_t batch;
    int64_t channels, height, width; // of x; y has (height + 2 padding - kernel) / stride + 1 rows
    int64_t filters;                 // channels of y
    int64_t kernel, stride, padding;
} orr_plan_shape;

typedef struct orr_plan_device orr_plan_device;
typedef struct orr_plan_engine orr_plan_engine;
typedef struct orr_plan orr_plan;

// What plans run on: cuDNN's handle on the current CUDA device, working in `stream` (cudaStream_t).
// ORR_UNSUPPORTED when cuDNN is older than 9.8 or refuses the device. Release with
// orr_plan_engine_close (NULL is allowed), after its device and their plans.
orr_status orr_plan_engine_open(void *stream, orr_plan_engine **engine, orr_error *error);
void orr_plan_engine_close(orr_plan_engine *engine);

// A kind of device to build plans for: that of an engine, on which they can then run, or from a
// description in JSON as cuDNN writes it, which needs no GPU. ORR_UNSUPPORTED when cuDNN is older
// than 9.8 or refuses the description. Release with orr_plan_device_free (NULL is allowed).
orr_status orr_plan_device_of(const orr_plan_engine *engine, orr_plan_device **device,
                              orr_error *error);
orr_status orr_plan_device_describe(const char *json, orr_plan_device **device, orr_error *error);
void orr_plan_device_free(orr_plan_device *device);

// Builds a plan that needs at most `workspace` bytes of scratch. ORR_UNSUPPORTED when no engine
// meets the conditions above. `device` may be released before the plan; release the plan with
// orr_plan_free (NULL is allowed).
orr_status orr_plan_build(const orr_plan_device *device, orr_plan_op op,
                          const orr_plan_shape *shape, orr_plan_math math, size_t workspace,
                          orr_plan **plan, orr_error *error);
void orr_plan_free(orr_plan *plan);

// Bytes of scratch that the plan needs, and one line for people: operation, shape, engine.
size_t orr_plan_workspace(const orr_plan *plan);
const char *orr_plan_text(const orr_plan *plan);

// Queues the plan in the engine's stream; may be captured into a CUDA graph. Device addresses,
// 16-byte aligned: x, w and y (or their gradients) as the operation defines them; the one that is
// written is overwritten whole. `workspace` holds orr_plan_workspace bytes.
orr_status orr_plan_run(const orr_plan_engine *engine, const orr_plan *plan, void *x, void *w,
                        void *y, void *workspace, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
