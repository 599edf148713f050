// The paper cipher on a whole image on a GPU (docs/FORMAT.md, "Paper profile"; kernels/volume.c is
// the definition).
//
// The bitstream runs through the bytes in order, most significant bit first: three bytes are eight
// symbols. A thread takes a unit of 12 bytes as four groups of 24 bits, the first symbol in the
// highest ones.
//
// VPD encoding is a prefix XOR of planets over the whole image. It runs in three launches (totals
// of chunks, scan of the totals, encoding) and not in one with a look-back: no block waits for
// another, so blocks may run in any order and one after the other (as they do in tests), and the
// price, one more reading of the image, is nothing beside the serial key sequences. Decoding is
// local.
//
// A key sequence is serial. One thread of a block steps it; the block's second warp turns the
// states of the run before into key bytes meanwhile. Many sequences, of many images, run side by
// side.
//
// No floating point: tests/kernels/cuda/cuda_code_test.sh looks for it. No division: it would be
// made of it.
#ifndef ORRERY_KERNELS_CUDA_VOLUME_CUH
#define ORRERY_KERNELS_CUDA_VOLUME_CUH

#include "kernels/bitslice.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/volume_launch.h"
#include "kernels/fixed_trig.h"

#define ORR_UNIT 12u                                  // bytes of a thread at a time
#define ORR_TURN (ORR_CUDA_VOLUME_THREADS * ORR_UNIT) // of a block at a time
#define ORR_TURNS (ORR_CUDA_VOLUME_CHUNK / ORR_TURN)  // in a chunk
#define ORR_VOLUME_WARPS (ORR_CUDA_VOLUME_THREADS / 32)
#define ORR_EVERY_SYMBOL 0x249249u // the lowest bit of each symbol of a group

// Arguments of one pass over an image.
typedef struct orr_cuda_pass {
    const uint8_t *from;
    uint8_t *to;           // not `from`, but for encoding and the planet XOR
    const uint8_t *with;   // K4 of a shuffle; what a planet XOR or a comparison takes beside `to`
    const uint32_t *table; // of a shuffle: rows, columns, channels
    uint32_t *totals, *flags;
    uint64_t bytes;
    orr_volume_shape shape;
    uint32_t unused;
    orr_cuda_cipher cipher;
} orr_cuda_pass;

// ---- key sequences ------------------------------------------------------------------------------

// Steps through the next `count` states.
ORR_DEVICE uint64_t fill_states(uint64_t *states, uint64_t u, uint32_t count, uint32_t k2) {
#pragma unroll 8
    for (uint32_t n = 0; n < count; n++) {
        u = orr_map_step(u, k2);
        states[n] = u;
    }
    return u;
}

// Key bytes of `count` states, by one warp.
ORR_DEVICE void write_key_bytes(const uint64_t *states, uint32_t count, uint8_t *out) {
    for (uint32_t n = orr_lane_id(); n < count; n += 32) {
        uint32_t byte[1] = {(uint32_t)orr_cos15_magnitude(states[n])};
        ORR_FAULT(byte);
        out[n] = (uint8_t)byte[0];
    }
}

ORR_DEVICE uint32_t run_length(uint64_t left) {
    return left < ORR_CUDA_SEQUENCE_STEPS ? (uint32_t)left : ORR_CUDA_SEQUENCE_STEPS;
}

// One sequence for each block at a time. States go through two buffers in turn: while thread 0
// fills one, the second warp reads the other.
ORR_DEVICE void run_sequences(const orr_cuda_sequence_launch &launch, uint32_t *shared) {
    uint64_t *states = (uint64_t *)shared, u = 0;
    for (uint32_t n = orr_block_id(); n < launch.count; n += orr_block_count()) {
        const orr_cuda_sequence &sequence = launch.list[n];
        uint64_t length = sequence.end - sequence.done;
        uint8_t *out = sequence.out + sequence.done;
        if (orr_thread_id() == 0) u = sequence.done ? *sequence.state : sequence.start;
        for (uint64_t at = 0, before = 0;; before = at, at += run_length(length - at)) {
            uint64_t *mine = states + (at / ORR_CUDA_SEQUENCE_STEPS & 1) * ORR_CUDA_SEQUENCE_STEPS;
            uint64_t *other =
                states + (before / ORR_CUDA_SEQUENCE_STEPS & 1) * ORR_CUDA_SEQUENCE_STEPS;
            if (orr_thread_id() == 0 && at < length)
                u = fill_states(mine, u, run_length(length - at), sequence.k2);
            if (orr_warp_id() == 1 && at > before)
                write_key_bytes(other, (uint32_t)(at - before), out + before);
            orr_barrier();
            if (at == length) break;
        }
        if (orr_thread_id() == 0) *sequence.state = u;
    }
}

