// FGSM and DeepFool against the discriminator, and the encrypted adversarial images.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/attack_adversarial.h"
#include "bench/evidence/critical.h"
#include "bench/evidence/evidence_report.h"

typedef enum method { FGSM_2, FGSM_8, FGSM_16, DEEPFOOL, METHODS } method;
static const char *const method_key[METHODS] = {"fgsm-2", "fgsm-8", "fgsm-16", "deepfool"};
static const char *const method_name[METHODS] = {"FGSM, 2 levels of 255", "FGSM, 8 levels of 255",
                                                 "FGSM, 16 levels of 255", "DeepFool"};
static const int method_levels[METHODS] = {2, 8, 16, 0};

// One image on its way: floats for the target, bytes (planar) for the ciphers.
typedef struct scene {
    orr_target target;
    uint32_t side, channels;
    size_t bytes;
    float *image, *adversarial;
    uint8_t *plain, *changed, *cipher[2];
    orr_picture picture; // of the bytes
} scene;

static orr_status scene_allocate(scene *s, orr_error *error) {
    s->side = s->target.weights.shape.image_size;
    s->channels = s->target.weights.shape.channels;
    s->bytes = (size_t)s->side * s->side * s->channels;
    s->image = malloc(2 * s->bytes * sizeof *s->image);
    s->plain = malloc(4 * s->bytes);
    if (!s->image || !s->plain) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    s->adversarial = s->image + s->bytes;
    s->changed = s->plain + s->bytes;
    s->cipher[0] = s->changed + s->bytes;
    s->cipher[1] = s->cipher[0] + s->bytes;
    s->picture = (orr_picture){.samples = {s->plain, s->channels, s->side, s->side, 8},
                               .shape = {s->channels, s->side, s->side},
                               .bytes = s->bytes};
    return ORR_OK;
}

// The picture made as small as the target's image by means of blocks, gray as three channels.
static void shrink(scene *s, const orr_picture *p) {
    uint32_t rows = p->samples.rows, columns = p->samples.columns, peak = 1;
    uint64_t plane = (uint64_t)rows * columns;
    for (uint64_t n = 0; n < orr_samples_count(&p->samples); n++) {
        uint32_t v = orr_sample(&p->samples, n);
        if (v > peak) peak = v;
    }
    if (p->samples.bits == 8) peak = 255;
    for (uint32_t k = 0; k < s->channels; k++) {
        for (uint32_t i = 0; i < s->side; i++) {
            for (uint32_t j = 0; j < s->side; j++) {
                uint32_t top = (uint32_t)((uint64_t)i * rows / s->side);
                uint32_t left = (uint32_t)((uint64_t)j * columns / s->side);
                uint32_t bottom = (uint32_t)((uint64_t)(i + 1) * rows / s->side);
                uint32_t right = (uint32_t)((uint64_t)(j + 1) * columns / s->side);
                uint64_t sum = 0, count = 0, from = k < p->samples.channels ? k * plane : 0;
                for (uint32_t y = top; y < bottom || y == top; y++)
                    for (uint32_t x = left; x < right || x == left; x++, count++)
                        sum += orr_sample(&p->samples, from + (uint64_t)y * columns + x);
                uint8_t byte = (uint8_t)(sum * 255 / (count * peak));
                s->plain[((size_t)k * s->side + i) * s->side + j] = byte;
                s->image[((size_t)i * s->side + j) * s->channels + k] = (float)byte / 127.5f - 1;
            }
        }
    }
}

// Floats to planar bytes, to the nearest, and the floats of these bytes back, so that the target
// sees what is encrypted.
static void to_bytes(scene *s, float *image, uint8_t *planar) {
    for (size_t p = 0; p < (size_t)s->side * s->side; p++) {
        for (size_t k = 0; k < s->channels; k++) {
            float *value = &image[p * s->channels + k];
            uint8_t byte;
            orr_gan_to_bytes(value, 1, &byte);
            planar[k * s->side * s->side + p] = byte;
            *value = (float)byte / 127.5f - 1;
        }
    }
}

static orr_status show(orr_evidence *e, scene *s, const uint8_t *data, const char *caption,
                       orr_error *error) {
    orr_raster raster = {0};
    uint8_t *png = NULL;
    size_t bytes = 0;
    orr_status status = orr_picture_raster(&s->picture, data, s->side, 0, &raster, error);
    if (status == ORR_OK) status = orr_png_encode(&raster, &png, &bytes, error);
    if (status == ORR_OK) orr_page_png(&e->body, png, bytes, 2 * s->side, 1, caption, caption);
    free(png);
    orr_raster_free(&raster);
    return status;
}

