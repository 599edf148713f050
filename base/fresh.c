#include "base/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/flush.h"

int orr_fresh_begin_at(orr_fresh *fresh, int directory, const char *name) {
    *fresh = (orr_fresh){.fd = -1, .name = name};
    fresh->directory = fcntl(directory, F_DUPFD_CLOEXEC, 0);
    if (fresh->directory < 0) return -1;
    orr_partial_sweep(fresh->directory, NULL);
    fresh->fd =
        orr_partial_create(fresh->directory, ORR_PARTIAL_SUFFIX, ORR_PARTIAL_MARK, fresh->partial);
    return fresh->fd < 0 ? -1 : 0;
}

int orr_fresh_begin(orr_fresh *fresh, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *fresh = (orr_fresh)ORR_FRESH_NONE;
    if (!*name) {
        errno = EISDIR;
        return -1;
    }
    char *above = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int directory = above ? open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(above);
    if (directory < 0) return -1;
    int failed = orr_fresh_begin_at(fresh, directory, name), number = errno;
    close(directory);
    errno = number;
    return failed;
}

// What a network file system says only at a close. Without a free descriptor the last one tells.
static int ask_close(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return errno == EMFILE || errno == ENFILE ? 0 : -1;
    return close(copy) != 0 && errno != EINTR ? -1 : 0;
}

int orr_fresh_flush(const orr_fresh *fresh) {
    if (orr_flush(fresh->fd) < 0 || ask_close(fresh->fd) != 0) return -1;
    if (orr_partial_is_there(fresh->directory, fresh->partial, fresh->fd)) return 0;
    errno = ESTALE;
    return -1;
}

// Neither a rename that replaces nothing nor hard links: looks, and renames plainly, under a lock
// of the directory that lets in one such naming at a time.
static int name_under_lock(const orr_fresh *f) {
    struct stat info;
    while (flock(f->directory, LOCK_EX) != 0 && errno == EINTR) continue;
    int failed = fstatat(f->directory, f->name, &info, AT_SYMLINK_NOFOLLOW) == 0;
    if (failed) errno = EEXIST;
    failed = failed || errno != ENOENT || renameat(f->directory, f->partial, f->directory, f->name);
    int number = errno;
    flock(f->directory, LOCK_UN);
    errno = number;
    return failed ? -1 : 0;
}

int orr_fresh_name(const orr_fresh *f, int replace) {
    int at = f->directory;
    if (replace) return renameat(at, f->partial, at, f->name);
    if (!syscall(SYS_renameat2, at, f->partial, at, f->name, 1u /* RENAME_NOREPLACE */)) return 0;
    if (!orr_is_refusal(errno)) return -1;
    if (linkat(at, f->partial, at, f->name, 0) != 0)
        return orr_is_refusal(errno) ? name_under_lock(f) : -1;
    unlinkat(at, f->partial, 0);
    return 0;
}

int orr_fresh_settle(const orr_fresh *fresh) {
    return orr_partial_unmark(fresh->fd) != 0 || orr_flush(fresh->directory) < 0 ? -1 : 0;
}

void orr_fresh_take_back(const orr_fresh *fresh) {
    int number = errno;
    if (orr_is_same_file(fresh->directory, fresh->name, fresh->fd))
        unlinkat(fresh->directory, fresh->name, 0);
    errno = number;
}

void orr_fresh_end(orr_fresh *fresh) {
    int number = errno;
    if (fresh->fd >= 0) {
        orr_partial_remove(fresh->directory, fresh->partial, fresh->fd);
        close(fresh->fd);
    }
    if (fresh->directory >= 0) close(fresh->directory);
    *fresh = (orr_fresh)ORR_FRESH_NONE;
    errno = number;
}
