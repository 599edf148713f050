#include "host/job/go_on.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"
#include "host/container/content_digest.h"
#include "host/job/job_file.h"
#include "host/job/job_key.h"

#define LABEL "orrery v1 unfinished file"

// ---- the name

// What must be the same, field by field, each with its length before it.
typedef struct fields {
    uint8_t *bytes;
    size_t used;
} fields;

static void add(fields *f, const void *field, size_t bytes) {
    orr_store_le32(f->bytes + f->used, (uint32_t)bytes);
    memcpy(f->bytes + f->used + 4, field, bytes);
    f->used += 4 + bytes;
}

// Verb, target (NULL: its name is drawn) and what the caller adds: at most `more` fields of
// `more_bytes` in all. 0: memory ran out.
static int begin_fields(fields *f, const orr_job_file *file, const char *target, size_t more,
                        size_t more_bytes) {
    const uint8_t verb = (uint8_t)file->job->options->verb;
    const char *to = target ? target : "";
    *f = (fields){.bytes = malloc(5 + 4 + strlen(to) + 4 * more + more_bytes)};
    if (!f->bytes) return 0;
    add(f, &verb, 1);
    add(f, to, strlen(to));
    return 1;
}

// Under a key that only a holder of `secret` has. Frees the fields.
static orr_status make_name(orr_job_file *file, const uint8_t secret[32], fields *f,
                            orr_error *error) {
    orr_go_on *go_on = &file->to.go_on;
    uint8_t key[32], mac[32];
    orr_status status = orr_hmac_sha256(secret, LABEL, sizeof LABEL - 1, key);
    if (status == ORR_OK) status = orr_hmac_sha256(key, f->bytes, f->used, mac);
    orr_wipe(key, sizeof key);
    free(f->bytes);
    if (status != ORR_OK)
        return orr_fail(error, status, "%s: the name of its unfinished file could not be derived",
                        file->source);
    orr_partial_name(orr_load_be64(mac), ORR_UNFINISHED_SUFFIX, go_on->unfinished.name);
    memcpy(go_on->digest, mac + 16, sizeof go_on->digest);
    return ORR_OK;
}

static int is_large(const orr_job_file *file) {
    const orr_job_options *o = file->job->options;
    return file->profile == ORR_PROFILE_ARCHIVE && file->bytes >= ORR_GO_ON_FROM && !o->sparse &&
           !o->writer_only;
}

// ---- what an earlier run left

// Opens the unfinished file in the directory of `relative`. One that is this user's and does not
// fit is of no use to any run, and goes.
static orr_status find(orr_job_file *file, const char *relative,
                       orr_status (*fits)(orr_job_file *file, int fd, int *fit, orr_error *error),
                       orr_error *error) {
    orr_unfinished *unfinished = &file->to.go_on.unfinished;
    const char *name;
    int directory;
    orr_status status =
        orr_output_directory(&file->job->root, relative, 0, &directory, &name, error);
    if (status != ORR_OK || directory < 0) return status;
    int fd = orr_partial_reopen(directory, unfinished->name);
    if (fd >= 0) status = fits(file, fd, &file->to.go_on.found, error);
    if (status == ORR_OK && file->to.go_on.found) {
        unfinished->fd = fd;
    } else if (fd >= 0) {
        if (status == ORR_OK) orr_partial_remove(directory, unfinished->name, fd);
        close(fd);
    }
    close(directory);
    return status;
}

// Is the metadata what this run would seal, but for what a run draws and the digest? Takes over
// what was drawn.
static int take_metadata(orr_job_file *file, const orr_metadata *m) {
    orr_metadata expected = *file->metadata; // what it points to stays the file's
    memcpy(expected.digest, m->digest, sizeof expected.digest);
    memcpy(expected.timestamp, m->timestamp, sizeof expected.timestamp);
    expected.written_seconds = m->written_seconds;
    expected.written_nanoseconds = m->written_nanoseconds;
    int same = orr_metadata_same(&expected, m);
    if (same == 1) {
        memcpy(file->metadata->timestamp, m->timestamp, sizeof m->timestamp);
        file->metadata->written_seconds = m->written_seconds;
        file->metadata->written_nanoseconds = m->written_nanoseconds;
    }
    orr_wipe(&expected, sizeof expected);
    return same;
}

// Is it of this very source? The run that was killed between its last write and the naming has left
// a digest in the place of the MAC: then the source is compared with it at the end.
static int is_of_source(orr_job_file *file, const uint8_t digest[ORR_DIGEST_BYTES]) {
    if (!memcmp(digest, file->to.go_on.digest, ORR_DIGEST_BYTES)) return 1;
    if (file->from.sealed) return !memcmp(digest, file->metadata->digest, ORR_DIGEST_BYTES);
    file->from.touched = 1;
    return 1;
}

