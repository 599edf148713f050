// A directory seen through a file system that refuses, forgets or breaks: what network shares,
// FUSE mounts, memory cards and dying disks do, for tests of the program on real mounts.
//
// faultfs ROOT MOUNT CONTROL [libfuse's options]
//
// CONTROL is a file of words, read anew whenever it changes:
//   OPERATION=ERROR  that operation fails: chmod, utimens, fsync, fsyncdir, flush (a close), link,
//                    noreplace (a rename with flags), write, read, open, all
//   ignore=chmod     chmod does nothing and says so to nobody
//   ino=names        each name of a file has an inode number of its own (read at the mount)
//   ino=moving       a file has another inode number each time it is asked for
//   grain=N          times are rounded down to N nanoseconds
//   latest=N         times later than N seconds are N
//   longest=N        names of more than N bytes are too long
//   deadly=N         after N renames (the attribute user.renames counts them) all=... counts
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fuse.h>

static int root;
static const char *control;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char words[4096]; // of CONTROL, a space before and after each
static struct timespec words_from;
static long renames;

static int number_of(const char *name) {
    static const struct {
        const char *name;
        int number;
    } errors[] = {{"EIO", EIO},          {"EPERM", EPERM},     {"EINVAL", EINVAL},
                  {"ENOSYS", ENOSYS},    {"ENOTSUP", ENOTSUP}, {"ENODEV", ENODEV},
                  {"ESTALE", ESTALE},    {"EROFS", EROFS},     {"ENOSPC", ENOSPC},
                  {"ENOTCONN", ENOTCONN}};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(name, errors[i].name)) return errors[i].number;
    fprintf(stderr, "faultfs: unknown error %s\n", name);
    exit(2);
}

static void read_control(void) {
    struct stat st;
    if (stat(control, &st) != 0 ||
        (st.st_mtim.tv_sec == words_from.tv_sec && st.st_mtim.tv_nsec == words_from.tv_nsec))
        return;
    FILE *in = fopen(control, "re");
    size_t n = in ? fread(words + 1, 1, sizeof words - 3, in) : 0;
    if (in) fclose(in);
    words[0] = words[n + 1] = ' ';
    words[n + 2] = 0;
    for (char *p = words; *p; p++)
        if (*p == '\n') *p = ' ';
    words_from = st.st_mtim;
}

// The value of a word of CONTROL. Under the lock.
static int value_of(const char *word, char value[32]) {
    char start[32];
    read_control();
    snprintf(start, sizeof start, " %s=", word);
    const char *at = strstr(words, start);
    return at && sscanf(at + strlen(start), "%31s", value) == 1;
}

static long figure(const char *word) {
    char value[32];
    pthread_mutex_lock(&lock);
    long number = value_of(word, value) ? atol(value) : 0;
    pthread_mutex_unlock(&lock);
    return number;
}

static int says(const char *word, const char *wanted) {
    char value[32];
    pthread_mutex_lock(&lock);
    int said = value_of(word, value) && !strcmp(value, wanted);
    pthread_mutex_unlock(&lock);
    return said;
}

// 0, or the negative errno with which this operation is to fail.
static int fault(const char *operation) {
    char value[32], after[32];
    int number = 0;
    pthread_mutex_lock(&lock);
    if (value_of(operation, value) ||
        (value_of("all", value) && (!value_of("deadly", after) || renames >= atol(after))))
        number = number_of(value);
    pthread_mutex_unlock(&lock);
    return -number;
}

static const char *below(const char *path) {
    return path[1] ? path + 1 : ".";
}

static int too_long(const char *path) {
    const char *name = strrchr(path, '/') + 1;
    long longest = figure("longest");
    return longest && strlen(name) > (size_t)longest;
}

static int outcome(int result) {
    return result < 0 ? -errno : 0;
}

#define REFUSE(operation)               \
    do {                                \
        int refused = fault(operation); \
        if (refused) return refused;    \
    } while (0)

static struct timespec held(struct timespec time) {
    long grain = figure("grain"), latest = figure("latest");
    if (grain >= 1000000000) {
        time.tv_sec -= time.tv_sec % (grain / 1000000000);
        time.tv_nsec = 0;
    } else if (grain)
        time.tv_nsec -= time.tv_nsec % grain;
    if (latest && time.tv_sec > latest) time = (struct timespec){.tv_sec = latest};
    return time;
}

static int fs_getattr(const char *path, struct stat *st, struct fuse_file_info *info) {
    REFUSE("getattr");
    if (too_long(path)) return -ENAMETOOLONG;
    int failed = info && info->fh ? fstat((int)info->fh, st)
                                  : fstatat(root, below(path), st, AT_SYMLINK_NOFOLLOW);
    if (failed) return -errno;
    st->st_mtim = held(st->st_mtim);
    static atomic_ulong asked;
    if (S_ISREG(st->st_mode) && says("ino", "moving")) st->st_ino = ++asked;
    return 0;
}

static int fs_mkdir(const char *path, mode_t mode) {
    REFUSE("mkdir");
    return too_long(path) ? -ENAMETOOLONG : outcome(mkdirat(root, below(path), mode));
}

static int fs_unlink(const char *path) {
    REFUSE("unlink");
    return outcome(unlinkat(root, below(path), 0));
}

static int fs_rmdir(const char *path) {
    REFUSE("rmdir");
    return outcome(unlinkat(root, below(path), AT_REMOVEDIR));
}

