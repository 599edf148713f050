// The DCGAN's own CUDA kernels, from the host's side: what each is given and how it is started.
//
// Tensors are dense and channels-last with the channels padded to a multiple of 8 (a "pack": 16
// bytes of bfloat16, 32 of float); padding is zero and stays zero. A tensor's element type is one
// for the whole network: float or bfloat16. Statistics, parameters and their gradients here are
// float.
//
// Sums are taken in an order that depends on the shapes alone, so results are the same bits on
// every run and, compiled without contraction, on every device; expf, logf and tanhf are the
// exceptions across devices.
//
// A launch is queued in `stream` (cudaStream_t) and gives a CUDA error number, 0 for success.
#ifndef ORRERY_GAN_CUDA_KERNELS_H
#define ORRERY_GAN_CUDA_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_CUDA_PACK 8
#define ORR_CUDA_GROUPS 2 // most batches that pass through a network side by side

typedef enum orr_cuda_type { ORR_CUDA_FLOAT, ORR_CUDA_BF16 } orr_cuda_type;

// ---- one step's numbers -------------------------------------------------------------------------

// What the host says about a step; lies in device memory.
typedef struct orr_cuda_input {
    uint32_t flip;    // mirror real images by orr_flip()
    uint32_t real;    // take the floats at `images` instead of the data set
    uint32_t latents; // take the given latents instead of drawing them
} orr_cuda_input;

// Counters, step sizes of Adam and sums for the statistics; lies in device memory.
typedef struct orr_cuda_progress {
    uint64_t next; // number of the next step
    uint64_t now;  // of the step that runs
    uint64_t seed;
    float rate, root; // learning rate / (1 - beta1^t), sqrt(1 - beta2^t)
    double loss_real, loss_fake, loss_g, real, fake_before, fake_after;
} orr_cuda_progress;

typedef struct orr_cuda_begin {
    orr_cuda_progress *progress;
    double learning_rate, beta1, beta2;
} orr_cuda_begin;
// Starts a step: now = next, next + 1, Adam's numbers for t = now + 1.
int orr_cuda_begin_launch(const orr_cuda_begin *begin, void *stream);

typedef struct orr_cuda_real {
    const orr_cuda_input *input;
    const orr_cuda_progress *progress;
    const uint8_t *data;   // [count][size][size][channels]
    const uint32_t *index; // [batch] numbers of images of the data set, each below `count`
    const float *images;   // [batch][size][size][channels], used when input->real
    void *y;               // [batch][size][size][8]
    uint32_t batch, size, channels, count;
} orr_cuda_real;
// The real images of a step: byte b is the value b / 127.5 - 1.
int orr_cuda_real_launch(orr_cuda_type type, const orr_cuda_real *real, void *stream);

typedef struct orr_cuda_latents {
    const orr_cuda_input *input;
    const orr_cuda_progress *progress;
    const float *latents; // [batch][latent], used when input->latents
    void *y;              // [batch][padded]
    uint32_t batch, latent, padded, stream;
} orr_cuda_latents;
// Latents of a step: deviate n of `stream` (gan/philox.h) is number n of [batch][latent].
int orr_cuda_latents_launch(orr_cuda_type type, const orr_cuda_latents *latents, void *stream);

// ---- layers -------------------------------------------------------------------------------------

// Batch norm and activation of `groups` batches side by side, each with statistics of its own.
// x, y, dy: [groups][rows][padded]; coefficients: [groups][padded].
typedef struct orr_cuda_norm {
    const void *x;  // what the convolution gave
    const void *dy; // gradient by the output (backward)
    void *y;        // output, or gradient by x (may be dy)
    uint32_t groups, rows, channels, padded;
    uint32_t chunks;                        // orr_cuda_chunks()
    uint32_t normalised;                    // 0: activation only
    uint32_t train;                         // statistics of the batch; 0: the running ones
    uint32_t activation;                    // orr_gan_activation
    float *partial;                         // [groups][chunks][2][padded]
    float *pivot;                           // [groups][padded]
    float *mean, *inverse, *scale, *shift;  // filled by the statistics
    float *mean_gradient, *slope;           // filled by the backward statistics
    const float *gamma, *beta;              // [padded]
    float *gamma_gradient, *beta_gradient;  // [padded], or NULL
    float *running_mean, *running_variance; // [padded]
    float momentum, epsilon;
} orr_cuda_norm;

// Into how many pieces the rows of a group are cut for the statistics, and floats of `partial`.
uint32_t orr_cuda_chunks(uint32_t groups, uint32_t rows, uint32_t padded);

// Mean, inverse deviation, scale and shift, the running ones moved by one batch after the other;
// without `train` from the running ones. Two kernels.
int orr_cuda_statistics_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream);
// y = activation(x scale + shift).
int orr_cuda_apply_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream);
// Sums for the gradient: gradients of gamma and beta, mean_gradient, slope. Two kernels.
int orr_cuda_back_statistics_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream);
// y = gradient by x.
int orr_cuda_back_apply_launch(orr_cuda_type type, const orr_cuda_norm *norm, void *stream);

// A convolution to one pixel of one channel is a dot product for each image.
typedef struct orr_cuda_dot {
    const void *x;   // [rows][length], length a multiple of 8
    const float *w;  // [length]
    float *y;        // [rows]
    const float *dy; // [rows]
    void *dx;        // [rows][length]
    float *dw;       // [length]
    uint32_t rows, length;
} orr_cuda_dot;
int orr_cuda_dot_forward_launch(orr_cuda_type type, const orr_cuda_dot *dot, void *stream);
int orr_cuda_dot_back_data_launch(orr_cuda_type type, const orr_cuda_dot *dot, void *stream);
int orr_cuda_dot_back_filter_launch(orr_cuda_type type, const orr_cuda_dot *dot, void *stream);

// ---- loss, optimizer, conversion ----------------------------------------------------------------

typedef struct orr_cuda_bce {
    const float *logits; // [halves][count]
    float *gradient;     // [halves][count]
    uint32_t count, halves;
    double label[2];
    double *loss[2], *probability[2]; // of each half: the means are added here
} orr_cuda_bce;
// Binary cross-entropy from logits, as orr_gan_bce().
int orr_cuda_bce_launch(const orr_cuda_bce *bce, void *stream);

// Adam over all parameters of a network, and their bfloat16 copies. Gradients of the first
// `weights` parameters are of the network's type, the others float.
typedef struct orr_cuda_adam {
    const orr_cuda_progress *progress;
    float *parameters, *moment1, *moment2; // [count]
    const void *weight_gradient;           // [weights]
    const float *gradient;                 // [count], used from `weights` on
    void *copies;                          // [weights] bfloat16; unused in float
    uint32_t count, weights;               // multiples of 8
    float beta1, beta2, epsilon;
} orr_cuda_adam;
int orr_cuda_adam_launch(orr_cuda_type type, const orr_cuda_adam *adam, void *stream);

typedef struct orr_cuda_convert {
    const void *from;
    void *to;
    uint32_t rows, channels, padded;
} orr_cuda_convert;
// Floats [rows][channels] to the network's type [rows][padded], zero in the padding.
int orr_cuda_pad_launch(orr_cuda_type type, const orr_cuda_convert *convert, void *stream);
// And back.
int orr_cuda_unpad_launch(orr_cuda_type type, const orr_cuda_convert *convert, void *stream);
// And to bytes [rows][channels], as orr_gan_to_bytes() makes them.
int orr_cuda_bytes_launch(orr_cuda_type type, const orr_cuda_convert *convert, void *stream);

#ifdef __cplusplus
}
#endif
#endif
