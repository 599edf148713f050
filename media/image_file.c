#include "media/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "media/image_codecs.h"

static uint8_t through_window(int32_t value, const orr_window *window) {
    if (value <= window->low) return 0;
    if (value >= window->high) return 255;
    int64_t span = (int64_t)window->high - window->low, above = (int64_t)value - window->low;
    return (uint8_t)((above * 510 + span) / (2 * span));
}

// 16-bit samples to 8 bits in place, then the turning round of min-is-white.
static void narrow(orr_raster_source *image, const orr_window *window) {
    size_t count = (size_t)image->width * image->height * image->channels;
    uint8_t *out = image->samples;
    for (size_t i = 0; image->sample_bytes == 2 && i < count; i++) {
        uint16_t wide;
        memcpy(&wide, image->samples + 2 * i, 2);
        out[i] = window ? through_window(image->is_signed ? (int16_t)wide : wide, window)
                        : (uint8_t)(wide >> 8);
    }
    for (size_t i = 0; image->inverted && i < count; i++) out[i] = (uint8_t)~out[i];
}

static int starts_with(const orr_raster_source *image, const char *magic, size_t bytes) {
    return image->length >= bytes && !memcmp(image->bytes, magic, bytes);
}

static orr_status decode(orr_raster_source *image) {
    if (starts_with(image, "\x89PNG\r\n\x1a\n", 8)) return orr_png_decode(image);
    if (starts_with(image, "\xff\xd8\xff", 3)) return orr_jpeg_decode(image);
    if (starts_with(image, "II\x2a\0", 4) || starts_with(image, "MM\0\x2a", 4) ||
        starts_with(image, "II\x2b\0", 4) || starts_with(image, "MM\0\x2b", 4))
        return orr_tiff_decode(image);
    return orr_raster_refuse(image, "it is no image of a known kind");
}

orr_status orr_raster_decode(const uint8_t *bytes, size_t length, const char *shown,
                             const orr_window *window, orr_raster *raster, orr_error *error) {
    memset(raster, 0, sizeof *raster);
    if (window && window->low >= window->high)
        return orr_fail(error, ORR_USAGE, "a window needs its low end below its high end");
    orr_raster_source *image = calloc(1, sizeof *image);
    if (!image) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    image->shown = shown;
    image->bytes = bytes;
    image->length = length;
    image->error = error;
    orr_status status = decode(image);
    if (status == ORR_OK && image->is_signed && !window)
        status = orr_raster_refuse(image, "its samples are signed, which needs a window");
    if (status == ORR_OK) {
        narrow(image, window);
        *raster = (orr_raster){.width = image->width,
                               .height = image->height,
                               .channels = image->channels,
                               .pixels = image->samples,
                               .flaw = image->flaw};
        if (image->sample_bytes == 2) { // gives half of it back; shrinking that fails is no harm
            size_t count = (size_t)image->width * image->height * image->channels;
            explicit_bzero(image->samples + count, count);
            uint8_t *smaller = realloc(image->samples, count);
            if (smaller) raster->pixels = smaller;
        }
        image->samples = NULL;
    }
    orr_media_free(image->samples);
    orr_media_free(image->scratch);
    free(image);
    return status;
}

orr_status orr_raster_read_fd(int fd, const char *shown, const orr_window *window,
                              orr_raster *raster, orr_error *error) {
    struct stat info;
    memset(raster, 0, sizeof *raster);
    if (fstat(fd, &info))
        return orr_fail(error, ORR_IO, "%s: cannot read: %s", shown, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: a directory; name the image files in it, as in %s/*.png", shown,
                        shown);
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > ORR_IMAGE_MAX_FILE)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: not usable: an image is a regular file of at most 64 MiB", shown);
    size_t size = (size_t)info.st_size;
    uint8_t *bytes = malloc(size + 1);
    if (!bytes) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    orr_status status;
    size_t length = orr_pread_in_full(fd, bytes, size, 0);
    if (length < size && errno)
        status = orr_fail(error, ORR_IO, "%s: cannot read: %s", shown, strerror(errno));
    else // it may be shorter than it was; the decoder will say so
        status = orr_raster_decode(bytes, length, shown, window, raster, error);
    orr_media_free(bytes);
    return status;
}

orr_status orr_raster_read(const char *path, const orr_window *window, orr_raster *raster,
                           orr_error *error) {
    memset(raster, 0, sizeof *raster);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO without writer must not hang
    if (fd < 0) return orr_fail(error, ORR_IO, "%s: cannot open: %s", path, strerror(errno));
    orr_status status = orr_raster_read_fd(fd, path, window, raster, error);
    close(fd);
    return status;
}

orr_status orr_raster_new(uint32_t width, uint32_t height, uint32_t channels, orr_raster *raster,
                          orr_error *error) {
    memset(raster, 0, sizeof *raster);
    if (!width || !height || height > ORR_IMAGE_MAX_PIXELS / width)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "a picture of %u x %u pixels is outside 1 to 64 Mi pixels", width, height);
    if (channels != 1 && channels != 3)
        return orr_fail(error, ORR_UNSUPPORTED, "a picture has 1 or 3 channels, not %u", channels);
    raster->pixels = calloc((size_t)width * height, channels);
    if (!raster->pixels)
        return orr_fail(error, ORR_INTERNAL, "no memory for a picture of %u x %u pixels", width,
                        height);
    raster->width = width;
    raster->height = height;
    raster->channels = channels;
    return ORR_OK;
}

void orr_raster_free(orr_raster *raster) {
    orr_media_free(raster->pixels);
    memset(raster, 0, sizeof *raster);
}
