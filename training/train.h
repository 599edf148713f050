// A training run from folders of images to a generator: options, data, steps, snapshots,
// checkpoints, resumption.
//
// What is in a run directory (all of it may show patients; files are 0600):
//   options.json       what was asked for, with the version, the seed and the data set's hash
//   data.txt           the data set's manifest: a digest and a path for each image
//   skipped.txt        what was left out, and why
//   statistics.jsonl   one object a line: "kind":"steps" with losses, "kind":"snapshot" with
//                      measures of quality
//   events.out.tfevents.1.orrery   the same numbers for TensorBoard
//   grid-STEP.png      images from the same latents all along
//   nearest-STEP.png   those images, each beside its nearest training image
//   loss.svg, swd.svg, report.html      curves, and a page with everything
//   checkpoints/step-STEP/              training/checkpoint.h
//   generator.safetensors, discriminator.safetensors   once all epochs are done
#ifndef ORRERY_TRAINING_TRAIN_H
#define ORRERY_TRAINING_TRAIN_H

#include <signal.h>

#include "gan/gan_backend.h"
#include "media/image_file.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_TRAINING_MAX_EPOCHS 1000000u
#define ORR_TRAINING_MAX_KEEP 1000u

// What a resumed run may not change; given differently than in options.json it is ORR_USAGE.
enum {
    ORR_TRAINING_GAVE_SIZE = 1,
    ORR_TRAINING_GAVE_CHANNELS = 2,
    ORR_TRAINING_GAVE_WIDTH = 4,
    ORR_TRAINING_GAVE_LATENT = 8,
    ORR_TRAINING_GAVE_SEED = 16,
    ORR_TRAINING_GAVE_BATCH = 32,
    ORR_TRAINING_GAVE_RATE = 64,
    ORR_TRAINING_GAVE_FLIP = 128,
    ORR_TRAINING_GAVE_WINDOW = 256,
    ORR_TRAINING_GAVE_PRECISION = 4096,
    // These may change: without the bit a resumed run goes on with what it had.
    ORR_TRAINING_GAVE_EPOCHS = 512,
    ORR_TRAINING_GAVE_EVERY = 1024,
    ORR_TRAINING_GAVE_KEEP = 2048
};

typedef struct orr_training_options {
    const char *run;            // the run directory
    const char *const *folders; // of images; none: those of the run that is resumed
    size_t folder_count;
    int resume;  // go on with the run in the directory; starts one when it is empty or missing
    int dry_run; // read the images, say what would be done, write nothing
    orr_gan_shape shape;
    orr_gan_options gan; // batch, threads, device, precision, Adam
    uint64_t seed;
    uint32_t epochs;
    uint32_t snapshot_every; // epochs between snapshots with a checkpoint
    uint32_t keep;           // checkpoints that stay
    int flip;                // mirror every other image
    int has_window;
    orr_window window;
    uint32_t given; // ORR_TRAINING_GAVE_*
    const orr_gan_backend *backend;
    const char *device; // its name, for the records
    const char *version;
} orr_training_options;

// The published network and optimizer: 64 pixels, RGB, 100 latents, width 64, batch 128, 100
// epochs, Adam(2e-4, 0.5), flips; seed 1, a snapshot every 5 epochs, 3 checkpoints. backend NULL.
orr_training_options orr_training_default_options(void);

typedef struct orr_training_progress {
    uint64_t step, steps; // done, in all
    double epoch, epochs;
    orr_gan_statistics recent; // means since the last time
    double images_per_second;  // of the steps since the last time
    double remaining;          // seconds; negative: unknown
} orr_training_progress;

typedef struct orr_training_snapshot {
    uint64_t step;
    double epoch;
    double swd;            // training/swd.h, mean of the levels
    double swd_floor;      // of two halves of the training images: as near as real ones come
    double nearest_least;  // root mean squared difference (0..255) of the fixed images to their
    double nearest_median; // nearest training images: the smallest, the middle one
    double nearest_real;   // median for as many training images and their nearest others
    double diversity;      // mean distance between the fixed images ...
    double diversity_real; // ... and between as many training images
    const char *grid;      // path
} orr_training_snapshot;

typedef struct orr_training_setting {
    uint32_t images;
    uint64_t skipped, steps, first_step; // first_step: where this session begins
    double epochs;
    const char *data_hash;
} orr_training_setting;

// What has come of a run that is done: the measures by which `keyring new` takes or refuses it
// (training/quality.h), on ORR_POOL_IMAGES images.
typedef struct orr_training_outcome {
    double diversity;         // of the first ORR_POOL_COMPARED
    size_t different, images; // images with channel sums of their own, of all
    int useful;               // `keyring new` would take it
} orr_training_outcome;

// All may be NULL. Called on the thread of orr_train.
typedef struct orr_training_hooks {
    void *context;
    volatile sig_atomic_t *stop; // not 0: write a checkpoint and end with ORR_STOPPED
    void (*skipped)(void *context, const char *path, const char *reason);
    void (*flawed)(void *context, const char *path, const char *flaw); // taken all the same
    void (*reading)(void *context, uint32_t images);
    void (*start)(void *context, const orr_training_setting *setting);
    void (*progress)(void *context, const orr_training_progress *progress);
    void (*snapshot)(void *context, const orr_training_snapshot *snapshot);
    void (*warning)(void *context, const char *text);
    void (*finished)(void *context, const orr_training_outcome *outcome); // after the last epoch
} orr_training_hooks;

// Runs to the last epoch. ORR_STOPPED after a stop, with a checkpoint of the last step; ORR_EXISTS
// when the directory has something in it without `resume`; ORR_IO when something could not be read
// or written (the last checkpoint is intact); ORR_UNSUPPORTED for unusable data, for a run that
// does not fit, and when a loss is not finite any more; ORR_USAGE for options that contradict the
// run, fewer epochs than it has done among them. What fails before the run has begun leaves no
// directory.
//
// Step s of a run uses images s * batch .. s * batch + batch - 1 of the data set put through
// orr_dataset_order for epoch 0, then 1, and so on without a gap: each image once in an epoch, and
// the place in the data follows from the step alone.
orr_status orr_train(const orr_training_options *options, const orr_training_hooks *hooks,
                     orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
