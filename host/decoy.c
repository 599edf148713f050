// Channel sums of decoy images. The files are as untrusted as any other: each is read into memory
// under a cap, its size in pixels is checked before anything is decoded, and rows are summed as
// they come.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h> // after stdio.h
#include <png.h>
#include <tiffio.h>

#include "host/keyring.h"

#define MAX_FILE ((size_t)64 << 20)
#define MAX_PIXELS ((uint64_t)64 << 20)
#define MAX_SCANS 100                   // a progressive JPEG may repeat scans without end
#define MAX_BLOCK ((uint64_t)256 << 20) // one decoded TIFF strip or tile
#define MAX_DECODED \
    ((uint64_t)1536 << 20) // all of them: 64 Mpixel of 4 x 16 bits, and tile padding

// One image in memory on its way to its sums. Lives outside the frames that longjmp leaves.
typedef struct source {
    const char *path;
    const uint8_t *bytes;
    size_t length, at;
    orr_decoy sums;
    uint8_t *row; // scratch, freed by orr_decoy_from_image
    orr_error *error;
    jmp_buf escape;
    char message[160]; // of the decoder
} source;

static orr_status refuse(source *image, const char *why) {
    return orr_fail(
        image->error, ORR_UNSUPPORTED,
        "%s: not usable as a decoy: %s; give an 8- or 16-bit gray, palette or RGB PNG, JPEG "
        "or TIFF",
        image->path, why);
}

static orr_status out_of_memory(source *image) {
    return orr_fail(image->error, ORR_INTERNAL, "%s: out of memory", image->path);
}

static orr_status check_size(source *image, uint64_t width, uint64_t height) {
    if (width && height && width <= MAX_PIXELS && height <= MAX_PIXELS / width) return ORR_OK;
    return refuse(image, "it has no pixels, or more than 64 Mi");
}

// Adds `pixels` pixels of `samples` bytes each, `stride` apart; one sample counts for all channels.
static void add_pixels(orr_decoy *sums, const uint8_t *row, size_t pixels, size_t samples,
                       size_t stride) {
    uint64_t total[3] = {0, 0, 0};
    for (size_t i = 0; i < pixels; i++, row += stride)
        for (size_t c = 0; c < 3; c++) total[c] += row[samples >= 3 ? c : 0];
    for (int c = 0; c < 3; c++) sums->sum[c] += total[c];
}

// ---- PNG

static void png_fail(png_structp png, png_const_charp text) {
    source *image = png_get_error_ptr(png);
    snprintf(image->message, sizeof image->message, "%s", text);
    longjmp(image->escape, 1);
}

static void png_ignore(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void png_take(png_structp png, png_bytep out, size_t bytes) {
    source *image = png_get_io_ptr(png);
    if (bytes > image->length - image->at) png_error(png, "the file is truncated");
    memcpy(out, image->bytes + image->at, bytes);
    image->at += bytes;
}

// Every sample to 8 bits (16 bits: the high byte), palettes to RGB, no alpha.
static void png_transform(png_structp png, png_infop info) {
    int type = png_get_color_type(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png, info) < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_read_update_info(png, info);
}

// Interlaced passes are summed as they stand: together they hold each pixel once.
static orr_status png_rows(source *image, png_structp png, png_infop info) {
    png_read_info(png, info);
    uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    orr_status status = check_size(image, width, height);
    if (status) return status;
    int interlaced = png_get_interlace_type(png, info) == PNG_INTERLACE_ADAM7;
    png_transform(png, info);
    size_t channels = png_get_channels(png, info);
    image->row = malloc(png_get_rowbytes(png, info));
    if (!image->row) return out_of_memory(image);
    for (int pass = 0; pass < (interlaced ? 7 : 1); pass++) {
        uint32_t columns = interlaced ? PNG_PASS_COLS(width, pass) : width;
        uint32_t rows = interlaced ? PNG_PASS_ROWS(height, pass) : height;
        for (uint32_t y = 0; columns && y < rows; y++) {
            png_read_row(png, image->row, NULL);
            add_pixels(&image->sums, image->row, columns, channels, channels);
        }
    }
    png_read_end(png, NULL);
    return ORR_OK;
}

static orr_status sum_png(source *image) {
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, image, png_fail, png_ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return out_of_memory(image);
    }
    orr_status status;
    if (setjmp(image->escape)) {
        status = refuse(image, image->message);
    } else {
        png_set_user_limits(png, 1 << 26, 1 << 26);
        png_set_chunk_malloc_max(png, 8 << 20);
        png_set_read_fn(png, image, png_take);
        status = png_rows(image, png, info);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return status;
}

// ---- JPEG

static void jpeg_fail(j_common_ptr jpeg) {
    source *image = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    snprintf(image->message, sizeof image->message, "%.150s", text);
    longjmp(image->escape, 1);
}

// A corrupt or truncated JPEG is only a warning to libjpeg; here it is the end.
static void jpeg_message(j_common_ptr jpeg, int level) {
    if (level < 0) jpeg_fail(jpeg);
}

static void jpeg_progress(j_common_ptr jpeg) {
    if (jpeg->is_decompressor && ((j_decompress_ptr)jpeg)->input_scan_number > MAX_SCANS) {
        source *image = jpeg->client_data;
        snprintf(image->message, sizeof image->message, "it has more than %d scans", MAX_SCANS);
        longjmp(image->escape, 1);
    }
}

static orr_status jpeg_rows(source *image, j_decompress_ptr jpeg) {
    jpeg_read_header(jpeg, TRUE);
    orr_status status = check_size(image, jpeg->image_width, jpeg->image_height);
    if (status) return status;
    if (jpeg->num_components != 1 && jpeg->num_components != 3)
        return refuse(image, "it is neither gray nor RGB");
    jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(jpeg);
    size_t samples = (size_t)jpeg->output_components;
    image->row = malloc(jpeg->output_width * samples);
    if (!image->row) return out_of_memory(image);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = image->row;
        jpeg_read_scanlines(jpeg, &row, 1);
        add_pixels(&image->sums, row, jpeg->output_width, samples, samples);
    }
    jpeg_finish_decompress(jpeg);
    return ORR_OK;
}

