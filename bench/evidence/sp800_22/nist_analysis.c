// From P-values to a verdict: proportion and uniformity over many sequences (SP 800-22 section
// 4.2), the P-values themselves where there are too few of them for that.
#include <stdlib.h>

#include "bench/evidence/sp800_22/nist_internal.h"

#define UNIFORMITY_LEVEL 0.0001    // 4.2.2
#define PROPORTION_LEVEL 0.0026998 // what three sigma leave out
// A perfect source comes below it about once in a million tests: such a miss is no chance. (Classes
// of few cycles give the excursions' chi-square a heavier tail than its P-values know: tens of
// times heavier where the least of thousands of P-values comes below this. That still is chance
// enough.)
#define BEYOND_CHANCE 1e-6

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// P-value of the distance of sorted values from the uniform distribution (Stephens 1970).
static double kolmogorov_p(const double *sorted, size_t count) {
    double n = (double)count, distance = 0;
    for (size_t i = 0; i < count; i++) {
        double above = (double)(i + 1) / n - sorted[i], below = sorted[i] - (double)i / n;
        distance = fmax(distance, fmax(above, below));
    }
    double x = (sqrt(n) + 0.12 + 0.11 / sqrt(n)) * distance;
    if (x < 0.3) return 1; // the series below converges slowly there, and the result is 1 - 1e-5
    double sum = 0;
    for (int k = 1; k <= 100; k++) sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * x * x);
    return sum < 0 ? 0 : sum > 1 ? 1 : sum;
}

// Twice the smaller tail of a binomial distribution at `count`, at most 1.
static double binomial_p(uint64_t count, uint64_t trials, double chance) {
    double up_to = 0, from = 0, n = (double)trials;
    for (uint64_t k = 0; k <= trials; k++) {
        double x = (double)k;
        double term = exp(lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1) + x * log(chance) +
                          (n - x) * log1p(-chance));
        if (k <= count) up_to += term;
        if (k >= count) from += term;
    }
    double p = 2 * fmin(up_to, from);
    return p > 1 ? 1 : p;
}

// Least number of passing sequences of `count` that the exact binomial grants at three sigma.
static uint64_t least_passing(uint64_t count, double alpha) {
    uint64_t failing = 0;
    while (failing < count && binomial_p(failing + 1, count, alpha) >= PROPORTION_LEVEL) failing++;
    return count - failing;
}

// The chance behind the P-value of a sequence. Where the ones are too many or too few the runs test
// is not carried out and gives P = 0 (section 2.3.4), which is no less likely than that balance is.
static double chance_of(const orr_nist_result *result, uint64_t sequence, size_t column) {
    const double *p = result->p + sequence * ORR_NIST_COLUMNS;
    int skipped = column == orr_nist_test_first(ORR_NIST_RUNS) && p[column] == 0;
    double balance = p[orr_nist_test_first(ORR_NIST_FREQUENCY)];
    return skipped && balance > 0 ? balance : p[column];
}

static void analyse_column(const orr_nist_result *result, size_t index, double *values,
                           orr_nist_column *column) {
    *column = (orr_nist_column){.proportion = NAN,
                                .low = NAN,
                                .high = NAN,
                                .uniformity = NAN,
                                .kolmogorov = NAN,
                                .least = NAN,
                                .in_band = 1,
                                .uniform = 1};
    size_t count = 0;
    for (uint64_t s = 0; s < result->sequences; s++) {
        double p = result->p[s * ORR_NIST_COLUMNS + index];
        if (isnan(p)) continue;
        values[count++] = p;
        column->least = fmin(column->least, chance_of(result, s, index));
        column->passed += p >= result->alpha;
        int bin = (int)(p * 10);
        column->bins[bin < 0 ? 0 : bin > 9 ? 9 : bin]++;
    }
    column->sequences = count;
    if (count == 0) return;
    double n = (double)count, good = 1 - result->alpha;
    double reach = 3 * sqrt(good * result->alpha / n);
    int many = count >= ORR_NIST_MANY;
    column->proportion = (double)column->passed / n;
    // The normal approximation behind the document's band is far off for a few sequences.
    column->low = many ? fmax(good - reach, 0) : (double)least_passing(count, result->alpha) / n;
    column->high = many ? fmin(good + reach, 1) : 1;
    column->in_band = column->proportion >= column->low && column->proportion <= column->high;
    qsort(values, count, sizeof *values, by_size);
    column->kolmogorov = kolmogorov_p(values, count);
    if (!many) return;
    static const double tenth[10] = {.1, .1, .1, .1, .1, .1, .1, .1, .1, .1};
    column->uniformity = orr_chi_square_p(orr_chi_square(column->bins, tenth, 10, n), 9);
    column->uniform = column->uniformity >= UNIFORMITY_LEVEL;
}

