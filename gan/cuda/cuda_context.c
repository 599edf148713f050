#include "gan/cuda/cuda_context.h"

#include <stdio.h>
#include <string.h>

#include "base/cuda_count.h"

#define LEAST_CAPABILITY 80 // bfloat16 and TF32; compute capability x 10 of the PTX in the library
#define ALIGNMENT 256
#define MAIN_PRIORITY (-1) // the lower number goes first; 0 is the lowest priority
#define SIDE_PRIORITY 0

orr_status cuda_check(const cuda_context *context, int code, const char *call, orr_error *error) {
    if (code == 0) return ORR_OK;
    return orr_fail(error, ORR_INTERNAL, "%s: %s failed: %s (%s)", context->name, call,
                    cudaGetErrorString((cudaError_t)code), cudaGetErrorName((cudaError_t)code));
}

static orr_status find_device(cuda_context *context, orr_error *error) {
    struct cudaDeviceProp properties;
    int count = (int)orr_cuda_count(error);
    snprintf(context->name, sizeof context->name, "cuda:%d", context->device);
    if (count == 0) return ORR_UNSUPPORTED;
    if (context->device < 0 || context->device >= count)
        return orr_fail(error, ORR_UNSUPPORTED, "there is no CUDA device %d: this machine has %d",
                        context->device, count);
    CUDA_TRY(context, cudaGetDeviceProperties(&properties, context->device));
    snprintf(context->name, sizeof context->name, "%.120s (cuda:%d)", properties.name,
             context->device);
    if (10 * properties.major + properties.minor < LEAST_CAPABILITY)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s has compute capability %d.%d; 8.0 or later is needed", context->name,
                        properties.major, properties.minor);
    return ORR_OK;
}

// Each with a cuDNN handle of its own: cuDNN may keep things in a handle for the call under way.
static orr_status open_lane(const cuda_context *context, cuda_lane *lane, int priority,
                            orr_error *error) {
    CUDA_TRY(context, cudaStreamCreateWithPriority(&lane->stream, cudaStreamNonBlocking, priority));
    orr_status status = orr_plan_engine_open(lane->stream, &lane->engine, error);
    return status == ORR_OK ? orr_plan_device_of(lane->engine, &lane->kind, error) : status;
}

orr_status cuda_context_open(cuda_context *context, int device, orr_error *error) {
    memset(context, 0, sizeof *context);
    context->device = device;
    orr_status status = find_device(context, error);
    if (status != ORR_OK) return status;
    CUDA_TRY(context, cudaSetDevice(device));
    status = open_lane(context, &context->main, MAIN_PRIORITY, error);
    if (status == ORR_OK) status = open_lane(context, &context->side, SIDE_PRIORITY, error);
    if (status != ORR_OK) return status;
    context->stream = context->main.stream;
    CUDA_TRY(context, cudaEventCreateWithFlags(&context->forked, cudaEventDisableTiming));
    CUDA_TRY(context, cudaEventCreateWithFlags(&context->joined, cudaEventDisableTiming));
    return ORR_OK;
}

static void close_lane(cuda_lane *lane) {
    orr_plan_device_free(lane->kind);
    orr_plan_engine_close(lane->engine);
    if (lane->stream) (void)cudaStreamDestroy(lane->stream);
}

void cuda_context_close(cuda_context *context) {
    if (context->forked) (void)cudaEventDestroy(context->forked);
    if (context->joined) (void)cudaEventDestroy(context->joined);
    close_lane(&context->side);
    close_lane(&context->main);
    memset(context, 0, sizeof *context);
}

static int order(cudaEvent_t event, cudaStream_t first, cudaStream_t then) {
    int code = (int)cudaEventRecord(event, first);
    return code == 0 ? (int)cudaStreamWaitEvent(then, event, 0) : code;
}

int cuda_fork(const cuda_context *context) {
    return order(context->forked, context->main.stream, context->side.stream);
}

int cuda_join(const cuda_context *context) {
    return order(context->joined, context->side.stream, context->main.stream);
}

void *cuda_take(cuda_memory *memory, size_t bytes) {
    void *part = memory->base ? memory->base + memory->used : NULL;
    memory->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return part;
}

int cuda_wait(const cuda_context *context, int code) {
    int waited = (int)cudaStreamSynchronize(context->stream);
    // Once more: it fails again on a dead device, where nothing runs.
    if (waited != 0) (void)cudaStreamSynchronize(context->stream);
    return code != 0 ? code : waited;
}

orr_status cuda_memory_open(const cuda_context *context, cuda_memory *memory, const char *what,
                            orr_error *error) {
    size_t available = 0, total = 0, bytes = memory->used;
    CUDA_TRY(context, cudaMemGetInfo(&available, &total));
    if (bytes > available || cudaMalloc((void **)&memory->base, bytes) != cudaSuccess) {
        memory->base = NULL;
        (void)cudaGetLastError(); // forgets that memory ran out
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: %s needs %zu MiB of device memory, %zu MiB are free", context->name,
                        what, (bytes >> 20) + 1, available >> 20);
    }
    CUDA_TRY(context, cudaMemsetAsync(memory->base, 0, bytes, context->stream));
    memory->used = 0;
    return ORR_OK;
}

// Training images, weights and what comes of them may be of patients.
void cuda_memory_close(const cuda_context *context, cuda_memory *memory) {
    if (!memory->base) return;
    (void)cudaStreamSynchronize(context->stream); // on a dead device all of this fails, and the
    (void)cudaStreamSynchronize(context->side.stream); // memory goes with it
    (void)cudaMemset(memory->base, 0, memory->used);
    (void)cudaDeviceSynchronize();
    (void)cudaFree(memory->base);
    memset(memory, 0, sizeof *memory);
}
