// What of a job is finished already: the output that is there, told by its seal from one that holds
// something else, and what is said of it then.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/job/contents.h"
#include "host/job/job_internal.h"
#include "host/paper/paper.h"
#include "host/keys/secret.h"
#include "base/text.h"

orr_status orr_file_claim(orr_job_file *file, const uint8_t *path, size_t path_bytes,
                          const void *identity, size_t identity_bytes, orr_error *error) {
    switch (orr_claim(&file->job->claims, path, path_bytes, identity, identity_bytes)) {
    case ORR_CLAIM_NEW:
        return ORR_OK;
    case ORR_CLAIM_SAME:
        file->outcome = ORR_OUT_SKIPPED;
        file->reason = "the same file was given before";
        return ORR_OK;
    case ORR_CLAIM_TAKEN:
        return orr_fail(error, ORR_EXISTS,
                        "%s: another file of this job has the same path \"%.*s\" below the output: "
                        "give their common directory as the input, or choose another output",
                        file->source, (int)path_bytes, (const char *)path);
    default:
        break;
    }
    return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
}

char *orr_target_name(const orr_job *job, const char *path, const uint8_t file_id[32], int opaque) {
    char *name;
    if (job->root.only) return strdup(job->root.only);
    size_t n = opaque ? 64 : strlen(path);
    name = malloc(n + sizeof ORR_SUFFIX);
    if (!name) return NULL;
    if (opaque)
        orr_hex(file_id, 32, name);
    else
        memcpy(name, path, n);
    memcpy(name + n, ORR_SUFFIX, sizeof ORR_SUFFIX);
    return name;
}

void orr_existing_free(orr_existing *existing) {
    if (!existing) return;
    if (existing->fd >= 0) close(existing->fd);
    free(existing->target);
    orr_metadata_free(&existing->sealed);
    orr_wipe(existing, sizeof *existing);
    free(existing);
}

// "SOURCE: OUT/name is ...": why the file at the target is not the result of this source, and what
// to do.
static orr_status refuse(const orr_job_file *file, orr_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static orr_status refuse(const orr_job_file *file, orr_error *error, const char *format, ...) {
    char why[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return orr_fail(error, ORR_EXISTS, "%s: %s/%s %s", file->source, file->job->root.path,
                    file->target, why);
}

// ---- identities of plain files

static int inodes_last(orr_job *job, int fd, dev_t device, const char *shown) {
    pthread_mutex_lock(&job->lock);
    int known = job->inodes_known && job->inodes_device == device, last = job->inodes_last;
    pthread_mutex_unlock(&job->lock);
    if (known) return last;
    last = orr_inodes_last(fd);
    pthread_mutex_lock(&job->lock);
    int warn = !last && !job->inodes_warned && job->options->verb == ORR_VERB_ENCRYPT;
    job->inodes_known = 1;
    job->inodes_device = device;
    job->inodes_last = last;
    job->inodes_warned |= warn;
    pthread_mutex_unlock(&job->lock);
    if (warn)
        orr_job_warn(job,
                     "%s: this file system may give a file another inode number each time: files "
                     "count as unchanged here by size, mtime and ctime alone",
                     shown);
    return last;
}

int orr_file_is_known(orr_job_file *file, const orr_file_secret *secret, const uint8_t id[32],
                      int fd, const struct stat *st) {
    orr_identity identity;
    orr_job *job = file->job;
    if (!job->state) return 0;
    int inodes = inodes_last(job, fd, st->st_dev, file->source);
    return orr_identity_make(secret, id, st, inodes, &identity) == ORR_OK &&
           orr_state_knows(job->state, &identity);
}

void orr_file_record(orr_job_file *file, const orr_file_secret *secret, const uint8_t id[32],
                     int fd, const struct stat *st) {
    orr_identity identity;
    orr_job *job = file->job;
    if (!job->state || job->options->dry_run) return;
    int inodes = inodes_last(job, fd, st->st_dev, file->source);
    if (orr_identity_make(secret, id, st, inodes, &identity) == ORR_OK)
        orr_state_record(job->state, &identity);
}

// ---- an encrypted file at the target

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
        *status = refuse(file, error, "exists and cannot be read (%s): nothing was replaced",
                         strerror(number));
    else if (number && number != ENOENT)
        *status =
            orr_fail_errno(error, number, "%s/%s: cannot look at this: %s%s", file->job->root.path,
                           file->target, strerror(number), orr_errno_hint(number));
    close(directory);
    return fd;
}

// Whose file is at the target? Opens it with the keyring: any key that is there will do, for after
// a rotation and before `rewrap` most of an archive is under the old one.
static orr_status open_existing(orr_job_file *file, int fd, orr_existing *existing,
                                orr_error *error) {
    struct stat st;
    orr_error inner = {0};
    orr_file_keys keys = {0};
    orr_container *c = malloc(sizeof *c);
    if (!c) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    orr_status status = ORR_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || orr_is_same(&st, &file->st, fd)) {
        status = refuse(file, error,
                        "exists and is no output of this job: move it away, or choose another "
                        "output");
        goto out;
    }
    status = orr_container_read(c, fd, (uint64_t)st.st_size, "it", &inner);
    if (status == ORR_OK)
        status = orr_container_unlock(c, orr_keyring_lookup, (void *)file->job->options->keyring,
                                      "it", &existing->secret, &keys, &inner);
    if (status == ORR_OK)
        status = orr_container_metadata(c, fd, &keys, "it", &existing->sealed, &inner);
    memcpy(existing->file_id, c->header.file_id, sizeof existing->file_id);
    existing->profile = c->header.profile;
    // One without the magic may be damaged in it, or somebody's own: it is kept in any case.
    existing->damaged = status == ORR_AUTH || status == ORR_NOT_ORRERY;
    if (status == ORR_NOT_ORRERY)
        refuse(file, error,
               "exists and is not an encrypted file: move it away, choose another output, or, if "
               "it was one, use --redo-damaged, which keeps it aside");
    else if (status == ORR_AUTH)
        refuse(file, error,
               "is damaged (%s): --redo-damaged makes it anew from its source and keeps this one "
               "aside",
               inner.text);
    else if (status == ORR_KEY)
        refuse(file, error,
               "does not open with this keyring (%s): give the one that it was made with, or "
               "choose another output",
               inner.text);
    else if (status == ORR_UNSUPPORTED)
        refuse(file, error, "exists and cannot be told (%s): choose another output", inner.text);
    else if (status != ORR_OK)
        orr_fail(error, status, "%s/%s: %s", file->job->root.path, file->target, inner.text);
    if (status != ORR_OK && status != ORR_IO && status != ORR_INTERNAL) status = ORR_EXISTS;
out:
    orr_wipe(&keys, sizeof keys);
    free(c);
    return status;
}

