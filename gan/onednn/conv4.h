// The DCGAN's own convolutions, 4 x 4 with stride 2 and padding 1, in the two directions where
// oneDNN on AVX2 stays well below the processor's peak. Both work in its blocked layout
// (nChw8c): a tensor of c channels is [images][c / 8][row][column][8].
//
//     small  [images][a / 8][size][size][8]
//     large  [images][b / 8][2 size][2 size][8]
//     weight [a][b][4][4], as in gan/layers.inc
//
// Every sum is formed by one thread in a fixed order: results do not depend on the number of
// threads.
#ifndef ORRERY_GAN_ONEDNN_CONV4_H
#define ORRERY_GAN_ONEDNN_CONV4_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_conv4 {
    size_t images, a, b, size; // size up to 64
} orr_conv4;

// Does this processor have what the loops need (AVX2 and FMA)? Then every function below may be
// called.
int orr_conv4_available(void);
// Which channel counts are served: a a multiple of 8 and b of 16; for scatter alone also a a
// multiple of 32 and b up to 4, the large tensor then plain: [images][b][2 size][2 size].
int orr_conv4_fits(const orr_conv4 *shape);
int orr_conv4_fits_narrow(const orr_conv4 *shape);

// The weight as orr_conv4_scatter reads it: 16 a b floats, aligned to 32 bytes.
void orr_conv4_pack(const orr_conv4 *shape, const float *weight, float *packed);
// Transposed convolution (or the gradient by the input of a convolution): small to large.
void orr_conv4_scatter(const orr_conv4 *shape, const float *small, const float *packed,
                       float *large);
// Gradient by the weight, plain [a][b][4][4]; `accumulate` adds to what is there.
void orr_conv4_correlate(const orr_conv4 *shape, const float *small, const float *large,
                         float *gradient, int accumulate);

// The loops of conv4_avx2.c.
enum { ORR_CONV4_ROWS = 5 };

// What a tile of five pixels reads for one tap: where each pixel's first eight channels
// lie, and floats to the next eight (0 outside the image, where `from` is eight zeros).
typedef struct orr_conv4_tap {
    const float *from[ORR_CONV4_ROWS];
    size_t step[ORR_CONV4_ROWS];
} orr_conv4_tap;

// Five pixels by sixteen channels: sums[pixel][16], aligned to 32 bytes, grow by the products over
// four taps and 8 * blocks channels, and the taps move on by so many. weight [4][blocks][8][16].
void orr_conv4_scatter_tile(orr_conv4_tap taps[4], size_t blocks, const float *weight,
                            float sums[ORR_CONV4_ROWS * 16]);

// A rectangle of pixels in every image of a chunk, by strides in floats.
typedef struct orr_conv4_window {
    size_t images, rows, columns;
    size_t small_image, small_row, large_image, large_row, large_next;
} orr_conv4_window;

// sums[4][16] += small[pixel][i] * large[2 * pixel][j] over the window.
void orr_conv4_correlate_tile(const orr_conv4_window *window, const float *small,
                              const float *large, float sums[64]);

#ifdef __cplusplus
}
#endif
#endif
