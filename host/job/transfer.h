// A file's way from its source to its sink, the same for all verbs: opened and looked at, read and
// written segment by segment or at once, finished, reported.
#ifndef ORRERY_HOST_JOB_TRANSFER_H
#define ORRERY_HOST_JOB_TRANSFER_H

#include "host/job/job_file.h"

// Takes over a regular file that the walk found. NULL when nothing is left to do for it: it is
// reported already, or left to the second round. The planner's, who holds the one reference.
orr_job_file *orr_transfer_open(orr_job *job, orr_walk_item *item);
// Fills the next piece of it, which holds a reference; where the file is one piece (at_once) that
// is the planner's. 0: there is none, or the file failed, or the job ends.
int orr_transfer_next(orr_job_file *file, orr_piece *piece);
// The steps of a piece in the stream (stream.h). done() gives up its reference.
int orr_transfer_read(void *job, orr_piece *piece);
void orr_transfer_front(void *job, orr_piece *piece, orr_worker *worker);
int orr_transfer_back(void *job, orr_piece *piece, orr_worker *worker);
void orr_transfer_done(void *job, orr_piece *piece);
// Gives up a reference. With the last one the file is completed, and ended here or by the finishers
// (finishers.h). Any worker.
void orr_transfer_release(orr_job_file *file);
// Finishes, reports and frees a file that is complete, or failed. Any thread.
void orr_transfer_end(orr_job_file *file);

#endif
