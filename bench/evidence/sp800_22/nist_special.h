// Special functions (SP 800-22 section 5.5.3).
#ifndef ORRERY_BENCH_EVIDENCE_SP800_22_NIST_SPECIAL_H
#define ORRERY_BENCH_EVIDENCE_SP800_22_NIST_SPECIAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Upper incomplete gamma function Q(a, x) = Gamma(a, x) / Gamma(a), a > 0, x >= 0 (section 5.5.3).
// Relative error below 1e-12 for 1/2 <= a <= 2^17 where the result is above 1e-290 (against MPFR in
// tests/bench/evidence/nist_test.cc). NAN outside the domain.
double orr_igamc(double a, double x);

// Standard normal distribution function.
double orr_normal_cdf(double x);

// P-value of chi-square: Q(degrees / 2, chi_square / 2).
static inline double orr_chi_square_p(double chi_square, double degrees) {
    return orr_igamc(degrees / 2, chi_square / 2);
}

// Sum of (counts[i] - total probabilities[i])^2 / (total probabilities[i]).
double orr_chi_square(const uint64_t *counts, const double *probabilities, size_t classes,
                      double total);

#ifdef __cplusplus
}
#endif
#endif
