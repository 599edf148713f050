// One picture to one square training image: centre crop, area or linear resampling, gray or RGB.
#ifndef ORRERY_TRAINING_RESAMPLE_H
#define ORRERY_TRAINING_RESAMPLE_H

#include "media/image_file.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes [size][size][channels] bytes: the largest centred square of `from`, made smaller by area
// (each output pixel is the mean of exactly the ground it covers, so nothing aliases) or larger by
// linear interpolation; RGB to gray by Rec. 601 luma (299, 587, 114 of 1000), gray to RGB by
// repetition. Integer arithmetic, rounded to nearest once: the same bytes on every machine.
// channels 1 or 3, size 1..4096. ORR_INTERNAL when memory runs out.
orr_status orr_resample(const orr_raster *from, uint32_t size, uint32_t channels, uint8_t *out,
                        orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
