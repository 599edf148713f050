// Steps that several verbs are made of.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "host/job/job_internal.h"
#include "host/keys/secret.h"
#include "base/text.h"
#include "kernels/map.h"

orr_status orr_job_target_key(const orr_job *job, const orr_master_key **key, orr_error *error) {
    const orr_job_options *o = job->options;
    if (!o->has_to) return orr_keyring_active(o->keyring, key, error);
    for (size_t i = 0; i < o->keyring->key_count; i++) {
        if (memcmp(o->keyring->keys[i].id, o->to_key, ORR_KEY_ID_BYTES)) continue;
        *key = &o->keyring->keys[i];
        return (*key)->state != ORR_KEY_DESTROYED
                   ? ORR_OK
                   : orr_fail(error, ORR_KEY, "the key given with --to is destroyed");
    }
    return orr_fail(error, ORR_KEY, "the key given with --to is not in the keyring");
}

// ---- reading side

orr_status orr_file_open_container(orr_job_file *file, orr_error *error) {
    orr_container *c = file->container = malloc(sizeof *c);
    orr_side *from = file->from = calloc(1, sizeof *from);
    orr_metadata *metadata = calloc(1, sizeof *metadata);
    if (!c || !from || !metadata) {
        free(metadata);
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    }
    orr_status status =
        orr_container_read(c, file->fd, (uint64_t)file->st.st_size, file->source, error);
    if (status == ORR_OK)
        status = orr_container_unlock(c, orr_keyring_lookup, (void *)file->job->options->keyring,
                                      file->source, &from->secret, &from->keys, error);
    if (status == ORR_OK)
        status = orr_cipher_init(&from->cipher, c->header.rule, c->header.k2, error);
    if (status == ORR_OK && c->header.profile == ORR_PROFILE_PAPER &&
        2 * c->header.metadata_length > file->job->paper_memory) // sealed, and what was in the seal
        status =
            orr_fail(error, ORR_UNSUPPORTED,
                     "%s: its tags need %llu MiB of memory; --mem divided by -j gives %llu MiB: "
                     "raise --mem, or lower -j",
                     file->source, (unsigned long long)(2 * c->header.metadata_length >> 20) + 1,
                     (unsigned long long)(file->job->paper_memory >> 20));
    if (status == ORR_OK)
        status = orr_container_metadata(c, file->fd, &from->keys, file->source, metadata, error);
    if (status != ORR_OK) {
        if (status == ORR_IO) atomic_store(&file->unreadable, 1);
        free(metadata);
        return status;
    }
    file->metadata = metadata;
    file->bytes = c->header.length;
    from->geometry = c->geometry;
    status = orr_file_choose_secret(file, error);
    if (status == ORR_OK) orr_file_note_slots(file);
    return status;
}