// ---- units of symbols ---------------------------------------------------------------------------

// The unit at offset `at`; bytes beyond the end of the image are zero.
ORR_DEVICE void load_unit(uint32_t (&group)[4], const uint8_t *data, uint64_t at, uint64_t bytes) {
    if (bytes - at >= ORR_UNIT) {
        const uint32_t *words = (const uint32_t *)(data + at);
        uint32_t w0 = words[0], w1 = words[1], w2 = words[2];
        group[0] = orr_byte_permute(w0, w1, 0x0012) & 0xffffffu;
        group[1] = orr_byte_permute(w0, w1, 0x0345) & 0xffffffu;
        group[2] = orr_byte_permute(w1, w2, 0x0234) & 0xffffffu;
        group[3] = orr_byte_permute(w2, 0, 0x0123) & 0xffffffu;
        return;
    }
    for (int g = 0; g < 4; g++) {
        group[g] = 0;
        for (int b = 0; b < 3; b++)
            if ((uint64_t)(3 * g + b) < bytes - at)
                group[g] |= (uint32_t)data[at + 3 * g + b] << (16 - 8 * b);
    }
}

ORR_DEVICE void store_unit(const uint32_t (&group)[4], uint8_t *data, uint64_t at, uint64_t bytes) {
    if (bytes - at >= ORR_UNIT) {
        uint32_t *words = (uint32_t *)(data + at);
        words[0] = orr_byte_permute(group[0], group[1], 0x6012);
        words[1] = orr_byte_permute(group[1], group[2], 0x5601);
        words[2] = orr_byte_permute(group[2], group[3], 0x4560);
        return;
    }
    for (int g = 0; g < 4; g++)
        for (int b = 0; b < 3; b++)
            if ((uint64_t)(3 * g + b) < bytes - at)
                data[at + 3 * g + b] = (uint8_t)(group[g] >> (16 - 8 * b));
}

ORR_DEVICE uint32_t substitute_group(uint32_t group, const uint32_t (&map)[3][7]) {
    orr_slice_32 v = {group >> 2, group >> 1, group};
    v = orr_substitute_32(v, map);
    return (v.a & ORR_EVERY_SYMBOL) << 2 | (v.b & ORR_EVERY_SYMBOL) << 1 | (v.c & ORR_EVERY_SYMBOL);
}

// The last bits of an image, that form no symbol, stay as they were.
ORR_DEVICE void keep_left_over(uint32_t (&group)[4], const uint32_t (&old)[4], uint64_t left) {
    if (left >= ORR_UNIT) return;
    for (int g = 0; g < 4; g++) {
        uint32_t symbols = left == 3u * g + 1   ? 0xfc0000u // 2 whole ones
                           : left == 3u * g + 2 ? 0xfffe00u // 5
                                                : 0xffffffu;
        group[g] = (group[g] & symbols) | (old[g] & ~symbols);
    }
}

// ---- VPD encoding -------------------------------------------------------------------------------

// XOR of a unit's planets.
ORR_DEVICE uint32_t unit_total(const uint32_t (&planet)[4]) {
    uint32_t x = planet[0] ^ planet[1] ^ planet[2] ^ planet[3];
    x ^= x >> 12;
    x ^= x >> 6;
    return (x ^ x >> 3) & 7;
}

// The planet of which an odd number of bits is set in each of three words.
ORR_DEVICE uint32_t parities(uint32_t a, uint32_t b, uint32_t c) {
    return (orr_population(a) & 1) << 2 | (orr_population(b) & 1) << 1 | (orr_population(c) & 1);
}

// XOR of the planets of the threads before this one, and of all. Every thread of the block calls
// it; `shared` is free again when it returns.
ORR_DEVICE uint32_t block_scan(uint32_t planet, uint32_t *shared, uint32_t &all) {
    uint32_t warp = orr_warp_id(), lane = orr_lane_id(), lower = (1u << lane) - 1;
    uint32_t a = orr_ballot(planet & 4), b = orr_ballot(planet & 2), c = orr_ballot(planet & 1);
    uint32_t before = parities(a & lower, b & lower, c & lower);
    if (lane == 0) shared[warp] = parities(a, b, c);
    orr_barrier();
    all = 0;
#pragma unroll
    for (uint32_t w = 0; w < ORR_VOLUME_WARPS; w++) {
        if (w == warp) before ^= all;
        all ^= shared[w];
    }
    orr_barrier();
    return before;
}

