// Bringing back what a damaged file of the archive profile still holds.
#ifndef ORRERY_HOST_JOB_SALVAGE_H
#define ORRERY_HOST_JOB_SALVAGE_H

#include "host/job/job_file.h"

// --salvage, after ORR_AUTH or when the source, a sealed one, cannot be read in places. Writes
// NAME.salvaged and its JSON; the file stays failed.
void orr_salvage(orr_job_file *file);

#endif
