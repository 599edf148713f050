// The adversary's side: controls undone, rules counted, linearity, a reused key, the map's state.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bench/evidence/attack_reuse.h"
#include "bench/evidence/attack_rules.h"
#include "bench/evidence/attack_state.h"
#include "bench/evidence/evidence_report.h"
#include "host/container/crypto.h"
#include "kernels/map.h"

// ---- controls

// Two ciphertexts of the fixed key stream and one known image give the other image.
static orr_status undo_fixed(orr_evidence *e, const orr_picture *p, int *undone, orr_error *error) {
    uint8_t *known = malloc(3 * p->bytes), *cipher = known + p->bytes, *back = cipher + p->bytes;
    uint8_t key[64];
    if (!known) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t n = 0; n < p->bytes; n++) known[n] = (uint8_t)n;
    orr_evidence_key(e, "control", 0, key);
    orr_status status = orr_subject_encrypt(ORR_CONTROL_FIXED, key, p->shape, known, cipher, error);
    if (status == ORR_OK)
        status =
            orr_subject_encrypt(ORR_CONTROL_FIXED, key, p->shape, p->samples.data, back, error);
    for (size_t n = 0; n < p->bytes && status == ORR_OK; n++) back[n] ^= cipher[n] ^ known[n];
    *undone = status == ORR_OK && memcmp(back, p->samples.data, p->bytes) == 0;
    free(known);
    return status;
}

// The control without a secret is undone with what stands beside the ciphertext: the hash.
static orr_status undo_hash(orr_evidence *e, const orr_picture *p, int *undone, orr_error *error) {
    static const uint8_t nonce[12];
    uint8_t *cipher = malloc(p->bytes), hash[64], key[64], tag[16];
    if (!cipher) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_evidence_key(e, "control", 1, key);
    orr_status status =
        orr_subject_encrypt(ORR_CONTROL_HASH, key, p->shape, p->samples.data, cipher, error);
    if (status == ORR_OK) status = orr_sha512(p->samples.data, p->bytes, NULL, 0, hash);
    orr_gcm *gcm = orr_gcm_new(hash);
    if (status == ORR_OK && gcm)
        status = orr_gcm_seal(gcm, nonce, NULL, 0, cipher, p->bytes, cipher, tag);
    *undone = gcm && status == ORR_OK && memcmp(cipher, p->samples.data, p->bytes) == 0;
    orr_gcm_free(gcm);
    free(cipher);
    return status;
}

// How many findings of a subject passed, of those with a test.
static void score(const orr_evidence *e, const char *subject, int *passed, int *tests) {
    const cJSON *finding;
    *passed = *tests = 0;
    cJSON_ArrayForEach(finding, e->findings) {
        const cJSON *of = cJSON_GetObjectItem(finding, "subject");
        const cJSON *verdict = cJSON_GetObjectItem(finding, "passed");
        if (!cJSON_IsString(of) || strcmp(of->valuestring, subject) || !cJSON_IsBool(verdict))
            continue;
        if (strstr(cJSON_GetObjectItem(finding, "measure")->valuestring, "one key")) continue;
        (*tests)++;
        *passed += cJSON_IsTrue(verdict);
    }
}

