#include "host/job/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "host/job/existing.h"
#include "host/job/job_key.h"
#include "host/job/job_paper.h"
#include "host/job/job_repair.h"
#include "host/job/job_rewrap.h"
#include "host/job/salvage.h"

// What a verb is.
typedef struct verb {
    const orr_source_kind *from;
    const orr_sink_kind *to;
    orr_tile_op op;
    void (*at_once)(orr_job_file *file); // in place of ends
} verb;

static const verb verbs[] = {
    [ORR_VERB_ENCRYPT] = {&orr_source_plain, &orr_sink_sealed, ORR_TILE_ENCRYPT, NULL},
    [ORR_VERB_DECRYPT] = {&orr_source_sealed, &orr_sink_plain, ORR_TILE_DECRYPT, NULL},
    [ORR_VERB_VERIFY] = {&orr_source_sealed, &orr_sink_none, ORR_TILE_DECRYPT, NULL},
    [ORR_VERB_REENCRYPT] = {&orr_source_sealed, &orr_sink_sealed, ORR_TILE_REENCRYPT, NULL},
    [ORR_VERB_REWRAP] = {NULL, NULL, ORR_TILE_ENCRYPT, orr_rewrap},
    [ORR_VERB_REPAIR] = {NULL, NULL, ORR_TILE_ENCRYPT, orr_repair_file},
};

static const verb *verb_of(const orr_job_file *file) {
    return &verbs[file->job->options->verb];
}

// A step of an end, which need not have one.
static orr_status step(orr_status (*function)(orr_job_file *, orr_error *), orr_job_file *file,
                       orr_error *error) {
    return function ? function(file, error) : ORR_OK;
}

// ---- what is said of it

// Would salvage help? It must be the source that fails, not what is written.
static int is_damaged(const orr_job_file *file) {
    return (file->error.status == ORR_AUTH && !file->from.distrusted) ||
           (file->error.status == ORR_IO && atomic_load(&file->from.unreadable));
}

// Who opened an encrypted file can say which one it is.
typedef struct seal_text {
    char file_id[65], key_id[2 * ORR_KEY_ID_BYTES + 1], sealed_at[24];
} seal_text;

static void describe_seal(const orr_job_file *file, seal_text *text, orr_file_event *event) {
    const orr_sealed *sealed = file->from.sealed;
    const orr_metadata *m = file->metadata;
    if (!sealed || !m || sealed->container.active < 0) return;
    const orr_container *c = &sealed->container;
    static const char *const letters[ORR_SLOTS] = {"A", "B", "C"};
    orr_hex(c->header.file_id, 32, text->file_id);
    orr_hex(c->opened_by, ORR_KEY_ID_BYTES, text->key_id);
    event->file_id = text->file_id;
    event->key_id = text->key_id;
    event->sealed_path = (const char *)m->path;
    event->generation = c->slot[c->active].generation;
    event->known_origin = c->known_origin;
    int damaged = orr_sealed_damaged_slot(sealed);
    event->damaged_slot = damaged < 0 ? NULL : letters[damaged];
    event->unlike_slot = sealed->unlike ? letters[sealed->unlike - 1] : NULL;
    int64_t when = orr_metadata_time(m);
    if (when && orr_utc(when, ORR_UTC_STAMP, text->sealed_at, sizeof text->sealed_at))
        event->sealed_at = text->sealed_at;
}

// Does anybody else than this keyring's owner open the old file and not the new one?
static int drops_recipient(const orr_job_file *file) {
    const orr_job_options *o = file->job->options;
    const orr_sealed *sealed = file->from.sealed;
    orr_wrap wrap;
    if (!sealed || o->verb != ORR_VERB_REENCRYPT || sealed->container.active < 0) return 0;
    const orr_slot *slot = &sealed->container.slot[sealed->container.active];
    for (size_t at = 0; orr_slot_next(slot, &at, &wrap);) {
        int stays = orr_job_own_key(file->job, &wrap) != NULL;
        for (size_t i = 0; i < o->recipient_count; i++)
            stays |= !memcmp(wrap.key_id, o->recipients[i].key_id, ORR_KEY_ID_BYTES);
        if (!stays) return 1;
    }
    return 0;
}

