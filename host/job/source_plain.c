// A file that is encrypted. It stays what it was from the first look to the last byte, or it fails:
// what its times tell of that, and what they do not.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "host/container/content_digest.h"
#include "host/job/contents.h"
#include "host/job/existing.h"
#include "host/job/job_file.h"
#include "host/job/job_known.h"
#include "host/job/writer.h"

// What is sealed with it, as its inode says now.
static void set_inode(orr_job_file *file) {
    const struct stat *st = &file->from.st;
    orr_metadata *m = file->metadata;
    file->bytes = m->size = (uint64_t)st->st_size;
    m->mtime_seconds = st->st_mtim.tv_sec;
    m->mtime_nanoseconds = (uint32_t)st->st_mtim.tv_nsec;
    m->mode = st->st_mode & 07777;
}

static orr_status plain_open(orr_job_file *file, orr_error *error) {
    size_t n = strlen(file->relative);
    file->profile = file->job->options->profile;
    orr_metadata *m = file->metadata = calloc(1, sizeof *m);
    if (!m) return orr_file_no_memory(file, error);
    if (!orr_path_is_safe((const uint8_t *)file->relative, n))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: this path cannot be sealed (empty, too long, or with \"..\" in it)",
                        file->source);
    memcpy(m->path, file->relative, n);
    m->path_length = n;
    set_inode(file);
    // Without a keyring a paper file is known by it: its digest is of pages, not of the file.
    m->has_sha256 = file->job->options->sha256 ||
                    (file->job->options->writer_only && file->profile == ORR_PROFILE_PAPER);
    // Its length counts until the real one is drawn.
    memcpy(m->timestamp, "00-00-0000 00:00:00", sizeof m->timestamp);
    return ORR_OK;
}

// One input cannot collide with itself: a tree of any size then needs no memory for its paths.
static size_t plain_identity(const orr_job_file *file, uint8_t identity[32]) {
    const orr_inputs *inputs = &file->job->options->inputs;
    const uint64_t inode[2] = {file->from.st.st_dev, file->from.st.st_ino};
    if (inputs->count + inputs->listed_count < 2) return 0;
    memcpy(identity, inode, sizeof inode);
    return sizeof inode;
}

// Where the magic of a file of so many bytes is, in its first page and in its last.
static unsigned magic_places(uint64_t bytes, uint64_t places[2]) {
    places[0] = ORR_MAGIC_OFFSET;
    places[1] = bytes - ORR_PAGE + ORR_MAGIC_OFFSET;
    return bytes < ORR_MAGIC_OFFSET + ORR_MAGIC_BYTES ? 0 : bytes < 2 * ORR_PAGE ? 1 : 2;
}

// One that is read in one segment is looked at when it was: each read for itself is one of the
// disk, which the planner would wait for.
static int is_looked_at_later(const orr_job_file *file) {
    return file->profile == ORR_PROFILE_ARCHIVE && file->bytes <= ORR_SEGMENT_BYTES &&
           !file->job->options->dry_run;
}

// Whoever encrypts a vault means to re-encrypt it, or has named the wrong directory.
static orr_status fail_sealed(const orr_job_file *file, orr_error *error) {
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: is encrypted already: `orrery reencrypt` gives it new secrets; --nested "
                    "encrypts it once more",
                    file->source);
}

static orr_status plain_accept(orr_job_file *file, orr_error *error) {
    uint8_t magic[ORR_MAGIC_BYTES];
    uint64_t places[2];
    orr_status status = ORR_OK;
    if (file->job->options->nested || is_looked_at_later(file)) return ORR_OK;
    unsigned count = magic_places(file->bytes, places);
    for (unsigned i = 0; i < count && status == ORR_OK; i++) {
        status =
            orr_read_source(file->from.fd, magic, sizeof magic, places[i], file->source, error);
        if (status == ORR_OK && !memcmp(magic, ORR_MAGIC, sizeof magic))
            status = fail_sealed(file, error);
    }
    return status;
}

// The same of all that was read of it.
static orr_status look_at(const orr_job_file *file, const uint8_t *bytes, orr_error *error) {
    uint64_t places[2];
    if (file->job->options->nested || !is_looked_at_later(file)) return ORR_OK;
    unsigned count = magic_places(file->bytes, places);
    for (unsigned i = 0; i < count; i++)
        if (!memcmp(bytes + places[i], ORR_MAGIC, ORR_MAGIC_BYTES)) return fail_sealed(file, error);
    return ORR_OK;
}

