// Pictures of the sample scans: organs are ellipses, tissue is noise. Nothing here is measured from
// a real scan. The same seed gives the same pixels.
#ifndef ORRERY_MEDIA_PHANTOM_DRAW_H
#define ORRERY_MEDIA_PHANTOM_DRAW_H

#include <stdint.h>

#include "kernels/map.h"

typedef struct phantom_image {
    uint32_t width, height;
    uint16_t samples, bits;
    uint8_t *pixels; // rows of interleaved samples, 16-bit ones in the machine's byte order
} phantom_image;

// A deterministic generator: splitmix64.
typedef struct phantom_noise {
    uint64_t state;
} phantom_noise;

static inline uint64_t noise_next(phantom_noise *noise) {
    return orr_mix64(noise->state += 0x9e3779b97f4a7c15u);
}

// Each of these fills *image, whose pixels the caller frees, and returns 0, or -1 when memory runs
// out. A chest CT slice: 12 bits in 16, Hounsfield units + 1024; z in [0, 1) is the place along the
// body.
int draw_ct(phantom_image *image, uint64_t seed, uint32_t side, float z);
// A stained section (8-bit RGB); `scale` pixels of full magnification to one of the image.
int draw_histology(phantom_image *image, uint64_t seed, uint32_t width, uint32_t height,
                   float scale);
// One frame of an 8-bit ultrasound clip; phase in [0, 1) is the place in the heart's beat.
int draw_ultrasound(phantom_image *image, uint64_t seed, uint32_t side, float phase);
// A decoy: a pigmented spot on skin, 64 x 64 8-bit RGB, like those of the published generator.
int draw_decoy(phantom_image *image, uint64_t seed);

// A region of a stained section into `out` (height rows of width RGB pixels). left and top are its
// place in the whole section in pixels of this scale.
void draw_tissue(uint8_t *out, uint64_t seed, uint32_t left, uint32_t top, uint32_t width,
                 uint32_t height, float scale);

#endif
