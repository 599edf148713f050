// The DCGAN's reference layers in double precision, for finite differences.
#ifndef ORRERY_TESTS_SUPPORT_GAN_DOUBLE_H
#define ORRERY_TESTS_SUPPORT_GAN_DOUBLE_H

#include "gan/gan_backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gan_double gan_double;
gan_double *gan_double_open(const orr_gan_network *network, uint32_t batch); // NULL: no memory
void gan_double_close(gan_double *net);
double *gan_double_parameters(gan_double *net); // to write to
double *gan_double_running(gan_double *net);
// As net_forward and net_backward of gan/gan_backend.h.
void gan_double_forward(gan_double *net, orr_gan_mode mode, uint32_t count, const double *input,
                        double *output);
void gan_double_backward(gan_double *net, const double *output_gradient, double *input_gradient,
                         double *parameter_gradient, int accumulate);
// How far the last forward pass stayed from where rounding decides what comes out.
typedef struct gan_double_margins {
    double kink;      // the least |x| that a ReLU, plain or leaky, was given; INFINITY without one
    double deviation; // the least that a batch norm divided by; INFINITY without one
    double slope;     // the largest of the last activation: small where all of it is saturated
    double largest;   // |x| that came out
} gan_double_margins;
gan_double_margins gan_double_margins_of(const gan_double *net);
// Of a forward pass with these numbers. All INFINITY when memory runs out.
gan_double_margins gan_double_margins_at(const orr_gan_network *network, orr_gan_mode mode,
                                         uint32_t count, const float *parameters,
                                         const float *running, const float *input);

#ifdef __cplusplus
}
#endif
#endif
