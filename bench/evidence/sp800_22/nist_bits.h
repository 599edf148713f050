// Sequences of packed bits: how they lie in memory, and counting over them.
#ifndef ORRERY_BENCH_EVIDENCE_SP800_22_NIST_BITS_H
#define ORRERY_BENCH_EVIDENCE_SP800_22_NIST_BITS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A sequence: bit i is bit 63 - i % 64 of words[i / 64]. Behind the last bit the rest of its word
// and one more whole word are zero.
typedef struct orr_bits {
    const uint64_t *words;
    size_t count;
} orr_bits;

// Words that orr_bits needs for `count` bits.
#define ORR_BITS_WORDS(count) (((count) + 63) / 64 + 1)

// Packs `count` bits of `bytes` from bit `first` on into words[ORR_BITS_WORDS(count)]. The caller
// owns both; `bytes` holds at least (first + count + 7) / 8 bytes.
void orr_bits_pack(const uint8_t *bytes, size_t first, size_t count, uint64_t *words);

// The 64 bits from bit `at` on, first bit on top; at < count. Needs the zero word behind the end.
static inline uint64_t orr_bits_window(orr_bits bits, size_t at) {
    size_t word = at / 64, shift = at % 64;
    uint64_t value = bits.words[word] << shift;
    if (shift) value |= bits.words[word + 1] >> (64 - shift);
    return value;
}

static inline unsigned orr_bit(orr_bits bits, size_t at) {
    return (unsigned)(bits.words[at / 64] >> (63 - at % 64)) & 1;
}

// Ones among the bits first .. first + count - 1.
size_t orr_bits_ones(orr_bits bits, size_t first, size_t count);

// How often each window of `length` bits (1..16) occurs among those that start at first ..
// first + windows - 1; counts[1 << length] is overwritten. `circular`: windows run over the end of
// the sequence to its beginning.
void orr_bits_histogram(orr_bits bits, unsigned length, size_t first, size_t windows, int circular,
                        uint32_t *counts);

// counts of length - 1 from those of length, in place.
static inline void orr_histogram_shorten(uint32_t *counts, unsigned length) {
    for (size_t i = 0; i < (size_t)1 << (length - 1); i++) {
        counts[i] = counts[2 * i] + counts[2 * i + 1];
    }
}

#ifdef __cplusplus
}
#endif
#endif
