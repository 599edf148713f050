// reencrypt: container -> open -> inverse cipher under the old secrets and cipher under new ones in
// one step -> seal -> container. No plaintext is written anywhere; on a GPU none reaches its global
// memory.
#include <stdlib.h>
#include <string.h>

#include "host/job/job_internal.h"

// Opaque names stay opaque: a name once hidden is not brought to light by re-encryption.
static int is_opaque(const orr_job_file *file) {
    const char *slash = strrchr(file->relative, '/'), *name = slash ? slash + 1 : file->relative;
    return file->job->options->opaque_names ||
           (strspn(name, "0123456789abcdef") == 64 && !strcmp(name + 64, ORR_SUFFIX));
}

static orr_status look_for_output(orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    orr_profile profile = file->container->header.profile;
    if (job->resume && is_opaque(file))
        return orr_target_resumed(file, file->metadata, profile, error);
    file->target =
        orr_target_name(job, (const char *)file->metadata->path, file->header.file_id, 0);
    if (!file->target) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    return orr_target_look(file, file->metadata, profile, error);
}

static orr_status reencrypt_open(orr_job_file *file, orr_error *error) {
    const orr_job_options *o = file->job->options;
    orr_status status = orr_file_open_container(file, error);
    if (status == ORR_OK)
        status = orr_file_claim(file, file->metadata->path, file->metadata->path_length,
                                file->container->header.file_id, 32, error);
    if (status == ORR_OK && file->outcome == ORR_OUT_DONE) status = look_for_output(file, error);
    if (status != ORR_OK || file->outcome != ORR_OUT_DONE) return status;
    if (o->dry_run) {
        file->outcome = ORR_OUT_PLANNED;
        return ORR_OK;
    }
    int paper = file->container->header.profile == ORR_PROFILE_PAPER;
    // The plaintext passes through without being looked at: a wrong secret would be sealed as
    // noise.
    status = orr_file_check_secret(file, error);
    if (status != ORR_OK) return status;
    status = orr_file_new_secret(file, file->bytes, file->container->header.profile, error);
    if (status != ORR_OK) return status;
    if (is_opaque(file)) {
        free(file->target);
        file->target = orr_target_name(file->job, NULL, file->header.file_id, 1);
    }
    if (paper) {
        file->whole = orr_paper_reencrypt_whole;
        return ORR_OK;
    }
    file->segments = file->from->geometry.segments;
    file->digests = calloc(file->segments, sizeof *file->digests);
    return file->target && file->digests
               ? ORR_OK
               : orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
}

static void reencrypt_front(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_error error = {0};
    for (uint32_t i = 0; i < piece->tiles; i++) {
        uint64_t n = piece->segment * ORR_SEGMENT_TILES + i;
        piece->tasks[i].rows = orr_tile_rows(&file->from->geometry, n);
        if (orr_tile_key_derive(&file->from->secret, n, &piece->tasks[i].key) != ORR_OK ||
            orr_tile_key_derive(&file->to->secret, n, &piece->tasks[i].new_key) != ORR_OK)
            orr_file_fail_status(file, ORR_INTERNAL, "%s: key derivation failed", file->source);
    }
    orr_stage_lap(stages, ORR_STAGE_KEYS, &since);
    if (!atomic_load(&file->failed) && orr_segment_read_open(file, piece, worker, &error) != ORR_OK)
        orr_file_fail(file, &error);
}

static void reencrypt_back(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    orr_error error = {0};
    if (orr_segment_seal_write(file, piece, worker, &error) != ORR_OK) orr_file_fail(file, &error);
}

static orr_status reencrypt_finish(orr_job_file *file, orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES];
    orr_file_digest(file, digest);
    if (memcmp(digest, file->metadata->digest, sizeof digest))
        return orr_fail(error, ORR_AUTH, "%s: the digest of the whole file differs", file->source);
    return orr_file_finish_container(file, error);
}

const orr_verb_ops orr_reencrypt_ops = {reencrypt_open, reencrypt_front, reencrypt_back,
                                        reencrypt_finish, ORR_TILE_REENCRYPT};