// Probability that the least of `count` independent P-values is as low as this.
static double sidak(double least, size_t count) {
    return least >= 1 ? 1 : -expm1((double)count * log1p(-least));
}

// Sets the joint figures of a test and its verdict (sp800_22.h says by which rule).
static void summarise(orr_nist_result *result, orr_nist_test test) {
    orr_nist_summary *summary = &result->tests[test];
    const orr_nist_column *column = result->columns + orr_nist_test_first(test);
    *summary = (orr_nist_summary){.columns = orr_nist_test_columns(test), .least = NAN};
    double proportion = 1, uniformity = 1;
    uint64_t values = 0;
    for (size_t i = 0; i < summary->columns; i++, column++) {
        if (column->sequences == 0) continue;
        summary->applicable++;
        summary->outside_band += !column->in_band;
        summary->not_uniform += !column->uniform;
        summary->least = fmin(summary->least, column->least);
        values += column->sequences;
        if (summary->sequences < column->sequences) summary->sequences = column->sequences;
        uint64_t failed = column->sequences - column->passed;
        proportion = fmin(proportion, binomial_p(failed, column->sequences, result->alpha));
        if (column->sequences > 1)
            uniformity = fmin(uniformity,
                              isnan(column->uniformity) ? column->kolmogorov : column->uniformity);
    }
    summary->joint_least = summary->applicable ? sidak(summary->least, values) : 1;
    summary->joint_proportion = sidak(proportion, summary->applicable);
    summary->joint_uniformity = sidak(uniformity, summary->applicable);
    summary->beyond_chance =
        fmin(summary->joint_least, fmin(summary->joint_proportion, summary->joint_uniformity)) <
        BEYOND_CHANCE;
    summary->passed = summary->applicable > 0 && !summary->beyond_chance;
    if (summary->sequences == 1 && summary->joint_least < result->alpha) summary->passed = 0;
    if (summary->joint_proportion < PROPORTION_LEVEL) summary->passed = 0;
    if (summary->joint_uniformity < UNIFORMITY_LEVEL) summary->passed = 0;
}

orr_status orr_nist_analyse(orr_nist_result *result, orr_error *error) {
    double *values = calloc(result->sequences ? result->sequences : 1, sizeof *values);
    if (!values) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t i = 0; i < ORR_NIST_COLUMNS; i++) {
        analyse_column(result, i, values, &result->columns[i]);
    }
    free(values);
    int beyond_chance = 0;
    result->passed = result->applicable = 0;
    for (int test = 0; test < ORR_NIST_TESTS; test++) {
        summarise(result, (orr_nist_test)test);
        result->passed += result->tests[test].passed;
        result->applicable += result->tests[test].applicable > 0;
        beyond_chance |= result->tests[test].beyond_chance;
    }
    // With one test or none, nothing may be missed.
    int forgiven = !beyond_chance && result->applicable > 1;
    result->needed = result->applicable ? result->applicable - forgiven : 1;
    result->sound = result->passed >= result->needed;
    return ORR_OK;
}
