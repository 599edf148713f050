// The cipher of the `paper` profile on a whole image (docs/FORMAT.md, "Paper profile").
//
// One long 1-DEC sequence for each of K1..K8, one key byte for each step; everything is O(C M N).
// Three bytes of the bitstream are eight symbols: the VPD steps work on such 24-bit groups.

#include "kernels/volume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/fixed_trig.h"
#include "kernels/map.h"

// ---- key values and sequences

void orr_volume_key_from_hash(orr_volume_key *key, const uint8_t hash[64]) {
    for (int n = 0; n < 8; n++) {
        uint64_t part = 0;
        for (int i = 0; i < 8; i++) part = part << 8 | hash[8 * n + i];
        key->part[n] = part % ORR_TEN15;
    }
}

int64_t orr_cos15(uint64_t u) {
    return orr_cos15_shared(u);
}

uint64_t orr_arccos15(uint64_t part) {
    return orr_arccos15_shared(part);
}

orr_status orr_map_constant(double mu, uint32_t *k2, orr_error *error) {
    double constant = 4 * 3.14159265358979323846 * exp(1 / mu);
    if (!(mu > 0) || !(constant >= 65536) || !(constant < 4294967295.0))
        return orr_fail(
            error, ORR_UNSUPPORTED,
            "map parameter mu = %g: 4 pi e^(1/mu) must lie in [65536, 4294967295); take mu "
            "between 0.0510 and 0.1168",
            mu);
    *k2 = 2 * (uint32_t)(constant / 2) + 1;
    return ORR_OK;
}

// Loops over a volume or a sequence look at the stop flag after so many bytes or steps: a few
// milliseconds of work. Three bytes are a group of eight symbols.
#define STRIDE ((size_t)3 << 14)

static size_t stride_end(size_t start, size_t bytes) {
    return bytes - start < STRIDE ? bytes : start + STRIDE;
}

// One key byte: floor(|y| 10^15) mod 256.
static uint8_t key_byte(uint64_t u) {
    return (uint8_t)orr_cos15_magnitude(u);
}

typedef struct ranked {
    int64_t y;
    uint32_t index;
} ranked;

// Merges sorted runs of `run` elements from `from` to `to`; equal values keep their order.
static void merge_runs(const ranked *from, ranked *to, size_t count, size_t run) {
    for (size_t start = 0; start < count; start += 2 * run) {
        size_t middle = count - start > run ? start + run : count;
        size_t end = count - start > 2 * run ? start + 2 * run : count;
        size_t a = start, b = middle;
        for (size_t n = start; n < end; n++) {
            int left = a < middle && (b == end || from[a].y <= from[b].y);
            to[n] = from[left ? a++ : b++];
        }
    }
}

// ranks[n] = place of the n-th element of the sequence with initial value `part` among `count`,
// ascending, ties by index. `scratch` holds 2 * count elements.
// Stopped, it leaves `ranks` as it was.
static void sequence_ranks(uint64_t part, uint32_t count, uint32_t k2, ranked *scratch,
                           uint32_t *ranks, orr_stop_flag *stop) {
    uint64_t u = orr_arccos15(part);
    ranked *from = scratch, *to = scratch + count;
    for (size_t n = 0; n < count && !orr_stopped(stop);) {
        for (size_t end = stride_end(n, count); n < end; n++) {
            u = orr_map_step(u, k2);
            from[n] = (ranked){orr_cos15(u), (uint32_t)n};
        }
    }
    for (size_t run = 1; run < count; run *= 2) {
        if (orr_stopped(stop)) return;
        merge_runs(from, to, count, run);
        ranked *swap = from;
        from = to;
        to = swap;
    }
    for (uint32_t n = 0; n < count; n++) ranks[from[n].index] = n;
}

orr_status orr_volume_ranks(uint64_t part, uint32_t count, uint32_t k2, uint32_t *ranks,
                            orr_error *error) {
    ranked *scratch = calloc(count, 2 * sizeof *scratch);
    if (!scratch) return orr_fail(error, ORR_INTERNAL, "out of memory for %u sorting keys", count);
    sequence_ranks(part, count, k2, scratch, ranks, NULL);
    explicit_bzero(scratch, 2 * sizeof *scratch * count);
    free(scratch);
    return ORR_OK;
}

