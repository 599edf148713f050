// Entry points of the tile kernels and their launchers. Two blocks of 512 threads share one
// multiprocessor: at most 64 registers a thread and 50,176 bytes of shared memory.
#include "kernels/cuda/tile.cuh"

// ---- kernels ------------------------------------------------------------------------------------

#define ORR_TILE_KERNEL(name, OP, DEFAULT_RULE, CHECK)                      \
    ORR_KERNEL(ORR_THREADS, 2) name(ORR_PARAMETER orr_cuda_launch launch) { \
        ORR_SHARED_WORDS(shared);                                           \
        run_tiles<OP, DEFAULT_RULE, CHECK>(launch, shared);                 \
    }

ORR_TILE_KERNEL(orr_tile_encrypt_default, ORR_CUDA_ENCRYPT, true, true)
ORR_TILE_KERNEL(orr_tile_encrypt_any, ORR_CUDA_ENCRYPT, false, true)
ORR_TILE_KERNEL(orr_tile_decrypt_default, ORR_CUDA_DECRYPT, true, true)
ORR_TILE_KERNEL(orr_tile_decrypt_any, ORR_CUDA_DECRYPT, false, true)
ORR_TILE_KERNEL(orr_tile_reencrypt_default, ORR_CUDA_REENCRYPT, true, true)
ORR_TILE_KERNEL(orr_tile_reencrypt_any, ORR_CUDA_REENCRYPT, false, true)
#ifdef ORR_CUDA_MEASURE // kernels without the check, for benchmarks and code counts
ORR_TILE_KERNEL(orr_tile_encrypt_default_unchecked, ORR_CUDA_ENCRYPT, true, false)
ORR_TILE_KERNEL(orr_tile_encrypt_any_unchecked, ORR_CUDA_ENCRYPT, false, false)
ORR_TILE_KERNEL(orr_tile_decrypt_default_unchecked, ORR_CUDA_DECRYPT, true, false)
ORR_TILE_KERNEL(orr_tile_decrypt_any_unchecked, ORR_CUDA_DECRYPT, false, false)
ORR_TILE_KERNEL(orr_tile_reencrypt_default_unchecked, ORR_CUDA_REENCRYPT, true, false)
ORR_TILE_KERNEL(orr_tile_reencrypt_any_unchecked, ORR_CUDA_REENCRYPT, false, false)
#endif

// ---- launchers ----------------------------------------------------------------------------------

typedef void (*orr_tile_kernel)(orr_cuda_launch);

// By operation and any rule.
static const orr_tile_kernel checked[3][2] = {
    {orr_tile_encrypt_default, orr_tile_encrypt_any},
    {orr_tile_decrypt_default, orr_tile_decrypt_any},
    {orr_tile_reencrypt_default, orr_tile_reencrypt_any},
};
#ifdef ORR_CUDA_MEASURE
static const orr_tile_kernel unchecked[3][2] = {
    {orr_tile_encrypt_default_unchecked, orr_tile_encrypt_any_unchecked},
    {orr_tile_decrypt_default_unchecked, orr_tile_decrypt_any_unchecked},
    {orr_tile_reencrypt_default_unchecked, orr_tile_reencrypt_any_unchecked},
};
#endif

void orr_cuda_cipher_init(orr_cuda_cipher *to, const orr_cipher *from) {
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 7; j++) {
            to->planet[i][j] = from->rule.planet_anf.c[i][j];
            to->symbol[i][j] = from->rule.symbol_anf.c[i][j];
            to->rank[i][j] = from->rule.rank_anf.c[i][j];
            to->unrank[i][j] = from->rule.unrank_anf.c[i][j];
        }
    }
    to->k2 = from->k2;
    to->rule = from->rule.number;
}

static orr_tile_kernel kernel_of(int op, int any, int check) {
#ifdef ORR_CUDA_MEASURE
    if (!check) return unchecked[op][any];
#endif
    return check ? checked[op][any] : nullptr;
}

int orr_cuda_tile_prepare(void) {
    for (int n = 0; n < 12; n++) {
        orr_tile_kernel kernel = kernel_of(n / 4, n / 2 % 2, n % 2);
        int code = kernel ? (int)ORR_ALLOW_SHARED(kernel, ORR_CUDA_TILE_SHARED) : 0;
        if (code) return code;
    }
    return 0;
}

int orr_cuda_tile_launch(orr_cuda_op op, int check, const orr_cuda_launch *launch, unsigned blocks,
                         void *stream) {
    int any = launch->cipher[0].rule != ORR_RULE_DEFAULT ||
              (op == ORR_CUDA_REENCRYPT && launch->cipher[1].rule != ORR_RULE_DEFAULT);
    orr_tile_kernel kernel = kernel_of(op, any, check);
    if (!kernel) return 1; // cudaErrorInvalidValue
    return (int)ORR_LAUNCH(kernel, blocks, ORR_THREADS, ORR_CUDA_TILE_SHARED, stream, *launch);
}
