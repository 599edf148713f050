#include "gan/gan_device.h"

#include <stdlib.h>
#include <string.h>

#include "gan/cuda/gan_cuda_library.h"
#include "base/library.h"

orr_library orr_gan_cuda_module = {.file = "liborrery_gan_cuda.so",
                                   .entry = "orr_gan_cuda_library_get",
                                   .abi = ORR_GAN_CUDA_ABI,
                                   .what = "the DCGAN on CUDA devices",
                                   .package = "orrery-cuda",
                                   .needs = "nvcc and cuDNN 9",
                                   .from = "cuDNN 9 comes from NVIDIA"};

static const orr_gan_cuda_library *library_or_reason(orr_error *error) {
    return orr_library_table(&orr_gan_cuda_module, error);
}

unsigned orr_gan_cuda_count(orr_error *reason) {
    const orr_gan_cuda_library *library = library_or_reason(reason);
    return library ? library->count(reason) : 0;
}

static orr_status open_cpu(const orr_gan_backend **backend) {
    *backend = orr_gan_onednn();
    return ORR_OK;
}

static orr_status open_cuda(unsigned long device, orr_gan_options *options,
                            const orr_gan_backend **backend, orr_error *error) {
    unsigned count = orr_gan_cuda_count(error);
    if (count == 0) return ORR_UNSUPPORTED;
    if (device >= count)
        return orr_fail(error, ORR_UNSUPPORTED, "there is no CUDA device %lu: this machine has %u",
                        device, count);
    options->device = (int)device;
    *backend = library_or_reason(error)->backend;
    return ORR_OK;
}

static orr_status open_auto(orr_gan_options *options, const orr_gan_backend **backend,
                            void (*passed_over)(void *context, const char *reason), void *context,
                            orr_error *error) {
    unsigned count = orr_gan_cuda_count(NULL);
    for (unsigned n = 0; n < count; n++) {
        orr_error reason = {0};
        if (library_or_reason(NULL)->check((int)n, &reason) == ORR_OK)
            return open_cuda(n, options, backend, error);
        if (passed_over) passed_over(context, reason.text);
    }
    return open_cpu(backend);
}

int orr_gan_device_is_gpu(const orr_gan_backend *backend) {
    return backend != orr_gan_onednn() && backend != orr_gan_reference();
}

orr_status orr_gan_device_open(const char *device, orr_gan_options *options,
                               const orr_gan_backend **backend,
                               void (*passed_over)(void *context, const char *reason),
                               void *context, orr_error *error) {
    *backend = NULL;
    options->device = 0;
    if (strcmp(device, "cpu") == 0) return open_cpu(backend);
    if (strcmp(device, "auto") == 0)
        return open_auto(options, backend, passed_over, context, error);
    if (strcmp(device, "cuda") == 0) return open_cuda(0, options, backend, error);
    size_t digits = strncmp(device, "cuda:", 5) ? 0 : strspn(device + 5, "0123456789");
    if (digits >= 1 && digits <= 4 && device[5 + digits] == '\0')
        return open_cuda(strtoul(device + 5, NULL, 10), options, backend, error);
    return orr_fail(error, ORR_USAGE, "unknown device '%.32s': choose auto, cpu, cuda or cuda:N",
                    device);
}
