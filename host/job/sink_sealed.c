// An encrypted file that is made: encrypt, reencrypt.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/container/parity.h"
#include "host/job/existing.h"
#include "host/job/job_check.h"
#include "host/job/job_file.h"
#include "host/job/job_inputs.h"
#include "host/job/job_key.h"
#include "host/job/job_known.h"
#include "host/job/job_mode.h"
#include "host/job/job_parity.h"
#include "host/job/writer.h"
#include "host/keys/secret.h"
#include "kernels/map.h"

// A path that another file of the job has is ORR_EXISTS; the same file given again is skipped.
static orr_status claim(orr_job_file *file, orr_error *error) {
    const orr_metadata *m = file->metadata;
    uint8_t identity[32];
    size_t bytes = file->from.kind->identity(file, identity);
    if (!bytes) return ORR_OK;
    switch (orr_claim(&file->job->claims, m->path, m->path_length, identity, bytes)) {
    case ORR_CLAIM_NEW:
        return ORR_OK;
    case ORR_CLAIM_SAME:
        file->outcome = ORR_OUT_SKIPPED;
        file->reason = "the same file was given before";
        return ORR_OK;
    case ORR_CLAIM_TAKEN:
        return orr_fail(error, ORR_EXISTS,
                        "%s: another file of this job has the same path \"%s\" below the output: "
                        "give their common directory as the input, or choose another output",
                        file->source, (const char *)m->path);
    default:
        return orr_file_no_memory(file, error);
    }
}

static orr_status sealed_open(orr_job_file *file, orr_error *error) {
    file->to.sealed = calloc(1, sizeof *file->to.sealed);
    return file->to.sealed ? claim(file, error) : orr_file_no_memory(file, error);
}

// Opaque names stay opaque: a name once hidden is not brought to light by re-encryption. Where the
// output is one file, it has its name.
static int is_opaque(const orr_job_file *file) {
    const char *slash = strrchr(file->relative, '/'), *name = slash ? slash + 1 : file->relative;
    if (file->job->root.only) return 0;
    return file->job->options->opaque_names || (file->from.sealed && orr_job_is_opaque_name(name));
}

// PATH.orr.tif, or ID.orr.tif; or that of the one file that is the output.
static orr_status set_target(orr_job_file *file, const char *stem, orr_error *error) {
    const char *only = file->job->root.only;
    size_t n = strlen(only ? only : stem);
    char *name = file->target = malloc(n + sizeof ORR_SUFFIX);
    if (!name) return orr_file_no_memory(file, error);
    memcpy(name, only ? only : stem, n + 1);
    if (!only) memcpy(name + n, ORR_SUFFIX, sizeof ORR_SUFFIX);
    return ORR_OK;
}

static orr_status sealed_look(orr_job_file *file, orr_error *error) {
    if (is_opaque(file)) // without a map there is no output directory yet
        return file->job->resume || file->job->options->writer_only
                   ? orr_existing_resume(file, error)
                   : ORR_OK;
    orr_status status = set_target(file, (const char *)file->metadata->path, error);
    return status == ORR_OK ? orr_existing_look(file, error) : status;
}

// Everything of the header that is not drawn, and who is to open the file.
static orr_status lay_out(orr_job_file *file, orr_error *error) {
    const orr_job_options *o = file->job->options;
    orr_sealed_sink *to = file->to.sealed;
    orr_header *h = &to->header;
    const orr_header *old = file->from.sealed ? &file->from.sealed->container.header : NULL;
    orr_status status = orr_job_readers(file->job, &to->readers, &to->reader_count, error);
    h->rule = (uint16_t)(o->rule ? o->rule : old ? old->rule : ORR_RULE_DEFAULT);
    h->k2 = o->k2 ? o->k2 : old ? old->k2 : ORR_MAP_K2_DEFAULT;
    if (status == ORR_OK) status = orr_cipher_init(&to->seal.cipher, h->rule, h->k2, error);
    if (status != ORR_OK) return status;
    h->version = ORR_FORMAT_VERSION;
    h->suite = ORR_FORMAT_SUITE;
    h->profile = file->profile;
    h->pages = 1;
    h->slot_pages = orr_slot_pages_for(to->readers, to->reader_count);
    if (h->slot_pages == 0)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: too many keys for one file", file->source);
    if (file->profile == ORR_PROFILE_PAPER) return ORR_OK; // its writer lays its own file out
    h->length = file->bytes;
    h->metadata_length = orr_metadata_sealed_length(file->metadata, h->profile);
    status = orr_geometry_init(&to->seal.geometry, h, error);
    if (status == ORR_OK) status = orr_repair_plan(h, to->seal.geometry.data_end, o->parity, error);
    return status == ORR_OK ? orr_geometry_init(&to->seal.geometry, h, error) : status;
}