static orr_status sum_jpeg(source *image) {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress = {.progress_monitor = jpeg_progress};
    orr_status status;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = jpeg_fail;
    errors.emit_message = jpeg_message;
    jpeg.client_data = image;
    if (setjmp(image->escape)) {
        status = refuse(image, image->message);
    } else {
        jpeg_create_decompress(&jpeg);
        jpeg.progress = &progress;
        jpeg_mem_src(&jpeg, image->bytes, image->length);
        status = jpeg_rows(image, &jpeg);
    }
    jpeg_destroy_decompress(&jpeg);
    return status;
}

// ---- TIFF: the first page

static tmsize_t tiff_read(thandle_t handle, void *out, tmsize_t bytes) {
    source *image = handle;
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
    source *image = handle;
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
    return ((source *)handle)->length;
}

static int tiff_error(TIFF *tiff, void *user, const char *module, const char *format,
                      va_list args) {
    source *image = user;
    (void)tiff;
    (void)module;
    if (!image->message[0]) vsnprintf(image->message, sizeof image->message, format, args);
    return 1; // handled
}

static int tiff_ignore(TIFF *tiff, void *user, const char *module, const char *format,
                       va_list args) {
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)args;
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

static orr_status tiff_describe(source *image, TIFF *tiff, tiff_layout *t) {
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
    orr_status status = check_size(image, t->width, t->height);
    if (status) return status;
    if ((t->bits != 8 && t->bits != 16) || t->samples < 1 || t->samples > 5 ||
        (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID))
        return refuse(image, "its samples are not 1 to 5 unsigned ones of 8 or 16 bits");
    if (t->photometric == PHOTOMETRIC_YCBCR && compression == COMPRESSION_JPEG) {
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        t->photometric = PHOTOMETRIC_RGB;
    }
    int gray = t->photometric == PHOTOMETRIC_MINISBLACK || t->photometric == PHOTOMETRIC_MINISWHITE;
    int rgb = t->photometric == PHOTOMETRIC_RGB && t->samples >= 3;
    int palette =
        t->photometric == PHOTOMETRIC_PALETTE && t->bits == 8 && t->samples == 1 &&
        TIFFGetField(tiff, TIFFTAG_COLORMAP, &t->palette[0], &t->palette[1], &t->palette[2]);
    if (!gray && !rgb && !palette) return refuse(image, "it is neither gray, palette nor RGB");
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
        t->block_bytes > MAX_DECODED / t->blocks)
        return refuse(image, "its strips or tiles make no sense");
    return ORR_OK;
}

// Adds `pixels` of one decoded row to the sums of the channels that it holds: all of them when
// plane is negative, else those of that plane. libtiff delivers 16-bit samples in the machine's
// order.
static void tiff_add_row(source *image, const tiff_layout *t, const uint8_t *row, size_t pixels,
                         int plane) {
    size_t stride = plane < 0 ? t->samples : 1;
    for (size_t i = 0; i < pixels; i++, row += stride * (t->bits / 8u)) {
        for (size_t c = 0; c < 3; c++) {
            size_t sample = t->photometric == PHOTOMETRIC_RGB ? c : 0;
            if (plane >= 0 && sample != (size_t)plane) continue;
            size_t place = plane < 0 ? sample : 0;
            uint16_t wide = row[place];
            if (t->bits == 16) memcpy(&wide, row + 2 * place, 2);
            uint8_t value = t->bits == 16 ? (uint8_t)(wide >> 8) : (uint8_t)wide;
            if (t->palette[0]) value = (uint8_t)(t->palette[c][value] >> 8);
            if (t->photometric == PHOTOMETRIC_MINISWHITE) value = (uint8_t)~value;
            image->sums.sum[c] += value;
        }
    }
}

