// Records what a program does to the files below a directory, so that a test can build what a power
// cut leaves of it (tests/support/powercut.py): LD_PRELOAD=librecord.so ORRERY_RECORD=LOG
// ORRERY_RECORD_ROOT=DIRECTORY (absolute, without symlinks)
//
// ORRERY_RECORD_KILL=N: SIGKILL once N calls have been recorded.
// ORRERY_RECORD_SLOW=N: a flush takes N milliseconds, in which other threads go on.
// ORRERY_RECORD_FUSE=1: the file system is a program's (FUSE), whose files syncfs() does not flush.
//
// One record for each call that changed something or flushed it, in the order of the calls over all
// threads: a line of words, then as many bytes as its last word says, then a newline. Files are
// named by their inode numbers, names are in hexadecimal:
//   create DIRECTORY NAME INODE f|d MODE 0
//   link INODE DIRECTORY NAME 0
//   rename DIRECTORY NAME DIRECTORY NAME FLAGS 0
//   unlink DIRECTORY NAME 0
//   write INODE OFFSET BYTES
//   flight INODE OFFSET BYTES  a write that io_uring was given; it ends with a `write` of what was
//                              written, or with ...
//   lost INODE OFFSET 0        ... this
//   size INODE SIZE 0
//   hole INODE END 0
//   mode INODE MODE 0
//   time INODE SECONDS NANOSECONDS 0
//   sync INODE 0
//   flushing INODE THREAD 0, flushed INODE THREAD 0: the beginning and the end of a slow flush
//   syncfs 0
// What stdio writes is seen when it is flushed.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/preload/ring.h"

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static long recorded;

// Sizes up to which the files that stdio may write have been recorded.
static struct {
    unsigned long inode;
    off_t size;
} known[256];

static off_t *known_size(unsigned long inode) {
    size_t i = 0;
    while (i < sizeof known / sizeof *known - 1 && known[i].inode && known[i].inode != inode) i++;
    known[i].inode = inode;
    return &known[i].size;
}

static void put_all(int fd, const void *bytes, size_t count) {
    while (count) {
        ssize_t n = syscall(SYS_write, fd, bytes, count);
        if (n <= 0) abort();
        bytes = (const char *)bytes + n;
        count -= (size_t)n;
    }
}

static void put_record(const char *line, const void *bytes, size_t count) {
    const char *log = getenv("ORRERY_RECORD"), *end = getenv("ORRERY_RECORD_KILL");
    int number = errno;
    int fd = log ? (int)syscall(SYS_openat, AT_FDCWD, log,
                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                 : -1;
    if (fd < 0) abort();
    put_all(fd, line, strlen(line));
    put_all(fd, bytes, count);
    put_all(fd, "\n", 1);
    syscall(SYS_close, fd);
    if (++recorded == (end ? atol(end) : 0)) raise(SIGKILL);
    errno = number;
}

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...) {
    char line[2 * PATH_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    put_record(line, "", 0);
}

// Is this open file below the directory? Then its inode number, else 0.
static unsigned long inode_of(int fd) {
    const char *root = getenv("ORRERY_RECORD_ROOT");
    char link[64], path[PATH_MAX];
    struct stat st;
    int number = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    size_t length = root ? strlen(root) : 0;
    int below = length && !strncmp(path, root, length) && (!path[length] || path[length] == '/') &&
                fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
    errno = number;
    return below ? st.st_ino : 0;
}

// Splits `path` into the directory that holds it, as its inode number (0: not below ours), and its
// last part in hexadecimal.
static unsigned long place_of(int directory, const char *path, char name[2 * NAME_MAX + 1]) {
    char parent[PATH_MAX];
    int number = errno;
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) + 1 : 1,
             slash ? path : ".");
    for (size_t i = 0; i <= strlen(last) && i < NAME_MAX; i++)
        snprintf(name + 2 * i, 3, last[i] ? "%02x" : "", (unsigned char)last[i]);
    int fd = (int)syscall(SYS_openat, directory, parent, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    unsigned long inode = fd >= 0 ? inode_of(fd) : 0;
    if (fd >= 0) syscall(SYS_close, fd);
    errno = number;
    return inode;
}

static int is_there(int directory, const char *path) {
    struct stat st;
    int number = errno, there = fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    errno = number;
    return there;
}

