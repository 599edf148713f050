// The images that are measured, as volumes of samples.
#ifndef ORRERY_BENCH_EVIDENCE_PICTURE_H
#define ORRERY_BENCH_EVIDENCE_PICTURE_H

#include "bench/evidence/metrics.h"
#include "kernels/volume.h"
#include "media/image_file.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_picture {
    char *name;             // UTF-8; owned
    orr_samples samples;    // its data is owned: free with the list
    orr_volume_shape shape; // the same in bytes
    size_t bytes;
    const char *flaw; // orr_raster's, of the file
} orr_picture;

typedef struct orr_pictures {
    orr_picture *list;
    size_t count;
} orr_pictures;

// Adds an image file: PNG, JPEG or TIFF (the first page; 16-bit gray and RGB keep their depth,
// signed samples are shifted to begin at 0, all else becomes 8 bits). 1 or 3 channels. ORR_IO,
// ORR_UNSUPPORTED (not such an image, damaged, over 64 Mi pixels, under 16 x 16), ORR_INTERNAL.
orr_status orr_pictures_add_file(orr_pictures *pictures, const char *path, orr_error *error);
// Adds three drawn scans of `side` x `side` pixels: CT (16-bit gray), section (8-bit RGB),
// ultrasound (8-bit gray).
orr_status orr_pictures_add_phantoms(orr_pictures *pictures, uint32_t side, uint64_t seed,
                                     orr_error *error);
// Adds samples that the caller hands over (malloc'ed; freed here, also on failure).
orr_status orr_pictures_add(orr_pictures *pictures, const char *name, uint8_t *data,
                            uint32_t channels, uint32_t rows, uint32_t columns, unsigned bits,
                            orr_error *error);
void orr_pictures_free(orr_pictures *pictures);

// Samples of another buffer in a picture's shape.
static inline orr_samples orr_picture_view(const orr_picture *picture, const uint8_t *data) {
    orr_samples s = picture->samples;
    s.data = data;
    return s;
}
// 8 bits of every sample (the high byte) of a volume in the picture's shape, at most `side` pixels
// a side from the upper left corner (shrink 0) or by leaving out pixels (shrink 1).
orr_status orr_picture_raster(const orr_picture *picture, const uint8_t *data, uint32_t side,
                              int shrink, orr_raster *raster, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
