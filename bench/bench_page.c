// The report as a page: a table for each group, and a chart where one says more.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "media/page.h"

#define MOST_ROWS 64
#define MOST_SERIES 8

// ---- tables -------------------------------------------------------------------------------------

static void conditions_table(const orr_bench *bench, orr_sink *sink) {
    const orr_bench_conditions *c = &bench->conditions;
    static const orr_page_column columns[] = {{"condition", ORR_ALIGN_LEFT}, {"", ORR_ALIGN_LEFT}};
    char cores[16], compiler[72];
    snprintf(cores, sizeof cores, "%u", c->cores);
    snprintf(compiler, sizeof compiler, "gcc %s", c->compiler);
    const char *rows[][2] = {{"date", c->date},
                             {"commit", c->commit},
                             {"processor", c->processor},
                             {"cores", cores},
                             {"memory", c->memory},
                             {"kernel", c->kernel},
                             {"load at the start", c->load},
                             {"OpenSSL", c->openssl},
                             {"compiler", compiler},
                             {"files", c->files},
                             {"disk", c->disk},
                             {"device", c->device},
                             {"driver", c->driver},
                             {"clocks", c->clocks}};
    enum { ROWS = sizeof rows / sizeof rows[0] };
    orr_page_cell cells[2 * ROWS] = {0};
    size_t count = 0;
    for (size_t n = 0; n < ROWS; n++) {
        if (!rows[n][1][0]) continue;
        cells[2 * count].text = rows[n][0];
        cells[2 * count++ + 1].text = rows[n][1];
    }
    orr_page_table table = {NULL, columns, 2, cells, count};
    orr_page_data_table(sink, &table);
}

typedef char cell_text[48];

// What a rate counts: images, or 10^9 bytes.
static double work_of(const orr_bench_result *r) {
    return r->images ? (double)r->images : (double)r->bytes / 1e9;
}

static void fill_row(const orr_bench_result *r, orr_page_cell *cells, cell_text *texts) {
    double work = work_of(r);
    snprintf(texts[0], sizeof *texts, "%u", r->threads);
    int rate = r->share <= 0 && work > 0, digits = r->images ? 1 : 3;
    snprintf(texts[1], sizeof *texts, "%.*f", r->images ? 0 : 2,
             r->images ? work : (double)r->bytes / (1 << 20));
    texts[2][0] = texts[3][0] = '\0';
    if (r->share > 0) snprintf(texts[2], sizeof *texts, "%.6f", r->processor);
    if (rate) {
        snprintf(texts[2], sizeof *texts, "%.*f", digits, work / r->seconds.median);
        snprintf(texts[3], sizeof *texts, "%.*f – %.*f", digits, work / r->seconds.p90, digits,
                 work / r->seconds.p10);
    }
    snprintf(texts[4], sizeof *texts, "%.6f", r->seconds.median);
    if (r->share > 0)
        snprintf(texts[5], sizeof *texts, "%.1f %%", 100 * r->share);
    else
        snprintf(texts[5], sizeof *texts, r->ratio > 0 ? "%.3f" : "", r->ratio);
    snprintf(texts[6], sizeof *texts, "%d", r->seconds.runs);
    cells[0] = (orr_page_cell){r->name + strspn(r->name, " "), ORR_MARK_NONE};
    cells[1] = (orr_page_cell){r->device, ORR_MARK_NONE};
    for (int n = 0; n < 7; n++) cells[2 + n] = (orr_page_cell){texts[n], ORR_MARK_NONE};
    if (!r->threads) cells[2].text = "";
    cells[9] = r->share > 0 ? (orr_page_cell){NULL, ORR_MARK_NONE}
               : r->like    ? (orr_page_cell){r->like, ORR_MARK_PASS}
                            : (orr_page_cell){r->note, ORR_MARK_NOTE};
}

