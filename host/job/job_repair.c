// repair: what is damaged in a file is replaced in place, from its repair data or from a copy.
#include "host/job/job_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/job/in_place.h"
#include "host/paper/paper_mend.h"

typedef struct copy_file {
    int fd; // -1: there is none
    char *path;
} copy_file;

static void name_below(copy_file *copy, size_t room, const char *directory, const char *relative) {
    snprintf(copy->path, room, "%s/%s", directory, relative);
    copy->fd = open(copy->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

// The file of --from, or the one below that directory that lies as this one does below its input;
// or as below what that input is in, like the outputs of `encrypt`.
static orr_status open_copy(const orr_job_file *file, copy_file *copy, orr_error *error) {
    const char *from = file->job->options->repair_from;
    struct stat st, own;
    *copy = (copy_file){.fd = -1};
    if (!from) return ORR_OK;
    if (stat(from, &st) != 0) return orr_fail_source(error, errno, "%s: %s", from, strerror(errno));
    size_t room = strlen(from) + strlen(file->relative) + 2;
    copy->path = malloc(room);
    if (!copy->path) return orr_file_no_memory(file, error);
    if (!S_ISDIR(st.st_mode)) {
        snprintf(copy->path, room, "%s", from);
        copy->fd = open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    } else {
        const char *below = strchr(file->relative, '/');
        name_below(copy, room, from, file->relative);
        if (copy->fd < 0 && errno == ENOENT && below) name_below(copy, room, from, below + 1);
        if (copy->fd < 0 && errno == ENOENT) return ORR_OK; // said if it is missed
    }
    if (copy->fd < 0 || fstat(copy->fd, &st) != 0)
        return orr_fail_source(error, errno, "%s: %s", copy->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return orr_fail(error, ORR_USAGE, "%s: not a regular file", copy->path);
    if (fstat(file->from.fd, &own) == 0 && own.st_dev == st.st_dev && own.st_ino == st.st_ino)
        return orr_fail(error, ORR_USAGE, "%s: is the file itself, not a copy of it", copy->path);
    return ORR_OK;
}

// What the rest of the job says of an encrypted file it takes from here.
static orr_status describe(orr_job_file *file, orr_mend *mend, orr_error *error) {
    orr_sealed *sealed = file->from.sealed = calloc(1, sizeof *sealed);
    if (!sealed) return orr_file_no_memory(file, error);
    sealed->fd = file->from.fd;
    sealed->name = file->source;
    sealed->container = mend->file;
    mend->file = (orr_container){.active = -1};
    file->metadata = mend->metadata;
    mend->metadata = NULL;
    return ORR_OK;
}

static orr_status fail_lost(const orr_job_file *file, const orr_mend *mend, const copy_file *copy,
                            orr_error *error) {
    const orr_mend_report *r = &mend->report;
    const char *from = file->job->options->repair_from;
    char lost[160], next[ORR_MAX_PATH + 80];
    if (r->lost_tiles)
        snprintf(lost, sizeof lost, "%llu of its %llu tiles (%llu bytes of the original)",
                 (unsigned long long)r->lost_tiles, (unsigned long long)mend->file.geometry.tiles,
                 (unsigned long long)r->lost_bytes);
    else if (r->lost_pages)
        snprintf(lost, sizeof lost, "pixels in at least %llu page%s of 4 KiB",
                 (unsigned long long)r->lost_pages, r->lost_pages == 1 ? "" : "s");
    else
        snprintf(lost, sizeof lost, "%s",
                 r->lost_metadata ? "the sealed metadata" : "the digest of a segment");
    if (from && copy->fd < 0)
        snprintf(next, sizeof next, "%s is not there: look for another copy", copy->path);
    else
        snprintf(next, sizeof next,
                 from ? "look for another copy" : "give --from COPY, or restore a copy");
    return orr_fail(error, ORR_AUTH, "%s: %s %s lost: %s%s; %s%s", file->source, lost,
                    r->lost_tiles > 1 || r->lost_pages ? "are" : "is",
                    mend->repair               ? "its repair data do not reach"
                    : mend->file.header.groups ? "its repair data cannot be used here"
                                               : "it has no repair data",
                    from && copy->fd >= 0 ? ", nor does the copy" : "", next,
                    r->lost_tiles ? ", or bring the rest back with decrypt --salvage" : "");
}

static orr_status mend_file(orr_job_file *file, orr_mend *mend, const copy_file *copy,
                            orr_error *error) {
    const orr_job_options *o = file->job->options;
    file->profile = mend->file.header.profile;
    file->bytes = mend->file.header.length;
    const orr_paper_means means = {
        .backend = o->backend, .memory = file->job->paper_memory / 2, .stop = file->job->stop};
    // An image and its corrected pages share what one may take.
    if (file->profile == ORR_PROFILE_PAPER) mend->options.memory = means.memory;
    mend->overlay.limit = mend->options.memory / 2;
    orr_status status = file->profile == ORR_PROFILE_PAPER ? orr_paper_mend(mend, &means, error)
                                                           : orr_mend_segments(mend, error);
    if (status == ORR_OK) status = orr_mend_finish(mend, error);
    file->repaired_pages = mend->report.pages;
    file->copied_pages = mend->report.copied;
    file->lost_bytes = mend->report.lost_bytes;
    if (status != ORR_OK) return status;
    if (!orr_mend_is_whole(mend)) return fail_lost(file, mend, copy, error);
    if (!mend->report.pages && !mend->report.resized)
        file->outcome = ORR_OUT_PRESENT;
    else if (o->dry_run)
        file->outcome = ORR_OUT_PLANNED;
    for (int i = 0; i < mend->file.slots && !o->dry_run; i++) { // what was damaged is no more
        mend->file.slot_good[i] = 1;
        mend->file.slot_wrong[i] = 0;
    }
    return ORR_OK;
}

void orr_repair_file(orr_job_file *file) {
    const orr_job_options *o = file->job->options;
    orr_error error = {0};
    orr_mend mend = {.file.active = -1, .copy.active = -1};
    copy_file copy;
    int fd = o->dry_run ? file->from.fd : orr_in_place_open(file, &error);
    orr_status status = fd < 0 ? error.status : open_copy(file, &copy, &error);
    if (fd < 0) copy = (copy_file){.fd = -1};
    if (status == ORR_OK) {
        const orr_mend_options options = {.fd = fd,
                                          .copy = copy.fd,
                                          .name = file->source,
                                          .copy_name = copy.path,
                                          .dry_run = o->dry_run,
                                          .memory = file->job->mend_memory,
                                          .stop = file->job->stop,
                                          .lookup = orr_keyring_lookup,
                                          .context = (void *)o->keyring};
        // What the disk holds is to be looked at, not what memory still holds of it.
        if (orr_file_flush_source(file, NULL) == ORR_OK)
            (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        status = orr_mend_open(&mend, &options, &error);
    }
    if (status == ORR_OK) status = mend_file(file, &mend, &copy, &error);
    if (mend.file.active >= 0 && mend.metadata && describe(file, &mend, NULL) != ORR_OK)
        status = orr_file_no_memory(file, &error);
    if (status != ORR_OK) orr_file_fail(file, &error);
    orr_mend_close(&mend);
    if (fd >= 0 && fd != file->from.fd) close(fd);
    orr_job_forget(o, copy.fd);
    if (copy.fd >= 0) close(copy.fd);
    free(copy.path);
    atomic_fetch_add(&file->job->progress->done_bytes, (uint64_t)file->from.st.st_size);
}
