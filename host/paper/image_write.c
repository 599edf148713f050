// Writing a decrypted TIFF: libtiff makes strips, tiles and their arrays; then every directory is
// written once more with the original's tags, and the chain is linked to the new ones.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/format.h"
#include "host/paper/image_parts.h"

struct orr_image_writer {
    orr_tiff_client client;
    TIFF *tif;
    const orr_image *image;
    const char *name;
    int bigtiff;
};

// A tag of a directory to be written: a value of ours, or an entry that libtiff wrote.
typedef struct out_tag {
    uint16_t id;
    orr_tag tag;
    const orr_raw_entry *entry; // NULL: `tag`
} out_tag;

static orr_status write_failed(const orr_image_writer *writer, const char *what, orr_error *error) {
    const orr_tiff_client *client = &writer->client;
    if (client->io_error)
        return orr_fail_errno(error, client->io_error, "%s: writing failed: %s", writer->name,
                              strerror(client->io_error));
    return orr_fail(error, ORR_INTERNAL, "%s: %s (%s)", writer->name, what,
                    client->complained ? client->message : "libtiff gives no reason");
}

// Uncompressed, the file may outgrow the 32-bit offsets of a classic TIFF.
static int needs_bigtiff(const orr_image *image) {
    uint64_t total = 0;
    for (uint32_t n = 0; n < image->page_count; n++) {
        const orr_image_page *page = &image->pages[n];
        uint64_t across = 1, down = 1;
        if (page->tiled) {
            across = ((uint64_t)page->width + page->chunk_columns - 1) / page->chunk_columns;
            down = ((uint64_t)page->height + page->chunk_rows - 1) / page->chunk_rows;
        }
        uint64_t tiles = across * down * page->chunk_columns * page->chunk_rows * page->samples *
                         (page->bits / 8u);
        total += page->tiled ? tiles : orr_page_bytes(page);
    }
    return total >= UINT32_MAX - (UINT32_C(1) << 28);
}

orr_status orr_image_writer_open(orr_image_writer **out, int fd, const orr_image *image,
                                 const char *name, orr_error *error) {
    orr_image_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    writer->client.fd = fd;
    writer->image = image;
    writer->name = name;
    writer->bigtiff = image->bigtiff || needs_bigtiff(image);
    char mode[4] = {'w', image->big_endian ? 'b' : 'l', writer->bigtiff ? '8' : '4', 0};
    writer->tif = orr_tiff_client_open(&writer->client, name, mode, 0);
    if (!writer->tif) {
        orr_status status = write_failed(writer, "the TIFF cannot be started", error);
        orr_image_writer_free(writer);
        return status;
    }
    *out = writer;
    return ORR_OK;
}

static int set_fields(TIFF *tif, const orr_image_page *page) {
    int good = TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, page->width) &&
               TIFFSetField(tif, TIFFTAG_IMAGELENGTH, page->height) &&
               TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, page->bits) &&
               TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, page->samples) &&
               TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, page->sample_format) &&
               TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, page->photometric) &&
               TIFFSetField(tif, TIFFTAG_PLANARCONFIG, page->planar) &&
               TIFFSetField(tif, TIFFTAG_FILLORDER, page->fill_order);
    uint16_t scheme = orr_page_keeps_compression(page) ? page->compression : COMPRESSION_NONE;
    good = good && TIFFSetField(tif, TIFFTAG_COMPRESSION, scheme);
    if (good && orr_scheme_predicts(scheme) && page->predictor > 1)
        good = TIFFSetField(tif, TIFFTAG_PREDICTOR, page->predictor);
    // Their highest levels ask for a hundred MiB, whatever --mem says.
    if (good && scheme == COMPRESSION_LZMA) good = TIFFSetField(tif, TIFFTAG_LZMAPRESET, 1);
    if (good && scheme == COMPRESSION_ZSTD) good = TIFFSetField(tif, TIFFTAG_ZSTD_LEVEL, 3);
    if (!good) return 0;
    if (page->tiled)
        return TIFFSetField(tif, TIFFTAG_TILEWIDTH, page->chunk_columns) &&
               TIFFSetField(tif, TIFFTAG_TILELENGTH, page->chunk_rows);
    return TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, page->chunk_rows);
}

