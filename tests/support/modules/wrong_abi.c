// A shared object that looks like the CUDA backend of another version.
#include "kernels/cuda_loader.h"

const orr_cuda_library *orr_cuda_library_get(void) {
    static const orr_cuda_library library = {.abi = ORR_CUDA_ABI + 1};
    return &library;
}
