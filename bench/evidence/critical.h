// What the measures of metrics.h are for two independent, uniformly random images, and how far from
// that is too far.
#ifndef ORRERY_BENCH_EVIDENCE_CRITICAL_H
#define ORRERY_BENCH_EVIDENCE_CRITICAL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The three levels that papers use: 0.05, 0.01, 0.001.
#define ORR_ALPHAS 3
extern const double orr_alpha[ORR_ALPHAS];

// x with P(Z > x) = p for a standard normal Z; p in (0, 1).
double orr_normal_upper(double p);
// P(X > x) for a chi-square variable of `degrees` degrees of freedom.
double orr_chi_square_tail(double x, double degrees);
// x with P(X > x) = p: the critical value of a histogram is orr_chi_square_critical(alpha, 255).
double orr_chi_square_critical(double p, double degrees);

// Wu, Noonan, Agaian (2011), "NPCR and UACI randomness tests for image encryption", for `samples`
// samples of `bits` (8 or 16) bits. NPCR passes at or above the one-sided critical value, UACI
// inside the two-sided interval. All in 0..1.
double orr_npcr_expected(unsigned bits);
double orr_npcr_critical(uint64_t samples, unsigned bits, double alpha);
double orr_uaci_expected(unsigned bits);
void orr_uaci_interval(uint64_t samples, unsigned bits, double alpha, double *low, double *high);
// Chance that two random images pass the NPCR test: near 1 - alpha, but exact (the count of equal
// samples is binomial), because with few equal samples the normal approximation is off.
double orr_npcr_acceptance(uint64_t samples, unsigned bits, double alpha);

// P(X <= k) for X ~ Binomial(n, p).
double orr_binomial_cdf(uint64_t n, double p, uint64_t k);
// Two-sided exact binomial test (the sum of all outcomes no likelier than k): the chance of a share
// at least as odd as k of n when the true one is p.
double orr_binomial_test(uint64_t n, double p, uint64_t k);

#ifdef __cplusplus
}
#endif
#endif
