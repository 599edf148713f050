// Key sensitivity, and the key space counted three ways.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/evidence_report.h"
#include "kernels/map.h"

#define FIRST_EXPONENT 14
#define EXPONENTS 6 // 10^-14 .. 10^-19

typedef struct trial_text {
    const orr_picture *picture;
    orr_cipher cipher;
    orr_volume_key key;
    uint8_t *cipher_text, *work; // the picture's size
} trial_text;

// Decrypts under `key` and compares: share of samples that are wrong.
static orr_status wrong_share(trial_text *t, const orr_volume_key *key, const uint8_t *cipher_text,
                              double *share, orr_error *error) {
    if (t->work != cipher_text) memcpy(t->work, cipher_text, t->picture->bytes);
    orr_status status = orr_volume_decrypt(&t->cipher, key, t->picture->shape, t->work, error);
    orr_samples view = orr_picture_view(t->picture, t->work);
    if (status == ORR_OK) *share = orr_npcr(&t->picture->samples, &view);
    return status;
}

// Units of 2^-63 in the angle that 10^-exponent in y amounts to: dy = -pi sin(pi u) du.
static uint64_t angle_units(uint64_t u, int exponent) {
    long double pi = 3.14159265358979323846264338327950288L;
    long double slope = pi * sinl(pi * (long double)u * 0x1p-63L);
    return (uint64_t)llroundl(powl(10, -exponent) / slope * 0x1p63L);
}

// Decrypting with K8 started `units` further on in its angle: the key stream is exchanged before
// the rest is undone under the true key.
static orr_status wrong_share_of_angle(trial_text *t, uint64_t units, double *share,
                                       orr_error *error) {
    uint64_t u = orr_arccos15(t->key.part[7]), v = u + units;
    for (size_t n = 0; n < t->picture->bytes; n++) {
        u = orr_map_step(u, t->cipher.k2);
        v = orr_map_step(v, t->cipher.k2);
        int64_t a = orr_cos15(u), b = orr_cos15(v);
        uint8_t change = (uint8_t)(a < 0 ? -a : a) ^ (uint8_t)(b < 0 ? -b : b);
        t->work[n] = t->cipher_text[n] ^ change;
    }
    return wrong_share(t, &t->key, t->work, share, error);
}

static void sensitivity_finding(orr_evidence *e, orr_table *table, const trial_text *t,
                                const char *what, int exponent, double share, int must_fail,
                                const char *published) {
    char name[96];
    snprintf(name, sizeof name, "samples wrong, %s changed by 10^-%d", what, exponent);
    orr_finding finding = {.measure = name,
                           .subject = "paper",
                           .image = t->picture->name,
                           .unit = "%",
                           .value = 100 * share,
                           .published = published,
                           .ideal = NAN,
                           .low = must_fail ? 99 : NAN,
                           .high = must_fail ? INFINITY : NAN,
                           .headline = must_fail && exponent == 16};
    orr_table_cell(table, orr_evidence_finding(e, &finding), "%.3f", 100 * share);
}

static orr_status exponent_rows(orr_evidence *e, cJSON *section, trial_text *t, orr_table *table,
                                orr_error *error) {
    cJSON *array = cJSON_AddArrayToObject(section, "paper_sensitivity");
    orr_status status = ORR_OK;
    for (int n = 0; n < EXPONENTS && status == ORR_OK; n++) {
        int exponent = FIRST_EXPONENT + n;
        uint64_t grid = exponent == 14 ? 10 : exponent == 15; // units of 10^-15
        uint64_t units = angle_units(orr_arccos15(t->key.part[7]), exponent);
        orr_volume_key changed = t->key;
        changed.part[7] = (changed.part[7] + grid) % 1000000000000000u;
        double on_grid = 0, in_state = 0;
        const char *published = exponent == 16   ? "decryption fails"
                                : exponent == 17 ? "decryption succeeds"
                                                 : NULL;
        status = wrong_share(t, &changed, t->cipher_text, &on_grid, error);
        if (status == ORR_OK) status = wrong_share_of_angle(t, units, &in_state, error);
        if (status != ORR_OK) break;
        orr_table_cell(table, ORR_MARK_NONE, "10^-%d", exponent);
        orr_table_cell(table, ORR_MARK_NONE, "%s", published ? published : "not available");
        orr_table_cell(table, ORR_MARK_NONE, "%llu", (unsigned long long)grid);
        sensitivity_finding(e, table, t, "K8's 15-digit value", exponent, on_grid, grid != 0,
                            published);
        orr_table_cell(table, ORR_MARK_NONE, "%llu", (unsigned long long)units);
        sensitivity_finding(e, table, t, "K8's initial state", exponent, in_state, units > 1,
                            published);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddNumberToObject(object, "exponent", -exponent);
        cJSON_AddNumberToObject(object, "grid_units", (double)grid);
        cJSON_AddNumberToObject(object, "grid_wrong_share", on_grid);
        cJSON_AddNumberToObject(object, "state_units", (double)units);
        cJSON_AddNumberToObject(object, "state_wrong_share", in_state);
    }
    return status;
}

