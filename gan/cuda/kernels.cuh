// The kernels of gan/cuda/kernels.h. Compiles for a GPU and, after tests/shim/shim.h, for the CPU.
//
// Elementwise kernels give each thread packs of 8 neighbouring channels, 16 bytes at a time. Sums
// over rows are taken in two steps: blocks of 32 x 8 threads sum pieces of rows for 64 channels,
// then one block for each 8 channels adds the pieces up in double. Neither order depends on the
// device.
#ifndef ORRERY_GAN_CUDA_KERNELS_CUH
#define ORRERY_GAN_CUDA_KERNELS_CUH

#include <math.h>

#include "gan/cuda/elements.cuh"
#include "gan/cuda/kernels.h"
#include "gan/network.h"
#include "gan/philox.h"
#include "kernels/cuda/device.cuh"

namespace orr_gan_cuda {

constexpr uint32_t THREADS = 256;
constexpr uint32_t TILE_PACKS = 8;                   // of a block that sums over rows
constexpr uint32_t TILE_ROWS = THREADS / TILE_PACKS; // rows at a time
constexpr uint32_t TILE = TILE_PACKS * PACK;         // channels
constexpr uint32_t SUBSETS = THREADS / PACK;         // of the pieces, in the second step

// ---- launches
// --------------------------------------------------------------------------------------

ORR_DEVICE uint32_t first_item() {
    return orr_block_id() * THREADS + orr_thread_id();
}
ORR_DEVICE uint32_t item_stride() {
    return orr_block_count() * THREADS;
}

// ---- one step's numbers -------------------------------------------------------------------------

ORR_DEVICE double power(double base, uint64_t exponent) {
    double result = 1;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) result = ORR_DMUL(result, base);
        base = ORR_DMUL(base, base);
    }
    return result;
}

ORR_KERNEL(32, 1) begin_kernel(ORR_PARAMETER orr_cuda_begin begin) {
    if (orr_thread_id() != 0) return;
    orr_cuda_progress *progress = begin.progress;
    uint64_t now = progress->next;
    progress->now = now;
    progress->next = now + 1;
    progress->rate = static_cast<float>(begin.learning_rate / (1 - power(begin.beta1, now + 1)));
    progress->root = static_cast<float>(ORR_DSQRT(1 - power(begin.beta2, now + 1)));
}

template <typename T> ORR_KERNEL(THREADS, 1) real_kernel(ORR_PARAMETER orr_cuda_real real) {
    uint32_t pixels = real.batch * real.size * real.size;
    for (uint32_t n = first_item(); n < pixels; n += item_stride()) {
        uint32_t x = n % real.size, row = n / real.size, image = row / real.size;
        float value[PACK] = {};
        if (real.input->real) {
            for (uint32_t c = 0; c < real.channels; c++)
                value[c] = real.images[static_cast<uint64_t>(n) * real.channels + c];
        } else {
            if (real.input->flip && orr_flip(real.progress->seed, real.progress->now, image))
                x = real.size - 1 - x;
            uint64_t pixel =
                (static_cast<uint64_t>(real.index[image]) * real.size + row % real.size) *
                    real.size +
                x;
            for (uint32_t c = 0; c < real.channels; c++) {
                // The nearest float of b / 127.5 - 1, for every byte.
                int twice = 2 * static_cast<int>(real.data[pixel * real.channels + c]) - 255;
                value[c] = static_cast<float>(twice) / 255.0f;
            }
        }
        store(static_cast<T *>(real.y), n, value);
    }
}

ORR_DEVICE float latent_value(const orr_cuda_latents &draw, uint32_t number) {
    if (draw.input->latents) return draw.latents[number];
    float four[4];
    orr_normal_block(draw.progress->seed, draw.stream, draw.progress->now, number / 4, four);
    return number & 2 ? (number & 1 ? four[3] : four[2]) : (number & 1 ? four[1] : four[0]);
}

