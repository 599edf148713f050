#include "bench/evidence/metrics.h"

#include <math.h>
#include <string.h>

void orr_byte_histogram(const uint8_t *data, size_t bytes, uint64_t counts[256]) {
    memset(counts, 0, 256 * sizeof *counts);
    for (size_t n = 0; n < bytes; n++) counts[data[n]]++;
}

static uint64_t total_of(const uint64_t counts[256]) {
    uint64_t total = 0;
    for (int v = 0; v < 256; v++) total += counts[v];
    return total;
}

double orr_entropy(const uint64_t counts[256]) {
    double total = (double)total_of(counts), bits = 0;
    for (int v = 0; v < 256; v++) {
        if (!counts[v]) continue;
        double p = (double)counts[v] / total;
        bits -= p * log2(p);
    }
    return bits;
}

void orr_entropy_of_random(uint64_t n, double *mean, double *deviation) {
    // 2 n ln 2 (8 - H) is close to a chi-square variable of 255 degrees of freedom.
    double scale = 2 * (double)n * log(2);
    *mean = n ? 8 - 255 / scale : 0;
    *deviation = n ? sqrt(2 * 255) / scale : 0;
}

double orr_uniform_chi_square(const uint64_t counts[256]) {
    double expected = (double)total_of(counts) / 256, sum = 0;
    if (expected == 0) return 0;
    for (int v = 0; v < 256; v++) {
        double difference = (double)counts[v] - expected;
        sum += difference * difference / expected;
    }
    return sum;
}

// Exact sums: 64-bit products of 16-bit samples leave room for 2^32 pairs.
typedef struct pair_sums {
    uint64_t n, x, y, xx, yy, xy;
} pair_sums;

static void add_pairs(const orr_samples *s, uint32_t channel, orr_direction direction,
                      pair_sums *sums) {
    uint32_t down = direction != ORR_HORIZONTAL, right = direction != ORR_VERTICAL;
    uint64_t step = (uint64_t)down * s->columns + right;
    for (uint32_t i = 0; i + down < s->rows; i++) {
        uint64_t n = ((uint64_t)channel * s->rows + i) * s->columns;
        for (uint32_t j = 0; j + right < s->columns; j++, n++) {
            uint64_t x = orr_sample(s, n), y = orr_sample(s, n + step);
            sums->n++;
            sums->x += x;
            sums->y += y;
            sums->xx += x * x;
            sums->yy += y * y;
            sums->xy += x * y;
        }
    }
}

double orr_correlation(const orr_samples *s, uint32_t channel, orr_direction direction) {
    pair_sums t = {0};
    if (channel == UINT32_MAX) {
        for (uint32_t k = 0; k < s->channels; k++) add_pairs(s, k, direction, &t);
    } else {
        add_pairs(s, channel, direction, &t);
    }
    if (t.n == 0) return 0;
    long double n = t.n, mean_x = t.x / n, mean_y = t.y / n;
    long double variance_x = t.xx / n - mean_x * mean_x, variance_y = t.yy / n - mean_y * mean_y;
    long double covariance = t.xy / n - mean_x * mean_y;
    if (variance_x <= 0 || variance_y <= 0) return 0;
    return (double)(covariance / sqrtl(variance_x * variance_y));
}

double orr_mse(const orr_samples *a, const orr_samples *b) {
    uint64_t count = orr_samples_count(a), sum = 0;
    for (uint64_t n = 0; n < count; n++) {
        int64_t difference = (int64_t)orr_sample(a, n) - orr_sample(b, n);
        sum += (uint64_t)(difference * difference);
    }
    return count ? (double)sum / (double)count : 0;
}

double orr_psnr(double mse, unsigned bits) {
    double peak = (double)((1u << bits) - 1);
    return mse > 0 ? 10 * log10(peak * peak / mse) : INFINITY;
}

double orr_npcr(const orr_samples *a, const orr_samples *b) {
    uint64_t count = orr_samples_count(a), changed = 0;
    for (uint64_t n = 0; n < count; n++) changed += orr_sample(a, n) != orr_sample(b, n);
    return count ? (double)changed / (double)count : 0;
}

double orr_uaci(const orr_samples *a, const orr_samples *b) {
    uint64_t count = orr_samples_count(a), sum = 0;
    for (uint64_t n = 0; n < count; n++) {
        int32_t difference = (int32_t)orr_sample(a, n) - (int32_t)orr_sample(b, n);
        sum += (uint64_t)(difference < 0 ? -difference : difference);
    }
    return count ? (double)sum / (double)count / (double)((1u << a->bits) - 1) : 0;
}
