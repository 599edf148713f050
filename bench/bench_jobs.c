#include "bench/bench_jobs.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/cores.h"
#include "bench/bench_timed.h"
#include "kernels/device.h"

#define SEALED "sealed/" ORR_BENCH_SOURCE ".orr.tif"

const orr_bench_verb orr_bench_verbs[ORR_BENCH_VERBS] = {
    {"encrypt", ORR_VERB_ENCRYPT, ORR_BENCH_SOURCE, "sealed"},
    {"verify", ORR_VERB_VERIFY, SEALED, NULL},
    {"decrypt", ORR_VERB_DECRYPT, SEALED, "restored"},
    {"reencrypt", ORR_VERB_REENCRYPT, SEALED, "renewed"},
};

// ---- one job ------------------------------------------------------------------------------------

static void file_done(void *context, const orr_file_event *event) {
    orr_bench_jobs *jobs = context;
    if (event->outcome == ORR_OUT_DONE || jobs->failure.status != ORR_OK) return;
    orr_fail(&jobs->failure, event->status != ORR_OK ? event->status : ORR_INTERNAL, "%s: %s",
             event->source, event->reason ? event->reason : "was not done");
}

static void warning(void *context, const char *text) {
    (void)context, (void)text; // names are kept on purpose
}

orr_status orr_bench_job_once(const orr_bench_job *job, orr_stages *stages, orr_error *error) {
    static const volatile sig_atomic_t never;
    orr_bench_jobs *jobs = job->jobs;
    const orr_bench *bench = jobs->bench;
    char source[PATH_MAX], target[PATH_MAX];
    char *paths[] = {source};
    orr_job_hooks hooks = {.context = jobs, .file = file_done, .warning = warning};
    orr_progress progress = {0};
    orr_summary summary;
    orr_bench_files_path(&jobs->files, job->from, source);
    orr_bench_files_path(&jobs->files, job->to ? job->to : "", target);
    orr_job_options options = {.verb = job->verb,
                               .inputs = {.paths = paths, .count = 1},
                               .output = job->to ? target : NULL,
                               .profile = ORR_PROFILE_ARCHIVE,
                               .jobs = orr_bench_threads(bench),
                               .keyring = &jobs->keyring,
                               .backend = jobs->timed,
                               .stages = stages};
    jobs->failure.status = ORR_OK;
    orr_status status =
        orr_job_run(&options, &hooks, &progress, bench->options.stop ? bench->options.stop : &never,
                    &summary, error);
    if (status == ORR_OK) status = summary.status;
    if (status != ORR_OK && jobs->failure.status != ORR_OK) {
        *error = jobs->failure;
        status = error->status;
    }
    if (status == ORR_OK && summary.done != 1)
        status = orr_fail(error, ORR_INTERNAL, "%s: the job left the file undone", source);
    return status;
}

