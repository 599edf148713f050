// The seam between the DCGAN and what runs it: a plain C reference, oneDNN, cuDNN.
//
// Floats that cross it are float32 in host memory. Images and activations are NHWC, values of
// images in [-1, 1]; parameters and running statistics are flat arrays in the order of
// gan/network.h. All implementations compute the same functions; how closely they agree is
// the business of the tests in tests/gan/.
#ifndef ORRERY_GAN_GAN_BACKEND_H
#define ORRERY_GAN_GAN_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "gan/network.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_GAN_ABI 2
#define ORR_GAN_MAX_BATCH 4096

typedef enum orr_gan_precision {
    ORR_GAN_FLOAT32,
    ORR_GAN_TF32, // float32 with convolutions in TensorFloat-32; GPUs only
    ORR_GAN_BF16  // bfloat16 activations and convolutions, float32 parameters; GPUs only
} orr_gan_precision;

typedef struct orr_gan_options {
    uint32_t
        batch; // images a training step takes, and at a time in inference; 1..ORR_GAN_MAX_BATCH
    unsigned threads;            // CPU threads, 0: one for each core the process may use
    int device;                  // GPU ordinal
    orr_gan_precision precision; // ORR_UNSUPPORTED where an implementation lacks it
    // Adam (Kingma, Ba 2015, algorithm 1), for both networks; no weight decay.
    float learning_rate, beta1, beta2, epsilon;
} orr_gan_options;

// Batch 128, all cores, device 0, float32, Adam(2e-4, 0.5, 0.999, 1e-8).
orr_gan_options orr_gan_default_options(void);

typedef enum orr_gan_mode {
    ORR_GAN_TRAIN, // batch norm by the batch's own mean and variance; running statistics move
    ORR_GAN_EVAL   // batch norm by the running statistics
} orr_gan_mode;

typedef struct orr_gan_backend orr_gan_backend;

// One network on one device. Not for two threads at once.
typedef struct orr_gan_net {
    const orr_gan_backend *backend;
    orr_gan_network network; // its table
    uint32_t batch;          // images at a time
} orr_gan_net;

// Generator, discriminator, optimizer and data set on one device. Not for two threads at once.
typedef struct orr_gan_trainer {
    const orr_gan_backend *backend;
    orr_gan_options options;
    orr_gan_shape shape;
} orr_gan_trainer;

// Everything that a later step depends on, apart from the data: a checkpoint. Written by one
// trainer and given to another of the same implementation, device and thread count, training goes
// on bit for bit. Arrays belong to the state (orr_gan_state_new).
typedef struct orr_gan_network_state {
    float *parameters;
    float *running; // mean and unbiased variance of each batch norm
    float *moment1; // Adam's m and v, parameter_count each
    float *moment2;
    uint64_t batches; // training-mode passes so far ("num_batches_tracked")
} orr_gan_network_state;

enum { ORR_GAN_GENERATOR = 0, ORR_GAN_DISCRIMINATOR = 1 };

typedef struct orr_gan_state {
    orr_gan_shape shape;
    orr_gan_network networks[2]; // tables, [ORR_GAN_GENERATOR] and [ORR_GAN_DISCRIMINATOR]
    orr_gan_network_state state[2];
    uint64_t seed; // of gan/philox.h
    uint64_t step; // training steps done; Adam's t of the next one is step + 1
} orr_gan_state;

// Allocates a state of zeros. ORR_UNSUPPORTED for a bad shape, ORR_INTERNAL when memory runs out.
orr_status orr_gan_state_new(const orr_gan_shape *shape, orr_gan_state *state, orr_error *error);
void orr_gan_state_free(orr_gan_state *state); // a zeroed one is fine
// A fresh start: weights N(0, 0.02), gamma N(1, 0.02), beta 0, running mean 0 and variance 1,
// moments 0, step 0. The number at place n of the flat parameters uses deviate n of its stream.
void orr_gan_state_init(orr_gan_state *state, uint64_t seed);