// K4: the n-th key byte stands at the n-th position of the M x N grid in JPEG zigzag order (first
// move to the right): even diagonals i + j run upward, odd ones downward.
static void zigzag_bytes(uint64_t part, orr_volume_shape shape, uint32_t k2, uint8_t *out,
                         orr_stop_flag *stop) {
    uint64_t u = orr_arccos15(part);
    uint64_t rows = shape.rows, columns = shape.columns;
    for (uint64_t d = 0; d < rows + columns - 1 && !orr_stopped(stop); d++) {
        uint64_t first = d < columns ? 0 : d - columns + 1; // least row on this diagonal
        uint64_t last = d < rows ? d : rows - 1;
        for (uint64_t n = 0; n <= last - first; n++) {
            uint64_t i = d % 2 ? first + n : last - n;
            u = orr_map_step(u, k2);
            out[i * columns + (d - i)] = key_byte(u);
        }
    }
}

// XORs the key bytes of K8 over a volume of `bytes` bytes.
static void xor_sequence(uint64_t part, uint32_t k2, uint8_t *data, size_t bytes,
                         orr_stop_flag *stop) {
    uint64_t u = orr_arccos15(part);
    for (size_t n = 0; n < bytes && !orr_stopped(stop);) {
        for (size_t end = stride_end(n, bytes); n < end; n++) {
            u = orr_map_step(u, k2);
            data[n] ^= key_byte(u);
        }
    }
}

// ---- symbols

#define SYMBOL_BITS 0xffffffu // eight symbols, the first one in the highest bits
#define EVERY_SYMBOL 0x249249u

// Substitutes four symbols (12 bits) at a time.
typedef struct substitution {
    uint16_t four[4096];
} substitution;

static void substitution_init(substitution *table, const uint8_t map[8]) {
    for (unsigned v = 0; v < 4096; v++)
        table->four[v] =
            (uint16_t)(map[v >> 9] << 9 | map[v >> 6 & 7] << 6 | map[v >> 3 & 7] << 3 | map[v & 7]);
}

static uint32_t substitute(const substitution *table, uint32_t symbols) {
    return (uint32_t)table->four[symbols >> 12] << 12 | table->four[symbols & 0xfff];
}

// The group of up to three bytes at `data`, zero-filled, and its way back. Only whole symbols
// change: the last bits of a group of one or two bytes that form no symbol stay as they are.
static uint32_t load_group(const uint8_t *data, size_t bytes) {
    uint32_t group = (uint32_t)data[0] << 16;
    if (bytes > 1) group |= (uint32_t)data[1] << 8;
    if (bytes > 2) group |= data[2];
    return group;
}

static void store_group(uint8_t *data, size_t bytes, uint32_t group) {
    if (bytes < 3) {
        uint32_t symbols = bytes == 1 ? 0xfc0000u : 0xfffe00u; // 2 or 5 whole symbols
        group = (group & symbols) | (load_group(data, bytes) & ~symbols);
    }
    data[0] = (uint8_t)(group >> 16);
    if (bytes > 1) data[1] = (uint8_t)(group >> 8);
    if (bytes > 2) data[2] = (uint8_t)group;
}

static size_t group_bytes(size_t bytes, size_t offset) {
    return bytes - offset < 3 ? bytes - offset : 3;
}

// S2[0] = S1[0], S2[i] = symbol(planet(S2[i-1]) xor planet(S1[i])): a prefix XOR of planets.
static void vpd_encode(const substitution *planet, const substitution *symbol, uint8_t *data,
                       size_t bytes, orr_stop_flag *stop) {
    uint32_t carry = 0;
    for (size_t n = 0; n < bytes && !orr_stopped(stop);) {
        for (size_t end = stride_end(n, bytes); n < end; n += 3) {
            size_t length = group_bytes(bytes, n);
            uint32_t p = substitute(planet, load_group(data + n, length));
            p ^= p >> 3;
            p ^= p >> 6;
            p ^= p >> 12;
            p ^= carry * EVERY_SYMBOL;
            carry = p & 7;
            store_group(data + n, length, substitute(symbol, p));
        }
    }
}

static void vpd_decode(const substitution *planet, const substitution *symbol, uint8_t *data,
                       size_t bytes, orr_stop_flag *stop) {
    uint32_t carry = 0;
    for (size_t n = 0; n < bytes && !orr_stopped(stop);) {
        for (size_t end = stride_end(n, bytes); n < end; n += 3) {
            size_t length = group_bytes(bytes, n);
            uint32_t p = substitute(planet, load_group(data + n, length));
            uint32_t difference = p ^ (p >> 3 | carry << 21);
            carry = p & 7;
            store_group(data + n, length, substitute(symbol, difference));
        }
    }
}

