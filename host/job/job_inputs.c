#include "host/job/job_inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "host/job/job_mode.h"

int orr_job_selected(const orr_job_options *o, const char *relative) {
    size_t n = strlen(relative);
    if (o->shard_n && XXH3_64bits(relative, n) % o->shard_n != o->shard_i - 1) return 0;
    XXH64_hash_t h = XXH3_64bits_withSeed(relative, n, 1);
    if (o->subset_of && h % o->subset_of != o->subset_n - 1) return 0;
    return !(o->subset_share > 0) || (double)(h >> 11) * 0x1p-53 * 100.0 < o->subset_share;
}

static int has_suffix(const char *name) {
    size_t n = strlen(name), m = strlen(ORR_SUFFIX);
    return n > m && !strcmp(name + n - m, ORR_SUFFIX);
}

int orr_job_is_named_input(const orr_job_options *o, const orr_walk_item *item) {
    return o->verb == ORR_VERB_ENCRYPT || item->named || has_suffix(item->relative);
}

// Keep the tree's shape: directories appear even when empty. Opaque names hide it. One that cannot
// be made, or whose entry cannot be flushed, is a failure as a file's would be.
static orr_status make_directory(orr_job *job, const orr_walk_item *item, orr_error *error) {
    char below[ORR_MAX_PATH + 16];
    int fd;
    const char *name;
    if (job->options->verb != ORR_VERB_ENCRYPT || job->options->opaque_names ||
        job->options->dry_run)
        return ORR_OK;
    if (!item->relative[0] || job->root.only ||
        snprintf(below, sizeof below, "%s/.", item->relative) >= (int)sizeof below)
        return ORR_OK;
    mode_t mode = orr_directory_mode(item->source, &item->st);
    orr_status status = orr_output_directory(&job->root, below, mode, &fd, &name, error);
    if (status == ORR_OK) close(fd);
    return status;
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Has it a name that jobs give to what is theirs: a journal, a shard's lock, a partial file?
static int is_of_a_job(const orr_walk_item *item) {
    const char *name = last_part(item->relative);
    unsigned shard, shards;
    return orr_journal_is_name(name) || orr_output_is_shard_lock(name, &shard, &shards) ||
           orr_partial_is_name(name) || orr_state_is_name(name);
}

// Left where a killed job wrote: wherever that was, it holds nothing.
static int is_probe(const orr_walk_item *item) {
    const char *name = last_part(item->relative), *suffix = orr_partial_suffix(name);
    return suffix && !strcmp(suffix, ORR_PROBE_SUFFIX) && item->st.st_size <= 1 &&
           orr_partial_is_left(name, &item->st);
}

// NAME.orr.tif.damaged, perhaps with a number.
static int is_put_aside(const orr_walk_item *item) {
    const char *name = last_part(item->relative);
    const char *mark = strstr(name, ORR_SUFFIX ORR_DAMAGED_SUFFIX);
    const char *rest = mark ? mark + strlen(ORR_SUFFIX ORR_DAMAGED_SUFFIX) : "x";
    return !item->named &&
           (!*rest || (*rest == '-' && strspn(rest + 1, "0123456789") == strlen(rest + 1)));
}

int orr_job_is_opaque_name(const char *name) {
    return strspn(name, "0123456789abcdef") == 64 && !strcmp(name + 64, ORR_SUFFIX);
}

// Where outputs land beside their sources (`encrypt scans -o .`), the next run finds them among
// the sources, and what a killed run left: is this one of them?
static int is_of_this_job(const orr_job *job, const orr_walk_item *item) {
    int sealed = has_suffix(item->relative), directory;
    const char *name;
    struct stat st;
    if (!sealed && !is_of_a_job(item)) return 0;
    if (sealed && job->options->opaque_names && !orr_job_is_opaque_name(item->relative)) return 0;
    if (job->root.only ||
        orr_output_directory(&job->root, item->relative, 0, &directory, &name, NULL) != ORR_OK ||
        directory < 0)
        return 0;
    int same = fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0
                   ? orr_is_same(&st, &item->st, item->fd)
                   // Removed since it was opened, by a sweep of this job?
                   : !sealed && fstat(item->fd, &st) == 0 && st.st_nlink == 0;
    close(directory);
    return same && (sealed ? orr_has_magic(item->fd)
                           : !orr_partial_is_name(name) || orr_partial_is_left(name, &item->st));
}

static void note_journal(orr_job *job, const char *path) {
    if (!job->summary.unfinished++)
        snprintf(job->summary.journal, sizeof job->summary.journal, "%s", path);
}

void orr_job_look_above(orr_job *job) {
    const orr_inputs *in = &job->options->inputs;
    char path[sizeof job->summary.journal];
    struct stat st;
    orr_claims seen = {0}; // OUT/* has one place above all its inputs
    for (size_t i = 0; i < in->count + in->listed_count; i++) {
        const char *input = i < in->count ? in->paths[i] : in->listed[i - in->count];
        char *real = realpath(input, NULL), *slash = real ? strrchr(real, '/') : NULL;
        int vault = real && orr_journal_is_vault(real); // what lies above is another's
        if (slash) slash[slash == real] = 0;
        uint64_t place[2] = {0};
        if (slash && !vault && stat(real, &st) == 0) {
            place[0] = st.st_dev;
            place[1] = st.st_ino;
            if (orr_claim(&seen, place, sizeof place, NULL, 0) == ORR_CLAIM_NEW)
                for (unsigned n = orr_journal_above(input, path, sizeof path); n > 0; n--)
                    note_journal(job, path);
        }
        free(real);
    }
    orr_claims_free(&seen);
}

// Why a regular file is no input of this job; NULL when it is one, "" when that is not worth a
// word.
static const char *why_no_input(orr_job *job, const orr_walk_item *item) {
    int encrypt = job->options->verb == ORR_VERB_ENCRYPT;
    int named = orr_job_is_named_input(job->options, item);
    // What lies among the sources and is not theirs does not make them a source.
    if (named && !(encrypt && (has_suffix(item->relative) || is_of_a_job(item)))) job->found++;
    // Whichever part of an archive is asked for: its job has not finished.
    if (!encrypt && orr_journal_is_name(last_part(item->relative))) {
        note_journal(job, item->source);
        return "";
    }
    if (!encrypt && item->named && is_of_a_job(item) && !orr_has_magic(item->fd))
        return "a job keeps it for itself";
    if (!orr_job_selected(job->options, item->relative)) {
        // Those of other parts count too, renamed ones until one is found: a part may be empty.
        if (!encrypt && !job->found && !is_of_a_job(item) && orr_has_magic(item->fd)) job->found++;
        return "";
    }
    if (encrypt && is_of_this_job(job, item))
        return "it lies where this job writes: taken for a result of it, not for a source";
    if (encrypt && !item->named && is_probe(item)) return "";
    if (encrypt) job->found++;
    if (!encrypt && is_put_aside(item))
        return "a damaged file that --redo-damaged put aside: delete it when nobody needs it";
    if (named) return NULL;
    if (is_of_a_job(item))
        return orr_partial_is_name(last_part(item->relative)) ? "a job has not finished it" : "";
    // The name decides nothing (docs/FORMAT.md): a renamed file that were passed over would not be
    // verified, and would not follow its archive to another key.
    if (!orr_has_magic(item->fd)) return "its name does not end in " ORR_SUFFIX;
    job->found++;
    return NULL;
}

int orr_job_not_work(orr_job *job, const orr_walk_item *item) {
    orr_file_event event = {.outcome = ORR_OUT_SKIPPED, .source = item->source, .pixels_sealed = 1};
    orr_error error;
    switch (item->kind) {
    case ORR_WALK_DIRECTORY:
        event.status = make_directory(job, item, &error);
        if (event.status == ORR_OK) return 1;
        event.outcome = ORR_OUT_FAILED;
        event.reason = error.text;
        event.repeats = orr_job_breaks_off(job, &error, 0);
        break;
    case ORR_WALK_OUTPUT:
        event.reason = "this is the output directory of the job";
        break;
    case ORR_WALK_SYMLINK:
        event.reason = "a symlink is not followed";
        break;
    case ORR_WALK_SPECIAL:
        event.reason = "not a regular file";
        break;
    case ORR_WALK_ERROR:
        // Listed a moment ago, and finished or removed by its job since.
        if (item->error.number == ENOENT && !item->named && is_of_a_job(item)) return 1;
        // Nobody else may read a job's own files, and nobody needs to.
        if (item->error.number == EACCES && job->options->verb != ORR_VERB_ENCRYPT &&
            is_of_a_job(item)) {
            if (orr_journal_is_name(last_part(item->relative))) note_journal(job, item->source);
            return 1;
        }
        event.outcome = ORR_OUT_FAILED;
        event.status = item->error.status;
        event.reason = item->error.text;
        event.repeats = orr_job_breaks_off(job, &item->error, 0);
        break;
    case ORR_WALK_FILE:
        event.reason = why_no_input(job, item);
        if (!event.reason) return 0;
        if (!*event.reason) return 1;
        break;
    }
    // A special file or symlink that the user named is a failure; one met on the way is only
    // reported.
    if (item->named && event.reason && event.outcome == ORR_OUT_SKIPPED &&
        item->kind != ORR_WALK_FILE) {
        event.outcome = ORR_OUT_FAILED;
        event.status = ORR_UNSUPPORTED;
    }
    orr_job_report(job, &event);
    return 1;
}

void orr_job_end_of_input(orr_job *job) {
    const orr_inputs *in = &job->options->inputs;
    const char *input = job->input;
    job->input = NULL;
    if (!input || job->found != job->found_before || in->count + in->listed_count < 2) return;
    if (job->options->verb == ORR_VERB_ENCRYPT && !job->options->allow_empty) {
        orr_file_event event = {.outcome = ORR_OUT_FAILED,
                                .source = input,
                                .status = ORR_NOT_ORRERY,
                                .reason = "there is no regular file in it: is its disk mounted? "
                                          "--allow-empty takes it as it is"};
        orr_job_report(job, &event);
    } else if (job->options->verb != ORR_VERB_ENCRYPT) {
        orr_job_warn(job, "%s: there is no encrypted file in it", input);
    }
}

void orr_job_begin_input(orr_job *job, const orr_walk_item *item) {
    const orr_inputs *in = &job->options->inputs;
    size_t i = job->inputs_begun++;
    orr_job_end_of_input(job);
    job->found_before = job->found;
    if (item->kind == ORR_WALK_DIRECTORY)
        job->input = i < in->count ? in->paths[i] : in->listed[i - in->count];
}

orr_status orr_job_defer(orr_job *job, const char *source, const char *relative, orr_error *error) {
    char *source_copy = strdup(source), *relative_copy = strdup(relative);
    pthread_mutex_lock(&job->lock);
    char **grown = source_copy && relative_copy
                       ? realloc(job->deferred, (job->deferred_count + 2) * sizeof *grown)
                       : NULL;
    if (grown) {
        grown[job->deferred_count++] = source_copy;
        grown[job->deferred_count++] = relative_copy;
        job->deferred = grown;
    }
    pthread_mutex_unlock(&job->lock);
    if (grown) return ORR_OK;
    free(source_copy);
    free(relative_copy);
    return orr_fail(error, ORR_INTERNAL, "%s: out of memory", source);
}

int orr_job_next_deferred(orr_job *job, orr_walk_item *item) {
    if (job->deferred_next >= job->deferred_count) return 0;
    *item = (orr_walk_item){.kind = ORR_WALK_FILE};
    item->source = job->deferred[job->deferred_next++];
    item->relative = job->deferred[job->deferred_next++];
    item->fd = open(item->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (item->fd < 0 || fstat(item->fd, &item->st) != 0 || !S_ISREG(item->st.st_mode)) {
        item->kind = ORR_WALK_ERROR;
        orr_fail(&item->error, ORR_IO, "%s: was there a moment ago: %s", item->source,
                 strerror(errno));
    }
    return 1;
}
