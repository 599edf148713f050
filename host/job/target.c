#include "host/job/target.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/flush.h"
#include "base/group_flush.h"
#include "base/io.h"
#include "base/partial.h"
#include "base/text.h"
#include "host/job/claims.h"

#define WORTH_WAITING 100000 // nanoseconds: a flush in memory takes less, one to a disk more

enum { SAID_MODE, SAID_TIME, SAID_ROUNDED, SAID_FLUSH, SAID_DIRECTORY };

struct orr_target {
    char *path;
    pthread_mutex_t lock; // guards swept, probed, scratch
    orr_claims swept;     // directories that were searched for partial files: device and inode
    char **left;          // unfinished files in them
    size_t left_count;
    int probed;
    orr_naming naming;
    mode_t mark;
    int scratch, scratch_directory; // a file whose time is set and read back; -1: none
    char scratch_name[ORR_PARTIAL_NAME_BYTES];
    orr_group_flush *directories;
    atomic_uint slow; // flushes of files, of the last two
    atomic_uint said; // bit n: SAID_n
    atomic_ullong modes, times, flushes;
    orr_target_say say;
    void *context;
};

orr_target *orr_target_new(const char *path) {
    orr_target *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->path = strdup(path);
    t->directories = orr_group_flush_new();
    t->scratch = t->scratch_directory = -1;
    t->mark = ORR_PARTIAL_MARK;
    pthread_mutex_init(&t->lock, NULL);
    if (t->path && t->directories) return t;
    orr_target_free(t);
    return NULL;
}

void orr_target_hear(orr_target *t, orr_target_say say, void *context) {
    t->say = say;
    t->context = context;
}

static void remove_own(int directory, const char *name, int fd) {
    orr_partial_remove(directory, name, fd);
    close(fd);
}

void orr_target_free(orr_target *t) {
    if (!t) return;
    if (t->scratch >= 0) remove_own(t->scratch_directory, t->scratch_name, t->scratch);
    if (t->scratch_directory >= 0) close(t->scratch_directory);
    orr_claims_free(&t->swept);
    orr_group_flush_free(t->directories);
    for (size_t i = 0; i < t->left_count; i++) free(t->left[i]);
    free(t->left);
    pthread_mutex_destroy(&t->lock);
    free(t->path);
    free(t);
}

static void say(orr_target *t, int aside, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(orr_target *t, int aside, const char *format, ...) {
    char text[4608];
    va_list args;
    if (!t->say) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->say(t->context, aside, text);
}

static int first_time(orr_target *t, int what) {
    return !(atomic_fetch_or(&t->said, 1u << what) & 1u << what);
}

typedef struct leavings {
    orr_target *target;
    const char *relative;
} leavings;

// When memory runs out it stays for the next job to remove.
static void note_left(void *context, const char *name) {
    const leavings *where = context;
    orr_target *t = where->target;
    const char *slash = strrchr(where->relative, '/');
    size_t before = slash ? (size_t)(slash + 1 - where->relative) : 0;
    char *path = malloc(before + strlen(name) + 1);
    if (path) {
        memcpy(path, where->relative, before);
        memcpy(path + before, name, strlen(name) + 1);
    }
    pthread_mutex_lock(&t->lock);
    char **more = path ? realloc(t->left, (t->left_count + 1) * sizeof *more) : NULL;
    if (more) {
        t->left = more;
        t->left[t->left_count++] = path;
    }
    pthread_mutex_unlock(&t->lock);
    if (!more) free(path);
}

char *orr_target_take_left(orr_target *t) {
    pthread_mutex_lock(&t->lock);
    char *path = t->left_count ? t->left[--t->left_count] : NULL;
    pthread_mutex_unlock(&t->lock);
    return path;
}

void orr_target_sweep(orr_target *t, int directory, const char *relative) {
    struct stat st;
    if (fstat(directory, &st) != 0) return;
    const uint64_t place[2] = {st.st_dev, st.st_ino};
    pthread_mutex_lock(&t->lock);
    orr_claim_result seen = orr_claim(&t->swept, place, sizeof place, NULL, 0);
    pthread_mutex_unlock(&t->lock);
    if (seen == ORR_CLAIM_NEW)
        orr_partial_sweep_telling(directory, NULL, note_left, &(leavings){t, relative});
}

// ---- what may be refused

int orr_target_set_mode(orr_target *t, int fd, mode_t mode) {
    struct stat st;
    int failed = fchmod(fd, mode) != 0, number = failed ? errno : 0;
    if (failed && !orr_is_refusal(number)) return -1;
    if (!failed && (fstat(fd, &st) != 0 || (st.st_mode & 0777) == (mode & 0777))) return 0;
    if (first_time(t, SAID_MODE))
        say(t, 0,
            "%s: this file system does not keep permissions (%s): outputs have those that it gives",
            t->path, failed ? strerror(number) : "they read back as others");
    return ORR_LACKS_MODE;
}

// Sets a file's mtime and reads it back as the target holds it.
static int try_time(int fd, const struct timespec *wanted, struct timespec *held) {
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, *wanted};
    struct stat st;
    if (futimens(fd, times) != 0 || fstat(fd, &st) != 0) return -1;
    *held = st.st_mtim;
    return 0;
}

