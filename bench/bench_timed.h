// A backend that passes everything on and notes how long it has work in flight.
#ifndef ORRERY_BENCH_TIMED_H
#define ORRERY_BENCH_TIMED_H

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// Wraps `inner`, which stays the caller's. Tiles only. NULL when memory runs out.
orr_backend *orr_timed_backend_open(orr_backend *inner);
// Seconds with at least one batch in flight since the last call, which it sets to zero.
double orr_timed_backend_busy(orr_backend *timed);

#ifdef __cplusplus
}
#endif

#endif
