// Where the states of an orbit lie.
#include <math.h>
#include <string.h>

#include "bench/evidence/chaos.h"
#include "bench/evidence/sp800_22/nist_special.h"
#include "kernels/map.h"

#define START 0.3141
#define DROPPED 500

static void judge(orr_chaos_states *states) {
    double expected = (double)states->samples / ORR_CHAOS_BINS;
    states->chi_square = 0;
    for (int i = 0; i < ORR_CHAOS_BINS; i++) {
        double off = (double)states->bins[i] - expected;
        states->chi_square += off * off / expected;
    }
    states->p = orr_igamc((ORR_CHAOS_BINS - 1) / 2.0, states->chi_square / 2);
}

// The place of a state in 0 .. 1, uniform for a map that follows the law of chaos.h.
static double place(orr_chaos_map map, double x) {
    const orr_chaos_info *info = orr_chaos_map_info(map);
    switch (map) {
    case ORR_CHAOS_DEC:
    case ORR_CHAOS_CHEBYSHEV:
        return acos(x) / M_PI;
    case ORR_CHAOS_LOGISTIC:
        return acos(1 - 2 * x) / M_PI;
    default:
        return (x - info->x_low) / (info->x_high - info->x_low);
    }
}

void orr_chaos_states_of(orr_chaos_map map, double parameter, size_t samples,
                         orr_chaos_states *states) {
    memset(states, 0, sizeof *states);
    double x = START;
    for (size_t i = 0; i < DROPPED; i++) x = orr_chaos_step(map, parameter, x, NULL);
    for (size_t i = 0; i < samples; i++) {
        x = orr_chaos_step(map, parameter, x, NULL);
        double at = place(map, x) * ORR_CHAOS_BINS;
        if (!isfinite(at)) break;
        int bin = at < 0 ? 0 : at >= ORR_CHAOS_BINS ? ORR_CHAOS_BINS - 1 : (int)at;
        states->bins[bin]++;
        states->samples++;
    }
    if (states->samples) judge(states);
}

void orr_chaos_states_integer(uint32_t k2, size_t samples, orr_chaos_states *states) {
    memset(states, 0, sizeof *states);
    uint64_t u = orr_lane_start(1, 0, k2);
    for (size_t i = 0; i < samples; i++) {
        u = orr_map_step(u, k2);
        states->bins[u >> 55]++; // 8 of 63 bits
    }
    states->samples = samples;
    if (samples) judge(states);
}
