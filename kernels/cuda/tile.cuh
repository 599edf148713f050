// The tile cipher on a GPU: one thread block for one tile (docs/FORMAT.md, "Archive profile").
//
// Thread 32 g + t (warp g = 0..15, lane t = 0..31) holds rows 8 g .. 8 g + 7, columns 4 t .. 4 t +
// 3 of all three channels: d[3 s + k] is the word of row 8 g + s, channel k, first column in the
// lowest byte. That is one cell of K4 and of K8, so that the thread computes its own key words, and
// a bit of three words is a symbol, so that substitutions are bit-sliced.
//
// Shared memory: the tile as 3 x 128 rows of 128 bytes, whatever its number of rows, then tables.
// A row of the intershuffle is the address of a store (whole rows: no bank conflict), a column that
// of a byte load (any bytes of one 128-byte row: no bank conflict).
//
// Rows of a short tile that do not exist are permuted among themselves: their sorting keys are
// above all others. Before an encoding they hold the symbol of planet 0, which changes no XOR.
//
// Barriers: every function that writes shared memory says what must be behind one before the call.
// No floating point: tests/kernels/cuda/cuda_code_test.sh looks for it.
#ifndef ORRERY_KERNELS_CUDA_TILE_CUH
#define ORRERY_KERNELS_CUDA_TILE_CUH

#include "kernels/bitslice.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/tile_launch.h"

#define ORR_THREADS ORR_CUDA_TILE_THREADS
#define ORR_CHANNEL_WORDS 4096u // of the tile in shared memory
#define ORR_WORDS 24            // of a thread: 8 rows x 3 channels

// ---- shared memory ------------------------------------------------------------------------------

// Where a row goes and where a column comes from, for each round; channel r of `channel` holds in
// byte k where channel k goes.
typedef struct orr_tables {
    uint8_t row[2][128], column[2][128];
    uint32_t channel[2];
} orr_tables;

ORR_DEVICE orr_tables *tables_of(uint32_t *shared) {
    return (orr_tables *)(shared + 3 * ORR_CHANNEL_WORDS);
}

// ---- key words ----------------------------------------------------------------------------------

// State of a lane of a key sequence, in halves: the arithmetic of orr_map_step in 32-bit pieces.
typedef struct orr_lane {
    uint32_t high, low;
} orr_lane;

ORR_DEVICE void lane_step(orr_lane &u, uint32_t k2) {
    // h h + (h l >> 31), and h < 2^31
    uint64_t square = (uint64_t)u.high * u.high + orr_multiply_high(2 * u.high, u.low);
    uint64_t product = (uint64_t)(uint32_t)square * k2;
    uint32_t high = (uint32_t)(square >> 32) * k2 + (uint32_t)(product >> 32);
    uint32_t keep = (uint32_t)((int32_t)high >> 31);
    u.low = orr_logic<0xc3>((uint32_t)product, keep, 0); // ~(x ^ y)
    u.high = orr_logic<0x82>(high, keep, 0x7fffffffu);   // ~(x ^ y) & z
}

ORR_DEVICE uint32_t lane_word(const orr_lane &u) {
    return orr_funnel_right(u.low, u.high, 20);
}

ORR_DEVICE orr_lane lane_start(uint64_t x, uint32_t lane, uint32_t k2) {
    uint64_t u = orr_mix64(x + ((uint64_t)lane + 1) * 0x9e3779b97f4a7c15u) >> 1;
    orr_lane start = {(uint32_t)(u >> 32), (uint32_t)u};
    for (int i = 0; i < ORR_LANE_DROP; i++) lane_step(start, k2);
    return start;
}

// All words of this thread's cell of K4.
ORR_DEVICE void cell_words(uint32_t (&words)[ORR_WORDS], uint64_t state, uint32_t k2) {
    uint32_t cell = orr_zigzag(16, 32, orr_warp_id(), orr_lane_id());
    orr_lane u = lane_start(state, cell, k2);
#pragma unroll
    for (int i = 0; i < ORR_WORDS; i++) {
        lane_step(u, k2);
        words[i] = lane_word(u);
    }
}

