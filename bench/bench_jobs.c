#include "bench/bench_jobs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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
                               .direct = job->direct,
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

// Processor time of the threads that are there besides this one. Between two jobs they are those of
// the CPU backend. 0 where the kernel does not say.
static double backend_time(void) {
    DIR *tasks = opendir("/proc/self/task");
    unsigned long long all = 0, one;
    char name[300], own[24];
    struct dirent *entry;
    snprintf(own, sizeof own, "%ld", syscall(SYS_gettid));
    while (tasks && (entry = readdir(tasks))) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0) continue;
        snprintf(name, sizeof name, "/proc/self/task/%s/schedstat", entry->d_name);
        FILE *file = fopen(name, "re");
        if (file && fscanf(file, "%llu", &one) == 1) all += one;
        if (file) fclose(file);
    }
    if (tasks) closedir(tasks);
    return (double)all * 1e-9;
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
    double cipher = backend_time(), processor = processor_time(), start = orr_seconds();
    status = orr_bench_job_once(job, counts ? &job->stages : &unused, error);
    *seconds = orr_seconds() - start;
    if (!counts) return status;
    job->wall += *seconds;
    job->processor += processor_time() - processor;
    job->cipher += backend_time() - cipher;
    job->device += orr_timed_backend_busy(jobs->timed);
    return status;
}

// ---- where the time goes ------------------------------------------------------------------------

double orr_bench_job_cores(const orr_bench_job *job) {
    double cores = orr_cores(), threads = orr_bench_threads(job->jobs->bench);
    return job->processor / (job->wall * (cores < threads && !job->jobs->on_cpu ? threads : cores));
}

double orr_bench_job_cipher(const orr_bench_job *job) {
    double own = 0;
    for (int n = 0; n < ORR_STAGE_COUNT; n++) own += (double)job->stages.processor[n] * 1e-9;
    return job->cipher > 0 ? job->cipher : job->processor - own;
}

enum { CIPHER = ORR_STAGE_COUNT, REST, ROWS };

// One row of a group of stages; what took no time has none.
static orr_status add_row(const orr_bench_job *job, const char *verb, const char *name,
                          double seconds, double processor, double all, orr_error *error) {
    orr_bench *bench = job->jobs->bench;
    int runs = job->runs - 1, device = strcmp(name, "device") == 0;
    orr_bench_result result = {
        .bytes = job->bytes, .threads = orr_bench_threads(bench), .processor = processor};
    if (seconds <= 0) return ORR_OK;
    snprintf(result.group, sizeof result.group, "stages of %s", verb);
    snprintf(result.name, sizeof result.name, "%s", name);
    snprintf(result.device, sizeof result.device, "%s", device ? "cuda" : "cpu");
    snprintf(result.note, sizeof result.note, "seconds of all threads together, mean of %d runs",
             runs);
    result.seconds = (orr_spread){seconds, seconds, seconds, seconds, seconds, runs};
    result.share = seconds / all;
    return orr_bench_add_result(bench, &result, error);
}

orr_status orr_bench_job_stages(const orr_bench_job *job, const char *name, orr_error *error) {
    int on_cpu = job->jobs->on_cpu;
    const char *names[ROWS] = {"read",
                               "tile keys",
                               "digest",
                               "open",
                               "seal",
                               "write",
                               "commit",
                               !on_cpu           ? "device"
                               : job->cipher > 0 ? "cipher"
                                                 : "cipher and the rest",
                               "rest of the host"};
    double runs = job->runs - 1, all = 0, own = 0, seconds[ROWS], processor[ROWS];
    orr_status status = ORR_OK;
    for (int n = 0; n < ORR_STAGE_COUNT; n++) {
        seconds[n] = (double)job->stages.nanoseconds[n] * 1e-9 / runs;
        processor[n] = (double)job->stages.processor[n] * 1e-9 / runs;
        own += processor[n];
    }
    processor[CIPHER] = on_cpu ? orr_bench_job_cipher(job) / runs : 0;
    seconds[CIPHER] = on_cpu ? processor[CIPHER] : job->device / runs;
    seconds[REST] = processor[REST] = job->processor / runs - own - processor[CIPHER];
    for (int n = 0; n < ROWS; n++) all += seconds[n] > 0 ? seconds[n] : 0;
    for (int n = 0; n < ROWS && status == ORR_OK; n++)
        status = add_row(job, name, names[n], seconds[n], processor[n], all, error);
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
