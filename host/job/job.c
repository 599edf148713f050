// One run over many files. From orr_job_run, at the end, upwards: the planner (next_piece) takes
// files from the walk, has the verb look at each (open), and cuts them into segments; the stream
// calls front and back, which are the verb's; who gives up the last reference to a file
// (file_release) has the verb finish it.
#include "host/job/job_internal.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

int orr_job_stopping(const orr_job *job) {
    return *job->stop || atomic_load(&job->fatal);
}

void orr_job_warn(orr_job *job, const char *format, ...) {
    char text[5120];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&job->lock);
    if (job->hooks->warning) job->hooks->warning(job->hooks->context, text);
    pthread_mutex_unlock(&job->lock);
}

// What is said of the output's file system.
static void hear_target(void *context, int aside, const char *text) {
    orr_job *job = context;
    if (!aside) {
        orr_job_warn(job, "%s", text);
        return;
    }
    pthread_mutex_lock(&job->lock);
    if (job->hooks->note) job->hooks->note(job->hooks->context, text);
    pthread_mutex_unlock(&job->lock);
}

// ---- events

static void count_event(orr_job *job, const orr_file_event *event) {
    orr_summary *s = &job->summary;
    orr_progress *p = job->progress;
    s->files++;
    switch (event->outcome) {
    case ORR_OUT_DONE:
        s->done++;
        s->bytes += event->bytes;
        atomic_fetch_add(&p->done_files, 1);
        break;
    case ORR_OUT_PRESENT:
        s->present++;
        atomic_fetch_add(&p->present_files, 1);
        atomic_fetch_add(&p->done_bytes, event->bytes);
        break;
    case ORR_OUT_PLANNED:
        s->planned++;
        s->bytes += event->bytes;
        break;
    case ORR_OUT_SKIPPED:
        s->skipped++;
        atomic_fetch_add(&p->skipped_files, 1);
        break;
    case ORR_OUT_FAILED:
        s->failed++;
        atomic_fetch_add(&p->failed_files, 1);
        if (event->status < 8 * sizeof job->seen) job->seen |= 1u << event->status;
        job->last_status = event->status;
        if (event->status == ORR_STOPPED) atomic_store(&job->undone, 1);
        break;
    }
}

void orr_job_report(orr_job *job, const orr_file_event *event) {
    pthread_mutex_lock(&job->lock);
    count_event(job, event);
    if (event->outcome == ORR_OUT_DONE || event->outcome == ORR_OUT_FAILED)
        if (event->target)
            orr_journal_file(job->journal, event->target, event->bytes, event->status);
    if (job->hooks->file) job->hooks->file(job->hooks->context, event);
    pthread_mutex_unlock(&job->lock);
}

// ---- file lifecycle

void orr_file_fail(orr_job_file *file, const orr_error *error) {
    pthread_mutex_lock(&file->lock);
    int first = file->error.status == ORR_OK;
    pthread_mutex_unlock(&file->lock);
    int repeats = first && orr_job_breaks_off(file->job, error, file->st.st_dev);
    pthread_mutex_lock(&file->lock);
    if (file->error.status == ORR_OK) {
        file->error = *error;
        file->repeats = repeats;
    }
    // A failure must not pass for success because nobody gave its reason.
    if (file->error.status == ORR_OK)
        orr_fail(&file->error, ORR_INTERNAL, "%s: failed, for no known reason", file->source);
    atomic_store(&file->failed, 1);
    pthread_cond_broadcast(&file->turn);
    pthread_mutex_unlock(&file->lock);
    if (error->status == ORR_SELF_TEST) atomic_store(&file->job->fatal, 1);
}

void orr_file_fail_status(orr_job_file *file, orr_status status, const char *format, ...) {
    orr_error error = {.status = status};
    va_list args;
    va_start(args, format);
    vsnprintf(error.text, sizeof error.text, format, args);
    va_end(args);
    orr_file_fail(file, &error);
}

