// The CUDA backend's queue of volumes.
#ifndef ORRERY_KERNELS_CUDA_CUDA_VOLUMES_H
#define ORRERY_KERNELS_CUDA_CUDA_VOLUMES_H

#include "kernels/backend.h"
#include "kernels/cuda/cuda_health.h"

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
