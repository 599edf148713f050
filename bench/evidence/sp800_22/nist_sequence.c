// The fifteen tests on one sequence, with the parameters of NIST's own program where the sequence
// is long enough for them; names and order of the P-values.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/sp800_22/nist_internal.h"

#define BLOCK_FREQUENCY_BITS 128
#define TEMPLATE_BITS 9
#define TEMPLATE_BLOCKS 8
#define OVERLAPPING_BLOCK 1032
#define COMPLEXITY_BLOCK 500
#define SERIAL_BITS 16
#define ENTROPY_BITS 10

typedef struct test_info {
    const char *key, *name;
    size_t columns;
    size_t least_bits; // below it the test does not apply
} test_info;

// Least lengths are the document's (x.7 of each section); for templates, five matches expected in a
// block; serial and entropy adapt their patterns instead.
static const test_info infos[ORR_NIST_TESTS] = {
    [ORR_NIST_FREQUENCY] = {"frequency", "Frequency", 1, 100},
    [ORR_NIST_BLOCK_FREQUENCY] = {"block-frequency", "Frequency within a block", 1, 100},
    [ORR_NIST_RUNS] = {"runs", "Runs", 1, 100},
    [ORR_NIST_LONGEST_RUN] = {"longest-run", "Longest run of ones in a block", 1, 128},
    [ORR_NIST_RANK] = {"rank", "Binary matrix rank", 1, 38912},
    [ORR_NIST_SPECTRAL] = {"spectral", "Discrete Fourier transform", 1, 1000},
    [ORR_NIST_NON_OVERLAPPING] = {"non-overlapping-template", "Non-overlapping template matching",
                                  ORR_NIST_TEMPLATES, 20480},
    [ORR_NIST_OVERLAPPING] = {"overlapping-template", "Overlapping template matching", 1, 1000000},
    [ORR_NIST_UNIVERSAL] = {"universal", "Maurer's universal statistical test", 1, 387840},
    [ORR_NIST_COMPLEXITY] = {"linear-complexity", "Linear complexity", 1, 1000000},
    [ORR_NIST_SERIAL] = {"serial", "Serial", 2, 100},
    [ORR_NIST_ENTROPY] = {"approximate-entropy", "Approximate entropy", 1, 100},
    [ORR_NIST_CUSUM] = {"cumulative-sums", "Cumulative sums", 2, 100},
    [ORR_NIST_RANDOM_EXCURSIONS] = {"random-excursions", "Random excursions", ORR_NIST_EXCURSIONS,
                                    1000000},
    [ORR_NIST_RANDOM_EXCURSIONS_VARIANT] = {"random-excursions-variant",
                                            "Random excursions variant",
                                            ORR_NIST_EXCURSIONS_VARIANT, 1000000},
};

const char *orr_nist_test_name(orr_nist_test test) {
    return infos[test].name;
}
const char *orr_nist_test_key(orr_nist_test test) {
    return infos[test].key;
}
size_t orr_nist_test_columns(orr_nist_test test) {
    return infos[test].columns;
}

size_t orr_nist_test_first(orr_nist_test test) {
    size_t first = 0;
    for (int t = 0; t < (int)test; t++) first += infos[t].columns;
    return first;
}

static void binary_label(uint32_t value, unsigned length, char *label) {
    for (unsigned i = 0; i < length; i++) label[i] = value >> (length - 1 - i) & 1 ? '1' : '0';
    label[length] = 0;
}

void orr_nist_column_label(size_t column, char label[16]) {
    int test = 0;
    while (test < ORR_NIST_TESTS - 1 && column >= infos[test].columns) {
        column -= infos[test++].columns;
    }
    static const char *const two[2][2] = {{"first", "second"}, {"forward", "backward"}};
    int reach = (int)infos[test].columns / 2; // of the excursion tests: -reach .. reach less 0
    label[0] = 0;
    switch (test) {
    case ORR_NIST_NON_OVERLAPPING:
        binary_label(orr_nist_template(TEMPLATE_BITS, column), TEMPLATE_BITS, label);
        break;
    case ORR_NIST_SERIAL:
    case ORR_NIST_CUSUM:
        snprintf(label, 16, "%s", two[test == ORR_NIST_CUSUM][column % 2]);
        break;
    case ORR_NIST_RANDOM_EXCURSIONS:
    case ORR_NIST_RANDOM_EXCURSIONS_VARIANT: {
        int x = (int)column - reach;
        snprintf(label, 16, "x = %+d", x < 0 ? x : x + 1);
        break;
    }
    default:
        break;
    }
}

static unsigned at_most(unsigned wanted, unsigned limit) {
    return wanted < limit ? wanted : limit;
}

