// The first page of a TIFF through libtiff: whole strips or tiles, planes together or apart.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#include "media/image_codecs.h"
#include "media/tiff_chunk.h"

#define MAX_BLOCK ((uint64_t)256 << 20) // one decoded strip or tile
#define FREE_BLOCK ((uint64_t)16 << 20) // a tile this large may be declared around any image
// All of them: 64 Mpixel of 4 x 16 bits, and what pads tiles.
#define MAX_DECODED ((uint64_t)1536 << 20)

static tmsize_t tiff_read(thandle_t handle, void *out, tmsize_t bytes) {
    orr_raster_source *image = handle;
    size_t left = image->length - image->at, n = (size_t)bytes < left ? (size_t)bytes : left;
    memcpy(out, image->bytes + image->at, n);
    image->at += n;
    return (tmsize_t)n;
}

static tmsize_t tiff_write(thandle_t handle, void *in, tmsize_t bytes) {
    (void)handle;
    (void)in;
    (void)bytes;
    return -1;
}

static toff_t tiff_seek(thandle_t handle, toff_t offset, int whence) {
    orr_raster_source *image = handle;
    toff_t base = whence == SEEK_CUR ? image->at : whence == SEEK_END ? image->length : 0;
    toff_t at = base + offset; // offset may be a negative number in disguise
    image->at = at > image->length ? image->length : (size_t)at;
    return at;
}

static int tiff_close(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t tiff_size(thandle_t handle) {
    return ((orr_raster_source *)handle)->length;
}

static int tiff_error(TIFF *tiff, void *user, const char *module, const char *format,
                      va_list args) {
    orr_raster_source *image = user;
    (void)tiff;
    (void)module;
    if (image->message[0]) return 1;
    vsnprintf(image->message, sizeof image->message, format, args);
    orr_one_line(image->message);
    return 1; // handled
}

// Of damaged pixels libtiff may only warn.
static int tiff_warning(TIFF *tiff, void *user, const char *module, const char *format,
                        va_list args) {
    orr_raster_source *image = user;
    char text[sizeof image->message];
    (void)tiff;
    (void)module;
    vsnprintf(text, sizeof text, format, args);
    orr_one_line(text);
    if (image->scratch && orr_tiff_warning_is_damage(text)) {
        if (!image->message[0]) memcpy(image->message, text, sizeof text);
        image->cut = 1;
    }
    return 1;
}

typedef struct tiff_layout {
    uint32_t width, height, block_width, block_height;
    uint16_t bits, samples, photometric, planar;
    const uint16_t *palette[3];
    int tiled;
    uint32_t blocks; // of all planes
    uint64_t block_bytes;
} tiff_layout;

// Strips or tiles: their shape, number and size, within the caps.
static orr_status describe_blocks(orr_raster_source *image, TIFF *tiff, tiff_layout *t) {
    t->tiled = TIFFIsTiled(tiff);
    t->block_width = t->width;
    t->block_height = t->height;
    if (t->tiled) {
        TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &t->block_width);
        TIFFGetField(tiff, TIFFTAG_TILELENGTH, &t->block_height);
    } else {
        TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &t->block_height);
        if (t->block_height > t->height) t->block_height = t->height;
    }
    t->blocks = t->tiled ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
    t->block_bytes = t->tiled ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff);
    uint64_t samples = t->planar == PLANARCONFIG_CONTIG ? t->samples : 1;
    uint64_t needed = (uint64_t)t->block_width * t->block_height * samples * (t->bits / 8u);
    if (!t->blocks || !needed || t->block_bytes < needed || t->block_bytes > MAX_BLOCK ||
        t->block_bytes > MAX_DECODED / t->blocks ||
        (t->block_bytes > FREE_BLOCK &&
         t->block_bytes / 16 > (uint64_t)t->width * t->height * t->samples * (t->bits / 8u)))
        return orr_raster_refuse(image, "its strips or tiles make no sense");
    return ORR_OK;
}

