// Draws sample scans: phantoms that look like a hospital's archive and belong to nobody.
//
// The same options give the same bytes. Tags carry invented patient data (PATIENT_NAME below), so
// that a test can look for it in encrypted files. media/phantom_draw.h has the pictures.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <png.h>
#include <tiffio.h>

#include "media/phantom_draw.h"

#define PATIENT_NAME "PATIENT^EXAMPLE"
#define PATIENT_ID "EX-0001942"
#define FIRST_MTIME 1551945600 // 7 March 2019, 08:00 UTC; each file is a minute later

typedef struct phantom_options {
    const char *out;
    const char *kind;
    long count;     // 0: the kind's default
    long long size; // bytes; 0: the kind's default
    uint64_t seed;
} phantom_options;

// ---- files

// Makes a directory and those above it.
static int make_directory(const char *path) {
    char part[4200];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL) *slash = 0;
        if (mkdir(part, 0777) < 0 && errno != EEXIST) {
            fprintf(stderr, "phantom: %s: %s\n", part, strerror(errno));
            return -1;
        }
        if (slash != NULL) *slash = '/';
    }
    return 0;
}

// Gives a finished file its place in time.
static int set_time(const char *path, long index) {
    struct timespec times[2] = {{FIRST_MTIME + 60 * index, 123456789},
                                {FIRST_MTIME + 60 * index, 123456789}};
    return utimensat(AT_FDCWD, path, times, 0);
}

static TIFF *tiff_create(const char *path, int big) {
    TIFF *tiff = TIFFOpen(path, big ? "w8" : "w");
    if (tiff == NULL) fprintf(stderr, "phantom: %s: cannot create\n", path);
    return tiff;
}

// The tags of one page: geometry, and what modalities write about patients.
static void tiff_tags(TIFF *tiff, uint32_t width, uint32_t height, uint16_t samples, uint16_t bits,
                      uint16_t compression, const char *what) {
    char text[512];
    snprintf(text, sizeof text,
             "%s|Patient = " PATIENT_NAME "|PatientID = " PATIENT_ID
             "|BirthDate = 1951-04-12|Sex = F|Accession = A-77310"
             "|Referring = DR^EXAMPLE^REFERRER",
             what);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, compression);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC,
                 samples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, text);
    TIFFSetField(tiff, TIFFTAG_DOCUMENTNAME, "Study of " PATIENT_NAME);
    TIFFSetField(tiff, TIFFTAG_ARTIST, "DR^EXAMPLE^RADIOLOGIST");
    TIFFSetField(tiff, TIFFTAG_HOSTCOMPUTER, "scanner-07.ward-3.example.org");
    TIFFSetField(tiff, TIFFTAG_MAKE, "Example Imaging Works");
    TIFFSetField(tiff, TIFFTAG_MODEL, "Phantom 7");
    TIFFSetField(tiff, TIFFTAG_SOFTWARE, "Orrery phantom");
    TIFFSetField(tiff, TIFFTAG_DATETIME, "2019:03:07 08:00:00");
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 500.0);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 500.0);
}

// Appends an image as a page of strips.
static int tiff_page(TIFF *tiff, const phantom_image *image, uint16_t compression,
                     const char *what) {
    tiff_tags(tiff, image->width, image->height, image->samples, image->bits, compression, what);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 64);
    size_t row = (size_t)image->width * image->samples * (image->bits / 8u);
    for (uint32_t top = 0; top < image->height; top += 64) {
        uint32_t rows = image->height - top < 64 ? image->height - top : 64;
        if (TIFFWriteEncodedStrip(tiff, top / 64, image->pixels + top * row,
                                  (tmsize_t)(rows * row)) < 0)
            return -1;
    }
    return TIFFWriteDirectory(tiff) ? 0 : -1;
}

// One image, one file; frees the image.
static int write_single(const char *path, phantom_image *image, uint16_t compression,
                        const char *what, long index) {
    TIFF *tiff = tiff_create(path, 0);
    int result = tiff ? tiff_page(tiff, image, compression, what) : -1;
    if (tiff) TIFFClose(tiff);
    free(image->pixels);
    return result < 0 ? -1 : set_time(path, index);
}

