// NIST SP 800-22 over many sequences: of ciphertexts and controls, or of one given file.
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/evidence/evidence_report.h"
#include "bench/evidence/nist_source.h"

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
        const orr_nist_result *r = &list[n].result;
        orr_table_cell(&table, r->sound ? ORR_MARK_PASS : ORR_MARK_FAIL, "%d of %d", r->passed,
                       r->applicable);
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

// The result of one subject into the JSON, and the finding, whose verdict is the result's: of the
// tests that apply, `needed` have to pass.
static void record(orr_evidence *e, cJSON *runs, const tested *t, int with_p_values,
                   const char *published, int headline) {
    const orr_nist_result *r = &t->result;
    char unit[16];
    snprintf(unit, sizeof unit, "of %d", r->applicable);
    cJSON *run = orr_nist_json(r, with_p_values);
    cJSON_DeleteItemFromObject(run, "seconds"); // the same seed gives the same report
    cJSON_DeleteItemFromObject(run, "processor_seconds");
    cJSON_DeleteItemFromObject(run, "threads");
    cJSON_AddStringToObject(run, "subject", t->key);
    cJSON_AddItemToArray(runs, run);
    orr_finding finding = {.measure = "SP 800-22 tests passed",
                           .subject = t->key,
                           .unit = unit,
                           .value = r->passed,
                           .published = published,
                           .ideal = r->applicable,
                           .low = r->needed,
                           .high = r->applicable,
                           .headline = headline};
    orr_evidence_finding(e, &finding);
}