orr_status orr_segment_read_open(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                                 orr_error *error) {
    const orr_side *from = file->from;
    uint64_t at = orr_segment_offset(&from->geometry, piece->segment);
    size_t head = piece->tiles * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES;
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_status status = orr_pread_all(file->fd, piece->head, head, at, file->source, error);
    if (status == ORR_OK)
        status = orr_pread_all(file->fd, piece->in, piece->bytes, at + head, file->source, error);
    orr_stage_lap(stages, ORR_STAGE_READ, &since);
    if (status == ORR_IO) atomic_store(&file->unreadable, 1);
    if (status != ORR_OK) return status;
    status = orr_gcm_rekey(worker->gcm, from->keys.tile_key);
    uint8_t *tile = piece->in;
    for (uint32_t i = 0; status == ORR_OK && i < piece->tiles; i++) {
        uint64_t n = piece->segment * ORR_SEGMENT_TILES + i;
        size_t bytes = (size_t)piece->tasks[i].rows * ORR_TILE_ROW_BYTES;
        uint8_t nonce[ORR_GCM_NONCE];
        orr_tile_nonce(&from->keys, n, nonce);
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
    if (status == ORR_OK) status = orr_gcm_rekey(worker->gcm, from->keys.digest_key);
    if (status == ORR_OK)
        status =
            orr_digest_open(worker->gcm, piece->segment, piece->head + piece->tiles * ORR_GCM_TAG,
                            file->digests[piece->segment]);
    if (status == ORR_AUTH)
        return orr_fail(error, ORR_AUTH,
                        "%s: the digest of segment %llu does not authenticate: altered or damaged",
                        file->source, (unsigned long long)piece->segment);
    orr_stage_lap(stages, ORR_STAGE_OPEN, &since);
    return status == ORR_OK
               ? ORR_OK
               : orr_fail(error, status, "%s: AES-256-GCM failed (OpenSSL)", file->source);
}

// ---- writing side

orr_status orr_file_new_secret(orr_job_file *file, uint64_t length, orr_profile profile,
                               orr_error *error) {
    const orr_job_options *o = file->job->options;
    orr_metadata *m = file->metadata;
    orr_header *h = &file->header;
    orr_side *to = file->to = calloc(1, sizeof *to);
    const orr_master_key *key;
    if (!to) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    orr_status status = orr_job_target_key(file->job, &key, error);
    orr_file_draw_begin(m->path, m->path_length);
    if (status == ORR_OK) status = orr_file_random(h->file_id, sizeof h->file_id, error);
    if (status == ORR_OK)
        status = orr_file_secret_new(o->keyring, orr_file_now(), &to->secret, m->timestamp, error);
    const orr_header *old = file->container ? &file->container->header : NULL;
    h->rule = (uint16_t)(o->rule ? o->rule : old ? old->rule : ORR_RULE_DEFAULT);
    h->k2 = o->k2 ? o->k2 : old ? old->k2 : ORR_MAP_K2_DEFAULT;
    if (status == ORR_OK) status = orr_cipher_init(&to->cipher, h->rule, h->k2, error);
    if (status != ORR_OK) return status;
    h->version = h->suite = 1;
    h->profile = profile;
    h->pages = 1;
    h->length = length;
    h->metadata_length = orr_metadata_length(m);
    file->slot = (orr_slot){.generation = 1, .count = 1};
    status = orr_wrap_make(key, &to->secret, &file->slot.wrap[0], error);
    if (status != ORR_OK || profile == ORR_PROFILE_PAPER)
        return status; // the paper writer lays its own file out
    status = orr_geometry_init(&to->geometry, length, h->metadata_length, error);
    if (status != ORR_OK) return status;
    h->file_length = to->geometry.file_length;
    orr_header_encode(h, file->header_bytes);
    return orr_file_keys_derive(&to->keys, &to->secret, file->header_bytes, error);
}

orr_status orr_file_output(orr_job_file *file, uint64_t bytes, orr_error *error) {
    orr_status status = ORR_OK;
    pthread_mutex_lock(&file->lock);
    if (!file->output_begun) {
        status = orr_file_make_place(file, error);
        if (status == ORR_OK)
            status = orr_output_begin(&file->output, &file->job->root, file->target, bytes, error);
        file->output_begun = status == ORR_OK;
    }
    pthread_mutex_unlock(&file->lock);
    return status;
}

orr_status orr_job_hold_key(orr_job *job, const char *source, int *hold, orr_error *error) {
    orr_key_watch *watch = job->options->watch;
    const char *warning = NULL;
    orr_error why = {0};
    *hold = -1;
    orr_status status = watch ? orr_key_watch_hold(watch, job->stop, hold, &warning, &why) : ORR_OK;
    if (warning) orr_job_warn(job, "%s", warning);
    if (status == ORR_OK) return ORR_OK;
    if (status != ORR_STOPPED) orr_job_break(job, &why);
    return orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", source);
}

void orr_job_let_key_go(void *hold) {
    orr_key_watch_release(*(int *)hold);
    *(int *)hold = -1;
}

orr_status orr_file_commit(orr_job_file *file, mode_t mode, orr_error *error) {
    int hold = -1;
    orr_status status = orr_output_flush(&file->output, mode, error);
    if (status == ORR_OK && file->to)
        status = orr_job_hold_key(file->job, file->source, &hold, error);
    if (status == ORR_OK && file->replaces) status = orr_existing_put_aside(file, error);
    if (status == ORR_OK && file->supersedes) status = orr_restored_give_way(file, error);
    if (status != ORR_OK) {
        orr_job_let_key_go(&hold);
        return status;
    }
    file->output.named = orr_job_let_key_go; // its directory's flush takes long
    file->output.named_context = &hold;
    status = orr_output_name(&file->output, error);
    orr_job_let_key_go(&hold);
    return status;
}

orr_status orr_segment_seal_write(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                                  orr_error *error) {
    const orr_side *to = file->to;
    size_t head = piece->tiles * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES;
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_status status = orr_gcm_rekey(worker->gcm, to->keys.tile_key);
    uint8_t *tile = piece->out;
    for (uint32_t i = 0; status == ORR_OK && i < piece->tiles; i++) {
        size_t bytes = (size_t)piece->tasks[i].rows * ORR_TILE_ROW_BYTES;
        uint8_t nonce[ORR_GCM_NONCE];
        orr_tile_nonce(&to->keys, piece->segment * ORR_SEGMENT_TILES + i, nonce);
        status = orr_gcm_seal(worker->gcm, nonce, NULL, 0, tile, bytes, tile,
                              piece->head + i * ORR_GCM_TAG);
        tile += bytes;
    }
    if (status == ORR_OK) status = orr_gcm_rekey(worker->gcm, to->keys.digest_key);
    if (status == ORR_OK)
        status = orr_digest_seal(worker->gcm, piece->segment, file->digests[piece->segment],
                                 piece->head + piece->tiles * ORR_GCM_TAG);
    if (status != ORR_OK) return orr_fail(error, status, "%s: sealing failed", file->source);
    orr_stage_lap(stages, ORR_STAGE_SEAL, &since);
    status = orr_file_output(file, to->geometry.file_length, error);
    uint64_t at = orr_segment_offset(&to->geometry, piece->segment);
    if (status == ORR_OK)
        status = orr_pwrite_all(file->output.fd, piece->head, head, at, file->output.shown, error);
    if (status == ORR_OK)
        status = orr_pwrite_all(file->output.fd, piece->out, piece->bytes, at + head,
                                file->output.shown, error);
    orr_stage_lap(stages, ORR_STAGE_WRITE, &since);
    return status;
}

void orr_file_digest(const orr_job_file *file, uint8_t digest[ORR_DIGEST_BYTES]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical,
                             XXH3_128bits(file->digests, file->segments * ORR_DIGEST_BYTES));
    memcpy(digest, canonical.digest, ORR_DIGEST_BYTES);
}

