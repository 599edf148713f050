// One network in device memory: parameters, activations and gradients in the layout of
// gan/cuda/kernels.h, and its passes as queued work. Shared by the networks and the trainer of the
// CUDA implementation (gan/cuda/gan_cuda.c, trainer.c); nothing here waits for the device.
#ifndef ORRERY_GAN_CUDA_DEVICE_NET_H
#define ORRERY_GAN_CUDA_DEVICE_NET_H

#include "gan/cuda/cuda_context.h"
#include "gan/cuda/kernels.h"
#include "gan/cuda/plan.h"
#include "gan/gan_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cuda_layer_kind {
    CUDA_CONVOLUTION, // plain or transposed, through a plan
    CUDA_MATRIX,      // transposed, from one pixel: a matrix product, through a plan
    CUDA_DOT          // to one pixel of one channel
} cuda_layer_kind;

typedef struct cuda_plans {
    orr_plan *forward, *data, *filter;
} cuda_plans;

typedef struct cuda_layer {
    orr_gan_layer is;
    cuda_layer_kind kind;
    uint32_t in, out;            // channels, padded
    size_t weight, gamma, beta;  // places in the padded parameters
    size_t weights;              // floats of the padded weight
    size_t mean_at, variance_at; // places in the padded running statistics
    cuda_plans plans[2];         // for one and for two batches side by side
    void *gradient;              // by the output; shape of `output`, no dot has one
    void *convolved, *output;    // [images][out_size][out_size][out]; dot: floats [images]
    float *mean, *inverse, *scale, *shift, *mean_gradient, *slope, *pivot; // [groups][out]
} cuda_layer;

typedef struct cuda_net {
    const cuda_context *context;
    uint32_t layer_count, batch, groups; // most images: groups * batch
    cuda_layer layers[ORR_GAN_MAX_LAYERS];
    orr_cuda_type type;
    orr_plan_math math;
    size_t element;                        // bytes of the type
    size_t parameter_count, running_count; // padded, floats
    size_t weight_count;                   // parameters that are weights of plans; they come first
    size_t workspace_bytes, side_workspace_bytes;
    float *parameters, *moment1, *moment2; // moments only for a net that learns
    float *gradient;                       // of what is not a plan's weight
    void *weights, *weight_gradient;       // [weight_count] of the type; in float `weights` is
                                           // `parameters`
    float *running, *partial;
    orr_cuda_adam adam;   // numbers for updates; the trainer's
    void *input;          // [images][in_size][in_size][in]
    void *input_gradient; // of one batch
    void *workspace, *side_workspace;
} cuda_net;

// What a net is opened for, on top of evaluation with one batch.
typedef struct cuda_net_use {
    uint32_t groups;    // 1, or 2: passes with two batches side by side as well
    int backward;       // gradients
    int input_gradient; // by the input, of one batch
    int moments;        // Adam
} cuda_net_use;

// Builds the plans; needs no device memory. Close in any case; a zeroed net is fine.
orr_status cuda_net_open(cuda_net *net, const cuda_context *context, const orr_gan_network *network,
                         const orr_gan_options *options, const cuda_net_use *use, orr_error *error);
void cuda_net_close(cuda_net *net);
// Takes its memory: twice, see above.
void cuda_net_layout(cuda_net *net, const cuda_net_use *use, cuda_memory *memory);

// Host arrays in the order of gan/network.h to the device and back; NULL is left out. Wait for the
// device.
orr_status cuda_net_upload(cuda_net *net, const float *parameters, const float *running,
                           const float *moment1, const float *moment2, orr_error *error);
orr_status cuda_net_download(const cuda_net *net, float *parameters, float *running, float *moment1,
                             float *moment2, orr_error *error);
orr_status cuda_net_gradient(const cuda_net *net, float *gradient, int accumulate,
                             orr_error *error);

// The passes. `input` holds groups * batch images, each group normalised by itself; the results
// are in the layers' `output`.
orr_status cuda_net_forward(cuda_net *net, uint32_t groups, orr_gan_mode mode, const void *input,
                            orr_error *error);
// `dy` is the gradient by the last layer's output (overwritten; floats for a dot). `dx`: where to
// put the address of the input's gradient, or NULL. `wanted`: whether the parameters' gradients
// are; they are made on the side and joined at the end. An update by net->adam follows each there,
// as soon as nothing reads the layer's old weights.
typedef enum cuda_wanted { CUDA_NO_FILTERS, CUDA_FILTERS, CUDA_UPDATE } cuda_wanted;
orr_status cuda_net_backward(cuda_net *net, uint32_t groups, orr_gan_mode mode, const void *input,
                             void *dy, cuda_wanted wanted, void **dx, orr_error *error);

cuda_layer *cuda_net_last(cuda_net *net);

#ifdef __cplusplus
}
#endif
#endif