// ---- ranks --------------------------------------------------------------------------------------

ORR_DEVICE uint32_t least(uint32_t x, uint32_t y) {
    return x < y ? x : y;
}
ORR_DEVICE uint32_t greatest(uint32_t x, uint32_t y) {
    return x < y ? y : x;
}

// Sorts 128 different keys of a warp: afterwards v[e] of lane t is key number 4 t + e. A bitonic
// network; every lane of the warp calls it.
ORR_DEVICE void warp_sort(uint32_t (&v)[4]) {
    uint32_t first = 4 * orr_lane_id();
#pragma unroll
    for (uint32_t run = 2; run <= 128; run *= 2) {
#pragma unroll
        for (uint32_t distance = run / 2; distance > 0; distance /= 2) {
            if (distance < 4) {
#pragma unroll
                for (uint32_t e = 0; e < 4; e++) {
                    if (e & distance) continue;
                    uint32_t low = least(v[e], v[e | distance]);
                    uint32_t high = greatest(v[e], v[e | distance]);
                    bool ascending = ((run < 4 ? e : first) & run) == 0;
                    v[e] = ascending ? low : high;
                    v[e | distance] = ascending ? high : low;
                }
            } else {
                bool lowest = ((first & run) == 0) == ((first & distance) == 0);
#pragma unroll
                for (uint32_t e = 0; e < 4; e++) {
                    uint32_t other = orr_shuffle_xor(v[e], distance / 4);
                    uint32_t low = least(v[e], other), high = greatest(v[e], other);
                    v[e] = lowest ? low : high;
                }
            }
        }
    }
}

// Sorts the first `count` keys of an index sequence. Entry p of `order` becomes the key of rank p
// and entry e of `rank` the rank of key e (one of them NULL); entries from `count` on stay in
// place.
ORR_DEVICE void index_sequence(uint64_t state, uint32_t count, uint32_t k2, uint8_t *order,
                               uint8_t *rank) {
    uint32_t lane = orr_lane_id(), v[4];
    orr_lane u = lane_start(state, lane, k2);
#pragma unroll
    for (uint32_t s = 0; s < 4; s++) {
        uint32_t e = 32 * s + lane;
        lane_step(u, k2);
        v[s] = ((e < count ? lane_word(u) : 0xffffffffu) & ~127u) | e;
    }
    warp_sort(v);
    if (order)
        ((uint32_t *)order)[lane] =
            (v[0] & 127) | (v[1] & 127) << 8 | (v[2] & 127) << 16 | (v[3] & 127) << 24;
    if (rank)
        for (uint32_t e = 0; e < 4; e++) rank[v[e] & 127] = (uint8_t)(4 * lane + e);
}

// Ranks of the three keys of a channel sequence, one in a byte; `inverse`: byte r is the key of
// rank r.
ORR_DEVICE uint32_t channel_sequence(uint64_t state, uint32_t k2, bool inverse) {
    orr_lane u = lane_start(state, 0, k2);
    uint32_t key[3];
#pragma unroll
    for (uint32_t e = 0; e < 3; e++) {
        lane_step(u, k2);
        key[e] = (lane_word(u) & ~3u) | e;
    }
    uint32_t r0 = (key[1] < key[0]) + (key[2] < key[0]);
    uint32_t r1 = (key[0] < key[1]) + (key[2] < key[1]);
    uint32_t r2 = 3 - r0 - r1;
    return inverse ? 1u << (8 * r1) | 2u << (8 * r2) : r0 | r1 << 8 | r2 << 16;
}

