// Plain files that an earlier run read or restored whole, known again by their identity (state.h).
#ifndef ORRERY_HOST_JOB_JOB_KNOWN_H
#define ORRERY_HOST_JOB_JOB_KNOWN_H

#include "host/job/job_run.h"

// Is the plain file that `st` is of, on the file system of `fd` (`shown` in messages), the very one
// that was recorded for the encrypted file `id`?
int orr_job_knows(orr_job *job, const orr_file_secret *secret, const uint8_t id[32], int fd,
                  const struct stat *st, const char *shown);
// What tells the state of the plain file that `st` is of, on the file system of `fd`, from others.
void orr_job_identity_fields(orr_job *job, int fd, const struct stat *st, const char *shown,
                             uint8_t fields[ORR_IDENTITY_FIELDS]);
// Notes that the plain file that `st` is of, on the file system of `fd`, was read or written whole
// as the contents of the encrypted file `id`. Any worker.
void orr_job_record(orr_job *job, const orr_file_secret *secret, const uint8_t id[32], int fd,
                    const struct stat *st, const char *shown);

#endif