static int same_time(const orr_metadata *a, const orr_metadata *b) {
    return a->mtime_seconds == b->mtime_seconds && a->mtime_nanoseconds == b->mtime_nanoseconds;
}

static const char *profile_name(orr_profile profile) {
    return profile == ORR_PROFILE_PAPER ? "paper" : "archive";
}

// Whatever tells the existing file from a result of this source without looking at contents.
static orr_status compare_seals(const orr_job_file *file, const orr_metadata *expected,
                                orr_profile profile, orr_error *error) {
    const orr_existing *e = file->existing;
    const orr_metadata *m = &e->sealed;
    if (m->path_length != expected->path_length || memcmp(m->path, expected->path, m->path_length))
        return refuse(file, error,
                      "holds \"%s\", not \"%s\": it was renamed, or its input had another name "
                      "then: give it its name back, or choose another output",
                      (const char *)m->path, (const char *)expected->path);
    if (e->profile != profile)
        return refuse(file, error, "was encrypted in the %s profile: choose another output",
                      profile_name(e->profile));
    if (m->size != expected->size)
        return refuse(file, error,
                      "holds another state of it: %llu bytes were sealed, now there are %llu: move "
                      "it away, or choose another output",
                      (unsigned long long)m->size, (unsigned long long)expected->size);
    return ORR_OK;
}

static const char only_touched[] = "its time is another than the sealed one, its contents are not";

// On a worker: is the source what was sealed? Whoever trusts size and time takes the file of
// another patient for this one's: exports normalise times, and all slices of a scanner have one
// size.
static void compare_contents(orr_job_file *file) {
    const orr_existing *e = file->existing;
    orr_error error = {0};
    int same = 0, touched = 0;
    orr_status status =
        e->profile == ORR_PROFILE_PAPER
            ? orr_contents_compare_pages(file->fd, &e->sealed, 1, file->job->paper_memory,
                                         file->job->stop, file->source, &same, &error)
            : orr_contents_compare(file->fd, file->bytes, &e->sealed, file->job->stop, file->source,
                                   &same, &error);
    if (status == ORR_OK) status = orr_file_check_source(file, &touched, &error);
    if (status == ORR_OK && !same)
        status = refuse(file, &error,
                        "holds other contents of the same name%s and size: move it away, or choose "
                        "another output",
                        file->touched ? "" : ", time");
    if (status != ORR_OK) {
        orr_file_fail(file, &error);
        return;
    }
    file->outcome = ORR_OUT_PRESENT;
    if (file->touched) file->reason = only_touched;
    if (!touched) orr_file_record(file, &e->secret, e->file_id, file->fd, &file->st);
}

