// Whether a CUDA device still works, for all that works on it.
#ifndef ORRERY_KERNELS_CUDA_CUDA_HEALTH_H
#define ORRERY_KERNELS_CUDA_CUDA_HEALTH_H

#include <pthread.h>

#include "base/status.h"

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

#endif
