#include "bench/evidence/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "host/paper/image.h"
#include "media/phantom_draw.h"

#define MIN_SIDE 16
#define MEMORY_LIMIT ((uint64_t)2 << 30)

void orr_pictures_free(orr_pictures *pictures) {
    for (size_t n = 0; n < pictures->count; n++) {
        free(pictures->list[n].name);
        free((void *)pictures->list[n].samples.data);
    }
    free(pictures->list);
    *pictures = (orr_pictures){0};
}

orr_status orr_pictures_add(orr_pictures *pictures, const char *name, uint8_t *data,
                            uint32_t channels, uint32_t rows, uint32_t columns, unsigned bits,
                            orr_error *error) {
    orr_picture *list = realloc(pictures->list, (pictures->count + 1) * sizeof *list);
    char *copy = orr_utf8_repair(name);
    if (list) pictures->list = list;
    if (!list || !copy || !data) {
        free(copy);
        free(data);
        return orr_fail(error, ORR_INTERNAL, "%s: memory ran out", name);
    }
    orr_picture *picture = &list[pictures->count++];
    *picture = (orr_picture){.name = copy,
                             .samples = {data, channels, rows, columns, bits},
                             .shape = {channels, rows, columns * (bits / 8)}};
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '_'; // the report has lines and columns
    picture->bytes = orr_samples_bytes(&picture->samples);
    return ORR_OK;
}

static const char *last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static orr_status check_size(const char *path, uint32_t width, uint32_t height, orr_error *error) {
    if (width >= MIN_SIDE && height >= MIN_SIDE) return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: %u x %u pixels are too few to measure: give an image of at least %d x %d",
                    path, width, height, MIN_SIDE, MIN_SIDE);
}

// Deep pixels through the reader of the paper profile. *taken stays 0 when it does not take the
// file, whatever the reason: the general reader then says what is wrong.
static orr_status add_deep(orr_pictures *pictures, const char *path, int *taken, orr_error *error) {
    orr_image_source *source = NULL;
    uint8_t *volume = NULL;
    orr_status status = ORR_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return orr_fail(error, ORR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (orr_image_open(&source, fd, path, MEMORY_LIMIT, NULL) != ORR_OK) goto end;
    const orr_image_page *page = &orr_image_of(source)->pages[0];
    unsigned colours = page->samples - orr_page_extra_count(page);
    uint64_t bytes = orr_page_bytes(page);
    if (page->bits != 16 || (colours != 1 && colours != 3) ||
        (uint64_t)page->width * page->height > ORR_IMAGE_MAX_PIXELS)
        goto end;
    status = check_size(path, page->width, page->height, error);
    if (status != ORR_OK) goto end;
    volume = malloc((size_t)bytes);
    if (!volume) {
        status = orr_fail(error, ORR_INTERNAL, "%s: memory ran out", path);
        goto end;
    }
    status = orr_image_read_page(source, 0, volume, error);
    if (status != ORR_OK) goto end;
    if (page->sample_format == 2)
        for (uint64_t n = 0; n < bytes; n += 2) volume[n] ^= 0x80;
    *taken = 1;
    status = orr_pictures_add(pictures, last_component(path), volume, colours, page->height,
                              page->width, 16, error);
    volume = NULL;
end:
    free(volume);
    if (source) orr_image_close(source);
    close(fd);
    return status;
}

orr_status orr_pictures_add_file(orr_pictures *pictures, const char *path, orr_error *error) {
    orr_raster raster = {0};
    int taken = 0;
    orr_status status = add_deep(pictures, path, &taken, error);
    if (status != ORR_OK || taken) return status;
    status = orr_raster_read(path, NULL, &raster, error);
    if (status == ORR_OK) status = check_size(path, raster.width, raster.height, error);
    if (status != ORR_OK) {
        orr_raster_free(&raster);
        return status;
    }
    size_t plane = (size_t)raster.width * raster.height;
    uint8_t *data = malloc(plane * raster.channels);
    for (size_t k = 0; data && k < raster.channels; k++)
        for (size_t n = 0; n < plane; n++)
            data[k * plane + n] = raster.pixels[n * raster.channels + k];
    status = orr_pictures_add(pictures, last_component(path), data, raster.channels, raster.height,
                              raster.width, 8, error);
    if (status == ORR_OK) pictures->list[pictures->count - 1].flaw = raster.flaw;
    orr_raster_free(&raster);
    return status;
}

// A drawn image's interleaved pixels as a volume; frees them.
static orr_status add_phantom(orr_pictures *pictures, const char *name, int drawn,
                              phantom_image *image, orr_error *error) {
    if (drawn != 0) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    size_t plane = (size_t)image->width * image->height, depth = image->bits / 8u;
    uint8_t *data = malloc(plane * image->samples * depth);
    for (size_t k = 0; data && k < image->samples; k++) {
        for (size_t n = 0; n < plane; n++) {
            size_t from = n * image->samples + k, to = k * plane + n;
            if (depth == 1) {
                data[to] = image->pixels[from];
            } else {
                uint16_t sample;
                memcpy(&sample, image->pixels + 2 * from, 2);
                data[2 * to] = (uint8_t)(sample >> 8);
                data[2 * to + 1] = (uint8_t)sample;
            }
        }
    }
    free(image->pixels);
    return orr_pictures_add(pictures, name, data, image->samples, image->height, image->width,
                            image->bits, error);
}

orr_status orr_pictures_add_phantoms(orr_pictures *pictures, uint32_t side, uint64_t seed,
                                     orr_error *error) {
    phantom_image image;
    int drawn = draw_ct(&image, seed, side, 0.5f);
    orr_status status = add_phantom(pictures, "CT phantom", drawn, &image, error);
    if (status != ORR_OK) return status;
    drawn = draw_histology(&image, seed, side, side, 1);
    status = add_phantom(pictures, "section phantom", drawn, &image, error);
    if (status != ORR_OK) return status;
    drawn = draw_ultrasound(&image, seed, side, 0.25f);
    return add_phantom(pictures, "ultrasound phantom", drawn, &image, error);
}

orr_status orr_picture_raster(const orr_picture *picture, const uint8_t *data, uint32_t side,
                              int shrink, orr_raster *raster, orr_error *error) {
    const orr_samples *s = &picture->samples;
    uint32_t longest = s->rows > s->columns ? s->rows : s->columns;
    uint32_t step = shrink && longest > side ? (longest + side - 1) / side : 1;
    uint32_t width = s->columns / step, height = s->rows / step;
    unsigned depth = s->bits / 8;
    if (width > side) width = side;
    if (height > side) height = side;
    orr_status status = orr_raster_new(width, height, s->channels, raster, error);
    if (status != ORR_OK) return status;
    // 12-bit scans in 16 bits would be black: stretch to the brightest sample.
    uint32_t peak = 1;
    orr_samples view = orr_picture_view(picture, data);
    for (uint64_t n = 0; n < orr_samples_count(&view); n++)
        if (orr_sample(&view, n) > peak) peak = orr_sample(&view, n);
    for (uint32_t k = 0; k < s->channels; k++) {
        for (uint32_t y = 0; y < height; y++) {
            for (uint32_t x = 0; x < width; x++) {
                uint64_t n = ((uint64_t)k * s->rows + (uint64_t)y * step) * s->columns + x * step;
                uint32_t value = orr_sample(&view, n);
                raster->pixels[((size_t)y * width + x) * s->channels + k] =
                    (uint8_t)(depth == 1 ? value : value * 255u / peak);
            }
        }
    }
    return ORR_OK;
}