static int drops_repair(const orr_job_file *file) {
    const orr_job_options *o = file->job->options;
    return file->from.sealed && o->verb == ORR_VERB_REENCRYPT && !o->parity &&
           file->from.sealed->container.header.groups;
}

static void report_file(orr_job_file *file) {
    char sha256[65] = "";
    seal_text seal;
    int failed = file->error.status != ORR_OK;
    const orr_existing *existing = file->to.sealed ? file->to.sealed->existing : NULL;
    orr_file_event event = {.outcome = failed ? ORR_OUT_FAILED : file->outcome,
                            .source = file->source,
                            .target = file->target,
                            .bytes = file->bytes,
                            .status = file->error.status,
                            .reason = failed ? file->error.text : file->reason,
                            .damaged = is_damaged(file),
                            .repeats = file->repeats,
                            .lacks_recipient = existing && existing->lacks_recipient,
                            .lacks_repair = existing && existing->lacks_repair,
                            .drops_recipient = drops_recipient(file),
                            .drops_repair = drops_repair(file),
                            .pixels_sealed = file->profile != ORR_PROFILE_PAPER,
                            .altered = file->altered,
                            .repairable = file->repairable,
                            .repair_damaged = file->repair_damaged,
                            .repaired_pages = file->repaired_pages,
                            .copied_pages = file->copied_pages,
                            .lost_bytes = file->lost_bytes,
                            .released = file->released,
                            .salvaged = file->salvaged,
                            .salvaged_bytes = file->salvaged_bytes,
                            .went_on = file->to.go_on.found,
                            .segments = file->segments,
                            .kept_segments = atomic_load(&file->to.go_on.kept)};
    const orr_metadata *m = existing && !existing->unopened ? &existing->sealed : file->metadata;
    if (m && m->has_sha256 && (event.outcome == ORR_OUT_DONE || event.outcome == ORR_OUT_PRESENT)) {
        orr_hex(m->sha256, 32, sha256);
        event.sha256 = sha256;
    }
    describe_seal(file, &seal, &event);
    orr_job_report(file->job, &event);
}

// ---- finishing

// Another run wrote what this file is said to be finished by, or whole: does the storage have it?
static orr_status trust_result(const orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    const char *name;
    int directory;
    if (!file->target) return orr_trust_take(&job->trust, file->from.fd, file->source, error);
    orr_status status =
        orr_output_directory(&job->root, file->target, 0777, &directory, &name, error);
    if (status != ORR_OK) return status;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    status = orr_trust_take(&job->trust, directory, file->target, error);
    if (status == ORR_OK && fd >= 0) status = orr_trust_take(&job->trust, fd, file->target, error);
    if (fd >= 0) close(fd);
    close(directory);
    return status;
}

static int is_trusted(const orr_job_file *file) {
    const orr_job_options *o = file->job->options;
    return !atomic_load(&file->failed) && !o->dry_run &&
           (file->outcome == ORR_OUT_PRESENT ||
            (file->outcome == ORR_OUT_DONE && o->verb == ORR_VERB_VERIFY));
}

static int is_done(const orr_job_file *file) {
    return !atomic_load(&file->failed) && file->outcome == ORR_OUT_DONE && !file->later;
}

// Everything went from one end to the other: the source vouches for it, and it is made whole.
static void complete(orr_job_file *file) {
    orr_error error = {0};
    if (!is_done(file)) return;
    orr_status status = file->from.kind->finish(file, &error);
    if (status == ORR_OK) status = step(file->to.kind->complete, file, &error);
    if (status != ORR_OK) orr_file_fail(file, &error);
}

// It is kept.
static void finish(orr_job_file *file) {
    orr_error error = {0};
    if (is_done(file) && step(file->to.kind->finish, file, &error) != ORR_OK)
        orr_file_fail(file, &error);
}

