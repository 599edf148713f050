// A result of the battery as JSON and as a plain table.
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "bench/evidence/sp800_22/nist_internal.h"

static void add_probability(cJSON *object, const char *key, double value) {
    if (isnan(value))
        cJSON_AddNullToObject(object, key);
    else
        cJSON_AddNumberToObject(object, key, value);
}

// Six significant digits are what anyone reads; 17 would make the file three times as long.
static cJSON *p_values(const orr_nist_result *result, size_t column) {
    cJSON *array = cJSON_CreateArray();
    for (uint64_t s = 0; s < result->sequences; s++) {
        double p = result->p[s * ORR_NIST_COLUMNS + column];
        char text[32];
        snprintf(text, sizeof text, "%.6g", p);
        cJSON_AddItemToArray(array, isnan(p) ? cJSON_CreateNull() : cJSON_CreateRaw(text));
    }
    return array;
}

static cJSON *part_json(const orr_nist_result *result, size_t index, int with_p_values) {
    const orr_nist_column *column = &result->columns[index];
    char label[16];
    orr_nist_column_label(index, label);
    cJSON *part = cJSON_CreateObject();
    cJSON_AddStringToObject(part, "label", label);
    cJSON_AddNumberToObject(part, "sequences", (double)column->sequences);
    cJSON_AddNumberToObject(part, "passed", (double)column->passed);
    add_probability(part, "proportion", column->proportion);
    add_probability(part, "low", column->low);
    add_probability(part, "high", column->high);
    add_probability(part, "least", column->least);
    add_probability(part, "uniformity", column->uniformity);
    add_probability(part, "kolmogorov", column->kolmogorov);
    cJSON_AddBoolToObject(part, "in_band", column->in_band);
    cJSON_AddBoolToObject(part, "uniform", column->uniform);
    cJSON *bins = cJSON_AddArrayToObject(part, "bins");
    for (int i = 0; i < 10; i++) {
        cJSON_AddItemToArray(bins, cJSON_CreateNumber((double)column->bins[i]));
    }
    if (with_p_values) cJSON_AddItemToObject(part, "p_values", p_values(result, index));
    return part;
}

static cJSON *test_json(const orr_nist_result *result, orr_nist_test t, int with_p_values) {
    const orr_nist_summary *summary = &result->tests[t];
    cJSON *test = cJSON_CreateObject();
    cJSON_AddStringToObject(test, "test", orr_nist_test_key(t));
    cJSON_AddStringToObject(test, "name", orr_nist_test_name(t));
    cJSON_AddBoolToObject(test, "passed", summary->passed);
    cJSON_AddNumberToObject(test, "columns", (double)summary->columns);
    cJSON_AddNumberToObject(test, "applicable", (double)summary->applicable);
    cJSON_AddNumberToObject(test, "sequences", (double)summary->sequences);
    cJSON_AddNumberToObject(test, "outside_band", (double)summary->outside_band);
    cJSON_AddNumberToObject(test, "not_uniform", (double)summary->not_uniform);
    add_probability(test, "least", summary->least);
    cJSON_AddNumberToObject(test, "joint_proportion", summary->joint_proportion);
    cJSON_AddNumberToObject(test, "joint_uniformity", summary->joint_uniformity);
    cJSON_AddNumberToObject(test, "joint_least", summary->joint_least);
    cJSON_AddBoolToObject(test, "beyond_chance", summary->beyond_chance);
    cJSON *parts = cJSON_AddArrayToObject(test, "parts");
    size_t first = orr_nist_test_first(t);
    for (size_t i = 0; i < summary->columns; i++) {
        cJSON_AddItemToArray(parts, part_json(result, first + i, with_p_values));
    }
    return test;
}