void orr_job_break(orr_job *job, const orr_error *error) {
    pthread_mutex_lock(&job->lock);
    if (job->broke.status == ORR_OK) job->broke = *error;
    pthread_mutex_unlock(&job->lock);
    atomic_store(&job->fatal, 1);
}

static void side_free(orr_side *side) {
    if (side) orr_wipe(side, sizeof *side);
    free(side);
}

static void file_free(orr_job_file *file) {
    if (file->output_begun) orr_output_abort(&file->output);
    if (file->fd >= 0) close(file->fd);
    if (file->restored_fd >= 0) close(file->restored_fd);
    orr_existing_free(file->existing);
    if (file->metadata) orr_metadata_free(file->metadata);
    free(file->metadata);
    free(file->container);
    side_free(file->from);
    side_free(file->to);
    free(file->digests);
    EVP_MD_CTX_free(file->sha);
    free(file->source);
    free(file->relative);
    free(file->target);
    free(file->salvaged);
    free(file->released);
    pthread_mutex_destroy(&file->lock);
    pthread_cond_destroy(&file->turn);
    free(file);
}

static orr_job_file *file_new(orr_job *job, orr_walk_item *item) {
    orr_job_file *file = calloc(1, sizeof *file);
    if (!file) return NULL;
    file->job = job;
    file->source = item->source;
    file->relative = item->relative;
    file->fd = item->fd;
    file->st = item->st;
    item->source = item->relative = NULL;
    item->fd = -1;
    clock_gettime(CLOCK_REALTIME, &file->opened);
    file->bytes = (uint64_t)file->st.st_size;
    file->outcome = ORR_OUT_DONE;
    file->output.fd = file->restored_fd = -1;
    file->damaged_slot = -1;
    atomic_init(&file->refs, 1);
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->turn, NULL);
    return file;
}

static int is_paper(const orr_job_file *file) {
    const orr_job_options *o = file->job->options;
    if (o->verb == ORR_VERB_ENCRYPT) return o->profile == ORR_PROFILE_PAPER;
    return file->container && file->container->header.profile == ORR_PROFILE_PAPER;
}

// Would salvage help? It must be the source that fails, not what is written.
static int is_damaged(const orr_job_file *file) {
    return file->error.status == ORR_AUTH ||
           (file->error.status == ORR_IO && atomic_load(&file->unreadable));
}

// Who opened an encrypted file can say which one it is.
typedef struct seal_text {
    char file_id[65], key_id[2 * ORR_KEY_ID_BYTES + 1], sealed_at[24];
} seal_text;

static void describe_seal(const orr_job_file *file, seal_text *text, orr_file_event *event) {
    const orr_container *c = file->container;
    const orr_metadata *m = file->metadata;
    time_t when;
    struct tm utc;
    if (!c || !m || c->active < 0) return;
    const orr_slot *slot = &c->slot[c->active];
    orr_hex(c->header.file_id, 32, text->file_id);
    orr_hex(slot->wrap[0].key_id, ORR_KEY_ID_BYTES, text->key_id);
    event->file_id = text->file_id;
    if (slot->count) event->key_id = text->key_id;
    event->sealed_path = (const char *)m->path;
    event->generation = slot->generation;
    event->damaged_slot = file->damaged_slot < 0 ? NULL : file->damaged_slot ? "B" : "A";
    when = (time_t)orr_metadata_time(m);
    if (when && gmtime_r(&when, &utc) &&
        strftime(text->sealed_at, sizeof text->sealed_at, "%Y-%m-%dT%H:%M:%SZ", &utc))
        event->sealed_at = text->sealed_at;
}

