// The tile cipher on one core at every SIMD level, whole and by stage, next to OpenSSL.
#ifndef ORRERY_BENCH_LEVELS_H
#define ORRERY_BENCH_LEVELS_H

#include "bench/bench_measure.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_LEVELS_MOST 64          // items: room for ten levels
#define ORR_LEVELS_OTHER_RULE 12345 // "other rule" in their names

typedef struct orr_levels orr_levels;

// Buffers and keys of a fixed generator for `tiles` tiles; `only` leaves one level, ORR_SIMD_BEST
// takes all that the processor has. ORR_INTERNAL when memory runs out or OpenSSL lacks AES.
orr_status orr_levels_open(orr_levels **levels, int tiles, orr_simd only, orr_error *error);
// Whether each level's bytes are those of the portable path, both ways, for tiles of several
// heights. ORR_SELF_TEST with the level's name.
orr_status orr_levels_check(orr_levels *levels, orr_error *error);
// What can be timed, in processor time of the calling thread: AES-256-GCM first, then AES-256-CTR,
// then for each level encrypt, decrypt, both under another rule, and two stages. Returns how many.
// The items live as long as `levels`.
size_t orr_levels_items(orr_levels *levels, orr_measure_item items[ORR_LEVELS_MOST]);
void orr_levels_close(orr_levels *levels);

// Keeps the calling thread on the core it runs on, so that rounds do not mix cores, and undoes
// that; neither fails, for both only steady the figures.
void orr_levels_pin(void);
void orr_levels_unpin(void);

#ifdef __cplusplus
}
#endif

#endif
