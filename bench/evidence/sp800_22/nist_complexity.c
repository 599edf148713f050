// Linear complexity: SP 800-22 section 2.10.
//
// Berlekamp and Massey's algorithm on 256 blocks at once: bit k of a vector belongs to block k.
// Blocks differ in when they change their length, so both branches are taken under masks, and the
// polynomial B is multiplied by x at every step by moving where it begins.
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/sp800_22/nist_internal.h"

#define LANES 256

typedef uint64_t lanes __attribute__((vector_size(LANES / 8)));

typedef struct massey {
    size_t block;
    lanes *bits;       // [block]
    lanes *connection; // [block + 1], the polynomial C
    lanes *earlier;    // [2 block + 2], in which B begins at an offset
    uint16_t *lengths; // [LANES], L
} massey;

// Lanes with 2 L <= n. Vectors travel by address: their calling convention depends on the
// processor.
static void short_lanes(const uint16_t *lengths, size_t n, lanes *mask) {
    for (int word = 0; word < LANES / 64; word++) {
        uint64_t bits = 0;
        for (int k = 0; k < 64; k++) {
            bits |= (uint64_t)(2u * lengths[64 * word + k] <= n) << k;
        }
        (*mask)[word] = bits;
    }
}

static void run_massey(massey *m) {
    size_t block = m->block, longest = 0;
    memset(m->connection, 0, (block + 1) * sizeof(lanes));
    memset(m->earlier, 0, (2 * block + 2) * sizeof(lanes));
    memset(m->lengths, 0, LANES * sizeof *m->lengths);
    m->connection[0] = ~(lanes){0};
    m->earlier[block + 1] = ~(lanes){0};
    for (size_t n = 0; n < block; n++) {
        lanes *b = m->earlier + block - n; // one place further down: B times x
        lanes differ = m->bits[n];
        for (size_t i = 1; i <= longest; i++) differ ^= m->connection[i] & m->bits[n - i];
        if ((differ[0] | differ[1] | differ[2] | differ[3]) == 0) continue;
        lanes change;
        short_lanes(m->lengths, n, &change);
        change &= differ;
        for (int word = 0; word < LANES / 64; word++) {
            for (uint64_t left = change[word]; left; left &= left - 1) {
                uint16_t *length = &m->lengths[64 * word + __builtin_ctzll(left)];
                *length = (uint16_t)(n + 1 - *length);
                if (*length > longest) longest = *length;
            }
        }
        for (size_t i = 0; i <= longest; i++) { // no polynomial in use is of a higher degree
            lanes c = m->connection[i];
            m->connection[i] = c ^ (differ & b[i]);
            b[i] = (b[i] & ~change) | (c & change);
        }
    }
}

// Bit `lane` of bits[i] becomes bit i of the block.
static void load_lane(massey *m, unsigned lane, orr_bits bits, size_t first) {
    for (size_t at = 0; at < m->block; at += 64) {
        uint64_t window = orr_bits_window(bits, first + at);
        size_t left = m->block - at < 64 ? m->block - at : 64;
        for (size_t i = 0; i < left; i++, window <<= 1) {
            ((uint64_t *)&m->bits[at + i])[lane / 64] |= (window >> 63) << lane % 64;
        }
    }
}

// T of section 2.10.4 (4), as a class 0..6.
static unsigned complexity_class(size_t block, unsigned length) {
    double m = (double)block, sign = block % 2 ? -1 : 1;
    double mean = m / 2 + (9 - sign) / 36 - (m / 3 + 2.0 / 9) * exp2(-m);
    double t = sign * (length - mean) + 2.0 / 9;
    unsigned class = 0;
    while (class < 6 && t > -2.5 + class) class ++;
    return class;
}

orr_nist_value orr_nist_complexity(orr_bits bits, size_t block, orr_nist_constants constants) {
    static const double printed[7] = {0.01047, 0.03125, 0.125, 0.5, 0.25, 0.0625, 0.020833};
    static const double exact[7] = {1.0 / 96, 1.0 / 32, 1.0 / 8, 1.0 / 2,
                                    1.0 / 4,  1.0 / 16, 1.0 / 48};
    size_t blocks = block ? bits.count / block : 0;
    if (block < 4 || block > 10000 || blocks == 0) return NOT_APPLICABLE;
    orr_nist_value value = NOT_APPLICABLE;
    size_t vectors = block + (block + 1) + (2 * block + 2);
    uint16_t lengths[LANES];
    lanes *memory = aligned_alloc(sizeof(lanes), vectors * sizeof(lanes));
    if (!memory) return value;
    massey m = {block, memory, memory + block, memory + 2 * block + 1, lengths};
    uint64_t counts[7] = {0};
    for (size_t first = 0; first < blocks; first += LANES) {
        unsigned used = blocks - first < LANES ? (unsigned)(blocks - first) : LANES;
        memset(m.bits, 0, block * sizeof(lanes));
        for (unsigned lane = 0; lane < used; lane++) {
            load_lane(&m, lane, bits, (first + lane) * block);
        }
        run_massey(&m);
        for (unsigned lane = 0; lane < used; lane++) {
            counts[complexity_class(block, lengths[lane])]++;
        }
    }
    free(memory);
    const double *pi = constants == ORR_NIST_AS_PRINTED ? printed : exact;
    value.statistic = orr_chi_square(counts, pi, 7, (double)blocks);
    value.p = orr_chi_square_p(value.statistic, 6);
    return value;
}
