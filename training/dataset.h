// Training images from folders: found, decoded, cropped, resized and held in memory as bytes.
#ifndef ORRERY_TRAINING_DATASET_H
#define ORRERY_TRAINING_DATASET_H

#include <signal.h>

#include "media/image_file.h"
#include "training/run_directory.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_DATASET_MAX_DEPTH 64 // folders within folders

typedef struct orr_dataset_options {
    const char *const *folders; // as given; each must be a folder
    size_t folder_count;
    uint32_t size;                // pixels a side, 1..4096
    uint32_t channels;            // 1 or 3
    const orr_window *window;     // of 16-bit images; NULL: their high byte
    const orr_run_directory *run; // the run that reads them: its directory is left out; or NULL
    // Called for everything that is left out, with its path and the reason, for every image that is
    // taken though its file lacks something (orr_raster's flaw), and now and then with the number
    // of images so far. All may be NULL.
    void (*skipped)(void *context, const char *path, const char *reason);
    void (*flawed)(void *context, const char *path, const char *flaw);
    void (*progress)(void *context, uint32_t images);
    void *context;
    volatile sig_atomic_t *stop; // ORR_STOPPED once it is not 0; NULL: never
} orr_dataset_options;

typedef struct orr_dataset {
    uint8_t *images; // [count][size][size][channels]; owned
    uint32_t count, size, channels;
    uint32_t copies; // images of which an earlier one has the very same bytes
    uint64_t skipped;
    char *manifest; // a line for each image, "SHA-256 of its bytes in `images`, two spaces, path
                    // below its folder"; control characters and \ in names as \xHH; owned
    size_t manifest_bytes;
    char hash[65]; // SHA-256 of the manifest in hexadecimal: what sha256sum says of it as a file
} orr_dataset;

// Reads all folders, in the order given, each recursively in byte order of the names. Symbolic
// links below them are not followed; links, special files, unreadable files and what is no image
// are reported and skipped, and so is a directory of `orrery train`, whatever its name: the grids
// in it are pictures too, but of no patient, and a run within its own data could not be resumed.
// ORR_UNSUPPORTED when a folder is none, or when fewer than two images are found; ORR_IO when a
// folder cannot be opened; ORR_INTERNAL when memory runs out.
orr_status orr_dataset_load(const orr_dataset_options *options, orr_dataset *set, orr_error *error);
void orr_dataset_free(orr_dataset *set); // an all-zero one is fine
size_t orr_dataset_image_bytes(const orr_dataset *set);

// The order of `count` images in an epoch (Fisher and Yates, from ORR_STREAM_SHUFFLE of
// gan/philox.h at step `epoch`; words are reduced by multiplication, a bias below 2^-20 for 4,096
// images): a permutation of 0 .. count - 1.
void orr_dataset_order(uint64_t seed, uint64_t epoch, uint32_t count, uint32_t *order);

#ifdef __cplusplus
}
#endif
#endif
