// What the files job*.c share. A job walks its inputs; each regular file becomes an orr_job_file;
// the verb opens it and either cuts it into segments for the streaming engine or handles it whole
// on one worker.
#ifndef ORRERY_HOST_JOB_JOB_INTERNAL_H
#define ORRERY_HOST_JOB_JOB_INTERNAL_H

#include <openssl/evp.h>
#include <pthread.h>
#include "host/job/claims.h"
#include "host/job/job.h"
#include "host/job/journal.h"
#include "host/job/output.h"
#include "host/job/resume.h"
#include "host/job/state.h"
#include "host/job/stream.h"
#include "host/job/trust.h"
#include "base/walk.h"

typedef struct orr_job_file orr_job_file;

// One side of a file in the archive profile: its keys and layout.
typedef struct orr_side {
    orr_file_secret secret;
    orr_file_keys keys;
    orr_geometry geometry;
    orr_cipher cipher;
} orr_side;

// What is at a target already, and opens with the keyring: whose result it may be.
typedef struct orr_existing {
    int fd;
    char *target; // its path below the output
    orr_profile profile;
    int damaged; // its head
    uint8_t file_id[32];
    orr_file_secret secret;
    orr_metadata sealed;
} orr_existing;

struct orr_job_file {
    orr_job *job;
    char *source;   // to show
    char *relative; // of the source below its input
    char *target;   // below the output root; NULL for verify and rewrap
    int fd;         // of the source
    struct stat st;
    struct timespec opened; // when it was met, by the clock of files
    pthread_mutex_t lock;   // guards error, output, sha
    pthread_cond_t turn;    // sha256: the next segment in order may go, or the file failed
    atomic_uint refs;       // pieces in flight, plus one while the planner holds the file
    orr_error error;        // first failure; status ORR_OK while all is well
    orr_outcome outcome;
    const char *reason; // for skipped files
    atomic_int failed;  // error is set
    uint64_t bytes;     // plaintext
    uint64_t segments, next_segment;
    void (*whole)(orr_job_file *file); // when set: run once on a worker in place of segments
    orr_container *container;          // decrypting side
    int damaged_slot;                  // of it, 0 or 1; -1: none that is known
    orr_side *from, *to;               // what is read, what is written
    orr_header header;                 // of the new file
    uint8_t header_bytes[ORR_HEADER_BYTES];
    orr_slot slot;
    orr_metadata *metadata;
    uint8_t (*digests)[ORR_DIGEST_BYTES]; // of each segment
    orr_existing *existing;               // encrypt, reencrypt: at the target; NULL when nothing is
    int restored_fd; // decrypt: the file at the target that is to be compared, or -1
    int touched;     // its time is not the sealed one; its contents decide
    int later;       // left to the second round, unreported (orr_job_defer)
    int supersedes;  // decrypt: restored_fd is an older copy that this job restored
    int replaces;    // the existing file is damaged: it is put aside when this one is named
    orr_output output;
    int output_begun;
    int repeats;             // it failed of what the job broke off for, after that was said
    atomic_int unreadable;   // the source could not be read in places
    char *salvaged;          // what --salvage wrote, below the output; or NULL
    uint64_t salvaged_bytes; // of the original in it
    int altered;             // paper: failed for its pixels alone, or what lies around them
    char *released;          // what --unauthenticated wrote, below the output; or NULL
    EVP_MD_CTX *sha;         // of the plaintext, where it is recorded: made or compared
    uint64_t sha_next;
};

typedef struct orr_verb_ops {
    // Looks at an opened file: sets up segments or `whole`, or sets outcome to PRESENT, PLANNED or
    // SKIPPED. A failure is returned.
    orr_status (*open)(orr_job_file *file, orr_error *error);
    void (*front)(orr_job_file *file, orr_piece *piece, orr_worker *worker);
    void (*back)(orr_job_file *file, orr_piece *piece, orr_worker *worker);
    // All segments are through and none failed: complete and commit the output.
    orr_status (*finish)(orr_job_file *file, orr_error *error);
    orr_tile_op op;
} orr_verb_ops;

extern const orr_verb_ops orr_encrypt_ops, orr_decrypt_ops, orr_reencrypt_ops, orr_rewrap_ops;

