// The integer map against the published formula in high precision.
#include <math.h>
#include <stdint.h>
#define MPFR_USE_INTMAX_T // 64 bits wherever `unsigned long` has fewer
#include <mpfr.h>
#include "bench/evidence/chaos.h"
#include "kernels/map.h"

#define PRECISION 320 // 63 bits of state, 32 of the factor twice, and ample room

typedef struct scratch {
    mpfr_t factor, pi, y, theta, angle, next, ours, off;
} scratch;

// s->next = the published formula at s->y, with the scratch's e^(1/mu).
static void published(scratch *s) {
    mpfr_acos(s->theta, s->y, MPFR_RNDN);
    mpfr_mul(s->angle, s->theta, s->factor, MPFR_RNDN);
    mpfr_mul(s->angle, s->angle, s->theta, MPFR_RNDN);
    mpfr_cos(s->next, s->angle, MPFR_RNDN);
    mpfr_sqr(s->next, s->next, MPFR_RNDN);
    mpfr_mul_ui(s->next, s->next, 2, MPFR_RNDN);
    mpfr_ui_sub(s->next, 1, s->next, MPFR_RNDN);
}

// to = cos(pi u), u in units of 2^-63.
static void cosine_of(scratch *s, mpfr_t to, uint64_t u) {
    mpfr_set_uj_2exp(to, u, -63, MPFR_RNDN);
    mpfr_mul(to, to, s->pi, MPFR_RNDN);
    mpfr_cos(to, to, MPFR_RNDN);
}

static void compare(scratch *s, uint64_t u, orr_chaos_agreement *a) {
    cosine_of(s, s->y, u);
    published(s);
    uint64_t stepped = orr_map_step(u, a->k2);
    cosine_of(s, s->ours, stepped);
    mpfr_sub(s->off, s->ours, s->next, MPFR_RNDN);
    double off = fabs(mpfr_get_d(s->off, MPFR_RNDN));
    a->mean_y += off;
    a->worst_y = fmax(a->worst_y, off);
    mpfr_acos(s->theta, s->next, MPFR_RNDN);
    mpfr_div(s->theta, s->theta, s->pi, MPFR_RNDN);
    mpfr_set_uj_2exp(s->ours, stepped, -63, MPFR_RNDN);
    mpfr_sub(s->off, s->ours, s->theta, MPFR_RNDN);
    a->worst_u = fmax(a->worst_u, fabs(mpfr_get_d(s->off, MPFR_RNDN)));
    // The formula in doubles, from a double: what rounding its input costs is not counted.
    double y = mpfr_get_d(s->y, MPFR_RNDN);
    mpfr_set_d(s->y, y, MPFR_RNDN);
    published(s);
    mpfr_d_sub(s->off, orr_chaos_step(ORR_CHAOS_DEC, a->mu, y, NULL), s->next, MPFR_RNDN);
    a->worst_double_y = fmax(a->worst_double_y, fabs(mpfr_get_d(s->off, MPFR_RNDN)));
}

void orr_chaos_agree(uint32_t k2, size_t samples, uint64_t seed, orr_chaos_agreement *agreement) {
    *agreement = (orr_chaos_agreement){.k2 = k2, .mu = orr_chaos_mu(k2), .samples = samples};
    scratch s;
    mpfr_inits2(PRECISION, s.factor, s.pi, s.y, s.theta, s.angle, s.next, s.ours, s.off,
                (mpfr_ptr)0);
    mpfr_const_pi(s.pi, MPFR_RNDN);
    mpfr_ui_div(s.factor, k2, s.pi, MPFR_RNDN); // e^(1/mu) = K2 / (4 pi)
    mpfr_div_ui(s.factor, s.factor, 4, MPFR_RNDN);
    for (size_t i = 0; i < samples; i++) compare(&s, orr_mix64(seed + i) >> 1, agreement);
    if (samples) agreement->mean_y /= (double)samples;
    mpfr_clears(s.factor, s.pi, s.y, s.theta, s.angle, s.next, s.ours, s.off, (mpfr_ptr)0);
    mpfr_free_cache();
}
