// PNG through libpng, whose errors leave through longjmp: what must survive that is in the source.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>

#include "base/bytes.h"
#include "base/fresh.h"
#include "base/io.h"
#include "media/image_codecs.h"

static void png_fail(png_structp png, png_const_charp text) {
    orr_raster_source *image = png_get_error_ptr(png);
    snprintf(image->message, sizeof image->message, "%s", text);
    longjmp(image->escape, 1);
}

// libpng's memory (and through it zlib's) holds rows of pixels: wiped when it is given back.
static png_voidp png_get_memory(png_structp png, png_alloc_size_t bytes) {
    (void)png;
    return malloc(bytes);
}

static void png_free_memory(png_structp png, png_voidp memory) {
    (void)png;
    orr_media_free(memory);
}

static void png_ignore(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void png_take(png_structp png, png_bytep out, size_t bytes) {
    orr_raster_source *image = png_get_io_ptr(png);
    if (bytes > image->length - image->at) {
        image->cut = 1;
        png_error(png, "the file is truncated");
    }
    memcpy(out, image->bytes + image->at, bytes);
    image->at += bytes;
}

// Samples of 8 bits, or 16 in the machine's order; palettes to RGB, no alpha. Returns the passes.
static int png_transform(png_structp png, png_infop info) {
    int type = png_get_color_type(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && png_get_bit_depth(png, info) == 16)
        png_set_swap(png);
    png_set_strip_alpha(png);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return passes;
}

static orr_status png_rows(orr_raster_source *image, png_structp png, png_infop info) {
    png_read_info(png, info);
    uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    int passes = png_transform(png, info), depth = png_get_bit_depth(png, info);
    size_t channels = png_get_channels(png, info), row = png_get_rowbytes(png, info);
    if ((channels != 1 && channels != 3) || (depth != 8 && depth != 16) ||
        row != width * channels * (size_t)(depth / 8))
        return orr_raster_refuse(image, "it is neither gray nor RGB");
    orr_status status = orr_raster_prepare(image, width, height, (uint32_t)channels, depth / 8);
    if (status != ORR_OK) return status;
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < height; y++) png_read_row(png, image->samples + y * row, NULL);
    image->complete = 1;
    png_read_end(png, NULL); // checks what is behind the last row, too
    return ORR_OK;
}

// Is the image data whole in a file that ended too early? libpng has read all rows then, but
// perhaps not the sums that they are checked by. A chunk is length, type, data, sum.
static int png_data_is_complete(const orr_raster_source *image) {
    int seen = 0;
    for (size_t at = 8; image->length - at >= 8;) {
        const uint8_t *head = image->bytes + at;
        size_t length = orr_load_be32(head);
        int data = memcmp(head + 4, "IDAT", 4) == 0;
        if (length + 12 > image->length - at) return seen && !data;
        seen |= data;
        at += length + 12;
    }
    return seen;
}

orr_status orr_png_decode(orr_raster_source *image) {
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, image, png_fail, png_ignore,
                                               NULL, png_get_memory, png_free_memory);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return orr_raster_out_of_memory(image);
    }
    orr_status status;
    if (setjmp(image->escape)) {
        if (image->complete && image->cut && png_data_is_complete(image)) {
            image->flaw = "its end (the IEND chunk) is missing, but no pixel is";
            status = ORR_OK;
        } else {
            status = orr_raster_refuse(image, image->message);
        }
    } else {
        png_set_user_limits(png, 1 << 26, 1 << 26);
        png_set_chunk_malloc_max(png, 8 << 20);
        png_set_read_fn(png, image, png_take);
        status = png_rows(image, png, info);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return status;
}

// ---- writing

typedef struct png_sink {
    uint8_t *bytes;
    size_t length, room;
    jmp_buf escape;
} png_sink;

static void sink_fail(png_structp png, png_const_charp text) {
    (void)text;
    png_sink *sink = png_get_error_ptr(png);
    longjmp(sink->escape, 1);
}

static void sink_put(png_structp png, png_bytep in, size_t bytes) {
    png_sink *sink = png_get_io_ptr(png);
    if (bytes > sink->room - sink->length) {
        size_t room = 2 * sink->room + bytes;
        uint8_t *grown = malloc(room); // not realloc, which would leave a copy
        if (!grown) png_error(png, "out of memory");
        if (sink->length) memcpy(grown, sink->bytes, sink->length);
        orr_media_free(sink->bytes);
        sink->bytes = grown;
        sink->room = room;
    }
    memcpy(sink->bytes + sink->length, in, bytes);
    sink->length += bytes;
}

static void sink_flush(png_structp png) {
    (void)png;
}

static void put_picture(png_structp png, png_infop info, const orr_raster *raster) {
    int type = raster->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
    png_set_IHDR(png, info, raster->width, raster->height, 8, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < raster->height; y++)
        png_write_row(png, raster->pixels + (size_t)y * raster->width * raster->channels);
    png_write_end(png, info);
}

// A frame of its own around setjmp: no variable changes between it and longjmp.
static orr_status put_or_fail(png_sink *sink, png_structp png, png_infop info,
                              const orr_raster *raster) {
    if (setjmp(sink->escape)) return ORR_INTERNAL;
    png_set_write_fn(png, sink, sink_put, sink_flush);
    put_picture(png, info, raster);
    return ORR_OK;
}

orr_status orr_png_encode(const orr_raster *raster, uint8_t **bytes, size_t *length,
                          orr_error *error) {
    *bytes = NULL;
    *length = 0;
    if (!raster->pixels || (raster->channels != 1 && raster->channels != 3))
        return orr_fail(error, ORR_INTERNAL, "a PNG needs pixels of 1 or 3 channels");
    png_sink *sink = calloc(1, sizeof *sink); // not on this frame, which longjmp would spoil
    if (!sink) return orr_fail(error, ORR_INTERNAL, "no memory for a PNG");
    orr_status status = ORR_INTERNAL;
    png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, sink, sink_fail, png_ignore,
                                                NULL, png_get_memory, png_free_memory);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (info) status = put_or_fail(sink, png, info, raster);
    png_destroy_write_struct(&png, &info);
    if (status != ORR_OK) {
        orr_fail(error, status, "no memory for a PNG");
        orr_media_free(sink->bytes);
    } else {
        *bytes = sink->bytes;
        *length = sink->length;
    }
    free(sink);
    return status;
}

orr_status orr_png_write(const orr_raster *raster, const char *path, orr_error *error) {
    uint8_t *bytes;
    size_t length;
    orr_status status = orr_png_encode(raster, &bytes, &length, error);
    if (status != ORR_OK) return status;
    orr_fresh fresh;
    struct stat info;
    int failed = 0;
    if (!lstat(path, &info)) failed = EEXIST; // before the work; the naming decides
    if (!failed && orr_fresh_begin(&fresh, path)) {
        status = orr_fail(error, ORR_IO, "%s: cannot create: %s", path, strerror(errno));
        orr_fresh_end(&fresh);
        goto end;
    }
    if (!failed) {
        if (orr_write_in_full(fresh.fd, bytes, length) < length ||
            orr_fresh_commit(&fresh, ORR_FRESH_NEW))
            failed = errno;
        orr_fresh_end(&fresh);
    }
    if (failed == EEXIST)
        status = orr_fail(error, ORR_EXISTS, "%s: exists already and is not overwritten", path);
    else if (failed)
        status = orr_fail(error, ORR_IO, "%s: cannot write: %s%s", path, strerror(failed),
                          failed == ENOSPC || failed == EDQUOT
                              ? ": free some space and run the command again"
                              : "");
end:
    orr_media_free(bytes);
    return status;
}
