// State recovery of the 1-DEC map in its integer form (kernels/map.h): from two known 32-bit output
// words to the state by search, and from a state back to the 64-bit initial state of the sequence.
#ifndef ORRERY_BENCH_EVIDENCE_ATTACK_STATE_H
#define ORRERY_BENCH_EVIDENCE_ATTACK_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_STATE_CANDIDATES 4096 // small states have many neighbours with the same square
#define ORR_STATE_SETS 8

typedef struct orr_state_search {
    uint32_t k2;
    // Consecutive output words of one lane, word_count (at least 3) for each of set_count (1 to
    // ORR_STATE_SETS) guesses; all guesses have the same first word. The first two words are
    // searched with, the others tell true states from chance hits.
    const uint32_t *words;
    size_t word_count, set_count;
    // Of the 31 unknown bits of the state (a word shows bits 20..51 of 63) the upper `known_bits`
    // (0..11) are given in known_top, for a demonstration in less time; 0 searches all of them.
    unsigned known_bits;
    uint32_t known_top;
    unsigned threads;
} orr_state_search;

typedef struct orr_state_result {
    uint64_t tried;                       // states
    uint64_t two_word_hits;               // that fit the first two words of a guess
    uint64_t state[ORR_STATE_CANDIDATES]; // that fit all words, at the first word
    size_t count;
    double seconds; // wall clock
} orr_state_result;

// ORR_INTERNAL when threads run out.
orr_status orr_attack_state(const orr_state_search *search, orr_state_result *result,
                            orr_error *error);

// The initial states x of sequences whose lane `lane` has `state` after its first word's step: the
// dropped steps and the mixer undone. Returns how many it wrote; when that is `room`, there may be
// more: states near zero have very many.
size_t orr_lane_origins(uint64_t state, uint32_t lane, uint32_t k2, uint64_t *origins, size_t room);

#ifdef __cplusplus
}
#endif
#endif
