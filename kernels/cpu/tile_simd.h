// The tile cipher in vectors, written once for all instruction sets (docs/FORMAT.md, "Archive
// profile"). A file that includes this defines before:
//
//   V, VB          the vector type and its bytes (a divisor of 128)
//   slice          struct of vectors a, b, c: bit-sliced symbols
//   LEVEL, NAME    the orr_cpu_level to define, and its name: as in kernels/cpu/dispatch.c
//   load, store    unaligned
//   set8, set32, set64, subtract8, add8_saturated
//   square, scale, fold  the parts of orr_map_step: h h + ((h l) >> 31), times k2, reflected
//   map_words      words of two vectors of states (even and odd cells) in order
//   first_state    orr_mix64(x + y) >> 1 in every element
//   permute        VB bytes picked from a line of 128 by eight shuffle controls
//   standard_state, standard_symbol  rule 37241: symbols to what is XORed, and back
//   substitute     any substitution, from coefficients V[3][7]
//
// Both directions read and write a tile once in each round. A row is encoded (or fetched) into a
// line of 3 x 128 bytes in L1, where its columns are permuted, and then goes to its place.
// Encryption needs the XOR of each bit column before it can scan: round 1 computes it up front,
// round 2 gets it from round 1, for which XOR does not mind the order of rows.
#include <string.h>

#include "kernels/bitslice.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/sort_simd.h"

#define NOINLINE __attribute__((noinline))
#define COLUMNS ORR_TILE_COLUMNS
#define ROW_VECTORS (COLUMNS / VB)
#define GRID_ROWS 16
#define GRID_COLUMNS 32
#define LINES ORR_CPU_LINES
#define STATES (GRID_COLUMNS * 8 / VB) // vectors of states for one row of cells

// Coefficients of the substitutions, for rules other than the default one.
typedef struct coefficients {
    V planet[3][7], symbol[3][7], rank[3][7], unrank[3][7];
} coefficients;

static void widen(V wide[3][7], const orr_anf *anf) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 7; j++) wide[i][j] = set32(anf->c[i][j]);
}

static void widen_rule(coefficients *wide, const orr_rule *rule) {
    widen(wide->planet, &rule->planet_anf);
    widen(wide->symbol, &rule->symbol_anf);
    widen(wide->rank, &rule->rank_anf);
    widen(wide->unrank, &rule->unrank_anf);
}

INLINE slice load_slice(const uint8_t *at, size_t channel) {
    return (slice){load(at), load(at + channel), load(at + 2 * channel)};
}

INLINE void store_slice(uint8_t *at, size_t channel, slice x) {
    store(at, x.a);
    store(at + channel, x.b);
    store(at + 2 * channel, x.c);
}

INLINE slice xor_slice(slice x, slice y) {
    return (slice){x.a ^ y.a, x.b ^ y.b, x.c ^ y.c};
}

// `standard` is a constant wherever these are inlined: rule 37241.
INLINE slice to_state(slice x, const coefficients *rule, int standard) {
    return standard ? standard_state(x) : substitute(x, rule->planet);
}

INLINE slice to_symbol(slice x, const coefficients *rule, int standard) {
    return standard ? standard_symbol(x) : substitute(x, rule->symbol);
}

// ---- key sequences ------------------------------------------------------------------------------

// One map step of every lane. Four vectors at a time go through each part, since a step is a chain
// of 20 cycles: in sequence, too few of them would fit the processor's window.
INLINE void step_lanes(V u[STATES], V k2) {
    for (int n = 0; n < STATES; n += 4) {
        V x[4];
        for (int i = 0; i < 4; i++) x[i] = square(u[n + i]);
        for (int i = 0; i < 4; i++) x[i] = scale(x[i], k2);
        for (int i = 0; i < 4; i++) u[n + i] = fold(x[i]);
    }
}

// States of the 32 lanes of one row of cells after their dropped steps. Vector 2n holds the even
// and vector 2n + 1 the odd ones of the next VB / 4 lanes, so that words interleave by a shift and
// a blend. `steps` gives (lane + 1) * 0x9e3779b97f4a7c15 in that order.
INLINE void start_lanes(V u[STATES], uint64_t state, const uint64_t steps[GRID_COLUMNS], V k2) {
    V x = set64(state);
    for (int n = 0; n < STATES; n++) u[n] = first_state(x, load(&steps[n * (VB / 8)]));
    for (int drop = 0; drop < ORR_LANE_DROP; drop++) step_lanes(u, k2);
}

