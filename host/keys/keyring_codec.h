// The bytes of a keyring file (docs/FORMAT.md, "Keyring file"): sealing and opening in memory, no
// file access. Split from keyring_file.c so that hostile bytes can be tested without a disk.
#ifndef ORRERY_HOST_KEYS_KEYRING_CODEC_H
#define ORRERY_HOST_KEYS_KEYRING_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "host/keys/fields.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_KEYRING_MAGIC "ORRKEYRG" // 8 bytes
#define ORR_KEYRING_HEADER_BYTES 64
#define ORR_KEYRING_UNLOCK_BYTES 128
// Header and as many unlocks as there can be: all that stands in the clear.
#define ORR_KEYRING_MAX_HEAD \
    (ORR_KEYRING_HEADER_BYTES + ORR_KEYRING_MAX_UNLOCKS * ORR_KEYRING_UNLOCK_BYTES)
#define ORR_KEYRING_PAYLOAD_HEAD 40
#define ORR_KEYRING_KEY_RECORD 192
#define ORR_KEYRING_MAX_PAYLOAD                                             \
    (ORR_KEYRING_PAYLOAD_HEAD + ORR_KEYRING_MAX_UNLOCKS * ORR_LABEL_BYTES + \
     ORR_KEYRING_MAX_KEYS * ORR_KEYRING_KEY_RECORD + ORR_KEYRING_MAX_DECOYS * ORR_DECOY_RECORD)
#define ORR_KEYRING_MAX_FILE (ORR_KEYRING_MAX_HEAD + ORR_KEYRING_MAX_PAYLOAD + ORR_GCM_TAG)

// What stands in the clear in front of the ciphertext, decoded and checked.
typedef struct orr_keyring_head {
    uint8_t nonce[ORR_GCM_NONCE], salt[32];
    uint32_t payload_bytes;
    size_t unlock_count;
    orr_unlock unlocks[ORR_KEYRING_MAX_UNLOCKS]; // their labels are in the payload
} orr_keyring_head;
// Bytes of a head with this many unlocks.
size_t orr_keyring_head_bytes(size_t unlocks);

// The version of a file: ORR_NOT_ORRERY when it is no keyring at all. `bytes` of it are at `file`.
orr_status orr_keyring_version(const uint8_t *file, uint64_t bytes, const char *name,
                               unsigned *version, orr_error *error);
// Decodes the head of a file of `file_bytes` bytes, of which at least the first
// min(ORR_KEYRING_MAX_HEAD, file_bytes) are at `file`. No key is derived. ORR_NOT_ORRERY: no magic.
// ORR_UNSUPPORTED: unknown version or type of unlock, scrypt work or payload over its cap, bytes
// that are not zero. ORR_KEY: truncated, or longer than it says.
orr_status orr_keyring_head_decode(orr_keyring_head *head, const uint8_t *file, uint64_t file_bytes,
                                   const char *name, orr_error *error);

// Seals `keyring`, which has an unlock, into *file (malloc'ed, *bytes long; the caller frees it; it
// holds no clear secret) under its keyring key and a fresh salt and nonce. The result is opened
// again before it is returned. `name` is for messages, here and below. ORR_UNSUPPORTED: scrypt work
// over the cap. ORR_INTERNAL.
orr_status orr_keyring_seal(const orr_keyring *keyring, const char *name, uint8_t **file,
                            size_t *bytes, orr_error *error);

// Opens the bytes of a whole file into *keyring (freed by the caller with orr_keyring_free on
// ORR_OK, empty otherwise). Errors as orr_keyring_load.
orr_status orr_keyring_open(orr_keyring *keyring, const uint8_t *file, size_t bytes,
                            const orr_passphrase *passphrase, const char *name, orr_error *error);

// Decodes an authenticated payload into *keyring, whose unlocks are there already: they get their
// labels. Every field is checked. ORR_UNSUPPORTED for anything that this program would not have
// written. *keyring as orr_keyring_open.
orr_status orr_keyring_payload_decode(orr_keyring *keyring, const uint8_t *payload, size_t bytes,
                                      const char *name, orr_error *error);

// ---- parts that version 1 has alike (keyring_v1.c)

// The fields of a key record before the X25519 pair: 128 bytes, all of version 1's record. Errors
// as orr_keyring_payload_decode, with what is wrong in *why.
orr_status orr_keyring_key_decode(orr_master_key *key, const uint8_t in[128], const char **why);
// What no single record shows: one active key at most, no ID twice.
orr_status orr_keyring_keys_check(const orr_keyring *keyring, const char **why);
orr_status orr_keyring_decoys_decode(orr_keyring *keyring, const uint8_t *in, const char **why);
// Reads the counts at the start of a payload (ORR_KEYRING_PAYLOAD_HEAD bytes) and takes the memory.
orr_status orr_keyring_counts_decode(orr_keyring *keyring, const uint8_t *payload,
                                     const char **why);
// Frees what was decoded and says what was wrong.
orr_status orr_keyring_decode_failed(orr_keyring *keyring, orr_status status, const char *name,
                                     const char *why, orr_error *error);

// ---- version 1: only read, only to be converted

#define ORR_KEYRING_V1_HEADER 72
#define ORR_KEYRING_V1_RECORD 128
// Does a file of version 1 want a passphrase? Errors as orr_keyring_head_decode.
orr_status orr_keyring_v1_needs_passphrase(const uint8_t *file, uint64_t file_bytes,
                                           const char *name, int *needs, orr_error *error);
// As orr_keyring_open. The keyring has a new keyring key, no unlocks, and its keys their X25519
// pairs.
orr_status orr_keyring_v1_open(orr_keyring *keyring, const uint8_t *file, size_t bytes,
                               const orr_passphrase *passphrase, const char *name,
                               orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
