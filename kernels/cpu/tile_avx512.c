// The tile cipher in AVX-512 (F, BW, VL, DQ). Only reached when the processor has it
// (kernels/cpu/dispatch.c).
#ifdef __AVX512BW__
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LEVEL orr_cpu_avx512
#define NAME "avx512"
#define VB 64
#define INLINE static inline __attribute__((always_inline))

typedef __m512i V;
typedef struct slice {
    V a, b, c;
} slice;

// Any function of three bits: bit 4a + 2b + c of `table` is its value.
#define LOGIC(a, b, c, table) _mm512_ternarylogic_epi64(a, b, c, table)
#define XOR_AND 0x78 // a ^ (b & c)
#define OR3 0xfe     // a | b | c

INLINE V load(const void *at) {
    return _mm512_loadu_si512(at);
}
INLINE void store(void *at, V x) {
    _mm512_storeu_si512(at, x);
}
INLINE V set8(int x) {
    return _mm512_set1_epi8((char)x);
}
INLINE V set32(uint32_t x) {
    return _mm512_set1_epi32((int)x);
}
INLINE V set64(uint64_t x) {
    return _mm512_set1_epi64((long long)x);
}
INLINE V subtract8(V x, V y) {
    return _mm512_sub_epi8(x, y);
}
INLINE V add8_saturated(V x, V y) {
    return _mm512_adds_epu8(x, y);
}

// Truth tables of rule 37241, symbol -> planet 7 2 5 1 4 6 0 3, and of its inverse 6 3 1 7 4 2 5 0.
INLINE slice standard_state(slice x) {
    return (slice){LOGIC(x.a, x.b, x.c, 0x35), LOGIC(x.a, x.b, x.c, 0xa3),
                   LOGIC(x.a, x.b, x.c, 0x8d)};
}

INLINE slice standard_symbol(slice x) {
    return (slice){LOGIC(x.a, x.b, x.c, 0x59), LOGIC(x.a, x.b, x.c, 0x2b),
                   LOGIC(x.a, x.b, x.c, 0x4e)};
}

INLINE V substitute_bit(slice x, V bc, const V m[7]) {
    V left = LOGIC(LOGIC(m[0], m[2], x.b, XOR_AND), m[3], x.c, XOR_AND);
    V right = LOGIC(LOGIC(m[1], m[4], x.b, XOR_AND), m[5], x.c, XOR_AND);
    return LOGIC(LOGIC(left, m[6], bc, XOR_AND), x.a, right, XOR_AND);
}

INLINE slice substitute(slice x, const V m[3][7]) {
    V bc = x.b & x.c;
    return (slice){substitute_bit(x, bc, m[0]), substitute_bit(x, bc, m[1]),
                   substitute_bit(x, bc, m[2])};
}

// Shuffles rather than shifts by 32: shifts and products share a port.
INLINE V upper_half(V x) {
    return _mm512_shuffle_epi32(x, (_MM_PERM_ENUM)0xf5);
}

INLINE V square(V u) {
    V high = upper_half(u);
    return _mm512_add_epi64(_mm512_mul_epu32(high, high),
                            _mm512_srli_epi64(_mm512_mul_epu32(high, u), 31));
}

INLINE V scale(V x, V k2) {
    V upper = _mm512_mul_epu32(upper_half(x), k2);
    upper = _mm512_maskz_shuffle_epi32(0xaaaa, upper, (_MM_PERM_ENUM)0xa0);
    return _mm512_add_epi64(_mm512_mul_epu32(x, k2), upper);
}

INLINE V fold(V v) { // ~(v ^ negative) & mask
    return LOGIC(v, _mm512_srai_epi64(v, 63), set64(0x7fffffffffffffffu), 0x82);
}

INLINE V map_words(V even, V odd) {
    return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 20), _mm512_slli_epi64(odd, 12));
}

INLINE V first_state(V x, V y) {
    V z = _mm512_add_epi64(x, y);
    z = _mm512_mullo_epi64(z ^ _mm512_srli_epi64(z, 30), set64(0xbf58476d1ce4e5b9u));
    z = _mm512_mullo_epi64(z ^ _mm512_srli_epi64(z, 27), set64(0x94d049bb133111ebu));
    return _mm512_srli_epi64(z ^ _mm512_srli_epi64(z, 31), 1);
}

INLINE V pick(const uint8_t *line, int block, V control) {
    __m128i source = _mm_load_si128((const __m128i *)(line + 16 * block));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(source), control);
}

INLINE V permute(const uint8_t *line, const V control[8]) {
    V x =
        LOGIC(pick(line, 0, control[0]), pick(line, 1, control[1]), pick(line, 2, control[2]), OR3);
    V y =
        LOGIC(pick(line, 3, control[3]), pick(line, 4, control[4]), pick(line, 5, control[5]), OR3);
    x = LOGIC(x, pick(line, 6, control[6]), pick(line, 7, control[7]), OR3);
    return x | y;
}

#include "kernels/cpu/tile_simd.h"
#endif
