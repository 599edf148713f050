#include "host/job/job_key.h"

#include <string.h>

orr_status orr_job_target_key(const orr_job *job, const orr_master_key **key, orr_error *error) {
    const orr_job_options *o = job->options;
    if (!o->has_to) return orr_keyring_active(o->keyring, key, error);
    for (size_t i = 0; i < o->keyring->key_count; i++) {
        if (memcmp(o->keyring->keys[i].id, o->to_key, ORR_KEY_ID_BYTES)) continue;
        *key = &o->keyring->keys[i];
        return (*key)->state != ORR_KEY_DESTROYED
                   ? ORR_OK
                   : orr_fail(error, ORR_KEY, "the key given with --to is destroyed");
    }
    return orr_fail(error, ORR_KEY, "the key given with --to is not in the keyring");
}

orr_status orr_job_hold_key(orr_job *job, const char *source, int *hold, orr_error *error) {
    orr_key_watch *watch = job->options->watch;
    const char *warning = NULL;
    orr_error why = {0};
    *hold = -1;
    orr_status status = watch ? orr_key_watch_hold(watch, job->stop, hold, &warning, &why) : ORR_OK;
    if (warning) orr_job_warn(job, "%s", warning);
    if (status == ORR_OK) return ORR_OK;
    if (status != ORR_STOPPED) orr_job_break(job, &why);
    return orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", source);
}

void orr_job_let_key_go(void *hold) {
    orr_key_watch_release(*(int *)hold);
    *(int *)hold = -1;
}