static void created(int directory, const char *path) {
    char name[2 * NAME_MAX + 1];
    struct stat st;
    unsigned long parent = place_of(directory, path, name);
    if (parent && fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        put("create %lu %s %lu %c %o 0\n", parent, name, (unsigned long)st.st_ino,
            S_ISDIR(st.st_mode) ? 'd' : 'f', st.st_mode & 07777);
}

#define BEGIN pthread_mutex_lock(&lock)
#define END(result)              \
    pthread_mutex_unlock(&lock); \
    return result

static int opened(int fd, int directory, const char *path, int flags, int was_there) {
    unsigned long inode = fd >= 0 && (flags & O_ACCMODE) != O_RDONLY ? inode_of(fd) : 0;
    struct stat st;
    if (!inode) return fd;
    if (flags & O_CREAT && !was_there)
        created(directory, path);
    else if (flags & O_TRUNC)
        put("size %lu 0 0\n", inode);
    if (fstat(fd, &st) == 0) *known_size(inode) = st.st_size;
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    BEGIN;
    int there = is_there(AT_FDCWD, path);
    int fd = opened(REAL(open)(path, flags, mode), AT_FDCWD, path, flags, there);
    END(fd);
}

int openat(int directory, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    BEGIN;
    int there = is_there(directory, path);
    int fd = opened(REAL(openat)(directory, path, flags, mode), directory, path, flags, there);
    END(fd);
}

static int made(int result, int directory, const char *path) {
    if (!result) created(directory, path);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    BEGIN;
    int result = made(REAL(mkdir)(path, mode), AT_FDCWD, path);
    END(result);
}

int mkdirat(int directory, const char *path, mode_t mode) {
    BEGIN;
    int result = made(REAL(mkdirat)(directory, path, mode), directory, path);
    END(result);
}

static void put_bytes(const char *call, unsigned long inode, const void *bytes, size_t count,
                      off_t at) {
    char line[128];
    snprintf(line, sizeof line, "%s %lu %lld %zu\n", call, inode, (long long)at, count);
    put_record(line, bytes, count);
}

static void wrote(int fd, const void *bytes, ssize_t count, off_t at) {
    unsigned long inode = count > 0 ? inode_of(fd) : 0;
    if (inode) put_bytes("write", inode, bytes, (size_t)count, at);
}

#if __has_include(<liburing.h>)

static void ring_asks(struct io_uring_sqe *e, int write) {
    ring_note note = {.user_data = e->user_data, .at = (long long)e->off};
    if (!write) return;
    BEGIN;
    note.inode = inode_of(e->fd);
    note.memory = (const void *)(uintptr_t)e->addr; // NOLINT: it is an address
    if (note.inode) {
        put_bytes("flight", note.inode, note.memory, e->len, note.at);
        ring_remember(note);
    }
    pthread_mutex_unlock(&lock);
}

static void ring_has(struct io_uring_cqe *c) {
    ring_note note;
    if (!ring_recall(c->user_data, &note)) return;
    BEGIN;
    if (c->res > 0)
        put_bytes("write", note.inode, note.memory, (size_t)c->res, note.at);
    else
        put("lost %lu %lld 0\n", note.inode, note.at);
    pthread_mutex_unlock(&lock);
}

#endif

ssize_t write(int fd, const void *buffer, size_t count) {
    if (fd <= 2) return REAL(write)(fd, buffer, count);
    BEGIN;
    ssize_t result = REAL(write)(fd, buffer, count);
    off_t end = result > 0 && inode_of(fd) ? lseek(fd, 0, SEEK_CUR) : -1;
    if (end >= result) wrote(fd, buffer, result, end - result);
    END(result);
}

ssize_t pwrite(int fd, const void *buffer, size_t count, off_t at) {
    BEGIN;
    ssize_t result = REAL(pwrite)(fd, buffer, count, at);
    wrote(fd, buffer, result, at);
    END(result);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
    BEGIN;
    ssize_t result = REAL(pwritev2)(fd, parts, count, at, flags);
    for (ssize_t done = 0, now; done < result; done += now, parts++) {
        now = (ssize_t)parts->iov_len < result - done ? (ssize_t)parts->iov_len : result - done;
        wrote(fd, parts->iov_base, now, at + done);
    }
    END(result);
}

// What stdio wrote since it was looked at last, read back.
static void stdio_wrote(int fd) {
    unsigned long inode = fd >= 0 ? inode_of(fd) : 0;
    char path[64];
    struct stat st;
    if (!inode || fstat(fd, &st) != 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) return;
    off_t *from = known_size(inode);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int copy = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    while (copy >= 0 && *from < st.st_size) {
        char part[4096];
        ssize_t n = pread(copy, part, sizeof part, *from);
        if (n <= 0) break;
        wrote(fd, part, n, *from);
        *from += n;
    }
    if (copy >= 0) syscall(SYS_close, copy);
}

int fflush(FILE *file) {
    BEGIN;
    int result = REAL(fflush)(file);
    if (file) stdio_wrote(fileno(file));
    END(result);
}

int fclose(FILE *file) {
    BEGIN;
    if (fileno(file) >= 0 && inode_of(fileno(file))) fflush(file);
    int result = REAL(fclose)(file);
    END(result);
}

#define ON_FILE(expression, ...)                     \
    BEGIN;                                           \
    int result = expression;                         \
    unsigned long inode = result ? 0 : inode_of(fd); \
    if (inode) put(__VA_ARGS__);                     \
    END(result)

int ftruncate(int fd, off_t size) {
    ON_FILE(REAL(ftruncate)(fd, size), "size %lu %lld 0\n", inode, (long long)size);
}

int fallocate(int fd, int mode, off_t at, off_t bytes) {
    ON_FILE(REAL(fallocate)(fd, mode, at, bytes), "%s %lu %lld 0\n", mode ? "hole" : "size", inode,
            (long long)(at + bytes));
}

int fchmod(int fd, mode_t mode) {
    ON_FILE(REAL(fchmod)(fd, mode), "mode %lu %o 0\n", inode, mode & 07777);
}

int futimens(int fd, const struct timespec times[2]) {
    ON_FILE(REAL(futimens)(fd, times), "time %lu %lld %ld 0\n", inode, (long long)times[1].tv_sec,
            times[1].tv_nsec);
}

static int slow_fsync(int fd, long milliseconds) {
    const struct timespec wait = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    const int thread = gettid();
    pthread_mutex_lock(&lock);
    unsigned long begun = inode_of(fd);
    if (begun) put("flushing %lu %d 0\n", begun, thread);
    pthread_mutex_unlock(&lock);
    nanosleep(&wait, NULL);
    ON_FILE(REAL(fsync)(fd), "flushed %lu %d 0\n", inode, thread);
}

int fsync(int fd) {
    const char *slow = getenv("ORRERY_RECORD_SLOW");
    if (slow) return slow_fsync(fd, atol(slow));
    ON_FILE(REAL(fsync)(fd), "sync %lu 0\n", inode);
}

int fdatasync(int fd) {
    ON_FILE(REAL(fdatasync)(fd), "sync %lu 0\n", inode);
}

int syncfs(int fd) {
    if (getenv("ORRERY_RECORD_FUSE")) return 0;
    ON_FILE(REAL(syncfs)(fd), "syncfs 0\n");
}

int fstatfs(int fd, struct statfs *system) {
    int result = REAL(fstatfs)(fd, system);
    if (!result && getenv("ORRERY_RECORD_FUSE")) system->f_type = 0x65735546;
    return result;
}

int fchmodat(int directory, const char *path, mode_t mode, int flags) {
    struct stat st;
    char name[2 * NAME_MAX + 1];
    BEGIN;
    int result = REAL(fchmodat)(directory, path, mode, flags);
    if (!result && place_of(directory, path, name) && fstatat(directory, path, &st, flags) == 0)
        put("mode %lu %o 0\n", (unsigned long)st.st_ino, mode & 07777);
    END(result);
}

static int renamed(int result, int old, const char *from, int new, const char *to, unsigned flags) {
    char name[2][2 * NAME_MAX + 1];
    unsigned long place[2] = {place_of(old, from, name[0]), place_of(new, to, name[1])};
    if (!result && place[0] && place[1])
        put("rename %lu %s %lu %s %u 0\n", place[0], name[0], place[1], name[1], flags);
    return result;
}

int rename(const char *from, const char *to) {
    BEGIN;
    int result = renamed(REAL(rename)(from, to), AT_FDCWD, from, AT_FDCWD, to, 0);
    END(result);
}

int renameat(int old, const char *from, int new, const char *to) {
    BEGIN;
    int result = renamed(REAL(renameat)(old, from, new, to), old, from, new, to, 0);
    END(result);
}

int renameat2(int old, const char *from, int new, const char *to, unsigned flags) {
    BEGIN;
    int result = renamed(REAL(renameat2)(old, from, new, to, flags), old, from, new, to, flags);
    END(result);
}

static int linked(int result, int directory, const char *to) {
    struct stat st;
    char name[2 * NAME_MAX + 1];
    unsigned long place = place_of(directory, to, name);
    if (!result && place && fstatat(directory, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        put("link %lu %lu %s 0\n", (unsigned long)st.st_ino, place, name);
    return result;
}

int link(const char *from, const char *to) {
    BEGIN;
    int result = linked(REAL(link)(from, to), AT_FDCWD, to);
    END(result);
}

int linkat(int old, const char *from, int new, const char *to, int flags) {
    BEGIN;
    int result = linked(REAL(linkat)(old, from, new, to, flags), new, to);
    END(result);
}

static int unlinked(int result, int directory, const char *path) {
    char name[2 * NAME_MAX + 1];
    unsigned long place = result ? 0 : place_of(directory, path, name);
    if (place) put("unlink %lu %s 0\n", place, name);
    return result;
}

int unlink(const char *path) {
    BEGIN;
    int result = unlinked(REAL(unlink)(path), AT_FDCWD, path);
    END(result);
}

int unlinkat(int directory, const char *path, int flags) {
    BEGIN;
    int result = unlinked(REAL(unlinkat)(directory, path, flags), directory, path);
    END(result);
}

int rmdir(const char *path) {
    BEGIN;
    int result = unlinked(REAL(rmdir)(path), AT_FDCWD, path);
    END(result);
}
