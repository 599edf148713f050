// The directory of one training run: locked, never overwritten, every file whole or not there.
#ifndef ORRERY_TRAINING_RUN_DIRECTORY_H
#define ORRERY_TRAINING_RUN_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_RUN_OPTIONS "options.json" // its name in every run directory
#define ORR_RUN_OPTIONS_MAX ((size_t)1 << 20)
#define ORR_RUN_PROGRAM "orrery train" // its "program"

typedef struct orr_run_directory {
    int fd;     // of the directory, locked for this process
    char *path; // for messages; owned
    int fresh;  // it was made by this call, or was empty
    int made;   // by this call
} orr_run_directory;

// Opens `path` and locks it; makes it (0700: what is in there may show patients) with the
// directories above it when it is missing. A directory that has anything in it is ORR_EXISTS unless
// `resume`. ORR_IO when it cannot be made or opened, or when another run holds it. Without `create`
// a missing directory gives fd -1, fresh and ORR_OK.
orr_status orr_run_directory_open(orr_run_directory *run, const char *path, int resume, int create,
                                  orr_error *error);
// Is the open directory one of `orrery train`? It is when an options.json in it says so.
int orr_run_directory_is(int directory);
// A directory that was made by orr_run_directory_open and has nothing in it, for the run failed
// before it began, is removed again.
void orr_run_directory_close(orr_run_directory *run);

// Writes a file below the directory (0600) as a partial one (base/fresh.h), flushes it and
// renames it, replacing an older one. `name` has no slash. ORR_IO: what was there before is still
// there.
orr_status orr_run_write(const orr_run_directory *run, const char *name, const void *bytes,
                         size_t count, orr_error *error);
// The same in an open directory below it; `shown` is that directory's name in messages.
orr_status orr_run_write_at(int directory, const char *shown, const char *name, const void *bytes,
                            size_t count, orr_error *error);
// Appends to a file (0600), without flushing: a line of statistics.
orr_status orr_run_append(const orr_run_directory *run, const char *name, const void *bytes,
                          size_t count, orr_error *error);
// Reads a whole regular file of at most `most` bytes; *bytes is malloc'ed, with a NUL behind its
// end. A missing file: ORR_OK and *bytes NULL. ORR_UNSUPPORTED when it is larger or no regular
// file.
orr_status orr_run_read_at(int directory, const char *shown, const char *name, size_t most,
                           uint8_t **bytes, size_t *count, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
