// The bytes of a keyring file (docs/FORMAT.md, "Keyring file"): sealing and opening in memory, no
// file access. Split from keyring_file.c so that hostile bytes can be tested without a disk.
#ifndef ORRERY_HOST_KEYS_KEYRING_CODEC_H
#define ORRERY_HOST_KEYS_KEYRING_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "host/keys/keyring.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_KEYRING_HEADER_BYTES 72
#define ORR_KEYRING_PAYLOAD_HEAD 40
#define ORR_KEYRING_KEY_RECORD 128
#define ORR_KEYRING_DECOY_RECORD 24
#define ORR_KEYRING_MAX_PAYLOAD                                                 \
    (ORR_KEYRING_PAYLOAD_HEAD + ORR_KEYRING_MAX_KEYS * ORR_KEYRING_KEY_RECORD + \
     ORR_KEYRING_MAX_DECOYS * ORR_KEYRING_DECOY_RECORD)
#define ORR_KEYRING_MAX_FILE (ORR_KEYRING_HEADER_BYTES + ORR_KEYRING_MAX_PAYLOAD + ORR_GCM_TAG)

typedef enum orr_keyring_kdf { ORR_KDF_NONE = 0, ORR_KDF_SCRYPT = 1 } orr_keyring_kdf;

// The 72 clear bytes in front of the ciphertext, decoded and checked.
typedef struct orr_keyring_header {
    orr_keyring_kdf kdf;
    unsigned log2_n, r, p; // zero without scrypt
    uint8_t salt[32], nonce[ORR_GCM_NONCE];
    uint32_t payload_bytes;
} orr_keyring_header;

// Is this cost one that a keyring may ask for? ORR_UNSUPPORTED over 1 GiB (128 * N * r bytes),
// log2_n outside 1..24, r outside 1..64, p outside 1..4, or N >= 2^(16 r) (RFC 7914, section 2).
orr_status orr_keyring_cost_check(unsigned log2_n, unsigned r, unsigned p, const char *name,
                                  orr_error *error);

// Decodes the header of a file of `file_bytes` bytes, of which at least the first
// min(72, file_bytes) are at `file`. No key is derived. ORR_NOT_ORRERY: no magic. ORR_UNSUPPORTED:
// unknown version or kdf, cost or payload over its cap. ORR_KEY: truncated, or longer than it says.
orr_status orr_keyring_header_decode(orr_keyring_header *header, const uint8_t *file,
                                     uint64_t file_bytes, const char *name, orr_error *error);

// Seals `keyring` into *file (malloc'ed, *bytes long; the caller frees it; it holds no clear
// secret) under a fresh salt and nonce. The result is opened again before it is returned. `name` is
// for messages, here and below. ORR_UNSUPPORTED: a cost over the cap. ORR_INTERNAL.
orr_status orr_keyring_seal(const orr_keyring *keyring, const orr_passphrase *passphrase,
                            const char *name, uint8_t **file, size_t *bytes, orr_error *error);

// Opens the bytes of a whole file into *keyring (freed by the caller with orr_keyring_free on
// ORR_OK, empty otherwise). Errors as orr_keyring_load.
orr_status orr_keyring_open(orr_keyring *keyring, const uint8_t *file, size_t bytes,
                            const orr_passphrase *passphrase, const char *name, orr_error *error);

// Decodes an authenticated payload; every field is checked. ORR_UNSUPPORTED for anything that this
// program would not have written. *keyring as orr_keyring_open.
orr_status orr_keyring_payload_decode(orr_keyring *keyring, const uint8_t *payload, size_t bytes,
                                      const char *name, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
