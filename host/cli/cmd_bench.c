// orrery bench: runs the benchmarks of bench/ and writes their report.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "bench/bench.h"
#include "host/cli/cli.h"
#include "host/cli/stop.h"

typedef orr_status (*report_writer)(const orr_bench *bench, orr_sink *sink, orr_error *error);

static void show_progress(void *context, const char *what) {
    orr_cli *cli = context;
    orr_console_note(&cli->console, "measuring %s", what);
}

// Opened before anything is measured, so that minutes of work do not end in a file that cannot be
// made. Never replaces one.
static orr_status open_report(const char *path, FILE **file, orr_error *error) {
    if (!path) return ORR_OK;
    *file = fopen(path, "wxe");
    if (*file) return ORR_OK;
    if (errno == EEXIST)
        return orr_fail(error, ORR_EXISTS, "%s: exists already; nothing was replaced", path);
    return orr_fail(error, ORR_IO, "%s: cannot be made: %s", path, strerror(errno));
}

static orr_status write_report(const orr_bench *bench, report_writer writer, const char *path,
                               FILE *file, orr_error *error) {
    orr_error failure = {0};
    orr_sink sink;
    if (!file) return ORR_OK;
    orr_sink_file(&sink, file);
    orr_status status = writer(bench, &sink, error);
    if (status == ORR_OK && orr_sink_finish(&sink, &failure) != ORR_OK)
        status = orr_fail(error, failure.status, "%s: %.200s", path, failure.text);
    return status;
}

// Closes a report; one that was not finished goes away.
static orr_status close_report(const char *path, FILE *file, orr_status status, orr_error *error) {
    if (!file) return status;
    if (fclose(file) != 0 && status == ORR_OK)
        status = orr_fail(error, ORR_IO, "%s: %s", path, strerror(errno));
    if (status != ORR_OK) (void)unlink(path);
    return status;
}

static orr_status print_text(orr_cli *cli, const orr_bench *bench, orr_error *error) {
    orr_sink sink;
    orr_sink_memory(&sink);
    orr_bench_text(bench, &sink);
    orr_status status = orr_sink_finish(&sink, error);
    for (char *line = status == ORR_OK ? sink.text : NULL, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = 0; // every line has one
        orr_console_data(&cli->console, "%s", line);
    }
    orr_sink_free(&sink);
    return status;
}

orr_status orr_cmd_bench(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    FILE *json = NULL, *html = NULL;
    orr_bench bench = {0};
    orr_bench_options options = {.device = a->device,
                                 .threads = a->jobs,
                                 .quick = a->quick,
                                 .directory = a->directory,
                                 .stop = &orr_stop_requested,
                                 .context = cli,
                                 .progress = show_progress};
    orr_status status = open_report(a->json_file, &json, error);
    if (status == ORR_OK) status = open_report(a->html_file, &html, error);
    if (status == ORR_OK)
        status = orr_bench_run(&bench, a->operand_count ? a->operands[0] : "all", &options, error);
    if (status == ORR_OK) status = print_text(cli, &bench, error);
    if (status == ORR_OK) status = write_report(&bench, orr_bench_json, a->json_file, json, error);
    if (status == ORR_OK) status = write_report(&bench, orr_bench_html, a->html_file, html, error);
    status = close_report(a->json_file, json, status, error);
    status = close_report(a->html_file, html, status, error);
    orr_bench_free(&bench);
    return status;
}
