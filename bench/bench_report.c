// The report as plain text and as JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "bench/bench.h"

// ---- text ---------------------------------------------------------------------------------------

// A group's heading: what its rows share stands there once, the number of threads too.
static void group_head(const orr_bench_result *first, size_t count, orr_sink *sink) {
    int same = 1;
    for (size_t n = 1; n < count; n++) same = same && first[n].threads == first->threads;
    orr_sink_format(sink, "\n%s: %s", first->suite, first->group);
    if (same && first->threads)
        orr_sink_format(sink, ", %u thread%s", first->threads, first->threads == 1 ? "" : "s");
    orr_sink_text(sink, "\n");
    const char *threads = same ? "" : " threads";
    if (first->share > 0)
        orr_sink_format(sink, "  %-28s %10s %8s %14s\n", "", "seconds", "share", "processor");
    else if (first->images)
        orr_sink_format(sink, "  %-28s%s %9s %19s\n", "", threads, "images/s", "p10 .. p90");
    else
        orr_sink_format(sink, "  %-28s%s %9s %19s %8s%s\n", "", threads, "GB/s", "p10 .. p90",
                        "ns/byte", first->ratio > 0 ? "  ratio" : "");
}

static void result_line(const orr_bench_result *r, int with_threads, char sign, orr_sink *sink) {
    char threads[16] = "";
    double work = r->images ? (double)r->images : (double)r->bytes / 1e9;
    int digits = r->images ? 1 : 3;
    orr_sink_format(sink, "  %-28s", r->name);
    if (r->share > 0) {
        orr_sink_format(sink, " %10.4f %7.1f%% %14.4f\n", r->seconds.median, 100 * r->share,
                        r->processor);
        return;
    }
    if (!(work > 0)) {
        orr_sink_format(sink, "%s %.6f seconds\n", with_threads ? "        " : "",
                        r->seconds.median);
        return;
    }
    if (with_threads && !r->threads) snprintf(threads, sizeof threads, " %7s", "-");
    if (with_threads && r->threads) snprintf(threads, sizeof threads, " %7u", r->threads);
    orr_sink_format(sink, "%s %9.*f %8.*f .. %7.*f", threads, digits, work / r->seconds.median,
                    digits, work / r->seconds.p90, digits, work / r->seconds.p10);
    if (!r->images) orr_sink_format(sink, " %8.4f", r->seconds.median / work);
    if (r->ratio > 0) orr_sink_format(sink, " %6.3f", r->ratio);
    if (sign) orr_sink_format(sink, "  %c", sign);
    orr_sink_text(sink, "\n");
}

// A group's rows, then its notes, each once. A letter behind a row says which is meant, unless one
// note is for all.
static void group_text(const orr_bench_result *first, size_t count, orr_sink *sink) {
    const char *notes[26];
    size_t note_count = 0;
    int with_threads = 0, for_all = first->note[0] != 0;
    for (size_t n = 1; n < count; n++) {
        with_threads = with_threads || first[n].threads != first->threads;
        for_all = for_all && strcmp(first[n].note, first->note) == 0;
    }
    group_head(first, count, sink);
    for (size_t n = 0; n < count; n++) {
        size_t at = 0;
        while (at < note_count && strcmp(notes[at], first[n].note) != 0) at++;
        if (at == note_count && first[n].note[0] && note_count < 26)
            notes[note_count++] = first[n].note;
        char sign = (char)(at < note_count && !for_all ? 'a' + at : 0);
        result_line(&first[n], with_threads, sign, sink);
    }
    for (size_t n = 0; n < note_count; n++) {
        if (!for_all) orr_sink_format(sink, "  %c:", (char)('a' + n));
        orr_sink_format(sink, "%s %s\n", for_all ? " " : "", notes[n]);
    }
}

// A sentence as a point of a list, broken between words into lines of at most 80 columns.
static void sentence(const char *text, orr_sink *sink) {
    const char *lead = "- ";
    while (strlen(text) > 78) {
        size_t end = 78;
        while (end && text[end] != ' ') end--;
        if (!end) break; // one long word
        orr_sink_format(sink, "%s%.*s\n", lead, (int)end, text);
        text += end + 1;
        lead = "  ";
    }
    orr_sink_format(sink, "%s%s\n", lead, text);
}

void orr_bench_text(const orr_bench *bench, orr_sink *sink) {
    const orr_bench_conditions *c = &bench->conditions;
    orr_sink_format(sink, "%s, commit %s%s\n", c->date, c->commit,
                    c->quick ? ", quick: few rounds, small sizes" : "");
    orr_sink_format(sink, "%s, %u cores, %s\n", c->processor, c->cores, c->memory);
    orr_sink_format(sink, "%s\n", c->kernel);
    orr_sink_format(sink, "load at the start: %s%s\n", c->load,
                    orr_bench_was_busy(bench) ? "; other programs ran, so rates are too low" : "");
    orr_sink_format(sink, "%s; gcc %s\n", c->openssl, c->compiler);
    orr_sink_format(sink, "device: %s%s%s%s%s\n", c->device, c->driver[0] ? "; " : "", c->driver,
                    c->clocks[0] ? "; " : "", c->clocks);
    if (c->files[0]) orr_sink_format(sink, "files: %s\n", c->files);
    if (c->disk[0]) orr_sink_format(sink, "disk: %s\n", c->disk);
    orr_sink_text(sink,
                  "rates are medians of rounds; ratio: speed as a share of the first row's\n");
    for (size_t first = 0; first < bench->count;) {
        size_t end = orr_bench_group_end(bench, first);
        group_text(&bench->results[first], end - first, sink);
        first = end;
    }
    if (bench->fit_count) orr_sink_text(sink, "\ncost against size (seconds ~ bytes^exponent)\n");
    for (size_t n = 0; n < bench->fit_count; n++)
        orr_sink_format(sink, "  %-40s exponent %.3f over %u sizes\n", bench->fits[n].name,
                        bench->fits[n].exponent, bench->fits[n].points);
    if (bench->finding_count) orr_sink_text(sink, "\n");
    for (size_t n = 0; n < bench->finding_count; n++) sentence(bench->findings[n], sink);
}