// Fills the tables of both rounds: five warps work, the others pass. Encryption sends source row
// `order` and picks by `rank`, decryption the other way round. Needs a barrier before if anybody
// still reads the tables, and one before they are read.
template <bool ENCRYPT>
ORR_DEVICE void fill_tables(orr_tables *tables, const uint64_t *key, uint32_t rows, uint32_t k2) {
    uint32_t warp = orr_warp_id(), lane = orr_lane_id(), round = warp >> 1;
    if (warp < 4) {
        uint8_t *at = warp & 1 ? tables->column[round] : tables->row[round];
        bool by_order = ENCRYPT == !(warp & 1);
        index_sequence(key[4 * round + (warp & 1)], warp & 1 ? 128 : rows, k2,
                       by_order ? at : nullptr, by_order ? nullptr : at);
    } else if (warp == 4 && lane < 2) {
        tables->channel[lane] = channel_sequence(key[4 * lane + 2], k2, ENCRYPT);
    }
}

// ---- substitutions ------------------------------------------------------------------------------

typedef orr_slice_32 orr_symbols;

// Rule 37241: symbol -> planet 7 2 5 1 4 6 0 3 and its inverse 6 3 1 7 4 2 5 0, one instruction for
// each bit of the result (compilers find more for the formulas in kernels/bitslice.h).
ORR_DEVICE orr_symbols default_planet(orr_symbols v) {
    orr_symbols planet = {orr_logic<0x35>(v.a, v.b, v.c), orr_logic<0xa3>(v.a, v.b, v.c),
                          orr_logic<0x8d>(v.a, v.b, v.c)};
    return planet;
}

ORR_DEVICE orr_symbols default_symbol(orr_symbols v) {
    orr_symbols symbol = {orr_logic<0x59>(v.a, v.b, v.c), orr_logic<0x2b>(v.a, v.b, v.c),
                          orr_logic<0x4e>(v.a, v.b, v.c)};
    return symbol;
}

template <bool DEFAULT_RULE>
ORR_DEVICE orr_symbols to_planet(orr_symbols v, const orr_cuda_cipher &cipher) {
    return DEFAULT_RULE ? default_planet(v) : orr_substitute_32(v, cipher.planet);
}

template <bool DEFAULT_RULE>
ORR_DEVICE orr_symbols to_symbol(orr_symbols v, const orr_cuda_cipher &cipher) {
    return DEFAULT_RULE ? default_symbol(v) : orr_substitute_32(v, cipher.symbol);
}

ORR_DEVICE orr_symbols symbols_of(const uint32_t (&d)[ORR_WORDS], int s) {
    orr_symbols v = {d[3 * s], d[3 * s + 1], d[3 * s + 2]};
    return v;
}

ORR_DEVICE void put_symbols(uint32_t (&d)[ORR_WORDS], int s, orr_symbols v) {
    d[3 * s] = v.a;
    d[3 * s + 1] = v.b;
    d[3 * s + 2] = v.c;
}

ORR_DEVICE orr_symbols add(orr_symbols x, orr_symbols y) {
    orr_symbols sum = {x.a ^ y.a, x.b ^ y.b, x.c ^ y.c};
    return sum;
}

// ---- VPD encoding -------------------------------------------------------------------------------

// Words have their first column in the lowest byte and its first bit column in that byte's top bit;
// this puts bit columns in order from bit 31 down, and back.
ORR_DEVICE uint32_t reverse_bytes(uint32_t x) {
    return orr_byte_permute(x, 0, 0x0123);
}

// Rows that do not exist get the symbol of planet 0.
template <bool DEFAULT_RULE>
ORR_DEVICE void clear_missing(uint32_t (&d)[ORR_WORDS], uint32_t rows,
                              const orr_cuda_cipher &cipher) {
    uint32_t first = orr_warp_id() << 3;
    orr_symbols none = {0, 0, 0};
    if (first + 8 <= rows) return;
    none = to_symbol<DEFAULT_RULE>(none, cipher);
#pragma unroll
    for (int s = 0; s < 8; s++)
        if (first + s >= rows) put_symbols(d, s, none);
}

