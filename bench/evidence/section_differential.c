// NPCR and UACI in two settings: a fresh key for every encryption, and one key for all.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/critical.h"
#include "bench/evidence/evidence_report.h"
#include "bench/evidence/parallel.h"

typedef struct differential {
    orr_evidence *e;
    const orr_picture *picture;
    orr_subject subject;
    int fresh;
    size_t trials;
    double *npcr, *uaci; // in 0..1, by trial
} differential;

static const char *label_of(const differential *d) {
    return d->fresh ? "differential, fresh" : "differential, fixed";
}

// One trial: a bit of the image is flipped (fresh keys: anywhere; one key: at equal steps through
// the image, the last trial in its very last byte) and both images are encrypted.
static orr_status one_trial(void *context, size_t index, orr_error *error) {
    const differential *d = context;
    const orr_picture *p = d->picture;
    uint8_t *buffer = malloc(2 * p->bytes), *other = buffer + p->bytes, key[2][64], draw[64];
    if (!buffer) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    uint64_t picture = (uint64_t)(p - d->e->pictures.list), base = picture << 32 | d->subject << 24;
    orr_evidence_key(d->e, label_of(d), base, key[0]);
    memcpy(key[1], key[0], 64);
    for (uint64_t n = 0; d->fresh && n < 2; n++)
        orr_evidence_key(d->e, "differential key", (base << 8) + 2 * index + n, key[n]);
    orr_evidence_key(d->e, "differential bit", base + index, draw);
    uint64_t where;
    memcpy(&where, draw, sizeof where);
    size_t at =
        d->fresh ? where % p->bytes : (p->bytes - 1) * index / (d->trials > 1 ? d->trials - 1 : 1);
    memcpy(other, p->samples.data, p->bytes);
    other[at] ^= (uint8_t)(1u << draw[8] % 8);
    orr_status status =
        orr_subject_encrypt(d->subject, key[0], p->shape, p->samples.data, buffer, error);
    if (status == ORR_OK)
        status = orr_subject_encrypt(d->subject, key[1], p->shape, other, other, error);
    orr_samples a = orr_picture_view(p, buffer), b = orr_picture_view(p, other);
    if (status == ORR_OK) {
        d->npcr[index] = orr_npcr(&a, &b);
        d->uaci[index] = orr_uaci(&a, &b);
    }
    free(buffer);
    return status;
}

static orr_status run_trials(differential *d, orr_error *error) {
    d->npcr = calloc(2 * d->trials, sizeof *d->npcr);
    if (!d->npcr) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    d->uaci = d->npcr + d->trials;
    return orr_parallel(orr_evidence_threads(d->e), d->trials, one_trial, d, error);
}

typedef struct spread {
    double mean, least, most;
} spread;

static spread spread_of(const double *values, size_t count) {
    spread s = {0, INFINITY, -INFINITY};
    for (size_t n = 0; n < count; n++) {
        s.mean += values[n] / (double)count;
        s.least = fmin(s.least, values[n]);
        s.most = fmax(s.most, values[n]);
    }
    return s;
}

static cJSON *trials_object(const differential *d) {
    cJSON *object = cJSON_CreateObject();
    spread npcr = spread_of(d->npcr, d->trials), uaci = spread_of(d->uaci, d->trials);
    cJSON_AddStringToObject(object, "image", d->picture->name);
    cJSON_AddStringToObject(object, "subject", orr_subject_key(d->subject));
    cJSON_AddNumberToObject(object, "trials", (double)d->trials);
    cJSON_AddNumberToObject(object, "samples", (double)orr_samples_count(&d->picture->samples));
    cJSON_AddNumberToObject(object, "bits", d->picture->samples.bits);
    cJSON_AddNumberToObject(object, "npcr_mean", npcr.mean);
    cJSON_AddNumberToObject(object, "npcr_min", npcr.least);
    cJSON_AddNumberToObject(object, "npcr_max", npcr.most);
    cJSON_AddNumberToObject(object, "uaci_mean", uaci.mean);
    cJSON_AddNumberToObject(object, "uaci_min", uaci.least);
    cJSON_AddNumberToObject(object, "uaci_max", uaci.most);
    return object;
}

// ---- fresh keys

// Trials accepted at a level, and the chance of random images to be.
typedef struct acceptance {
    size_t npcr, uaci;
    double npcr_chance, npcr_critical, low, high;
} acceptance;

