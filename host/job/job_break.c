// When a job breaks off: failures after which every later file would fail as well. Going on would
// bury the one cause under thousands of lines.
#include "host/job/job_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IN_A_ROW 8 // sources that cannot be read before their device is looked at
#define BLOCK 4096 // what a direct read takes and is aligned to

// Nobody behind the descriptor, or no more descriptors: this is not about one file.
static int is_gone(int number) {
    return number == ENODEV || number == ENXIO || number == ENOTCONN || number == ESHUTDOWN ||
           number == EMFILE || number == ENFILE;
}

static int is_full_or_closed(int number) {
    return number == ENOSPC || number == EDQUOT || number == EROFS;
}

// One bad sector, or one file that a server replaced, gives these too.
static int may_be_one_file(int number) {
    return number == EIO || number == ESTALE;
}

// Can a file that could be read before be read now, past what memory holds of it?
static int is_readable(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_CLOEXEC);
    void *block = NULL;
    if (fd < 0 && errno == EINVAL) fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int readable = 0;
    if (fd >= 0 && posix_memalign(&block, BLOCK, BLOCK) == 0) {
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        readable = pread(fd, block, BLOCK, 0) >= 0;
    }
    free(block);
    if (fd >= 0) close(fd);
    return readable;
}

// Have so many sources failed in a row that the device must be looked at, and does it fail, too,
// for what it gave before? Under the lock.
static int is_dead(orr_job *job, dev_t device) {
    if (++job->unreadable_row < IN_A_ROW) return 0;
    if (!job->readable || (device && device != job->readable_device)) return 1;
    if (!is_readable(job->readable)) return 1;
    job->unreadable_row = 0;
    return 0;
}

static int is_hopeless(orr_job *job, const orr_error *error, dev_t device) {
    // rewrap writes into its sources: one of them says little of the others.
    int of_source = error->of_source || job->options->verb == ORR_VERB_REWRAP ||
                    job->options->verb == ORR_VERB_REPAIR;
    if (error->status != ORR_IO) return 0;
    if (is_gone(error->number) || (is_full_or_closed(error->number) && !error->of_source)) return 1;
    if (!may_be_one_file(error->number)) return 0;
    if (!of_source) return 1;
    pthread_mutex_lock(&job->lock);
    int dead = is_dead(job, device);
    pthread_mutex_unlock(&job->lock);
    return dead;
}

void orr_job_was_read(orr_job *job, const char *source, const struct stat *st) {
    if (st->st_size == 0) return;
    pthread_mutex_lock(&job->lock);
    job->unreadable_row = 0;
    if (!job->readable || job->readable_device != st->st_dev) {
        free(job->readable);
        job->readable = strdup(source);
        job->readable_device = st->st_dev;
    }
    pthread_mutex_unlock(&job->lock);
}

int orr_job_breaks_off(orr_job *job, const orr_error *error, dev_t device) {
    int cause = atomic_load(&job->broke_off);
    if (!cause && is_hopeless(job, error, device)) {
        int none = 0;
        atomic_store(&job->fatal, 1);
        if (atomic_compare_exchange_strong(&job->broke_off, &none, error->number)) return 0;
        cause = none;
    }
    return cause &&
           (error->status == ORR_STOPPED || (error->status == ORR_IO && error->number == cause));
}
