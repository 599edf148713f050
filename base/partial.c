#include "base/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/flush.h"

#define PREFIX ".orrery-"
#define DIGITS 16
#define TRIES 8
#define LOCK_TRIES 100
#define LOCK_WAIT 20000000 // nanoseconds
#define SWEEP_TRIES 15     // of a whole process: who was killed before it began is gone by then

int orr_inodes_last(int fd) {
    // FUSE and the SMB clients make numbers up as files are met, FUSE one for each name of a file;
    // FAT and exFAT do so by place.
    static const unsigned long others[] = {FUSE_SUPER_MAGIC, SMB_SUPER_MAGIC,   CIFS_SUPER_MAGIC,
                                           SMB2_SUPER_MAGIC, MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC};
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) return 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (((unsigned long)fs.f_type & 0xffffffff) == others[i]) return 0;
    return 1;
}

int orr_is_same(const struct stat *a, const struct stat *b, int fd) {
    if (a->st_dev != b->st_dev) return 0;
    if (a->st_ino == b->st_ino) return 1;
    return S_ISREG(a->st_mode) && !orr_inodes_last(fd) && a->st_mode == b->st_mode &&
           a->st_size == b->st_size && orr_same_time(&a->st_mtim, &b->st_mtim);
}

int orr_is_same_file(int directory, const char *name, int fd) {
    struct stat named, opened;
    return fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           orr_is_same(&named, &opened, fd);
}

const char *orr_partial_suffix(const char *name) {
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
        strspn(name + strlen(PREFIX), "0123456789abcdef") != DIGITS)
        return NULL;
    return name + strlen(PREFIX) + DIGITS;
}

int orr_partial_is_name(const char *name) {
    const char *suffix = orr_partial_suffix(name);
    return suffix && (!strcmp(suffix, ORR_PARTIAL_SUFFIX) || !strcmp(suffix, ORR_PROBE_SUFFIX) ||
                      !strcmp(suffix, ORR_UNFINISHED_SUFFIX));
}

int orr_partial_is_left(const char *name, const struct stat *st) {
    if (!orr_partial_suffix(name) || !S_ISREG(st->st_mode)) return 0;
    return st->st_mode & ORR_PARTIAL_MARK ||
           (!strcmp(orr_partial_suffix(name), ORR_PROBE_SUFFIX) && st->st_size <= 1);
}

int orr_partial_is_there(int directory, const char *name, int fd) {
    struct stat named, opened;
    return fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           S_ISREG(named.st_mode) && named.st_dev == opened.st_dev &&
           (named.st_ino == opened.st_ino || !orr_inodes_last(fd));
}

void orr_partial_remove(int directory, const char *name, int fd) {
    if (orr_partial_is_there(directory, name, fd)) unlinkat(directory, name, 0);
}

void orr_partial_name(uint64_t digits, const char *suffix, char name[ORR_PARTIAL_NAME_BYTES]) {
    snprintf(name, ORR_PARTIAL_NAME_BYTES, PREFIX "%016llx%s", (unsigned long long)digits, suffix);
}

int orr_partial_draw(const char *suffix, char name[ORR_PARTIAL_NAME_BYTES]) {
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != sizeof number) return -1;
    orr_partial_name(number, suffix, name);
    return 0;
}

