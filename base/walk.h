// Discovery: turns inputs into a stream of files, one at a time, with flat memory. Regular files
// come opened; symlinks below an input and special files are reported, never followed or opened.
#ifndef ORRERY_BASE_WALK_H
#define ORRERY_BASE_WALK_H

#include <sys/stat.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_inputs {
    char **paths; // IN... of the command line: the last component is kept
    size_t count;
    char **listed; // from --files-from: the relative path is kept
    size_t listed_count;
} orr_inputs;

typedef enum orr_walk_kind {
    ORR_WALK_FILE,      // fd is open for reading; the receiver closes it
    ORR_WALK_DIRECTORY, // announced before its entries
    ORR_WALK_SYMLINK,
    ORR_WALK_SPECIAL,
    ORR_WALK_OUTPUT, // the output directory itself, found inside an input; not descended
    ORR_WALK_ERROR   // error.text says what
} orr_walk_kind;

typedef struct orr_walk_item {
    orr_walk_kind kind;
    char *source;   // path to show and to open; owned by the item
    char *relative; // path below the output: the last component of the input, then what lies below
                    // it; owned
    int named;      // given by the user, not found in a directory
    int fd;
    struct stat st;
    orr_error error;
    int seen; // 0: for the use of whoever takes items ahead of the work
} orr_walk_item;

typedef struct orr_walk orr_walk;

// Starts at `inputs`. A directory keeps its last path component (like `cp -r`); "DIR/." , ".." and
// "/" contribute their contents. Listed paths keep their relative path; a leading "/" is dropped;
// ".." inside is an error item. A directory with this device and inode (the output) is not
// descended. With `open_files` 0 regular files are only stat'ed (fd = -1). NULL when memory runs
// out. `inputs` must outlive the walk.
orr_walk *orr_walk_open(const orr_inputs *inputs, dev_t output_dev, ino_t output_ino,
                        int open_files);
// 1 with *item filled, 0 at the end. Entries of a directory come in byte order of their names.
int orr_walk_next(orr_walk *walk, orr_walk_item *item);
void orr_walk_item_free(orr_walk_item *item); // closes fd when still open (>= 0)
void orr_walk_close(orr_walk *walk);

#ifdef __cplusplus
}
#endif

#endif
