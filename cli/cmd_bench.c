// orrery bench: runs the benchmarks of bench/ and writes their report.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fresh.h"
#include "bench/bench.h"
#include "cli/cli.h"
#include "cli/stop.h"

typedef orr_status (*report_writer)(const orr_bench *bench, orr_sink *sink, orr_error *error);

static void show_progress(void *context, const char *what) {
    orr_cli *cli = context;
    orr_console_note(&cli->console, "measuring %s", what);
}

// A file of results, partial until it is whole.
typedef struct report {
    const char *path;
    orr_fresh fresh;
    FILE *file;
} report;

// Begun before anything is measured, so that minutes of work do not end in a file that cannot be
// made. Never replaces one.
static orr_status open_report(report *r, orr_error *error) {
    struct stat st;
    if (!r->path) return ORR_OK;
    if (!lstat(r->path, &st))
        return orr_fail(error, ORR_EXISTS, "%s: exists already; nothing was replaced", r->path);
    if (orr_fresh_begin(&r->fresh, r->path) == 0) r->file = orr_fresh_stream(&r->fresh);
    if (r->file) return ORR_OK;
    return orr_fail(error, ORR_IO, "%s: cannot be made: %s", r->path, strerror(errno));
}

static orr_status write_report(const orr_bench *bench, report_writer writer, report *r,
                               orr_error *error) {
    orr_error failure = {0};
    orr_sink sink;
    if (!r->file) return ORR_OK;
    orr_sink_file(&sink, r->file);
    orr_status status = writer(bench, &sink, error);
    if (status == ORR_OK && orr_sink_finish(&sink, &failure) != ORR_OK)
        status = orr_fail(error, failure.status, "%s: %.200s", r->path, failure.text);
    return status;
}

// Closes a report; one that was not finished goes away.
static orr_status close_report(report *r, orr_status status, orr_error *error) {
    int failed = r->file && fclose(r->file);
    if (r->file && status == ORR_OK) {
        if (failed || orr_fresh_set_mode(&r->fresh, orr_default_mode()) ||
            orr_fresh_commit(&r->fresh, ORR_FRESH_NEW)) {
            status = errno == EEXIST ? ORR_EXISTS : ORR_IO;
            orr_fail(error, status, "%s: %s", r->path, strerror(errno));
        }
    }
    orr_fresh_end(&r->fresh);
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

static orr_status run(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    report json = {a->bench.json, ORR_FRESH_NONE, NULL};
    report html = {a->bench.html, ORR_FRESH_NONE, NULL};
    orr_bench bench = {0};
    orr_bench_options options = {.device = a->device,
                                 .threads = a->jobs,
                                 .quick = a->bench.quick,
                                 .directory = a->bench.directory,
                                 .disk = a->bench.disk,
                                 .stop = &orr_stop_requested,
                                 .context = cli,
                                 .progress = show_progress};
    orr_status status = open_report(&json, error);
    if (status == ORR_OK) status = open_report(&html, error);
    if (status == ORR_OK)
        status = orr_bench_run(&bench, a->operand_count ? a->operands[0] : "all", &options, error);
    if (status == ORR_OK) status = print_text(cli, &bench, error);
    if (status == ORR_OK) status = write_report(&bench, orr_bench_json, &json, error);
    if (status == ORR_OK) status = write_report(&bench, orr_bench_html, &html, error);
    status = close_report(&json, status, error);
    status = close_report(&html, status, error);
    orr_bench_free(&bench);
    return status;
}

static const orr_choice suites[] = {
    {.name = "cipher", .help = "the tile cipher: SIMD levels, threads, devices, against AES"},
    {.name = "pipeline",
     .help = "whole files through memory: stages, what binds, cost against size"},
    {.name = "disk", .help = "whole files from disk to disk, cold: its own speed, what binds"},
    {.name = "gan", .help = "the DCGAN: training and generation, on the CPU and on a CUDA device"},
    {.name = "all", .help = "all of them [the default]"},
    {.name = NULL}};

static const orr_option json = {.name = "json",
                                .argument = "FILE",
                                .help = "write the record there (docs/BENCHMARKS.md)",
                                ORR_TAKES(FILE, bench.json)};
static const orr_option html = {.name = "html",
                                .argument = "FILE",
                                .help = "write a page with tables and charts",
                                ORR_TAKES(FILE, bench.html)};
static const orr_option quick = {.name = "quick",
                                 .help = "smaller sizes and fewer rounds: under a minute",
                                 ORR_TAKES(NONE, bench.quick)};
static const orr_option directory = {.name = "directory",
                                     .argument = "DIR",
                                     .help = "for the pipeline's files [/dev/shm]",
                                     ORR_TAKES(DIRECTORY, bench.directory)};
static const orr_option disk = {.name = "disk",
                                .argument = "DIR",
                                .help = "for the disk suite's files [/var/tmp]",
                                ORR_TAKES(DIRECTORY, bench.disk)};

const orr_command orr_cmd_bench = {
    .name = "bench",
    .synopsis = "[OPTION]... [SUITE]",
    .summary = "measure this machine",
    .details = "Times the program beside its peers, in rounds, and says what binds. Bytes are "
               "compared first: nothing that differs gets a time. Files of up to 1 GiB lie in "
               "memory when 8 GiB of it are free, else smaller ones; those of the disk suite on a "
               "disk. Nothing else should run meanwhile: the report says when something did.",
    .example = "orrery bench --quick --html report.html",
    .options = ORR_OPTIONS(&json, &html, &quick, &directory, &disk, &orr_option_device,
                           &orr_option_jobs, &orr_option_quiet),
    .operands = {{"SUITE", ORR_VALUE_CHOICE, suites}},
    .most = 1,
    .operands_needed = "one suite",
    .exit_statuses = ORR_EXIT(EXISTS) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED) | ORR_EXIT(SELF_TEST),
    .run = run,
};
