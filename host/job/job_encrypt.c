// encrypt: source bytes -> tiles -> cipher -> seal -> container.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "host/job/job_internal.h"

static orr_status set_metadata(orr_job_file *file, orr_error *error) {
    size_t n = strlen(file->relative);
    orr_metadata *m = file->metadata = calloc(1, sizeof *m);
    if (!m) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    if (!orr_path_is_safe((const uint8_t *)file->relative, n))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: this path cannot be sealed (empty, too long, or with \"..\" in it)",
                        file->source);
    memcpy(m->path, file->relative, n);
    m->path_length = n;
    m->size = (uint64_t)file->st.st_size;
    m->mtime_seconds = file->st.st_mtim.tv_sec;
    m->mtime_nanoseconds = (uint32_t)file->st.st_mtim.tv_nsec;
    m->mode = file->st.st_mode & 07777;
    m->has_sha256 = file->job->options->sha256;
    // Its length counts until the real one is drawn.
    memcpy(m->timestamp, "00-00-0000 00:00:00", sizeof m->timestamp);
    return ORR_OK;
}

// One input cannot collide with itself: a tree of any size then needs no memory for its paths.
static orr_status claim(orr_job_file *file, orr_error *error) {
    const orr_inputs *inputs = &file->job->options->inputs;
    const uint64_t identity[2] = {file->st.st_dev, file->st.st_ino};
    if (inputs->count + inputs->listed_count < 2) return ORR_OK;
    return orr_file_claim(file, file->metadata->path, file->metadata->path_length, identity,
                          sizeof identity, error);
}

// Is there a finished output already?
static orr_status look_for_output(orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    orr_profile profile = job->options->profile;
    if (job->resume) return orr_target_resumed(file, file->metadata, profile, error);
    if (!file->target) return ORR_OK; // an opaque name, and no output directory yet
    return orr_target_look(file, file->metadata, profile, error);
}

// Whoever encrypts a vault means to re-encrypt it, or has named the wrong directory.
static orr_status refuse_encrypted(const orr_job_file *file, orr_error *error) {
    uint8_t magic[ORR_MAGIC_BYTES];
    if (file->bytes < ORR_MAGIC_OFFSET + sizeof magic) return ORR_OK;
    orr_status status =
        orr_read_source(file->fd, magic, sizeof magic, ORR_MAGIC_OFFSET, file->source, error);
    if (status != ORR_OK || memcmp(magic, ORR_MAGIC, sizeof magic)) return status;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: is encrypted already: `orrery reencrypt` gives it new secrets; --nested "
                    "encrypts it once more",
                    file->source);
}

static orr_status encrypt_open(orr_job_file *file, orr_error *error) {
    const orr_job_options *o = file->job->options;
    int opaque = o->opaque_names && !file->job->root.only;
    orr_status status = set_metadata(file, error);
    if (status == ORR_OK) status = claim(file, error);
    if (status != ORR_OK || file->outcome != ORR_OUT_DONE) return status;
    if (!opaque) {
        file->target = orr_target_name(file->job, file->relative, file->header.file_id, 0);
        if (!file->target) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    }
    status = look_for_output(file, error);
    if (status != ORR_OK || file->outcome != ORR_OUT_DONE || file->whole) return status;
    if (!o->nested) status = refuse_encrypted(file, error);
    if (status != ORR_OK) return status;
    if (o->dry_run) {
        file->outcome = ORR_OUT_PLANNED;
        return ORR_OK;
    }
    status = orr_file_settle_source(file, error);
    if (status == ORR_OK) status = orr_file_new_secret(file, file->bytes, o->profile, error);
    if (status != ORR_OK) return status;
    if (opaque) file->target = orr_target_name(file->job, NULL, file->header.file_id, 1);
    if (!file->target) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    if (o->profile == ORR_PROFILE_PAPER) {
        file->whole = orr_paper_encrypt_whole;
        return ORR_OK;
    }
    file->segments = file->to->geometry.segments;
    file->digests = calloc(file->segments, sizeof *file->digests);
    if (!file->digests) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    return o->sha256 ? orr_file_sha_begin(file, error) : ORR_OK;
}

static void encrypt_front(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    const orr_side *to = file->to;
    size_t bytes = (size_t)orr_segment_source_bytes(&to->geometry, file->bytes, piece->segment);
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_error error = {0};
    (void)worker;
    for (uint32_t i = 0; i < piece->tiles; i++) {
        uint64_t n = piece->segment * ORR_SEGMENT_TILES + i;
        piece->tasks[i].rows = orr_tile_rows(&to->geometry, n);
        if (orr_tile_key_derive(&to->secret, n, &piece->tasks[i].key) != ORR_OK)
            orr_file_fail_status(file, ORR_INTERNAL, "%s: key derivation failed", file->source);
    }
    orr_stage_lap(stages, ORR_STAGE_KEYS, &since);
    if (!atomic_load(&file->failed) &&
        orr_read_source(file->fd, piece->in, bytes, piece->segment * ORR_SEGMENT_BYTES,
                        file->source, &error) != ORR_OK)
        orr_file_fail(file, &error);
    memset(piece->in + bytes, 0, piece->bytes - bytes);
    orr_stage_lap(stages, ORR_STAGE_READ, &since);
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(piece->in, bytes));
    memcpy(file->digests[piece->segment], digest.digest, ORR_DIGEST_BYTES);
    // Segments are planned in order and read at once by the worker that planned them.
    if (file->sha) orr_file_sha_hash(file, piece->segment, piece->in, bytes);
    orr_stage_lap(stages, ORR_STAGE_DIGEST, &since);
}

