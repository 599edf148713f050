// A directory of its own for the pipeline suite, in memory where that can be had.
#ifndef ORRERY_BENCH_FILES_H
#define ORRERY_BENCH_FILES_H

#include <limits.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_bench_files {
    char path[PATH_MAX]; // of the directory; "" when there is none
    char type[24];       // of its file system
} orr_bench_files;

// Makes a directory below `parent`, or below /dev/shm, $TMPDIR or /tmp when that is NULL. ORR_IO.
orr_status orr_bench_files_open(orr_bench_files *files, const char *parent, orr_error *error);
// Bytes that may be written there: half of what is free, of the file system and of memory.
uint64_t orr_bench_files_room(const orr_bench_files *files);
// Writes file `name` of `bytes` bytes that do not compress. ORR_IO.
orr_status orr_bench_files_write(const orr_bench_files *files, const char *name, uint64_t bytes,
                                 orr_error *error);
// ORR_OK when two files below the directory hold the same bytes, else ORR_SELF_TEST.
orr_status orr_bench_files_compare(const orr_bench_files *files, const char *a, const char *b,
                                   orr_error *error);
// The whole path of something in the directory.
void orr_bench_files_path(const orr_bench_files *files, const char *name, char path[PATH_MAX]);
// Removes a tree in the directory; nothing happens when it is not there. "" is the directory.
void orr_bench_files_remove(const orr_bench_files *files, const char *name);

#ifdef __cplusplus
}
#endif

#endif
