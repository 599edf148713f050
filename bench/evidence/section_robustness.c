// What the paper calls robustness: damaged ciphertexts decrypted; and images of one colour.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/critical.h"
#include "bench/evidence/evidence_report.h"
#include "kernels/map.h"

#define SHOWN_SIDE 192

// Uniform in (0, 1), from a counter.
static double uniform(uint64_t seed, uint64_t n) {
    return ((double)(orr_mix64(seed + n * UINT64_C(0x9e3779b97f4a7c15)) >> 11) + 0.5) * 0x1p-53;
}

static double gaussian(uint64_t seed, uint64_t n) { // Box and Muller
    return sqrt(-2 * log(uniform(seed, 2 * n))) *
           cos(2 * 3.14159265358979323846 * uniform(seed, 2 * n + 1));
}

static void set_sample(uint8_t *data, unsigned bits, uint64_t n, double value) {
    double full = (double)((1u << bits) - 1);
    uint32_t v = (uint32_t)(value < 0 ? 0 : value > full ? full : value + 0.5);
    if (bits == 16) {
        data[2 * n] = (uint8_t)(v >> 8);
        data[2 * n + 1] = (uint8_t)v;
    } else {
        data[n] = (uint8_t)v;
    }
}

typedef enum damage_kind {
    GAUSS_VARIANCE,
    GAUSS_SHARE,
    SALT_PEPPER,
    CROP_16,
    CROP_4,
    CROP_2,
    DAMAGES
} damage_kind;

static const char *const damage_key[DAMAGES] = {
    "gaussian-variance", "gaussian-share", "salt-pepper", "crop-1/16", "crop-1/4", "crop-1/2"};
static const char *const damage_name[DAMAGES] = {
    "Gaussian noise of variance 0.0005 of the full scale squared (0.05 % read as MATLAB's imnoise)",
    "Gaussian noise of a tenth of the full scale on 0.05 % of the samples",
    "salt and pepper on 0.02 % of the samples",
    "1/16 of the area cut out (black)",
    "1/4 of the area cut out (black)",
    "1/2 of the area cut out (black)"};

static void cut_out(uint8_t *data, const orr_picture *p, double area) {
    uint32_t rows = (uint32_t)(p->shape.rows * sqrt(area));
    uint32_t columns = (uint32_t)(p->shape.columns * sqrt(area));
    uint32_t top = (p->shape.rows - rows) / 2, left = (p->shape.columns - columns) / 2;
    for (uint32_t k = 0; k < p->shape.channels; k++)
        for (uint32_t i = top; i < top + rows; i++)
            memset(data + ((size_t)k * p->shape.rows + i) * p->shape.columns + left, 0, columns);
}

static void damage(uint8_t *data, const orr_picture *p, damage_kind kind, uint64_t seed) {
    unsigned bits = p->samples.bits;
    double full = (double)((1u << bits) - 1);
    orr_samples view = orr_picture_view(p, data);
    uint64_t count = orr_samples_count(&view);
    if (kind >= CROP_16) {
        cut_out(data, p, kind == CROP_16 ? 1 / 16.0 : kind == CROP_4 ? 0.25 : 0.5);
        return;
    }
    for (uint64_t n = 0; n < count; n++) {
        double value = orr_sample(&view, n), hit = uniform(seed ^ 0x68697473, n);
        if (kind == GAUSS_VARIANCE)
            value += full * sqrt(0.0005) * gaussian(seed, n);
        else if (kind == GAUSS_SHARE && hit < 0.0005)
            value += full * 0.1 * gaussian(seed, n);
        else if (kind == SALT_PEPPER && hit < 0.0002)
            value = uniform(seed, n) < 0.5 ? 0 : full;
        else
            continue;
        set_sample(data, bits, n, value);
    }
}

static orr_status show(orr_evidence *e, const orr_picture *p, const uint8_t *data, damage_kind kind,
                       orr_error *error) {
    orr_raster raster = {0};
    uint8_t *png = NULL;
    size_t bytes = 0;
    orr_status status = orr_picture_raster(p, data, SHOWN_SIDE, 1, &raster, error);
    if (status == ORR_OK) status = orr_png_encode(&raster, &png, &bytes, error);
    if (status == ORR_OK)
        orr_page_png(&e->body, png, bytes, SHOWN_SIDE, 0, damage_key[kind], damage_name[kind]);
    free(png);
    orr_raster_free(&raster);
    return status;
}

