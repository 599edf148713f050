// A generator for the commands that make images: its weights file, its hash, and a network on the
// CPU.
#ifndef ORRERY_HOST_CLI_GENERATOR_H
#define ORRERY_HOST_CLI_GENERATOR_H

#include "gan/weights.h"
#include "host/cli/cli.h"
#include "media/image_file.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_GENERATOR_BATCH 64 // images at a time

typedef struct orr_generator {
    orr_gan_weights weights;
    uint8_t sha256[32]; // of the weights file
    orr_gan_net *net;   // NULL until orr_generator_start
    float *images;      // a batch, values in [-1, 1]
    uint8_t *pixels;    // a batch, interleaved bytes
} orr_generator;

// Reads and checks the weights and hashes the file. Starts no threads. ORR_IO, ORR_UNSUPPORTED.
orr_status orr_generator_open(const char *path, orr_generator *generator, orr_error *error);
// Readies the network for batches, on `threads` threads (0: one for each core).
orr_status orr_generator_start(orr_generator *generator, unsigned threads, orr_error *error);
// `count` (at most ORR_GENERATOR_BATCH) images from latents [count][latent] into generator->pixels.
orr_status orr_generator_run(orr_generator *generator, const float *latents, uint32_t count,
                             orr_error *error);
// Sums of the samples of each channel of one image; gray counts as three equal channels.
void orr_generator_sums(const orr_generator *generator, const uint8_t *pixels, orr_decoy *decoy);
// Writes one image of generator->pixels as FOLDER/NUMBER.png, five digits and more.
orr_status orr_generator_save(const orr_generator *generator, const uint8_t *pixels,
                              const char *folder, size_t number, orr_error *error);
void orr_generator_close(orr_generator *generator); // wipes the images; a zeroed one is fine

// Is `folder` absent or empty? ORR_EXISTS, ORR_IO. With `make`, makes it (0700) when it is absent.
orr_status orr_generator_folder(const char *folder, int make, orr_error *error);

// The pool of `keyring new --weights`: decoys into the keyring, and the generator's hash. Starts
// threads: ask for a passphrase before. ORR_UNSUPPORTED when the images hardly differ.
#define ORR_DEFAULT_DECOYS 256
orr_status orr_cli_decoy_pool(orr_cli *cli, orr_generator *generator, orr_keyring *keyring,
                              orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