static void report_file(orr_job_file *file) {
    char sha256[65] = "";
    seal_text seal;
    int failed = file->error.status != ORR_OK;
    orr_file_event event = {.outcome = failed ? ORR_OUT_FAILED : file->outcome,
                            .source = file->source,
                            .target = file->target,
                            .bytes = file->bytes,
                            .status = file->error.status,
                            .reason = failed ? file->error.text : file->reason,
                            .damaged = is_damaged(file),
                            .repeats = file->repeats,
                            .pixels_sealed = !is_paper(file),
                            .altered = file->altered,
                            .released = file->released,
                            .salvaged = file->salvaged,
                            .salvaged_bytes = file->salvaged_bytes};
    const orr_metadata *m = file->existing ? &file->existing->sealed : file->metadata;
    if (m && m->has_sha256 && (event.outcome == ORR_OUT_DONE || event.outcome == ORR_OUT_PRESENT)) {
        orr_hex(m->sha256, 32, sha256);
        event.sha256 = sha256;
    }
    describe_seal(file, &seal, &event);
    orr_job_report(file->job, &event);
}

// Another run wrote what this file is said to be finished by, or whole: does the storage have it?
static orr_status trust_result(const orr_job_file *file, orr_error *error) {
    orr_job *job = file->job;
    const char *name;
    int directory;
    if (!file->target) return orr_trust_take(&job->trust, file->fd, file->source, error);
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

// Gives up one reference; the last one completes or cleans up the file.
static void file_release(orr_job_file *file) {
    if (atomic_fetch_sub(&file->refs, 1) != 1) return;
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    orr_error error = {0};
    if (!atomic_load(&file->failed) && file->outcome == ORR_OUT_DONE && !file->whole &&
        file->job->ops->finish(file, &error) != ORR_OK)
        orr_file_fail(file, &error);
    if (is_trusted(file) && trust_result(file, &error) != ORR_OK) orr_file_fail(file, &error);
    orr_stage_lap(stages, ORR_STAGE_COMMIT, &since);
    if (file->output_begun) {
        orr_output_abort(&file->output); // nothing to do when it was committed
        file->output_begun = 0;
    }
    const orr_job_options *o = file->job->options;
    if (file->outcome == ORR_OUT_PRESENT && file->target && !o->dry_run &&
        !atomic_load(&file->failed))
        orr_output_settle(&file->job->root, file->target);
    if (is_damaged(file) && o->salvage && !o->dry_run) orr_salvage(file);
    if (!file->later) report_file(file);
    file_free(file);
}

// ---- planning

static int next_item(orr_job *job, orr_walk_item *item) {
    if (job->second) return orr_job_next_deferred(job, item);
    if (!orr_walk_next(job->walk, item)) return 0;
    if (item->named) orr_job_begin_input(job, item);
    return 1;
}

// A file that could not even be held is a failure like any other: passing over it would lose it.
static void report_no_memory(orr_job *job, const orr_walk_item *item) {
    orr_file_event event = {.outcome = ORR_OUT_FAILED,
                            .source = item->source,
                            .status = ORR_INTERNAL,
                            .reason = "out of memory"};
    orr_job_report(job, &event);
}

// After a signal: did it leave anything to do? What is no work is reported as ever; the first file,
// or directory that would be made, ends the search, and so does a long way to it.
static void look_for_rest(orr_job *job) {
    orr_walk_item item;
    int makes_directories = job->options->verb == ORR_VERB_ENCRYPT && !job->options->opaque_names;
    for (int n = 0; n < 1000 && !atomic_load(&job->fatal); n++) {
        if (!orr_walk_next(job->walk, &item)) return;
        int passed =
            !(item.kind == ORR_WALK_DIRECTORY && makes_directories) && orr_job_not_work(job, &item);
        orr_walk_item_free(&item);
        if (!passed) break;
    }
    atomic_store(&job->undone, 1);
}

// Takes the next file from the walk through its verb's open(). Returns it when there is work, NULL
// at the end.
static orr_job_file *next_file(orr_job *job) {
    orr_walk_item item;
    while (!orr_job_stopping(job) && next_item(job, &item)) {
        if (orr_job_not_work(job, &item)) {
            orr_walk_item_free(&item);
            continue;
        }
        orr_job_file *file = file_new(job, &item);
        if (!file) report_no_memory(job, &item);
        orr_walk_item_free(&item);
        if (!file) continue;
        orr_error error = {0};
        if (job->ops->open(file, &error) != ORR_OK) orr_file_fail(file, &error);
        if (atomic_load(&file->failed) || file->outcome != ORR_OUT_DONE || file->later) {
            file_release(file);
            continue;
        }
        return file;
    }
    if (*job->stop)
        look_for_rest(job);
    else if (!atomic_load(&job->fatal) && !job->second)
        orr_job_end_of_input(job);
    return NULL;
}

static int next_piece(void *context, orr_piece *piece) {
    orr_job *job = context;
    for (;;) {
        orr_job_file *file = job->current;
        if (!file) {
            file = job->current = next_file(job);
            if (!file) return 0;
        }
        piece->file = file;
        if (file->whole) {
            job->current = NULL; // the planner's reference goes to the piece
            return 1;
        }
        if (file->next_segment < file->segments && !atomic_load(&file->failed) &&
            !orr_job_stopping(job)) {
            const orr_side *side = file->from ? file->from : file->to;
            uint64_t s = piece->segment = file->next_segment++;
            piece->tiles = orr_segment_tiles(&side->geometry, s);
            for (uint32_t i = 0; i < piece->tiles; i++)
                piece->bytes += (size_t)orr_tile_rows(&side->geometry, s * ORR_SEGMENT_TILES + i) *
                                ORR_TILE_ROW_BYTES;
            piece->op = job->ops->op;
            piece->ordered = file->sha && file->from; // hashed in back()
            piece->cipher = &side->cipher;
            piece->new_cipher = file->from && file->to ? &file->to->cipher : NULL;
            atomic_fetch_add(&file->refs, 1);
            return 1;
        }
        if (file->next_segment < file->segments && !atomic_load(&file->failed))
            orr_file_fail_status(file, ORR_STOPPED, "%s: stopped before it was finished",
                                 file->source);
        job->current = NULL;
        file_release(file);
    }
}

static void front(void *context, orr_piece *piece, orr_worker *worker) {
    orr_job *job = context;
    orr_job_file *file = piece->file;
    if (file->whole)
        file->whole(file);
    else
        job->ops->front(file, piece, worker);
    if (!atomic_load(&file->failed)) orr_job_was_read(job, file->source, &file->st);
}

static void back(void *context, orr_piece *piece, orr_worker *worker) {
    orr_job *job = context;
    orr_job_file *file = piece->file;
    if (!file->whole) {
        if (piece->backend_status != ORR_OK) orr_file_fail(file, piece->backend_error);
        if (!atomic_load(&file->failed)) job->ops->back(file, piece, worker);
        const orr_side *side = file->from ? file->from : file->to;
        atomic_fetch_add(&job->progress->done_bytes,
                         orr_segment_source_bytes(&side->geometry, file->bytes, piece->segment));
    }
    file_release(file);
}

// ---- the job

// Counts what is ahead, for the progress display, while the job already runs.
static void *count_inputs(void *context) {
    orr_job *job = context;
    orr_walk *walk = orr_walk_open(&job->options->inputs, job->root.dev, job->root.ino, 0);
    orr_walk_item item;
    while (walk && !orr_job_stopping(job) && orr_walk_next(walk, &item)) {
        if (item.kind == ORR_WALK_FILE && orr_job_selected(job->options, item.relative) &&
            orr_job_is_named_input(job->options, &item)) {
            atomic_fetch_add(&job->progress->total_files, 1);
            atomic_fetch_add(&job->progress->total_bytes, (uint64_t)item.st.st_size);
        }
        orr_walk_item_free(&item);
    }
    orr_walk_close(walk);
    atomic_store(&job->progress->counted, 1);
    return NULL;
}

// Before the job says that it has finished, and before its journal goes.
static void flush_trusted(orr_job *job) {
    const orr_inputs *in = &job->options->inputs;
    const char *where = job->options->output ? job->options->output
                        : in->count          ? in->paths[0]
                                             : "the archive";
    orr_error error = {0};
    int unsure;
    if (orr_trust_flush(&job->trust, where, &unsure, &error) != ORR_OK)
        orr_job_report(job, &(orr_file_event){.outcome = ORR_OUT_FAILED,
                                              .source = where,
                                              .status = error.status,
                                              .reason = error.text});
    else if (unsure)
        orr_job_warn(job,
                     "%s: what earlier runs wrote cannot be flushed from here (%s): run `sync` "
                     "before any original is deleted",
                     where, strerror(unsure));
}

static orr_status exit_status(const orr_job *job) {
    int stopped = *job->stop && atomic_load(&job->undone);
    if (job->single && job->summary.failed && !stopped) return job->last_status;
    if (job->seen & 1u << ORR_SELF_TEST) return ORR_SELF_TEST;
    if (job->seen & 1u << ORR_IO) return ORR_IO;
    if (stopped) return ORR_STOPPED;
    if (job->seen & 1u << ORR_AUTH) return ORR_AUTH;
    const orr_job_options *o = job->options;
    // Of one file that was asked for by its name, others that are missing say nothing.
    if (o->verb == ORR_VERB_VERIFY && job->summary.unfinished && !(job->single && o->inputs.count))
        return ORR_INCOMPLETE;
    // A place without a file is more likely a wrong one, or a disk that is not mounted.
    if (!job->found && !job->summary.failed && !(o->verb == ORR_VERB_ENCRYPT && o->allow_empty))
        return ORR_NOT_ORRERY;
    return job->summary.failed ? ORR_SOME_FAILED : ORR_OK;
}

static int is_single(const orr_inputs *inputs) {
    struct stat st;
    const char *path = inputs->count          ? inputs->paths[0]
                       : inputs->listed_count ? inputs->listed[0]
                                              : NULL;
    return path && inputs->count + inputs->listed_count == 1 &&
           (stat(path, &st) != 0 || !S_ISDIR(st.st_mode));
}

// An input that is the output directory itself: nothing could come of it but a mess in the sources.
static orr_status refuse_output_as_input(const orr_job *job, orr_error *error) {
    const orr_inputs *in = &job->options->inputs;
    struct stat st;
    for (size_t i = 0; i < in->count + in->listed_count; i++) {
        const char *path = i < in->count ? in->paths[i] : in->listed[i - in->count];
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_dev == job->root.dev &&
            st.st_ino == job->root.ino)
            return orr_fail(error, ORR_USAGE,
                            "%s: input and output are the same directory: choose another output",
                            path);
    }
    return ORR_OK;
}

