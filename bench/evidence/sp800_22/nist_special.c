#include "bench/evidence/sp800_22/nist_special.h"

#include <math.h>

#define MOST_TERMS 200000 // the series takes about 10 sqrt(a) terms, a <= 2^24 is far inside

// x^a e^-x / Gamma(a), in long double because its logarithm is a difference of large numbers.
static long double gamma_density(long double a, long double x) {
    return expl(a * logl(x) - x - lgammal(a));
}

// P(a, x) by its power series; for x < a + 1.
static long double gamma_series(long double a, long double x) {
    long double term = 1 / a, sum = term;
    for (int n = 1; n < MOST_TERMS && term > sum * 1e-20L; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * gamma_density(a, x);
}

// Q(a, x) by its continued fraction, after Lentz as modified by Thompson and Barnett; x >= a + 1.
static long double gamma_fraction(long double a, long double x) {
    const long double tiny = 1e-4000L > 0 ? 1e-4000L : 1e-300L;
    long double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (int n = 1; n < MOST_TERMS; n++) {
        long double numerator = -n * (n - a);
        b += 2;
        d = numerator * d + b;
        if (fabsl(d) < tiny) d = tiny;
        c = b + numerator / c;
        if (fabsl(c) < tiny) c = tiny;
        d = 1 / d;
        long double factor = d * c;
        h *= factor;
        if (fabsl(factor - 1) < 1e-19L) break;
    }
    return h * gamma_density(a, x);
}

double orr_igamc(double a, double x) {
    if (!(a > 0) || !(x >= 0)) return NAN;
    if (x == 0) return 1;
    if (isinf(x)) return 0;
    long double q = x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x);
    return q < 0 ? 0 : q > 1 ? 1 : (double)q;
}

double orr_normal_cdf(double x) {
    return erfc(-x / sqrt(2)) / 2;
}

double orr_chi_square(const uint64_t *counts, const double *probabilities, size_t classes,
                      double total) {
    double sum = 0;
    for (size_t i = 0; i < classes; i++) {
        double expected = total * probabilities[i], difference = (double)counts[i] - expected;
        sum += difference * difference / expected;
    }
    return sum;
}
