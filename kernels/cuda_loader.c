// Finds and loads liborrery_cuda.so.
#include "kernels/cuda_loader.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "liborrery_cuda.so"

const orr_cuda_library *orr_cuda_library_load(const char *path, orr_error *error) {
    const orr_cuda_library *(*get)(void);
    // Stays loaded until the program ends: backends of it may be open at any time.
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        orr_fail(error, ORR_UNSUPPORTED, "%s cannot be loaded: %s", path, dlerror());
        return NULL;
    }
    void *symbol = dlsym(handle, ORR_CUDA_ENTRY);
    if (!symbol) {
        orr_fail(error, ORR_UNSUPPORTED, "%s is not Orrery's CUDA backend (no %s in it)", path,
                 ORR_CUDA_ENTRY);
        dlclose(handle);
        return NULL;
    }
    memcpy(&get, &symbol, sizeof get); // ISO C has no cast between the two kinds of pointer
    const orr_cuda_library *library = get();
    if (library->abi != ORR_CUDA_ABI) {
        orr_fail(error, ORR_UNSUPPORTED,
                 "%s has ABI number %u, this program needs %u: install both from one build", path,
                 library->abi, (unsigned)ORR_CUDA_ABI);
        dlclose(handle);
        return NULL;
    }
    return library;
}

// The library, or why there is none; found out once.
static struct {
    pthread_once_t once;
    const orr_cuda_library *library;
    orr_error error;
} found = {.once = PTHREAD_ONCE_INIT};

static void find_library(void) {
    static const char *const places[] = {"", "../lib/orrery/", "../lib/"};
    char program[PATH_MAX], path[PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) {
        orr_fail(&found.error, ORR_UNSUPPORTED,
                 "the program's own directory is unknown (no /proc?), so " LIBRARY
                 " cannot be found beside it");
        return;
    }
    program[length] = '\0';
    *(strrchr(program, '/') + 1) = '\0';
    for (size_t n = 0; n < sizeof places / sizeof places[0]; n++) {
        snprintf(path, sizeof path, "%s%s" LIBRARY, program, places[n]);
        if (access(path, R_OK) != 0) continue;
        found.library = orr_cuda_library_load(path, &found.error);
        return;
    }
    orr_fail(&found.error, ORR_UNSUPPORTED,
             "this build has no CUDA backend (" LIBRARY " is not in %s): build where nvcc is found",
             program);
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
