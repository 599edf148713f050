// An encrypted file that is read: decrypt, verify, reencrypt; its opening is rewrap's, too. Whether
// it stayed what it was, its tags and digests tell.
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "host/container/content_digest.h"
#include "host/job/existing.h"
#include "host/job/job_file.h"

static void warn_of_slot(orr_job_file *file) {
    const orr_sealed *sealed = file->from.sealed;
    int slot = orr_sealed_damaged_slot(sealed);
    if (slot < 0) return;
    orr_job_warn(
        file->job,
        "%s: wrap slot %c %s; the file opens with the other one; `orrery rewrap` repairs it",
        file->source, 'A' + slot,
        sealed->container.slot_good[slot] ? "does not hold the file's secret" : "is damaged");
}

orr_status orr_source_unseal(orr_job_file *file, orr_error *error) {
    const orr_job *job = file->job;
    orr_sealed *sealed = file->from.sealed = calloc(1, sizeof *sealed);
    if (!sealed) return orr_file_no_memory(file, error);
    sealed->fd = file->from.fd;
    sealed->name = file->source;
    sealed->keyring = job->options->keyring;
    sealed->means = (orr_paper_means){
        .backend = job->options->backend, .memory = job->paper_memory, .stop = job->stop};
    orr_status status =
        orr_sealed_open(sealed, (uint64_t)file->from.st.st_size, &file->metadata, error);
    if (status == ORR_IO && !file->metadata) atomic_store(&file->from.unreadable, 1);
    file->profile = sealed->container.header.profile;
    if (file->metadata) file->bytes = sealed->container.header.length;
    if (status == ORR_OK) warn_of_slot(file);
    return status;
}

// What is to be verified is what the disk holds, not what memory still holds of it since it was
// written. Bytes on their way to the disk are waited for, with the error that they may meet there;
// then the system is asked to drop them. It need not: a file system in memory has them nowhere
// else.
static orr_status forget_memory(orr_job_file *file, orr_error *error) {
    orr_status status = orr_file_flush_source(file, error);
    if (status == ORR_OK) (void)posix_fadvise(file->from.fd, 0, 0, POSIX_FADV_DONTNEED);
    return status;
}

// Is this file where its seal says that it belongs? Two files of a vault that were swapped, or a
// copy under another name, open as well as ever, but as somebody else's.
static int has_sealed_name(const orr_job_file *file) {
    char link[64], place[PATH_MAX], id[65];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file->from.fd);
    ssize_t got = readlink(link, place, sizeof place - 1);
    const size_t suffix = sizeof ORR_SUFFIX - 1;
    if (got <= (ssize_t)suffix) return got < 0; // cannot be told
    place[got] = 0;
    size_t n = (size_t)got - suffix, path = file->metadata->path_length;
    if (strcmp(place + n, ORR_SUFFIX)) return 0;
    orr_hex(file->from.sealed->container.header.file_id, 32, id);
    if (n > 64 && place[n - 65] == '/' && !memcmp(place + n - 64, id, 64)) return 1;
    return n > path && place[n - path - 1] == '/' &&
           !memcmp(place + n - path, file->metadata->path, path);
}

static void check_sealed_name(const orr_job_file *file) {
    orr_job *job = file->job;
    if (has_sealed_name(file)) return;
    if (++job->summary.misnamed <= ORR_MISNAMED_SAID)
        orr_job_warn(job, "%s: is \"%s\" by its seal: it was renamed, or is another file's copy",
                     file->source, (const char *)file->metadata->path);
}

static orr_status sealed_open(orr_job_file *file, orr_error *error) {
    int verify = file->to.kind == &orr_sink_none;
    orr_status status = verify ? forget_memory(file, error) : ORR_OK;
    if (status == ORR_OK) status = orr_source_unseal(file, error);
    if (status == ORR_OK && orr_file_is_seen(file) && !file->job->second) check_sealed_name(file);
    return status;
}

static size_t sealed_identity(const orr_job_file *file, uint8_t identity[32]) {
    memcpy(identity, file->from.sealed->container.header.file_id, 32);
    return 32;
}

// Both are sealed, so the seals are enough.
static orr_status sealed_compare(orr_job_file *file, orr_error *error) {
    const orr_existing *e = file->to.sealed->existing;
    if (!memcmp(e->file_id, file->from.sealed->container.header.file_id, 32))
        // Nothing was renewed: who got hold of the old file's keys can read it still.
        return orr_existing_refuse(file, error,
                                   "is a copy of it (the same file ID and keys), no re-encryption: "
                                   "choose an output without copies of the old files");
    if (memcmp(e->sealed.digest, file->metadata->digest, ORR_DIGEST_BYTES) || !e->same_time)
        return orr_existing_refuse(file, error,
                                   "holds %s, of the same name and size: move it away, or choose "
                                   "another output",
                                   e->same_time ? "other contents" : "contents of another time");
    file->outcome = ORR_OUT_PRESENT;
    return ORR_OK;
}

// A plaintext that passes through without being looked at: a wrong secret would be sealed as noise.
static orr_status sealed_begin(orr_job_file *file, orr_error *error) {
    return orr_file_is_seen(file) ? ORR_OK : orr_sealed_check_secret(file->from.sealed, error);
}

