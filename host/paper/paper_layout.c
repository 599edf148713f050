// The cipher image's TIFF directories, byte for byte (docs/FORMAT.md, "Paper profile: layout").

#include "host/paper/paper_layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/paper/image_parts.h"

#define STRIP_BYTES (1u << 20)

static uint64_t align_up(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
}

static uint64_t row_bytes(const orr_image_page *page) {
    return (uint64_t)page->width * page->samples * (page->bits / 8u);
}

uint32_t orr_paper_strip_rows(const orr_image_page *page) {
    uint64_t rows = STRIP_BYTES / row_bytes(page);
    if (rows == 0) rows = 1;
    return rows < page->height ? (uint32_t)rows : page->height;
}

// A directory under construction: entries in front, values that do not fit behind.
typedef struct directory {
    orr_buffer *out;
    uint64_t base; // file offset of out->data
    size_t entry;  // where in `out` the next entry goes
    int big;
} directory;

// Writes the entry of a tag and returns its `bytes` value bytes, zeroed; NULL when memory ran out.
static uint8_t *add_entry(directory *d, unsigned tag, unsigned type, uint64_t count) {
    size_t each = orr_type_bytes(type), inside = d->big ? 8 : 4;
    uint64_t bytes = count * each;
    size_t at = d->entry, value = at + 4 + inside;
    if (bytes > inside) {
        while (!d->out->failed && d->out->bytes % 8) orr_buffer_add(d->out, NULL, 1);
        value = d->out->bytes;
        orr_buffer_add(d->out, NULL, (size_t)bytes);
    }
    if (d->out->failed) return NULL;
    uint8_t *entry = d->out->data + at;
    orr_store_le16(entry, (uint16_t)tag);
    orr_store_le16(entry + 2, (uint16_t)type);
    if (d->big)
        orr_store_le64(entry + 4, count);
    else
        orr_store_le32(entry + 4, (uint32_t)count);
    if (bytes > inside && d->big)
        orr_store_le64(entry + 12, d->base + value);
    else if (bytes > inside)
        orr_store_le32(entry + 8, (uint32_t)(d->base + value));
    d->entry += d->big ? 20 : 12;
    return d->out->data + value;
}

static void add_short(directory *d, unsigned tag, uint16_t value) {
    uint8_t *at = add_entry(d, tag, TIFF_SHORT, 1);
    if (at) orr_store_le16(at, value);
}

static void add_long(directory *d, unsigned tag, uint32_t value) {
    uint8_t *at = add_entry(d, tag, TIFF_LONG, 1);
    if (at) orr_store_le32(at, value);
}

// `count` equal SHORTs.
static void add_shorts(directory *d, unsigned tag, unsigned count, uint16_t value) {
    uint8_t *at = add_entry(d, tag, TIFF_SHORT, count);
    for (unsigned n = 0; at && n < count; n++) orr_store_le16(at + 2 * n, value);
}

static void add_description(directory *d) {
    // The text itself stands on page 0.
    uint64_t bytes = strlen(orr_description(ORR_PROFILE_PAPER)) + 1;
    uint8_t *entry = d->out->failed ? NULL : d->out->data + d->entry;
    if (!entry) return;
    orr_store_le16(entry, TIFFTAG_IMAGEDESCRIPTION);
    orr_store_le16(entry + 2, TIFF_ASCII);
    if (d->big) {
        orr_store_le64(entry + 4, bytes);
        orr_store_le64(entry + 12, ORR_DESCRIPTION_OFFSET);
    } else {
        orr_store_le32(entry + 4, (uint32_t)bytes);
        orr_store_le32(entry + 8, ORR_DESCRIPTION_OFFSET);
    }
    d->entry += d->big ? 20 : 12;
}

static void add_strips(directory *d, const orr_image_page *page, uint32_t strips, uint64_t data,
                       int offsets) {
    uint64_t full = row_bytes(page) * orr_paper_strip_rows(page),
             total = row_bytes(page) * page->height;
    unsigned type = offsets && d->big ? TIFF_LONG8 : TIFF_LONG;
    uint8_t *at =
        add_entry(d, offsets ? TIFFTAG_STRIPOFFSETS : TIFFTAG_STRIPBYTECOUNTS, type, strips);
    for (uint32_t n = 0; at && n < strips; n++) {
        uint64_t from = n * full, bytes = total - from < full ? total - from : full;
        uint64_t value = offsets ? data + from : bytes;
        if (type == TIFF_LONG8)
            orr_store_le64(at + 8 * (size_t)n, value);
        else
            orr_store_le32(at + 4 * (size_t)n, (uint32_t)value);
    }
}

