// The page table and tags inside the sealed metadata (docs/FORMAT.md, "Page table and tags").

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/format.h"
#include "host/paper/image_parts.h"

#define RECORD_VERSION 1
#define PAGE_BYTES 44
#define DEEPEST 2 // page, EXIF or GPS, interoperability

// ---- tags

// Are these `count` tags that the encoder writes at this level? *used: their length.
static int tags_are_sound(const uint8_t *in, size_t bytes, uint32_t count, int level,
                          size_t *used) {
    const uint8_t *at = in;
    size_t left = bytes, inner = 0;
    orr_tag tag;
    if (count > bytes / ORR_TAG_BYTES || count > ORR_DIRECTORY_MAX) return 0;
    for (uint32_t n = 0; n < count; n++) {
        if (!orr_tag_next(&at, &left, &tag)) return 0;
        unsigned each = orr_type_bytes(tag.type & ~ORR_TAG_DIRECTORY);
        if (tag.type & ORR_TAG_DIRECTORY) {
            if (each < 4 || level >= DEEPEST || tag.count == 0 ||
                !tags_are_sound(tag.value, tag.bytes, tag.count, level + 1, &inner) ||
                inner != tag.bytes)
                return 0;
        } else if (each == 0 || (uint64_t)tag.count * each != tag.bytes) {
            return 0;
        }
    }
    *used = bytes - left;
    return 1;
}

// ---- the record

static void encode_page(orr_buffer *out, const orr_image_page *page) {
    orr_buffer_le32(out, page->width);
    orr_buffer_le32(out, page->height);
    orr_buffer_le16(out, page->samples);
    orr_buffer_le16(out, page->bits);
    orr_buffer_le16(out, page->sample_format);
    orr_buffer_le16(out, page->photometric);
    orr_buffer_le16(out, page->planar);
    orr_buffer_le16(out, page->compression);
    orr_buffer_le16(out, page->predictor);
    orr_buffer_le16(out, page->fill_order);
    orr_buffer_le16(out, page->converted);
    orr_buffer_le16(out, page->tiled);
    orr_buffer_le32(out, page->chunk_columns);
    orr_buffer_le32(out, page->chunk_rows);
    orr_buffer_le32(out, 0);
    orr_buffer_le32(out, page->tag_count);
    orr_buffer_add(out, page->tags ? page->tags : (const uint8_t *)"", page->tag_bytes);
}

orr_status orr_image_record_encode(const orr_image *image, const char *name, uint8_t **record,
                                   size_t *bytes, orr_error *error) {
    orr_buffer out = {0};
    uint64_t most = 8;
    for (uint32_t n = 0; n < image->page_count; n++) most += PAGE_BYTES + image->pages[n].tag_bytes;
    if (most > ORR_RECORD_MAX) return orr_image_refuse(name, error, "more than 63 MiB of tags");
    orr_buffer_reserve(&out, (size_t)most);
    orr_buffer_le16(&out, RECORD_VERSION);
    orr_buffer_le16(&out, (uint16_t)(image->big_endian | image->bigtiff << 1));
    orr_buffer_le32(&out, image->page_count);
    for (uint32_t n = 0; n < image->page_count; n++) encode_page(&out, &image->pages[n]);
    if (out.failed) {
        orr_buffer_free(&out);
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    }
    *record = out.data;
    *bytes = out.bytes;
    return ORR_OK;
}

// Every field within what orr_image_open lets through.
static int page_is_sound(const orr_image_page *page) {
    unsigned colours = page->photometric == 2 ? 3 : 1;
    return page->width > 0 && page->height > 0 && page->photometric <= 2 &&
           page->samples >= colours && (page->bits == 8 || page->bits == 16) &&
           (page->sample_format == 1 || page->sample_format == 2) &&
           (page->planar == 1 || page->planar == 2) && page->converted <= 1 && page->tiled <= 1 &&
           (page->fill_order == 1 || page->fill_order == 2) && page->chunk_rows > 0 &&
           (page->tiled ? page->chunk_columns % 16 == 0 && page->chunk_rows % 16 == 0 &&
                              page->chunk_columns > 0
                        : page->chunk_columns == page->width) &&
           orr_page_bytes(page) != 0;
}

static int decode_page(orr_image_page *page, const uint8_t *in, size_t bytes, size_t *used) {
    if (bytes < PAGE_BYTES) return 0;
    page->width = orr_load_le32(in);
    page->height = orr_load_le32(in + 4);
    page->samples = orr_load_le16(in + 8);
    page->bits = orr_load_le16(in + 10);
    page->sample_format = orr_load_le16(in + 12);
    page->photometric = orr_load_le16(in + 14);
    page->planar = orr_load_le16(in + 16);
    page->compression = orr_load_le16(in + 18);
    page->predictor = orr_load_le16(in + 20);
    page->fill_order = orr_load_le16(in + 22);
    page->converted = orr_load_le16(in + 24);
    page->tiled = orr_load_le16(in + 26);
    page->chunk_columns = orr_load_le32(in + 28);
    page->chunk_rows = orr_load_le32(in + 32);
    if (orr_load_le32(in + 36) != 0 || !page_is_sound(page)) return 0;
    uint32_t count = orr_load_le32(in + 40);
    size_t tags = 0;
    if (!tags_are_sound(in + PAGE_BYTES, bytes - PAGE_BYTES, count, 0, &tags)) return 0;
    page->tags = (uint8_t *)in + PAGE_BYTES; // never written to: the image is marked as borrowed
    page->tag_bytes = (uint32_t)tags;
    page->tag_count = count;
    *used = PAGE_BYTES + tags;
    return 1;
}

orr_status orr_image_record_decode(orr_image *image, const uint8_t *record, size_t bytes,
                                   const char *name, orr_error *error) {
    *image = (orr_image){.borrowed = 1};
    size_t at = 8;
    uint32_t pages = bytes < at ? 0 : orr_load_le32(record + 4);
    int sound = pages > 0 && pages <= ORR_MAX_PAGES && pages <= (bytes - at) / PAGE_BYTES &&
                orr_load_le16(record) == RECORD_VERSION && orr_load_le16(record + 2) < 4;
    if (sound) {
        image->big_endian = orr_load_le16(record + 2) & 1;
        image->bigtiff = orr_load_le16(record + 2) >> 1;
        image->pages = calloc(pages, sizeof *image->pages);
        if (!image->pages) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
        image->page_count = pages;
    }
    for (uint32_t n = 0; sound && n < pages; n++) {
        size_t used = 0;
        sound = decode_page(&image->pages[n], record + at, bytes - at, &used);
        at += used;
    }
    if (!sound || at != bytes) {
        orr_image_free(image);
        return orr_fail(
            error, ORR_AUTH,
            "%s: its sealed page table is malformed: the file comes from a foreign writer", name);
    }
    for (uint32_t n = 0; n < pages; n++) {
        const char *why = orr_page_contradiction(&image->pages[n], image->bigtiff);
        if (!why) continue;
        orr_image_free(image);
        return orr_fail(
            error, ORR_UNSUPPORTED,
            "%s: page %u of its sealed page table %s: no readable TIFF can be restored; "
            "the file comes from a foreign writer",
            name, n + 1, why);
    }
    return ORR_OK;
}
