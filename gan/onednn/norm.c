#include "gan/onednn/norm.h"

#include <math.h>
#include <string.h>

const orr_norm_kernels *orr_norm_best(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return &orr_norm_avx2;
#endif
    return &orr_norm_portable;
}

// Work is cut into groups of eight channels (fewer at the end) times parts of the batch, the same
// whatever the number of threads: sums are then added in the same order everywhere.
enum { PARTS = 8 };

typedef struct piece {
    size_t channel, width; // first channel and how many, 1..8
    size_t first, last;    // images
    size_t part;
} piece;

static size_t group_count(const orr_norm_layout *layout) {
    return layout->channels / layout->lanes * ((layout->lanes + 7) / 8);
}

static piece take_piece(const orr_norm_layout *layout, size_t number) {
    size_t per_block = (layout->lanes + 7) / 8, group = number / PARTS, part = number % PARTS;
    size_t lane = group % per_block * 8;
    return (piece){.channel = group / per_block * layout->lanes + lane,
                   .width = layout->lanes - lane < 8 ? layout->lanes - lane : 8,
                   .first = layout->images * part / PARTS,
                   .last = layout->images * (part + 1) / PARTS,
                   .part = part};
}

// Offset of pixel 0 of a channel in an image.
static size_t place(const orr_norm_layout *layout, size_t image, size_t channel) {
    return (image * layout->channels + channel / layout->lanes * layout->lanes) * layout->pixels +
           channel % layout->lanes;
}

size_t orr_norm_partial(const orr_norm_layout *layout) {
    return group_count(layout) * PARTS * 16;
}

// Fewer than eight channels (small networks of the tests): gathered into rows of eight.
enum { NARROW = 64 };

static void gather_lanes(const float *x, size_t stride, size_t pixels, size_t width, float *rows) {
    memset(rows, 0, sizeof(float) * 8 * NARROW);
    for (size_t i = 0; i < pixels; i++) memcpy(rows + 8 * i, x + i * stride, width * sizeof *x);
}

static void scatter_lanes(float *x, size_t stride, size_t pixels, size_t width, const float *rows) {
    for (size_t i = 0; i < pixels; i++) memcpy(x + i * stride, rows + 8 * i, width * sizeof *x);
}

static void fill_lanes(const orr_norm *norm, const piece *p, const float *mean_gradient,
                       const float *slope, orr_norm_lanes *lanes) {
    memset(lanes, 0, sizeof *lanes);
    for (size_t l = 0; l < p->width; l++) {
        size_t c = p->channel + l;
        lanes->mean[l] = norm->mean[c];
        lanes->scale[l] = norm->inverse[c] * norm->gamma[c];
        lanes->shift[l] = norm->beta[c] - norm->mean[c] * lanes->scale[l];
        lanes->mean_gradient[l] = mean_gradient ? mean_gradient[c] : 0;
        lanes->slope[l] = slope ? slope[c] : 0;
    }
}

static void piece_sums(const orr_norm *norm, size_t number, const float *x) {
    const orr_norm_layout *layout = &norm->layout;
    piece p = take_piece(layout, number);
    double *out = norm->partial + number * 16;
    float pivot[8] = {0}, rows[8 * NARROW];
    memset(out, 0, 16 * sizeof *out);
    memcpy(pivot, x + place(layout, 0, p.channel), p.width * sizeof *x);
    for (size_t n = p.first; n < p.last; n++) {
        const float *from = x + place(layout, n, p.channel);
        if (p.width == 8) {
            norm->kernels->sums(from, layout->lanes, layout->pixels, pivot, out, out + 8);
            continue;
        }
        for (size_t i = 0; i < layout->pixels; i += NARROW) {
            size_t some = layout->pixels - i < NARROW ? layout->pixels - i : NARROW;
            gather_lanes(from + i * layout->lanes, layout->lanes, some, p.width, rows);
            norm->kernels->sums(rows, 8, some, pivot, out, out + 8);
        }
    }
}

// Sum number `which` (0 or 1) of a channel over the parts.
static double collect(const orr_norm *norm, size_t channel, int which) {
    const orr_norm_layout *layout = &norm->layout;
    size_t lane = channel % layout->lanes;
    size_t group = channel / layout->lanes * ((layout->lanes + 7) / 8) + lane / 8;
    double sum = 0;
    for (size_t part = 0; part < PARTS; part++) {
        sum += norm->partial[(group * PARTS + part) * 16 + (size_t)which * 8 + lane % 8];
    }
    return sum;
}

