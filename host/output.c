#include "host/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/crypto.h"
#include "host/text.h"

#define RESERVE_FROM (64ull << 20) // files this large fail early when the disk is too small

static orr_status io_error(orr_error *error, const char *shown, const char *doing) {
    int number = errno;
    const char *next =
        number == ENOSPC || number == EDQUOT ? ": free some space and run the same command again"
        : number == EACCES || number == EPERM || number == EROFS ? ": check permissions"
                                                                 : "";
    return orr_fail(error, ORR_IO, "%s: cannot %s: %s%s", shown, doing, strerror(number), next);
}

// mkdir -p, for the part of a path that the user chose.
static int make_directories(const char *path) {
    char *copy = strdup(path);
    int result = 0;
    if (!copy) return -1;
    for (char *p = copy + 1; *p && result == 0; p++) {
        if (*p != '/') continue;
        *p = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) result = -1;
        *p = '/';
    }
    if (result == 0 && mkdir(copy, 0777) != 0 && errno != EEXIST) result = -1;
    free(copy);
    return result;
}

// Does OUT name a file rather than a directory? (docs/CLI.md, "Where outputs go")
static int names_a_file(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    struct stat st;
    if (stat(path, &st) == 0) return !S_ISDIR(st.st_mode);
    return dot && dot != name && dot[1];
}

orr_status orr_output_root_open(orr_output_root *root, const char *path, int single, int dry_run,
                                orr_error *error) {
    struct stat st;
    orr_status status = ORR_INTERNAL;
    memset(root, 0, sizeof *root);
    root->fd = -1;
    root->path = strdup(path);
    if (!root->path || !*path) {
        status =
            orr_fail(error, root->path ? ORR_USAGE : ORR_INTERNAL, "no output directory given");
        goto failed;
    }
    if (single && names_a_file(path)) {
        char *slash = strrchr(root->path, '/');
        root->only = strdup(slash ? slash + 1 : path);
        if (!slash)
            memcpy(root->path, ".", 2); // path is at least one byte long
        else if (slash == root->path)
            slash[1] = 0;
        else
            *slash = 0;
        if (!root->only) goto failed;
    }
    if (!dry_run && make_directories(root->path) != 0) {
        status = io_error(error, root->path, "create this directory");
        goto failed;
    }
    root->fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0 && dry_run && errno == ENOENT) return ORR_OK;
    if (root->fd < 0 || fstat(root->fd, &st) != 0) {
        status = io_error(error, root->path, "open this output directory");
        goto failed;
    }
    root->dev = st.st_dev;
    root->ino = st.st_ino;
    // A single output file takes no lock: its directory may be anything, /tmp included.
    if (!dry_run && !root->only && flock(root->fd, LOCK_EX | LOCK_NB) != 0 &&
        errno == EWOULDBLOCK) {
        status = orr_fail(error, ORR_IO,
                          "%s: another orrery job is writing here: wait until it ends", root->path);
        goto failed;
    }
    return ORR_OK;
failed:
    orr_output_root_close(root);
    return status;
}

void orr_output_root_close(orr_output_root *root) {
    if (root->fd >= 0) close(root->fd);
    free(root->path);
    free(root->only);
    memset(root, 0, sizeof *root);
    root->fd = -1;
}

