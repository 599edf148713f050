// The same attacks against whole files of the archive profile, which must fail because of the seal.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/attack_reuse.h"
#include "bench/evidence/attack_state.h"
#include "bench/evidence/critical.h"
#include "bench/evidence/evidence_report.h"
#include "bench/evidence/workshop.h"
#include "kernels/map.h"

// ---- chosen texts

static orr_status chosen_texts(orr_evidence *e, cJSON *section, orr_workshop *shop,
                               orr_error *error) {
    uint32_t rows = e->options->quick ? 16 : 128;
    orr_attack_layout layout = {1, {3, rows, 128}};
    orr_whole_files files = {shop, orr_attack_bytes(&layout)};
    orr_oracle oracle = {orr_whole_files_encrypt, &files};
    orr_reuse_result result;
    orr_rule rule;
    char line[512];
    orr_status status = orr_evidence_step(e, error, "chosen texts against whole files");
    if (status == ORR_OK) status = orr_rule_init(&rule, ORR_RULE_DEFAULT, error);
    if (status != ORR_OK) return status;
    status =
        orr_attack_reuse(&layout, &rule, &oracle, orr_mix64(e->options->seed + 78), &result, error);
    if (status == ORR_OK) {
        cJSON *object = cJSON_AddObjectToObject(section, "chosen_texts");
        cJSON_AddNumberToObject(object, "queries", (double)result.queries);
        cJSON_AddNumberToObject(object, "places_found", result.places_found);
        cJSON_AddNumberToObject(object, "places_total", result.places_total);
        cJSON_AddBoolToObject(object, "recovered", result.recovered);
        orr_finding finding = {.measure = "whole files stand against chosen texts",
                               .subject = "archive",
                               .value = !result.recovered,
                               .published = "resists chosen plaintext",
                               .ideal = 1,
                               .low = 1,
                               .high = 1,
                               .headline = 1};
        orr_evidence_finding(e, &finding);
        snprintf(
            line, sizeof line,
            "Chosen texts: %llu files of one tile, encrypted under one keyring. The attack that "
            "breaks a reused key finds %u of %u rows and columns and %s%s%s. Every file has keys "
            "of its own, and the seal's key stream hides which places change.",
            (unsigned long long)result.queries, result.places_found, result.places_total,
            result.recovered ? "recovers a key" : "ends: ", result.ended,
            result.recovered ? ", which must not be" : "");
        orr_page_paragraph(&e->body, line);
    }
    orr_reuse_result_free(&result);
    return status;
}

// ---- known words

// The attacker knows a file's plaintext; the XOR with its strips is not a key stream of the map.
static orr_status known_words(orr_evidence *e, cJSON *section, orr_workshop *shop,
                              orr_error *error) {
    enum { BYTES = ORR_TILE_BYTES };
    uint8_t *plain = calloc(2, BYTES), *cipher = plain + BYTES;
    orr_whole_files files = {shop, BYTES};
    uint32_t words[6];
    orr_state_result result;
    char line[512];
    if (!plain) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_status status = orr_evidence_step(e, error, "known words of whole files");
    if (status == ORR_OK) status = orr_whole_files_encrypt(&files, 1, plain, cipher, error);
    for (int n = 0; n < 6 && status == ORR_OK; n++)
        memcpy(&words[n], cipher + (size_t)(n % 3) * BYTES / 3 + (size_t)(n / 3) * 128, 4);
    orr_state_search search = {.k2 = ORR_MAP_K2_DEFAULT,
                               .words = words,
                               .word_count = 6,
                               .set_count = 1,
                               .known_bits = e->options->quick ? 7 : 0,
                               .threads = orr_evidence_threads(e)};
    if (status == ORR_OK) status = orr_attack_state(&search, &result, error);
    if (status == ORR_OK) {
        cJSON *object = cJSON_AddObjectToObject(section, "known_words");
        cJSON_AddNumberToObject(object, "states_tried", (double)result.tried);
        cJSON_AddNumberToObject(object, "states", (double)result.count);
        orr_finding finding = {.measure = "states of the map that fit known words of a file",
                               .subject = "archive",
                               .value = (double)result.count,
                               .ideal = 0,
                               .low = 0,
                               .high = 0};
        orr_evidence_finding(e, &finding);
        snprintf(
            line, sizeof line,
            "Known words: of a file of zeros the strips themselves are taken for key words. Of "
            "%llu states%s none may fit; %zu did. The words are the map's output under the key "
            "stream of AES-256-GCM.",
            (unsigned long long)result.tried,
            e->options->quick ? " (a part: the full run searches all 2^31)" : "", result.count);
        orr_page_paragraph(&e->body, line);
    }
    free(plain);
    return status;
}

// ---- damage

