// Entropy, histogram, correlation, MSE and PSNR: what one ciphertext looks like.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/evidence/critical.h"
#include "bench/evidence/evidence_report.h"

#define SCATTER 4000 // pairs drawn

static const char *const direction_name[3] = {"horizontal", "vertical", "diagonal"};

typedef struct figures {
    double entropy, chi_square, correlation[3], mse, psnr;
} figures;

static void measure(const orr_picture *picture, const uint8_t *data, figures *f) {
    uint64_t counts[256];
    orr_samples view = orr_picture_view(picture, data);
    orr_byte_histogram(data, picture->bytes, counts);
    f->entropy = orr_entropy(counts);
    f->chi_square = orr_uniform_chi_square(counts);
    for (int d = 0; d < 3; d++)
        f->correlation[d] = orr_correlation(&view, UINT32_MAX, (orr_direction)d);
    f->mse = orr_mse(&picture->samples, &view);
    f->psnr = orr_psnr(f->mse, view.bits);
}

static void add_cells(orr_evidence *e, orr_table *table, const orr_picture *picture,
                      const char *subject, const figures *f) {
    double mean, deviation, bound = 4 / sqrt((double)orr_samples_count(&picture->samples));
    int big = picture->samples.rows >= 512 && picture->samples.columns >= 512;
    int cipher = strcmp(subject, "archive") == 0 || strcmp(subject, "paper") == 0;
    orr_entropy_of_random(picture->bytes, &mean, &deviation);
    orr_finding finding = {.measure = "entropy",
                           .subject = subject,
                           .image = picture->name,
                           .unit = "bits a byte",
                           .value = f->entropy,
                           .published = "7.9993 +- 0.0001",
                           .ideal = 8,
                           .low = mean - orr_normal_upper(0.001) * deviation,
                           .high = 8,
                           .headline = big && cipher};
    orr_table_cell(table, orr_evidence_finding(e, &finding), "%.5f (at least %.5f)", f->entropy,
                   finding.low);
    finding = (orr_finding){.measure = "histogram chi-square",
                            .subject = subject,
                            .image = picture->name,
                            .value = f->chi_square,
                            .ideal = 255,
                            .low = -INFINITY,
                            .high = orr_chi_square_critical(0.001, 255)};
    orr_table_cell(table, orr_evidence_finding(e, &finding), "%.1f (at most %.1f)", f->chi_square,
                   finding.high);
    for (int d = 0; d < 3; d++) {
        char name[40];
        snprintf(name, sizeof name, "correlation, %s", direction_name[d]);
        finding = (orr_finding){.measure = name,
                                .subject = subject,
                                .image = picture->name,
                                .value = f->correlation[d],
                                .published = "within +- 0.09",
                                .ideal = 0,
                                .low = -fmax(bound, 0.01),
                                .high = fmax(bound, 0.01),
                                .headline = big && cipher && d == 0};
        orr_table_cell(table, orr_evidence_finding(e, &finding), "%+.4f", f->correlation[d]);
    }
    finding = (orr_finding){.measure = "MSE",
                            .subject = subject,
                            .image = picture->name,
                            .value = f->mse,
                            .published = "4166.3107 +- 1645.2980",
                            ORR_NO_BOUNDS};
    orr_table_cell(table, orr_evidence_finding(e, &finding), "%.1f", f->mse);
    finding = (orr_finding){.measure = "PSNR",
                            .subject = subject,
                            .image = picture->name,
                            .unit = "dB",
                            .value = f->psnr,
                            .published = "12.2643 +- 1.7032",
                            ORR_NO_BOUNDS};
    orr_table_cell(table, orr_evidence_finding(e, &finding), "%.2f", f->psnr);
}

