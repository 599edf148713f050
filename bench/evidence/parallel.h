// The same work for many indices on a few threads. Results must depend on the index alone, so that
// the number of threads changes nothing.
#ifndef ORRERY_BENCH_EVIDENCE_PARALLEL_H
#define ORRERY_BENCH_EVIDENCE_PARALLEL_H

#include <stddef.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef orr_status (*orr_parallel_work)(void *context, size_t index, orr_error *error);

// Calls work(context, 0 .. count - 1), each once, on up to `threads` threads (0: one for each
// processor; the caller's is one of them). The first failure stops the rest and is returned.
orr_status orr_parallel(unsigned threads, size_t count, orr_parallel_work work, void *context,
                        orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
