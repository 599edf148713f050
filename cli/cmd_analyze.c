// orrery analyze: the evidence suite (bench/evidence/) from the command line.
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bench/evidence/evidence.h"
#include "cli/cli.h"
#include "cli/stop.h"

typedef struct analyze_view {
    orr_console *console;
    double start, last;
} analyze_view;

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// A bar on a terminal, a line for each ten seconds elsewhere, status lines with --json.
static void show_progress(void *context, const char *what, double share) {
    analyze_view *view = context;
    orr_console *console = view->console;
    double now = seconds_now();
    char text[320], elapsed[24];
    orr_human_time(now - view->start, elapsed);
    if (console->json) {
        cJSON *object = orr_json_message("status");
        cJSON_AddStringToObject(object, "step", what);
        cJSON_AddNumberToObject(object, "share_done", share);
        cJSON_AddNumberToObject(object, "seconds_elapsed", (double)(long)(now - view->start));
        orr_console_json(console, object);
        return;
    }
    if (console->quiet) return;
    snprintf(text, sizeof text, "%3.0f %%  %s  %s", 100 * share, elapsed, what);
    if (console->terminal) {
        char shown[79];
        orr_text_escape(text, shown, sizeof shown);
        orr_console_bar(console, shown);
    } else if (now - view->last >= 10) {
        orr_console_note(console, "%s", text);
        view->last = now;
    }
}

static void tell_flaw(void *context, const char *path, const char *flaw) {
    analyze_view *view = context;
    orr_console_warn(view->console, 0, "%s: taken, though %s", path, flaw);
}

static void say_result(orr_cli *cli, const orr_evidence_summary *summary) {
    const orr_arguments *a = &cli->arguments;
    char elapsed[24];
    if (cli->console.json) {
        cli->summary = orr_json_message("summary");
        cJSON_AddStringToObject(cli->summary, "report", a->output);
        cJSON_AddNumberToObject(cli->summary, "findings", (double)summary->findings);
        cJSON_AddNumberToObject(cli->summary, "passed", (double)summary->passed);
        cJSON_AddNumberToObject(cli->summary, "failed", (double)summary->failed);
        cJSON_AddNumberToObject(cli->summary, "failed_controls", (double)summary->failed_controls);
        if (a->bits_file) {
            cJSON_AddStringToObject(cli->summary, "verdict", summary->sound ? "pass" : "fail");
            cJSON_AddStringToObject(cli->summary, "said", summary->verdict);
        }
        return;
    }
    orr_human_time(summary->seconds, elapsed);
    if (a->bits_file)
        orr_console_note(&cli->console, "%s: %s",
                         strcmp(a->bits_file, "-") == 0 ? "standard input" : a->bits_file,
                         summary->verdict);
    else if (summary->findings == 0)
        orr_console_note(&cli->console, "done in %s: these sections show, and measure nothing",
                         elapsed);
    else
        orr_console_note(&cli->console,
                         "%zu findings in %s: %zu passed, %zu failed (%zu of them of controls that "
                         "are there to fail)",
                         summary->findings, elapsed, summary->passed, summary->failed,
                         summary->failed_controls);
    orr_console_note(&cli->console, "the report is %s/report.html; it says what the fails mean",
                     a->output);
    orr_console_note(&cli->console,
                     "passing these measures is a check for bugs, not evidence of security");
}

orr_status orr_cmd_analyze(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    double now = seconds_now();
    analyze_view view = {&cli->console, now, now};
    orr_evidence_summary summary = {0};
    orr_evidence_options options = {.images = a->operands,
                                    .image_count = a->operand_count,
                                    .output = a->output,
                                    .bits = a->bits_file,
                                    .only = a->only,
                                    .weights = a->attacked,
                                    .program = "orrery " ORR_VERSION,
                                    .quick = a->quick,
                                    .seed = a->run_seed,
                                    .threads = a->jobs,
                                    .stop = &orr_stop_requested,
                                    .progress = show_progress,
                                    .flawed = tell_flaw,
                                    .progress_context = &view};
    orr_status status = orr_evidence_run(&options, &summary, error);
    if (cli->console.terminal && !cli->console.json) orr_console_bar(&cli->console, NULL);
    if (status == ORR_OK) say_result(cli, &summary);
    return status;
}
