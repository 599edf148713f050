// Time against size, on one thread. For comparisons with anything there are the benchmarks.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/evidence/evidence_report.h"

#define SIZES 6 // 64 x 64 .. 2048 x 2048

// Slope of log y over log x by least squares.
static double exponent_of(const double *x, const double *y, size_t count) {
    double sx = 0, sy = 0, sxx = 0, sxy = 0, n = (double)count;
    for (size_t i = 0; i < count; i++) {
        double a = log(x[i]), b = log(y[i]);
        sx += a;
        sy += b;
        sxx += a * a;
        sxy += a * b;
    }
    return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

static orr_status time_one(orr_subject subject, uint32_t side, uint8_t *data, double *seconds,
                           orr_error *error) {
    static const uint8_t key[64] = "timing";
    orr_volume_shape shape = {3, side, side};
    *seconds = INFINITY;
    for (int n = 0; n < 3; n++) {
        double start = orr_seconds();
        orr_status status = orr_subject_encrypt(subject, key, shape, data, data, error);
        if (status != ORR_OK) return status;
        *seconds = fmin(*seconds, orr_seconds() - start);
    }
    return ORR_OK;
}

orr_status orr_section_timing(orr_evidence *e, orr_error *error) {
    static const orr_page_column columns[] = {{"image, RGB", ORR_ALIGN_RIGHT},
                                              {"archive profile (ms)", ORR_ALIGN_RIGHT},
                                              {"planet layer alone (ms)", ORR_ALIGN_RIGHT},
                                              {"paper profile (ms)", ORR_ALIGN_RIGHT}};
    orr_table table = {.columns = columns, .column_count = 4};
    size_t sizes = e->options->quick ? 4 : SIZES;
    double bytes[SIZES], ms[ORR_CIPHERS][SIZES], seconds;
    cJSON *section = orr_evidence_section(
        e, "timing", "Time against size",
        "Encryption in memory on one thread, the best of three. Published: cost linear in the "
        "number of "
        "pixels, that is an exponent of 1; seconds are not available and would be those of another "
        "machine.");
    uint32_t largest = 64u << (sizes - 1);
    uint8_t *data = calloc(3, (size_t)largest * largest);
    if (!data) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_status status = orr_evidence_step(e, error, "time against size");
    for (size_t n = 0; n < sizes && status == ORR_OK; n++) {
        uint32_t side = 64u << n;
        bytes[n] = 3.0 * side * side;
        orr_table_cell(&table, ORR_MARK_NONE, "%u x %u", side, side);
        for (int s = 0; s < ORR_CIPHERS && status == ORR_OK; s++) {
            status = time_one((orr_subject)s, side, data, &seconds, error);
            ms[s][n] = 1000 * seconds;
            orr_table_cell(&table, ORR_MARK_NONE, "%.3f", ms[s][n]);
        }
    }
    free(data);
    orr_status put = orr_table_put(&e->body, &table, "Time to encrypt", error);
    if (status != ORR_OK || put != ORR_OK) return status != ORR_OK ? status : put;
    orr_plot_series series[ORR_CIPHERS];
    orr_json_add_reals(section, "bytes", bytes, sizes);
    for (int s = 0; s < ORR_CIPHERS; s++) {
        series[s] = (orr_plot_series){.label = orr_subject_name((orr_subject)s),
                                      .kind = ORR_PLOT_LINE_POINTS,
                                      .x = bytes,
                                      .y = ms[s],
                                      .count = sizes};
        orr_json_add_reals(section, orr_subject_key((orr_subject)s), ms[s], sizes);
        // The smallest sizes measure the fixed cost of a call.
        orr_finding finding = {.measure = "exponent of time against size",
                               .subject = orr_subject_key((orr_subject)s),
                               .value = exponent_of(bytes + 1, ms[s] + 1, sizes - 1),
                               .published = "O(M x N): 1",
                               .ideal = 1,
                               .low = NAN,
                               .high = NAN};
        orr_evidence_finding(e, &finding);
    }
    orr_plot plot = {.title = "Time to encrypt, one thread",
                     .x = {.label = "image", .scale = ORR_PLOT_BYTES},
                     .y = {.label = "time", .unit = "ms", .scale = ORR_PLOT_LOG},
                     .series = series,
                     .count = ORR_CIPHERS};
    return orr_page_plot(
        &e->body, &plot,
        "Both scales are logarithmic: a straight line of slope 1 is cost linear in the "
        "number of pixels.",
        error);
}
