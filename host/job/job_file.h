// A file in work: the end that its contents come from, the end that they go to, and what is of both
// or of neither. A verb is nothing but a pair of ends (transfer.c); a rule about an end is written
// in the file of that end, once for all verbs.
//
//               from                      to
//     encrypt   source_plain.c            sink_sealed.c
//     decrypt   source_sealed.c           sink_plain.c
//     verify    source_sealed.c           sink_none.c
//     reencrypt source_sealed.c           sink_sealed.c
#ifndef ORRERY_HOST_JOB_JOB_FILE_H
#define ORRERY_HOST_JOB_JOB_FILE_H

#include <pthread.h>

#include <openssl/evp.h>

#include "base/direct.h"
#include "host/job/go_on.h"
#include "host/job/job_run.h"
#include "host/job/sealed.h"
#include "host/job/stream.h"

typedef struct orr_job_file orr_job_file;

#define ORR_SOURCE_STATE_BYTES 48

// What a source can do; NULL: nothing is to be done. Unless said otherwise the functions are the
// planner's, and a failure of one is the file's.
typedef struct orr_source_kind {
    // Looks at what is open as from.fd: fills profile, bytes and metadata.
    orr_status (*open)(orr_job_file *file, orr_error *error);
    // Bytes that tell this source from any other that wants the same target; 0 bytes when there can
    // be no other.
    size_t (*identity)(const orr_job_file *file, uint8_t identity[32]);
    // An encrypted file of its path, size and profile is at the target (to.sealed->existing): is it
    // what this source gives? Sets outcome PRESENT; or at_once, to read what tells.
    orr_status (*compare)(orr_job_file *file, orr_error *error);
    // Nothing finished is at the target: is it fit for the verb? Asked in a dry run, too.
    orr_status (*accept)(orr_job_file *file, orr_error *error);
    // The last look before its contents are read.
    orr_status (*begin)(orr_job_file *file, orr_error *error);
    // After that: bytes that tell this state of the source from any other, so that what earlier
    // runs read of it is still what it holds; 0: none do.
    size_t (*state)(const orr_job_file *file, uint8_t state[ORR_SOURCE_STATE_BYTES]);
    // Archive profile: says in piece->io what is to be read for a segment, up to and with its last
    // page.
    void (*want)(const orr_job_file *file, orr_piece *piece);
    // Archive profile, any worker: that was read. Makes of it the segment's tiles in piece->in and
    // its digest in file->digests.
    orr_status (*take)(orr_job_file *file, orr_piece *piece, orr_worker *worker, orr_error *error);
    // Archive profile, any worker: is the plaintext of a segment, in piece->out, what the
    // source says that it is?
    orr_status (*check)(orr_job_file *file, const orr_piece *piece, orr_error *error);
    // Any worker: all of it was read. Was it what it was meant to be, and is it still? Nothing gets
    // a name of which that is not known.
    orr_status (*finish)(orr_job_file *file, orr_error *error);
} orr_source_kind;

// What a sink can do; as above.
typedef struct orr_sink_kind {
    // Makes the end, and claims the target: of two sources that want one, one is refused, skipped
    // (outcome) or left to the second round (later).
    orr_status (*open)(orr_job_file *file, orr_error *error);
    // What is at the target already? Sets outcome, later or at_once when that decides. ORR_EXISTS
    // says what else it is.
    orr_status (*look)(orr_job_file *file, orr_error *error);
    // There is work: draws keys and names.
    orr_status (*begin)(orr_job_file *file, orr_error *error);
    // Any worker, once: the output is there. What has to be in it before its contents?
    orr_status (*start)(orr_job_file *file, orr_error *error);
    // Archive profile, any worker: takes a segment from piece->out and says in piece->io what is to
    // be written of it, unless it did that itself.
    orr_status (*give)(orr_job_file *file, orr_piece *piece, orr_worker *worker, orr_error *error);
    // Any worker: all contents are written, and the source vouched for them. Writes what else there
    // is, and looks at it as it was asked to.
    orr_status (*complete)(orr_job_file *file, orr_error *error);
    // Any thread, many at once: flushes and names.
    orr_status (*finish)(orr_job_file *file, orr_error *error);
    void (*close)(orr_job_file *file); // frees the end; also when it was never opened
} orr_sink_kind;

extern const orr_source_kind orr_source_plain, orr_source_sealed;
extern const orr_sink_kind orr_sink_plain, orr_sink_sealed, orr_sink_none;

// The opening of a sealed source, which rewrap shares (source_sealed.c): from.sealed, profile,
// bytes and metadata. A damaged wrap slot is a warning.
orr_status orr_source_unseal(orr_job_file *file, orr_error *error);
// Who made it? Anybody can who has a recipient's public key. ORR_AUTH, and from.distrusted, when
// that is refused.
orr_status orr_source_check_origin(orr_job_file *file, orr_error *error);

typedef struct orr_source {
    const orr_source_kind *kind; // NULL: rewrap, which works on the source in place
    int fd;
    orr_way way; // how its segments are read
    struct stat st;
    struct timespec opened; // when it was met, by the clock of files
    atomic_int unreadable;  // it could not be read in places
    int distrusted;         // sealed: it is whole, but of unknown origin, and that is refused
    int forgotten;          // sealed, verify: memory has nothing of it that the disk has not
    int touched;            // plain: its inode changed while it was read; its bytes did not
    orr_sealed *sealed;     // NULL: plain
} orr_source;

// An encrypted file that is made.
typedef struct orr_sealed_sink {
    orr_seal seal;
    orr_header header;
    uint8_t header_bytes[ORR_HEADER_BYTES];
    orr_wrap_key *readers; // who is to open it; wiped and freed with the end
    size_t reader_count;
    struct orr_existing *existing; // what is at the target (existing.h); NULL when nothing is
    int replaces; // the existing file is damaged: it is put aside when this one is named
} orr_sealed_sink;

