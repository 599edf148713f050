// The 1-DEC map beside four others, and the integer map of kernels/map.h beside the published
// formula.
//
// Published: y' = 1 - 2 cos^2(arccos(y) e^(1/mu) arccos(y)), y in [-1, 1]. With y = cos(pi u) it is
// u' = 1 - tri(K u^2), K = 2 pi e^(1/mu), the form that kernels/map.h computes in integers. Both
// are the same dynamics, so exponents and distributions must agree; orbits part after a few steps,
// as those of any two roundings of a chaotic map do.
#ifndef ORRERY_BENCH_EVIDENCE_CHAOS_H
#define ORRERY_BENCH_EVIDENCE_CHAOS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_chaos_map {
    ORR_CHAOS_DEC,       // 1-DEC: as above; parameter mu
    ORR_CHAOS_LOGISTIC,  // r x (1 - x); parameter r
    ORR_CHAOS_CHEBYSHEV, // cos(a arccos x); parameter a
    ORR_CHAOS_DCP,       // 1-DCP: cos(mu (x^3 + x)); parameter mu
    ORR_CHAOS_DSP,       // 1-DSP: (x (alpha + 1))^sin(beta pi + x), beta = 1/2; parameter alpha
    ORR_CHAOS_MAPS
} orr_chaos_map;

typedef struct orr_chaos_info {
    const char *key, *name, *formula, *parameter;
    double low, high;     // of the parameter, as plotted
    double typical;       // 1-DEC: the published mu; elsewhere a value that is often used
    double x_low, x_high; // of the state, as plotted
} orr_chaos_info;
const orr_chaos_info *orr_chaos_map_info(orr_chaos_map map); // static

// One step in doubles. *log_slope (may be NULL) is ln |f'(x)|; not finite where the slope is 0 or
// infinite. The result is not finite when the orbit has left the map's domain.
double orr_chaos_step(orr_chaos_map map, double parameter, double x, double *log_slope);

// Points of a bifurcation diagram: for each of `parameters` values from low to high, `keep` states
// after `drop` steps from a fixed start. parameter[] and state[] have parameters * keep entries.
void orr_chaos_bifurcation(orr_chaos_map map, double low, double high, size_t parameters,
                           size_t drop, size_t keep, double *parameter, double *state);

// Lyapunov exponent, natural logarithm a step: mean of ln |f'| over `steps` steps after 500 that
// are dropped. NAN when the orbit leaves the domain.
double orr_chaos_lyapunov(orr_chaos_map map, double parameter, size_t steps);
// The same of the integer map: in the angle the slope is 2 K u = K2 u (u as a fraction).
double orr_chaos_lyapunov_integer(uint32_t k2, size_t steps);

// K2 = 4 pi e^(1/mu) to the next odd integer, 0 when it does not fit 32 bits; and mu of a K2.
uint32_t orr_chaos_k2(double mu);
double orr_chaos_mu(uint32_t k2);

// Where the states of an orbit lie: in ORR_CHAOS_BINS bins of equal angle arccos(y) / pi (for the
// logistic map y = 1 - 2 x), or of equal length over x_low .. x_high for 1-DCP and 1-DSP.
// Equal angles are the arcsine law in y. Chi-square against uniform, its P-value.
#define ORR_CHAOS_BINS 256
typedef struct orr_chaos_states {
    uint64_t bins[ORR_CHAOS_BINS], samples;
    double chi_square, p;
} orr_chaos_states;
void orr_chaos_states_of(orr_chaos_map map, double parameter, size_t samples,
                         orr_chaos_states *states);
void orr_chaos_states_integer(uint32_t k2, size_t samples, orr_chaos_states *states);

// One step of the integer map against the published formula in 320 bits (MPFR), over random states
// from `seed`: worst absolute differences.
typedef struct orr_chaos_agreement {
    uint32_t k2;
    double mu;
    size_t samples;
    double worst_y, mean_y; // |cos(pi u') - y'|
    double worst_u;         // |u' - arccos(y') / pi|
    double worst_double_y;  // of the formula in doubles, from states rounded to doubles
} orr_chaos_agreement;
void orr_chaos_agree(uint32_t k2, size_t samples, uint64_t seed, orr_chaos_agreement *agreement);

// Mean cycle and tail to expect of the map with `bits` bits: sqrt(pi N / (8 c)), N = 2^bits, where
// two random states meet in one step with probability c / N. A random function has c = 1. Here
// squares cut to bits - 1 bits make u share its square with about N / u others, which adds up to
// 2 + ln(N / 2) / 2 states; and the fold adds half of one: c = 3/2 + ln(N / 2) / 2.
double orr_chaos_expected_cycle(unsigned bits);

// One step of the integer map with a state of `bits` bits, 8..63: kernels/map.h for 63 (and any odd
// factor of 32 bits). orr_chaos_small_factor() shortens a K2 to half of bits + 1, rounded down, and
// makes it odd.
uint32_t orr_chaos_small_factor(unsigned bits, uint32_t k2);
uint64_t orr_chaos_small_step(uint64_t u, unsigned bits, uint32_t factor);

// Cycles of that map by Brent's algorithm (1980), from `starts` random states. Every start has a
// factor of its own: the leading bit is that of k2, the others are random. One map alone has a
// handful of cycles, and a mean over them would say more about that map than about the trend.
typedef struct orr_chaos_cycles {
    unsigned bits;
    size_t starts;
    double mean_cycle, mean_tail; // steps; tail: before the cycle is entered
    uint64_t shortest, longest;   // cycle found
    double expected;              // of both means, orr_chaos_expected_cycle(bits)
} orr_chaos_cycles;
void orr_chaos_find_cycles(unsigned bits, uint32_t k2, size_t starts, uint64_t seed,
                           orr_chaos_cycles *cycles);

#ifdef __cplusplus
}
#endif

#endif
