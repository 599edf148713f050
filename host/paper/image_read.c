// Decoding TIFF pages into volumes with libtiff.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/container/crypto.h"
#include "host/paper/image_parts.h"
#include "media/tiff_chunk.h"

// ---- the source

struct orr_image_source {
    orr_tiff_client client;
    TIFF *tif;
    orr_image image;
    uint64_t *offsets; // of each page's directory
    const char *name;
    uint64_t memory_limit;
};

// What went wrong inside libtiff: the disk, or the file.
static orr_status libtiff_failed(orr_image_source *source, uint32_t index, const char *what,
                                 orr_error *error) {
    const orr_tiff_client *client = &source->client;
    if (client->io_error)
        return orr_fail_source(error, client->io_error, "%s: reading failed: %s", source->name,
                               strerror(client->io_error));
    return orr_image_refuse(source->name, error, "page %u %s (%s)", index + 1, what,
                            client->complained ? client->message : "libtiff gives no reason");
}

static orr_status select_page(orr_image_source *source, uint32_t index, orr_error *error) {
    TIFF *tif = source->tif;
    source->client.complained = 0;
    if (!TIFFSetSubDirectory(tif, source->offsets[index]))
        return libtiff_failed(source, index, "has a damaged directory", error);
    uint16_t compression = 0, photometric = 0;
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &compression);
    if (compression == COMPRESSION_JPEG && TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &photometric) &&
        photometric == PHOTOMETRIC_YCBCR)
        TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    return ORR_OK;
}

// Fields of the page as libtiff understands them. 0 when a needed one is missing.
static int read_fields(TIFF *tif, orr_image_page *page) {
    page->predictor = 1;
    if (!TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &page->width) ||
        !TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &page->height) ||
        !TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &page->photometric))
        return 0;
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &page->samples);
    TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &page->bits);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &page->sample_format);
    TIFFGetFieldDefaulted(tif, TIFFTAG_PLANARCONFIG, &page->planar);
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &page->compression);
    TIFFGetFieldDefaulted(tif, TIFFTAG_FILLORDER, &page->fill_order);
    if (orr_scheme_predicts(page->compression))
        TIFFGetField(tif, TIFFTAG_PREDICTOR, &page->predictor);
    page->tiled = TIFFIsTiled(tif) != 0;
    if (page->tiled) {
        return TIFFGetField(tif, TIFFTAG_TILEWIDTH, &page->chunk_columns) &&
               TIFFGetField(tif, TIFFTAG_TILELENGTH, &page->chunk_rows);
    }
    page->chunk_columns = page->width;
    TIFFGetFieldDefaulted(tif, TIFFTAG_ROWSPERSTRIP, &page->chunk_rows);
    return 1;
}

// Why the paper profile does not take this kind of image; NULL when it does.
static const char *objection(const orr_image_page *page) {
    int ycbcr = page->photometric == PHOTOMETRIC_YCBCR && page->compression == COMPRESSION_JPEG &&
                page->planar == PLANARCONFIG_CONTIG && page->samples == 3 && page->bits == 8;
    unsigned colours = page->photometric == PHOTOMETRIC_RGB || ycbcr ? 3 : 1;
    if (page->photometric == PHOTOMETRIC_PALETTE) return "is a palette image";
    if (page->photometric == PHOTOMETRIC_SEPARATED) return "is a CMYK image";
    if (page->photometric > PHOTOMETRIC_RGB && !ycbcr) return "is neither gray nor RGB";
    if (page->bits != 8 && page->bits != 16) return "has samples of neither 8 nor 16 bits";
    if (page->sample_format != SAMPLEFORMAT_UINT && page->sample_format != SAMPLEFORMAT_INT)
        return "has samples that are no integers";
    if (page->samples < colours) return "has too few samples for its colour space";
    if (page->compression == COMPRESSION_OJPEG) return "uses old-style JPEG compression";
    if (!TIFFIsCODECConfigured(page->compression))
        return "is compressed in a way libtiff cannot decode";
    if (page->width == 0 || page->height == 0 || orr_page_bytes(page) == 0 || page->chunk_rows == 0)
        return "has an impossible size";
    if (page->planar != PLANARCONFIG_CONTIG && page->planar != PLANARCONFIG_SEPARATE)
        return "has an unknown planar configuration";
    if (page->fill_order != 1 && page->fill_order != 2) return "has an unknown fill order";
    if (page->tiled && (page->chunk_columns % 16 || page->chunk_rows % 16 || !page->chunk_columns))
        return "has tiles whose sides are no multiples of 16";
    return NULL;
}

