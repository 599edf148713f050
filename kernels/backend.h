// The backend seam: how the scheduler asks a device to run the tile cipher.
//
// A backend turns batches of tiles into batches of tiles. The bytes are the same on every backend
// (kernels/tile.h is the definition); a backend only decides where and how fast.
#ifndef ORRERY_KERNELS_BACKEND_H
#define ORRERY_KERNELS_BACKEND_H

#include <stddef.h>
#include <stdint.h>
#include "kernels/tile.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_BACKEND_ABI 1

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

typedef struct orr_backend_properties {
    char name[128];      // "cpu avx2, 2 threads", "NVIDIA RTX A6000"
    unsigned threads;    // CPU threads it uses itself
    size_t memory;       // bytes it may use, 0 when unknown
    unsigned depth;      // batches worth keeping in flight
    int separate_output; // wants out != in: a batch may fail half way and its input must survive
} orr_backend_properties;

typedef struct orr_backend orr_backend;

// What a backend must offer. Every function may be called from any thread.
typedef struct orr_backend_api {
    uint32_t abi; // ORR_BACKEND_ABI
    const char *name;
    void (*properties)(const orr_backend *backend, orr_backend_properties *properties);
    // Host memory the device reaches quickly, zeroed; NULL when there is none.
    void *(*alloc)(orr_backend *backend, size_t bytes);
    void (*free)(orr_backend *backend, void *memory, size_t bytes); // wipes first
    // Starts a batch. wait() must be called once for each successful submit(), in any order.
    orr_status (*submit)(orr_backend *backend, orr_batch *batch, orr_error *error);
    orr_status (*wait)(orr_backend *backend, orr_batch *batch, orr_error *error);
    void (*close)(orr_backend *backend);
} orr_backend_api;

struct orr_backend {
    const orr_backend_api *api;
};

// SIMD level of the CPU backend. ORR_SIMD_BEST picks what the processor has.
typedef enum orr_simd {
    ORR_SIMD_BEST = -1,
    ORR_SIMD_PORTABLE = 0,
    ORR_SIMD_AVX2 = 1,
    ORR_SIMD_AVX512 = 2
} orr_simd;

// One tile on the CPU at a given SIMD level (clamped to what the processor has).
typedef void (*orr_tile_function)(const orr_cipher *cipher, const orr_tile_key *key, uint32_t rows,
                                  const uint8_t *in, uint8_t *out);
orr_tile_function orr_cpu_tile_encrypt(orr_simd level);
orr_tile_function orr_cpu_tile_decrypt(orr_simd level);
// The level that `level` becomes on this processor, and its name ("portable", "avx2", "avx512").
orr_simd orr_cpu_simd(orr_simd level);
const char *orr_simd_name(orr_simd level);

// Key bytes of K4, then of K8, of `count` whole tiles, at a SIMD level: the same bytes as
// orr_tile_keystream's. Writes count * 2 * ORR_TILE_BYTES bytes. ORR_INTERNAL when memory runs out.
orr_status orr_cpu_keystream(orr_simd level, const orr_tile_key *keys, size_t count, uint32_t k2,
                             uint8_t *out, orr_error *error);

// Opens the CPU backend with `threads` worker threads (0: one for each core the process may use).
// *backend is closed with api->close. ORR_INTERNAL when threads or memory run out.
orr_status orr_cpu_backend_open(unsigned threads, orr_simd level, orr_backend **backend,
                                orr_error *error);

// Known-answer self-test of a backend against the portable path and the vectors built in:
// encrypt, decrypt, reencrypt, short tiles, default and other rules. ORR_SELF_TEST on a mismatch.
orr_status orr_backend_self_test(orr_backend *backend, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
