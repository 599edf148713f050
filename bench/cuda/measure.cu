// Kernels that production has no use for, and their launchers.
#include "bench/cuda/measure.h"

#include "bench/cuda/aes.cuh"
#include "kernels/cuda/tile.cuh"

#define ORR_MEASURE_KERNEL(name, OP, DEFAULT_RULE, WITHOUT)                 \
    ORR_KERNEL(ORR_THREADS, 2) name(ORR_PARAMETER orr_cuda_launch launch) { \
        ORR_SHARED_WORDS(shared);                                           \
        run_tiles<OP, DEFAULT_RULE, false, WITHOUT>(launch, shared);        \
    }

ORR_MEASURE_KERNEL(measure_encrypt_default, ORR_CUDA_ENCRYPT, true, 0)
ORR_MEASURE_KERNEL(measure_encrypt_any, ORR_CUDA_ENCRYPT, false, 0)
ORR_MEASURE_KERNEL(measure_decrypt_default, ORR_CUDA_DECRYPT, true, 0)
ORR_MEASURE_KERNEL(measure_decrypt_any, ORR_CUDA_DECRYPT, false, 0)
ORR_MEASURE_KERNEL(measure_reencrypt_default, ORR_CUDA_REENCRYPT, true, 0)
ORR_MEASURE_KERNEL(measure_reencrypt_any, ORR_CUDA_REENCRYPT, false, 0)
ORR_MEASURE_KERNEL(measure_no_key_words, ORR_CUDA_ENCRYPT, true, ORR_CUDA_WITHOUT_KEY_WORDS)
ORR_MEASURE_KERNEL(measure_no_ranks, ORR_CUDA_ENCRYPT, true, ORR_CUDA_WITHOUT_RANKS)
ORR_MEASURE_KERNEL(measure_no_encoding, ORR_CUDA_ENCRYPT, true, ORR_CUDA_WITHOUT_ENCODING)
ORR_MEASURE_KERNEL(measure_no_shuffle, ORR_CUDA_ENCRYPT, true, ORR_CUDA_WITHOUT_SHUFFLE)
ORR_MEASURE_KERNEL(measure_nothing, ORR_CUDA_ENCRYPT, true, ORR_CUDA_WITHOUT_ALL)

ORR_KERNEL(ORR_AES_THREADS, 2) measure_aes(ORR_PARAMETER orr_aes_launch launch) {
    ORR_SHARED_WORDS(shared);
    run_aes(launch, shared);
}

typedef void (*orr_measure_function)(orr_cuda_launch);

// By operation and any rule.
static const orr_measure_function whole[3][2] = {
    {measure_encrypt_default, measure_encrypt_any},
    {measure_decrypt_default, measure_decrypt_any},
    {measure_reencrypt_default, measure_reencrypt_any},
};

static orr_measure_function without_stages(int without) {
    switch (without) {
    case ORR_CUDA_WITHOUT_KEY_WORDS:
        return measure_no_key_words;
    case ORR_CUDA_WITHOUT_RANKS:
        return measure_no_ranks;
    case ORR_CUDA_WITHOUT_ENCODING:
        return measure_no_encoding;
    case ORR_CUDA_WITHOUT_SHUFFLE:
        return measure_no_shuffle;
    case ORR_CUDA_WITHOUT_ALL:
        return measure_nothing;
    default:
        return nullptr;
    }
}

int orr_measure_prepare(void) {
    for (int n = 0; n < 6 + 15; n++) {
        orr_measure_function kernel = n < 6 ? whole[n / 2][n % 2] : without_stages(n - 5);
        int code = kernel ? (int)ORR_ALLOW_SHARED(kernel, ORR_CUDA_TILE_SHARED) : 0;
        if (code) return code;
    }
    return (int)ORR_ALLOW_SHARED(measure_aes, ORR_AES_SHARED);
}

int orr_measure_tiles(orr_cuda_op op, int without, const orr_cuda_launch *launch, unsigned blocks,
                      void *stream) {
    int any = launch->cipher[0].rule != ORR_RULE_DEFAULT ||
              (op == ORR_CUDA_REENCRYPT && launch->cipher[1].rule != ORR_RULE_DEFAULT);
    orr_measure_function kernel = whole[op][any];
    if (without) kernel = op == ORR_CUDA_ENCRYPT && !any ? without_stages(without) : nullptr;
    if (!kernel) return 1; // cudaErrorInvalidValue
    return (int)ORR_LAUNCH(kernel, blocks, ORR_THREADS, ORR_CUDA_TILE_SHARED, stream, *launch);
}

int orr_measure_aes(const orr_aes_launch *launch, unsigned blocks, void *stream) {
    return (int)ORR_LAUNCH(measure_aes, blocks, ORR_AES_THREADS, ORR_AES_SHARED, stream, *launch);
}
