// What the file system that outputs go to can do and hold. Network shares, FUSE mounts and cards
// refuse permissions, times or flushes, round times, or have no way to give a name without
// replacing: that costs the outputs nothing but what is said once and counted here.
#ifndef ORRERY_HOST_JOB_TARGET_H
#define ORRERY_HOST_JOB_TARGET_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/rename.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_target orr_target;

// What an output had to go without, as bits.
#define ORR_LACKS_MODE 1u
#define ORR_LACKS_TIME 2u // refused, rounded or clamped
#define ORR_LACKS_FLUSH 4u

// Says a sentence; `aside` when it is of interest only to who asked for details. Any thread.
typedef void (*orr_target_say)(void *context, int aside, const char *text);

typedef struct orr_target_counts {
    uint64_t modes, times, flushes; // outputs that went without
} orr_target_counts;

// `path` is for messages. NULL when memory ran out. `say` may be NULL.
orr_target *orr_target_new(const char *path);
void orr_target_hear(orr_target *target, orr_target_say say, void *context);
void orr_target_free(orr_target *target);

// Once for each directory that outputs go to: removes what killed runs left there, before the first
// new file is there to be told from it.
// (Unfinished ones stay until the job ends: orr_target_take_left.) `relative` is a path below the
// output whose directory this is.
void orr_target_sweep(orr_target *target, int directory, const char *relative);
// The path below the output of an unfinished file that was there when its directory was swept,
// each once, owned by the caller; NULL: no more. Any thread.
char *orr_target_take_left(orr_target *target);
// Once for each target, before its first output: tries with a file of its own in `directory` what
// an output will need, and says what is refused. ORR_IO when outputs cannot be made there; `shown`
// is the first one.
orr_status orr_target_probe(orr_target *target, int directory, const char *shown, orr_error *error);
// How a finished file gets its name without replacing another.
orr_naming orr_target_naming(const orr_target *target);
// The mark of partial files (base/partial.h), or 0 where it could not be taken off again.
mode_t orr_target_mark(const orr_target *target);

// Each returns 0, an ORR_LACKS bit, or -1 with errno. What the file system refuses, or takes and
// does not keep, is said once.
int orr_target_set_mode(orr_target *target, int fd, mode_t mode);
int orr_target_set_time(orr_target *target, int fd, const struct timespec *mtime);
int orr_target_flush(orr_target *target, int fd);
// One flush of a directory for all who come while another is under way (base/group_flush.h).
int orr_target_flush_directory(orr_target *target, int fd);
// Did the last two flushes of files take time?
int orr_target_waits(const orr_target *target);
// Counts a named output that went without `lacks`.
void orr_target_count(orr_target *target, unsigned lacks);
orr_target_counts orr_target_counted(const orr_target *target);

// Is `found` what this target makes of the time `wanted`? Asks it with a file of its own in
// `directory` when it may write, and else takes a time that was rounded down. The planner's.
int orr_target_time_is_held(orr_target *target, int directory, int may_write,
                            const struct timespec *wanted, const struct timespec *found);

#ifdef __cplusplus
}
#endif

#endif
