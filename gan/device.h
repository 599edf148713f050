// From what a person asks for ("auto", "cpu", "cuda", "cuda:1") to an implementation of the DCGAN.
#ifndef ORRERY_GAN_DEVICE_H
#define ORRERY_GAN_DEVICE_H

#include "gan/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// Picks what `device` asks for and sets options->device. *backend is shared by all and never
// released.
//   "cpu"     the fastest implementation for CPUs in this build
//   "cuda:N"  CUDA device N; "cuda": device 0
//   "auto"    CUDA device 0 when this build and this machine can train on one, else the CPU
// ORR_USAGE for another word; ORR_UNSUPPORTED, with the reason in one sentence, when there is no
// such device or the CUDA part of this build, or cuDNN, is not there.
orr_status orr_gan_device_open(const char *device, orr_gan_options *options,
                               const orr_gan_backend **backend, orr_error *error);

// Number of CUDA devices that can train; when it is 0, *reason (NULL allowed) says why.
unsigned orr_gan_cuda_count(orr_error *reason);

#ifdef __cplusplus
}
#endif
#endif