static orr_status open_output(orr_job *job, orr_error *error) {
    const orr_job_options *o = job->options;
    job->root.fd = -1;
    if (!o->output) return ORR_OK;
    orr_status status = orr_output_root_open(&job->root, o->output, job->single, o->dry_run, error);
    job->root.trust = &job->trust;
    job->root.restores = o->verb == ORR_VERB_DECRYPT;
    if (status == ORR_OK) orr_target_hear(job->root.target, hear_target, job);
    if (status != ORR_OK || job->root.fd < 0 || job->root.only) return status;
    status = refuse_output_as_input(job, error);
    if (status == ORR_OK && !o->dry_run)
        status = orr_output_root_lock(&job->root, o->shard_i, o->shard_n, error);
    if (status != ORR_OK) return status;
    int encrypts = o->verb == ORR_VERB_ENCRYPT || o->verb == ORR_VERB_REENCRYPT;
    if (o->verb == ORR_VERB_REENCRYPT || (encrypts && o->opaque_names)) {
        status = orr_resume_scan(&job->resume, job->root.fd, o->output, orr_keyring_lookup,
                                 (void *)o->keyring, error);
        if (status != ORR_OK) return status;
    }
    if (encrypts ? o->verb == ORR_VERB_ENCRYPT : o->verb == ORR_VERB_DECRYPT) {
        job->state = orr_state_open(job->root.fd, o->shard_i, o->shard_n, !o->dry_run);
        if (!job->state) return orr_fail(error, ORR_INTERNAL, "out of memory");
        if (orr_state_lost(job->state))
            orr_job_warn(job,
                         "%s/%s: cannot be used: what is finished is read again each time; check "
                         "its permissions, or remove it",
                         o->output, orr_state_lost(job->state));
    }
    if (!encrypts || o->dry_run) return ORR_OK;
    orr_error why = {0};
    job->journal = orr_journal_open(job->root.fd, o, &why);
    if (!job->journal)
        orr_job_warn(job, "%s: %s: should this job be stopped, `verify` will not tell", o->output,
                     why.text);
    return ORR_OK;
}

