#include "host/job/existing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rename.h"
#include "base/text.h"
#include "host/job/job_check.h"
#include "host/job/writer.h"

void orr_existing_free(orr_existing *existing) {
    if (!existing) return;
    if (existing->fd >= 0) close(existing->fd);
    free(existing->target);
    orr_metadata_free(&existing->sealed);
    orr_wipe(existing, sizeof *existing);
    free(existing);
}

orr_status orr_existing_refuse(const orr_job_file *file, orr_error *error, const char *format,
                               ...) {
    char why[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return orr_fail(error, ORR_EXISTS, "%s: %s/%s %s", file->source, file->job->root.path,
                    file->target, why);
}

// Opens the existing file at the target, -1 when there is none.
static int open_target(const orr_job_file *file, orr_status *status, orr_error *error) {
    const char *name;
    int directory, fd = -1;
    *status = orr_output_directory(&file->job->root, file->target, 0, &directory, &name, error);
    if (*status != ORR_OK || directory < 0) return -1;
    fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int number = fd < 0 ? errno : 0;
    if (number == ENAMETOOLONG)
        *status = orr_output_too_long(&file->job->root, file->target, error);
    else if (number == EACCES || number == EPERM || number == ELOOP)
        *status = orr_existing_refuse(
            file, error, "exists and cannot be read (%s): nothing was replaced", strerror(number));
    else if (number && number != ENOENT)
        *status =
            orr_fail_errno(error, number, "%s/%s: cannot look at this: %s%s", file->job->root.path,
                           file->target, strerror(number), orr_errno_hint(number));
    close(directory);
    return fd;
}

static int has_id(const orr_slot *slot, const uint8_t id[ORR_KEY_ID_BYTES]) {
    orr_wrap wrap;
    for (size_t at = 0; orr_slot_next(slot, &at, &wrap);)
        if (!memcmp(wrap.key_id, id, ORR_KEY_ID_BYTES)) return 1;
    return 0;
}

static int lacks_recipient(const orr_job_options *o, const orr_slot *slot) {
    for (size_t i = 0; i < o->recipient_count; i++)
        if (!has_id(slot, o->recipients[i].key_id)) return 1;
    return 0;
}

// Whose file is at the target? Opens it with the keyring: any key that is there will do, for after
// a rotation and before `rewrap` most of an archive is under the old one.
static orr_status open_existing(orr_job_file *file, int fd, orr_existing *existing,
                                orr_error *error) {
    const orr_job_options *o = file->job->options;
    struct stat st;
    orr_error inner = {0};
    orr_file_keys keys = {0};
    const char *with_keyring = o->writer_only ? " and -k KEYRING" : "";
    orr_container *c = calloc(1, sizeof *c);
    if (!c) return orr_file_no_memory(file, error);
    orr_status status = ORR_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || orr_is_same(&st, &file->from.st, fd)) {
        status = orr_existing_refuse(
            file, error,
            "exists and is no output of this job: move it away, or choose another "
            "output");
        goto end;
    }
    status = orr_container_read(c, fd, (uint64_t)st.st_size, "it", &inner);
    if (status == ORR_OK) existing->lacks_recipient = lacks_recipient(o, &c->slot[c->active]);
    existing->lacks_repair = status == ORR_OK && o->parity && !c->header.groups;
    if (status == ORR_OK)
        status = o->writer_only ? ORR_KEY // whatever key it names
                                : orr_container_unlock(c, orr_keyring_lookup, (void *)o->keyring,
                                                       "it", &existing->secret, &keys, &inner);
    if (status == ORR_OK)
        status = orr_container_metadata(c, fd, &keys, "it", &existing->sealed, &inner);
    existing->unknown_origin = status == ORR_OK && !c->known_origin;
    memcpy(existing->file_id, c->header.file_id, sizeof existing->file_id);
    existing->profile = c->header.profile;
    existing->unopened = status == ORR_KEY;
    // One without the magic may be damaged in it, or somebody's own: it is kept in any case.
    existing->damaged = status == ORR_AUTH || status == ORR_NOT_ORRERY;
    if (status == ORR_NOT_ORRERY && orr_has_magic(fd)) {
        status = ORR_AUTH;
        orr_fail(&inner, status, "it: its first page is no longer right");
    }
    const int encrypts = o->verb == ORR_VERB_ENCRYPT;
    const char *why = strncmp(inner.text, "it: ", 4) ? inner.text : inner.text + 4;
    if (status == ORR_NOT_ORRERY)
        orr_existing_refuse(file, error,
                            "exists and is not an encrypted file: move it away, %s%s%s",
                            encrypts ? "choose another output, or, if it was one, use "
                                       "--redo-damaged"
                                     : "or choose another output",
                            encrypts ? with_keyring : "", encrypts ? ", which keeps it aside" : "");
    else if (status == ORR_AUTH)
        orr_existing_refuse(file, error, "is damaged (%s): %s%s%s", why,
                            encrypts ? "--redo-damaged"
                                     : "`orrery repair` it, move it away, or choose another output",
                            encrypts ? with_keyring : "",
                            encrypts ? " makes it anew from its source and keeps this one aside"
                                     : "");
    else if (status == ORR_KEY)
        orr_existing_refuse(
            file, error,
            "does not open with this keyring (%s): give the one that it was made with, or "
            "choose another output",
            why);
    else if (status == ORR_UNSUPPORTED)
        orr_existing_refuse(file, error, "exists and cannot be told (%s): choose another output",
                            why);
    else if (status != ORR_OK)
        orr_fail(error, status, "%s/%s: %s", file->job->root.path, file->target, why);
    if (status != ORR_OK && status != ORR_IO && status != ORR_INTERNAL) status = ORR_EXISTS;
end:
    orr_wipe(&keys, sizeof keys);
    orr_container_free(c);
    free(c);
    return status;
}

