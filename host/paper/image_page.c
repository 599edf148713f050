// A page of an image: its tags one by one, and its pixels as a volume.

#include <stdlib.h>

#include <tiff.h>

#include "base/bytes.h"
#include "host/container/crypto.h"
#include "host/paper/image_parts.h"

// libtiff hands out 16-bit samples in the machine's byte order; the rectangles below are
// little-endian.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "pixel copies assume a little-endian machine");

// ---- tags

unsigned orr_type_bytes(unsigned type) {
    static const uint8_t bytes[19] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type < 19 ? bytes[type] : 0;
}

unsigned orr_type_unit(unsigned type) {
    return type == 5 || type == 10 ? 4 : orr_type_bytes(type);
}

int orr_tag_next(const uint8_t **at, size_t *left, orr_tag *tag) {
    if (*left < ORR_TAG_BYTES) return 0;
    *tag = (orr_tag){orr_load_le16(*at), orr_load_le16(*at + 2), orr_load_le32(*at + 4),
                     orr_load_le32(*at + 8), *at + ORR_TAG_BYTES};
    if (tag->bytes > *left - ORR_TAG_BYTES) return 0;
    *at += ORR_TAG_BYTES + tag->bytes;
    *left -= ORR_TAG_BYTES + tag->bytes;
    return 1;
}

int orr_tag_is_number(const orr_tag *tag) {
    return tag->type == 1 || tag->type == 3 || tag->type == 4 || tag->type == 16;
}

uint64_t orr_tag_element(const orr_tag *tag, uint32_t n) {
    unsigned each = orr_type_bytes(tag->type);
    uint64_t value = 0;
    for (unsigned i = each; i > 0; i--) value = value << 8 | tag->value[n * each + i - 1];
    return value;
}

// ---- pages

orr_volume_shape orr_page_shape(const orr_image_page *page) {
    return (orr_volume_shape){page->samples, page->height, page->width * (page->bits / 8u)};
}

uint64_t orr_page_bytes(const orr_image_page *page) {
    uint64_t bytes = 0;
    if (page->width > INT32_MAX || page->height > INT32_MAX) return 0;
    if (__builtin_mul_overflow((uint64_t)page->width * page->height,
                               (uint64_t)page->samples * (page->bits / 8u), &bytes) ||
        bytes > SIZE_MAX / 4)
        return 0;
    return bytes;
}

int orr_page_tag(const orr_image_page *page, unsigned id, orr_tag *tag) {
    const uint8_t *at = page->tags;
    size_t left = page->tag_bytes;
    while (orr_tag_next(&at, &left, tag))
        if (tag->id == id) return 1;
    return 0;
}

int orr_page_tag_number(const orr_image_page *page, unsigned id, unsigned element,
                        uint64_t *value) {
    orr_tag tag;
    if (!orr_page_tag(page, id, &tag) || element >= tag.count) return 0;
    if (!orr_tag_is_number(&tag)) return 0;
    *value = orr_tag_element(&tag, element);
    return 1;
}

unsigned orr_page_extra_count(const orr_image_page *page) {
    return page->samples - (page->photometric == 2 ? 3u : 1u);
}

uint16_t orr_page_extra_sample(const orr_image_page *page, unsigned n) {
    uint64_t value = 0;
    return orr_page_tag_number(page, 338, n, &value) && value <= 2 ? (uint16_t)value : 0;
}

void orr_pixels_to_volume(const orr_image_page *page, orr_rectangle part, const uint8_t *pixels,
                          uint8_t *volume) {
    size_t wide = page->bits / 8u, row_bytes = page->width * wide, plane = row_bytes * page->height;
    size_t step = part.samples * wide;
    for (uint32_t i = 0; i < part.rows; i++) {
        for (uint32_t s = 0; s < part.samples; s++) {
            const uint8_t *from = pixels + i * part.stride + s * wide;
            uint8_t *to = volume + (part.first_sample + s) * plane + (part.row + i) * row_bytes +
                          part.column * wide;
            for (uint32_t j = 0; j < part.columns; j++, from += step, to += wide) {
                to[0] = from[wide - 1];
                if (wide == 2) to[1] = from[0];
            }
        }
    }
}

void orr_pixels_from_volume(const orr_image_page *page, orr_rectangle part, const uint8_t *volume,
                            uint8_t *pixels) {
    size_t wide = page->bits / 8u, row_bytes = page->width * wide, plane = row_bytes * page->height;
    size_t step = part.samples * wide;
    for (uint32_t i = 0; i < part.rows; i++) {
        for (uint32_t s = 0; s < part.samples; s++) {
            uint8_t *to = pixels + i * part.stride + s * wide;
            const uint8_t *from = volume + (part.first_sample + s) * plane +
                                  (part.row + i) * row_bytes + part.column * wide;
            for (uint32_t j = 0; j < part.columns; j++, from += wide, to += step) {
                to[wide - 1] = from[0];
                if (wide == 2) to[0] = from[1];
            }
        }
    }
}

uint64_t orr_image_memory(const orr_image *image) {
    uint64_t each = sizeof *image->pages;
    if (!image->borrowed) each += 32; // what the allocator adds to each page's tags
    return image->page_count * each;
}

void orr_image_free(orr_image *image) {
    for (uint32_t n = 0; image->pages && !image->borrowed && n < image->page_count; n++) {
        if (image->pages[n].tags) orr_wipe(image->pages[n].tags, image->pages[n].tag_bytes);
        free(image->pages[n].tags);
    }
    free(image->pages);
    *image = (orr_image){0};
}

orr_chunks orr_chunks_of(const orr_image_page *page) {
    orr_chunks chunks = {.page = page, .rows = page->chunk_rows};
    if (!page->tiled && chunks.rows > page->height) chunks.rows = page->height;
    chunks.samples = page->planar == PLANARCONFIG_CONTIG ? page->samples : 1;
    chunks.stride = (uint64_t)page->chunk_columns * chunks.samples * (page->bits / 8u);
    return chunks;
}

int orr_chunks_next(orr_chunks *chunks, orr_rectangle *part) {
    const orr_image_page *page = chunks->page;
    if (chunks->column >= page->width) {
        chunks->column = 0;
        chunks->row += chunks->rows;
    }
    if (chunks->row >= page->height) {
        chunks->row = 0;
        chunks->sample += chunks->samples;
    }
    if (chunks->sample >= page->samples) return 0;
    uint64_t rows = page->height - chunks->row, columns = page->width - chunks->column;
    *part = (orr_rectangle){.row = (uint32_t)chunks->row,
                            .rows = rows < chunks->rows ? (uint32_t)rows : chunks->rows,
                            .column = (uint32_t)chunks->column,
                            .columns = columns < page->chunk_columns ? (uint32_t)columns
                                                                     : page->chunk_columns,
                            .first_sample = chunks->sample,
                            .samples = chunks->samples,
                            .stride = chunks->stride};
    chunks->column += page->chunk_columns;
    return 1;
}