template <typename T> ORR_KERNEL(THREADS, 1) latents_kernel(ORR_PARAMETER orr_cuda_latents draw) {
    uint32_t row_packs = draw.padded / PACK, packs = draw.batch * row_packs;
    for (uint32_t n = first_item(); n < packs; n += item_stride()) {
        uint32_t row = n / row_packs, first = n % row_packs * PACK;
        float value[PACK] = {};
        for (uint32_t k = 0; k < PACK; k++)
            if (first + k < draw.latent)
                value[k] = latent_value(draw, row * draw.latent + first + k);
        store(static_cast<T *>(draw.y), n, value);
    }
}

// ---- sums over rows -----------------------------------------------------------------------------

// Adds up two values for each of a block's 64 channels and stores them as one piece. Every thread
// holds those of its 8 channels and row; the rows are added in order.
ORR_DEVICE void store_piece(float *words, const float sum[2][PACK], float *piece, uint32_t tile,
                            uint32_t padded) {
    uint32_t column = orr_thread_id() % TILE_PACKS * PACK, row = orr_thread_id() / TILE_PACKS;
    for (int which = 0; which < 2; which++)
        for (uint32_t k = 0; k < PACK; k++)
            words[(which * TILE_ROWS + row) * TILE + column + k] = sum[which][k];
    orr_barrier();
    if (orr_thread_id() >= 2 * TILE) return;
    uint32_t which = orr_thread_id() / TILE, channel = orr_thread_id() % TILE;
    if (tile * TILE + channel >= padded) return;
    float total = 0;
    for (uint32_t r = 0; r < TILE_ROWS; r++)
        total += words[(which * TILE_ROWS + r) * TILE + channel];
    piece[which * padded + tile * TILE + channel] = total;
}

// Where a block of the first step works.
struct Place {
    uint32_t tile, chunk, group; // of channels, of rows, of batches
    uint32_t pack;               // the thread's, in a row
    uint32_t row, end;           // the thread's first row, and the piece's end
    uint64_t first;              // row of the group in the tensor
    int inside;                  // the thread has channels
};

ORR_DEVICE Place place_of(const orr_cuda_norm &norm) {
    Place place;
    uint32_t tiles = (norm.padded + TILE - 1) / TILE, block = orr_block_id();
    uint32_t piece = (norm.rows + norm.chunks - 1) / norm.chunks;
    place.tile = block % tiles;
    place.chunk = block / tiles % norm.chunks;
    place.group = block / tiles / norm.chunks;
    place.pack = place.tile * TILE_PACKS + orr_thread_id() % TILE_PACKS;
    place.row = place.chunk * piece + orr_thread_id() / TILE_PACKS;
    place.end = (place.chunk + 1) * piece < norm.rows ? (place.chunk + 1) * piece : norm.rows;
    place.first = static_cast<uint64_t>(place.group) * norm.rows;
    place.inside = place.pack * PACK < norm.padded;
    return place;
}

ORR_DEVICE float *piece_of(const orr_cuda_norm &norm, uint32_t group, uint32_t chunk) {
    return norm.partial + static_cast<uint64_t>(group * norm.chunks + chunk) * 2 * norm.padded;
}

// First step, forward: sums of d and d * d, d = x less the group's first row, whose distance from
// the mean is a few deviations: so nothing cancels.
template <typename T> ORR_KERNEL(THREADS, 1) sums_kernel(ORR_PARAMETER orr_cuda_norm norm) {
    ORR_SHARED_WORDS(shared);
    Place place = place_of(norm);
    const T *x = static_cast<const T *>(norm.x);
    uint32_t row_packs = norm.padded / PACK;
    float sum[2][PACK] = {}, pivot[PACK], value[PACK];
    if (place.inside) {
        load(x, place.first * row_packs + place.pack, pivot);
#pragma unroll 4 // loads of several rows are under way at once
        for (uint32_t row = place.row; row < place.end; row += TILE_ROWS) {
            load(x, (place.first + row) * row_packs + place.pack, value);
            for (uint32_t k = 0; k < PACK; k++) {
                float d = value[k] - pivot[k];
                sum[0][k] += d;
                sum[1][k] += d * d;
            }
        }
        if (place.chunk == 0 && orr_thread_id() < TILE_PACKS)
            store(norm.pivot, static_cast<uint64_t>(place.group) * row_packs + place.pack, pivot);
    }
    store_piece(reinterpret_cast<float *>(shared), sum, piece_of(norm, place.group, place.chunk),
                place.tile, norm.padded);
}

