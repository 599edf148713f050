// Tests that count ones, runs and partial sums: SP 800-22 sections 2.1 to 2.4 and 2.13.
#include "bench/evidence/sp800_22/nist_internal.h"

orr_nist_value orr_nist_frequency(orr_bits bits) {
    if (bits.count == 0) return NOT_APPLICABLE;
    double n = (double)bits.count, ones = (double)orr_bits_ones(bits, 0, bits.count);
    double statistic = fabs(2 * ones - n) / sqrt(n);
    return (orr_nist_value){statistic, erfc(statistic / sqrt(2))};
}

orr_nist_value orr_nist_block_frequency(orr_bits bits, size_t block) {
    size_t blocks = block ? bits.count / block : 0;
    if (blocks == 0) return NOT_APPLICABLE;
    double sum = 0;
    for (size_t i = 0; i < blocks; i++) {
        double off = (double)orr_bits_ones(bits, i * block, block) / (double)block - 0.5;
        sum += off * off;
    }
    double chi_square = 4 * (double)block * sum;
    return (orr_nist_value){chi_square, orr_chi_square_p(chi_square, (double)blocks)};
}

orr_nist_value orr_nist_runs(orr_bits bits) {
    if (bits.count < 2) return NOT_APPLICABLE;
    double n = (double)bits.count, pi = (double)orr_bits_ones(bits, 0, bits.count) / n;
    size_t changes = 0, words = (bits.count + 63) / 64;
    for (size_t i = 0; i < words; i++) {
        uint64_t next = bits.words[i] << 1 | bits.words[i + 1] >> 63;
        uint64_t differ = bits.words[i] ^ next; // bit k against bit k + 1
        if (i == words - 1) {                   // nothing follows the last bit
            size_t pairs = (bits.count - 1) % 64;
            differ = pairs ? differ >> (64 - pairs) : 0;
        }
        changes += (size_t)__builtin_popcountll(differ);
    }
    double runs = (double)changes + 1;
    // Section 2.3.4 (2): without a passed frequency test this one is failed, not run.
    if (fabs(pi - 0.5) >= 2 / sqrt(n)) return (orr_nist_value){runs, 0};
    double spread = pi * (1 - pi);
    double p = erfc(fabs(runs - 2 * n * spread) / (2 * sqrt(2 * n) * spread));
    return (orr_nist_value){runs, p};
}

typedef struct longest_class {
    size_t least_bits, block;
    unsigned first, classes; // class 0: runs up to `first`; the last: first + classes - 1 or more
    double printed[7];
} longest_class;

static const longest_class longest_classes[] = {
    {750000, 10000, 10, 7, {0.0882, 0.2092, 0.2483, 0.1933, 0.1208, 0.0675, 0.0727}},
    {6272,
     128,
     4,
     6,
     {0.1174035788, 0.242955959, 0.249363483, 0.17517706, 0.102701071, 0.112398847}},
    {128, 8, 1, 4, {0.2148, 0.3672, 0.2305, 0.1875}},
};

// Probability that `block` fair bits hold no run of more than `most` ones: a[n] is that for n bits;
// such a run ends first at bit n when bit n - most - 1 is a zero behind a prefix without one.
static double no_longer_run(size_t block, unsigned most) {
    double recent[64]; // a[n] for the last most + 2 lengths, most <= 15
    double tail = ldexp(1, -(int)most - 2);
    for (size_t n = 0; n <= block; n++) {
        double a = 1;
        if (n == most + 1) a = 1 - ldexp(1, -(int)most - 1);
        if (n > most + 1) a = recent[(n - 1) % 64] - tail * recent[(n - most - 2) % 64];
        recent[n % 64] = a;
    }
    return recent[block % 64];
}

static unsigned longest_run_of(orr_bits bits, size_t first, size_t count) {
    unsigned longest = 0, run = 0;
    for (size_t at = 0; at < count; at += 64) {
        uint64_t window = orr_bits_window(bits, first + at);
        unsigned left = count - at < 64 ? (unsigned)(count - at) : 64;
        while (left) { // one run of ones or of zeros after the other
            unsigned same = window >> 63 ? (unsigned)__builtin_clzll(~window | 1)
                                         : (unsigned)__builtin_clzll(window | 1);
            if (window == ~UINT64_C(0) || window == 0) same = 64;
            if (same > left) same = left;
            run = window >> 63 ? run + same : 0;
            if (run > longest) longest = run;
            left -= same;
            window = same < 64 ? window << same : 0;
        }
    }
    return longest;
}