int orr_target_set_time(orr_target *t, int fd, const struct timespec *mtime) {
    struct timespec held;
    if (try_time(fd, mtime, &held) != 0) {
        int number = errno;
        if (!orr_is_refusal(number)) return -1;
        if (first_time(t, SAID_TIME))
            say(t, 0, "%s: this file system does not take times (%s): restored files are dated now",
                t->path, strerror(number));
        return ORR_LACKS_TIME;
    }
    if (orr_same_time(mtime, &held)) return 0;
    if (first_time(t, SAID_ROUNDED))
        say(t, 0,
            "%s: this file system does not hold every time exactly: some are rounded or clamped",
            t->path);
    return ORR_LACKS_TIME;
}

static uint64_t clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int orr_target_waits(const orr_target *t) {
    return atomic_load(&t->slow) > 1;
}

int orr_target_flush(orr_target *t, int fd) {
    uint64_t begun = clock_now();
    int result = orr_fsync(fd), number = errno;
    // One alone may have lost the processor meanwhile.
    int slow = clock_now() - begun > WORTH_WAITING;
    atomic_store(&t->slow, !slow ? 0 : atomic_load(&t->slow) ? 2 : 1);
    if (result == 1) orr_flush_told();
    if (result == 1 && first_time(t, SAID_FLUSH))
        say(t, 0,
            "%s: this file system does not flush files (%s): keep the sources until it was "
            "unmounted, and verify",
            t->path, strerror(number));
    return result == 1 ? (int)ORR_LACKS_FLUSH : result;
}

int orr_target_flush_directory(orr_target *t, int fd) {
    int result = orr_group_fsync(t->directories, fd), number = errno;
    if (result == 1) orr_flush_told();
    // What was said of files goes for directories, too.
    if (result == 1 && !(atomic_load(&t->said) & 1u << SAID_FLUSH) && first_time(t, SAID_DIRECTORY))
        say(t, 0,
            "%s: this file system does not flush directories (%s): after a power cut, run the same "
            "command again",
            t->path, strerror(number));
    return result == 1 ? (int)ORR_LACKS_FLUSH : result;
}

void orr_target_count(orr_target *t, unsigned lacks) {
    if (lacks & ORR_LACKS_MODE) atomic_fetch_add(&t->modes, 1);
    if (lacks & ORR_LACKS_TIME) atomic_fetch_add(&t->times, 1);
    if (lacks & ORR_LACKS_FLUSH) atomic_fetch_add(&t->flushes, 1);
}

orr_target_counts orr_target_counted(const orr_target *t) {
    return (orr_target_counts){atomic_load(&t->modes), atomic_load(&t->times),
                               atomic_load(&t->flushes)};
}

// ---- the probe

