#include "base/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/flush.h"
#include "base/rename.h"

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

FILE *orr_fresh_stream(const orr_fresh *fresh) {
    int copy = fcntl(fresh->fd, F_DUPFD_CLOEXEC, 0);
    FILE *stream = copy >= 0 ? fdopen(copy, "wb") : NULL;
    int number = errno;
    if (!stream && copy >= 0) close(copy);
    errno = number;
    return stream;
}

static mode_t default_mode;

static void read_umask(void) {
    FILE *told = fopen("/proc/self/status", "re"); // umask(2) cannot ask without changing it
    char line[128];
    mode_t mask = 022;
    while (told && fgets(line, sizeof line, told))
        if (!strncmp(line, "Umask:", 6)) mask = (mode_t)strtoul(line + 6, NULL, 8);
    if (told) fclose(told);
    default_mode = 0666 & ~mask;
}

mode_t orr_default_mode(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_umask);
    return default_mode;
}

// The mark stays if the file has it.
int orr_fresh_set_mode(const orr_fresh *fresh, mode_t mode) {
    struct stat st;
    if (fstat(fresh->fd, &st) != 0) return -1;
    if (fchmod(fresh->fd, mode | (st.st_mode & ORR_PARTIAL_MARK)) == 0) return 0;
    return orr_is_refusal(errno) ? 0 : -1;
}

int orr_fresh_flush(const orr_fresh *fresh) {
    if (orr_flush(fresh->fd) < 0 || orr_ask_close(fresh->fd) != 0) return -1;
    if (orr_partial_is_there(fresh->directory, fresh->partial, fresh->fd)) return 0;
    errno = ESTALE;
    return -1;
}

int orr_fresh_name(const orr_fresh *f, int replace) {
    return replace ? renameat(f->directory, f->partial, f->directory, f->name)
                   : orr_rename_new(f->directory, f->partial, f->name, NULL, 0);
}

int orr_fresh_settle(const orr_fresh *fresh) {
    int failed = orr_partial_unmark(fresh->fd) != 0 || orr_flush(fresh->directory) < 0 ||
                 orr_flush_held(fresh->fd) != 0;
    return failed ? -1 : 0;
}

void orr_fresh_take_back(const orr_fresh *fresh) {
    int number = errno;
    if (orr_is_same_file(fresh->directory, fresh->name, fresh->fd))
        unlinkat(fresh->directory, fresh->name, 0);
    errno = number;
}

// The older file gets the mark of a partial one first: a run that is killed once the two have
// changed places leaves it to be removed.
static int change_places(const orr_fresh *f, mode_t older) {
    mode_t mode = older & 07777;
    (void)fchmodat(f->directory, f->name, mode | ORR_PARTIAL_MARK, 0);
    if (orr_rename_exchange(f->directory, f->partial, f->name) == 0) return 0;
    (void)fchmodat(f->directory, f->name, mode, 0);
    return -1;
}

int orr_fresh_commit(const orr_fresh *f, orr_fresh_way way) {
    struct stat older;
    if (orr_fresh_flush(f) != 0) return -1;
    int found = fstatat(f->directory, f->name, &older, AT_SYMLINK_NOFOLLOW) == 0;
    int swapped = way == ORR_FRESH_SWAP && found && S_ISREG(older.st_mode) &&
                  change_places(f, older.st_mode) == 0;
    if (!swapped && orr_fresh_name(f, way != ORR_FRESH_NEW) != 0) return -1;
    if (orr_fresh_settle(f) == 0) {
        if (swapped) unlinkat(f->directory, f->partial, 0);
        return 0;
    }
    int number = errno;
    if (swapped) {
        (void)orr_rename_exchange(f->directory, f->partial, f->name);
        (void)fchmodat(f->directory, f->name, older.st_mode & 07777, 0);
    } else if (way == ORR_FRESH_NEW || (way == ORR_FRESH_SWAP && !found)) {
        orr_fresh_take_back(f);
    }
    errno = number;
    return -1;
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
