// What the files of the CUDA implementation share; gan/cuda/gan_cuda_library.h is its outside.
#ifndef ORRERY_GAN_CUDA_GAN_CUDA_H
#define ORRERY_GAN_CUDA_GAN_CUDA_H

#include "gan/cuda/device_net.h"
#include "gan/cuda/staging.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cuda_backend {
    orr_gan_backend base;
    int graph; // a training step is captured once and then replayed; 0: queued call by call
} cuda_backend;

orr_status cuda_trainer_open(const orr_gan_backend *backend, const orr_gan_options *options,
                             const orr_gan_state *state, orr_gan_trainer **trainer,
                             orr_error *error);
void cuda_trainer_close(orr_gan_trainer *trainer);
orr_status cuda_trainer_data(orr_gan_trainer *trainer, const uint8_t *images, uint32_t count,
                             orr_error *error);
orr_status cuda_trainer_step(orr_gan_trainer *trainer, const orr_gan_batch *batch,
                             orr_error *error);
orr_status cuda_trainer_statistics(orr_gan_trainer *trainer, orr_gan_statistics *statistics,
                                   orr_error *error);
orr_status cuda_trainer_sample(orr_gan_trainer *trainer, const float *latents, uint32_t count,
                               float *images, orr_error *error);
orr_status cuda_trainer_state(orr_gan_trainer *trainer, orr_gan_state *state, orr_error *error);

// Batches of images on their way to the host as bytes: while one is computed, the one before is
// copied back through pinned memory by a stream of its own.
#define CUDA_IN_FLIGHT 2
typedef struct cuda_flight {
    cudaStream_t copies;
    cuda_memory memory;
    size_t input_bytes, output_bytes; // of a batch
    uint8_t *made[CUDA_IN_FLIGHT];    // in device memory
    uint8_t *pinned;                  // for each in flight its input, then its bytes
    cudaEvent_t computed[CUDA_IN_FLIGHT], back[CUDA_IN_FLIGHT];
} cuda_flight;
// Images of `net` in evaluation mode as bytes, any count; `flight` is opened when it is zeroed.
// ORR_INTERNAL for a net whose output is no image.
orr_status cuda_flight_run(cuda_flight *flight, cuda_net *net, const cuda_staging *staging,
                           const float *input, uint32_t count, uint8_t *bytes, orr_error *error);
void cuda_flight_close(const cuda_context *context, cuda_flight *flight); // wiped; zeroed is fine

#ifdef __cplusplus
}
#endif
#endif