struct orr_job {
    const orr_job_options *options;
    const orr_job_hooks *hooks;
    orr_progress *progress;
    orr_stop_flag *stop;
    const orr_verb_ops *ops;
    orr_output_root root;
    orr_walk *walk;
    orr_trust trust; // what it takes for finished and another run wrote
    orr_journal *journal;
    orr_resume_map *resume; // opaque names: which outputs hold which paths; else NULL
    orr_state *state;       // encrypt, decrypt into a directory; else NULL
    int inodes_known, inodes_last, inodes_warned; // of inodes_device; under `lock`
    dev_t inodes_device;
    orr_claims claims; // paths below the output that files of this job have; the planner's
    char **deferred;   // sources and relative paths, in turn, for a second round; under `lock`
    size_t deferred_count, deferred_next;
    int second;            // the second round runs
    orr_claims restored;   // device and inode of restored files, and of which path; marked when
                           // they are known to be this job's; under `lock`
    orr_job_file *current; // being cut into segments
    pthread_mutex_t lock;  // guards summary, hooks, journal, seen statuses
    orr_summary summary;
    orr_status last_status; // of the last failed file
    unsigned seen;          // bit n: a file failed with status n
    atomic_int undone;      // something is left to do after a signal
    uint64_t found;         // files that may be encrypted ones; the planner's
    uint64_t found_before;  // of the input that is walked now, `input` when that is a directory
    const char *input;
    size_t inputs_begun;
    int single;              // one input, a regular file: its own exit status counts
    orr_error broke;         // why the job as a whole ends; under `lock`
    atomic_int fatal;        // no later file can succeed (disk full, device failed): plan no more
    atomic_int broke_off;    // errno of the failure that said so; 0: none
    unsigned unreadable_row; // sources that could not be read since the last that could; `lock`
    char *readable;          // one that could be read, or NULL; owned; under `lock`
    dev_t readable_device;
    uint64_t paper_memory; // of one worker, for images of the paper profile in flight
};

// Marks a file failed; the first failure stays. Full disks and failed devices end the job.
void orr_file_fail(orr_job_file *file, const orr_error *error);
void orr_file_fail_status(orr_job_file *file, orr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Ends the job: no further file is begun, and the first such sentence is what it ends with.
void orr_job_break(orr_job *job, const orr_error *error);
void orr_job_warn(orr_job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));
int orr_job_stopping(const orr_job *job);
// Counts the end of a file, notes it in the journal and tells the hooks. Any worker.
void orr_job_report(orr_job *job, const orr_file_event *event);

// ---- job_limits.c: what --mem, -j and the system's limits leave a job
void orr_job_stream_config(const orr_job_options *options, orr_stream_config *config);
// Bytes for the images of one of `workers` workers.
uint64_t orr_job_paper_memory(const orr_job_options *options, unsigned workers);
// As many descriptors as the system gives: deep trees keep one open for each level.
void orr_job_raise_descriptors(void);

// ---- job_break.c: failures after which every later file would fail
// Judges a failure; `device` is that of its source, or 0. Breaks the job off when no later file can
// succeed: the target is full, closed or gone, no descriptor is left, or sources cannot be read one
// after the other, of which earlier ones can no longer be read. Returns 1 when the failure only
// repeats what the job broke off for. Any worker.
int orr_job_breaks_off(orr_job *job, const orr_error *error, dev_t device);
// Remembers a source that could be read. Any worker.
void orr_job_was_read(orr_job *job, const char *source, const struct stat *st);

// ---- job_inputs.c: which of what the walk finds is work
// Stable over runs and machines: does this path belong to the part of a divided job that this one
// does?
int orr_job_selected(const orr_job_options *options, const char *relative);
// Is this regular file an input by its name, or because the user named it?
int orr_job_is_named_input(const orr_job_options *options, const orr_walk_item *item);
// A new input begins with this item, or the last one has ended: one that is a directory without any
// file may be an unmounted disk. Where there are several, that is a failure of `encrypt` and a
// warning of the other verbs; of a single one the exit status tells.
void orr_job_begin_input(orr_job *job, const orr_walk_item *item);
void orr_job_end_of_input(orr_job *job);
// Notes the journals above the inputs: a part of an unfinished archive is verified.
void orr_job_look_above(orr_job *job);
// Reports an item that is not work. Returns 1 when it was one.
int orr_job_not_work(orr_job *job, const orr_walk_item *item);

