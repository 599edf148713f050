// Going on inside a large file: what a killed or stopped run left of an output is kept, segment by
// segment, as far as it proves to be what this run would write.
//
// The unfinished file is found by its name, a MAC of everything that must be the same: options,
// target, and the source's state. An encrypted one begins with its head, from which its keys come;
// in place of the digest, which nobody knows yet, that has the rest of the MAC, so that no file
// passes for that of another source, or for a finished one. A restored one has plaintext alone.
#ifndef ORRERY_HOST_JOB_GO_ON_H
#define ORRERY_HOST_JOB_GO_ON_H

#include "host/container/format.h"
#include "host/job/output.h"
#include "host/job/stream.h"

#ifdef __cplusplus
#include <atomic>
#else
#include <stdatomic.h>
#endif

#define ORR_GO_ON_FROM (64ull << 20) // bytes of the original: smaller files are begun anew

struct orr_job_file;

typedef struct orr_go_on {
    orr_unfinished unfinished;
    uint8_t digest[ORR_DIGEST_BYTES]; // that stands in the head while the file is unfinished
    int found;                        // segments of an earlier run may be in it
#ifdef __cplusplus
    std::atomic<uint64_t> kept;
#else
    _Atomic uint64_t kept; // of them, segments that were
#endif
} orr_go_on;

// An encrypted file: to.sealed has all of its header but the ID, and its readers. Opens what an
// earlier run left; when it is found, to.sealed has ID and secret, and the metadata its times, else
// all of these are to be drawn. The planner's.
orr_status orr_go_on_sealed(struct orr_job_file *file, int opaque, orr_error *error);
// The same for a restored file. The planner's.
orr_status orr_go_on_plain(struct orr_job_file *file, orr_error *error);
// Begins the output of a file that was found: what is kept is read from it. The planner's.
orr_status orr_go_on_begin(struct orr_job_file *file, orr_error *error);
// May this segment have been written? Then piece->io says what is to be read of the output for it,
// up to and with its last page. Any worker.
int orr_go_on_want(struct orr_job_file *file, orr_piece *piece);
// That was read: keeps the segment, and takes its digest, or returns 0: it is to be written. A
// restored one is in piece->in then; a sealed one is not. Any worker.
int orr_go_on_keep(struct orr_job_file *file, orr_piece *piece, orr_worker *worker);
// At the end of a file: is its unfinished output left to the next run?
int orr_go_on_later(const struct orr_job_file *file);

#endif