// Key bytes of K4 or K8, depending on the numbering of lanes in `steps`. On the way it asks for the
// same bytes of `warm` (if any), which the rounds will touch in an order no prefetcher can guess.
static NOINLINE void keystream(uint64_t state, const uint64_t steps[GRID_ROWS][GRID_COLUMNS],
                               uint32_t rows, uint32_t k2, uint8_t *out, const uint8_t *warm) {
    size_t channel = (size_t)COLUMNS * rows;
    V constant = set64(k2);
    for (uint32_t g = 0; 8 * g < rows; g++) {
        V u[STATES];
        start_lanes(u, state, steps[g], constant);
        for (uint32_t i = 8 * g; i < 8 * g + 8 && i < rows; i++) {
            for (int k = 0; k < 3; k++) {
                size_t at = channel * k + (size_t)COLUMNS * i;
                __builtin_prefetch(warm + at, 0, 2);
                __builtin_prefetch(warm + at + COLUMNS / 2, 0, 2);
                step_lanes(u, constant);
                for (int n = 0; n < STATES / 2; n++)
                    store(out + at + VB * n, map_words(u[2 * n], u[2 * n + 1]));
            }
        }
    }
}

// Sorts the first `count` keys of an index sequence: words[8 * v + l] becomes the key of rank
// 16 * l + v, whose low 7 bits are its index. Keys from `count` on are above all others.
static NOINLINE void index_order(uint64_t state, uint32_t count, uint32_t k2, uint32_t words[128]) {
    V constant = set64(k2), u[STATES];
    start_lanes(u, state, orr_cpu_lanes(VB)->row_order[0], constant);
    for (int step = 0; step < 4; step++) {
        step_lanes(u, constant);
        for (int n = 0; n < STATES / 2; n++)
            store(&words[32 * step + n * (VB / 4)], map_words(u[2 * n], u[2 * n + 1]));
    }
    for (uint32_t e = 0; e < 128; e++) words[e] = (words[e] & ~127u) | e;
    for (uint32_t e = count; e < 128; e++) words[e] = 0xffffffffu;
    sort_keys(words);
}

static void expand_streams(const orr_tile_key *key, uint32_t rows, uint32_t k2, const uint8_t *in,
                           const uint8_t *out, orr_cpu_scratch *s) {
    const orr_cpu_lane_steps *lanes = orr_cpu_lanes(VB);
    keystream(key->state[3], lanes->zigzag_order, rows, k2, s->k4, in);
    keystream(key->state[7], lanes->row_order, rows, k2, s->k8, out);
}

static void expand_ranks(const orr_tile_key *key, uint32_t rows, uint32_t k2, orr_cpu_scratch *s) {
    for (int round = 0; round < 2; round++) {
        index_order(key->state[4 * round], rows, k2, s->words);
        for (uint32_t n = 0; n < 128; n++) s->row[round][16 * (n % 8) + n / 8] = s->words[n] & 127;
        index_order(key->state[4 * round + 1], COLUMNS, k2, s->words);
        for (uint32_t n = 0; n < 128; n++)
            s->column[round][s->words[n] & 127] = (uint8_t)(16 * (n % 8) + n / 8);
        orr_tile_channel_ranks(key->state[4 * round + 2], k2, s->channel[round]);
    }
}

// Shuffle controls that pick byte column[j] of a line for place j: control q serves the bytes from
// source block q (16 bytes) and asks for zero elsewhere. Sources from another block come out of the
// subtraction as 16 or more, and the saturating addition then sets their top bit.
INLINE void shuffle_controls(V control[ROW_VECTORS][8], const uint8_t column[COLUMNS]) {
    for (int o = 0; o < ROW_VECTORS; o++)
        for (int q = 0; q < 8; q++)
            control[o][q] =
                add8_saturated(subtract8(load(column + VB * o), set8(16 * q)), set8(0x70));
}

// ---- rounds -------------------------------------------------------------------------------------

// Turns the XOR of each bit column into the state before its first row: XOR of the columns before.
static void scan_columns(uint8_t total[3 * COLUMNS]) {
    for (uint8_t *channel = total; channel < total + 3 * COLUMNS; channel += COLUMNS) {
        uint64_t carry = 0;
        for (int w = 0; w < COLUMNS; w += 8) {
            uint64_t x;
            memcpy(&x, channel + w, 8);
            x = __builtin_bswap64(x);
            for (int shift = 1; shift < 64; shift *= 2) x ^= x >> shift;
            uint64_t before = __builtin_bswap64((x >> 1) ^ carry);
            carry ^= 0 - (x & 1);
            memcpy(channel + w, &before, 8);
        }
    }
}

