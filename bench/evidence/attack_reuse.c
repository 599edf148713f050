#include "bench/evidence/attack_reuse.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/map.h"

#define BATCH 32 // texts handed to the oracle at once

typedef struct attack {
    const orr_attack_layout *layout;
    const orr_rule *rule;
    const orr_oracle *oracle;
    orr_reuse_result *result;
    size_t bytes;
    uint8_t *base;           // the text behind the first VPD encoding
    uint8_t *base_cipher;    // its ciphertext
    uint8_t *plain, *cipher; // BATCH texts each
    uint8_t *symbol_cipher;  // seven ciphertexts, of the differences of the first symbol
    uint8_t *scratch[3];     // one text each
} attack;

// ---- texts and queries

static int attack_allocate(attack *a) {
    const orr_volume_shape *s = &a->layout->shape;
    orr_equivalent_key *key = &a->result->key;
    a->bytes = orr_attack_bytes(a->layout);
    a->base = malloc(a->bytes);
    a->base_cipher = malloc(a->bytes);
    a->plain = malloc(BATCH * a->bytes);
    a->cipher = malloc(BATCH * a->bytes);
    a->symbol_cipher = malloc(7 * a->bytes);
    int good = a->base && a->base_cipher && a->plain && a->cipher && a->symbol_cipher;
    for (int n = 0; n < 3; n++) good &= (a->scratch[n] = malloc(a->bytes)) != NULL;
    for (int n = 0; n < 2; n++) {
        key->shuffle[n].row = calloc(s->rows, sizeof(uint32_t));
        key->shuffle[n].column = calloc(s->columns, sizeof(uint32_t));
        good &= key->shuffle[n].row && key->shuffle[n].column;
    }
    key->k4 = malloc(a->bytes);
    key->whiten = malloc(a->bytes);
    return good && key->k4 && key->whiten;
}

static void attack_free(attack *a) {
    free(a->base);
    free(a->base_cipher);
    free(a->plain);
    free(a->cipher);
    free(a->symbol_cipher);
    for (int n = 0; n < 3; n++) free(a->scratch[n]);
}

void orr_reuse_result_free(orr_reuse_result *result) {
    for (int n = 0; n < 2; n++) {
        free(result->key.shuffle[n].row);
        free(result->key.shuffle[n].column);
    }
    free(result->key.k4);
    free(result->key.whiten);
    memset(&result->key, 0, sizeof result->key);
}

static void fill_random(uint8_t *data, size_t bytes, uint64_t seed) {
    for (size_t n = 0; n < bytes; n++) data[n] = (uint8_t)(orr_mix64(seed + n) >> 56);
}

// Ciphertexts of `count` texts that stand behind the first VPD encoding in a->plain.
static orr_status ask(attack *a, size_t count, uint8_t *cipher, orr_error *error) {
    for (size_t n = 0; n < count; n++)
        orr_attack_vpd_inverse(a->layout, a->rule, a->plain + n * a->bytes);
    a->result->queries += count;
    return a->oracle->encrypt(a->oracle->context, count, a->plain, cipher, error);
}

static size_t place_of(const attack *a, uint32_t channel, uint32_t row, uint32_t column) {
    const orr_volume_shape *s = &a->layout->shape;
    return ((size_t)channel * s->rows + row) * s->columns + column;
}

// ---- permutations. A "place" is a byte of a paper volume; of a tile, where a symbol takes one bit
// of each channel, it is the three bytes at one row and column.

static size_t place_count(const attack *a) {
    return a->layout->tile ? a->bytes / 3 : a->bytes;
}

// Marks the places at which a ciphertext differs from the base's; returns how many.
static size_t changed_places(const attack *a, const uint8_t *cipher, uint8_t *changed) {
    size_t places = place_count(a), count = 0;
    for (size_t n = 0; n < places; n++) {
        changed[n] = cipher[n] != a->base_cipher[n];
        for (size_t k = 1; a->layout->tile && k < 3; k++)
            changed[n] |= cipher[n + k * places] != a->base_cipher[n + k * places];
        count += changed[n];
    }
    return count;
}

