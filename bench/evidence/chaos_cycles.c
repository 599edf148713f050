// Cycle lengths of the integer map with shorter states.
#include <math.h>

#include "bench/evidence/chaos.h"
#include "kernels/map.h"

double orr_chaos_expected_cycle(unsigned bits) {
    double meet = 1.5 + (bits - 1) * M_LN2 / 2;
    return sqrt(M_PI * ldexp(1, (int)bits) / (8 * meet));
}

uint32_t orr_chaos_small_factor(unsigned bits, uint32_t k2) {
    return k2 >> (32 - (bits + 1) / 2) | 1;
}

uint64_t orr_chaos_small_step(uint64_t u, unsigned bits, uint32_t factor) {
    uint64_t top = UINT64_C(1) << bits;
    uint64_t square = (uint64_t)((unsigned __int128)u * u >> (bits + 1));
    uint64_t v = factor * square;
    return (v & top ? v : ~v) & (top - 1);
}

// Length of the cycle that `start` runs into, and of the way there.
static void brent(uint64_t start, unsigned bits, uint32_t factor, uint64_t *cycle, uint64_t *tail) {
    uint64_t power = 1, length = 1, slow = start, fast = orr_chaos_small_step(start, bits, factor);
    while (slow != fast) {
        if (power == length) {
            slow = fast;
            power *= 2;
            length = 0;
        }
        fast = orr_chaos_small_step(fast, bits, factor);
        length++;
    }
    slow = fast = start;
    for (uint64_t i = 0; i < length; i++) fast = orr_chaos_small_step(fast, bits, factor);
    uint64_t before = 0;
    for (; slow != fast; before++) {
        slow = orr_chaos_small_step(slow, bits, factor);
        fast = orr_chaos_small_step(fast, bits, factor);
    }
    *cycle = length;
    *tail = before;
}

void orr_chaos_find_cycles(unsigned bits, uint32_t k2, size_t starts, uint64_t seed,
                           orr_chaos_cycles *cycles) {
    *cycles = (orr_chaos_cycles){
        .bits = bits, .starts = starts, .expected = orr_chaos_expected_cycle(bits)};
    for (size_t i = 0; i < starts; i++) {
        uint64_t cycle, tail;
        uint32_t random = (uint32_t)orr_mix64(~(seed + i)) & 0x7fffffffu;
        uint32_t factor = orr_chaos_small_factor(bits, (k2 & 0x80000000u) | random);
        brent(orr_mix64(seed + i) >> (64 - bits), bits, factor, &cycle, &tail);
        cycles->mean_cycle += (double)cycle / (double)starts;
        cycles->mean_tail += (double)tail / (double)starts;
        if (i == 0 || cycle < cycles->shortest) cycles->shortest = cycle;
        if (cycle > cycles->longest) cycles->longest = cycle;
    }
}
