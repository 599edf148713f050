#include "host/job/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/flush.h"
#include "base/io.h"
#include "base/text.h"

static orr_status io_error(orr_error *error, const char *shown, const char *doing) {
    int number = errno;
    return orr_fail_errno(error, number, "%s: cannot %s: %s%s", shown, doing, strerror(number),
                          orr_errno_hint(number));
}

orr_status orr_output_too_long(const orr_output_root *root, const char *shown, orr_error *error) {
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%.200s...: this name is longer than its file system takes: %s, or choose "
                    "another output",
                    shown,
                    root->restores ? "decrypt this file alone, and name it with -o"
                                   : "use --names opaque when encrypting");
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
    root->fd = root->lock_fd = -1;
    root->path = strdup(path);
    root->target = orr_target_new(path);
    root->made = orr_new_directories_new();
    root->dry_run = dry_run;
    if (!root->path || !root->target || !root->made) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory");
        goto end;
    }
    if (!*path) {
        status = orr_fail(error, ORR_USAGE, "no output directory given");
        goto end;
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
        if (!root->only) goto end;
    }
    if (!dry_run &&
        (orr_directory_make_above(root->path) < 0 || orr_directory_make(root->path, 0777) < 0)) {
        status = io_error(error, root->path, "create this directory");
        goto end;
    }
    root->fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0 && dry_run && errno == ENOENT) return ORR_OK;
    if (root->fd < 0 || fstat(root->fd, &st) != 0) {
        status = io_error(error, root->path, "open this output directory");
        goto end;
    }
    root->dev = st.st_dev;
    root->ino = st.st_ino;
    return ORR_OK;
end:
    orr_output_root_close(root);
    return status;
}

void orr_output_root_close(orr_output_root *root) {
    if (root->fd >= 0) {
        orr_output_root_unlock(root);
        close(root->fd);
    }
    orr_target_free(root->target);
    orr_new_directories_free(root->made);
    free(root->path);
    free(root->only);
    memset(root, 0, sizeof *root);
    root->fd = root->lock_fd = -1;
}

orr_status orr_output_directory(const orr_output_root *root, const char *relative, mode_t create,
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
            return orr_output_too_long(root, relative, error);
        }
        memcpy(component, p, n);
        component[n] = 0;
        p += n + 1;
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        int below = openat(fd, component, flags), number = errno, found = 1;
        if (below < 0 && number == ENOENT && create) {
            found = mkdirat(fd, component, create) != 0;
            if (found && errno != EEXIST) {
                orr_status status = io_error(error, relative, "create its directory");
                close(fd);
                return status;
            }
            below = openat(fd, component, flags);
            number = errno;
        }
        orr_status status = ORR_OK;
        const orr_directory_met met = {.fd = below,
                                       .above = fd,
                                       .found = found,
                                       .path = relative,
                                       .bytes = (size_t)(p - 1 - relative),
                                       .shown = root->path,
                                       .trust = root->trust,
                                       .target = root->target};
        if (create && below >= 0) status = orr_new_directories_note(root->made, &met, error);
        close(fd);
        fd = below;
        if (status != ORR_OK) {
            close(fd);
            return status;
        }
        errno = number;
        if (fd < 0 && !create && number == ENOENT) return ORR_OK;
        if (fd < 0 && (number == ELOOP || number == ENOTDIR))
            return orr_fail(error, ORR_IO,
                            "%s/%s: \"%s\" is not a directory (a symlink is not followed)",
                            root->path, relative, component);
        if (fd < 0 && number == ENAMETOOLONG) return orr_output_too_long(root, relative, error);
        if (fd < 0) return io_error(error, relative, "open its directory");
    }
    *directory = fd;
    return ORR_OK;
}

static int is_full(int number) {
    return number == ENOSPC || number == EDQUOT;
}

