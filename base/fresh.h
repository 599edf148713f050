// A file that appears whole or not at all, for those who write one at a time: a partial file
// (base/partial.h) until it is flushed, then named. Nothing but that file is ever removed. Each
// function returns 0, or -1 with errno.
#ifndef ORRERY_BASE_FRESH_H
#define ORRERY_BASE_FRESH_H

#include <stdio.h>

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
    { -1, -1, "", NULL }

// Begins the file `path`, or `name` in an open directory (which stays the caller's). What killed
// runs left in the directory goes. EISDIR: path ends in a slash. End it in every case.
int orr_fresh_begin(orr_fresh *fresh, const char *path);
int orr_fresh_begin_at(orr_fresh *fresh, int directory, const char *name);
// A stream to write it through, which the caller closes before the commit. NULL with errno.
FILE *orr_fresh_stream(const orr_fresh *fresh);
// Gives it permission bits, whatever the umask and default ACLs say; where the file system keeps
// none it has what that gives.
int orr_fresh_set_mode(const orr_fresh *fresh, mode_t mode);
// The permission bits that creating a file normally gives (0666 less the umask): a partial one has
// 0600. Any thread.
mode_t orr_default_mode(void);

typedef enum orr_fresh_way {
    ORR_FRESH_NEW,     // nothing has its name: EEXIST
    ORR_FRESH_REPLACE, // what has it goes in the same step
    ORR_FRESH_SWAP     // what has it changes places with it and goes when the name is safe
} orr_fresh_way;

// Flushes it, names it and settles that. A failure leaves no file of that name where there was none
// (but with REPLACE), and the older one with SWAP. (Where a file system cannot exchange names, SWAP
// is REPLACE: the new file stays, and is whole.)
int orr_fresh_commit(const orr_fresh *fresh, orr_fresh_way way);

// The steps of that, for who does something between them.
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
