// cos(pi u) and its inverse in 64-bit integers (docs/FORMAT.md, "Cosine" and "Arccosine").
//
// These integers DEFINE the paper profile: no libm takes part, so every machine gets the same bits.
// C and CUDA compile this text unchanged. Fractions are in units of 2^-63 ("Q63").
#ifndef ORRERY_KERNELS_FIXED_TRIG_H
#define ORRERY_KERNELS_FIXED_TRIG_H

#include <stdint.h>

#include "kernels/map.h"

#define ORR_TEN15 1000000000000000u
#define ORR_QUARTER (UINT64_C(1) << 62) // u = 1/2, where the cosine is zero
#define ORR_ONE63 (UINT64_C(1) << 63)   // 1 in Q63

// floor(a b / 2^64)
ORR_SHARED uint64_t orr_mul64_high(uint64_t a, uint64_t b) {
    return (uint64_t)((unsigned __int128)a * b >> 64);
}

// cos(pi w) in Q63 for an angle w in [0, 2^62] (units of 2^-63): the cosine series in z = (2w)^2, a
// fraction of 64 bits, by Horner's rule; each coefficient is round((pi/2)^2k / (2k)! * 2^63), each
// product is cut to Q63. Not below zero; off by less than 2^-61.
ORR_SHARED uint64_t orr_cos63(uint64_t w) {
    uint64_t z = (uint64_t)((unsigned __int128)w * w >> 60);
    uint64_t c = 0xa9;
    c = UINT64_C(0x0000000000007bdc) - orr_mul64_high(c, z);
    c = UINT64_C(0x00000000004a8316) - orr_mul64_high(c, z);
    c = UINT64_C(0x000000002418c586) - orr_mul64_high(c, z);
    c = UINT64_C(0x0000000db7127a26) - orr_mul64_high(c, z);
    c = UINT64_C(0x000003f3a7146ec8) - orr_mul64_high(c, z);
    c = UINT64_C(0x0000d368f9510254) - orr_mul64_high(c, z);
    c = UINT64_C(0x001e1f506891babb) - orr_mul64_high(c, z);
    c = UINT64_C(0x02aba78fc797ff40) - orr_mul64_high(c, z);
    c = UINT64_C(0x20783e1036b58767) - orr_mul64_high(c, z);
    c = UINT64_C(0x9de9e64df22ef2d2) - orr_mul64_high(c, z);
    uint64_t subtract = orr_mul64_high(c, z);
    // At w = 2^62 the fraction z would be 1 and wrap to 0: there the cosine is 0.
    return subtract > ORR_ONE63 || w >= ORR_QUARTER ? 0 : ORR_ONE63 - subtract;
}

// |cos(pi u)| * 10^15, cut; u in [0, 2^63), units of 2^-63. No branch: the sign is a coin toss.
ORR_SHARED uint64_t orr_cos15_magnitude(uint64_t u) {
    int64_t past = (int64_t)u - (int64_t)ORR_QUARTER; // beyond u = 1/2
    uint64_t distance = (uint64_t)(past < 0 ? -past : past);
    return (uint64_t)((unsigned __int128)orr_cos63(ORR_QUARTER - distance) * ORR_TEN15 >> 63);
}

// cos(pi u) * 10^15 truncated toward zero.
ORR_SHARED int64_t orr_cos15_shared(uint64_t u) {
    int64_t magnitude = (int64_t)orr_cos15_magnitude(u);
    return u > ORR_QUARTER ? -magnitude : magnitude;
}

// The least angle u in (0, 2^62] that 62 bisections of [0, 2^62] find with orr_cos63(u) <= part /
// 10^15.
ORR_SHARED uint64_t orr_arccos15_shared(uint64_t part) {
    uint64_t low = 0, high = ORR_QUARTER;
    for (int i = 0; i < 62; i++) {
        uint64_t middle = low + (high - low) / 2;
        int above = (unsigned __int128)orr_cos63(middle) * ORR_TEN15 > (unsigned __int128)part
                                                                           << 63;
        if (above)
            low = middle;
        else
            high = middle;
    }
    return high;
}

#endif