static orr_status damage_rows(orr_evidence *e, cJSON *array, orr_table *table, const orr_picture *p,
                              int pictures, orr_error *error) {
    uint8_t *text = malloc(2 * p->bytes), *work = text + p->bytes, key[64];
    if (!text) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_evidence_key(e, "robustness", (uint64_t)(p - e->pictures.list), key);
    orr_status status =
        orr_subject_encrypt(ORR_SUBJECT_PAPER, key, p->shape, p->samples.data, text, error);
    if (pictures) orr_page_row_begin(&e->body);
    for (int kind = 0; kind < DAMAGES && status == ORR_OK; kind++) {
        memcpy(work, text, p->bytes);
        damage(work, p, (damage_kind)kind, e->options->seed + (uint64_t)kind);
        orr_samples before = orr_picture_view(p, text), after = orr_picture_view(p, work);
        double hit = orr_npcr(&before, &after);
        status = orr_subject_decrypt(ORR_SUBJECT_PAPER, key, p->shape, work, work, error);
        if (status != ORR_OK) break;
        double wrong = orr_npcr(&p->samples, &after), mse = orr_mse(&p->samples, &after);
        double psnr = orr_psnr(mse, p->samples.bits);
        char name[64];
        snprintf(name, sizeof name, "PSNR after %s", damage_key[kind]);
        orr_finding finding = {.measure = name,
                               .subject = "paper",
                               .image = p->name,
                               .unit = "dB",
                               .value = psnr,
                               ORR_NO_BOUNDS};
        orr_evidence_finding(e, &finding);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddStringToObject(object, "image", p->name);
        cJSON_AddStringToObject(object, "damage", damage_key[kind]);
        cJSON_AddNumberToObject(object, "cipher_samples_changed_share", hit);
        cJSON_AddNumberToObject(object, "plain_samples_wrong_share", wrong);
        orr_json_add_real(object, "psnr", psnr);
        orr_table_cell(table, ORR_MARK_NONE, "%s", p->name);
        orr_table_cell(table, ORR_MARK_NONE, "%s", damage_name[kind]);
        orr_table_cell(table, ORR_MARK_NONE, "%.3f", 100 * hit);
        orr_table_cell(table, ORR_MARK_NONE, "%.3f", 100 * wrong);
        orr_table_cell(table, ORR_MARK_NONE, isinf(psnr) ? "unharmed" : "%.2f", psnr);
        if (pictures && (kind == SALT_PEPPER || kind >= CROP_4 || kind == GAUSS_VARIANCE))
            status = show(e, p, work, (damage_kind)kind, error);
    }
    if (pictures) orr_page_row_end(&e->body);
    free(text);
    return status;
}

static orr_status damages(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"image", ORR_ALIGN_LEFT},
                                              {"damage to the ciphertext", ORR_ALIGN_LEFT},
                                              {"cipher samples changed %", ORR_ALIGN_RIGHT},
                                              {"image samples wrong %", ORR_ALIGN_RIGHT},
                                              {"PSNR of what comes back (dB)", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 5};
    cJSON *array = cJSON_AddArrayToObject(section, "damage");
    orr_status status = ORR_OK;
    // Colour shows best; else the first.
    size_t shown = 0;
    for (size_t n = e->pictures.count; n-- > 0;)
        if (e->pictures.list[n].samples.channels == 3) shown = n;
    for (size_t n = 0; n < e->pictures.count && status == ORR_OK; n++) {
        status = orr_evidence_step(e, error, "noise and cropping: %s", e->pictures.list[n].name);
        if (status == ORR_OK)
            status = damage_rows(e, array, &table, &e->pictures.list[n], n == shown, error);
    }
    orr_status put = orr_table_put(&e->body, &table, "Paper profile, damaged and decrypted", error);
    orr_page_note(
        &e->body,
        "What this shows: an error in the ciphertext stays local, spread over a few places "
        "by the shuffles. In other words the ciphertext is malleable: whoever changes it "
        "changes the image. Only a sealed checksum tells: decrypt refuses such a file, and shows "
        "its pixels with --unauthenticated. The archive profile refuses every changed file too "
        "(below); --salvage brings back the tiles whose tags still verify.");
    return status == ORR_OK ? put : status;
}

// ---- all black, all white

