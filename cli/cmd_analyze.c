// orrery analyze: the evidence suite (bench/evidence/) from the command line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "bench/evidence/evidence.h"
#include "cli/cli.h"
#include "cli/stop.h"

orr_library orr_evidence_module = {.file = "liborrery_evidence.so",
                                   .entry = "orr_evidence_library_get",
                                   .abi = ORR_EVIDENCE_ABI,
                                   .what = "the evidence suite",
                                   .package = "orrery",
                                   .needs = "MPFR (libmpfr-dev)"};

typedef struct analyze_view {
    orr_console *console;
    double start, last;
} analyze_view;

// A bar on a terminal, a line for each ten seconds elsewhere, status lines with --json.
static void show_progress(void *context, const char *what, double share) {
    analyze_view *view = context;
    orr_console *console = view->console;
    double now = orr_seconds();
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
        if (a->analyze.bits) {
            cJSON_AddStringToObject(cli->summary, "verdict", summary->sound ? "pass" : "fail");
            cJSON_AddStringToObject(cli->summary, "said", summary->verdict);
        }
        return;
    }
    orr_human_time(summary->seconds, elapsed);
    if (a->analyze.bits)
        orr_console_note(&cli->console, "%s: %s",
                         strcmp(a->analyze.bits, "-") == 0 ? "standard input" : a->analyze.bits,
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

static orr_status run(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    const orr_evidence_library *library = orr_library_table(&orr_evidence_module, error);
    if (!library) return ORR_UNSUPPORTED;
    double now = orr_seconds();
    analyze_view view = {&cli->console, now, now};
    orr_evidence_summary summary = {0};
    char program[64];
    snprintf(program, sizeof program, "orrery %s", orr_version());
    orr_evidence_options options = {.images = a->operands,
                                    .image_count = a->operand_count,
                                    .output = a->output,
                                    .bits = a->analyze.bits,
                                    .only = a->analyze.only,
                                    .weights = a->weights,
                                    .program = program,
                                    .quick = a->analyze.quick,
                                    .seed = a->analyze.seed,
                                    .threads = a->jobs,
                                    .stop = &orr_stop_requested,
                                    .progress = show_progress,
                                    .flawed = tell_flaw,
                                    .progress_context = &view};
    orr_status status = library->run(&options, &summary, error);
    if (cli->console.terminal && !cli->console.json) orr_console_bar(&cli->console, NULL);
    if (summary.unflushed) orr_cli_warn_unflushed(cli);
    if (status == ORR_OK) say_result(cli, &summary);
    return status;
}

static const orr_choice sections[] = {
    {.name = "images"},     {.name = "statistics"}, {.name = "differential"}, {.name = "keys"},
    {.name = "robustness"}, {.name = "timing"},     {.name = "adversarial"},  {.name = "attacks"},
    {.name = "files"},      {.name = "nist"},       {.name = "chaos"},        {.name = NULL}};

static const orr_option output = {.letter = 'o',
                                  .name = "output",
                                  .argument = "REPORTDIR",
                                  .help = "the report's directory; made anew, or empty",
                                  ORR_TAKES(DIRECTORY, output)};
static const orr_option seed = {.name = "seed",
                                .argument = "N",
                                .help = "of keys, noise and chosen texts [1]",
                                ORR_TAKES(COUNT, analyze.seed),
                                .most = UINT64_MAX};
static const orr_option only = {.name = "only",
                                .argument = "LIST",
                                .help = "sections, apart by commas, as in keys,attacks",
                                ORR_TAKES(LIST, analyze.only),
                                .choices = sections};
static const orr_option weights = {.name = "weights",
                                   .argument = "FILE",
                                   .help = "safetensors of the discriminator to attack",
                                   ORR_TAKES(FILE, weights)};
static const orr_option bits = {.name = "bits",
                                .argument = "FILE",
                                .help = "only NIST SP 800-22, on the bits of FILE",
                                ORR_TAKES(FILE, analyze.bits),
                                .dash = 1};
static const orr_option quick = {.name = "quick",
                                 .help = "fewer trials, smaller attacks: under a minute",
                                 ORR_TAKES(NONE, analyze.quick)};

const orr_command orr_cmd_analyze = {
    .name = "analyze",
    .synopsis = "[OPTION]... [IMAGE...] -o REPORTDIR",
    .summary = "measure and attack the cipher; write a report",
    .details = "Measures the cipher of both profiles on the images (without any: on drawn "
               "phantoms), attacks it, and writes REPORTDIR/report.html and report.json: our "
               "values beside the published ones, the ideal and the critical values. Images "
               "are PNG, JPEG or TIFF. A full run takes some minutes.\n\n"
               "--bits FILE (- for standard input) asks instead whether a file looks random: "
               "the tests of NIST SP 800-22 and a verdict, on its bytes or, where it is text "
               "of the digits 0 and 1 alone, on a bit for each. It takes a million bits or "
               "more. Passing is no evidence of security; what fails is a finding, not an "
               "error.",
    .example = "orrery analyze scan.tif -o report/",
    .options = ORR_OPTIONS(&output, &orr_option_jobs, &seed, &only, &weights, &bits, &quick,
                           &orr_option_json, &orr_option_quiet),
    .required = {&output},
    .operands = {{"IMAGE", ORR_VALUE_FILE, NULL}},
    .most = SIZE_MAX,
    .operands_needed = "images",
    .exit_statuses = ORR_EXIT(EXISTS) | ORR_EXIT(IO) | ORR_EXIT(UNSUPPORTED),
    .run = run,
};
