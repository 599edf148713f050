// Sorts the 128 keys of an index sequence in AVX2 registers: a bitonic network in which key e sits
// in element e / 16 of vector e % 16, so that all but 6 of its 28 stages compare whole vectors. For
// the AVX2 and AVX-512 files only.
#ifndef ORRERY_KERNELS_CPU_SORT_SIMD_H
#define ORRERY_KERNELS_CPU_SORT_SIMD_H

#include <immintrin.h>
#include <stdint.h>

#define SORT_INLINE static inline __attribute__((always_inline))

// Elements l of x with l ^ partner, partner 1, 3, 7 (reversing 2, 4, 8 of them) or 2.
SORT_INLINE __m256i sort_exchange(__m256i x, int partner) {
    switch (partner) {
    case 1:
        return _mm256_shuffle_epi32(x, 0xb1);
    case 2:
        return _mm256_shuffle_epi32(x, 0x4e);
    case 3:
        return _mm256_shuffle_epi32(x, 0x1b);
    default:
        return _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0));
    }
}

// x in elements whose number has the highest bit of `partner` clear, y in the others.
SORT_INLINE __m256i sort_blend(__m256i x, __m256i y, int partner) {
    switch (partner) {
    case 1:
        return _mm256_blend_epi32(x, y, 0xaa);
    case 2:
    case 3:
        return _mm256_blend_epi32(x, y, 0xcc);
    default:
        return _mm256_blend_epi32(x, y, 0xf0);
    }
}

// Vectors v and w in order, element by element.
SORT_INLINE void sort_vectors(__m256i key[16], int v, int w) {
    __m256i low = _mm256_min_epu32(key[v], key[w]), high = _mm256_max_epu32(key[v], key[w]);
    key[v] = low;
    key[w] = high;
}

// Merges runs of 16 in each element: the second half of every network step.
SORT_INLINE void sort_runs(__m256i key[16], int distance) {
    for (; distance > 0; distance /= 2)
        for (int v = 0; v < 16; v++)
            if (!(v & distance)) sort_vectors(key, v, v | distance);
}

// Key e against the key that mirrors it in the run of 2 * 16 * ... keys, across elements.
SORT_INLINE void sort_mirror(__m256i key[16], int partner) {
    for (int v = 0; v < 8; v++) {
        __m256i x = key[v], y = sort_exchange(key[15 - v], partner);
        __m256i low = _mm256_min_epu32(x, y), high = _mm256_max_epu32(x, y);
        key[v] = sort_blend(low, high, partner);
        key[15 - v] = sort_exchange(sort_blend(high, low, partner), partner);
    }
}

// Key e against key e + 16 * partner.
SORT_INLINE void sort_elements(__m256i key[16], int partner) {
    for (int v = 0; v < 16; v++) {
        __m256i y = sort_exchange(key[v], partner);
        key[v] = sort_blend(_mm256_min_epu32(key[v], y), _mm256_max_epu32(key[v], y), partner);
    }
}

// Afterwards words[8 * v + l] is the key of rank 16 * l + v.
SORT_INLINE void sort_keys(uint32_t words[128]) {
    __m256i key[16];
    for (int v = 0; v < 16; v++) key[v] = _mm256_loadu_si256((const __m256i *)&words[8 * v]);
    for (int run = 2; run <= 16; run *= 2) {
        for (int v = 0; v < 16; v++) {
            int mirror = (v ^ (run - 1)) & 15; // & 15: gcc 13 takes it for 16 otherwise
            if (v < mirror) sort_vectors(key, v, mirror);
        }
        sort_runs(key, run / 4);
    }
    sort_mirror(key, 1);
    sort_runs(key, 8);
    sort_mirror(key, 3);
    sort_elements(key, 1);
    sort_runs(key, 8);
    sort_mirror(key, 7);
    sort_elements(key, 2);
    sort_elements(key, 1);
    sort_runs(key, 8);
    for (int v = 0; v < 16; v++) _mm256_storeu_si256((__m256i *)&words[8 * v], key[v]);
}

#undef SORT_INLINE
#endif