static orr_status controls(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"cipher", ORR_ALIGN_LEFT},
                                              {"what it is", ORR_ALIGN_LEFT},
                                              {"measures passed, fresh keys", ORR_ALIGN_RIGHT},
                                              {"and under attack", ORR_ALIGN_LEFT}};
    static const char *const end[ORR_SUBJECTS] = {
        "whole files stand (below)",
        "falls when a key is used twice (below)",
        "falls when a key is used twice (below)",
        "",
        "not attacked here: its cycles are short (the section on chaos)",
        ""};
    orr_table table = {.columns = columns, .column_count = 4};
    int undone[2] = {0, 0};
    cJSON *array = cJSON_AddArrayToObject(section, "controls");
    const orr_picture *p = &e->pictures.list[0];
    orr_status status = undo_hash(e, p, &undone[0], error);
    if (status == ORR_OK) status = undo_fixed(e, p, &undone[1], error);
    for (int s = 0; s < ORR_SUBJECTS && status == ORR_OK; s++) {
        int passed, tests;
        score(e, orr_subject_key((orr_subject)s), &passed, &tests);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddStringToObject(object, "subject", orr_subject_key((orr_subject)s));
        cJSON_AddNumberToObject(object, "tests", tests);
        cJSON_AddNumberToObject(object, "passed", passed);
        const char *text = end[s];
        if (s == ORR_CONTROL_HASH) {
            text = undone[0] ? "decrypted without any key, exactly" : "not decrypted";
            cJSON_AddBoolToObject(object, "undone", undone[0]);
        } else if (s == ORR_CONTROL_FIXED) {
            text = undone[1] ? "decrypted with one known image, exactly" : "not decrypted";
            cJSON_AddBoolToObject(object, "undone", undone[1]);
        }
        orr_table_cell(&table, ORR_MARK_NONE, "%s", orr_subject_name((orr_subject)s));
        orr_table_cell(&table, ORR_MARK_NONE, "%s", orr_subject_text((orr_subject)s));
        orr_table_cell(&table, ORR_MARK_NONE, "%d of %d", passed, tests);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", text);
    }
    orr_page_heading(&e->body, 3, "Negative controls");
    orr_status put =
        orr_table_put(&e->body, &table, "The same measures on ciphers that hide nothing", error);
    orr_page_note(
        &e->body,
        "A cipher without any secret passes these measures as the good ones do. (It encrypts "
        "an image to the same ciphertext each time, so its trials share one ciphertext and "
        "their mean may leave its interval.) None of them can tell a good cipher from a bad "
        "one; they find bugs.");
    return status == ORR_OK ? put : status;
}

// ---- rules

static orr_status rules(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"rule", ORR_ALIGN_RIGHT},
                                              {"planets affine in the symbol", ORR_ALIGN_LEFT},
                                              {"bytes that break linearity %", ORR_ALIGN_RIGHT},
                                              {"without the last step %", ORR_ALIGN_RIGHT}};
    static const uint32_t tried[] = {1, ORR_RULE_DEFAULT, 20000, ORR_RULE_COUNT};
    orr_rule_census census;
    orr_table table = {.columns = columns, .column_count = 4};
    char line[768];
    orr_page_heading(&e->body, 3, "Rules and linearity");
    orr_status status = orr_evidence_step(e, error, "rules");
    if (status == ORR_OK) status = orr_rules_count(&census, error);
    if (status != ORR_OK) return status;
    cJSON *object = cJSON_AddObjectToObject(section, "rules");
    cJSON_AddNumberToObject(object, "rules", census.rules);
    cJSON_AddNumberToObject(object, "xor_tables", census.tables);
    cJSON_AddNumberToObject(object, "rules_like_37241", census.like_default);
    cJSON_AddNumberToObject(object, "affine_rules", census.affine);
    cJSON_AddNumberToObject(object, "affine_rules_with_affine_ranks", census.affine_ranks);
    cJSON_AddBoolToObject(object, "default_is_affine", census.default_is_affine);
    snprintf(
        line, sizeof line,
        "The %u rules have %u different XOR tables, each shared by %u rules; %u rules are affine "
        "over GF(2), %u of them with affine ranks in the last step as well. Rule 37241, the "
        "published "
        "one, is %s of them.",
        census.rules, census.tables, census.like_default, census.affine, census.affine_ranks,
        census.default_is_affine ? "one" : "not one");
    orr_page_paragraph(&e->body, line);
    orr_finding finding = {.measure = "different XOR tables among the rules",
                           .value = census.tables,
                           .published = "40,320 rules",
                           ORR_NO_BOUNDS};
    orr_evidence_finding(e, &finding);
    cJSON *array = cJSON_AddArrayToObject(object, "linearity");
    for (size_t n = 0; n < sizeof tried / sizeof *tried && status == ORR_OK; n++) {
        orr_rule rule;
        double share = 0, rounds = 0;
        status = orr_rule_init(&rule, tried[n], error);
        if (status == ORR_OK)
            status = orr_linearity_test(tried[n], 64, orr_mix64(e->options->seed + n), &share,
                                        &rounds, error);
        int affine = orr_rule_is_affine(&rule);
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(array, one);
        cJSON_AddNumberToObject(one, "rule", tried[n]);
        cJSON_AddBoolToObject(one, "affine", affine);
        cJSON_AddNumberToObject(one, "breaking_share", share);
        cJSON_AddNumberToObject(one, "breaking_share_without_last_step", rounds);
        orr_table_cell(&table, ORR_MARK_NONE, "%u", tried[n]);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", affine ? "yes" : "no");
        orr_table_cell(&table, ORR_MARK_NONE, "%.3f", 100 * share);
        orr_table_cell(&table, ORR_MARK_NONE, "%.3f", 100 * rounds);
    }
    orr_status put =
        orr_table_put(&e->body, &table, "E(a) + E(b) + E(c) + E(a + b + c) under one key", error);
    orr_page_note(
        &e->body,
        "0 % means a system of linear equations, which known texts and Gaussian elimination solve. "
        "Under an affine rule the cipher is one but for its last step. The published rule is not "
        "affine, which stops that attack and, as the next one shows, little else.");
    return status == ORR_OK ? put : status;
}