// Second step: both sums of one channel over all pieces, for the first 8 threads of the block.
ORR_DEVICE void sum_pieces(const orr_cuda_norm &norm, uint32_t group, uint32_t channel,
                           double *words, double total[2]) {
    uint32_t subset = orr_thread_id() / PACK;
    double sum[2] = {0, 0};
    for (uint32_t chunk = subset; chunk < norm.chunks; chunk += SUBSETS) {
        const float *piece = piece_of(norm, group, chunk);
        sum[0] += static_cast<double>(piece[channel]);
        sum[1] += static_cast<double>(piece[norm.padded + channel]);
    }
    orr_barrier(); // the last group's sums have been read
    words[orr_thread_id()] = sum[0];
    words[THREADS + orr_thread_id()] = sum[1];
    orr_barrier();
    if (subset != 0) return;
    total[0] = total[1] = 0;
    for (uint32_t s = 0; s < SUBSETS; s++) {
        total[0] += words[s * PACK + orr_thread_id()];
        total[1] += words[THREADS + s * PACK + orr_thread_id()];
    }
}

ORR_DEVICE void set_scale(const orr_cuda_norm &norm, uint32_t channel, uint32_t at, double mean,
                          double variance) {
    double deviation = ORR_DSQRT(variance + static_cast<double>(norm.epsilon));
    norm.mean[at] = static_cast<float>(mean);
    norm.inverse[at] = static_cast<float>(1 / deviation);
    norm.scale[at] = norm.inverse[at] * norm.gamma[channel];
    norm.shift[at] = norm.beta[channel] - norm.mean[at] * norm.scale[at];
}

// Second step, forward; the running statistics move by one group after the other.
template <typename T> ORR_KERNEL(THREADS, 1) statistics_kernel(ORR_PARAMETER orr_cuda_norm norm) {
    ORR_SHARED_WORDS(shared);
    uint32_t channel = orr_block_id() * PACK + orr_thread_id() % PACK;
    double momentum = static_cast<double>(norm.momentum), rows = norm.rows;
    for (uint32_t group = 0; group < norm.groups; group++) {
        uint32_t at = group * norm.padded + channel;
        double total[2] = {0, 0};
        if (norm.train) sum_pieces(norm, group, channel, reinterpret_cast<double *>(shared), total);
        if (orr_thread_id() >= PACK) continue;
        if (!norm.train) {
            set_scale(norm, channel, at, norm.running_mean[channel],
                      norm.running_variance[channel]);
            continue;
        }
        double from_pivot = total[0] / rows, mean = norm.pivot[at] + from_pivot;
        double squares = total[1] - total[0] * from_pivot;
        if (squares < 0) squares = 0;
        set_scale(norm, channel, at, mean, squares / rows);
        float *running = &norm.running_mean[channel], *spread = &norm.running_variance[channel];
        double unbiased = norm.rows > 1 ? squares / (rows - 1) : squares / rows;
        *running = static_cast<float>((1 - momentum) * *running + momentum * mean);
        *spread = static_cast<float>((1 - momentum) * *spread + momentum * unbiased);
    }
}

// ---- activations --------------------------------------------------------------------------------