static void encrypt_back(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    orr_error error = {0};
    if (orr_segment_seal_write(file, piece, worker, &error) != ORR_OK) orr_file_fail(file, &error);
}

orr_status orr_file_check_source(const orr_job_file *file, int *touched, orr_error *error) {
    struct stat now;
    struct statx fresh;
    uint8_t byte;
    ssize_t more;
    orr_status status = orr_file_flush_source(file, error);
    if (status != ORR_OK) return status;
    // Network file systems then ask their server, in place of answering from memory.
    (void)statx(file->fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &fresh);
    if (fstat(file->fd, &now) != 0)
        return orr_fail_source(error, errno, "%s: %s", file->source, strerror(errno));
    if (now.st_size != file->st.st_size || now.st_mtim.tv_sec != file->st.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != file->st.st_mtim.tv_nsec)
        return orr_file_fail_changed(file, error);
    *touched = now.st_ctim.tv_sec != file->st.st_ctim.tv_sec ||
               now.st_ctim.tv_nsec != file->st.st_ctim.tv_nsec || orr_file_is_racy(file);
    // Some virtual files have more bytes than their size says, which is often 0.
    do more = pread(file->fd, &byte, 1, now.st_size);
    while (more < 0 && errno == EINTR);
    if (more < 0)
        return orr_fail_source(error, errno, "%s: cannot read to its end: %s", file->source,
                               strerror(errno));
    // Unless it has just grown: that is a change like any other.
    if (more > 0 && fstat(file->fd, &now) == 0 && now.st_size != file->st.st_size)
        return orr_file_fail_changed(file, error);
    if (more > 0)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: holds more than the %lld bytes that its size says: a virtual file? "
                        "Copy it, and encrypt the copy",
                        file->source, (long long)now.st_size);
    return ORR_OK;
}

// Is the source still what was sealed? Reads all of it again, a part of a segment at a time: every
// worker may be here at once, and what --mem allows is the ring's.
static orr_status compare_source(const orr_job_file *file, orr_error *error) {
    const uint64_t part = ORR_SEGMENT_BYTES / 4;
    uint8_t *buffer = malloc(part);
    XXH3_state_t *segment = XXH3_createState();
    XXH128_canonical_t digest;
    orr_status status = buffer && segment
                            ? ORR_OK
                            : orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    for (uint64_t at = 0; status == ORR_OK && at < file->bytes; at += part) {
        uint64_t left = file->bytes - at;
        size_t bytes = (size_t)(left < part ? left : part);
        if (orr_job_stopping(file->job))
            status =
                orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", file->source);
        else
            status = orr_read_source(file->fd, buffer, bytes, at, file->source, error);
        if (status != ORR_OK) break;
        if (at % ORR_SEGMENT_BYTES == 0) XXH3_128bits_reset(segment);
        XXH3_128bits_update(segment, buffer, bytes);
        if (left > part && (at + part) % ORR_SEGMENT_BYTES) continue;
        XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(segment));
        if (memcmp(digest.digest, file->digests[at / ORR_SEGMENT_BYTES], ORR_DIGEST_BYTES))
            status = orr_file_fail_changed(file, error);
    }
    if (buffer) orr_wipe(buffer, file->bytes < part ? (size_t)file->bytes : part);
    XXH3_freeState(segment);
    free(buffer);
    return status;
}

static orr_status encrypt_finish(orr_job_file *file, orr_error *error) {
    int touched;
    orr_status status = orr_file_check_source(file, &touched, error);
    // Its inode changed: a new name or mode, or other contents whose time was set back.
    if (status == ORR_OK && touched) status = compare_source(file, error);
    if (status != ORR_OK) return status;
    if (file->sha && !EVP_DigestFinal_ex(file->sha, file->metadata->sha256, NULL))
        return orr_fail(error, ORR_INTERNAL, "%s: SHA-256 failed", file->source);
    status = orr_file_finish_container(file, error);
    // Of a source that was touched nobody knows which bytes belong to which ctime.
    if (status == ORR_OK && !touched)
        orr_file_record(file, &file->to->secret, file->header.file_id, file->fd, &file->st);
    return status;
}

const orr_verb_ops orr_encrypt_ops = {encrypt_open, encrypt_front, encrypt_back, encrypt_finish,
                                      ORR_TILE_ENCRYPT};
