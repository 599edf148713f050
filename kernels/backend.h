// The backend seam: how the scheduler asks a device to run the cipher.
//
// A backend turns batches of tiles into batches of tiles, and whole volumes into volumes. The bytes
// are the same on every backend (kernels/tile.h and kernels/volume.h are the definition); a backend
// only decides where and how fast.
#ifndef ORRERY_KERNELS_BACKEND_H
#define ORRERY_KERNELS_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/tile.h"
#include "kernels/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_BACKEND_ABI 3

typedef enum orr_tile_op {
    ORR_TILE_ENCRYPT,
    ORR_TILE_DECRYPT,
    ORR_TILE_REENCRYPT // decrypt under `key`, encrypt under `new_key`; no plaintext leaves the
                       // device
} orr_tile_op;

typedef struct orr_tile_task {
    size_t offset;        // of the tile in both batch buffers; multiple of 16
    uint32_t rows;        // 1..128
    orr_tile_key key;     // secret
    orr_tile_key new_key; // for ORR_TILE_REENCRYPT only; secret
} orr_tile_task;

// Lent to the backend from submit() until wait() returns. Buffers come from the backend's alloc().
typedef struct orr_batch {
    orr_tile_op op;
    const orr_cipher *cipher;     // of `key`
    const orr_cipher *new_cipher; // of `new_key`; ORR_TILE_REENCRYPT only
    const uint8_t *in;
    uint8_t *out; // may equal `in`
    size_t bytes; // length of both buffers
    const orr_tile_task *tasks;
    size_t count;
    void *ticket; // the backend's own
} orr_batch;

// For backends, at submit(): a bad batch would make a device write outside its buffers.
// ORR_INTERNAL, for it is a bug of the caller.
orr_status orr_batch_check(const orr_batch *batch, orr_error *error);

typedef enum orr_volume_op { ORR_VOLUME_ENCRYPT, ORR_VOLUME_DECRYPT } orr_volume_op;

// One image of the paper profile. Lent to the backend from volume_submit() until volume_wait()
// returns; `in` and `out` may be any memory.
typedef struct orr_volume_task {
    orr_volume_op op;
    const orr_cipher *cipher;
    orr_volume_key key; // secret
    orr_volume_shape shape;
    const uint8_t *in; // C M N bytes
    uint8_t *out;      // the same number; may equal `in`, unless the properties say separate_output
    orr_stop_flag *stop; // or NULL. A backend may look at it: ORR_STOPPED then, `out` half done
    void *ticket;        // the backend's own
} orr_volume_task;

// For backends, at volume_submit(): *bytes = C M N. ORR_INTERNAL for a task without a cipher or
// buffer or with an unknown operation, ORR_UNSUPPORTED for an empty volume or one whose length
// overflows.
orr_status orr_volume_task_check(const orr_volume_task *task, size_t *bytes, orr_error *error);

typedef struct orr_backend_properties {
    char name[128];      // "cpu avx2, 2 threads", "NVIDIA RTX A6000"
    unsigned threads;    // CPU threads it uses itself
    size_t memory;       // bytes it may use, 0 when unknown
    unsigned depth;      // batches worth keeping in flight
    unsigned volumes;    // volumes worth keeping in flight; 0 when it takes none
    int separate_output; // wants out != in: work may fail half way and its input must survive
} orr_backend_properties;

typedef struct orr_backend orr_backend;