ORR_DEVICE float activate(uint32_t activation, float x) {
    switch (activation) {
    case ORR_GAN_RELU:
        return x < 0 ? 0 : x; // keeps a NaN
    case ORR_GAN_LEAKY_RELU:
        return x > 0 ? x : x * ORR_GAN_LEAKY_SLOPE;
    case ORR_GAN_TANH:
        return tanhf(x);
    case ORR_GAN_SIGMOID:
        return 1 / (1 + expf(-x));
    default:
        return x;
    }
}

ORR_DEVICE float activation_slope(uint32_t activation, float x) {
    float y;
    switch (activation) {
    case ORR_GAN_RELU:
        return x > 0 ? 1.0f : 0.0f;
    case ORR_GAN_LEAKY_RELU:
        return x > 0 ? 1.0f : ORR_GAN_LEAKY_SLOPE;
    case ORR_GAN_TANH:
        y = tanhf(x);
        return 1 - y * y;
    case ORR_GAN_SIGMOID:
        y = 1 / (1 + expf(-x));
        return y * (1 - y);
    default:
        return 1;
    }
}

// Of a thread's 8 channels, read once for all its rows: reading them anew for each pack would take
// longer than the tensor itself.
struct Scales {
    float scale[PACK], shift[PACK];
};

ORR_DEVICE Scales scales_of(const orr_cuda_norm &norm, uint32_t at) {
    Scales of = {};
    if (norm.normalised) {
        load(norm.scale, at / PACK, of.scale);
        load(norm.shift, at / PACK, of.shift);
    }
    return of;
}

ORR_DEVICE float before_activation(const orr_cuda_norm &norm, const Scales &of, float x,
                                   uint32_t k) {
    return norm.normalised ? x * of.scale[k] + of.shift[k] : x;
}

// Where a block of an elementwise kernel works: some rows of one batch.
struct Strip {
    uint32_t channel, at; // the thread's first channel, and its place among the coefficients
    uint64_t pack, end;   // the thread's first pack in the tensor, and the strip's end
    uint32_t step;        // to the next
    int inside;           // the thread has channels
};

ORR_DEVICE Strip strip_of(const orr_cuda_norm &norm) {
    Strip strip;
    uint32_t row_packs = norm.padded / PACK, width = row_packs < THREADS ? row_packs : THREADS;
    uint32_t tiles = (row_packs + width - 1) / width, lanes = THREADS / width;
    uint32_t strips = orr_block_count() / tiles / norm.groups, block = orr_block_id();
    uint32_t rows = (norm.rows + strips - 1) / strips, group = block / tiles / strips;
    uint32_t number = block / tiles % strips, lane = orr_thread_id() / width;
    uint32_t column = block % tiles * width + orr_thread_id() % width;
    uint32_t first = number * rows, last = first + rows < norm.rows ? first + rows : norm.rows;
    uint64_t before = static_cast<uint64_t>(group) * norm.rows;
    strip.channel = column * PACK;
    strip.at = group * norm.padded + strip.channel;
    strip.pack = (before + first + lane) * row_packs + column;
    strip.end = (before + last) * row_packs;
    strip.step = lanes * row_packs;
    strip.inside = lane < lanes && column < row_packs;
    return strip;
}

template <typename T> ORR_KERNEL(THREADS, 5) apply_kernel(ORR_PARAMETER orr_cuda_norm norm) {
    Strip strip = strip_of(norm);
    if (!strip.inside) return;
    Scales of = scales_of(norm, strip.at);
    for (uint64_t n = strip.pack; n < strip.end; n += strip.step) {
        float value[PACK];
        load(static_cast<const T *>(norm.x), n, value);
        for (uint32_t k = 0; k < PACK; k++)
            value[k] = strip.channel + k < norm.channels
                           ? activate(norm.activation, before_activation(norm, of, value[k], k))
                           : 0;
        store(static_cast<T *>(norm.y), n, value);
    }
}

// ---- batch norm and activation, backward --------------------------------------------------------