static void batch_statistics(orr_norm *norm, const float *x) {
    const orr_norm_layout *layout = &norm->layout;
    size_t pieces = group_count(layout) * PARTS;
    double rows = (double)(layout->images * layout->pixels);
    double momentum = (double)ORR_GAN_NORM_MOMENTUM;
#pragma omp parallel for schedule(static)
    for (size_t number = 0; number < pieces; number++) piece_sums(norm, number, x);
    for (size_t c = 0; c < layout->channels; c++) {
        double first = collect(norm, c, 0), pivot = (double)x[place(layout, 0, c)];
        double squares = collect(norm, c, 1) - first * (first / rows); // around the mean
        double mean = pivot + first / rows, unbiased = rows > 1 ? squares / (rows - 1) : 0;
        if (squares < 0) squares = unbiased = 0; // rounding, when all are nearly the same
        norm->mean[c] = (float)mean;
        norm->inverse[c] = (float)(1 / sqrt(squares / rows + (double)ORR_GAN_NORM_EPSILON));
        norm->running_mean[c] =
            (float)((1 - momentum) * (double)norm->running_mean[c] + momentum * mean);
        norm->running_variance[c] =
            (float)((1 - momentum) * (double)norm->running_variance[c] + momentum * unbiased);
    }
}

static void piece_forward(const orr_norm *norm, size_t number, const float *x, float *y) {
    const orr_norm_layout *layout = &norm->layout;
    piece p = take_piece(layout, number);
    orr_norm_lanes lanes;
    float rows[8 * NARROW];
    fill_lanes(norm, &p, NULL, NULL, &lanes);
    for (size_t n = p.first; n < p.last; n++) {
        size_t at = place(layout, n, p.channel);
        if (p.width == 8) {
            norm->kernels->forward(norm->activation, x + at, y + at, layout->lanes, layout->pixels,
                                   &lanes);
            continue;
        }
        for (size_t i = 0; i < layout->pixels; i += NARROW) {
            size_t some = layout->pixels - i < NARROW ? layout->pixels - i : NARROW;
            gather_lanes(x + at + i * layout->lanes, layout->lanes, some, p.width, rows);
            norm->kernels->forward(norm->activation, rows, rows, 8, some, &lanes);
            scatter_lanes(y + at + i * layout->lanes, layout->lanes, some, p.width, rows);
        }
    }
}

void orr_norm_forward(orr_norm *norm, orr_gan_mode mode, const float *x, float *y) {
    size_t pieces = group_count(&norm->layout) * PARTS;
    if (mode == ORR_GAN_TRAIN) {
        batch_statistics(norm, x);
    } else {
        for (size_t c = 0; c < norm->layout.channels; c++) {
            norm->mean[c] = norm->running_mean[c];
            norm->inverse[c] =
                (float)(1 / sqrt((double)norm->running_variance[c] + (double)ORR_GAN_NORM_EPSILON));
        }
    }
#pragma omp parallel for schedule(static)
    for (size_t number = 0; number < pieces; number++) piece_forward(norm, number, x, y);
}

static void piece_backward_sums(const orr_norm *norm, size_t number, const float *x,
                                const float *gradient) {
    const orr_norm_layout *layout = &norm->layout;
    piece p = take_piece(layout, number);
    double *out = norm->partial + number * 16;
    orr_norm_lanes lanes;
    float rows[8 * NARROW], gradient_rows[8 * NARROW];
    fill_lanes(norm, &p, NULL, NULL, &lanes);
    memset(out, 0, 16 * sizeof *out);
    for (size_t n = p.first; n < p.last; n++) {
        size_t at = place(layout, n, p.channel);
        if (p.width == 8) {
            norm->kernels->backward_sums(norm->activation, x + at, gradient + at, layout->lanes,
                                         layout->pixels, &lanes, out, out + 8);
            continue;
        }
        for (size_t i = 0; i < layout->pixels; i += NARROW) {
            size_t some = layout->pixels - i < NARROW ? layout->pixels - i : NARROW;
            gather_lanes(x + at + i * layout->lanes, layout->lanes, some, p.width, rows);
            gather_lanes(gradient + at + i * layout->lanes, layout->lanes, some, p.width,
                         gradient_rows);
            norm->kernels->backward_sums(norm->activation, rows, gradient_rows, 8, some, &lanes,
                                         out, out + 8);
        }
    }
}

