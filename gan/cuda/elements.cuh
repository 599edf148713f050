// Elements of the DCGAN's tensors, 8 neighbouring channels at a time: 16 bytes of bfloat16 or twice
// 16 of float. For kernels.cuh.
#ifndef ORRERY_GAN_CUDA_ELEMENTS_CUH
#define ORRERY_GAN_CUDA_ELEMENTS_CUH

#include <string.h>

#include "gan/cuda/kernels.h"
#include "kernels/cuda/device.cuh"

namespace orr_gan_cuda {

constexpr uint32_t PACK = ORR_CUDA_PACK;

struct alignas(16) Quad {
    uint32_t word[4];
};

struct Bf16 {
    uint16_t bits;
};

ORR_DEVICE float bits_to_float(uint32_t bits) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

ORR_DEVICE uint32_t float_to_bits(float value) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(value);
#else
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

// To the nearest bfloat16, ties to even; every NaN becomes a quiet one.
ORR_DEVICE uint32_t to_bf16(float value) {
    uint32_t bits = float_to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40u;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

// Pack number `n` of an array.
ORR_DEVICE void load(const float *from, uint64_t n, float value[PACK]) {
    const Quad *quads = reinterpret_cast<const Quad *>(from) + 2 * n;
    for (int half = 0; half < 2; half++) {
        Quad quad = quads[half];
        for (int k = 0; k < 4; k++) value[4 * half + k] = bits_to_float(quad.word[k]);
    }
}

ORR_DEVICE void load(const Bf16 *from, uint64_t n, float value[PACK]) {
    Quad quad = reinterpret_cast<const Quad *>(from)[n];
    for (int k = 0; k < 4; k++) {
        value[2 * k] = bits_to_float(quad.word[k] << 16);
        value[2 * k + 1] = bits_to_float(quad.word[k] & 0xffff0000u);
    }
}

ORR_DEVICE void store(float *to, uint64_t n, const float value[PACK]) {
    Quad *quads = reinterpret_cast<Quad *>(to) + 2 * n;
    for (int half = 0; half < 2; half++) {
        Quad quad;
        for (int k = 0; k < 4; k++) quad.word[k] = float_to_bits(value[4 * half + k]);
        quads[half] = quad;
    }
}

ORR_DEVICE void store(Bf16 *to, uint64_t n, const float value[PACK]) {
    Quad quad;
    for (int k = 0; k < 4; k++)
        quad.word[k] = to_bf16(value[2 * k]) | to_bf16(value[2 * k + 1]) << 16;
    reinterpret_cast<Quad *>(to)[n] = quad;
}

} // namespace orr_gan_cuda

#endif
