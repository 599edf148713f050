// The suites of orr_bench_suites; each is a file of its own.
#ifndef ORRERY_BENCH_SUITES_H
#define ORRERY_BENCH_SUITES_H

#include "bench/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

orr_status orr_bench_cipher(orr_bench *bench, orr_error *error);
orr_status orr_bench_pipeline(orr_bench *bench, orr_error *error);
orr_status orr_bench_disk(orr_bench *bench, orr_error *error);
orr_status orr_bench_gan(orr_bench *bench, orr_error *error);

// Parts of the cipher suite on a CUDA device; without one they add a finding that says why.
orr_status orr_bench_on_device(orr_bench *bench, orr_error *error);
// ORR_UNSUPPORTED when the options name a CUDA device that is not there.
orr_status orr_bench_device_wanted(const orr_bench *bench, orr_error *error);

// Seconds that a device takes for each byte of a batch: copy in, kernel (as production runs it),
// copy out, each alone; medians of five. ORR_UNSUPPORTED when no device can be measured.
enum { ORR_PART_COPY_IN, ORR_PART_KERNEL, ORR_PART_COPY_OUT, ORR_PARTS };
orr_status orr_bench_device_parts(orr_bench *bench, orr_tile_op op, double seconds[ORR_PARTS],
                                  orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
