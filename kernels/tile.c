// The tile cipher in portable C (docs/FORMAT.md, "Archive profile"): the definition in code.
//
// Layout: byte n = 128 rows k + 128 i + j is channel k, row i, column j. A symbol is the same bit
// of channels 0, 1, 2; scan order is bit column by bit column (most significant bit of a byte
// first), inside a bit column row by row. Loops take eight columns at a time as one 64-bit word;
// words are loaded in native order, so only the carry between bit columns has to look at the order
// of bytes.
#include "kernels/tile.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/bitslice.h"

#define ROW_WORDS (ORR_TILE_COLUMNS / 8)
#define GRID_ROWS 16
#define GRID_COLUMNS 32

// ---- symbols ------------------------------------------------------------------------------------

// A substitution as the loops use it: coefficients widened to words.
typedef struct wide_anf {
    uint64_t m[3][7];
} wide_anf;

static void widen(wide_anf *wide, const orr_anf *anf) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 7; j++) wide->m[i][j] = (uint64_t)anf->c[i][j] << 32 | anf->c[i][j];
}

static orr_slice_64 load_symbols(const uint8_t *at, size_t channel) {
    orr_slice_64 v;
    memcpy(&v.a, at, 8);
    memcpy(&v.b, at + channel, 8);
    memcpy(&v.c, at + 2 * channel, 8);
    return v;
}

static void store_symbols(uint8_t *at, size_t channel, orr_slice_64 v) {
    memcpy(at, &v.a, 8);
    memcpy(at + channel, &v.b, 8);
    memcpy(at + 2 * channel, &v.c, 8);
}

static orr_slice_64 add_states(orr_slice_64 x, orr_slice_64 y) {
    x.a ^= y.a;
    x.b ^= y.b;
    x.c ^= y.c;
    return x;
}

// VPD encoding XORs states: planets, or for rule 37241 a linear image of them that has shorter
// formulas (kernels/bitslice.h).
typedef struct substitutions {
    int standard;
    wide_anf state, symbol;
} substitutions;

static void substitutions_init(substitutions *s, const orr_rule *rule) {
    s->standard = rule->number == ORR_RULE_DEFAULT;
    widen(&s->state, &rule->planet_anf);
    widen(&s->symbol, &rule->symbol_anf);
}

static inline orr_slice_64 to_state(const substitutions *s, orr_slice_64 x) {
    return s->standard ? orr_standard_state_64(x) : orr_substitute_64(x, s->state.m);
}

static inline orr_slice_64 to_symbol(const substitutions *s, orr_slice_64 x) {
    return s->standard ? orr_standard_symbol_64(x) : orr_substitute_64(x, s->symbol.m);
}

// Applies one substitution to every symbol of a tile in place.
static void substitute_tile(const orr_anf *anf, uint32_t rows, uint8_t *tile) {
    wide_anf wide;
    size_t channel = (size_t)ORR_TILE_COLUMNS * rows;
    widen(&wide, anf);
    for (size_t n = 0; n < channel; n += 8)
        store_symbols(tile + n, channel,
                      orr_substitute_64(load_symbols(tile + n, channel), wide.m));
}

// ---- VPD encoding -------------------------------------------------------------------------------

// Replaces one channel's XOR of each bit column by the XOR of all bit columns before it.
static void exclusive_scan(uint64_t words[ROW_WORDS]) {
    uint64_t carry = 0; // all ones when the columns before this byte XOR to 1
    uint8_t *byte = (uint8_t *)words;
    for (int j = 0; j < ORR_TILE_COLUMNS; j++) {
        uint32_t x = byte[j];
        x ^= x >> 1;
        x ^= x >> 2;
        x ^= x >> 4;
        byte[j] = (uint8_t)((x >> 1) ^ carry);
        carry ^= 0 - (uint64_t)(x & 1);
    }
}