ORR_DEVICE uint64_t chunks_of(uint64_t bytes) {
    return bytes / ORR_CUDA_VOLUME_CHUNK + (bytes % ORR_CUDA_VOLUME_CHUNK != 0);
}

// Planets of the unit at `at` with their XOR; 0 beyond the end.
ORR_DEVICE uint32_t load_planets(uint32_t (&planet)[4], const orr_cuda_pass &pass, uint64_t at) {
    if (at >= pass.bytes) return 0;
    load_unit(planet, pass.from, at, pass.bytes);
#pragma unroll
    for (int g = 0; g < 4; g++) planet[g] = substitute_group(planet[g], pass.cipher.planet);
    return unit_total(planet);
}

// totals[n] = XOR of the planets of chunk n.
ORR_DEVICE void run_totals(const orr_cuda_pass &pass, uint32_t *shared) {
    for (uint64_t n = orr_block_id(); n < chunks_of(pass.bytes); n += orr_block_count()) {
        uint64_t at = n * ORR_CUDA_VOLUME_CHUNK + ORR_UNIT * orr_thread_id();
        uint32_t sum = 0, all, planet[4];
        for (uint32_t turn = 0; turn < ORR_TURNS; turn++, at += ORR_TURN)
            sum ^= load_planets(planet, pass, at);
        block_scan(sum, shared, all);
        if (orr_thread_id() == 0) pass.totals[n] = all;
    }
}

// totals[n] = XOR of the totals before it. One block.
ORR_DEVICE void run_scan(const orr_cuda_pass &pass, uint32_t *shared) {
    uint64_t count = chunks_of(pass.bytes);
    uint32_t carry = 0, all;
    if (orr_block_id() != 0) return;
    for (uint64_t first = 0; first < count; first += ORR_CUDA_VOLUME_THREADS) {
        uint64_t n = first + orr_thread_id();
        uint32_t before = block_scan(n < count ? pass.totals[n] : 0, shared, all);
        if (n < count) pass.totals[n] = carry ^ before;
        carry ^= all;
    }
}

// to = encoded from, with the planets before each chunk in totals.
ORR_DEVICE void run_encode(const orr_cuda_pass &pass, uint32_t *shared) {
    for (uint64_t n = orr_block_id(); n < chunks_of(pass.bytes); n += orr_block_count()) {
        uint64_t at = n * ORR_CUDA_VOLUME_CHUNK + ORR_UNIT * orr_thread_id();
        uint32_t carry = pass.totals[n];
        for (uint32_t turn = 0; turn < ORR_TURNS; turn++, at += ORR_TURN) {
            uint32_t planet[4], old[4], all;
            uint32_t before = carry ^ block_scan(load_planets(planet, pass, at), shared, all);
            carry ^= all;
            if (at >= pass.bytes) continue;
            load_unit(old, pass.from, at, pass.bytes);
#pragma unroll
            for (int g = 0; g < 4; g++) {
                uint32_t p = planet[g];
                p ^= p >> 3;
                p ^= p >> 6;
                p ^= p >> 12;
                p ^= before * ORR_EVERY_SYMBOL;
                before = p & 7;
                planet[g] = substitute_group(p, pass.cipher.symbol);
            }
            keep_left_over(planet, old, pass.bytes - at);
            ORR_FAULT(planet);
            store_unit(planet, pass.to, at, pass.bytes);
        }
    }
}

// ---- passes without a scan ----------------------------------------------------------------------

// Offset of this thread's first unit, and from one to the next.
ORR_DEVICE uint64_t first_unit() {
    return (uint64_t)ORR_UNIT *
           (orr_block_id() * (uint64_t)ORR_CUDA_VOLUME_THREADS + orr_thread_id());
}
ORR_DEVICE uint64_t unit_stride() {
    return (uint64_t)ORR_TURN * orr_block_count();
}

// to = decoded from.
ORR_DEVICE void run_decode(const orr_cuda_pass &pass) {
    for (uint64_t at = first_unit(); at < pass.bytes; at += unit_stride()) {
        uint32_t planet[4], old[4];
        uint32_t carry = at ? substitute_group(pass.from[at - 1] & 7u, pass.cipher.planet) & 7 : 0;
        load_unit(old, pass.from, at, pass.bytes);
#pragma unroll
        for (int g = 0; g < 4; g++) {
            uint32_t p = substitute_group(old[g], pass.cipher.planet);
            planet[g] = substitute_group(p ^ (p >> 3 | carry << 21), pass.cipher.symbol);
            carry = p & 7;
        }
        keep_left_over(planet, old, pass.bytes - at);
        ORR_FAULT(planet);
        store_unit(planet, pass.to, at, pass.bytes);
    }
}