static int write_chunk(orr_image_writer *writer, const orr_image_page *page, orr_rectangle part,
                       const uint8_t *volume, uint8_t *pixels) {
    TIFF *tif = writer->tif;
    uint16_t plane = (uint16_t)part.first_sample;
    size_t bytes = part.stride * (page->tiled ? page->chunk_rows : part.rows);
    memset(pixels, 0, bytes);
    orr_pixels_from_volume(page, part, volume, pixels);
    tmsize_t put = 0;
    if (page->tiled) {
        uint32_t tile = TIFFComputeTile(tif, part.column, part.row, 0, plane);
        put = TIFFWriteEncodedTile(tif, tile, pixels, (tmsize_t)bytes);
    } else {
        uint32_t strip = TIFFComputeStrip(tif, part.row, plane);
        put = TIFFWriteEncodedStrip(tif, strip, pixels, (tmsize_t)bytes);
    }
    return put >= 0 && (size_t)put == bytes && !writer->client.complained &&
           !writer->client.io_error;
}

void orr_image_writer_stop(orr_image_writer *writer, orr_stop_flag *stop) {
    writer->client.stop = stop;
}

orr_status orr_image_write_page(orr_image_writer *writer, uint32_t index, const uint8_t *volume,
                                orr_error *error) {
    const orr_image_page *page = &writer->image->pages[index];
    orr_chunks chunks = orr_chunks_of(page);
    orr_rectangle part;
    size_t bytes = 0;
    if (!set_fields(writer->tif, page))
        return write_failed(writer, "a page cannot be set up", error);
    uint8_t *pixels =
        __builtin_mul_overflow(chunks.stride, chunks.rows, &bytes) ? NULL : malloc(bytes);
    if (!pixels) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", writer->name);
    int good = 1;
    while (good && !orr_stopped(writer->client.stop) && orr_chunks_next(&chunks, &part))
        good = write_chunk(writer, page, part, volume, pixels);
    orr_wipe(pixels, bytes);
    free(pixels);
    if (orr_stopped(writer->client.stop))
        return orr_fail(error, ORR_STOPPED, "%s: stopped while it was written", writer->name);
    if (good) good = TIFFWriteDirectory(writer->tif);
    return good ? ORR_OK : write_failed(writer, "a page cannot be written", error);
}

// ---- directories

// Tags that only libtiff's new directory knows.
static int comes_from_libtiff(const orr_image_page *page, unsigned id) {
    return id == TIFFTAG_STRIPOFFSETS || id == TIFFTAG_STRIPBYTECOUNTS ||
           id == TIFFTAG_TILEOFFSETS || id == TIFFTAG_TILEBYTECOUNTS ||
           (id == TIFFTAG_COMPRESSION && !orr_page_keeps_compression(page)) ||
           (id == TIFFTAG_PHOTOMETRIC && page->converted);
}

// Tags of the original that would be wrong beside pixels stored differently: readers go by them.
static int is_dropped(const orr_image_page *page, unsigned id) {
    int kept = orr_page_keeps_compression(page);
    if (comes_from_libtiff(page, id)) return 1;
    switch (id) {
    case TIFFTAG_PREDICTOR:
        return !kept || !orr_scheme_predicts(page->compression);
    case TIFFTAG_JPEGTABLES:
    case TIFFTAG_LERC_PARAMETERS:
    case TIFFTAG_JPEGPROC: // and its lengths and lists: what points was refused
    case TIFFTAG_JPEGIFBYTECOUNT:
    case TIFFTAG_JPEGRESTARTINTERVAL:
    case TIFFTAG_JPEGLOSSLESSPREDICTORS:
    case TIFFTAG_JPEGPOINTTRANSFORM:
        return !kept;
    case TIFFTAG_YCBCRCOEFFICIENTS: // the pixels are gray or RGB, whatever the scheme
    case TIFFTAG_YCBCRSUBSAMPLING:
    case TIFFTAG_YCBCRPOSITIONING:
        return 1;
    case TIFFTAG_REFERENCEBLACKWHITE:
        return page->converted;
    default:
        return 0;
    }
}

static int by_id(const void *a, const void *b) {
    return (int)((const out_tag *)a)->id - (int)((const out_tag *)b)->id;
}

static void add_number(orr_buffer *out, const orr_tiff_file *file, size_t bytes, uint64_t value) {
    uint8_t number[8];
    orr_tiff_store(file, number, bytes, value);
    orr_buffer_add(out, number, bytes);
}

static void align(orr_buffer *out) {
    while (!out->failed && out->bytes % 8) orr_buffer_add(out, NULL, 1);
}

static uint64_t add_directory(orr_buffer *out, const orr_tiff_file *file, uint64_t base,
                              const out_tag *tags, uint32_t count, size_t *link);