static orr_status tiff_blocks(source *image, TIFF *tiff) {
    tiff_layout t;
    orr_status status = tiff_describe(image, tiff, &t);
    if (status) return status;
    int separate = t.planar != PLANARCONFIG_CONTIG && t.samples > 1;
    size_t pixel = (separate ? 1u : t.samples) * (t.bits / 8u);
    uint64_t across = (t.width + (uint64_t)t.block_width - 1) / t.block_width;
    uint64_t down = (t.height + (uint64_t)t.block_height - 1) / t.block_height;
    if (across * down * (separate ? t.samples : 1u) != t.blocks)
        return refuse(image, "its strips or tiles make no sense");
    image->row = calloc(1, (size_t)t.block_bytes);
    if (!image->row) return out_of_memory(image);
    for (uint32_t block = 0; block < t.blocks; block++) {
        uint64_t place = block % (across * down);
        uint64_t x = place % across * t.block_width, y = place / across * t.block_height;
        uint64_t columns = t.width - x < t.block_width ? t.width - x : t.block_width;
        uint64_t rows = t.height - y < t.block_height ? t.height - y : t.block_height;
        uint64_t row_bytes = (uint64_t)t.block_width * pixel;
        tmsize_t want = t.tiled ? (tmsize_t)t.block_bytes : (tmsize_t)(rows * row_bytes);
        tmsize_t got = t.tiled ? TIFFReadEncodedTile(tiff, block, image->row, want)
                               : TIFFReadEncodedStrip(tiff, block, image->row, want);
        if (got != want) return refuse(image, image->message[0] ? image->message : "it is damaged");
        int plane = separate ? (int)(block / (across * down)) : -1;
        for (uint64_t i = 0; i < rows; i++)
            tiff_add_row(image, &t, image->row + i * row_bytes, (size_t)columns, plane);
    }
    return ORR_OK;
}

static orr_status sum_tiff(source *image) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return out_of_memory(image);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)MAX_BLOCK);
    TIFFOpenOptionsSetErrorHandlerExtR(options, tiff_error, image);
    TIFFOpenOptionsSetWarningHandlerExtR(options, tiff_ignore, image);
    // "m": no memory map; the read function serves from memory.
    TIFF *tiff = TIFFClientOpenExt(image->path, "rm", image, tiff_read, tiff_write, tiff_seek,
                                   tiff_close, tiff_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    if (!tiff) return refuse(image, image->message[0] ? image->message : "libtiff cannot open it");
    orr_status status = tiff_blocks(image, tiff);
    TIFFClose(tiff);
    return status;
}

// ---- files

static orr_status read_image(const char *path, uint8_t **bytes, size_t *length, orr_error *error) {
    struct stat info;
    orr_status status = ORR_IO;
    *bytes = NULL;
    *length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return orr_fail(error, ORR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &info)) {
        orr_fail(error, status, "%s: cannot read: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > MAX_FILE) {
        status = orr_fail(error, ORR_UNSUPPORTED, "%s: a decoy is a regular file of at most 64 MiB",
                          path);
        goto out;
    }
    size_t size = (size_t)info.st_size;
    *bytes = malloc(size + 1);
    if (!*bytes) {
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", path);
        goto out;
    }
    while (*length < size) {
        ssize_t n = read(fd, *bytes + *length, size - *length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            orr_fail(error, status, "%s: cannot read: %s", path, strerror(errno));
            goto out;
        }
        if (n == 0) break;
        *length += (size_t)n;
    }
    status = ORR_OK;
out:
    close(fd);
    return status;
}

static int starts_with(const source *image, const char *magic, size_t bytes) {
    return image->length >= bytes && !memcmp(image->bytes, magic, bytes);
}

orr_status orr_decoy_from_image(const char *path, orr_decoy *decoy, orr_error *error) {
    uint8_t *bytes;
    size_t length;
    memset(decoy, 0, sizeof *decoy);
    orr_status status = read_image(path, &bytes, &length, error);
    source *image = calloc(1, sizeof *image);
    if (!status && !image) status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", path);
    if (status) goto out;
    image->path = path;
    image->bytes = bytes;
    image->length = length;
    image->error = error;
    if (starts_with(image, "\x89PNG\r\n\x1a\n", 8))
        status = sum_png(image);
    else if (starts_with(image, "\xff\xd8\xff", 3))
        status = sum_jpeg(image);
    else if (starts_with(image, "II\x2a\0", 4) || starts_with(image, "MM\0\x2a", 4) ||
             starts_with(image, "II\x2b\0", 4) || starts_with(image, "MM\0\x2b", 4))
        status = sum_tiff(image);
    else
        status = refuse(image, "it is no image of a known kind");
    if (!status) *decoy = image->sums;
out:
    if (image) {
        free(image->row);
        orr_wipe(image, sizeof *image);
    }
    free(image);
    free(bytes);
    return status;
}
