// Makes one chosen system call of a program go wrong: LD_PRELOAD=libfault.so
// ORRERY_FAULT=CALL:N:ACTION[:PART]
//
// CALL    open (creation only), look (openat without), readdir, read, write, pread, pwrite, fsync,
//         sync (of a range), syncfs, close, rekey (OpenSSL), thread, rename, unlink, mkdir,
//         fallocate, fchmod, futimens, or any of those that change something: change. preadv2
//         and pwritev2 of one part count as pread and pwrite, and so does what io_uring reads and
//         writes of files, when it is handed over: there kill, tear and after come while others are
//         under way
// N       which such call counts, from 1; 0: every one; -N: that one and all later ones
// ACTION  an error name (EIO ENOSPC EDQUOT EINTR EAGAIN EACCES EROFS EINVAL), short (half of the
//         bytes), odd (1000 bytes fewer are told than were moved), kill (SIGKILL before the call),
//         tear (half of a write, then SIGKILL), after (the call, then SIGKILL), term (SIGTERM, then
//         the call), usr1, usr2 (that signal likewise), twice (SIGTERM and at once SIGTERM again),
//         later (SIGTERM, and again after 1.1 s), slow (a twentieth of a second, then the call),
//         flip (a bit of pwrite's bytes, that of file offset ORRERY_FAULT_AT, in the calls that
//         write there)
// PART    only calls on files whose path contains this, or, with a $ behind it, ends in it
//
// ORRERY_FAULT_BYTES=FROM-TO: only a pread that touches these bytes of its file (TO not included):
// with N = 0 and EIO, bad sectors. Blocks of 4 KiB of it that were written whole are good from then
// on, as when a disk remaps them.
//
// ORRERY_FOLD=1: a file system that takes capitals for small letters.
//
// ORRERY_FAULT_LOG names a file that gets a line for every call that counts, so that a test knows
// how many there are.
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/preload/ring.h"

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

enum { GO_ON, FAIL, HALF, HALF_THEN_DIE, DIE_AFTER, FLIP, ODD };

static atomic_long seen;

static int is_change(const char *call) {
    static const char *const others[] = {"read", "pread", "look",  "readdir",
                                         "sync", "close", "rekey", "thread"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(call, others[i])) return 0;
    return 1;
}

static int is_meant(const char *path, char *part) {
    size_t length = strlen(path), end = strlen(part);
    if (!end || part[end - 1] != '$') return strstr(path, part) != NULL;
    part[--end] = 0;
    return length >= end && !strcmp(path + length - end, part);
}

static void log_call(const char *call, const char *path) {
    const char *log = getenv("ORRERY_FAULT_LOG");
    char line[512];
    if (!log) return;
    int fd =
        (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    int n = snprintf(line, sizeof line, "%s %.400s\n", call, path);
    if (syscall(SYS_write, fd, line, (size_t)n) < 0) abort();
    syscall(SYS_close, fd);
}

// To this thread, or where it wants none to the process.
static void give(int number) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (!sigismember(&blocked, number)) {
        raise(number);
        return;
    }
    kill(getpid(), number);
    nanosleep(&(struct timespec){0, 20000000}, NULL); // it comes through before the next one
}

// What is to happen to this call. FAIL: errno is set.
static int decide(const char *call, const char *path) {
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR},
                  {"EACCES", EACCES}, {"EROFS", EROFS},   {"EINVAL", EINVAL}, {"EAGAIN", EAGAIN}};
    const char *fault = getenv("ORRERY_FAULT");
    char wanted[16] = "", action[16] = "", part[256] = "";
    long n = 0;
    if (!fault || sscanf(fault, "%15[^:]:%ld:%15[^:]:%255[^\n]", wanted, &n, action, part) < 3)
        return GO_ON;
    if (strcmp(wanted, call) && !(!strcmp(wanted, "change") && is_change(call))) return GO_ON;
    if (!is_meant(path, part)) return GO_ON;
    log_call(call, path);
    long count = atomic_fetch_add(&seen, 1) + 1;
    if (n > 0 ? count != n : count < -n) return GO_ON;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(action, errors[i].name)) continue;
        errno = errors[i].number;
        return FAIL;
    }
    if (!strcmp(action, "kill")) raise(SIGKILL);
    if (!strcmp(action, "term")) give(SIGTERM);
    if (!strcmp(action, "usr1")) give(SIGUSR1);
    if (!strcmp(action, "usr2")) give(SIGUSR2);
    int twice = !strcmp(action, "twice"), later = !strcmp(action, "later");
    if (twice || later) give(SIGTERM);
    if (later) nanosleep(&(struct timespec){1, 100000000}, NULL);
    if (twice || later) give(SIGTERM);
    if (!strcmp(action, "slow")) nanosleep(&(struct timespec){0, 50000000}, NULL);
    return !strcmp(action, "short")   ? HALF
           : !strcmp(action, "tear")  ? HALF_THEN_DIE
           : !strcmp(action, "after") ? DIE_AFTER
           : !strcmp(action, "flip")  ? FLIP
           : !strcmp(action, "odd")   ? ODD
                                      : GO_ON;
}