static double processor_time(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

orr_status orr_bench_job_timed(void *context, double *seconds, orr_error *error) {
    orr_bench_job *job = context;
    orr_bench_jobs *jobs = job->jobs;
    orr_stages unused = {0};
    orr_status status = ORR_OK;
    int counts = job->runs++ > 0;
    if (job->to) orr_bench_files_remove(&jobs->files, job->to);
    if (job->cold) status = orr_bench_files_evict(&jobs->files, job->from, error);
    if (status != ORR_OK) return status;
    (void)orr_timed_backend_busy(jobs->timed);
    double processor = processor_time(), start = orr_seconds();
    status = orr_bench_job_once(job, counts ? &job->stages : &unused, error);
    *seconds = orr_seconds() - start;
    if (!counts) return status;
    job->wall += *seconds;
    job->processor += processor_time() - processor;
    job->device += orr_timed_backend_busy(jobs->timed);
    return status;
}

// ---- where the time goes ------------------------------------------------------------------------

double orr_bench_job_cores(const orr_bench_job *job) {
    double cores = orr_cores(), threads = orr_bench_threads(job->jobs->bench);
    return job->processor / (job->wall * (cores < threads && !job->jobs->on_cpu ? threads : cores));
}

orr_status orr_bench_job_stages(const orr_bench_job *job, const char *name, uint64_t bytes,
                                orr_error *error) {
    static const char *const names[] = {"read", "tile keys", "digest", "open",
                                        "seal", "write",     "commit"};
    orr_bench *bench = job->jobs->bench;
    int on_cpu = job->jobs->on_cpu;
    double runs = job->runs - 1, host = 0, own = 0;
    orr_status status = ORR_OK;
    double seconds[ORR_STAGE_COUNT + 1];
    for (int n = 0; n < ORR_STAGE_COUNT; n++) {
        seconds[n] = (double)job->stages.nanoseconds[n] * 1e-9 / runs;
        host += seconds[n];
        own += (double)job->stages.processor[n] * 1e-9 / runs;
    }
    double cipher = on_cpu ? job->processor / runs - own : job->device / runs;
    seconds[ORR_STAGE_COUNT] = cipher > 0 ? cipher : 0;
    double all = host + seconds[ORR_STAGE_COUNT];
    for (int n = 0; n <= ORR_STAGE_COUNT && status == ORR_OK; n++) {
        orr_bench_result result = {.bytes = bytes, .threads = orr_bench_threads(bench)};
        if (seconds[n] <= 0) continue;
        snprintf(result.group, sizeof result.group, "stages of %s", name);
        snprintf(result.name, sizeof result.name, "%s",
                 n < ORR_STAGE_COUNT ? names[n]
                 : on_cpu            ? "cipher and the rest"
                                     : "device");
        snprintf(result.device, sizeof result.device, "%s",
                 n == ORR_STAGE_COUNT && !on_cpu ? "cuda" : "cpu");
        snprintf(result.note, sizeof result.note,
                 "seconds of all threads together, mean of %d runs", (int)runs);
        result.seconds =
            (orr_spread){seconds[n], seconds[n], seconds[n], seconds[n], seconds[n], (int)runs};
        result.share = seconds[n] / all;
        status = orr_bench_add_result(bench, &result, error);
    }
    return status;
}

// ---- the files ----------------------------------------------------------------------------------

void orr_bench_jobs_remove_outputs(orr_bench_jobs *jobs) {
    for (size_t n = 0; n < ORR_BENCH_VERBS; n++)
        if (orr_bench_verbs[n].to) orr_bench_files_remove(&jobs->files, orr_bench_verbs[n].to);
}

orr_status orr_bench_jobs_check(orr_bench_jobs *jobs, uint64_t bytes, orr_error *error) {
    orr_bench_job job = {.jobs = jobs};
    orr_status status = orr_bench_files_write(&jobs->files, ORR_BENCH_SOURCE, bytes, error);
    for (size_t n = 0; n < ORR_BENCH_VERBS && status == ORR_OK; n++) {
        job.verb = orr_bench_verbs[n].verb;
        job.from = orr_bench_verbs[n].from;
        job.to = orr_bench_verbs[n].to;
        if (job.verb == ORR_VERB_ENCRYPT || job.verb == ORR_VERB_REENCRYPT)
            status = orr_bench_job_once(&job, NULL, error);
    }
    job.verb = ORR_VERB_DECRYPT;
    job.to = "restored";
    for (int n = 0; n < 2 && status == ORR_OK; n++) {
        job.from = n ? "renewed/" ORR_BENCH_SOURCE ".orr.tif" : SEALED;
        status = orr_bench_job_once(&job, NULL, error);
        if (status == ORR_OK)
            status = orr_bench_files_compare(&jobs->files, ORR_BENCH_SOURCE,
                                             "restored/" ORR_BENCH_SOURCE, error);
        orr_bench_files_remove(&jobs->files, "restored");
    }
    return status;
}

orr_status orr_bench_jobs_size(const orr_bench_jobs *jobs, uint64_t most, uint64_t *bytes,
                               orr_error *error) {
    const orr_bench_options *o = &jobs->bench->options;
    // Source, sealed, renewed and restored lie there at the same time.
    uint64_t room = orr_bench_files_room(&jobs->files) / 4;
    if (o->most_bytes && most > o->most_bytes) most = o->most_bytes;
    *bytes = most < room ? most : room;
    if (*bytes >= 1 << 20) return ORR_OK;
    return orr_fail(error, ORR_IO, "%s: less than 8 MiB may be used there: name another directory",
                    jobs->files.path);
}

static void report_failure(void *context, const orr_error *error, int stopped) {
    orr_bench_jobs *jobs = context;
    orr_bench_find(jobs->bench, "%.220s%s", error->text, stopped ? "; the CPU went on" : "");
}

orr_status orr_bench_jobs_open(orr_bench_jobs *jobs, orr_bench *bench, orr_bench_place place,
                               const char *directory, orr_error *error) {
    const orr_bench_options *o = &bench->options;
    memset(jobs, 0, sizeof *jobs);
    jobs->bench = bench;
    orr_device_options options = {.threads = o->threads, .report = report_failure, .context = jobs};
    orr_backend_properties properties;
    orr_decoy decoy = {{0x1234, 0x5678, 0x9abc}};
    orr_status status = orr_bench_files_open(&jobs->files, place, directory, error);
    if (status == ORR_OK) status = orr_keyring_init(&jobs->keyring, "bench", error);
    if (status == ORR_OK) status = orr_keyring_add_decoy(&jobs->keyring, &decoy, error);
    if (status == ORR_OK)
        status = orr_device_open(o->device ? o->device : "auto", &options, &jobs->device, error);
    if (status != ORR_OK) return status;
    jobs->device->api->properties(jobs->device, &properties);
    snprintf(jobs->name, sizeof jobs->name, "%s", properties.name);
    jobs->on_cpu = strcmp(jobs->device->api->name, "cpu") == 0;
    if (!jobs->on_cpu)
        snprintf(bench->conditions.device, sizeof bench->conditions.device, "%s", jobs->name);
    jobs->timed = orr_timed_backend_open(jobs->device);
    return jobs->timed ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory");
}

void orr_bench_jobs_close(orr_bench_jobs *jobs) {
    if (jobs->timed) jobs->timed->api->close(jobs->timed);
    if (jobs->device) jobs->device->api->close(jobs->device);
    orr_keyring_free(&jobs->keyring);
    orr_bench_files_remove(&jobs->files, "");
}