// One step's input. All fields may be zero: then the real images are the data set's 0, 1, 2 ...
typedef struct orr_gan_batch {
    const float *real;     // [batch][size][size][channels]; NULL: bytes of the data set
    const uint32_t *index; // [batch] numbers of images in the data set; used when real is NULL
    int flip;              // mirror each real image of the data set by orr_flip()
    const float *latents;  // [batch][latent]; NULL: deviates of ORR_STREAM_LATENT at this step
} orr_gan_batch;

// Means over the training steps since the last call (NaN and infinity included).
typedef struct orr_gan_statistics {
    uint64_t steps;
    double loss_d;        // -log D(x) - log(1 - D(G(z))), means over the batch
    double loss_g;        // -log D(G(z)) after the discriminator's update
    double d_real;        // D(x), a probability
    double d_fake_before; // D(G(z)) before the discriminator's update
    double d_fake_after;  // and after it
} orr_gan_statistics;

struct orr_gan_backend {
    uint32_t abi;     // ORR_GAN_ABI
    const char *name; // "reference", "onednn", "cudnn"

    // A network ready for options->batch images. The table is copied. Close with net_close.
    orr_status (*net_open)(const orr_gan_backend *backend, const orr_gan_network *network,
                           const orr_gan_options *options, orr_gan_net **net, orr_error *error);
    void (*net_close)(orr_gan_net *net); // NULL is fine
    // Parameters [parameter_count] and running statistics [running_count], either may be NULL.
    orr_status (*net_set)(orr_gan_net *net, const float *parameters, const float *running,
                          orr_error *error);
    orr_status (*net_get)(orr_gan_net *net, float *parameters, float *running, orr_error *error);
    // `count` images, 1..batch (training mode takes a whole batch: ORR_INTERNAL otherwise), through
    // all layers. output [count][out_size][out_size][out_channels].
    orr_status (*net_forward)(orr_gan_net *net, orr_gan_mode mode, uint32_t count,
                              const float *input, float *output, orr_error *error);
    // Evaluation mode for any count of inputs as orr_gan_to_bytes() makes bytes of its outputs,
    // bytes [count][out_size][out_size][out_channels]; nothing for net_backward is left. NULL where
    // an implementation has no quicker way than orr_gan_evaluate_bytes().
    orr_status (*net_bytes)(orr_gan_net *net, const float *input, uint32_t count, uint8_t *bytes,
                            orr_error *error);
    // Gradients of the last net_forward, in its mode (in ORR_GAN_EVAL batch norm's statistics are
    // constants). output_gradient as its output. input_gradient as its input, may be NULL.
    // parameter_gradient [parameter_count], may be NULL; `accumulate` adds to what is there.
    orr_status (*net_backward)(orr_gan_net *net, const float *output_gradient,
                               float *input_gradient, float *parameter_gradient, int accumulate,
                               orr_error *error);

    // A trainer starting from a copy of `state`. Close with trainer_close.
    orr_status (*trainer_open)(const orr_gan_backend *backend, const orr_gan_options *options,
                               const orr_gan_state *state, orr_gan_trainer **trainer,
                               orr_error *error);
    void (*trainer_close)(orr_gan_trainer *trainer); // NULL is fine
    // The data set, [count][size][size][channels] bytes; byte b is the value b / 127.5 - 1. Lent by
    // the caller until the trainer is closed; a GPU keeps its own copy. ORR_UNSUPPORTED when it
    // does not fit the device.
    orr_status (*trainer_data)(orr_gan_trainer *trainer, const uint8_t *images, uint32_t count,
                               orr_error *error);
    // One step of the PyTorch example: the discriminator on real images with label 1, on generated
    // ones with label 0, its Adam; the generator with label 1 through the updated discriminator,
    // its Adam; step + 1. May return before the device is done.
    orr_status (*trainer_step)(orr_gan_trainer *trainer, const orr_gan_batch *batch,
                               orr_error *error);
    // Waits for the device. steps == 0: none since the last call, the rest is zero.
    orr_status (*trainer_statistics)(orr_gan_trainer *trainer, orr_gan_statistics *statistics,
                                     orr_error *error);
    // Images of the present generator in evaluation mode, any count. latents [count][latent],
    // images [count][size][size][channels]. Changes nothing that a later step depends on.
    orr_status (*trainer_sample)(orr_gan_trainer *trainer, const float *latents, uint32_t count,
                                 float *images, orr_error *error);
    // Copies the present state into one of the same shape.
    orr_status (*trainer_state)(orr_gan_trainer *trainer, orr_gan_state *state, orr_error *error);
};

