#include "training/resample.h"

#include <stdlib.h>
#include <string.h>

// For each output position the source positions that make it, and their weights, which add up to
// `total` everywhere.
typedef struct taps {
    uint32_t most; // taps an output position may have
    uint32_t *first, *count, *weight;
    uint64_t total;
} taps;

// From `side` pixels down to `size`: output pixel d covers [d side, (d + 1) side) where source
// pixel x covers [x size, (x + 1) size); the weights are the overlaps.
static void make_area_taps(taps *t, uint32_t side, uint32_t size) {
    t->total = side;
    for (uint32_t d = 0; d < size; d++) {
        uint64_t low = (uint64_t)d * side, high = low + side;
        uint32_t x = (uint32_t)(low / size), n = 0;
        t->first[d] = x;
        for (; (uint64_t)x * size < high; x++) {
            uint64_t from = (uint64_t)x * size, to = from + size;
            if (from < low) from = low;
            if (to > high) to = high;
            t->weight[(size_t)d * t->most + n++] = (uint32_t)(to - from);
        }
        t->count[d] = n;
    }
}

// Up: linear between the centres of source pixels, in units of 1 / (2 size); ends repeat.
static void make_linear_taps(taps *t, uint32_t side, uint32_t size) {
    t->total = 2 * (uint64_t)size;
    for (uint32_t d = 0; d < size; d++) {
        int64_t place = (int64_t)(2 * d + 1) * side - size;
        uint32_t *weight = t->weight + (size_t)d * t->most;
        t->first[d] = place < 0 ? 0 : (uint32_t)(place / (2 * (int64_t)size));
        uint32_t after = place < 0 ? 0 : (uint32_t)(place % (2 * (int64_t)size));
        t->count[d] = after && t->first[d] + 1 < side ? 2 : 1;
        weight[0] = t->count[d] == 2 ? (uint32_t)t->total - after : (uint32_t)t->total;
        weight[1] = after;
    }
}

static int make_taps(taps *t, uint32_t side, uint32_t size) {
    t->most = side >= size ? side / size + 2 : 2;
    t->first = calloc(size, sizeof *t->first);
    t->count = calloc(size, sizeof *t->count);
    t->weight = calloc((size_t)size * t->most, sizeof *t->weight);
    if (!t->first || !t->count || !t->weight) return -1;
    if (side >= size)
        make_area_taps(t, side, size);
    else
        make_linear_taps(t, side, size);
    return 0;
}

static void free_taps(taps *t) {
    free(t->first);
    free(t->count);
    free(t->weight);
}

// One source row (from its first used pixel) to `size` pixels, unrounded: sums below 255 * total.
static void across(const taps *t, const uint8_t *row, uint32_t size, uint32_t channels,
                   uint32_t *out) {
    for (uint32_t d = 0; d < size; d++)
        for (uint32_t c = 0; c < channels; c++) {
            const uint32_t *weight = t->weight + (size_t)d * t->most;
            const uint8_t *from = row + (size_t)t->first[d] * channels + c;
            uint32_t sum = 0;
            for (uint32_t n = 0; n < t->count[d]; n++) sum += weight[n] * from[n * channels];
            *out++ = sum;
        }
}

static void convert(const uint8_t *from, uint32_t from_channels, size_t pixels, uint32_t channels,
                    uint8_t *out) {
    for (size_t i = 0; i < pixels; i++, from += from_channels) {
        if (from_channels == channels) {
            for (uint32_t c = 0; c < channels; c++) *out++ = from[c];
        } else if (channels == 3) {
            for (int c = 0; c < 3; c++) *out++ = *from;
        } else {
            *out++ = (uint8_t)((299u * from[0] + 587u * from[1] + 114u * from[2] + 500) / 1000);
        }
    }
}

orr_status orr_resample(const orr_raster *from, uint32_t size, uint32_t channels, uint8_t *out,
                        orr_error *error) {
    uint32_t side = from->width < from->height ? from->width : from->height;
    uint32_t left = (from->width - side) / 2, top = (from->height - side) / 2;
    size_t row = (size_t)size * from->channels;
    taps t = {0};
    uint32_t *line = malloc(row * sizeof *line);
    uint64_t *sums = malloc(row * sizeof *sums);
    uint8_t *small = malloc(row * size);
    orr_status status = ORR_OK;
    if (make_taps(&t, side, size) || !line || !sums || !small) {
        status = orr_fail(error, ORR_INTERNAL, "no memory to resize a picture of %u x %u pixels",
                          from->width, from->height);
        goto end;
    }
    uint64_t whole = t.total * t.total;
    for (uint32_t d = 0; d < size; d++) {
        memset(sums, 0, row * sizeof *sums);
        for (uint32_t n = 0; n < t.count[d]; n++) {
            size_t y = top + t.first[d] + n;
            const uint8_t *start = from->pixels + (y * from->width + left) * from->channels;
            across(&t, start, size, from->channels, line);
            uint64_t weight = t.weight[(size_t)d * t.most + n];
            for (size_t i = 0; i < row; i++) sums[i] += weight * line[i];
        }
        for (size_t i = 0; i < row; i++)
            small[d * row + i] = (uint8_t)((sums[i] + whole / 2) / whole);
    }
    convert(small, from->channels, (size_t)size * size, channels, out);
end:
    free_taps(&t);
    free(line);
    free(sums);
    free(small);
    return status;
}
