// The inner loops of gan/onednn/conv4.h, compiled for AVX2 and FMA and called where the processor
// has both.
#include "gan/onednn/conv4.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Ten sums in registers: a broadcast feeds two of them, a row of weights five.
void orr_conv4_scatter_tile(orr_conv4_tap taps[4], size_t blocks, const float *weight,
                            float sums[ORR_CONV4_ROWS * 16]) {
    __m256 sum[ORR_CONV4_ROWS][2];
#pragma GCC unroll 5
    for (int m = 0; m < ORR_CONV4_ROWS; m++) {
        sum[m][0] = _mm256_load_ps(sums + 16 * m);
        sum[m][1] = _mm256_load_ps(sums + 16 * m + 8);
    }
    for (int t = 0; t < 4; t++) {
        const float *from[ORR_CONV4_ROWS];
#pragma GCC unroll 5
        for (int m = 0; m < ORR_CONV4_ROWS; m++) from[m] = taps[t].from[m];
        for (size_t block = 0; block < blocks; block++, weight += 128) {
#pragma GCC unroll 8
            for (int k = 0; k < 8; k++) {
                __m256 low = _mm256_load_ps(weight + 16 * k);
                __m256 high = _mm256_load_ps(weight + 16 * k + 8);
#pragma GCC unroll 5
                for (int m = 0; m < ORR_CONV4_ROWS; m++) {
                    __m256 x = _mm256_broadcast_ss(from[m] + k);
                    sum[m][0] = _mm256_fmadd_ps(x, low, sum[m][0]);
                    sum[m][1] = _mm256_fmadd_ps(x, high, sum[m][1]);
                }
            }
#pragma GCC unroll 5
            for (int m = 0; m < ORR_CONV4_ROWS; m++) from[m] += taps[t].step[m];
        }
#pragma GCC unroll 5
        for (int m = 0; m < ORR_CONV4_ROWS; m++) taps[t].from[m] = from[m];
    }
#pragma GCC unroll 5
    for (int m = 0; m < ORR_CONV4_ROWS; m++) {
        _mm256_store_ps(sums + 16 * m, sum[m][0]);
        _mm256_store_ps(sums + 16 * m + 8, sum[m][1]);
    }
}

static inline __attribute__((always_inline)) void
correlate_pixel(const float *small, const float *large, size_t next, __m256 sum[4][2]) {
    __m256 low = _mm256_loadu_ps(large), high = _mm256_loadu_ps(large + next);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m256 v = _mm256_broadcast_ss(small + i);
        sum[i][0] = _mm256_fmadd_ps(v, low, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(v, high, sum[i][1]);
    }
}

// Eight sums in registers: a broadcast feeds two of them, a large pixel four. Rows of a constant
// length are laid out without a loop.
static inline __attribute__((always_inline)) void correlate_rows(const orr_conv4_window *w,
                                                                 size_t columns, const float *small,
                                                                 const float *large,
                                                                 float sums[64]) {
    __m256 sum[4][2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        sum[i][0] = _mm256_loadu_ps(sums + 16 * i);
        sum[i][1] = _mm256_loadu_ps(sums + 16 * i + 8);
    }
    for (size_t n = 0; n < w->images; n++) {
        const float *s = small + n * w->small_image, *l = large + n * w->large_image;
        for (size_t y = 0; y < w->rows; y++, s += w->small_row, l += w->large_row) {
#pragma GCC unroll 16
            for (size_t x = 0; x < columns; x++) {
                correlate_pixel(s + 8 * x, l + 16 * x, w->large_next, sum);
            }
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(sums + 16 * i, sum[i][0]);
        _mm256_storeu_ps(sums + 16 * i + 8, sum[i][1]);
    }
}

void orr_conv4_correlate_tile(const orr_conv4_window *w, const float *small, const float *large,
                              float sums[64]) {
    switch (w->columns) {
    case 3:
        correlate_rows(w, 3, small, large, sums);
        break;
    case 4:
        correlate_rows(w, 4, small, large, sums);
        break;
    case 7:
        correlate_rows(w, 7, small, large, sums);
        break;
    case 8:
        correlate_rows(w, 8, small, large, sums);
        break;
    case 15:
        correlate_rows(w, 15, small, large, sums);
        break;
    case 16:
        correlate_rows(w, 16, small, large, sums);
        break;
    default:
        correlate_rows(w, w->columns, small, large, sums);
    }
}
#endif