// What is in memory of it goes to its storage first: pages that somebody changes through mmap
// change no time again until they did.
static orr_status plain_begin(orr_job_file *file, orr_error *error) {
    orr_source *from = &file->from;
    orr_status status = orr_file_flush_source(file, error);
    if (status != ORR_OK) return status;
    clock_gettime(CLOCK_REALTIME, &from->opened);
    if (fstat(from->fd, &from->st) != 0)
        return orr_fail_source(error, errno, "%s: %s", file->source, strerror(errno));
    set_inode(file);
    return ORR_OK;
}

// Times of files go by steps: of the kernel's tick, some milliseconds, or of a second or two where
// a file system keeps no fractions.
#define TICK 20000000ll
#define COARSE 2000000000ll

// May it have been changed once more within the clock step of its last change, after it was opened,
// without a sign? So git calls an index entry racy.
static int is_racy(const orr_source *from) {
    const struct timespec *changed = &from->st.st_ctim, *opened = &from->opened;
    int64_t age = ((int64_t)opened->tv_sec - changed->tv_sec) * 1000000000ll + opened->tv_nsec -
                  changed->tv_nsec;
    return age < (changed->tv_nsec ? TICK : COARSE);
}

// Of one that may have changed once more without a sign nobody knows what an earlier run has read;
// and a SHA-256 takes all of it, in order.
static size_t plain_state(const orr_job_file *file, uint8_t state[ORR_SOURCE_STATE_BYTES]) {
    const orr_source *from = &file->from;
    if (is_racy(from) || file->metadata->has_sha256) return 0;
    orr_job_identity_fields(file->job, from->fd, &from->st, file->source, state);
    return ORR_IDENTITY_FIELDS;
}

static void plain_want(const orr_job_file *file, orr_piece *piece) {
    piece->io.memory = piece->in;
    piece->io.bytes = orr_file_segment_bytes(file, piece->segment);
    piece->io.offset = piece->segment * ORR_SEGMENT_BYTES;
}

static orr_status plain_take(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                             orr_error *error) {
    size_t bytes = orr_file_segment_bytes(file, piece->segment);
    orr_stages *stages = file->job->options->stages;
    orr_stage_mark since = orr_stage_clock(stages);
    (void)worker;
    orr_status status =
        orr_read_outcome(piece->io.done, bytes, piece->io.error, file->source, error);
    if (status == ORR_OK) status = look_at(file, piece->in, error);
    if (status != ORR_OK) return status;
    memset(piece->in + bytes, 0, piece->bytes - bytes);
    orr_content_digest_of(piece->in, bytes, file->digests[piece->segment]);
    // Segments are planned in order and read at once by the worker that planned them.
    if (file->sha) orr_file_sha_hash(file, piece->segment, piece->in, bytes);
    orr_stage_lap(stages, ORR_STAGE_DIGEST, &since);
    return ORR_OK;
}

static orr_status fail_changed(const orr_job_file *file, orr_error *error) {
    return orr_fail(error, ORR_IO,
                    "%s: was changed while being read: run the same command again when it rests",
                    file->source);
}

// Did it stay what it was? ORR_IO when its size or mtime changed while it was read, ORR_UNSUPPORTED
// when there are bytes behind its size. Sets from.touched when its inode changed: a new name or
// mode, or other contents whose time was set back.
static orr_status check_times(orr_job_file *file, orr_error *error) {
    const struct stat *st = &file->from.st;
    const int fd = file->from.fd;
    struct stat now;
    struct statx fresh;
    uint8_t byte;
    orr_status status = orr_file_flush_source(file, error);
    if (status != ORR_OK) return status;
    // Network file systems then ask their server, in place of answering from memory.
    (void)statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &fresh);
    if (fstat(fd, &now) != 0)
        return orr_fail_source(error, errno, "%s: %s", file->source, strerror(errno));
    if (now.st_size != st->st_size || !orr_same_time(&now.st_mtim, &st->st_mtim))
        return fail_changed(file, error);
    file->from.touched |= !orr_same_time(&now.st_ctim, &st->st_ctim) || is_racy(&file->from);
    // Some virtual files have more bytes than their size says, which is often 0.
    size_t more = orr_pread_in_full(fd, &byte, 1, (uint64_t)now.st_size);
    if (!more && errno)
        return orr_fail_source(error, errno, "%s: cannot read to its end: %s", file->source,
                               strerror(errno));
    // Unless it has just grown: that is a change like any other.
    if (more && fstat(fd, &now) == 0 && now.st_size != st->st_size)
        return fail_changed(file, error);
    if (more)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: holds more than the %lld bytes that its size says: a virtual file? "
                        "Copy it, and encrypt the copy",
                        file->source, (long long)now.st_size);
    return ORR_OK;
}

