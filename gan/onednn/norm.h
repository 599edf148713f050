// Batch norm fused with the activation behind it, in host memory, for the oneDNN implementation.
// (Its own batch norm fuses ReLU but not LeakyReLU, and reads the tensors more often.)
#ifndef ORRERY_GAN_ONEDNN_NORM_H
#define ORRERY_GAN_ONEDNN_NORM_H

#include <stddef.h>
#include <stdint.h>

#include "gan/gan_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// How a tensor lies in memory: [images][channels / lanes][pixels][lanes]. NHWC has lanes =
// channels; oneDNN's blocked layouts have 8 or 16.
typedef struct orr_norm_layout {
    size_t images, channels, pixels, lanes;
} orr_norm_layout;

// What the loops need of eight neighbouring channels.
typedef struct orr_norm_lanes {
    float scale[8], shift[8], mean[8];
    float mean_gradient[8], slope[8];
} orr_norm_lanes;

// The loops (norm_kernels.inc) for one image and eight channels.
typedef struct orr_norm_kernels {
    void (*sums)(const float *x, size_t stride, size_t pixels, const float pivot[8],
                 double first[8], double second[8]);
    void (*forward)(orr_gan_activation activation, const float *x, float *y, size_t stride,
                    size_t pixels, const orr_norm_lanes *norm);
    void (*backward_sums)(orr_gan_activation activation, const float *x, const float *gradient,
                          size_t stride, size_t pixels, const orr_norm_lanes *norm, double beta[8],
                          double gamma[8]);
    void (*backward)(orr_gan_activation activation, const float *x, float *gradient, size_t stride,
                     size_t pixels, const orr_norm_lanes *norm);
    void (*tanh)(size_t count, const float *x, float *y); // in place or not
} orr_norm_kernels;

extern const orr_norm_kernels orr_norm_portable;
extern const orr_norm_kernels orr_norm_avx2; // on x86-64 processors that have it
const orr_norm_kernels *orr_norm_best(void);

// One batch norm with its activation (linear, ReLU or LeakyReLU). Channel arrays [channels] are the
// caller's.
typedef struct orr_norm {
    const orr_norm_kernels *kernels;
    orr_norm_layout layout;
    orr_gan_activation activation;
    const float *gamma, *beta;
    float *running_mean, *running_variance;
    float *mean, *inverse; // kept from forward to backward
    double *partial;       // orr_norm_partial(layout) doubles
} orr_norm;

size_t orr_norm_partial(const orr_norm_layout *layout);
// y = activation((x - mean) inverse gamma + beta). Results do not depend on the number of threads.
void orr_norm_forward(orr_norm *norm, orr_gan_mode mode, const float *x, float *y);
// Replaces the gradient by y with that by x. gamma_gradient and beta_gradient [channels]: NULL, or
// `accumulate` adds to what is there.
void orr_norm_backward(orr_norm *norm, orr_gan_mode mode, const float *x, float *gradient,
                       float *gamma_gradient, float *beta_gradient, int accumulate);
// y = activation(x) over any tensor, in place or not; and the gradient by x in place, from y.
void orr_activation_forward(orr_gan_activation activation, size_t count, const float *x, float *y);
void orr_activation_backward(orr_gan_activation activation, size_t count, const float *y,
                             float *gradient);

#ifdef __cplusplus
}
#endif
#endif