static acceptance accept_at(const differential *d, double alpha) {
    uint64_t samples = orr_samples_count(&d->picture->samples);
    unsigned bits = d->picture->samples.bits;
    acceptance a = {.npcr_chance = orr_npcr_acceptance(samples, bits, alpha),
                    .npcr_critical = orr_npcr_critical(samples, bits, alpha)};
    orr_uaci_interval(samples, bits, alpha, &a.low, &a.high);
    for (size_t n = 0; n < d->trials; n++) {
        a.npcr += d->npcr[n] >= a.npcr_critical;
        a.uaci += d->uaci[n] >= a.low && d->uaci[n] <= a.high;
    }
    return a;
}

// The share of accepted trials, and the shares that the binomial test does not reject at 0.001.
static orr_mark share_finding(orr_evidence *e, const differential *d, int uaci, double alpha,
                              size_t inside, double chance, int headline) {
    char name[64];
    size_t low = 0, high = d->trials;
    while (low < high && orr_binomial_test(d->trials, chance, low) < 0.001) low++;
    while (high > low && orr_binomial_test(d->trials, chance, high) < 0.001) high--;
    snprintf(name, sizeof name, "%s accepted at %g", uaci ? "UACI" : "NPCR", alpha);
    orr_finding finding = {.measure = name,
                           .subject = orr_subject_key(d->subject),
                           .image = d->picture->name,
                           .unit = "% of trials",
                           .value = 100 * (double)inside / (double)d->trials,
                           .published = "H0 accepted",
                           .ideal = 100 * chance,
                           .low = 100 * (double)low / (double)d->trials,
                           .high = 100 * (double)high / (double)d->trials,
                           .headline = headline};
    return orr_evidence_finding(e, &finding);
}

// The means of all trials; their critical values are those of that many images' samples together.
static void mean_findings(orr_evidence *e, const differential *d, double npcr, double uaci,
                          int headline) {
    uint64_t samples = orr_samples_count(&d->picture->samples) * d->trials;
    unsigned bits = d->picture->samples.bits;
    double low, high;
    orr_finding finding = {.measure = "NPCR, mean",
                           .subject = orr_subject_key(d->subject),
                           .image = d->picture->name,
                           .unit = "%",
                           .value = 100 * npcr,
                           .published = "99.60 +- 0.2",
                           .ideal = 100 * orr_npcr_expected(bits),
                           .low = 100 * orr_npcr_critical(samples, bits, 0.001),
                           .high = INFINITY,
                           .headline = headline};
    orr_evidence_finding(e, &finding);
    orr_uaci_interval(samples, bits, 0.001, &low, &high);
    finding.measure = "UACI, mean";
    finding.value = 100 * uaci;
    finding.published = "33.47 +- 0.1";
    finding.ideal = 100 * orr_uaci_expected(bits);
    finding.low = 100 * low;
    finding.high = 100 * high;
    orr_evidence_finding(e, &finding);
}

static void fresh_row(orr_evidence *e, orr_table *table, cJSON *array, const differential *d) {
    spread npcr = spread_of(d->npcr, d->trials), uaci = spread_of(d->uaci, d->trials);
    unsigned bits = d->picture->samples.bits;
    int cipher = d->subject == ORR_SUBJECT_ARCHIVE || d->subject == ORR_SUBJECT_PAPER;
    cJSON *object = trials_object(d), *levels = cJSON_AddArrayToObject(object, "levels");
    cJSON_AddItemToArray(array, object);
    orr_table_cell(table, ORR_MARK_NONE, "%s", d->picture->name);
    orr_table_cell(table, ORR_MARK_NONE, "%s", orr_subject_name(d->subject));
    orr_table_cell(table, ORR_MARK_NONE, "%.4f (%.4f)", 100 * npcr.mean,
                   100 * orr_npcr_expected(bits));
    orr_table_cell(table, ORR_MARK_NONE, "%.4f (%.4f)", 100 * uaci.mean,
                   100 * orr_uaci_expected(bits));
    mean_findings(e, d, npcr.mean, uaci.mean, cipher);
    for (int level = 0; level < ORR_ALPHAS; level++) {
        acceptance a = accept_at(d, orr_alpha[level]);
        double chance[2] = {a.npcr_chance, 1 - orr_alpha[level]};
        size_t inside[2] = {a.npcr, a.uaci};
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToArray(levels, one);
        cJSON_AddNumberToObject(one, "alpha", orr_alpha[level]);
        cJSON_AddNumberToObject(one, "npcr_critical", a.npcr_critical);
        cJSON_AddNumberToObject(one, "npcr_chance", a.npcr_chance);
        cJSON_AddNumberToObject(one, "npcr_accepted", (double)a.npcr);
        cJSON_AddNumberToObject(one, "uaci_low", a.low);
        cJSON_AddNumberToObject(one, "uaci_high", a.high);
        cJSON_AddNumberToObject(one, "uaci_accepted", (double)a.uaci);
        for (int n = 0; n < 2; n++) {
            double p = orr_binomial_test(d->trials, chance[n], inside[n]);
            cJSON_AddNumberToObject(one, n ? "uaci_binomial_p" : "npcr_binomial_p", p);
            orr_mark mark = share_finding(e, d, n, orr_alpha[level], inside[n], chance[n],
                                          level == 0 && cipher);
            if (level == 0)
                orr_table_cell(table, mark, "%zu of %zu (%.1f %% expected), P = %.3f", inside[n],
                               d->trials, 100 * chance[n], p);
        }
    }
}

