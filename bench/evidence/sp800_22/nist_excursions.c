// Random excursions and their variant: SP 800-22 sections 2.14 and 2.15.
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/sp800_22/nist_internal.h"

#define FAR 9 // states of the variant
#define NEAR 4

typedef struct walk {
    int64_t sum;
    uint64_t cycles;
    uint64_t visits[2 * FAR + 1];          // of state x at x + FAR
    unsigned in_cycle[2 * NEAR + 1];       // of state x at x + NEAR, since the last zero
    uint64_t cycles_with[2 * NEAR + 1][6]; // cycles with 0 .. 4, 5 or more visits
} walk;

static void end_cycle(walk *w) {
    w->cycles++;
    for (int i = 0; i <= 2 * NEAR; i++) {
        w->cycles_with[i][w->in_cycle[i] < 5 ? w->in_cycle[i] : 5]++;
    }
    memset(w->in_cycle, 0, sizeof w->in_cycle);
}

static void walk_bits(walk *w, orr_bits bits) {
    for (size_t word = 0; word < (bits.count + 63) / 64; word++) {
        unsigned left = word == bits.count / 64 ? bits.count % 64 : 64;
        uint64_t steps = bits.words[word];
        // Far from zero, 64 steps cannot reach a state that counts.
        if (left == 64 && (w->sum > FAR + 64 || w->sum < -FAR - 64)) {
            w->sum += 2 * __builtin_popcountll(steps) - 64;
            continue;
        }
        for (; left; left--, steps <<= 1) {
            w->sum += steps >> 63 ? 1 : -1;
            if (w->sum > FAR || w->sum < -FAR) continue;
            w->visits[w->sum + FAR]++;
            if (w->sum == 0)
                end_cycle(w);
            else if (w->sum <= NEAR && w->sum >= -NEAR)
                w->in_cycle[w->sum + NEAR]++;
        }
    }
    if (w->sum != 0) end_cycle(w); // the walk is closed by a zero behind its end
}

size_t orr_nist_least_cycles(size_t count) {
    double least = 0.005 * sqrt((double)count);
    return least > 500 ? (size_t)ceil(least) : 500;
}

// Chances of 0 .. 4, 5 or more visits to x in a cycle (section 3.14).
static void visit_chances(int x, double pi[6]) {
    double miss = 1 - 1 / (2.0 * abs(x));
    pi[0] = miss;
    for (int k = 1; k < 5; k++) pi[k] = (1 - miss) * (1 - miss) * pow(miss, k - 1);
    pi[5] = (1 - miss) * pow(miss, 4);
}

size_t orr_nist_walk(orr_bits bits, size_t least_cycles, orr_nist_value *excursions,
                     orr_nist_value *variant) {
    walk w = {0};
    walk_bits(&w, bits);
    int applies = w.cycles > 0 && w.cycles >= least_cycles;
    double cycles = (double)w.cycles;
    size_t i = 0;
    for (int x = -NEAR; excursions && x <= NEAR; x++) {
        if (x == 0) continue;
        double pi[6];
        visit_chances(x, pi);
        double chi_square = applies ? orr_chi_square(w.cycles_with[x + NEAR], pi, 6, cycles) : NAN;
        excursions[i++] =
            (orr_nist_value){chi_square, applies ? orr_chi_square_p(chi_square, 5) : NAN};
    }
    i = 0;
    for (int x = -FAR; variant && x <= FAR; x++) {
        if (x == 0) continue;
        double visits = (double)w.visits[x + FAR];
        double spread = sqrt(2 * cycles * (4.0 * abs(x) - 2));
        double p = applies ? erfc(fabs(visits - cycles) / spread) : NAN;
        variant[i++] = (orr_nist_value){visits, p};
    }
    return w.cycles;
}

size_t orr_nist_excursions(orr_bits bits, size_t least_cycles,
                           orr_nist_value values[ORR_NIST_EXCURSIONS]) {
    return orr_nist_walk(bits, least_cycles, values, NULL);
}

size_t orr_nist_excursions_variant(orr_bits bits, size_t least_cycles,
                                   orr_nist_value values[ORR_NIST_EXCURSIONS_VARIANT]) {
    return orr_nist_walk(bits, least_cycles, NULL, values);
}
