// The CUDA implementation behind the seam (gan/gan_backend.h): networks, and what the library
// exports.
#include "gan/cuda/gan_cuda.h"

#include <stdlib.h>
#include <string.h>

#include "base/cuda_count.h"
#include "gan/cuda/gan_cuda_library.h"

typedef struct cuda_network {
    orr_gan_net base;
    cuda_context context;
    cuda_memory memory;
    cuda_net net;
    cuda_staging staging;
    cuda_flight flight;
    int passed; // a forward pass has been made, in `mode`
    orr_gan_mode mode;
} cuda_network;

static const cuda_net_use use_all = {.groups = 1, .backward = 1, .input_gradient = 1};

// ---- networks -----------------------------------------------------------------------------------

static void net_close(orr_gan_net *net) {
    cuda_network *self = (cuda_network *)net;
    if (!self) return;
    (void)cudaSetDevice(self->context.device);
    cuda_flight_close(&self->context, &self->flight);
    cuda_memory_close(&self->context, &self->memory);
    cuda_net_close(&self->net);
    cuda_context_close(&self->context);
    free(self);
}

static orr_status take_memory(cuda_network *self, orr_error *error) {
    for (int pass = 0; pass < 2; pass++) {
        cuda_net_layout(&self->net, &use_all, &self->memory);
        cuda_staging_layout(&self->staging, &self->base.network, self->base.batch, &self->memory);
        if (pass == 1) return ORR_OK;
        orr_status status =
            cuda_memory_open(&self->context, &self->memory, "a network with this batch", error);
        if (status != ORR_OK) return status;
    }
    return ORR_OK;
}

static orr_status net_open(const orr_gan_backend *backend, const orr_gan_network *network,
                           const orr_gan_options *options, orr_gan_net **net, orr_error *error) {
    orr_status status = orr_gan_options_check(options, error);
    if (status != ORR_OK) return status;
    cuda_network *self = calloc(1, sizeof *self);
    if (!self) return orr_fail(error, ORR_INTERNAL, "out of memory for a network");
    self->base = (orr_gan_net){.backend = backend, .network = *network, .batch = options->batch};
    status = cuda_context_open(&self->context, options->device, error);
    if (status == ORR_OK)
        status = cuda_net_open(&self->net, &self->context, network, options, &use_all, error);
    if (status == ORR_OK) status = take_memory(self, error);
    if (status == ORR_OK)
        status = cuda_check(&self->context, (int)cudaStreamSynchronize(self->context.stream),
                            "clearing memory", error);
    if (status != ORR_OK) {
        net_close(&self->base);
        return status;
    }
    *net = &self->base;
    return ORR_OK;
}

static orr_status net_set(orr_gan_net *net, const float *parameters, const float *running,
                          orr_error *error) {
    cuda_network *self = (cuda_network *)net;
    CUDA_TRY(&self->context, cudaSetDevice(self->context.device));
    return cuda_net_upload(&self->net, parameters, running, NULL, NULL, error);
}

static orr_status net_get(orr_gan_net *net, float *parameters, float *running, orr_error *error) {
    cuda_network *self = (cuda_network *)net;
    CUDA_TRY(&self->context, cudaSetDevice(self->context.device));
    return cuda_net_download(&self->net, parameters, running, NULL, NULL, error);
}

static orr_status net_forward(orr_gan_net *net, orr_gan_mode mode, uint32_t count,
                              const float *input, float *output, orr_error *error) {
    cuda_network *self = (cuda_network *)net;
    orr_status status = orr_gan_count_check(net, mode, count, error);
    if (status != ORR_OK) return status;
    CUDA_TRY(&self->context, cudaSetDevice(self->context.device));
    status = cuda_stage_in(&self->net, &self->staging, input, count, error);
    if (status == ORR_OK) status = cuda_net_forward(&self->net, 1, mode, self->net.input, error);
    if (status == ORR_OK) status = cuda_stage_out(&self->net, &self->staging, output, count, error);
    self->passed = status == ORR_OK ? (int)count : 0;
    self->mode = mode;
    return status;
}

static orr_status net_bytes(orr_gan_net *net, const float *input, uint32_t count, uint8_t *bytes,
                            orr_error *error) {
    cuda_network *self = (cuda_network *)net;
    CUDA_TRY(&self->context, cudaSetDevice(self->context.device));
    self->passed = 0;
    return cuda_flight_run(&self->flight, &self->net, &self->staging, input, count, bytes, error);
}