orr_status orr_output_directory(const orr_output_root *root, const char *relative, int create,
                                int *directory, const char **name, orr_error *error) {
    char component[NAME_MAX + 1];
    int fd = root->fd < 0 ? -1 : fcntl(root->fd, F_DUPFD_CLOEXEC, 0);
    *directory = -1;
    *name = strrchr(relative, '/') ? strrchr(relative, '/') + 1 : relative;
    if (root->fd < 0) { // a dry run, and no output yet
        errno = ENOENT;
        return create ? io_error(error, root->path, "open this directory") : ORR_OK;
    }
    if (fd < 0) return io_error(error, root->path, "open this directory");
    for (const char *p = relative; p < *name;) {
        size_t n = strcspn(p, "/");
        if (n > NAME_MAX) {
            close(fd);
            return orr_fail(error, ORR_IO, "%.200s...: a directory name is too long", relative);
        }
        memcpy(component, p, n);
        component[n] = 0;
        p += n + 1;
        // A new directory is made durable in its parent: nobody flushes that later.
        int made = create && mkdirat(fd, component, 0777) == 0;
        if (create && (made ? fsync(fd) != 0 && errno != EINVAL : errno != EEXIST)) {
            orr_status status = io_error(error, relative, "create its directory");
            close(fd);
            return status;
        }
        int below = openat(fd, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int number = errno;
        close(fd);
        fd = below;
        errno = number;
        if (fd < 0 && !create && number == ENOENT) return ORR_OK;
        if (fd < 0 && (number == ELOOP || number == ENOTDIR))
            return orr_fail(error, ORR_IO,
                            "%s/%s: \"%s\" is not a directory (a symlink is not followed)",
                            root->path, relative, component);
        if (fd < 0) return io_error(error, relative, "open its directory");
    }
    *directory = fd;
    return ORR_OK;
}

// A name for the file while it is incomplete; a hash stands in for a name that leaves no room for
// the suffix.
static char *partial_name(const char *name) {
    char *partial = malloc(NAME_MAX + 1);
    if (!partial) return NULL;
    if (strlen(name) + strlen(ORR_PARTIAL_SUFFIX) <= NAME_MAX) {
        snprintf(partial, NAME_MAX + 1, "%s" ORR_PARTIAL_SUFFIX, name);
    } else {
        uint8_t hash[64];
        orr_sha512(name, strlen(name), NULL, 0, hash);
        orr_hex(hash, 16, partial);
        memcpy(partial + 32, ORR_PARTIAL_SUFFIX, sizeof ORR_PARTIAL_SUFFIX);
    }
    return partial;
}

// Is `name` still the file that is open as `fd`?
static int is_same_file(int directory, const char *name, int fd) {
    struct stat named, opened;
    return fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

// Creates the partial file and locks it, so that a second writer of the same name is refused
// instead of taking the first one's file away. One without a lock was left by a killed run and is
// replaced. Returns its descriptor, or -1 with errno (EBUSY: it is being written).
static int create_partial(const orr_output *output) {
    for (int tries = 0; tries < 3; tries++) {
        int fd = openat(output->directory, output->partial,
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST) return -1;
        if (fd >= 0) {
            int locked = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
            // Between the two calls another writer may have taken it for a stale one.
            if (locked && is_same_file(output->directory, output->partial, fd)) return fd;
            close(fd);
            break;
        }
        int old = openat(output->directory, output->partial,
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        // Another writer may have replaced the stale one before it was locked here.
        int busy = old >= 0 && ((flock(old, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) ||
                                !is_same_file(output->directory, output->partial, old));
        int removed =
            !busy && (unlinkat(output->directory, output->partial, 0) == 0 || errno == ENOENT);
        int number = errno;
        if (old >= 0) close(old);
        errno = number;
        if (busy) break;
        if (!removed) return -1;
    }
    errno = EBUSY;
    return -1;
}

orr_status orr_output_begin(orr_output *output, const orr_output_root *root, const char *relative,
                            uint64_t bytes, orr_error *error) {
    const char *name;
    memset(output, 0, sizeof *output);
    output->fd = output->directory = -1;
    orr_status status = orr_output_directory(root, relative, 1, &output->directory, &name, error);
    if (status != ORR_OK) return status;
    size_t room = strlen(root->path) + strlen(relative) + 2;
    output->name = strdup(name);
    output->partial = partial_name(name);
    output->shown = malloc(room);
    if (!output->name || !output->partial || !output->shown) {
        orr_output_abort(output);
        return orr_fail(error, ORR_INTERNAL, "out of memory");
    }
    snprintf(output->shown, room, "%s/%s", root->path, relative);
    if (strlen(name) > NAME_MAX) {
        status = orr_fail(error, ORR_IO,
                          "%.100s...: this name would be longer than %d bytes: use --names opaque",
                          output->shown, NAME_MAX);
        goto failed;
    }
    output->fd = create_partial(output);
    if (output->fd < 0) {
        status = errno == EBUSY ? orr_fail(error, ORR_EXISTS,
                                           "%s: is being written already, by this job or another",
                                           output->shown)
                                : io_error(error, output->shown, "create this file");
        goto failed;
    }
    if (bytes >= RESERVE_FROM && fallocate(output->fd, 0, 0, (off_t)bytes) != 0 &&
        (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
        status = io_error(error, output->shown, "reserve its space");
        goto failed;
    }
    return ORR_OK;
failed:
    orr_output_abort(output);
    return status;
}

orr_status orr_output_commit(orr_output *output, orr_error *error) {
    orr_status status = ORR_OK;
    if (fsync(output->fd) != 0) {
        status = io_error(error, output->shown, "flush this file");
    } else if (!is_same_file(output->directory, output->partial, output->fd)) {
        status = orr_fail(error, ORR_IO,
                          "%s: its partial file was removed or replaced while it was written: run "
                          "the same command again",
                          output->shown);
    } else if (syscall(SYS_renameat2, output->directory, output->partial, output->directory,
                       output->name, 1u /* RENAME_NOREPLACE */) != 0) {
        // File systems without that flag: a hard link never replaces either.
        if (errno == EINVAL || errno == ENOSYS) {
            if (linkat(output->directory, output->partial, output->directory, output->name, 0) == 0)
                unlinkat(output->directory, output->partial, 0);
            else
                status = errno == EEXIST
                             ? ORR_EXISTS
                             : io_error(error, output->shown, "rename the finished file");
        } else {
            status = errno == EEXIST ? ORR_EXISTS
                                     : io_error(error, output->shown, "rename the finished file");
        }
        if (status == ORR_EXISTS)
            orr_fail(error, ORR_EXISTS,
                     "%s: appeared while it was being written: nothing was replaced",
                     output->shown);
    }
    if (status == ORR_OK && fsync(output->directory) != 0 && errno != EINVAL)
        status = io_error(error, output->shown, "flush its directory");
    if (status == ORR_OK) {
        if (close(output->fd) != 0) status = io_error(error, output->shown, "close this file");
        output->fd = -1;
        free(output->partial);
        output->partial = NULL; // nothing left to remove
    }
    orr_output_abort(output);
    return status;
}

void orr_output_abort(orr_output *output) {
    if (!output->name && !output->partial && !output->shown) return;
    if (output->partial && output->fd >= 0 &&
        is_same_file(output->directory, output->partial, output->fd))
        unlinkat(output->directory, output->partial, 0);
    if (output->fd >= 0) close(output->fd);
    if (output->directory >= 0) close(output->directory);
    free(output->name);
    free(output->partial);
    free(output->shown);
    memset(output, 0, sizeof *output);
    output->fd = output->directory = -1;
}

orr_status orr_read_source(int fd, void *buffer, size_t bytes, uint64_t offset, const char *shown,
                           orr_error *error) {
    uint8_t *p = buffer;
    while (bytes) {
        ssize_t n = pread(fd, p, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(error, shown, "read this file");
        if (n == 0)
            return orr_fail(error, ORR_IO, "%s: ends early: it was changed while being read",
                            shown);
        p += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return ORR_OK;
}