// ---- a reused key

typedef struct victim {
    orr_attack_layout layout;
    uint8_t key[64];
} victim;

static orr_status encrypt_all(void *context, size_t count, const uint8_t *plain, uint8_t *cipher,
                              orr_error *error) {
    victim *v = context;
    size_t bytes = orr_attack_bytes(&v->layout);
    orr_subject subject = v->layout.tile ? ORR_SUBJECT_PLANET : ORR_SUBJECT_PAPER;
    orr_status status = ORR_OK;
    for (size_t n = 0; n < count && status == ORR_OK; n++)
        status = orr_subject_encrypt(subject, v->key, v->layout.shape, plain + n * bytes,
                                     cipher + n * bytes, error);
    return status;
}

// Encrypts the top left of the last picture under the victim's key and decrypts it with the
// equivalent one.
static orr_status decrypt_unseen(orr_evidence *e, victim *v, const orr_rule *rule,
                                 const orr_reuse_result *result, int *same, orr_error *error) {
    const orr_picture *p = &e->pictures.list[e->pictures.count - 1];
    size_t bytes = orr_attack_bytes(&v->layout);
    uint8_t *secret = calloc(3, bytes), *cipher = secret + bytes, *back = cipher + bytes;
    if (!secret) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    memcpy(secret, p->samples.data, bytes < p->bytes ? bytes : p->bytes);
    orr_status status = encrypt_all(v, 1, secret, cipher, error);
    if (status == ORR_OK)
        status = orr_equivalent_decrypt(&v->layout, rule, &result->key, cipher, back, error);
    *same = status == ORR_OK && memcmp(secret, back, bytes) == 0;
    free(secret);
    return status;
}

// ---- the map's state, from K4 as the attack found it

// An equivalent key may show K4 with its channels in another order and some of them complemented:
// rule 37241 has these symmetries. A pass assumes which channel comes first and whether it is
// complemented; the other two leave eight guesses.
#define PASSES 6

// The first words of K4's lane 0 (cell 0 of the tile: row by row, channel by channel) as the guess
// `channel`, `complement` (bit k: of channel k) has them.
static void lane_words(const orr_attack_layout *layout, const uint8_t *k4,
                       const unsigned channel[3], unsigned complement, uint32_t words[6]) {
    size_t plane = (size_t)layout->shape.rows * layout->shape.columns;
    for (int n = 0; n < 6; n++) {
        const uint8_t *at = k4 + channel[n % 3] * plane + (size_t)(n / 3) * layout->shape.columns;
        words[n] = orr_load_le32(at);
        if (complement >> (n % 3) & 1) words[n] = ~words[n];
    }
}

static void pass_words(const orr_attack_layout *layout, const uint8_t *k4, unsigned pass,
                       uint32_t words[ORR_STATE_SETS][6]) {
    unsigned first = pass % 3, complement = pass / 3;
    for (unsigned n = 0; n < ORR_STATE_SETS; n++) {
        unsigned second = (first + 1 + (n >> 2)) % 3;
        const unsigned channel[3] = {first, second, 3 - first - second};
        lane_words(layout, k4, channel, complement | (n & 3) << 1, words[n]);
    }
}

