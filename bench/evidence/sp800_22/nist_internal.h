// Shared by the nist_*.c.
#ifndef ORRERY_BENCH_EVIDENCE_SP800_22_NIST_INTERNAL_H
#define ORRERY_BENCH_EVIDENCE_SP800_22_NIST_INTERNAL_H

#include <math.h>

#include "bench/evidence/sp800_22/nist_bits.h"
#include "bench/evidence/sp800_22/nist_special.h"
#include "bench/evidence/sp800_22/sp800_22.h"

#define NOT_APPLICABLE ((orr_nist_value){NAN, NAN})

// The tests that read the circular histogram of 16 bits, or what is left of it for fewer.
double orr_psi_square(const uint32_t *counts, unsigned length, size_t total);

// Both excursion tests in one walk; either of the values may be NULL. Returns J.
size_t orr_nist_walk(orr_bits bits, size_t least_cycles, orr_nist_value *excursions,
                     orr_nist_value *variant);

// Both directions in one pass: forward, backward.
void orr_nist_cusums(orr_bits bits, orr_nist_value values[2]);

// All columns of one sequence into p[ORR_NIST_COLUMNS]. `plan` serves bits.count / 2 complex
// numbers, `z` has room for bits.count doubles; both may be NULL when bits.count is odd.
void orr_nist_sequence(orr_bits bits, orr_nist_constants constants, orr_fft *plan, double *z,
                       double *p);
// Has a test of p[ORR_NIST_COLUMNS] no P-value though a sequence of `count` bits is long enough for
// it and it asks for nothing else? Then there was no memory for it.
int orr_nist_lost(size_t count, const double *p);
// 2.6 with a plan and room given; bits.count is even.
orr_nist_value orr_nist_spectral_with(orr_bits bits, orr_nist_constants constants, orr_fft *plan,
                                      double *z);

#endif
