#include "host/job/job_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "host/container/content_digest.h"
#include "host/job/job_inputs.h"
#include "host/job/job_mode.h"

orr_job_file *orr_file_new(orr_job *job, const orr_source_kind *from, const orr_sink_kind *to,
                           orr_walk_item *item) {
    orr_job_file *file = calloc(1, sizeof *file);
    if (!file) return NULL;
    file->job = job;
    file->source = item->source;
    file->relative = item->relative;
    file->from =
        (orr_source){.kind = from, .fd = item->fd, .st = item->st, .forgotten = item->seen};
    file->to = (orr_sink){.kind = to, .output.fd = -1, .go_on.unfinished.fd = -1};
    item->source = item->relative = NULL;
    item->fd = -1;
    clock_gettime(CLOCK_REALTIME, &file->from.opened);
    file->bytes = (uint64_t)file->from.st.st_size;
    file->outcome = ORR_OUT_DONE;
    atomic_init(&file->refs, 1);
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->turn, NULL);
    return file;
}

void orr_file_free(orr_job_file *file) {
    if (file->to.output_begun) orr_output_abort(&file->to.output);
    if (file->to.kind && file->to.kind->close) file->to.kind->close(file);
    if (file->to.go_on.unfinished.fd >= 0) close(file->to.go_on.unfinished.fd);
    if (file->from.fd >= 0) orr_file_forget_source(file);
    if (file->from.fd >= 0) close(file->from.fd);
    if (file->from.sealed) orr_sealed_close(file->from.sealed);
    free(file->from.sealed);
    if (file->metadata) orr_metadata_free(file->metadata);
    free(file->metadata);
    free(file->digests);
    EVP_MD_CTX_free(file->sha);
    free(file->source);
    free(file->relative);
    free(file->target);
    free(file->salvaged);
    free(file->released);
    pthread_mutex_destroy(&file->lock);
    pthread_cond_destroy(&file->turn);
    free(file);
}

void orr_file_fail(orr_job_file *file, const orr_error *error) {
    pthread_mutex_lock(&file->lock);
    int first = file->error.status == ORR_OK;
    pthread_mutex_unlock(&file->lock);
    int repeats = first && orr_job_breaks_off(file->job, error, file->from.st.st_dev);
    pthread_mutex_lock(&file->lock);
    if (file->error.status == ORR_OK) {
        file->error = *error;
        file->repeats = repeats;
    }
    // A failure must not pass for success because nobody gave its reason.
    if (file->error.status == ORR_OK)
        orr_fail(&file->error, ORR_INTERNAL, "%s: failed, for no known reason", file->source);
    atomic_store(&file->failed, 1);
    pthread_cond_broadcast(&file->turn);
    pthread_mutex_unlock(&file->lock);
    if (error->status == ORR_SELF_TEST) atomic_store(&file->job->fatal, 1);
}

int orr_file_is_stopped(orr_job_file *file) {
    orr_error error = {0};
    if (!orr_job_stopping(file->job)) return 0;
    orr_fail(&error, ORR_STOPPED, "%s: stopped before it was finished", file->source);
    orr_file_fail(file, &error);
    return 1;
}

orr_status orr_file_no_memory(const orr_job_file *file, orr_error *error) {
    return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
}

int orr_file_is_seen(const orr_job_file *file) {
    return !file->from.sealed || file->to.kind != &orr_sink_sealed;
}

#define OVERLAYFS 0x794c7630

static orr_status flush_source(int fd, const char *shown, orr_error *error) {
    const unsigned flush =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    struct statfs fs;
    // An overlay has its pages in a file of another file system, which only this reaches.
    int layered = fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAYFS;
    int failed = layered ? fdatasync(fd) != 0 : sync_file_range(fd, 0, 0, flush) != 0;
    if (failed && (errno == EIO || errno == ENOSPC || errno == EDQUOT))
        return orr_fail_source(error, errno,
                               "%s: what was written here did not reach its storage: %s", shown,
                               strerror(errno));
    return ORR_OK;
}

orr_status orr_file_flush_source(const orr_job_file *file, orr_error *error) {
    return flush_source(file->from.fd, file->source, error);
}

orr_status orr_source_forget(int fd, const char *shown, orr_error *error) {
    orr_status status = flush_source(fd, shown, error);
    if (status == ORR_OK) (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return status;
}

orr_status orr_file_defer(orr_job_file *file, orr_error *error) {
    orr_status status = orr_job_defer(file->job, file->source, file->relative, error);
    file->later = status == ORR_OK;
    return status;
}

orr_status orr_file_output(orr_job_file *file, uint64_t bytes, orr_error *error) {
    orr_sink *to = &file->to;
    orr_status status = ORR_OK;
    pthread_mutex_lock(&file->lock);
    if (!to->output_begun) {
        status = orr_job_make_place(file->job, file->source, file->target, error);
        if (status == ORR_OK)
            status = orr_output_begin_unfinished(&to->output, &file->job->root, file->target,
                                                 &to->go_on.unfinished, error);
        to->output_begun = status == ORR_OK;
        if (status == ORR_OK && to->kind->start) status = to->kind->start(file, error);
        if (status == ORR_OK) status = orr_file_begin_output(file, bytes, error);
        if (status == ORR_OK) status = orr_output_set_length(&to->output, bytes, error);
    }
    pthread_mutex_unlock(&file->lock);
    return status;
}

const orr_geometry *orr_file_geometry(const orr_job_file *file) {
    return file->from.sealed ? &file->from.sealed->seal.geometry : &file->to.sealed->seal.geometry;
}

size_t orr_file_segment_bytes(const orr_job_file *file, uint64_t segment) {
    return (size_t)orr_segment_source_bytes(orr_file_geometry(file), file->bytes, segment);
}

void orr_file_digest(const orr_job_file *file, uint8_t digest[ORR_DIGEST_BYTES]) {
    orr_content_digest_of(file->digests, file->segments * ORR_DIGEST_BYTES, digest);
}

orr_status orr_file_sha_begin(orr_job_file *file, orr_error *error) {
    file->sha = EVP_MD_CTX_new();
    if (!file->sha || !EVP_DigestInit_ex(file->sha, EVP_sha256(), NULL))
        return orr_file_no_memory(file, error);
    return ORR_OK;
}

void orr_file_sha_hash(orr_job_file *file, uint64_t segment, const uint8_t *data, size_t bytes) {
    pthread_mutex_lock(&file->lock);
    while (file->sha_next != segment && !atomic_load(&file->failed))
        pthread_cond_wait(&file->turn, &file->lock);
    int turn = file->sha_next == segment;
    pthread_mutex_unlock(&file->lock);
    if (!turn) return;
    EVP_DigestUpdate(file->sha, data, bytes);
    pthread_mutex_lock(&file->lock);
    file->sha_next++;
    pthread_cond_broadcast(&file->turn);
    pthread_mutex_unlock(&file->lock);
}

orr_status orr_file_sha_end(orr_job_file *file, uint8_t sha256[32], orr_error *error) {
    return EVP_DigestFinal_ex(file->sha, sha256, NULL)
               ? ORR_OK
               : orr_fail(error, ORR_INTERNAL, "%s: SHA-256 failed", file->source);
}
