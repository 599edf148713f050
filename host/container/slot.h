// Wrap slots: who can open a file (docs/FORMAT.md, "Wrap slot"). A slot is a list of wraps; each
// holds the file's secret for one key, and opens in its own file alone.
#ifndef ORRERY_HOST_CONTAINER_SLOT_H
#define ORRERY_HOST_CONTAINER_SLOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_PAGE 4096
#define ORR_HEADER_BYTES 192
#define ORR_KEY_ID_BYTES 16
#define ORR_SLOTS 3 // A and B behind page 0; C behind the repair data of files that have them
#define ORR_MAX_SLOT_PAGES 16u
#define ORR_MAX_WRAPS 256u

// The secrets of one file; wiped by the caller with orr_wipe.
typedef struct orr_file_secret {
    uint8_t seal_root[32];
    uint8_t planet_secret[64];
} orr_file_secret;

typedef enum orr_wrap_type {
    ORR_WRAP_MASTER = 1,   // AES-256-KWP (RFC 5649) under a key derived from a master key
    ORR_WRAP_RECIPIENT = 2 // HPKE (RFC 9180) to the X25519 key of a master key
} orr_wrap_type;

// One wrap of a slot; points into its bytes.
typedef struct orr_wrap {
    unsigned type; // of orr_wrap_type, or one that this release does not know
    const uint8_t *key_id, *body;
    size_t body_bytes;
} orr_wrap;

// Somebody who is to open a file.
typedef struct orr_wrap_key {
    orr_wrap_type type;
    uint8_t key_id[ORR_KEY_ID_BYTES];
    uint8_t key[32]; // the master key (secret), or the X25519 public key
} orr_wrap_key;

// What opens a wrap.
typedef struct orr_unwrap_key {
    uint8_t master[32];
    uint8_t x25519[32]; // private
} orr_unwrap_key;

// A source of keys: fills *key for the ID of a master key, and the caller wipes it. Returns ORR_OK,
// or ORR_KEY with *error when the keyring lacks or has destroyed it.
typedef orr_status (*orr_master_lookup)(void *context, const uint8_t key_id[ORR_KEY_ID_BYTES],
                                        orr_unwrap_key *key, orr_error *error);

// ---- making

// A list of wraps in their encoding. Zeros are an empty one.
typedef struct orr_wraps {
    uint8_t *bytes; // owned
    size_t used, room;
    uint32_t count;
} orr_wraps;
void orr_wraps_free(orr_wraps *wraps);
// Appends a copy. ORR_UNSUPPORTED when a slot has no room for it; ORR_INTERNAL (memory).
orr_status orr_wraps_add(orr_wraps *wraps, const orr_wrap *wrap, orr_error *error);
// Appends a wrap of `secret` for `key`, good in the file of this header alone. `seed`: 32 bytes
// that are drawn for this wrap; one for a master key needs none (NULL). As above; ORR_AUTH for a
// public key that gives everybody the same secret.
orr_status orr_wraps_make(orr_wraps *wraps, const orr_wrap_key *key, const uint8_t seed[32],
                          const orr_file_secret *secret, const uint8_t header[ORR_HEADER_BYTES],
                          orr_error *error);
// Pages of the smallest slot that takes wraps for so many keys, and leaves room for as many bytes
// again as far as the largest slot goes. 0: none takes them.
unsigned orr_slot_pages_for(const orr_wrap_key *keys, size_t count);
// Encodes a slot of `size` bytes (a multiple of ORR_PAGE). ORR_INTERNAL when the wraps do not fit.
orr_status orr_slot_encode(const orr_wraps *wraps, uint64_t generation,
                           const uint8_t header_mac[32], uint8_t *slot, size_t size);

// ---- reading

typedef struct orr_slot {
    const uint8_t *bytes;
    size_t size;
    uint64_t generation;
    uint32_t count;
} orr_slot;
// Checks magic, checksum, zero bytes, count and lengths, not the HMAC. ORR_AUTH when damaged. *slot
// points into `bytes`.
orr_status orr_slot_decode(const uint8_t *bytes, size_t size, orr_slot *slot);
// Checks the HMAC. ORR_AUTH when wrong.
orr_status orr_slot_verify(const orr_slot *slot, const uint8_t header_mac[32]);
// The next wrap, *at being 0 at first; 0 when there is none.
int orr_slot_next(const orr_slot *slot, size_t *at, orr_wrap *wrap);
// Opens a wrap of a known type. ORR_AUTH when it does not open under this key in the file of this
// header; ORR_UNSUPPORTED for another type.
orr_status orr_wrap_open(const orr_wrap *wrap, const orr_unwrap_key *key,
                         const uint8_t header[ORR_HEADER_BYTES], orr_file_secret *secret);

#ifdef __cplusplus
}
#endif
#endif