static orr_status each_value(orr_evidence *e, cJSON *section, trial_text *t, orr_error *error) {
    static const orr_page_column columns[] = {{"value changed by 10^-15", ORR_ALIGN_LEFT},
                                              {"samples wrong %", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 2};
    double share[8];
    orr_status status = ORR_OK;
    for (int n = 0; n < 8 && status == ORR_OK; n++) {
        orr_volume_key changed = t->key;
        changed.part[n] = (changed.part[n] + 1) % 1000000000000000u;
        status = wrong_share(t, &changed, t->cipher_text, &share[n], error);
        orr_table_cell(&table, ORR_MARK_NONE, "K%d", n + 1);
        orr_table_cell(&table, ORR_MARK_NONE, "%.3f", 100 * share[n]);
    }
    if (status == ORR_OK) orr_json_add_reals(section, "each_value_wrong_share", share, 8);
    orr_status put =
        orr_table_put(&e->body, &table, "Each of the eight initial values by itself", error);
    if (t->picture->shape.channels == 1)
        orr_page_note(&e->body,
                      "K3 and K7 order the channels. This image has one, so a wrong order "
                      "cannot show: 0 %.");
    return status == ORR_OK ? put : status;
}

// One bit of one 64-bit initial state of a tile.
static orr_status archive_bits(orr_evidence *e, cJSON *section, const orr_picture *p,
                               orr_error *error) {
    uint8_t key[64], *text = calloc(3, ORR_TILE_BYTES);
    if (!text) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    uint8_t *cipher_text = text + ORR_TILE_BYTES, *back = cipher_text + ORR_TILE_BYTES;
    orr_cipher cipher;
    orr_tile_key tile_key = {{0}};
    double wrong = 0;
    memcpy(text, p->samples.data, p->bytes < ORR_TILE_BYTES ? p->bytes : ORR_TILE_BYTES);
    orr_evidence_key(e, "sensitivity", 1, key);
    orr_status status = orr_cipher_init(&cipher, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, error);
    if (status == ORR_OK) status = orr_subject_tile_key(key, 0, &tile_key);
    if (status == ORR_OK &&
        orr_tile_encrypt_portable(&cipher, &tile_key, ORR_TILE_ROWS, text, cipher_text) != ORR_OK)
        status = orr_fail(error, ORR_INTERNAL, "memory ran out");
    tile_key.state[7] ^= 1;
    if (status == ORR_OK &&
        orr_tile_decrypt_portable(&cipher, &tile_key, ORR_TILE_ROWS, cipher_text, back) != ORR_OK)
        status = orr_fail(error, ORR_INTERNAL, "memory ran out");
    if (status == ORR_OK) {
        for (size_t n = 0; n < ORR_TILE_BYTES; n++) wrong += text[n] != back[n];
        wrong /= ORR_TILE_BYTES;
        orr_finding finding = {.measure = "bytes of a tile wrong, one bit of K8's 64-bit state",
                               .subject = "planet-layer",
                               .image = p->name,
                               .unit = "%",
                               .value = 100 * wrong,
                               .ideal = NAN,
                               .low = 99,
                               .high = INFINITY};
        orr_evidence_finding(e, &finding);
        cJSON_AddNumberToObject(section, "archive_one_bit_wrong_share", wrong);
        char line[256];
        snprintf(
            line, sizeof line,
            "Archive profile: its initial states are 64-bit integers, with no digits to lose. "
            "With one bit of K8's state changed (2^-64 of its range, 5.4 x 10^-20), %.3f %% of a "
            "tile's bytes come back wrong; of a whole file the seal refuses any wrong key "
            "outright.",
            100 * wrong);
        orr_page_paragraph(&e->body, line);
    }
    free(text);
    return status;
}

static orr_status sensitivity(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"change", ORR_ALIGN_LEFT},
                                              {"published", ORR_ALIGN_LEFT},
                                              {"units of 10^-15", ORR_ALIGN_RIGHT},
                                              {"samples wrong, 15-digit key %", ORR_ALIGN_RIGHT},
                                              {"units of 2^-63 in the angle", ORR_ALIGN_RIGHT},
                                              {"samples wrong, map's state %", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 6};
    trial_text t = {.picture = &e->pictures.list[0]};
    uint8_t key[64];
    orr_status status = orr_evidence_step(e, error, "key sensitivity");
    if (status != ORR_OK) return status;
    t.cipher_text = malloc(2 * t.picture->bytes);
    if (!t.cipher_text) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    t.work = t.cipher_text + t.picture->bytes;
    orr_evidence_key(e, "sensitivity", 0, key);
    orr_subject_paper_key(key, &t.key);
    memcpy(t.cipher_text, t.picture->samples.data, t.picture->bytes);
    status = orr_cipher_init(&t.cipher, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, error);
    if (status == ORR_OK)
        status = orr_volume_encrypt(&t.cipher, &t.key, t.picture->shape, t.cipher_text, error);
    if (status == ORR_OK) status = exponent_rows(e, section, &t, &table, error);
    orr_status put = orr_table_put(&e->body, &table, "Decryption with K8 changed", error);
    if (status == ORR_OK) status = put;
    orr_page_note(&e->body, "Read with care. A published initial value has 15 digits: a change of "
                            "10^-16 falls between two "
                            "values, the key is the same key and decryption succeeds. What can be "
                            "changed by 10^-16 is the "
                            "state of the map, which here has 63 bits (2^-63 = 1.1 x 10^-19): "
                            "there decryption fails at "
                            "10^-16, and further down to where the change rounds to nothing. The "
                            "published limit, failure "
                            "at 10^-16 and success at 10^-17, is that of a double. Sensitivity "
                            "says that near keys do not "
                            "help; a guess of the map's state needs no near key.");
    if (status == ORR_OK) status = each_value(e, section, &t, error);
    free(t.cipher_text);
    return status == ORR_OK ? archive_bits(e, section, &e->pictures.list[0], error) : status;
}

