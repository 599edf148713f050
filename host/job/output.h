// Files that appear whole or not at all: written under a temporary name, flushed, then renamed
// without replacing anything.
#ifndef ORRERY_HOST_JOB_OUTPUT_H
#define ORRERY_HOST_JOB_OUTPUT_H

#include <stdint.h>
#include <sys/types.h>

#include "base/partial.h"
#include "base/status.h"
#include "host/job/new_directories.h"
#include "host/job/target.h"
#include "host/job/trust.h"

#ifdef __cplusplus
extern "C" {
#endif

// The directory all outputs of a job go to, or the one file that is its output.
typedef struct orr_output_root {
    int fd;     // of the directory
    char *path; // for messages; owned
    char *only; // name of the single output file in that directory, or NULL; owned
    dev_t dev;
    ino_t ino;
    orr_trust *trust;          // the job's, or NULL
    orr_new_directories *made; // owned
    orr_target *target;        // what its file system can hold; owned
    int dry_run;               // nothing may be written
    int restores;              // its names are sealed: none can be made shorter by another option
    int lock_fd;               // of this shard, -1 when there is none
    char lock_name[ORR_PARTIAL_NAME_BYTES];
} orr_output_root;

// Opens (and creates, with its parents, unless `dry_run`) the directory OUT. With `single` a path
// that is not a directory, does not end in "/" and whose last component has an extension names the
// output file itself. With `dry_run` and no directory yet, fd is -1.
orr_status orr_output_root_open(orr_output_root *root, const char *path, int single, int dry_run,
                                orr_error *error);
// Lets in either one job (`shards` 0) or, side by side, the different shards of one division
// (`shard` of `shards`, from 1): ORR_IO when somebody else is there. A root that is one file takes
// no lock. It is held until the root is closed.
orr_status orr_output_root_lock(orr_output_root *root, unsigned shard, unsigned shards,
                                orr_error *error);
void orr_output_root_unlock(orr_output_root *root);
// Does a file of this name hold the lock of a shard?
int orr_output_is_shard_lock(const char *name, unsigned *shard, unsigned *shards);
void orr_output_root_close(orr_output_root *root);

// The name of the unfinished file (base/partial.h) in which an output is made; "": none, it has one
// that is drawn, and goes with its run.
typedef struct orr_unfinished {
    char name[ORR_PARTIAL_NAME_BYTES];
    int fd; // of the one that an earlier run left, locked; -1: there is none
} orr_unfinished;

// One output while it is being written.
typedef struct orr_output {
    const orr_output_root *root; // outlives it
    int fd;
    int directory;                      // open descriptor of its directory
    char *name, *partial;               // last components; owned
    int unfinished;                     // the next run can go on with it
    char *shown;                        // whole path for messages; owned
    void (*named)(void *named_context); // called once it has its final name, before that is
                                        // flushed; NULL: nobody waits for it
    void *named_context;
    mode_t mode, mark; // that it is to have, and what is to go from it: set by the flush
    unsigned lacks;    // ORR_LACKS_* bits: what the file system refused
    struct stat st;    // of the file when it had its name, set by the naming
} orr_output;

// Opens the directory of `relative` below the root, never through a symlink. Missing directories
// are made with the permission bits `create` (less the umask); with 0 a missing one gives
// *directory = -1 and ORR_OK. *name is the last component (points into `relative`). The caller
// closes *directory.
orr_status orr_output_directory(const orr_output_root *root, const char *relative, mode_t create,
                                int *directory, const char **name, orr_error *error);
// Flushes the names of all directories that were made below the root and hold no file that was
// named since. ORR_IO.
orr_status orr_output_settle_directories(const orr_output_root *root, orr_error *error);
// ORR_UNSUPPORTED: the target takes no such name.
orr_status orr_output_too_long(const orr_output_root *root, const char *shown, orr_error *error);
// Creates a partial file (base/partial.h) for `relative`. The first one in a directory removes
// those that killed runs left there. Any thread.
orr_status orr_output_begin(orr_output *output, const orr_output_root *root, const char *relative,
                            orr_error *error);
// The same in an unfinished file: in the one that is open as unfinished->fd, which this takes over,
// or in a new one. Where there can be none of that name (another process has it, or the file system
// keeps no mark), as orr_output_begin.
orr_status orr_output_begin_unfinished(orr_output *output, const orr_output_root *root,
                                       const char *relative, orr_unfinished *unfinished,
                                       orr_error *error);
// Closes an output that was begun and leaves its unfinished file, if it is one; else as
// orr_output_abort.
void orr_output_leave(orr_output *output);
// Removes the unfinished files of earlier runs that nobody goes on with now, in the directories of
// this job's outputs; a shard's job none. Any thread.
void orr_output_remove_left(const orr_output_root *root);
// Reserves its space, which makes it as long. ORR_IO only when there is no room for it.
orr_status orr_output_reserve(orr_output *output, uint64_t bytes, orr_error *error);
// Gives an unfinished file its length, by which the next run knows it. Does nothing on others.
orr_status orr_output_set_length(const orr_output *output, uint64_t bytes, orr_error *error);
// Gives it its mtime, as well as the target can hold it.
orr_status orr_output_set_time(orr_output *output, const struct timespec *mtime, orr_error *error);
// The last steps of an output. The first gives it its mode (permission bits) and sends all of it to
// its storage, with the errors that a close would report: after it the output is whole, under its
// partial name, and may still be aborted. ORR_IO, also when that name is no longer this file: what
// has it now is not for the final one.
orr_status orr_output_flush(orr_output *output, mode_t mode, orr_error *error);
// The second renames it without replacing anything (ORR_EXISTS), flushes the directory and closes.
// When that fails the name is taken back: whatever has a final name is whole. Ends the output
// either way.
orr_status orr_output_name(orr_output *output, orr_error *error);
// Both. Ends the output either way.
orr_status orr_output_commit(orr_output *output, mode_t mode, orr_error *error);
// Is `found`, the mtime of a file in the open `directory`, what this target makes of the time
// `wanted`? File systems round times and clamp years. The planner's.
int orr_output_time_is_held(const orr_output_root *root, int directory,
                            const struct timespec *wanted, const struct timespec *found);
// Completes what a run that was killed in the last step of a commit left of a finished output.
void orr_output_settle(const orr_output_root *root, const char *relative);
// Closes and removes the partial file. Does nothing on an output that was never begun (all zero) or
// is committed.
void orr_output_abort(orr_output *output);

// Reads exactly `bytes` of a source file at `offset`. ORR_IO; a source that ends early was changed
// while being read. (Containers are read with orr_pread_all, for which an early end is truncation.)
orr_status orr_read_source(int fd, void *buffer, size_t bytes, uint64_t offset, const char *shown,
                           orr_error *error);
// The same of a read that somebody else did: `done` bytes came, and when they are fewer `number` is
// the errno, or 0 at the end of the file.
orr_status orr_read_outcome(size_t done, size_t bytes, int number, const char *shown,
                            orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
