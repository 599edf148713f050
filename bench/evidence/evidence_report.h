// The report while it is being made: what the section_*.c write into.
#ifndef ORRERY_BENCH_EVIDENCE_EVIDENCE_REPORT_H
#define ORRERY_BENCH_EVIDENCE_EVIDENCE_REPORT_H

#include <cjson/cJSON.h>

#include "bench/evidence/evidence.h"
#include "bench/evidence/metrics.h"
#include "bench/evidence/picture.h"
#include "bench/evidence/subject.h"
#include "media/page.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_verdict { ORR_VERDICT_NONE, ORR_VERDICT_PASS, ORR_VERDICT_FAIL } orr_verdict;

// One figure beside what it is compared with.
typedef struct orr_finding {
    const char *measure;   // "entropy"
    const char *subject;   // key of a subject ("paper"), or NULL
    const char *image;     // or NULL
    const char *unit;      // "bits a byte", "%", or NULL
    double value;          // NAN: none (null in JSON)
    const char *published; // the paper's value as text; NULL: not available
    double ideal;          // NAN: none
    double low, high;      // critical values; infinite: open on that side; NAN: none
    orr_verdict verdict;   // of what has no critical values; else left at NONE and computed
    int headline;          // repeated in the table at the top
} orr_finding;
#define ORR_NO_BOUNDS .ideal = NAN, .low = NAN, .high = NAN

// What failed, said at the top of the page: a count for each measure, the controls together.
#define ORR_FAILURE_KINDS 24
typedef struct orr_failure_kind {
    char measure[96];
    size_t count;
} orr_failure_kind;

typedef struct orr_evidence {
    const orr_evidence_options *options;
    orr_pictures pictures;
    cJSON *root, *findings;
    orr_sink body;       // of the page, without head and end
    orr_sink headline;   // rows of the table at the top, as findings come
    const char *section; // key of the section being written
    double share;        // of the work that is behind
    orr_evidence_summary summary;
    orr_failure_kind failures[ORR_FAILURE_KINDS];
    size_t failure_kinds; // may exceed what is kept
    char directory[4200]; // the report's
} orr_evidence;

// ---- for the sections

// Says what is being done; ORR_STOPPED when a signal came.
orr_status orr_evidence_step(orr_evidence *e, orr_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Starts a section: heading and first paragraph; an object of that key in the JSON, returned.
cJSON *orr_evidence_section(orr_evidence *e, const char *key, const char *heading,
                            const char *text);
// Records a finding; returns the mark for its cell.
orr_mark orr_evidence_finding(orr_evidence *e, const orr_finding *finding);
// 64 bytes that depend on the run's seed, `label` and `index` alone.
void orr_evidence_key(const orr_evidence *e, const char *label, uint64_t index, uint8_t key[64]);
static inline unsigned orr_evidence_threads(const orr_evidence *e) {
    return e->options->threads;
}
// A number into JSON: null when it is not finite.
void orr_json_add_real(cJSON *object, const char *key, double value);
void orr_json_add_reals(cJSON *object, const char *key, const double *values, size_t count);

// A table that grows row by row. Memory that runs out shows at orr_table_put.
typedef struct orr_table {
    const orr_page_column *columns;
    size_t column_count, count, capacity;
    orr_page_cell *cells;
    int lost;
} orr_table;
void orr_table_cell(orr_table *table, orr_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Writes the table and frees its cells. ORR_INTERNAL when the cells do not fill its rows.
orr_status orr_table_put(orr_sink *sink, orr_table *table, const char *caption, orr_error *error);

// ---- the sections, in the report's order
orr_status orr_section_images(orr_evidence *e, orr_error *error);
orr_status orr_section_statistics(orr_evidence *e, orr_error *error);
orr_status orr_section_differential(orr_evidence *e, orr_error *error);
orr_status orr_section_keys(orr_evidence *e, orr_error *error);
orr_status orr_section_robustness(orr_evidence *e, orr_error *error);
orr_status orr_section_timing(orr_evidence *e, orr_error *error);
orr_status orr_section_attacks(orr_evidence *e, orr_error *error);
orr_status orr_section_files(orr_evidence *e, orr_error *error);
orr_status orr_section_adversarial(orr_evidence *e, orr_error *error);
orr_status orr_section_nist(orr_evidence *e, orr_error *error);
orr_status orr_section_chaos(orr_evidence *e, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