// ---- JSON ---------------------------------------------------------------------------------------

static cJSON *conditions_of(const orr_bench *bench) {
    const orr_bench_conditions *c = &bench->conditions;
    const struct {
        const char *key, *value;
    } texts[] = {{"date", c->date},       {"commit", c->commit},     {"cpu", c->processor},
                 {"memory", c->memory},   {"kernel", c->kernel},     {"load_average", c->load},
                 {"openssl", c->openssl}, {"compiler", c->compiler}, {"files", c->files},
                 {"disk", c->disk},       {"device", c->device},     {"driver", c->driver},
                 {"clocks", c->clocks}};
    cJSON *object = cJSON_CreateObject();
    for (size_t n = 0; n < sizeof texts / sizeof texts[0]; n++)
        if (texts[n].value[0]) cJSON_AddStringToObject(object, texts[n].key, texts[n].value);
    cJSON_AddNumberToObject(object, "cores", c->cores);
    cJSON_AddBoolToObject(object, "quick", c->quick);
    return object;
}

static cJSON *result_of(const orr_bench_result *r) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "suite", r->suite);
    cJSON_AddStringToObject(object, "group", r->group);
    cJSON_AddStringToObject(object, "name", r->name + strspn(r->name, " "));
    cJSON_AddStringToObject(object, "device", r->device);
    if (r->threads) cJSON_AddNumberToObject(object, "threads", r->threads);
    if (r->images)
        cJSON_AddNumberToObject(object, "images", (double)r->images);
    else
        cJSON_AddNumberToObject(object, "bytes", (double)r->bytes);
    cJSON *seconds = cJSON_AddObjectToObject(object, "seconds");
    cJSON_AddNumberToObject(seconds, "median", r->seconds.median);
    cJSON_AddNumberToObject(seconds, "p10", r->seconds.p10);
    cJSON_AddNumberToObject(seconds, "p90", r->seconds.p90);
    cJSON_AddNumberToObject(seconds, "min", r->seconds.least);
    cJSON_AddNumberToObject(seconds, "max", r->seconds.most);
    cJSON_AddNumberToObject(seconds, "runs", r->seconds.runs);
    if (r->share > 0) {
        cJSON_AddNumberToObject(object, "share", r->share);
        cJSON_AddNumberToObject(object, "processor_seconds", r->processor);
    } else if (r->images) {
        cJSON_AddNumberToObject(object, "images_per_s", (double)r->images / r->seconds.median);
    } else if (r->bytes) {
        cJSON_AddNumberToObject(object, "gb_per_s", orr_bench_rate(r));
    }
    if (r->ratio > 0) cJSON_AddNumberToObject(object, "ratio", r->ratio);
    if (r->like) cJSON_AddStringToObject(object, "bytes_equal", r->like);
    if (r->note[0]) cJSON_AddStringToObject(object, "note", r->note);
    return object;
}

static cJSON *fit_of(const orr_bench_fit *fit) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "suite", fit->suite);
    cJSON_AddStringToObject(object, "name", fit->name);
    cJSON_AddNumberToObject(object, "exponent", fit->exponent);
    cJSON_AddNumberToObject(object, "points", fit->points);
    return object;
}

orr_status orr_bench_json(const orr_bench *bench, orr_sink *sink, orr_error *error) {
    cJSON *record = cJSON_CreateObject(), *list;
    cJSON_AddStringToObject(record, "format", ORR_BENCH_FORMAT);
    cJSON_AddNumberToObject(record, "version", ORR_BENCH_VERSION);
    cJSON_AddItemToObject(record, "conditions", conditions_of(bench));
    list = cJSON_AddArrayToObject(record, "results");
    for (size_t n = 0; n < bench->count; n++)
        cJSON_AddItemToArray(list, result_of(&bench->results[n]));
    list = cJSON_AddArrayToObject(record, "fits");
    for (size_t n = 0; n < bench->fit_count; n++)
        cJSON_AddItemToArray(list, fit_of(&bench->fits[n]));
    list = cJSON_AddArrayToObject(record, "findings");
    for (size_t n = 0; n < bench->finding_count; n++)
        cJSON_AddItemToArray(list, cJSON_CreateString(bench->findings[n]));
    char *text = record ? cJSON_Print(record) : NULL;
    orr_status status = ORR_OK;
    if (text) {
        orr_sink_text(sink, text);
        orr_sink_text(sink, "\n");
    } else {
        status = orr_fail(error, ORR_INTERNAL, "out of memory for the JSON record");
    }
    free(text);
    cJSON_Delete(record);
    return status;
}
