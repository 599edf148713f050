#include "host/job/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/text.h"
#include "host/container/tile_read.h"

#define SALVAGED ".salvaged"
#define SALVAGED_MODE 0600 // of a damaged file, not even the mode is sure

// Runs of good and bad tiles as byte ranges [start, end) of the original.
typedef struct ranges {
    cJSON *good, *bad;
    int last;   // 1 good, 0 bad, -1 none
    int broken; // memory ran out: a range is missing
    uint64_t start, good_bytes;
} ranges;

static int add_range(cJSON *list, uint64_t start, uint64_t end) {
    const double ends[2] = {(double)start, (double)end};
    return cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(ends, 2));
}

static void note_range(ranges *r, int good, uint64_t at, uint64_t bytes) {
    if (good) r->good_bytes += bytes;
    if (good == r->last) return;
    if (r->last >= 0 && at > r->start)
        r->broken |= !add_range(r->last ? r->good : r->bad, r->start, at);
    r->last = good;
    r->start = at;
}

// Metadata only when they authenticate. A head that is damaged has told nothing of its origin yet.
static orr_status salvage_open(orr_job_file *file, orr_error *error) {
    orr_sealed *from = file->from.sealed;
    orr_status status = orr_sealed_open_damaged(from, (uint64_t)file->from.st.st_size, error);
    if (status == ORR_OK) status = orr_source_check_origin(file, error);
    if (status != ORR_OK || file->metadata) return status;
    orr_metadata *m = calloc(1, sizeof *m);
    if (m && orr_container_read_metadata(&from->container, from->fd, &from->seal.keys, from->name,
                                         m, NULL) == ORR_OK)
        file->metadata = m;
    else
        free(m);
    return ORR_OK;
}

// NAME.salvaged: the sealed path when it could be read, else the container's own name.
static char *salvaged_name(const orr_job_file *file) {
    const orr_job *job = file->job;
    const char *base = job->root.only   ? job->root.only
                       : file->metadata ? (const char *)file->metadata->path
                                        : file->relative;
    size_t n = strlen(base), m = strlen(ORR_SUFFIX);
    char *name = malloc(n + sizeof SALVAGED);
    if (!name) return NULL;
    if (!file->metadata && !job->root.only && n > m && !strcmp(base + n - m, ORR_SUFFIX)) n -= m;
    memcpy(name, base, n);
    memcpy(name + n, SALVAGED, sizeof SALVAGED);
    return name;
}

// Copies every tile that authenticates; the others stay holes, which read as zero.
static orr_status salvage_tiles(const orr_tile_reader *r, uint64_t length, const orr_output *output,
                                ranges *found, orr_stop_flag *stop, orr_error *error) {
    uint8_t *tile = malloc(ORR_TILE_BYTES);
    orr_status status = tile ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory");
    for (uint64_t n = 0; status == ORR_OK && n < r->geometry->tiles && n * ORR_TILE_BYTES < length;
         n++) {
        if (orr_stopped(stop)) {
            status = orr_fail(error, ORR_STOPPED, "stopped before it was finished");
            break;
        }
        size_t bytes = orr_tile_source_bytes(length, n);
        orr_status read = orr_tile_read(r, n, tile, output->shown, error);
        int good = read == ORR_OK;
        if (read == ORR_INTERNAL) { // that says nothing about the tile
            status = read;
            break;
        }
        note_range(found, good, n * ORR_TILE_BYTES, bytes);
        if (good)
            status =
                orr_pwrite_all(output->fd, tile, bytes, n * ORR_TILE_BYTES, output->shown, error);
    }
    note_range(found, -1, length, 0);
    if (status == ORR_OK && ftruncate(output->fd, (off_t)length) != 0)
        status = orr_fail_errno(error, errno, "%s: %s", output->shown, strerror(errno));
    if (tile) orr_wipe(tile, ORR_TILE_BYTES);
    free(tile);
    return status;
}

