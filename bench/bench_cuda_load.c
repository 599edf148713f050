// Finds and loads liborrery_bench_cuda.so; what host and device agree to work on.
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench_cuda.h"
#include "kernels/map.h"

#define LIBRARY "liborrery_bench_cuda.so"

static const orr_bench_cuda *load(const char *path, orr_error *error) {
    const orr_bench_cuda *(*get)(void);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL); // until the program ends
    void *symbol = handle ? dlsym(handle, ORR_BENCH_CUDA_ENTRY) : NULL;
    if (!symbol) {
        const char *reason = dlerror();
        orr_fail(error, ORR_UNSUPPORTED, "%s cannot be loaded: %s", path, reason ? reason : "?");
        return NULL;
    }
    memcpy(&get, &symbol, sizeof get); // ISO C has no cast between the two kinds of pointer
    const orr_bench_cuda *cuda = get();
    if (cuda->abi == ORR_BENCH_CUDA_ABI) return cuda;
    orr_fail(error, ORR_UNSUPPORTED, "%s is of another build: install both from one build", path);
    return NULL;
}

const orr_bench_cuda *orr_bench_cuda_load(const char *path, orr_error *error) {
    char program[PATH_MAX], beside[PATH_MAX + 64];
    if (path) return load(path, error);
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) {
        orr_fail(error, ORR_UNSUPPORTED, "the program's own directory is unknown (no /proc?)");
        return NULL;
    }
    program[length] = '\0';
    *(strrchr(program, '/') + 1) = '\0';
    snprintf(beside, sizeof beside, "%s" LIBRARY, program);
    if (access(beside, R_OK) == 0) return load(beside, error);
    orr_fail(error, ORR_UNSUPPORTED,
             "this build cannot measure CUDA devices (" LIBRARY
             " is not beside the program): build "
             "where nvcc is found");
    return NULL;
}

void orr_bench_cuda_input(uint8_t *bytes, size_t tiles) {
    for (size_t n = 0; n < tiles * ORR_TILE_BYTES; n += 8) {
        uint64_t word = orr_mix64(n);
        memcpy(bytes + n, &word, 8);
    }
}

void orr_bench_cuda_key(size_t tile, int renewed, orr_tile_key *key) {
    for (size_t k = 0; k < 8; k++)
        key->state[k] = orr_mix64((uint64_t)(8 * tile + k) << 32 | (renewed ? 0x80000000u : 0));
}
