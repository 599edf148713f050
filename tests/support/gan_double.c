#include "tests/support/gan_double.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REAL double
#define NAME(x) x##_double
#include "gan/layers.inc"

struct gan_double {
    network_memory_double memory;
};

gan_double *gan_double_open(const orr_gan_network *network, uint32_t batch) {
    gan_double *net = calloc(1, sizeof *net);
    if (net && !network_open_double(&net->memory, network, batch)) {
        free(net);
        net = NULL;
    }
    return net;
}

void gan_double_close(gan_double *net) {
    if (net) network_close_double(&net->memory);
    free(net);
}

double *gan_double_parameters(gan_double *net) {
    return net->memory.parameters;
}

double *gan_double_running(gan_double *net) {
    return net->memory.running;
}

void gan_double_forward(gan_double *net, orr_gan_mode mode, uint32_t count, const double *input,
                        double *output) {
    memcpy(output, network_forward_double(&net->memory, mode, count, input),
           count * orr_gan_output_floats(&net->memory.network) * sizeof *output);
}

gan_double_margins gan_double_margins_of(const gan_double *net) {
    const network_memory_double *memory = &net->memory;
    gan_double_margins margins = {INFINITY, INFINITY, 0, 0};
    for (uint32_t i = 0; i < memory->network.layer_count; i++) {
        const orr_gan_layer *layer = &memory->network.layers[i];
        const layer_memory_double *room = &memory->layers[i];
        orr_gan_activation kind = layer->activation;
        const double *given = layer->batch_norm ? room->normalised : room->convolved;
        size_t count =
            (size_t)memory->count * layer->out_size * layer->out_size * layer->out_channels;
        for (uint32_t c = 0; layer->batch_norm && c < layer->out_channels; c++)
            margins.deviation = fmin(margins.deviation, 1 / room->inverse[c]);
        for (size_t n = 0; n < count; n++) {
            double y = room->output[n];
            double slope = kind == ORR_GAN_TANH      ? 1 - y * y
                           : kind == ORR_GAN_SIGMOID ? y * (1 - y)
                                                     : 1;
            if (kind == ORR_GAN_RELU || kind == ORR_GAN_LEAKY_RELU)
                margins.kink = fmin(margins.kink, fabs(given[n]));
            if (i + 1 < memory->network.layer_count) continue;
            margins.slope = fmax(margins.slope, slope);
            margins.largest = fmax(margins.largest, fabs(y));
        }
    }
    return margins;
}

static void widen(size_t count, const float *from, double *to) {
    for (size_t n = 0; n < count; n++) to[n] = from[n];
}

gan_double_margins gan_double_margins_at(const orr_gan_network *network, orr_gan_mode mode,
                                         uint32_t count, const float *parameters,
                                         const float *running, const float *input) {
    gan_double_margins margins = {INFINITY, INFINITY, INFINITY, INFINITY};
    size_t inputs = count * orr_gan_input_floats(network);
    gan_double *net = gan_double_open(network, count);
    double *wide = malloc(inputs * sizeof *wide);
    if (net && wide) {
        widen(network->parameter_count, parameters, net->memory.parameters);
        widen(network->running_count, running, net->memory.running);
        widen(inputs, input, wide);
        network_forward_double(&net->memory, mode, count, wide);
        margins = gan_double_margins_of(net);
    }
    free(wide);
    gan_double_close(net);
    return margins;
}

void gan_double_backward(gan_double *net, const double *output_gradient, double *input_gradient,
                         double *parameter_gradient, int accumulate) {
    network_backward_double(&net->memory, output_gradient, input_gradient, parameter_gradient,
                            accumulate);
}