typedef enum tampering {
    FLIP,
    ZERO_TILE,
    SWAP_TILES,
    FOREIGN_TILE,
    CUT,
    HEADER,
    TAMPERINGS
} tampering;

static const char *const tampering_name[TAMPERINGS] = {
    "one bit of a tile flipped",  "a tile overwritten with zeros",
    "two tiles exchanged",        "a tile of another file put in",
    "the last 384 bytes cut off", "one bit of the header flipped"};

// Applies one to `file` (whose tiles lie at `offset`); `other` is a second file of the same length.
static void tamper(tampering kind, uint8_t *file, size_t *bytes, const uint8_t *other,
                   size_t offset) {
    uint8_t tile[ORR_TILE_BYTES];
    switch (kind) {
    case FLIP:
        file[offset + 12345] ^= 4;
        break;
    case ZERO_TILE:
        memset(file + offset, 0, ORR_TILE_BYTES);
        break;
    case SWAP_TILES:
        memcpy(tile, file + offset, sizeof tile);
        memcpy(file + offset, file + offset + ORR_TILE_BYTES, sizeof tile);
        memcpy(file + offset + ORR_TILE_BYTES, tile, sizeof tile);
        break;
    case FOREIGN_TILE:
        memcpy(file + offset, other + offset, ORR_TILE_BYTES);
        break;
    case CUT:
        *bytes -= ORR_TILE_ROW_BYTES;
        break;
    default:
        file[50] ^= 1; // the file ID, inside the immutable header
        break;
    }
}

static orr_status refusals(orr_evidence *e, cJSON *section, orr_workshop *shop, orr_error *error) {
    static const orr_page_column columns[] = {{"tampering", ORR_ALIGN_LEFT},
                                              {"decrypt ends with", ORR_ALIGN_LEFT},
                                              {"bytes released", ORR_ALIGN_RIGHT}};
    enum { BYTES = 4 * ORR_TILE_BYTES };
    orr_table table = {.columns = columns, .column_count = 3};
    uint8_t *plain = calloc(1, BYTES), *file[2] = {NULL, NULL}, *copy = NULL, *back = NULL;
    size_t bytes = 0, offset = 0, length = 0, out = 0;
    cJSON *array = cJSON_AddArrayToObject(section, "tampering");
    orr_status status = orr_evidence_step(e, error, "tampered files");
    if (!plain) status = orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (int n = 0; n < 2 && status == ORR_OK; n++)
        status = orr_workshop_encrypt(shop, plain, BYTES, &file[n], &bytes, error);
    if (status == ORR_OK)
        status = orr_workshop_tiles(file[0], bytes, shop, &offset, &length, error);
    for (int kind = 0; kind < TAMPERINGS && status == ORR_OK; kind++) {
        size_t changed = bytes;
        orr_error refusal = {0};
        copy = malloc(bytes);
        if (!copy) {
            status = orr_fail(error, ORR_INTERNAL, "memory ran out");
            break;
        }
        memcpy(copy, file[0], bytes);
        tamper((tampering)kind, copy, &changed, file[1], offset);
        orr_status end = orr_workshop_decrypt(shop, copy, changed, 0, &back, &out, &refusal);
        orr_finding finding = {.measure = tampering_name[kind],
                               .subject = "archive",
                               .value = end,
                               .unit = "exit status",
                               .ideal = NAN,
                               .low = NAN,
                               .high = NAN,
                               .verdict =
                                   end == ORR_AUTH && !back ? ORR_VERDICT_PASS : ORR_VERDICT_FAIL};
        orr_mark mark = orr_evidence_finding(e, &finding);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddStringToObject(object, "tampering", tampering_name[kind]);
        cJSON_AddStringToObject(object, "status", orr_status_name(end));
        cJSON_AddNumberToObject(object, "bytes_released", back ? (double)out : 0);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", tampering_name[kind]);
        orr_table_cell(&table, mark, "%s", orr_status_name(end));
        orr_table_cell(&table, ORR_MARK_NONE, "%zu", back ? out : (size_t)0);
        free(copy);
        free(back);
        copy = back = NULL;
    }
    free(plain);
    free(file[0]);
    free(file[1]);
    orr_status put =
        orr_table_put(&e->body, &table, "Tampered files of the archive profile", error);
    return status == ORR_OK ? put : status;
}

// ---- salvage

typedef struct wound {
    const char *key, *name;
    double share; // of the tiles' bytes
    int burst;    // one piece, else single bytes here and there
} wound;