// Encrypts image and adversarial image, each under a fresh key, and records NPCR and UACI.
static orr_status encrypt_pair(orr_evidence *e, scene *s, const orr_picture *p, orr_subject subject,
                               method m, orr_table *table, cJSON *object, orr_error *error) {
    uint8_t key[64];
    double value[2], low[2], high[2] = {INFINITY, 0};
    const uint8_t *text[2] = {s->plain, s->changed};
    orr_status status = ORR_OK;
    for (uint64_t n = 0; n < 2 && status == ORR_OK; n++) {
        orr_evidence_key(e, "adversarial",
                         ((uint64_t)(p - e->pictures.list) * METHODS + m) * 16 + 2 * subject + n,
                         key);
        status = orr_subject_encrypt(subject, key, s->picture.shape, text[n], s->cipher[n], error);
    }
    if (status != ORR_OK) return status;
    orr_samples a = orr_picture_view(&s->picture, s->cipher[0]),
                b = orr_picture_view(&s->picture, s->cipher[1]);
    value[0] = 100 * orr_npcr(&a, &b);
    value[1] = 100 * orr_uaci(&a, &b);
    low[0] = 100 * orr_npcr_critical(s->bytes, 8, 0.001);
    orr_uaci_interval(s->bytes, 8, 0.001, &low[1], &high[1]);
    low[1] *= 100;
    high[1] *= 100;
    for (int n = 0; n < 2; n++) {
        char name[64];
        snprintf(name, sizeof name, "%s of encrypted images, %s", n ? "UACI" : "NPCR",
                 method_key[m]);
        orr_finding finding = {.measure = name,
                               .subject = orr_subject_key(subject),
                               .image = p->name,
                               .unit = "%",
                               .value = value[n],
                               .published = "passes the thresholds",
                               .ideal = 100 * (n ? orr_uaci_expected(8) : orr_npcr_expected(8)),
                               .low = low[n],
                               .high = high[n]};
        orr_mark mark = orr_evidence_finding(e, &finding);
        orr_table_cell(table, mark, "%.3f", value[n]);
        snprintf(name, sizeof name, "%s_%s", orr_subject_key(subject), n ? "uaci" : "npcr");
        cJSON_AddNumberToObject(object, name, value[n] / 100);
    }
    return ORR_OK;
}

// DeepFool's step is smaller than a level of 8 bits when the border is near: it is doubled until
// the rounded image, which is what gets encrypted, has changed its class. *scale tells how often.
static orr_status deepfool_in_bytes(scene *s, float before, unsigned *steps, unsigned *scale,
                                    float *exact, float *after, orr_error *error) {
    float *moved = malloc(s->bytes * sizeof *moved);
    if (!moved) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_status status = orr_deepfool(&s->target, s->image, 50, s->adversarial, steps, error);
    if (status == ORR_OK) status = orr_target_ask(&s->target, s->adversarial, exact, NULL, error);
    for (size_t n = 0; n < s->bytes; n++) moved[n] = s->adversarial[n] - s->image[n];
    for (*scale = 1; status == ORR_OK; *scale *= 2) {
        for (size_t n = 0; n < s->bytes; n++)
            s->adversarial[n] = s->image[n] + (float)*scale * moved[n];
        to_bytes(s, s->adversarial, s->changed);
        status = orr_target_ask(&s->target, s->adversarial, after, NULL, error);
        if (*scale == 256 || (*after >= 0) != (before >= 0)) break;
    }
    free(moved);
    return status;
}

static orr_status one_method(orr_evidence *e, scene *s, const orr_picture *p, method m,
                             orr_table *table, cJSON *array, orr_error *error) {
    float before, after, exact = NAN;
    unsigned steps = 1, scale = 1;
    char how[40] = "";
    orr_status status = orr_target_ask(&s->target, s->image, &before, NULL, error);
    if (status == ORR_OK && m == DEEPFOOL) {
        status = deepfool_in_bytes(s, before, &steps, &scale, &exact, &after, error);
        if (scale > 1) snprintf(how, sizeof how, ", times %u to survive rounding", scale);
    } else if (status == ORR_OK) {
        status =
            orr_fgsm(&s->target, s->image, (float)method_levels[m] / 127.5f, s->adversarial, error);
        to_bytes(s, s->adversarial, s->changed);
        if (status == ORR_OK)
            status = orr_target_ask(&s->target, s->adversarial, &after, NULL, error);
    }
    if (status != ORR_OK) return status;
    orr_samples changed = orr_picture_view(&s->picture, s->changed);
    double psnr = orr_psnr(orr_mse(&s->picture.samples, &changed), 8);
    double share = orr_npcr(&s->picture.samples, &changed);
    int flipped = (before >= 0) != (after >= 0);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(array, object);
    cJSON_AddStringToObject(object, "image", p->name);
    cJSON_AddStringToObject(object, "method", method_key[m]);
    cJSON_AddNumberToObject(object, "logit_before", before);
    cJSON_AddNumberToObject(object, "logit_after", after);
    orr_json_add_real(object, "logit_before_rounding", exact);
    cJSON_AddNumberToObject(object, "scale", scale);
    cJSON_AddBoolToObject(object, "class_changed", flipped);
    cJSON_AddNumberToObject(object, "steps", steps);
    cJSON_AddNumberToObject(object, "samples_changed_share", share);
    orr_json_add_real(object, "psnr", psnr);
    orr_table_cell(table, ORR_MARK_NONE, "%s", p->name);
    orr_table_cell(table, ORR_MARK_NONE, "%s%s", method_name[m], how);
    orr_table_cell(table, ORR_MARK_NONE, "%+.4f to %+.4f%s", before, after,
                   flipped ? ", class changed" : "");
    orr_table_cell(table, ORR_MARK_NONE, isinf(psnr) ? "unchanged" : "%.1f", psnr);
    status = encrypt_pair(e, s, p, ORR_SUBJECT_ARCHIVE, m, table, object, error);
    if (status == ORR_OK)
        status = encrypt_pair(e, s, p, ORR_SUBJECT_PAPER, m, table, object, error);
    return status;
}

