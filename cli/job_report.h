// What a job says about each file and at its end.
#ifndef ORRERY_CLI_JOB_REPORT_H
#define ORRERY_CLI_JOB_REPORT_H

#include "cli/cli.h"

#define ORR_REPORT_KEPT 1000 // failures repeated at the end; all are said when they happen
#define ORR_REPORT_SCREEN 20 // of so few files on a terminal, failures still stand there

typedef struct orr_report {
    orr_cli *cli;
    orr_verb verb;
    char *kept[ORR_REPORT_KEPT]; // "path: reason", owned
    size_t failures;             // all of them but the repeats
    size_t repeats;              // failed of what the job broke off for
    uint64_t unsealed;           // files of the paper profile that verified
    int salvage_helps;           // a file is damaged or cannot be read in places
    int salvaged;                // --salvage brought some of it back
    int altered, released;       // pixels of the paper profile; --unauthenticated wrote some
    int copy_helps;              // a file is damaged, and only a copy brings it back
} orr_report;

void orr_report_init(orr_report *report, orr_cli *cli, orr_verb verb);
void orr_report_free(orr_report *report);
// orr_job_hooks with `report` as their context.
void orr_report_file(void *report, const orr_file_event *event);
void orr_report_warning(void *report, const char *text);
void orr_report_warning_always(void *report, const char *text);
void orr_report_note(void *report, const char *text);
// How many files are of unknown origin, if any.
void orr_report_origin(orr_report *report, const orr_summary *summary);
// The last words: failures, the one line of figures, what to do next; with --json the summary.
void orr_report_end(orr_report *report, const orr_summary *summary, double seconds);

#endif
