// Which of what the walk finds is work.
#ifndef ORRERY_HOST_JOB_JOB_INPUTS_H
#define ORRERY_HOST_JOB_JOB_INPUTS_H

#include "host/job/job_run.h"

// Stable over runs and machines: does this path belong to the part of a divided job that this one
// does?
int orr_job_selected(const orr_job_options *options, const char *relative);
// Is this regular file an input by its name, or because the user named it?
int orr_job_is_named_input(const orr_job_options *options, const orr_walk_item *item);
// Is it a name that --names opaque gives: the hexadecimal digits of a file's ID?
int orr_job_is_opaque_name(const char *name);
// A new input begins with this item, or the last one has ended: one that is a directory without any
// file may be an unmounted disk. Where there are several, that is a failure of `encrypt` and a
// warning of the other verbs; of a single one the exit status tells.
void orr_job_begin_input(orr_job *job, const orr_walk_item *item);
void orr_job_end_of_input(orr_job *job);
// Notes the journals above the inputs: a part of an unfinished archive is verified.
void orr_job_look_above(orr_job *job);
// Reports an item that is not work. Returns 1 when it was one.
int orr_job_not_work(orr_job *job, const orr_walk_item *item);
// Leaves a file to a second round, when all others are through. ORR_INTERNAL when memory ran out.
// Any worker.
orr_status orr_job_defer(orr_job *job, const char *source, const char *relative, orr_error *error);
// The next file of the second round; 0: no more.
int orr_job_next_deferred(orr_job *job, orr_walk_item *item);

#endif