static orr_status pictures(orr_evidence *e, scene *s, cJSON *array, orr_table *table,
                           orr_error *error) {
    orr_status status = ORR_OK;
    for (size_t n = 0; n < e->pictures.count && status == ORR_OK; n++) {
        const orr_picture *p = &e->pictures.list[n];
        status = orr_evidence_step(e, error, "FGSM and DeepFool: %s", p->name);
        shrink(s, p);
        for (int m = 0; m < METHODS && status == ORR_OK; m++) {
            status = one_method(e, s, p, (method)m, table, array, error);
            if (status != ORR_OK || n != 0) continue;
            if (m == 0) {
                orr_page_row_begin(&e->body);
                status = show(e, s, s->plain, p->name, error);
            }
            if (status == ORR_OK) status = show(e, s, s->changed, method_name[m], error);
            if (status == ORR_OK && m == METHODS - 1) {
                status = show(e, s, s->cipher[1], "DeepFool's, encrypted (paper profile)", error);
                orr_page_row_end(&e->body);
            }
        }
    }
    return status;
}

orr_status orr_section_adversarial(orr_evidence *e, orr_error *error) {
    static const orr_page_column columns[] = {{"image", ORR_ALIGN_LEFT},
                                              {"method", ORR_ALIGN_LEFT},
                                              {"discriminator's logit", ORR_ALIGN_LEFT},
                                              {"PSNR (dB)", ORR_ALIGN_RIGHT},
                                              {"NPCR archive %", ORR_ALIGN_RIGHT},
                                              {"UACI archive %", ORR_ALIGN_RIGHT},
                                              {"NPCR paper %", ORR_ALIGN_RIGHT},
                                              {"UACI paper %", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 8};
    scene s = {0};
    char line[512];
    cJSON *section = orr_evidence_section(
        e, "adversarial", "Adversarial images: FGSM and DeepFool",
        "Small changes computed to mislead a network, here the DCGAN's discriminator as the "
        "attacked "
        "one. Image and adversarial image are encrypted, each under a fresh key. Published: NPCR "
        "and "
        "UACI of the encrypted images pass their thresholds; figures are not available.");
    orr_status status = orr_target_open(&s.target, e->options->weights, e->options->seed, error);
    if (status == ORR_OK) status = scene_allocate(&s, error);
    if (status == ORR_OK) {
        if (s.target.trained)
            snprintf(line, sizeof line, "The discriminator's weights were given with --weights.");
        else
            snprintf(
                line, sizeof line,
                "No weights were given: the discriminator is an untrained one of the published "
                "shape, its weights drawn from seed %llu. Its two classes mean nothing; the "
                "attacks work on it all the same. --weights takes a trained one.",
                (unsigned long long)e->options->seed);
        orr_page_paragraph(&e->body, line);
        cJSON_AddBoolToObject(section, "trained", s.target.trained);
        cJSON *array = cJSON_AddArrayToObject(section, "attacks");
        status = pictures(e, &s, array, &table, error);
    }
    orr_status put = orr_table_put(&e->body, &table,
                                   "Adversarial images (critical values at level 0.001)", error);
    orr_page_note(
        &e->body,
        "What this shows: the discriminator can be misled, as any such network can. It is not "
        "a measure of the cipher. Any two images give such NPCR and UACI under fresh keys, and "
        "after decryption the adversarial image is exactly what it was: encryption removes no "
        "perturbation.");
    free(s.image);
    free(s.plain);
    orr_target_close(&s.target);
    return status == ORR_OK ? put : status;
}