static void piece_backward(const orr_norm *norm, size_t number, const float *x, float *gradient,
                           const float *mean_gradient, const float *slope) {
    const orr_norm_layout *layout = &norm->layout;
    piece p = take_piece(layout, number);
    orr_norm_lanes lanes;
    float rows[8 * NARROW], gradient_rows[8 * NARROW];
    fill_lanes(norm, &p, mean_gradient, slope, &lanes);
    for (size_t n = p.first; n < p.last; n++) {
        size_t at = place(layout, n, p.channel);
        if (p.width == 8) {
            norm->kernels->backward(norm->activation, x + at, gradient + at, layout->lanes,
                                    layout->pixels, &lanes);
            continue;
        }
        for (size_t i = 0; i < layout->pixels; i += NARROW) {
            size_t some = layout->pixels - i < NARROW ? layout->pixels - i : NARROW;
            gather_lanes(x + at + i * layout->lanes, layout->lanes, some, p.width, rows);
            gather_lanes(gradient + at + i * layout->lanes, layout->lanes, some, p.width,
                         gradient_rows);
            norm->kernels->backward(norm->activation, rows, gradient_rows, 8, some, &lanes);
            scatter_lanes(gradient + at + i * layout->lanes, layout->lanes, some, p.width,
                          gradient_rows);
        }
    }
}

void orr_norm_backward(orr_norm *norm, orr_gan_mode mode, const float *x, float *gradient,
                       float *gamma_gradient, float *beta_gradient, int accumulate) {
    const orr_norm_layout *layout = &norm->layout;
    size_t pieces = group_count(layout) * PARTS;
    double rows = (double)(layout->images * layout->pixels);
    float *mean_gradient = norm->mean + layout->channels; // room behind the kept values
    float *slope = norm->inverse + layout->channels;
#pragma omp parallel for schedule(static)
    for (size_t number = 0; number < pieces; number++)
        piece_backward_sums(norm, number, x, gradient);
    for (size_t c = 0; c < layout->channels; c++) {
        double beta = collect(norm, c, 0), gamma = collect(norm, c, 1),
               inverse = (double)norm->inverse[c];
        if (beta_gradient) {
            beta_gradient[c] = (float)((accumulate ? (double)beta_gradient[c] : 0) + beta);
            gamma_gradient[c] =
                (float)((accumulate ? (double)gamma_gradient[c] : 0) + gamma * inverse);
        }
        mean_gradient[c] = mode == ORR_GAN_TRAIN ? (float)(beta / rows) : 0;
        slope[c] = mode == ORR_GAN_TRAIN ? (float)(gamma * inverse * inverse / rows) : 0;
    }
#pragma omp parallel for schedule(static)
    for (size_t number = 0; number < pieces; number++) {
        piece_backward(norm, number, x, gradient, mean_gradient, slope);
    }
}

// A few kilobytes at a time, in as many threads as there are.
static void tanh_forward(size_t count, const float *x, float *y) {
    const orr_norm_kernels *kernels = orr_norm_best();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i += 1024) {
        kernels->tanh(count - i < 1024 ? count - i : 1024, x + i, y + i);
    }
}

void orr_activation_forward(orr_gan_activation activation, size_t count, const float *x, float *y) {
    if (activation == ORR_GAN_LINEAR) {
        if (x != y) memcpy(y, x, count * sizeof *y);
        return;
    }
    if (activation == ORR_GAN_TANH) {
        tanh_forward(count, x, y);
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        float v = x[i];
        switch (activation) {
        case ORR_GAN_LINEAR:
        case ORR_GAN_TANH:
            break; // above
        case ORR_GAN_RELU:
            y[i] = v < 0 ? 0 : v;
            break;
        case ORR_GAN_LEAKY_RELU:
            y[i] = v < 0 ? v * ORR_GAN_LEAKY_SLOPE : v;
            break;
        case ORR_GAN_SIGMOID:
            y[i] = 1 / (1 + expf(-v));
            break;
        }
    }
}

void orr_activation_backward(orr_gan_activation activation, size_t count, const float *y,
                             float *gradient) {
    if (activation == ORR_GAN_LINEAR) return;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        float v = y[i], g = gradient[i];
        switch (activation) {
        case ORR_GAN_LINEAR:
            break;
        case ORR_GAN_RELU:
            gradient[i] = v > 0 ? g : 0;
            break;
        case ORR_GAN_LEAKY_RELU:
            gradient[i] = v > 0 ? g : g * ORR_GAN_LEAKY_SLOPE;
            break;
        case ORR_GAN_TANH:
            gradient[i] = g * (1 - v * v);
            break;
        case ORR_GAN_SIGMOID:
            gradient[i] = g * v * (1 - v);
            break;
        }
    }
}
