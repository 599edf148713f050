// decrypt and verify: container -> open -> inverse cipher -> digest -> source bytes (or nothing).
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "host/job_internal.h"
#include "host/paper.h"

// The paper profile restores pixels and tags, so the length may differ: the pages decide.
static int has_pages(const orr_job_file *file, int directory, const char *name) {
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int same = fd >= 0 && orr_paper_is_restored(file->metadata, fd, file->target);
    if (fd >= 0) close(fd);
    return same;
}

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

// Is the file at the target the restored one already? Size (or pages) and mtime decide: the mtime
// is set before the rename.
static orr_status look_for_output(orr_job_file *file, orr_error *error) {
    const orr_metadata *m = file->metadata;
    const char *name;
    struct stat st;
    int directory;
    orr_status status =
        orr_output_directory(&file->job->root, file->target, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status;
    int number = fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    const struct timespec mtime = {m->mtime_seconds, (long)m->mtime_nanoseconds};
    int same = !number && S_ISREG(st.st_mode) &&
               orr_output_time_is_held(&file->job->root, directory, &mtime, &st.st_mtim);
    if (same)
        same = file->container->header.profile == ORR_PROFILE_PAPER
                   ? has_pages(file, directory, name)
                   : (uint64_t)st.st_size == m->size;
    status = same ? check_name(file, directory, name, &st, error) : ORR_OK;
    close(directory);
    if (status != ORR_OK) return status;
    if (number == ENOENT || number == ENAMETOOLONG) return ORR_OK;
    if (number)
        return orr_fail(error, ORR_IO, "%s/%s: cannot look at this: %s", file->job->root.path,
                        file->target, strerror(number));
    if (same) {
        file->outcome = ORR_OUT_PRESENT;
        return ORR_OK;
    }
    return orr_fail(
        error, ORR_EXISTS,
        "%s/%s: exists and is not the restored %s: move it away, or choose another output",
        file->job->root.path, file->target, file->source);
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

static orr_status decrypt_open(orr_job_file *file, orr_error *error) {
    const orr_job_options *o = file->job->options;
    int verify = o->verb == ORR_VERB_VERIFY;
    orr_status status = verify ? forget_memory(file, error) : ORR_OK;
    if (status == ORR_OK) status = orr_file_open_container(file, error);
    if (status != ORR_OK) return status;
    if (!verify) {
        file->target = strdup(file->job->root.only ? file->job->root.only
                                                   : (const char *)file->metadata->path);
        if (!file->target) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
        status = orr_file_claim(file, file->metadata->path, file->metadata->path_length,
                                file->container->header.file_id, 32, error);
        if (status == ORR_OK && file->outcome == ORR_OUT_DONE)
            status = look_for_output(file, error);
        if (status != ORR_OK || file->outcome != ORR_OUT_DONE) return status;
        if (o->dry_run) {
            file->outcome = ORR_OUT_PLANNED;
            return ORR_OK;
        }
    }
    if (file->container->header.profile == ORR_PROFILE_PAPER) {
        file->whole = orr_paper_decrypt_whole;
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

static void decrypt_back(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    size_t bytes =
        (size_t)orr_segment_source_bytes(&file->from->geometry, file->bytes, piece->segment);
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_error error = {0};
    (void)worker;
    orr_status status = check_segment(file, piece, bytes, &error);
    if (status == ORR_OK && file->sha) orr_file_sha_hash(file, piece->segment, piece->out, bytes);
    orr_stage_lap(stages, ORR_STAGE_DIGEST, &since);
    if (status == ORR_OK && file->target) status = orr_file_output(file, file->bytes, &error);
    if (status == ORR_OK && file->target)
        status = orr_pwrite_all(file->output.fd, piece->out, bytes,
                                piece->segment * ORR_SEGMENT_BYTES, file->output.shown, &error);
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
    return orr_file_commit(file, m->mode & 0777, error);
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