// XORs over whole bit columns -> what comes before each row group of each bit column, for one
// channel: `totals` holds group g's XOR of the words of lane t at [96 g + t]. One warp.
ORR_DEVICE void scan_totals(uint32_t *totals) {
    uint32_t lane = orr_lane_id(), all = 0;
#pragma unroll
    for (int g = 0; g < 16; g++) {
        uint32_t group = totals[96 * g + lane];
        totals[96 * g + lane] = all;
        all ^= group;
    }
    uint32_t x = reverse_bytes(all);
    x ^= x >> 1;
    x ^= x >> 2;
    x ^= x >> 4;
    x ^= x >> 8;
    x ^= x >> 16;
    uint32_t odd = orr_ballot(x & 1) & ((1u << lane) - 1); // words before this one that XOR to 1
    x = reverse_bytes(x >> 1 ^ (0u - (orr_population(odd) & 1)));
#pragma unroll
    for (int g = 0; g < 16; g++) totals[96 * g + lane] ^= x;
}

// Encodes. Needs a barrier before: the tile's place in shared memory is used for totals. Ends with
// a barrier, after which the tile may be written.
template <bool DEFAULT_RULE>
ORR_DEVICE void vpd_encode(uint32_t (&d)[ORR_WORDS], uint32_t *shared,
                           const orr_cuda_cipher &cipher) {
    uint32_t warp = orr_warp_id(), *mine = shared + 96 * warp + orr_lane_id();
    orr_symbols sum = {0, 0, 0};
#pragma unroll
    for (int s = 0; s < 8; s++) {
        orr_symbols planet = to_planet<DEFAULT_RULE>(symbols_of(d, s), cipher);
        put_symbols(d, s, planet);
        sum = add(sum, planet);
    }
    mine[0] = sum.a;
    mine[32] = sum.b;
    mine[64] = sum.c;
    orr_barrier();
    if (warp < 3) scan_totals(shared + 32 * warp);
    orr_barrier();
    sum.a = mine[0];
    sum.b = mine[32];
    sum.c = mine[64];
#pragma unroll
    for (int s = 0; s < 8; s++) {
        sum = add(sum, symbols_of(d, s));
        put_symbols(d, s, to_symbol<DEFAULT_RULE>(sum, cipher));
    }
    orr_barrier();
}

// ---- intershuffle -------------------------------------------------------------------------------

// Stores each row and channel in its new place. The tile in shared memory must be free.
ORR_DEVICE void store_rows(const uint32_t (&d)[ORR_WORDS], uint32_t *shared, int round) {
    const orr_tables *tables = tables_of(shared);
    const uint8_t *row = tables->row[round] + (orr_warp_id() << 3);
    uint32_t channel = tables->channel[round];
    uint8_t *at = (uint8_t *)(shared + orr_lane_id());
    uint8_t *to[3] = {at + ((channel & 3) << 14), at + ((channel >> 8 & 3) << 14),
                      at + ((channel >> 16 & 3) << 14)};
#pragma unroll
    for (int s = 0; s < 8; s++) {
        uint32_t offset = row[s] * 128u;
#pragma unroll
        for (int k = 0; k < 3; k++) *(uint32_t *)(to[k] + offset) = d[3 * s + k];
    }
}

// The four columns that one word takes its bytes from, at row 0 of channel 0.
typedef struct orr_columns {
    const uint8_t *at[4];
} orr_columns;

ORR_DEVICE orr_columns columns_of(const uint32_t *shared, int round) {
    uint32_t four = ((const uint32_t *)tables_of((uint32_t *)shared)->column[round])[orr_lane_id()];
    const uint8_t *tile = (const uint8_t *)shared;
    orr_columns columns = {{tile + (four & 255), tile + (four >> 8 & 255),
                            tile + (four >> 16 & 255), tile + (four >> 24)}};
    return columns;
}

// The word of the row at byte offset `offset`, XOR `with`.
ORR_DEVICE uint32_t load_columns(const orr_columns &from, uint32_t offset, uint32_t with) {
    uint32_t low = from.at[1][offset] * 256u + from.at[0][offset];
    uint32_t high = orr_byte_permute(from.at[2][offset], from.at[3][offset], 0x4011);
    return (low | high) ^ with;
}