// Draws ID, secret and times.
static orr_status draw(orr_job_file *file, orr_error *error) {
    orr_sealed_sink *to = file->to.sealed;
    orr_metadata *m = file->metadata;
    const struct timespec now = orr_file_now();
    orr_file_draw_begin(m->path, m->path_length);
    orr_status status = orr_file_random(to->header.file_id, sizeof to->header.file_id, error);
    if (status == ORR_OK)
        status = orr_file_secret_new(file->job->options->keyring, now.tv_sec, &to->seal.secret,
                                     m->timestamp, error);
    m->written_seconds = now.tv_sec;
    m->written_nanoseconds = (uint32_t)now.tv_nsec;
    return status;
}

static orr_status sealed_begin(orr_job_file *file, orr_error *error) {
    orr_sealed_sink *to = file->to.sealed;
    const int opaque = is_opaque(file), archive = file->profile == ORR_PROFILE_ARCHIVE;
    char id[65];
    orr_status status = lay_out(file, error);
    if (status == ORR_OK && archive) status = orr_go_on_sealed(file, opaque, error);
    if (status == ORR_OK && !file->to.go_on.found) status = draw(file, error);
    if (status != ORR_OK) return status;
    orr_header_encode(&to->header, to->header_bytes);
    if (archive)
        status = orr_file_keys_derive(&to->seal.keys, &to->seal.secret, to->header_bytes, error);
    orr_hex(to->header.file_id, 32, id);
    return status == ORR_OK && opaque ? set_target(file, id, error) : status;
}

// Seals each tile of a segment in place, and its digest, under a salt that is drawn for this
// sealing.
static orr_status seal_segment(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                               orr_error *error) {
    const orr_seal *seal = &file->to.sealed->seal;
    const orr_metadata *m = file->metadata;
    orr_segment_head *head = piece->out_head;
    orr_segment_nonces nonces;
    uint8_t *tile = piece->out, nonce[ORR_GCM_NONCE];
    memset(head, 0, sizeof *head);
    orr_file_draw_part(m->path, m->path_length, piece->segment);
    orr_status status = orr_file_random(head->salt, sizeof head->salt, error);
    if (status != ORR_OK) return status;
    status = orr_segment_nonces_derive(&seal->keys, piece->segment, head->salt, &nonces);
    if (status == ORR_OK) status = orr_gcm_rekey(worker->gcm, seal->keys.tile_key);
    for (uint32_t t = 0; status == ORR_OK && t < piece->tiles; t++) {
        size_t bytes = (size_t)piece->tasks[t].rows * ORR_TILE_ROW_BYTES;
        orr_tile_nonce(&nonces, t, nonce);
        status = orr_gcm_seal(worker->gcm, nonce, NULL, 0, tile, bytes, tile, head->tags[t]);
        tile += bytes;
    }
    if (status == ORR_OK) status = orr_gcm_rekey(worker->gcm, seal->keys.digest_key);
    if (status == ORR_OK)
        status = orr_digest_seal(worker->gcm, &nonces, file->digests[piece->segment],
                                 head->sealed_digest);
    return status == ORR_OK ? ORR_OK : orr_fail(error, status, "%s: sealing failed", file->source);
}

static orr_status sealed_give(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                              orr_error *error) {
    const orr_geometry *g = &file->to.sealed->seal.geometry;
    size_t padding = orr_segment_padding(g, piece->segment);
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_status status = seal_segment(file, piece, worker, error);
    memset(piece->out + piece->bytes, 0, padding);
    orr_stage_lap(stages, ORR_STAGE_SEAL, &since);
    if (status == ORR_OK) status = orr_file_output(file, g->file_length, error);
    piece->io.memory = (uint8_t *)piece->out_head;
    piece->io.bytes = sizeof *piece->out_head + piece->bytes + padding;
    piece->io.offset = orr_segment_offset(g, piece->segment);
    return status;
}

