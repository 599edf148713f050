#include "base/group_flush.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/flush.h"

// One flush, and how many threads wait for it.
typedef struct flush {
    pthread_cond_t ended; // this one, or the one before it
    unsigned waiting;
    int done, result, number;
} flush;

// A file or directory that somebody flushes.
typedef struct place {
    dev_t device;
    ino_t inode;
    unsigned users;
    int running; // a flush is
    flush *next; // the one that whoever comes now waits for; NULL: nobody has come yet
    struct place *following;
} place;

struct orr_group_flush {
    pthread_mutex_t lock;
    place *places;
};

orr_group_flush *orr_group_flush_new(void) {
    orr_group_flush *group = calloc(1, sizeof *group);
    if (!group) return NULL;
    pthread_mutex_init(&group->lock, NULL);
    return group;
}

void orr_group_flush_free(orr_group_flush *group) {
    if (!group) return;
    pthread_mutex_destroy(&group->lock);
    free(group);
}

static flush *new_flush(void) {
    flush *f = calloc(1, sizeof *f);
    if (f) pthread_cond_init(&f->ended, NULL);
    return f;
}

// Under the lock. NULL when memory ran out.
static place *enter(orr_group_flush *group, const struct stat *st) {
    place *p = group->places;
    while (p && (p->device != st->st_dev || p->inode != st->st_ino)) p = p->following;
    if (!p && (p = calloc(1, sizeof *p))) {
        *p = (place){.device = st->st_dev, .inode = st->st_ino, .following = group->places};
        group->places = p;
    }
    if (p && !p->next) p->next = new_flush();
    if (p) p->users++;
    return p;
}

static void leave(orr_group_flush *group, place *p) {
    if (--p->users) return;
    place **at = &group->places;
    while (*at != p) at = &(*at)->following;
    *at = p->following;
    free(p);
}

// Under the lock, which is released meanwhile.
static void run(orr_group_flush *group, place *p, flush *f, int fd) {
    p->running = 1;
    p->next = NULL; // who comes now has changed what this flush may not see
    pthread_mutex_unlock(&group->lock);
    int result = orr_fsync(fd), number = errno;
    pthread_mutex_lock(&group->lock);
    f->result = result;
    f->number = number;
    f->done = 1;
    p->running = 0;
    pthread_cond_broadcast(&f->ended);
    if (p->next) pthread_cond_signal(&p->next->ended); // one of them leads it
}

// The system tells of a failed write once to each open file: another's flush does not tell what
// failed before that one was opened.
static int look_for_errors(int fd) {
    int failed = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) != 0;
    return failed && (errno == EIO || errno == ENOSPC || errno == EDQUOT) ? -1 : 0;
}

int orr_group_fsync(orr_group_flush *group, int fd) {
    struct stat st;
    int led = 0;
    if (fstat(fd, &st) != 0) return -1;
    pthread_mutex_lock(&group->lock);
    place *p = enter(group, &st);
    flush *f = p ? p->next : NULL;
    if (!f) { // no memory: alone
        if (p) leave(group, p);
        pthread_mutex_unlock(&group->lock);
        return orr_fsync(fd);
    }
    f->waiting++;
    while (!f->done) {
        led = !p->running;
        if (led)
            run(group, p, f, fd);
        else
            pthread_cond_wait(&f->ended, &group->lock);
    }
    int result = f->result, number = f->number;
    if (!--f->waiting) {
        pthread_cond_destroy(&f->ended);
        free(f);
    }
    leave(group, p);
    pthread_mutex_unlock(&group->lock);
    if (result == 0 && !led) return look_for_errors(fd);
    errno = number;
    return result;
}
