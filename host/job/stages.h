// How long the stages of a job take, for benchmarks: nanoseconds summed over all worker threads; of
// reads and writes that go on beside them, the time with at least one under way. A job without
// orr_job_options.stages reads no clock.
#ifndef ORRERY_HOST_JOB_STAGES_H
#define ORRERY_HOST_JOB_STAGES_H

#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
#include <atomic>
typedef std::atomic<uint64_t> orr_stage_time;
#else
#include <stdatomic.h>
typedef _Atomic uint64_t orr_stage_time;
#endif

typedef enum orr_stage {
    ORR_STAGE_READ,
    ORR_STAGE_KEYS,   // initial states of the tiles
    ORR_STAGE_DIGEST, // of the source, when it is read or restored
    ORR_STAGE_OPEN,   // GCM of what is decrypted
    ORR_STAGE_SEAL,   // GCM of what is encrypted
    ORR_STAGE_WRITE,
    ORR_STAGE_COMMIT, // head, flush to the disk, rename
    ORR_STAGE_COUNT
} orr_stage;

// By the clock, and processor time of the threads: the difference is waiting. What goes on beside
// them takes none of theirs.
typedef struct orr_stages {
    orr_stage_time nanoseconds[ORR_STAGE_COUNT], processor[ORR_STAGE_COUNT];
} orr_stages;

typedef struct orr_stage_mark {
    uint64_t clock, processor;
} orr_stage_mark;

// The moment, for orr_stage_lap on the same thread.
static inline orr_stage_mark orr_stage_clock(const orr_stages *stages) {
    struct timespec now, own;
    orr_stage_mark mark = {0, 0};
    if (!stages) return mark;
    clock_gettime(CLOCK_MONOTONIC, &now);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    mark.clock = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    mark.processor = (uint64_t)own.tv_sec * 1000000000u + (uint64_t)own.tv_nsec;
    return mark;
}

// Adds the time since *since to a stage and starts the next one.
static inline void orr_stage_lap(orr_stages *stages, orr_stage stage, orr_stage_mark *since) {
    if (!stages) return;
    orr_stage_mark now = orr_stage_clock(stages);
    stages->nanoseconds[stage] += now.clock - since->clock;
    stages->processor[stage] += now.processor - since->processor;
    *since = now;
}

#endif