// Exactly the head that this run would write, around an ID and a secret that a holder of a master
// key drew.
static int take_head(orr_job_file *file, const orr_container *c, const orr_file_secret *secret,
                     const orr_metadata *m) {
    orr_sealed_sink *to = file->to.sealed;
    orr_header expected = to->header;
    uint8_t bytes[ORR_HEADER_BYTES];
    memcpy(expected.file_id, c->header.file_id, sizeof expected.file_id);
    orr_header_encode(&expected, bytes);
    if (!c->known_origin || memcmp(bytes, c->header_bytes, sizeof bytes)) return 0;
    int same = take_metadata(file, m);
    if (same != 1 || !is_of_source(file, m->digest)) return same == 1 ? 0 : same;
    memcpy(to->header.file_id, c->header.file_id, sizeof to->header.file_id);
    to->seal.secret = *secret;
    return 1;
}

static orr_status fits_sealed(orr_job_file *file, int fd, int *fit, orr_error *error) {
    const orr_keyring *keyring = file->job->options->keyring;
    orr_container *c = calloc(1, sizeof *c);
    orr_metadata *m = calloc(1, sizeof *m);
    orr_file_secret secret;
    orr_file_keys keys;
    struct stat st;
    orr_status status = c && m ? ORR_OK : ORR_INTERNAL;
    if (status == ORR_OK && fstat(fd, &st) != 0) status = ORR_IO;
    if (status == ORR_OK) status = orr_container_read(c, fd, (uint64_t)st.st_size, "it", NULL);
    if (status == ORR_OK)
        status = orr_container_unlock(c, orr_keyring_lookup, (void *)keyring, "it", &secret, &keys,
                                      NULL);
    if (status == ORR_OK) {
        status = orr_container_read_metadata(c, fd, &keys, "it", m, NULL);
        if (status == ORR_OK) *fit = take_head(file, c, &secret, m);
        if (status == ORR_OK && *fit < 0) status = ORR_INTERNAL;
        if (status == ORR_OK) orr_metadata_free(m);
        orr_wipe(&secret, sizeof secret);
        orr_wipe(&keys, sizeof keys);
    }
    if (c) orr_container_free(c);
    free(c);
    free(m);
    if (status == ORR_INTERNAL) {
        *fit = 0;
        return orr_file_no_memory(file, error);
    }
    return ORR_OK; // whatever is wrong with it, it does not fit
}

orr_status orr_go_on_sealed(orr_job_file *file, int opaque, orr_error *error) {
    const orr_sealed_sink *to = file->to.sealed;
    const orr_metadata *m = file->metadata;
    const orr_master_key *key = NULL;
    uint8_t header[ORR_HEADER_BYTES], state[ORR_SOURCE_STATE_BYTES];
    fields f;
    size_t known = is_large(file) ? file->from.kind->state(file, state) : 0;
    if (!known) return ORR_OK;
    orr_header_encode(&to->header, header); // its ID is zero
    orr_status status = orr_job_target_key(file->job, &key, error);
    if (status != ORR_OK) return status;
    const char *target = opaque ? NULL : file->target;
    if (!begin_fields(&f, file, target, 3 + to->reader_count,
                      m->path_length + sizeof header + known +
                          to->reader_count * (1 + ORR_KEY_ID_BYTES + 32)))
        return orr_file_no_memory(file, error);
    add(&f, m->path, m->path_length);
    add(&f, header, sizeof header);
    add(&f, state, known);
    for (size_t i = 0; i < to->reader_count; i++) {
        const orr_wrap_key *reader = &to->readers[i];
        uint8_t text[1 + ORR_KEY_ID_BYTES + 32] = {(uint8_t)reader->type};
        memcpy(text + 1, reader->key_id, ORR_KEY_ID_BYTES);
        if (reader->type == ORR_WRAP_RECIPIENT) // else it is the secret itself
            memcpy(text + 1 + ORR_KEY_ID_BYTES, reader->key, 32);
        add(&f, text, sizeof text);
    }
    status = make_name(file, key->key, &f, error);
    // An opaque name lies at the top, whatever it will be.
    return status == ORR_OK ? find(file, opaque ? "" : file->target, fits_sealed, error) : status;
}

// Direct writes may have gone to the end of its last page.
static orr_status fits_plain(orr_job_file *file, int fd, int *fit, orr_error *error) {
    struct stat st;
    (void)error;
    *fit = fstat(fd, &st) == 0 && (uint64_t)st.st_size >= file->bytes &&
           (uint64_t)st.st_size - file->bytes < ORR_DIRECT_ALIGNMENT;
    return ORR_OK;
}