// Reads all of it: has it the contents that `sealed` was made from?
static orr_status compare_contents(const orr_job_file *file, const orr_metadata *sealed, int *same,
                                   orr_error *error) {
    const orr_job *job = file->job;
    if (file->profile == ORR_PROFILE_PAPER)
        return orr_contents_compare_pages(file->from.fd, sealed, 1, job->paper_memory, job->stop,
                                          file->source, same, error);
    return orr_contents_compare(file->from.fd, file->bytes, sealed, job->stop, file->source, same,
                                error);
}

// It was touched: is it still what was sealed?
static orr_status compare_again(const orr_job_file *file, orr_error *error) {
    const orr_metadata *m = file->metadata;
    uint8_t sha256[32];
    int same = 1;
    orr_status status = ORR_OK;
    if (file->profile == ORR_PROFILE_PAPER && m->has_sha256) { // which pages do not tell
        status = orr_contents_digest(file->from.fd, file->bytes, file->job->stop, file->source,
                                     NULL, sha256, error);
        same = status == ORR_OK && !memcmp(sha256, m->sha256, sizeof sha256);
    }
    if (status == ORR_OK && same) status = compare_contents(file, m, &same, error);
    if (status == ORR_UNSUPPORTED) status = ORR_OK; // no image any more: another one
    return status == ORR_OK && !same ? fail_changed(file, error) : status;
}

static orr_status plain_finish(orr_job_file *file, orr_error *error) {
    orr_status status = check_times(file, error);
    if (file->profile == ORR_PROFILE_ARCHIVE) orr_file_digest(file, file->metadata->digest);
    if (status == ORR_OK && file->sha)
        status = orr_file_sha_end(file, file->metadata->sha256, error);
    return status == ORR_OK && file->from.touched ? compare_again(file, error) : status;
}

static void set_present(orr_job_file *file) {
    file->outcome = ORR_OUT_PRESENT;
    const orr_existing *e = file->to.sealed->existing;
    if (e->lacks_recipient)
        file->reason = "it has no wrap for a recipient of this job";
    else if (e->lacks_repair)
        file->reason = "it has no repair data";
    else if (!e->same_time && !e->unopened)
        file->reason = "its time is another than the sealed one, its contents are not";
}

// On a worker: is the source what was sealed? Whoever trusts size and time takes the file of
// another patient for this one's: exports normalise times, and all slices of a scanner have one
// size.
static void compare_existing(orr_job_file *file) {
    const orr_existing *e = file->to.sealed->existing;
    orr_error error = {0};
    int same = 0;
    orr_status status = e->unopened ? orr_writer_compare(file, e->file_id, &same, &error)
                                    : compare_contents(file, &e->sealed, &same, &error);
    if (status == ORR_OK) status = check_times(file, &error);
    if (status == ORR_OK && !same && e->unopened)
        status = orr_existing_refuse(
            file, &error,
            "exists, and this machine, which has no keyring, has no record that it made it of this "
            "source as it is now: move it away, or choose another output");
    else if (status == ORR_OK && !same)
        status = orr_existing_refuse(file, &error,
                                     "holds other contents of the same name%s and size: move it "
                                     "away, or choose another output",
                                     e->same_time ? ", time" : "");
    if (status != ORR_OK) {
        orr_file_fail(file, &error);
        return;
    }
    set_present(file);
    // Of a source that was touched nobody knows which bytes belong to which ctime.
    if (!file->from.touched && e->unopened)
        orr_writer_record_identity(file, e->file_id);
    else if (!file->from.touched)
        orr_job_record(file->job, &e->secret, e->file_id, file->from.fd, &file->from.st,
                       file->source);
}

static orr_status plain_compare(orr_job_file *file, orr_error *error) {
    const orr_existing *e = file->to.sealed->existing;
    (void)error;
    if (e->unopened ? orr_writer_knows(file, e->file_id)
                    : (file->job->options->trust_times && e->same_time) ||
                          orr_job_knows(file->job, &e->secret, e->file_id, file->from.fd,
                                        &file->from.st, file->source))
        set_present(file);
    else
        file->at_once = compare_existing;
    return ORR_OK;
}

const orr_source_kind orr_source_plain = {.open = plain_open,
                                          .identity = plain_identity,
                                          .compare = plain_compare,
                                          .accept = plain_accept,
                                          .begin = plain_begin,
                                          .state = plain_state,
                                          .want = plain_want,
                                          .take = plain_take,
                                          .finish = plain_finish};
