// CUDA devices, through a shared object that is loaded when it is there: one build of the program
// runs on machines with and without a GPU.
//
// liborrery_cuda.so needs no CUDA installation, only the driver.
#ifndef ORRERY_KERNELS_CUDA_LOADER_H
#define ORRERY_KERNELS_CUDA_LOADER_H

#include "base/library.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_cuda_device {
    char name[128];
    char bus[32];     // "0000:17:00.0"
    int major, minor; // compute capability
    unsigned multiprocessors;
    size_t memory; // bytes
    int ecc;       // memory errors are corrected
} orr_cuda_device;

typedef struct orr_cuda_options {
    // Most bytes of device memory to use; 0: half of what is free. Tiles take at most 130 MiB of
    // it, volumes nothing until the first one comes, and then as much as they need.
    size_t memory;
} orr_cuda_options;

// Number of CUDA devices. When it is 0, *reason (NULL allowed) says why in one sentence: no shared
// object, no driver, driver too old, no device.
unsigned orr_cuda_device_count(orr_error *reason);

// What device `device` (from 0) is. ORR_UNSUPPORTED when there is no such device.
orr_status orr_cuda_device_describe(unsigned device, orr_cuda_device *info, orr_error *error);

// Opens a backend on one device; `options` may be NULL. *backend is closed with api->close.
// ORR_UNSUPPORTED when there is no such device or it cannot run the kernels, ORR_INTERNAL when
// memory runs out or a CUDA call fails. A batch whose tile fails the device's check of its own
// work, and a volume that does, ends with ORR_SELF_TEST; a volume too large for the memory that may
// be used with ORR_UNSUPPORTED; after any failing CUDA call every batch ends with ORR_INTERNAL.
orr_status orr_cuda_backend_open(unsigned device, const orr_cuda_options *options,
                                 orr_backend **backend, orr_error *error);

// ---- what the shared object exports -------------------------------------------------------------

#define ORR_CUDA_ABI (ORR_BACKEND_ABI << 8 | 1)

extern orr_library orr_cuda_module; // its table is an orr_cuda_library

typedef struct orr_cuda_library {
    uint32_t abi; // ORR_CUDA_ABI
    unsigned (*count)(orr_error *reason);
    orr_status (*describe)(unsigned device, orr_cuda_device *info, orr_error *error);
    orr_status (*open)(unsigned device, const orr_cuda_options *options, orr_backend **backend,
                       orr_error *error);
} orr_cuda_library;

const orr_cuda_library *orr_cuda_library_get(void);

#ifdef __cplusplus
}
#endif
#endif