// ---- the cipher ---------------------------------------------------------------------------------

// XORs the thread's cell of K8 into d.
ORR_DEVICE void add_k8(uint32_t (&d)[ORR_WORDS], uint64_t state, uint32_t k2) {
    orr_lane u = lane_start(state, orr_thread_id(), k2);
#pragma unroll
    for (int i = 0; i < ORR_WORDS; i++) {
        lane_step(u, k2);
        d[i] ^= lane_word(u);
    }
}

// Tables that change nothing, in the place of sorted ones.
ORR_DEVICE void identity_tables(orr_tables *tables) {
    uint32_t n = orr_thread_id();
    if (n < 256) {
        tables->row[n >> 7][n & 127] = (uint8_t)(n & 127);
        tables->column[n >> 7][n & 127] = (uint8_t)(n & 127);
    }
    if (n < 2) tables->channel[n] = 0x020100;
}

// d = cipher(d). Shared memory must be free; it is when the function returns only behind a barrier.
// The rounds are a loop, so that the code stays small in the instruction caches. WITHOUT leaves
// stages out (tile_launch.h).
template <bool DEFAULT_RULE, int WITHOUT = 0>
ORR_DEVICE void encipher(uint32_t (&d)[ORR_WORDS], uint32_t *shared, const uint64_t *key,
                         uint32_t rows, const orr_cuda_cipher &cipher) {
    uint32_t k4[ORR_WORDS], first = orr_warp_id() * 1024;
    if (WITHOUT & ORR_CUDA_WITHOUT_RANKS)
        identity_tables(tables_of(shared));
    else
        fill_tables<true>(tables_of(shared), key, rows, cipher.k2);
    if (WITHOUT & ORR_CUDA_WITHOUT_KEY_WORDS)
        for (int i = 0; i < ORR_WORDS; i++) k4[i] = (uint32_t)key[3];
    else
        cell_words(k4, key[3], cipher.k2);
#pragma unroll 1
    for (int round = 0; round < 2; round++) {
        if (round) orr_barrier();
        if (!(WITHOUT & ORR_CUDA_WITHOUT_ENCODING)) {
            clear_missing<DEFAULT_RULE>(d, rows, cipher);
            vpd_encode<DEFAULT_RULE>(d, shared, cipher);
        }
        if (WITHOUT & ORR_CUDA_WITHOUT_SHUFFLE) {
            for (int i = 0; i < ORR_WORDS; i++) d[i] ^= k4[i];
            continue;
        }
        if (WITHOUT & ORR_CUDA_WITHOUT_ENCODING) orr_barrier(); // the tables are filled
        store_rows(d, shared, round);
        orr_barrier();
        orr_columns from = columns_of(shared, round);
#pragma unroll
        for (int i = 0; i < ORR_WORDS; i++)
            d[i] = load_columns(from, first + 16384 * (i % 3) + 128 * (i / 3), k4[i]);
    }
    // Under the default rule the ranks are the symbols themselves.
#pragma unroll
    for (int s = 0; s < 8; s++)
        if (!DEFAULT_RULE) put_symbols(d, s, orr_substitute_32(symbols_of(d, s), cipher.rank));
    if (!(WITHOUT & ORR_CUDA_WITHOUT_KEY_WORDS)) add_k8(d, key[7], cipher.k2);
}

// The planets of the row above this thread's first one: for row 0 those of the last row, one bit
// column to the right, with no planet before the first bit column.
template <bool DEFAULT_RULE>
ORR_DEVICE orr_symbols planets_above(const orr_columns &from, uint32_t rows,
                                     const orr_cuda_cipher &cipher) {
    uint32_t warp = orr_warp_id(), lane = orr_lane_id();
    uint32_t offset = 128 * ((warp ? 8 * warp : rows) - 1);
    orr_symbols above = {load_columns(from, offset, 0), load_columns(from, offset + 16384, 0),
                         load_columns(from, offset + 32768, 0)};
    above = to_planet<DEFAULT_RULE>(above, cipher);
    if (warp) return above;
    uint32_t word[3] = {above.a, above.b, above.c};
#pragma unroll
    for (int k = 0; k < 3; k++) {
        uint32_t x = reverse_bytes(word[k]), before = orr_shuffle_up(x, 1);
        word[k] = reverse_bytes(orr_funnel_right(x, lane ? before : 0, 1));
    }
    above.a = word[0];
    above.b = word[1];
    above.c = word[2];
    return above;
}

