// The master key that new files and new wraps are made under.
#ifndef ORRERY_HOST_JOB_JOB_KEY_H
#define ORRERY_HOST_JOB_JOB_KEY_H

#include "host/job/job_run.h"

// --to, or the active key. ORR_KEY when there is none.
orr_status orr_job_target_key(const orr_job *job, const orr_master_key **key, orr_error *error);
// Before something is written under it: is it still what it must be? Keeps the keyring as it is
// until orr_job_let_key_go(hold), which may be called twice. When the key is not, the job ends, and
// `source` with ORR_STOPPED.
orr_status orr_job_hold_key(orr_job *job, const char *source, int *hold, orr_error *error);
void orr_job_let_key_go(void *hold); // int *

#endif
