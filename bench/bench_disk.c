// The disk suite: whole jobs from file to file on a disk, input out of the page cache, beside what
// the disk itself can do; what binds, and what threads wait for.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench_copy.h"
#include "bench/bench_jobs.h"
#include "bench/bench_suites.h"

#define COPY "copy"

// How a job gets at its files.
static const struct {
    const char *name;
    orr_direct_use direct;
} paths[] = {{"direct", ORR_DIRECT_AUTO}, {"page cache", ORR_DIRECT_OFF}};
enum { PATHS = sizeof paths / sizeof paths[0], JOBS = ORR_BENCH_VERBS * PATHS };

// ---- what the disk can do -----------------------------------------------------------------------

static orr_status copy_source(orr_bench_jobs *jobs, const char *to, double *seconds,
                              orr_error *error) {
    char from[PATH_MAX], target[PATH_MAX];
    orr_bench_files_path(&jobs->files, ORR_BENCH_SOURCE, from);
    orr_bench_files_path(&jobs->files, COPY, target);
    orr_bench_files_remove(&jobs->files, COPY);
    orr_status status = orr_bench_files_evict(&jobs->files, ORR_BENCH_SOURCE, error);
    double start = orr_seconds();
    if (status == ORR_OK)
        status = orr_bench_copy(from, to ? target : NULL, ORR_BENCH_COPY_THREADS, error);
    *seconds = orr_seconds() - start;
    return status;
}

static orr_status copy_it(void *context, double *seconds, orr_error *error) {
    return copy_source(context, COPY, seconds, error);
}

static orr_status read_it(void *context, double *seconds, orr_error *error) {
    return copy_source(context, NULL, seconds, error);
}

// Whether the disk can be measured at all, with the copy's bytes beside the source's.
static orr_status check_copy(orr_bench_jobs *jobs, int *direct, orr_error *error) {
    double seconds;
    orr_error reason = {0};
    orr_status status = copy_it(jobs, &seconds, &reason);
    *direct = status == ORR_OK;
    if (status == ORR_OK)
        return orr_bench_files_compare(&jobs->files, ORR_BENCH_SOURCE, COPY, error);
    if (status != ORR_UNSUPPORTED) return orr_fail(error, status, "%s", reason.text);
    orr_bench_find(jobs->bench, "what the disk itself can do is not known: %.200s", reason.text);
    return ORR_OK;
}

// ---- what binds ---------------------------------------------------------------------------------

// What keeps a job from being done sooner, when neither disk nor cores are always busy.
static void say_waits(const orr_bench_job *job, char *text, size_t room) {
    double time = job->wall * 1e9, threads = orr_bench_threads(job->jobs->bench);
    double wait[ORR_STAGE_COUNT];
    for (int n = 0; n < ORR_STAGE_COUNT; n++) {
        double own = (double)job->stages.processor[n], all = (double)job->stages.nanoseconds[n];
        wait[n] = all > own ? 100 * (all - own) / time : 0;
    }
    if (job->direct == ORR_DIRECT_OFF)
        snprintf(text, room,
                 "threads wait %.0f %% of their time for reading, %.0f %% for writing, %.0f %% for "
                 "the flush",
                 wait[ORR_STAGE_READ] / threads, wait[ORR_STAGE_WRITE] / threads,
                 wait[ORR_STAGE_COMMIT] / threads);
    else
        snprintf(text, room,
                 "reads are under way for %.0f %% of the time, writes for %.0f %%; the flush takes "
                 "%.0f %%",
                 wait[ORR_STAGE_READ], wait[ORR_STAGE_WRITE], wait[ORR_STAGE_COMMIT]);
}

// `share`: of the speed at which the disk copies, or reads; 0 when that is not known.
static void say_what_binds(const orr_bench_job *job, const char *name, double share) {
    double cores = orr_bench_job_cores(job);
    char disk[80] = "what the disk can do is not known", waits[160];
    const char *binds = "nothing is busy all the time";
    if (share > 0)
        snprintf(disk, sizeof disk, "%.0f %% of the disk's own speed for %s", 100 * share,
                 job->to ? "a copy" : "reading");
    if (job->jobs->on_cpu && cores >= ORR_BENCH_BUSY && cores > share)
        binds = "the cores bind";
    else if (share >= ORR_BENCH_BUSY)
        binds = "the disk binds";
    say_waits(job, waits, sizeof waits);
    orr_bench_find(job->jobs->bench, "%s: %s: %s, cores %.0f %%; %s", name, binds, disk,
                   100 * cores, waits);
}

// ---- the suite ----------------------------------------------------------------------------------