// First step: sums of g and g * (x - mean), g = gradient before the activation.
template <typename T> ORR_KERNEL(THREADS, 1) back_sums_kernel(ORR_PARAMETER orr_cuda_norm norm) {
    ORR_SHARED_WORDS(shared);
    Place place = place_of(norm);
    uint32_t row_packs = norm.padded / PACK;
    uint32_t at = place.group * norm.padded + place.pack * PACK;
    float sum[2][PACK] = {}, x[PACK], dy[PACK], mean[PACK];
    if (place.inside) {
        Scales of = scales_of(norm, at);
        load(norm.mean, at / PACK, mean);
#pragma unroll 2
        for (uint32_t row = place.row; row < place.end; row += TILE_ROWS) {
            uint64_t n = (place.first + row) * row_packs + place.pack;
            load(static_cast<const T *>(norm.x), n, x);
            load(static_cast<const T *>(norm.dy), n, dy);
            for (uint32_t k = 0; k < PACK; k++) {
                float g =
                    dy[k] * activation_slope(norm.activation, before_activation(norm, of, x[k], k));
                sum[0][k] += g;
                sum[1][k] += g * (x[k] - mean[k]);
            }
        }
    }
    store_piece(reinterpret_cast<float *>(shared), sum, piece_of(norm, place.group, place.chunk),
                place.tile, norm.padded);
}

// Second step: gradients of gamma and beta over all groups; what back_apply needs, for each.
ORR_KERNEL(THREADS, 1) back_statistics_kernel(ORR_PARAMETER orr_cuda_norm norm) {
    ORR_SHARED_WORDS(shared);
    uint32_t channel = orr_block_id() * PACK + orr_thread_id() % PACK;
    double beta = 0, gamma = 0, rows = norm.rows;
    for (uint32_t group = 0; group < norm.groups; group++) {
        uint32_t at = group * norm.padded + channel;
        double total[2] = {0, 0};
        sum_pieces(norm, group, channel, reinterpret_cast<double *>(shared), total);
        if (orr_thread_id() >= PACK) continue;
        double inverse = static_cast<double>(norm.inverse[at]);
        beta += total[0];
        gamma += total[1] * inverse;
        norm.mean_gradient[at] = norm.train ? static_cast<float>(total[0] / rows) : 0;
        norm.slope[at] = norm.train ? static_cast<float>(total[1] * inverse * inverse / rows) : 0;
    }
    if (orr_thread_id() >= PACK || !norm.gamma_gradient) return;
    norm.beta_gradient[channel] = static_cast<float>(beta);
    norm.gamma_gradient[channel] = static_cast<float>(gamma);
}

template <typename T> ORR_KERNEL(THREADS, 3) back_apply_kernel(ORR_PARAMETER orr_cuda_norm norm) {
    Strip strip = strip_of(norm);
    if (!strip.inside) return;
    Scales of = scales_of(norm, strip.at);
    float mean[PACK] = {}, mean_gradient[PACK] = {}, slope[PACK] = {};
    if (norm.normalised) {
        load(norm.mean, strip.at / PACK, mean);
        load(norm.mean_gradient, strip.at / PACK, mean_gradient);
        load(norm.slope, strip.at / PACK, slope);
    }
    for (uint64_t n = strip.pack; n < strip.end; n += strip.step) {
        float x[PACK], dy[PACK];
        load(static_cast<const T *>(norm.x), n, x);
        load(static_cast<const T *>(norm.dy), n, dy);
        for (uint32_t k = 0; k < PACK; k++) {
            float g =
                dy[k] * activation_slope(norm.activation, before_activation(norm, of, x[k], k));
            if (norm.normalised)
                g = (g - mean_gradient[k] - (x[k] - mean[k]) * slope[k]) * of.scale[k];
            dy[k] = strip.channel + k < norm.channels ? g : 0;
        }
        store(static_cast<T *>(norm.y), n, dy);
    }
}

// ---- the last layer: dot products ---------------------------------------------------------------

