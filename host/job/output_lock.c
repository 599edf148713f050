// Who may write into one OUT at the same time: one job, or the shards of one division of the work.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/partial.h"
#include "base/text.h"
#include "host/job/output.h"

#define SHARD_LEAD ".shard-"

int orr_output_is_shard_lock(const char *name, unsigned *shard, unsigned *shards) {
    const char *suffix = orr_partial_suffix(name);
    return suffix && orr_part_parse(suffix, SHARD_LEAD, shard, shards);
}

// Is there a living job with this shard, or one that divides the work otherwise (or at all, when
// `shards` is 0)? What dead ones left goes. Our own lock is there already, so of two jobs that
// start together at least one sees the other.
static orr_status look_for_others(const orr_output_root *root, unsigned shard, unsigned shards,
                                  orr_error *error) {
    DIR *listing = orr_directory_list(root->fd);
    orr_status status = ORR_OK;
    struct dirent *d = NULL;
    unsigned i, n;
    if (!listing)
        return orr_fail(error, ORR_IO, "%s: cannot read this output directory: %s", root->path,
                        strerror(errno));
    while (status == ORR_OK && (errno = 0, d = readdir(listing))) {
        if (!orr_output_is_shard_lock(d->d_name, &i, &n) || !strcmp(d->d_name, root->lock_name) ||
            (n == shards && i != shard) || !orr_partial_remove_stale(root->fd, d->d_name))
            continue;
        status = n == shards
                     ? orr_fail(error, ORR_IO,
                                "%s: another orrery job is writing shard %u/%u here: wait until it "
                                "ends",
                                root->path, i, n)
                     : orr_fail(error, ORR_IO,
                                "%s: another orrery job is writing shard %u/%u here: all must "
                                "divide the files alike (--shard I/%u)",
                                root->path, i, n, n);
    }
    if (status == ORR_OK && errno)
        status = orr_fail(error, ORR_IO, "%s: cannot read this output directory: %s", root->path,
                          strerror(errno));
    closedir(listing);
    return status;
}

orr_status orr_output_root_lock(orr_output_root *root, unsigned shard, unsigned shards,
                                orr_error *error) {
    char suffix[40];
    // A single output file takes no lock: its directory may be anything, /tmp included.
    if (root->fd < 0 || root->only) return ORR_OK;
    if (flock(root->fd, (shards ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return orr_fail(error, ORR_IO,
                        "%s: another orrery job is writing here: wait until it ends%s", root->path,
                        shards ? " (jobs with --shard may run side by side)" : "");
    if (shards) {
        snprintf(suffix, sizeof suffix, SHARD_LEAD "%u-of-%u", shard, shards);
        root->lock_fd = orr_partial_create(root->fd, suffix, ORR_PARTIAL_MARK, root->lock_name);
        if (root->lock_fd < 0)
            return orr_fail_errno(error, errno, "%s: cannot create a file here: %s", root->path,
                                  strerror(errno));
    }
    orr_status status = look_for_others(root, shard, shards, error);
    if (status != ORR_OK) orr_output_root_unlock(root);
    return status;
}

void orr_output_root_unlock(orr_output_root *root) {
    if (root->lock_fd < 0) return;
    orr_partial_remove(root->fd, root->lock_name, root->lock_fd);
    close(root->lock_fd);
    root->lock_fd = -1;
}