// ---- job_common.c: pieces that several verbs are made of
// The master key new files are wrapped under: --to, or the active one.
orr_status orr_job_target_key(const orr_job *job, const orr_master_key **key, orr_error *error);
// Reads, unlocks and authenticates the head of file->fd into file->container, file->from and
// file->metadata. A damaged spare wrap slot is a warning and noted in file->damaged_slot.
orr_status orr_file_open_container(orr_job_file *file, orr_error *error);
// Draws ID and secret for a new archive-profile file with file->metadata set (all but digest):
// header, slot, file->to.
orr_status orr_file_new_secret(orr_job_file *file, uint64_t length, orr_profile profile,
                               orr_error *error);
// Before something is written under the key for new files: is it still what it must be? Keeps the
// keyring as it is until orr_job_let_key_go(hold), which may be called twice. When the key is not,
// the job ends, and `source` with ORR_STOPPED.
orr_status orr_job_hold_key(orr_job *job, const char *source, int *hold, orr_error *error);
void orr_job_let_key_go(void *hold); // int *
// Starts the output on first use. Any worker.
orr_status orr_file_output(orr_job_file *file, uint64_t bytes, orr_error *error);
// The last steps of every output of a job: whole and flushed, then named (host/job/output.h), a sealed
// one under a key that the keyring still has as it must be.
orr_status orr_file_commit(orr_job_file *file, mode_t mode, orr_error *error);
// Seals the tiles of piece->out in place with file->to, and writes the segment. Shared by encrypt
// and reencrypt.
orr_status orr_segment_seal_write(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                                  orr_error *error);
// Reads a segment of file->from into piece->in and opens it in place; its digest goes to
// file->digests.
orr_status orr_segment_read_open(orr_job_file *file, orr_piece *piece, orr_worker *worker,
                                 orr_error *error);
// Writes the head, checks on the CPU if asked, sets the mode, commits.
orr_status orr_file_finish_container(orr_job_file *file, orr_error *error);
// --check cpu, job_check.c: opens the finished output with the keyring, wants both slots, the
// sealed metadata and every byte of the data to be what was meant. ORR_SELF_TEST when they are not.
orr_status orr_file_check_cpu(const orr_job_file *file, const orr_metadata *metadata,
                              orr_error *error);
// Has what is in memory of the source written to its storage: pages that somebody changes through
// mmap change no time again until they were. ORR_IO when the storage refuses it.
orr_status orr_file_flush_source(const orr_job_file *file, orr_error *error);
// The same, then looks at the source anew: file->st, file->bytes and the sealed metadata. Right
// before it is read.
orr_status orr_file_settle_source(orr_job_file *file, orr_error *error);
// ORR_IO: the sentence for a source that did not stay what it was.
orr_status orr_file_fail_changed(const orr_job_file *file, orr_error *error);
// May the source have been changed once more within the clock step of its last change, after it was
// opened, without a sign? So git calls an index entry racy.
int orr_file_is_racy(const orr_job_file *file);
// Did the source stay what it was at open? ORR_IO when its size or mtime changed while it was read,
// ORR_UNSUPPORTED when there are bytes behind its size. *touched: its inode changed, so its bytes
// may have, if somebody set the mtime back.
orr_status orr_file_check_source(const orr_job_file *file, int *touched, orr_error *error);
// Restores mode and mtime of a decrypted output and commits it.
orr_status orr_file_restore_commit(orr_job_file *file, orr_error *error);
// SHA-256 of the plaintext. begin() sets file->sha up; hash() takes the segments in order, waiting
// for this one's turn, so the one before must be under way on another thread; a failed file is not
// waited for. compare(): ORR_AUTH when the recorded one differs.
orr_status orr_file_sha_begin(orr_job_file *file, orr_error *error);
void orr_file_sha_hash(orr_job_file *file, uint64_t segment, const uint8_t *data, size_t bytes);
orr_status orr_file_sha_compare(orr_job_file *file, orr_error *error);
// Digest of the whole file from its segments' digests.
void orr_file_digest(const orr_job_file *file, uint8_t digest[ORR_DIGEST_BYTES]);

// Leaves a file to a second round, when all others are through: whether it is to be restored
// depends on them. ORR_INTERNAL when memory ran out. Any worker.
orr_status orr_job_defer(orr_job_file *file, orr_error *error);
// The next file of the second round; 0: no more.
int orr_job_next_deferred(orr_job *job, orr_walk_item *item);
// Is the file at the target the restored one already (job_decrypt.c)? Then the outcome is
// ORR_OUT_PRESENT, or `whole` is what finds it out. ORR_EXISTS: another one; unless it is left to
// the second round.
orr_status orr_restored_look(orr_job_file *file, orr_error *error);
// An older copy of what this job restored makes room.
orr_status orr_restored_give_way(const orr_job_file *file, orr_error *error);