orr_status orr_output_settle_directories(const orr_output_root *root, orr_error *error) {
    orr_status status = ORR_OK;
    for (char *path; status == ORR_OK && (path = orr_new_directories_left(root->made));) {
        char inside[ORR_MAX_PATH + 16];
        const char *name;
        int fd = -1;
        // One that somebody removed, or put another in the place of, is nobody's loss.
        if (snprintf(inside, sizeof inside, "%s/.", path) < (int)sizeof inside &&
            orr_output_directory(root, inside, 0, &fd, &name, NULL) == ORR_OK && fd >= 0 &&
            orr_new_directories_settle(root->made, root->target, fd) < 0)
            status = io_error(error, path, "flush the name of this directory");
        if (fd >= 0) close(fd);
        orr_new_directories_drop(root->made, path);
        free(path);
    }
    return status;
}

orr_status orr_output_reserve(orr_output *output, uint64_t bytes, orr_error *error) {
    int failed = fallocate(output->fd, 0, 0, (off_t)bytes) != 0;
    if (failed && is_full(errno)) {
        orr_output_remove_left(output->root); // they hold all the space of their files
        failed = fallocate(output->fd, 0, 0, (off_t)bytes) != 0;
    }
    return failed && (is_full(errno) || errno == EFBIG)
               ? io_error(error, output->shown, "reserve its space")
               : ORR_OK;
}

// Creates the file, or takes over the one that an earlier run left.
static int open_partial(orr_output *output, orr_unfinished *unfinished) {
    mode_t mark = orr_target_mark(output->root->target);
    int fd = -1;
    if (unfinished && unfinished->name[0]) {
        fd = unfinished->fd >= 0 ? unfinished->fd
                                 : orr_partial_create_as(output->directory, mark, unfinished->name);
        unfinished->fd = -1;
    }
    output->unfinished = fd >= 0;
    if (fd < 0)
        return orr_partial_create(output->directory, ORR_PARTIAL_SUFFIX, mark, output->partial);
    memcpy(output->partial, unfinished->name, sizeof unfinished->name);
    return fd;
}

orr_status orr_output_set_length(const orr_output *output, uint64_t bytes, orr_error *error) {
    struct stat st;
    if (!output->unfinished) return ORR_OK;
    if (fstat(output->fd, &st) == 0 &&
        ((uint64_t)st.st_size == bytes || ftruncate(output->fd, (off_t)bytes) == 0))
        return ORR_OK;
    return io_error(error, output->shown, "set its length");
}

orr_status orr_output_begin_unfinished(orr_output *output, const orr_output_root *root,
                                       const char *relative, orr_unfinished *unfinished,
                                       orr_error *error) {
    const char *name;
    memset(output, 0, sizeof *output);
    output->fd = output->directory = -1;
    output->root = root;
    orr_status status =
        orr_output_directory(root, relative, 0777, &output->directory, &name, error);
    if (status != ORR_OK) return status;
    size_t room = strlen(root->path) + strlen(relative) + 2;
    output->name = strdup(name);
    output->partial = malloc(ORR_PARTIAL_NAME_BYTES);
    output->shown = malloc(room);
    if (!output->name || !output->partial || !output->shown) {
        orr_output_abort(output);
        return orr_fail(error, ORR_INTERNAL, "out of memory");
    }
    snprintf(output->shown, room, "%s/%s", root->path, relative);
    if (strlen(name) > NAME_MAX) {
        status = orr_output_too_long(root, output->shown, error);
        goto end;
    }
    orr_target_sweep(root->target, output->directory, relative);
    status = orr_target_probe(root->target, output->directory, output->shown, error);
    if (status != ORR_OK) goto end;
    output->fd = open_partial(output, unfinished);
    if (output->fd < 0) {
        status = io_error(error, output->shown, "create this file");
        goto end;
    }
    return ORR_OK;
end:
    orr_output_abort(output);
    return status;
}

orr_status orr_output_begin(orr_output *output, const orr_output_root *root, const char *relative,
                            orr_error *error) {
    return orr_output_begin_unfinished(output, root, relative, NULL, error);
}

