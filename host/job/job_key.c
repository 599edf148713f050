#include "host/job/job_key.h"

#include <stdlib.h>
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

const orr_master_key *orr_job_own_key(const orr_job *job, const orr_wrap *wrap) {
    const orr_keyring *keyring = job->options->keyring;
    for (size_t i = 0; i < keyring->key_count; i++)
        if (!memcmp(wrap->key_id, keyring->keys[i].id, ORR_KEY_ID_BYTES)) return &keyring->keys[i];
    return NULL;
}

void orr_recipient_reader(const orr_recipient *recipient, orr_wrap_key *reader) {
    reader->type = ORR_WRAP_RECIPIENT;
    memcpy(reader->key_id, recipient->key_id, sizeof reader->key_id);
    memcpy(reader->key, recipient->public_key, sizeof reader->key);
}

orr_status orr_job_readers(const orr_job *job, orr_wrap_key **readers, size_t *count,
                           orr_error *error) {
    const orr_job_options *o = job->options;
    const orr_master_key *key = NULL;
    *readers = NULL;
    *count = 0;
    orr_status status = o->writer_only ? ORR_OK : orr_job_target_key(job, &key, error);
    if (status != ORR_OK) return status;
    orr_wrap_key *reader = *readers = calloc(1 + o->recipient_count, sizeof *reader);
    if (!reader) return orr_fail(error, ORR_INTERNAL, "out of memory");
    if (key) {
        reader->type = ORR_WRAP_MASTER;
        memcpy(reader->key_id, key->id, sizeof reader->key_id);
        memcpy(reader->key, key->key, sizeof reader->key);
        reader++;
    }
    for (size_t i = 0; i < o->recipient_count; i++) {
        if (key && !memcmp(o->recipients[i].key_id, key->id, ORR_KEY_ID_BYTES)) continue;
        orr_recipient_reader(&o->recipients[i], reader++);
    }
    *count = (size_t)(reader - *readers);
    return ORR_OK;
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
