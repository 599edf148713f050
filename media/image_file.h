// Images of strangers in, PNG out. Files are read into memory under a cap, their size in pixels is
// checked before anything of that size is allocated, and what comes out is 8 bits a sample.
#ifndef ORRERY_MEDIA_IMAGE_FILE_H
#define ORRERY_MEDIA_IMAGE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_IMAGE_MAX_FILE ((size_t)64 << 20)     // bytes of a file
#define ORR_IMAGE_MAX_PIXELS ((uint64_t)64 << 20) // width times height

// 8-bit pixels, rows from the top, interleaved: sample c of pixel (x, y) is
// pixels[(y * width + x) * channels + c]. channels is 1 (gray) or 3 (red, green, blue).
typedef struct orr_raster {
    uint32_t width, height, channels;
    uint8_t *pixels; // owned; malloc
    const char
        *flaw; // what the file lacks though every pixel is there, for a warning; static; or NULL
} orr_raster;

// How 16-bit samples become 8: low and what is below it 0, high and what is above it 255, a
// straight line between. 8-bit samples are left alone.
typedef struct orr_window {
    int32_t low, high; // low < high
} orr_window;

// Reads a PNG, a JPEG or the first page of a TIFF: 8- or 16-bit gray, palette or RGB (PNG also 1, 2
// and 4 bits of gray). Alpha and further samples are dropped, min-is-white is turned round. Without
// `window` 16-bit samples give their high byte; signed ones (TIFF) need a window. ORR_IO when the
// file cannot be read, ORR_UNSUPPORTED when it is no such image, is damaged, or is larger than the
// caps above. A JPEG without its end-of-image marker, or a PNG without its IEND chunk, is read with
// `flaw` set; where pixels are missing too the file is damaged. On failure *raster is all zero.
// Free it with orr_raster_free.
orr_status orr_raster_read(const char *path, const orr_window *window, orr_raster *raster,
                           orr_error *error);
// The same from an open descriptor, read from its start; `shown` names it in messages.
orr_status orr_raster_read_fd(int fd, const char *shown, const orr_window *window,
                              orr_raster *raster, orr_error *error);
// The same from bytes in memory.
orr_status orr_raster_decode(const uint8_t *bytes, size_t length, const char *shown,
                             const orr_window *window, orr_raster *raster, orr_error *error);
// A black raster. ORR_INTERNAL when memory runs out, ORR_UNSUPPORTED above the cap on pixels.
orr_status orr_raster_new(uint32_t width, uint32_t height, uint32_t channels, orr_raster *raster,
                          orr_error *error);
// Also of an all-zero one. The pixels are wiped: they may be a decoy's, or a patient's.
void orr_raster_free(orr_raster *raster);

// The raster as a PNG in memory (malloc'ed; the caller frees it).
orr_status orr_png_encode(const orr_raster *raster, uint8_t **bytes, size_t *length,
                          orr_error *error);
// The raster as a new PNG file, mode 0600 (the picture may be a patient's), flushed to the disk. An
// existing file is never overwritten: ORR_EXISTS. What could not be written whole is removed.
orr_status orr_png_write(const orr_raster *raster, const char *path, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
