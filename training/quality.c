#include "training/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2 // pixels between pictures

// Squared differences of one row of `row` bytes.
static uint64_t row_distance(const uint8_t *a, const uint8_t *b, size_t row) {
    uint32_t sum = 0; // 4096 * 3 * 255^2 fits
    for (size_t i = 0; i < row; i++) {
        int32_t difference = (int32_t)a[i] - b[i];
        sum += (uint32_t)(difference * difference);
    }
    return sum;
}

// Squared distance of two images, or anything at or above `limit` once that is certain.
static uint64_t distance(const uint8_t *a, const uint8_t *b, uint32_t rows, size_t row,
                         uint64_t limit) {
    uint64_t sum = 0;
    for (uint32_t y = 0; y < rows && sum < limit; y++)
        sum += row_distance(a + y * row, b + y * row, row);
    return sum;
}

static void mirror(const uint8_t *from, uint32_t size, uint32_t channels, uint8_t *to) {
    for (uint32_t y = 0; y < size; y++)
        for (uint32_t x = 0; x < size; x++)
            memcpy(to + ((size_t)y * size + x) * channels,
                   from + ((size_t)y * size + (size - 1 - x)) * channels, channels);
}

// The same of an image and the mirror image of another: mirroring the one is as good as mirroring
// all the others.
static uint64_t mirrored_distance(const orr_dataset *set, const uint8_t *a, const uint8_t *b,
                                  uint64_t limit) {
    uint8_t turned[3 * 4096];
    size_t row = (size_t)set->size * set->channels;
    uint64_t sum = 0;
    for (uint32_t y = 0; y < set->size && sum < limit; y++) {
        for (uint32_t x = 0; x < set->size; x++)
            memcpy(turned + (size_t)x * set->channels,
                   b + y * row + (size_t)(set->size - 1 - x) * set->channels, set->channels);
        sum += row_distance(a + y * row, turned, row);
    }
    return sum;
}

// Does image i of the set not count for an image, being itself or a copy?
static int is_left_out(const orr_dataset *set, const uint8_t *image, uint32_t self, uint32_t i) {
    const uint8_t *other = set->images + i * orr_dataset_image_bytes(set);
    size_t row = (size_t)set->size * set->channels;
    return self == i || !distance(image, other, set->size, row, 1) ||
           !mirrored_distance(set, image, other, 1);
}

void orr_nearest_find(const orr_dataset *set, const uint8_t *images, uint32_t count,
                      const uint32_t *leave_out, orr_nearest *nearest) {
    size_t bytes = orr_dataset_image_bytes(set), row = (size_t)set->size * set->channels;
    for (uint32_t n = 0; n < count; n++) {
        const uint8_t *image = images + n * bytes;
        uint64_t best = UINT64_MAX;
        nearest[n] = (orr_nearest){0};
        for (int turned = 0; turned < 2; turned++)
            for (uint32_t i = 0; i < set->count; i++) {
                const uint8_t *other = set->images + i * bytes;
                uint64_t d = turned ? mirrored_distance(set, image, other, best)
                                    : distance(image, other, set->size, row, best);
                if (d >= best || (leave_out && is_left_out(set, image, leave_out[n], i))) continue;
                best = d;
                nearest[n].index = i;
                nearest[n].mirrored = turned;
            }
        nearest[n].rms = best == UINT64_MAX ? 0 : sqrt((double)best / (double)bytes);
    }
}

double orr_nearest_median(const orr_nearest *nearest, uint32_t count) {
    double low = 0, high = 0;
    for (uint32_t i = 0; i < count; i++) { // few: each one's place among all
        uint32_t place = 0;
        for (uint32_t k = 0; k < count; k++)
            place += nearest[k].rms < nearest[i].rms || (nearest[k].rms == nearest[i].rms && k < i);
        if (place == (count - 1) / 2) low = nearest[i].rms;
        if (place == count / 2) high = nearest[i].rms;
    }
    return (low + high) / 2;
}

double orr_diversity(const uint8_t *images, uint32_t count, uint32_t size, uint32_t channels) {
    size_t row = (size_t)size * channels, bytes = row * size;
    double sum = 0, pairs = 0;
    for (uint32_t a = 0; a < count; a++)
        for (uint32_t b = a + 1; b < count; b++, pairs++) {
            uint64_t d = distance(images + a * bytes, images + b * bytes, size, row, UINT64_MAX);
            sum += sqrt((double)d / (double)bytes);
        }
    return pairs ? sum / pairs : 0;
}

void orr_channel_sums(const uint8_t *pixels, size_t samples, uint32_t channels, uint64_t sums[3]) {
    sums[0] = sums[1] = sums[2] = 0;
    for (size_t i = 0; i < samples; i += channels)
        for (size_t c = 0; c < 3; c++) sums[c] += pixels[i + (channels == 3 ? c : 0)];
}