void orr_transfer_end(orr_job_file *file) {
    const orr_job_options *o = file->job->options;
    orr_stage_mark since = orr_stage_clock(o->stages);
    orr_error error = {0};
    if (!file->at_once) finish(file);
    if (is_trusted(file) && trust_result(file, &error) != ORR_OK) orr_file_fail(file, &error);
    orr_stage_lap(o->stages, ORR_STAGE_COMMIT, &since);
    if (file->to.output_begun && orr_go_on_later(file))
        orr_output_leave(&file->to.output);
    else if (file->to.output_begun)
        orr_output_abort(&file->to.output); // unless it was committed
    file->to.output_begun = 0;
    if (file->outcome == ORR_OUT_PRESENT && file->target && !o->dry_run &&
        !atomic_load(&file->failed))
        orr_output_settle(&file->job->root, file->target);
    if (file->from.sealed && is_damaged(file) && o->salvage && !o->dry_run) orr_salvage(file);
    if (!file->later) report_file(file);
    orr_file_free(file);
}

void orr_transfer_release(orr_job_file *file) {
    const orr_job *job = file->job;
    if (atomic_fetch_sub(&file->refs, 1) != 1) return;
    orr_stage_mark since = orr_stage_clock(job->options->stages);
    orr_file_end_contents(file);
    if (!file->at_once) complete(file);
    orr_stage_lap(job->options->stages, ORR_STAGE_COMMIT, &since);
    // Where flushes do not wait, handing it over would take longer.
    if (!file->at_once && is_done(file) && file->to.output_begun &&
        orr_target_waits(job->root.target) && orr_finishers_take(job->finishers, file))
        return;
    orr_transfer_end(file);
}

// ---- opening

// Is it work as far as that is known?
static int is_work(const orr_job_file *file) {
    return file->outcome == ORR_OUT_DONE && !file->later && !file->at_once;
}

// The archive profile goes in segments.
static orr_status set_segments(orr_job_file *file, orr_error *error) {
    file->segments = orr_file_geometry(file)->segments;
    file->digests = calloc(file->segments, sizeof *file->digests);
    if (!file->digests) return orr_file_no_memory(file, error);
    orr_status status = orr_go_on_begin(file, error);
    if (status != ORR_OK) return status;
    return file->metadata->has_sha256 && orr_file_is_seen(file) ? orr_file_sha_begin(file, error)
                                                                : ORR_OK;
}

static orr_status open_ends(orr_job_file *file, orr_error *error) {
    const orr_job_options *o = file->job->options;
    const orr_source_kind *from = file->from.kind;
    const orr_sink_kind *to = file->to.kind;
    orr_status status = from->open(file, error);
    if (status == ORR_OK) status = step(to->open, file, error);
    if (status != ORR_OK || !is_work(file)) return status;
    int paper = file->profile == ORR_PROFILE_PAPER;
    if (paper && o->unauthenticated && !o->dry_run)
        file->at_once = orr_paper_release;
    else
        status = step(to->look, file, error);
    if (status != ORR_OK || !is_work(file)) return status;
    status = step(from->accept, file, error);
    if (status == ORR_OK && o->dry_run) {
        file->outcome = ORR_OUT_PLANNED;
        return ORR_OK;
    }
    if (status == ORR_OK) status = step(from->begin, file, error);
    if (status == ORR_OK) status = step(to->begin, file, error);
    if (status != ORR_OK) return status;
    if (!paper) return set_segments(file, error);
    file->at_once = orr_paper_transfer;
    return ORR_OK;
}

orr_job_file *orr_transfer_open(orr_job *job, orr_walk_item *item) {
    const verb *v = &verbs[job->options->verb];
    orr_error error = {0};
    orr_job_file *file = orr_file_new(job, v->from, v->to, item);
    if (!file) { // a failure like any other: passing over it would lose it
        orr_job_report(job, &(orr_file_event){.outcome = ORR_OUT_FAILED,
                                              .source = item->source,
                                              .status = ORR_INTERNAL,
                                              .reason = "out of memory"});
        return NULL;
    }
    file->at_once = v->at_once;
    if (item->error.status != ORR_OK) {
        orr_file_fail(file, &item->error);
    } else if (!v->at_once) {
        orr_file_begin_look(file);
        if (open_ends(file, &error) != ORR_OK) orr_file_fail(file, &error);
        orr_file_begin_contents(file);
    }
    if (!atomic_load(&file->failed) && file->outcome == ORR_OUT_DONE && !file->later) return file;
    orr_transfer_release(file);
    return NULL;
}

