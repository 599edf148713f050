// The streaming engine: a bounded ring of chunks between the disk and a backend.
//
//   next (plan) -> read -> front (digest | open) -> backend (cipher) -> back (seal | check) ->
//   write
//   -> done
//
// Work comes in pieces: a run of up to 128 tiles of one file, or a whole small job with no tiles.
// Pieces of several files share a chunk, a large file spans many. What is read and written goes on
// beside the workers (base/async.h), from and to the memory of the ring: in place, without a copy.
// Workers prefer `back` to `front`, so that the ring drains before it fills; memory is chunks x
// chunk size, whatever the archive's size. Nothing here knows files or formats.
#ifndef ORRERY_HOST_JOB_STREAM_H
#define ORRERY_HOST_JOB_STREAM_H

#include "base/async.h"
#include "host/container/format.h"
#include "host/job/stages.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_piece {
    void *file;       // the verb's own
    uint64_t segment; // of that file
    uint32_t tiles;   // 0: no cipher work
    size_t bytes;     // tile bytes: 384 times the rows of all tiles
    orr_tile_op op;   // the same for all pieces of a job
    int ordered;      // front() and back() are begun in the order of planning among pieces that say
                      // so (back() unless the backend fails), and the one begun first may be waited
                      // for
    const orr_cipher *cipher,
        *new_cipher; // live as long as the file; new_cipher for re-encryption only
    // Set by the engine before read():
    uint8_t *in, *out; // on a page; `bytes` bytes each, tiles one after the other, and what is left
                       // of the last page; may be the same memory
    orr_segment_head *in_head, *out_head; // the page before each, for the verb's use
    orr_tile_task *tasks; // `tiles` of them; front() fills rows and keys, the engine wipes them
    orr_async_request io; // what read() or back() want moved, and what came of it; in this memory
    int through;          // read() or front() sets it: the backend is to leave its tiles alone
    orr_status backend_status;      // of the chunk, valid in back()
    const orr_error *backend_error; // its sentence when that is not ORR_OK
    // The engine's:
    struct orr_piece *next;
    void *home; // its chunk
    int ready;  // for front()
} orr_piece;

// What one worker thread owns.
typedef struct orr_worker {
    orr_gcm *gcm; // rekeyed for each use
} orr_worker;

typedef struct orr_stream_ops {
    // Fills *piece (file .. new_cipher) and returns 1, or 0 when there is no more work. Called by
    // one thread at a time.
    int (*next)(void *context, orr_piece *piece);
    // These are called exactly once for each piece, in this order, on any worker, several at once.
    // read() and back() return 1 when piece->io (descriptor, memory, bytes, offset) is to be
    // carried out before the next step, which finds in it what came of that. NULL: nothing to do.
    int (*read)(void *context, orr_piece *piece);
    void (*front)(void *context, orr_piece *piece, orr_worker *worker);
    int (*back)(void *context, orr_piece *piece, orr_worker *worker);
    void (*done)(void *context, orr_piece *piece);
    // Once, before the first of piece->io is carried out: by what means. NULL: nobody listens.
    void (*means)(void *context, const char *means);
} orr_stream_ops;

typedef struct orr_stream_config {
    orr_backend *backend;
    unsigned workers;     // threads for front and back, >= 1
    unsigned chunk_tiles; // capacity of a chunk; at least ORR_SEGMENT_TILES
    unsigned chunks;      // >= 2
    unsigned pieces;      // at most so many in one chunk, which bounds the open files; 0: 256
    orr_stages *stages;   // gets the time of piece->io; NULL: not measured
} orr_stream_config;

// Memory of a chunk of so many tiles: with the heads and last pages of pieces.
size_t orr_stream_chunk_bytes(unsigned tiles);

// Runs until next() has returned 0 and every piece is through done(). ORR_INTERNAL when threads or
// buffers cannot be had.
orr_status orr_stream_run(const orr_stream_config *config, const orr_stream_ops *ops, void *context,
                          orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
