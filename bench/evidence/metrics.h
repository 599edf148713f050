// The measures that image-encryption papers tabulate, on samples of 8 or 16 bits.
//
// None of them measures security: a cipher without any secret scores as well as a good one
// (section_attacks.c shows it). They find bugs.
#ifndef ORRERY_BENCH_EVIDENCE_METRICS_H
#define ORRERY_BENCH_EVIDENCE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Borrowed samples: channel after channel, row by row; 16-bit samples most significant byte first
// (the volume of kernels/volume.h). `columns` counts samples, not bytes.
typedef struct orr_samples {
    const uint8_t *data;
    uint32_t channels, rows, columns;
    unsigned bits; // 8 or 16
} orr_samples;

typedef enum orr_direction {
    ORR_HORIZONTAL, // (i, j) and (i, j + 1)
    ORR_VERTICAL,   // (i, j) and (i + 1, j)
    ORR_DIAGONAL    // (i, j) and (i + 1, j + 1)
} orr_direction;

static inline uint64_t orr_samples_count(const orr_samples *s) {
    return (uint64_t)s->channels * s->rows * s->columns;
}
static inline size_t orr_samples_bytes(const orr_samples *s) {
    return (size_t)orr_samples_count(s) * (s->bits / 8);
}
// Sample n in the order of the data.
static inline uint32_t orr_sample(const orr_samples *s, uint64_t n) {
    return s->bits == 16 ? (uint32_t)s->data[2 * n] << 8 | s->data[2 * n + 1] : s->data[n];
}

// How often each byte value occurs in `bytes` bytes.
void orr_byte_histogram(const uint8_t *data, size_t bytes, uint64_t counts[256]);
// Shannon entropy of a histogram in bits a byte (0 for an empty one). Ideal 8; of n uniformly
// random bytes about 8 - 255 / (2 n ln 2).
double orr_entropy(const uint64_t counts[256]);
// Mean and standard deviation of that figure for n uniformly random bytes (first order in 1 / n).
void orr_entropy_of_random(uint64_t n, double *mean, double *deviation);
// Pearson's chi-square of a histogram against the uniform one: 255 degrees of freedom.
double orr_uniform_chi_square(const uint64_t counts[256]);
// Pearson correlation of neighbouring samples, all pairs of one channel, or of all channels
// together (channel = UINT32_MAX). 0 when there is no pair or no variance.
double orr_correlation(const orr_samples *s, uint32_t channel, orr_direction direction);

// Of two images of the same shape and depth (`a` gives both). MSE in squared sample units; PSNR in
// decibels against the full scale, infinite for equal images.
double orr_mse(const orr_samples *a, const orr_samples *b);
double orr_psnr(double mse, unsigned bits);
// NPCR: share of samples that differ. UACI: mean absolute difference over the full scale. Both in
// 0..1 (Wu, Noonan, Agaian 2011).
double orr_npcr(const orr_samples *a, const orr_samples *b);
double orr_uaci(const orr_samples *a, const orr_samples *b);

#ifdef __cplusplus
}
#endif
#endif