void orr_tile_vpd(const orr_rule *rule, uint32_t rows, uint8_t *tile) {
    size_t channel = (size_t)ORR_TILE_COLUMNS * rows;
    substitutions rules;
    orr_slice_64 state[ROW_WORDS];
    uint64_t column[3][ROW_WORDS] = {{0}};
    substitutions_init(&rules, rule);
    for (uint32_t i = 0; i < rows; i++) {
        for (int w = 0; w < ROW_WORDS; w++) {
            orr_slice_64 p = load_symbols(tile + ORR_TILE_COLUMNS * i + 8 * w, channel);
            p = to_state(&rules, p);
            column[0][w] ^= p.a;
            column[1][w] ^= p.b;
            column[2][w] ^= p.c;
        }
    }
    for (int k = 0; k < 3; k++) exclusive_scan(column[k]);
    for (int w = 0; w < ROW_WORDS; w++)
        state[w] = (orr_slice_64){column[0][w], column[1][w], column[2][w]};
    for (uint32_t i = 0; i < rows; i++) {
        for (int w = 0; w < ROW_WORDS; w++) {
            uint8_t *at = tile + ORR_TILE_COLUMNS * i + 8 * w;
            orr_slice_64 p = to_state(&rules, load_symbols(at, channel));
            state[w] = add_states(state[w], p);
            store_symbols(at, channel, to_symbol(&rules, state[w]));
        }
    }
    explicit_bzero(state, sizeof state);
    explicit_bzero(column, sizeof column);
}

void orr_tile_vpd_inverse(const orr_rule *rule, uint32_t rows, uint8_t *tile) {
    size_t channel = (size_t)ORR_TILE_COLUMNS * rows;
    substitutions rules;
    orr_slice_64 before[ROW_WORDS];
    substitutions_init(&rules, rule);
    // The symbol before row 0 of a bit column is the last row of the bit column before it.
    uint8_t last[ORR_TILE_ROW_BYTES];
    for (int k = 0; k < 3; k++)
        memcpy(last + ORR_TILE_COLUMNS * k,
               tile + channel * k + (size_t)ORR_TILE_COLUMNS * (rows - 1), ORR_TILE_COLUMNS);
    for (int w = 0; w < ROW_WORDS; w++)
        store_symbols(last + 8 * w, ORR_TILE_COLUMNS,
                      to_state(&rules, load_symbols(last + 8 * w, ORR_TILE_COLUMNS)));
    for (int k = 0; k < 3; k++) {
        uint8_t *byte = last + ORR_TILE_COLUMNS * k, carry = 0;
        for (int j = 0; j < ORR_TILE_COLUMNS; j++) {
            uint8_t x = byte[j];
            byte[j] = (uint8_t)(x >> 1 | carry << 7);
            carry = x & 1;
        }
    }
    for (int w = 0; w < ROW_WORDS; w++) before[w] = load_symbols(last + 8 * w, ORR_TILE_COLUMNS);
    for (uint32_t i = 0; i < rows; i++) {
        for (int w = 0; w < ROW_WORDS; w++) {
            uint8_t *at = tile + ORR_TILE_COLUMNS * i + 8 * w;
            orr_slice_64 p = to_state(&rules, load_symbols(at, channel));
            store_symbols(at, channel, to_symbol(&rules, add_states(p, before[w])));
            before[w] = p;
        }
    }
    explicit_bzero(before, sizeof before);
    explicit_bzero(last, sizeof last);
}

// ---- key sequences ------------------------------------------------------------------------------

void orr_tile_keystream(uint64_t state, int zigzag, uint32_t rows, uint32_t k2, uint8_t *out) {
    size_t channel = (size_t)ORR_TILE_COLUMNS * rows;
    uint64_t u[GRID_COLUMNS];
    for (uint32_t g = 0; g < GRID_ROWS && 8 * g < rows; g++) {
        for (uint32_t t = 0; t < GRID_COLUMNS; t++) {
            uint32_t lane =
                zigzag ? orr_zigzag(GRID_ROWS, GRID_COLUMNS, g, t) : GRID_COLUMNS * g + t;
            u[t] = orr_lane_start(state, lane, k2);
        }
        for (uint32_t i = 8 * g; i < 8 * g + 8 && i < rows; i++) {
            for (uint32_t k = 0; k < 3; k++) {
                uint8_t *at = out + channel * k + (size_t)ORR_TILE_COLUMNS * i;
                for (uint32_t t = 0; t < GRID_COLUMNS; t++, at += 4) {
                    u[t] = orr_map_step(u[t], k2);
                    uint32_t word = orr_map_word(u[t]);
                    at[0] = (uint8_t)word;
                    at[1] = (uint8_t)(word >> 8);
                    at[2] = (uint8_t)(word >> 16);
                    at[3] = (uint8_t)(word >> 24);
                }
            }
        }
    }
    explicit_bzero(u, sizeof u);
}