static void plain_cells(orr_table *table, const orr_picture *picture, const figures *f) {
    orr_table_cell(table, ORR_MARK_NONE, "%s", picture->name);
    orr_table_cell(table, ORR_MARK_NONE, "the image itself");
    orr_table_cell(table, ORR_MARK_NONE, "%.5f", f->entropy);
    orr_table_cell(table, ORR_MARK_NONE, "%.1f", f->chi_square);
    for (int d = 0; d < 3; d++) orr_table_cell(table, ORR_MARK_NONE, "%+.4f", f->correlation[d]);
    orr_table_cell(table, ORR_MARK_NONE, "%s", "");
    orr_table_cell(table, ORR_MARK_NONE, "%s", "");
}

// ---- plots

static orr_status plot_histograms(orr_evidence *e, const orr_picture *picture,
                                  const uint8_t *cipher[2], orr_error *error) {
    static const char *const label[3] = {"image", "archive profile", "paper profile"};
    double y[3][256];
    char caption[400];
    orr_page_row_begin(&e->body);
    orr_status status = ORR_OK;
    for (int part = 0; part < 2 && status == ORR_OK; part++) {
        orr_plot_series series[2];
        for (int n = part; n < 1 + 2 * part; n++) {
            uint64_t counts[256];
            const uint8_t *data = n == 0 ? picture->samples.data : cipher[n - 1];
            orr_byte_histogram(data, picture->bytes, counts);
            for (int v = 0; v < 256; v++)
                y[n][v] = 100 * (double)counts[v] / (double)picture->bytes;
            series[n - part] = (orr_plot_series){
                .label = label[n], .kind = ORR_PLOT_STEPS, .y = y[n], .count = 256};
        }
        orr_plot_mark ideal = {100.0 / 256, "uniform", 0};
        orr_plot plot = {.title = part ? "Histogram of the ciphertexts" : "Histogram of the image",
                         .width = 520,
                         .height = 300,
                         .x = {.label = "byte value", .low = 0, .high = 256},
                         .y = {.label = "share of bytes", .unit = "%"},
                         .series = series,
                         .count = part ? 2 : 1,
                         .marks = &ideal,
                         .mark_count = 1};
        if (part) { // the scale that shows how flat: from half to one and a half of the ideal
            plot.y.low = 0.5 * ideal.at;
            plot.y.high = 1.5 * ideal.at;
        }
        snprintf(
            caption, sizeof caption,
            part ? "%s, encrypted: every byte value comes about equally often. A flat histogram "
                   "shows no trace of the image; it shows nothing about the key."
                 : "%s: how often each byte value occurs.",
            picture->name);
        status = orr_page_plot(&e->body, &plot, caption, error);
    }
    orr_page_row_end(&e->body);
    return status;
}

// Pairs of horizontal neighbours at places spread over the image.
static void collect_pairs(const orr_samples *s, double *x, double *y) {
    uint64_t count = orr_samples_count(s);
    for (uint64_t n = 0; n < SCATTER; n++) {
        uint64_t at = count * n / SCATTER;
        if (at % s->columns == s->columns - 1) at--;
        x[n] = orr_sample(s, at);
        y[n] = orr_sample(s, at + 1);
    }
}

static orr_status plot_scatter(orr_evidence *e, const orr_picture *picture,
                               const uint8_t *cipher[2], orr_error *error) {
    static const char *const title[3] = {"Neighbours: image", "Neighbours: archive profile",
                                         "Neighbours: paper profile"};
    double *x = malloc(2 * SCATTER * sizeof *x), *y = x + SCATTER;
    if (!x) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_page_row_begin(&e->body);
    orr_status status = ORR_OK;
    for (int n = 0; n < 3 && status == ORR_OK; n++) {
        orr_samples view =
            orr_picture_view(picture, n == 0 ? picture->samples.data : cipher[n - 1]);
        collect_pairs(&view, x, y);
        orr_plot_series series = {.kind = ORR_PLOT_DENSE, .x = x, .y = y, .count = SCATTER};
        orr_plot plot = {.title = title[n],
                         .width = 500,
                         .height = 360,
                         .x = {.label = "sample", .unit = "levels"},
                         .y = {.label = "its right neighbour", .unit = "levels"},
                         .series = &series,
                         .count = 1};
        status = orr_page_plot(
            &e->body, &plot,
            n ? "Encrypted: neighbours have nothing to do with each other."
              : "In the image a pixel is close to its neighbour: the points lie on the diagonal.",
            error);
    }
    orr_page_row_end(&e->body);
    free(x);
    return status;
}

