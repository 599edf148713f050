// Stain colours are those of Ruifrok and Johnston, "Quantification of histochemical staining by
// color deconvolution" (2001); the rest is invented.
#include "media/phantom_draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// ---- noise

// Standard normal to within a few percent: 64 fair coins.
static float noise_normal(phantom_noise *noise) {
    return (float)(__builtin_popcountll(noise_next(noise)) - 32) / 4.0f;
}

static float noise_unit(phantom_noise *noise) {
    return (float)(noise_next(noise) >> 40) / 16777216.0f;
}

// A fixed number in [0, 1) for a lattice point.
static float lattice(uint64_t seed, int x, int y) {
    uint64_t point = (uint64_t)(uint32_t)x << 32 | (uint32_t)y;
    return (float)(orr_mix64(seed ^ orr_mix64(point)) >> 40) / 16777216.0f;
}

// Smooth noise in [0, 1]: the lattice, interpolated.
static float smooth(uint64_t seed, float x, float y) {
    float fx = floorf(x), fy = floorf(y);
    int ix = (int)fx, iy = (int)fy;
    float u = x - fx, v = y - fy;
    u = u * u * (3 - 2 * u), v = v * v * (3 - 2 * v);
    float top = lattice(seed, ix, iy) * (1 - u) + lattice(seed, ix + 1, iy) * u;
    float bottom = lattice(seed, ix, iy + 1) * (1 - u) + lattice(seed, ix + 1, iy + 1) * u;
    return top * (1 - v) + bottom * v;
}

static float clamp(float x, float low, float high) {
    return x < low ? low : x > high ? high : x;
}

// 0 outside, 1 inside, a ramp of `soft` (relative to the radius) at the edge of an ellipse.
static float ellipse(float x, float y, float cx, float cy, float rx, float ry, float soft) {
    float dx = (x - cx) / rx, dy = (y - cy) / ry;
    return clamp((1 - sqrtf(dx * dx + dy * dy)) / soft + 0.5f, 0, 1);
}

static float mix(float a, float b, float t) {
    return a + (b - a) * t;
}

// ---- pictures

static int image_new(phantom_image *image, uint32_t width, uint32_t height, uint16_t samples,
                     uint16_t bits) {
    *image = (phantom_image){.width = width, .height = height, .samples = samples, .bits = bits};
    image->pixels = malloc((size_t)width * height * samples * (bits / 8u));
    if (image->pixels == NULL) fprintf(stderr, "phantom: out of memory\n");
    return image->pixels ? 0 : -1;
}

// Hounsfield units of a chest at a point of [-1, 1]^2; z in [0, 1] from the neck down.
static float chest(uint64_t seed, float x, float y, float z) {
    float breathe = 0.75f + 0.25f * sinf(3.14159f * z);
    float hu = -1000;
    hu = mix(hu, -90, ellipse(x, y, 0, 0.05f, 0.88f, 0.64f, 0.02f)); // fat
    hu = mix(hu, 45, ellipse(x, y, 0, 0.05f, 0.82f, 0.58f, 0.03f));  // muscle
    float ribs =
        ellipse(x, y, 0, 0.05f, 0.76f, 0.52f, 0.03f) - ellipse(x, y, 0, 0.05f, 0.71f, 0.48f, 0.03f);
    float arc = sinf(9 * atan2f(y - 0.05f, x) + 14 * z);
    hu = mix(hu, 620, ribs * clamp(3 * arc, 0, 1));
    float lung = fmaxf(ellipse(x, y, -0.40f, 0.03f, 0.27f * breathe, 0.40f * breathe, 0.04f),
                       ellipse(x, y, 0.42f, 0.03f, 0.25f * breathe, 0.39f * breathe, 0.04f));
    float vessels = clamp(14 * (smooth(seed + 1, 26 * x + 3 * z, 26 * y) - 0.78f), 0, 1);
    hu = mix(hu, mix(-860, 20, vessels), lung);
    hu = mix(hu, 60 + 60 * smooth(seed + 2, 5 * x, 5 * y),
             ellipse(x, y, 0.10f, -0.08f, 0.26f, 0.24f * breathe, 0.05f));
    hu = mix(hu, 750, ellipse(x, y, 0, 0.43f, 0.12f, 0.11f, 0.10f));    // vertebra
    hu = mix(hu, 40, ellipse(x, y, 0, 0.47f, 0.04f, 0.035f, 0.2f));     // spinal canal
    hu = mix(hu, 130, ellipse(x, y, 0.11f, 0.27f, 0.06f, 0.06f, 0.1f)); // aorta
    if (y > 0.82f - 0.08f * x * x && y < 0.85f - 0.08f * x * x) hu = fmaxf(hu, -250); // table
    return hu;
}