static int make_ct(const phantom_options *options, const char *directory, long count) {
    for (long n = 0; n < count; n++) {
        char path[4200], what[64];
        snprintf(path, sizeof path, "%s/slice-%04ld.tif", directory, n + 1);
        snprintf(what, sizeof what, "CT chest, slice %ld of %ld", n + 1, count);
        phantom_image image;
        if (draw_ct(&image, options->seed, 512, (float)n / (float)count) < 0) return -1;
        if (write_single(path, &image, n % 2 ? COMPRESSION_LZW : COMPRESSION_NONE, what, n) < 0)
            return -1;
    }
    return 0;
}

static int make_histology(const phantom_options *options, const char *directory, long count) {
    for (long n = 0; n < count; n++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/section-%04ld.tif", directory, n + 1);
        phantom_image image;
        if (draw_histology(&image, options->seed + 100 * (uint64_t)(n + 1), 1024, 768, 1) < 0)
            return -1;
        if (write_single(path, &image, n % 2 ? COMPRESSION_ADOBE_DEFLATE : COMPRESSION_NONE,
                         "H&E section, 20x", 40 + n) < 0)
            return -1;
    }
    return 0;
}

static int make_multipage(const phantom_options *options, const char *directory, long count) {
    char path[4200];
    snprintf(path, sizeof path, "%s/clip.tif", directory);
    TIFF *tiff = tiff_create(path, 0);
    int result = tiff ? 0 : -1;
    for (long n = 0; n < count && result == 0; n++) {
        phantom_image image;
        result = draw_ultrasound(&image, options->seed, 384, (float)n / (float)count);
        if (result < 0) break;
        TIFFSetField(tiff, TIFFTAG_PAGENUMBER, (int)n, (int)count);
        result = tiff_page(tiff, &image, COMPRESSION_PACKBITS, "Ultrasound clip");
        free(image.pixels);
    }
    if (tiff) TIFFClose(tiff);
    return result < 0 ? -1 : set_time(path, 80);
}

// A pyramid as slide scanners write it: tiled BigTIFF, each page half the width of the one before.
static int make_tiled(const phantom_options *options, const char *directory) {
    enum { SIDE = 256, FULL = 2048, LEVELS = 4 };
    char path[4200];
    snprintf(path, sizeof path, "%s/slide.tif", directory);
    TIFF *tiff = tiff_create(path, 1);
    uint8_t *tile = malloc((size_t)SIDE * SIDE * 3);
    int result = tiff && tile ? 0 : -1;
    for (uint32_t level = 0; level < LEVELS && result == 0; level++) {
        uint32_t side = FULL >> level;
        tiff_tags(tiff, side, side, 3, 8, COMPRESSION_ADOBE_DEFLATE, "Whole slide, AppMag = 20");
        TIFFSetField(tiff, TIFFTAG_ZIPQUALITY, 1);
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, SIDE);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, SIDE);
        if (level > 0) TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
        for (uint32_t y = 0; y < side && result == 0; y += SIDE) {
            for (uint32_t x = 0; x < side && result == 0; x += SIDE) {
                draw_tissue(tile, options->seed + 7, x, y, SIDE, SIDE, (float)(1u << level));
                if (TIFFWriteTile(tiff, tile, x, y, 0, 0) < 0) result = -1;
            }
        }
        if (result == 0 && !TIFFWriteDirectory(tiff)) result = -1;
    }
    free(tile);
    if (tiff) TIFFClose(tiff);
    return result < 0 ? -1 : set_time(path, 90);
}

// Adds a little noise to `bytes` (a multiple of 8) of drawn pixels, a word at a time, so that files
// of many gigabytes are quick to make and no two parts are alike.
static void refresh(uint8_t *out, const uint8_t *drawn, size_t bytes, uint64_t mask,
                    phantom_noise *noise) {
    for (size_t n = 0; n < bytes; n += 8) {
        uint64_t word;
        memcpy(&word, drawn + n, 8);
        word ^= noise_next(noise) & mask;
        memcpy(out + n, &word, 8);
    }
}