// Is there nothing at `relative` yet? Asked before hours of reading.
static orr_status name_is_free(const orr_output_root *root, const char *relative,
                               orr_error *error) {
    const char *name;
    struct stat st;
    int directory;
    orr_status status = orr_output_directory(root, relative, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status;
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        status = orr_fail(error, ORR_EXISTS,
                          "%s/%s exists already: move it away, or choose another output",
                          root->path, relative);
    else if (errno == ENAMETOOLONG)
        status = orr_output_too_long(root, relative, error);
    close(directory);
    return status;
}

static char *report_text(const orr_job_file *file, const char *salvaged, uint64_t length,
                         ranges *found) {
    cJSON *report = cJSON_CreateObject();
    if (!report) return NULL;
    orr_json_add_bytes(report, "source", file->source);
    orr_json_add_bytes(report, "salvaged", salvaged);
    cJSON_AddNumberToObject(report, "length", (double)length);
    cJSON_AddNumberToObject(report, "recovered_bytes", (double)found->good_bytes);
    int whole = !found->broken && cJSON_AddItemToObject(report, "recovered", found->good);
    if (whole) found->good = NULL;
    whole = whole && cJSON_AddItemToObject(report, "lost", found->bad);
    if (whole) found->bad = NULL;
    cJSON_AddBoolToObject(report, "known_origin", file->from.sealed->container.known_origin);
    cJSON_AddStringToObject(report, "reason", file->error.text);
    // Without its list of gaps it would do harm.
    char *text = whole ? cJSON_Print(report) : NULL;
    cJSON_Delete(report);
    return text;
}

// NAME.salvaged and NAME.salvaged.json, both still free. The caller frees both, also on errors.
static orr_status salvage_names(const orr_job_file *file, char **name, char **report_name,
                                orr_error *error) {
    *name = salvaged_name(file);
    size_t bytes = *name ? strlen(*name) + sizeof ".json" : 0;
    *report_name = *name ? malloc(bytes) : NULL;
    if (!*report_name) return orr_fail(error, ORR_INTERNAL, "out of memory");
    snprintf(*report_name, bytes, "%s.json", *name);
    orr_status status = name_is_free(&file->job->root, *name, error);
    return status == ORR_OK ? name_is_free(&file->job->root, *report_name, error) : status;
}

// Gives the data its name and the report its own. The report comes first: data without it would
// pass for whole, as its gaps read as zero.
static orr_status commit_with_report(const orr_job_file *file, orr_output *data, const char *name,
                                     const char *report_name, uint64_t length, ranges *found,
                                     orr_error *error) {
    const orr_output_root *root = &file->job->root;
    orr_output report = {.fd = -1};
    const char *last;
    int directory;
    char *text = report_text(file, name, length, found);
    orr_status status = text ? orr_output_begin(&report, root, report_name, error)
                             : orr_fail(error, ORR_INTERNAL, "out of memory");
    if (status == ORR_OK)
        status = orr_pwrite_all(report.fd, text, strlen(text), 0, report.shown, error);
    if (status == ORR_OK) status = orr_output_commit(&report, SALVAGED_MODE, error);
    orr_output_abort(&report);
    free(text);
    if (status != ORR_OK) return status;
    status = orr_output_commit(data, SALVAGED_MODE, error);
    // Without the data the report says nothing; but a name that is given cannot always be taken
    // back.
    if ((status == ORR_EXISTS || (status != ORR_OK && name_is_free(root, name, NULL) == ORR_OK)) &&
        orr_output_directory(root, report_name, 0, &directory, &last, NULL) == ORR_OK &&
        directory >= 0) {
        unlinkat(directory, last, 0); // ours: nothing is replaced, so it was not there before
        close(directory);
    }
    return status;
}

void orr_salvage(orr_job_file *file) {
    orr_error error = {0};
    orr_output output = {.fd = -1};
    ranges found = {cJSON_CreateArray(), cJSON_CreateArray(), -1, 0, 0, 0};
    char *name = NULL, *report_name = NULL;
    orr_status status = salvage_open(file, &error);
    if (status != ORR_OK) {
        orr_job_warn(file->job, "%s: nothing to salvage: %s", file->source, error.text);
        goto end;
    }
    const orr_seal *seal = &file->from.sealed->seal;
    uint64_t length = file->from.sealed->container.header.length;
    orr_tile_reader r = {
        file->from.fd, &seal->geometry,          &seal->secret, &seal->keys, &seal->cipher,
        NULL,          file->from.sealed->healer};
    status = salvage_names(file, &name, &report_name, &error);
    if (status == ORR_OK) status = orr_tile_reader_init(&r, &error);
    if (status == ORR_OK) status = orr_output_begin(&output, &file->job->root, name, &error);
    if (status == ORR_OK)
        status = salvage_tiles(&r, length, &output, &found, file->job->stop, &error);
    if (status == ORR_OK)
        status = commit_with_report(file, &output, name, report_name, length, &found, &error);
    orr_output_abort(&output);
    orr_tile_reader_end(&r);
    if (status == ORR_STOPPED) atomic_store(&file->job->undone, 1);
    uint64_t good = found.good_bytes;
    if (status == ORR_OK) {
        file->salvaged = strdup(name);
        file->salvaged_bytes = good;
        orr_job_warn(file->job,
                     "%s: %llu of %llu bytes were salvaged into %s/%s; the gaps are zero and "
                     "listed in %s/%s%s",
                     file->source, (unsigned long long)good, (unsigned long long)length,
                     file->job->root.path, name, file->job->root.path, report_name,
                     file->from.sealed->container.known_origin ? "" : "; its origin is unknown");
    } else if (!orr_job_breaks_off(file->job, &error, file->from.st.st_dev))
        orr_job_warn(file->job, "%s: salvage failed: %s", file->source, error.text);
end:
    cJSON_Delete(found.good);
    cJSON_Delete(found.bad);
    free(name);
    free(report_name);
}
