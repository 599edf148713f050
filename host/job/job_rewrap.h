#ifndef ORRERY_HOST_JOB_JOB_REWRAP_H
#define ORRERY_HOST_JOB_JOB_REWRAP_H

#include "host/job/job_file.h"

// rewrap, all of it, on one worker: an orr_job_file.at_once. The file has no ends: nothing is
// copied.
void orr_rewrap(orr_job_file *file);

#endif