// A CT slice: 12 bits in 16, Hounsfield units + 1024.
int draw_ct(phantom_image *image, uint64_t seed, uint32_t side, float z) {
    if (image_new(image, side, side, 1, 16) < 0) return -1;
    phantom_noise noise = {orr_mix64(seed + (uint64_t)(z * 65536))};
    uint16_t *out = (uint16_t *)image->pixels;
    for (uint32_t i = 0; i < side; i++) {
        for (uint32_t j = 0; j < side; j++) {
            float x = 2.0f * ((float)j + 0.5f) / (float)side - 1,
                  y = 2.0f * ((float)i + 0.5f) / (float)side - 1;
            float hu = chest(seed, x, y, z) + 14 * noise_normal(&noise);
            *out++ = (uint16_t)clamp(hu + 1024, 0, 4095);
        }
    }
    return 0;
}

// Stain densities of tissue at a pixel: glands (a ring of nuclei round an empty lumen) in fibrous
// stroma.
static void tissue(uint64_t seed, float x, float y, float *haematoxylin, float *eosin) {
    int cell_x = (int)floorf(x / 190), cell_y = (int)floorf(y / 190);
    float nearest = 1e9f, radius = 1;
    for (int i = cell_y - 1; i <= cell_y + 1; i++) {
        for (int j = cell_x - 1; j <= cell_x + 1; j++) {
            float dx = x - 190 * ((float)j + lattice(seed, j, i)),
                  dy = y - 190 * ((float)i + lattice(seed + 1, j, i));
            float d = sqrtf(dx * dx + dy * dy * 1.3f);
            if (d < nearest) nearest = d, radius = 38 + 34 * lattice(seed + 2, j, i);
        }
    }
    nearest += 20 * (smooth(seed + 3, x / 24, y / 24) - 0.5f);
    float fibres = smooth(seed + 4, (x + 0.6f * y) / 46, (y - 0.4f * x) / 7) * 0.6f +
                   smooth(seed + 5, x / 5, y / 5) * 0.4f;
    float lumen = clamp((radius * 0.5f - nearest) / 5, 0, 1);
    float wall = clamp((radius * 1.15f - nearest) / 6, 0, 1) * (1 - lumen);
    *eosin = mix(0.16f + 0.42f * fibres, 0.42f, wall) * (1 - lumen);
    *haematoxylin = mix(0.05f, 0.14f, wall) * (1 - lumen);

    float pitch = 15, body = 0;
    int grid_x = (int)floorf(x / pitch), grid_y = (int)floorf(y / pitch);
    for (int i = grid_y - 1; i <= grid_y + 1; i++) {
        for (int j = grid_x - 1; j <= grid_x + 1; j++) {
            float present = wall > 0.5f ? 0.80f : 0.16f;
            if (lattice(seed + 6, j, i) > present) continue;
            float cx = pitch * ((float)j + lattice(seed + 7, j, i)),
                  cy = pitch * ((float)i + lattice(seed + 8, j, i));
            float thin = wall > 0.5f ? 1.0f : 0.55f, size = 5.0f + 2.5f * lattice(seed + 9, j, i);
            body = fmaxf(body, ellipse(x, y, cx, cy, size, size * thin, 0.25f));
        }
    }
    *haematoxylin += body * (1 - lumen) * (0.75f + 0.35f * smooth(seed + 10, x / 2.2f, y / 2.2f));
}

