// The paper profile inside a job: whole image files, one at a time on each worker (host/paper/paper.h
// does the work). A worker reads and writes; the job's backend enciphers the pages, several at
// once.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/job/contents.h"
#include "host/paper/image.h"
#include "host/job/job_internal.h"
#include "host/paper/paper.h"
#include "base/text.h"

#define RELEASED_MODE 0600
#define RELEASED_SUFFIX ".unauthenticated.tif"

// Each worker has its share of the job's memory.
static orr_paper_means means_of(const orr_job_file *file) {
    return (orr_paper_means){.backend = file->job->options->backend,
                             .memory = file->job->paper_memory,
                             .stop = file->job->stop};
}

static void request_init(const orr_job_file *file, orr_metadata *metadata,
                         orr_paper_request *request) {
    *request = (orr_paper_request){.name = file->source,
                                   .rule = file->header.rule,
                                   .k2 = file->header.k2,
                                   .secret = &file->to->secret,
                                   .slot = &file->slot,
                                   .file_id = file->header.file_id,
                                   .metadata = metadata,
                                   .means = means_of(file)};
}

static orr_status commit(orr_job_file *file, const orr_metadata *metadata, orr_error *error) {
    orr_status status =
        file->job->options->check_cpu ? orr_file_check_cpu(file, metadata, error) : ORR_OK;
    if (status != ORR_OK) return status;
    return orr_file_commit(file, orr_file_sealed_mode(file), error);
}

static void finish(orr_job_file *file, orr_status status, const orr_error *error) {
    if (status != ORR_OK) orr_file_fail(file, error);
    atomic_fetch_add(&file->job->progress->done_bytes, file->bytes);
}

static int stopped(orr_job_file *file) {
    if (!orr_job_stopping(file->job)) return 0;
    orr_file_fail_status(file, ORR_STOPPED, "%s: stopped before it was finished", file->source);
    return 1;
}

// SHA-256 of the source: the image reader does not see the file's bytes in order.
static orr_status hash_source(const orr_job_file *file, uint8_t sha256[32], orr_error *error) {
    uint8_t *buffer = malloc(1 << 20);
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    orr_status status = buffer && sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL)
                            ? ORR_OK
                            : orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    for (uint64_t at = 0; status == ORR_OK && at < file->bytes; at += 1 << 20) {
        size_t n = file->bytes - at < 1 << 20 ? (size_t)(file->bytes - at) : 1 << 20;
        status = orr_read_source(file->fd, buffer, n, at, file->source, error);
        if (status == ORR_OK) EVP_DigestUpdate(sha, buffer, n);
        if (status == ORR_OK && orr_stopped(file->job->stop))
            status =
                orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", file->source);
    }
    if (status == ORR_OK) EVP_DigestFinal_ex(sha, sha256, NULL);
    EVP_MD_CTX_free(sha);
    orr_wipe(buffer, 1 << 20);
    free(buffer);
    return status;
}

// Is the source still what was sealed? Reads all of it again.
static orr_status compare_source(const orr_job_file *file, const orr_paper_request *request,
                                 orr_error *error) {
    const orr_metadata *m = file->metadata;
    uint8_t sha256[32];
    int same = 1;
    orr_status status = m->has_sha256 ? hash_source(file, sha256, error) : ORR_OK;
    if (status == ORR_OK && m->has_sha256) same = !memcmp(sha256, m->sha256, sizeof sha256);
    if (status == ORR_OK && same)
        status = orr_contents_compare_pages(file->fd, request->metadata, 1, request->means.memory,
                                            request->means.stop, file->source, &same, error);
    if (status == ORR_UNSUPPORTED) status = ORR_OK; // no image any more: another one
    return status == ORR_OK && !same ? orr_file_fail_changed(file, error) : status;
}