// The inverse of encipher, with the same rules, under ciphers[which].
//
// Other rules than the default have 42 coefficients in a round. Where `which` is known only at run
// time they cannot be operands in constant memory, and the compiler would load them before the
// loop, into registers that it needs for words of the tile; so the number is made anew in every
// round. It is behind a barrier because the compiler knows there that the warp is whole: elsewhere
// it adds code for warps in pieces.
template <bool DEFAULT_RULE>
ORR_DEVICE void decipher(uint32_t (&d)[ORR_WORDS], uint32_t *shared, const uint64_t *key,
                         uint32_t rows, const orr_cuda_cipher *ciphers, uint32_t which) {
    uint32_t k4[ORR_WORDS], first = orr_warp_id() * 1024, k2 = ciphers[which].k2;
    fill_tables<false>(tables_of(shared), key, rows, k2);
    add_k8(d, key[7], k2);
#pragma unroll
    for (int s = 0; s < 8; s++)
        if (!DEFAULT_RULE)
            put_symbols(d, s, orr_substitute_32(symbols_of(d, s), ciphers[which].unrank));
    cell_words(k4, key[3], k2);
#pragma unroll 1
    for (int round = 1; round >= 0; round--) {
#pragma unroll
        for (int i = 0; i < ORR_WORDS; i++) d[i] ^= k4[i];
        orr_barrier();
        store_rows(d, shared, round);
        orr_barrier();
        orr_columns from = columns_of(shared, round);
        const orr_cuda_cipher &cipher = ciphers[orr_uniform(which)];
        orr_symbols above = planets_above<DEFAULT_RULE>(from, rows, cipher);
#pragma unroll
        for (int i = 0; i < ORR_WORDS; i++)
            d[i] = load_columns(from, first + 16384 * (i % 3) + 128 * (i / 3), 0);
#pragma unroll
        for (int s = 0; s < 8; s++)
            put_symbols(d, s, to_planet<DEFAULT_RULE>(symbols_of(d, s), cipher));
#pragma unroll
        for (int s = 7; s >= 0; s--) { // from the last row up, so that each finds the planet above
            orr_symbols before = s ? symbols_of(d, s - 1) : above;
            put_symbols(d, s, to_symbol<DEFAULT_RULE>(add(symbols_of(d, s), before), cipher));
        }
    }
}

// ---- kernels ------------------------------------------------------------------------------------

// Where this thread's words of channel 0, 1, 2 start in a tile of `rows` rows; a row is 32 words.
template <typename WORD> struct orr_place {
    WORD *at[3];
    uint32_t left; // rows from this thread's first one on
};

template <typename WORD> ORR_DEVICE orr_place<WORD> place_in(WORD *tile, uint32_t rows) {
    uint32_t first = 8 * orr_warp_id();
    WORD *at = tile + (32 * first + orr_lane_id());
    orr_place<WORD> place = {{at, at + 32 * rows, at + 64 * rows}, first < rows ? rows - first : 0};
    return place;
}

// Calls use(word in memory, i) for each of this thread's words that exist.
template <typename WORD, typename USE>
ORR_DEVICE void for_each_word(const orr_place<WORD> &place, USE use) {
    if (place.left >= 8) {
#pragma unroll
        for (int i = 0; i < ORR_WORDS; i++) use(place.at[i % 3][i / 3 * 32], i);
    } else {
#pragma unroll
        for (int i = 0; i < ORR_WORDS; i++)
            if (i / 3 < (int)place.left) use(place.at[i % 3][i / 3 * 32], i);
    }
}