orr_nist_value orr_nist_longest_run(orr_bits bits, orr_nist_constants constants) {
    const longest_class *c = NULL;
    for (size_t i = 0; i < sizeof longest_classes / sizeof *longest_classes && !c; i++) {
        if (bits.count >= longest_classes[i].least_bits) c = &longest_classes[i];
    }
    if (!c) return NOT_APPLICABLE;
    uint64_t counts[7] = {0};
    size_t blocks = bits.count / c->block;
    for (size_t i = 0; i < blocks; i++) {
        unsigned longest = longest_run_of(bits, i * c->block, c->block);
        unsigned class = longest <= c->first ? 0 : longest - c->first;
        counts[class < c->classes ? class : c->classes - 1]++;
    }
    double pi[7], below = 0;
    for (unsigned k = 0; k < c->classes; k++) {
        double up_to = k == c->classes - 1 ? 1 : no_longer_run(c->block, c->first + k);
        pi[k] = constants == ORR_NIST_AS_PRINTED ? c->printed[k] : up_to - below;
        below = up_to;
    }
    double chi_square = orr_chi_square(counts, pi, c->classes, (double)blocks);
    return (orr_nist_value){chi_square, orr_chi_square_p(chi_square, c->classes - 1)};
}

// 2.13.4 (4). The sums run over whole numbers cut toward zero, as in NIST's own program.
static double cusum_p(double n, double z) {
    if (z == 0) return NAN;
    double root = sqrt(n), p = 1;
    for (long k = (long)((-n / z + 1) / 4); k <= (long)((n / z - 1) / 4); k++) {
        double middle = 4 * (double)k;
        p -= orr_normal_cdf((middle + 1) * z / root) - orr_normal_cdf((middle - 1) * z / root);
    }
    for (long k = (long)((-n / z - 3) / 4); k <= (long)((n / z - 1) / 4); k++) {
        double middle = 4 * (double)k;
        p += orr_normal_cdf((middle + 3) * z / root) - orr_normal_cdf((middle + 1) * z / root);
    }
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

void orr_nist_cusums(orr_bits bits, orr_nist_value values[2]) {
    values[0] = values[1] = NOT_APPLICABLE;
    if (bits.count == 0) return;
    // Lowest, highest and last partial sum of each byte.
    int8_t low[256], high[256], all[256];
    for (int byte = 0; byte < 256; byte++) {
        int sum = 0, least = 8, most = -8;
        for (int bit = 7; bit >= 0; bit--) {
            sum += byte >> bit & 1 ? 1 : -1;
            if (sum < least) least = sum;
            if (sum > most) most = sum;
        }
        low[byte] = (int8_t)least, high[byte] = (int8_t)most, all[byte] = (int8_t)sum;
    }
    int64_t sum = 0, least = 0, most = 0; // with the empty sum
    size_t at = 0;
    for (; at + 8 <= bits.count; at += 8) {
        unsigned byte = (unsigned)(bits.words[at / 64] >> (56 - at % 64)) & 255;
        if (sum + low[byte] < least) least = sum + low[byte];
        if (sum + high[byte] > most) most = sum + high[byte];
        sum += all[byte];
    }
    for (; at < bits.count; at++) {
        sum += orr_bit(bits, at) ? 1 : -1;
        if (sum < least) least = sum;
        if (sum > most) most = sum;
    }
    double n = (double)bits.count;
    double forward = (double)(most > -least ? most : -least);
    // The sum of the last bits is that of all less that of the first ones.
    double backward = (double)(sum - least > most - sum ? sum - least : most - sum);
    values[0] = (orr_nist_value){forward, cusum_p(n, forward)};
    values[1] = (orr_nist_value){backward, cusum_p(n, backward)};
}

orr_nist_value orr_nist_cusum(orr_bits bits, int backward) {
    orr_nist_value values[2];
    orr_nist_cusums(bits, values);
    return values[backward ? 1 : 0];
}
