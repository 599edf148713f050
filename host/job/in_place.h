// Files that a verb changes in place: rewrap, repair.
#ifndef ORRERY_HOST_JOB_IN_PLACE_H
#define ORRERY_HOST_JOB_IN_PLACE_H

#include "host/job/job_file.h"

// Opens the file's source again for reading and writing, and locks it against another run that
// changes it. Returns the descriptor, or -1 with ORR_IO in *error.
int orr_in_place_open(const orr_job_file *file, orr_error *error);

#endif
