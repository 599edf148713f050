// A file that is restored: decrypt.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/text.h"
#include "host/job/contents.h"
#include "host/job/job_file.h"
#include "host/job/job_known.h"

#define BLOCK 4096 // what a hole is a multiple of

// Notes which restored file the path of this one leads to. ORR_CLAIM_TAKEN: that of another path of
// this job. *ours: it is of this path, and was written by this job.
static orr_claim_result claim_inode(const orr_job_file *file, const struct stat *st, int *ours) {
    orr_job *job = file->job;
    const uint64_t inode[2] = {st->st_dev, st->st_ino};
    pthread_mutex_lock(&job->lock);
    orr_claim_result result = orr_claim(&job->restored, inode, sizeof inode, file->metadata->path,
                                        file->metadata->path_length);
    *ours = result == ORR_CLAIM_SAME && orr_claim_is_marked(&job->restored, inode, sizeof inode);
    pthread_mutex_unlock(&job->lock);
    return result;
}

// The file that `st` is of was written by this job: nothing else ever gives way to another.
static void mark_inode(const orr_job_file *file, const struct stat *st) {
    orr_job *job = file->job;
    const uint64_t inode[2] = {st->st_dev, st->st_ino};
    pthread_mutex_lock(&job->lock);
    orr_claim_mark(&job->restored, inode, sizeof inode);
    pthread_mutex_unlock(&job->lock);
}

// Two paths may be one file where capitals and small letters, or two forms of an accent, are the
// same to a file system: then the second one is not restored, however alike they are.
static orr_status check_name(const orr_job_file *file, int directory, const char *name,
                             const struct stat *st, orr_error *error) {
    int ours;
    orr_claim_result claim = claim_inode(file, st, &ours);
    if (claim == ORR_CLAIM_MEMORY) return orr_file_no_memory(file, error);
    if (claim != ORR_CLAIM_TAKEN || orr_directory_lists(directory, name))
        return ORR_OK; // or a hard link, or a number used again
    return orr_fail(error, ORR_EXISTS,
                    "%s/%s: this file system gives the name to another file of this job: choose an "
                    "output that tells such names apart",
                    file->job->root.path, file->target);
}

// Of the file that was, or is to be, restored: the state of the run that goes on.
static void record(const orr_job_file *file, int fd, const struct stat *st) {
    const orr_sealed *from = file->from.sealed;
    orr_job_record(file->job, &from->seal.secret, from->container.header.file_id, fd, st,
                   file->source);
}

// Something else is at the target. It may be the file of a later copy, which is yet to be met.
static orr_status refuse(orr_job_file *file, orr_error *error, const char *why) {
    if (!file->job->second && !file->job->root.only) return orr_file_defer(file, error);
    return orr_fail(
        error, ORR_EXISTS,
        "%s: %s/%s exists and is not what would be restored (%s): move it away, or choose another "
        "output",
        file->source, file->job->root.path, file->target, why);
}

// On a worker: is the file at the target what would be restored? Size and time are not enough: the
// file of another patient may have both.
static void compare_restored(orr_job_file *file) {
    const orr_metadata *m = file->metadata;
    orr_job *job = file->job;
    struct stat st, after;
    orr_error error = {0};
    int paper = file->profile == ORR_PROFILE_PAPER, fd = file->to.plain->existing, same = 0;
    orr_status status = fstat(fd, &st) == 0 ? ORR_OK
                                            : orr_fail(&error, ORR_IO, "%s/%s: %s", job->root.path,
                                                       file->target, strerror(errno));
    if (status == ORR_OK && paper)
        status = orr_contents_compare_pages(fd, m, 0, job->paper_memory, job->stop, file->target,
                                            &same, &error);
    else if (status == ORR_OK)
        status = orr_contents_compare(fd, m->size, m, job->stop, file->target, &same, &error);
    if (status == ORR_UNSUPPORTED) status = ORR_OK; // no image that can be read: another file
    if (status == ORR_OK && !same) status = refuse(file, &error, "its contents differ");
    if (status != ORR_OK) orr_file_fail(file, &error);
    if (status != ORR_OK || file->later) return;
    file->outcome = ORR_OUT_PRESENT;
    if (fstat(fd, &after) == 0 && orr_same_time(&after.st_ctim, &st.st_ctim)) record(file, fd, &st);
}

