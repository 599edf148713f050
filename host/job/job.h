// One run over many files: what the command line hands to the verbs, and what comes back.
#ifndef ORRERY_HOST_JOB_JOB_H
#define ORRERY_HOST_JOB_JOB_H

#include <signal.h>
#include <stdint.h>

#include "base/direct.h"
#include "base/walk.h"
#include "host/container/format.h"
#include "host/job/stages.h"
#include "host/job/target.h"
#include "host/keys/key_watch.h"
#include "host/keys/keyring.h"
#include "host/keys/recipient.h"
#include "kernels/backend.h"

#ifdef __cplusplus
#include <atomic>
extern "C" {
#else
#include <stdatomic.h>
#endif

typedef enum orr_verb {
    ORR_VERB_ENCRYPT,
    ORR_VERB_DECRYPT,
    ORR_VERB_VERIFY,
    ORR_VERB_REWRAP,
    ORR_VERB_REENCRYPT,
    ORR_VERB_REPAIR
} orr_verb;

typedef enum orr_outcome {
    ORR_OUT_DONE,    // written (or verified, rewrapped, repaired)
    ORR_OUT_PRESENT, // already finished by an earlier run
    ORR_OUT_PLANNED, // --dry-run: would be done
    ORR_OUT_SKIPPED, // symlink, special file, not an Orrery file inside a directory, outside
                     // --subset or --shard
    ORR_OUT_FAILED
} orr_outcome;

// Do contents go past the page cache of the system?
typedef enum orr_direct_use {
    ORR_DIRECT_AUTO, // where file systems say that they can
    ORR_DIRECT_ON,   // wherever they do not refuse it; that is a warning
    ORR_DIRECT_OFF
} orr_direct_use;

typedef struct orr_job orr_job;

#define ORR_MISNAMED_SAID 20 // warnings of files with other names than their seals; then a count

// One file's end. Called from worker threads, one at a time (the job serialises). Strings live
// during the call only.
typedef struct orr_file_event {
    orr_outcome outcome;
    const char *source; // path as found
    const char *target; // path written, or NULL
    uint64_t bytes;     // plaintext bytes
    orr_status status;  // ORR_OK unless failed
    const char *reason; // why failed or skipped, else NULL
    const char *sha256; // hex of the source's SHA-256 when the file records it, else NULL
    int repeats;        // failed of what the job broke off for, in work as that was said
    int damaged;        // failed for what its source holds or does not give: salvage may help
    // Of an encrypted file that was opened, else NULL: what tells two copies of one file apart.
    const char *file_id, *key_id; // hex; the key that opened it
    const char *sealed_path;      // raw bytes
    const char *sealed_at;        // UTC, "YYYY-MM-DDTHH:MM:SSZ"
    uint64_t generation;          // of the slot in use; each rewrap adds 1
    const char *damaged_slot;     // "A", "B", "C", or NULL
    const char *unlike_slot;      // a good one that differs from the one in use, or NULL
    int repairable;               // damaged, but its repair data can restore all of it
    int repair_damaged;           // only what it could be repaired with is damaged
    uint64_t repaired_pages;      // repair: written in the file, or planned to be,
    uint64_t copied_pages;        // those of them from the copy
    uint64_t lost_bytes;          // of the original, in tiles that nothing gives
    int known_origin;             // a master key's wrap opened it
    int lacks_recipient;          // finished already, without a wrap for a recipient of this job
    int lacks_repair;             // finished already, without the repair data that were asked for
    int drops_recipient;          // reencrypt: somebody opens the old file and not the new one
    int drops_repair;             // reencrypt: the old file has repair data, the new one has none
    int pixels_sealed;            // verify: 0 for the paper profile ("pixels not authenticated")
    int altered;          // paper: only pixels, or what lies around them, are not what was sealed
    const char *released; // path below the output that --unauthenticated wrote, or NULL
    const char *salvaged; // path below the output that --salvage wrote, or NULL
    uint64_t salvaged_bytes;          // of the original in it; the rest are gaps
    int went_on;                      // with the unfinished file of an earlier run,
    uint64_t segments, kept_segments; // of which so many of the file's segments were kept
} orr_file_event;

typedef struct orr_job_options {
    orr_verb verb;
    orr_inputs inputs;
    const char *output; // OUT, or NULL (verify, rewrap, repair)
    orr_profile profile;
    uint32_t rule, k2;     // 0: the file's own when re-encrypting, else the default
    unsigned jobs;         // worker threads; 0: one per core
    uint64_t mem;          // ceiling in bytes (docs/CLI.md, "Memory"); 0: default
    unsigned chunk_tiles;  // tiles in a batch; 0: default. Never changes an output byte.
    orr_direct_use direct; // nor does this
    int opaque_names;
    int check_cpu; // --check cpu: decrypt the finished file on the CPU before the rename
    int sha256;
    int dry_run;
    int salvage;
    int unauthenticated; // decrypt: write altered pixels of the paper profile too, by another name
    int trust_times;     // size and time make an output finished; its source is not read
    int redo_damaged;    // encrypt: outputs that do not verify are made anew
    int allow_empty;     // encrypt: inputs without a regular file are fine
    int nested;          // encrypt: encrypted files too
    int sparse;          // restored files have holes where blocks are zero (archive profile)
    unsigned subset_n, subset_of; // --subset n/t; 0 = all
    double subset_share;          // --subset x%; 0 = all
    unsigned shard_i, shard_n;    // --shard i/n; 0 = all
    const orr_keyring *keyring;
    orr_key_watch *watch; // of the key that new files are wrapped under; NULL: not looked at again
    uint8_t to_key[ORR_KEY_ID_BYTES]; // --to; the active key when has_to is 0
    int has_to;
    const orr_recipient *recipients; // who is to open what is written, besides
    size_t recipient_count;
    const uint8_t (*removed)[ORR_KEY_ID_BYTES]; // rewrap: whose wraps go
    size_t removed_count;
    int past_damage;         // verify: what repair data can restore passes, with a warning
    const char *repair_from; // repair: a copy, or a directory with copies; or NULL
    unsigned parity;         // of repair data, in tenths of a percent; 0: none
    int writer_only;         // encrypt without a keyring: `keyring` is of host/keys/writer_key.h
    int require_origin;      // files that only a recipient's wrap opens are refused
    int adopt;               // reencrypt: they become of known origin
    orr_backend *backend;
    orr_stages *stages; // filled with the time of each stage; NULL: not measured
} orr_job_options;

typedef struct orr_job_hooks {
    void *context;
    void (*file)(void *context, const orr_file_event *event);
    void (*warning)(void *context, const char *text);
    void (*note)(void *context, const char *text); // for who asked for details; may be NULL
    // A statement about safety, to be said whatever the options; NULL: it is a warning.
    void (*warning_always)(void *context, const char *text);
} orr_job_hooks;

// The same layout in C and C++ (tests).
#ifdef __cplusplus
typedef std::atomic<uint64_t> orr_atomic_u64;
typedef std::atomic<int> orr_atomic_int;
#else
typedef _Atomic uint64_t orr_atomic_u64;
typedef atomic_int orr_atomic_int;
#endif

// Progress, readable at any time by another thread.
typedef struct orr_progress {
    orr_atomic_u64 total_bytes, total_files; // grow while the tree is counted
    orr_atomic_int counted;                  // total_* are final
    orr_atomic_u64 done_bytes, done_files, failed_files, present_files, skipped_files;
} orr_progress;

typedef struct orr_summary {
    uint64_t files, done, present, planned, skipped, failed, bytes;
    orr_target_counts without; // outputs that their file system did not hold in full
    int broke_off;             // no other file could have been done: they were not tried
    uint64_t unfinished; // journals among the inputs and above them: jobs that have not written all
                         // they were to
    char journal[4608];  // path of one of them
    uint64_t misnamed;   // verify, decrypt: files whose names are not those of their seals
    uint64_t unknown_origin; // files that only a recipient's wrap opened
    uint64_t lacking;        // finished files without a wrap for a recipient of this job
    uint64_t lacking_repair; // finished files without repair data, which the job asks for
    uint64_t dropped_recipients, dropped_repair; // reencrypt: new files without those of the old
    uint64_t went_on;                            // files that were gone on with inside
    orr_status status;                           // the exit status by the rules of docs/CLI.md
} orr_summary;

// How many worker threads a job takes that is asked for `jobs` (0: one per core) under a ceiling of
// `mem` bytes (0: default): as many as leave room for a ring. The backend should have as many.
unsigned orr_job_workers(uint64_t mem, unsigned jobs);

// Runs the job to its end. *stop may be set by a signal handler at any time: unfinished outputs are
// removed, but those of large files (go_on.h), status ORR_STOPPED; with nothing left undone the job
// ends as if it had not been set. ORR_USAGE and the like for a job that cannot start at all;
// failures of single files go to hooks.file and the summary.
orr_status orr_job_run(const orr_job_options *options, const orr_job_hooks *hooks,
                       orr_progress *progress, orr_stop_flag *stop, orr_summary *summary,
                       orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
