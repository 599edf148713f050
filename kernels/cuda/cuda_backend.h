// What the files of the CUDA backend share: the state of the device, and the queue of volumes.
#ifndef ORRERY_KERNELS_CUDA_CUDA_BACKEND_H
#define ORRERY_KERNELS_CUDA_CUDA_BACKEND_H

#include <pthread.h>

#include <cuda_runtime_api.h>

#include "kernels/backend.h"

// One device, and whether it still works. After a failed CUDA call nothing is started on it any
// more.
typedef struct orr_cuda_health {
    int device;
    char name[160];
    pthread_mutex_t mutex; // guards dead
    orr_error dead;        // status ORR_OK until a CUDA call fails
} orr_cuda_health;

// ORR_OK, or the sentence for a failed CUDA call.
orr_status orr_cuda_check(const orr_cuda_health *health, int code, const char *call,
                          orr_error *error);
// ORR_OK, or why the device is not used any more.
orr_status orr_cuda_alive(orr_cuda_health *health, orr_error *error);
// The device failed; the first failure stays.
void orr_cuda_bury(orr_cuda_health *health, const orr_error *error);

// `health` and `error` must be in scope.
#define ORR_CUDA_TRY(call)                                                         \
    do {                                                                           \
        orr_status try_status = orr_cuda_check(health, (int)(call), #call, error); \
        if (try_status != ORR_OK) return try_status;                               \
    } while (0)

// ---- volumes.c

typedef struct orr_cuda_volumes orr_cuda_volumes;

#define ORR_CUDA_VOLUMES 64 // images worked on at a time, memory permitting

// A queue of volumes for one device, which may take up to `allowance` bytes of its memory, and
// takes none before the first volume comes. `health` must live longer. ORR_INTERNAL when memory
// runs out.
orr_status orr_cuda_volumes_open(orr_cuda_volumes **volumes, orr_cuda_health *health,
                                 size_t allowance, orr_error *error);
// Finishes what is queued. NULL is allowed.
void orr_cuda_volumes_close(orr_cuda_volumes *volumes);
// As volume_submit and volume_wait of orr_backend_api.
orr_status orr_cuda_volumes_submit(orr_cuda_volumes *volumes, orr_volume_task *task,
                                   orr_error *error);
orr_status orr_cuda_volumes_wait(orr_cuda_volumes *volumes, orr_volume_task *task,
                                 orr_error *error);

#endif
