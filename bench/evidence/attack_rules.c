#include "bench/evidence/attack_rules.h"

#include <stdlib.h>
#include <string.h>

#include "bench/evidence/attack_layout.h"
#include "kernels/map.h"

typedef struct xor_table {
    uint8_t of[64]; // symbol of planet(a) xor planet(b)
} xor_table;

static void table_of(const orr_rule *rule, xor_table *table) {
    for (unsigned a = 0; a < 8; a++)
        for (unsigned b = 0; b < 8; b++)
            table->of[8 * a + b] = rule->symbol[rule->planet[a] ^ rule->planet[b]];
}

static int compare_tables(const void *a, const void *b) {
    return memcmp(a, b, sizeof(xor_table));
}

static int is_affine(const uint8_t p[8]) {
    for (unsigned a = 0; a < 8; a++)
        for (unsigned b = 0; b < 8; b++)
            for (unsigned c = 0; c < 8; c++)
                if ((p[a] ^ p[b] ^ p[c]) != p[a ^ b ^ c]) return 0;
    return 1;
}

int orr_rule_is_affine(const orr_rule *rule) {
    return is_affine(rule->planet);
}

orr_status orr_rules_count(orr_rule_census *census, orr_error *error) {
    xor_table *tables = malloc(ORR_RULE_COUNT * sizeof *tables), standard;
    orr_rule rule;
    if (!tables) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    *census = (orr_rule_census){.rules = ORR_RULE_COUNT};
    orr_status status = orr_rule_init(&rule, ORR_RULE_DEFAULT, error);
    table_of(&rule, &standard);
    census->default_is_affine = orr_rule_is_affine(&rule);
    for (uint32_t n = 0; n < ORR_RULE_COUNT && status == ORR_OK; n++) {
        status = orr_rule_init(&rule, n + 1, error);
        table_of(&rule, &tables[n]);
        census->affine += (uint32_t)orr_rule_is_affine(&rule);
        census->affine_ranks += (uint32_t)(orr_rule_is_affine(&rule) && is_affine(rule.rank));
        census->like_default += memcmp(&tables[n], &standard, sizeof standard) == 0;
    }
    qsort(tables, ORR_RULE_COUNT, sizeof *tables, compare_tables);
    for (uint32_t n = 0; n < ORR_RULE_COUNT; n++)
        census->tables += n == 0 || compare_tables(&tables[n], &tables[n - 1]) != 0;
    free(tables);
    return status;
}

// Undoes the last step: K8, then the ranks.
static void undo_last_step(const orr_rule *rule, const orr_volume_key *key,
                           const orr_attack_layout *layout, uint8_t *data) {
    size_t bytes = orr_attack_bytes(layout);
    uint64_t u = orr_arccos15(key->part[7]);
    for (size_t n = 0; n < bytes; n++) {
        u = orr_map_step(u, ORR_MAP_K2_DEFAULT);
        int64_t y = orr_cos15(u);
        data[n] ^= (uint8_t)(y < 0 ? -y : y);
    }
    for (size_t t = 0; t < bytes * 8 / 3; t++)
        orr_attack_set_symbol(layout, data, t, rule->unrank[orr_attack_symbol(layout, data, t)]);
}

// Share of bytes at which four texts do not sum to zero.
static double odd_share(const uint8_t *text, size_t bytes) {
    size_t odd = 0;
    for (size_t n = 0; n < bytes; n++)
        odd += (text[n] ^ text[bytes + n] ^ text[2 * bytes + n] ^ text[3 * bytes + n]) != 0;
    return (double)odd / (double)bytes;
}

orr_status orr_linearity_test(uint32_t rule, uint32_t side, uint64_t seed, double *share,
                              double *rounds, orr_error *error) {
    orr_attack_layout layout = {0, {3, side, side}};
    size_t bytes = orr_attack_bytes(&layout);
    uint8_t *text = malloc(4 * bytes);
    orr_cipher cipher;
    orr_volume_key key;
    if (!text) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t n = 0; n < 3 * bytes; n++) text[n] = (uint8_t)(orr_mix64(seed + n) >> 56);
    for (size_t n = 0; n < bytes; n++)
        text[3 * bytes + n] = text[n] ^ text[bytes + n] ^ text[2 * bytes + n];
    for (int n = 0; n < 8; n++) key.part[n] = orr_mix64(~seed + (uint64_t)n) % 1000000000000000u;
    orr_status status = orr_cipher_init(&cipher, rule, ORR_MAP_K2_DEFAULT, error);
    for (size_t n = 0; n < 4 && status == ORR_OK; n++)
        status = orr_volume_encrypt(&cipher, &key, layout.shape, text + n * bytes, error);
    if (status == ORR_OK) {
        *share = odd_share(text, bytes);
        for (size_t n = 0; n < 4; n++)
            undo_last_step(&cipher.rule, &key, &layout, text + n * bytes);
        *rounds = odd_share(text, bytes);
    }
    free(text);
    return status;
}
