#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

#include "bench/bench_suites.h"

const orr_bench_suite orr_bench_suites[] = {
    {"cipher", "the tile cipher: SIMD levels, threads, devices, against AES", orr_bench_cipher},
    {"pipeline", "whole files through memory: stages, what binds, cost against size",
     orr_bench_pipeline},
    {"disk", "whole files from disk to disk, cold: its own speed, what binds", orr_bench_disk},
    {"gan", "the DCGAN: training and generation, on the CPU and on a CUDA device", orr_bench_gan},
};
const size_t orr_bench_suite_count = sizeof orr_bench_suites / sizeof orr_bench_suites[0];

static orr_status run_suite(orr_bench *bench, const orr_bench_suite *suite, orr_error *error) {
    bench->suite = suite->name;
    orr_status status = suite->run(bench, error);
    bench->suite = NULL;
    return status;
}

orr_status orr_bench_run(orr_bench *bench, const char *suite, const orr_bench_options *options,
                         orr_error *error) {
    int all = strcmp(suite, "all") == 0, found = all;
    orr_status status = ORR_OK;
    memset(bench, 0, sizeof *bench);
    bench->options = *options;
    orr_bench_look(bench);
    for (size_t n = 0; n < orr_bench_suite_count && status == ORR_OK; n++) {
        if (!all && strcmp(suite, orr_bench_suites[n].name) != 0) continue;
        found = 1;
        status = run_suite(bench, &orr_bench_suites[n], error);
    }
    if (found) return status;
    char names[160] = "";
    for (size_t n = 0, at = 0; n < orr_bench_suite_count && at < sizeof names; n++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s, ", orr_bench_suites[n].name);
    return orr_fail(error, ORR_USAGE, "there is no suite \"%.40s\": choose %sor all", suite, names);
}