orr_status orr_file_sha_begin(orr_job_file *file, orr_error *error) {
    file->sha = EVP_MD_CTX_new();
    if (!file->sha || !EVP_DigestInit_ex(file->sha, EVP_sha256(), NULL))
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", file->source);
    return ORR_OK;
}

void orr_file_sha_hash(orr_job_file *file, uint64_t segment, const uint8_t *data, size_t bytes) {
    pthread_mutex_lock(&file->lock);
    while (file->sha_next != segment && !atomic_load(&file->failed))
        pthread_cond_wait(&file->turn, &file->lock);
    int turn = file->sha_next == segment;
    pthread_mutex_unlock(&file->lock);
    if (!turn) return;
    EVP_DigestUpdate(file->sha, data, bytes);
    pthread_mutex_lock(&file->lock);
    file->sha_next++;
    pthread_cond_broadcast(&file->turn);
    pthread_mutex_unlock(&file->lock);
}

orr_status orr_file_sha_compare(orr_job_file *file, orr_error *error) {
    uint8_t sha[32];
    if (!EVP_DigestFinal_ex(file->sha, sha, NULL))
        return orr_fail(error, ORR_INTERNAL, "%s: SHA-256 failed", file->source);
    if (!memcmp(sha, file->metadata->sha256, sizeof sha)) return ORR_OK;
    return orr_fail(error, ORR_AUTH,
                    "%s: authenticates but does not have the SHA-256 that was recorded: a hardware "
                    "fault when it was written or now; try again on another machine",
                    file->source);
}

orr_status orr_file_finish_container(orr_job_file *file, orr_error *error) {
    const orr_side *to = file->to;
    orr_status status = orr_file_output(file, 0, error);
    if (status != ORR_OK) return status;
    orr_file_digest(file, file->metadata->digest);
    const char *shown = file->output.shown;
    status = orr_archive_head_write(&file->header, &to->keys, &file->slot, file->metadata,
                                    file->output.fd, shown, error);
    if (status == ORR_OK && file->job->options->check_cpu)
        status = orr_file_check_cpu(file, file->metadata, error);
    return status == ORR_OK ? orr_file_commit(file, orr_file_sealed_mode(file), error) : status;
}