// Everything around the data of the archive profile; of an unfinished file only what its secret is
// in. `part` is what is drawn for it.
static orr_status write_head(orr_job_file *file, const orr_metadata *m, uint64_t part,
                             orr_error *error) {
    const orr_sealed_sink *to = file->to.sealed;
    const orr_output *output = &file->to.output;
    const orr_seal *seal = &to->seal;
    const int whole = part == ORR_FILE_DRAW_METADATA;
    orr_wraps wraps = {0};
    uint8_t salt[ORR_SALT_BYTES];
    orr_file_draw_part(m->path, m->path_length, part);
    orr_status status = orr_file_random(salt, sizeof salt, error);
    if (status == ORR_OK)
        status = orr_wraps_draw(&wraps, to->readers, to->reader_count, &seal->secret,
                                to->header_bytes, error);
    if (status == ORR_OK && whole)
        status = orr_archive_directory_write(&to->header, output->fd, output->shown, error);
    if (status == ORR_OK)
        status =
            orr_metadata_write(&to->header, &seal->keys, m, salt, output->fd, output->shown, error);
    if (status == ORR_OK && whole)
        status = orr_job_write_repair(file->job, &to->header, seal->geometry.data_end, output->fd,
                                      output->shown, error);
    if (status == ORR_OK)
        status = orr_head_write(&to->header, &seal->keys, &wraps, seal->geometry.big, output->fd,
                                output->shown, error);
    orr_wraps_free(&wraps);
    return status;
}

// The head of an unfinished file comes first: the next run has its secret from it.
static orr_status sealed_start(orr_job_file *file, orr_error *error) {
    const orr_go_on *go_on = &file->to.go_on;
    if (!file->to.output.unfinished || go_on->found) return ORR_OK;
    orr_metadata early = *file->metadata; // what it points to stays the file's
    memcpy(early.digest, go_on->digest, sizeof early.digest);
    orr_status status = write_head(file, &early, ORR_FILE_DRAW_UNFINISHED, error);
    orr_wipe(&early, sizeof early);
    // Not waited for: a power cut before it has arrived costs a new beginning, and no more.
    (void)sync_file_range(file->to.output.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return status;
}

// Whole and flushed, then named, under a key that the keyring still has as it must be.
static orr_status commit(orr_job_file *file, orr_error *error) {
    orr_output *output = &file->to.output;
    int hold = -1;
    mode_t mode = orr_sealed_mode(file->from.fd, &file->from.st, output->fd);
    orr_status status = orr_output_flush(output, mode, error);
    orr_job_forget(file->job->options, output->fd);
    if (status == ORR_OK) status = orr_job_hold_key(file->job, file->source, &hold, error);
    if (status == ORR_OK && file->to.sealed->replaces) status = orr_existing_put_aside(file, error);
    if (status == ORR_OK) {
        output->named = orr_job_let_key_go; // its directory's flush takes long
        output->named_context = &hold;
        status = orr_output_name(output, error);
    }
    orr_job_let_key_go(&hold);
    return status;
}

static orr_status sealed_complete(orr_job_file *file, orr_error *error) {
    const orr_sealed_sink *to = file->to.sealed;
    const orr_output *output = &file->to.output;
    orr_status status = ORR_OK;
    if (file->profile == ORR_PROFILE_ARCHIVE) {
        status = orr_file_output(file, 0, error);
        if (status == ORR_OK)
            status = write_head(file, file->metadata, ORR_FILE_DRAW_METADATA, error);
    }
    if (status == ORR_OK && file->job->options->check_cpu)
        status = orr_check_output(file->job, output->fd, output->shown, &to->seal.secret,
                                  file->metadata, error);
    return status;
}

static orr_status sealed_finish(orr_job_file *file, orr_error *error) {
    const orr_sealed_sink *to = file->to.sealed;
    const orr_source *from = &file->from;
    int writer_only = file->job->options->writer_only;
    orr_status status = writer_only ? orr_writer_record(file, error) : ORR_OK;
    if (status == ORR_OK) status = commit(file, error);
    // Of a source that was touched nobody knows which bytes belong to which ctime.
    if (status == ORR_OK && !writer_only && !from->sealed && !from->touched)
        orr_job_record(file->job, &to->seal.secret, to->header.file_id, from->fd, &from->st,
                       file->source);
    return status;
}

static void sealed_close(orr_job_file *file) {
    orr_sealed_sink *to = file->to.sealed;
    if (!to) return;
    if (to->existing) orr_job_forget(file->job->options, to->existing->fd);
    orr_existing_free(to->existing);
    orr_wipe(to->readers, to->reader_count * sizeof *to->readers);
    free(to->readers);
    orr_wipe(to, sizeof *to);
    free(to);
}

const orr_sink_kind orr_sink_sealed = {.open = sealed_open,
                                       .look = sealed_look,
                                       .begin = sealed_begin,
                                       .start = sealed_start,
                                       .give = sealed_give,
                                       .complete = sealed_complete,
                                       .finish = sealed_finish,
                                       .close = sealed_close};