static void name_items(orr_bench_jobs *jobs, orr_bench_job *runs, orr_measure_item *items,
                       uint64_t bytes) {
    for (size_t n = 0; n < JOBS; n++) {
        const orr_bench_verb *verb = &orr_bench_verbs[n / PATHS];
        runs[n] = (orr_bench_job){.jobs = jobs,
                                  .verb = verb->verb,
                                  .from = verb->from,
                                  .to = verb->to,
                                  .bytes = bytes,
                                  .direct = paths[n % PATHS].direct,
                                  .cold = 1};
        snprintf(items[n].group, sizeof items[n].group, "%s", verb->name);
        snprintf(items[n].name, sizeof items[n].name, "%s", paths[n % PATHS].name);
        items[n].bytes = bytes;
        items[n].run = orr_bench_job_timed;
        items[n].context = &runs[n];
    }
    for (size_t n = 0; n < 2; n++) {
        items[JOBS + n].bytes = bytes;
        items[JOBS + n].run = n ? read_it : copy_it;
        items[JOBS + n].context = jobs;
    }
}

// The results of one verb: the disk's own speed first, unless that is not known.
static orr_status add_verb(orr_bench_jobs *jobs, const orr_bench_job *runs,
                           const orr_measure_item *items, size_t verb, int direct,
                           orr_error *error) {
    orr_bench *bench = jobs->bench;
    int reads = runs[verb * PATHS].to == NULL;
    orr_measure_item group[1 + PATHS];
    group[0] = items[JOBS + (reads ? 1 : 0)];
    memcpy(group + 1, items + verb * PATHS, sizeof *items * PATHS);
    memcpy(group[0].group, group[1].group, sizeof group[0].group);
    snprintf(group[0].name, sizeof group[0].name, "the disk: direct %s", reads ? "read" : "copy");
    size_t first = bench->count;
    orr_status status = orr_bench_add(
        bench, group + !direct, PATHS + (direct ? 1 : 0), direct ? 0 : SIZE_MAX,
        "the source, restored", jobs->on_cpu ? "cpu" : "cuda", orr_bench_threads(bench), error);
    for (size_t n = 0; n < PATHS && status == ORR_OK; n++) {
        char name[40];
        const orr_bench_result *result = &bench->results[first + n + (direct ? 1 : 0)];
        snprintf(name, sizeof name, "%s, %s", orr_bench_verbs[verb].name, paths[n].name);
        double share = result->ratio;
        status = orr_bench_job_stages(&runs[verb * PATHS + n], name, error);
        say_what_binds(&runs[verb * PATHS + n], name, share);
    }
    return status;
}

static orr_status disk_to_disk(orr_bench_jobs *jobs, uint64_t bytes, orr_error *error) {
    orr_bench *bench = jobs->bench;
    orr_bench_job runs[JOBS];
    orr_measure_item items[JOBS + 2];
    int direct = 0;
    memset(runs, 0, sizeof runs);
    memset(items, 0, sizeof items);
    orr_bench_progress(bench, "a file of %.0f MiB through every verb, on a disk",
                       (double)bytes / (1 << 20));
    orr_status status = orr_bench_jobs_check(jobs, bytes, error);
    if (status == ORR_OK) status = check_copy(jobs, &direct, error);
    name_items(jobs, runs, items, bytes);
    if (status == ORR_OK)
        status = orr_measure_rounds(items, JOBS + (direct ? 2 : 0), bench->options.quick ? 3 : 5,
                                    bench->options.stop, error);
    for (size_t n = 0; n < ORR_BENCH_VERBS && status == ORR_OK; n++)
        status = add_verb(jobs, runs, items, n, direct, error);
    orr_measure_free(items, JOBS + 2);
    return status;
}

orr_status orr_bench_disk(orr_bench *bench, orr_error *error) {
    const char *directory = bench->options.disk;
    orr_bench_jobs jobs;
    orr_error reason = {0};
    uint64_t bytes = 0;
    orr_status status = orr_bench_jobs_open(&jobs, bench, ORR_BENCH_ON_A_DISK, directory, &reason);
    if (status == ORR_UNSUPPORTED && !directory && !jobs.files.path[0]) {
        orr_bench_find(bench, "no disk was measured: %.200s", reason.text);
        status = ORR_OK;
    } else if (status != ORR_OK) {
        orr_fail(error, status, "%s", reason.text);
    } else {
        status =
            orr_bench_jobs_size(&jobs, bench->options.quick ? 64 << 20 : 1ull << 30, &bytes, error);
        snprintf(bench->conditions.disk, sizeof bench->conditions.disk, "%s, %.0f MiB",
                 jobs.files.type, (double)bytes / (1 << 20));
        if (status == ORR_OK) status = disk_to_disk(&jobs, bytes, error);
    }
    orr_bench_jobs_close(&jobs);
    return status;
}
