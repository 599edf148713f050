// Backends made of backends: one that falls back on the CPU, one that spreads batches over several.
#ifndef ORRERY_KERNELS_COMPOUND_H
#define ORRERY_KERNELS_COMPOUND_H

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// A device whose tiles came out wrong this many times is not used again.
#define ORR_FALLBACK_MISMATCHES 3

// Told when the primary backend failed: `error` is its sentence, `stopped` is not 0 when it will
// not be used again. Called for the first failure and when the primary is given up, from the thread
// that is in submit() or wait().
typedef void (*orr_fallback_report)(void *context, const orr_error *error, int stopped);

// A backend that gives batches to `primary` and redoes on `cpu` what fails there, with the same
// bytes. A batch that failed the primary's check of its own work (ORR_SELF_TEST) counts as a
// mismatch; any other failure ends the use of the primary at once. A batch must have out != in when
// the primary's properties say separate_output (else submit() gives ORR_INTERNAL). `report` may be
// NULL. Volumes likewise; one that the primary does not take (ORR_UNSUPPORTED: too large for the
// device) goes to the CPU and is no failure. Owns both backends from here on, also when it fails;
// close() closes both.
orr_status orr_fallback_backend_open(orr_backend *primary, orr_backend *cpu,
                                     orr_fallback_report report, void *context,
                                     orr_backend **backend, orr_error *error);

// A backend that gives each batch and each volume to the one of `count` (1..64) backends with the
// fewest in flight, in turn among equals. Memory comes from the first. Owns all of them from here
// on, also when it fails; close() closes them.
orr_status orr_multi_backend_open(orr_backend *const *backends, unsigned count,
                                  orr_backend **backend, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
