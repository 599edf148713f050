// The five maps in doubles: steps, bifurcation diagrams, Lyapunov exponents.
#include <math.h>

#include "bench/evidence/chaos.h"
#include "kernels/map.h"

#define START 0.3141
#define DROPPED 500

static const orr_chaos_info infos[ORR_CHAOS_MAPS] = {
    {"1-dec", "1-DEC", "1 - 2 cos^2(arccos(y) e^(1/mu) arccos(y))", "mu", 0.051, 1, 0.0519999999988,
     -1, 1},
    {"logistic", "logistic", "r x (1 - x)", "r", 2.5, 4, 4, 0, 1},
    {"chebyshev", "Chebyshev", "cos(a arccos x)", "a", 0, 5, 4, -1, 1},
    {"1-dcp", "1-DCP", "cos(mu (x^3 + x))", "mu", 0, 20, 20, -1, 1},
    {"1-dsp", "1-DSP", "(x (alpha + 1))^sin(beta pi + x), beta = 1/2", "alpha", 0.1, 7, 5, 0, 4},
};

const orr_chaos_info *orr_chaos_map_info(orr_chaos_map map) {
    return &infos[map];
}

static double step_dec(double mu, double y, double *log_slope) {
    double theta = acos(y), e = exp(1 / mu), cosine = cos(theta * e * theta);
    if (log_slope) {
        *log_slope = log(fabs(4 * e * theta * sin(2 * e * theta * theta) / sin(theta)));
    }
    double next = 1 - 2 * cosine * cosine;
    return next > 1 ? 1 : next < -1 ? -1 : next;
}

static double step_dsp(double alpha, double x, double *log_slope) {
    const double beta = 0.5;
    double base = log(x * (alpha + 1)), power = sin(beta * M_PI + x), next = exp(power * base);
    if (log_slope) {
        *log_slope = log(fabs(next * (cos(beta * M_PI + x) * base + power / x)));
    }
    return next;
}

double orr_chaos_step(orr_chaos_map map, double p, double x, double *log_slope) {
    double inner;
    switch (map) {
    case ORR_CHAOS_DEC:
        return step_dec(p, x, log_slope);
    case ORR_CHAOS_LOGISTIC:
        if (log_slope) *log_slope = log(fabs(p * (1 - 2 * x)));
        return p * x * (1 - x);
    case ORR_CHAOS_CHEBYSHEV:
        inner = acos(x);
        if (log_slope) *log_slope = log(fabs(p * sin(p * inner) / sin(inner)));
        return cos(p * inner);
    case ORR_CHAOS_DCP:
        inner = p * (x * x * x + x);
        if (log_slope) *log_slope = log(fabs(p * (3 * x * x + 1) * sin(inner)));
        return cos(inner);
    case ORR_CHAOS_DSP:
        return step_dsp(p, x, log_slope);
    default:
        return NAN;
    }
}

void orr_chaos_bifurcation(orr_chaos_map map, double low, double high, size_t parameters,
                           size_t drop, size_t keep, double *parameter, double *state) {
    for (size_t n = 0; n < parameters; n++) {
        double p = parameters > 1 ? low + (high - low) * (double)n / (double)(parameters - 1) : low;
        double x = START;
        for (size_t i = 0; i < drop; i++) x = orr_chaos_step(map, p, x, NULL);
        for (size_t i = 0; i < keep; i++) {
            x = orr_chaos_step(map, p, x, NULL);
            parameter[n * keep + i] = p;
            state[n * keep + i] = x;
        }
    }
}

double orr_chaos_lyapunov(orr_chaos_map map, double parameter, size_t steps) {
    double x = START, sum = 0, slope;
    size_t counted = 0;
    for (size_t i = 0; i < DROPPED; i++) x = orr_chaos_step(map, parameter, x, NULL);
    for (size_t i = 0; i < steps; i++) {
        x = orr_chaos_step(map, parameter, x, &slope);
        if (!isfinite(x)) return NAN;
        if (!isfinite(slope)) continue; // a state at which f' is 0 or infinite has measure zero
        sum += slope;
        counted++;
    }
    return counted ? sum / (double)counted : NAN;
}

double orr_chaos_lyapunov_integer(uint32_t k2, size_t steps) {
    uint64_t u = orr_lane_start(1, 0, k2);
    double sum = 0;
    size_t counted = 0;
    for (size_t i = 0; i < DROPPED; i++) u = orr_map_step(u, k2);
    for (size_t i = 0; i < steps; i++) {
        if (u) {
            sum += log((double)k2 * ldexp((double)u, -63));
            counted++;
        }
        u = orr_map_step(u, k2);
    }
    return counted ? sum / (double)counted : NAN;
}

uint32_t orr_chaos_k2(double mu) {
    double k2 = 4 * M_PI * exp(1 / mu);
    if (!(k2 >= 1 && k2 < 4294967295.0)) return 0;
    return (uint32_t)(2 * floor(k2 / 2) + 1);
}

double orr_chaos_mu(uint32_t k2) {
    return 1 / log(k2 / (4 * M_PI));
}
