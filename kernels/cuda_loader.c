// Finds and loads liborrery_cuda.so.
#include "kernels/cuda_loader.h"

#include "base/library.h"

orr_library orr_cuda_module = {.file = "liborrery_cuda.so",
                               .entry = "orr_cuda_library_get",
                               .abi = ORR_CUDA_ABI,
                               .what = "the CUDA backend",
                               .package = "orrery-cuda",
                               .needs = "nvcc"};

unsigned orr_cuda_device_count(orr_error *reason) {
    const orr_cuda_library *library = orr_library_table(&orr_cuda_module, reason);
    return library ? library->count(reason) : 0;
}

orr_status orr_cuda_device_describe(unsigned device, orr_cuda_device *info, orr_error *error) {
    const orr_cuda_library *library = orr_library_table(&orr_cuda_module, error);
    return library ? library->describe(device, info, error) : ORR_UNSUPPORTED;
}

orr_status orr_cuda_backend_open(unsigned device, const orr_cuda_options *options,
                                 orr_backend **backend, orr_error *error) {
    *backend = NULL;
    const orr_cuda_library *library = orr_library_table(&orr_cuda_module, error);
    return library ? library->open(device, options, backend, error) : ORR_UNSUPPORTED;
}
