// From what a person asks for ("auto", "cpu", "cuda", "cuda:1") to a backend that passed its
// self-test, and the list of what this machine has.
#ifndef ORRERY_KERNELS_DEVICE_H
#define ORRERY_KERNELS_DEVICE_H

#include "kernels/backend.h"
#include "kernels/compound.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_device_options {
    unsigned threads;           // of the CPU backend; 0: one for each core
    size_t memory;              // most bytes on each CUDA device; 0: the backend's own choice
    orr_fallback_report report; // told when a device fails and the CPU goes on; may be NULL
    void *context;              // of `report`
} orr_device_options;

// Opens what `device` asks for; every device has passed the known-answer self-test when this
// returns ORR_OK.
//   "cpu"     the CPU
//   "cuda:N"  CUDA device N; "cuda": all CUDA devices. What fails there fails.
//   "auto"    all CUDA devices that work, each with the CPU to fall back on; without any, the CPU.
//             Devices that are there but fail to open or to pass the test are reported and left
//             out.
// ORR_USAGE for another word, ORR_UNSUPPORTED when there is no such device, ORR_SELF_TEST when one
// fails its test. `options` may be NULL. *backend is closed with api->close.
orr_status orr_device_open(const char *device, const orr_device_options *options,
                           orr_backend **backend, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
