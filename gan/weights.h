// Weights of a generator or discriminator as safetensors, with the names of the PyTorch DCGAN
// example: main.N.weight for a convolution; main.N.weight, .bias, .running_mean, .running_var and
// .num_batches_tracked for a batch norm. Its state dictionaries load here and ours load there.
#ifndef ORRERY_GAN_WEIGHTS_H
#define ORRERY_GAN_WEIGHTS_H

#include "gan/gan_backend.h"
#include "gan/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

// A network with its weights, in the flat order of gan/network.h.
typedef struct orr_gan_weights {
    orr_gan_shape shape;
    orr_gan_network network;
    float *parameters, *running;
    uint64_t batches; // "num_batches_tracked"
} orr_gan_weights;

// Reads the weights of ORR_GAN_GENERATOR or ORR_GAN_DISCRIMINATOR; the shape follows from the
// tensors. ORR_IO; ORR_UNSUPPORTED when the file is damaged, holds something else than the whole of
// such a network, or numbers that are not finite. (A discriminator does not tell its latent size:
// it is the default then. num_batches_tracked may be missing, as in PyTorch, where it is newer than
// batch norm: it counts 0 then, and no image depends on it. "module." and "_orig_mod.", which
// PyTorch puts before the names of what DataParallel or torch.compile has wrapped, do not count.)
// Free with orr_gan_weights_free.
orr_status orr_gan_weights_read(const char *path, int which, orr_gan_weights *weights,
                                orr_error *error);
void orr_gan_weights_free(orr_gan_weights *weights); // a zeroed one is fine
// Writes one network of a state, its shape as metadata ("format": "pt", "architecture":
// "dcgan-generator" ...), and `more` metadata. `dtype` is ORR_DTYPE_F32 or ORR_DTYPE_F16. As
// orr_safetensors_write.
orr_status orr_gan_weights_write(const char *path, const orr_gan_state *state, int which,
                                 orr_dtype dtype, const orr_safetensors_entry *more,
                                 size_t more_count, int replace, orr_error *error);

// The tensors of one network, names prefixed, over its flat arrays: for files of several networks,
// such as checkpoints. At most ORR_GAN_MAX_TENSORS; `names` holds them.
#define ORR_GAN_MAX_TENSORS (6 * ORR_GAN_MAX_LAYERS)
size_t orr_gan_tensors(const orr_gan_network *network, const char *prefix, orr_dtype dtype,
                       const float *parameters, const float *running, const uint64_t *batches,
                       char names[ORR_GAN_MAX_TENSORS][ORR_SAFETENSORS_MAX_NAME],
                       orr_tensor tensors[ORR_GAN_MAX_TENSORS]);

#ifdef __cplusplus
}
#endif
#endif