// Where a byte of the text has gone, from the number of changed places. The difference is chosen so
// that the changed symbol is the last one of a tile's byte, or lies inside one byte of a volume.
static void landing(const attack *a, size_t changed, uint32_t at[3]) {
    const orr_volume_shape *s = &a->layout->shape;
    size_t before = place_count(a) - changed;
    if (before == place_count(a)) before = 0; // nothing changed: no place
    if (a->layout->tile) {
        at[0] = 0;
        at[1] = (uint32_t)(before % s->rows);
        at[2] = (uint32_t)(before / s->rows);
        return;
    }
    at[0] = (uint32_t)(before / ((size_t)s->rows * s->columns));
    at[1] = (uint32_t)(before / s->columns % s->rows);
    at[2] = (uint32_t)(before % s->columns);
}

// Asks for the base with one byte changed along an axis (0 channels, 1 rows, 2 columns), from
// index 0 to count - 1; `fixed` gives the place on the other axes, and axis index n stands at
// order[n] (NULL: n itself). Calls take() for each answer.
typedef void (*take_answer)(attack *a, void *context, uint32_t n, const uint8_t *cipher);

static orr_status ask_along(attack *a, int axis, uint32_t count, const uint32_t fixed[3],
                            const uint32_t *order, take_answer take, void *context,
                            orr_error *error) {
    uint8_t difference = a->layout->tile ? 0x01 : 0x10;
    for (uint32_t start = 0; start < count; start += BATCH) {
        uint32_t batch = count - start < BATCH ? count - start : BATCH;
        for (uint32_t n = 0; n < batch; n++) {
            uint32_t at[3] = {fixed[0], fixed[1], fixed[2]};
            at[axis] = order ? order[start + n] : start + n;
            memcpy(a->plain + n * a->bytes, a->base, a->bytes);
            a->plain[n * a->bytes + place_of(a, at[0], at[1], at[2])] ^= difference;
        }
        orr_status status = ask(a, batch, a->cipher, error);
        if (status != ORR_OK) return status;
        for (uint32_t n = 0; n < batch; n++) take(a, context, start + n, a->cipher + n * a->bytes);
    }
    return ORR_OK;
}

static uint32_t axis_length(const attack *a, int axis) {
    const orr_volume_shape *s = &a->layout->shape;
    return axis == 0 ? s->channels : axis == 1 ? s->rows : s->columns;
}

static uint32_t *axis_table(orr_shuffle *shuffle, int axis) {
    return axis == 0 ? shuffle->channel : axis == 1 ? shuffle->row : shuffle->column;
}

typedef struct landings {
    int axis;
    uint8_t *taken;    // which landings are taken
    uint32_t found;    // distinct ones
    uint32_t first[3]; // of index 0: the other axes must not move
} landings;

static void take_landing(attack *a, void *context, uint32_t n, const uint8_t *cipher) {
    landings *l = context;
    uint32_t at[3];
    landing(a, changed_places(a, cipher, a->scratch[0]), at);
    if (n == 0) memcpy(l->first, at, sizeof at);
    for (int axis = 0; axis < 3; axis++)
        if (axis != l->axis && at[axis] != l->first[axis]) return;
    if (l->taken[at[l->axis]]++) return;
    l->found++;
    axis_table(&a->result->key.shuffle[0], l->axis)[at[l->axis]] = n;
}

// The first permutation. Complete only when every index of every axis has a landing of its own.
static orr_status find_first_shuffle(attack *a, int *complete, orr_error *error) {
    static const uint32_t origin[3] = {0, 0, 0};
    *complete = 1;
    for (int axis = a->layout->tile ? 1 : 0; axis < 3; axis++) {
        uint32_t count = axis_length(a, axis);
        landings l = {.axis = axis, .taken = calloc(count, 1)};
        if (!l.taken) return orr_fail(error, ORR_INTERNAL, "memory ran out");
        orr_status status = ask_along(a, axis, count, origin, NULL, take_landing, &l, error);
        free(l.taken);
        if (status != ORR_OK) return status;
        a->result->places_found += l.found;
        a->result->places_total += count;
        *complete &= l.found == count;
    }
    return ORR_OK;
}

