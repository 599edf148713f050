// Whole jobs of one file, timed: what the suites of files share.
#ifndef ORRERY_BENCH_JOBS_H
#define ORRERY_BENCH_JOBS_H

#include "bench/bench.h"
#include "bench/bench_files.h"
#include "host/job/job.h"
#include "host/keys/keyring.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_BENCH_SOURCE "scan.svs"
#define ORR_BENCH_BUSY 0.8 // share of the time from which on something counts as always busy

typedef struct orr_bench_jobs {
    orr_bench *bench;
    orr_bench_files files;
    orr_backend *device, *timed;
    orr_keyring keyring;
    char name[128];    // of the device
    int on_cpu;        // the device is the CPU
    orr_error failure; // first failure of a file
} orr_bench_jobs;

// One verb on one file.
typedef struct orr_bench_job {
    orr_bench_jobs *jobs;
    orr_verb verb;
    const char *from, *to;          // below the directory; `to` NULL: nothing is written
    uint64_t bytes;                 // of the original
    orr_direct_use direct;          // how contents are moved
    int cold;                       // take the input out of the page cache before each run
    orr_stages stages;              // from here on: sums over all runs that count
    double wall, processor, device; // seconds
    double cipher;                  // processor time of the CPU backend
    int runs;                       // the first one warms up
} orr_bench_job;

// What is done with the source, each verb with what an earlier one made.
typedef struct orr_bench_verb {
    const char *name;
    orr_verb verb;
    const char *from, *to;
} orr_bench_verb;
#define ORR_BENCH_VERBS 4
extern const orr_bench_verb orr_bench_verbs[ORR_BENCH_VERBS];

// Opens the files' directory, the device of the options and a keyring. ORR_IO, ORR_UNSUPPORTED,
// ORR_INTERNAL; orr_bench_jobs_close gives all back in every case.
orr_status orr_bench_jobs_open(orr_bench_jobs *jobs, orr_bench *bench, orr_bench_place place,
                               const char *directory, orr_error *error);
void orr_bench_jobs_close(orr_bench_jobs *jobs);

// Bytes of the file to be measured: `most`, or what the options and the room of the directory leave
// of it. ORR_IO when that is less than 1 MiB.
orr_status orr_bench_jobs_size(const orr_bench_jobs *jobs, uint64_t most, uint64_t *bytes,
                               orr_error *error);
// Writes the source, runs every verb that makes something, and compares what comes back, after
// decryption and after re-encryption and decryption, with the source. ORR_SELF_TEST, ORR_IO, or
// what a job ends with.
orr_status orr_bench_jobs_check(orr_bench_jobs *jobs, uint64_t bytes, orr_error *error);
// One job, not timed; `stages` NULL: nobody asks.
orr_status orr_bench_job_once(const orr_bench_job *job, orr_stages *stages, orr_error *error);
// One timed run of an orr_bench_job: what orr_measure_item.run calls. The output of the last run is
// removed first, for a job leaves finished files alone.
orr_status orr_bench_job_timed(void *job, double *seconds, orr_error *error);
// Removes what the verbs have made.
void orr_bench_jobs_remove_outputs(orr_bench_jobs *jobs);
// Results of group "stages of `name`": seconds of a thread per run, those of the host, then the
// cipher (of a processor on the CPU, else of the device), and the host's processor time besides.
orr_status orr_bench_job_stages(const orr_bench_job *job, const char *name, orr_error *error);
// Processor time of the cipher on the CPU: with the rest of the host where the kernel does not tell
// the threads apart.
double orr_bench_job_cipher(const orr_bench_job *job);
// Share of the time that the cores are busy.
double orr_bench_job_cores(const orr_bench_job *job);

#ifdef __cplusplus
}
#endif

#endif
