// A source of encryption stays what it was, or its file fails: what its times tell, and what they
// do not.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "host/job/job_internal.h"

#define OVERLAYFS 0x794c7630

orr_status orr_file_flush_source(const orr_job_file *file, orr_error *error) {
    const unsigned flush =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    struct statfs fs;
    // An overlay has its pages in a file of another file system, which only this reaches.
    int layered = fstatfs(file->fd, &fs) == 0 && fs.f_type == OVERLAYFS;
    int failed = layered ? fdatasync(file->fd) != 0 : sync_file_range(file->fd, 0, 0, flush) != 0;
    if (failed && (errno == EIO || errno == ENOSPC || errno == EDQUOT))
        return orr_fail_source(error, errno,
                               "%s: what was written here did not reach its storage: %s",
                               file->source, strerror(errno));
    return ORR_OK;
}

orr_status orr_file_settle_source(orr_job_file *file, orr_error *error) {
    orr_metadata *m = file->metadata;
    orr_status status = orr_file_flush_source(file, error);
    if (status != ORR_OK) return status;
    clock_gettime(CLOCK_REALTIME, &file->opened);
    if (fstat(file->fd, &file->st) != 0)
        return orr_fail_source(error, errno, "%s: %s", file->source, strerror(errno));
    file->bytes = m->size = (uint64_t)file->st.st_size;
    m->mtime_seconds = file->st.st_mtim.tv_sec;
    m->mtime_nanoseconds = (uint32_t)file->st.st_mtim.tv_nsec;
    m->mode = file->st.st_mode & 07777;
    return ORR_OK;
}

orr_status orr_file_fail_changed(const orr_job_file *file, orr_error *error) {
    return orr_fail(error, ORR_IO,
                    "%s: was changed while being read: run the same command again when it rests",
                    file->source);
}

// Times of files go by steps: of the kernel's tick, some milliseconds, or of a second or two where
// a file system keeps no fractions.
#define TICK 20000000ll
#define COARSE 2000000000ll

int orr_file_is_racy(const orr_job_file *file) {
    const struct timespec *changed = &file->st.st_ctim;
    int64_t age = ((int64_t)file->opened.tv_sec - changed->tv_sec) * 1000000000ll +
                  file->opened.tv_nsec - changed->tv_nsec;
    return age < (changed->tv_nsec ? TICK : COARSE);
}
