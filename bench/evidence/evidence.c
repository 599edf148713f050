#include "bench/evidence/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/flush.h"
#include "base/fresh.h"
#include "base/io.h"
#include "bench/evidence/evidence_report.h"
#include "gan/weights.h"

#define PHANTOM_SIDE 512
#define SCHEMA_VERSION 1

typedef struct section {
    const char *key;
    orr_status (*run)(orr_evidence *e, orr_error *error);
    double weight; // share of the time, roughly
} section;

static const section sections[] = {
    {"images", orr_section_images, 1},
    {"statistics", orr_section_statistics, 2},
    {"differential", orr_section_differential, 40},
    {"keys", orr_section_keys, 3},
    {"robustness", orr_section_robustness, 5},
    {"timing", orr_section_timing, 3},
    {"adversarial", orr_section_adversarial, 4},
    {"attacks", orr_section_attacks, 15},
    {"files", orr_section_files, 8},
    {"nist", orr_section_nist, 30},
    {"chaos", orr_section_chaos, 6},
};
#define SECTION_COUNT (sizeof sections / sizeof *sections)

// ---- the directory

// Makes the report's directory. One that is there must be empty; *made tells which.
static orr_status make_directory(const char *path, int *made, orr_error *error) {
    orr_listing listing;
    int found = orr_directory_make(path, 0777);
    *made = found == 0;
    if (*made) return ORR_OK;
    if (found < 0)
        return orr_fail(error, ORR_IO, "%s: cannot make the directory: %s", path, strerror(errno));
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 && errno == ENOTDIR)
        return orr_fail(error, ORR_EXISTS, "%s: exists and is not a directory", path);
    int failed = directory < 0 || orr_listing_read(directory, &listing) != 0, why = errno;
    if (failed) {
        if (directory >= 0) close(directory);
        return orr_fail(error, ORR_IO, "%s: %s", path, strerror(why));
    }
    int empty = listing.count == 0;
    // Before minutes of work for nothing.
    int writable = faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) == 0;
    why = errno;
    orr_listing_free(&listing);
    close(directory);
    if (empty && !writable)
        return orr_fail(error, ORR_IO, "%s: cannot write into this directory: %s", path,
                        strerror(why));
    if (empty) return ORR_OK;
    return orr_fail(error, ORR_EXISTS,
                    "%s: exists and is not empty; nothing was touched: name another directory",
                    path);
}

// A new file of the report, whole and flushed, or none.
static orr_status write_file(const orr_evidence *e, const char *name, const char *text,
                             size_t bytes, orr_error *error) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", e->directory, name);
    orr_fresh fresh;
    int failed = orr_fresh_begin(&fresh, path) ? errno : 0;
    if (!failed && orr_write_in_full(fresh.fd, text, bytes) < bytes) failed = errno;
    // A report on images shows them.
    mode_t mode = e->options->image_count ? 0600 : orr_default_mode();
    if (!failed && (orr_fresh_set_mode(&fresh, mode) || orr_fresh_commit(&fresh, ORR_FRESH_NEW)))
        failed = errno;
    orr_fresh_end(&fresh);
    orr_status status = failed ? failed == EEXIST ? ORR_EXISTS : ORR_IO : ORR_OK;
    if (failed) orr_fail(error, status, "%s: %s", path, strerror(failed));
    return status;
}

// ---- the page

// The table at the top from the lines that orr_evidence_finding() kept.
static orr_status put_headline(orr_evidence *e, orr_sink *page, orr_error *error) {
    static const orr_page_column columns[] = {
        {"measure", ORR_ALIGN_LEFT},         {"profile", ORR_ALIGN_LEFT},
        {"image", ORR_ALIGN_LEFT},           {"our value", ORR_ALIGN_RIGHT},
        {"published", ORR_ALIGN_RIGHT},      {"ideal", ORR_ALIGN_RIGHT},
        {"critical value", ORR_ALIGN_RIGHT}, {"verdict", ORR_ALIGN_LEFT}};
    orr_table table = {.columns = columns, .column_count = 8};
    for (char *line = e->headline.text, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = 0;
        char *field = line;
        for (int n = 0; n < 7; n++) {
            char *tab = strchr(field, '\t');
            *tab = 0;
            orr_table_cell(&table, ORR_MARK_NONE, "%s", field);
            field = tab + 1;
        }
        static const orr_mark mark[] = {ORR_MARK_NOTE, ORR_MARK_PASS, ORR_MARK_FAIL};
        orr_table_cell(&table, mark[*field - '0'], "%s", "");
    }
    return orr_table_put(page, &table, "Our values beside the published ones", error);
}

