// The walk of a job, some files ahead of the planner where it opens each by its head: storage reads
// the heads of the next files while this one's is looked at.
#ifndef ORRERY_HOST_JOB_JOB_AHEAD_H
#define ORRERY_HOST_JOB_JOB_AHEAD_H

#include "host/job/job.h"

#define ORR_AHEAD 32 // at most so many files

typedef struct orr_ahead orr_ahead;

// Up to `files` files ahead. NULL when memory ran out; `walk`, which may be NULL for the same
// reason, becomes its own.
orr_ahead *orr_ahead_open(const orr_job_options *options, unsigned files, orr_walk *walk);
// As orr_walk_next. A file's item that was `seen` has been read ahead, and verify's has been asked
// for by the storage: its error says so when what was written before did not reach that.
int orr_ahead_next(orr_ahead *ahead, orr_walk_item *item);
void orr_ahead_close(orr_ahead *ahead);

#endif