// ---- job_finished.c: what is finished already
// Is the file at file->target the finished result of this source, expected to have been sealed with
// the path, size and time of `expected`? Nothing there: file->existing stays NULL. Otherwise sets
// outcome PRESENT; or file->whole, where a worker has to read the source to tell; or file->replaces
// (--redo-damaged). ORR_EXISTS says what else the file is, and what to do.
orr_status orr_target_look(orr_job_file *file, const orr_metadata *expected, orr_profile profile,
                           orr_error *error);
// The same for an opaque name, which only the job's resume map can answer: sets the target, too.
orr_status orr_target_resumed(orr_job_file *file, const orr_metadata *expected, orr_profile profile,
                              orr_error *error);
void orr_existing_free(orr_existing *existing); // closes and wipes; NULL is fine
// Reads all of the existing file, as verify does (job_check.c). *damaged: it does not verify.
orr_status orr_existing_verify(const orr_job_file *file, int *damaged, orr_error *error);
// Gives the damaged file whose place this one takes a name that is free: NAME.damaged, or with a
// number.
orr_status orr_existing_put_aside(const orr_job_file *file, orr_error *error);
// Is the plain file that `st` is of, on the file system of `fd`, the very one that was recorded for
// the encrypted file `id`?
int orr_file_is_known(orr_job_file *file, const orr_file_secret *secret, const uint8_t id[32],
                      int fd, const struct stat *st);
// Notes that the plain file that `st` is of, on the file system of `fd`, was read or written whole
// as the contents of the encrypted file `id`. Any worker.
void orr_file_record(orr_job_file *file, const orr_file_secret *secret, const uint8_t id[32],
                     int fd, const struct stat *st);
// Claims `path` below the output for this file, whose content `identity` names. A path that another
// file of the job has is ORR_EXISTS; the same file given again sets outcome SKIPPED.
orr_status orr_file_claim(orr_job_file *file, const uint8_t *path, size_t path_bytes,
                          const void *identity, size_t identity_bytes, orr_error *error);
// PATH.orr.tif, or with `opaque` the hex of the ID; the name of OUT when that is a file. malloc'ed
// or NULL.
char *orr_target_name(const orr_job *job, const char *path, const uint8_t file_id[32], int opaque);

// ---- job_slots.c: the two wrap slots of an opened container
// Does the secret decipher the data? The commitment covers its seal_root alone. ORR_AUTH when it
// does not. Looks at a tile, or a segment; of the paper profile, where it would have to be all
// pages, at nothing.
orr_status orr_file_check_secret(const orr_job_file *file, orr_error *error);
// Where the slots hold two secrets of one seal_root, takes the one that fits the data into
// file->from. ORR_AUTH when neither does.
orr_status orr_file_choose_secret(orr_job_file *file, orr_error *error);
// Warns of a damaged slot, and of one that is whole and does not hold the secret.
void orr_file_note_slots(orr_job_file *file);

// ---- job_mode.c: no output is more open than its source
// The permission bits of an encrypted output that is begun: those that creating a file normally
// gives (0666 less the umask), and the source has for the group and others. Outputs are made 0600
// and get them when whole.
mode_t orr_file_sealed_mode(const orr_job_file *file);
// Those of a directory that stands for the directory `path`, before the umask.
mode_t orr_directory_mode(const char *path, const struct stat *source);
// Makes the directories of an output for which none was walked through (--files-from, reencrypt),
// with the mode of the one that its source is in.
orr_status orr_file_make_place(const orr_job_file *file, orr_error *error);

// ---- job_paper.c: the paper profile, whole files on one worker
// Does this secret decipher its pages? 1: yes, 0: no, -1: that cannot be told, -2: out of
// memory.
int orr_paper_fits(const orr_job_file *file, const orr_file_secret *secret);
void orr_paper_encrypt_whole(orr_job_file *file);
void orr_paper_decrypt_whole(orr_job_file *file);
void orr_paper_release_whole(orr_job_file *file); // decrypt --unauthenticated
void orr_paper_reencrypt_whole(orr_job_file *file);

// ---- salvage.c: --salvage, after ORR_AUTH or when the source cannot be read in places. Writes
// NAME.salvaged and its JSON; the file stays failed.
void orr_salvage(orr_job_file *file);

#endif
