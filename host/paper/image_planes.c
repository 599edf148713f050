// Images of which a directory shows one plane and stands for more: their other planes lie in the
// file where only certain programs look. The paper profile would leave them behind.

#include <string.h>

#include "host/paper/image_parts.h"

enum {
    TAG_DESCRIPTION = 270,
    TAG_IMAGE_DEPTH = 32997,
    TAG_TILE_DEPTH = 32998,
    TAG_METAMORPH_FIRST = 33628, // UIC1 to UIC4 of a MetaMorph stack
    TAG_METAMORPH_LAST = 33631,
    TAG_NIH_IMAGE = 43314
};

// A bounded piece of text, which need not end with a zero.
typedef struct piece {
    const char *at;
    size_t left;
} piece;

static int begins_with(piece text, const char *with) {
    size_t length = strlen(with);
    return text.left >= length && !memcmp(text.at, with, length);
}

// What follows the first `what`; nothing when it is not there.
static piece behind(piece text, const char *what) {
    for (; text.left > 0; text.at++, text.left--) {
        size_t length = strlen(what);
        if (begins_with(text, what)) return (piece){text.at + length, text.left - length};
    }
    return text;
}

static int is_digit(piece text) {
    return text.left > 0 && *text.at >= '0' && *text.at <= '9';
}

// Takes a number off the front; too large ones become the largest.
static uint64_t take_number(piece *text) {
    uint64_t value = 0;
    for (; is_digit(*text); text->at++, text->left--)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text->at - '0'), &value))
            value = UINT64_MAX / 16;
    return value;
}

// The product of the numbers up to the closing bracket, of a shape like [20, 50, 60] or (20, 50,
// 60).
static uint64_t take_shape(piece text) {
    uint64_t samples = 1;
    while (text.left > 0 && *text.at != ']' && *text.at != ')') {
        if (!is_digit(text)) {
            text.at++;
            text.left--;
        } else if (__builtin_mul_overflow(samples, take_number(&text), &samples)) {
            return UINT64_MAX;
        }
    }
    return samples;
}

static uint64_t page_samples(const orr_image_page *page) {
    return (uint64_t)page->width * page->height * page->samples;
}

// tifffile says the shape of a whole series at its first page. "truncated": it has no other page.
static int shape_hides_planes(const orr_image *image, uint32_t index, piece text,
                              uint64_t file_bytes) {
    const orr_image_page *page = &image->pages[index];
    piece shape = begins_with(text, "{") ? behind(text, "\"shape\":") : behind(text, "shape=");
    if (shape.left == 0) return 0;
    uint64_t samples = take_shape(shape), pages = 0, bytes = 0;
    piece truncated = behind(text, "\"truncated\":");
    while (begins_with(truncated, " ")) truncated = behind(truncated, " ");
    if (begins_with(truncated, "true")) return samples > page_samples(page);
    for (uint32_t n = index; n < image->page_count; n++) pages += page_samples(&image->pages[n]);
    // A page taken out of its series may still say the shape of all: then they are not there.
    return samples > pages && !__builtin_mul_overflow(samples, page->bits / 8u, &bytes) &&
           bytes <= file_bytes;
}

static int number_is_one(const orr_image_page *page, unsigned id) {
    uint64_t value = 0;
    orr_tag tag;
    return !orr_page_tag(page, id, &tag) ||
           (tag.count == 1 && orr_page_tag_number(page, id, 0, &value) && value == 1);
}

const char *orr_page_hides_planes(const orr_image *image, uint32_t index, uint64_t file_bytes) {
    const orr_image_page *page = &image->pages[index];
    orr_tag tag;
    if (!number_is_one(page, TAG_IMAGE_DEPTH) || !number_is_one(page, TAG_TILE_DEPTH))
        return "ImageDepth or TileDepth";
    for (unsigned id = TAG_METAMORPH_FIRST; id <= TAG_METAMORPH_LAST; id++)
        if (orr_page_tag(page, id, &tag)) return "MetaMorph stack";
    // Their number is a 16-bit one, in either byte order, at byte 260.
    if (orr_page_tag(page, TAG_NIH_IMAGE, &tag) && tag.bytes >= 262 &&
        (tag.value[260] > 1 || tag.value[261] > 1))
        return "NIH Image stack";
    if (!orr_page_tag(page, TAG_DESCRIPTION, &tag)) return NULL;
    piece text = {(const char *)tag.value, tag.bytes};
    if (begins_with(text, "ImageJ=") || begins_with(text, "SCIFIO=")) {
        piece images = behind(text, "\nimages=");
        return take_number(&images) > image->page_count ? "ImageJ stack" : NULL;
    }
    if (begins_with(text, "{") || begins_with(text, "shape="))
        return shape_hides_planes(image, index, text, file_bytes) ? "tifffile series" : NULL;
    return NULL;
}