static orr_status one_picture(orr_evidence *e, const orr_picture *picture, orr_table *table,
                              int plots, orr_error *error) {
    uint8_t *buffer = malloc(2 * picture->bytes + picture->bytes), key[64];
    if (!buffer) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    const uint8_t *kept[2] = {buffer, buffer + picture->bytes};
    figures f;
    measure(picture, picture->samples.data, &f);
    plain_cells(table, picture, &f);
    orr_status status = ORR_OK;
    for (int s = 0; s < ORR_SUBJECTS && status == ORR_OK; s++) {
        uint8_t *out = buffer + (s == ORR_SUBJECT_ARCHIVE ? 0
                                 : s == ORR_SUBJECT_PAPER ? 1
                                                          : 2) *
                                    picture->bytes;
        orr_evidence_key(e, "statistics", (uint64_t)(picture - e->pictures.list) * 16 + (uint64_t)s,
                         key);
        status = orr_subject_encrypt((orr_subject)s, key, picture->shape, picture->samples.data,
                                     out, error);
        if (status != ORR_OK) break;
        measure(picture, out, &f);
        orr_table_cell(table, ORR_MARK_NONE, "%s", picture->name);
        orr_table_cell(table, ORR_MARK_NONE, "%s", orr_subject_name((orr_subject)s));
        add_cells(e, table, picture, orr_subject_key((orr_subject)s), &f);
    }
    if (status == ORR_OK && plots) status = plot_histograms(e, picture, kept, error);
    if (status == ORR_OK && plots) status = plot_scatter(e, picture, kept, error);
    free(buffer);
    return status;
}

orr_status orr_section_statistics(orr_evidence *e, orr_error *error) {
    static const orr_page_column columns[] = {{"image", ORR_ALIGN_LEFT},
                                              {"encrypted by", ORR_ALIGN_LEFT},
                                              {"entropy (bits a byte)", ORR_ALIGN_RIGHT},
                                              {"chi-square", ORR_ALIGN_RIGHT},
                                              {"r horizontal", ORR_ALIGN_RIGHT},
                                              {"r vertical", ORR_ALIGN_RIGHT},
                                              {"r diagonal", ORR_ALIGN_RIGHT},
                                              {"MSE", ORR_ALIGN_RIGHT},
                                              {"PSNR (dB)", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 9};
    orr_evidence_section(
        e, "statistics", "Entropy, histogram, correlation",
        "One encryption of each image. Entropy is over bytes; even perfectly random bytes stay "
        "below "
        "8 by 255 / (2 n ln 2), so an image of 512 x 512 bytes has 7.9993 and no more: the "
        "critical "
        "value is the one that random bytes stay above 999 times in 1,000. Published: entropy "
        "7.9993 "
        "+- 0.0001, correlation within +- 0.09, MSE 4166.3107 +- 1645.2980, PSNR 12.2643 +- 1.7032 "
        "dB. MSE and PSNR against the image say how far it is from uniform noise: they depend on "
        "the "
        "image more than on the cipher.");
    orr_status status = ORR_OK;
    for (size_t n = 0; n < e->pictures.count && status == ORR_OK; n++) {
        status = orr_evidence_step(e, error, "statistics: %s", e->pictures.list[n].name);
        if (status == ORR_OK) status = one_picture(e, &e->pictures.list[n], &table, n == 0, error);
    }
    orr_status put = orr_table_put(&e->body, &table, "Statistics of images and ciphertexts", error);
    orr_page_note(
        &e->body,
        "What this shows: the ciphertext looks like noise. What it cannot show: whether "
        "anybody without the key can undo it. The control without any secret passes every "
        "column.");
    return status == ORR_OK ? put : status;
}
