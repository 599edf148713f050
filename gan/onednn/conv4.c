#include "gan/onednn/conv4.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

// What stays in a first-level cache while a thread works on it: bytes of activations (correlate);
// channels of weights, and tiles (scatter). QUADS: how many fours of channels a use them.
enum { CACHED = 24 * 1024, QUADS = 4, CHUNK = 64, TILES = 8 };

enum { LARGEST = 64 }; // small images, pixels a side

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

int orr_conv4_available(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

int orr_conv4_fits(const orr_conv4 *shape) {
    return shape->a % 8 == 0 && shape->b % 16 == 0 && shape->size <= LARGEST;
}

int orr_conv4_fits_narrow(const orr_conv4 *shape) {
    return shape->a % 32 == 0 && shape->b <= 4 && shape->size <= LARGEST;
}

// The large pixel (2y + p, 2x + q) gets the products of 2 x 2 small pixels; (p, q) is its phase. In
// each direction tap 0 is the small pixel itself, tap 1 the one before (phase 0) or behind it.
static size_t kernel_place(size_t phase, size_t tap) {
    if (phase == 0) return tap == 0 ? 1 : 3;
    return tap == 0 ? 2 : 0;
}

// Where a tap's sixteen weights for channel a lie in those of a panel and phase: packed weights are
// [panel of 16 b][phase][chunk of a][tap][a in the chunk][16].
static size_t packed_place(const orr_conv4 *shape, size_t tap, size_t a) {
    size_t chunk = a / CHUNK * CHUNK;
    return (chunk * 4 + tap * smaller(CHUNK, shape->a - chunk) + a % CHUNK) * 16;
}

static void pack_wide(const orr_conv4 *shape, const float *weight, float *packed) {
#pragma omp parallel for schedule(static)
    for (size_t panel = 0; panel < shape->b / 16; panel++) {
        for (size_t a = 0; a < shape->a; a++) {
            const float *from = weight + (a * shape->b + panel * 16) * 16;
            for (size_t n = 0; n < 16; n++) {
                size_t phase = n / 4, tap = n % 4; // each row, then column
                size_t place =
                    kernel_place(phase / 2, tap / 2) * 4 + kernel_place(phase % 2, tap % 2);
                float *to =
                    packed + (panel * 4 + phase) * 4 * shape->a * 16 + packed_place(shape, tap, a);
                for (size_t lane = 0; lane < 16; lane++) to[lane] = from[lane * 16 + place];
            }
        }
    }
}

// A small pixel of the batch.
typedef struct position {
    size_t image, y, x;
} position;

static position position_of(const orr_conv4 *shape, size_t pixel) {
    size_t s = shape->size;
    return (position){pixel / (s * s), pixel % (s * s) / s, pixel % s};
}

static void step_on(const orr_conv4 *shape, position *at) {
    if (++at->x < shape->size) return;
    at->x = 0;
    if (++at->y < shape->size) return;
    at->y = 0;
    at->image++;
}

// Points member m of a tile at what its small pixel needs for a phase.
static void aim(const orr_conv4 *shape, const float *small, const position *at, size_t m,
                size_t phase, orr_conv4_tap taps[4]) {
    static const float zeros[8];
    size_t s = shape->size, plane = s * s;
    for (size_t t = 0; t < 4; t++) {
        size_t v = t / 2 ? (phase / 2 ? at->y + 1 : at->y - 1) : at->y; // above: SIZE_MAX
        size_t u = t % 2 ? (phase % 2 ? at->x + 1 : at->x - 1) : at->x;
        int inside = v < s && u < s;
        taps[t].from[m] = inside ? small + at->image * shape->a * plane + (v * s + u) * 8 : zeros;
        taps[t].step[m] = inside ? plane * 8 : 0;
    }
}

// Some tiles of one phase in sixteen channels; `weight` is the phase's, `large` the channels'.
static void scatter_tiles(const orr_conv4 *shape, size_t first, size_t phase, const float *small,
                          const float *weight, float *large) {
    size_t s = shape->size, next = 4 * s * s * 8;
    size_t count = smaller(TILES * ORR_CONV4_ROWS, shape->images * s * s - first);
    size_t tiles = (count + ORR_CONV4_ROWS - 1) / ORR_CONV4_ROWS;
    _Alignas(32) float sums[TILES][ORR_CONV4_ROWS * 16] = {0};
    orr_conv4_tap taps[TILES][4];
    position at = position_of(shape, first);
    for (size_t i = 0; i < tiles * ORR_CONV4_ROWS; i++) { // the last pixel fills the last tile
        aim(shape, small, &at, i % ORR_CONV4_ROWS, phase, taps[i / ORR_CONV4_ROWS]);
        if (i + 1 < count) step_on(shape, &at);
    }
    for (size_t a = 0; a < shape->a; a += CHUNK) {
        for (size_t tile = 0; tile < tiles; tile++) {
            orr_conv4_scatter_tile(taps[tile], smaller(CHUNK, shape->a - a) / 8, weight + a * 64,
                                   sums[tile]);
        }
    }
    at = position_of(shape, first);
    for (size_t i = 0; i < count; i++, step_on(shape, &at)) {
        float *out = large + at.image * (shape->b / 8) * next +
                     ((2 * at.y + phase / 2) * 2 * s + 2 * at.x + phase % 2) * 8;
        memcpy(out, sums[0] + i * 16, 8 * sizeof *out);
        memcpy(out + next, sums[0] + i * 16 + 8, 8 * sizeof *out);
    }
}

// The even or the odd rows in sixteen channels. Both phases of a row in turn: they share the lines
// of a cache.
static void scatter_piece(const orr_conv4 *shape, size_t panel, size_t odd, const float *small,
                          const float *packed, float *large) {
    size_t plane = shape->size * shape->size, weights = 4 * shape->a * 16;
    for (size_t first = 0; first < shape->images * plane; first += TILES * ORR_CONV4_ROWS) {
        for (size_t phase = 2 * odd; phase < 2 * odd + 2; phase++) {
            scatter_tiles(shape, first, phase, small, packed + (panel * 4 + phase) * weights,
                          large + panel * 2 * 4 * plane * 8);
        }
    }
}

static void scatter_wide(const orr_conv4 *shape, const float *small, const float *packed,
                         float *large) {
    size_t pieces = shape->b / 16 * 2;
#pragma omp parallel for schedule(dynamic)
    for (size_t piece = 0; piece < pieces; piece++) {
        scatter_piece(shape, piece / 2, piece % 2, small, packed, large);
    }
}

// To few channels: a matrix product gives every small pixel's share of its 4 x 4 large ones, a
// channel at a time, and the shares are added up. Packed weights are [b][a][4][4].
static void pack_narrow(const orr_conv4 *shape, const float *weight, float *packed) {
    for (size_t n = 0; n < shape->a * shape->b; n++) {
        size_t a = n / shape->b, b = n % shape->b;
        memcpy(packed + (b * shape->a + a) * 16, weight + n * 16, 16 * sizeof *packed);
    }
}

// A row of shares, [pixel][4][4], with a pixel of zeros at either end (and room for a whole tile).
typedef float shares[LARGEST + 2 + ORR_CONV4_ROWS][16];

static void share_row(const orr_conv4 *shape, const float *row, const float *weight, shares out) {
    size_t s = shape->size, quarter = shape->a / 4;
    for (size_t x = 0; x < s; x += ORR_CONV4_ROWS) {
        _Alignas(32) float sums[ORR_CONV4_ROWS * 16] = {0};
        orr_conv4_tap taps[4]; // a quarter of the channels each
        for (size_t n = 0; n < 4 * ORR_CONV4_ROWS; n++) {
            size_t t = n / ORR_CONV4_ROWS, m = n % ORR_CONV4_ROWS;
            taps[t].from[m] = row + t * quarter * s * s + smaller(x + m, s - 1) * 8;
            taps[t].step[m] = s * s * 8;
        }
        orr_conv4_scatter_tile(taps, quarter / 8, weight, sums);
        memcpy(out[x + 1], sums, sizeof sums);
    }
    memset(out[s + 1], 0, sizeof *out);
}

// A large row from the small row that it lies in and the one that it is next to: places v and w of
// the kernel's rows.
static void add_shares(size_t size, const shares in, size_t v, const shares next, size_t w,
                       float *to) {
    for (size_t x = 1; x <= size; x++, to += 2) {
        const float *i = in[x] + 4 * v, *n = next[x] + 4 * w;
        to[0] = i[1] + i[3 - 16] + n[1] + n[3 - 16];
        to[1] = i[2] + i[0 + 16] + n[2] + n[0 + 16];
    }
}

static void scatter_plane(const orr_conv4 *shape, const float *small, const float *weight,
                          float *large) {
    size_t s = shape->size;
    shares rows[2] = {{{0}}}; // of small rows y and y - 1 by turns; above the first one: zeros
    for (size_t y = 0; y < s; y++) {
        float(*here)[16] = rows[y % 2], (*above)[16] = rows[(y + 1) % 2];
        share_row(shape, small + y * s * 8, weight, here);
        if (y > 0) add_shares(s, above, 2, here, 0, large + (2 * y - 1) * 2 * s);
        add_shares(s, here, 1, above, 3, large + 2 * y * 2 * s);
    }
    memset(rows[s % 2], 0, sizeof rows[0]); // below the last one
    add_shares(s, rows[(s + 1) % 2], 2, rows[s % 2], 0, large + (2 * s - 1) * 2 * s);
}

static void scatter_narrow(const orr_conv4 *shape, const float *small, const float *packed,
                           float *large) {
    size_t plane = shape->size * shape->size, pieces = shape->images * shape->b;
#pragma omp parallel for schedule(dynamic)
    for (size_t piece = 0; piece < pieces; piece++) {
        scatter_plane(shape, small + piece / shape->b * shape->a * plane,
                      packed + piece % shape->b * shape->a * 16, large + piece * 4 * plane);
    }
}

void orr_conv4_pack(const orr_conv4 *shape, const float *weight, float *packed) {
    (orr_conv4_fits(shape) ? pack_wide : pack_narrow)(shape, weight, packed);
}

void orr_conv4_scatter(const orr_conv4 *shape, const float *small, const float *packed,
                       float *large) {
    (orr_conv4_fits(shape) ? scatter_wide : scatter_narrow)(shape, small, packed, large);
}

// What is joined at a time: rows first .. last - 1 of some images.
typedef struct band {
    size_t images, first, last;
} band;

// Sixteen places of the kernel for four channels a and sixteen channels b. Place (v, u) joins the
// small pixel (y, x) with the large one (2y + v - 1, 2x + u - 1), where that exists.
static void correlate_band(const orr_conv4 *shape, const band *part, const float *small,
                           const float *large, float sums[16 * 64]) {
    size_t s = shape->size, plane = s * s * 8;
    for (size_t place = 0; place < 16; place++) {
        size_t v = place / 4, u = place % 4, x = u == 0;
        size_t y = larger(part->first, v == 0), end = smaller(part->last, s - (v == 3));
        if (y >= end) continue;
        orr_conv4_window window = {.images = part->images,
                                   .rows = end - y,
                                   .columns = s - (u == 0) - (u == 3),
                                   .small_image = shape->a / 8 * plane,
                                   .small_row = s * 8,
                                   .large_image = shape->b / 8 * 4 * plane,
                                   .large_row = 4 * s * 8,
                                   .large_next = 4 * plane};
        orr_conv4_correlate_tile(&window, small + (y * s + x) * 8,
                                 large + ((2 * y + v - 1) * 2 * s + 2 * x + u - 1) * 8,
                                 sums + place * 64);
    }
}

// Sums over all images for some quads of channels a. As much at a time as stays in a first-level
// cache through sixteen places of all quads.
static void correlate_piece(const orr_conv4 *shape, size_t quad, size_t quads, const float *small,
                            const float *large, float sums[QUADS][16 * 64]) {
    size_t s = shape->size, plane = s * s * 8, image = 9 * plane * sizeof(float);
    size_t images = larger(CACHED / image, 1), rows = s;
    if (image > CACHED) rows = larger(CACHED / (image / s) / 4 * 4, 1);
    memset(sums, 0, quads * sizeof *sums);
    for (size_t n = 0; n < shape->images; n += images) {
        for (size_t y = 0; y < s; y += rows) {
            band part = {smaller(images, shape->images - n), y, smaller(y + rows, s)};
            for (size_t q = quad; q < quad + quads; q++) {
                correlate_band(shape, &part,
                               small + (n * (shape->a / 8) + q / 2) * plane + q % 2 * 4,
                               large + n * (shape->b / 8) * 4 * plane, sums[q - quad]);
            }
        }
    }
}

// Sums [16][4][16] into the plain gradient of four channels a and sixteen channels b.
static void give_sums(const orr_conv4 *shape, const float *sums, float *gradient, int accumulate) {
    for (size_t a = 0; a < 4; a++, gradient += shape->b * 16) {
        for (size_t b = 0; b < 16; b++) {
            for (size_t place = 0; place < 16; place++) {
                float sum = sums[place * 64 + a * 16 + b], *to = gradient + b * 16 + place;
                *to = accumulate ? *to + sum : sum;
            }
        }
    }
}

void orr_conv4_correlate(const orr_conv4 *shape, const float *small, const float *large,
                         float *gradient, int accumulate) {
    size_t plane = shape->size * shape->size * 8, panels = shape->b / 16;
    size_t pieces = (shape->a / 4 + QUADS - 1) / QUADS * panels;
#pragma omp parallel for schedule(dynamic)
    for (size_t piece = 0; piece < pieces; piece++) {
        size_t quad = piece / panels * QUADS, panel = piece % panels;
        size_t quads = smaller(QUADS, shape->a / 4 - quad);
        float sums[QUADS][16 * 64];
        correlate_piece(shape, quad, quads, small, large + 2 * panel * 4 * plane, sums);
        for (size_t q = 0; q < quads; q++) {
            give_sums(shape, sums[q], gradient + ((quad + q) * 4 * shape->b + panel * 16) * 16,
                      accumulate);
        }
    }
}

#else // oneDNN does it all

int orr_conv4_available(void) {
    return 0;
}

int orr_conv4_fits(const orr_conv4 *shape) {
    (void)shape;
    return 0;
}

int orr_conv4_fits_narrow(const orr_conv4 *shape) {
    (void)shape;
    return 0;
}

void orr_conv4_pack(const orr_conv4 *shape, const float *weight, float *packed) {
    (void)shape, (void)weight, (void)packed;
}

void orr_conv4_scatter(const orr_conv4 *shape, const float *small, const float *packed,
                       float *large) {
    (void)shape, (void)small, (void)packed, (void)large;
}

void orr_conv4_correlate(const orr_conv4 *shape, const float *small, const float *large,
                         float *gradient, int accumulate) {
    (void)shape, (void)small, (void)large, (void)gradient, (void)accumulate;
}

#endif
