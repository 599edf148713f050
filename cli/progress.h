// Shows how far a job is: a bar on a terminal, a line a minute elsewhere, status lines with --json.
#ifndef ORRERY_CLI_PROGRESS_H
#define ORRERY_CLI_PROGRESS_H

#include "cli/console.h"
#include "host/job/job.h"

#ifdef __cplusplus
extern "C" {
#endif

// What a job has done at one moment, and at what speed.
typedef struct orr_progress_view {
    uint64_t done_bytes, total_bytes, done_files, total_files, failed_files, present_files,
        skipped_files;
    int counted;      // the totals are final
    double elapsed;   // seconds
    double rate;      // bytes a second, of the last ten seconds or so
    double remaining; // seconds; negative: unknown
} orr_progress_view;

typedef struct orr_ticker orr_ticker;

// Starts a thread that reads `progress` until orr_ticker_stop. With -q it shows nothing. NULL when
// no thread can be had: the job then runs without display.
orr_ticker *orr_ticker_start(orr_console *console, const char *verb, orr_progress *progress);
void orr_ticker_stop(orr_ticker *ticker); // NULL is fine

// The bar for a terminal `columns` wide: at most columns - 1 characters. (For tests too.)
void orr_progress_bar(const orr_progress_view *view, const char *verb, unsigned columns, char *out,
                      size_t out_bytes);

#ifdef __cplusplus
}
#endif
#endif
