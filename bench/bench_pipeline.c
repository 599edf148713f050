// The pipeline suite: whole jobs from file to file, in memory; where their time goes, what binds,
// and how cost grows with size.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/cores.h"
#include "bench/bench_files.h"
#include "bench/bench_machine.h"
#include "bench/bench_suites.h"
#include "bench/bench_timed.h"
#include "host/job/job.h"
#include "kernels/device.h"

#define SOURCE "scan.svs"
#define MOST_SIZES 8
#define BUSY 0.8 // share of the time from which on something counts as always busy

// One verb on one file.
typedef struct run {
    struct suite *suite;
    orr_verb verb;
    const char *from, *to; // below the directory; `to` NULL: nothing is written
    orr_stages stages;
    double wall, processor, device; // seconds of all runs that count
    int runs;                       // the first one warms up
} run;

typedef struct suite {
    orr_bench *bench;
    orr_bench_files files;
    orr_backend *device, *timed;
    orr_keyring keyring;
    char name[128];    // of the device
    int on_cpu;        // the device is the CPU
    orr_error failure; // first failure of a file
} suite;

// ---- one job ------------------------------------------------------------------------------------

static void file_done(void *context, const orr_file_event *event) {
    suite *s = context;
    if (event->outcome == ORR_OUT_DONE || s->failure.status != ORR_OK) return;
    orr_fail(&s->failure, event->status != ORR_OK ? event->status : ORR_INTERNAL, "%s: %s",
             event->source, event->reason ? event->reason : "was not done");
}

static void warning(void *context, const char *text) {
    (void)context, (void)text; // names are kept on purpose
}

