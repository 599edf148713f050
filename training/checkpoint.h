// Checkpoints: all that later steps depend on, in directories that appear whole or not at all.
//
// RUN/checkpoints/step-0000001234/ holds `state` (below) and the two networks once more as
// safetensors with the parameter names of PyTorch's DCGAN example, for everything but resuming.
//
// state, numbers little-endian:
//   0   8  "ORRTRAIN"
//   8   4  version, 1
//   12  16 image size, channels, latents, width (4 bytes each)
//   28  4  zero
//   32  8  seed
//   40  8  steps done; step times batch is the position in the shuffled data
//   48  64 SHA-256 of the data set's manifest, in hexadecimal
//   112 16 training-mode passes of generator and discriminator
//   128    for the generator, then the discriminator, in float32: parameters, running statistics,
//          Adam's first moments, Adam's second moments (gan/gan_backend.h has their order)
//   end 32 SHA-256 of all before
#ifndef ORRERY_TRAINING_CHECKPOINT_H
#define ORRERY_TRAINING_CHECKPOINT_H

#include "gan/gan_backend.h"
#include "training/run_directory.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes the checkpoint of state->step, flushes it, and only then removes all but the newest `keep`
// (at least 1). ORR_IO: those before are untouched. ORR_UNSUPPORTED when a number in the state is
// not finite: such a state is never written.
orr_status orr_checkpoint_write(const orr_run_directory *run, const orr_gan_state *state,
                                const char data_hash[65], unsigned keep, orr_error *error);
// Reads the newest checkpoint that is whole into a new state (the caller frees it). `damaged` is
// called for each newer one that is not; may be NULL. Without any checkpoint: ORR_OK and *found 0.
// ORR_UNSUPPORTED when there are some and all are damaged, or the shape differs from `shape`.
orr_status orr_checkpoint_read(const orr_run_directory *run, const orr_gan_shape *shape,
                               void (*damaged)(void *context, const char *reason), void *context,
                               orr_gan_state *state, char data_hash[65], int *found,
                               orr_error *error);

// Removes what a killed run had begun to write or to remove.
void orr_checkpoint_sweep(const orr_run_directory *run);
// Removes all but the newest `keep` (at least 1) up to `step`, the last of a finished run: one that
// was killed as it named that checkpoint has not come to it.
void orr_checkpoint_retire(const orr_run_directory *run, uint64_t step, unsigned keep);

// Writes generator.safetensors and discriminator.safetensors (float32) to a folder, replacing older
// ones, with "steps" and "data_sha256" in their metadata.
orr_status orr_checkpoint_export(const char *folder, const orr_gan_state *state,
                                 const char data_hash[65], orr_error *error);

// The state as bytes and back, for the two above and for tests. Decoding checks length and checksum
// before anything is allocated from what the header says. *bytes is malloc'ed.
orr_status orr_checkpoint_encode(const orr_gan_state *state, const char data_hash[65],
                                 uint8_t **bytes, size_t *count, orr_error *error);
orr_status orr_checkpoint_decode(const uint8_t *bytes, size_t count, const char *shown,
                                 orr_gan_state *state, char data_hash[65], orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