static void substitute_all(const substitution *table, uint8_t *data, size_t bytes,
                           orr_stop_flag *stop) {
    for (size_t n = 0; n < bytes && !orr_stopped(stop);) {
        for (size_t end = stride_end(n, bytes); n < end; n += 3) {
            size_t length = group_bytes(bytes, n);
            store_group(data + n, length, substitute(table, load_group(data + n, length)));
        }
    }
}

// ---- the cipher

typedef struct volume_work {
    substitution planet, symbol, rank, unrank;
    size_t plane, bytes;   // M N and C M N
    uint32_t *ranks[2][3]; // of K1, K2, K3 and K5, K6, K7: rows, columns, channels
    uint8_t *zigzag;       // K4, M N bytes
    uint8_t *copy;         // C M N bytes
    uint32_t *rank_store;  // what ranks[][] point into
    ranked *sort;          // scratch of sequence_ranks
    size_t rank_bytes, sort_bytes;
    orr_stop_flag *stop; // or NULL
} volume_work;

static void free_wiped(void *memory, size_t bytes) {
    if (memory) explicit_bzero(memory, bytes);
    free(memory);
}

static void work_free(volume_work *work) {
    free_wiped(work->zigzag, work->plane);
    free_wiped(work->copy, work->bytes);
    free_wiped(work->rank_store, work->rank_bytes);
    free_wiped(work->sort, work->sort_bytes);
    free(work);
}

// Sizes of everything, checked, then the allocations.
static orr_status work_allocate(volume_work *work, orr_volume_shape shape, orr_error *error) {
    uint32_t longest = shape.rows > shape.columns ? shape.rows : shape.columns;
    if (shape.channels > longest) longest = shape.channels;
    size_t keys = (size_t)shape.rows + shape.columns + shape.channels;
    if (__builtin_mul_overflow((size_t)shape.rows, (size_t)shape.columns, &work->plane) ||
        __builtin_mul_overflow(work->plane, (size_t)shape.channels, &work->bytes) ||
        work->bytes > SIZE_MAX / 2 ||
        __builtin_mul_overflow(keys, 2 * sizeof(uint32_t), &work->rank_bytes) ||
        __builtin_mul_overflow((size_t)longest, 2 * sizeof(ranked), &work->sort_bytes)) {
        work->plane = work->bytes = work->rank_bytes = work->sort_bytes = 0;
        return orr_fail(error, ORR_UNSUPPORTED,
                        "a volume of %u x %u x %u bytes does not fit this machine", shape.channels,
                        shape.rows, shape.columns);
    }
    work->zigzag = malloc(work->plane);
    work->copy = malloc(work->bytes);
    work->rank_store = malloc(work->rank_bytes);
    work->sort = malloc(work->sort_bytes);
    if (!work->zigzag || !work->copy || !work->rank_store || !work->sort)
        return orr_fail(error, ORR_INTERNAL, "out of memory for a volume of %u x %u x %u bytes",
                        shape.channels, shape.rows, shape.columns);
    return ORR_OK;
}

// Frees it. The flag, once set, stays set: when it is not, no step was cut short.
static orr_status work_end(volume_work *work, orr_error *error) {
    int stopped = orr_stopped(work->stop);
    work_free(work);
    return stopped ? orr_fail(error, ORR_STOPPED, "stopped inside an image") : ORR_OK;
}

// Tables and all key sequences but K8, which is XORed as it is made.
static orr_status work_new(const orr_cipher *cipher, const orr_volume_key *key,
                           orr_volume_shape shape, orr_stop_flag *stop, volume_work **out,
                           orr_error *error) {
    volume_work *work = NULL;
    if (!shape.channels || !shape.rows || !shape.columns)
        return orr_fail(error, ORR_UNSUPPORTED, "a volume of %u x %u x %u bytes is empty",
                        shape.channels, shape.rows, shape.columns);
    work = calloc(1, sizeof *work);
    if (!work) return orr_fail(error, ORR_INTERNAL, "out of memory");
    orr_status status = work_allocate(work, shape, error);
    if (status != ORR_OK) {
        work_free(work);
        return status;
    }
    work->stop = stop;
    substitution_init(&work->planet, cipher->rule.planet);
    substitution_init(&work->symbol, cipher->rule.symbol);
    substitution_init(&work->rank, cipher->rule.rank);
    substitution_init(&work->unrank, cipher->rule.unrank);
    const uint32_t counts[3] = {shape.rows, shape.columns, shape.channels};
    uint32_t *ranks = work->rank_store;
    for (int round = 0; round < 2; round++) {
        for (int axis = 0; axis < 3; axis++) {
            work->ranks[round][axis] = ranks;
            sequence_ranks(key->part[4 * round + axis], counts[axis], cipher->k2, work->sort, ranks,
                           stop);
            ranks += counts[axis];
        }
    }
    zigzag_bytes(key->part[3], shape, cipher->k2, work->zigzag, stop);
    if (orr_stopped(stop)) return work_end(work, error); // what it has may not be whole
    *out = work;
    return ORR_OK;
}