// A whole-slide-sized tiled BigTIFF of about `size` bytes, uncompressed.
static int make_big(const phantom_options *options, const char *directory, uint64_t size) {
    enum { SIDE = 512, PATTERNS = 8 };
    const size_t tile_bytes = (size_t)SIDE * SIDE * 3;
    char path[4200];
    snprintf(path, sizeof path, "%s/whole-slide.tif", directory);
    uint64_t tiles = size / tile_bytes > 0 ? size / tile_bytes : 1;
    uint32_t across = (uint32_t)sqrt((double)tiles);
    if (across == 0) across = 1;
    uint32_t down = (uint32_t)(tiles / across);
    TIFF *tiff = tiff_create(path, 1);
    uint8_t *drawn = malloc(PATTERNS * tile_bytes), *tile = malloc(tile_bytes);
    int result = tiff && drawn && tile ? 0 : -1;
    phantom_noise noise = {orr_mix64(options->seed + 5)};
    uint32_t patterns = tiles < PATTERNS ? (uint32_t)tiles : PATTERNS;
    for (uint32_t n = 0; n < patterns && result == 0; n++)
        draw_tissue(drawn + n * tile_bytes, options->seed + 9, n * SIDE, 0, SIDE, SIDE, 1);
    if (result == 0) {
        tiff_tags(tiff, across * SIDE, down * SIDE, 3, 8, COMPRESSION_NONE,
                  "Whole slide, AppMag = 40");
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, SIDE);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, SIDE);
    }
    for (uint64_t n = 0; n < (uint64_t)across * down && result == 0; n++) {
        refresh(tile, drawn + noise_next(&noise) % patterns * tile_bytes, tile_bytes,
                0x0303030303030303u, &noise);
        if (TIFFWriteEncodedTile(tiff, (uint32_t)n, tile, (tmsize_t)tile_bytes) < 0) result = -1;
    }
    free(drawn);
    free(tile);
    if (tiff) TIFFClose(tiff);
    return result < 0 ? -1 : set_time(path, 95);
}

// Many small 16-bit scans of half to one and a half times `size` bytes, 1,000 in a directory.
static int make_small_files(const phantom_options *options, const char *directory, long count,
                            uint64_t size) {
    enum { SIDE = 512, ROW = 2 * SIDE };
    phantom_image slice;
    if (draw_ct(&slice, options->seed, SIDE, 0.5f) < 0) return -1;
    phantom_noise noise = {orr_mix64(options->seed + 6)};
    phantom_image image = {.width = SIDE, .samples = 1, .bits = 16};
    int result = 0;
    for (long n = 0; n < count && result == 0; n++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/%03ld", directory, n / 1000);
        if (n % 1000 == 0 && make_directory(path) < 0) return -1;
        snprintf(path, sizeof path, "%s/%03ld/scan-%06ld.tif", directory, n / 1000, n);
        uint64_t bytes = size / 2 + noise_next(&noise) % (size + 1);
        image.height = bytes > 2 * ROW ? (uint32_t)(bytes / ROW) : 2;
        image.pixels = malloc((size_t)image.height * ROW);
        result = image.pixels ? 0 : -1;
        for (uint32_t i = 0; i < image.height && result == 0; i++)
            refresh(image.pixels + (size_t)i * ROW, slice.pixels + (size_t)(i % SIDE) * ROW, ROW,
                    0x000f000f000f000fu, &noise);
        if (result == 0)
            result = write_single(path, &image, COMPRESSION_NONE, "CT chest", n % 100000);
    }
    free(slice.pixels);
    return result;
}

static int make_decoys(const phantom_options *options, const char *directory, long count) {
    for (long n = 0; n < count; n++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/decoy-%04ld.png", directory, n + 1);
        phantom_image image;
        if (draw_decoy(&image, options->seed + 1000 * (uint64_t)(n + 1)) < 0) return -1;
        png_image png = {
            .version = PNG_IMAGE_VERSION, .width = 64, .height = 64, .format = PNG_FORMAT_RGB};
        int good = png_image_write_to_file(&png, path, 0, image.pixels, 0, NULL);
        free(image.pixels);
        if (!good) {
            fprintf(stderr, "phantom: %s: %s\n", path, png.message);
            return -1;
        }
    }
    return 0;
}

