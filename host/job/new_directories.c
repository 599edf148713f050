#include "host/job/new_directories.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define MOST 256 // each named file looks for its directory here

typedef struct new_directory {
    dev_t device;
    ino_t inode, above; // its own, and of the directory that holds it
    uint64_t number;    // of its making
    int found;          // made by another run, which may have been killed before it flushed that
    char *path;         // owned
} new_directory;

struct orr_new_directories {
    pthread_mutex_t noting; // held before `lock`
    pthread_mutex_t lock;   // guards what follows
    unsigned count;
    uint64_t number; // that have been made
    new_directory all[MOST];
};

orr_new_directories *orr_new_directories_new(void) {
    orr_new_directories *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    pthread_mutex_init(&made->noting, NULL);
    pthread_mutex_init(&made->lock, NULL);
    return made;
}

void orr_new_directories_free(orr_new_directories *made) {
    if (!made) return;
    for (unsigned i = 0; i < made->count; i++) free(made->all[i].path);
    pthread_mutex_destroy(&made->noting);
    pthread_mutex_destroy(&made->lock);
    free(made);
}

// 0: there is no room for it.
static int add(orr_new_directories *made, const orr_directory_met *way) {
    struct stat st, holder;
    if (fstat(way->fd, &st) != 0 || fstat(way->above, &holder) != 0) return 0;
    char *path = strndup(way->path, way->bytes);
    pthread_mutex_lock(&made->lock);
    int added = path && made->count < MOST;
    if (added)
        made->all[made->count++] =
            (new_directory){st.st_dev, st.st_ino, holder.st_ino, ++made->number, way->found, path};
    pthread_mutex_unlock(&made->lock);
    if (!added) free(path);
    return added;
}

// *number: of the last one that has been made by now.
static int is_new(orr_new_directories *made, const struct stat *st, uint64_t *number) {
    int found = 0;
    pthread_mutex_lock(&made->lock);
    for (unsigned i = 0; i < made->count && !found; i++)
        found = made->all[i].inode == st->st_ino && made->all[i].device == st->st_dev;
    *number = made->number;
    pthread_mutex_unlock(&made->lock);
    return found;
}

// Under the lock.
static void forget(orr_new_directories *made, unsigned i) {
    free(made->all[i].path);
    made->all[i] = made->all[--made->count];
}

// A directory that was flushed, with all that had been made in it before.
typedef struct level {
    dev_t device;
    ino_t inode;
    uint64_t number;
} level;

static void forget_in(orr_new_directories *made, const level *above) {
    pthread_mutex_lock(&made->lock);
    for (unsigned i = made->count; i-- > 0;)
        if (made->all[i].above == above->inode && made->all[i].device == above->device &&
            made->all[i].number <= above->number)
            forget(made, i);
    pthread_mutex_unlock(&made->lock);
}

// Who does not find a directory in the list takes all of its path for flushed: so none goes from
// it before all above it are.
int orr_new_directories_settle(orr_new_directories *made, orr_target *target, int fd) {
    level levels[MOST];
    unsigned count = 0;
    uint64_t number;
    struct stat st;
    int at = fd, result = fstat(fd, &st) == 0 ? 0 : -1;
    while (result >= 0 && count < MOST && is_new(made, &st, &number)) {
        int above = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), saved = errno;
        if (at != fd) close(at);
        at = above;
        errno = saved;
        int flushed =
            above >= 0 && fstat(above, &st) == 0 ? orr_target_flush_directory(target, above) : -1;
        levels[count++] = (level){st.st_dev, st.st_ino, number};
        result = flushed < 0 ? -1 : result | flushed;
    }
    int saved = errno;
    if (at != fd && at >= 0) close(at);
    while (result >= 0 && count) forget_in(made, &levels[--count]);
    errno = saved;
    return result;
}

char *orr_new_directories_left(orr_new_directories *made) {
    pthread_mutex_lock(&made->lock);
    while (made->count && made->all[made->count - 1].found) forget(made, made->count - 1);
    char *path = made->count ? strdup(made->all[made->count - 1].path) : NULL;
    pthread_mutex_unlock(&made->lock);
    return path;
}

void orr_new_directories_drop(orr_new_directories *made, const char *path) {
    pthread_mutex_lock(&made->lock);
    for (unsigned i = made->count; i-- > 0;)
        if (!strcmp(made->all[i].path, path)) forget(made, i);
    pthread_mutex_unlock(&made->lock);
}

// At once, where the list has no room: with it what else was made in the same place.
static int flush_now(orr_new_directories *made, orr_target *target, int above) {
    struct stat st;
    pthread_mutex_lock(&made->lock);
    uint64_t number = made->number;
    pthread_mutex_unlock(&made->lock);
    int failed = fstat(above, &st) != 0 || orr_target_flush_directory(target, above) < 0 ||
                 orr_new_directories_settle(made, target, above) < 0;
    if (!failed) forget_in(made, &(level){st.st_dev, st.st_ino, number});
    return failed ? -1 : 0;
}

static orr_status note(orr_new_directories *made, const orr_directory_met *way, orr_error *error) {
    int met = 0;
    orr_status status = way->trust ? orr_trust_directory(way->trust, way->fd, way->above,
                                                         !way->found, &met, way->shown, error)
                                   : ORR_OK;
    if (status != ORR_OK || (way->found && met) || add(made, way)) return status;
    if (flush_now(made, way->target, way->above) == 0) return ORR_OK;
    return orr_fail_errno(error, errno, "%s/%.*s: cannot flush its name: %s%s", way->shown,
                          (int)way->bytes, way->path, strerror(errno), orr_errno_hint(errno));
}

// One at a time: who has met a directory before finds it in the list.
orr_status orr_new_directories_note(orr_new_directories *made, const orr_directory_met *met,
                                    orr_error *error) {
    pthread_mutex_lock(&made->noting);
    orr_status status = note(made, met, error);
    pthread_mutex_unlock(&made->noting);
    return status;
}