static int decide_fd(const char *call, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return decide(call, path);
}

#define BLOCK 4096
#define BLOCKS 65536 // that are remembered, of one file

static atomic_uchar remapped[BLOCKS];

static int bad_bytes(long long *from, long long *to) {
    const char *bytes = getenv("ORRERY_FAULT_BYTES");
    return bytes && sscanf(bytes, "%lld-%lld", from, to) == 2;
}

// Does this range count?
static int touches(off_t at, size_t count) {
    long long from, to, end = at + (long long)count;
    if (!bad_bytes(&from, &to)) return 1;
    if (from < at) from = at;
    if (to > end) to = end;
    for (; from < to; from = (from / BLOCK + 1) * BLOCK)
        if (from / BLOCK >= BLOCKS || !atomic_load(&remapped[from / BLOCK])) return 1;
    return 0;
}

static void remap(int fd, off_t at, ssize_t count) {
    const char *fault = getenv("ORRERY_FAULT"), *part = fault ? strrchr(fault, ':') : NULL;
    char link[64], path[4096];
    long long from, to;
    if (!part || !bad_bytes(&from, &to)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    if (!strstr(path, part + 1)) return;
    for (long long i = (at + BLOCK - 1) / BLOCK; (i + 1) * BLOCK <= at + count && i < BLOCKS; i++)
        atomic_store(&remapped[i], 1);
}

static void die_if(int die) {
    if (die) raise(SIGKILL);
}

// Of a transfer; direct ones go by blocks.
static size_t half_of(int fd, size_t bytes) {
    size_t unit = fcntl(fd, F_GETFL) & O_DIRECT ? BLOCK : 1, half = bytes / 2 / unit * unit;
    return half > 0 ? half : bytes;
}

#define ON_BYTES(call, fd, count, expression)                                \
    int what = decide_fd(call, fd);                                          \
    if (what == FAIL) return -1;                                             \
    if (what == HALF || what == HALF_THEN_DIE) (count) = half_of(fd, count); \
    ssize_t result = expression;                                             \
    if (what == ODD && result > 1000) result -= 1000;                        \
    die_if(what == HALF_THEN_DIE || what == DIE_AFTER);                      \
    return result

#define ON_RESULT(decision, expression)                 \
    int what = decision;                                \
    if (what == FAIL) return -1;                        \
    int result = expression;                            \
    die_if(what == HALF_THEN_DIE || what == DIE_AFTER); \
    return result

ssize_t read(int fd, void *buffer, size_t count) {
    ON_BYTES("read", fd, count, REAL(read)(fd, buffer, count));
}

static ssize_t get(int fd, struct iovec part, off_t at, int flags) {
    if (!touches(at, part.iov_len)) return REAL(preadv2)(fd, &part, 1, at, flags);
    ON_BYTES("pread", fd, part.iov_len, REAL(preadv2)(fd, &part, 1, at, flags));
}

ssize_t pread(int fd, void *buffer, size_t count, off_t at) {
    return get(fd, (struct iovec){buffer, count}, at, 0);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
    return count == 1 ? get(fd, *parts, at, flags) : REAL(preadv2)(fd, parts, count, at, flags);
}

ssize_t write(int fd, const void *buffer, size_t count) {
    if (fd <= 2) return REAL(write)(fd, buffer, count);
    ON_BYTES("write", fd, count, REAL(write)(fd, buffer, count));
}

// As memory or a bus might: the caller's bytes are right, those of the file are not. To be freed.
static void *flipped(const void *buffer, size_t count, size_t where) {
    uint8_t *altered = aligned_alloc(BLOCK, (count + BLOCK - 1) / BLOCK * BLOCK);
    if (!altered) abort();
    memcpy(altered, buffer, count);
    altered[where] ^= 4;
    return altered;
}

static ssize_t put_flipped(int fd, struct iovec part, off_t at, int flags, off_t where) {
    void *altered = flipped(part.iov_base, part.iov_len, (size_t)(where - at));
    part.iov_base = altered;
    ssize_t result = REAL(pwritev2)(fd, &part, 1, at, flags);
    free(altered);
    return result;
}

static ssize_t put(int fd, struct iovec part, off_t at, int flags) {
    const char *where = getenv("ORRERY_FAULT_AT");
    off_t place = where ? (off_t)atoll(where) : -1;
    if (place >= at && place < at + (off_t)part.iov_len && decide_fd("pwrite", fd) == FLIP)
        return put_flipped(fd, part, at, flags, place);
    remap(fd, at, (ssize_t)part.iov_len);
    ON_BYTES("pwrite", fd, part.iov_len, REAL(pwritev2)(fd, &part, 1, at, flags));
}

ssize_t pwrite(int fd, const void *buffer, size_t count, off_t at) {
    return put(fd, (struct iovec){(void *)buffer, count}, at, 0);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
    return count == 1 ? put(fd, *parts, at, flags) : REAL(pwritev2)(fd, parts, count, at, flags);
}

#if __has_include(<liburing.h>)

static void flip_request(struct io_uring_sqe *e, off_t where) {
    const void *buffer = (const void *)(uintptr_t)e->addr; // NOLINT: it is an address
    void *altered = flipped(buffer, e->len, (size_t)(where - (off_t)e->off));
    e->opcode = IORING_OP_WRITE; // from memory that is not registered
    e->buf_index = 0;
    e->addr = (uintptr_t)altered;
    ring_remember((ring_note){.user_data = e->user_data, .copy = altered});
}

static void ring_asks(struct io_uring_sqe *e, int write) {
    const char *where = write ? getenv("ORRERY_FAULT_AT") : NULL;
    off_t at = (off_t)e->off, place = where ? (off_t)atoll(where) : -1;
    if (write) remap(e->fd, at, e->len);
    if (!write && !touches(at, e->len)) return;
    int what = decide_fd(write ? "pwrite" : "pread", e->fd);
    ring_note note = {.user_data = e->user_data};
    if (what == FLIP && place >= at && place < at + (off_t)e->len) flip_request(e, place);
    if (what == FAIL) { // nothing happens, and that is called a failure
        note.result = -errno;
        io_uring_prep_nop(e);
        e->user_data = note.user_data;
    }
    if (what == HALF || what == HALF_THEN_DIE) e->len = (unsigned)half_of(e->fd, e->len);
    note.die = what == HALF_THEN_DIE || what == DIE_AFTER;
    note.less = what == ODD ? 1000 : 0;
    if (note.die || note.less || note.result) ring_remember(note);
}

static void ring_has(struct io_uring_cqe *c) {
    ring_note note;
    if (!ring_recall(c->user_data, &note)) return;
    die_if(note.die);
    if (note.result) c->res = note.result;
    if (c->res > note.less) c->res -= note.less;
    free(note.copy);
}

#endif

int fsync(int fd) {
    ON_RESULT(decide_fd("fsync", fd), REAL(fsync)(fd));
}

int close(int fd) { // closed also when it fails
    int what = decide_fd("close", fd), number = errno;
    int result = REAL(close)(fd);
    die_if(what == HALF_THEN_DIE || what == DIE_AFTER);
    if (what != FAIL) return result;
    errno = number;
    return -1;
}

int syncfs(int fd) {
    ON_RESULT(decide_fd("syncfs", fd), REAL(syncfs)(fd));
}

int sync_file_range(int fd, off_t at, off_t bytes, unsigned flags) {
    ON_RESULT(decide_fd("sync", fd), REAL(sync_file_range)(fd, at, bytes, flags));
}

int fallocate(int fd, int mode, off_t at, off_t bytes) {
    ON_RESULT(decide_fd("fallocate", fd), REAL(fallocate)(fd, mode, at, bytes));
}

int fchmod(int fd, mode_t mode) {
    ON_RESULT(decide_fd("fchmod", fd), REAL(fchmod)(fd, mode));
}

int futimens(int fd, const struct timespec times[2]) {
    ON_RESULT(decide_fd("futimens", fd), REAL(futimens)(fd, times));
}

int rename(const char *from, const char *to) {
    ON_RESULT(decide("rename", from), REAL(rename)(from, to));
}

int renameat(int old, const char *from, int new, const char *to) {
    ON_RESULT(decide("rename", from), REAL(renameat)(old, from, new, to));
}

int renameat2(int old, const char *from, int new, const char *to, unsigned flags) {
    ON_RESULT(decide("rename", from), REAL(renameat2)(old, from, new, to, flags));
}

int mkdir(const char *path, mode_t mode) {
    ON_RESULT(decide("mkdir", path), REAL(mkdir)(path, mode));
}

int mkdirat(int directory, const char *path, mode_t mode) {
    ON_RESULT(decide("mkdir", path), REAL(mkdirat)(directory, path, mode));
}

int unlink(const char *path) {
    ON_RESULT(decide("unlink", path), REAL(unlink)(path));
}

int unlinkat(int directory, const char *path, int flags) {
    ON_RESULT(decide("unlink", path), REAL(unlinkat)(directory, path, flags));
}

// OpenSSL's: a key is set. Not its header, lest the library need OpenSSL where nothing else does.
int EVP_DecryptInit_ex2(void *context, const void *cipher, const unsigned char *key,
                        const unsigned char *iv, const void *parameters);
int EVP_DecryptInit_ex2(void *context, const void *cipher, const unsigned char *key,
                        const unsigned char *iv, const void *parameters) {
    if (key && !cipher && decide("rekey", "") == FAIL) return 0;
    return REAL(EVP_DecryptInit_ex2)(context, cipher, key, iv, parameters);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
    if (decide("thread", "") == FAIL) return EAGAIN;
    return REAL(pthread_create)(thread, attributes, start, argument);
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    ON_RESULT(flags & O_CREAT ? decide("open", path) : GO_ON, REAL(open)(path, flags, mode));
}

// ORRERY_FOLD: looking a name up finds one that differs in capitals, as some file systems do. The
// name that is there, or 0 when none is. Keeps errno.
static int folded(int directory, const char *path, char name[NAME_MAX + 1]) {
    int number = errno;
    int copy = getenv("ORRERY_FOLD") ? REAL(openat)(directory, ".", O_RDONLY | O_DIRECTORY) : -1;
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *d = NULL;
    while (listing && (d = REAL(readdir)(listing)) && strcasecmp(d->d_name, path)) continue;
    if (d) snprintf(name, NAME_MAX + 1, "%s", d->d_name);
    if (listing) closedir(listing);
    errno = number;
    return d != NULL;
}

static int open_folded(int directory, const char *path, int flags, mode_t mode) {
    char name[NAME_MAX + 1];
    int fd = REAL(openat)(directory, path, flags, mode);
    if (fd >= 0 || errno != ENOENT || flags & O_CREAT || !folded(directory, path, name)) return fd;
    return REAL(openat)(directory, name, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    ON_RESULT(decide(flags & O_CREAT ? "open" : "look", path),
              open_folded(directory, path, flags, mode));
}

int fstatat(int directory, const char *path, struct stat *st, int flags) {
    char name[NAME_MAX + 1];
    int result = REAL(fstatat)(directory, path, st, flags);
    if (!result || errno != ENOENT || !folded(directory, path, name)) return result;
    return REAL(fstatat)(directory, name, st, flags);
}

struct dirent *readdir(DIR *listing) {
    return decide_fd("readdir", dirfd(listing)) == FAIL ? NULL : REAL(readdir)(listing);
}
