// Tables of a VPD rule (docs/FORMAT.md, "VPD rules").
#include "kernels/vpd.h"

const uint8_t orr_heliocentric_rank[8] = {6, 3, 1, 7, 4, 2, 5, 0};

const char *const orr_planet_name[8] = {"Uranus",  "Mars",  "Venus",  "Neptune",
                                        "Jupiter", "Earth", "Saturn", "Mercury"};

// Permutation `number` - 1 of 0..7 in lexicographic order: digits in the factorial number system.
static void unrank_permutation(uint32_t number, uint8_t permutation[8]) {
    static const uint16_t factorial[8] = {5040, 720, 120, 24, 6, 2, 1, 1};
    uint8_t left[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    uint32_t rest = number - 1;
    for (int i = 0; i < 8; i++) {
        uint32_t digit = rest / factorial[i];
        rest %= factorial[i];
        permutation[i] = left[digit];
        for (uint32_t n = digit; n + 1 < 8; n++) left[n] = left[n + 1];
    }
}

// Algebraic normal form of a table of 3-bit values, by the Moebius transform: bit v of `table` is
// the output for input v = 4a + 2b + c, and becomes the coefficient of the monomial of v's set
// bits.
static void anf_init(orr_anf *anf, const uint8_t map[8]) {
    static const uint8_t monomial[7] = {0, 4, 2, 1, 6, 5, 3}; // 1, a, b, c, ab, ac, bc
    for (int output = 0; output < 3; output++) {
        uint32_t table = 0;
        for (int v = 0; v < 8; v++) table |= (uint32_t)(map[v] >> (2 - output) & 1) << v;
        table ^= (table & 0x55) << 1;
        table ^= (table & 0x33) << 2;
        table ^= (table & 0x0f) << 4;
        for (int m = 0; m < 7; m++) anf->c[output][m] = 0u - (table >> monomial[m] & 1);
    }
}

orr_status orr_rule_init(orr_rule *rule, uint32_t number, orr_error *error) {
    if (number < 1 || number > ORR_RULE_COUNT)
        return orr_fail(error, ORR_UNSUPPORTED, "VPD rule %u does not exist: choose one of 1..%u",
                        number, ORR_RULE_COUNT);
    rule->number = number;
    unrank_permutation(number, rule->planet);
    for (uint8_t v = 0; v < 8; v++) {
        rule->symbol[rule->planet[v]] = v;
        rule->rank[v] = orr_heliocentric_rank[rule->planet[v]];
        rule->unrank[rule->rank[v]] = v;
    }
    anf_init(&rule->planet_anf, rule->planet);
    anf_init(&rule->symbol_anf, rule->symbol);
    anf_init(&rule->rank_anf, rule->rank);
    anf_init(&rule->unrank_anf, rule->unrank);
    return ORR_OK;
}
