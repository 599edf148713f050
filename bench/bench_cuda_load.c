// Finds and loads liborrery_bench_cuda.so.
#include <string.h>

#include "bench/bench_cuda.h"
#include "base/library.h"

#define LIBRARY "liborrery_bench_cuda.so"

const orr_bench_cuda *orr_bench_cuda_load(const char *path, orr_error *error) {
    const orr_bench_cuda *(*get)(void);
    void *symbol = path ? orr_library_load(path, ORR_BENCH_CUDA_ENTRY, error)
                        : orr_library_find(LIBRARY, ORR_BENCH_CUDA_ENTRY,
                                           "way to measure CUDA devices", error);
    if (!symbol && !path) // without the program's directory: reasons go into records
        orr_fail(error, ORR_UNSUPPORTED,
                 "this build cannot measure CUDA devices (" LIBRARY
                 " is not beside the program, or does not load)");
    if (!symbol) return NULL;
    memcpy(&get, &symbol, sizeof get); // ISO C has no cast between the two kinds of pointer
    const orr_bench_cuda *cuda = get();
    if (cuda->abi == ORR_BENCH_CUDA_ABI) return cuda;
    orr_fail(error, ORR_UNSUPPORTED, LIBRARY " is of another build: install both from one build");
    return NULL;
}
