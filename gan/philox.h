// Random numbers that depend on nothing but a seed and a place, so that every implementation draws
// the same ones in any order: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers:
// as easy as 1, 2, 3", SC 2011) and normal deviates from it by Box and Muller's transform (1958).
//
// The deviates are the same bits on every machine: only integer operations and double additions,
// multiplications, divisions and square roots are used, each rounded once. (The build sets
// -ffp-contract=off for C; a CUDA compiler gets the rounding intrinsics below.) No secrets come
// from here: latents of a key pool come from the operating system's generator.
#ifndef ORRERY_GAN_PHILOX_H
#define ORRERY_GAN_PHILOX_H

#include <stdint.h>

#ifdef __CUDACC__
#define ORR_PHILOX_FN static inline __host__ __device__
#else
#include <math.h>
#define ORR_PHILOX_FN static inline
#endif
#ifdef __CUDA_ARCH__
#define ORR_DADD(a, b) __dadd_rn(a, b)
#define ORR_DMUL(a, b) __dmul_rn(a, b)
#define ORR_DDIV(a, b) __ddiv_rn(a, b)
#define ORR_DSQRT(a) __dsqrt_rn(a)
#else
#define ORR_DADD(a, b) ((a) + (b))
#define ORR_DMUL(a, b) ((a) * (b))
#define ORR_DDIV(a, b) ((a) / (b))
#define ORR_DSQRT(a) sqrt(a)
#endif

// What a number is for; streams of one seed never meet.
typedef enum orr_gan_stream {
    ORR_STREAM_LATENT = 1,    // latents of a training step
    ORR_STREAM_FLIP = 2,      // coins for mirroring the real images of a step
    ORR_STREAM_GENERATOR = 3, // initial weights (step 0)
    ORR_STREAM_DISCRIMINATOR = 4,
    ORR_STREAM_SAMPLE = 5, // latents of images to look at (step 0)
    ORR_STREAM_SHUFFLE = 6 // order of the images in an epoch (step = epoch)
} orr_gan_stream;

// Ten rounds on counter[0..3] under key[0..1], in place.
ORR_PHILOX_FN void orr_philox(uint32_t counter[4], const uint32_t key[2]) {
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * counter[0];
        uint64_t b = (uint64_t)0xCD9E8D57u * counter[2];
        uint32_t c1 = counter[1], c3 = counter[3];
        counter[0] = (uint32_t)(b >> 32) ^ c1 ^ k0;
        counter[1] = (uint32_t)b;
        counter[2] = (uint32_t)(a >> 32) ^ c3 ^ k1;
        counter[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

// Four words: counter (block, stream, step low, step high), key (seed low, seed high).
ORR_PHILOX_FN void orr_philox_block(uint64_t seed, uint32_t stream, uint64_t step, uint32_t block,
                                    uint32_t words[4]) {
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    words[0] = block;
    words[1] = stream;
    words[2] = (uint32_t)step;
    words[3] = (uint32_t)(step >> 32);
    orr_philox(words, key);
}

// -2 ln((a + 1) / 2^32), from the series of the area hyperbolic tangent around the nearest power of
// two.
ORR_PHILOX_FN double orr_philox_minus_2_ln(uint32_t a) {
    uint64_t n = (uint64_t)a + 1; // 1..2^32
    int exponent = 0;
    while ((n >> exponent) > 1) exponent++;
    double m = (double)n;
    m = ORR_DDIV(m, (double)((uint64_t)1 << exponent)); // exact, in [1, 2)
    if (m > 1.4142135623730951) {
        m = ORR_DMUL(m, 0.5);
        exponent++;
    }
    double s = ORR_DDIV(ORR_DADD(m, -1.0), ORR_DADD(m, 1.0));
    double square = ORR_DMUL(s, s);
    double sum = 0.0;
    for (int k = 19; k >= 1; k -= 2) {
        sum = ORR_DADD(ORR_DMUL(sum, square), ORR_DDIV(1.0, (double)k));
    }
    double ln = ORR_DADD(ORR_DMUL((double)(exponent - 32), 0.69314718055994531),
                         ORR_DMUL(ORR_DMUL(2.0, s), sum));
    return ln < 0.0 ? ORR_DMUL(-2.0, ln) : 0.0;
}

// Cosine and sine of 2 pi b / 2^32: Taylor series within an eighth of a turn of a multiple of a
// quarter.
ORR_PHILOX_FN void orr_philox_turn(uint32_t b, double *cosine, double *sine) {
    uint32_t quarter = (b + 0x20000000u) >> 30;
    int32_t rest = (int32_t)(b - (quarter << 30));            // -2^29 .. 2^29 - 1
    double x = ORR_DMUL((double)rest, 1.4629180792671596e-9); // 2 pi / 2^32
    double square = -ORR_DMUL(x, x);
    double c = 1.0, s = 1.0; // nested series of cos x and sin x / x
    for (int k = 16; k >= 2; k -= 2) {
        c = ORR_DADD(1.0, ORR_DMUL(c, ORR_DDIV(square, (double)(k * (k - 1)))));
        s = ORR_DADD(1.0, ORR_DMUL(s, ORR_DDIV(square, (double)(k * (k + 1)))));
    }
    s = ORR_DMUL(s, x);
    *cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
    *sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
}

// Two independent N(0, 1) deviates from two words: r cos t and r sin t, r = sqrt(-2 ln u),
// u = (a + 1) / 2^32, t = 2 pi b / 2^32. Within half a float ulp and 1e-12 of the exact values.
ORR_PHILOX_FN void orr_normal_pair(uint32_t a, uint32_t b, float *first, float *second) {
    double cosine, sine, r = ORR_DSQRT(orr_philox_minus_2_ln(a));
    orr_philox_turn(b, &cosine, &sine);
    *first = (float)ORR_DMUL(r, cosine);
    *second = (float)ORR_DMUL(r, sine);
}

// Deviates 4 * block .. 4 * block + 3 of a stream.
ORR_PHILOX_FN void orr_normal_block(uint64_t seed, uint32_t stream, uint64_t step, uint32_t block,
                                    float deviates[4]) {
    uint32_t words[4];
    orr_philox_block(seed, stream, step, block, words);
    orr_normal_pair(words[0], words[1], &deviates[0], &deviates[1]);
    orr_normal_pair(words[2], words[3], &deviates[2], &deviates[3]);
}

// Is the image at place `index` of step `step`'s batch mirrored left to right?
ORR_PHILOX_FN int orr_flip(uint64_t seed, uint64_t step, uint32_t index) {
    uint32_t words[4];
    orr_philox_block(seed, ORR_STREAM_FLIP, step, index / 4, words);
    return (int)(words[index % 4] & 1);
}

#endif
