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

void gan_double_backward(gan_double *net, const double *output_gradient, double *input_gradient,
                         double *parameter_gradient, int accumulate) {
    network_backward_double(&net->memory, output_gradient, input_gradient, parameter_gradient,
                            accumulate);
}