// Plain C, one thread, exact where exactness is possible: the definition the others are held to.
const orr_gan_backend *orr_gan_reference(void);
// The fast one for CPUs, in liborrery_gan_onednn.so (gan/gan_device.h loads it). Bit for bit the
// same from run to run with the same threads on the same machine.
const orr_gan_backend *orr_gan_onednn(void);

// What backends share.

// ORR_UNSUPPORTED for options outside their limits, and for a count that net_forward refuses
// ORR_INTERNAL.
orr_status orr_gan_options_check(const orr_gan_options *options, orr_error *error);
orr_status orr_gan_count_check(const orr_gan_net *net, orr_gan_mode mode, uint32_t count,
                               orr_error *error);
// Mean over `count` logits of the binary cross-entropy against `label` (0 or 1), from logits:
// max(l, 0) - l * label + log(1 + exp(-|l|)). Its gradient by each logit goes to `gradient`, and
// the mean of sigmoid(l) to *probability; both may be NULL.
double orr_gan_bce(const float *logits, uint32_t count, float label, float *gradient,
                   double *probability);
// Adam's step number `t` (1, 2 ...) over `count` parameters: m = b1 m + (1 - b1) g,
// v = b2 v + (1 - b2) g g, p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon).
void orr_gan_adam(const orr_gan_options *options, uint64_t t, size_t count, const float *gradient,
                  float *parameters, float *moment1, float *moment2);
// Deviates 0 .. count - 1 of a stream at a step (gan/philox.h). Latents [count][latent] are filled
// in this order.
void orr_gan_deviates(uint64_t seed, uint32_t stream, uint64_t step, size_t count, float *deviates);
// Bytes from values in [-1, 1]: (v + 1) * 127.5, to the nearest, halves up, kept within 0..255
// (NaN: 0).
void orr_gan_to_bytes(const float *values, size_t count, uint8_t *bytes);
// Evaluation mode for any count of inputs, a batch at a time; input and output as net_forward's.
orr_status orr_gan_evaluate(orr_gan_net *net, const float *input, uint32_t count, float *output,
                            orr_error *error);
// The same as bytes, through net_bytes where there is one: a GPU has several batches in flight.
// ORR_INTERNAL, also for want of memory.
orr_status orr_gan_evaluate_bytes(orr_gan_net *net, const float *input, uint32_t count,
                                  uint8_t *bytes, orr_error *error);
// The training step on top of the net_ functions of `backend`, in host memory: trainer_ functions
// of the CPU implementations.
orr_status orr_gan_host_trainer_open(const orr_gan_backend *backend, const orr_gan_options *options,
                                     const orr_gan_state *state, orr_gan_trainer **trainer,
                                     orr_error *error);
void orr_gan_host_trainer_close(orr_gan_trainer *trainer);
orr_status orr_gan_host_trainer_data(orr_gan_trainer *trainer, const uint8_t *images,
                                     uint32_t count, orr_error *error);
orr_status orr_gan_host_trainer_step(orr_gan_trainer *trainer, const orr_gan_batch *batch,
                                     orr_error *error);
orr_status orr_gan_host_trainer_statistics(orr_gan_trainer *trainer, orr_gan_statistics *statistics,
                                           orr_error *error);
orr_status orr_gan_host_trainer_sample(orr_gan_trainer *trainer, const float *latents,
                                       uint32_t count, float *images, orr_error *error);
orr_status orr_gan_host_trainer_state(orr_gan_trainer *trainer, orr_gan_state *state,
                                      orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