int orr_partial_create_directory(int directory, char name[ORR_PARTIAL_NAME_BYTES]) {
    if (orr_partial_draw(ORR_PARTIAL_SUFFIX, name) != 0) return -1;
    if (mkdirat(directory, name, 0700 | ORR_PARTIAL_MARK) != 0 &&
        (!orr_is_refusal(errno) || mkdirat(directory, name, 0700) != 0))
        return -1;
    return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

#define CREATE (O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC)

// A sweep holds its lock for an instant only.
static int lock(int fd) {
    int failed;
    while ((failed = flock(fd, LOCK_EX)) != 0 && errno == EINTR) continue;
    return failed;
}

int orr_partial_create(int directory, const char *suffix, mode_t mark,
                       char name[ORR_PARTIAL_NAME_BYTES]) {
    for (int tries = 0; tries < TRIES; tries++) {
        if (orr_partial_draw(suffix, name) != 0) return -1;
        int fd = openat(directory, name, CREATE, 0600 | mark);
        // Some file systems refuse the mark instead of dropping it.
        if (fd < 0 && mark && (orr_is_refusal(errno) || errno == EIO))
            fd = openat(directory, name, CREATE, 0600);
        if (fd < 0 && errno == EEXIST) continue;
        if (fd < 0) return -1;
        (void)lock(fd); // where there are no locks, none sweeps
        // Between the two calls a sweep may have taken it for a stale one.
        if (orr_partial_is_there(directory, name, fd)) return fd;
        close(fd);
    }
    errno = EBUSY;
    return -1;
}

// Is it the unfinished file of this name, and nothing that somebody put there or may write to? Its
// mode is no longer 0600 when its run was killed just before the naming.
static int is_unfinished(int directory, const char *name, int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
           st.st_uid == geteuid() && st.st_mode & ORR_PARTIAL_MARK && !(st.st_mode & 022) &&
           orr_partial_is_there(directory, name, fd);
}

int orr_partial_create_as(int directory, mode_t mark, const char *name) {
    int fd = openat(directory, name, CREATE, 0600 | mark);
    if (fd < 0) return -1;
    if (lock(fd) == 0 && is_unfinished(directory, name, fd)) return fd;
    orr_partial_remove(directory, name, fd);
    close(fd);
    errno = EOPNOTSUPP;
    return -1;
}

// What a killed writer had under way through a ring may hold the file, and its lock, a little
// longer than that lived. Nothing of it arrives once the lock is free.
static int wait_for_lock(int fd, int how, atomic_int *tries) {
    int failed;
    while ((failed = flock(fd, how | LOCK_NB)) != 0 && (errno == EWOULDBLOCK || errno == EINTR) &&
           atomic_fetch_sub(tries, 1) > 0)
        nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT}, NULL);
    return failed;
}

int orr_partial_reopen(int directory, const char *name) {
    atomic_int tries = LOCK_TRIES;
    struct stat st;
    // Looked at before it is opened: opening a FIFO or a device can have effects.
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return -1;
    int fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -1;
    // Its writer may have finished it since: then it has another name, or none.
    if (wait_for_lock(fd, LOCK_EX, &tries) == 0 && is_unfinished(directory, name, fd) &&
        fchmod(fd, 0600 | ORR_PARTIAL_MARK) == 0)
        return fd;
    close(fd);
    return -1;
}

int orr_partial_remove_stale(int directory, const char *name) {
    static atomic_int tries = SWEEP_TRIES;
    struct stat st;
    int in_use = 0;
    // Looked at before it is opened: opening a FIFO or a device can have effects.
    // One that is not certainly left stays, but may have a writer: file systems drop the mark.
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return 0;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno != ENOENT;
    // A shared lock: NFS gives an exclusive one only to who may write. Its writer may have finished
    // since it was listed: then the file has another name, or this one and no mark.
    if (wait_for_lock(fd, LOCK_SH, &tries) != 0)
        in_use = 1;
    else if (fstat(fd, &st) == 0 && orr_partial_is_left(name, &st) &&
             orr_is_same_file(directory, name, fd))
        unlinkat(directory, name, 0);
    close(fd);
    return in_use;
}

void orr_partial_sweep_telling(int directory, const char *except,
                               void (*unfinished)(void *context, const char *name), void *context) {
    DIR *listing = orr_directory_list(directory);
    struct dirent *d;
    while (listing && (d = readdir(listing))) {
        if (!orr_partial_is_name(d->d_name) || (except && !strcmp(d->d_name, except))) continue;
        if (strcmp(orr_partial_suffix(d->d_name), ORR_UNFINISHED_SUFFIX))
            orr_partial_remove_stale(directory, d->d_name);
        else if (unfinished)
            unfinished(context, d->d_name);
    }
    if (listing) closedir(listing);
}

void orr_partial_sweep(int directory, const char *except) {
    orr_partial_sweep_telling(directory, except, NULL, NULL);
}

int orr_partial_unmark(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) return -1;
    if (!(st.st_mode & ORR_PARTIAL_MARK)) return 0;
    return fchmod(fd, st.st_mode & 07777 & ~(mode_t)ORR_PARTIAL_MARK) != 0 && !orr_is_refusal(errno)
               ? -1
               : 0;
}