typedef struct space_row {
    const char *key, *how, *count;
    double bits;
    const char *published;
} space_row;

static orr_status key_space(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"counted", ORR_ALIGN_LEFT},
                                              {"keys", ORR_ALIGN_LEFT},
                                              {"bits", ORR_ALIGN_RIGHT},
                                              {"published", ORR_ALIGN_RIGHT}};
    const double ten = log2(10);
    const space_row rows[] = {
        {"as_published", "as published", "40,320 rules x 10^128", log2(40320) + 128 * ten, "2^440"},
        {"corrected",
         "corrected: eight values of 15 digits are 10^120, and 40,320 rules have only "
         "240 different XOR tables",
         "240 x 10^120", log2(240) + 120 * ten, NULL},
        {"rule_public", "the rule is public (37241 is printed in the paper, and in every header)",
         "10^120", 120 * ten, NULL},
        {"paper_effective",
         "effective, paper profile as built here: eight values from SHA-512 of channel sums, time "
         "and "
         "a secret 256-bit nonce; sums and time can be guessed",
         "2^256 nonces", 256, NULL},
        {"published_nonce",
         "effective, where the nonce is not secret: three sums of a 64 x 64 decoy (at most 20 bits "
         "each) and the second within a year",
         "1,044,481^3 x 31,557,600", 3 * log2(1044481) + log2(31557600), NULL},
        {"reused_key", "effective, either planet layer under a key used twice: chosen texts, below",
         "a few hundred texts", 0, NULL},
        {"archive_effective", "archive profile: AES-256-GCM; the planet layer adds no claimed bits",
         "2^256", 256, NULL},
    };
    orr_table table = {.columns = columns, .column_count = 4};
    cJSON *array = cJSON_AddArrayToObject(section, "key_space");
    orr_page_heading(&e->body, 3, "Key space, counted three ways");
    for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
        const space_row *r = &rows[n];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddStringToObject(object, "counted", r->key);
        cJSON_AddStringToObject(object, "how", r->how);
        cJSON_AddNumberToObject(object, "bits", r->bits);
        orr_finding finding = {.measure = "key space",
                               .subject = r->key,
                               .unit = "bits",
                               .value = r->bits,
                               .published = r->published,
                               ORR_NO_BOUNDS};
        orr_evidence_finding(e, &finding);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", r->how);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", r->count);
        orr_table_cell(&table, ORR_MARK_NONE, "%.1f", r->bits);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", r->published ? r->published : "not available");
    }
    orr_status status = orr_table_put(&e->body, &table, "Key space", error);
    orr_page_note(
        &e->body,
        "A large key space only rules out trying all keys. The sequences are attacked one by "
        "one, so the eight values do not multiply: two known words give a lane of the archive "
        "profile's map away after 2^31 steps (below).");
    return status;
}

orr_status orr_section_keys(orr_evidence *e, orr_error *error) {
    cJSON *section = orr_evidence_section(e, "keys", "Keys: sensitivity and number",
                                          "The first image is encrypted, then decrypted under a "
                                          "key changed by a little. 99.6 % wrong "
                                          "samples (of 8 bits) is what an unrelated key gives.");
    orr_status status = sensitivity(e, section, error);
    return status == ORR_OK ? key_space(e, section, error) : status;
}
