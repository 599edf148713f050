// One run over many files. From orr_job_run, at the end, upwards: the planner (next_piece) takes
// files from the walk and has each cut into segments; what happens to one of them is in transfer.c.
#include "host/job/job.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "host/job/job_inputs.h"
#include "host/job/job_limits.h"
#include "host/job/transfer.h"

// What is said of the output's file system.
static void hear_target(void *context, int aside, const char *text) {
    orr_job *job = context;
    (aside ? orr_job_note : orr_job_warn)(job, "%s", text);
}

// How contents are moved past the page cache.
static void hear_means(void *context, const char *means) {
    orr_job_note(context, "contents go past the page cache, through %s", means);
}

// ---- planning

static int next_item(orr_job *job, orr_walk_item *item) {
    if (job->second) return orr_job_next_deferred(job, item);
    if (!orr_ahead_next(job->ahead, item)) return 0;
    if (item->named) orr_job_begin_input(job, item);
    return 1;
}

// After a signal: did it leave anything to do? What is no work is reported as ever; the first file,
// or directory that would be made, ends the search, and so does a long way to it.
static void look_for_rest(orr_job *job) {
    orr_walk_item item;
    int makes_directories = job->options->verb == ORR_VERB_ENCRYPT && !job->options->opaque_names;
    for (int n = 0; n < 1000 && !atomic_load(&job->fatal); n++) {
        if (!orr_ahead_next(job->ahead, &item)) return;
        int passed =
            !(item.kind == ORR_WALK_DIRECTORY && makes_directories) && orr_job_not_work(job, &item);
        orr_walk_item_free(&item);
        if (!passed) break;
    }
    atomic_store(&job->undone, 1);
}

// The next file that there is work for, NULL at the end.
static orr_job_file *next_file(orr_job *job) {
    orr_walk_item item;
    while (!orr_job_stopping(job)) {
        // Here and nowhere else: who waits in this place holds nobody up who could end a file.
        orr_finishers_wait(job->finishers, job->finishing_most);
        if (!next_item(job, &item)) break;
        orr_job_file *file = orr_job_not_work(job, &item) ? NULL : orr_transfer_open(job, &item);
        orr_walk_item_free(&item);
        if (file) return file;
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
        orr_job_file *file = job->current ? job->current : next_file(job);
        if (!file) return 0;
        int more = orr_transfer_next(file, piece);
        // With at_once the planner's reference goes to the piece.
        job->current = more && !file->at_once ? file : NULL;
        if (more) return 1;
        orr_transfer_release(file);
    }
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

static void report_unflushed(orr_job *job, const char *where, const orr_error *error) {
    orr_job_report(job, &(orr_file_event){.outcome = ORR_OUT_FAILED,
                                          .source = where,
                                          .status = error->status,
                                          .reason = error->text});
}

// Before the job says that it has finished, and before its journal goes.
static void flush_rest(orr_job *job) {
    const orr_inputs *in = &job->options->inputs;
    const char *where = job->options->output ? job->options->output
                        : in->count          ? in->paths[0]
                                             : "the archive";
    orr_error error = {0};
    int unsure;
    if (job->options->output && job->root.fd >= 0 &&
        orr_output_settle_directories(&job->root, &error) != ORR_OK)
        report_unflushed(job, where, &error);
    if (orr_trust_flush(&job->trust, where, &unsure, &error) != ORR_OK)
        report_unflushed(job, where, &error);
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

// Has it gone on with all that it could, or is there no room for more?
static int went_through(const orr_job *job) {
    int number = atomic_load(&job->broke_off);
    return job->options->output && !job->options->dry_run && !*job->stop &&
           (!orr_job_stopping(job) || number == ENOSPC || number == EDQUOT);
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
    if (!o->writer_only && (o->verb == ORR_VERB_REENCRYPT || (encrypts && o->opaque_names))) {
        status = orr_resume_scan(&job->resume, job->root.fd, o->output, orr_keyring_lookup,
                                 (void *)o->keyring, error);
        if (status != ORR_OK) return status;
    }
    if (encrypts ? o->verb == ORR_VERB_ENCRYPT : o->verb == ORR_VERB_DECRYPT) {
        job->state = orr_state_open(job->root.fd, o->shard_i, o->shard_n, !o->dry_run);
        if (!job->state) return orr_fail(error, ORR_INTERNAL, "out of memory");
        if (orr_state_lost(job->state) && o->writer_only)
            return orr_fail(error, ORR_IO,
                            "%s/%s: cannot be used: a machine without a keyring knows by it what "
                            "it has made; check its permissions, or move it away, and what it has "
                            "made counts as unknown",
                            o->output, orr_state_lost(job->state));
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

// Until all its files have ended.
static orr_status run_round(orr_job *job, const orr_stream_config *config, orr_error *error) {
    static const orr_stream_ops stream = {next_piece,        orr_transfer_read, orr_transfer_front,
                                          orr_transfer_back, orr_transfer_done, hear_means};
    orr_status status = orr_stream_run(config, &stream, job, error);
    orr_finishers_wait(job->finishers, 1);
    return status;
}

orr_status orr_job_run(const orr_job_options *options, const orr_job_hooks *hooks,
                       orr_progress *progress, orr_stop_flag *stop, orr_summary *summary,
                       orr_error *error) {
    orr_job job = {.options = options, .hooks = hooks, .progress = progress, .stop = stop};
    orr_stream_config config;
    pthread_t counter;
    int counting = 0;
    unsigned threads;
    memset(summary, 0, sizeof *summary);
    pthread_mutex_init(&job.lock, NULL);
    orr_trust_init(&job.trust);
    orr_job_raise_descriptors();
    job.single = is_single(&options->inputs);
    orr_job_stream_config(options, &config);
    job.paper_memory = orr_job_paper_memory(options, config.workers);
    job.mend_memory = orr_job_mend_memory(options, job.single ? 1 : config.workers);
    orr_job_finishing(config.workers, &threads, &job.finishing_most);
    orr_status status = open_output(&job, error);
    if (status != ORR_OK) goto end;
    job.finishers = orr_finishers_new(threads, orr_transfer_end);
    orr_walk *walk = orr_walk_open(&options->inputs, job.root.dev, job.root.ino, 1);
    job.ahead = orr_ahead_open(options, orr_job_ahead(), walk);
    if (!job.finishers || !job.ahead) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory");
        goto end;
    }
    if (options->verb == ORR_VERB_VERIFY) orr_job_look_above(&job);
    counting = pthread_create(&counter, NULL, count_inputs, &job) == 0;
    status = run_round(&job, &config, error);
    if (status == ORR_OK && job.deferred_count) {
        job.second = 1;
        status = run_round(&job, &config, error);
    }
    if (counting) {
        if (status != ORR_OK) atomic_store(&job.fatal, 1);
        pthread_join(counter, NULL);
    }
    if (status == ORR_OK) flush_rest(&job);
    if (status == ORR_OK && job.broke.status != ORR_OK) {
        status = job.broke.status;
        if (error) *error = job.broke;
    }
    job.summary.status = exit_status(&job);
    job.summary.broke_off = atomic_load(&job.broke_off) != 0;
    if (options->output) job.summary.without = orr_target_counted(job.root.target);
    if (status == ORR_OK && went_through(&job)) orr_output_remove_left(&job.root);
end:
    orr_finishers_free(job.finishers);
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
    orr_ahead_close(job.ahead);
    orr_trust_free(&job.trust);
    if (options->output) orr_output_root_close(&job.root);
    pthread_mutex_destroy(&job.lock);
    *summary = job.summary;
    return status;
}