static int fs_rename(const char *from, const char *to, unsigned flags) {
    REFUSE("rename");
    if (flags) REFUSE("noreplace");
    if (too_long(to)) return -ENAMETOOLONG;
    int result = outcome((int)syscall(SYS_renameat2, root, below(from), root, below(to), flags));
    pthread_mutex_lock(&lock);
    renames += result == 0;
    pthread_mutex_unlock(&lock);
    return result;
}

static int fs_link(const char *from, const char *to) {
    REFUSE("link");
    return outcome(linkat(root, below(from), root, below(to), 0));
}

static int fs_chmod(const char *path, mode_t mode, struct fuse_file_info *info) {
    REFUSE("chmod");
    if (says("ignore", "chmod")) return 0;
    return outcome(info && info->fh ? fchmod((int)info->fh, mode)
                                    : fchmodat(root, below(path), mode, 0));
}

static int fs_utimens(const char *path, const struct timespec times[2],
                      struct fuse_file_info *info) {
    REFUSE("utimens");
    if (info && info->fh) return outcome(futimens((int)info->fh, times));
    return outcome(utimensat(root, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *info) {
    REFUSE("truncate");
    if (info && info->fh) return outcome(ftruncate((int)info->fh, size));
    int fd = openat(root, below(path), O_WRONLY | O_CLOEXEC);
    int result = fd < 0 ? -errno : outcome(ftruncate(fd, size));
    if (fd >= 0) close(fd);
    return result;
}

static int fs_open(const char *path, struct fuse_file_info *info) {
    REFUSE("open");
    int fd = openat(root, below(path), (info->flags & ~O_NOFOLLOW) | O_CLOEXEC);
    info->fh = (uint64_t)fd;
    return outcome(fd);
}

static int fs_create(const char *path, mode_t mode, struct fuse_file_info *info) {
    REFUSE("create");
    if (too_long(path)) return -ENAMETOOLONG;
    int fd = openat(root, below(path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    info->fh = (uint64_t)fd;
    return outcome(fd);
}

static int fs_read(const char *path, char *out, size_t bytes, off_t at,
                   struct fuse_file_info *info) {
    (void)path;
    REFUSE("read");
    ssize_t got = pread((int)info->fh, out, bytes, at);
    return got < 0 ? -errno : (int)got;
}

static int fs_write(const char *path, const char *in, size_t bytes, off_t at,
                    struct fuse_file_info *info) {
    (void)path;
    REFUSE("write");
    ssize_t put = pwrite((int)info->fh, in, bytes, at);
    return put < 0 ? -errno : (int)put;
}

static int fs_flush(const char *path, struct fuse_file_info *info) {
    (void)path, (void)info;
    return fault("flush");
}

static int fs_release(const char *path, struct fuse_file_info *info) {
    (void)path;
    close((int)info->fh);
    return 0;
}

static int fs_fsync(const char *path, int data, struct fuse_file_info *info) {
    (void)path, (void)data;
    REFUSE("fsync");
    return outcome(fsync((int)info->fh));
}

static int fs_fsyncdir(const char *path, int data, struct fuse_file_info *info) {
    (void)path, (void)data, (void)info;
    return fault("fsyncdir");
}

static int fs_statfs(const char *path, struct statvfs *st) {
    (void)path;
    REFUSE("statfs");
    return outcome(fstatvfs(root, st));
}

static int fs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t at,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags) {
    (void)at, (void)info, (void)flags;
    REFUSE("readdir");
    int fd = openat(root, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *d;
    if (!listing) return -errno;
    while ((d = readdir(listing))) fill(buffer, d->d_name, NULL, 0, 0);
    closedir(listing);
    return 0;
}

static int fs_getxattr(const char *path, const char *name, char *value, size_t bytes) {
    char text[32];
    if (path[1] || strcmp(name, "user.renames")) return -ENODATA;
    pthread_mutex_lock(&lock);
    int n = snprintf(text, sizeof text, "%ld", renames);
    pthread_mutex_unlock(&lock);
    if (bytes && bytes < (size_t)n) return -ERANGE;
    if (bytes) memcpy(value, text, (size_t)n);
    return n;
}

// What is asked is asked here each time: faults may come and go.
static void *fs_init(struct fuse_conn_info *connection, struct fuse_config *config) {
    (void)connection;
    config->use_ino = !says("ino", "names");
    config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
    return NULL;
}

static const struct fuse_operations operations = {.getattr = fs_getattr,
                                                  .mkdir = fs_mkdir,
                                                  .unlink = fs_unlink,
                                                  .rmdir = fs_rmdir,
                                                  .rename = fs_rename,
                                                  .link = fs_link,
                                                  .chmod = fs_chmod,
                                                  .utimens = fs_utimens,
                                                  .truncate = fs_truncate,
                                                  .open = fs_open,
                                                  .create = fs_create,
                                                  .read = fs_read,
                                                  .write = fs_write,
                                                  .flush = fs_flush,
                                                  .release = fs_release,
                                                  .fsync = fs_fsync,
                                                  .fsyncdir = fs_fsyncdir,
                                                  .statfs = fs_statfs,
                                                  .readdir = fs_readdir,
                                                  .getxattr = fs_getxattr,
                                                  .init = fs_init};

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: faultfs ROOT MOUNT CONTROL [OPTION...]\n");
        return 2;
    }
    root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    control = argv[3];
    if (root < 0) {
        perror(argv[1]);
        return 1;
    }
    umask(0); // modes come as the caller's umask left them
    argv[1] = argv[0];
    argv[3] = argv[2];
    argv[2] = "-f";
    return fuse_main(argc - 1, argv + 1, &operations, NULL);
}