static void put(double *p, orr_nist_test test, const orr_nist_value *values) {
    double *to = p + orr_nist_test_first(test);
    for (size_t i = 0; i < infos[test].columns; i++) to[i] = values[i].p;
}

static void put_one(double *p, orr_nist_test test, orr_nist_value value) {
    p[orr_nist_test_first(test)] = value.p;
}

void orr_nist_sequence(orr_bits bits, orr_nist_constants constants, orr_fft *plan, double *z,
                       double *p) {
    size_t n = bits.count;
    for (size_t i = 0; i < ORR_NIST_COLUMNS; i++) p[i] = NAN;
    orr_nist_value parts[ORR_NIST_TEMPLATES]; // the most that any test has
#define IF_APPLIES(test) if (n >= infos[test].least_bits)
    IF_APPLIES(ORR_NIST_FREQUENCY) put_one(p, ORR_NIST_FREQUENCY, orr_nist_frequency(bits));
    IF_APPLIES(ORR_NIST_BLOCK_FREQUENCY)
    put_one(p, ORR_NIST_BLOCK_FREQUENCY, orr_nist_block_frequency(bits, BLOCK_FREQUENCY_BITS));
    IF_APPLIES(ORR_NIST_RUNS) put_one(p, ORR_NIST_RUNS, orr_nist_runs(bits));
    IF_APPLIES(ORR_NIST_LONGEST_RUN)
    put_one(p, ORR_NIST_LONGEST_RUN, orr_nist_longest_run(bits, constants));
    IF_APPLIES(ORR_NIST_RANK) put_one(p, ORR_NIST_RANK, orr_nist_rank(bits, 32, constants));
    IF_APPLIES(ORR_NIST_SPECTRAL)
    put_one(p, ORR_NIST_SPECTRAL,
            plan && z ? orr_nist_spectral_with(bits, constants, plan, z)
                      : orr_nist_spectral(bits, constants));
    IF_APPLIES(ORR_NIST_NON_OVERLAPPING) {
        orr_nist_templates(bits, TEMPLATE_BITS, TEMPLATE_BLOCKS, parts);
        put(p, ORR_NIST_NON_OVERLAPPING, parts);
    }
    IF_APPLIES(ORR_NIST_OVERLAPPING)
    put_one(p, ORR_NIST_OVERLAPPING,
            orr_nist_overlapping(bits, TEMPLATE_BITS, OVERLAPPING_BLOCK, constants));
    IF_APPLIES(ORR_NIST_UNIVERSAL) {
        unsigned length, warm_up;
        orr_nist_universal_parameters(n, &length, &warm_up);
        put_one(p, ORR_NIST_UNIVERSAL, orr_nist_universal(bits, length, warm_up));
    }
    IF_APPLIES(ORR_NIST_COMPLEXITY)
    put_one(p, ORR_NIST_COMPLEXITY, orr_nist_complexity(bits, COMPLEXITY_BLOCK, constants));
    // Sections 2.11.7 and 2.12.7: patterns shorter than log2 n less 2, or less 5.
    unsigned log2n = 0;
    while (n >> (log2n + 1)) log2n++;
    IF_APPLIES(ORR_NIST_SERIAL) {
        orr_nist_serial(bits, at_most(SERIAL_BITS, log2n - 3), parts);
        put(p, ORR_NIST_SERIAL, parts);
    }
    IF_APPLIES(ORR_NIST_ENTROPY)
    put_one(p, ORR_NIST_ENTROPY,
            orr_nist_entropy(bits, log2n > 6 ? at_most(ENTROPY_BITS, log2n - 6) : 0));
    IF_APPLIES(ORR_NIST_CUSUM) {
        orr_nist_cusums(bits, parts);
        put(p, ORR_NIST_CUSUM, parts);
    }
    IF_APPLIES(ORR_NIST_RANDOM_EXCURSIONS) {
        orr_nist_value variant[ORR_NIST_EXCURSIONS_VARIANT];
        orr_nist_walk(bits, orr_nist_least_cycles(n), parts, variant);
        put(p, ORR_NIST_RANDOM_EXCURSIONS, parts);
        put(p, ORR_NIST_RANDOM_EXCURSIONS_VARIANT, variant);
    }
#undef IF_APPLIES
}

int orr_nist_lost(size_t count, const double *p) {
    for (int test = 0; test < ORR_NIST_RANDOM_EXCURSIONS; test++) {
        if (count < infos[test].least_bits) continue;
        size_t first = orr_nist_test_first((orr_nist_test)test);
        for (size_t i = 0; i < infos[test].columns; i++) {
            if (isnan(p[first + i])) return 1;
        }
    }
    return 0;
}