// The words of a tile; rows that do not exist are 0.
ORR_DEVICE void load_tile(uint32_t (&d)[ORR_WORDS], const uint32_t *tile, uint32_t rows) {
#pragma unroll
    for (int i = 0; i < ORR_WORDS; i++) d[i] = 0;
    for_each_word(place_in(tile, rows), [&](const uint32_t &word, int i) { d[i] = word; });
}

ORR_DEVICE void store_tile(const uint32_t (&d)[ORR_WORDS], uint32_t *tile, uint32_t rows) {
    for_each_word(place_in(tile, rows), [&](uint32_t &word, int i) { word = d[i]; });
}

// True in every thread when some word of the block's tile differs from memory. A barrier.
ORR_DEVICE bool differs(const uint32_t (&d)[ORR_WORDS], const uint32_t *tile, uint32_t rows) {
    uint32_t difference = 0;
    for_each_word(place_in(tile, rows),
                  [&](const uint32_t &word, int i) { difference |= word ^ d[i]; });
    return orr_barrier_or(difference != 0);
}

// One tile for each block at a time: out = op(in). CHECK: the work is then undone, with key words
// made anew, and compared with the input; flags[n] says whether tile n is right. DEFAULT_RULE: both
// ciphers have rule 37241. `in` and `out` must not overlap.
//
// Re-encryption deciphers under key[0] and enciphers under key[1]; undoing it is the same with
// the keys exchanged, so that the check is a second pass of one loop.
template <orr_cuda_op OP, bool DEFAULT_RULE, bool CHECK, int WITHOUT = 0>
ORR_DEVICE void run_tiles(const orr_cuda_launch &launch, uint32_t *shared) {
    for (uint32_t n = orr_block_id(); n < launch.count; n += orr_block_count()) {
        const orr_cuda_task &task = launch.tasks[n];
        const uint32_t *in = (const uint32_t *)(launch.in + task.offset);
        uint32_t *out = (uint32_t *)(launch.out + task.offset);
        uint32_t rows = task.rows, d[ORR_WORDS];
        load_tile(d, in, rows);
        if (OP == ORR_CUDA_ENCRYPT) {
            encipher<DEFAULT_RULE, WITHOUT>(d, shared, task.key[0], rows, launch.cipher[0]);
            ORR_FAULT(d);
            store_tile(d, out, rows);
            if (CHECK) {
                orr_barrier();
                decipher<DEFAULT_RULE>(d, shared, task.key[0], rows, launch.cipher, 0);
            }
        }
        if (OP == ORR_CUDA_DECRYPT) {
            decipher<DEFAULT_RULE>(d, shared, task.key[0], rows, launch.cipher, 0);
            ORR_FAULT(d);
            store_tile(d, out, rows);
            if (CHECK) {
                orr_barrier();
                encipher<DEFAULT_RULE>(d, shared, task.key[0], rows, launch.cipher[0]);
            }
        }
        if (OP == ORR_CUDA_REENCRYPT) {
#pragma unroll 1
            for (uint32_t pass = 0; pass < (CHECK ? 2 : 1); pass++) {
                const uint64_t *from = task.key[pass], *to = task.key[1 - pass];
                if (pass) orr_barrier();
                decipher<DEFAULT_RULE>(d, shared, from, rows, launch.cipher, pass);
                orr_barrier();
                encipher<DEFAULT_RULE>(d, shared, to, rows, launch.cipher[1 - pass]);
                if (pass == 0) {
                    ORR_FAULT(d);
                    store_tile(d, out, rows);
                }
            }
        }
        if (CHECK) {
            bool wrong = differs(d, in, rows);
            if (orr_thread_id() == 0)
                launch.flags[n] = wrong ? ORR_CUDA_TILE_WRONG : ORR_CUDA_TILE_RIGHT;
        }
        orr_barrier();
    }
}

#endif
