// Finds and loads liborrery_cuda.so.
#include "kernels/cuda_loader.h"

#include <pthread.h>
#include <string.h>

#include "base/library.h"

#define LIBRARY "liborrery_cuda.so"

// The library behind its entry function, when it is one of this build.
static const orr_cuda_library *checked(void *entry, const char *name, orr_error *error) {
    const orr_cuda_library *(*get)(void);
    if (!entry) return NULL;
    memcpy(&get, &entry, sizeof get); // ISO C has no cast between the two kinds of pointer
    const orr_cuda_library *library = get();
    if (library->abi == ORR_CUDA_ABI) return library;
    orr_fail(error, ORR_UNSUPPORTED,
             "%s has ABI number %u, this program needs %u: install both from one build", name,
             library->abi, (unsigned)ORR_CUDA_ABI);
    return NULL;
}

const orr_cuda_library *orr_cuda_library_load(const char *path, orr_error *error) {
    return checked(orr_library_load(path, ORR_CUDA_ENTRY, error), path, error);
}

// The library, or why there is none; found out once.
static struct {
    pthread_once_t once;
    const orr_cuda_library *library;
    orr_error error;
} found = {.once = PTHREAD_ONCE_INIT};

static void find_library(void) {
    void *entry = orr_library_find(LIBRARY, ORR_CUDA_ENTRY, "CUDA backend", &found.error);
    found.library = checked(entry, LIBRARY, &found.error);
}

static const orr_cuda_library *library_or_reason(orr_error *error) {
    pthread_once(&found.once, find_library);
    if (!found.library && error) *error = found.error;
    return found.library;
}

unsigned orr_cuda_device_count(orr_error *reason) {
    const orr_cuda_library *library = library_or_reason(reason);
    return library ? library->count(reason) : 0;
}

orr_status orr_cuda_device_describe(unsigned device, orr_cuda_device *info, orr_error *error) {
    const orr_cuda_library *library = library_or_reason(error);
    return library ? library->describe(device, info, error) : ORR_UNSUPPORTED;
}

orr_status orr_cuda_backend_open(unsigned device, const orr_cuda_options *options,
                                 orr_backend **backend, orr_error *error) {
    *backend = NULL;
    const orr_cuda_library *library = library_or_reason(error);
    return library ? library->open(device, options, backend, error) : ORR_UNSUPPORTED;
}