static orr_status tiff_describe(orr_raster_source *image, TIFF *tiff, tiff_layout *t) {
    uint16_t format = SAMPLEFORMAT_UINT, compression = COMPRESSION_NONE;
    memset(t, 0, sizeof *t);
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &t->width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &t->height);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &t->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &t->samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &t->planar);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &t->photometric)) t->photometric = 0xffff;
    image->is_signed = format == SAMPLEFORMAT_INT && t->bits == 16;
    if ((t->bits != 8 && t->bits != 16) || t->samples < 1 || t->samples > 5 ||
        (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID && !image->is_signed))
        return orr_raster_refuse(image, "its samples are not 1 to 5 integers of 8 or 16 bits");
    if (t->photometric == PHOTOMETRIC_YCBCR && compression == COMPRESSION_JPEG) {
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        t->photometric = PHOTOMETRIC_RGB;
    }
    image->inverted = t->photometric == PHOTOMETRIC_MINISWHITE;
    int gray = t->photometric == PHOTOMETRIC_MINISBLACK || image->inverted;
    int rgb = t->photometric == PHOTOMETRIC_RGB && t->samples >= 3;
    int palette =
        t->photometric == PHOTOMETRIC_PALETTE && t->bits == 8 && t->samples == 1 &&
        TIFFGetField(tiff, TIFFTAG_COLORMAP, &t->palette[0], &t->palette[1], &t->palette[2]);
    if (!gray && !rgb && !palette)
        return orr_raster_refuse(image, "it is neither gray, palette nor RGB");
    return describe_blocks(image, tiff, t);
}

// Puts `pixels` of one decoded row in their place: all channels when plane is negative, else the
// channel of that plane. libtiff delivers 16-bit samples in the machine's order.
static void tiff_put_row(const orr_raster_source *image, const tiff_layout *t, const uint8_t *row,
                         size_t pixels, int plane, uint8_t *out) {
    size_t wide = t->bits / 8u, stride = (plane < 0 ? t->samples : 1u) * wide;
    size_t pixel = image->channels * wide;
    for (size_t i = 0; i < pixels; i++, row += stride, out += pixel) {
        if (t->palette[0]) {
            for (size_t c = 0; c < 3; c++) out[c] = (uint8_t)(t->palette[c][*row] >> 8);
        } else if (plane < 0) {
            memcpy(out, row, pixel);
        } else {
            memcpy(out + (size_t)plane * wide, row, wide);
        }
    }
}

static orr_status tiff_blocks(orr_raster_source *image, TIFF *tiff) {
    tiff_layout t;
    orr_status status = tiff_describe(image, tiff, &t);
    if (status != ORR_OK) return status;
    int separate = t.planar != PLANARCONFIG_CONTIG && t.samples > 1;
    uint64_t across = (t.width + (uint64_t)t.block_width - 1) / t.block_width;
    uint64_t down = (t.height + (uint64_t)t.block_height - 1) / t.block_height;
    if (across * down * (separate ? t.samples : 1u) != t.blocks)
        return orr_raster_refuse(image, "its strips or tiles make no sense");
    uint32_t channels = t.palette[0] || t.photometric == PHOTOMETRIC_RGB ? 3 : 1;
    status = orr_raster_prepare(image, t.width, t.height, channels, t.bits / 8);
    if (status != ORR_OK) return status;
    image->scratch = calloc(1, (size_t)t.block_bytes);
    if (!image->scratch) return orr_raster_out_of_memory(image);
    size_t wide = t.bits / 8u, pixel = image->channels * wide;
    uint64_t row_bytes = (uint64_t)t.block_width * (separate ? 1u : t.samples) * wide;
    for (uint32_t block = 0; block < t.blocks; block++) {
        uint64_t place = block % (across * down);
        uint64_t x = place % across * t.block_width, y = place / across * t.block_height;
        uint64_t columns = t.width - x < t.block_width ? t.width - x : t.block_width;
        uint64_t rows = t.height - y < t.block_height ? t.height - y : t.block_height;
        int plane = separate ? (int)(block / (across * down)) : -1;
        if (plane >= (int)channels) break; // alpha and the like: not looked at
        size_t want = (size_t)(t.tiled ? t.block_bytes : rows * row_bytes);
        if (orr_tiff_chunk_read(tiff, block, image->scratch, want, (size_t)row_bytes) || image->cut)
            return orr_raster_refuse(image, image->message[0] ? image->message : "it is damaged");
        for (uint64_t i = 0; i < rows; i++)
            tiff_put_row(image, &t, image->scratch + i * row_bytes, (size_t)columns, plane,
                         image->samples + ((y + i) * t.width + x) * pixel);
    }
    return ORR_OK;
}

orr_status orr_tiff_decode(orr_raster_source *image) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return orr_raster_out_of_memory(image);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)MAX_BLOCK);
    TIFFOpenOptionsSetErrorHandlerExtR(options, tiff_error, image);
    TIFFOpenOptionsSetWarningHandlerExtR(options, tiff_warning, image);
    // "m": no memory map; the read function serves from memory.
    TIFF *tiff = TIFFClientOpenExt(image->shown, "rm", image, tiff_read, tiff_write, tiff_seek,
                                   tiff_close, tiff_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    if (!tiff)
        return orr_raster_refuse(image,
                                 image->message[0] ? image->message : "libtiff cannot open it");
    orr_status status = tiff_blocks(image, tiff);
    TIFFClose(tiff);
    return status;
}