// Gives the partial file its final name. ORR_EXISTS when another file has it. A directory below may
// lie on another file system than the one that was probed: then the next way is tried.
static orr_status give_name(const orr_output *output, orr_error *error) {
    orr_naming naming = orr_target_naming(output->root->target);
    // A directory of outputs is locked as long as its job lives, one output file alone is not.
    int failed = orr_rename_new(output->directory, output->partial, output->name, &naming,
                                !output->root->only) != 0;
    if (failed && errno == EEXIST)
        return orr_fail(error, ORR_EXISTS,
                        "%s: appeared while it was being written: nothing was replaced",
                        output->shown);
    if (failed && errno == EWOULDBLOCK)
        return orr_fail(error, ORR_IO,
                        "%s: another orrery job is writing into this directory: wait until it ends",
                        output->shown);
    if (failed && errno == ENAMETOOLONG)
        return orr_output_too_long(output->root, output->shown, error);
    return failed ? io_error(error, output->shown, "rename the finished file") : ORR_OK;
}

orr_status orr_output_set_time(orr_output *output, const struct timespec *mtime, orr_error *error) {
    int lacks = orr_target_set_time(output->root->target, output->fd, mtime);
    if (lacks < 0) return io_error(error, output->shown, "restore its time");
    output->lacks |= (unsigned)lacks;
    return ORR_OK;
}

orr_status orr_output_flush(orr_output *output, mode_t mode, orr_error *error) {
    orr_target *target = output->root->target;
    struct stat st;
    output->mode = mode;
    // All of its mode but the mark is there before the name is.
    output->mark = fstat(output->fd, &st) == 0 ? st.st_mode & ORR_PARTIAL_MARK : 0;
    int lacks = orr_target_set_mode(target, output->fd, mode | output->mark);
    if (lacks < 0) return io_error(error, output->shown, "set its mode");
    output->lacks |= (unsigned)lacks;
    lacks = orr_target_flush(target, output->fd);
    if (lacks < 0) return io_error(error, output->shown, "flush this file");
    output->lacks |= (unsigned)lacks;
    if (orr_ask_close(output->fd) != 0) return io_error(error, output->shown, "close this file");
    errno = 0;
    if (orr_partial_is_there(output->directory, output->partial, output->fd)) return ORR_OK;
    if (errno && errno != ENOENT) return io_error(error, output->shown, "look at this file");
    return orr_fail(error, ORR_IO,
                    "%s: its partial file was removed or replaced while it was written: run the "
                    "same command again",
                    output->shown);
}

// A file whose name may not last, or whose end may be missing, must not pass for finished.
static void take_name_back(const orr_output *output, const struct stat *st, orr_error *error) {
    struct stat named;
    int there = fstatat(output->directory, output->name, &named, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno == ENOENT) return;
    // Where inode numbers do not last, one that looks otherwise may be it all the same: it stays,
    // and is told of.
    int same = there && orr_is_same(&named, st, output->directory);
    if (there && !same && orr_inodes_last(output->directory)) return;
    if (same && unlinkat(output->directory, output->name, 0) == 0) return;
    size_t used = error ? strlen(error->text) : 0;
    if (error)
        snprintf(error->text + used, sizeof error->text - used,
                 "; and its name could not be taken back: remove it");
}

// What is left to do once the name is given.
static orr_status settle_name(orr_output *output, orr_error *error) {
    orr_target *target = output->root->target;
    int lacks = output->mark ? orr_target_set_mode(target, output->fd, output->mode) : 0;
    if (lacks < 0) return io_error(error, output->shown, "set its mode");
    output->lacks |= (unsigned)lacks;
    lacks = orr_target_flush_directory(target, output->directory);
    if (lacks >= 0) output->lacks |= (unsigned)lacks;
    if (lacks >= 0)
        lacks = orr_new_directories_settle(output->root->made, target, output->directory);
    if (lacks < 0) return io_error(error, output->shown, "flush its directory");
    output->lacks |= (unsigned)lacks;
    if (orr_flush_held(output->fd) != 0)
        return io_error(error, output->shown, "flush its directory");
    if (fstat(output->fd, &output->st) != 0)
        return io_error(error, output->shown, "look at this file");
    int closed = close(output->fd);
    output->fd = -1;
    return closed == 0 ? ORR_OK : io_error(error, output->shown, "close this file");
}

