// Directories that a job made, whose names are not flushed yet. One by one, each in the directory
// that holds it, the planner would wait for storage as often as a tree has directories; so their
// flush comes with that of the first file that is named in one of them, and before that file is
// called finished; or at the end of the job.
#ifndef ORRERY_HOST_JOB_NEW_DIRECTORIES_H
#define ORRERY_HOST_JOB_NEW_DIRECTORIES_H

#include "base/status.h"
#include "host/job/target.h"
#include "host/job/trust.h"

typedef struct orr_new_directories orr_new_directories;

orr_new_directories *orr_new_directories_new(void); // NULL when memory ran out
void orr_new_directories_free(orr_new_directories *made);
// A directory below the output, on the way to what is to be written there.
typedef struct orr_directory_met {
    int fd, above;    // it, and the one that holds it; open
    int found;        // it was there when this job came to it: whoever made it may have been killed
                      // before it flushed its name; the end of the job leaves that to `trust`
    const char *path; // below the output, in its first `bytes` bytes
    size_t bytes;
    const char *shown; // the output
    orr_trust *trust;  // of the job, or NULL
    orr_target *target;
} orr_directory_met;

// Sees to its name, the first time that it is met. ORR_IO, ORR_INTERNAL. Any thread.
orr_status orr_new_directories_note(orr_new_directories *made, const orr_directory_met *met,
                                    orr_error *error);
// Flushes the names of the open directory `fd` and of those above it, where that is to be done.
// Returns as orr_target_flush_directory. Any thread.
int orr_new_directories_settle(orr_new_directories *made, orr_target *target, int fd);
// The path of a directory that this job made and that is not settled, to be freed. NULL: none.
char *orr_new_directories_left(orr_new_directories *made);
void orr_new_directories_drop(orr_new_directories *made, const char *path); // it is not there

#endif
