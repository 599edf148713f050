#include "base/flush.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static atomic_int refused, told;

int orr_is_refusal(int number) {
    switch (number) {
    case EPERM:
    case EACCES:
    case EINVAL:
    case ENOSYS:
    case ENOTTY:
    case EOPNOTSUPP:
#if ENOTSUP != EOPNOTSUPP
    case ENOTSUP:
#endif
        return 1;
    default:
        return 0;
    }
}

int orr_fsync(int fd) {
    int failed;
    do failed = fsync(fd) != 0;
    while (failed && errno == EINTR);
    return !failed ? 0 : orr_is_refusal(errno) ? 1 : -1;
}

int orr_flush_held(int fd) {
    struct statfs fs;
    struct stat st;
    if (fstatfs(fd, &fs) != 0 || fs.f_type != EXT4_SUPER_MAGIC || fstat(fd, &st) != 0) return 0;
    // The first change finds out, and tells nobody; the second one is refused.
    for (int tries = 0; tries < 2; tries++)
        if (fchmod(fd, st.st_mode & 07777) != 0 && !orr_is_refusal(errno)) return -1;
    return 0;
}

int orr_ask_close(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return errno == EMFILE || errno == ENFILE ? 0 : -1;
    return close(copy) != 0 && errno != EINTR ? -1 : 0;
}

int orr_flush_note(int result) {
    if (result == 1) atomic_store(&refused, 1);
    return result;
}

int orr_flush(int fd) {
    return orr_flush_note(orr_fsync(fd));
}

int orr_flush_refused(void) {
    return atomic_load(&refused) && !atomic_load(&told);
}

void orr_flush_told(void) {
    atomic_store(&told, 1);
}
