// Arithmetic of the tile cipher that the C and the CUDA paths share: bit-sliced substitutions of
// three-bit symbols, the zigzag numbering of cells, and key words of the index sequences
// (docs/FORMAT.md, "Archive profile"). No libc, no floating point; host and device compile it
// alike.
#ifndef ORRERY_KERNELS_BITSLICE_H
#define ORRERY_KERNELS_BITSLICE_H

#include <stdint.h>

#include "kernels/map.h"
#include "kernels/vpd.h"

// A bit-sliced vector of symbols: bit i of a, b, c is the most significant, middle and least
// significant bit of symbol i. The functions below exist for words T of any kind that has & | ^ ~:
// ORR_DEFINE_BITSLICE(32, uint32_t) defines orr_slice_32, orr_substitute_32 and so on.
//
//   orr_substitute       any substitution, from algebraic normal form; m: its coefficients, widened
//   orr_standard_state   rule 37241, symbol -> state: the planet 7 2 5 1 4 6 0 3 under the linear
//                        map 1 -> 4, 2 -> 3, 4 -> 1. VPD encoding XORs states as it would XOR
//                        planets; of all 168 linear maps this one has the shortest formulas.
//   orr_standard_symbol  its inverse
//
// Rule 37241 lists the planets in order from the Sun, so symbol -> rank is the identity there.
#define ORR_DEFINE_BITSLICE(S, T)                                                   \
    typedef struct orr_slice_##S {                                                  \
        T a, b, c;                                                                  \
    } orr_slice_##S;                                                                \
    ORR_SHARED orr_slice_##S orr_substitute_##S(orr_slice_##S v, const T m[3][7]) { \
        T bc = v.b & v.c;                                                           \
        orr_slice_##S r;                                                            \
        r.a = m[0][0] ^ (m[0][2] & v.b) ^ (m[0][3] & v.c) ^ (m[0][6] & bc) ^        \
              (v.a & (m[0][1] ^ (m[0][4] & v.b) ^ (m[0][5] & v.c)));                \
        r.b = m[1][0] ^ (m[1][2] & v.b) ^ (m[1][3] & v.c) ^ (m[1][6] & bc) ^        \
              (v.a & (m[1][1] ^ (m[1][4] & v.b) ^ (m[1][5] & v.c)));                \
        r.c = m[2][0] ^ (m[2][2] & v.b) ^ (m[2][3] & v.c) ^ (m[2][6] & bc) ^        \
              (v.a & (m[2][1] ^ (m[2][4] & v.b) ^ (m[2][5] & v.c)));                \
        return r;                                                                   \
    }                                                                               \
    ORR_SHARED orr_slice_##S orr_standard_state_##S(orr_slice_##S v) {              \
        T x = v.a ^ v.b, n = ~v.c;                                                  \
        orr_slice_##S r;                                                            \
        r.a = v.a ^ (x | n);                                                        \
        r.c = v.c ^ x;                                                              \
        r.b = n ^ (v.a | r.c);                                                      \
        return r;                                                                   \
    }                                                                               \
    ORR_SHARED orr_slice_##S orr_standard_symbol_##S(orr_slice_##S v) {             \
        T x = v.b ^ (v.a | v.c);                                                    \
        orr_slice_##S r;                                                            \
        r.a = ~(v.a ^ (v.b & v.c));                                                 \
        r.b = x ^ r.a;                                                              \
        r.c = v.c ^ x;                                                              \
        return r;                                                                   \
    }

ORR_DEFINE_BITSLICE(32, uint32_t)
ORR_DEFINE_BITSLICE(64, uint64_t)

// Place of cell (row, column) in the JPEG zigzag of a grid of `rows` x `columns`, rows <= columns:
// along the antidiagonals, the first move to the right.
ORR_SHARED uint32_t orr_zigzag(uint32_t rows, uint32_t columns, uint32_t row, uint32_t column) {
    uint32_t diagonal = row + column, before;
    if (diagonal <= rows) {
        before = diagonal * (diagonal + 1) / 2;
    } else if (diagonal <= columns) {
        before = rows * (rows + 1) / 2 + (diagonal - rows) * rows;
    } else {
        uint32_t left = rows + columns - 1 - diagonal; // diagonals from this one to the last
        before = rows * columns - left * (left + 1) / 2;
    }
    uint32_t first =
        diagonal < columns ? 0 : diagonal - columns + 1; // rows that the diagonal meets
    uint32_t last = diagonal < rows ? diagonal : rows - 1;
    return before + (diagonal & 1 ? row - first : last - row);
}

// Sorting key e of an index sequence: its word with the low bits replaced by e, so that no two keys
// are equal and ties in the upper bits go by index. `low` is 127 (K1, K2, K5, K6) or 3 (K3, K7).
ORR_SHARED uint32_t orr_index_key(uint64_t state, uint32_t low, uint32_t e) {
    return (orr_map_word(state) & ~low) | e;
}

#endif
