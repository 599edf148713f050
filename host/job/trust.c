#include "host/job/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/flush.h"

struct orr_trusted {
    dev_t device;
    int fd;   // any file on it: errors of its storage since then are told
    int each; // files one by one
};

// Storage failed, as opposed to a place that knows no flush, or has nothing to flush.
static int is_lost(int number) {
    return !orr_is_refusal(number) && number != EROFS;
}

static orr_status fail_lost(orr_error *error, const char *shown, int number) {
    return orr_fail_errno(error, number,
                          "%s: what was written earlier does not reach its storage: %s: keep the "
                          "originals, and see to the disk",
                          shown, strerror(number));
}

void orr_trust_init(orr_trust *trust) {
    *trust = (orr_trust){0};
    pthread_mutex_init(&trust->lock, NULL);
}

void orr_trust_free(orr_trust *trust) {
    for (size_t i = 0; i < trust->count; i++)
        if (trust->systems[i].fd >= 0) close(trust->systems[i].fd);
    free(trust->systems);
    orr_claims_free(&trust->directories);
    pthread_mutex_destroy(&trust->lock);
    *trust = (orr_trust){0};
}

// The file system of an open file; NULL when memory ran out. Under the lock.
static struct orr_trusted *find_system(orr_trust *trust, int fd, dev_t device) {
    struct statfs system;
    for (size_t i = 0; i < trust->count; i++)
        if (trust->systems[i].device == device) return &trust->systems[i];
    struct orr_trusted *more = realloc(trust->systems, (trust->count + 1) * sizeof *more);
    if (!more) return NULL;
    trust->systems = more;
    more += trust->count++;
    *more = (struct orr_trusted){.device = device, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    // syncfs() sends what the kernel holds to the program behind it, and tells that nothing.
    more->each = more->fd < 0 || (fstatfs(fd, &system) == 0 && system.f_type == FUSE_SUPER_MAGIC);
    return more;
}

orr_status orr_trust_take(orr_trust *trust, int fd, const char *shown, orr_error *error) {
    struct stat st;
    if (fstat(fd, &st) != 0) return fail_lost(error, shown, errno);
    pthread_mutex_lock(&trust->lock);
    const struct orr_trusted *system = find_system(trust, fd, st.st_dev);
    int each = system && system->each, failed = !system;
    pthread_mutex_unlock(&trust->lock);
    if (failed) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    if (each && orr_flush(fd) < 0 && is_lost(errno)) return fail_lost(error, shown, errno);
    return ORR_OK;
}

orr_status orr_trust_directory(orr_trust *trust, int fd, int parent, int made, int *met,
                               const char *shown, orr_error *error) {
    struct stat st;
    if (fstat(fd, &st) != 0) return fail_lost(error, shown, errno);
    const uint64_t place[2] = {st.st_dev, st.st_ino};
    pthread_mutex_lock(&trust->lock);
    orr_claim_result seen = orr_claim(&trust->directories, place, sizeof place, NULL, 0);
    pthread_mutex_unlock(&trust->lock);
    *met = seen != ORR_CLAIM_NEW && seen != ORR_CLAIM_MEMORY;
    if (made || *met) return ORR_OK;
    return orr_trust_take(trust, parent, shown, error);
}

orr_status orr_trust_flush(orr_trust *trust, const char *shown, int *unsure, orr_error *error) {
    orr_status status = ORR_OK;
    *unsure = 0;
    for (size_t i = 0; i < trust->count; i++) {
        if (trust->systems[i].fd < 0 || syncfs(trust->systems[i].fd) == 0) continue;
        if (is_lost(errno))
            status = fail_lost(error, shown, errno);
        else
            *unsure = errno;
    }
    return status;
}

orr_status orr_trust_path(const char *path, orr_error *error) {
    char *target = realpath(path, NULL);
    int fd = target ? open(target, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1, lost = 0;
    if (fd >= 0 && orr_fsync(fd) < 0 && is_lost(errno)) lost = errno;
    if (fd >= 0) close(fd);
    fd = target ? open(dirname(target), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0 && orr_fsync(fd) < 0 && is_lost(errno)) lost = errno;
    if (fd >= 0) close(fd);
    free(target);
    return lost ? fail_lost(error, path, lost) : ORR_OK;
}