static orr_status write_up(orr_evidence *e, cJSON *json, const tested *list, size_t count,
                           orr_error *error) {
    cJSON *runs = cJSON_AddArrayToObject(json, "runs");
    for (size_t n = 0; n < count; n++) record(e, runs, &list[n], 0, "15", n < 3);
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
// ---- a file of bits

static const char text_file[] =
    "The fifteen tests of NIST SP 800-22 rev. 1a on the bits of a file, most significant bit of "
    "each byte first (of a file of the digits 0 and 1 as text: one bit a digit), cut into "
    "sequences "
    "of a million. report.json has every P-value.";
static const char rule_one[] =
    "The rule for one sequence: a test fails when its least P-value is so small that a perfect "
    "source has one as small, among as many P-values as the test has (Sidak), in less than one of "
    "100 sequences. A perfect sequence misses one of the fifteen in every ninth run, more in every "
    "80th.";
static const char rule_few[] =
    "The rule for fewer than 55 sequences, which are too few for the document's: a test fails when "
    "the number of sequences with P >= 0.01 is one that the exact binomial distribution gives with "
    "a chance below 0.0027 (three sigma), when the P-values are uniform with a chance below 0.0001 "
    "(Kolmogorov and Smirnov), or when the least P-value has a chance below one in a million; the "
    "chances are those of the worst of all P-values of the test (Sidak). A perfect source misses "
    "one of the fifteen at most in every 24th run, two in every 1,200th.";
static const char rule_many[] =
    "The rule, by section 4.2 of the document: the proportion of sequences with P >= 0.01 must lie "
    "within three sigma of 0.99, and the P-values must be uniform at 0.0001; a test of many "
    "P-values is judged as a whole at the same levels (Sidak). A test also fails when its least "
    "P-value has a chance below one in a million. A perfect source misses one of the fifteen in "
    "every 24th run, two in every 1,200th.";
static const char rule_all[] =
    "The verdict: one miss is chance; two are not, nor is one whose chance is below one in a "
    "million. A test that does not apply (excursions: fewer than 500 cycles) counts neither way.";

// Appends the names of the tests that failed, or of those that do not apply.
static void put_names(FILE *out, const orr_nist_result *r, const char *lead, int applicable) {
    const char *between = lead;
    for (int test = 0; test < ORR_NIST_TESTS; test++) {
        const orr_nist_summary *s = &r->tests[test];
        if (s->passed || (s->applicable > 0) != applicable) continue;
        fprintf(out, "%s%s", between, orr_nist_test_name((orr_nist_test)test));
        between = ", ";
    }
    if (between != lead) fprintf(out, ".");
}

// What a person wants to know, in a few sentences; cut at `bytes`.
static void say_verdict(const tested *file, char *text, size_t bytes) {
    static const char *const read_as[] = {
        "bytes", "the digits 0 and 1 as text, a bit in each",
        "bytes, all of which print at its beginning: if it holds bits written as text, only a file "
        "of nothing but the digits 0 and 1 is read so"};
    const orr_nist_result *r = &file->result;
    *text = 0;
    FILE *out = fmemopen(text, bytes, "w");
    if (!out) return;
    fprintf(out, "%s: %d of the %d tests that apply passed; ", r->sound ? "PASS" : "FAIL",
            r->passed, r->applicable);
    fprintf(out, r->needed < r->applicable ? "at least %d have to." : "all %d have to.", r->needed);
    put_names(out, r, " Failed: ", 1);
    put_names(out, r, " Do not apply: ", 0);
    fprintf(out, " Tested: %llu sequence%s of %zu bits", (unsigned long long)r->sequences,
            r->sequences == 1 ? "" : "s", r->bits);
    if (r->unused_bits)
        fprintf(out, " (not the last %llu bits, less than a sequence)",
                (unsigned long long)r->unused_bits);
    fprintf(out, "; the file was read as %s.", read_as[r->format]);
    fclose(out);
}

// Proportion and uniformity are of several sequences: of one, their columns are left out.
static orr_status put_file_table(orr_evidence *e, const orr_nist_result *r, orr_error *error) {
    static const orr_page_column columns[] = {
        {"test", ORR_ALIGN_LEFT},           {"verdict", ORR_ALIGN_LEFT},
        {"sequences", ORR_ALIGN_RIGHT},     {"P-values of each", ORR_ALIGN_RIGHT},
        {"least P", ORR_ALIGN_RIGHT},       {"its chance", ORR_ALIGN_RIGHT},
        {"of proportion", ORR_ALIGN_RIGHT}, {"of uniformity", ORR_ALIGN_RIGHT}};
    int several = r->sequences > 1;
    orr_table table = {.columns = columns, .column_count = several ? 8 : 6};
    for (int test = 0; test < ORR_NIST_TESTS; test++) {
        const orr_nist_summary *s = &r->tests[test];
        double figures[] = {s->least, s->joint_least, s->joint_proportion, s->joint_uniformity};
        orr_table_cell(&table, ORR_MARK_NONE, "%s", orr_nist_test_name((orr_nist_test)test));
        if (s->applicable)
            orr_table_cell(&table, s->passed ? ORR_MARK_PASS : ORR_MARK_FAIL, "%s", "");
        else
            orr_table_cell(&table, ORR_MARK_NOTE, "does not apply");
        orr_table_cell(&table, ORR_MARK_NONE, "%llu", (unsigned long long)s->sequences);
        orr_table_cell(&table, ORR_MARK_NONE, "%zu", s->columns);
        for (size_t n = 0; n < (several ? 4 : 2); n++) {
            if (s->applicable)
                orr_table_cell(&table, ORR_MARK_NONE, "%.3g", figures[n]);
            else
                orr_table_cell(&table, ORR_MARK_NONE, "%s", "");
        }
    }
    return orr_table_put(&e->body, &table, "Chances that a perfect source is as bad as this",
                         error);
}

static orr_status write_up_file(orr_evidence *e, cJSON *json, const tested *file,
                                orr_error *error) {
    const orr_nist_result *r = &file->result;
    cJSON *runs = cJSON_AddArrayToObject(json, "runs");
    record(e, runs, file, 1, NULL, 0);
    orr_page_paragraph(&e->body, r->sequences == 1              ? rule_one
                                 : r->sequences < ORR_NIST_MANY ? rule_few
                                                                : rule_many);
    orr_page_paragraph(&e->body, rule_all);
    orr_status status = put_file_table(e, r, error);
    if (status != ORR_OK) return status;
    orr_page_row_begin(&e->body);
    if (r->sequences > 1) status = plot_proportions(e, file, error);
    if (status == ORR_OK) status = plot_p_values(e, file, error);
    orr_page_row_end(&e->body);
    orr_page_note(&e->body,
                  "What a pass shows: the bits have none of fifteen kinds of flaw. What it cannot "
                  "show: that nobody can predict them. A counter encrypted under a key that "
                  "everybody knows passes.");
    return status;
}

static orr_status run_file(orr_evidence *e, orr_error *error) {
    cJSON *json = orr_evidence_section(e, "nist", "NIST SP 800-22", text_file);
    tested file = {.key = "file", .name = e->options->bits};
    watch w = {e, pthread_self(), file.name};
    orr_nist_options options = {
        .threads = orr_evidence_threads(e), .progress = watch_progress, .progress_context = &w};
    orr_status status = orr_nist_file(file.name, &options, &file.result, error);
    if (status == ORR_OK) status = write_up_file(e, json, &file, error);
    if (status == ORR_OK) {
        e->summary.sound = file.result.sound;
        say_verdict(&file, e->summary.verdict, sizeof e->summary.verdict);
    }
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
    if (status == ORR_OK) status = write_up(e, json, list, count, error);
    for (size_t n = 0; n < count; n++) orr_nist_result_free(&list[n].result);
    free(list);
    return status;
}