void orr_paper_encrypt_whole(orr_job_file *file) {
    orr_paper_request request;
    orr_error error = {0};
    int touched;
    if (stopped(file)) return;
    request_init(file, file->metadata, &request);
    orr_status status =
        file->metadata->has_sha256 ? hash_source(file, file->metadata->sha256, &error) : ORR_OK;
    if (status == ORR_OK) status = orr_file_output(file, 0, &error);
    if (status == ORR_OK) status = orr_paper_encrypt(&request, file->fd, file->output.fd, &error);
    if (status == ORR_OK) status = orr_file_check_source(file, &touched, &error);
    // Its inode changed: a new name or mode, or other contents whose time was set back.
    if (status == ORR_OK && touched) status = compare_source(file, &request, &error);
    if (status == ORR_OK) status = commit(file, file->metadata, &error);
    if (status == ORR_OK && !touched)
        orr_file_record(file, &file->to->secret, file->header.file_id, file->fd, &file->st);
    finish(file, status, &error);
}

static orr_status restore(orr_job_file *file, int fd, orr_error *error) {
    orr_paper_means means = means_of(file);
    means.altered = &file->altered;
    return orr_paper_decrypt(file->container, &file->from->secret, file->metadata, &means, file->fd,
                             fd, file->source, error);
}

void orr_paper_decrypt_whole(orr_job_file *file) {
    orr_error error = {0};
    if (stopped(file)) return;
    orr_status status = file->target ? orr_file_output(file, 0, &error) : ORR_OK;
    if (status == ORR_OK) status = restore(file, file->target ? file->output.fd : -1, &error);
    if (status == ORR_OK && file->target) status = orr_file_restore_commit(file, &error);
    finish(file, status, &error);
}

// Is the name free that altered pixels get? Asked before they are written.
static orr_status look_for_released(const orr_job_file *file, const char *released,
                                    orr_error *error) {
    const char *name, *root = file->job->root.path;
    struct stat st;
    int directory;
    orr_status status =
        orr_output_directory(&file->job->root, released, 0, &directory, &name, error);
    if (status != ORR_OK) return status;
    const char *slash = strrchr(released, '/');
    int number = strlen(slash ? slash + 1 : released) > NAME_MAX ? ENAMETOOLONG : ENOENT;
    if (directory >= 0) {
        number = fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? EEXIST : errno;
        close(directory);
    }
    if (number == ENOENT) return ORR_OK;
    if (number == EEXIST)
        return orr_fail(error, ORR_EXISTS, "%s/%s exists: move it away, or choose another output",
                        root, released);
    if (number == ENAMETOOLONG)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s/%.200s...: with \"%s\" this name is longer than its file system takes: "
                        "give -o a file with a shorter name",
                        root, released, RELEASED_SUFFIX);
    return orr_fail_errno(error, number, "%s/%s: cannot look at this: %s%s", root, released,
                          strerror(number), orr_errno_hint(number));
}

// --unauthenticated: the altered pixels get a name that says what they are. The file stays failed.
static void release(orr_job_file *file) {
    orr_error error = {0};
    size_t length = strlen(file->target);
    char *released = malloc(length + sizeof RELEASED_SUFFIX), *target = file->target;
    orr_status status =
        released ? ORR_OK : orr_fail(&error, ORR_INTERNAL, "%s: out of memory", file->source);
    if (released) {
        memcpy(released, target, length);
        memcpy(released + length, RELEASED_SUFFIX, sizeof RELEASED_SUFFIX);
        status = look_for_released(file, released, &error);
    }
    if (status == ORR_OK) {
        file->target = released;
        status = orr_file_output(file, 0, &error);
        file->target = target;
    }
    if (status == ORR_OK) {
        status = restore(file, file->output.fd, &error);
        if (status == ORR_OK)
            status = orr_fail(&error, ORR_IO, "%s: changed while it was read", file->source);
        else if (status == ORR_AUTH)
            status = orr_output_commit(&file->output, RELEASED_MODE, &error);
    }
    if (status == ORR_OK) {
        orr_job_warn(file->job,
                     "%s: was altered; its pixels are in %s/%s, and nothing vouches for them",
                     file->source, file->job->root.path, released);
        file->released = released;
        return;
    }
    orr_job_warn(file->job, "%s: was altered, and its pixels were not written: %s", file->source,
                 error.text);
    free(released);
}