// ---- pieces

int orr_transfer_next(orr_job_file *file, orr_piece *piece) {
    piece->file = file;
    if (file->at_once) return 1;
    if (file->next_segment == file->segments || atomic_load(&file->failed) ||
        orr_file_is_stopped(file))
        return 0;
    const orr_geometry *g = orr_file_geometry(file);
    const orr_sealed *from = file->from.sealed;
    const orr_sealed_sink *to = file->to.sealed;
    uint64_t first = file->next_segment * ORR_SEGMENT_TILES;
    piece->segment = file->next_segment++;
    piece->tiles = orr_segment_tiles(g, piece->segment);
    for (uint32_t i = 0; i < piece->tiles; i++)
        piece->bytes += (size_t)orr_tile_rows(g, first + i) * ORR_TILE_ROW_BYTES;
    piece->op = verb_of(file)->op;
    piece->ordered = file->sha != NULL; // hashed in front() or back()
    piece->cipher = from ? &from->seal.cipher : &to->seal.cipher;
    piece->new_cipher = from && to ? &to->seal.cipher : NULL;
    atomic_fetch_add(&file->refs, 1);
    return 1;
}

// The initial states of its tiles, of the end that is read and of the one that is written.
static orr_status derive_keys(const orr_job_file *file, orr_piece *piece, orr_error *error) {
    const orr_file_secret *from = file->from.sealed ? &file->from.sealed->seal.secret : NULL,
                          *to = file->to.sealed ? &file->to.sealed->seal.secret : NULL;
    orr_status status = ORR_OK;
    for (uint32_t i = 0; i < piece->tiles; i++) { // all get their rows: the backend sees them
        orr_tile_task *task = &piece->tasks[i];
        uint64_t n = piece->segment * ORR_SEGMENT_TILES + i;
        task->rows = orr_tile_rows(orr_file_geometry(file), n);
        if (orr_tile_key_derive(from ? from : to, n, &task->key) != ORR_OK ||
            (from && to && orr_tile_key_derive(to, n, &task->new_key) != ORR_OK))
            status = orr_fail(error, ORR_INTERNAL, "%s: key derivation failed", file->source);
    }
    return status;
}

// Carries out what piece->io says, and waits for it.
static void move(const orr_job_file *file, orr_piece *piece, orr_way way) {
    orr_async_request *io = &piece->io;
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    io->done = io->write ? orr_pwrite_by(way, io->fd, io->memory, io->bytes, io->offset)
                         : orr_pread_by(way, io->fd, io->memory, io->bytes, io->offset);
    io->error = io->done < io->bytes ? errno : 0;
    orr_stage_lap(stages, io->write ? ORR_STAGE_WRITE : ORR_STAGE_READ, &since);
}

// By the way of that end, of which a direct one was gone already. A file system may take O_DIRECT
// and then not these pages of memory.
static void move_by(const orr_job_file *file, orr_piece *piece, orr_way way) {
    const orr_async_request *io = &piece->io;
    if (way != ORR_WAY_DIRECT) {
        move(file, piece, way);
    } else if (io->error == EINVAL || io->error == EOPNOTSUPP) {
        orr_direct_end(io->fd);
        move(file, piece, ORR_WAY_UNCACHED);
    }
}

// Direct transfers are of whole pages: of the last one the file has, or will have, only a part.
static size_t in_pages(size_t bytes) {
    return (bytes + ORR_DIRECT_ALIGNMENT - 1) / ORR_DIRECT_ALIGNMENT * ORR_DIRECT_ALIGNMENT;
}

// Says what is to be read of the source. Returns by which way.
static orr_way want_source(orr_job_file *file, orr_piece *piece) {
    file->from.kind->want(file, piece);
    piece->io.fd = file->from.fd;
    if (file->from.way == ORR_WAY_DIRECT) piece->io.bytes = in_pages(piece->io.bytes);
    return file->from.way;
}

