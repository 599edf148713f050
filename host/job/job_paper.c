#include "host/job/job_paper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "host/job/contents.h"
#include "host/job/job_parity.h"
#include "host/keys/secret.h"
#include "host/paper/image.h"
#include "host/paper/paper.h"

#define RELEASED_MODE 0600
#define RELEASED_SUFFIX ".unauthenticated.tif"

// ---- the image of a sealed source

// Writes it to `fd` with what `memory` bytes give; -1: only compares it with its digest. Altered
// pixels are written where `altered` tells of them (host/paper/paper.h). What does not come out
// right is read once more, past damage, where there are repair data.
static orr_status restore(const orr_job_file *file, int fd, uint64_t memory, int *altered,
                          orr_error *error) {
    orr_sealed *from = file->from.sealed;
    orr_paper_means means = from->means;
    orr_status status = ORR_AUTH;
    means.memory = memory;
    if (!from->healer) { // not yet known to be damaged
        means.altered = from->container.header.groups ? NULL : altered;
        status = orr_paper_decrypt(&from->container, &from->seal.secret, file->metadata, &means,
                                   from->fd, fd, from->name, error);
    }
    if ((status != ORR_AUTH && status != ORR_IO) || !from->container.header.groups) return status;
    if (orr_sealed_heal(from, error) != ORR_OK) return status;
    if (fd >= 0 && (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0))
        return orr_fail_errno(error, errno, "%s: %s", file->source, strerror(errno));
    if (error) *error = (orr_error){0};
    means.altered = altered;
    means.healer = from->healer;
    status = orr_paper_decrypt(&from->container, &from->seal.secret, file->metadata, &means,
                               from->fd, fd, from->name, error);
    if (status == ORR_OK) atomic_store(&from->damaged, 1);
    return status;
}

