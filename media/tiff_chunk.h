// Strips and tiles of a TIFF, whole or not at all. libtiff takes some damage for a mere warning,
// and then leaves a part of the caller's memory as it was.
#ifndef ORRERY_MEDIA_TIFF_CHUNK_H
#define ORRERY_MEDIA_TIFF_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include <tiffio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_chunk {
    ORR_CHUNK_WHOLE,
    ORR_CHUNK_FAILED, // libtiff said why
    ORR_CHUNK_SHORT   // the data hold fewer rows than the page says; libtiff said nothing
} orr_chunk;

// Decodes strip or tile `chunk`, of `bytes` bytes with rows of `row` bytes, into `pixels`, which
// hold nothing but what was decoded: zeros where nothing was.
orr_chunk orr_tiff_chunk_read(TIFF *tiff, uint32_t chunk, uint8_t *pixels, size_t bytes,
                              size_t row);

// Does this warning, which came while pixels were decoded, tell of damage? Those of odd ways to
// write sound pixels do not.
int orr_tiff_warning_is_damage(const char *text);

#ifdef __cplusplus
}
#endif
#endif
