// The spectral test: SP 800-22 section 2.6.
#include <stdlib.h>

#include "bench/evidence/sp800_22/nist_internal.h"

static orr_nist_value judge(size_t count, size_t below, orr_nist_constants constants) {
    double n = (double)count, expected = 0.95 * n / 2;
    double variance = n * 0.95 * 0.05 / (constants == ORR_NIST_AS_PRINTED ? 4 : 3.8);
    double d = ((double)below - expected) / sqrt(variance);
    return (orr_nist_value){d, erfc(fabs(d) / sqrt(2))};
}

// Square of the threshold sqrt(n ln(1 / 0.05)).
static double threshold_square(size_t count) {
    return (double)count * 2.99573227355399099;
}

// One complex transform of half the length: numbers bits[2 k] + i bits[2 k + 1].
orr_nist_value orr_nist_spectral_with(orr_bits bits, orr_nist_constants constants, orr_fft *plan,
                                      double *z) {
    size_t n = bits.count, half = n / 2, below = 0;
    for (size_t i = 0; i < n; i++) z[i] = orr_bit(bits, i) ? 1 : -1;
    orr_fft_run(plan, z);
    double limit = threshold_square(n);
    double step = -2 * M_PI / (double)n;
    for (size_t k = 0; k <= half / 2; k++) { // coefficients k and half - k together
        size_t other = k ? half - k : 0;
        double re = z[2 * k], im = z[2 * k + 1], re2 = z[2 * other], im2 = -z[2 * other + 1];
        double even_re = (re + re2) / 2, even_im = (im + im2) / 2;
        double odd_re = (im - im2) / 2, odd_im = (re2 - re) / 2;
        double c = cos(step * (double)k), s = sin(step * (double)k);
        double turn_re = odd_re * c - odd_im * s, turn_im = odd_re * s + odd_im * c;
        double up_re = even_re + turn_re, up_im = even_im + turn_im;
        below += up_re * up_re + up_im * up_im < limit;
        if (k == 0 || other == k) continue;
        // X(half - k) is the conjugate of even - turned.
        double down_re = even_re - turn_re, down_im = even_im - turn_im;
        below += down_re * down_re + down_im * down_im < limit;
    }
    return judge(n, below, constants);
}

orr_nist_value orr_nist_spectral(orr_bits bits, orr_nist_constants constants) {
    size_t n = bits.count;
    if (n < 2) return NOT_APPLICABLE;
    int odd = n % 2 != 0;
    orr_nist_value value = NOT_APPLICABLE;
    orr_fft *plan = orr_fft_new(odd ? n : n / 2);
    double *z = calloc(odd ? 2 * n : n, sizeof *z);
    if (!plan || !z) goto end;
    if (!odd) {
        value = orr_nist_spectral_with(bits, constants, plan, z);
        goto end;
    }
    for (size_t i = 0; i < n; i++) z[2 * i] = orr_bit(bits, i) ? 1 : -1;
    orr_fft_run(plan, z);
    size_t below = 0;
    for (size_t k = 0; k < n / 2; k++) {
        below += z[2 * k] * z[2 * k] + z[2 * k + 1] * z[2 * k + 1] < threshold_square(n);
    }
    value = judge(n, below, constants);
end:
    orr_fft_free(plan);
    free(z);
    return value;
}