static int compare_sums(const void *a, const void *b) {
    return memcmp(a, b, 3 * sizeof(uint64_t));
}

size_t orr_different_sums(uint64_t (*sums)[3], size_t count) {
    size_t different = count ? 1 : 0;
    qsort(sums, count, sizeof *sums, compare_sums);
    for (size_t i = 1; i < count; i++) different += compare_sums(sums[i - 1], sums[i]) != 0;
    return different;
}

void orr_dataset_spread(const orr_dataset *set, uint32_t count, uint32_t offset, uint8_t *out,
                        uint32_t *index) {
    size_t bytes = orr_dataset_image_bytes(set);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = (uint32_t)((uint64_t)i * set->count / count) + offset;
        if (index) index[i] = n;
        memcpy(out + i * bytes, set->images + n * bytes, bytes);
    }
}

orr_status orr_swd_of_halves(const orr_dataset *set, uint32_t most, uint64_t seed, orr_swd *swd,
                             orr_error *error) {
    uint32_t count = most < set->count / 2 ? most : set->count / 2;
    size_t bytes = orr_dataset_image_bytes(set);
    uint8_t *halves = malloc(2 * count * bytes);
    *swd = (orr_swd){0};
    if (!halves) return orr_fail(error, ORR_INTERNAL, "no memory to measure the training images");
    // The strides are at least 2 long, so that their first and second images are different ones.
    orr_dataset_spread(set, count, 0, halves, NULL);
    orr_dataset_spread(set, count, 1, halves + count * bytes, NULL);
    orr_status status = orr_swd_measure(halves, halves + count * bytes, count, set->size,
                                        set->channels, seed, swd, error);
    free(halves);
    return status;
}

static orr_status new_grid(uint32_t count, uint32_t width, uint32_t height, uint32_t channels,
                           uint32_t columns, orr_raster *grid, orr_error *error) {
    if (!count) return orr_fail(error, ORR_INTERNAL, "a grid needs images");
    if (columns > count) columns = count;
    uint32_t rows = (count + columns - 1) / columns;
    orr_status status = orr_raster_new(columns * (width + GAP) + GAP, rows * (height + GAP) + GAP,
                                       channels, grid, error);
    if (status == ORR_OK) memset(grid->pixels, 255, (size_t)grid->width * grid->height * channels);
    return status;
}

static void put(orr_raster *grid, uint32_t x, uint32_t y, const uint8_t *image, uint32_t size) {
    size_t row = (size_t)size * grid->channels;
    for (uint32_t j = 0; j < size; j++)
        memcpy(grid->pixels + ((size_t)(y + j) * grid->width + x) * grid->channels, image + j * row,
               row);
}

orr_status orr_grid(const uint8_t *images, uint32_t count, uint32_t size, uint32_t channels,
                    uint32_t columns, orr_raster *grid, orr_error *error) {
    orr_status status = new_grid(count, size, size, channels, columns, grid, error);
    for (uint32_t i = 0; i < count && status == ORR_OK; i++)
        put(grid, GAP + i % columns * (size + GAP), GAP + i / columns * (size + GAP),
            images + (size_t)i * size * size * channels, size);
    return status;
}

static int compare_nearest(const void *a, const void *b, void *context) {
    const orr_nearest *nearest = context;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    double x = nearest[i].rms, y = nearest[j].rms;
    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

orr_status orr_nearest_grid(const orr_dataset *set, const uint8_t *images,
                            const orr_nearest *nearest, uint32_t count, uint32_t columns,
                            orr_raster *grid, orr_error *error) {
    size_t bytes = orr_dataset_image_bytes(set);
    uint32_t size = set->size, width = 2 * size;
    uint32_t *order = malloc((count ? count : 1) * sizeof *order);
    uint8_t *turned = malloc(bytes);
    orr_status status = ORR_INTERNAL;
    memset(grid, 0, sizeof *grid);
    if (!order || !turned) {
        orr_fail(error, status, "no memory for a grid of %u images", count);
        goto end;
    }
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    qsort_r(order, count, sizeof *order, compare_nearest, (void *)nearest);
    status = new_grid(count, width, size, set->channels, columns, grid, error);
    for (uint32_t i = 0; i < count && status == ORR_OK; i++) {
        uint32_t n = order[i], x = GAP + i % columns * (width + GAP);
        uint32_t y = GAP + i / columns * (size + GAP);
        const uint8_t *training = set->images + nearest[n].index * bytes;
        if (nearest[n].mirrored) {
            mirror(training, size, set->channels, turned);
            training = turned;
        }
        put(grid, x, y, images + n * bytes, size);
        put(grid, x + size, y, training, size);
    }
end:
    free(order);
    free(turned);
    return status;
}
