// Do the tags of a page agree with the page? Asked of every image before it is sealed, and of every
// sealed page table: what is restored must be a TIFF that others can read too.

#include <string.h>

#include "host/paper/image_parts.h"

int orr_page_keeps_compression(const orr_image_page *page) {
    switch (page->compression) {
    case COMPRESSION_NONE:
    case COMPRESSION_LZW:
    case COMPRESSION_PACKBITS:
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
    case COMPRESSION_LZMA:
    case COMPRESSION_ZSTD:
        return TIFFIsCODECConfigured(page->compression);
    default:
        return 0;
    }
}

int orr_scheme_predicts(unsigned compression) {
    return compression == COMPRESSION_LZW || compression == COMPRESSION_ADOBE_DEFLATE ||
           compression == COMPRESSION_DEFLATE || compression == COMPRESSION_ZSTD ||
           compression == COMPRESSION_LZMA;
}

// Every tag once, none that says where something is, directories only where they are carried along.
static const char *structure(const uint8_t *at, size_t left, int big, int level) {
    uint8_t seen[65536 / 8] = {0};
    orr_tag tag;
    while (orr_tag_next(&at, &left, &tag)) {
        uint8_t *bits = &seen[tag.id / 8], bit = (uint8_t)(1u << tag.id % 8);
        int nested = orr_tag_is_nested(tag.id, level);
        if (*bits & bit) return "has a tag twice";
        *bits |= bit;
        if (level == 0 && orr_tag_is_layout(tag.id)) return "says where its strips or tiles are";
        if (nested != !!(tag.type & ORR_TAG_DIRECTORY) ||
            (!nested && orr_tag_is_pointer(tag.id, tag.type)))
            return "has a tag that points into the file";
        if (nested && !orr_tag_points(tag.type & ~ORR_TAG_DIRECTORY, big))
            return "has a directory behind a tag that cannot point to it";
        const char *why = nested ? structure(tag.value, tag.bytes, big, level + 1) : NULL;
        if (why) return why;
    }
    return NULL;
}

// One value, or the same for every sample (some writers give more). Only unsigned integers count:
// others are read differently by different readers.
static int says(const orr_tag *tag, uint64_t value, unsigned samples) {
    if (!orr_tag_is_number(tag)) return 0;
    if (tag->count != 1 && (samples == 1 || tag->count < samples)) return 0;
    for (uint32_t n = 0; n < tag->count; n++)
        if (orr_tag_element(tag, n) != value) return 0;
    return 1;
}

// Would libtiff count none of them? Its sums have 32 bits.
static int chunks_overflow(const orr_image_page *page) {
    if (page->tiled && page->chunk_columns > UINT32_MAX - page->width) return 1;
    return page->chunk_rows > UINT32_MAX - page->height &&
           (page->tiled || page->chunk_rows != UINT32_MAX);
}

// libtiff takes them; TIFF does not have them, and Pillow and tifffile do not open what has.
int orr_page_tag_of_bytes(const orr_image_page *page) {
    static const uint16_t fields[] = {256, 257, 258, 259, 262, 266, 277,
                                      278, 284, 317, 322, 323, 338, 339};
    orr_tag tag;
    for (size_t n = 0; n < sizeof fields / sizeof *fields; n++)
        if (orr_page_tag(page, fields[n], &tag) && tag.type == TIFF_BYTE) return fields[n];
    return 0;
}

const char *orr_page_contradiction(const orr_image_page *page, int bigtiff) {
    const char *why = structure(page->tags, page->tag_bytes, bigtiff, 0);
    if (why) return why;
    const int predicts = orr_scheme_predicts(page->compression);
    const uint16_t kind = page->converted ? PHOTOMETRIC_YCBCR : page->photometric;
    const uint64_t none = UINT64_MAX; // no default: the tag must be there
    const struct {
        uint16_t id, for_each_sample, asked;
        uint64_t value, otherwise; // what it must say; what holds when it is missing
    } fields[] = {{256, 0, 1, page->width, none},
                  {257, 0, 1, page->height, none},
                  {258, 1, 1, page->bits, 1},
                  {259, 0, 1, page->compression, 1},
                  {262, 0, 1, kind, none},
                  {266, 0, 1, page->fill_order, 1},
                  {277, 0, 1, page->samples, 1},
                  {278, 0, !page->tiled, page->chunk_rows, page->chunk_rows},
                  {284, 0, 1, page->planar, 1},
                  {317, 0, (uint16_t)predicts, page->predictor, 1},
                  {322, 0, page->tiled, page->chunk_columns, none},
                  {323, 0, page->tiled, page->chunk_rows, none},
                  {339, 1, 1, page->sample_format, 1}};
    for (size_t n = 0; n < sizeof fields / sizeof *fields; n++) {
        orr_tag tag;
        int there = orr_page_tag(page, fields[n].id, &tag);
        if (!fields[n].asked) {
            if (there && fields[n].id >= 322) return "has strips, and tags of tiles";
        } else if (there
                       ? !says(&tag, fields[n].value, fields[n].for_each_sample ? page->samples : 1)
                       : fields[n].otherwise != fields[n].value) {
            return "contradicts itself in its tags";
        }
    }
    orr_tag extra;
    if (orr_page_tag(page, 338, &extra) && extra.count > orr_page_extra_count(page))
        return "contradicts itself in its tags (ExtraSamples)";
    int jpeg_rgb = page->compression == COMPRESSION_JPEG && page->photometric == PHOTOMETRIC_RGB &&
                   page->samples == 3 && page->bits == 8 && page->planar == PLANARCONFIG_CONTIG;
    if (chunks_overflow(page)) return "has strips or tiles of an impossible size";
    if (page->converted && !jpeg_rgb) return "is no JPEG image that was decoded to RGB";
    if (page->predictor != 1 && (!predicts || page->predictor != 2))
        return "has a predictor that its scheme does not have";
    if (!page->tiled && page->chunk_rows < page->height && !orr_page_tag(page, 278, &extra))
        return "contradicts itself in its tags";
    return NULL;
}
