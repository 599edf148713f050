// From what a person asks for ("auto", "cpu", "cuda", "cuda:1") to an implementation of the DCGAN.
#ifndef ORRERY_GAN_GAN_DEVICE_H
#define ORRERY_GAN_GAN_DEVICE_H

#include "base/library.h"
#include "gan/gan_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// Picks what `device` asks for and sets options->device. *backend is shared by all and never
// released.
//   "cpu"     the fast implementation for CPUs
//   "cuda:N"  CUDA device N; "cuda": device 0
//   "auto"    the first CUDA device that can be used, else the CPU. `passed_over`, may be NULL, is
//             called with the reason for each device before it: it is too old, or cuDNN refuses it
// ORR_USAGE for another word; ORR_UNSUPPORTED, with the reason in one sentence, when there is no
// such device, or the module for it, or a library that it needs, is not there. A device that was
// asked for by name is not tried: opening a network on it says what is wrong.
orr_status orr_gan_device_open(const char *device, orr_gan_options *options,
                               const orr_gan_backend **backend,
                               void (*passed_over)(void *context, const char *reason),
                               void *context, orr_error *error);
// Does it run on a GPU, so that the CPU can take over where it fails?
int orr_gan_device_is_gpu(const orr_gan_backend *backend);

extern orr_library orr_gan_onednn_module; // its table is an orr_gan_backend
extern orr_library orr_gan_cuda_module;   // and this one's is in gan/cuda/gan_cuda_library.h

// Number of CUDA devices, usable or not; when it is 0, *reason (NULL allowed) says why.
unsigned orr_gan_cuda_count(orr_error *reason);

#ifdef __cplusplus
}
#endif
#endif
