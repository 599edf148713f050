// What is said of an encrypted file that was read to its end: was it damaged, though all of it came
// out right, and are its repair data whole?
#ifndef ORRERY_HOST_JOB_HEALTH_H
#define ORRERY_HOST_JOB_HEALTH_H

#include "host/job/job_file.h"

// Of a file that was read past damage: `verify` fails it (ORR_AUTH) and says that it can be
// repaired, the others warn. Of a whole one `verify` looks through the repair data, and warns of
// damage there, since nothing else needs them.
orr_status orr_health_finish(orr_job_file *file, orr_error *error);

#endif
