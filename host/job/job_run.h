// One run: what all its files share, what it says, and when it ends early.
#ifndef ORRERY_HOST_JOB_JOB_RUN_H
#define ORRERY_HOST_JOB_JOB_RUN_H

#include <pthread.h>
#include <sys/stat.h>

#include "base/walk.h"
#include "host/job/claims.h"
#include "host/job/finishers.h"
#include "host/job/job.h"
#include "host/job/job_ahead.h"
#include "host/job/journal.h"
#include "host/job/output.h"
#include "host/job/resume.h"
#include "host/job/state.h"
#include "host/job/trust.h"

struct orr_job_file;

struct orr_job {
    const orr_job_options *options;
    const orr_job_hooks *hooks;
    orr_progress *progress;
    orr_stop_flag *stop;
    pthread_mutex_t lock;  // guards hooks, journal, summary, and what says so
    uint64_t paper_memory; // of one worker, for images of the paper profile in flight
    uint64_t mend_memory;  // of one worker, for repair

    // The inputs; the planner's.
    orr_ahead *ahead;
    struct orr_job_file *current; // being cut into segments
    int single;                   // one input, a regular file: its own exit status counts
    uint64_t found;               // files that may be encrypted ones
    uint64_t found_before; // of the input that is walked now, `input` when that is a directory
    const char *input;
    size_t inputs_begun;
    int second;      // the second round runs,
    char **deferred; // of these: sources and relative paths, in turn; under `lock`
    size_t deferred_count, deferred_next;

    // The outputs.
    orr_output_root root;
    orr_finishers *finishers;
    unsigned finishing_most; // files that may be with them before the next one is planned
    orr_journal *journal;
    orr_claims claims;   // paths below the output that files of this job have; the planner's
    orr_claims restored; // device and inode of restored files, and of which path; marked when they
                         // are known to be this job's; under `lock`

    // What earlier runs left.
    orr_trust trust;        // what this one takes for finished
    orr_resume_map *resume; // opaque names: which outputs hold which paths; else NULL
    orr_state *state;       // encrypt, decrypt into a directory; else NULL
    int inodes_known, inodes_last, inodes_warned; // of inodes_device; under `lock`
    atomic_int told_source, told_target;          // that contents go through the page cache
    dev_t inodes_device;

    // How it ends.
    orr_summary summary;
    orr_status last_status;  // of the last failed file; under `lock`
    unsigned seen;           // bit n: a file failed with status n; under `lock`
    atomic_int undone;       // something is left to do after a signal
    atomic_int fatal;        // no later file can succeed (disk full, device failed): plan no more
    atomic_int broke_off;    // errno of the failure that said so; 0: none
    orr_error broke;         // why the job as a whole ends; under `lock`
    unsigned unreadable_row; // sources that could not be read since the last that could; `lock`
    char *readable;          // one that could be read, or NULL; owned; under `lock`
    dev_t readable_device;
};

// Ends the job: no further file is begun, and the first such sentence is what it ends with.
void orr_job_break(orr_job *job, const orr_error *error);
void orr_job_warn(orr_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same, for who asked for details.
void orr_job_note(orr_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The same of a statement about safety, which is said whatever the options.
void orr_job_warn_always(orr_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int orr_job_stopping(const orr_job *job);
// Counts the end of a file, notes it in the journal and tells the hooks. Any worker.
void orr_job_report(orr_job *job, const orr_file_event *event);

// ---- job_break.c: failures after which every later file would fail
// Judges a failure; `device` is that of its source, or 0. Breaks the job off when no later file can
// succeed: the target is full, closed or gone, no descriptor is left, or sources cannot be read one
// after the other, of which earlier ones can no longer be read. Returns 1 when the failure only
// repeats what the job broke off for. Any worker.
int orr_job_breaks_off(orr_job *job, const orr_error *error, dev_t device);
// Remembers a source that could be read. Any worker.
void orr_job_was_read(orr_job *job, const char *source, const struct stat *st);

#endif