uint64_t orr_page_memory(const orr_image_page *page) {
    const orr_chunks chunks = orr_chunks_of(page);
    uint64_t bytes = orr_page_bytes(page), chunk = 0;
    uint64_t sides = (uint64_t)page->width * 2 + page->height + page->samples;
    // Volume, its copy, K4 (one channel at most as long), ranks and sorting, two chunks of pixels.
    uint64_t need = 3 * bytes + 48 * sides;
    if (__builtin_mul_overflow(chunks.stride, (uint64_t)chunks.rows, &chunk) ||
        chunk > SIZE_MAX / 4 || bytes > UINT64_MAX / 8)
        return UINT64_MAX;
    return need + 2 * chunk;
}

static orr_status check_memory(const orr_image_source *source, uint32_t index, orr_error *error) {
    const orr_image_page *page = &source->image.pages[index];
    uint64_t limit = source->memory_limit;
    if (orr_page_memory(page) > limit)
        return orr_image_refuse(
            source->name, error,
            "page %u is %u x %u x %u samples of %u bits and needs more memory than "
            "the limit of %llu MiB",
            index + 1, page->width, page->height, page->samples, page->bits,
            (unsigned long long)(limit >> 20));
    return ORR_OK;
}

static orr_status describe_page(orr_image_source *source, uint32_t index, orr_error *error) {
    orr_image_page *page = &source->image.pages[index];
    orr_status status = select_page(source, index, error);
    if (status != ORR_OK) return status;
    if (!read_fields(source->tif, page))
        return orr_image_refuse(source->name, error, "page %u lacks tags that every image has",
                                index + 1);
    const char *reason = objection(page);
    if (reason) return orr_image_refuse(source->name, error, "page %u %s", index + 1, reason);
    if (page->photometric == PHOTOMETRIC_YCBCR) {
        page->converted = 1;
        page->photometric = PHOTOMETRIC_RGB;
    }
    // The raw tags must say what libtiff understood: else the restored file would decode otherwise.
    reason = orr_page_contradiction(page, source->image.bigtiff);
    if (reason) return orr_image_refuse(source->name, error, "page %u %s", index + 1, reason);
    if (orr_page_tag_of_bytes(page))
        return orr_image_refuse(source->name, error,
                                "page %u has tag %d of type BYTE, where TIFF has SHORT or LONG",
                                index + 1, orr_page_tag_of_bytes(page));
    status = check_memory(source, index, error);
    if (status != ORR_OK) return status;
    uint64_t stride = orr_chunks_of(page).stride;
    uint64_t said = page->tiled ? TIFFTileRowSize64(source->tif) : TIFFScanlineSize64(source->tif);
    if (said != stride)
        return orr_image_refuse(source->name, error,
                                "page %u decodes to rows of %llu bytes, not %llu", index + 1,
                                (unsigned long long)said, (unsigned long long)stride);
    return ORR_OK;
}

// Asked when every page is known.
static orr_status check_planes(const orr_image_source *source, orr_error *error) {
    for (uint32_t n = 0; n < source->image.page_count; n++) {
        const char *reason = orr_page_hides_planes(&source->image, n, source->client.size);
        if (reason)
            return orr_image_refuse(
                source->name, error,
                "page %u stands for several planes (%s), of which one would be kept", n + 1,
                reason);
    }
    return ORR_OK;
}

// Raw tags of every page, then what libtiff makes of them.
static orr_status read_directories(orr_image_source *source, orr_error *error) {
    // Tags are held as they are, in the record, by libtiff and twice by what it reads them with.
    uint64_t part = source->memory_limit / 5, most = part < ORR_RECORD_MAX ? part : ORR_RECORD_MAX;
    orr_tiff_file file = {.fd = source->client.fd,
                          .size = source->client.size,
                          .budget = (size_t)most,
                          .most = (size_t)most,
                          .name = source->name,
                          .error = error};
    uint32_t pages = 0;
    orr_status status = orr_tiff_chain(&file, &source->offsets, &pages);
    if (status != ORR_OK) return status;
    source->image =
        (orr_image){file.big_endian, file.bigtiff, 0, calloc(pages, sizeof(orr_image_page)), 0};
    if (!source->image.pages)
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", source->name);
    source->image.page_count = pages;
    for (uint32_t n = 0; status == ORR_OK && n < pages; n++)
        status = orr_tiff_tags(&file, source->offsets[n], &source->image.pages[n]);
    if (status != ORR_OK) return status;
    // "c": strips as they are in the file, not chopped to libtiff's liking; "m": no memory map.
    source->tif = orr_tiff_client_open(&source->client, source->name, "rcm", source->memory_limit);
    if (!source->tif) return libtiff_failed(source, 0, "cannot be opened", error);
    for (uint32_t n = 0; status == ORR_OK && n < pages; n++)
        status = describe_page(source, n, error);
    return status != ORR_OK ? status : check_planes(source, error);
}

