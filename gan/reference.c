// The plain C implementation: layers.inc in float on one thread. For tests, for reading, and for
// machines without oneDNN; far too slow to train the published network.
#include "gan/gan_backend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REAL float
#define NAME(x) x##_float
#include "gan/layers.inc"

typedef struct reference_net {
    orr_gan_net base;
    network_memory_float memory;
} reference_net;

static void net_close(orr_gan_net *net) {
    reference_net *self = (reference_net *)net;
    if (!self) return;
    network_close_float(&self->memory);
    free(self);
}

static orr_status net_open(const orr_gan_backend *backend, const orr_gan_network *network,
                           const orr_gan_options *options, orr_gan_net **net, orr_error *error) {
    reference_net *self;
    orr_status status = orr_gan_options_check(options, error);
    if (status != ORR_OK) return status;
    if (options->precision != ORR_GAN_FLOAT32) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "the CPU computes in float32 only; leave the precision out");
    }
    self = calloc(1, sizeof *self);
    if (!self) return orr_fail(error, ORR_INTERNAL, "out of memory for a network");
    self->base = (orr_gan_net){.backend = backend, .network = *network, .batch = options->batch};
    if (!network_open_float(&self->memory, network, options->batch)) {
        free(self);
        return orr_fail(error, ORR_INTERNAL,
                        "out of memory for a network of %u images; use a smaller batch",
                        options->batch);
    }
    *net = &self->base;
    return ORR_OK;
}

static orr_status net_set(orr_gan_net *net, const float *parameters, const float *running,
                          orr_error *error) {
    network_memory_float *memory = &((reference_net *)net)->memory;
    (void)error;
    if (parameters) {
        memcpy(memory->parameters, parameters,
               memory->network.parameter_count * sizeof *parameters);
    }
    if (running) memcpy(memory->running, running, memory->network.running_count * sizeof *running);
    return ORR_OK;
}

static orr_status net_get(orr_gan_net *net, float *parameters, float *running, orr_error *error) {
    const network_memory_float *memory = &((reference_net *)net)->memory;
    (void)error;
    if (parameters) {
        memcpy(parameters, memory->parameters,
               memory->network.parameter_count * sizeof *parameters);
    }
    if (running) memcpy(running, memory->running, memory->network.running_count * sizeof *running);
    return ORR_OK;
}

static orr_status net_forward(orr_gan_net *net, orr_gan_mode mode, uint32_t count,
                              const float *input, float *output, orr_error *error) {
    network_memory_float *memory = &((reference_net *)net)->memory;
    orr_status status = orr_gan_count_check(net, mode, count, error);
    if (status != ORR_OK) return status;
    memcpy(output, network_forward_float(memory, mode, count, input),
           count * orr_gan_output_floats(&net->network) * sizeof *output);
    return ORR_OK;
}

static orr_status net_backward(orr_gan_net *net, const float *output_gradient,
                               float *input_gradient, float *parameter_gradient, int accumulate,
                               orr_error *error) {
    network_memory_float *memory = &((reference_net *)net)->memory;
    if (memory->count == 0)
        return orr_fail(error, ORR_INTERNAL, "a backward pass without a forward pass");
    network_backward_float(memory, output_gradient, input_gradient, parameter_gradient, accumulate);
    return ORR_OK;
}

const orr_gan_backend *orr_gan_reference(void) {
    static const orr_gan_backend backend = {
        .abi = ORR_GAN_ABI,
        .name = "reference",
        .net_open = net_open,
        .net_close = net_close,
        .net_set = net_set,
        .net_get = net_get,
        .net_forward = net_forward,
        .net_backward = net_backward,
        .trainer_open = orr_gan_host_trainer_open,
        .trainer_close = orr_gan_host_trainer_close,
        .trainer_data = orr_gan_host_trainer_data,
        .trainer_step = orr_gan_host_trainer_step,
        .trainer_statistics = orr_gan_host_trainer_statistics,
        .trainer_sample = orr_gan_host_trainer_sample,
        .trainer_state = orr_gan_host_trainer_state,
    };
    return &backend;
}