// Columns that no row of the group fills are left out.
static void group_table(const orr_bench_result *results, size_t count, orr_sink *sink) {
    int images = results[0].images > 0, stages = results[0].share > 0;
    const orr_page_column columns[] = {{"", ORR_ALIGN_LEFT},
                                       {"device", ORR_ALIGN_LEFT},
                                       {"threads", ORR_ALIGN_RIGHT},
                                       {images ? "images" : "MiB", ORR_ALIGN_RIGHT},
                                       {stages   ? "processor, s"
                                        : images ? "images/s"
                                                 : "GB/s",
                                        ORR_ALIGN_RIGHT},
                                       {"p10 – p90", ORR_ALIGN_RIGHT},
                                       {"seconds", ORR_ALIGN_RIGHT},
                                       {stages ? "share" : "ratio to the first", ORR_ALIGN_RIGHT},
                                       {"runs", ORR_ALIGN_RIGHT},
                                       {"bytes equal to", ORR_ALIGN_LEFT}};
    enum { COLUMNS = sizeof columns / sizeof columns[0] };
    static orr_page_cell cells[MOST_ROWS * COLUMNS];
    static cell_text texts[MOST_ROWS][7];
    orr_page_column kept[COLUMNS];
    size_t column_count = 0, filled[COLUMNS];
    if (count > MOST_ROWS) count = MOST_ROWS;
    for (size_t n = 0; n < count; n++) fill_row(&results[n], cells + n * COLUMNS, texts[n]);
    for (size_t c = 0; c < COLUMNS; c++) {
        int used = 0;
        for (size_t n = 0; n < count; n++)
            used = used || (cells[n * COLUMNS + c].text && cells[n * COLUMNS + c].text[0]);
        if (!used) continue;
        kept[column_count] = columns[c];
        filled[column_count++] = c;
    }
    for (size_t n = 0; n < count; n++) // moves to the front, never over what is still to move
        for (size_t c = 0; c < column_count; c++)
            cells[n * column_count + c] = cells[n * COLUMNS + filled[c]];
    orr_page_table table = {NULL, kept, column_count, cells, count};
    orr_page_data_table(sink, &table);
}

// ---- charts -------------------------------------------------------------------------------------

// Bars: the rate of each result, or its seconds in a breakdown.
static orr_status bar_chart(const orr_bench_result *results, size_t count, const char *caption,
                            orr_sink *sink, orr_error *error) {
    double y[MOST_ROWS], low[MOST_ROWS], high[MOST_ROWS];
    const char *names[MOST_ROWS];
    size_t bars = 0;
    int stages = results[0].share > 0;
    for (size_t n = 0; n < count && bars < MOST_ROWS; n++) {
        const orr_bench_result *r = &results[n];
        double work = work_of(r);
        if (!stages && strstr(r->name, "  ")) continue; // a part, much quicker than the whole
        names[bars] = r->name + strspn(r->name, " ");
        y[bars] = stages ? r->seconds.median : work / r->seconds.median;
        low[bars] = work / r->seconds.p90;
        high[bars++] = work / r->seconds.p10;
    }
    const char *unit = stages ? "s" : results[0].images ? "images/s" : "GB/s";
    orr_plot_series series = {
        NULL, ORR_PLOT_BARS, NULL, y, stages ? NULL : low, stages ? NULL : high, bars};
    orr_plot plot = {.description = results[0].group,
                     .x = {.names = names, .name_count = bars},
                     .y = {.label = stages ? "time" : "rate", .unit = unit},
                     .series = &series,
                     .count = 1};
    return orr_page_plot(sink, &plot, caption, error);
}

// Lines over threads, one for each verb of the level that runs on several numbers of threads.
static orr_status thread_chart(const orr_bench_result *results, size_t count, orr_sink *sink,
                               orr_error *error) {
    double x[MOST_SERIES][MOST_ROWS], y[MOST_SERIES][MOST_ROWS];
    orr_plot_series series[MOST_SERIES] = {0};
    size_t lines = 0;
    for (size_t n = 0; n < count; n++) {
        size_t at = 0;
        while (at < lines && strcmp(series[at].label, results[n].name) != 0) at++;
        if (at == MOST_SERIES) continue;
        if (at == lines)
            series[lines++] = (orr_plot_series){
                results[n].name, ORR_PLOT_LINE_POINTS, x[at], y[at], NULL, NULL, 0};
        if (series[at].count == MOST_ROWS) continue;
        x[at][series[at].count] = results[n].threads;
        y[at][series[at].count++] = orr_bench_rate(&results[n]);
    }
    orr_plot plot = {.description = "CPU backend",
                     .x = {.label = "threads", .whole = 1},
                     .y = {.label = "rate", .unit = "GB/s"},
                     .series = series,
                     .count = lines};
    return orr_page_plot(sink, &plot,
                         "Rate against threads; points without a line are levels "
                         "measured on all threads only.",
                         error);
}