// Nothing was renewed: who got hold of the old file's keys can read it still.
static orr_status fail_copy(const orr_job_file *file, orr_error *error) {
    return refuse(file, error,
                  "is a copy of it (the same file ID and keys), no re-encryption: choose an output "
                  "without copies of the old files");
}

// Both are sealed, so the seals are enough.
static orr_status compare_sealed(orr_job_file *file, orr_error *error) {
    const orr_metadata *a = &file->existing->sealed, *b = file->metadata;
    if (!memcmp(file->existing->file_id, file->container->header.file_id, 32))
        return fail_copy(file, error);
    if (memcmp(a->digest, b->digest, sizeof a->digest) || !same_time(a, b))
        return refuse(file, error,
                      "holds %s, of the same name and size: move it away, or choose another output",
                      same_time(a, b) ? "other contents" : "contents of another time");
    file->outcome = ORR_OUT_PRESENT;
    return ORR_OK;
}

orr_status orr_target_look(orr_job_file *file, const orr_metadata *expected, orr_profile profile,
                           orr_error *error) {
    const orr_job_options *o = file->job->options;
    orr_status status = ORR_OK;
    int fd = open_target(file, &status, error);
    if (fd < 0) return status;
    orr_existing *e = file->existing = calloc(1, sizeof *e);
    if (!e) {
        close(fd);
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    }
    e->fd = fd;
    e->target = strdup(file->target);
    if (!e->target) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    status = open_existing(file, fd, e, error);
    if (o->redo_damaged && (status == ORR_OK || e->damaged)) {
        int damaged = e->damaged;
        if (!damaged) status = orr_existing_verify(file, &damaged, error);
        if (damaged) { // the file is work like any other; its name is taken at the end
            file->replaces = 1;
            return ORR_OK;
        }
    }
    if (status == ORR_OK) status = compare_seals(file, expected, profile, error);
    if (status != ORR_OK) return status;
    if (file->container) return compare_sealed(file, error);
    file->touched = !same_time(&e->sealed, expected);
    if ((o->trust_times && !file->touched) ||
        orr_file_is_known(file, &e->secret, e->file_id, file->fd, &file->st)) {
        file->outcome = ORR_OUT_PRESENT;
        if (file->touched) file->reason = only_touched;
    } else
        file->whole = compare_contents;
    return ORR_OK;
}

orr_status orr_target_resumed(orr_job_file *file, const orr_metadata *expected, orr_profile profile,
                              orr_error *error) {
    char *name = NULL;
    if (!orr_resume_find(file->job->resume, expected, &name)) return ORR_OK;
    if (!name) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    free(file->target);
    file->target = name;
    orr_status status = orr_target_look(file, expected, profile, error);
    if (file->replaces) { // the new file gets a name of its own
        free(file->target);
        file->target = NULL;
    }
    return status;
}

// Under the lock of the output: nobody else of ours gives names here. Returns 0 or errno.
static int rename_aside(int directory, const char *from, const char *to) {
    struct stat st;
    if (syscall(SYS_renameat2, directory, from, directory, to, 1u /* RENAME_NOREPLACE */) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return errno;
    if (fstatat(directory, to, &st, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    return renameat(directory, from, directory, to) == 0 ? 0 : errno;
}

orr_status orr_existing_put_aside(const orr_job_file *file, orr_error *error) {
    char aside[NAME_MAX + 1];
    const char *name;
    int directory, number = EEXIST;
    orr_status status =
        orr_output_directory(&file->job->root, file->existing->target, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status; // gone by itself
    if (!orr_is_same_file(directory, name, file->existing->fd)) {
        close(directory);
        return orr_fail(error, ORR_EXISTS, "%s/%s: another file took its place meanwhile",
                        file->job->root.path, file->existing->target);
    }
    for (int n = 1; number == EEXIST && n < 1000; n++) {
        int bytes = n == 1 ? snprintf(aside, sizeof aside, "%s" ORR_DAMAGED_SUFFIX, name)
                           : snprintf(aside, sizeof aside, "%s" ORR_DAMAGED_SUFFIX "-%d", name, n);
        number = bytes >= (int)sizeof aside ? ENAMETOOLONG : rename_aside(directory, name, aside);
    }
    close(directory);
    if (number)
        return orr_fail_errno(error, number, "%s/%s: cannot put this damaged file aside: %s",
                              file->job->root.path, file->existing->target, strerror(number));
    orr_job_warn(file->job, "%s/%s: was damaged; it is %s now, and a new one takes its place",
                 file->job->root.path, file->existing->target, aside);
    return ORR_OK;
}