// What failed, by measure, so that nobody has to search the page for it.
static void put_failures(const orr_evidence *e, orr_sink *page) {
    char text[ORR_FAILURE_KINDS + 2][160];
    const char *items[ORR_FAILURE_KINDS + 2];
    size_t count = 0;
    for (size_t n = 0; n < e->failure_kinds && n < ORR_FAILURE_KINDS; n++, count++)
        snprintf(text[count], sizeof *text, "%s: %zu", e->failures[n].measure,
                 e->failures[n].count);
    if (e->failure_kinds > ORR_FAILURE_KINDS)
        snprintf(text[count++], sizeof *text, "%zu more measures, in report.json",
                 e->failure_kinds - ORR_FAILURE_KINDS);
    if (e->summary.failed_controls)
        snprintf(text[count++], sizeof *text,
                 "of the negative controls, which are there to be caught: %zu",
                 e->summary.failed_controls);
    for (size_t n = 0; n < count; n++) items[n] = text[n];
    if (!count) return;
    orr_page_paragraph(page, "What failed, and how often:");
    orr_page_list(page, items, count);
}

static const char summary_text[] =
    "What the published scheme (Kumar, Chivukula, Barua, Scientific Reports 15:1211, 2025) was "
    "measured by, measured on this implementation, beside what an adversary can do. The measures "
    "find bugs. They do not show security: a cipher with no secret at all passes them, and the "
    "attacks below break the planet layer wherever a key serves twice. In the archive profile "
    "confidentiality and integrity rest on AES-256-GCM alone; the planet layer adds no claimed "
    "bits. "
    "The paper profile does not seal its pixels.";

static const char bits_text[] =
    "Does a file look like random bits? The tests find flaws. They do not show security: bits that "
    "anybody can predict pass them.";

// Title and first paragraphs of the report on a file of bits.
static void begin_bits(orr_evidence *e, orr_sink *page, const char *when) {
    char line[512];
    orr_page_begin(page, "Orrery: SP 800-22 on a file of bits", bits_text);
    snprintf(line, sizeof line, "%s, %s, %.0f seconds, on the file:",
             e->options->program ? e->options->program : "orrery", when, e->summary.seconds);
    orr_page_paragraph(page, line);
    orr_page_code(page, strcmp(e->options->bits, "-") == 0 ? "standard input" : e->options->bits);
    orr_page_note(page, e->summary.verdict);
}

// The same of the report on images.
static void begin_images(orr_evidence *e, orr_sink *page, const char *when) {
    char line[512];
    orr_page_begin(page, "Orrery: evidence report", summary_text);
    snprintf(
        line, sizeof line,
        "%s, %s, %s run, seed %llu, %.0f seconds. %zu findings: %zu passed, %zu failed, the "
        "others have no test. A fail is not always bad news: controls and attacks are meant to "
        "show where a measure or a cipher fails. Each section says what its fails mean.",
        e->options->program ? e->options->program : "orrery", when,
        e->options->quick ? "quick" : "full", (unsigned long long)e->options->seed,
        e->summary.seconds, e->summary.findings, e->summary.passed, e->summary.failed);
    orr_page_paragraph(page, line);
    put_failures(e, page);
}

static orr_status write_page(orr_evidence *e, orr_error *error) {
    orr_sink page;
    char when[64];
    orr_utc(time(NULL), ORR_UTC_MINUTE, when, sizeof when);
    orr_sink_memory(&page);
    (e->options->bits ? begin_bits : begin_images)(e, &page, when);
    orr_status status = orr_sink_finish(&e->headline, error);
    if (status == ORR_OK && e->headline.length) status = put_headline(e, &page, error);
    if (status == ORR_OK) status = orr_sink_finish(&e->body, error);
    if (status == ORR_OK) orr_sink_put(&page, e->body.text, e->body.length);
    orr_page_end(&page);
    if (status == ORR_OK) status = orr_sink_finish(&page, error);
    if (status == ORR_OK) status = write_file(e, "report.html", page.text, page.length, error);
    orr_sink_free(&page);
    return status;
}

static orr_status write_json(orr_evidence *e, orr_error *error) {
    cJSON *run = cJSON_AddObjectToObject(e->root, "run");
    cJSON_AddStringToObject(run, "program", e->options->program ? e->options->program : "orrery");
    cJSON_AddBoolToObject(run, "quick", e->options->quick);
    char seed[32]; // a JSON number would lose digits
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)e->options->seed);
    cJSON_AddStringToObject(run, "seed", seed);
    cJSON_AddNumberToObject(run, "seconds", e->summary.seconds);
    cJSON_AddNumberToObject(run, "findings", (double)e->summary.findings);
    cJSON_AddNumberToObject(run, "passed", (double)e->summary.passed);
    cJSON_AddNumberToObject(run, "failed", (double)e->summary.failed);
    cJSON_AddNumberToObject(run, "failed_controls", (double)e->summary.failed_controls);
    char *text = cJSON_Print(e->root);
    if (!text) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_status status = write_file(e, "report.json", text, strlen(text), error);
    cJSON_free(text);
    return status;
}