typedef struct nesting {
    int axis;
    uint32_t count;
    uint32_t found; // indices whose change could be told from that of the next
} nesting;

// Places that the answer of index n changes and that of n + 1 does not are index n's own. The
// answers come in order; a->scratch[1] holds the one before.
static void take_nested(attack *a, void *context, uint32_t n, const uint8_t *cipher) {
    nesting *nest = context;
    const orr_volume_shape *s = &a->layout->shape;
    uint8_t *now = a->scratch[0], *before = a->scratch[1];
    uint32_t *table = axis_table(&a->result->key.shuffle[1], nest->axis);
    size_t places = place_count(a);
    changed_places(a, cipher, now);
    for (int last = 0; last < 2; last++) {
        // Of the last index itself: everything that it changes.
        if (last ? n + 1 != nest->count : n == 0) continue;
        const uint8_t *outer = last ? now : before;
        for (size_t p = 0; p < places; p++) {
            if (!outer[p] || (!last && now[p])) continue;
            uint32_t at[3] = {(uint32_t)(p / ((size_t)s->rows * s->columns)),
                              (uint32_t)(p / s->columns % s->rows), (uint32_t)(p % s->columns)};
            if (at[nest->axis] < nest->count) {
                table[at[nest->axis]] = last ? n : n - 1;
                nest->found++;
            }
            break;
        }
    }
    a->scratch[0] = before;
    a->scratch[1] = now;
}

static int is_permutation(const uint32_t *table, uint32_t count, uint8_t *seen) {
    memset(seen, 0, count);
    for (uint32_t n = 0; n < count; n++)
        if (table[n] >= count || seen[table[n]]++) return 0;
    return 1;
}

// The second permutation, with changes that land on chosen places: the last row for columns of a
// volume, the last column for rows of a tile, the first place of a row, column or channel
// otherwise.
static orr_status find_second_shuffle(attack *a, int *complete, orr_error *error) {
    const orr_volume_shape *s = &a->layout->shape;
    orr_shuffle *first = &a->result->key.shuffle[0], *second = &a->result->key.shuffle[1];
    *complete = 1;
    for (int axis = a->layout->tile ? 1 : 0; axis < 3; axis++) {
        uint32_t target[3] = {s->channels - 1, s->rows - 1, s->columns - 1}; // landing
        if (axis == 0) target[1] = target[2] = 0;
        if (axis == 1 && !a->layout->tile) target[2] = 0;
        if (axis == 2 && a->layout->tile) target[1] = 0;
        uint32_t fixed[3] = {a->layout->tile ? 0 : first->channel[target[0]], first->row[target[1]],
                             first->column[target[2]]};
        nesting nest = {.axis = axis, .count = axis_length(a, axis)};
        orr_status status = ask_along(a, axis, nest.count, fixed, axis_table(first, axis),
                                      take_nested, &nest, error);
        if (status != ORR_OK) return status;
        *complete &= nest.found == nest.count &&
                     is_permutation(axis_table(second, axis), nest.count, a->scratch[0]);
    }
    return ORR_OK;
}

// ---- planets, K4 and K8

// The seven differences of the symbol that stands first behind the first intershuffle. A tile's
// symbol takes one bit of each channel: which of the text's channels is which is tried later, and
// here difference `d` changes the text's channels of the bits of d.
static orr_status ask_first_symbol(attack *a, orr_error *error) {
    const orr_shuffle *first = &a->result->key.shuffle[0];
    for (unsigned d = 1; d < 8; d++) {
        uint8_t *text = a->plain + (d - 1) * a->bytes;
        memcpy(text, a->base, a->bytes);
        if (!a->layout->tile) {
            text[place_of(a, first->channel[0], first->row[0], first->column[0])] ^=
                (uint8_t)(d << 5);
            continue;
        }
        for (uint32_t k = 0; k < 3; k++)
            if (d >> (2 - k) & 1) text[place_of(a, k, first->row[0], first->column[0])] ^= 0x80;
    }
    return ask(a, 7, a->symbol_cipher, error);
}