// Pass after pass until one gives a state. Sums go to *total.
static orr_status search_passes(orr_evidence *e, const victim *v, const uint8_t *k4, uint64_t first,
                                unsigned *passes, orr_state_result *total, orr_error *error) {
    uint32_t words[ORR_STATE_SETS][6];
    orr_state_search search = {.k2 = ORR_MAP_K2_DEFAULT,
                               .words = words[0],
                               .word_count = 6,
                               .set_count = ORR_STATE_SETS,
                               .threads = orr_evidence_threads(e)};
    if (e->options->quick) { // 7 of the 31 unknown bits are told
        search.known_bits = 7;
        search.known_top = (uint32_t)(first >> 56);
    }
    memset(total, 0, sizeof *total);
    for (*passes = 0; *passes < PASSES && total->count == 0;) {
        uint64_t tried = total->tried, hits = total->two_word_hits;
        double seconds = total->seconds;
        orr_status status =
            orr_evidence_step(e, error, "state of the map from two words, pass %u", *passes + 1);
        pass_words(&v->layout, k4, (*passes)++, words);
        if (status == ORR_OK) status = orr_attack_state(&search, total, error);
        if (status != ORR_OK) return status;
        total->tried += tried;
        total->two_word_hits += hits;
        total->seconds += seconds;
    }
    return ORR_OK;
}

static orr_status recover_state(orr_evidence *e, cJSON *section, const victim *v, const uint8_t *k4,
                                orr_error *error) {
    enum { ORIGINS = 512 };
    orr_tile_key truth;
    orr_state_result result;
    uint64_t origins[ORIGINS];
    char line[1024];
    unsigned passes = 0;
    int found = 0;
    orr_status status = orr_subject_tile_key(v->key, 0, &truth);
    if (status != ORR_OK) return status;
    uint64_t first =
        orr_map_step(orr_lane_start(truth.state[3], 0, ORR_MAP_K2_DEFAULT), ORR_MAP_K2_DEFAULT);
    status = search_passes(e, v, k4, first, &passes, &result, error);
    if (status != ORR_OK) return status;
    size_t count = 0;
    for (size_t n = 0; n < result.count; n++) {
        size_t more = orr_lane_origins(result.state[n], 0, ORR_MAP_K2_DEFAULT, origins, ORIGINS);
        for (size_t m = 0; m < more; m++) found |= origins[m] == truth.state[3];
        count += more;
    }
    cJSON *object = cJSON_AddObjectToObject(section, "state");
    cJSON_AddNumberToObject(object, "passes", passes);
    cJSON_AddNumberToObject(object, "states_tried", (double)result.tried);
    cJSON_AddNumberToObject(object, "two_word_hits", (double)result.two_word_hits);
    cJSON_AddNumberToObject(object, "states", (double)result.count);
    cJSON_AddNumberToObject(object, "origins", (double)count);
    cJSON_AddBoolToObject(object, "initial_state_found", found);
    cJSON_AddBoolToObject(object, "reduced", e->options->quick);
    cJSON_AddNumberToObject(object, "seconds", result.seconds);
    orr_page_heading(&e->body, 3, "State of the map from two words");
    snprintf(
        line, sizeof line,
        "A word shows 32 of the state's 63 bits, so two words are enough to test all 2^31 values "
        "of the others. The attack above gives K4 up to the order of its channels and their "
        "complements, which takes up to %d passes: in %u of them %llu states were tried%s in "
        "%.1f seconds; %llu fitted two words, %zu fitted six. K2 is odd, so the map can be run "
        "backwards: the dropped steps and the lane mixer undone leave %zu initial states, the "
        "true 64-bit state of K4 %s among them. One of them gives all 512 lanes.",
        PASSES, passes, (unsigned long long)result.tried,
        e->options->quick ? " (7 bits were told, so 2^24 each: the full run searches all 2^31)"
                          : "",
        result.seconds, (unsigned long long)result.two_word_hits, result.count, count,
        found ? "is" : "is not");
    orr_page_paragraph(&e->body, line);
    orr_finding finding = {.measure = "initial state of K4 recovered",
                           .subject = "planet-layer",
                           .value = found,
                           ORR_NO_BOUNDS};
    orr_evidence_finding(e, &finding);
    return ORR_OK;
}

