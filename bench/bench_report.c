// The report as plain text and as JSON.
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

// ---- text ---------------------------------------------------------------------------------------

static void group_head(const orr_bench_result *first, orr_sink *sink) {
    orr_sink_format(sink, "\n%s: %s\n", first->suite, first->group);
    if (first->share > 0)
        orr_sink_format(sink, "  %-28s %10s %8s\n", "", "seconds", "share");
    else if (first->images)
        orr_sink_format(sink, "  %-28s %7s %8s %10s %22s\n", "", "threads", "images", "images/s",
                        "p10 .. p90");
    else
        orr_sink_format(sink, "  %-28s %7s %8s %10s %22s %9s%s\n", "", "threads", "MiB", "GB/s",
                        "p10 .. p90", "ns/byte", first->ratio > 0 ? " of first" : "");
}

static void result_line(const orr_bench_result *r, orr_sink *sink) {
    double bytes = (double)r->bytes, gigabytes = bytes / 1e9;
    char threads[16] = "-", ratio[16] = "";
    if (r->share > 0) {
        orr_sink_format(sink, "  %-28s %10.4f %7.1f%%\n", r->name, r->seconds.median,
                        100 * r->share);
        return;
    }
    if (r->threads) snprintf(threads, sizeof threads, "%u", r->threads);
    if (r->images) {
        double images = (double)r->images;
        orr_sink_format(sink, "  %-28s %7s %8.0f %10.1f %10.1f .. %8.1f\n", r->name, threads,
                        images, images / r->seconds.median, images / r->seconds.p90,
                        images / r->seconds.p10);
        return;
    }
    if (!r->bytes) {
        orr_sink_format(sink, "  %-28s %18.6f seconds\n", r->name, r->seconds.median);
        return;
    }
    if (r->ratio > 0) snprintf(ratio, sizeof ratio, "%.3f", r->ratio);
    orr_sink_format(sink, "  %-28s %7s %8.2f %10.3f %10.3f .. %8.3f %9.4f%s%s%s%s\n", r->name,
                    threads, bytes / (1 << 20), orr_bench_rate(r), gigabytes / r->seconds.p90,
                    gigabytes / r->seconds.p10, r->seconds.median * 1e9 / bytes,
                    ratio[0] ? "    " : "", ratio, r->note[0] ? "  " : "", r->note);
}

void orr_bench_text(const orr_bench *bench, orr_sink *sink) {
    const orr_bench_conditions *c = &bench->conditions;
    orr_sink_format(sink, "%s, commit %s%s\n", c->date, c->commit,
                    c->quick ? ", quick: few rounds, small sizes" : "");
    orr_sink_format(sink, "%s, %u cores, %s\n", c->processor, c->cores, c->memory);
    orr_sink_format(sink, "%s; load %s at the start\n", c->kernel, c->load);
    orr_sink_format(sink, "%s; gcc %s\n", c->openssl, c->compiler);
    orr_sink_format(sink, "device: %s%s%s%s%s\n", c->device, c->driver[0] ? "; " : "", c->driver,
                    c->clocks[0] ? "; " : "", c->clocks);
    if (c->files[0]) orr_sink_format(sink, "files: %s\n", c->files);
    for (size_t first = 0; first < bench->count;) {
        size_t end = orr_bench_group_end(bench, first);
        group_head(&bench->results[first], sink);
        for (; first < end; first++) result_line(&bench->results[first], sink);
    }
    if (bench->fit_count) orr_sink_text(sink, "\ncost against size (seconds ~ bytes^exponent)\n");
    for (size_t n = 0; n < bench->fit_count; n++)
        orr_sink_format(sink, "  %-40s exponent %.3f over %u sizes\n", bench->fits[n].name,
                        bench->fits[n].exponent, bench->fits[n].points);
    if (bench->finding_count) orr_sink_text(sink, "\n");
    for (size_t n = 0; n < bench->finding_count; n++)
        orr_sink_format(sink, "- %s\n", bench->findings[n]);
}

// ---- JSON ---------------------------------------------------------------------------------------

static cJSON *conditions_of(const orr_bench *bench) {
    const orr_bench_conditions *c = &bench->conditions;
    const struct {
        const char *key, *value;
    } texts[] = {{"date", c->date},       {"commit", c->commit},     {"cpu", c->processor},
                 {"memory", c->memory},   {"kernel", c->kernel},     {"load_average", c->load},
                 {"openssl", c->openssl}, {"compiler", c->compiler}, {"files", c->files},
                 {"device", c->device},   {"driver", c->driver},     {"clocks", c->clocks}};
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