void orr_tile_ranks(uint64_t state, uint32_t count, uint32_t k2, uint8_t *ranks) {
    uint32_t key[128] = {0};
    for (uint32_t lane = 0; lane < 32; lane++) {
        uint64_t u = orr_lane_start(state, lane, k2);
        for (uint32_t e = lane; e < count; e += 32) {
            u = orr_map_step(u, k2);
            key[e] = orr_index_key(u, 127, e);
        }
    }
    for (uint32_t e = 0; e < count; e++) {
        uint32_t smaller = 0;
        for (uint32_t f = 0; f < count; f++) smaller += key[f] < key[e];
        ranks[e] = (uint8_t)smaller;
    }
    explicit_bzero(key, sizeof key);
}

void orr_tile_channel_ranks(uint64_t state, uint32_t k2, uint8_t ranks[3]) {
    uint32_t key[3];
    uint64_t u = orr_lane_start(state, 0, k2);
    for (uint32_t e = 0; e < 3; e++) {
        u = orr_map_step(u, k2);
        key[e] = orr_index_key(u, 3, e);
    }
    for (int e = 0; e < 3; e++)
        ranks[e] = (uint8_t)((key[0] < key[e]) + (key[1] < key[e]) + (key[2] < key[e]));
    explicit_bzero(key, sizeof key);
}

// ---- the cipher ---------------------------------------------------------------------------------

static void expand_key(orr_tile_workspace *work, const orr_tile_key *key, uint32_t rows,
                       uint32_t k2) {
    orr_tile_keystream(key->state[3], 1, rows, k2, work->k4);
    orr_tile_keystream(key->state[7], 0, rows, k2, work->k8);
    for (int round = 0; round < 2; round++) {
        orr_tile_ranks(key->state[4 * round], rows, k2, work->row[round]);
        orr_tile_ranks(key->state[4 * round + 1], ORR_TILE_COLUMNS, k2, work->column[round]);
        orr_tile_channel_ranks(key->state[4 * round + 2], k2, work->channel[round]);
    }
}

// out(i, j, k) = in(row rank[i], column rank[j], channel rank[k]); the key is XORed on the way.
// Both directions scatter bytes: compilers that turn a gather of bytes into vectors make it slower.
static void intershuffle(const orr_tile_workspace *work, int round, uint32_t rows,
                         const uint8_t *restrict in, uint8_t *restrict out) {
    size_t channel = (size_t)ORR_TILE_COLUMNS * rows;
    const uint8_t *source = work->channel[round];
    uint8_t place[ORR_TILE_COLUMNS];
    for (int j = 0; j < ORR_TILE_COLUMNS; j++) place[work->column[round][j]] = (uint8_t)j;
    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *from = in + (size_t)ORR_TILE_COLUMNS * work->row[round][i];
        const uint8_t *from0 = from + channel * source[0], *from1 = from + channel * source[1],
                      *from2 = from + channel * source[2];
        const uint8_t *key = work->k4 + (size_t)ORR_TILE_COLUMNS * i;
        uint8_t *to = out + (size_t)ORR_TILE_COLUMNS * i;
        for (int j = 0; j < ORR_TILE_COLUMNS; j++) {
            uint8_t c = place[j];
            to[c] = from0[j] ^ key[c];
            to[channel + c] = from1[j] ^ key[channel + c];
            to[2 * channel + c] = from2[j] ^ key[2 * channel + c];
        }
    }
    explicit_bzero(place, sizeof place);
}

