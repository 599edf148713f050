#include "gan/gan_device.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "gan/cuda/gan_cuda_library.h"
#include "base/library.h"

// The CUDA library, or why there is none; found out once.
static struct {
    pthread_once_t once;
    const orr_gan_cuda_library *library;
    orr_error error;
} found = {.once = PTHREAD_ONCE_INIT};

static void find_library(void) {
    const orr_gan_cuda_library *(*get)(void);
    void *entry = orr_library_find(ORR_GAN_CUDA_FILE, ORR_GAN_CUDA_ENTRY,
                                   "DCGAN on CUDA devices", &found.error);
    if (!entry) return;
    memcpy(&get, &entry, sizeof get); // ISO C has no cast between the two kinds of pointer
    const orr_gan_cuda_library *library = get();
    if (library->abi == ORR_GAN_CUDA_ABI)
        found.library = library;
    else
        orr_fail(&found.error, ORR_UNSUPPORTED,
                 "%s has ABI number %u, this program needs %u: install both from one build",
                 ORR_GAN_CUDA_FILE, library->abi, (unsigned)ORR_GAN_CUDA_ABI);
}

static const orr_gan_cuda_library *library_or_reason(orr_error *error) {
    pthread_once(&found.once, find_library);
    if (!found.library && error) *error = found.error;
    return found.library;
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
