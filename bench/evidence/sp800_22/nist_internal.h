// Shared by the nist_*.c.
#ifndef ORRERY_BENCH_EVIDENCE_SP800_22_NIST_INTERNAL_H
#define ORRERY_BENCH_EVIDENCE_SP800_22_NIST_INTERNAL_H

#include <math.h>
#include "bench/evidence/sp800_22/sp800_22.h"

#define NOT_APPLICABLE ((orr_nist_value){NAN, NAN})

// The 64 bits from bit `at` on, first bit on top; at < count. Needs the zero word behind the end.
static inline uint64_t orr_bits_window(orr_bits bits, size_t at) {
    size_t word = at / 64, shift = at % 64;
    uint64_t value = bits.words[word] << shift;
    if (shift) value |= bits.words[word + 1] >> (64 - shift);
    return value;
}

static inline unsigned orr_bit(orr_bits bits, size_t at) {
    return (unsigned)(bits.words[at / 64] >> (63 - at % 64)) & 1;
}

// Ones among the bits first .. first + count - 1.
size_t orr_bits_ones(orr_bits bits, size_t first, size_t count);

// P-value of chi-square: Q(degrees / 2, chi_square / 2).
static inline double orr_chi_square_p(double chi_square, double degrees) {
    return orr_igamc(degrees / 2, chi_square / 2);
}

// Sum of (counts[i] - total probabilities[i])^2 / (total probabilities[i]).
double orr_chi_square(const uint64_t *counts, const double *probabilities, size_t classes,
                      double total);

// How often each window of `length` bits (1..16) occurs among those that start at first ..
// first + windows - 1; counts[1 << length] is overwritten. `circular`: windows run over the end of
// the sequence to its beginning.
void orr_bits_histogram(orr_bits bits, unsigned length, size_t first, size_t windows, int circular,
                        uint32_t *counts);

// The tests that read the circular histogram of 16 bits, or what is left of it for fewer.
double orr_psi_square(const uint32_t *counts, unsigned length, size_t total);
// counts of length - 1 from those of length, in place.
static inline void orr_histogram_shorten(uint32_t *counts, unsigned length) {
    for (size_t i = 0; i < (size_t)1 << (length - 1); i++) {
        counts[i] = counts[2 * i] + counts[2 * i + 1];
    }
}

// Both excursion tests in one walk; either of the values may be NULL. Returns J.
size_t orr_nist_walk(orr_bits bits, size_t least_cycles, orr_nist_value *excursions,
                     orr_nist_value *variant);

// Both directions in one pass: forward, backward.
void orr_nist_cusums(orr_bits bits, orr_nist_value values[2]);

// All columns of one sequence into p[ORR_NIST_COLUMNS]. `plan` serves bits.count / 2 complex
// numbers, `z` has room for bits.count doubles; both may be NULL when bits.count is odd.
void orr_nist_sequence(orr_bits bits, orr_nist_constants constants, orr_fft *plan, double *z,
                       double *p);
// Has a test of p[ORR_NIST_COLUMNS] no P-value though a sequence of `count` bits is long enough for
// it and it asks for nothing else? Then there was no memory for it.
int orr_nist_lost(size_t count, const double *p);
// 2.6 with a plan and room given; bits.count is even.
orr_nist_value orr_nist_spectral_with(orr_bits bits, orr_nist_constants constants, orr_fft *plan,
                                      double *z);

#endif
