// Two wrap slots, and which of them holds the file's secret.
#include <string.h>

#include "host/job/job_internal.h"
#include "host/container/tile_read.h"

static int fits(const orr_job_file *file, const orr_file_secret *secret) {
    const orr_container *c = file->container;
    if (c->header.profile == ORR_PROFILE_PAPER) return orr_paper_fits(file, secret);
    return orr_container_fits(file->fd, &c->geometry, secret, &file->from->keys,
                              &file->from->cipher, c->header.length, file->source);
}

static orr_status fail_secret(const orr_job_file *file, orr_error *error) {
    return orr_fail(error, ORR_AUTH,
                    "%s: authenticates, but the secret in its wrap slots does not decipher it: a "
                    "hardware fault when it was written: restore a copy",
                    file->source);
}

orr_status orr_file_check_secret(const orr_job_file *file, orr_error *error) {
    if (file->container->header.profile == ORR_PROFILE_PAPER) return ORR_OK;
    switch (fits(file, &file->from->secret)) {
    case 0:
        return fail_secret(file, error);
    case -2:
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    default: // a damaged file may be wrapped anew
        return ORR_OK;
    }
}

orr_status orr_file_choose_secret(orr_job_file *file, orr_error *error) {
    orr_container *c = file->container;
    orr_side *from = file->from;
    orr_file_secret secret;
    orr_file_keys keys;
    int spare = 1 - c->active, first, second = -1;
    if (!c->planets_differ || (first = fits(file, &from->secret)) == 1) return ORR_OK;
    orr_status status =
        orr_container_open_slot(c, spare, orr_keyring_lookup, (void *)file->job->options->keyring,
                                file->source, &secret, &keys, error);
    if (status == ORR_OK) second = fits(file, &secret);
    if (status == ORR_OK && second != 1 && orr_job_stopping(file->job))
        status = orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", file->source);
    else if (status == ORR_OK && (first == -2 || second == -2))
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    else if (status == ORR_OK && second != 1)
        status = first < 0 || second < 0
                     ? orr_fail(error, ORR_AUTH,
                                "%s: its wrap slots hold two secrets, and nothing else is whole or "
                                "small enough to tell which one is right: restore a copy",
                                file->source)
                     : fail_secret(file, error);
    if (status == ORR_OK) {
        from->secret = secret;
        c->slot_wrong[c->active] = 1;
        c->slot_wrong[spare] = 0;
        c->active = spare;
    }
    orr_wipe(&secret, sizeof secret);
    orr_wipe(&keys, sizeof keys);
    return status;
}

void orr_file_note_slots(orr_job_file *file) {
    const orr_container *c = file->container;
    for (int i = 0; i < 2; i++) {
        if (c->slot_good[i] && !c->slot_wrong[i]) continue;
        file->damaged_slot = i;
        orr_job_warn(file->job,
                     "%s: wrap slot %c %s; the file opens with the other one; `orrery rewrap` "
                     "repairs it",
                     file->source, 'A' + i,
                     c->slot_good[i] ? "does not hold the file's secret" : "is damaged");
    }
}
