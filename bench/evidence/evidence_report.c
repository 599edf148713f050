#include "bench/evidence/evidence_report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/crypto.h"

orr_status orr_evidence_step(orr_evidence *e, orr_error *error, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (e->options->stop && *e->options->stop)
        return orr_fail(error, ORR_STOPPED, "stopped; no report was written");
    if (e->options->progress) e->options->progress(e->options->progress_context, text, e->share);
    return ORR_OK;
}

cJSON *orr_evidence_section(orr_evidence *e, const char *key, const char *heading,
                            const char *text) {
    e->section = key;
    orr_page_heading(&e->body, 2, heading);
    orr_page_paragraph(&e->body, text);
    return cJSON_AddObjectToObject(e->root, key);
}

void orr_json_add_real(cJSON *object, const char *key, double value) {
    if (isfinite(value))
        cJSON_AddNumberToObject(object, key, value);
    else
        cJSON_AddNullToObject(object, key);
}

void orr_json_add_reals(cJSON *object, const char *key, const double *values, size_t count) {
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (size_t n = 0; n < count; n++)
        cJSON_AddItemToArray(array, isfinite(values[n]) ? cJSON_CreateNumber(values[n])
                                                        : cJSON_CreateNull());
}

void orr_evidence_key(const orr_evidence *e, const char *label, uint64_t index, uint8_t key[64]) {
    uint8_t number[16];
    orr_store_le64(number, e->options->seed);
    orr_store_le64(number + 8, index);
    // Without SHA-512 nothing in this program works; zeros would show in every figure.
    if (orr_sha512(number, sizeof number, label, strlen(label), key) != ORR_OK) memset(key, 0, 64);
}

// A value that does not exist lies within no bounds: it is no pass.
static orr_verdict verdict_of(const orr_finding *f) {
    if (isnan(f->low)) return f->verdict;
    return f->value >= f->low && f->value <= f->high ? ORR_VERDICT_PASS : ORR_VERDICT_FAIL;
}

static void format_bounds(const orr_finding *f, char text[64]) {
    if (isnan(f->low))
        snprintf(text, 64, "%s", "none");
    else if (isinf(f->high))
        snprintf(text, 64, "at least %.6g", f->low);
    else if (isinf(f->low))
        snprintf(text, 64, "at most %.6g", f->high);
    else
        snprintf(text, 64, "%.6g to %.6g", f->low, f->high);
}

static const char *or_empty(const char *text) {
    return text ? text : "";
}

// Six digits, small values without an exponent.
static void format_value(double value, char text[32]) {
    int small = fabs(value) < 1e-4 && fabs(value) >= 1e-7;
    snprintf(text, 32, small ? "%.7f" : "%.6g", value);
}

static void count_failure(orr_evidence *e, const orr_finding *f) {
    e->summary.failed++;
    if (f->subject && strncmp(f->subject, "control", 7) == 0) {
        e->summary.failed_controls++;
        return;
    }
    size_t n = 0,
           kept = e->failure_kinds < ORR_FAILURE_KINDS ? e->failure_kinds : ORR_FAILURE_KINDS;
    while (n < kept && strcmp(e->failures[n].measure, f->measure) != 0) n++;
    if (n < kept) {
        e->failures[n].count++;
    } else if (e->failure_kinds++ < ORR_FAILURE_KINDS) {
        snprintf(e->failures[n].measure, sizeof e->failures[n].measure, "%s", f->measure);
        e->failures[n].count = 1;
    }
}

// One row of the table at the top, as cells of text apart from each other by tabs.
static void add_headline(orr_evidence *e, const orr_finding *f, orr_verdict verdict) {
    char bounds[64], value[32], ideal[32] = "none";
    format_bounds(f, bounds);
    format_value(f->value, value);
    if (!isnan(f->ideal)) snprintf(ideal, sizeof ideal, "%.6g", f->ideal);
    orr_sink_format(&e->headline, "%s\t%s\t%s\t%s%s%s\t%s\t%s\t%s\t%d\n", f->measure,
                    or_empty(f->subject), or_empty(f->image), value, f->unit ? " " : "",
                    or_empty(f->unit), f->published ? f->published : "not available", ideal, bounds,
                    (int)verdict);
}

orr_mark orr_evidence_finding(orr_evidence *e, const orr_finding *f) {
    orr_verdict verdict = verdict_of(f);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "section", e->section);
    cJSON_AddStringToObject(object, "measure", f->measure);
    if (f->subject) cJSON_AddStringToObject(object, "subject", f->subject);
    if (f->image) cJSON_AddStringToObject(object, "image", f->image);
    orr_json_add_real(object, "value", f->value);
    if (f->unit) cJSON_AddStringToObject(object, "unit", f->unit);
    cJSON_AddStringToObject(object, "published", f->published ? f->published : "not available");
    orr_json_add_real(object, "ideal", f->ideal);
    orr_json_add_real(object, "critical_low", f->low);
    orr_json_add_real(object, "critical_high", f->high);
    if (verdict == ORR_VERDICT_NONE)
        cJSON_AddNullToObject(object, "passed");
    else
        cJSON_AddBoolToObject(object, "passed", verdict == ORR_VERDICT_PASS);
    cJSON_AddBoolToObject(object, "headline", f->headline);
    cJSON_AddItemToArray(e->findings, object);
    e->summary.findings++;
    e->summary.passed += verdict == ORR_VERDICT_PASS;
    if (verdict == ORR_VERDICT_FAIL) count_failure(e, f);
    if (f->headline) add_headline(e, f, verdict);
    return verdict == ORR_VERDICT_PASS   ? ORR_MARK_PASS
           : verdict == ORR_VERDICT_FAIL ? ORR_MARK_FAIL
                                         : ORR_MARK_NONE;
}

void orr_table_cell(orr_table *table, orr_mark mark, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 64;
        orr_page_cell *cells = realloc(table->cells, capacity * sizeof *cells);
        if (!cells) {
            table->lost = 1;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    char *copy = strdup(text);
    if (!copy) {
        table->lost = 1;
        return;
    }
    table->cells[table->count++] = (orr_page_cell){copy, mark};
}

orr_status orr_table_put(orr_sink *sink, orr_table *table, const char *caption, orr_error *error) {
    orr_page_table page = {.caption = caption,
                           .columns = table->columns,
                           .column_count = table->column_count,
                           .cells = table->cells,
                           .row_count = table->count / table->column_count};
    int lost = table->lost, uneven = table->count % table->column_count != 0;
    if (!lost && !uneven) orr_page_data_table(sink, &page);
    for (size_t n = 0; n < table->count; n++) free((char *)table->cells[n].text);
    free(table->cells);
    table->cells = NULL;
    table->count = table->capacity = 0;
    if (lost) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    return uneven ? orr_fail(error, ORR_INTERNAL, "a row of the table \"%s\" is not full", caption)
                  : ORR_OK;
}
