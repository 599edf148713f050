#include "host/job/job_known.h"

#include "host/keys/secret.h"

static int inodes_last(orr_job *job, int fd, dev_t device, const char *shown) {
    pthread_mutex_lock(&job->lock);
    int known = job->inodes_known && job->inodes_device == device, last = job->inodes_last;
    pthread_mutex_unlock(&job->lock);
    if (known) return last;
    last = orr_inodes_last(fd);
    pthread_mutex_lock(&job->lock);
    int warn = !last && !job->inodes_warned && job->options->verb == ORR_VERB_ENCRYPT;
    job->inodes_known = 1;
    job->inodes_device = device;
    job->inodes_last = last;
    job->inodes_warned |= warn;
    pthread_mutex_unlock(&job->lock);
    if (warn)
        orr_job_warn(job,
                     "%s: this file system may give a file another inode number each time: files "
                     "count as unchanged here by size, mtime and ctime alone",
                     shown);
    return last;
}

int orr_job_knows(orr_job *job, const orr_file_secret *secret, const uint8_t id[32], int fd,
                  const struct stat *st, const char *shown) {
    orr_identity identity;
    if (!job->state) return 0;
    int inodes = inodes_last(job, fd, st->st_dev, shown);
    return orr_identity_make(secret, id, st, inodes, &identity) == ORR_OK &&
           orr_state_knows(job->state, &identity);
}

void orr_job_identity_fields(orr_job *job, int fd, const struct stat *st, const char *shown,
                             uint8_t fields[ORR_IDENTITY_FIELDS]) {
    orr_identity_fields(st, inodes_last(job, fd, st->st_dev, shown), fields);
}

void orr_job_record(orr_job *job, const orr_file_secret *secret, const uint8_t id[32], int fd,
                    const struct stat *st, const char *shown) {
    orr_identity identity;
    if (!job->state || job->options->dry_run) return;
    int inodes = inodes_last(job, fd, st->st_dev, shown);
    if (orr_identity_make(secret, id, st, inodes, &identity) == ORR_OK)
        orr_state_record(job->state, &identity);
}
