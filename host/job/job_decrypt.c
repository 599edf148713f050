// decrypt and verify: container -> open -> inverse cipher -> digest -> source bytes (or nothing).
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "host/job/contents.h"
#include "host/job/job_internal.h"
#include "host/paper/paper.h"
#include "base/text.h"

#define BLOCK 4096 // what a hole is a multiple of

// Notes which restored file the path of this one leads to. ORR_CLAIM_TAKEN: that of another path of
// this job.
static orr_claim_result claim_inode(const orr_job_file *file, const struct stat *st) {
    orr_job *job = file->job;
    const uint64_t inode[2] = {st->st_dev, st->st_ino};
    pthread_mutex_lock(&job->lock);
    orr_claim_result result = orr_claim(&job->restored, inode, sizeof inode, file->metadata->path,
                                        file->metadata->path_length);
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

// Is it, and of the same path as this one?
static int is_marked(const orr_job_file *file, const struct stat *st) {
    orr_job *job = file->job;
    const uint64_t inode[2] = {st->st_dev, st->st_ino};
    if (claim_inode(file, st) != ORR_CLAIM_SAME) return 0;
    pthread_mutex_lock(&job->lock);
    int marked = orr_claim_is_marked(&job->restored, inode, sizeof inode);
    pthread_mutex_unlock(&job->lock);
    return marked;
}

// Two paths may be one file where capitals and small letters, or two forms of an accent, are the
// same to a file system: then the second one is not restored, however alike they are.
static orr_status check_name(const orr_job_file *file, int directory, const char *name,
                             const struct stat *st, orr_error *error) {
    switch (claim_inode(file, st)) {
    case ORR_CLAIM_MEMORY:
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    case ORR_CLAIM_TAKEN:
        if (!orr_directory_lists(directory, name)) // else a hard link, or a number used again
            return orr_fail(error, ORR_EXISTS,
                            "%s/%s: this file system gives the name to another file of this job: "
                            "choose an output that tells such names apart",
                            file->job->root.path, file->target);
        break;
    default:
        break;
    }
    return ORR_OK;
}

// Something else is at the target. It may be the file of a later copy, which is yet to be met.
static orr_status refuse(orr_job_file *file, orr_error *error, const char *why) {
    if (!file->job->second && !file->job->root.only) return orr_job_defer(file, error);
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
    int paper = file->container->header.profile == ORR_PROFILE_PAPER, fd = file->restored_fd,
        same = 0;
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
    if (fstat(fd, &after) == 0 && after.st_ctim.tv_sec == st.st_ctim.tv_sec &&
        after.st_ctim.tv_nsec == st.st_ctim.tv_nsec)
        orr_file_record(file, &file->from->secret, file->container->header.file_id, fd, &st);
}

// Whose is the file that is open as file->restored_fd? The one that this job's state names needs no
// look at its contents; one whose size differs neither.
static orr_status judge_restored(orr_job_file *file, int directory, const struct stat *st,
                                 orr_error *error) {
    const orr_metadata *m = file->metadata;
    const struct timespec mtime = {m->mtime_seconds, (long)m->mtime_nanoseconds};
    const orr_job_options *o = file->job->options;
    int paper = file->container->header.profile == ORR_PROFILE_PAPER;
    if (!S_ISREG(st->st_mode)) return refuse(file, error, "it is no regular file");
    int known = orr_file_is_known(file, &file->from->secret, file->container->header.file_id,
                                  file->restored_fd, st);
    if (file->job->second && is_marked(file, st)) { // by a copy of this file, or by an older one
        file->supersedes = !known;
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
        file->whole = compare_restored;
    return ORR_OK;
}

orr_status orr_restored_give_way(const orr_job_file *file, orr_error *error) {
    const char *name;
    int directory;
    orr_status status =
        orr_output_directory(&file->job->root, file->target, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status;
    // Still the one that was looked at: anything else stays, and the naming says so.
    if (orr_is_same_file(directory, name, file->restored_fd)) unlinkat(directory, name, 0);
    close(directory);
    return ORR_OK;
}

orr_status orr_restored_look(orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    const char *name;
    struct stat st;
    int directory;
    if (orr_state_is_name(file->target))
        orr_state_remove(job->state); // a restored file has the name
    orr_status status = orr_output_directory(&job->root, file->target, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status;
    int number = fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    if (!number && S_ISREG(st.st_mode)) {
        file->restored_fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (file->restored_fd < 0 || fstat(file->restored_fd, &st) != 0) number = errno;
    }
    if (!number) status = judge_restored(file, directory, &st, error);
    if (status == ORR_OK && !number && !file->later && !file->supersedes)
        status = check_name(file, directory, name, &st, error);
    close(directory);
    if (status != ORR_OK || !number || number == ENOENT) return status;
    if (number == ENAMETOOLONG) return orr_output_too_long(&file->job->root, file->target, error);
    return orr_fail_errno(error, number, "%s/%s: cannot look at this: %s%s", job->root.path,
                          file->target, strerror(number), orr_errno_hint(number));
}

// What is to be verified is what the disk holds, not what memory still holds of it since it was
// written. Bytes on their way to the disk are waited for, with the error that they may meet there;
// then the system is asked to drop them. It need not: a file system in memory has them nowhere
// else.
static orr_status forget_memory(orr_job_file *file, orr_error *error) {
    orr_status status = orr_file_flush_source(file, error);
    if (status != ORR_OK) return status;
    (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
    return ORR_OK;
}

// Is this file where its seal says that it belongs? Two files of a vault that were swapped, or a
// copy under another name, open as well as ever, but as somebody else's.
static int has_sealed_name(const orr_job_file *file) {
    char link[64], place[PATH_MAX], id[65];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file->fd);
    ssize_t got = readlink(link, place, sizeof place - 1);
    const size_t suffix = sizeof ORR_SUFFIX - 1;
    if (got <= (ssize_t)suffix) return got < 0; // cannot be told
    place[got] = 0;
    size_t n = (size_t)got - suffix, path = file->metadata->path_length;
    if (strcmp(place + n, ORR_SUFFIX)) return 0;
    orr_hex(file->container->header.file_id, 32, id);
    if (n > 64 && place[n - 65] == '/' && !memcmp(place + n - 64, id, 64)) return 1;
    return n > path && place[n - path - 1] == '/' &&
           !memcmp(place + n - path, file->metadata->path, path);
}

static void check_sealed_name(const orr_job_file *file) {
    orr_job *job = file->job;
    if (has_sealed_name(file)) return;
    if (++job->summary.misnamed <= ORR_MISNAMED_SAID)
        orr_job_warn(job, "%s: is \"%s\" by its seal: it was renamed, or is another file's copy",
                     file->source, (const char *)file->metadata->path);
}

// Of two files with one sealed path the one that was sealed later is restored, whatever their
// names.
static orr_status claim_path(orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    const orr_metadata *m = file->metadata;
    switch (orr_claim_latest(&job->claims, m->path, m->path_length, file->container->header.file_id,
                             32, orr_metadata_time(m))) {
    case ORR_CLAIM_NEW:
        return ORR_OK;
    case ORR_CLAIM_SAME:
        if (job->second) return ORR_OK;
        // The other copy may turn out to be damaged.
        if (!job->options->dry_run) return orr_job_defer(file, error);
        file->outcome = ORR_OUT_SKIPPED;
        file->reason = "the same file was given before";
        return ORR_OK;
    case ORR_CLAIM_NEWER:
        orr_job_warn(job,
                     "%s: of the files that are \"%s\" by their seals this one was sealed last: it "
                     "counts, an older one does not",
                     file->source, (const char *)m->path);
        return orr_job_defer(file, error);
    case ORR_CLAIM_OLDER:
        file->outcome = ORR_OUT_SKIPPED;
        file->reason = "another file of this sealed path was sealed later: that one counts";
        return ORR_OK;
    case ORR_CLAIM_TAKEN:
        return orr_fail(error, ORR_EXISTS,
                        "%s: another file of this job has the same path \"%s\" below the output, "
                        "and was sealed in the same second: choose another output for it",
                        file->source, (const char *)m->path);
    case ORR_CLAIM_MEMORY:
        break;
    }
    return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
}

static orr_status decrypt_open(orr_job_file *file, orr_error *error) {
    const orr_job_options *o = file->job->options;
    int verify = o->verb == ORR_VERB_VERIFY, later = 0; // later: the target is looked at
    orr_status status = verify ? forget_memory(file, error) : ORR_OK;
    if (status == ORR_OK) status = orr_file_open_container(file, error);
    if (status != ORR_OK) return status;
    if (!file->job->second) check_sealed_name(file);
    const int paper = file->container->header.profile == ORR_PROFILE_PAPER;
    if (!verify) {
        later = paper && o->unauthenticated && !o->dry_run;
        file->target = strdup(file->job->root.only ? file->job->root.only
                                                   : (const char *)file->metadata->path);
        if (!file->target) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
        status = claim_path(file, error);
        if (status == ORR_OK && file->outcome == ORR_OUT_DONE && !file->later && !later)
            status = orr_restored_look(file, error);
        if (status != ORR_OK || file->outcome != ORR_OUT_DONE || file->whole || file->later)
            return status;
        if (o->dry_run) {
            file->outcome = ORR_OUT_PLANNED;
            return ORR_OK;
        }
    }
    if (paper) {
        file->whole = later ? orr_paper_release_whole : orr_paper_decrypt_whole;
        return ORR_OK;
    }
    file->segments = file->from->geometry.segments;
    file->digests = calloc(file->segments, sizeof *file->digests);
    if (!file->digests) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    return file->metadata->has_sha256 ? orr_file_sha_begin(file, error) : ORR_OK;
}

static void decrypt_front(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_error error = {0};
    for (uint32_t i = 0; i < piece->tiles; i++) {
        uint64_t n = piece->segment * ORR_SEGMENT_TILES + i;
        piece->tasks[i].rows = orr_tile_rows(&file->from->geometry, n);
        if (orr_tile_key_derive(&file->from->secret, n, &piece->tasks[i].key) != ORR_OK)
            orr_file_fail_status(file, ORR_INTERNAL, "%s: key derivation failed", file->source);
    }
    orr_stage_lap(stages, ORR_STAGE_KEYS, &since);
    if (!atomic_load(&file->failed) && orr_segment_read_open(file, piece, worker, &error) != ORR_OK)
        orr_file_fail(file, &error);
}

// A wrong digest or padding behind a right tag is no attack: memory, GPU or code failed when the
// file was made or now.
static orr_status check_segment(const orr_job_file *file, const orr_piece *piece, size_t bytes,
                                orr_error *error) {
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(piece->out, bytes));
    if (memcmp(digest.digest, file->digests[piece->segment], ORR_DIGEST_BYTES))
        return orr_fail(error, ORR_AUTH,
                        "%s: segment %llu authenticates but its content digest differs: a hardware "
                        "fault when it was written "
                        "or now; try again on another machine",
                        file->source, (unsigned long long)piece->segment);
    for (size_t i = bytes; i < piece->bytes; i++)
        if (piece->out[i])
            return orr_fail(error, ORR_AUTH, "%s: the padding of the last tile is not zero",
                            file->source);
    return ORR_OK;
}

static int is_zero(const uint8_t *bytes, size_t count) {
    return bytes[0] == 0 && !memcmp(bytes, bytes + 1, count - 1);
}

// Writes a segment, with --sparse only what is not zero, in whole blocks; the last block of the
// file always, so that it gets its length.
static orr_status write_plain(const orr_job_file *file, const orr_piece *piece, size_t bytes,
                              orr_error *error) {
    const uint64_t at = piece->segment * ORR_SEGMENT_BYTES;
    const char *shown = file->output.shown;
    size_t from = 0;
    orr_status status = ORR_OK;
    for (size_t i = 0; file->job->options->sparse && i < bytes && status == ORR_OK; i += BLOCK) {
        size_t n = bytes - i < BLOCK ? bytes - i : BLOCK;
        if (at + i + n == file->bytes || !is_zero(piece->out + i, n)) continue;
        if (i > from)
            status = orr_pwrite_all(file->output.fd, piece->out + from, i - from, at + from, shown,
                                    error);
        from = i + n;
    }
    if (status != ORR_OK || from == bytes) return status;
    return orr_pwrite_all(file->output.fd, piece->out + from, bytes - from, at + from, shown,
                          error);
}

static void decrypt_back(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    size_t bytes =
        (size_t)orr_segment_source_bytes(&file->from->geometry, file->bytes, piece->segment);
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_error error = {0};
    int sparse = file->job->options->sparse; // then nothing is reserved
    (void)worker;
    orr_status status = check_segment(file, piece, bytes, &error);
    if (status == ORR_OK && file->sha) orr_file_sha_hash(file, piece->segment, piece->out, bytes);
    orr_stage_lap(stages, ORR_STAGE_DIGEST, &since);
    if (status == ORR_OK && file->target)
        status = orr_file_output(file, sparse ? 0 : file->bytes, &error);
    if (status == ORR_OK && file->target) status = write_plain(file, piece, bytes, &error);
    if (file->target) orr_stage_lap(stages, ORR_STAGE_WRITE, &since);
    if (status != ORR_OK) orr_file_fail(file, &error);
}

orr_status orr_file_restore_commit(orr_job_file *file, orr_error *error) {
    const orr_metadata *m = file->metadata;
    struct stat st;
    const struct timespec mtime = {m->mtime_seconds, (long)m->mtime_nanoseconds};
    orr_status status = orr_output_set_time(&file->output, &mtime, error);
    if (status != ORR_OK) return status;
    if (fstat(file->output.fd, &st) == 0 && claim_inode(file, &st) == ORR_CLAIM_MEMORY)
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    // Set-user-ID and the like are not brought back: the file may land with another owner.
    status = orr_file_commit(file, m->mode & 0777, error);
    if (status == ORR_OK) {
        mark_inode(file, &file->output.st);
        orr_file_record(file, &file->from->secret, file->container->header.file_id,
                        file->job->root.fd, &file->output.st);
    }
    return status;
}

static orr_status decrypt_finish(orr_job_file *file, orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES];
    orr_file_digest(file, digest);
    if (memcmp(digest, file->metadata->digest, sizeof digest))
        return orr_fail(error, ORR_AUTH, "%s: the digest of the whole file differs", file->source);
    orr_status status = file->sha ? orr_file_sha_compare(file, error) : ORR_OK;
    if (status != ORR_OK || !file->target) return status;
    status = orr_file_output(file, 0, error);
    return status == ORR_OK ? orr_file_restore_commit(file, error) : status;
}

const orr_verb_ops orr_decrypt_ops = {decrypt_open, decrypt_front, decrypt_back, decrypt_finish,
                                      ORR_TILE_DECRYPT};