// Which difference of the first symbol the query `d` made, when Y's channel k is the text's channel
// first->channel[k].
static unsigned real_difference(const attack *a, unsigned d) {
    const uint32_t *channel = a->result->key.shuffle[0].channel;
    unsigned real = 0;
    if (!a->layout->tile) return d;
    for (unsigned k = 0; k < 3; k++) real |= (d >> (2 - channel[k]) & 1u) << (2 - k);
    return real;
}

// A planet p of a place with symbol'(p) XOR symbol'(p XOR shift[d]) = seen[d] for all d, or 8.
static unsigned fitting_planet(const orr_rule *rule, const unsigned shift[8],
                               const unsigned seen[8]) {
    for (unsigned p = 0; p < 8; p++) {
        unsigned d = 1;
        while (d < 8 && (rule->symbol[p] ^ rule->symbol[p ^ shift[d]]) == seen[d]) d++;
        if (d == 8) return p;
    }
    return 8;
}

// With the channels of both shuffles and the first symbol of Y assumed: the planets of the second
// VPD encoding, hence K4 and the whitening. Returns 0 when some place contradicts the assumption.
// a->plain holds the seven ciphertext differences with the second intershuffle undone.
static int solve_masks(attack *a, unsigned first_symbol) {
    orr_equivalent_key *key = &a->result->key;
    size_t symbols = a->bytes * 8 / 3;
    uint8_t *text = a->scratch[0], *encoded = a->scratch[1];
    unsigned shift[8] = {0}, before = 0;
    for (unsigned d = 1; d < 8; d++)
        shift[d] =
            a->rule->planet[first_symbol] ^ a->rule->planet[first_symbol ^ real_difference(a, d)];
    memset(text, 0, a->bytes);
    memset(encoded, 0, a->bytes);
    for (size_t t = 0; t < symbols; t++) {
        unsigned seen[8];
        for (unsigned d = 1; d < 8; d++)
            seen[d] = orr_attack_symbol(a->layout, a->plain + (d - 1) * a->bytes, t);
        unsigned planet = fitting_planet(a->rule, shift, seen);
        if (planet == 8) return 0;
        orr_attack_set_symbol(a->layout, encoded, t, a->rule->symbol[planet]);
        orr_attack_set_symbol(a->layout, text, t, a->rule->symbol[planet ^ before]);
        before = planet;
    }
    orr_attack_shuffle(a->layout, &key->shuffle[0], a->base, key->k4);
    orr_attack_shuffle(a->layout, &key->shuffle[1], encoded, key->whiten);
    for (size_t n = 0; n < a->bytes; n++) {
        key->k4[n] ^= text[n];
        key->whiten[n] ^= a->base_cipher[n];
    }
    return 1;
}

// Encrypts with the equivalent key: a ciphertext that took no part in finding it must come out.
static int predicts(attack *a, const uint8_t *plain, const uint8_t *cipher) {
    const orr_equivalent_key *key = &a->result->key;
    uint8_t *x = a->scratch[0], *y = a->scratch[1];
    memcpy(x, plain, a->bytes);
    orr_attack_vpd(a->layout, a->rule, x);
    orr_attack_shuffle(a->layout, &key->shuffle[0], x, y);
    for (size_t n = 0; n < a->bytes; n++) y[n] ^= key->k4[n];
    orr_attack_vpd(a->layout, a->rule, y);
    orr_attack_shuffle(a->layout, &key->shuffle[1], y, x);
    for (size_t n = 0; n < a->bytes; n++)
        if ((x[n] ^ key->whiten[n]) != cipher[n]) return 0;
    return 1;
}

