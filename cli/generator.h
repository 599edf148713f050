// A generator for the commands that make images: its weights file, its hash, and a network on the
// device of --device. Images of different devices differ by rounding, now and then by 1 in a byte:
// for decoys that makes no difference (their sums are recorded, and nothing makes them again), for
// `generate` the help says it.
#ifndef ORRERY_CLI_GENERATOR_H
#define ORRERY_CLI_GENERATOR_H

#include <limits.h>

#include "cli/cli.h"
#include "gan/weights.h"
#include "media/image_file.h"
#include "training/quality.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_generator {
    orr_cli *cli;
    orr_gan_weights weights;
    uint8_t sha256[32]; // of the weights file
    orr_gan_options options;
    const orr_gan_backend *backend;
    orr_gan_net *net; // NULL until orr_generator_start
    uint32_t at_once; // images that orr_generator_run makes at most; several batches on a GPU
    uint8_t *pixels;  // of so many, interleaved bytes
    int made_folder;  // orr_generator_folder made it
} orr_generator;

// `path`, or, when there is no such file and it is the bare name of a generator that comes with the
// program ("skin64"), the path of that one's weights.
void orr_generator_path(const char *path, char found[PATH_MAX]);

// Reads and checks the weights (orr_generator_path), hashes the file, and finds what --device asks
// for. Starts no threads. ORR_IO, ORR_UNSUPPORTED.
orr_status orr_generator_open(orr_cli *cli, const char *name, orr_generator *generator,
                              orr_error *error);
// Readies the network on the device, or on `threads` threads of the CPU (0: one for each core).
// With --device auto a device that fails, now or later, is reported and the CPU goes on.
orr_status orr_generator_start(orr_generator *generator, unsigned threads, orr_error *error);
// `count` (at most generator->at_once) images from latents [count][latent] into generator->pixels.
orr_status orr_generator_run(orr_generator *generator, const float *latents, uint32_t count,
                             orr_error *error);
// Sums of the samples of each channel of one image; gray counts as three equal channels.
void orr_generator_sums(const orr_generator *generator, const uint8_t *pixels, orr_decoy *decoy);
// Writes one image of generator->pixels as FOLDER/NUMBER.png, five digits and more.
orr_status orr_generator_save(const orr_generator *generator, const uint8_t *pixels,
                              const char *folder, size_t number, orr_error *error);
void orr_generator_close(orr_generator *generator); // wipes the images; a zeroed one is fine

// Is `folder` absent or empty? ORR_EXISTS, ORR_IO. With `make`, makes it (0700) when it is absent.
orr_status orr_generator_folder(orr_generator *generator, const char *folder, int make,
                                orr_error *error);
// Removes images 0 .. count - 1 that orr_generator_save wrote, and the folder if it was made.
void orr_generator_unsave(const orr_generator *generator, const char *folder, size_t count);

// The DCGAN's implementation for --device, and options->device. With -v tells what auto passes
// over. ORR_UNSUPPORTED when a device asked for by name is not there.
orr_status orr_cli_gan_device(orr_cli *cli, orr_gan_options *options,
                              const orr_gan_backend **backend, orr_error *error);

// The pool of `keyring new --weights`: decoys into the keyring, and the generator's hash. Starts
// threads: ask for a passphrase before. ORR_UNSUPPORTED when the images hardly differ.
#define ORR_DEFAULT_DECOYS ORR_POOL_IMAGES
orr_status orr_cli_decoy_pool(orr_cli *cli, orr_generator *generator, orr_keyring *keyring,
                              orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
