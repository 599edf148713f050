#include "training/swd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gan/philox.h"

#define PATCH 7
#define SMALLEST 16
#define STREAM_PLACES 0x53574401u // streams of our own, far from those of gan/philox.h
#define STREAM_DIRECTIONS 0x53574402u

// ---- the pyramid: images are [size][size][channels] floats

static uint32_t mirrored(int32_t at, uint32_t size) {
    if (at < 0) at = -at;
    if (at >= (int32_t)size) at = 2 * ((int32_t)size - 1) - at;
    return (uint32_t)at;
}

static const float binomial[5] = {1 / 16.f, 4 / 16.f, 6 / 16.f, 4 / 16.f, 1 / 16.f};

// Convolution with the 5 x 5 binomial kernel, every second pixel kept. `line` is scratch, size x
// channels floats.
static void smaller(const float *from, uint32_t size, uint32_t channels, float *line, float *to) {
    size_t row = (size_t)size * channels;
    for (uint32_t y = 0; y < size / 2; y++) {
        memset(line, 0, row * sizeof *line);
        for (int k = 0; k < 5; k++) {
            const float *source = from + mirrored((int32_t)(2 * y) + k - 2, size) * row;
            for (size_t i = 0; i < row; i++) line[i] += binomial[k] * source[i];
        }
        for (uint32_t x = 0; x < size / 2; x++)
            for (uint32_t c = 0; c < channels; c++) {
                float sum = 0;
                for (int k = 0; k < 5; k++)
                    sum +=
                        binomial[k] * line[mirrored((int32_t)(2 * x) + k - 2, size) * channels + c];
                *to++ = sum;
            }
    }
}

// One axis of the way up: zeros between the pixels, then twice the kernel; so an even place has
// three pixels to look at and an odd one two. Pixels are `stride` apart.
static float between(const float *from, uint32_t at, uint32_t half, size_t stride) {
    uint32_t near = at / 2;
    float here = from[near * stride];
    uint32_t after = near + 1 < half ? near + 1 : half - 1; // mirrored about the last odd place
    if (at % 2) return 0.5f * here + 0.5f * from[after * stride];
    uint32_t before = near ? near - 1 : (half > 1 ? 1 : 0);
    return 0.125f * from[before * stride] + 0.75f * here + 0.125f * from[after * stride];
}

// Takes the enlarged `half`-sized image away from `image`, of twice the size. `tall` is scratch for
// size x half x channels floats.
static void subtract_enlarged(float *image, const float *small, uint32_t half, uint32_t channels,
                              float *tall) {
    uint32_t size = 2 * half;
    size_t row = (size_t)half * channels;
    for (uint32_t y = 0; y < size; y++)
        for (size_t i = 0; i < row; i++) tall[y * row + i] = between(small + i, y, half, row);
    for (uint32_t y = 0; y < size; y++)
        for (uint32_t x = 0; x < size; x++)
            for (uint32_t c = 0; c < channels; c++)
                *image++ -= between(tall + y * row + c, x, half, channels);
}

// ---- patches of one set at one level

typedef struct measure {
    uint32_t count, size, channels; // of the images
    uint64_t seed;
    size_t dimensions; // of a patch
    float *image, *half, *line, *tall, *next;
    float *patches[2];   // [count * ORR_SWD_PATCHES][dimensions]
    float *directions;   // [ORR_SWD_DIRECTIONS][dimensions]
    float *projected[2]; // [count * ORR_SWD_PATCHES]
} measure;

// The image at one level of its pyramid, into m->image: a band of detail, or the smallest image.
static void image_level(measure *m, const uint8_t *bytes, uint32_t level, uint32_t levels) {
    uint32_t size = m->size;
    size_t floats = (size_t)size * size * m->channels;
    for (size_t i = 0; i < floats; i++) m->image[i] = (float)bytes[i];
    for (uint32_t n = 0; n < level; n++, size /= 2) {
        smaller(m->image, size, m->channels, m->line, m->next);
        memcpy(m->image, m->next, (size_t)size / 2 * (size / 2) * m->channels * sizeof(float));
    }
    if (level + 1 == levels) return;
    smaller(m->image, size, m->channels, m->line, m->half);
    subtract_enlarged(m->image, m->half, size / 2, m->channels, m->tall);
}