orr_status orr_job_run(const orr_job_options *options, const orr_job_hooks *hooks,
                       orr_progress *progress, orr_stop_flag *stop, orr_summary *summary,
                       orr_error *error) {
    static const orr_verb_ops *const verbs[] = {
        &orr_encrypt_ops, &orr_decrypt_ops, &orr_decrypt_ops, &orr_rewrap_ops, &orr_reencrypt_ops};
    static const orr_stream_ops stream = {next_piece, front, back};
    orr_job job = {.options = options,
                   .hooks = hooks,
                   .progress = progress,
                   .stop = stop,
                   .ops = verbs[options->verb]};
    orr_stream_config config;
    pthread_t counter;
    int counting = 0;
    memset(summary, 0, sizeof *summary);
    pthread_mutex_init(&job.lock, NULL);
    orr_trust_init(&job.trust);
    orr_job_raise_descriptors();
    job.single = is_single(&options->inputs);
    orr_job_stream_config(options, &config);
    job.paper_memory = orr_job_paper_memory(options, config.workers);
    orr_status status = open_output(&job, error);
    if (status != ORR_OK) goto out;
    job.walk = orr_walk_open(&options->inputs, job.root.dev, job.root.ino, 1);
    if (!job.walk) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory");
        goto out;
    }
    if (options->verb == ORR_VERB_VERIFY) orr_job_look_above(&job);
    counting = pthread_create(&counter, NULL, count_inputs, &job) == 0;
    status = orr_stream_run(&config, &stream, &job, error);
    if (status == ORR_OK && job.deferred_count) {
        job.second = 1;
        status = orr_stream_run(&config, &stream, &job, error);
    }
    if (counting) {
        if (status != ORR_OK) atomic_store(&job.fatal, 1);
        pthread_join(counter, NULL);
    }
    if (status == ORR_OK) flush_trusted(&job);
    if (status == ORR_OK && job.broke.status != ORR_OK) {
        status = job.broke.status;
        if (error) *error = job.broke;
    }
    job.summary.status = exit_status(&job);
    job.summary.broke_off = atomic_load(&job.broke_off) != 0;
    if (options->output) job.summary.without = orr_target_counted(job.root.target);
out:
    orr_journal_close(job.journal, status == ORR_OK ? job.summary.status : status, job.found != 0);
    // Of restored files it is of use to the run that goes on only.
    if (options->verb == ORR_VERB_DECRYPT && status == ORR_OK && !options->dry_run &&
        job.summary.status != ORR_STOPPED && job.summary.status != ORR_IO)
        orr_state_remove(job.state);
    orr_state_close(job.state);
    orr_resume_free(job.resume);
    for (size_t i = job.deferred_next; i < job.deferred_count; i++) free(job.deferred[i]);
    free(job.deferred);
    orr_claims_free(&job.claims);
    orr_claims_free(&job.restored);
    free(job.readable);
    orr_walk_close(job.walk);
    orr_trust_free(&job.trust);
    if (options->output) orr_output_root_close(&job.root);
    pthread_mutex_destroy(&job.lock);
    *summary = job.summary;
    return status;
}
