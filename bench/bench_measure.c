#include "bench/bench_measure.h"

#include <stdlib.h>

orr_status orr_measure_rounds(orr_measure_item *items, size_t count, int rounds,
                              const volatile sig_atomic_t *stop, orr_error *error) {
    for (size_t n = 0; n < count; n++) {
        items[n].seconds = calloc((size_t)rounds, sizeof(double));
        items[n].rounds = rounds;
        if (!items[n].seconds) return orr_fail(error, ORR_INTERNAL, "out of memory for times");
    }
    for (int round = -1; round < rounds; round++) {
        for (size_t n = 0; n < count; n++) {
            orr_measure_item *item = &items[round % 2 ? count - 1 - n : n];
            double seconds = 0;
            if (stop && *stop) return orr_fail(error, ORR_STOPPED, "stopped");
            orr_status status = item->run(item->context, &seconds, error);
            if (status != ORR_OK) return status;
            if (round >= 0) item->seconds[round] = seconds;
        }
    }
    return ORR_OK;
}

void orr_measure_free(orr_measure_item *items, size_t count) {
    for (size_t n = 0; n < count; n++) {
        free(items[n].seconds);
        items[n].seconds = NULL;
    }
}

static int ascending(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

orr_spread orr_spread_of(double *values, int count) {
    orr_spread spread = {0};
    if (count < 1) return spread;
    qsort(values, (size_t)count, sizeof *values, ascending);
    spread.runs = count;
    spread.least = values[0];
    spread.p10 = values[(count - 1) * 10 / 100];
    spread.median = values[(count - 1) * 50 / 100];
    spread.p90 = values[(count - 1) * 90 / 100];
    spread.most = values[count - 1];
    return spread;
}
