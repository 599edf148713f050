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
#include "host/job/health.h"
#include "host/job/job_file.h"

static void warn_of_slot(orr_job_file *file) {
    orr_sealed *sealed = file->from.sealed;
    int slot = orr_sealed_damaged_slot(sealed), unlike = orr_sealed_unlike_slot(sealed);
    sealed->unlike = unlike + 1;
    if (unlike >= 0 && file->job->options->verb != ORR_VERB_REWRAP)
        orr_job_warn(
            file->job,
            "%s: wrap slot %c is not like the one in use: a rewrap was killed, or an older "
            "slot was put back; `orrery rewrap` makes them alike",
            file->source, 'A' + unlike);
    if (slot < 0) return;
    orr_job_warn(file->job,
                 "%s: wrap slot %c %s; the file opens with another one; `orrery rewrap` repairs it",
                 file->source, 'A' + slot,
                 sealed->container.slot_good[slot] ? "does not hold the file's secret"
                                                   : "is damaged");
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

orr_status orr_source_check_origin(orr_job_file *file, orr_error *error) {
    const orr_job_options *o = file->job->options;
    if (file->from.sealed->container.known_origin) return ORR_OK;
    file->from.distrusted = o->require_origin || (!orr_file_is_seen(file) && !o->adopt);
    if (o->require_origin)
        return orr_fail(
            error, ORR_AUTH,
            "%s: is of unknown origin: it opens with a recipient's key alone, so anyone "
            "who has the public file can have made it",
            file->source);
    if (!orr_file_is_seen(file) && !o->adopt)
        return orr_fail(error, ORR_AUTH,
                        "%s: is of unknown origin: anyone who has the public file can have made "
                        "it, and re-encrypted it would pass for yours: --adopt says that it may",
                        file->source);
    return ORR_OK;
}

static orr_status sealed_open(orr_job_file *file, orr_error *error) {
    orr_status status = file->to.kind == &orr_sink_none && !file->from.forgotten
                            ? orr_source_forget(file->from.fd, file->source, error)
                            : ORR_OK;
    if (status == ORR_OK) status = orr_source_unseal(file, error);
    if (status == ORR_OK) status = orr_source_check_origin(file, error);
    if (status == ORR_OK && orr_file_is_seen(file) && !file->job->second) check_sealed_name(file);
    return status;
}

static size_t sealed_identity(const orr_job_file *file, uint8_t identity[32]) {
    memcpy(identity, file->from.sealed->container.header.file_id, 32);
    return 32;
}

static size_t sealed_state(const orr_job_file *file, uint8_t state[ORR_SOURCE_STATE_BYTES]) {
    memcpy(state, file->from.sealed->container.header.file_id, 32);
    memcpy(state + 32, file->metadata->digest, ORR_DIGEST_BYTES);
    return 32 + ORR_DIGEST_BYTES;
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

static orr_status fail_tile(const orr_job_file *file, uint64_t n, orr_error *error) {
    return orr_fail(
        error, ORR_AUTH,
        "%s: tile %llu does not authenticate (bytes %llu.. of the original): altered or "
        "damaged; restore a copy, or use decrypt --salvage for the rest",
        file->source, (unsigned long long)n, (unsigned long long)(n * ORR_TILE_BYTES));
}

// Opens each tile of a segment in place, and its digest.
static orr_status open_segment(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                               orr_error *error) {
    const orr_seal *seal = &file->from.sealed->seal;
    uint32_t failed;
    orr_status status =
        orr_segment_open(worker->gcm, &seal->keys, &seal->geometry, piece->segment, piece->in_head,
                         piece->in, file->digests[piece->segment], &failed);
    if (status == ORR_AUTH && failed < piece->tiles)
        return fail_tile(file, piece->segment * ORR_SEGMENT_TILES + failed, error);
    if (status == ORR_AUTH)
        return orr_fail(error, ORR_AUTH,
                        "%s: the digest of segment %llu does not authenticate: altered or damaged",
                        file->source, (unsigned long long)piece->segment);
    return status == ORR_OK
               ? ORR_OK
               : orr_fail(error, status, "%s: AES-256-GCM failed (OpenSSL)", file->source);
}

// What is around the tiles of a segment is zero, or somebody altered it.
static orr_status check_zeros(const orr_job_file *file, const orr_piece *piece, orr_error *error) {
    size_t padding = orr_segment_padding(&file->from.sealed->seal.geometry, piece->segment);
    if (orr_segment_head_is_clean(piece->in_head, piece->tiles) &&
        orr_all_zero(piece->in + piece->bytes, padding))
        return ORR_OK;
    return orr_fail(error, ORR_AUTH,
                    "%s: bytes of segment %llu that must be zero were altered or damaged; the "
                    "sealed data do not depend on them, so --salvage can bring them back",
                    file->source, (unsigned long long)piece->segment);
}

// Reads a segment past damage: each tile, and the head, as it is stored or, where that does not
// authenticate, corrected from repair data. What is stored comes first: a checksum that was altered
// must not hide what authenticates.
typedef struct mending {
    const orr_seal *seal;
    uint64_t segment;
    const orr_segment_head *head[2]; // stored, corrected
    orr_segment_nonces nonces[2];
    const uint8_t *tiles[2];
} mending;

// The head whose digest opens, 0 or 1; -1: neither.
static int choose_head(mending *m, orr_gcm *gcm, uint8_t digest[ORR_DIGEST_BYTES]) {
    if (orr_gcm_rekey(gcm, m->seal->keys.digest_key) != ORR_OK) return -1;
    for (int i = 0; i < 2; i++)
        if (orr_segment_nonces_derive(&m->seal->keys, m->segment, m->head[i]->salt,
                                      &m->nonces[i]) != ORR_OK)
            return -1;
    for (int i = 0; i < 2; i++)
        if (orr_digest_open(gcm, &m->nonces[i], m->head[i]->sealed_digest, digest) == ORR_OK)
            return i;
    return -1;
}

static orr_status mend_tile(const mending *m, orr_gcm *gcm, uint32_t t, size_t at, size_t bytes,
                            uint8_t *tile) {
    orr_status status = ORR_AUTH;
    for (int way = 0; way < 4 && status == ORR_AUTH; way++) {
        int head = way & 1, data = way >> 1;
        uint8_t nonce[ORR_GCM_NONCE];
        orr_tile_nonce(&m->nonces[head], t, nonce);
        status = orr_gcm_open(gcm, nonce, NULL, 0, m->tiles[data] + at, bytes, tile,
                              m->head[head]->tags[t]);
    }
    return status;
}

static orr_status mend_tiles(orr_job_file *file, orr_piece *piece, mending *m, orr_gcm *gcm,
                             orr_error *error) {
    size_t at = 0;
    int head = choose_head(m, gcm, file->digests[piece->segment]);
    if (head < 0)
        return orr_fail(error, ORR_AUTH,
                        "%s: the digest of segment %llu does not authenticate: altered, or damaged "
                        "beyond what its repair data can restore",
                        file->source, (unsigned long long)piece->segment);
    orr_status status = orr_gcm_rekey(gcm, m->seal->keys.tile_key);
    for (uint32_t t = 0; status == ORR_OK && t < piece->tiles; t++) {
        size_t bytes = (size_t)piece->tasks[t].rows * ORR_TILE_ROW_BYTES;
        status = mend_tile(m, gcm, t, at, bytes, piece->in + at);
        if (status == ORR_AUTH)
            return fail_tile(file, piece->segment * ORR_SEGMENT_TILES + t, error);
        at += bytes;
    }
    return status == ORR_OK
               ? ORR_OK
               : orr_fail(error, status, "%s: AES-256-GCM failed (OpenSSL)", file->source);
}

static orr_status mend_segment(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                               orr_error *error) {
    orr_sealed *sealed = file->from.sealed;
    const orr_geometry *g = &sealed->seal.geometry;
    uint64_t at = orr_segment_offset(g, piece->segment);
    size_t bytes = ORR_PAGE + piece->bytes + orr_segment_padding(g, piece->segment);
    uint8_t *stored = malloc(bytes), *healed = malloc(bytes);
    orr_direct_end(file->from.fd); // what repairs reads bits here and there
    orr_status status =
        stored && healed ? orr_sealed_heal(sealed, error) : orr_file_no_memory(file, error);
    if (status == ORR_OK) status = orr_healer_read(sealed->healer, at, bytes, healed, NULL, error);
    if (status == ORR_OK) {
        mending m = {.seal = &sealed->seal,
                     .segment = piece->segment,
                     .head = {(const orr_segment_head *)stored, (const orr_segment_head *)healed},
                     .tiles = {stored + ORR_PAGE, healed + ORR_PAGE}};
        orr_read_stored(sealed->fd, at, bytes, stored);
        status = mend_tiles(file, piece, &m, worker->gcm, error);
    }
    if (status == ORR_OK) atomic_store(&sealed->damaged, 1);
    free(stored);
    free(healed);
    return status;
}

static void sealed_want(const orr_job_file *file, orr_piece *piece) {
    const orr_geometry *g = &file->from.sealed->seal.geometry;
    piece->io.memory = (uint8_t *)piece->in_head;
    piece->io.bytes =
        sizeof *piece->in_head + piece->bytes + orr_segment_padding(g, piece->segment);
    piece->io.offset = orr_segment_offset(g, piece->segment);
}

static orr_status sealed_take(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                              orr_error *error) {
    const orr_async_request *io = &piece->io;
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_status status =
        orr_pread_outcome(io->done, io->bytes, io->error, io->offset, file->source, error);
    int unreadable = status == ORR_IO;
    if (status == ORR_OK) status = check_zeros(file, piece, error);
    if (status == ORR_OK) status = open_segment(file, piece, worker, error);
    if ((status == ORR_AUTH || status == ORR_IO) && file->from.sealed->container.header.groups)
        status = mend_segment(file, piece, worker, error);
    if (unreadable && status != ORR_OK) atomic_store(&file->from.unreadable, 1);
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
    orr_status status = piece->through ? ORR_OK : compare_digest(file, piece, bytes, error);
    if (status == ORR_OK && file->sha)
        orr_file_sha_hash(file, piece->segment, piece->through ? piece->in : piece->out, bytes);
    orr_stage_lap(stages, ORR_STAGE_DIGEST, &since);
    return status;
}

static orr_status sealed_finish(orr_job_file *file, orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES], sha256[32];
    if (file->profile == ORR_PROFILE_PAPER) // whoever restored the image compared it
        return orr_health_finish(file, error);
    orr_file_digest(file, digest);
    if (memcmp(digest, file->metadata->digest, sizeof digest))
        return orr_fail(error, ORR_AUTH, "%s: the digest of the whole file differs", file->source);
    if (!file->sha) return orr_health_finish(file, error);
    orr_status status = orr_file_sha_end(file, sha256, error);
    if (status != ORR_OK) return status;
    if (!memcmp(sha256, file->metadata->sha256, sizeof sha256))
        return orr_health_finish(file, error);
    return orr_fail(error, ORR_AUTH,
                    "%s: authenticates but does not have the SHA-256 that was recorded: a hardware "
                    "fault when it was written or now; try again on another machine",
                    file->source);
}

const orr_source_kind orr_source_sealed = {.open = sealed_open,
                                           .identity = sealed_identity,
                                           .compare = sealed_compare,
                                           .state = sealed_state,
                                           .want = sealed_want,
                                           .take = sealed_take,
                                           .check = sealed_check,
                                           .finish = sealed_finish};