// Adds the values of all threads; thread 0 has the sum. `words` has room for one from each.
template <typename R> ORR_DEVICE R block_sum(R *words, R value) {
    words[orr_thread_id()] = value;
    for (uint32_t half = THREADS / 2; half; half /= 2) {
        orr_barrier();
        if (orr_thread_id() < half) words[orr_thread_id()] += words[orr_thread_id() + half];
    }
    return words[0];
}

template <typename T> ORR_KERNEL(THREADS, 1) dot_forward_kernel(ORR_PARAMETER orr_cuda_dot dot) {
    ORR_SHARED_WORDS(shared);
    uint32_t packs = dot.length / PACK, row = orr_block_id();
    float sum = 0, x[PACK], w[PACK];
    for (uint32_t n = orr_thread_id(); n < packs; n += THREADS) {
        load(static_cast<const T *>(dot.x), static_cast<uint64_t>(row) * packs + n, x);
        load(dot.w, n, w);
        for (uint32_t k = 0; k < PACK; k++) sum += x[k] * w[k];
    }
    float total = block_sum(reinterpret_cast<float *>(shared), sum);
    if (orr_thread_id() == 0) dot.y[row] = total;
}

template <typename T> ORR_KERNEL(THREADS, 1) dot_back_data_kernel(ORR_PARAMETER orr_cuda_dot dot) {
    uint32_t packs = dot.length / PACK;
    for (uint32_t n = first_item(); n < dot.rows * packs; n += item_stride()) {
        float w[PACK], dy = dot.dy[n / packs];
        load(dot.w, n % packs, w);
        for (uint32_t k = 0; k < PACK; k++) w[k] *= dy;
        store(static_cast<T *>(dot.dx), n, w);
    }
}

// A block has 8 packs of the weight; 32 threads share the rows of each.
template <typename T>
ORR_KERNEL(THREADS, 1)
dot_back_filter_kernel(ORR_PARAMETER orr_cuda_dot dot) {
    ORR_SHARED_WORDS(shared);
    float *words = reinterpret_cast<float *>(shared);
    uint32_t packs = dot.length / PACK, first = orr_block_id() * TILE_PACKS;
    uint32_t column = orr_thread_id() % TILE_PACKS, subset = orr_thread_id() / TILE_PACKS;
    float sum[PACK] = {}, x[PACK];
    if (first + column < packs)
        for (uint32_t row = subset; row < dot.rows; row += TILE_ROWS) {
            load(static_cast<const T *>(dot.x), static_cast<uint64_t>(row) * packs + first + column,
                 x);
            for (uint32_t k = 0; k < PACK; k++) sum[k] += x[k] * dot.dy[row];
        }
    for (uint32_t k = 0; k < PACK; k++) words[subset * TILE + column * PACK + k] = sum[k];
    orr_barrier();
    if (orr_thread_id() >= TILE || first * PACK + orr_thread_id() >= dot.length) return;
    float total = 0;
    for (uint32_t s = 0; s < TILE_ROWS; s++) total += words[s * TILE + orr_thread_id()];
    dot.dw[first * PACK + orr_thread_id()] = total;
}

// ---- loss and optimizer -------------------------------------------------------------------------

ORR_KERNEL(THREADS, 1) bce_kernel(ORR_PARAMETER orr_cuda_bce bce) {
    ORR_SHARED_WORDS(shared);
    double *words = reinterpret_cast<double *>(shared);
    uint32_t half = orr_block_id();
    double label = half ? bce.label[1] : bce.label[0], loss = 0, sum = 0;
    for (uint32_t n = orr_thread_id(); n < bce.count; n += THREADS) {
        double logit = static_cast<double>(bce.logits[half * bce.count + n]);
        double tail = exp(-fabs(logit));
        double sigmoid = logit >= 0 ? 1 / (1 + tail) : tail / (1 + tail);
        loss += (logit > 0 ? logit : logit * 0) - logit * label + log1p(tail);
        sum += sigmoid;
        bce.gradient[half * bce.count + n] = static_cast<float>((sigmoid - label) / bce.count);
    }
    loss = block_sum(words, loss);
    orr_barrier(); // thread 0 has its sum
    sum = block_sum(words, sum);
    if (orr_thread_id() != 0) return;
    *(half ? bce.loss[1] : bce.loss[0]) += loss / bce.count;
    *(half ? bce.probability[1] : bce.probability[0]) += sum / bce.count;
}