static uint64_t plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// Re-encryption holds the restored image in memory, which counts: *held is the most that it may
// take. Compression of noise makes it longer, by less than a half. ORR_UNSUPPORTED when the
// worker's share has no room for it and the largest page beside it.
static orr_status held_memory(const orr_job_file *file, uint64_t *held, orr_error *error) {
    const orr_metadata *m = file->metadata;
    uint64_t share = file->from.sealed->means.memory, page = 0;
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

// The restored image passes through anonymous memory, never through a file. *memory: what is left
// beside it. The caller closes *fd, also on errors (-1: none).
static orr_status restore_to_memory(orr_job_file *file, int *fd, uint64_t *memory,
                                    orr_error *error) {
    uint64_t held = 0;
    *fd = memfd_create("orrery", MFD_CLOEXEC);
    orr_status status =
        *fd >= 0 ? held_memory(file, &held, error) : orr_file_no_memory(file, error);
    *memory -= held;
    if (status == ORR_OK) status = restore(file, *fd, *memory, NULL, error);
    // Its record was of the file that was read; the writer makes another.
    if (file->metadata->paper) orr_wipe(file->metadata->paper, file->metadata->paper_length);
    free(file->metadata->paper);
    file->metadata->paper = NULL;
    file->metadata->paper_length = 0;
    return status;
}

// ---- the image of a sealed sink

static orr_status write_repair(void *context, const orr_header *header, uint64_t data_end, int fd,
                               orr_error *error) {
    const orr_job_file *file = context;
    return orr_job_write_repair(file->job, header, data_end, fd, file->to.output.shown, error);
}

static orr_status seal(orr_job_file *file, int fd, uint64_t memory, orr_error *error) {
    const orr_sealed_sink *to = file->to.sealed;
    const orr_metadata *m = file->metadata;
    uint8_t salt[ORR_SALT_BYTES];
    orr_file_draw_part(m->path, m->path_length, ORR_FILE_DRAW_METADATA);
    orr_status status = orr_file_random(salt, sizeof salt, error);
    if (status != ORR_OK) return status;
    const orr_paper_request request = {.name = file->source,
                                       .rule = to->header.rule,
                                       .k2 = to->header.k2,
                                       .secret = &to->seal.secret,
                                       .readers = to->readers,
                                       .reader_count = to->reader_count,
                                       .slot_pages = to->header.slot_pages,
                                       .parity = file->job->options->parity,
                                       .write_repair = write_repair,
                                       .context = file,
                                       .metadata_salt = salt,
                                       .file_id = to->header.file_id,
                                       .metadata = file->metadata,
                                       .means = {.backend = file->job->options->backend,
                                                 .memory = memory,
                                                 .stop = file->job->stop}};
    return orr_paper_encrypt(&request, fd, file->to.output.fd, error);
}

void orr_paper_transfer(orr_job_file *file) {
    orr_metadata *m = file->metadata;
    orr_error error = {0};
    orr_status status = ORR_OK;
    uint64_t memory = file->job->paper_memory; // each worker has its share
    int plain = file->from.fd, held = -1;
    if (orr_file_is_stopped(file)) return;
    if (!file->from.sealed && m->has_sha256) // the image reader does not see the bytes in order
        status = orr_contents_digest(plain, file->bytes, file->job->stop, file->source, NULL,
                                     m->sha256, &error);
    if (!orr_file_is_seen(file)) {
        status = restore_to_memory(file, &held, &memory, &error);
        plain = held;
    }
    if (status == ORR_OK && file->target) status = orr_file_output(file, 0, &error);
    if (status == ORR_OK)
        status = file->to.sealed ? seal(file, plain, memory, &error)
                                 : restore(file, file->target ? file->to.output.fd : -1, memory,
                                           &file->altered, &error);
    if (held >= 0) close(held);
    if (status != ORR_OK) orr_file_fail(file, &error);
    atomic_fetch_add(&file->job->progress->done_bytes, file->bytes);
}

// ---- --unauthenticated

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

// The altered pixels get a name that says what they are. The file stays failed.
static void release(orr_job_file *file) {
    orr_error error = {0};
    orr_sink *to = &file->to;
    const orr_output_root *root = &file->job->root;
    size_t length = strlen(file->target);
    char *released = malloc(length + sizeof RELEASED_SUFFIX);
    orr_status status = released ? ORR_OK : orr_file_no_memory(file, &error);
    if (released) {
        memcpy(released, file->target, length);
        memcpy(released + length, RELEASED_SUFFIX, sizeof RELEASED_SUFFIX);
        status = look_for_released(file, released, &error);
    }
    if (status == ORR_OK) {
        status = orr_output_begin(&to->output, root, released, &error);
        to->output_begun = status == ORR_OK;
    }
    if (status == ORR_OK) {
        status = restore(file, to->output.fd, file->job->paper_memory, &file->altered, &error);
        if (status == ORR_OK)
            status = orr_fail(&error, ORR_IO, "%s: changed while it was read", file->source);
        else if (status == ORR_AUTH)
            status = orr_output_commit(&to->output, RELEASED_MODE, &error);
    }
    if (status == ORR_OK) {
        orr_job_warn(file->job,
                     "%s: was altered; its pixels are in %s/%s, and nothing vouches for them",
                     file->source, root->path, released);
        file->released = released;
        return;
    }
    orr_job_warn(file->job, "%s: was altered, and its pixels were not written: %s", file->source,
                 error.text);
    free(released);
}

void orr_paper_release(orr_job_file *file) {
    orr_error error = {0};
    if (orr_file_is_stopped(file)) return;
    file->at_once = orr_paper_transfer;
    orr_status status = restore(file, -1, file->job->paper_memory, &file->altered, &error);
    if (status == ORR_AUTH && file->altered) release(file);
    if (status == ORR_OK) status = file->to.kind->look(file, &error);
    if (status == ORR_OK && file->outcome == ORR_OUT_DONE && !file->later) {
        file->at_once(file); // that, or what the look has set
        return;
    }
    if (status != ORR_OK) orr_file_fail(file, &error);
    atomic_fetch_add(&file->job->progress->done_bytes, file->bytes);
}