// Writes a directory of plain tags (EXIF ...) and returns its offset, 0 on failure.
static uint64_t add_nested(orr_buffer *out, const orr_tiff_file *file, uint64_t base,
                           const orr_tag *tag) {
    const uint8_t *at = tag->value;
    size_t left = tag->bytes, link = 0;
    uint64_t offset = 0;
    uint32_t count = 0;
    orr_tag inner;
    out_tag *list = calloc(tag->count, sizeof *list);
    if (!list) return 0;
    while (count < tag->count && orr_tag_next(&at, &left, &inner))
        list[count++] = (out_tag){inner.id, inner, NULL};
    offset = add_directory(out, file, base, list, count, &link);
    free(list);
    return offset;
}

// Writes the value of `tag` or its offset into `field`; a value that does not fit goes to `out`.
static int place_value(orr_buffer *out, const orr_tiff_file *file, uint64_t base,
                       const orr_tag *tag, uint8_t *field, uint16_t *type, uint64_t *count) {
    size_t inside = file->bigtiff ? 8 : 4;
    memset(field, 0, 8);
    *type = tag->type;
    *count = tag->count;
    if (tag->type & ORR_TAG_DIRECTORY) {
        uint64_t offset = add_nested(out, file, base, tag);
        *type = tag->type & ~ORR_TAG_DIRECTORY;
        if (offset > UINT32_MAX && orr_type_bytes(*type) == 4) *type = TIFF_IFD8;
        *count = 1;
        orr_tiff_store(file, field, orr_type_bytes(*type), offset);
        return offset != 0;
    }
    if (tag->bytes <= inside) {
        orr_copy_elements(file, tag->type, field, tag->value, tag->bytes);
        return 1;
    }
    align(out);
    orr_tiff_store(file, field, inside, base + out->bytes);
    uint8_t *to = orr_buffer_add(out, NULL, tag->bytes);
    if (to) orr_copy_elements(file, tag->type, to, tag->value, tag->bytes);
    return to != NULL;
}

// Appends values, then the directory, to `out`, which will stand at file offset `base`. *link is
// where in `out` the offset of the next directory belongs. Returns the directory's offset, 0 on
// failure.
static uint64_t add_directory(orr_buffer *out, const orr_tiff_file *file, uint64_t base,
                              const out_tag *tags, uint32_t count, size_t *link) {
    size_t inside = file->bigtiff ? 8 : 4;
    orr_buffer entries = {0};
    int good = 1;
    for (uint32_t n = 0; good && n < count; n++) {
        uint8_t field[8];
        uint16_t type = 0;
        uint64_t values = 0;
        if (tags[n].entry) {
            memcpy(field, tags[n].entry->field, sizeof field);
            type = tags[n].entry->type;
            values = tags[n].entry->count;
        } else {
            good = place_value(out, file, base, &tags[n].tag, field, &type, &values);
        }
        add_number(&entries, file, 2, tags[n].id);
        add_number(&entries, file, 2, type);
        add_number(&entries, file, inside, values);
        orr_buffer_add(&entries, field, inside);
    }
    align(out);
    uint64_t offset = base + out->bytes;
    add_number(out, file, file->bigtiff ? 8 : 2, count);
    orr_buffer_add(out, entries.data, entries.bytes);
    *link = out->bytes;
    add_number(out, file, inside, 0);
    good = good && !entries.failed && !out->failed;
    orr_buffer_free(&entries);
    return good ? offset : 0;
}

// The new directory of one page. `old` is libtiff's.
static orr_status add_page(orr_buffer *out, orr_tiff_file *file, uint64_t base,
                           const orr_image_page *page, uint64_t old, uint64_t *offset,
                           size_t *link) {
    orr_raw_entry *entries = NULL;
    uint32_t listed = 0, count = 0;
    uint64_t next = 0;
    const uint8_t *at = page->tags;
    size_t left = page->tag_bytes;
    orr_tag tag;
    orr_status status = orr_tiff_entries(file, old, &entries, &listed, &next);
    if (status != ORR_OK) return status;
    out_tag *tags = calloc((size_t)listed + page->tag_count, sizeof *tags);
    *offset = 0;
    if (tags) {
        for (uint32_t n = 0; n < listed; n++)
            if (comes_from_libtiff(page, entries[n].id))
                tags[count++] = (out_tag){.id = entries[n].id, .entry = &entries[n]};
        while (orr_tag_next(&at, &left, &tag))
            if (!is_dropped(page, tag.id)) tags[count++] = (out_tag){tag.id, tag, NULL};
        qsort(tags, count, sizeof *tags, by_id);
        *offset = add_directory(out, file, base, tags, count, link);
    }
    free(tags);
    free(entries);
    return *offset ? ORR_OK : orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
}