// A file that is restored.
typedef struct orr_plain_sink {
    int existing;   // the file at the target that is to be compared, or -1
    int supersedes; // that is an older copy, which this job restored
} orr_plain_sink;

typedef struct orr_sink {
    const orr_sink_kind *kind;
    orr_sealed_sink *sealed; // of these two at most one is not NULL
    orr_plain_sink *plain;
    orr_output output;
    int output_begun;
    orr_way way; // how its segments are written
    orr_go_on go_on;
} orr_sink;

struct orr_job_file {
    orr_job *job;
    char *source;   // to show
    char *relative; // of the source below its input
    char *target;   // below the output root; NULL: none, or none yet
    orr_source from;
    orr_sink to;

    // The contents.
    orr_profile profile;                  // 0 until it is known
    uint64_t bytes;                       // plaintext
    orr_metadata *metadata;               // what the seal says of them, or will say
    uint64_t segments, next_segment;      // archive profile
    uint8_t (*digests)[ORR_DIGEST_BYTES]; // of each segment
    EVP_MD_CTX *sha;                     // of the plaintext, where it is recorded: made or compared
    uint64_t sha_next;                   // the segment whose turn it is
    void (*at_once)(orr_job_file *file); // when set: run once, on a worker, in place of segments

    // How it goes.
    pthread_mutex_t lock; // guards error, output, sha
    pthread_cond_t turn;  // sha: the next segment in order may go, or the file failed
    atomic_uint refs;     // pieces in flight, plus one while the planner holds the file
    orr_error error;      // first failure; status ORR_OK while all is well
    atomic_int failed;    // error is set
    orr_outcome outcome;
    const char *reason; // for skipped files
    int later;          // left to the second round, unreported
    int repeats;        // it failed of what the job broke off for, after that was said
    orr_job_file *next; // behind it, among the finishers

    int repairable;     // damaged, but its repair data can restore all of it
    int repair_damaged; // only what it could be repaired with is damaged

    // repair: pages of the file that were written (dry run: would be), those of them that are the
    // copy's; bytes of the original in lost tiles.
    uint64_t repaired_pages, copied_pages, lost_bytes;

    // What a failed file leaves, below the output; NULL: nothing.
    int altered;             // paper: failed for its pixels alone, or what lies around them
    char *released;          // what --unauthenticated wrote
    char *salvaged;          // what --salvage wrote
    uint64_t salvaged_bytes; // of the original in it
};

// Takes over what the walk found. NULL when memory ran out. The planner holds the one reference.
orr_job_file *orr_file_new(orr_job *job, const orr_source_kind *from, const orr_sink_kind *to,
                           orr_walk_item *item);
void orr_file_free(orr_job_file *file); // an output that has no name yet goes with it

// Marks a file failed; the first failure stays. Full disks and failed devices end the job.
void orr_file_fail(orr_job_file *file, const orr_error *error);
// Does the job end? Then the file fails for it.
int orr_file_is_stopped(orr_job_file *file);
orr_status orr_file_no_memory(const orr_job_file *file, orr_error *error);

// Does the verb see the plaintext? Re-encryption does not.
int orr_file_is_seen(const orr_job_file *file);
// Has what is in memory of the source written to its storage. ORR_IO when that refuses it.
orr_status orr_file_flush_source(const orr_job_file *file, orr_error *error);
// What is to be verified is what the disk holds, not what memory still holds of it since it was
// written: as above, then the system is asked to drop it, which a file system in memory does not.
orr_status orr_source_forget(int fd, const char *shown, orr_error *error);
// Leaves a file to a second round, when all others are through: whether it is to be restored
// depends on them. ORR_INTERNAL when memory ran out. Any worker.
orr_status orr_file_defer(orr_job_file *file, orr_error *error);

// ---- job_direct.c: the ways of contents
// A source is looked at from the first on. Between the next and the end, contents of source and
// output are moved by the ways that --direct and their file systems allow, in whole pages; before
// and behind them anyhow.
void orr_file_begin_look(const orr_job_file *file);
void orr_file_begin_contents(orr_job_file *file);
orr_status orr_file_begin_output(orr_job_file *file, uint64_t bytes, orr_error *error);
void orr_file_end_contents(orr_job_file *file);
// At its end: what was read of it through the page cache goes from there.
void orr_file_forget_source(const orr_job_file *file);
// Nothing of an open file that has no unwritten bytes stays in the page cache, unless --direct off.
// fd -1: there is none.
void orr_job_forget(const orr_job_options *options, int fd);

// Starts the output on first use, of `bytes` when that is known (0: not), in directories that are
// no more open than those of its source. Any worker.
orr_status orr_file_output(orr_job_file *file, uint64_t bytes, orr_error *error);

// What the cipher works with in a segment, and the verb's use of it: see transfer.c.
const orr_geometry *orr_file_geometry(const orr_job_file *file);
// Bytes of the original in a segment.
size_t orr_file_segment_bytes(const orr_job_file *file, uint64_t segment);
// Digest of the whole file from its segments' digests.
void orr_file_digest(const orr_job_file *file, uint8_t digest[ORR_DIGEST_BYTES]);
// SHA-256 of the plaintext. begin() sets file->sha up; hash() takes the segments in order, waiting
// for this one's turn, so the one before must be under way on another thread; a failed file is not
// waited for.
orr_status orr_file_sha_begin(orr_job_file *file, orr_error *error);
void orr_file_sha_hash(orr_job_file *file, uint64_t segment, const uint8_t *data, size_t bytes);
orr_status orr_file_sha_end(orr_job_file *file, uint8_t sha256[32], orr_error *error);

#endif