// Seconds over size on logarithmic axes; one line for encrypt and, where there is one, decrypt.
static orr_status size_chart(const orr_bench *bench, const orr_bench_result *results, size_t count,
                             const char *fit_name, orr_sink *sink, orr_error *error) {
    double x[2][MOST_ROWS], y[2][MOST_ROWS];
    orr_plot_series series[2] = {{"encrypt", ORR_PLOT_LINE_POINTS, x[0], y[0], NULL, NULL, 0},
                                 {"decrypt", ORR_PLOT_LINE_POINTS, x[1], y[1], NULL, NULL, 0}};
    char caption[120] = "Time against size.";
    for (size_t n = 0; n < count && n < MOST_ROWS; n++) {
        int inverse = strncmp(results[n].name, "decrypt", 7) == 0;
        if (results[n].bytes == 0) continue;
        x[inverse][series[inverse].count] = (double)results[n].bytes;
        y[inverse][series[inverse].count++] = results[n].seconds.median;
    }
    for (size_t n = 0; n < bench->fit_count; n++)
        if (strcmp(bench->fits[n].name, fit_name) == 0)
            snprintf(caption, sizeof caption,
                     "Time against size: seconds grow as bytes to the power of %.3f.",
                     bench->fits[n].exponent);
    orr_plot plot = {.description = results[0].group,
                     .x = {.label = "size", .scale = ORR_PLOT_BYTES},
                     .y = {.label = "time", .unit = "s", .scale = ORR_PLOT_LOG},
                     .series = series,
                     .count = series[1].count ? 2 : 1};
    return orr_page_plot(sink, &plot, caption, error);
}

static orr_status group_chart(const orr_bench *bench, const orr_bench_result *results, size_t count,
                              orr_sink *sink, orr_error *error) {
    const char *group = results[0].group;
    if (strcmp(group, "CPU backend") == 0) return thread_chart(results, count, sink, error);
    if (strcmp(group, "encrypt, by size") == 0)
        return size_chart(bench, results, count, "encrypt, beyond start and end", sink, error);
    if (strncmp(group, "paper profile", 13) == 0)
        return size_chart(bench, results, count, "paper profile, encrypt", sink, error);
    return bar_chart(results, count,
                     results[0].share > 0 ? "Seconds of all threads together."
                                          : "Median rate; whiskers from the 10th to the 90th "
                                            "percentile of the rounds.",
                     sink, error);
}

// ---- the page -----------------------------------------------------------------------------------

orr_status orr_bench_html(const orr_bench *bench, orr_sink *sink, orr_error *error) {
    orr_status status = ORR_OK;
    const char *suite = "";
    orr_page_begin(
        sink, "Orrery benchmarks",
        "GB are 10^9 bytes, MiB 2^20. Rates are medians of rounds; a ratio is a speed as a "
        "share of the first row's, within the same rounds. Figures of different machines "
        "are not to be compared; of one machine, only those of one run.");
    if (bench->conditions.quick)
        orr_page_note(sink, "A quick run: few rounds and small sizes. Not for publication.");
    if (orr_bench_was_busy(bench))
        orr_page_note(sink, "Other programs ran when this began (see the load): rates are too low. "
                            "Repeat it on a quiet machine.");
    conditions_table(bench, sink);
    if (bench->finding_count) {
        const char **items = calloc(bench->finding_count, sizeof *items);
        orr_page_heading(sink, 2, "What was found");
        for (size_t n = 0; items && n < bench->finding_count; n++) items[n] = bench->findings[n];
        if (items) orr_page_list(sink, items, bench->finding_count);
        free(items);
    }
    for (size_t first = 0, end; first < bench->count && status == ORR_OK; first = end) {
        const orr_bench_result *results = &bench->results[first];
        end = orr_bench_group_end(bench, first);
        if (strcmp(suite, results->suite) != 0) orr_page_heading(sink, 2, results->suite);
        suite = results->suite;
        orr_page_heading(sink, 3, results->group);
        status = group_chart(bench, results, end - first, sink, error);
        group_table(results, end - first, sink);
    }
    orr_page_end(sink);
    return status;
}
