// A directory of its own for the files of a suite, in memory or on a disk.
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

typedef enum orr_bench_place { ORR_BENCH_IN_MEMORY, ORR_BENCH_ON_A_DISK } orr_bench_place;

// Makes a directory below `parent`. When that is NULL: below /dev/shm, $TMPDIR or /tmp, the first
// with 256 MiB, or /var/tmp, $TMPDIR or /tmp, the first that lies on a disk. ORR_UNSUPPORTED where
// a disk is wanted and there is none, ORR_IO.
orr_status orr_bench_files_open(orr_bench_files *files, orr_bench_place place, const char *parent,
                                orr_error *error);
// Bytes that may be written there: half of what is free, of the file system and of memory.
uint64_t orr_bench_files_room(const orr_bench_files *files);
// Writes file `name` of `bytes` bytes that do not compress. ORR_IO.
orr_status orr_bench_files_write(const orr_bench_files *files, const char *name, uint64_t bytes,
                                 orr_error *error);
// ORR_OK when two files below the directory hold the same bytes, else ORR_SELF_TEST.
orr_status orr_bench_files_compare(const orr_bench_files *files, const char *a, const char *b,
                                   orr_error *error);
// Flushes file `name` and takes it out of the page cache, as far as nobody else uses it. ORR_IO.
orr_status orr_bench_files_evict(const orr_bench_files *files, const char *name, orr_error *error);
// The whole path of something in the directory.
void orr_bench_files_path(const orr_bench_files *files, const char *name, char path[PATH_MAX]);
// Removes a tree in the directory; nothing happens when it is not there. "" is the directory.
void orr_bench_files_remove(const orr_bench_files *files, const char *name);

#ifdef __cplusplus
}
#endif

#endif