// A small archive with one of everything, in a tree such as people keep.
static int make_sample(const phantom_options *options) {
    static const char *const part[] = {"radiology", "radiology/chest ct", "pathology",
                                       "cardiology"};
    char path[4][4160], note[4300];
    for (int n = 0; n < 4; n++) {
        snprintf(path[n], sizeof path[n], "%s/%s", options->out, part[n]);
        if (make_directory(path[n]) < 0) return -1;
    }
    snprintf(note, sizeof note, "%s/report.txt", path[1]);
    FILE *file = fopen(note, "w");
    if (file == NULL) {
        fprintf(stderr, "phantom: %s: %s\n", note, strerror(errno));
        return -1;
    }
    fprintf(file, "Patient: " PATIENT_NAME "\nID: " PATIENT_ID
                  "\nFindings: none; this patient is made of ellipses.\n");
    if (fclose(file) != 0 || set_time(note, 30) < 0) return -1;
    if (make_ct(options, path[1], options->count ? options->count : 6) < 0) return -1;
    if (make_histology(options, path[2], 2) < 0 || make_tiled(options, path[2]) < 0) return -1;
    return make_multipage(options, path[3], 12);
}

static int make(const phantom_options *options) {
    const char *kind = options->kind;
    long count = options->count;
    if (make_directory(options->out) < 0) return -1;
    if (strcmp(kind, "sample") == 0) return make_sample(options);
    if (strcmp(kind, "ct") == 0) return make_ct(options, options->out, count ? count : 6);
    if (strcmp(kind, "histology") == 0)
        return make_histology(options, options->out, count ? count : 2);
    if (strcmp(kind, "multipage") == 0)
        return make_multipage(options, options->out, count ? count : 12);
    if (strcmp(kind, "tiled") == 0) return make_tiled(options, options->out);
    if (strcmp(kind, "decoys") == 0) return make_decoys(options, options->out, count ? count : 16);
    if (strcmp(kind, "small-files") == 0)
        return make_small_files(options, options->out, count ? count : 2000,
                                options->size ? (uint64_t)options->size : 200u << 10);
    if (strcmp(kind, "big") == 0)
        return make_big(options, options->out,
                        options->size ? (uint64_t)options->size : 2ull << 30);
    fprintf(stderr, "phantom: unknown kind %s\n", kind);
    return -1;
}

static const char usage[] =
    "usage: phantom --out DIR [--kind KIND] [--count N] [--size BYTES] [--seed N]\n"
    "\n"
    "Draws sample scans, the same for the same options. KIND:\n"
    "  sample       one of everything, in a tree [default]\n"
    "  ct           16-bit gray slices\n"
    "  histology    RGB sections in strips\n"
    "  multipage    an 8-bit clip, --count pages\n"
    "  tiled        a tiled BigTIFF pyramid\n"
    "  decoys       64 x 64 colour PNGs for `orrery keyring new --decoy`\n"
    "  small-files  --count scans of about --size bytes [2000, 204800]\n"
    "  big          one tiled BigTIFF of about --size bytes [2 GiB], streamed\n";

int main(int argc, char **argv) {
    static const struct option table[] = {{"out", 1, NULL, 'o'},   {"kind", 1, NULL, 'k'},
                                          {"count", 1, NULL, 'n'}, {"size", 1, NULL, 's'},
                                          {"seed", 1, NULL, 'e'},  {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    phantom_options options = {.kind = "sample", .seed = 1};
    int option;
    while ((option = getopt_long(argc, argv, "o:k:n:s:h", table, NULL)) != -1) {
        switch (option) {
        case 'o':
            options.out = optarg;
            break;
        case 'k':
            options.kind = optarg;
            break;
        case 'n':
            options.count = strtol(optarg, NULL, 10);
            break;
        case 's':
            options.size = strtoll(optarg, NULL, 10);
            break;
        case 'e':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (options.out == NULL || optind != argc || options.count < 0 || options.size < 0 ||
        strlen(options.out) > 4000) {
        fputs(usage, stderr);
        return 2;
    }
    return make(&options) < 0 ? 1 : 0;
}
