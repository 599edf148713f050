#include "base/cuda_count.h"

#include <cuda_runtime_api.h>

unsigned orr_cuda_count(orr_error *reason) {
    int count = 0, driver = 0, runtime = 0;
    cudaError_t code = cudaGetDeviceCount(&count);
    if (code == cudaSuccess && count > 0) return (unsigned)count;
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    if (driver == 0) {
        orr_fail(reason, ORR_UNSUPPORTED, "no NVIDIA driver is installed");
    } else if (code == cudaErrorInsufficientDriver) {
        orr_fail(reason, ORR_UNSUPPORTED,
                 "the NVIDIA driver is too old: it offers CUDA %d.%d, this build needs %d.x",
                 driver / 1000, driver % 1000 / 10, runtime / 1000);
    } else if (code == cudaSuccess || code == cudaErrorNoDevice) {
        orr_fail(reason, ORR_UNSUPPORTED, "the NVIDIA driver shows no device");
    } else {
        orr_fail(reason, ORR_UNSUPPORTED, "the NVIDIA driver does not answer: %s (%s)",
                 cudaGetErrorString(code), cudaGetErrorName(code));
    }
    return 0;
}