orr_status orr_image_open(orr_image_source **out, int fd, const char *name, uint64_t memory_limit,
                          orr_error *error) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return orr_fail(error, ORR_IO, "%s: cannot be examined: %s", name, strerror(errno));
    orr_image_source *source = calloc(1, sizeof *source);
    if (!source) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    source->client.fd = fd;
    source->client.size = (uint64_t)info.st_size;
    source->name = name;
    source->memory_limit = memory_limit;
    orr_status status = read_directories(source, error);
    if (status != ORR_OK) {
        orr_image_close(source);
        return status;
    }
    *out = source;
    return ORR_OK;
}

const orr_image *orr_image_of(const orr_image_source *source) {
    return &source->image;
}

void orr_image_source_forget_tags(orr_image_source *source) {
    for (uint32_t n = 0; n < source->image.page_count; n++) {
        orr_image_page *page = &source->image.pages[n];
        if (page->tags) orr_wipe(page->tags, page->tag_bytes);
        free(page->tags);
        page->tags = NULL;
        page->tag_bytes = page->tag_count = 0;
    }
}

void orr_image_source_stop(orr_image_source *source, orr_stop_flag *stop) {
    source->client.stop = stop;
}

void orr_image_close(orr_image_source *source) {
    if (!source) return;
    if (source->tif) TIFFClose(source->tif);
    orr_image_free(&source->image);
    free(source->offsets);
    free(source);
}

// Does the file hold the data of a strip or tile of `bytes` decoded bytes? libtiff would read
// uncompressed ones beyond their end, or say so in numbers of its own. 0, with a message, when not.
static int chunk_is_there(orr_image_source *source, const orr_image_page *page, uint32_t chunk,
                          size_t bytes) {
    orr_tiff_client *client = &source->client;
    uint64_t count = TIFFGetStrileByteCount(source->tif, chunk),
             offset = TIFFGetStrileOffset(source->tif, chunk);
    int plain = page->compression == COMPRESSION_NONE;
    const char *what = page->tiled ? "tile" : "strip";
    if (client->complained) return 0;
    if (count == 0)
        orr_tiff_client_complain(client, "%s %u is empty", what, chunk + 1);
    else if (offset == 0) // what libtiff takes for entries that its list does not have
        orr_tiff_client_complain(client, "%s %u is nowhere in the file", what, chunk + 1);
    else if (plain && count < bytes)
        orr_tiff_client_complain(client, "%s %u holds %llu bytes in place of %zu", what, chunk + 1,
                                 (unsigned long long)count, bytes);
    else if (offset >= client->size || (plain && bytes > client->size - offset))
        orr_tiff_client_complain(client, "%s %u lies beyond the end of the file", what, chunk + 1);
    return !client->complained;
}

// Decodes one strip or tile into `pixels` and copies its part of the page. 0 when libtiff failed.
static int read_chunk(orr_image_source *source, const orr_image_page *page, orr_rectangle part,
                      uint8_t *pixels, uint8_t *volume) {
    TIFF *tif = source->tif;
    uint16_t plane = (uint16_t)part.first_sample;
    size_t bytes = part.stride * (page->tiled ? page->chunk_rows : part.rows);
    uint32_t chunk = page->tiled ? TIFFComputeTile(tif, part.column, part.row, 0, plane)
                                 : TIFFComputeStrip(tif, part.row, plane);
    if (!chunk_is_there(source, page, chunk, bytes)) return 0;
    orr_chunk got = orr_tiff_chunk_read(tif, chunk, pixels, bytes, part.stride);
    if (got == ORR_CHUNK_SHORT)
        orr_tiff_client_complain(&source->client, "%s %u has fewer rows than the page says",
                                 page->tiled ? "tile" : "strip", chunk + 1);
    if (got != ORR_CHUNK_WHOLE || source->client.complained || source->client.io_error) return 0;
    orr_pixels_to_volume(page, part, pixels, volume);
    return 1;
}

orr_status orr_image_read_page(orr_image_source *source, uint32_t index, uint8_t *volume,
                               orr_error *error) {
    const orr_image_page *page = &source->image.pages[index];
    orr_status status = select_page(source, index, error);
    if (status != ORR_OK) return status;
    source->client.complained = 0; // an odd tag is no damage; from here on errors are, and warnings
    source->client.decoding = 1;
    orr_chunks chunks = orr_chunks_of(page);
    orr_rectangle part;
    uint8_t *pixels = calloc(chunks.rows, chunks.stride);
    int good = 1;
    if (!pixels) {
        source->client.decoding = 0;
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", source->name);
    }
    while (good && !orr_stopped(source->client.stop) && orr_chunks_next(&chunks, &part))
        good = read_chunk(source, page, part, pixels, volume);
    source->client.decoding = 0;
    orr_wipe(pixels, chunks.stride * chunks.rows);
    free(pixels);
    if (orr_stopped(source->client.stop))
        return orr_fail(error, ORR_STOPPED, "%s: stopped while it was read", source->name);
    return good ? ORR_OK : libtiff_failed(source, index, "cannot be decoded", error);
}