static void reuse_row(orr_evidence *e, cJSON *array, orr_table *table, const victim *v,
                      const orr_reuse_result *result, int same) {
    const char *subject = v->layout.tile ? "planet-layer" : "paper";
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(array, object);
    cJSON_AddStringToObject(object, "subject", subject);
    cJSON_AddNumberToObject(object, "queries", (double)result->queries);
    cJSON_AddNumberToObject(object, "places_found", result->places_found);
    cJSON_AddNumberToObject(object, "places_total", result->places_total);
    cJSON_AddBoolToObject(object, "recovered", result->recovered);
    cJSON_AddBoolToObject(object, "unseen_text_decrypted", same);
    cJSON_AddStringToObject(object, "ended", result->ended);
    orr_finding finding = {.measure = "reused key recovered from chosen texts",
                           .subject = subject,
                           .value = result->recovered && same,
                           .published = "resists chosen plaintext",
                           ORR_NO_BOUNDS};
    orr_evidence_finding(e, &finding);
    orr_table_cell(table, ORR_MARK_NONE, "%s, %u x %u x %u bytes",
                   v->layout.tile ? "planet layer, one tile" : "paper profile",
                   v->layout.shape.channels, v->layout.shape.rows, v->layout.shape.columns);
    orr_table_cell(table, ORR_MARK_NONE, "%llu", (unsigned long long)result->queries);
    orr_table_cell(table, ORR_MARK_NONE, "%u of %u", result->places_found, result->places_total);
    orr_table_cell(table, ORR_MARK_NONE, "%s", result->recovered ? "yes" : result->ended);
    orr_table_cell(table, ORR_MARK_NONE, "%s", same ? "yes, every byte" : "no");
}

static orr_status reused_key(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"cipher under one key", ORR_ALIGN_LEFT},
                                              {"chosen texts", ORR_ALIGN_RIGHT},
                                              {"rows and columns found", ORR_ALIGN_RIGHT},
                                              {"equivalent key", ORR_ALIGN_LEFT},
                                              {"another image decrypted", ORR_ALIGN_LEFT}};
    uint32_t side = e->options->quick ? 32 : 96;
    victim victims[2] = {{.layout = {0, {3, side, side}}},
                         {.layout = {1, {3, e->options->quick ? 16 : 128, 128}}}};
    orr_table table = {.columns = columns, .column_count = 5};
    cJSON *array = cJSON_AddArrayToObject(section, "reused_key");
    orr_rule rule;
    orr_status status = orr_rule_init(&rule, ORR_RULE_DEFAULT, error);
    orr_reuse_result result[2] = {{0}};
    for (int n = 0; n < 2 && status == ORR_OK; n++) {
        orr_oracle oracle = {encrypt_all, &victims[n]};
        int same = 0;
        orr_evidence_key(e, "reused key", (uint64_t)n, victims[n].key);
        status = orr_evidence_step(e, error, "chosen texts against one key: %s",
                                   n ? "planet layer" : "paper profile");
        if (status == ORR_OK)
            status = orr_attack_reuse(&victims[n].layout, &rule, &oracle,
                                      orr_mix64(e->options->seed + 77), &result[n], error);
        if (status == ORR_OK && result[n].recovered)
            status = decrypt_unseen(e, &victims[n], &rule, &result[n], &same, error);
        if (status == ORR_OK) reuse_row(e, array, &table, &victims[n], &result[n], same);
    }
    orr_page_heading(&e->body, 3, "Chosen texts against a reused key");
    orr_page_paragraph(&e->body,
                       "The rule is public, so the attacker chooses the image behind the first VPD "
                       "encoding. One byte "
                       "changed there is one byte changed behind the first shuffle, and from that "
                       "place on every symbol "
                       "of the second encoding changes: the number of changed bytes is the place. "
                       "Both shuffles are "
                       "read off so. The seven differences of the first symbol then give every "
                       "planet of the running "
                       "XOR, with it K4 and K8. Affine or not makes no difference to this.");
    orr_status put =
        orr_table_put(&e->body, &table, "A key used for more than one encryption", error);
    if (status == ORR_OK) status = put;
    orr_page_note(
        &e->body,
        "Both profiles draw a new key for every file (and tile), so this attack has no second "
        "text to work with; that, and in the archive profile the seal, is what stands between "
        "it and a file. The planet layer itself does not.");
    if (status == ORR_OK && result[1].recovered)
        status = recover_state(e, section, &victims[1], result[1].key.k4, error);
    for (int n = 0; n < 2; n++) orr_reuse_result_free(&result[n]);
    return status;
}

orr_status orr_section_attacks(orr_evidence *e, orr_error *error) {
    cJSON *section =
        orr_evidence_section(e, "attacks", "The adversary's side",
                             "What the measures above cannot see. Attacks run against the cipher "
                             "as it is, without access to "
                             "keys; the keys are used only to say whether an attack was right.");
    orr_status status = controls(e, section, error);
    if (status == ORR_OK) status = rules(e, section, error);
    return status == ORR_OK ? reused_key(e, section, error) : status;
}