// A region of a stained section, its top left corner at (left, top) pixels, as RGB.
void draw_tissue(uint8_t *out, uint64_t seed, uint32_t left, uint32_t top, uint32_t width,
                 uint32_t height, float scale) {
    static const float stain[2][3] = {{0.65f, 0.70f, 0.29f}, {0.07f, 0.99f, 0.11f}};
    phantom_noise noise = {orr_mix64(seed ^ ((uint64_t)left << 32 | top))};
    for (uint32_t i = 0; i < height; i++) {
        for (uint32_t j = 0; j < width; j++) {
            float x = (float)(left + j) * scale, y = (float)(top + i) * scale, h, e;
            tissue(seed, x, y, &h, &e);
            float edge =
                clamp(6 * (smooth(seed + 11, x / 700, y / 700) - 0.22f), 0, 1); // torn: bare glass
            for (int k = 0; k < 3; k++) {
                float light = 246 * expf(-edge * (1.5f * h * stain[0][k] + e * stain[1][k]));
                *out++ = (uint8_t)clamp(light + 2.2f * noise_normal(&noise), 0, 255);
            }
        }
    }
}

int draw_histology(phantom_image *image, uint64_t seed, uint32_t width, uint32_t height,
                   float scale) {
    if (image_new(image, width, height, 3, 8) < 0) return -1;
    draw_tissue(image->pixels, seed, 0, 0, width, height, scale);
    return 0;
}

// One frame of an ultrasound clip: a fan of speckle with a dark, beating cavity.
int draw_ultrasound(phantom_image *image, uint64_t seed, uint32_t side, float phase) {
    if (image_new(image, side, side, 1, 8) < 0) return -1;
    phantom_noise noise = {orr_mix64(seed + (uint64_t)(phase * 4096))};
    uint8_t *out = image->pixels;
    float beat = 1 + 0.18f * sinf(6.28318f * phase);
    for (uint32_t i = 0; i < side; i++) {
        for (uint32_t j = 0; j < side; j++) {
            float x = 2 * ((float)j + 0.5f) / (float)side - 1, y = ((float)i + 0.5f) / (float)side;
            float depth = sqrtf(x * x + y * y), angle = atan2f(x, y);
            float echo = 0.35f + 0.45f * smooth(seed + 1, 9 * angle, 34 * depth);
            float wall = ellipse(x, y, 0.05f, 0.55f, 0.30f * beat, 0.22f * beat, 0.08f);
            float cavity = ellipse(x, y, 0.05f, 0.55f, 0.24f * beat, 0.16f * beat, 0.15f);
            echo = mix(mix(echo, 0.95f, wall), 0.03f, cavity);
            float speckle = sqrtf(-2 * logf(1 - 0.9999f * noise_unit(&noise))) * 0.7f;
            int inside = fabsf(angle) < 0.72f && depth > 0.06f && depth < 0.97f;
            *out++ =
                inside ? (uint8_t)clamp(215 * echo * speckle * (1.1f - 0.5f * depth), 0, 255) : 0;
        }
    }
    return 0;
}

// A decoy: a pigmented spot on skin, 64 x 64 RGB, as the published generator makes.
int draw_decoy(phantom_image *image, uint64_t seed) {
    if (image_new(image, 64, 64, 3, 8) < 0) return -1;
    phantom_noise noise = {orr_mix64(seed)};
    float cx = 24 + 16 * noise_unit(&noise), cy = 24 + 16 * noise_unit(&noise);
    float rx = 9 + 12 * noise_unit(&noise), ry = 9 + 12 * noise_unit(&noise),
          dark = 0.45f + 0.4f * noise_unit(&noise);
    float skin[3] = {205 + 30 * noise_unit(&noise), 150 + 30 * noise_unit(&noise),
                     128 + 34 * noise_unit(&noise)};
    static const float pigment[3] = {92, 52, 38};
    uint8_t *out = image->pixels;
    for (int i = 0; i < 64; i++) {
        for (int j = 0; j < 64; j++) {
            float x = (float)j + 9 * (smooth(seed + 1, (float)j / 7, (float)i / 7) - 0.5f);
            float y = (float)i + 9 * (smooth(seed + 2, (float)j / 7, (float)i / 7) - 0.5f);
            float spot = dark * ellipse(x, y, cx, cy, rx, ry, 0.5f) *
                         (0.7f + 0.5f * smooth(seed + 3, (float)j / 3, (float)i / 3));
            float shade = 0.9f + 0.2f * smooth(seed + 4, (float)j / 20, (float)i / 20);
            for (int k = 0; k < 3; k++)
                *out++ = (uint8_t)clamp(
                    mix(skin[k] * shade, pigment[k], spot) + 3 * noise_normal(&noise), 0, 255);
        }
    }
    return 0;
}
