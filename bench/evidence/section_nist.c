// NIST SP 800-22 over many sequences: of ciphertexts and controls, or of one given file.
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/evidence/nist_source.h"
#include "bench/evidence/report.h"

#define SUBJECTS_MOST 7
#define QUICK_SEQUENCES 55 // the least for which the document judges uniformity
#define FULL_SEQUENCES 1000
#define FULL_CONTROL_SEQUENCES 200

typedef struct tested {
    const char *key, *name;
    orr_nist_result result;
} tested;

typedef struct watch {
    orr_evidence *e;
    pthread_t caller;
    const char *what;
} watch;

// Called by any worker, but people are told on the caller's thread only.
static int watch_progress(void *context, uint64_t done, uint64_t total) {
    watch *w = context;
    const orr_evidence_options *o = w->e->options;
    if (o->stop && *o->stop) return 1;
    if (!pthread_equal(pthread_self(), w->caller)) return 0;
    orr_error ignored;
    if (total == 0) {
        return orr_evidence_step(w->e, &ignored, "SP 800-22, %s: %llu sequences", w->what,
                                 (unsigned long long)done) != ORR_OK;
    }
    return orr_evidence_step(w->e, &ignored, "SP 800-22, %s: %llu of %llu sequences", w->what,
                             (unsigned long long)done, (unsigned long long)total) != ORR_OK;
}

static orr_status run_one(orr_evidence *e, tested *t, orr_nist_subject *made, uint64_t sequences,
                          orr_error *error) {
    if (!made) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    watch w = {e, pthread_self(), t->name};
    orr_nist_options options = {.sequences = sequences,
                                .threads = orr_evidence_threads(e),
                                .progress = watch_progress,
                                .progress_context = &w};
    orr_nist_source source = orr_nist_subject_source(made);
    source.bytes = sequences * 1000000 / 8;
    orr_status status = orr_evidence_step(e, error, "SP 800-22, %s", t->name);
    if (status == ORR_OK) status = orr_nist_run(&source, &options, &t->result, error);
    orr_nist_subject_free(made);
    return status;
}

// ---- what is written

static void worst_of(const orr_nist_result *result, orr_nist_test test, double *proportion,
                     double *uniformity) {
    *proportion = *uniformity = NAN;
    size_t first = orr_nist_test_first(test);
    for (size_t i = 0; i < orr_nist_test_columns(test); i++) {
        const orr_nist_column *c = &result->columns[first + i];
        if (c->sequences == 0) continue;
        *proportion = fmin(*proportion, c->proportion);
        *uniformity = fmin(*uniformity, c->uniformity);
    }
}

static void put_cell(orr_table *table, const orr_nist_result *result, orr_nist_test test) {
    const orr_nist_summary *s = &result->tests[test];
    double proportion, uniformity;
    worst_of(result, test, &proportion, &uniformity);
    orr_mark mark = !s->applicable ? ORR_MARK_NOTE : s->passed ? ORR_MARK_PASS : ORR_MARK_FAIL;
    if (!s->applicable)
        orr_table_cell(table, mark, "does not apply");
    else if (isnan(uniformity))
        orr_table_cell(table, mark, "%.4f", proportion);
    else
        orr_table_cell(table, mark, "%.4f; %.4f", proportion, uniformity);
}

static orr_status put_table(orr_evidence *e, const tested *list, size_t count, orr_error *error) {
    orr_page_column columns[2 + SUBJECTS_MOST] = {{"test", ORR_ALIGN_LEFT},
                                                  {"P-values a sequence", ORR_ALIGN_RIGHT}};
    for (size_t n = 0; n < count; n++) {
        columns[2 + n] = (orr_page_column){list[n].name, ORR_ALIGN_RIGHT};
    }
    orr_table table = {.columns = columns, .column_count = 2 + count};
    for (int test = 0; test < ORR_NIST_TESTS; test++) {
        orr_table_cell(&table, ORR_MARK_NONE, "%s", orr_nist_test_name((orr_nist_test)test));
        orr_table_cell(&table, ORR_MARK_NONE, "%zu", orr_nist_test_columns((orr_nist_test)test));
        for (size_t n = 0; n < count; n++) put_cell(&table, &list[n].result, (orr_nist_test)test);
    }
    orr_table_cell(&table, ORR_MARK_NONE, "passed");
    orr_table_cell(&table, ORR_MARK_NONE, "%s", "");
    for (size_t n = 0; n < count; n++) {
        orr_table_cell(&table, ORR_MARK_NONE, "%d of %d", list[n].result.passed, ORR_NIST_TESTS);
    }
    orr_table_cell(&table, ORR_MARK_NONE, "sequences");
    orr_table_cell(&table, ORR_MARK_NONE, "%s", "");
    for (size_t n = 0; n < count; n++) {
        orr_table_cell(&table, ORR_MARK_NONE, "%llu of %zu bits",
                       (unsigned long long)list[n].result.sequences, list[n].result.bits);
    }
    return orr_table_put(&e->body, &table,
                         "Least proportion of sequences that pass; least P-value of uniformity",
                         error);
}

