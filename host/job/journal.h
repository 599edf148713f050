// The journal of a job, OUT/.orrery-journal: one JSON object per line, for people and scripts that
// want to know what a stopped job had finished. Resuming looks at the outputs themselves; but a
// journal that is there means unfinished work, and `verify` says so. It holds names of outputs,
// never of sources, and no secret: what a job was to do stands there as MACs of its inputs under a
// master key, so that only a job which does all of it takes the journal away. A shard's is
// OUT/.orrery-journal-I-of-N; where one of other work is in the way, "-2" and so on is appended.
#ifndef ORRERY_HOST_JOB_JOURNAL_H
#define ORRERY_HOST_JOB_JOURNAL_H

#include "host/job/job.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_JOURNAL_NAME ".orrery-journal"

typedef struct orr_journal orr_journal;

// Opens or creates the journal of this job's work in a directory and writes a start line, which is
// on the disk when this returns. NULL with *error when it cannot be had.
orr_journal *orr_journal_open(int directory, const orr_job_options *options, orr_error *error);
// Is this the name of a journal?
int orr_journal_is_name(const char *name);
// One line for an output (`target` is raw bytes) that is finished (ORR_OK) or failed. Not
// thread-safe.
void orr_journal_file(orr_journal *journal, const char *target, uint64_t bytes, orr_status status);
// Writes an end line; or, when `status` is ORR_OK, removes the journal and those of earlier jobs
// all of whose inputs are among this job's. One that found no file at all, a mistyped path say,
// leaves no journal that it made itself. NULL is fine.
void orr_journal_close(orr_journal *journal, orr_status status, int found);
// Have jobs written into this directory?
int orr_journal_is_vault(const char *directory);
// Looks for journals beside and above `path`, in the nearest directory that jobs wrote into.
// Returns how many there are; the path of one goes to `found` (cut to `room` bytes).
unsigned orr_journal_above(const char *path, char *found, size_t room);

#ifdef __cplusplus
}
#endif

#endif