template <typename T> ORR_KERNEL(THREADS, 1) adam_kernel(ORR_PARAMETER orr_cuda_adam adam) {
    float rate = adam.progress->rate, root = adam.progress->root;
    for (uint32_t n = first_item(); n < adam.count / PACK; n += item_stride()) {
        float g[PACK], p[PACK], m[PACK], v[PACK];
        int weight = n < adam.weights / PACK;
        if (weight)
            load(static_cast<const T *>(adam.weight_gradient), n, g);
        else
            load(adam.gradient, n, g);
        load(adam.parameters, n, p);
        load(adam.moment1, n, m);
        load(adam.moment2, n, v);
        for (uint32_t k = 0; k < PACK; k++) {
            m[k] = adam.beta1 * m[k] + (1 - adam.beta1) * g[k];
            v[k] = adam.beta2 * v[k] + (1 - adam.beta2) * g[k] * g[k];
            p[k] -= rate * (m[k] / (sqrtf(v[k]) / root + adam.epsilon));
        }
        store(adam.parameters, n, p);
        store(adam.moment1, n, m);
        store(adam.moment2, n, v);
        if (sizeof(T) == sizeof(Bf16) && weight) store(static_cast<T *>(adam.copies), n, p);
    }
}

// ---- conversion ---------------------------------------------------------------------------------

template <typename T> ORR_KERNEL(THREADS, 1) pad_kernel(ORR_PARAMETER orr_cuda_convert convert) {
    uint32_t row_packs = convert.padded / PACK;
    const float *from = static_cast<const float *>(convert.from);
    for (uint32_t n = first_item(); n < convert.rows * row_packs; n += item_stride()) {
        uint32_t row = n / row_packs, channel = n % row_packs * PACK;
        float value[PACK] = {};
        for (uint32_t k = 0; k < PACK; k++)
            if (channel + k < convert.channels)
                value[k] = from[static_cast<uint64_t>(row) * convert.channels + channel + k];
        store(static_cast<T *>(convert.to), n, value);
    }
}

ORR_DEVICE void give(float *to, float value) {
    *to = value;
}

// As orr_gan_to_bytes().
ORR_DEVICE void give(uint8_t *to, float value) {
    float scaled = (value + 1.0f) * 127.5f + 0.5f;
    uint32_t byte = scaled >= 255.0f ? 255 : scaled > 0.0f ? static_cast<uint32_t>(scaled) : 0;
    *to = static_cast<uint8_t>(byte);
}

template <typename T, typename To> ORR_DEVICE void unpad(const orr_cuda_convert &convert) {
    uint32_t row_packs = convert.padded / PACK;
    To *to = static_cast<To *>(convert.to);
    for (uint32_t n = first_item(); n < convert.rows * row_packs; n += item_stride()) {
        uint32_t row = n / row_packs, channel = n % row_packs * PACK;
        float value[PACK];
        load(static_cast<const T *>(convert.from), n, value);
        for (uint32_t k = 0; k < PACK; k++)
            if (channel + k < convert.channels)
                give(to + static_cast<uint64_t>(row) * convert.channels + channel + k, value[k]);
    }
}

template <typename T> ORR_KERNEL(THREADS, 1) unpad_kernel(ORR_PARAMETER orr_cuda_convert convert) {
    unpad<T, float>(convert);
}

template <typename T> ORR_KERNEL(THREADS, 1) bytes_kernel(ORR_PARAMETER orr_cuda_convert convert) {
    unpad<T, uint8_t>(convert);
}

} // namespace orr_gan_cuda

#endif