static orr_status plot_proportions(orr_evidence *e, const tested *t, orr_error *error) {
    double y[ORR_NIST_COLUMNS], low = 1;
    for (size_t i = 0; i < ORR_NIST_COLUMNS; i++) {
        y[i] = t->result.columns[i].proportion;
        if (!isnan(y[i])) low = fmin(low, y[i]);
    }
    const orr_nist_column *whole = &t->result.columns[0]; // applies to every sequence
    orr_plot_mark marks[3] = {{whole->low, "three sigma below", 0},
                              {1 - t->result.alpha, "ideal", 0},
                              {whole->high, "three sigma above", 0}};
    orr_plot_series series = {.kind = ORR_PLOT_POINTS, .y = y, .count = ORR_NIST_COLUMNS};
    orr_plot plot = {
        .title = "Proportion of passing sequences",
        .width = 520,
        .height = 300,
        .x = {.label = "number of the P-value, in the order of the table"},
        .y = {.label = "proportion", .low = fmin(low, whole->low) - 0.005, .high = 1.001},
        .series = &series,
        .count = 1,
        .marks = marks,
        .mark_count = 3};
    char caption[300];
    snprintf(
        caption, sizeof caption,
        "%s: one of the 188 of a perfect source lies outside the band every other run, more with "
        "few sequences. Excursions apply to fewer sequences: their band is wider than this one.",
        t->name);
    return orr_page_plot(&e->body, &plot, caption, error);
}

static orr_status plot_p_values(orr_evidence *e, const tested *t, orr_error *error) {
    double y[10], x[10], total = 0;
    for (int bin = 0; bin < 10; bin++) {
        x[bin] = 0.05 + 0.1 * bin;
        y[bin] = 0;
        for (size_t i = 0; i < ORR_NIST_COLUMNS; i++) {
            y[bin] += (double)t->result.columns[i].bins[bin];
        }
        total += y[bin];
    }
    for (int bin = 0; bin < 10; bin++) y[bin] *= 100 / total;
    orr_plot_mark ideal = {10, "uniform", 0};
    orr_plot_series series = {.kind = ORR_PLOT_BARS, .x = x, .y = y, .count = 10};
    orr_plot plot = {.title = "All P-values",
                     .width = 520,
                     .height = 300,
                     .x = {.label = "P-value", .low = 0, .high = 1},
                     .y = {.label = "share", .unit = "%", .low = 0, .high = fmax(14, 0)},
                     .series = &series,
                     .count = 1,
                     .marks = &ideal,
                     .mark_count = 1};
    for (int bin = 0; bin < 10; bin++) plot.y.high = fmax(plot.y.high, 1.1 * y[bin]);
    char caption[300];
    snprintf(caption, sizeof caption,
             "%s: P-values of a perfect source fall evenly between 0 and 1, a tenth into each "
             "tenth.",
             t->name);
    return orr_page_plot(&e->body, &plot, caption, error);
}

static orr_status write_up(orr_evidence *e, cJSON *json, const tested *list, size_t count,
                           int with_p_values, orr_error *error) {
    cJSON *runs = cJSON_AddArrayToObject(json, "runs");
    for (size_t n = 0; n < count; n++) {
        cJSON *run = orr_nist_json(&list[n].result, with_p_values);
        cJSON_DeleteItemFromObject(run, "seconds"); // the same seed gives the same report
        cJSON_DeleteItemFromObject(run, "processor_seconds");
        cJSON_DeleteItemFromObject(run, "threads");
        cJSON_AddStringToObject(run, "subject", list[n].key);
        cJSON_AddItemToArray(runs, run);
        int cipher = n < 3;
        orr_finding finding = {.measure = "SP 800-22 tests passed",
                               .subject = list[n].key,
                               .unit = "of 15",
                               .value = list[n].result.passed,
                               .published = "15",
                               .ideal = 15,
                               // A perfect source misses one test in 24 runs, two in 1,200.
                               .low = ORR_NIST_TESTS - 1,
                               .high = ORR_NIST_TESTS,
                               .headline = cipher};
        if (list[n].result.applicable < ORR_NIST_TESTS) finding.low = finding.high = NAN;
        orr_evidence_finding(e, &finding);
    }
    orr_status status = put_table(e, list, count, error);
    if (status != ORR_OK) return status;
    orr_page_row_begin(&e->body);
    status = plot_proportions(e, &list[0], error);
    if (status == ORR_OK) status = plot_p_values(e, &list[0], error);
    orr_page_row_end(&e->body);
    orr_page_note(&e->body,
                  "What this shows: the bits have none of fifteen kinds of flaw. What it cannot "
                  "show: that nobody can predict them. The control whose key stands beside its "
                  "ciphertext passes like the ciphers do.");
    return status;
}

