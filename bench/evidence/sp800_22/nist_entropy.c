// Tests on the frequencies of patterns: SP 800-22 sections 2.9, 2.11 and 2.12.
#include <stdlib.h>

#include "bench/evidence/sp800_22/nist_internal.h"

// Table of section 2.9.4 (5), L = 1 .. 16.
static const double universal_mean[17] = {0,         0.7326495, 1.5374383, 2.4016068, 3.3112247,
                                          4.2534266, 5.2177052, 6.1962507, 7.1836656, 8.1764248,
                                          9.1723243, 10.170032, 11.168765, 12.168070, 13.167693,
                                          14.167488, 15.167379};
static const double universal_variance[17] = {0,     0.690, 1.338, 1.901, 2.358, 2.705,
                                              2.954, 3.125, 3.238, 3.311, 3.356, 3.384,
                                              3.401, 3.410, 3.416, 3.419, 3.421};

void orr_nist_universal_parameters(size_t count, unsigned *length, unsigned *warm_up) {
    static const size_t least[] = {387840,   904960,    2068480,   4654080,   10342400,  22753280,
                                   49643520, 107560960, 231669760, 496435200, 1059061760};
    *length = 0;
    for (unsigned i = 0; i < sizeof least / sizeof *least && count >= least[i]; i++)
        *length = 6 + i;
    *warm_up = *length ? 10u << *length : 0;
}

orr_nist_value orr_nist_universal(orr_bits bits, unsigned length, unsigned warm_up) {
    if (length < 1 || length > 16) return NOT_APPLICABLE;
    size_t blocks = bits.count / length;
    if (blocks <= warm_up) return NOT_APPLICABLE;
    uint32_t *last = calloc((size_t)1 << length, sizeof *last); // block number, from 1
    if (!last) return NOT_APPLICABLE;
    double sum = 0, product = 1; // logarithms are taken of products of a few distances
    for (size_t i = 1; i <= blocks; i++) {
        uint32_t pattern = (uint32_t)(orr_bits_window(bits, (i - 1) * length) >> (64 - length));
        if (i > warm_up) {
            product *= (double)(i - last[pattern]);
            if (product > 1e200) {
                sum += log2(product);
                product = 1;
            }
        }
        last[pattern] = (uint32_t)i;
    }
    free(last);
    double k = (double)(blocks - warm_up), l = length;
    double statistic = (sum + log2(product)) / k;
    double c = 0.7 - 0.8 / l + (4 + 32 / l) * pow(k, -3 / l) / 15;
    double sigma = c * sqrt(universal_variance[length] / k);
    double p = erfc(fabs(statistic - universal_mean[length]) / (sqrt(2) * sigma));
    return (orr_nist_value){statistic, p};
}

double orr_psi_square(const uint32_t *counts, unsigned length, size_t total) {
    uint64_t squares = 0;
    for (size_t i = 0; i < (size_t)1 << length; i++) squares += (uint64_t)counts[i] * counts[i];
    return ldexp((double)squares, (int)length) / (double)total - (double)total;
}

void orr_nist_serial(orr_bits bits, unsigned length, orr_nist_value values[2]) {
    values[0] = values[1] = NOT_APPLICABLE;
    if (length < 2 || length > 16 || bits.count < length) return;
    uint32_t *counts = malloc(sizeof *counts << length);
    if (!counts) return;
    orr_bits_histogram(bits, length, 0, bits.count, 1, counts);
    double psi[3] = {0};
    for (unsigned i = 0; i < 3 && length - i > 0; i++) {
        psi[i] = orr_psi_square(counts, length - i, bits.count);
        if (length - i > 1) orr_histogram_shorten(counts, length - i);
    }
    free(counts);
    double first = psi[0] - psi[1], second = psi[0] - 2 * psi[1] + psi[2];
    values[0] = (orr_nist_value){first, orr_igamc(ldexp(1, (int)length - 2), fmax(first, 0) / 2)};
    values[1] = (orr_nist_value){second, orr_igamc(ldexp(1, (int)length - 3), fmax(second, 0) / 2)};
}

// Sum of pi log pi over the patterns.
static double phi(const uint32_t *counts, unsigned length, double total) {
    double sum = 0;
    for (size_t i = 0; i < (size_t)1 << length; i++) {
        if (counts[i]) sum += counts[i] / total * log(counts[i] / total);
    }
    return sum;
}

orr_nist_value orr_nist_entropy(orr_bits bits, unsigned length) {
    if (length < 1 || length > 15 || bits.count <= length) return NOT_APPLICABLE;
    uint32_t *counts = malloc(sizeof *counts << (length + 1));
    if (!counts) return NOT_APPLICABLE;
    double n = (double)bits.count;
    orr_bits_histogram(bits, length + 1, 0, bits.count, 1, counts);
    double longer = phi(counts, length + 1, n);
    orr_histogram_shorten(counts, length + 1);
    double entropy = phi(counts, length, n) - longer;
    free(counts);
    double chi_square = fmax(2 * n * (M_LN2 - entropy), 0);
    return (orr_nist_value){chi_square, orr_igamc(ldexp(1, (int)length - 1), chi_square / 2)};
}
