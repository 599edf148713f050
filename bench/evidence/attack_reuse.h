// A chosen-plaintext attack on the planet layer when one key serves more than one encryption.
//
// The rule is public, so the attacker chooses the image *behind* the first VPD encoding. One
// changed byte there becomes one changed byte somewhere else behind the first intershuffle, and
// because the second VPD encoding is a running XOR of planets, everything after that place changes
// in the ciphertext and nothing before it does: the number of changed bytes is the place. Both
// permutations are read off so; seven more queries, with the seven differences of the very first
// symbol, give every planet of the running XOR, hence K4, hence K8. What comes out is an equivalent
// key that decrypts anything under the reused key.
//
// It needs a rule whose ranks are an affine function of its symbols (the default rule's are the
// identity), and works for affine and non-affine rules alike.
#ifndef ORRERY_BENCH_EVIDENCE_ATTACK_REUSE_H
#define ORRERY_BENCH_EVIDENCE_ATTACK_REUSE_H

#include "bench/evidence/attack_layout.h"

#ifdef __cplusplus
extern "C" {
#endif

// Whoever encrypts what the attacker hands in: `count` texts of the layout's size, one after the
// other.
typedef struct orr_oracle {
    orr_status (*encrypt)(void *context, size_t count, const uint8_t *plain, uint8_t *cipher,
                          orr_error *error);
    void *context;
} orr_oracle;

// All that decrypting takes; `whiten` is K8 XOR K4 where the second intershuffle has put it.
typedef struct orr_equivalent_key {
    orr_shuffle shuffle[2];
    uint8_t *k4;     // as it meets the first round, a byte for each of the volume
    uint8_t *whiten; // the same for the ciphertext
} orr_equivalent_key;

typedef struct orr_reuse_result {
    int recovered;     // the equivalent key predicts a ciphertext that took no part in finding it
    const char *ended; // what stopped the attack, or "" after success
    uint64_t queries;
    uint32_t places_found, places_total; // rows, columns (and channels) of the first permutation
    orr_equivalent_key key;
} orr_reuse_result;

// Runs the attack with texts drawn from `seed`. The result is owned by the caller
// (orr_reuse_result_free), also after a failed attack. ORR_INTERNAL when memory runs out; what the
// oracle returns.
orr_status orr_attack_reuse(const orr_attack_layout *layout, const orr_rule *rule,
                            const orr_oracle *oracle, uint64_t seed, orr_reuse_result *result,
                            orr_error *error);
void orr_reuse_result_free(orr_reuse_result *result);

// Decrypts `cipher` (the layout's size) with an equivalent key. ORR_INTERNAL when memory runs out.
orr_status orr_equivalent_decrypt(const orr_attack_layout *layout, const orr_rule *rule,
                                  const orr_equivalent_key *key, const uint8_t *cipher,
                                  uint8_t *plain, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
