// What the decoders share: one image in memory on its way to its raster.
#ifndef ORRERY_MEDIA_IMAGE_CODECS_H
#define ORRERY_MEDIA_IMAGE_CODECS_H

#include <setjmp.h>

#include "media/image_file.h"

// Lives outside the frames that longjmp leaves.
typedef struct orr_raster_source {
    const char *shown;
    const uint8_t *bytes;
    size_t length, at;
    uint32_t width, height, channels;
    int sample_bytes;        // of samples: 1, or 2 in the machine's order
    int is_signed, inverted; // of 16-bit samples; of all
    uint8_t *samples;        // the whole image, interleaved; malloc
    uint8_t *scratch;        // malloc; both are wiped and freed by orr_raster_decode
    int cut;                 // the file ended before its format does
    int complete;            // all rows are there
    const char *flaw;        // orr_raster's
    orr_error *error;
    jmp_buf escape;
    char message[160]; // of the decoder
} orr_raster_source;

orr_status orr_raster_refuse(orr_raster_source *image, const char *why);
orr_status orr_raster_out_of_memory(orr_raster_source *image);
// Checks the size against the caps and allocates image->samples, zeroed.
orr_status orr_raster_prepare(orr_raster_source *image, uint64_t width, uint64_t height,
                              uint32_t channels, int sample_bytes);

// free() of memory from malloc that may have held pixels of a decoy or of a scan: wiped before, all
// that malloc gave. NULL is fine.
void orr_media_free(void *memory);

orr_status orr_png_decode(orr_raster_source *image);
orr_status orr_jpeg_decode(orr_raster_source *image);
orr_status orr_tiff_decode(orr_raster_source *image);

#endif
