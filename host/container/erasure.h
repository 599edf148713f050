// Reed-Solomon erasure code over pages (docs/FORMAT.md, "Repair data"): `data` rows and `parity`
// rows of a group, byte by byte in GF(2^8). Arithmetic only: it knows no files. Needs ISA-L, which
// picks its code by the processor; a build without it has every function end with ORR_UNSUPPORTED.
#ifndef ORRERY_HOST_CONTAINER_ERASURE_H
#define ORRERY_HOST_CONTAINER_ERASURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_ERASURE_ROWS 255u // data and parity rows of a group together

typedef struct orr_erasure {
    uint32_t data, parity;
    uint8_t *matrix; // parity x data coefficients
    uint8_t *tables; // ISA-L's of the matrix
    // The last inverse, for the next group with the same loss.
    uint8_t *inverse;
    uint32_t lost_count;
    uint8_t lost[ORR_ERASURE_ROWS], used[ORR_ERASURE_ROWS];
} orr_erasure;

// ORR_UNSUPPORTED: built without ISA-L, or not 1 <= data, 1 <= parity, data + parity <= 255;
// ORR_INTERNAL: no memory. A zeroed one and one that init refused may be freed.
orr_status orr_erasure_init(orr_erasure *code, uint32_t data, uint32_t parity, orr_error *error);
void orr_erasure_free(orr_erasure *code);

// Adds the part that data row `row` has in parity rows `first` .. `first + count - 1`:
// sums[i] (4,096 bytes each) becomes sums[i] ^ coefficient * page. Any thread.
void orr_erasure_add(const orr_erasure *code, uint32_t row, uint32_t first, uint32_t count,
                     const uint8_t *page, uint8_t *const *sums);

// Solves for `count` lost data rows from as many parity rows `used`, both ascending: syndromes[i]
// is parity row used[i] with the parts of all data rows that are there taken off, pages[i] becomes
// data row lost[i]. 4,096 bytes each, not overlapping. One thread at a time. ORR_INTERNAL: no
// memory, or more rows than there are.
orr_status orr_erasure_solve(orr_erasure *code, uint32_t count, const uint8_t *lost,
                             const uint8_t *used, uint8_t *const *syndromes, uint8_t *const *pages,
                             orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