// All assumptions about one pair of channel orders; a->plain is overwritten.
static int try_channels(attack *a, const uint8_t *known, const uint8_t *known_cipher) {
    for (unsigned d = 0; d < 7; d++) {
        const uint8_t *answer = a->symbol_cipher + d * a->bytes;
        for (size_t n = 0; n < a->bytes; n++) a->scratch[0][n] = answer[n] ^ a->base_cipher[n];
        orr_attack_unshuffle(a->layout, &a->result->key.shuffle[1], a->scratch[0],
                             a->plain + d * a->bytes);
    }
    for (unsigned symbol = 0; symbol < 8; symbol++)
        if (solve_masks(a, symbol) && predicts(a, known, known_cipher)) return 1;
    return 0;
}

static orr_status find_masks(attack *a, uint64_t seed, orr_error *error) {
    static const uint8_t order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    orr_shuffle *shuffle = a->result->key.shuffle;
    uint8_t *known = malloc(2 * a->bytes), *known_cipher = known + a->bytes;
    if (!known) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    fill_random(known, a->bytes, orr_mix64(seed ^ 0x6b6e6f776e));
    a->result->queries++;
    orr_status status = a->oracle->encrypt(a->oracle->context, 1, known, known_cipher, error);
    if (status == ORR_OK) status = ask_first_symbol(a, error);
    int tries = a->layout->tile ? 36 : 1;
    for (int n = 0; n < tries && status == ORR_OK && !a->result->recovered; n++) {
        for (int k = 0; k < 3 && a->layout->tile; k++) {
            shuffle[0].channel[k] = order[n / 6][k];
            shuffle[1].channel[k] = order[n % 6][k];
        }
        a->result->recovered = try_channels(a, known, known_cipher);
    }
    free(known);
    return status;
}

// ---- the attack

static orr_status run_attack(attack *a, uint64_t seed, orr_error *error) {
    int complete = 0;
    fill_random(a->base, a->bytes, orr_mix64(seed));
    memcpy(a->plain, a->base, a->bytes);
    orr_status status = ask(a, 1, a->base_cipher, error);
    if (status == ORR_OK) status = find_first_shuffle(a, &complete, error);
    if (status != ORR_OK) return status;
    if (!complete) {
        a->result->ended = "the changed places are in no order: no permutation shows";
        return ORR_OK;
    }
    status = find_second_shuffle(a, &complete, error);
    if (status != ORR_OK) return status;
    if (!complete) {
        a->result->ended = "the second permutation does not show";
        return ORR_OK;
    }
    status = find_masks(a, seed, error);
    a->result->ended = a->result->recovered ? "" : "no planets fit the answers";
    return status;
}

orr_status orr_attack_reuse(const orr_attack_layout *layout, const orr_rule *rule,
                            const orr_oracle *oracle, uint64_t seed, orr_reuse_result *result,
                            orr_error *error) {
    attack a = {.layout = layout, .rule = rule, .oracle = oracle, .result = result};
    memset(result, 0, sizeof *result);
    result->ended = "";
    orr_status status = attack_allocate(&a) ? run_attack(&a, seed, error)
                                            : orr_fail(error, ORR_INTERNAL, "memory ran out");
    attack_free(&a);
    return status;
}

orr_status orr_equivalent_decrypt(const orr_attack_layout *layout, const orr_rule *rule,
                                  const orr_equivalent_key *key, const uint8_t *cipher,
                                  uint8_t *plain, orr_error *error) {
    size_t bytes = orr_attack_bytes(layout);
    uint8_t *x = calloc(1, bytes);
    if (!x) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t n = 0; n < bytes; n++) x[n] = cipher[n] ^ key->whiten[n];
    orr_attack_unshuffle(layout, &key->shuffle[1], x, plain);
    orr_attack_vpd_inverse(layout, rule, plain);
    for (size_t n = 0; n < bytes; n++) plain[n] ^= key->k4[n];
    orr_attack_unshuffle(layout, &key->shuffle[0], plain, x);
    orr_attack_vpd_inverse(layout, rule, x);
    memcpy(plain, x, bytes);
    free(x);
    return ORR_OK;
}