// Can libtiff read the directories at `offsets`, and finds it the pages in them? Tags that it
// knows, of a type or count that it does not, keep it from a page.
static orr_status check_directories(const orr_image_writer *writer, const uint64_t *offsets,
                                    uint64_t size, orr_error *error) {
    orr_tiff_client client = {.fd = writer->client.fd, .size = size};
    TIFF *tif = orr_tiff_client_open(&client, writer->name, "rcm", 0);
    uint32_t n = 0;
    int good = tif != NULL;
    for (; good && n < writer->image->page_count; n++) {
        const orr_image_page *page = &writer->image->pages[n];
        uint32_t width = 0, height = 0;
        uint16_t samples = 0, bits = 0;
        client.complained = 0;
        good = TIFFSetSubDirectory(tif, offsets[n]) &&
               TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &width) &&
               TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &height) &&
               TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &samples) &&
               TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &bits) && width == page->width &&
               height == page->height && samples == page->samples && bits == page->bits;
    }
    if (tif) TIFFClose(tif);
    if (good) return ORR_OK;
    if (client.io_error)
        return orr_fail_errno(error, client.io_error, "%s: reading failed: %s", writer->name,
                              strerror(client.io_error));
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: the sealed tags of page %u make a TIFF that cannot be read (%s): the file "
                    "comes from a foreign writer",
                    writer->name, n ? n : 1,
                    client.complained ? client.message : "libtiff gives no reason");
}

// The most that the new directory of a page takes with its values: growing would need it twice.
static size_t directory_most(const orr_image *image) {
    size_t most = 0;
    for (uint32_t n = 0; n < image->page_count; n++) {
        size_t bytes = image->pages[n].tag_bytes + 32 * ((size_t)image->pages[n].tag_count + 16);
        if (bytes > most) most = bytes;
    }
    return most;
}

// Appends the new directories behind libtiff's, one by one, and links header and chain to them.
static orr_status rewrite_directories(orr_image_writer *writer, orr_error *error) {
    orr_tiff_file file = {
        .fd = writer->client.fd, .size = writer->client.size, .name = writer->name, .error = error};
    uint64_t *old = NULL, base = (writer->client.size + 15) / 16 * 16, offset = 0, first = 0;
    uint32_t pages = 0;
    orr_status status = orr_tiff_chain(&file, &old, &pages);
    if (status != ORR_OK)
        return orr_fail(error, ORR_INTERNAL, "%s: libtiff wrote no readable TIFF", writer->name);
    if (pages != writer->image->page_count)
        status = orr_fail(error, ORR_INTERNAL, "%s: libtiff wrote %u pages", writer->name, pages);
    orr_buffer out = {0};
    uint8_t number[8];
    size_t inside = file.bigtiff ? 8 : 4, link = 0;
    orr_buffer_reserve(&out, directory_most(writer->image));
    uint64_t linked = inside; // where the offset of the next directory belongs; first in the header
    for (uint32_t n = 0; status == ORR_OK && n < pages; n++) {
        out.bytes = 0;
        status = add_page(&out, &file, base, &writer->image->pages[n], old[n], &offset, &link);
        if (status == ORR_OK && !file.bigtiff && base + out.bytes > UINT32_MAX)
            status =
                orr_fail(error, ORR_INTERNAL, "%s: over 4 GiB in a classic TIFF", writer->name);
        if (status == ORR_OK)
            status = orr_pwrite_all(file.fd, out.data, out.bytes, base, writer->name, error);
        orr_tiff_store(&file, number, inside, offset);
        if (n == 0)
            first = offset; // last of all: until then libtiff's directories are the file's
        else if (status == ORR_OK)
            status = orr_pwrite_all(file.fd, number, inside, linked, writer->name, error);
        old[n] = offset;
        linked = base + link;
        base += (out.bytes + 15) / 16 * 16;
    }
    orr_tiff_store(&file, number, inside, first);
    if (status == ORR_OK)
        status = orr_pwrite_all(file.fd, number, inside, inside, writer->name, error);
    orr_buffer_free(&out); // libtiff is to hold the same tags
    if (status == ORR_OK) status = check_directories(writer, old, base, error);
    free(old);
    return status;
}

orr_status orr_image_writer_finish(orr_image_writer *writer, orr_error *error) {
    TIFFClose(writer->tif);
    writer->tif = NULL;
    if (writer->client.io_error || writer->client.complained)
        return write_failed(writer, "the TIFF cannot be completed", error);
    return rewrite_directories(writer, error);
}

void orr_image_writer_free(orr_image_writer *writer) {
    if (!writer) return;
    if (writer->tif) TIFFClose(writer->tif);
    free(writer);
}