// Appends the directory of one page whose pixels start at `data`. `last`: no directory follows.
static void add_page(orr_buffer *out, uint64_t base, int big, const orr_image_page *page,
                     uint64_t data, int first, int last) {
    while (!out->failed && out->bytes % 8) orr_buffer_add(out, NULL, 1);
    unsigned extra = orr_page_extra_count(page), entries = 11u + (first != 0) + (extra != 0);
    size_t start = out->bytes, link = start + (big ? 8 + entries * 20 : 2 + entries * 12);
    uint32_t rows = orr_paper_strip_rows(page);
    uint32_t strips = (uint32_t)(((uint64_t)page->height + rows - 1) / rows);
    uint8_t *head = orr_buffer_add(out, NULL, link - start + (big ? 8 : 4));
    if (!head) return;
    orr_store_le16(head, (uint16_t)entries);
    directory d = {out, base, start + (big ? 8 : 2), big};
    add_long(&d, TIFFTAG_IMAGEWIDTH, page->width);
    add_long(&d, TIFFTAG_IMAGELENGTH, page->height);
    add_shorts(&d, TIFFTAG_BITSPERSAMPLE, page->samples, page->bits);
    add_short(&d, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    add_short(&d, TIFFTAG_PHOTOMETRIC, page->photometric);
    if (first) add_description(&d);
    add_strips(&d, page, strips, data, 1);
    add_short(&d, TIFFTAG_SAMPLESPERPIXEL, page->samples);
    add_long(&d, TIFFTAG_ROWSPERSTRIP, rows);
    add_strips(&d, page, strips, data, 0);
    add_short(&d, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    if (extra) {
        uint8_t *at = add_entry(&d, TIFFTAG_EXTRASAMPLES, TIFF_SHORT, extra);
        for (unsigned n = 0; at && n < extra; n++)
            orr_store_le16(at + 2 * n, orr_page_extra_sample(page, n));
    }
    add_shorts(&d, TIFFTAG_SAMPLEFORMAT, page->samples, page->sample_format);
    if (out->failed || last) return;
    uint64_t next = align_up(base + out->bytes, 8);
    if (big)
        orr_store_le64(out->data + link, next);
    else
        orr_store_le32(out->data + link, (uint32_t)next);
}

// All directories, for pixels that start at `data`; fills the offsets of the pages and the end.
static void add_pages(orr_buffer *out, orr_paper_layout *layout, const orr_image *image,
                      uint64_t data) {
    for (uint32_t n = 0; n < image->page_count; n++) {
        const orr_image_page *page = &image->pages[n];
        layout->page_offset[n] = data;
        add_page(out, layout->ifd_offset, layout->big, page, data, n == 0,
                 n + 1 == image->page_count);
        layout->pixels_end = data + orr_page_bytes(page);
        layout->data_end = data = align_up(layout->pixels_end, ORR_PAGE);
    }
}

// Of values behind a directory, or none when they fit into their entry.
static uint64_t outside(uint64_t bytes, int big) {
    return bytes > (big ? 8u : 4u) ? align_up(bytes, 8) + 8 : 0;
}

// Of one page's directory at most.
static uint64_t directory_most(const orr_image_page *page, int big) {
    uint64_t rows = orr_paper_strip_rows(page), strips = (page->height + rows - 1) / rows;
    uint64_t extra = orr_page_extra_count(page), entries = 12 + (extra != 0);
    return 8 + (big ? 16 + 20 * entries : 6 + 12 * entries) + 2 * outside(2u * page->samples, big) +
           outside(2 * extra, big) + outside(strips * (big ? 8 : 4), big) +
           outside(strips * 4, big);
}

uint64_t orr_paper_layout_memory(const orr_image *image) {
    uint64_t length = UINT64_C(1) << 27, bytes = 0; // metadata, and what aligns it
    for (uint32_t n = 0; n < image->page_count && length < UINT32_MAX; n++)
        length += orr_page_bytes(&image->pages[n]) + 2 * ORR_PAGE;
    int big = length >= UINT32_MAX; // maybe
    for (uint32_t n = 0; n < image->page_count; n++)
        bytes += directory_most(&image->pages[n], big) + sizeof(uint64_t);
    return bytes + ORR_PAGE;
}

orr_status orr_paper_layout_init(orr_paper_layout *layout, const orr_image *image,
                                 const orr_header *header, const char *name, orr_error *error) {
    *layout = (orr_paper_layout){0};
    for (uint32_t n = 0; n < image->page_count; n++) {
        if (row_bytes(&image->pages[n]) >= UINT32_MAX || layout->length > ORR_MAX_LENGTH)
            return orr_image_refuse(name, error, "page %u is too large", n + 1);
        layout->length += orr_page_bytes(&image->pages[n]);
    }
    layout->ifd_offset = orr_ifd_offset(header);
    layout->page_offset = calloc(image->page_count, sizeof *layout->page_offset);
    orr_buffer out = {0};
    orr_buffer_reserve(&out, (size_t)orr_paper_layout_memory(image)); // growing would need more
    for (layout->big = 0; layout->page_offset; layout->big = 1) {
        // The directories' length does not depend on where the pixels are: once to measure, once to
        // keep.
        out.bytes = 0;
        add_pages(&out, layout, image, 0);
        layout->data_offset = align_up(layout->ifd_offset + out.bytes, ORR_PAGE);
        out.bytes = 0;
        add_pages(&out, layout, image, layout->data_offset);
        if (layout->big || layout->data_end <= UINT32_MAX) break;
    }
    size_t bytes = (size_t)(layout->data_offset - layout->ifd_offset);
    if (!out.failed && layout->page_offset) orr_buffer_add(&out, NULL, bytes - out.bytes);
    layout->directories = out.data;
    if (layout->page_offset && !out.failed) {
        orr_status status = orr_file_length(header, layout->data_end, &layout->file_length, error);
        if (status != ORR_OK) orr_paper_layout_free(layout);
        return status;
    }
    orr_paper_layout_free(layout);
    return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
}

void orr_paper_layout_free(orr_paper_layout *layout) {
    free(layout->directories);
    free(layout->page_offset);
    *layout = (orr_paper_layout){0};
}