// Opens each tile of a segment in place, and its digest.
static orr_status open_segment(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                               orr_error *error) {
    const orr_seal *seal = &file->from.sealed->seal;
    uint8_t *tile = piece->in, nonce[ORR_GCM_NONCE];
    orr_status status = orr_gcm_rekey(worker->gcm, seal->keys.tile_key);
    for (uint32_t i = 0; status == ORR_OK && i < piece->tiles; i++) {
        uint64_t n = piece->segment * ORR_SEGMENT_TILES + i;
        size_t bytes = (size_t)piece->tasks[i].rows * ORR_TILE_ROW_BYTES;
        orr_tile_nonce(&seal->keys, n, nonce);
        status = orr_gcm_open(worker->gcm, nonce, NULL, 0, tile, bytes, tile,
                              piece->head + i * ORR_GCM_TAG);
        if (status == ORR_AUTH)
            return orr_fail(error, ORR_AUTH,
                            "%s: tile %llu does not authenticate (bytes %llu.. of the original): "
                            "altered or damaged; restore "
                            "a copy, or use decrypt --salvage for the rest",
                            file->source, (unsigned long long)n,
                            (unsigned long long)(n * ORR_TILE_BYTES));
        tile += bytes;
    }
    if (status == ORR_OK) status = orr_gcm_rekey(worker->gcm, seal->keys.digest_key);
    if (status == ORR_OK)
        status =
            orr_digest_open(worker->gcm, piece->segment, piece->head + piece->tiles * ORR_GCM_TAG,
                            file->digests[piece->segment]);
    if (status == ORR_AUTH)
        return orr_fail(error, ORR_AUTH,
                        "%s: the digest of segment %llu does not authenticate: altered or damaged",
                        file->source, (unsigned long long)piece->segment);
    return status == ORR_OK
               ? ORR_OK
               : orr_fail(error, status, "%s: AES-256-GCM failed (OpenSSL)", file->source);
}

static orr_status sealed_read(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                              orr_error *error) {
    uint64_t at = orr_segment_offset(&file->from.sealed->seal.geometry, piece->segment);
    size_t head = piece->tiles * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES;
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_status status = orr_pread_all(file->from.fd, piece->head, head, at, file->source, error);
    if (status == ORR_OK)
        status =
            orr_pread_all(file->from.fd, piece->in, piece->bytes, at + head, file->source, error);
    orr_stage_lap(stages, ORR_STAGE_READ, &since);
    if (status == ORR_IO) atomic_store(&file->from.unreadable, 1);
    if (status == ORR_OK) status = open_segment(file, piece, worker, error);
    orr_stage_lap(stages, ORR_STAGE_OPEN, &since);
    return status;
}

// A wrong digest or padding behind a right tag is no attack: memory, GPU or code failed when the
// file was made or now.
static orr_status compare_digest(const orr_job_file *file, const orr_piece *piece, size_t bytes,
                                 orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES];
    orr_content_digest_of(piece->out, bytes, digest);
    if (memcmp(digest, file->digests[piece->segment], ORR_DIGEST_BYTES))
        return orr_fail(error, ORR_AUTH,
                        "%s: segment %llu authenticates but its content digest differs: a hardware "
                        "fault when it was written "
                        "or now; try again on another machine",
                        file->source, (unsigned long long)piece->segment);
    if (!orr_all_zero(piece->out + bytes, piece->bytes - bytes))
        return orr_fail(error, ORR_AUTH, "%s: the padding of the last tile is not zero",
                        file->source);
    return ORR_OK;
}

static orr_status sealed_check(orr_job_file *file, const orr_piece *piece, orr_error *error) {
    size_t bytes = orr_file_segment_bytes(file, piece->segment);
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    if (!orr_file_is_seen(file)) return ORR_OK;
    orr_status status = compare_digest(file, piece, bytes, error);
    if (status == ORR_OK && file->sha) orr_file_sha_hash(file, piece->segment, piece->out, bytes);
    orr_stage_lap(stages, ORR_STAGE_DIGEST, &since);
    return status;
}

static orr_status sealed_finish(orr_job_file *file, orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES], sha256[32];
    if (file->profile == ORR_PROFILE_PAPER) return ORR_OK; // whoever restored the image compared it
    orr_file_digest(file, digest);
    if (memcmp(digest, file->metadata->digest, sizeof digest))
        return orr_fail(error, ORR_AUTH, "%s: the digest of the whole file differs", file->source);
    if (!file->sha) return ORR_OK;
    orr_status status = orr_file_sha_end(file, sha256, error);
    if (status != ORR_OK || !memcmp(sha256, file->metadata->sha256, sizeof sha256)) return status;
    return orr_fail(error, ORR_AUTH,
                    "%s: authenticates but does not have the SHA-256 that was recorded: a hardware "
                    "fault when it was written or now; try again on another machine",
                    file->source);
}

const orr_source_kind orr_source_sealed = {.open = sealed_open,
                                           .identity = sealed_identity,
                                           .compare = sealed_compare,
                                           .begin = sealed_begin,
                                           .read = sealed_read,
                                           .check = sealed_check,
                                           .finish = sealed_finish};
