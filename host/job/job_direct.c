// By which way the contents of a file go: past the page cache where that can be, so that neither
// source nor output crowds out of memory what others use.
#include <fcntl.h>
#include <string.h>

#include "host/job/job_file.h"

#define LEAST_DIRECT (64u << 10)    // less is copied as quickly as a disk answers
#define RESERVE_FROM (64ull << 20)  // outputs this large fail early when the disk is too small
#define RESERVE_DIRECT (1ull << 20) // direct writes meet room that is there

static orr_way choose(orr_job *job, int fd, uint64_t bytes, atomic_int *told, const char *shown) {
    orr_direct_use use = job->options->direct;
    if (use == ORR_DIRECT_OFF) return ORR_WAY_CACHED;
    if (use == ORR_DIRECT_AUTO && bytes < LEAST_DIRECT) return ORR_WAY_UNCACHED;
    int number = orr_direct_begin(fd, use == ORR_DIRECT_ON);
    if (number == 0) return ORR_WAY_DIRECT;
    if (atomic_exchange(told, 1)) return ORR_WAY_UNCACHED;
    (use == ORR_DIRECT_ON ? orr_job_warn : orr_job_note)(
        job, "%s: its file system takes no O_DIRECT (%s): contents go through the page cache",
        shown, strerror(number));
    return ORR_WAY_UNCACHED;
}

// Before its contents only a few pages of it are looked at, which need not bring others along.
void orr_file_begin_look(const orr_job_file *file) {
    (void)posix_fadvise(file->from.fd, 0, 0, POSIX_FADV_RANDOM);
}

void orr_file_begin_contents(orr_job_file *file) {
    orr_source *from = &file->from;
    if (file->digests)
        from->way = choose(file->job, from->fd, (uint64_t)from->st.st_size, &file->job->told_source,
                           file->source);
    if (from->way != ORR_WAY_DIRECT) (void)posix_fadvise(from->fd, 0, 0, POSIX_FADV_NORMAL);
}

orr_status orr_file_begin_output(orr_job_file *file, uint64_t bytes, orr_error *error) {
    orr_sink *to = &file->to;
    if (file->digests && !file->job->options->sparse)
        to->way =
            choose(file->job, to->output.fd, bytes, &file->job->told_target, to->output.shown);
    return bytes >= (to->way == ORR_WAY_DIRECT ? RESERVE_DIRECT : RESERVE_FROM)
               ? orr_output_reserve(&to->output, bytes, error)
               : ORR_OK;
}

void orr_file_end_contents(orr_job_file *file) {
    if (file->from.way == ORR_WAY_DIRECT) orr_direct_end(file->from.fd);
    if (file->to.output_begun && file->to.way == ORR_WAY_DIRECT) orr_direct_end(file->to.output.fd);
}

void orr_job_forget(const orr_job_options *options, int fd) {
    if (options->direct != ORR_DIRECT_OFF && fd >= 0)
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

// A plain file that was read directly may be in memory for others: that stays, but for the first
// and the last page, which were looked at.
void orr_file_forget_source(const orr_job_file *file) {
    const orr_source *from = &file->from;
    const off_t page = ORR_PAGE, size = from->st.st_size;
    if (from->way != ORR_WAY_DIRECT || from->sealed || from->touched) {
        orr_job_forget(file->job->options, from->fd);
    } else {
        (void)posix_fadvise(from->fd, 0, 2 * page, POSIX_FADV_DONTNEED);
        (void)posix_fadvise(from->fd, size / page * page - page, 0, POSIX_FADV_DONTNEED);
    }
}