// Moves each bit column's last row to the place of the next bit column: what precedes its row 0.
static void shift_columns(uint8_t last[3 * COLUMNS]) {
    for (uint8_t *channel = last; channel < last + 3 * COLUMNS; channel += COLUMNS) {
        uint64_t carry = 0;
        for (int w = 0; w < COLUMNS; w += 8) {
            uint64_t x, before;
            memcpy(&x, channel + w, 8);
            x = __builtin_bswap64(x);
            before = __builtin_bswap64(x >> 1 | carry << 63);
            carry = x & 1;
            memcpy(channel + w, &before, 8);
        }
    }
}

INLINE void sum_columns(const coefficients *rule, int standard, uint32_t rows, const uint8_t *in,
                        uint8_t total[3 * COLUMNS]) {
    size_t channel = (size_t)COLUMNS * rows;
    for (int o = 0; o < ROW_VECTORS; o++) {
        slice sum = {set64(0), set64(0), set64(0)};
        for (uint32_t i = 0; i < rows; i++) {
            slice x = load_slice(in + (size_t)COLUMNS * i + VB * o, channel);
            sum = xor_slice(sum, to_state(x, rule, standard));
        }
        store_slice(total + VB * o, COLUMNS, sum);
    }
}

// One round: VPD encoding, intershuffle and K4; in the last round also the planet XOR.
// s->state holds the column sums of `in`; the first round leaves those of `out` there.
INLINE void encrypt_round(const coefficients *rule, int standard, int round, uint32_t rows,
                          const uint8_t *in, uint8_t *out, orr_cpu_scratch *s) {
    size_t channel = (size_t)COLUMNS * rows;
    const uint8_t *line[3];
    V control[ROW_VECTORS][8];
    slice state[ROW_VECTORS], total[ROW_VECTORS];
    shuffle_controls(control, s->column[round]);
    scan_columns(s->state);
    for (int k = 0; k < 3; k++) line[k] = s->line + COLUMNS * s->channel[round][k];
    for (int o = 0; o < ROW_VECTORS; o++) {
        state[o] = load_slice(s->state + VB * o, COLUMNS);
        total[o] = (slice){set64(0), set64(0), set64(0)};
    }
    for (uint32_t i = 0; i < rows; i += LINES) {
        uint32_t lines = rows - i < LINES ? rows - i : LINES;
        for (int o = 0; o < ROW_VECTORS; o++) {
            const uint8_t *from = in + (size_t)COLUMNS * i + VB * o;
            for (uint32_t n = 0; n < lines; n++) {
                slice x = to_state(load_slice(from + COLUMNS * n, channel), rule, standard);
                state[o] = xor_slice(state[o], x);
                store_slice(s->line + ORR_TILE_ROW_BYTES * n + VB * o, COLUMNS,
                            to_symbol(state[o], rule, standard));
            }
        }
        for (int o = 0; o < ROW_VECTORS; o++) {
            for (uint32_t n = 0; n < lines; n++) {
                size_t to = (size_t)COLUMNS * s->row[round][i + n] + VB * o;
                size_t at = ORR_TILE_ROW_BYTES * n;
                slice x;
                x.a = permute(line[0] + at, control[o]) ^ load(s->k4 + to);
                x.b = permute(line[1] + at, control[o]) ^ load(s->k4 + to + channel);
                x.c = permute(line[2] + at, control[o]) ^ load(s->k4 + to + 2 * channel);
                if (round == 1) {
                    if (!standard) x = substitute(x, rule->rank);
                    x = xor_slice(x, load_slice(s->k8 + to, channel));
                } else {
                    total[o] = xor_slice(total[o], to_state(x, rule, standard));
                }
                store_slice(out + to, channel, x);
            }
        }
    }
    for (int o = 0; o < ROW_VECTORS; o++) store_slice(s->state + VB * o, COLUMNS, total[o]);
}