static orr_status fresh_keys(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {{"image", ORR_ALIGN_LEFT},
                                              {"encrypted by", ORR_ALIGN_LEFT},
                                              {"NPCR, mean (ideal) %", ORR_ALIGN_RIGHT},
                                              {"UACI, mean (ideal) %", ORR_ALIGN_RIGHT},
                                              {"NPCR accepted at 0.05", ORR_ALIGN_RIGHT},
                                              {"UACI accepted at 0.05", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 6};
    cJSON *array = cJSON_AddArrayToObject(section, "fresh_key");
    orr_status status = ORR_OK;
    for (size_t n = 0; n < e->pictures.count; n++) {
        for (int s = 0; s < ORR_SUBJECTS && status == ORR_OK; s++) {
            differential d = {.e = e,
                              .picture = &e->pictures.list[n],
                              .subject = (orr_subject)s,
                              .fresh = 1,
                              .trials = e->options->quick ? 20 : 200};
            status = orr_evidence_step(e, error, "NPCR and UACI, fresh keys: %s, %s",
                                       d.picture->name, orr_subject_name(d.subject));
            if (status == ORR_OK) status = run_trials(&d, error);
            if (status == ORR_OK) fresh_row(e, &table, array, &d);
            free(d.npcr);
        }
    }
    orr_page_heading(&e->body, 3, "A fresh key for every encryption, as published");
    orr_page_paragraph(
        &e->body,
        "One bit of the image is flipped; image and changed image are encrypted, each under its "
        "own "
        "key. Accepted: NPCR not below its critical value, UACI inside its interval, at level 0.05 "
        "(Wu, Noonan, Agaian 2011; for the image's own size and depth). Two random images are "
        "accepted in the expected share of trials; P is the binomial test of the share found, and "
        "passes at 0.001 and above. Published: NPCR 99.60 +- 0.2 %, UACI 33.47 +- 0.1 %.");
    orr_status put = orr_table_put(&e->body, &table, "NPCR and UACI with fresh keys", error);
    orr_page_note(
        &e->body,
        "What this shows: two ciphertexts under different keys are unrelated. That says "
        "nothing about differences in the plaintext: an image encrypted twice, unchanged, "
        "scores the same.");
    return status == ORR_OK ? put : status;
}

// ---- one key

static void fixed_row(orr_evidence *e, orr_table *table, cJSON *array, const differential *d) {
    spread npcr = spread_of(d->npcr, d->trials), uaci = spread_of(d->uaci, d->trials);
    acceptance a = accept_at(d, 0.05);
    cJSON *object = trials_object(d);
    cJSON_AddItemToArray(array, object);
    orr_json_add_reals(object, "npcr_by_position", d->npcr, d->trials);
    orr_json_add_reals(object, "uaci_by_position", d->uaci, d->trials);
    orr_table_cell(table, ORR_MARK_NONE, "%s", d->picture->name);
    orr_table_cell(table, ORR_MARK_NONE, "%s", orr_subject_name(d->subject));
    orr_finding finding = {.measure = "NPCR under one key, mean",
                           .subject = orr_subject_key(d->subject),
                           .image = d->picture->name,
                           .unit = "%",
                           .value = 100 * npcr.mean,
                           .published = "99.60 +- 0.2 % (fresh keys)",
                           .ideal = 100 * orr_npcr_expected(d->picture->samples.bits),
                           .low = 100 * a.npcr_critical,
                           .high = INFINITY};
    orr_table_cell(table, orr_evidence_finding(e, &finding), "%.3f", 100 * npcr.mean);
    orr_table_cell(table, ORR_MARK_NONE, "%.4f", 100 * npcr.least);
    orr_table_cell(table, ORR_MARK_NONE, "%.3f", 100 * npcr.most);
    orr_table_cell(table, ORR_MARK_NONE, "%.3f", 100 * uaci.mean);
}

static orr_status plot_positions(orr_evidence *e, differential *d, size_t count, orr_error *error) {
    orr_plot_series series[ORR_CIPHERS];
    double *x = malloc(d[0].trials * (1 + count) * sizeof *x);
    if (!x) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    for (size_t n = 0; n < d[0].trials; n++)
        x[n] = 100 * (double)n / (double)(d[0].trials > 1 ? d[0].trials - 1 : 1);
    for (size_t s = 0; s < count; s++) {
        double *y = x + (1 + s) * d[0].trials;
        for (size_t n = 0; n < d[0].trials; n++) y[n] = 100 * d[s].npcr[n];
        series[s] = (orr_plot_series){.label = orr_subject_name(d[s].subject),
                                      .kind = ORR_PLOT_LINE_POINTS,
                                      .x = x,
                                      .y = y,
                                      .count = d[0].trials};
    }
    orr_plot_mark ideal = {100 * orr_npcr_expected(d[0].picture->samples.bits), "ideal", 0};
    orr_plot plot = {.title = "One key: NPCR by the place of the changed bit",
                     .x = {.label = "place of the changed bit in the image", .unit = "%"},
                     .y = {.label = "NPCR", .unit = "%", .low = 0, .high = 105},
                     .series = series,
                     .count = count,
                     .marks = &ideal,
                     .mark_count = 1};
    orr_status status = orr_page_plot(
        &e->body, &plot,
        "With one key for both encryptions a change near the end of the image changes little, and "
        "a "
        "tile's change stays inside its tile. The running XOR of planets carries changes forward "
        "only; the seal is an XOR with a key stream and adds no diffusion.",
        error);
    free(x);
    return status;
}

static orr_status fixed_key(orr_evidence *e, cJSON *section, orr_error *error) {
    static const orr_page_column columns[] = {
        {"image", ORR_ALIGN_LEFT},        {"encrypted by", ORR_ALIGN_LEFT},
        {"NPCR mean %", ORR_ALIGN_RIGHT}, {"NPCR least %", ORR_ALIGN_RIGHT},
        {"NPCR most %", ORR_ALIGN_RIGHT}, {"UACI mean %", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 6};
    cJSON *array = cJSON_AddArrayToObject(section, "one_key");
    orr_status status = ORR_OK;
    orr_page_heading(&e->body, 3, "One key for both encryptions");
    for (size_t n = 0; n < e->pictures.count && status == ORR_OK; n++) {
        differential d[ORR_CIPHERS] = {{0}};
        for (int s = 0; s < ORR_CIPHERS && status == ORR_OK; s++) {
            d[s] = (differential){.e = e,
                                  .picture = &e->pictures.list[n],
                                  .subject = (orr_subject)s,
                                  .trials = e->options->quick ? 21 : 65};
            status = orr_evidence_step(e, error, "NPCR and UACI, one key: %s, %s",
                                       d[s].picture->name, orr_subject_name(d[s].subject));
            if (status == ORR_OK) status = run_trials(&d[s], error);
            if (status == ORR_OK) fixed_row(e, &table, array, &d[s]);
        }
        if (status == ORR_OK && n == 0) status = plot_positions(e, d, ORR_CIPHERS, error);
        for (int s = 0; s < ORR_CIPHERS; s++) free(d[s].npcr);
    }
    orr_status put = orr_table_put(&e->body, &table, "NPCR and UACI under one key", error);
    orr_page_note(
        &e->body,
        "What this shows: diffusion of the cipher itself, which is what a differential "
        "attack works on. It fails by design of the published scheme. Neither profile ever "
        "uses a key twice; the archive profile does not rest on it in any case, because its "
        "confidentiality is that of AES-256-GCM.");
    return status == ORR_OK ? put : status;
}

orr_status orr_section_differential(orr_evidence *e, orr_error *error) {
    cJSON *section = orr_evidence_section(e, "differential", "NPCR and UACI",
                                          "NPCR is the share of samples that differ between two "
                                          "ciphertexts, UACI the mean difference "
                                          "over the full scale. The figures mean different things "
                                          "in two settings, shown one after the "
                                          "other.");
    orr_status status = fresh_keys(e, section, error);
    return status == ORR_OK ? fixed_key(e, section, error) : status;
}