// One half of a report would stand in the way of the next run.
static void remove_json(const orr_evidence *e) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/report.json", e->directory) < (int)sizeof path)
        unlink(path);
}

// ---- the run

static orr_status load_pictures(orr_evidence *e, orr_error *error) {
    const orr_evidence_options *o = e->options;
    if (o->bits) return ORR_OK; // no images take part
    if (o->image_count == 0)
        return orr_pictures_add_phantoms(&e->pictures, PHANTOM_SIDE, o->seed, error);
    orr_status status = ORR_OK;
    for (size_t n = 0; n < o->image_count && status == ORR_OK; n++) {
        status = orr_pictures_add_file(&e->pictures, o->images[n], error);
        const char *flaw = status == ORR_OK ? e->pictures.list[e->pictures.count - 1].flaw : NULL;
        if (flaw && o->flawed) o->flawed(o->progress_context, o->images[n], flaw);
    }
    return status;
}

// Is `key` among the sections asked for?
static int wanted(const char *only, const char *key) {
    size_t length = strlen(key);
    for (const char *at = only; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, key, length) == 0 && (at[length] == ',' || !at[length])) return 1;
    }
    return !only;
}

static orr_status check_only(const char *only, orr_error *error) {
    for (const char *at = only; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t length = strcspn(at, ","), n = 0;
        while (n < SECTION_COUNT &&
               (strlen(sections[n].key) != length || strncmp(sections[n].key, at, length) != 0))
            n++;
        if (n < SECTION_COUNT) continue;
        char known[256] = "";
        for (size_t i = 0, used = 0; i < SECTION_COUNT && used < sizeof known; i++)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                     sections[i].key);
        return orr_fail(error, ORR_USAGE, "there is no section \"%.*s\": the sections are %s",
                        (int)length, at, known);
    }
    return ORR_OK;
}

// The discriminator is attacked late: what is wrong with its file is found first.
static orr_status check_weights(const orr_evidence_options *o, orr_error *error) {
    orr_gan_weights weights;
    if (!o->weights) return ORR_OK;
    if (!wanted(o->only, "adversarial"))
        return orr_fail(error, ORR_USAGE,
                        "--weights is what the section adversarial attacks, and --only leaves that "
                        "section out");
    orr_status status = orr_gan_weights_read(o->weights, ORR_GAN_DISCRIMINATOR, &weights, error);
    orr_gan_weights_free(&weights);
    return status;
}

static orr_status run_sections(orr_evidence *e, orr_error *error) {
    if (e->options->bits) return orr_section_nist(e, error);
    double total = 0, behind = 0;
    orr_status status = ORR_OK;
    for (size_t n = 0; n < SECTION_COUNT; n++)
        if (wanted(e->options->only, sections[n].key)) total += sections[n].weight;
    for (size_t n = 0; n < SECTION_COUNT && status == ORR_OK; n++) {
        if (!wanted(e->options->only, sections[n].key)) continue;
        e->share = behind / total;
        status = sections[n].run(e, error);
        behind += sections[n].weight;
    }
    return status;
}

orr_status orr_evidence_run(const orr_evidence_options *options, orr_evidence_summary *summary,
                            orr_error *error) {
    orr_evidence e = {.options = options, .section = ""};
    double start = orr_seconds();
    int made = 0;
    if (snprintf(e.directory, sizeof e.directory, "%s", options->output) >= (int)sizeof e.directory)
        return orr_fail(error, ORR_USAGE, "the name of the report's directory is too long");
    if (options->bits && (options->image_count || options->only || options->weights))
        return orr_fail(error, ORR_USAGE,
                        "--bits runs the SP 800-22 battery alone: it goes with no images, --only "
                        "or --weights");
    if (check_only(options->only, error) != ORR_OK) return ORR_USAGE;
    orr_status status = check_weights(options, error);
    if (status != ORR_OK) return status;
    orr_sink_memory(&e.body);
    orr_sink_memory(&e.headline);
    e.root = cJSON_CreateObject();
    status = e.root ? make_directory(e.directory, &made, error)
                    : orr_fail(error, ORR_INTERNAL, "memory ran out");
    cJSON_AddNumberToObject(e.root, "schema", SCHEMA_VERSION);
    e.findings = cJSON_AddArrayToObject(e.root, "findings");
    if (status == ORR_OK) status = load_pictures(&e, error);
    if (status == ORR_OK) status = run_sections(&e, error);
    e.summary.seconds = orr_seconds() - start;
    if (status == ORR_OK) status = write_json(&e, error);
    if (status == ORR_OK && (status = write_page(&e, error)) != ORR_OK) remove_json(&e);
    if (status != ORR_OK && made) rmdir(e.directory); // fails when there is something in it
    e.summary.unflushed = orr_flush_refused();
    *summary = e.summary;
    orr_pictures_free(&e.pictures);
    orr_sink_free(&e.body);
    orr_sink_free(&e.headline);
    cJSON_Delete(e.root);
    return status;
}
