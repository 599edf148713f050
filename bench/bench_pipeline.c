// The pipeline suite: whole jobs from file to file, in memory; where their time goes, what binds,
// and how cost grows with size.
#include <stdio.h>
#include <string.h>

#include "bench/bench_jobs.h"
#include "bench/bench_suites.h"

#define MOST_SIZES 8

// ---- file to file -------------------------------------------------------------------------------

// What the device's time is made of, from the rates of each part alone; the parts of different
// pieces overlap in a job, so their sum may exceed the time that the device is busy.
static orr_status add_device_parts(const orr_bench_job *r, const char *verb, uint64_t bytes,
                                   orr_error *error) {
    static const char *const names[ORR_PARTS] = {"copy in", "kernel", "copy out"};
    static const orr_tile_op ops[] = {[ORR_VERB_ENCRYPT] = ORR_TILE_ENCRYPT,
                                      [ORR_VERB_DECRYPT] = ORR_TILE_DECRYPT,
                                      [ORR_VERB_VERIFY] = ORR_TILE_DECRYPT,
                                      [ORR_VERB_REENCRYPT] = ORR_TILE_REENCRYPT};
    orr_bench *bench = r->jobs->bench;
    double seconds[ORR_PARTS];
    orr_error reason = {0};
    orr_status status = orr_bench_device_parts(bench, ops[r->verb], seconds, &reason);
    if (status == ORR_UNSUPPORTED) {
        orr_bench_find(bench, "%s: copies and kernel are not told apart: %.200s", verb,
                       reason.text);
        return ORR_OK;
    }
    if (status != ORR_OK) return orr_fail(error, status, "%s", reason.text);
    for (int n = 0; n < ORR_PARTS && status == ORR_OK; n++) {
        double each = seconds[n] * (double)bytes;
        orr_bench_result result = {.bytes = bytes};
        snprintf(result.group, sizeof result.group, "device in %s", verb);
        snprintf(result.name, sizeof result.name, "%s", names[n]);
        snprintf(result.device, sizeof result.device, "cuda");
        snprintf(result.note, sizeof result.note, "from the rate of this part alone");
        result.seconds = (orr_spread){each, each, each, each, each, 5};
        result.share = each * (r->runs - 1) / r->wall;
        status = orr_bench_add_result(bench, &result, error);
    }
    return status;
}

static void say_what_binds(const orr_bench_job *r, const char *verb) {
    orr_bench *bench = r->jobs->bench;
    double cores = orr_bench_job_cores(r), device = r->device / r->wall;
    double threads = orr_bench_threads(bench), host = 0;
    int on_cpu = r->jobs->on_cpu, most = 0;
    for (int n = 0; n < ORR_STAGE_COUNT; n++) {
        if (r->stages.processor[n] == 0) continue; // went on beside the threads
        host += (double)r->stages.nanoseconds[n] * 1e-9;
        if (r->stages.nanoseconds[n] > r->stages.nanoseconds[most]) most = n;
    }
    static const char *const names[] = {"reading", "tile keys", "the digest", "opening",
                                        "sealing", "writing",   "committing"};
    double workers = host / (r->wall * threads);
    if (on_cpu && cores >= ORR_BENCH_BUSY)
        orr_bench_find(
            bench,
            "%s: the cores bind, busy to %.0f %%; the cipher takes %.0f %% of their time, "
            "of the host's stages %s takes most",
            verb, 100 * cores, 100 * orr_bench_job_cipher(r) / r->processor, names[most]);
    else if (!on_cpu && device >= workers && device >= ORR_BENCH_BUSY)
        orr_bench_find(bench,
                       "%s: the device binds, busy to %.0f %% (copies and kernel); the host's "
                       "threads are busy to %.0f %%",
                       verb, 100 * device, 100 * workers);
    else if (workers >= ORR_BENCH_BUSY)
        orr_bench_find(bench,
                       "%s: the host's threads bind, busy to %.0f %%, most of it in %s; the device "
                       "has work for %.0f %% of the time",
                       verb, 100 * workers, names[most], 100 * device);
    else
        orr_bench_find(
            bench,
            "%s: nothing is busy all the time (cores %.0f %%, the host's stages %.0f %%, "
            "batches in flight %.0f %%): start and end of a job, or other programs, weigh",
            verb, 100 * cores, 100 * workers, 100 * device);
}

static orr_status file_to_file(orr_bench_jobs *jobs, uint64_t bytes, orr_error *error) {
    orr_bench *bench = jobs->bench;
    orr_bench_job runs[ORR_BENCH_VERBS];
    orr_measure_item items[ORR_BENCH_VERBS];
    memset(runs, 0, sizeof runs);
    memset(items, 0, sizeof items);
    orr_bench_progress(bench, "a file of %.0f MiB through every verb", (double)bytes / (1 << 20));
    orr_status status = orr_bench_jobs_check(jobs, bytes, error);
    for (size_t n = 0; n < ORR_BENCH_VERBS; n++) {
        const orr_bench_verb *verb = &orr_bench_verbs[n];
        runs[n] = (orr_bench_job){
            .jobs = jobs, .verb = verb->verb, .from = verb->from, .to = verb->to, .bytes = bytes};
        snprintf(items[n].group, sizeof items[n].group, "file to file");
        snprintf(items[n].name, sizeof items[n].name, "%s", verb->name);
        items[n].bytes = bytes;
        items[n].run = orr_bench_job_timed;
        items[n].context = &runs[n];
    }
    if (status == ORR_OK)
        status = orr_measure_rounds(items, ORR_BENCH_VERBS, bench->options.quick ? 3 : 7,
                                    bench->options.stop, error);
    if (status == ORR_OK)
        status = orr_bench_add(bench, items, ORR_BENCH_VERBS, 0, "the source, restored",
                               jobs->on_cpu ? "cpu" : "cuda", orr_bench_threads(bench), error);
    for (size_t n = 0; n < ORR_BENCH_VERBS && status == ORR_OK; n++) {
        status = orr_bench_job_stages(&runs[n], orr_bench_verbs[n].name, error);
        if (status == ORR_OK && !jobs->on_cpu)
            status = add_device_parts(&runs[n], orr_bench_verbs[n].name, bytes, error);
        say_what_binds(&runs[n], orr_bench_verbs[n].name);
    }
    orr_measure_free(items, ORR_BENCH_VERBS);
    orr_bench_jobs_remove_outputs(jobs);
    return status;
}