static orr_status plain_colour(orr_evidence *e, cJSON *array, orr_table *table, int white,
                               orr_error *error) {
    enum { SIDE = 512 };
    orr_volume_shape shape = {3, SIDE, SIDE};
    size_t bytes = (size_t)3 * SIDE * SIDE;
    uint8_t *data = malloc(2 * bytes), *out = data + bytes, key[64];
    const char *name = white ? "all white" : "all black";
    if (!data) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    memset(data, white ? 255 : 0, bytes);
    orr_status status = ORR_OK;
    for (int s = 0; s < ORR_CIPHERS && status == ORR_OK; s++) {
        uint64_t counts[256];
        double mean, deviation;
        orr_samples view = {out, 3, SIDE, SIDE, 8};
        orr_evidence_key(e, name, (uint64_t)s, key);
        status = orr_subject_encrypt((orr_subject)s, key, shape, data, out, error);
        if (status != ORR_OK) break;
        orr_byte_histogram(out, bytes, counts);
        orr_entropy_of_random(bytes, &mean, &deviation);
        orr_finding finding = {.measure = "entropy",
                               .subject = orr_subject_key((orr_subject)s),
                               .image = name,
                               .unit = "bits a byte",
                               .value = orr_entropy(counts),
                               .published = "no visible pattern",
                               .ideal = 8,
                               .low = mean - orr_normal_upper(0.001) * deviation,
                               .high = 8};
        orr_table_cell(table, ORR_MARK_NONE, "%s", name);
        orr_table_cell(table, ORR_MARK_NONE, "%s", orr_subject_name((orr_subject)s));
        orr_table_cell(table, orr_evidence_finding(e, &finding), "%.5f", finding.value);
        double chi = orr_uniform_chi_square(counts);
        finding = (orr_finding){.measure = "histogram chi-square",
                                .subject = orr_subject_key((orr_subject)s),
                                .image = name,
                                .value = chi,
                                .ideal = 255,
                                .low = -INFINITY,
                                .high = orr_chi_square_critical(0.001, 255)};
        orr_table_cell(table, orr_evidence_finding(e, &finding), "%.1f", chi);
        double worst = 0;
        for (int d = 0; d < 3; d++)
            worst = fmax(worst, fabs(orr_correlation(&view, UINT32_MAX, (orr_direction)d)));
        finding = (orr_finding){.measure = "correlation, largest of three directions",
                                .subject = orr_subject_key((orr_subject)s),
                                .image = name,
                                .value = worst,
                                .ideal = 0,
                                .low = 0,
                                .high = 0.01};
        orr_table_cell(table, orr_evidence_finding(e, &finding), "%.4f", worst);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToArray(array, object);
        cJSON_AddStringToObject(object, "image", name);
        cJSON_AddStringToObject(object, "subject", orr_subject_key((orr_subject)s));
        cJSON_AddNumberToObject(object, "chi_square", chi);
        cJSON_AddNumberToObject(object, "correlation", worst);
    }
    free(data);
    return status;
}

static orr_status plain_colours(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"image", ORR_ALIGN_LEFT},
                                              {"encrypted by", ORR_ALIGN_LEFT},
                                              {"entropy (bits a byte)", ORR_ALIGN_RIGHT},
                                              {"chi-square", ORR_ALIGN_RIGHT},
                                              {"largest |r|", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 5};
    cJSON *array = cJSON_AddArrayToObject(section, "plain_colours");
    orr_page_heading(&e->body, 3, "All black and all white");
    orr_status status = orr_evidence_step(e, error, "all black and all white");
    for (int white = 0; white < 2 && status == ORR_OK; white++)
        status = plain_colour(e, array, &table, white, error);
    orr_status put =
        orr_table_put(&e->body, &table, "Chosen images of one colour, 512 x 512 RGB", error);
    orr_page_note(
        &e->body,
        "The paper calls this resistance to chosen plaintext. It shows that the key streams "
        "are flat. A chosen-plaintext attack compares ciphertexts under one key, and succeeds "
        "(below).");
    return status == ORR_OK ? put : status;
}

orr_status orr_section_robustness(orr_evidence *e, orr_error *error) {
    cJSON *section = orr_evidence_section(
        e, "robustness", "Noise, cropping, images of one colour",
        "Paper profile: the ciphertext is damaged, then decrypted under the right key. Published: "
        "images stay recognisable under white Gaussian noise (0.05 %), salt and pepper noise (0.02 "
        "%) "
        "and cropping; figures are not available. What 0.05 % of noise is, the text leaves open: "
        "both "
        "readings are measured.");
    orr_status status = damages(e, section, error);
    return status == ORR_OK ? plain_colours(e, section, error) : status;
}
