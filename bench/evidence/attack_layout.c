// Symbol by symbol (docs/FORMAT.md, "Bitstream order").
#include "bench/evidence/attack_layout.h"

// Where symbol `place` keeps its three bits: byte and shift of each.
typedef struct symbol_bits {
    size_t byte[3];
    unsigned shift[3];
} symbol_bits;

static symbol_bits find_bits(const orr_attack_layout *layout, size_t place) {
    symbol_bits bits;
    const orr_volume_shape *s = &layout->shape;
    if (layout->tile) {
        size_t x = place / s->rows, row = place % s->rows;
        for (size_t k = 0; k < 3; k++) {
            bits.byte[k] = (k * s->rows + row) * s->columns + x / 8;
            bits.shift[k] = 7 - x % 8;
        }
        return bits;
    }
    for (size_t n = 0; n < 3; n++) {
        bits.byte[n] = (3 * place + n) / 8;
        bits.shift[n] = 7 - (3 * place + n) % 8;
    }
    return bits;
}

unsigned orr_attack_symbol(const orr_attack_layout *layout, const uint8_t *data, size_t place) {
    symbol_bits at = find_bits(layout, place);
    return (data[at.byte[0]] >> at.shift[0] & 1u) << 2 |
           (data[at.byte[1]] >> at.shift[1] & 1u) << 1 | (data[at.byte[2]] >> at.shift[2] & 1u);
}

void orr_attack_set_symbol(const orr_attack_layout *layout, uint8_t *data, size_t place,
                           unsigned symbol) {
    symbol_bits at = find_bits(layout, place);
    for (int n = 0; n < 3; n++) {
        uint8_t bit = (uint8_t)(1u << at.shift[n]);
        if (symbol >> (2 - n) & 1)
            data[at.byte[n]] |= bit;
        else
            data[at.byte[n]] &= (uint8_t)~bit;
    }
}

void orr_attack_vpd(const orr_attack_layout *layout, const orr_rule *rule, uint8_t *data) {
    size_t symbols = orr_attack_bytes(layout) * 8 / 3;
    unsigned planet = 0;
    for (size_t t = 0; t < symbols; t++) {
        planet ^= rule->planet[orr_attack_symbol(layout, data, t)];
        orr_attack_set_symbol(layout, data, t, rule->symbol[planet]);
    }
}

void orr_attack_vpd_inverse(const orr_attack_layout *layout, const orr_rule *rule, uint8_t *data) {
    size_t symbols = orr_attack_bytes(layout) * 8 / 3;
    unsigned before = 0;
    for (size_t t = 0; t < symbols; t++) {
        unsigned planet = rule->planet[orr_attack_symbol(layout, data, t)];
        orr_attack_set_symbol(layout, data, t, rule->symbol[planet ^ before]);
        before = planet;
    }
}

void orr_attack_shuffle(const orr_attack_layout *layout, const orr_shuffle *shuffle,
                        const uint8_t *in, uint8_t *out) {
    const orr_volume_shape *s = &layout->shape;
    for (size_t k = 0; k < s->channels; k++) {
        for (size_t i = 0; i < s->rows; i++) {
            const uint8_t *from =
                in + ((size_t)shuffle->channel[k] * s->rows + shuffle->row[i]) * s->columns;
            for (size_t j = 0; j < s->columns; j++) *out++ = from[shuffle->column[j]];
        }
    }
}

void orr_attack_unshuffle(const orr_attack_layout *layout, const orr_shuffle *shuffle,
                          const uint8_t *in, uint8_t *out) {
    const orr_volume_shape *s = &layout->shape;
    for (size_t k = 0; k < s->channels; k++) {
        for (size_t i = 0; i < s->rows; i++) {
            uint8_t *to =
                out + ((size_t)shuffle->channel[k] * s->rows + shuffle->row[i]) * s->columns;
            for (size_t j = 0; j < s->columns; j++) to[shuffle->column[j]] = *in++;
        }
    }
}