static orr_status salvage(orr_evidence *e, cJSON *section, orr_workshop *shop, orr_error *error) {
    static const wound wounds[] = {
        {"burst-1/16", "1/16 of the file overwritten in one piece", 1 / 16.0, 1},
        {"burst-1/4", "1/4 of the file overwritten in one piece", 0.25, 1},
        {"salt-pepper", "salt and pepper on 0.02 % of the bytes", 0.0002, 0}};
    static const orr_page_column columns[] = {
        {"damage", ORR_ALIGN_LEFT},
        {"decrypt", ORR_ALIGN_LEFT},
        {"bytes that --salvage brings back %", ORR_ALIGN_RIGHT},
        {"PSNR, gaps black (dB)", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 4};
    const orr_picture *p = &e->pictures.list[0];
    size_t limit = (size_t)ORR_SEGMENT_BYTES; // one segment is enough to show it
    size_t bytes = p->bytes < limit ? p->bytes : limit, file_bytes = 0, offset = 0, length = 0, out;
    uint8_t *file = NULL, *back = NULL, *copy = NULL;
    cJSON *array = cJSON_AddArrayToObject(section, "salvage");
    orr_status status = orr_evidence_step(e, error, "salvage");
    if (status == ORR_OK)
        status = orr_workshop_encrypt(shop, p->samples.data, bytes, &file, &file_bytes, error);
    if (status == ORR_OK)
        status = orr_workshop_tiles(file, file_bytes, shop, &offset, &length, error);
    for (size_t n = 0; n < sizeof wounds / sizeof *wounds && status == ORR_OK; n++) {
        orr_error refusal = {0};
        copy = malloc(file_bytes + bytes);
        if (!copy) {
            status = orr_fail(error, ORR_INTERNAL, "memory ran out");
            break;
        }
        memcpy(copy, file, file_bytes);
        if (wounds[n].burst)
            memset(copy + offset + length / 3, 0, (size_t)((double)length * wounds[n].share));
        for (size_t i = 0; i < length && !wounds[n].burst; i++)
            if (orr_mix64(e->options->seed + i) % 5000 == 0) copy[offset + i] = i % 2 ? 255 : 0;
        orr_status end = orr_workshop_decrypt(shop, copy, file_bytes, 1, &back, &out, &refusal);
        uint8_t *restored = copy + file_bytes;
        memset(restored, 0, bytes);
        if (back) memcpy(restored, back, out < bytes ? out : bytes);
        double same = 0, error_sum = 0;
        for (size_t i = 0; i < bytes; i++) {
            double d = (double)restored[i] - p->samples.data[i];
            same += d == 0;
            error_sum += d * d;
        }
        double psnr = orr_psnr(error_sum / (double)bytes, 8);
        char name[64];
        snprintf(name, sizeof name, "PSNR of bytes salvaged after %s", wounds[n].key);
        orr_finding finding = {.measure = name,
                               .subject = "archive",
                               .image = p->name,
                               .unit = "dB",
                               .value = psnr,
                               ORR_NO_BOUNDS};
        orr_evidence_finding(e, &finding);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddStringToObject(object, "damage", wounds[n].key);
        cJSON_AddStringToObject(object, "status", orr_status_name(end));
        cJSON_AddNumberToObject(object, "bytes_equal_share", same / (double)bytes);
        orr_json_add_real(object, "psnr", psnr);
        orr_table_cell(&table, ORR_MARK_NONE, "%s", wounds[n].name);
        orr_table_cell(&table, ORR_MARK_NONE, "%s",
                       end == ORR_AUTH ? "refused" : orr_status_name(end));
        orr_table_cell(&table, ORR_MARK_NONE, "%.2f", 100 * same / (double)bytes);
        orr_table_cell(&table, ORR_MARK_NONE, "%.2f", psnr);
        free(copy);
        free(back);
        copy = back = NULL;
    }
    free(file);
    orr_status put = orr_table_put(
        &e->body, &table, "Archive profile: the first image's bytes, damaged and salvaged", error);
    orr_page_note(
        &e->body,
        "The archive profile is meant to refuse, not to resist: a tile comes back whole or "
        "not at all, and sparse noise, which touches every tile, leaves little. Equal bytes "
        "in gaps are those that were zero in the image.");
    return status == ORR_OK ? put : status;
}

orr_status orr_section_files(orr_evidence *e, orr_error *error) {
    orr_workshop shop;
    cJSON *section = orr_evidence_section(
        e, "files", "Whole files of the archive profile",
        "The attacks of the section before, and damage, against files as `orrery encrypt` writes "
        "them: "
        "every file with secrets of its own, every tile sealed with AES-256-GCM.");
    orr_status status =
        orr_workshop_open(&shop, e->directory, orr_evidence_threads(e), e->options->stop, error);
    if (status == ORR_OK) status = chosen_texts(e, section, &shop, error);
    if (status == ORR_OK) status = known_words(e, section, &shop, error);
    if (status == ORR_OK) status = refusals(e, section, &shop, error);
    if (status == ORR_OK) status = salvage(e, section, &shop, error);
    orr_workshop_close(&shop);
    return status;
}
