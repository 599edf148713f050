// The public steps of both profiles, written anew from docs/FORMAT.md, because an attacker has no
// other code. Texts are layout bytes long (orr_attack_bytes) and the caller's.
#ifndef ORRERY_BENCH_EVIDENCE_ATTACK_LAYOUT_H
#define ORRERY_BENCH_EVIDENCE_ATTACK_LAYOUT_H

#include "kernels/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

// Bytes of a volume and the order of its symbols.
typedef struct orr_attack_layout {
    int tile; // 1: a tile of the archive profile (kernels/tile.h); 0: a volume of the paper profile
    orr_volume_shape shape; // channels 3; a tile has 128 columns
} orr_attack_layout;

static inline size_t orr_attack_bytes(const orr_attack_layout *layout) {
    return (size_t)layout->shape.channels * layout->shape.rows * layout->shape.columns;
}

// An intershuffle: out(i, j, k) = in(row[i], column[j], channel[k]).
typedef struct orr_shuffle {
    uint32_t *row, *column;
    uint32_t channel[3];
} orr_shuffle;

// VPD encoding and decoding, in place.
void orr_attack_vpd(const orr_attack_layout *layout, const orr_rule *rule, uint8_t *data);
void orr_attack_vpd_inverse(const orr_attack_layout *layout, const orr_rule *rule, uint8_t *data);
// The symbol (0..7) at a place of the bitstream; a text has 8 / 3 symbols for each byte.
unsigned orr_attack_symbol(const orr_attack_layout *layout, const uint8_t *data, size_t place);
void orr_attack_set_symbol(const orr_attack_layout *layout, uint8_t *data, size_t place,
                           unsigned symbol);
// The intershuffle and its inverse; not in place.
void orr_attack_shuffle(const orr_attack_layout *layout, const orr_shuffle *shuffle,
                        const uint8_t *in, uint8_t *out);
void orr_attack_unshuffle(const orr_attack_layout *layout, const orr_shuffle *shuffle,
                          const uint8_t *in, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
