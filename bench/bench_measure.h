// Times things side by side: rounds in which every item runs once, in an order that turns.
#ifndef ORRERY_BENCH_MEASURE_H
#define ORRERY_BENCH_MEASURE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_measure_item {
    char group[40], name[48], note[120];
    uint64_t bytes; // that one run works on
    // Runs once and tells how long it took, in seconds.
    orr_status (*run)(void *context, double *seconds, orr_error *error);
    void *context;
    double *seconds; // of each round; set by orr_measure_rounds, freed by orr_measure_free
    int rounds;
} orr_measure_item;

typedef struct orr_spread {
    double median, p10, p90, least, most;
    int runs;
} orr_spread;

// One round to warm up, then `rounds` that count; odd rounds go backwards, so that no item always
// follows the same one. ORR_STOPPED when *stop (NULL: never) is set between two items.
orr_status orr_measure_rounds(orr_measure_item *items, size_t count, int rounds,
                              const volatile sig_atomic_t *stop, orr_error *error);
void orr_measure_free(orr_measure_item *items, size_t count);

// Percentiles of `count` values (the nearest rank below), which are sorted.
orr_spread orr_spread_of(double *values, int count);

#ifdef __cplusplus
}
#endif

#endif
