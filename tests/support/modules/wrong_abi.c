// A shared object that looks like each module of the program, of another version.
#include "bench/bench_cuda.h"
#include "bench/evidence/evidence.h"
#include "gan/cuda/gan_cuda_library.h"
#include "kernels/cuda_loader.h"

static const union {
    orr_cuda_library cuda;
    orr_gan_cuda_library gan_cuda;
    orr_gan_backend gan_onednn;
    orr_bench_cuda bench_cuda;
    orr_evidence_library evidence;
    uint32_t abi;
} other = {.abi = 12345};

const orr_cuda_library *orr_cuda_library_get(void) {
    return &other.cuda;
}

const orr_gan_cuda_library *orr_gan_cuda_library_get(void) {
    return &other.gan_cuda;
}

const orr_gan_backend *orr_gan_onednn(void) {
    return &other.gan_onednn;
}

const orr_bench_cuda *orr_bench_cuda_get(void) {
    return &other.bench_cuda;
}

const orr_evidence_library *orr_evidence_library_get(void) {
    return &other.evidence;
}