// Which way of naming works here? The file is named `name` before, and `other`, which is free,
// after it.
static int try_naming(orr_target *t, int directory, const char *name, const char *other) {
    t->naming = ORR_NAMING_NOREPLACE;
    if (orr_rename_new(directory, name, other, &t->naming, 1) != 0) return -1;
    if (t->naming != ORR_NAMING_LOOK) return 0;
    say(t, 1,
        "%s: this file system can neither rename without replacing nor make hard links: each name "
        "is looked up before it is given, under the lock of the output directory",
        t->path);
    return 0;
}

static orr_status probe(orr_target *t, int directory, const char *shown, orr_error *error) {
    char name[ORR_PARTIAL_NAME_BYTES], other[ORR_PARTIAL_NAME_BYTES];
    const char *failed = NULL;
    int mode = 0;
    int fd = orr_partial_draw(ORR_PROBE_SUFFIX, other) == 0
                 ? orr_partial_create(directory, ORR_PROBE_SUFFIX, t->mark, name)
                 : -1;
    if (fd < 0)
        failed = "create this file";
    else if (orr_pwrite_in_full(fd, "", 1, 0) != 1)
        failed = "write this file";
    else if ((mode = orr_target_set_mode(t, fd, 0640 | t->mark)) < 0) // another than it has
        failed = "set its mode";
    else if (orr_target_flush(t, fd) < 0)
        failed = "flush this file";
    else if (try_naming(t, directory, name, other) != 0)
        failed = "rename this file";
    else if (orr_target_flush_directory(t, directory) < 0)
        failed = "flush its directory";
    int number = errno;
    if (!failed && mode) t->mark = 0; // it could not be taken off again
    if (fd >= 0) orr_partial_remove(directory, name, fd);
    if (fd >= 0) remove_own(directory, other, fd);
    if (!failed) return ORR_OK;
    return orr_fail_errno(error, number, "%s: cannot %s: %s%s", shown, failed, strerror(number),
                          orr_errno_hint(number));
}

orr_status orr_target_probe(orr_target *t, int directory, const char *shown, orr_error *error) {
    orr_status status = ORR_OK;
    pthread_mutex_lock(&t->lock);
    if (!t->probed) status = probe(t, directory, shown, error);
    t->probed |= status == ORR_OK;
    pthread_mutex_unlock(&t->lock);
    return status;
}

orr_naming orr_target_naming(const orr_target *t) {
    return t->naming;
}

mode_t orr_target_mark(const orr_target *t) {
    return t->mark;
}

// ---- times

// What the target makes of a time. Returns 0 when it cannot be asked.
static int ask_time(orr_target *t, int directory, const struct timespec *wanted,
                    struct timespec *held) {
    pthread_mutex_lock(&t->lock);
    if (t->scratch < 0) {
        t->scratch =
            orr_partial_create(directory, ORR_PROBE_SUFFIX, ORR_PARTIAL_MARK, t->scratch_name);
        t->scratch_directory = t->scratch < 0 ? -1 : fcntl(directory, F_DUPFD_CLOEXEC, 0);
    }
    int asked = t->scratch >= 0 && try_time(t->scratch, wanted, held) == 0;
    pthread_mutex_unlock(&t->lock);
    return asked;
}

// Times as file systems round them: 100 ns (NTFS, SMB), 1 us, 1 ms, 10 ms (exFAT), 1 s, 2 s (FAT).
static int is_rounded_down(const struct timespec *exact, const struct timespec *found) {
    static const long steps[] = {100, 1000, 1000000, 10000000, 1000000000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (found->tv_sec == exact->tv_sec &&
            found->tv_nsec == exact->tv_nsec - exact->tv_nsec % steps[i])
            return 1;
    return found->tv_nsec == 0 && found->tv_sec == exact->tv_sec - (exact->tv_sec & 1);
}

int orr_target_time_is_held(orr_target *t, int directory, int may_write,
                            const struct timespec *wanted, const struct timespec *found) {
    struct timespec held;
    if (orr_same_time(wanted, found)) return 1;
    if (may_write && ask_time(t, directory, wanted, &held)) return orr_same_time(&held, found);
    return is_rounded_down(wanted, found);
}
