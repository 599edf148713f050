// Generator and discriminator of the DCGAN as data: a table of layers, and where each layer's
// parameters lie in one flat array (Radford, Metz, Chintala 2015; layer sizes and parameter names
// of the PyTorch DCGAN example, so that its weights load here and ours load there).
#ifndef ORRERY_GAN_NETWORK_H
#define ORRERY_GAN_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_GAN_MAX_LAYERS 8
#define ORR_GAN_MAX_WIDTH 256
#define ORR_GAN_MAX_LATENT 1024
#define ORR_GAN_LEAKY_SLOPE 0.2f
#define ORR_GAN_NORM_EPSILON 1e-5f
#define ORR_GAN_NORM_MOMENTUM 0.1f

// What makes a DCGAN this one and not another. Weights fit only a network of the same shape.
typedef struct orr_gan_shape {
    uint32_t image_size; // pixels a side: 16, 32, 64 or 128
    uint32_t channels;   // 1 or 3
    uint32_t latent;     // numbers in a latent vector, 1..ORR_GAN_MAX_LATENT; published: 100
    uint32_t width; // feature maps of the widest image layer, 1..ORR_GAN_MAX_WIDTH; published: 64
} orr_gan_shape;

// 64 pixels, 3 channels, 100 latents, width 64: the published network.
orr_gan_shape orr_gan_default_shape(void);
// ORR_UNSUPPORTED, saying what is allowed, for a shape outside the limits above.
orr_status orr_gan_shape_check(const orr_gan_shape *shape, orr_error *error);

typedef enum orr_gan_activation {
    ORR_GAN_LINEAR,
    ORR_GAN_RELU,
    ORR_GAN_LEAKY_RELU, // slope ORR_GAN_LEAKY_SLOPE below zero
    ORR_GAN_TANH,
    ORR_GAN_SIGMOID
} orr_gan_activation;

// A convolution without bias, then batch norm if there is one, then the activation.
// Transposed: out_size = (in_size - 1) * stride - 2 * padding + kernel, else
// out_size = (in_size + 2 * padding - kernel) / stride + 1; heights equal widths.
typedef struct orr_gan_layer {
    int transposed;
    uint32_t in_channels, out_channels;
    uint32_t in_size, out_size;
    uint32_t kernel, stride, padding;
    int batch_norm;
    orr_gan_activation activation;
    // Number of the convolution in the PyTorch example's nn.Sequential ("main.MODULE.weight"); the
    // batch norm is MODULE + 1.
    uint32_t module;
    // Offsets into the flat parameters. The weight is [out][in][row][column], for a transposed
    // convolution [in][out][row][column]; gamma and beta are [out], only with batch norm.
    size_t weight, gamma, beta;
    // Offsets into the flat running statistics, [out] each, only with batch norm.
    size_t mean, variance;
} orr_gan_layer;

typedef struct orr_gan_network {
    uint32_t layer_count;
    orr_gan_layer layers[ORR_GAN_MAX_LAYERS];
    size_t parameter_count; // floats
    size_t running_count;   // floats
} orr_gan_network;

// Latents [n][latent] (one pixel of `latent` channels) to images [n][size][size][channels], tanh.
void orr_gan_generator(const orr_gan_shape *shape, orr_gan_network *network);
// Images to one logit each. (The example's last module is a sigmoid; here the loss takes logits.)
void orr_gan_discriminator(const orr_gan_shape *shape, orr_gan_network *network);
// Lays out parameters and running statistics of a table whose other fields are filled in, and
// checks it. For tests of single layers. ORR_INTERNAL for sizes that do not fit each other.
orr_status orr_gan_network_layout(orr_gan_network *network, orr_error *error);

// Floats of one image at the network's input and output.
size_t orr_gan_input_floats(const orr_gan_network *network);
size_t orr_gan_output_floats(const orr_gan_network *network);
size_t orr_gan_weight_count(const orr_gan_layer *layer); // floats

#ifdef __cplusplus
}
#endif
#endif
