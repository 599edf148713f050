// Virtual Planet Domain rules: permutations of eight planets and what follows from them
// (docs/FORMAT.md, "VPD rules"; paper, section "VPD").
#ifndef ORRERY_KERNELS_VPD_H
#define ORRERY_KERNELS_VPD_H

#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_RULE_DEFAULT 37241u
#define ORR_RULE_COUNT 40320u

// One 3-bit substitution as algebraic normal form, each coefficient widened to an all-ones mask:
// bit 2-o of the result is
//     c[o][0] ^ c[o][1]a ^ c[o][2]b ^ c[o][3]c ^ c[o][4]ab ^ c[o][5]ac ^ c[o][6]bc
// with a the most significant bit. (A permutation of 3 bits has no abc term.)
typedef struct orr_anf {
    uint32_t c[3][7];
} orr_anf;

// A rule r in 1..40320: the r-th permutation of Uranus, Mars, Venus, Neptune, Jupiter, Earth,
// Saturn, Mercury (= 0..7) in lexicographic order. planet[v] is the planet of symbol v, symbol[]
// its inverse, rank[v] the place of planet[v] by distance from the Sun, unrank[] its inverse.
typedef struct orr_rule {
    uint32_t number;
    uint8_t planet[8], symbol[8], rank[8], unrank[8];
    orr_anf planet_anf, symbol_anf, rank_anf, unrank_anf;
} orr_rule;

// Places of Uranus, Mars, Venus, Neptune, Jupiter, Earth, Saturn, Mercury by distance from the Sun.
extern const uint8_t orr_heliocentric_rank[8];
// Names in the same order.
extern const char *const orr_planet_name[8];

// Builds the tables of rule `number`. ORR_UNSUPPORTED when it is not in 1..40320.
orr_status orr_rule_init(orr_rule *rule, uint32_t number, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
