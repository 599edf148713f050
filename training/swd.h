// Sliced Wasserstein distance between two sets of images, as Karras, Aila, Laine and Lehtinen
// measure GANs ("Progressive growing of GANs", ICLR 2018, section 5): each image's Laplacian
// pyramid from its own size down to 16 pixels; at each level 7 x 7 patches at random places; each
// channel of a set's patches brought to mean 0 and deviation 1; both sets projected on random
// directions, sorted, and the mean difference taken, times 1000. They take 16,384 images, 128
// patches and 512 directions; here it is ORR_SWD_PATCHES and ORR_SWD_DIRECTIONS and as many images
// as are given, so values compare with each other, not with published ones.
#ifndef ORRERY_TRAINING_SWD_H
#define ORRERY_TRAINING_SWD_H

#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_SWD_PATCHES 64     // of an image at a level
#define ORR_SWD_DIRECTIONS 128 // of unit length, in patches' 49 x channels dimensions
#define ORR_SWD_LEVELS 4       // 128, 64, 32, 16 pixels at most

typedef struct orr_swd {
    uint32_t levels; // of which the last is 16 pixels (or the image's own size below)
    uint32_t size[ORR_SWD_LEVELS];
    double distance[ORR_SWD_LEVELS];
    double mean; // over the levels
} orr_swd;

// `a` and `b` are [count][size][size][channels] bytes, size a power of two from 8 to 128. Places
// and directions come from the seed alone: the same call gives the same number. ORR_UNSUPPORTED for
// other sizes and for fewer than one image, ORR_INTERNAL when memory runs out.
orr_status orr_swd_measure(const uint8_t *a, const uint8_t *b, uint32_t count, uint32_t size,
                           uint32_t channels, uint64_t seed, orr_swd *swd, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