// With --unauthenticated the pixels decide which name is to be written: they are deciphered first,
// and then what is at that name is looked at.
void orr_paper_release_whole(orr_job_file *file) {
    orr_error error = {0};
    if (stopped(file)) return;
    orr_status status = restore(file, -1, &error);
    if (status == ORR_AUTH && file->altered) release(file);
    if (status == ORR_OK) status = orr_restored_look(file, &error);
    if (status != ORR_OK || file->later || file->outcome == ORR_OUT_PRESENT)
        finish(file, status, &error);
    else if (file->whole != orr_paper_release_whole)
        file->whole(file); // compares what is there
    else
        orr_paper_decrypt_whole(file);
}

static uint64_t plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// Re-encryption holds the restored image in memory, which counts: *held is the most that it may
// take. Compression of noise makes it longer, by less than a half. ORR_UNSUPPORTED when the
// worker's share has no room for it and the largest page beside it.
static orr_status held_memory(const orr_job_file *file, uint64_t *held, orr_error *error) {
    const orr_metadata *m = file->metadata;
    uint64_t share = file->job->paper_memory, page = 0;
    orr_image image = {0};
    orr_status status =
        orr_image_record_decode(&image, m->paper, m->paper_length, file->source, error);
    if (status != ORR_OK) return status;
    *held = 2 * m->paper_length + ORR_PAGE;
    for (uint32_t n = 0; n < image.page_count; n++) {
        const orr_image_page *p = &image.pages[n];
        uint64_t bytes = orr_page_bytes(p), need = orr_page_memory(p);
        *held = plus(*held, p->compression == 1 ? bytes : plus(bytes, bytes / 2));
        if (need > page) page = need;
    }
    orr_image_free(&image);
    if (plus(*held, page) <= share) return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: re-encryption holds the restored image in memory, up to %llu MiB, and "
                    "needs %llu MiB beside it; --mem divided by -j gives %llu MiB: raise --mem, "
                    "lower -j, or decrypt and encrypt",
                    file->source, (unsigned long long)(*held >> 20),
                    (unsigned long long)(page >> 20), (unsigned long long)(share >> 20));
}

// The restored image passes through anonymous memory, never through a file.
void orr_paper_reencrypt_whole(orr_job_file *file) {
    orr_paper_means means = means_of(file);
    orr_paper_request request;
    orr_error error = {0};
    uint64_t held = 0;
    orr_metadata *metadata = malloc(sizeof *metadata);
    if (stopped(file)) {
        free(metadata);
        return;
    }
    int memory = memfd_create("orrery", MFD_CLOEXEC);
    orr_status status = memory >= 0 && metadata
                            ? ORR_OK
                            : orr_fail(&error, ORR_INTERNAL, "%s: out of memory", file->source);
    if (status == ORR_OK) status = held_memory(file, &held, &error);
    means.memory -= held;
    if (status == ORR_OK)
        status = orr_paper_decrypt(file->container, &file->from->secret, file->metadata, &means,
                                   file->fd, memory, file->source, &error);
    if (status == ORR_OK) status = orr_file_output(file, 0, &error);
    if (status == ORR_OK) {
        *metadata = *file->metadata;
        metadata->paper = NULL;
        metadata->paper_length = 0;
        request_init(file, metadata, &request);
        request.means = means;
        status = orr_paper_encrypt(&request, memory, file->output.fd, &error);
        if (status == ORR_OK) status = commit(file, metadata, &error);
        orr_metadata_free(metadata);
    }
    if (memory >= 0) close(memory);
    free(metadata);
    finish(file, status, &error);
}

int orr_paper_fits(const orr_job_file *file, const orr_file_secret *secret) {
    const orr_paper_means means = means_of(file);
    orr_error error = {0};
    orr_status status = orr_paper_decrypt(file->container, secret, file->metadata, &means, file->fd,
                                          -1, file->source, &error);
    return status == ORR_OK ? 1 : status == ORR_AUTH ? 0 : status == ORR_INTERNAL ? -2 : -1;
}