static orr_status run_job(suite *s, orr_verb verb, const char *from, const char *to,
                          orr_stages *stages, orr_error *error) {
    static const volatile sig_atomic_t never;
    char source[PATH_MAX], target[PATH_MAX];
    char *paths[] = {source};
    orr_job_hooks hooks = {.context = s, .file = file_done, .warning = warning};
    orr_progress progress = {0};
    orr_summary summary;
    orr_bench_files_path(&s->files, from, source);
    orr_bench_files_path(&s->files, to ? to : "", target);
    orr_job_options options = {.verb = verb,
                               .inputs = {.paths = paths, .count = 1},
                               .output = to ? target : NULL,
                               .profile = ORR_PROFILE_ARCHIVE,
                               .jobs = orr_bench_threads(s->bench),
                               .keyring = &s->keyring,
                               .backend = s->timed,
                               .stages = stages};
    s->failure.status = ORR_OK;
    orr_status status =
        orr_job_run(&options, &hooks, &progress,
                    s->bench->options.stop ? s->bench->options.stop : &never, &summary, error);
    if (status == ORR_OK) status = summary.status;
    if (status != ORR_OK && s->failure.status != ORR_OK) {
        *error = s->failure;
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

// One timed run. Its output of the last time goes first, for a job leaves finished files alone.
static orr_status run_verb(void *context, double *seconds, orr_error *error) {
    run *r = context;
    orr_stages unused = {0};
    int counts = r->runs++ > 0;
    if (r->to) orr_bench_files_remove(&r->suite->files, r->to);
    (void)orr_timed_backend_busy(r->suite->timed);
    double processor = processor_time(), start = orr_seconds();
    orr_status status =
        run_job(r->suite, r->verb, r->from, r->to, counts ? &r->stages : &unused, error);
    *seconds = orr_seconds() - start;
    if (!counts) return status;
    r->wall += *seconds;
    r->processor += processor_time() - processor;
    r->device += orr_timed_backend_busy(r->suite->timed);
    return status;
}

// ---- file to file -------------------------------------------------------------------------------

static const struct {
    const char *name;
    orr_verb verb;
    const char *from, *to;
} verbs[] = {
    {"encrypt", ORR_VERB_ENCRYPT, SOURCE, "sealed"},
    {"verify", ORR_VERB_VERIFY, "sealed/" SOURCE ".orr.tif", NULL},
    {"decrypt", ORR_VERB_DECRYPT, "sealed/" SOURCE ".orr.tif", "restored"},
    {"reencrypt", ORR_VERB_REENCRYPT, "sealed/" SOURCE ".orr.tif", "renewed"},
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

// Everything once, and what comes back against the source: after decryption, and after
// re-encryption and decryption.
static orr_status check_bytes(suite *s, orr_error *error) {
    orr_status status = run_job(s, ORR_VERB_ENCRYPT, SOURCE, "sealed", NULL, error);
    if (status == ORR_OK)
        status = run_job(s, ORR_VERB_REENCRYPT, verbs[3].from, "renewed", NULL, error);
    for (int n = 0; n < 2 && status == ORR_OK; n++) {
        const char *from = n ? "renewed/" SOURCE ".orr.tif" : "sealed/" SOURCE ".orr.tif";
        status = run_job(s, ORR_VERB_DECRYPT, from, "restored", NULL, error);
        if (status == ORR_OK)
            status = orr_bench_files_compare(&s->files, SOURCE, "restored/" SOURCE, error);
        orr_bench_files_remove(&s->files, "restored");
    }
    return status;
}

// Stages of one verb, in seconds of a thread per run, and the sentence about what binds.
static orr_status add_stages(suite *s, const run *r, const char *verb, uint64_t bytes,
                             orr_error *error) {
    static const char *const names[] = {"read", "tile keys", "digest", "open",
                                        "seal", "write",     "commit"};
    double runs = r->runs - 1, host = 0, own = 0;
    orr_status status = ORR_OK;
    double seconds[ORR_STAGE_COUNT + 1];
    for (int n = 0; n < ORR_STAGE_COUNT; n++) {
        seconds[n] = (double)r->stages.nanoseconds[n] * 1e-9 / runs;
        host += seconds[n];
        own += (double)r->stages.processor[n] * 1e-9 / runs;
    }
    // On the CPU the cipher is what processor time the stages of the host leave over.
    double cipher = s->on_cpu ? r->processor / runs - own : r->device / runs;
    seconds[ORR_STAGE_COUNT] = cipher > 0 ? cipher : 0;
    double all = host + seconds[ORR_STAGE_COUNT];
    for (int n = 0; n <= ORR_STAGE_COUNT && status == ORR_OK; n++) {
        orr_bench_result result = {.bytes = bytes, .threads = orr_bench_threads(s->bench)};
        if (seconds[n] <= 0) continue;
        snprintf(result.group, sizeof result.group, "stages of %s", verb);
        snprintf(result.name, sizeof result.name, "%s",
                 n < ORR_STAGE_COUNT ? names[n]
                 : s->on_cpu         ? "cipher and the rest"
                                     : "device");
        snprintf(result.device, sizeof result.device, "%s",
                 n == ORR_STAGE_COUNT && !s->on_cpu ? "cuda" : "cpu");
        snprintf(result.note, sizeof result.note,
                 "seconds of all threads together, mean of %d runs", (int)runs);
        result.seconds =
            (orr_spread){seconds[n], seconds[n], seconds[n], seconds[n], seconds[n], (int)runs};
        result.share = seconds[n] / all;
        status = orr_bench_add_result(s->bench, &result, error);
    }
    return status;
}

// What the device's time is made of, from the rates of each part alone; the parts of different
// pieces overlap in a job, so their sum may exceed the time that the device is busy.
static orr_status add_device_parts(suite *s, const run *r, const char *verb, uint64_t bytes,
                                   orr_error *error) {
    static const char *const names[ORR_PARTS] = {"copy in", "kernel", "copy out"};
    static const orr_tile_op ops[] = {[ORR_VERB_ENCRYPT] = ORR_TILE_ENCRYPT,
                                      [ORR_VERB_DECRYPT] = ORR_TILE_DECRYPT,
                                      [ORR_VERB_VERIFY] = ORR_TILE_DECRYPT,
                                      [ORR_VERB_REENCRYPT] = ORR_TILE_REENCRYPT};
    double seconds[ORR_PARTS];
    orr_error reason = {0};
    orr_status status = orr_bench_device_parts(s->bench, ops[r->verb], seconds, &reason);
    if (status == ORR_UNSUPPORTED) {
        orr_bench_find(s->bench, "%s: copies and kernel are not told apart: %.200s", verb,
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
        status = orr_bench_add_result(s->bench, &result, error);
    }
    return status;
}

static void say_what_binds(suite *s, const run *r, const char *verb) {
    double cores = orr_cores(), threads = orr_bench_threads(s->bench), host = 0, own = 0;
    double processor = r->processor / (r->wall * (cores < threads && !s->on_cpu ? threads : cores));
    double device = r->device / r->wall;
    int most = 0;
    for (int n = 0; n < ORR_STAGE_COUNT; n++) {
        host += (double)r->stages.nanoseconds[n] * 1e-9;
        own += (double)r->stages.processor[n] * 1e-9;
        if (r->stages.nanoseconds[n] > r->stages.nanoseconds[most]) most = n;
    }
    static const char *const names[] = {"reading", "tile keys", "the digest", "opening",
                                        "sealing", "writing",   "committing"};
    double workers = host / (r->wall * threads);
    if (s->on_cpu && processor >= BUSY)
        orr_bench_find(
            s->bench,
            "%s: the cores bind, busy to %.0f %%; the cipher takes %.0f %% of their time, "
            "of the host's stages %s takes most",
            verb, 100 * processor, 100 * (1 - own / r->processor), names[most]);
    else if (!s->on_cpu && device >= workers && device >= BUSY)
        orr_bench_find(s->bench,
                       "%s: the device binds, busy to %.0f %% (copies and kernel); the host's "
                       "threads are busy to %.0f %%",
                       verb, 100 * device, 100 * workers);
    else if (workers >= BUSY)
        orr_bench_find(s->bench,
                       "%s: the host's threads bind, busy to %.0f %%, most of it in %s; the device "
                       "has work for %.0f %% of the time",
                       verb, 100 * workers, names[most], 100 * device);
    else
        orr_bench_find(
            s->bench,
            "%s: nothing is busy all the time (cores %.0f %%, the host's stages %.0f %%, "
            "batches in flight %.0f %%): start and end of a job, or other programs, weigh",
            verb, 100 * processor, 100 * workers, 100 * device);
}

static orr_status file_to_file(suite *s, uint64_t bytes, orr_error *error) {
    orr_bench *bench = s->bench;
    run runs[VERBS];
    orr_measure_item items[VERBS];
    memset(runs, 0, sizeof runs);
    memset(items, 0, sizeof items);
    orr_bench_progress(bench, "a file of %.0f MiB through every verb", (double)bytes / (1 << 20));
    orr_status status = orr_bench_files_write(&s->files, SOURCE, bytes, error);
    if (status == ORR_OK) status = check_bytes(s, error);
    for (size_t n = 0; n < VERBS; n++) {
        runs[n].suite = s;
        runs[n].verb = verbs[n].verb;
        runs[n].from = verbs[n].from;
        runs[n].to = verbs[n].to;
        snprintf(items[n].group, sizeof items[n].group, "file to file");
        snprintf(items[n].name, sizeof items[n].name, "%s", verbs[n].name);
        items[n].bytes = bytes;
        items[n].run = run_verb;
        items[n].context = &runs[n];
    }
    if (status == ORR_OK)
        status = orr_measure_rounds(items, VERBS, bench->options.quick ? 3 : 7, bench->options.stop,
                                    error);
    if (status == ORR_OK)
        status = orr_bench_add(bench, items, VERBS, 0, "the source, restored",
                               s->on_cpu ? "cpu" : "cuda", orr_bench_threads(bench), error);
    for (size_t n = 0; n < VERBS && status == ORR_OK; n++) {
        status = add_stages(s, &runs[n], verbs[n].name, bytes, error);
        if (status == ORR_OK && !s->on_cpu)
            status = add_device_parts(s, &runs[n], verbs[n].name, bytes, error);
        say_what_binds(s, &runs[n], verbs[n].name);
    }
    orr_measure_free(items, VERBS);
    orr_bench_files_remove(&s->files, "sealed");
    orr_bench_files_remove(&s->files, "renewed");
    orr_bench_files_remove(&s->files, "restored");
    return status;
}

// ---- cost against size --------------------------------------------------------------------------

static orr_status one_size(suite *s, run *r, orr_measure_item *item, const char *source,
                           const char *target, uint64_t bytes, orr_error *error) {
    orr_status status = orr_bench_files_write(&s->files, source, bytes, error);
    r->suite = s;
    r->verb = ORR_VERB_ENCRYPT;
    r->from = source;
    r->to = target;
    snprintf(item->group, sizeof item->group, "encrypt, by size");
    if (bytes)
        snprintf(item->name, sizeof item->name, "%.6g MiB", (double)bytes / (1 << 20));
    else
        snprintf(item->name, sizeof item->name, "empty file: start and end");
    item->bytes = bytes;
    item->run = run_verb;
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

static orr_status by_size(suite *s, uint64_t most, orr_error *error) {
    orr_bench *bench = s->bench;
    run runs[MOST_SIZES];
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
        status =
            one_size(s, &runs[count], &items[count], names[count][0], names[count][1], size, error);
    }
    if (status == ORR_OK)
        status = orr_measure_rounds(items, count, bench->options.quick ? 3 : 7, bench->options.stop,
                                    error);
    if (status == ORR_OK)
        status = orr_bench_add(bench, items, count, SIZE_MAX, "the source, restored",
                               s->on_cpu ? "cpu" : "cuda", orr_bench_threads(bench), error);
    for (size_t n = 0; n < count && status == ORR_OK; n++) {
        bytes[n] = (double)items[n].bytes;
        seconds[n] = bench->results[first + n].seconds.median - (n ? start : 0);
        if (n == 0) start = seconds[0];
        // The bytes: the last output, restored.
        status = run_job(s, ORR_VERB_DECRYPT, names[n][2], "restored", NULL, error);
        if (status == ORR_OK)
            status = orr_bench_files_compare(&s->files, names[n][0], names[n][3], error);
        orr_bench_files_remove(&s->files, "restored");
    }
    if (status == ORR_OK) fit(bench, bytes, seconds, count);
    orr_measure_free(items, count);
    return status;
}

// ---- the suite ----------------------------------------------------------------------------------

static void report_failure(void *context, const orr_error *error, int stopped) {
    suite *s = context;
    orr_bench_find(s->bench, "%.220s%s", error->text, stopped ? "; the CPU went on" : "");
}

static orr_status open_suite(suite *s, orr_error *error) {
    const orr_bench_options *o = &s->bench->options;
    orr_device_options options = {.threads = o->threads, .report = report_failure, .context = s};
    orr_backend_properties properties;
    orr_decoy decoy = {{0x1234, 0x5678, 0x9abc}};
    orr_status status = orr_bench_files_open(&s->files, o->directory, error);
    if (status == ORR_OK) status = orr_keyring_init(&s->keyring, "bench", error);
    if (status == ORR_OK) status = orr_keyring_add_decoy(&s->keyring, &decoy, error);
    if (status == ORR_OK)
        status = orr_device_open(o->device ? o->device : "auto", &options, &s->device, error);
    if (status != ORR_OK) return status;
    s->device->api->properties(s->device, &properties);
    snprintf(s->name, sizeof s->name, "%s", properties.name);
    s->on_cpu = strcmp(s->device->api->name, "cpu") == 0;
    s->timed = orr_timed_backend_open(s->device);
    return s->timed ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory");
}

orr_status orr_bench_pipeline(orr_bench *bench, orr_error *error) {
    suite *s = calloc(1, sizeof *s);
    if (!s) return orr_fail(error, ORR_INTERNAL, "out of memory for the pipeline suite");
    s->bench = bench;
    orr_status status = open_suite(s, error);
    if (status == ORR_OK) {
        // Source, sealed, renewed and restored lie there at the same time.
        uint64_t most = bench->options.quick ? 64 << 20 : 1ull << 30;
        uint64_t room = orr_bench_files_room(&s->files) / 4;
        if (bench->options.most_bytes && most > bench->options.most_bytes)
            most = bench->options.most_bytes;
        if (most > room) most = room;
        snprintf(bench->conditions.files, sizeof bench->conditions.files, "%s, %.0f MiB",
                 s->files.type, (double)most / (1 << 20));
        if (!s->on_cpu)
            snprintf(bench->conditions.device, sizeof bench->conditions.device, "%s", s->name);
        status = most >= 1 << 20 ? file_to_file(s, most, error)
                                 : orr_fail(error, ORR_IO,
                                            "%s: less than 8 MiB may be used there: name another "
                                            "directory",
                                            s->files.path);
        if (status == ORR_OK) status = by_size(s, most, error);
    }
    if (s->timed) s->timed->api->close(s->timed);
    if (s->device) s->device->api->close(s->device);
    orr_keyring_free(&s->keyring);
    orr_bench_files_remove(&s->files, "");
    free(s);
    return status;
}
