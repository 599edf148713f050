// Entry points of the volume kernels and their launchers.
#include "kernels/cuda/volume.cuh"

// ---- kernels ------------------------------------------------------------------------------------

ORR_KERNEL(ORR_CUDA_SEQUENCE_THREADS, 16)
orr_volume_sequences(ORR_PARAMETER orr_cuda_sequence_launch launch) {
    ORR_SHARED_WORDS(shared);
    run_sequences(launch, shared);
}

#define ORR_VOLUME_KERNEL(name, body)                                               \
    ORR_KERNEL(ORR_CUDA_VOLUME_THREADS, 4) name(ORR_PARAMETER orr_cuda_pass pass) { \
        ORR_SHARED_WORDS(shared);                                                   \
        (void)shared;                                                               \
        body;                                                                       \
    }

ORR_VOLUME_KERNEL(orr_volume_totals, run_totals(pass, shared))
ORR_VOLUME_KERNEL(orr_volume_scan, run_scan(pass, shared))
ORR_VOLUME_KERNEL(orr_volume_encode, run_encode(pass, shared))
ORR_VOLUME_KERNEL(orr_volume_decode, run_decode(pass))
ORR_VOLUME_KERNEL(orr_volume_shuffle, run_shuffle<false>(pass))
ORR_VOLUME_KERNEL(orr_volume_unshuffle, run_shuffle<true>(pass))
ORR_VOLUME_KERNEL(orr_volume_planet_xor, run_planet_xor<true>(pass))
ORR_VOLUME_KERNEL(orr_volume_planet_unxor, run_planet_xor<false>(pass))
ORR_VOLUME_KERNEL(orr_volume_compare, run_compare(pass))

// ---- launchers ----------------------------------------------------------------------------------

int orr_cuda_sequence_run(const orr_cuda_sequence_launch *launch, unsigned blocks, void *stream) {
    return (int)ORR_LAUNCH(orr_volume_sequences, blocks, ORR_CUDA_SEQUENCE_THREADS,
                           ORR_CUDA_SEQUENCE_SHARED, stream, *launch);
}

namespace {

typedef void (*pass_kernel)(orr_cuda_pass);

// Launches passes one after the other; after an error none.
struct Passes {
    const orr_cuda_volume &volume;
    unsigned blocks;
    void *stream;
    int code = 0;

    void launch(pass_kernel kernel, const uint8_t *from, uint8_t *to, const uint8_t *with = nullptr,
                const uint32_t *table = nullptr, unsigned only = 0) {
        orr_cuda_pass pass = {from,         to,           with,         table, volume.totals,
                              volume.flags, volume.bytes, volume.shape, 0,     volume.cipher};
        if (code == 0)
            code = (int)ORR_LAUNCH(kernel, only ? only : blocks, ORR_CUDA_VOLUME_THREADS,
                                   ORR_CUDA_VOLUME_SHARED, stream, pass);
    }

    void encode(const uint8_t *from, uint8_t *to) {
        launch(orr_volume_totals, from, nullptr);
        launch(orr_volume_scan, nullptr, nullptr, nullptr, nullptr, 1);
        launch(orr_volume_encode, from, to);
    }

    // The table of a round: of rows, columns, channels.
    const uint32_t *table(int inverse, int round) const {
        const orr_volume_shape &shape = volume.shape;
        size_t one = (size_t)shape.rows + shape.columns + shape.channels;
        return volume.tables[inverse] + round * one;
    }

    // k8[use] = op(from), under the keys numbered `use`.
    void encrypt(const uint8_t *from, int use) {
        uint8_t *one = volume.scratch[0], *other = volume.scratch[1];
        encode(from, one);
        launch(orr_volume_shuffle, one, other, volume.k4[use], table(0, 0));
        encode(other, other);
        launch(orr_volume_shuffle, other, one, volume.k4[use], table(0, 1));
        launch(orr_volume_planet_xor, one, volume.k8[use]);
    }
    void decrypt(const uint8_t *from, int use) {
        uint8_t *one = volume.scratch[0], *other = volume.scratch[1];
        launch(orr_volume_planet_unxor, from, volume.k8[use]);
        launch(orr_volume_unshuffle, volume.k8[use], one, volume.k4[use], table(1, 1));
        launch(orr_volume_decode, one, other);
        launch(orr_volume_unshuffle, other, one, volume.k4[use], table(1, 0));
        launch(orr_volume_decode, one, volume.k8[use]);
    }
};

} // namespace

int orr_cuda_volume_run(orr_volume_op op, const orr_cuda_volume *volume, unsigned blocks,
                        void *stream) {
    Passes passes = {*volume, blocks, stream};
    if (op == ORR_VOLUME_ENCRYPT) {
        passes.encrypt(volume->in, 0);
        passes.decrypt(volume->k8[0], 1);
    } else {
        passes.decrypt(volume->in, 0);
        passes.encrypt(volume->k8[0], 1);
    }
    passes.launch(orr_volume_compare, volume->k8[1], nullptr, volume->in);
    return passes.code;
}
