#include "bench/evidence/critical.h"

#include <math.h>

const double orr_alpha[ORR_ALPHAS] = {0.05, 0.01, 0.001};

// Halving the interval of a falling function: 200 steps reach the last bit and end.
static double bisect(double (*tail)(double x, double degrees), double degrees, double p, double low,
                     double high) {
    for (int n = 0; n < 200; n++) {
        double middle = (low + high) / 2;
        if (tail(middle, degrees) > p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static double normal_tail(double x, double unused) {
    (void)unused;
    return erfc(x / sqrt(2)) / 2;
}

double orr_normal_upper(double p) {
    return bisect(normal_tail, 0, p, -40, 40);
}

// Regularised incomplete gamma functions (Abramowitz and Stegun 6.5.29, 6.5.31): the series of P
// below a + 1, Lentz's continued fraction of Q above.
static double gamma_p_series(double a, double x) {
    double term = 1 / a, sum = term;
    for (int n = 1; n < 100000 && fabs(term) > 1e-17 * fabs(sum); n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(a * log(x) - x - lgamma(a));
}

static double gamma_q_fraction(double a, double x) {
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (int n = 1; n < 100000; n++) {
        double term = -n * (n - a);
        b += 2;
        d = term * d + b;
        if (fabs(d) < tiny) d = tiny;
        c = b + term / c;
        if (fabs(c) < tiny) c = tiny;
        d = 1 / d;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return h * exp(a * log(x) - x - lgamma(a));
}

double orr_chi_square_tail(double x, double degrees) {
    double a = degrees / 2, t = x / 2;
    if (t <= 0) return 1;
    return t < a + 1 ? 1 - gamma_p_series(a, t) : gamma_q_fraction(a, t);
}

double orr_chi_square_critical(double p, double degrees) {
    return bisect(orr_chi_square_tail, degrees, p, 0, degrees + 40 * sqrt(2 * degrees) + 100);
}

// ---- NPCR and UACI; F is the largest sample value

static double full_scale(unsigned bits) {
    return (double)((1u << bits) - 1);
}

double orr_npcr_expected(unsigned bits) {
    double f = full_scale(bits);
    return f / (f + 1);
}

double orr_npcr_critical(uint64_t samples, unsigned bits, double alpha) {
    double f = full_scale(bits);
    return (f - orr_normal_upper(alpha) * sqrt(f / (double)samples)) / (f + 1);
}

double orr_uaci_expected(unsigned bits) {
    double f = full_scale(bits);
    return (f + 2) / (3 * f + 3);
}

void orr_uaci_interval(uint64_t samples, unsigned bits, double alpha, double *low, double *high) {
    double f = full_scale(bits), mean = orr_uaci_expected(bits);
    double variance =
        (f + 2) * (f * f + 2 * f + 3) / (18 * (f + 1) * (f + 1) * f * (double)samples);
    double half = orr_normal_upper(alpha / 2) * sqrt(variance);
    *low = mean - half;
    *high = mean + half;
}

double orr_npcr_acceptance(uint64_t samples, unsigned bits, double alpha) {
    double f = full_scale(bits);
    // The largest number of equal samples that still passes; the epsilon undoes rounding at a
    // whole number.
    double equal = (double)samples * (1 - orr_npcr_critical(samples, bits, alpha));
    if (equal < 0) return 0;
    return orr_binomial_cdf(samples, 1 / (f + 1), (uint64_t)floor(equal + 1e-9));
}

// ---- binomial

static double log_binomial(uint64_t n, double p, uint64_t k) {
    double a = (double)n, b = (double)k;
    if (p <= 0) return k == 0 ? 0 : -INFINITY;
    if (p >= 1) return k == n ? 0 : -INFINITY;
    return lgamma(a + 1) - lgamma(b + 1) - lgamma(a - b + 1) + b * log(p) + (a - b) * log1p(-p);
}

double orr_binomial_cdf(uint64_t n, double p, uint64_t k) {
    if (k >= n) return 1;
    // From k downwards the terms soon fall geometrically; above the mean sum the other tail.
    double mean = (double)n * p, sum = 0;
    if ((double)k <= mean) {
        for (uint64_t i = k + 1; i-- > 0;) {
            double term = exp(log_binomial(n, p, i));
            sum += term;
            if (term < 1e-18 * sum) break;
        }
        return sum;
    }
    for (uint64_t i = k + 1; i <= n; i++) {
        double term = exp(log_binomial(n, p, i));
        sum += term;
        if (term < 1e-18 * sum || term == 0) break;
    }
    return 1 - sum;
}

double orr_binomial_test(uint64_t n, double p, uint64_t k) {
    double limit = log_binomial(n, p, k) + 1e-7, sum = 0;
    for (uint64_t i = 0; i <= n; i++) {
        double term = log_binomial(n, p, i);
        if (term <= limit) sum += exp(term);
    }
    return sum < 1 ? sum : 1;
}
