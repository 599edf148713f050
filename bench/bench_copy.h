// A copy past the page cache (O_DIRECT) by several threads: what a disk itself can do.
#ifndef ORRERY_BENCH_COPY_H
#define ORRERY_BENCH_COPY_H

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_BENCH_COPY_THREADS 8 // keep the disks of today busy
#define ORR_BENCH_COPY_MOST 256

// Copies file `from` to `to`, which must not exist, and flushes it; `to` NULL: only reads it.
// Threads (1 to ORR_BENCH_COPY_MOST) share its pieces of 1 MiB; one of them is the caller.
// ORR_UNSUPPORTED where the file system takes no direct reads or writes, else ORR_IO.
// A copy that fails is left behind.
orr_status orr_bench_copy(const char *from, const char *to, unsigned threads, orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
