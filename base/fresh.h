// A file that appears whole or not at all, for those who write one at a time: a partial file
// (base/partial.h) until it is flushed, then named. Nothing but that file is ever removed. Each
// function returns 0, or -1 with errno.
#ifndef ORRERY_BASE_FRESH_H
#define ORRERY_BASE_FRESH_H

#include "base/partial.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_fresh {
    int directory; // open descriptor
    int fd;        // mode 0600; the caller writes
    char partial[ORR_PARTIAL_NAME_BYTES];
    const char *name; // the last component that it will have; the caller's
} orr_fresh;

#define ORR_FRESH_NONE \
    { .directory = -1, .fd = -1 }

// Begins the file `path`, or `name` in an open directory (which stays the caller's). What killed
// runs left in the directory goes. EISDIR: path ends in a slash. End it in every case.
int orr_fresh_begin(orr_fresh *fresh, const char *path);
int orr_fresh_begin_at(orr_fresh *fresh, int directory, const char *name);
// Sends it to its storage, as far as that can be, and asks for the errors that a close would give.
// ESTALE: somebody removed or replaced the partial file.
int orr_fresh_flush(const orr_fresh *fresh);
// Gives it its name, which nothing has (EEXIST), or `replace`s what has it.
int orr_fresh_name(const orr_fresh *fresh, int replace);
// After that: the mark goes from its mode, and the directory is flushed.
int orr_fresh_settle(const orr_fresh *fresh);
// Takes back the name of a file that could not be settled.
void orr_fresh_take_back(const orr_fresh *fresh);
// Closes, and removes what has no name.
void orr_fresh_end(orr_fresh *fresh);

#ifdef __cplusplus
}
#endif
#endif
