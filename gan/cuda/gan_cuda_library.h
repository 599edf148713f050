// What liborrery_gan_cuda.so exports: the DCGAN on a CUDA device, through cuDNN and kernels of its
// own. gan/gan_device.h opens it.
#ifndef ORRERY_GAN_CUDA_GAN_CUDA_LIBRARY_H
#define ORRERY_GAN_CUDA_GAN_CUDA_LIBRARY_H

#include "gan/gan_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_GAN_CUDA_ABI (ORR_GAN_ABI << 8 | 2)

typedef struct orr_gan_cuda_library {
    uint32_t abi; // ORR_GAN_CUDA_ABI
    // A training step is captured into a CUDA graph once and then replayed. `plain` queues every
    // call of every step: the same numbers, slower; for comparison.
    const orr_gan_backend *backend, *plain;
    // Number of CUDA devices; when it is 0, *reason (NULL allowed) says why.
    unsigned (*count)(orr_error *reason);
    // ORR_OK when networks can be opened on device 0, 1 ...; else *reason says why not: it is too
    // old, or cuDNN refuses it.
    orr_status (*check)(int device, orr_error *reason);
} orr_gan_cuda_library;

const orr_gan_cuda_library *orr_gan_cuda_library_get(void);

#ifdef __cplusplus
}
#endif
#endif
