// The tile cipher in AVX2. Only reached when the processor has it (kernels/cpu/dispatch.c).
#ifdef __AVX2__
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/bitslice.h"

#define LEVEL orr_cpu_avx2
#define NAME "avx2"
#define VB 32
#define INLINE static inline __attribute__((always_inline))

typedef __m256i V;
ORR_DEFINE_BITSLICE(avx2, V)
typedef orr_slice_avx2 slice;
#define standard_state orr_standard_state_avx2
#define standard_symbol orr_standard_symbol_avx2
#define substitute orr_substitute_avx2

INLINE V load(const void *at) {
    return _mm256_loadu_si256((const V *)at);
}
INLINE void store(void *at, V x) {
    _mm256_storeu_si256((V *)at, x);
}
INLINE V set8(int x) {
    return _mm256_set1_epi8((char)x);
}
INLINE V set32(uint32_t x) {
    return _mm256_set1_epi32((int)x);
}
INLINE V set64(uint64_t x) {
    return _mm256_set1_epi64x((long long)x);
}
INLINE V subtract8(V x, V y) {
    return _mm256_sub_epi8(x, y);
}
INLINE V add8_saturated(V x, V y) {
    return _mm256_adds_epu8(x, y);
}

// The upper half of each 64-bit element as a factor for _mm256_mul_epu32, which reads low halves. A
// shuffle, because the ports of shifts are those of the products.
INLINE V upper_half(V x) {
    return _mm256_shuffle_epi32(x, 0xf5);
}

INLINE V square(V u) {
    V high = upper_half(u);
    return _mm256_add_epi64(_mm256_mul_epu32(high, high),
                            _mm256_srli_epi64(_mm256_mul_epu32(high, u), 31));
}

INLINE V scale(V x, V k2) {
    V upper = _mm256_slli_epi64(_mm256_mul_epu32(upper_half(x), k2), 32);
    return _mm256_add_epi64(_mm256_mul_epu32(x, k2), upper);
}

INLINE V fold(V v) {
    V negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), v);
    return _mm256_andnot_si256(v ^ negative, set64(0x7fffffffffffffffu));
}

INLINE V map_words(V even, V odd) {
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 20), _mm256_slli_epi64(odd, 12), 0xaa);
}

INLINE V multiply64(V x, uint64_t y) {
    V low = set64(y & 0xffffffffu), high = set64(y >> 32);
    V cross = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(x, 32), low),
                               _mm256_mul_epu32(x, high));
    return _mm256_add_epi64(_mm256_mul_epu32(x, low), _mm256_slli_epi64(cross, 32));
}

INLINE V first_state(V x, V y) {
    V z = _mm256_add_epi64(x, y);
    z = multiply64(z ^ _mm256_srli_epi64(z, 30), 0xbf58476d1ce4e5b9u);
    z = multiply64(z ^ _mm256_srli_epi64(z, 27), 0x94d049bb133111ebu);
    return _mm256_srli_epi64(z ^ _mm256_srli_epi64(z, 31), 1);
}

INLINE V pick(const uint8_t *line, int block, V control) {
    __m128i source = _mm_load_si128((const __m128i *)(line + 16 * block));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(source), control);
}

INLINE V permute(const uint8_t *line, const V control[8]) {
    V x = pick(line, 0, control[0]) | pick(line, 1, control[1]);
    V y = pick(line, 2, control[2]) | pick(line, 3, control[3]);
    x |= pick(line, 4, control[4]);
    y |= pick(line, 5, control[5]);
    x |= pick(line, 6, control[6]);
    y |= pick(line, 7, control[7]);
    return x | y;
}

#include "kernels/cpu/tile_simd.h"
#endif