// The planet XOR. ENCRYPT: to = rank(from) ^ to. Else to = unrank(from ^ to).
template <bool ENCRYPT> ORR_DEVICE void run_planet_xor(const orr_cuda_pass &pass) {
    for (uint64_t at = first_unit(); at < pass.bytes; at += unit_stride()) {
        uint32_t from[4], key[4], result[4];
        load_unit(from, pass.from, at, pass.bytes);
        load_unit(key, pass.to, at, pass.bytes);
#pragma unroll
        for (int g = 0; g < 4; g++) {
            if (!ENCRYPT) from[g] ^= key[g];
            result[g] = substitute_group(from[g], ENCRYPT ? pass.cipher.rank : pass.cipher.unrank);
        }
        keep_left_over(result, from, pass.bytes - at);
#pragma unroll
        for (int g = 0; g < 4; g++)
            if (ENCRYPT) result[g] ^= key[g];
        ORR_FAULT(result);
        store_unit(result, pass.to, at, pass.bytes);
    }
}

// Place of (row, column) in the JPEG zigzag of a rows x columns grid: along the antidiagonals, even
// ones upward, odd ones downward.
ORR_DEVICE uint64_t zigzag_place(uint32_t rows, uint32_t columns, uint32_t row, uint32_t column) {
    uint64_t diagonal = (uint64_t)row + column, before;
    uint64_t least = rows < columns ? rows : columns, most = rows < columns ? columns : rows;
    if (diagonal <= least) {
        before = diagonal * (diagonal + 1) / 2;
    } else if (diagonal <= most) {
        before = least * (least + 1) / 2 + (diagonal - least) * least;
    } else {
        uint64_t left = least + most - 1 - diagonal; // diagonals from this one to the last
        before = least * most - left * (left + 1) / 2;
    }
    uint64_t first = diagonal < columns ? 0 : diagonal - columns + 1; // rows that it meets
    uint64_t last = diagonal < rows ? diagonal : rows - 1;
    return before + (diagonal & 1 ? row - first : last - row);
}

// to(i,j,k) = from(table i, table j, table k) ^ K4 at (i,j); INVERSE: at the place it came from. A
// warp takes a row at a time.
template <bool INVERSE> ORR_DEVICE void run_shuffle(const orr_cuda_pass &pass) {
    uint32_t rows = pass.shape.rows, columns = pass.shape.columns, channel = 0;
    const uint32_t *row_table = pass.table, *column_table = row_table + rows;
    const uint32_t *channel_table = column_table + columns;
    uint64_t plane = (uint64_t)rows * columns,
             stride = (uint64_t)orr_block_count() * ORR_VOLUME_WARPS;
    uint64_t row = (uint64_t)orr_block_id() * ORR_VOLUME_WARPS + orr_warp_id();
    for (;; row += stride) {
        for (; row >= rows && channel < pass.shape.channels; row -= rows) channel++;
        if (channel >= pass.shape.channels) return;
        uint32_t from_row = row_table[row];
        const uint8_t *from =
            pass.from + channel_table[channel] * plane + (uint64_t)from_row * columns;
        uint8_t *to = pass.to + channel * plane + row * columns;
        for (uint32_t j = orr_lane_id(); j < columns; j += 32) {
            uint32_t from_column = column_table[j];
            uint64_t key = INVERSE ? zigzag_place(rows, columns, from_row, from_column)
                                   : zigzag_place(rows, columns, (uint32_t)row, j);
            uint32_t byte[1] = {(uint32_t)from[from_column] ^ pass.with[key]};
            ORR_FAULT(byte);
            to[j] = (uint8_t)byte[0];
            if (columns - j <= 32) break; // j + 32 might wrap
        }
    }
}

// A flag for each block: does its part of `from` equal `with`?
ORR_DEVICE void run_compare(const orr_cuda_pass &pass) {
    uint32_t difference = 0;
    for (uint64_t at = first_unit(); at < pass.bytes; at += unit_stride()) {
        uint32_t one[4], other[4];
        load_unit(one, pass.from, at, pass.bytes);
        load_unit(other, pass.with, at, pass.bytes);
#pragma unroll
        for (int g = 0; g < 4; g++) difference |= one[g] ^ other[g];
    }
    bool wrong = orr_barrier_or(difference != 0);
    if (orr_thread_id() == 0)
        pass.flags[orr_block_id()] = wrong ? ORR_CUDA_VOLUME_WRONG : ORR_CUDA_VOLUME_RIGHT;
}

#endif
