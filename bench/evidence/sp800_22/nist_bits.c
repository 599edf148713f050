#include "bench/evidence/sp800_22/nist_bits.h"

#include <string.h>

void orr_bits_pack(const uint8_t *bytes, size_t first, size_t count, uint64_t *words) {
    size_t used = (count + 63) / 64;
    const uint8_t *from = bytes + first / 8;
    size_t shift = first % 8, available = (shift + count + 7) / 8;
    for (size_t i = 0; i < used; i++) {
        uint64_t value = 0;
        for (size_t k = 0; k < 8; k++) {
            size_t at = 8 * i + k;
            value = value << 8 | (at < available ? from[at] : 0);
        }
        if (shift) {
            uint64_t next = 8 * i + 8 < available ? from[8 * i + 8] : 0;
            value = value << shift | next >> (8 - shift);
        }
        words[i] = value;
    }
    if (count % 64) words[used - 1] &= ~UINT64_C(0) << (64 - count % 64);
    words[used] = 0;
}

size_t orr_bits_ones(orr_bits bits, size_t first, size_t count) {
    size_t ones = 0;
    for (; count >= 64; first += 64, count -= 64) {
        ones += (size_t)__builtin_popcountll(orr_bits_window(bits, first));
    }
    if (count) ones += (size_t)__builtin_popcountll(orr_bits_window(bits, first) >> (64 - count));
    return ones;
}

void orr_bits_histogram(orr_bits bits, unsigned length, size_t first, size_t windows, int circular,
                        uint32_t *counts) {
    memset(counts, 0, sizeof *counts << length);
    size_t at = first, end = first + windows;
    size_t whole = bits.count >= 64 ? bits.count - 63 : 0; // windows of 64 bits that fit
    unsigned down = 64 - length;
    // 48 windows of up to 16 bits from each 64 bits.
    for (; at + 48 <= end && at < whole; at += 48) {
        uint64_t window = orr_bits_window(bits, at);
        for (int i = 0; i < 48; i++) {
            counts[window >> down]++;
            window <<= 1;
        }
    }
    for (; at < end; at++) {
        uint64_t window = 0;
        for (unsigned i = 0; i < length; i++) {
            size_t position = at + i;
            if (circular) position %= bits.count;
            window = window << 1 | orr_bit(bits, position);
        }
        counts[window]++;
    }
}