// Patches of image `number`; the places depend on its number and the level.
static void take_patches(const measure *m, uint32_t number, uint32_t level, uint32_t size,
                         float *patches) {
    uint32_t room = size - PATCH + 1, words[4] = {0};
    uint64_t step = (uint64_t)level << 32 | number;
    for (uint32_t p = 0; p < ORR_SWD_PATCHES; p++) {
        if (p % 2 == 0) orr_philox_block(m->seed, STREAM_PLACES, step, p / 2, words);
        uint32_t x = (uint32_t)(((uint64_t)words[p % 2 * 2] * room) >> 32);
        uint32_t y = (uint32_t)(((uint64_t)words[p % 2 * 2 + 1] * room) >> 32);
        for (uint32_t j = 0; j < PATCH; j++) {
            size_t bytes = PATCH * m->channels * sizeof(float);
            memcpy(patches, m->image + ((size_t)(y + j) * size + x) * m->channels, bytes);
            patches += PATCH * m->channels;
        }
    }
}

// Each channel to mean 0 and deviation 1 over all patches. A channel without any deviation, as of
// black images, is left at 0.
static void normalise(const measure *m, float *patches) {
    size_t values = (size_t)m->count * ORR_SWD_PATCHES * m->dimensions;
    for (uint32_t c = 0; c < m->channels; c++) {
        double sum = 0, squares = 0, n = (double)values / m->channels;
        for (size_t i = c; i < values; i += m->channels) sum += patches[i];
        double mean = sum / n;
        for (size_t i = c; i < values; i += m->channels)
            squares += (patches[i] - mean) * (patches[i] - mean);
        double scale = squares > 0 ? 1 / sqrt(squares / n) : 0;
        for (size_t i = c; i < values; i += m->channels)
            patches[i] = (float)((patches[i] - mean) * scale);
    }
}

// ---- distances

static void draw_directions(measure *m, uint32_t level) {
    for (uint32_t d = 0; d < ORR_SWD_DIRECTIONS; d++) {
        float *direction = m->directions + d * m->dimensions;
        double squares = 0;
        for (size_t i = 0; i < m->dimensions; i += 4) {
            float four[4];
            orr_normal_block(m->seed, STREAM_DIRECTIONS, (uint64_t)level << 32 | d,
                             (uint32_t)(i / 4), four);
            for (size_t k = i; k < m->dimensions && k < i + 4; k++) {
                direction[k] = four[k - i];
                squares += (double)four[k - i] * four[k - i];
            }
        }
        for (size_t i = 0; i < m->dimensions; i++) direction[i] /= (float)sqrt(squares);
    }
}

