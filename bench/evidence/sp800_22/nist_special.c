// Special functions (SP 800-22 section 5.5.3), and counting over packed bits.
#include <string.h>
#include "bench/evidence/sp800_22/nist_internal.h"

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

void orr_bits_pack(const uint8_t *bytes, size_t first, size_t count, uint64_t *words) {
    size_t used = (count + 63) / 64;
    const uint8_t *from = bytes + first / 8;
    size_t shift = first % 8, available = (shift + count + 7) / 8;
    for (size_t i = 0; i < used; i++) {
        uint64_t value = 0;
        for (size_t k = 0; k < 8; k++) {
            size_t at = 8 * i + k;
            value = value << 8 | (at < available ? from[at] : 0);
        }
        if (shift) {
            uint64_t next = 8 * i + 8 < available ? from[8 * i + 8] : 0;
            value = value << shift | next >> (8 - shift);
        }
        words[i] = value;
    }
    if (count % 64) words[used - 1] &= ~UINT64_C(0) << (64 - count % 64);
    words[used] = 0;
}

size_t orr_bits_ones(orr_bits bits, size_t first, size_t count) {
    size_t ones = 0;
    for (; count >= 64; first += 64, count -= 64) {
        ones += (size_t)__builtin_popcountll(orr_bits_window(bits, first));
    }
    if (count) ones += (size_t)__builtin_popcountll(orr_bits_window(bits, first) >> (64 - count));
    return ones;
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

void orr_bits_histogram(orr_bits bits, unsigned length, size_t first, size_t windows, int circular,
                        uint32_t *counts) {
    memset(counts, 0, sizeof *counts << length);
    size_t at = first, end = first + windows;
    size_t whole = bits.count >= 64 ? bits.count - 63 : 0; // windows of 64 bits that fit
    unsigned down = 64 - length;
    // 48 windows of up to 16 bits from each 64 bits.
    for (; at + 48 <= end && at < whole; at += 48) {
        uint64_t window = orr_bits_window(bits, at);
        for (int i = 0; i < 48; i++) {
            counts[window >> down]++;
            window <<= 1;
        }
    }
    for (; at < end; at++) {
        uint64_t window = 0;
        for (unsigned i = 0; i < length; i++) {
            size_t position = at + i;
            if (circular) position %= bits.count;
            window = window << 1 | orr_bit(bits, position);
        }
        counts[window]++;
    }
}