static void intershuffle_inverse(const orr_tile_workspace *work, int round, uint32_t rows,
                                 const uint8_t *restrict in, uint8_t *restrict out) {
    size_t channel = (size_t)ORR_TILE_COLUMNS * rows;
    const uint8_t *column = work->column[round], *target = work->channel[round];
    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *from = in + (size_t)ORR_TILE_COLUMNS * i;
        const uint8_t *key = work->k4 + (size_t)ORR_TILE_COLUMNS * i;
        uint8_t *to = out + (size_t)ORR_TILE_COLUMNS * work->row[round][i];
        uint8_t *to0 = to + channel * target[0], *to1 = to + channel * target[1],
                *to2 = to + channel * target[2];
        for (int j = 0; j < ORR_TILE_COLUMNS; j++) {
            uint8_t c = column[j];
            to0[c] = from[j] ^ key[j];
            to1[c] = from[channel + j] ^ key[channel + j];
            to2[c] = from[2 * channel + j] ^ key[2 * channel + j];
        }
    }
}

static void xor_bytes(uint8_t *restrict data, const uint8_t *restrict key, size_t bytes) {
    for (size_t n = 0; n < bytes; n++) data[n] ^= key[n];
}

orr_status orr_cipher_init(orr_cipher *cipher, uint32_t rule, uint32_t k2, orr_error *error) {
    orr_status status = orr_rule_init(&cipher->rule, rule, error);
    if (status != ORR_OK) return status;
    if (k2 % 2 == 0)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "map constant %u is even: K2 must be an odd 32-bit number", k2);
    cipher->k2 = k2;
    return ORR_OK;
}

// The tile is worked on where it will be, so that the workspace need not hold it too.
void orr_tile_encrypt_within(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_tile_workspace *work) {
    size_t bytes = (size_t)ORR_TILE_ROW_BYTES * rows;
    expand_key(work, key, rows, cipher->k2);
    if (out != in) memcpy(out, in, bytes);
    for (int round = 0; round < 2; round++) {
        orr_tile_vpd(&cipher->rule, rows, out);
        intershuffle(work, round, rows, out, work->other);
        memcpy(out, work->other, bytes);
    }
    substitute_tile(&cipher->rule.rank_anf, rows, out);
    xor_bytes(out, work->k8, bytes);
}

void orr_tile_decrypt_within(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                             const uint8_t *in, uint8_t *out, orr_tile_workspace *work) {
    size_t bytes = (size_t)ORR_TILE_ROW_BYTES * rows;
    expand_key(work, key, rows, cipher->k2);
    if (out != in) memcpy(out, in, bytes);
    xor_bytes(out, work->k8, bytes);
    substitute_tile(&cipher->rule.unrank_anf, rows, out);
    for (int round = 1; round >= 0; round--) {
        intershuffle_inverse(work, round, rows, out, work->other);
        memcpy(out, work->other, bytes);
        orr_tile_vpd_inverse(&cipher->rule, rows, out);
    }
}

static void workspace_free(orr_tile_workspace *work) {
    if (work) explicit_bzero(work, sizeof *work);
    free(work);
}

orr_status orr_tile_encrypt_portable(const orr_cipher *cipher, const orr_tile_key *key,
                                     uint32_t rows, const uint8_t *in, uint8_t *out) {
    orr_tile_workspace *work = malloc(sizeof *work);
    if (!work) return ORR_INTERNAL;
    orr_tile_encrypt_within(cipher, key, rows, in, out, work);
    workspace_free(work);
    return ORR_OK;
}

orr_status orr_tile_decrypt_portable(const orr_cipher *cipher, const orr_tile_key *key,
                                     uint32_t rows, const uint8_t *in, uint8_t *out) {
    orr_tile_workspace *work = malloc(sizeof *work);
    if (!work) return ORR_INTERNAL;
    orr_tile_decrypt_within(cipher, key, rows, in, out, work);
    workspace_free(work);
    return ORR_OK;
}
