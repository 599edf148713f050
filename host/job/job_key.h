// The master key that new files and new wraps are made under.
#ifndef ORRERY_HOST_JOB_JOB_KEY_H
#define ORRERY_HOST_JOB_JOB_KEY_H

#include "host/job/job_run.h"

// --to, or the active key. ORR_KEY when there is none.
orr_status orr_job_target_key(const orr_job *job, const orr_master_key **key, orr_error *error);
// The key of the keyring that a wrap names, or NULL.
const orr_master_key *orr_job_own_key(const orr_job *job, const orr_wrap *wrap);
// A recipient as one who is to open a file.
void orr_recipient_reader(const orr_recipient *recipient, orr_wrap_key *reader);
// Who is to open what the job writes: *readers, which the caller wipes and frees. ORR_KEY,
// ORR_INTERNAL.
orr_status orr_job_readers(const orr_job *job, orr_wrap_key **readers, size_t *count,
                           orr_error *error);
// Before something is written under it: is it still what it must be? Keeps the keyring as it is
// until orr_job_let_key_go(hold), which may be called twice. When the key is not, the job ends, and
// `source` with ORR_STOPPED.
orr_status orr_job_hold_key(orr_job *job, const char *source, int *hold, orr_error *error);
void orr_job_let_key_go(void *hold); // int *

#endif
