// The levels of the tile cipher on the CPU, which of them this processor has, and one tile at one.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

// ---- the table ----------------------------------------------------------------------------------

// The levels, narrowest first: a name, and what the processor must have, besides all that the
// levels before it need. A new level is a row here, a source file tile_NAME.c (tile_simd.h says
// what is in it) and its compiler options in kernels/CMakeLists.txt.
#define HAS(feature) __builtin_cpu_supports(feature) // found out once, before main()
#if defined(__x86_64__)
#define LEVELS(LEVEL)                       \
    LEVEL(portable, 1)                      \
    LEVEL(avx2, HAS("avx2") && HAS("bmi2")) \
    LEVEL(avx512, HAS("avx512f") && HAS("avx512bw") && HAS("avx512vl") && HAS("avx512dq"))
#else
#define LEVELS(LEVEL) LEVEL(portable, 1)
#endif

#define DECLARE(name, needs)                   \
    extern const orr_cpu_level orr_cpu_##name; \
    static int has_##name(void) {              \
        return needs;                          \
    }
LEVELS(DECLARE)

#define ROW(name, needs) {&orr_cpu_##name, has_##name},
static const struct {
    const orr_cpu_level *level;
    int (*has)(void);
} levels[] = {LEVELS(ROW)};

// ---- choice -------------------------------------------------------------------------------------

int orr_simd_count(void) {
    int count = 1;
    while (count < (int)(sizeof levels / sizeof *levels) && levels[count].has()) count++;
    return count;
}

orr_simd orr_cpu_simd(orr_simd level) {
    int count = orr_simd_count();
    return level < 0 || level >= count ? count - 1 : level;
}

const orr_cpu_level *orr_cpu_level_of(orr_simd level) {
    return levels[orr_cpu_simd(level)].level;
}

const char *orr_simd_name(orr_simd level) {
    return level == ORR_SIMD_BEST ? "best" : orr_cpu_level_of(level)->name;
}

// ---- one tile at a time -------------------------------------------------------------------------

__attribute__((noinline)) void orr_cpu_wipe_stack(void) {
    uint8_t below[16384];
    explicit_bzero(below, sizeof below);
}

// Scratch that the last caller left, wiped, for the next one. Freed and taken anew by whichever
// thread comes next, it would soon stand once in each of the allocator's arenas.
static _Atomic(orr_cpu_scratch *) spare_scratch;

// Runs a level's function on scratch that nobody else uses.
static orr_status run_alone(orr_cpu_tile function, const orr_cipher *cipher,
                            const orr_tile_key *key, uint32_t rows, const uint8_t *in,
                            uint8_t *out) {
    orr_cpu_scratch *scratch = atomic_exchange(&spare_scratch, NULL);
    if (!scratch) scratch = aligned_alloc(64, sizeof *scratch);
    if (!scratch) return ORR_INTERNAL;
    function(cipher, key, rows, in, out, scratch);
    explicit_bzero(scratch, sizeof *scratch);
    free(atomic_exchange(&spare_scratch, scratch));
    orr_cpu_wipe_stack();
    return ORR_OK;
}

orr_status orr_cpu_tile_encrypt(orr_simd level, const orr_cipher *cipher, const orr_tile_key *key,
                                uint32_t rows, const uint8_t *in, uint8_t *out) {
    return run_alone(orr_cpu_level_of(level)->encrypt, cipher, key, rows, in, out);
}

orr_status orr_cpu_tile_decrypt(orr_simd level, const orr_cipher *cipher, const orr_tile_key *key,
                                uint32_t rows, const uint8_t *in, uint8_t *out) {
    return run_alone(orr_cpu_level_of(level)->decrypt, cipher, key, rows, in, out);
}