// Whose is the file that is open as to.plain->existing? The one that this job's state names needs
// no look at its contents; one whose size differs neither.
static orr_status judge_restored(orr_job_file *file, int directory, const struct stat *st,
                                 orr_error *error) {
    const orr_metadata *m = file->metadata;
    const struct timespec mtime = {m->mtime_seconds, (long)m->mtime_nanoseconds};
    const orr_job_options *o = file->job->options;
    int paper = file->profile == ORR_PROFILE_PAPER, ours = 0;
    if (!S_ISREG(st->st_mode)) return refuse(file, error, "it is no regular file");
    int known = orr_job_knows(file->job, &file->from.sealed->seal.secret,
                              file->from.sealed->container.header.file_id, file->to.plain->existing,
                              st, file->source);
    if (file->job->second) claim_inode(file, st, &ours);
    if (ours) { // written for a copy of this file, or for an older one
        file->to.plain->supersedes = !known;
        if (known) file->outcome = ORR_OUT_SKIPPED;
        if (known) file->reason = "another copy of this very file was restored";
        return ORR_OK;
    }
    if (!paper && (uint64_t)st->st_size != m->size)
        return refuse(file, error, "its size is another");
    if (known || (o->trust_times &&
                  orr_output_time_is_held(&file->job->root, directory, &mtime, &st->st_mtim)))
        file->outcome = ORR_OUT_PRESENT;
    else
        file->at_once = compare_restored;
    return ORR_OK;
}

