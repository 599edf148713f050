#ifndef ORRERY_HOST_JOB_JOB_REPAIR_H
#define ORRERY_HOST_JOB_JOB_REPAIR_H

#include "host/job/job_file.h"

// repair, all of it, on one worker: an orr_job_file.at_once. The file has no ends: it is mended in
// place (host/container/mend.h).
void orr_repair_file(orr_job_file *file);

#endif