static uint32_t ordered_bits(float value) { // in the order of the values
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Radix sort in three passes of 11 bits; `other` is scratch of the same length.
static void sort_floats(float *values, float *other, size_t count) {
    for (unsigned shift = 0; shift < 33; shift += 11) {
        size_t place[2048] = {0}, sum = 0;
        for (size_t i = 0; i < count; i++) place[ordered_bits(values[i]) >> shift & 2047]++;
        for (int b = 0; b < 2048; b++) {
            size_t n = place[b];
            place[b] = sum;
            sum += n;
        }
        for (size_t i = 0; i < count; i++)
            other[place[ordered_bits(values[i]) >> shift & 2047]++] = values[i];
        float *swap = values;
        values = other;
        other = swap;
    }
    memcpy(other, values, count * sizeof *values); // three passes end in the scratch
}

static double level_distance(measure *m, float *scratch) {
    size_t count = (size_t)m->count * ORR_SWD_PATCHES;
    double total = 0;
    for (uint32_t d = 0; d < ORR_SWD_DIRECTIONS; d++) {
        const float *direction = m->directions + d * m->dimensions;
        for (int set = 0; set < 2; set++) {
            for (size_t p = 0; p < count; p++) {
                const float *patch = m->patches[set] + p * m->dimensions;
                float sum[4] = {0}; // of its own order, so that compilers may use vectors
                size_t i = 0;
                for (; i + 4 <= m->dimensions; i += 4)
                    for (size_t k = 0; k < 4; k++) sum[k] += patch[i + k] * direction[i + k];
                for (; i < m->dimensions; i++) sum[0] += patch[i] * direction[i];
                m->projected[set][p] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
            }
            sort_floats(m->projected[set], scratch, count);
        }
        double sum = 0;
        for (size_t p = 0; p < count; p++)
            sum += fabs((double)m->projected[0][p] - m->projected[1][p]);
        total += sum / (double)count;
    }
    return 1000 * total / ORR_SWD_DIRECTIONS;
}

static int allocate(measure *m, float **scratch) {
    size_t floats = (size_t)m->size * m->size * m->channels,
           count = (size_t)m->count * ORR_SWD_PATCHES;
    m->image = calloc(floats, sizeof(float));
    m->half = calloc(floats / 4, sizeof(float));
    m->next = calloc(floats / 4, sizeof(float));
    m->tall = calloc(floats / 2, sizeof(float));
    m->line = calloc((size_t)m->size * m->channels, sizeof(float));
    m->directions = calloc(ORR_SWD_DIRECTIONS * m->dimensions, sizeof(float));
    *scratch = calloc(count, sizeof(float));
    for (int set = 0; set < 2; set++) {
        m->patches[set] = calloc(count * m->dimensions, sizeof(float));
        m->projected[set] = calloc(count, sizeof(float));
    }
    return m->image && m->half && m->next && m->tall && m->line && m->directions && *scratch &&
           m->patches[0] && m->patches[1] && m->projected[0] && m->projected[1];
}

static void release(measure *m, float *scratch) {
    free(m->image);
    free(m->half);
    free(m->next);
    free(m->tall);
    free(m->line);
    free(m->directions);
    free(scratch);
    for (int set = 0; set < 2; set++) {
        free(m->patches[set]);
        free(m->projected[set]);
    }
}

orr_status orr_swd_measure(const uint8_t *a, const uint8_t *b, uint32_t count, uint32_t size,
                           uint32_t channels, uint64_t seed, orr_swd *swd, orr_error *error) {
    if (!count || size < 8 || size > 128 || (size & (size - 1)) || (channels != 1 && channels != 3))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "no sliced Wasserstein distance of %u images of %u pixels", count, size);
    measure m = {.count = count, .size = size, .channels = channels, .seed = seed};
    m.dimensions = (size_t)PATCH * PATCH * channels;
    float *scratch = NULL;
    orr_status status = ORR_OK;
    *swd = (orr_swd){.levels = 1};
    for (uint32_t s = size; s > SMALLEST; s /= 2) swd->levels++;
    if (!allocate(&m, &scratch)) {
        status = orr_fail(error, ORR_INTERNAL, "no memory to compare %u images", count);
        goto end;
    }
    for (uint32_t level = 0; level < swd->levels; level++) {
        uint32_t level_size = size >> level;
        for (int set = 0; set < 2; set++) {
            const uint8_t *bytes = set ? b : a;
            for (uint32_t i = 0; i < count; i++) {
                image_level(&m, bytes + (size_t)i * size * size * channels, level, swd->levels);
                take_patches(&m, i, level, level_size,
                             m.patches[set] + (size_t)i * ORR_SWD_PATCHES * m.dimensions);
            }
            normalise(&m, m.patches[set]);
        }
        draw_directions(&m, level);
        swd->size[level] = level_size;
        swd->distance[level] = level_distance(&m, scratch);
        swd->mean += swd->distance[level] / swd->levels;
    }
end:
    release(&m, scratch);
    return status;
}