// ---- cost against size --------------------------------------------------------------------------

static orr_status one_size(orr_bench_jobs *jobs, orr_bench_job *r, orr_measure_item *item,
                           const char *source, const char *target, uint64_t bytes,
                           orr_error *error) {
    orr_status status = orr_bench_files_write(&jobs->files, source, bytes, error);
    *r = (orr_bench_job){.jobs = jobs, .verb = ORR_VERB_ENCRYPT, .from = source, .to = target};
    snprintf(item->group, sizeof item->group, "encrypt, by size");
    if (bytes)
        snprintf(item->name, sizeof item->name, "%.6g MiB", (double)bytes / (1 << 20));
    else
        snprintf(item->name, sizeof item->name, "empty file: start and end");
    item->bytes = bytes;
    item->run = orr_bench_job_timed;
    item->context = r;
    return status;
}

// Growth beyond what an empty file takes.
static void fit(orr_bench *bench, const double *bytes, const double *seconds, size_t count) {
    size_t first = 1;
    while (first < count && seconds[first] <= 0) first++; // lost in the noise of the start
    orr_bench_fit_points(bench, "encrypt, beyond start and end", bytes + first, seconds + first,
                         count - first);
}

static orr_status by_size(orr_bench_jobs *jobs, uint64_t most, orr_error *error) {
    orr_bench *bench = jobs->bench;
    orr_bench_job runs[MOST_SIZES];
    orr_measure_item items[MOST_SIZES];
    char names[MOST_SIZES][4][64]; // source, output, the file there, the file restored
    double bytes[MOST_SIZES], seconds[MOST_SIZES];
    size_t count = 0, first = bench->count;
    double start = 0; // and end of a job: what an empty file takes
    orr_status status = ORR_OK;
    memset(runs, 0, sizeof runs);
    memset(items, 0, sizeof items);
    orr_bench_progress(bench, "encryption of files from 1 MiB to %.0f MiB",
                       (double)most / (1 << 20));
    for (uint64_t size = 0; size <= most && count < MOST_SIZES && status == ORR_OK;
         size = size ? size * 4 : 1 << 20, count++) {
        snprintf(names[count][0], sizeof names[0][0], "size-%zu", count);
        snprintf(names[count][1], sizeof names[0][1], "sealed-%zu", count);
        snprintf(names[count][2], sizeof names[0][2], "sealed-%zu/size-%zu.orr.tif", count, count);
        snprintf(names[count][3], sizeof names[0][3], "restored/size-%zu", count);
        status = one_size(jobs, &runs[count], &items[count], names[count][0], names[count][1], size,
                          error);
    }
    if (status == ORR_OK)
        status = orr_measure_rounds(items, count, bench->options.quick ? 3 : 7, bench->options.stop,
                                    error);
    if (status == ORR_OK)
        status = orr_bench_add(bench, items, count, SIZE_MAX, "the source, restored",
                               jobs->on_cpu ? "cpu" : "cuda", orr_bench_threads(bench), error);
    for (size_t n = 0; n < count && status == ORR_OK; n++) {
        bytes[n] = (double)items[n].bytes;
        seconds[n] = bench->results[first + n].seconds.median - (n ? start : 0);
        if (n == 0) start = seconds[0];
        // The bytes: the last output, restored.
        orr_bench_job back = {
            .jobs = jobs, .verb = ORR_VERB_DECRYPT, .from = names[n][2], .to = "restored"};
        status = orr_bench_job_once(&back, NULL, error);
        if (status == ORR_OK)
            status = orr_bench_files_compare(&jobs->files, names[n][0], names[n][3], error);
        orr_bench_files_remove(&jobs->files, "restored");
    }
    if (status == ORR_OK) fit(bench, bytes, seconds, count);
    orr_measure_free(items, count);
    return status;
}

// ---- the suite ----------------------------------------------------------------------------------

orr_status orr_bench_pipeline(orr_bench *bench, orr_error *error) {
    orr_bench_jobs jobs;
    uint64_t most = 0;
    orr_status status =
        orr_bench_jobs_open(&jobs, bench, ORR_BENCH_IN_MEMORY, bench->options.directory, error);
    if (status == ORR_OK)
        status =
            orr_bench_jobs_size(&jobs, bench->options.quick ? 64 << 20 : 1ull << 30, &most, error);
    if (status == ORR_OK) {
        snprintf(bench->conditions.files, sizeof bench->conditions.files, "%s, %.0f MiB",
                 jobs.files.type, (double)most / (1 << 20));
        status = file_to_file(&jobs, most, error);
    }
    if (status == ORR_OK) status = by_size(&jobs, most, error);
    orr_bench_jobs_close(&jobs);
    return status;
}
