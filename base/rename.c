#include "base/rename.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/flush.h"

#define LOCK_TRIES 100
#define LOCK_WAIT 50000000 // nanoseconds

// The directory's flock on a descriptor of its own, which closing releases.
static int take_lock(int directory) {
    int lock = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), tries = 0;
    while (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0 &&
           (errno == EWOULDBLOCK || errno == EINTR)) {
        if (tries++ == LOCK_TRIES) {
            close(lock);
            errno = EWOULDBLOCK;
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_WAIT}, NULL);
    }
    return lock; // where there are no locks, nobody holds one
}

// The lock keeps other processes out. Of two threads of this one each may give a name that the
// file system takes for the other's: capitals and small letters, say.
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int look_and_rename(int directory, const char *from, const char *to, int locked) {
    struct stat st;
    int lock = locked ? -1 : take_lock(directory), failed = -1;
    if (!locked && lock < 0) return -1;
    pthread_mutex_lock(&one_at_a_time);
    if (fstatat(directory, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
        errno = EEXIST;
    else if (errno == ENOENT)
        failed = renameat(directory, from, directory, to);
    int number = errno;
    pthread_mutex_unlock(&one_at_a_time);
    if (lock >= 0) close(lock);
    errno = number;
    return failed;
}

int orr_rename_new(int directory, const char *from, const char *to, orr_naming *way, int locked) {
    orr_naming own = ORR_NAMING_NOREPLACE;
    if (!way) way = &own;
    if (*way == ORR_NAMING_NOREPLACE) {
        if (renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) return 0;
        if (!orr_is_refusal(errno)) return -1;
        *way = ORR_NAMING_LINK;
    }
    if (*way == ORR_NAMING_LINK) {
        if (linkat(directory, from, directory, to, 0) == 0) {
            unlinkat(directory, from, 0);
            return 0;
        }
        if (!orr_is_refusal(errno)) return -1;
        *way = ORR_NAMING_LOOK;
    }
    return look_and_rename(directory, from, to, locked);
}

int orr_rename_exchange(int directory, const char *a, const char *b) {
    return renameat2(directory, a, directory, b, RENAME_EXCHANGE);
}