static const char *profile_name(orr_profile profile) {
    return profile == ORR_PROFILE_PAPER ? "paper" : "archive";
}

// Whatever tells the existing file from a result of this source without looking at contents.
static orr_status compare_seals(const orr_job_file *file, const orr_existing *e, orr_error *error) {
    const orr_metadata *m = &e->sealed, *expected = file->metadata;
    if (m->path_length != expected->path_length || memcmp(m->path, expected->path, m->path_length))
        return orr_existing_refuse(
            file, error,
            "holds \"%s\", not \"%s\": it was renamed, or its input had another name "
            "then: give it its name back, or choose another output",
            (const char *)m->path, (const char *)expected->path);
    if (e->profile != file->profile)
        return orr_existing_refuse(file, error,
                                   "was encrypted in the %s profile: choose another output",
                                   profile_name(e->profile));
    if (m->size != expected->size)
        return orr_existing_refuse(
            file, error,
            "holds another state of it: %llu bytes were sealed, now there are %llu: move "
            "it away, or choose another output",
            (unsigned long long)m->size, (unsigned long long)expected->size);
    // Its digests are what somebody says who need not have had the source: they prove nothing.
    if (e->unknown_origin)
        return orr_existing_refuse(
            file, error,
            "is of unknown origin: it opens with a recipient's key alone, so anyone who has the "
            "public file can have made it, and it does not count as finished: move it away, or "
            "choose another output");
    return ORR_OK;
}

orr_status orr_existing_look(orr_job_file *file, orr_error *error) {
    const orr_metadata *m = file->metadata;
    orr_sealed_sink *to = file->to.sealed;
    orr_status status = ORR_OK;
    int fd = open_target(file, &status, error);
    if (fd < 0) return status;
    orr_existing *e = to->existing = calloc(1, sizeof *e);
    if (!e) {
        close(fd);
        return orr_file_no_memory(file, error);
    }
    e->fd = fd;
    e->target = strdup(file->target);
    if (!e->target) return orr_file_no_memory(file, error);
    status = open_existing(file, fd, e, error);
    if (e->unopened && file->job->options->writer_only)
        return file->from.kind->compare(file, error); // by this machine's records
    if (file->job->options->redo_damaged && (status == ORR_OK || e->damaged)) {
        int damaged = e->damaged;
        if (!damaged)
            status = orr_check_existing(file->job, fd, e->target, &e->secret, &e->sealed, &damaged,
                                        error);
        if (damaged) { // the file is work like any other; its name is taken at the end
            to->replaces = 1;
            return ORR_OK;
        }
    }
    if (status == ORR_OK) status = compare_seals(file, e, error);
    e->same_time = e->sealed.mtime_seconds == m->mtime_seconds &&
                   e->sealed.mtime_nanoseconds == m->mtime_nanoseconds;
    return status == ORR_OK ? file->from.kind->compare(file, error) : status;
}

orr_status orr_existing_resume(orr_job_file *file, orr_error *error) {
    char *name = NULL;
    int found = file->job->options->writer_only
                    ? orr_writer_find(file, &name)
                    : orr_resume_find(file->job->resume, file->metadata, &name);
    if (!found) return ORR_OK;
    if (!name) return orr_file_no_memory(file, error);
    file->target = name;
    orr_status status = orr_existing_look(file, error);
    const orr_sealed_sink *to = file->to.sealed;
    // The new file gets a name of its own, also where the old one has gone since the map was made.
    if (status == ORR_OK && (to->replaces || !to->existing)) {
        free(file->target);
        file->target = NULL;
    }
    return status;
}

orr_status orr_existing_put_aside(const orr_job_file *file, orr_error *error) {
    const orr_existing *e = file->to.sealed->existing;
    const char *name, *root = file->job->root.path;
    char aside[NAME_MAX + 1];
    int directory, number = EEXIST;
    orr_status status =
        orr_output_directory(&file->job->root, e->target, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status; // gone by itself
    if (!orr_is_same_file(directory, name, e->fd)) {
        close(directory);
        return orr_fail(error, ORR_EXISTS, "%s/%s: another file took its place meanwhile", root,
                        e->target);
    }
    for (int n = 1; number == EEXIST && n < 1000; n++) {
        int bytes = n == 1 ? snprintf(aside, sizeof aside, "%s" ORR_DAMAGED_SUFFIX, name)
                           : snprintf(aside, sizeof aside, "%s" ORR_DAMAGED_SUFFIX "-%d", name, n);
        if (bytes >= (int)sizeof aside)
            number = ENAMETOOLONG;
        else // under the lock of the output
            number = orr_rename_new(directory, name, aside, NULL, 1) == 0 ? 0 : errno;
    }
    close(directory);
    if (number)
        return orr_fail_errno(error, number, "%s/%s: cannot put this damaged file aside: %s", root,
                              e->target, strerror(number));
    orr_job_warn(file->job, "%s/%s: was damaged; it is %s now, and a new one takes its place", root,
                 e->target, aside);
    return ORR_OK;
}
