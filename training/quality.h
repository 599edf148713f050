// How generated images stand to the training images: is one of them a copy, are they all the same?
#ifndef ORRERY_TRAINING_QUALITY_H
#define ORRERY_TRAINING_QUALITY_H

#include "media/image_file.h"
#include "training/dataset.h"
#include "training/swd.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_nearest {
    uint32_t index; // in the data set
    int mirrored;   // its mirror image is the nearest
    double rms;     // root of the mean squared difference of all samples, 0..255
} orr_nearest;

// For each of `count` images [size][size][channels] the nearest of the data set, or of its mirror
// images, in that distance; of equals the first. `leave_out` [count], may be NULL: an image of the
// set that does not count (itself); nor do then its copies, mirrored or not, which a set with every
// picture twice is full of. Exact, with early giving up: about count x set->count x a fraction of
// an image. rms 0 where no image counts.
void orr_nearest_find(const orr_dataset *set, const uint8_t *images, uint32_t count,
                      const uint32_t *leave_out, orr_nearest *nearest);
// The middle one of `count` distances, the mean of the middle two for even counts. 0 for none.
double orr_nearest_median(const orr_nearest *nearest, uint32_t count);

// Mean distance, as above, over all pairs of `count` images: near 0 when they are all the same.
// Fewer than two give 0.
double orr_diversity(const uint8_t *images, uint32_t count, uint32_t size, uint32_t channels);

// ---- what makes a generator of use for decoys: `keyring new` refuses others, and `train` warns

// The least diversity of ORR_POOL_COMPARED images. Rounding to bytes alone makes two equal pictures
// differ by up to about 0.5; networks that were never trained give 0.6 and a collapsed one that
// `train` had warned of 0.8; no eye sees 2. The shipped generator gives about 50, its checkpoint
// after two epochs 36, and no snapshot between 0 and the last fell below 28. An absolute bound,
// because what the training images differed by is not in the weights: it refuses what is certainly
// no pool of different pictures, and leaves generators of dull but different images alone.
#define ORR_POOL_DIVERSITY 2.0
#define ORR_POOL_COMPARED 64u // images, whatever the size of the pool
#define ORR_POOL_IMAGES 256u  // of a pool, unless somebody wants another number
// Sums of the samples of each channel; gray counts as three equal channels.
void orr_channel_sums(const uint8_t *pixels, size_t samples, uint32_t channels, uint64_t sums[3]);
// How many of `count` triples of sums are different from each other; sorts them. The same few
// images in turn differ well in the mean, and are no pool: more than half must be different.
size_t orr_different_sums(uint64_t (*sums)[3], size_t count);
static inline int orr_pool_useful(double diversity, size_t different, size_t count) {
    return diversity >= ORR_POOL_DIVERSITY && different * 2 > count;
}

// The most images whose sliced Wasserstein distance is taken: as many of the data set as of others.
#define ORR_SWD_IMAGES 512u
// `count` images of the data set, evenly spread, beginning at place `offset` of each stride, to
// `out` [count][size][size][channels]; their numbers to `index` [count], may be NULL.
void orr_dataset_spread(const orr_dataset *set, uint32_t count, uint32_t offset, uint8_t *out,
                        uint32_t *index);
// Distance of two halves of the data set (at most `most` images each) from each other: no generator
// can be expected to come nearer. As orr_swd_measure.
orr_status orr_swd_of_halves(const orr_dataset *set, uint32_t most, uint64_t seed, orr_swd *swd,
                             orr_error *error);

// `count` images of size x size pixels, `columns` to a row, 2 pixels of white between them.
orr_status orr_grid(const uint8_t *images, uint32_t count, uint32_t size, uint32_t channels,
                    uint32_t columns, orr_raster *grid, orr_error *error);
// Generated images each with its nearest training image to its right (mirrored where that is the
// nearer one), `columns` such pairs to a row, the most alike first.
orr_status orr_nearest_grid(const orr_dataset *set, const uint8_t *images,
                            const orr_nearest *nearest, uint32_t count, uint32_t columns,
                            orr_raster *grid, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