cJSON *orr_nist_json(const orr_nist_result *result, int with_p_values) {
    static const char *const formats[] = {"bytes", "digits", "text"};
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "bits", (double)result->bits);
    cJSON_AddNumberToObject(json, "sequences", (double)result->sequences);
    cJSON_AddNumberToObject(json, "unused_bits", (double)result->unused_bits);
    cJSON_AddStringToObject(json, "format", formats[result->format]);
    cJSON_AddNumberToObject(json, "alpha", result->alpha);
    cJSON_AddStringToObject(json, "constants",
                            result->constants == ORR_NIST_AS_PRINTED ? "as-printed" : "corrected");
    cJSON_AddNumberToObject(json, "seconds", result->seconds);
    cJSON_AddNumberToObject(json, "processor_seconds", result->processor_seconds);
    cJSON_AddNumberToObject(json, "threads", result->threads);
    cJSON_AddStringToObject(json, "verdict", result->sound ? "pass" : "fail");
    cJSON_AddNumberToObject(json, "passed", result->passed);
    cJSON_AddNumberToObject(json, "applicable", result->applicable);
    cJSON_AddNumberToObject(json, "needed", result->needed);
    cJSON *tests = cJSON_AddArrayToObject(json, "tests");
    for (int t = 0; t < ORR_NIST_TESTS; t++) {
        cJSON_AddItemToArray(tests, test_json(result, (orr_nist_test)t, with_p_values));
    }
    return json;
}

static void print_columns(FILE *out, const orr_nist_result *result, orr_nist_test test) {
    size_t first = orr_nist_test_first(test);
    for (size_t i = 0; i < orr_nist_test_columns(test); i++) {
        const orr_nist_column *column = &result->columns[first + i];
        char label[16];
        orr_nist_column_label(first + i, label);
        for (int bin = 0; bin < 10; bin++) {
            fprintf(out, "%4llu ", (unsigned long long)column->bins[bin]);
        }
        if (isnan(column->uniformity))
            fprintf(out, "     ----  ");
        else
            fprintf(out, " %8.6f%c ", column->uniformity, column->uniform ? ' ' : '*');
        fprintf(out, "%5llu/%-5llu%c  %s%s%s\n", (unsigned long long)column->passed,
                (unsigned long long)column->sequences, column->in_band ? ' ' : '*',
                orr_nist_test_name(test), *label ? ", " : "", label);
    }
}

char *orr_nist_text(const orr_nist_result *result) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "NIST SP 800-22 rev. 1a, %llu sequences of %zu bits, level %g, constants %s\n\n",
            (unsigned long long)result->sequences, result->bits, result->alpha,
            result->constants == ORR_NIST_AS_PRINTED ? "as printed" : "corrected");
    fprintf(out, "%-36s %8s %8s %8s %10s %10s %10s\n", "test", "columns", "out of", "not", "joint",
            "joint", "joint");
    fprintf(out, "%-36s %8s %8s %8s %10s %10s %10s\n", "", "", "band", "uniform", "proportion",
            "uniformity", "least P");
    for (int t = 0; t < ORR_NIST_TESTS; t++) {
        const orr_nist_summary *s = &result->tests[t];
        fprintf(out, "%-36s %8zu %8zu %8zu %10.6f %10.6f %10.6f  %s\n",
                orr_nist_test_name((orr_nist_test)t), s->columns, s->outside_band, s->not_uniform,
                s->joint_proportion, s->joint_uniformity, s->joint_least,
                !s->applicable     ? "does not apply"
                : s->passed        ? "pass"
                : s->beyond_chance ? "FAIL, beyond chance"
                                   : "FAIL");
    }
    fprintf(out,
            "\npassed: %d of %d that apply, %d needed: %s; took %.1f s on %u thread%s, %.1f s of "
            "processor time: %.1f Mbit/s a core\n\n",
            result->passed, result->applicable, result->needed, result->sound ? "pass" : "FAIL",
            result->seconds, result->threads, result->threads == 1 ? "" : "s",
            result->processor_seconds,
            1e-6 * (double)result->bits * (double)result->sequences / result->processor_seconds);
    fprintf(out, "  C1   C2   C3   C4   C5   C6   C7   C8   C9  C10   uniformity   passed\n");
    for (int t = 0; t < ORR_NIST_TESTS; t++) print_columns(out, result, (orr_nist_test)t);
    fprintf(out,
            "\n* outside the band of three sigma, or not uniform at 0.0001. A perfect source "
            "has some such\ncolumns among %d; the joint figures allow for that.\n",
            ORR_NIST_COLUMNS);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
