// Repair data of a file that is made (docs/FORMAT.md, "Repair data").
#ifndef ORRERY_HOST_JOB_JOB_PARITY_H
#define ORRERY_HOST_JOB_JOB_PARITY_H

#include "host/job/job_run.h"

// Reads back what was written of a file whose data end at `data_end`, and writes what its header
// asks for: nothing, or repair pages and checksums. Any worker. Errors as orr_parity_write.
orr_status orr_job_write_repair(const orr_job *job, const orr_header *header, uint64_t data_end,
                                int fd, const char *shown, orr_error *error);

#endif
