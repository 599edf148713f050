// Encrypted files read on the CPU alone, as anybody will who wants them back.
#ifndef ORRERY_HOST_JOB_JOB_CHECK_H
#define ORRERY_HOST_JOB_JOB_CHECK_H

#include "host/job/job_run.h"

// --check cpu, of a finished output before it gets its name: opens what is open as `fd` (`shown` in
// messages) with the keyring, wants both slots, the sealed metadata and every byte of the data to
// be what was meant. ORR_SELF_TEST when they are not.
orr_status orr_check_output(const orr_job *job, int fd, const char *shown,
                            const orr_file_secret *secret, const orr_metadata *metadata,
                            orr_error *error);
// Reads all of an encrypted file that opens to this secret and these metadata, as verify does.
// *damaged: it does not verify.
orr_status orr_check_existing(const orr_job *job, int fd, const char *shown,
                              const orr_file_secret *secret, const orr_metadata *metadata,
                              int *damaged, orr_error *error);

#endif
