// Rank of binary matrices: SP 800-22 section 2.5.
#include "bench/evidence/sp800_22/nist_internal.h"

// Rank over GF(2); rows are destroyed.
static unsigned rank_of(uint32_t *rows, unsigned size) {
    unsigned rank = 0;
    for (unsigned i = 0; i < size; i++) {
        uint32_t row = rows[i];
        if (!row) continue;
        rank++;
        uint32_t lowest = row & -row;
        for (unsigned k = i + 1; k < size; k++) rows[k] ^= rows[k] & lowest ? row : 0;
    }
    return rank;
}

// Probability that a random square matrix has this rank (section 3.5).
static double rank_probability(unsigned size, unsigned rank) {
    double p = 1;
    for (unsigned i = 0; i < rank; i++) {
        double miss = 1 - ldexp(1, (int)i - (int)size);
        p *= miss * miss / (1 - ldexp(1, (int)i - (int)rank));
    }
    int missing = (int)size - (int)rank;
    return ldexp(p, -missing * missing);
}

orr_nist_value orr_nist_rank(orr_bits bits, unsigned size, orr_nist_constants constants) {
    size_t matrices = size >= 2 && size <= 32 ? bits.count / ((size_t)size * size) : 0;
    if (matrices == 0) return NOT_APPLICABLE;
    uint64_t counts[3] = {0}; // full, one less, the rest
    for (size_t m = 0; m < matrices; m++) {
        uint32_t rows[32];
        for (unsigned i = 0; i < size; i++) {
            size_t at = (m * size + i) * size;
            rows[i] = (uint32_t)(orr_bits_window(bits, at) >> (64 - size));
        }
        unsigned missing = size - rank_of(rows, size);
        counts[missing < 2 ? missing : 2]++;
    }
    // The document's example of 3 x 3 matrices takes the chances of large ones.
    double pi[3] = {0.2888, 0.5776, 0.1336};
    if (constants == ORR_NIST_CORRECTED || size == 32) {
        pi[0] = rank_probability(size, size);
        pi[1] = rank_probability(size, size - 1);
        pi[2] = 1 - pi[0] - pi[1];
    }
    double chi_square = orr_chi_square(counts, pi, 3, (double)matrices);
    return (orr_nist_value){chi_square, exp(-chi_square / 2)};
}
