#include "host/job/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "host/job/contents.h"
#include "host/job/job_known.h"
#include "host/keys/writer_key.h"

#define HALF 16 // of a file ID: a record of the state holds that much

static orr_status secret_of(const orr_job_file *file, const uint8_t file_id[32],
                            orr_file_secret *secret) {
    const orr_metadata *m = file->metadata;
    return orr_writer_key_secret(file->job->options->keyring, m->path, m->path_length, file_id,
                                 secret);
}

// By a MAC under that secret: the index of a record, which is not the file ID, that other machines'
// records go by; and what it says.
static orr_status keyed(const orr_file_secret *secret, char what, const void *text, size_t bytes,
                        uint8_t mac[32]) {
    uint8_t key[32];
    orr_status status = orr_hmac_sha256(secret->seal_root, &what, 1, key);
    if (status == ORR_OK) status = orr_hmac_sha256(key, text, bytes, mac);
    orr_wipe(key, sizeof key);
    return status;
}

// A record that says what the source holds: its SHA-256, of which a paper file has one always, or
// the digest of its segments.
static orr_status content_record(const orr_file_secret *secret, const orr_metadata *m,
                                 orr_identity *record) {
    uint8_t text[8 + 32] = {0}, index[32], mac[32];
    orr_store_le64(text, m->size);
    if (m->has_sha256)
        memcpy(text + 8, m->sha256, 32);
    else
        memcpy(text + 8, m->digest, ORR_DIGEST_BYTES);
    orr_status status = keyed(secret, m->has_sha256 ? 's' : 'd', "", 0, index);
    if (status == ORR_OK) status = keyed(secret, 'c', text, sizeof text, mac);
    memcpy(record->bytes, index, HALF);
    memcpy(record->bytes + HALF, mac, HALF);
    return status;
}

// A record that says one half of the ID which the file of this path has; its index does not tell
// the path.
static orr_status name_record(const orr_job_file *file, unsigned half, const uint8_t file_id[32],
                              orr_identity *record) {
    uint8_t place[32] = {(uint8_t)(1 + half)};
    orr_file_secret secret;
    orr_status status = secret_of(file, place, &secret);
    memcpy(record->bytes, secret.seal_root, HALF);
    memcpy(record->bytes + HALF, file_id + HALF * half, HALF);
    orr_wipe(&secret, sizeof secret);
    return status;
}

// ---- looking

// Reads the source: has it the contents that were recorded with, or without, a SHA-256?
static orr_status compare_kind(const orr_job_file *file, const orr_file_secret *secret, int sha256,
                               int *same, orr_error *error) {
    const orr_job *job = file->job;
    orr_metadata now = {.size = file->bytes, .has_sha256 = sha256};
    orr_identity record, found;
    orr_status status = content_record(secret, &now, &record);
    found = record;
    if (status != ORR_OK || !orr_state_find(job->state, &found)) return status;
    status = orr_contents_digest(file->from.fd, file->bytes, job->stop, file->source,
                                 sha256 ? NULL : now.digest, sha256 ? now.sha256 : NULL, error);
    if (status == ORR_OK) status = content_record(secret, &now, &record);
    *same = status == ORR_OK && !memcmp(&found, &record, sizeof record);
    return status;
}

orr_status orr_writer_compare(const orr_job_file *file, const uint8_t file_id[32], int *same,
                              orr_error *error) {
    orr_file_secret secret;
    orr_status status = secret_of(file, file_id, &secret);
    *same = 0;
    for (int sha256 = 0; sha256 < 2 && status == ORR_OK && !*same; sha256++)
        status = compare_kind(file, &secret, sha256, same, error);
    orr_wipe(&secret, sizeof secret);
    return status;
}

// The secret and the ID that the source's inode and times are recorded under.
static orr_status identity_of(const orr_job_file *file, const uint8_t file_id[32],
                              orr_file_secret *secret, uint8_t id[32]) {
    orr_status status = secret_of(file, file_id, secret);
    return status == ORR_OK ? keyed(secret, 'i', "", 0, id) : status;
}

int orr_writer_knows(const orr_job_file *file, const uint8_t file_id[32]) {
    orr_file_secret secret;
    uint8_t id[32];
    int known = identity_of(file, file_id, &secret, id) == ORR_OK &&
                orr_job_knows(file->job, &secret, id, file->from.fd, &file->from.st, file->source);
    orr_wipe(&secret, sizeof secret);
    return known;
}

// ---- recording

void orr_writer_record_identity(const orr_job_file *file, const uint8_t file_id[32]) {
    orr_file_secret secret;
    uint8_t id[32];
    if (identity_of(file, file_id, &secret, id) == ORR_OK)
        orr_job_record(file->job, &secret, id, file->from.fd, &file->from.st, file->source);
    orr_wipe(&secret, sizeof secret);
}

orr_status orr_writer_record(const orr_job_file *file, orr_error *error) {
    const orr_job *job = file->job;
    const uint8_t *file_id = file->to.sealed->header.file_id;
    orr_file_secret secret;
    orr_identity record;
    if (!job->state) return ORR_OK; // one file, to one name: there is no place for records
    orr_status status = secret_of(file, file_id, &secret);
    int good = 1, number;
    for (unsigned half = 0; half < 2 && status == ORR_OK && job->options->opaque_names; half++) {
        status = name_record(file, half, file_id, &record);
        if (status == ORR_OK) good &= orr_state_record(job->state, &record);
    }
    if (status == ORR_OK) status = content_record(&secret, file->metadata, &record);
    if (status == ORR_OK) good &= orr_state_record(job->state, &record);
    number = good ? 0 : errno;
    orr_wipe(&secret, sizeof secret);
    if (status != ORR_OK)
        return orr_fail(error, status, "%s: a MAC could not be made (OpenSSL)", file->source);
    // Of a source that was touched nobody knows which bytes belong to which ctime.
    if (!file->from.touched) orr_writer_record_identity(file, file_id);
    if (good && orr_state_flush(job->state) == 0) return ORR_OK;
    if (good) number = errno;
    return orr_fail_errno(error, number,
                          "%s: not encrypted: %s/.orrery-state, by which a machine without a "
                          "keyring knows what it has made, cannot be written: %s",
                          file->source, job->root.path, strerror(number));
}

int orr_writer_find(const orr_job_file *file, char **name) {
    uint8_t file_id[32] = {0};
    orr_identity record;
    for (unsigned half = 0; half < 2; half++) {
        if (name_record(file, half, file_id, &record) != ORR_OK ||
            !orr_state_find(file->job->state, &record))
            return 0;
        memcpy(file_id + HALF * half, record.bytes + HALF, HALF);
    }
    *name = malloc(2 * sizeof file_id + sizeof ORR_SUFFIX);
    if (!*name) return 1;
    orr_hex(file_id, sizeof file_id, *name);
    memcpy(*name + 2 * sizeof file_id, ORR_SUFFIX, sizeof ORR_SUFFIX);
    return 1;
}
