// What the 40,320 planet rules are worth, and the test of linearity over GF(2).
#ifndef ORRERY_BENCH_EVIDENCE_ATTACK_RULES_H
#define ORRERY_BENCH_EVIDENCE_ATTACK_RULES_H

#include "kernels/vpd.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_rule_census {
    uint32_t rules;        // 40,320
    uint32_t tables;       // different XOR tables S(planet(a) xor planet(b)) among them
    uint32_t like_default; // rules with the table of rule 37241, itself counted
    uint32_t affine;       // rules whose planets are an affine function of the symbol's bits
    uint32_t affine_ranks; // of these, rules whose ranks (the last step) are affine too
    int default_is_affine;
} orr_rule_census;

// Counts by building all tables. ORR_INTERNAL when memory runs out.
orr_status orr_rules_count(orr_rule_census *census, orr_error *error);
// Is pi(a) xor pi(b) xor pi(c) = pi(a xor b xor c) for all a, b, c?
int orr_rule_is_affine(const orr_rule *rule);

// The test of linearity: for random texts a, b, c an affine cipher has E(a) xor E(b) xor E(c) =
// E(a xor b xor c). Returns in *share how many bytes of the sum of all four are not zero: 0 for an
// affine cipher, 255/256 for one without any such relation; in *rounds the same with the last step
// (planet XOR with K8, whose table is public) undone. Encrypts an image of the paper profile
// (side x side, 3 channels) with `rule` and a key made from `seed`.
orr_status orr_linearity_test(uint32_t rule, uint32_t side, uint64_t seed, double *share,
                              double *rounds, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