// What a backend must offer. Every function may be called from any thread.
typedef struct orr_backend_api {
    uint32_t abi; // ORR_BACKEND_ABI
    const char *name;
    void (*properties)(const orr_backend *backend, orr_backend_properties *properties);
    // Host memory the device reaches quickly, zeroed; NULL when there is none.
    void *(*alloc)(orr_backend *backend, size_t bytes);
    // Wipes the first `used` bytes, then frees. Nothing was written behind them: memory that was
    // never used is not touched, so that a small job does not pay for a large ring.
    void (*free)(orr_backend *backend, void *memory, size_t used);
    // Starts a batch. wait() must be called once for each successful submit(), in any order.
    orr_status (*submit)(orr_backend *backend, orr_batch *batch, orr_error *error);
    orr_status (*wait)(orr_backend *backend, orr_batch *batch, orr_error *error);
    void (*close)(orr_backend *backend);
    // The same two for volumes; both NULL where they are not offered. ORR_UNSUPPORTED, from either,
    // says that this volume is not for this backend (too large for the device, say): the caller has
    // it enciphered elsewhere, and the backend is as good as before. orr_volume_submit does that.
    orr_status (*volume_submit)(orr_backend *backend, orr_volume_task *task, orr_error *error);
    orr_status (*volume_wait)(orr_backend *backend, orr_volume_task *task, orr_error *error);
} orr_backend_api;

struct orr_backend {
    const orr_backend_api *api;
};

// A volume on a backend, or, where the backend (NULL: none) does not take it, on the calling thread
// in orr_volume_wait(). orr_volume_wait() must be called once for each successful
// orr_volume_submit(), in any order. ORR_UNSUPPORTED only for a bad shape, ORR_INTERNAL when memory
// runs out or the backend fails, ORR_SELF_TEST when a device failed the check of its own work,
// ORR_STOPPED when task->stop said so.
orr_status orr_volume_submit(orr_backend *backend, orr_volume_task *task, orr_error *error);
orr_status orr_volume_wait(orr_backend *backend, orr_volume_task *task, orr_error *error);
// The task on the calling thread: orr_volume_encrypt or orr_volume_decrypt from `in` to `out`.
orr_status orr_volume_run(const orr_volume_task *task, orr_error *error);

// A SIMD level of the CPU backend: a number from ORR_SIMD_PORTABLE to orr_simd_count() - 1, the
// widest that this processor has. ORR_SIMD_BEST means the last. kernels/cpu/dispatch.c has the
// table.
typedef int orr_simd;
enum { ORR_SIMD_BEST = -1, ORR_SIMD_PORTABLE = 0 };

int orr_simd_count(void);
// The level that `level` becomes on this processor: what it lacks becomes the widest that it has.
orr_simd orr_cpu_simd(orr_simd level);
// "portable", "avx2", "avx512", and "best" for ORR_SIMD_BEST.
const char *orr_simd_name(orr_simd level);

// One tile on the CPU at a SIMD level, with memory of its own: ORR_INTERNAL when that runs out.
orr_status orr_cpu_tile_encrypt(orr_simd level, const orr_cipher *cipher, const orr_tile_key *key,
                                uint32_t rows, const uint8_t *in, uint8_t *out);
orr_status orr_cpu_tile_decrypt(orr_simd level, const orr_cipher *cipher, const orr_tile_key *key,
                                uint32_t rows, const uint8_t *in, uint8_t *out);

// Key bytes of K4, then of K8, of `count` whole tiles, at a SIMD level: the same bytes as
// orr_tile_keystream's. Writes count * 2 * ORR_TILE_BYTES bytes. ORR_INTERNAL when memory runs out.
orr_status orr_cpu_keystream(orr_simd level, const orr_tile_key *keys, size_t count, uint32_t k2,
                             uint8_t *out, orr_error *error);

// Opens the CPU backend with `threads` worker threads (0: one for each core the process may use),
// or as many of them as can be started. *backend is closed with api->close. ORR_INTERNAL when none
// can, or memory runs out.
orr_status orr_cpu_backend_open(unsigned threads, orr_simd level, orr_backend **backend,
                                orr_error *error);

// Known-answer self-test of a backend against the portable path and the vectors built in:
// encrypt, decrypt, reencrypt, short tiles, default and other rules; volumes, where the backend
// takes them. ORR_SELF_TEST on a mismatch.
orr_status orr_backend_self_test(orr_backend *backend, orr_error *error);
// The part of it that concerns volumes; ORR_OK when the backend takes none.
orr_status orr_backend_self_test_volumes(orr_backend *backend, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
