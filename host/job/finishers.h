// Threads that run the ends of files where those wait for storage: a file that is all written is
// flushed, named, and its directory flushed. Workers go on meanwhile, and many flushes are under
// way at once, which a disk does in little more time than one.
#ifndef ORRERY_HOST_JOB_FINISHERS_H
#define ORRERY_HOST_JOB_FINISHERS_H

#ifdef __cplusplus
extern "C" {
#endif

struct orr_job_file;

typedef struct orr_finishers orr_finishers;

// Up to `threads` threads, each started when a file finds none that is free; `end` ends a file and
// frees it. NULL when memory ran out.
orr_finishers *orr_finishers_new(unsigned threads, void (*end)(struct orr_job_file *file));
// Takes a file over. 0: there is no thread for it, and it stays the caller's. Any thread.
int orr_finishers_take(orr_finishers *finishers, struct orr_job_file *file);
// Waits until fewer than `files` files are with them.
void orr_finishers_wait(orr_finishers *finishers, unsigned files);
// Waits until all files have ended, and ends the threads.
void orr_finishers_free(orr_finishers *finishers);

#ifdef __cplusplus
}
#endif
#endif
