// What goes into a network from the host and comes out of it.
#ifndef ORRERY_GAN_CUDA_STAGING_H
#define ORRERY_GAN_CUDA_STAGING_H

#include "gan/cuda/device_net.h"

#ifdef __cplusplus
extern "C" {
#endif

// Room for one batch of a net's input and output as floats without padding.
typedef struct cuda_staging {
    float *input, *output;
} cuda_staging;
void cuda_staging_layout(cuda_staging *staging, const orr_gan_network *network, uint32_t batch,
                         cuda_memory *memory);
// What pads the staged input into net->input, and what takes the padding off the last output. Of
// the whole batch: rows of images that are not given keep old values, which no result rests on.
orr_cuda_convert cuda_input_convert(const cuda_net *net, const cuda_staging *staging);
orr_cuda_convert cuda_output_convert(cuda_net *net, const cuda_staging *staging);
// `count` images of the host, at most a batch, into net->input; the last layer's output of `count`
// images to the host. Wait for the device.
orr_status cuda_stage_in(cuda_net *net, const cuda_staging *staging, const float *input,
                         uint32_t count, orr_error *error);
orr_status cuda_stage_out(cuda_net *net, const cuda_staging *staging, float *output, uint32_t count,
                          orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
