// The DCGAN's reference layers in double precision, for finite differences.
#ifndef ORRERY_TESTS_SUPPORT_GAN_DOUBLE_H
#define ORRERY_TESTS_SUPPORT_GAN_DOUBLE_H

#include "gan/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gan_double gan_double;
gan_double *gan_double_open(const orr_gan_network *network, uint32_t batch); // NULL: no memory
void gan_double_close(gan_double *net);
double *gan_double_parameters(gan_double *net); // to write to
double *gan_double_running(gan_double *net);
// As net_forward and net_backward of gan/backend.h.
void gan_double_forward(gan_double *net, orr_gan_mode mode, uint32_t count, const double *input,
                        double *output);
void gan_double_backward(gan_double *net, const double *output_gradient, double *input_gradient,
                         double *parameter_gradient, int accumulate);

#ifdef __cplusplus
}
#endif
#endif