static const char text_subjects[] =
    "The fifteen tests of NIST SP 800-22 rev. 1a on ciphertexts of zeros, in pieces of 768 KiB "
    "with a key each; the full run takes the raw key bytes too. Every sequence of a million bits "
    "gives 188 P-values. By "
    "section 4.2 of the document the proportion of sequences with P >= 0.01 must lie within three "
    "sigma of 0.99, and the P-values must be uniform at 0.0001; a test of many P-values is judged "
    "as a whole at the same levels (Sidak), because of 188 proportions of a perfect source one "
    "lies "
    "outside every other run. Published: 15 of 15 on ten batches of 1.8 million bits, one P-value "
    "each, which has almost no power.";
static const char text_file[] =
    "The fifteen tests of NIST SP 800-22 rev. 1a on the bits of a file, most significant bit of "
    "each "
    "byte first, cut into sequences of a million. By section 4.2 of the document the proportion of "
    "sequences with P >= 0.01 must lie within three sigma of 0.99, and the P-values must be "
    "uniform "
    "at 0.0001 (judged from 55 sequences on); a test of many P-values is judged as a whole at the "
    "same levels (Sidak). report.json has every P-value.";

static orr_status run_file(orr_evidence *e, orr_error *error) {
    cJSON *json = orr_evidence_section(e, "nist", "NIST SP 800-22", text_file);
    tested file = {.key = "file", .name = e->options->bits};
    watch w = {e, pthread_self(), file.name};
    orr_nist_options options = {
        .threads = orr_evidence_threads(e), .progress = watch_progress, .progress_context = &w};
    orr_status status = orr_nist_file(file.name, &options, &file.result, error);
    if (status == ORR_OK) status = write_up(e, json, &file, 1, 1, error);
    orr_nist_result_free(&file.result);
    return status;
}

orr_status orr_section_nist(orr_evidence *e, orr_error *error) {
    if (e->options->bits) return run_file(e, error);
    static const orr_subject order[] = {
        ORR_SUBJECT_ARCHIVE, ORR_SUBJECT_PAPER,    ORR_SUBJECT_PLANET,
        ORR_CONTROL_HASH,    ORR_CONTROL_LOGISTIC, ORR_CONTROL_FIXED}; // quick: the first four
    cJSON *json = orr_evidence_section(e, "nist", "NIST SP 800-22", text_subjects);
    tested *list = calloc(SUBJECTS_MOST, sizeof *list); // too much for a stack
    if (!list) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    size_t subjects = e->options->quick ? 4 : 6, count = 0;
    orr_status status = ORR_OK;
    for (size_t n = 0; n < subjects && status == ORR_OK; n++) {
        tested *t = &list[count++];
        *t = (tested){.key = orr_subject_key(order[n]), .name = orr_subject_name(order[n])};
        uint64_t sequences = e->options->quick ? QUICK_SEQUENCES
                             : n < 3           ? FULL_SEQUENCES
                                               : FULL_CONTROL_SEQUENCES;
        status = run_one(e, t, orr_nist_subject_new(order[n], e->options->seed), sequences, error);
    }
    if (status == ORR_OK && !e->options->quick) {
        tested *t = &list[count++];
        *t = (tested){.key = "keystream", .name = "raw key bytes"};
        status = run_one(e, t, orr_nist_keystream_new(e->options->seed), FULL_SEQUENCES, error);
    }
    if (status == ORR_OK) status = write_up(e, json, list, count, 0, error);
    for (size_t n = 0; n < count; n++) orr_nist_result_free(&list[n].result);
    free(list);
    return status;
}
