// The benchmarks behind `orrery bench`: suites that measure, and one report in three forms.
//
// Every timed result is first compared, byte for byte, with what the portable path, OpenSSL or the
// source file says; nothing that differs gets a time. docs/BENCHMARKS.md explains the records.
#ifndef ORRERY_BENCH_BENCH_H
#define ORRERY_BENCH_BENCH_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "bench/bench_cuda.h"
#include "bench/bench_measure.h"
#include "media/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_BENCH_FORMAT "orrery-bench" // of the JSON record
#define ORR_BENCH_VERSION 1

typedef struct orr_bench_options {
    const char *device;    // auto, cpu, cuda or cuda:N; NULL: auto
    unsigned threads;      // of the CPU; 0: one for each core
    int quick;             // smaller sizes, fewer rounds: under a minute, figures less steady
    const char *directory; // for the files of the pipeline suite; NULL: /dev/shm or the like
    const char *disk;      // for those of the disk suite; NULL: /var/tmp or the like
    const volatile sig_atomic_t *stop;
    void *context;
    void (*progress)(void *context, const char *what); // what is measured next; NULL: nobody asks
    const orr_bench_cuda *cuda;                        // NULL: the shared object beside the program
    uint64_t most_bytes;                               // of a file; 0: as large as the suite likes
} orr_bench_options;

// One timed thing. `seconds` is for `bytes` bytes.
typedef struct orr_bench_result {
    char suite[16], group[40], name[48], device[24];
    unsigned threads; // 0: not the CPU's
    uint64_t bytes;   // 0 when it is no work on bytes
    uint64_t images;  // of the DCGAN, made or trained on; `seconds` is then for these
    orr_spread seconds;
    double ratio;     // speed as a share of the group's reference, 0: none
    double share;     // of a stage in its whole, 0: none
    double processor; // seconds of processor time of a stage
    const char *like; // what the bytes were compared with; NULL: not comparable, see the note
    char note[120];
} orr_bench_result;

// Seconds grow as bytes to the power of the exponent.
typedef struct orr_bench_fit {
    char suite[16], name[64];
    double exponent;
    unsigned points;
} orr_bench_fit;

typedef struct orr_bench_conditions {
    char date[24], commit[48], processor[96], memory[24], kernel[72], load[32], openssl[64];
    char compiler[64], files[160], disk[48], device[240], driver[48], clocks[64];
    unsigned cores;
    int quick;
} orr_bench_conditions;

typedef struct orr_bench {
    orr_bench_options options;
    orr_bench_conditions conditions;
    orr_bench_result *results;
    size_t count, capacity;
    orr_bench_fit fits[16];
    size_t fit_count;
    char (*findings)[280]; // sentences: what binds, what could not be measured
    size_t finding_count;
    const char *suite; // that is running
} orr_bench;

// The suites, in the order in which `all` runs them.
typedef struct orr_bench_suite {
    const char *name, *summary;
    orr_status (*run)(orr_bench *bench, orr_error *error);
} orr_bench_suite;
extern const orr_bench_suite orr_bench_suites[];
extern const size_t orr_bench_suite_count;

// Runs one suite, or all of them for "all", and fills *bench, which orr_bench_free gives back in
// every case. ORR_USAGE for another name; ORR_SELF_TEST when bytes differ from what they should be;
// ORR_UNSUPPORTED without the device asked for; ORR_STOPPED; ORR_IO; ORR_INTERNAL.
orr_status orr_bench_run(orr_bench *bench, const char *suite, const orr_bench_options *options,
                         orr_error *error);
void orr_bench_free(orr_bench *bench);

// The report: tables of plain text at most 80 columns wide, the JSON record, a page.
void orr_bench_text(const orr_bench *bench, orr_sink *sink);
orr_status orr_bench_json(const orr_bench *bench, orr_sink *sink, orr_error *error);
orr_status orr_bench_html(const orr_bench *bench, orr_sink *sink, orr_error *error);

// ---- for suites ---------------------------------------------------------------------------------

// Adds measured items as results of the running suite. Speeds as a share of item `reference`'s, by
// round, unless that is SIZE_MAX.
orr_status orr_bench_add(orr_bench *bench, const orr_measure_item *items, size_t count,
                         size_t reference, const char *like, const char *device, unsigned threads,
                         orr_error *error);
orr_status orr_bench_add_result(orr_bench *bench, const orr_bench_result *result, orr_error *error);
// A sentence for the report.
void orr_bench_find(orr_bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Least squares of log seconds over log bytes.
void orr_bench_fit_points(orr_bench *bench, const char *name, const double *bytes,
                          const double *seconds, size_t count);
void orr_bench_progress(const orr_bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
unsigned orr_bench_threads(const orr_bench *bench);
// The CUDA measuring library, or NULL (with the reason) when there is no device for it or the
// options say cpu.
const orr_bench_cuda *orr_bench_device(const orr_bench *bench, unsigned *device, orr_error *reason);

void orr_bench_look(orr_bench *bench);                 // fills the conditions
double orr_bench_rate(const orr_bench_result *result); // GB/s (10^9) of the median
// Other programs ran before anything was measured: rates are too low.
int orr_bench_was_busy(const orr_bench *bench);
// Beginning and end (exclusive) of the group of results that starts at `first`.
size_t orr_bench_group_end(const orr_bench *bench, size_t first);

#ifdef __cplusplus
}
#endif

#endif