int orr_transfer_read(void *job, orr_piece *piece) {
    orr_job_file *file = piece->file;
    (void)job;
    if (file->at_once) return 0;
    piece->through = orr_go_on_want(file, piece);
    if (!piece->through) return want_source(file, piece) == ORR_WAY_DIRECT && piece->io.bytes != 0;
    if (file->to.way == ORR_WAY_DIRECT) piece->io.bytes = in_pages(piece->io.bytes);
    return file->to.way == ORR_WAY_DIRECT;
}

// Is it through, with what an earlier run wrote? Else its source is read here.
static int is_kept(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    if (!piece->through || atomic_load(&file->failed)) return piece->through;
    move_by(file, piece, file->to.way);
    piece->through = orr_go_on_keep(file, piece, worker);
    if (piece->through) return 1;
    if (want_source(file, piece) == ORR_WAY_DIRECT) move(file, piece, ORR_WAY_DIRECT);
    return 0;
}

static void read_segment(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    orr_stages *stages = file->job->options->stages;
    orr_error error = {0};
    if (is_kept(file, piece, worker)) return;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_status status = derive_keys(file, piece, &error);
    orr_stage_lap(stages, ORR_STAGE_KEYS, &since);
    if (status == ORR_OK && !atomic_load(&file->failed)) {
        move_by(file, piece, file->from.way);
        status = file->from.kind->take(file, piece, worker, &error);
    }
    if (status != ORR_OK) orr_file_fail(file, &error);
}

void orr_transfer_front(void *job, orr_piece *piece, orr_worker *worker) {
    orr_job_file *file = piece->file;
    if (!file->at_once) {
        read_segment(file, piece, worker);
    } else {
        file->at_once(file);
        if (file->from.kind) complete(file); // here, where nothing else of the chunk is waited for
        if (file->from.kind) finish(file);
    }
    if (!atomic_load(&file->failed)) orr_job_was_read(job, file->source, &file->from.st);
}

// Its plaintext is what the source says, and the sink takes it.
static void check_and_give(orr_job_file *file, orr_piece *piece, orr_worker *worker) {
    orr_error error = {0};
    orr_status status = ORR_OK;
    if (file->from.kind->check) status = file->from.kind->check(file, piece, &error);
    if (status == ORR_OK && file->to.kind->give && !piece->through)
        status = file->to.kind->give(file, piece, worker, &error);
    if (status != ORR_OK) orr_file_fail(file, &error);
}

int orr_transfer_back(void *job, orr_piece *piece, orr_worker *worker) {
    orr_job_file *file = piece->file;
    orr_async_request *io = &piece->io;
    (void)job;
    *io = (orr_async_request){.fd = -1};
    if (file->at_once) return 0;
    if (piece->backend_status != ORR_OK) orr_file_fail(file, piece->backend_error);
    if (!atomic_load(&file->failed)) check_and_give(file, piece, worker);
    if (atomic_load(&file->failed)) io->bytes = 0;
    if (!io->bytes) return 0;
    io->fd = file->to.output.fd;
    io->write = 1;
    if (file->to.way != ORR_WAY_DIRECT) return 0;
    size_t bytes = in_pages(io->bytes);
    memset(io->memory + io->bytes, 0, bytes - io->bytes);
    io->bytes = bytes;
    return 1;
}

void orr_transfer_done(void *job, orr_piece *piece) {
    orr_job_file *file = piece->file;
    const orr_async_request *io = &piece->io;
    orr_error error = {0};
    if (!file->at_once) {
        if (io->write) move_by(file, piece, file->to.way);
        if (io->write && orr_pwrite_outcome(io->done, io->bytes, io->error, io->offset,
                                            file->to.output.shown, &error) != ORR_OK)
            orr_file_fail(file, &error);
        atomic_fetch_add(&((orr_job *)job)->progress->done_bytes,
                         orr_file_segment_bytes(file, piece->segment));
    }
    orr_transfer_release(file);
}