orr_status orr_go_on_plain(orr_job_file *file, orr_error *error) {
    fields f;
    if (!is_large(file)) return ORR_OK;
    const orr_sealed *from = file->from.sealed;
    if (!begin_fields(&f, file, file->target, 1, ORR_HEADER_BYTES))
        return orr_file_no_memory(file, error);
    add(&f, from->container.header_bytes, ORR_HEADER_BYTES); // the file ID is in it
    orr_status status = make_name(file, from->seal.secret.seal_root, &f, error);
    return status == ORR_OK ? find(file, file->target, fits_plain, error) : status;
}

// ---- its segments

orr_status orr_go_on_begin(orr_job_file *file, orr_error *error) {
    if (!file->to.go_on.found) return ORR_OK;
    const orr_sealed_sink *to = file->to.sealed;
    return orr_file_output(file, to ? to->seal.geometry.file_length : file->bytes, error);
}

int orr_go_on_want(orr_job_file *file, orr_piece *piece) {
    orr_async_request *io = &piece->io;
    if (!file->to.go_on.found || atomic_load(&file->failed)) return 0;
    io->fd = file->to.output.fd;
    if (file->to.sealed) {
        const orr_geometry *g = &file->to.sealed->seal.geometry;
        io->memory = (uint8_t *)piece->in_head;
        io->bytes = ORR_PAGE + piece->bytes + orr_segment_padding(g, piece->segment);
        io->offset = orr_segment_offset(g, piece->segment);
    } else {
        io->memory = piece->in;
        io->bytes = orr_file_segment_bytes(file, piece->segment);
        io->offset = piece->segment * ORR_SEGMENT_BYTES;
    }
    size_t page = io->bytes < ORR_PAGE ? io->bytes : ORR_PAGE;
    return orr_pread_by(file->to.way, io->fd, io->memory, ORR_PAGE, io->offset) >= page &&
           !orr_all_zero(io->memory, page);
}

// One that was sealed: all of it authenticates, and what must be zero is.
static int keep_sealed(const orr_job_file *file, orr_piece *piece, orr_gcm *gcm,
                       uint8_t digest[ORR_DIGEST_BYTES]) {
    const orr_seal *seal = &file->to.sealed->seal;
    const orr_geometry *g = &seal->geometry;
    const size_t padding = orr_segment_padding(g, piece->segment);
    uint32_t failed;
    return piece->io.done >= ORR_PAGE + piece->bytes + padding &&
           orr_segment_head_is_clean(piece->in_head, piece->tiles) &&
           orr_all_zero(piece->in + piece->bytes, padding) &&
           orr_segment_open(gcm, &seal->keys, g, piece->segment, piece->in_head, piece->in, digest,
                            &failed) == ORR_OK;
}

// One that was restored: it has the digest that is sealed in the source.
static int keep_plain(const orr_job_file *file, orr_piece *piece, orr_gcm *gcm,
                      uint8_t digest[ORR_DIGEST_BYTES]) {
    const orr_seal *seal = &file->from.sealed->seal;
    const size_t bytes = orr_file_segment_bytes(file, piece->segment);
    orr_segment_head *head = piece->in_head; // of the source
    uint8_t found[ORR_DIGEST_BYTES];
    orr_segment_nonces nonces;
    if (piece->io.done < bytes ||
        orr_pread_by(file->from.way, file->from.fd, head, sizeof *head,
                     orr_segment_offset(&seal->geometry, piece->segment)) != sizeof *head ||
        orr_segment_nonces_derive(&seal->keys, piece->segment, head->salt, &nonces) != ORR_OK ||
        orr_gcm_rekey(gcm, seal->keys.digest_key) != ORR_OK ||
        orr_digest_open(gcm, &nonces, head->sealed_digest, digest) != ORR_OK)
        return 0;
    orr_content_digest_of(piece->in, bytes, found);
    return !memcmp(found, digest, sizeof found);
}

int orr_go_on_keep(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    uint8_t digest[ORR_DIGEST_BYTES];
    int kept = file->to.sealed ? keep_sealed(file, piece, worker->gcm, digest)
                               : keep_plain(file, piece, worker->gcm, digest);
    if (!kept) return 0;
    memcpy(file->digests[piece->segment], digest, sizeof digest);
    atomic_fetch_add(&file->to.go_on.kept, 1);
    return 1;
}

int orr_go_on_later(const orr_job_file *file) {
    return file->error.status == ORR_STOPPED && *file->job->stop;
}