// out(i,j,k) = in(rank K1[i], rank K2[j], rank K3[k]), then the XOR with K4 at (i,j).
static void shuffle_xor(const volume_work *work, int round, orr_volume_shape shape,
                        const uint8_t *in, uint8_t *out) {
    uint32_t *const *rank = work->ranks[round];
    for (uint32_t k = 0; k < shape.channels; k++) {
        for (uint32_t i = 0; i < shape.rows && !orr_stopped(work->stop); i++) {
            const uint8_t *from =
                in + rank[2][k] * work->plane + (size_t)rank[0][i] * shape.columns;
            const uint8_t *mask = work->zigzag + (size_t)i * shape.columns;
            for (uint32_t j = 0; j < shape.columns; j++) *out++ = from[rank[1][j]] ^ mask[j];
        }
    }
}

static void unshuffle_xor(const volume_work *work, int round, orr_volume_shape shape,
                          const uint8_t *in, uint8_t *out) {
    uint32_t *const *rank = work->ranks[round];
    for (uint32_t k = 0; k < shape.channels; k++) {
        for (uint32_t i = 0; i < shape.rows && !orr_stopped(work->stop); i++) {
            uint8_t *to = out + rank[2][k] * work->plane + (size_t)rank[0][i] * shape.columns;
            const uint8_t *mask = work->zigzag + (size_t)i * shape.columns;
            for (uint32_t j = 0; j < shape.columns; j++) to[rank[1][j]] = *in++ ^ mask[j];
        }
    }
}

orr_status orr_volume_encrypt_until(const orr_cipher *cipher, const orr_volume_key *key,
                                    orr_volume_shape shape, uint8_t *data, orr_stop_flag *stop,
                                    orr_error *error) {
    volume_work *work = NULL;
    orr_status status = work_new(cipher, key, shape, stop, &work, error);
    if (status != ORR_OK) return status;
    vpd_encode(&work->planet, &work->symbol, data, work->bytes, stop);
    shuffle_xor(work, 0, shape, data, work->copy);
    vpd_encode(&work->planet, &work->symbol, work->copy, work->bytes, stop);
    shuffle_xor(work, 1, shape, work->copy, data);
    substitute_all(&work->rank, data, work->bytes, stop);
    xor_sequence(key->part[7], cipher->k2, data, work->bytes, stop);
    return work_end(work, error);
}

orr_status orr_volume_encrypt(const orr_cipher *cipher, const orr_volume_key *key,
                              orr_volume_shape shape, uint8_t *data, orr_error *error) {
    return orr_volume_encrypt_until(cipher, key, shape, data, NULL, error);
}

orr_status orr_volume_decrypt_until(const orr_cipher *cipher, const orr_volume_key *key,
                                    orr_volume_shape shape, uint8_t *data, orr_stop_flag *stop,
                                    orr_error *error) {
    volume_work *work = NULL;
    orr_status status = work_new(cipher, key, shape, stop, &work, error);
    if (status != ORR_OK) return status;
    xor_sequence(key->part[7], cipher->k2, data, work->bytes, stop);
    substitute_all(&work->unrank, data, work->bytes, stop);
    unshuffle_xor(work, 1, shape, data, work->copy);
    vpd_decode(&work->planet, &work->symbol, work->copy, work->bytes, stop);
    unshuffle_xor(work, 0, shape, work->copy, data);
    vpd_decode(&work->planet, &work->symbol, data, work->bytes, stop);
    return work_end(work, error);
}

orr_status orr_volume_decrypt(const orr_cipher *cipher, const orr_volume_key *key,
                              orr_volume_shape shape, uint8_t *data, orr_error *error) {
    return orr_volume_decrypt_until(cipher, key, shape, data, NULL, error);
}
