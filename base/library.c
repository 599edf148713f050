#include "base/library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void *orr_library_load(const char *path, const char *entry, orr_error *error) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        orr_fail(error, ORR_UNSUPPORTED, "%s cannot be loaded: %s", path, dlerror());
        return NULL;
    }
    void *symbol = dlsym(handle, entry);
    if (!symbol) {
        orr_fail(error, ORR_UNSUPPORTED, "%s is not Orrery's CUDA backend (no %s in it)", path,
                 entry);
        dlclose(handle);
    }
    return symbol;
}

void *orr_library_find(const char *file, const char *entry, const char *what, orr_error *error) {
    static const char *const places[] = {"", "../lib/orrery/", "../lib/"};
    char program[PATH_MAX], path[PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) {
        orr_fail(error, ORR_UNSUPPORTED,
                 "the program's own directory is unknown (no /proc?), so %s cannot be found "
                 "beside it",
                 file);
        return NULL;
    }
    program[length] = '\0';
    *(strrchr(program, '/') + 1) = '\0';
    for (size_t n = 0; n < sizeof places / sizeof places[0]; n++) {
        snprintf(path, sizeof path, "%s%s%s", program, places[n], file);
        if (access(path, R_OK) == 0) return orr_library_load(path, entry, error);
    }
    orr_fail(error, ORR_UNSUPPORTED,
             "this build has no %s (%s is not beside the program): build where nvcc is found", what,
             file);
    return NULL;
}
