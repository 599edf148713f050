// Template matching: SP 800-22 sections 2.7 and 2.8.
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/sp800_22/nist_internal.h"

// Does no proper end of the template equal a beginning? Then two matches never overlap, and
// counting without overlap is counting all matches.
static int is_aperiodic(uint32_t template, unsigned length) {
    for (unsigned shift = 1; shift < length; shift++) {
        uint32_t end = template & ((1u << (length - shift)) - 1);
        if (end == template >> shift) return 0;
    }
    return 1;
}

uint32_t orr_nist_template(unsigned length, size_t index) {
    if (length < 2 || length > 16) return UINT32_MAX;
    for (uint32_t template = 0; template <1u << length; template ++) {
        if (is_aperiodic(template, length) && index-- == 0) return template;
    }
    return UINT32_MAX;
}

size_t orr_nist_templates(orr_bits bits, unsigned length, size_t blocks, orr_nist_value *values) {
    if (length < 2 || length > 16 || blocks == 0) return 0;
    size_t templates = 0;
    for (uint32_t t = 0; t < 1u << length; t++) {
        if (!is_aperiodic(t, length)) continue;
        if (values) values[templates] = NOT_APPLICABLE;
        templates++;
    }
    size_t block = bits.count / blocks;
    double m = (double)block, chance = ldexp(1, -(int)length);
    double mean = (m - length + 1) * chance;
    double variance = m * (chance - (2.0 * length - 1) * chance * chance);
    uint32_t *counts = malloc(sizeof *counts << length);
    double *sums = calloc(templates, sizeof *sums);
    if (!values || !counts || !sums || block < length || !(mean > 0) || !(variance > 0)) goto end;
    for (size_t b = 0; b < blocks; b++) {
        orr_bits_histogram(bits, length, b * block, block - length + 1, 0, counts);
        size_t i = 0;
        for (uint32_t t = 0; t < 1u << length; t++) {
            if (!is_aperiodic(t, length)) continue;
            double off = counts[t] - mean;
            sums[i++] += off * off / variance;
        }
    }
    for (size_t i = 0; i < templates; i++) {
        values[i] = (orr_nist_value){sums[i], orr_chi_square_p(sums[i], (double)blocks)};
    }
end:
    free(counts);
    free(sums);
    return templates;
}

#define CLASSES 6

// Exact chances of 0, 1 .. 4, 5 and more matches of `length` ones in `block` fair bits: a walk over
// (ones at the end, matches so far).
static void overlapping_exact(unsigned length, size_t block, double *pi) {
    double state[32][CLASSES] = {{0}}; // length <= 31
    state[0][0] = 1;
    for (size_t i = 0; i < block; i++) {
        double next[32][CLASSES] = {{0}};
        for (unsigned run = 0; run < length; run++) { // length - 1 stands for that and more
            for (unsigned seen = 0; seen < CLASSES; seen++) {
                double half = state[run][seen] / 2;
                next[0][seen] += half;
                unsigned match = run == length - 1;
                unsigned up = seen + match < CLASSES ? seen + match : CLASSES - 1;
                next[match ? run : run + 1][up] += half;
            }
        }
        memcpy(state, next, sizeof state);
    }
    for (unsigned seen = 0; seen < CLASSES; seen++) {
        pi[seen] = 0;
        for (unsigned run = 0; run < length; run++) pi[seen] += state[run][seen];
    }
}

// The limit for long blocks (section 3.8), from which the document's P-values come although its
// section 2.8 prints the exact chances.
static void overlapping_printed(unsigned length, size_t block, double *pi) {
    double eta = ((double)block - length + 1) * ldexp(1, -(int)length) / 2;
    pi[0] = exp(-eta);
    pi[CLASSES - 1] = 1 - pi[0];
    for (int u = 1; u < CLASSES - 1; u++) {
        double sum = 0;
        for (int l = 1; l <= u; l++) {
            sum += exp(-eta - u * M_LN2 + l * log(eta) - lgamma(l + 1) + lgamma(u) - lgamma(l) -
                       lgamma(u - l + 1));
        }
        pi[u] = sum;
        pi[CLASSES - 1] -= sum;
    }
}

// Places of one word where a run of `length` ones begins (length <= 31 reaches into the next word).
static uint64_t run_starts(orr_bits bits, size_t word, unsigned length) {
    size_t words = (bits.count + 63) / 64;
    uint64_t here = bits.words[word], next = word + 1 < words ? bits.words[word + 1] : 0;
    unsigned have = 1;
    while (have < length) { // runs of `have` ones become runs of have + step
        unsigned step = have < length - have ? have : length - have;
        here &= here << step | next >> (64 - step);
        next &= next << step; // what comes behind `next` is never needed: length <= 31
        have += step;
    }
    return here;
}

orr_nist_value orr_nist_overlapping(orr_bits bits, unsigned length, size_t block,
                                    orr_nist_constants constants) {
    size_t blocks = block ? bits.count / block : 0;
    if (length < 2 || length > 31 || block < length || blocks == 0) return NOT_APPLICABLE;
    size_t words = (bits.count + 63) / 64;
    uint64_t *starts = malloc((words + 1) * sizeof *starts);
    if (!starts) return NOT_APPLICABLE;
    for (size_t i = 0; i < words; i++) starts[i] = run_starts(bits, i, length);
    starts[words] = 0;
    orr_bits marks = {starts, bits.count};
    uint64_t counts[CLASSES] = {0};
    for (size_t b = 0; b < blocks; b++) {
        size_t matches = orr_bits_ones(marks, b * block, block - length + 1);
        counts[matches < CLASSES ? matches : CLASSES - 1]++;
    }
    free(starts);
    double pi[CLASSES];
    if (constants == ORR_NIST_AS_PRINTED)
        overlapping_printed(length, block, pi);
    else
        overlapping_exact(length, block, pi);
    double chi_square = orr_chi_square(counts, pi, CLASSES, (double)blocks);
    return (orr_nist_value){chi_square, orr_chi_square_p(chi_square, CLASSES - 1)};
}
