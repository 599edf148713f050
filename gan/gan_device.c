#include "gan/gan_device.h"

#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "gan/cuda/gan_cuda_library.h"

// libgomp lets waiting threads spin unless its environment says otherwise, which on a machine with
// other work takes the processor from the very thread that they wait for: the same training steps
// took 4 times as long with two threads as with one. It reads the environment once, when it is
// loaded, and cannot be told in another way. No other thread looks at the environment at this time.
// What somebody has chosen stays.
static void let_waiting_threads_sleep(void) {
    if (!getenv("GOMP_SPINCOUNT")) setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
}

orr_library orr_gan_onednn_module = {.file = "liborrery_gan_onednn.so",
                                     .entry = "orr_gan_onednn",
                                     .abi = ORR_GAN_ABI,
                                     .what = "the DCGAN on the CPU",
                                     .package = "orrery",
                                     .needs = "oneDNN (libdnnl-dev)",
                                     .prepare = let_waiting_threads_sleep};

orr_library orr_gan_cuda_module = {.file = "liborrery_gan_cuda.so",
                                   .entry = "orr_gan_cuda_library_get",
                                   .abi = ORR_GAN_CUDA_ABI,
                                   .what = "the DCGAN on CUDA devices",
                                   .package = "orrery-cuda",
                                   .needs = "nvcc and cuDNN 9.8 or later",
                                   .from = "cuDNN 9 comes from NVIDIA"};

static const orr_gan_cuda_library *library_or_reason(orr_error *error) {
    return orr_library_table(&orr_gan_cuda_module, error);
}

unsigned orr_gan_cuda_count(orr_error *reason) {
    const orr_gan_cuda_library *library = library_or_reason(reason);
    return library ? library->count(reason) : 0;
}

static orr_status open_cpu(const orr_gan_backend **backend, orr_error *error) {
    *backend = orr_library_table(&orr_gan_onednn_module, error);
    return *backend ? ORR_OK : ORR_UNSUPPORTED;
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
    return open_cpu(backend, error);
}

int orr_gan_device_is_gpu(const orr_gan_backend *backend) {
    return strncmp(backend->name, "cudnn", 5) == 0;
}

orr_status orr_gan_device_open(const char *device, orr_gan_options *options,
                               const orr_gan_backend **backend,
                               void (*passed_over)(void *context, const char *reason),
                               void *context, orr_error *error) {
    *backend = NULL;
    options->device = 0;
    if (strcmp(device, "cpu") == 0) return open_cpu(backend, error);
    if (strcmp(device, "auto") == 0)
        return open_auto(options, backend, passed_over, context, error);
    if (strcmp(device, "cuda") == 0) return open_cuda(0, options, backend, error);
    size_t digits = strncmp(device, "cuda:", 5) ? 0 : strspn(device + 5, "0123456789");
    if (digits >= 1 && digits <= 4 && device[5 + digits] == '\0')
        return open_cuda(strtoul(device + 5, NULL, 10), options, backend, error);
    return orr_fail(error, ORR_USAGE, "unknown device '%.32s': choose auto, cpu, cuda or cuda:N",
                    device);
}
