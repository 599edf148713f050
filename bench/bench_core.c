// What the suites share.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/cores.h"
#include "base/version.h"
#include "bench/bench.h"
#include "bench/bench_machine.h"
#include "kernels/cuda_loader.h"

// ---- results ------------------------------------------------------------------------------------

orr_status orr_bench_add_result(orr_bench *bench, const orr_bench_result *result,
                                orr_error *error) {
    if (bench->count == bench->capacity) {
        size_t capacity = bench->capacity ? 2 * bench->capacity : 64;
        orr_bench_result *more = realloc(bench->results, capacity * sizeof *more);
        if (!more) return orr_fail(error, ORR_INTERNAL, "out of memory for results");
        bench->results = more;
        bench->capacity = capacity;
    }
    bench->results[bench->count] = *result;
    snprintf(bench->results[bench->count++].suite, sizeof result->suite, "%s", bench->suite);
    return ORR_OK;
}

// Median over the rounds of how much faster an item ran, for each byte, than the reference.
static double ratio_of(const orr_measure_item *item, const orr_measure_item *reference) {
    double *values = malloc(sizeof *values * (size_t)item->rounds), ratio = 0;
    if (!values) return 0;
    for (int r = 0; r < item->rounds; r++)
        values[r] = reference->seconds[r] / (double)reference->bytes * (double)item->bytes /
                    item->seconds[r];
    ratio = orr_spread_of(values, item->rounds).median;
    free(values);
    return ratio;
}

orr_status orr_bench_add(orr_bench *bench, const orr_measure_item *items, size_t count,
                         size_t reference, const char *like, const char *device, unsigned threads,
                         orr_error *error) {
    orr_status status = ORR_OK;
    double ratios[64] = {0};
    if (count > 64) return orr_fail(error, ORR_INTERNAL, "too many items in a group");
    for (size_t n = 0; reference < count && n < count; n++)
        ratios[n] = ratio_of(&items[n], &items[reference]);
    for (size_t n = 0; n < count && status == ORR_OK; n++) {
        const orr_measure_item *item = &items[n];
        orr_bench_result result = {.threads = threads, .bytes = item->bytes, .ratio = ratios[n]};
        snprintf(result.group, sizeof result.group, "%s", item->group);
        snprintf(result.name, sizeof result.name, "%s", item->name);
        snprintf(result.note, sizeof result.note, "%s", item->note);
        snprintf(result.device, sizeof result.device, "%s", device);
        result.like = item->note[0] && !like ? NULL : like;
        result.seconds = orr_spread_of(item->seconds, item->rounds);
        status = orr_bench_add_result(bench, &result, error);
    }
    return status;
}

void orr_bench_find(orr_bench *bench, const char *format, ...) {
    char(*more)[280] =
        realloc(bench->findings, (bench->finding_count + 1) * sizeof *bench->findings);
    va_list arguments;
    if (!more) return; // a sentence less
    bench->findings = more;
    va_start(arguments, format);
    vsnprintf(bench->findings[bench->finding_count++], sizeof *bench->findings, format, arguments);
    va_end(arguments);
}

void orr_bench_fit_points(orr_bench *bench, const char *name, const double *bytes,
                          const double *seconds, size_t count) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0, n = (double)count;
    if (count < 2 || bench->fit_count == sizeof bench->fits / sizeof bench->fits[0]) return;
    for (size_t i = 0; i < count; i++) {
        double x = log(bytes[i]), y = log(seconds[i]);
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    double spread = n * sxx - sx * sx;
    if (!(spread > 0)) return;
    orr_bench_fit *fit = &bench->fits[bench->fit_count++];
    snprintf(fit->suite, sizeof fit->suite, "%s", bench->suite);
    snprintf(fit->name, sizeof fit->name, "%s", name);
    fit->exponent = (n * sxy - sx * sy) / spread;
    fit->points = (unsigned)count;
}

void orr_bench_progress(const orr_bench *bench, const char *format, ...) {
    char text[160];
    va_list arguments;
    if (!bench->options.progress) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bench->options.progress(bench->options.context, text);
}

unsigned orr_bench_threads(const orr_bench *bench) {
    return bench->options.threads ? bench->options.threads : orr_cores();
}

double orr_bench_rate(const orr_bench_result *result) {
    return result->seconds.median > 0 ? (double)result->bytes / result->seconds.median / 1e9 : 0;
}

int orr_bench_was_busy(const orr_bench *bench) {
    return strtod(bench->conditions.load, NULL) > 0.25 * bench->conditions.cores;
}

size_t orr_bench_group_end(const orr_bench *bench, size_t first) {
    const orr_bench_result *results = bench->results;
    size_t end = first;
    while (end < bench->count && strcmp(results[end].group, results[first].group) == 0 &&
           strcmp(results[end].suite, results[first].suite) == 0)
        end++;
    return end;
}

// ---- conditions ---------------------------------------------------------------------------------

void orr_bench_look(orr_bench *bench) {
    orr_bench_conditions *c = &bench->conditions;
    orr_utc(time(NULL), ORR_UTC_MINUTE, c->date, sizeof c->date);
    orr_machine_processor(c->processor);
    orr_machine_memory(c->memory);
    orr_machine_kernel(c->kernel);
    orr_machine_load(c->load);
    snprintf(c->commit, sizeof c->commit, "%s", orr_commit());
    snprintf(c->openssl, sizeof c->openssl, "%s", OpenSSL_version(OPENSSL_VERSION));
    snprintf(c->compiler, sizeof c->compiler, "%.60s", __VERSION__);
    c->cores = orr_cores();
    c->quick = bench->options.quick;
    snprintf(c->device, sizeof c->device, "none: measured on the CPU alone");
}

const orr_bench_cuda *orr_bench_device(const orr_bench *bench, unsigned *device,
                                       orr_error *reason) {
    const char *wanted = bench->options.device ? bench->options.device : "auto";
    const orr_bench_cuda *cuda = bench->options.cuda;
    *device = strncmp(wanted, "cuda:", 5) == 0 ? (unsigned)strtoul(wanted + 5, NULL, 10) : 0;
    if (strcmp(wanted, "cpu") == 0) {
        orr_fail(reason, ORR_UNSUPPORTED, "the CPU alone was asked for");
        return NULL;
    }
    if (!cuda) cuda = orr_library_table(&orr_bench_cuda_module, NULL);
    if (!cuda) { // without the program's directory: reasons go into records
        orr_fail(reason, ORR_UNSUPPORTED, "%s is not there (%s is not installed, or does not load)",
                 orr_bench_cuda_module.what, orr_bench_cuda_module.file);
    }
    if (cuda && cuda->count() > *device) return cuda;
    if (cuda) orr_fail(reason, ORR_UNSUPPORTED, "there is no CUDA device %u", *device);
    if (cuda && !bench->options.cuda && cuda->count() == 0) (void)orr_cuda_device_count(reason);
    return NULL;
}

void orr_bench_free(orr_bench *bench) {
    free(bench->results);
    free(bench->findings);
    memset(bench, 0, sizeof *bench);
}