// The output's gradient, zero for the images that the last pass was not given, to where a backward
// pass takes it from.
static orr_status stage_gradient(cuda_network *self, const float *gradient, void **dy,
                                 orr_error *error) {
    const cuda_context *context = &self->context;
    cuda_net *net = &self->net;
    size_t one = orr_gan_output_floats(&self->base.network) * sizeof(float);
    size_t given = (size_t)self->passed * one, whole = net->batch * one;
    orr_cuda_convert convert = cuda_output_convert(net, &self->staging);
    CUDA_TRY(context, cudaMemsetAsync(self->staging.output, 0, whole, context->stream));
    CUDA_TRY(context, cudaMemcpyAsync(self->staging.output, gradient, given, cudaMemcpyHostToDevice,
                                      context->stream));
    *dy = self->staging.output;
    if (cuda_net_last(net)->kind != CUDA_DOT) {
        *dy = cuda_net_last(net)->gradient;
        convert.from = self->staging.output;
        convert.to = *dy;
        CUDA_TRY(context, orr_cuda_pad_launch(net->type, &convert, context->stream));
    }
    CUDA_TRY(context, cudaStreamSynchronize(context->stream));
    return ORR_OK;
}

static orr_status fetch_input_gradient(cuda_network *self, const void *dx, float *gradient,
                                       orr_error *error) {
    const cuda_context *context = &self->context;
    size_t floats = (size_t)self->passed * orr_gan_input_floats(&self->base.network);
    orr_cuda_convert convert = cuda_input_convert(&self->net, &self->staging);
    convert.from = dx;
    convert.to = self->staging.input;
    CUDA_TRY(context, orr_cuda_unpad_launch(self->net.type, &convert, context->stream));
    CUDA_TRY(context, cudaMemcpyAsync(gradient, self->staging.input, floats * sizeof *gradient,
                                      cudaMemcpyDeviceToHost, context->stream));
    CUDA_TRY(context, cudaStreamSynchronize(context->stream));
    return ORR_OK;
}

static orr_status net_backward(orr_gan_net *net, const float *output_gradient,
                               float *input_gradient, float *parameter_gradient, int accumulate,
                               orr_error *error) {
    cuda_network *self = (cuda_network *)net;
    void *dy, *dx = NULL;
    if (!self->passed)
        return orr_fail(error, ORR_INTERNAL, "a backward pass without a forward pass");
    CUDA_TRY(&self->context, cudaSetDevice(self->context.device));
    orr_status status = stage_gradient(self, output_gradient, &dy, error);
    if (status == ORR_OK)
        status = cuda_net_backward(&self->net, 1, self->mode, self->net.input, dy,
                                   parameter_gradient ? CUDA_FILTERS : CUDA_NO_FILTERS,
                                   input_gradient ? &dx : NULL, error);
    if (status == ORR_OK && input_gradient)
        status = fetch_input_gradient(self, dx, input_gradient, error);
    if (status == ORR_OK && parameter_gradient)
        status = cuda_net_gradient(&self->net, parameter_gradient, accumulate, error);
    return status;
}

// Whether a device can be used at all: opens it as a network does, and closes it.
static orr_status check_device(int device, orr_error *reason) {
    cuda_context context;
    orr_status status = cuda_context_open(&context, device, reason);
    cuda_context_close(&context);
    return status;
}

// ---- the library --------------------------------------------------------------------------------

#define BACKEND(number, text)                                   \
    {                                                           \
        .base = {.abi = ORR_GAN_ABI,                            \
                 .name = (text),                                \
                 .net_open = net_open,                          \
                 .net_close = net_close,                        \
                 .net_set = net_set,                            \
                 .net_get = net_get,                            \
                 .net_forward = net_forward,                    \
                 .net_bytes = net_bytes,                        \
                 .net_backward = net_backward,                  \
                 .trainer_open = cuda_trainer_open,             \
                 .trainer_close = cuda_trainer_close,           \
                 .trainer_data = cuda_trainer_data,             \
                 .trainer_step = cuda_trainer_step,             \
                 .trainer_statistics = cuda_trainer_statistics, \
                 .trainer_sample = cuda_trainer_sample,         \
                 .trainer_state = cuda_trainer_state},          \
        .graph = (number)                                       \
    }

__attribute__((visibility("default"))) const orr_gan_cuda_library *orr_gan_cuda_library_get(void) {
    static const cuda_backend with_graph = BACKEND(1, "cudnn"),
                              without_graph = BACKEND(0, "cudnn, without CUDA graphs");
    static const orr_gan_cuda_library library = {ORR_GAN_CUDA_ABI, &with_graph.base,
                                                 &without_graph.base, orr_cuda_count, check_device};
    return &library;
}