orr_status orr_output_name(orr_output *output, orr_error *error) {
    struct stat st;
    orr_status status = fstat(output->fd, &st) == 0
                            ? give_name(output, error)
                            : io_error(error, output->shown, "look at this file");
    if (status == ORR_OK) {
        free(output->partial);
        output->partial = NULL; // it is gone
        if (output->named) output->named(output->named_context);
        status = settle_name(output, error);
        // Its mode has changed since, perhaps.
        if (output->fd < 0)
            st = output->st;
        else
            (void)fstat(output->fd, &st);
        if (status != ORR_OK) take_name_back(output, &st, error);
    }
    if (status == ORR_OK) orr_target_count(output->root->target, output->lacks);
    st = output->st;
    orr_output_abort(output);
    output->st = st;
    return status;
}

orr_status orr_output_commit(orr_output *output, mode_t mode, orr_error *error) {
    orr_status status = orr_output_flush(output, mode, error);
    if (status == ORR_OK) return orr_output_name(output, error);
    orr_output_abort(output);
    return status;
}

int orr_output_time_is_held(const orr_output_root *root, int directory,
                            const struct timespec *wanted, const struct timespec *found) {
    return orr_target_time_is_held(root->target, directory, !root->dry_run, wanted, found);
}

// The unfinished name of a file that has its final one.
typedef struct twin {
    int directory;
    struct stat st;
} twin;

static void remove_twin(void *context, const char *name) {
    const twin *of = context;
    struct stat st;
    if (fstatat(of->directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        orr_is_same(&st, &of->st, of->directory))
        unlinkat(of->directory, name, 0);
}

void orr_output_settle(const orr_output_root *root, const char *relative) {
    const char *name;
    struct stat st;
    int directory;
    if (orr_output_directory(root, relative, 0, &directory, &name, NULL) != ORR_OK || directory < 0)
        return;
    if (!root->only) orr_target_sweep(root->target, directory, relative);
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        st.st_mode & ORR_PARTIAL_MARK) {
        // First the partial name, which stands beside it where it was linked, not renamed.
        orr_partial_sweep_telling(directory, name, remove_twin, &(twin){directory, st});
        fchmodat(directory, name, st.st_mode & 07777 & ~(mode_t)ORR_PARTIAL_MARK,
                 AT_SYMLINK_NOFOLLOW);
    }
    close(directory);
}

static void close_output(orr_output *output, int keep) {
    if (!output->name && !output->partial && !output->shown) return;
    if (output->partial && output->fd >= 0 && !keep)
        orr_partial_remove(output->directory, output->partial, output->fd);
    if (output->fd >= 0) close(output->fd);
    if (output->directory >= 0) close(output->directory);
    free(output->name);
    free(output->partial);
    free(output->shown);
    memset(output, 0, sizeof *output);
    output->fd = output->directory = -1;
}

void orr_output_abort(orr_output *output) {
    close_output(output, 0);
}

void orr_output_leave(orr_output *output) {
    close_output(output, output->unfinished);
}

void orr_output_remove_left(const orr_output_root *root) {
    const char *name;
    int directory;
    // What other shards were killed in is theirs to go on with.
    for (char *path; root->lock_fd < 0 && (path = orr_target_take_left(root->target)); free(path)) {
        if (orr_output_directory(root, path, 0, &directory, &name, NULL) != ORR_OK || directory < 0)
            continue;
        orr_partial_remove_stale(directory, name);
        close(directory);
    }
}

orr_status orr_read_source(int fd, void *buffer, size_t bytes, uint64_t offset, const char *shown,
                           orr_error *error) {
    size_t done = orr_pread_in_full(fd, buffer, bytes, offset);
    return orr_read_outcome(done, bytes, errno, shown, error);
}

orr_status orr_read_outcome(size_t done, size_t bytes, int number, const char *shown,
                            orr_error *error) {
    if (done >= bytes) return ORR_OK;
    if (number)
        return orr_fail_source(error, number, "%s: cannot read this file: %s", shown,
                               strerror(number));
    return orr_fail(error, ORR_IO, "%s: ends early: it was changed while being read", shown);
}