// An older copy of what this job restored makes room.
static orr_status give_way(const orr_job_file *file, orr_error *error) {
    const char *name;
    int directory;
    orr_status status =
        orr_output_directory(&file->job->root, file->target, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status;
    // Still the one that was looked at: anything else stays, and the naming says so.
    if (orr_is_same_file(directory, name, file->to.plain->existing)) unlinkat(directory, name, 0);
    close(directory);
    return ORR_OK;
}

static orr_status plain_look(orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    orr_plain_sink *to = file->to.plain;
    const char *name;
    struct stat st;
    int directory;
    orr_status status = orr_output_directory(&job->root, file->target, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status;
    int number = fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    if (!number && S_ISREG(st.st_mode)) {
        to->existing = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (to->existing < 0 || fstat(to->existing, &st) != 0) number = errno;
    }
    if (!number) status = judge_restored(file, directory, &st, error);
    if (status == ORR_OK && !number && !file->later && !to->supersedes)
        status = check_name(file, directory, name, &st, error);
    close(directory);
    if (status != ORR_OK || !number || number == ENOENT) return status;
    if (number == ENAMETOOLONG) return orr_output_too_long(&file->job->root, file->target, error);
    return orr_fail_errno(error, number, "%s/%s: cannot look at this: %s%s", job->root.path,
                          file->target, strerror(number), orr_errno_hint(number));
}

// Keeps the name of a file of unknown origin, for the warning when one of known origin turns up.
static int name_unknown(const orr_job_file *file) {
    const orr_metadata *m = file->metadata;
    int known = file->from.sealed->container.known_origin;
    return orr_claim_set_name(&file->job->claims, m->path, m->path_length,
                              known ? NULL : file->source);
}

// Of two files with one sealed path one of known origin is restored, else the one that was sealed
// later, whatever their names.
static orr_status claim_path(orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    const orr_metadata *m = file->metadata;
    const orr_container *c = &file->from.sealed->container;
    const orr_rank rank = {c->known_origin, m->written_seconds, m->written_nanoseconds};
    orr_claim_result claim =
        orr_claim_latest(&job->claims, m->path, m->path_length, c->header.file_id, 32, rank);
    if ((claim == ORR_CLAIM_NEW || claim == ORR_CLAIM_NEWER) && !name_unknown(file))
        return orr_file_no_memory(file, error);
    switch (claim) {
    case ORR_CLAIM_NEW:
        return ORR_OK;
    case ORR_CLAIM_SAME:
        if (job->second) return ORR_OK;
        // The other copy may turn out to be damaged.
        if (!job->options->dry_run) return orr_file_defer(file, error);
        file->outcome = ORR_OUT_SKIPPED;
        file->reason = "the same file was given before";
        return ORR_OK;
    case ORR_CLAIM_NEWER:
        orr_job_warn(job,
                     "%s: of the files that are \"%s\" by their seals this one was sealed last: it "
                     "counts, an older one does not",
                     file->source, (const char *)m->path);
        return orr_file_defer(file, error);
    case ORR_CLAIM_OLDER:
        file->outcome = ORR_OUT_SKIPPED;
        file->reason = "another file of this sealed path was sealed later: that one counts";
        return ORR_OK;
    case ORR_CLAIM_KNOWN:
        orr_job_warn_always(job,
                            "%s: is of known origin, and %s, which is \"%s\" by its seal too, is "
                            "not: this one counts, whatever their times; that one may be forged",
                            file->source, orr_claim_name(&job->claims, m->path, m->path_length),
                            (const char *)m->path);
        return orr_file_defer(file, error);
    case ORR_CLAIM_UNKNOWN:
        orr_job_warn_always(
            job,
            "%s: is of unknown origin, and another file that is \"%s\" by its seal is of known "
            "origin: that one counts, whatever their times; this one may be forged",
            file->source, (const char *)m->path);
        file->outcome = ORR_OUT_SKIPPED;
        file->reason = "another file of this sealed path is of known origin: that one counts";
        return ORR_OK;
    case ORR_CLAIM_TAKEN:
        return orr_fail(error, ORR_EXISTS,
                        "%s: another file of this job has the same path \"%s\" below the output, "
                        "and was sealed at the same time: choose another output for it",
                        file->source, (const char *)m->path);
    case ORR_CLAIM_MEMORY:
        break;
    }
    return orr_file_no_memory(file, error);
}

static int is_zero(const uint8_t *bytes, size_t count) {
    return bytes[0] == 0 && !memcmp(bytes, bytes + 1, count - 1);
}

// Writes what is not zero of a segment, in whole blocks; the last block of the file always, so that
// it gets its length.
static orr_status write_blocks(const orr_job_file *file, const orr_piece *piece, orr_error *error) {
    const uint64_t at = piece->segment * ORR_SEGMENT_BYTES;
    const size_t bytes = orr_file_segment_bytes(file, piece->segment);
    const orr_output *output = &file->to.output;
    size_t from = 0;
    orr_status status = ORR_OK;
    for (size_t i = 0; i < bytes && status == ORR_OK; i += BLOCK) {
        size_t n = bytes - i < BLOCK ? bytes - i : BLOCK;
        if (at + i + n == file->bytes || !is_zero(piece->out + i, n)) continue;
        if (i > from)
            status = orr_pwrite_all(output->fd, piece->out + from, i - from, at + from,
                                    output->shown, error);
        from = i + n;
    }
    if (status != ORR_OK || from == bytes) return status;
    return orr_pwrite_all(output->fd, piece->out + from, bytes - from, at + from, output->shown,
                          error);
}

// What jobs keep at the top of an output under these names, they read, replace and remove: what a
// seal calls so would be taken for theirs, or go. (Partial files are told by a mark.)
static orr_status check_own_names(const orr_job_file *file, orr_error *error) {
    const char *slash = strchr(file->target, '/');
    if (file->job->root.only || slash ||
        !(orr_state_is_name(file->target) || orr_journal_is_name(file->target)))
        return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: is \"%s\" by its seal, a name that jobs keep in an output for themselves: "
                    "restore it alone, with -o FILE",
                    file->source, file->target);
}

static orr_status plain_open(orr_job_file *file, orr_error *error) {
    const char *only = file->job->root.only;
    orr_plain_sink *to = file->to.plain = calloc(1, sizeof *to);
    file->target = strdup(only ? only : (const char *)file->metadata->path);
    if (to) to->existing = -1;
    if (!to || !file->target) return orr_file_no_memory(file, error);
    orr_status status = check_own_names(file, error);
    return status == ORR_OK ? claim_path(file, error) : status;
}

static orr_status plain_begin(orr_job_file *file, orr_error *error) {
    return orr_go_on_plain(file, error);
}

static orr_status plain_give(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                             orr_error *error) {
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    int sparse = file->job->options->sparse; // then nothing is reserved
    (void)worker;
    orr_status status = orr_file_output(file, sparse ? 0 : file->bytes, error);
    if (status == ORR_OK && sparse) {
        status = write_blocks(file, piece, error);
        orr_stage_lap(stages, ORR_STAGE_WRITE, &since);
        return status;
    }
    piece->io.memory = piece->out;
    piece->io.bytes = orr_file_segment_bytes(file, piece->segment);
    piece->io.offset = piece->segment * ORR_SEGMENT_BYTES;
    return status;
}

// Direct writes went to the end of the last page.
static orr_status set_length(const orr_job_file *file, orr_error *error) {
    const orr_output *output = &file->to.output;
    if (file->to.way != ORR_WAY_DIRECT || file->bytes % ORR_DIRECT_ALIGNMENT == 0 ||
        ftruncate(output->fd, (off_t)file->bytes) == 0)
        return ORR_OK;
    return orr_fail_errno(error, errno, "%s: cannot set its length: %s", output->shown,
                          strerror(errno));
}

// Brings back the time.
static orr_status plain_complete(orr_job_file *file, orr_error *error) {
    const orr_metadata *m = file->metadata;
    const struct timespec mtime = {m->mtime_seconds, (long)m->mtime_nanoseconds};
    orr_status status = orr_file_output(file, 0, error);
    if (status == ORR_OK) status = set_length(file, error);
    return status == ORR_OK ? orr_output_set_time(&file->to.output, &mtime, error) : status;
}

// Brings back the mode, and gives the name.
static orr_status plain_finish(orr_job_file *file, orr_error *error) {
    const orr_metadata *m = file->metadata;
    orr_output *output = &file->to.output;
    struct stat st;
    int ours;
    if (fstat(output->fd, &st) == 0 && claim_inode(file, &st, &ours) == ORR_CLAIM_MEMORY)
        return orr_file_no_memory(file, error);
    // Set-user-ID and the like are not brought back: the file may land with another owner.
    orr_status status = orr_output_flush(output, m->mode & 0777, error);
    orr_job_forget(file->job->options, output->fd);
    if (status == ORR_OK && file->to.plain->supersedes) status = give_way(file, error);
    if (status == ORR_OK) status = orr_output_name(output, error);
    if (status != ORR_OK) return status;
    mark_inode(file, &output->st);
    record(file, file->job->root.fd, &output->st);
    return ORR_OK;
}

static void plain_close(orr_job_file *file) {
    if (!file->to.plain) return;
    orr_job_forget(file->job->options, file->to.plain->existing);
    if (file->to.plain->existing >= 0) close(file->to.plain->existing);
    free(file->to.plain);
}

const orr_sink_kind orr_sink_plain = {.open = plain_open,
                                      .look = plain_look,
                                      .begin = plain_begin,
                                      .give = plain_give,
                                      .complete = plain_complete,
                                      .finish = plain_finish,
                                      .close = plain_close};