// The inverse of one round. Row 0 has to wait for the last row, whose bits precede it.
INLINE void decrypt_round(const coefficients *rule, int standard, int round, uint32_t rows,
                          const uint8_t *in, uint8_t *out, orr_cpu_scratch *s) {
    size_t channel = (size_t)COLUMNS * rows;
    uint8_t *line[3], inverse[COLUMNS];
    V control[ROW_VECTORS][8];
    slice first[ROW_VECTORS], before[ROW_VECTORS];
    for (int j = 0; j < COLUMNS; j++) inverse[s->column[round][j]] = (uint8_t)j;
    shuffle_controls(control, inverse);
    for (int o = 0; o < ROW_VECTORS; o++)
        first[o] = before[o] = (slice){set64(0), set64(0), set64(0)};
    for (int k = 0; k < 3; k++) line[k] = s->line + COLUMNS * s->channel[round][k];
    for (uint32_t i = 0; i < rows; i += LINES) {
        uint32_t lines = rows - i < LINES ? rows - i : LINES;
        for (uint32_t n = 0; n < lines; n++) {
            for (int o = 0; o < ROW_VECTORS; o++) {
                size_t from = (size_t)COLUMNS * s->row[round][i + n] + VB * o;
                size_t at = ORR_TILE_ROW_BYTES * n + VB * o;
                slice x = load_slice(in + from, channel);
                if (round == 1) {
                    x = xor_slice(x, load_slice(s->k8 + from, channel));
                    if (!standard) x = substitute(x, rule->unrank);
                }
                x = xor_slice(x, load_slice(s->k4 + from, channel));
                store(line[0] + at, x.a);
                store(line[1] + at, x.b);
                store(line[2] + at, x.c);
            }
        }
        for (int o = 0; o < ROW_VECTORS; o++) {
            uint8_t *to = out + (size_t)COLUMNS * i + VB * o;
            for (uint32_t n = 0; n < lines; n++) {
                const uint8_t *at = s->line + ORR_TILE_ROW_BYTES * n;
                slice x = {permute(at, control[o]), permute(at + COLUMNS, control[o]),
                           permute(at + 2 * COLUMNS, control[o])};
                x = to_state(x, rule, standard);
                slice y = to_symbol(xor_slice(x, before[o]), rule, standard);
                store_slice(to + COLUMNS * n, channel, y);
                before[o] = x;
            }
        }
        if (i == 0)
            for (int o = 0; o < ROW_VECTORS; o++) first[o] = load_slice(out + VB * o, channel);
    }
    for (int o = 0; o < ROW_VECTORS; o++) store_slice(s->state + VB * o, COLUMNS, before[o]);
    shift_columns(s->state);
    for (int o = 0; o < ROW_VECTORS; o++) {
        slice x = to_state(first[o], rule, standard);
        x = xor_slice(x, load_slice(s->state + VB * o, COLUMNS));
        store_slice(out + VB * o, channel, to_symbol(x, rule, standard));
    }
}

// ---- tiles --------------------------------------------------------------------------------------

static NOINLINE void encrypt_standard(uint32_t rows, const uint8_t *in, uint8_t *out,
                                      orr_cpu_scratch *s) {
    sum_columns(NULL, 1, rows, in, s->state);
    encrypt_round(NULL, 1, 0, rows, in, s->middle, s);
    encrypt_round(NULL, 1, 1, rows, s->middle, out, s);
}

static NOINLINE void encrypt_any(const orr_rule *number, uint32_t rows, const uint8_t *in,
                                 uint8_t *out, orr_cpu_scratch *s) {
    coefficients rule;
    widen_rule(&rule, number);
    sum_columns(&rule, 0, rows, in, s->state);
    encrypt_round(&rule, 0, 0, rows, in, s->middle, s);
    encrypt_round(&rule, 0, 1, rows, s->middle, out, s);
}

static NOINLINE void decrypt_standard(uint32_t rows, const uint8_t *in, uint8_t *out,
                                      orr_cpu_scratch *s) {
    decrypt_round(NULL, 1, 1, rows, in, s->middle, s);
    decrypt_round(NULL, 1, 0, rows, s->middle, out, s);
}

static NOINLINE void decrypt_any(const orr_rule *number, uint32_t rows, const uint8_t *in,
                                 uint8_t *out, orr_cpu_scratch *s) {
    coefficients rule;
    widen_rule(&rule, number);
    decrypt_round(&rule, 0, 1, rows, in, s->middle, s);
    decrypt_round(&rule, 0, 0, rows, s->middle, out, s);
}

static void encrypt(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                    const uint8_t *in, uint8_t *out, orr_cpu_scratch *s) {
    expand_streams(key, rows, cipher->k2, in, out, s);
    expand_ranks(key, rows, cipher->k2, s);
    if (cipher->rule.number == ORR_RULE_DEFAULT) {
        encrypt_standard(rows, in, out, s);
    } else {
        encrypt_any(&cipher->rule, rows, in, out, s);
    }
}

static void decrypt(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                    const uint8_t *in, uint8_t *out, orr_cpu_scratch *s) {
    expand_streams(key, rows, cipher->k2, in, out, s);
    expand_ranks(key, rows, cipher->k2, s);
    if (cipher->rule.number == ORR_RULE_DEFAULT) {
        decrypt_standard(rows, in, out, s);
    } else {
        decrypt_any(&cipher->rule, rows, in, out, s);
    }
}

const orr_cpu_level LEVEL = {NAME, encrypt, decrypt, expand_streams, expand_ranks};
