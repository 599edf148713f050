// The keyring: master keys and the decoy pool in one sealed file (docs/FORMAT.md, "Keyring file").
// Losing it loses the archive.
#ifndef ORRERY_HOST_KEYS_KEYRING_H
#define ORRERY_HOST_KEYS_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "host/container/format.h"
#include "host/keys/passphrase.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_KEYRING_MAX_KEYS 256
#define ORR_KEYRING_MAX_DECOYS 65536
#define ORR_LABEL_BYTES 64
#define ORR_KEYRING_SEAL_BYTES 44 // salt and nonce: drawn anew each time that a keyring is sealed
#define ORR_KEYRING_MAX_UNLOCKS 8

// Default scrypt cost: 2^17 * 8 * 128 bytes = 128 MiB, about half a second.
#define ORR_SCRYPT_LOG2_N 17
#define ORR_SCRYPT_R 8
#define ORR_SCRYPT_P 1

typedef enum orr_key_state {
    ORR_KEY_ACTIVE = 1,
    ORR_KEY_DECRYPT_ONLY = 2,
    ORR_KEY_DESTROYED = 3
} orr_key_state;

typedef struct orr_master_key {
    uint8_t id[ORR_KEY_ID_BYTES]; // HKDF-Expand-SHA-512 of the key, "orrery v1 key id"
    uint8_t key[32];              // zero when destroyed
    orr_key_state state;
    int64_t created;             // Unix seconds
    char label[ORR_LABEL_BYTES]; // UTF-8, NUL-terminated
    // What others can seal for this key without having it. The private half is zero when destroyed;
    // the public one then stays, and is zero when a key of version 1 was destroyed before it had
    // one.
    uint8_t x25519_private[32], x25519_public[32];
} orr_master_key;

typedef enum orr_unlock_type {
    ORR_UNLOCK_PASSPHRASE = 1,
    ORR_UNLOCK_CODE = 2,
    ORR_UNLOCK_NONE = 3 // whoever can read the file; stands alone
} orr_unlock_type;

// One way in: the keyring key, wrapped. The functions are in host/keys/unlock.h.
typedef struct orr_unlock {
    orr_unlock_type type;
    unsigned log2_n, r, p; // of scrypt; zero unless a passphrase
    uint8_t id[ORR_KEY_ID_BYTES], salt[32], wrapped[40];
    int64_t created; // Unix seconds
    char label[ORR_LABEL_BYTES];
} orr_unlock;

// Sums of the R, G and B samples of one decoy image (8-bit samples).
typedef struct orr_decoy {
    uint64_t sum[3];
} orr_decoy;

typedef struct orr_keyring {
    orr_master_key *keys; // at most one is active
    size_t key_count;
    orr_decoy *decoys;
    size_t decoy_count, decoy_room; // room: how many `decoys` has memory for, where it may grow
    uint8_t
        generator_hash[32]; // SHA-256 of the weights file; zero when the decoys came from images
    // How the file is sealed: with a random key, which each unlock wraps.
    uint8_t key[32];
    orr_unlock unlocks[ORR_KEYRING_MAX_UNLOCKS];
    size_t unlock_count;
    size_t opened;                        // the unlock that it was opened with,
    uint8_t opened_key[32];               // and what wraps the keyring key there
    uint8_t seal[ORR_KEYRING_SEAL_BYTES]; // of the file that it was loaded from
    unsigned log2_n, r, p;                // scrypt cost of passphrases added from now on
} orr_keyring;

// An empty keyring in memory, with one new active master key and a keyring key, but no unlock yet.
orr_status orr_keyring_init(orr_keyring *keyring, const char *label, orr_error *error);
void orr_keyring_free(orr_keyring *keyring); // wipes
// Reads and opens a keyring. `passphrase` may be absent (present == 0) when the file needs none;
// ORR_KEY when it does, and when one is given and it takes none: then it may be another keyring,
// put in its place. ORR_KEY: wrong passphrase or code, or damaged. ORR_NOT_ORRERY: not a keyring.
// ORR_UNSUPPORTED: version (of 1, the sentence names the command that converts it), or scrypt work
// over the cap (checked before any work). ORR_IO.
orr_status orr_keyring_load(orr_keyring *keyring, const char *path,
                            const orr_passphrase *passphrase, orr_error *error);
// What tells the file from what it was before a change, without opening it. ORR_IO when it is not
// there or cannot be read; else as orr_keyring_load.
orr_status orr_keyring_look(const char *path, uint8_t seal[ORR_KEYRING_SEAL_BYTES],
                            orr_error *error);
// The descriptor of the lock file of the keyring at `target` (free of symlinks), which updates lock
// exclusively (flock); with `create` it is made where it is missing. -1 with errno.
int orr_keyring_lock_open(const char *target, int create);
// What the file says of itself before it is opened, so that the caller asks for the right thing.
typedef struct orr_keyring_ways {
    unsigned version;          // 1 or 2
    size_t passphrases, codes; // that open it; both 0: nothing is needed
} orr_keyring_ways;
// Errors as orr_keyring_load; `old_too`: version 1 is none.
orr_status orr_keyring_ways_of(const char *path, int old_too, orr_keyring_ways *ways,
                               orr_error *error);
// Writes a new keyring, which has an unlock, mode 0600: a partial file (base/partial.h), which gets
// its name when it is whole and flushed, without replacing anything (ORR_EXISTS). Partial files
// that killed runs left in its directory go.
orr_status orr_keyring_create(const orr_keyring *keyring, const char *path, orr_error *error);
// Lock (flock on PATH.lock), then load, `change` and atomic replace by a partial file, then unlock.
// A symlink is followed: the file it points to is locked and replaced. A failing `change` leaves
// the file alone and its status is returned.
typedef orr_status (*orr_keyring_change)(orr_keyring *keyring, void *context, orr_error *error);
orr_status orr_keyring_update(const char *path, const orr_passphrase *passphrase,
                              orr_keyring_change change, void *context, orr_error *error);
// Makes a keyring file of version 1 one of version 2, with the same keys, decoys and passphrase.
// The old file stays as PATH.v1 (ORR_EXISTS when another file has that name) and is replaced in one
// step. ORR_USAGE: it is of version 2 already.
orr_status orr_keyring_convert(const char *path, const orr_passphrase *passphrase,
                               orr_error *error);

// Can the group or others read or write this file? 1 with a sentence for the user in `text`, else 0
// (also when it cannot be looked at).
int orr_file_mode_warning(const char *path, char *text, size_t text_bytes);
// Does its file system refuse to flush it? As above.
int orr_file_flush_warning(const char *path, char *text, size_t text_bytes);

// The ID of a master key: HKDF-Extract-SHA-512(salt = "orrery v1 master key", IKM = key), then
// HKDF-Expand(info = "orrery v1 key id", 16 bytes) (RFC 5869).
orr_status orr_master_key_id(const uint8_t key[32], uint8_t id[ORR_KEY_ID_BYTES], orr_error *error);

// A copy of all but the secrets, for what is said of a key.
void orr_master_key_copy_public(orr_master_key *copy, const orr_master_key *key);

// Derives a key's X25519 pair from its bytes: private half = HKDF-Expand(info = "orrery v1 key
// x25519", 32 bytes) of the same extract. Two copies of a keyring agree in it, whoever converted
// them.
orr_status orr_master_key_pair(orr_master_key *key, orr_error *error);

// Is `label` (bytes before the NUL) UTF-8 without control characters, at most 63 bytes?
int orr_label_is_valid(const char *label);

// Changes, for use inside orr_keyring_update.
orr_status orr_keyring_add(orr_keyring *keyring, const char *label, uint8_t id[ORR_KEY_ID_BYTES],
                           orr_error *error); // new key, state decrypt-only
// Adds a decoy to the pool. ORR_UNSUPPORTED when it is full.
orr_status orr_keyring_add_decoy(orr_keyring *keyring, const orr_decoy *decoy, orr_error *error);
// Making a key active makes the active one decrypt-only. Destroying wipes the key's bytes, keeps
// its ID and cannot be undone (ORR_KEY on a later change); the active key is refused (ORR_USAGE).
// ORR_KEY when there is no such key.
orr_status orr_keyring_set_state(orr_keyring *keyring, const uint8_t id[ORR_KEY_ID_BYTES],
                                 orr_key_state state, orr_error *error);
// Takes the keys and decoys of another copy that `keyring` lacks. A key that is destroyed in one is
// so in both; else the state here counts, and a key that only the other has active becomes
// decrypt-only. ORR_USAGE: the active key is destroyed in the other. ORR_UNSUPPORTED: more keys
// than a keyring holds. Decoys beyond its limit are left out. The generator's hash is kept when all
// decoys are its, else it becomes zero. After an error `keyring` may have a part of the changes.
typedef struct orr_keyring_merged {
    size_t keys, destroyed, decoys, decoys_left_out; // taken over, newly destroyed here
} orr_keyring_merged;
orr_status orr_keyring_merge(orr_keyring *keyring, const orr_keyring *other,
                             orr_keyring_merged *merged, orr_error *error);
// Finds a key by its ID in hex (whole, or a prefix of at least 4 digits) or by its label. ORR_KEY
// when there is none, or when the name is that of several: they are listed. A whole ID names that
// key alone.
orr_status orr_keyring_find(const orr_keyring *keyring, const char *name,
                            const orr_master_key **key, orr_error *error);
// The active key. ORR_KEY when there is none.
orr_status orr_keyring_active(const orr_keyring *keyring, const orr_master_key **key,
                              orr_error *error);
// orr_master_lookup over a keyring (context = const orr_keyring *).
orr_status orr_keyring_lookup(void *keyring, const uint8_t key_id[ORR_KEY_ID_BYTES],
                              orr_unwrap_key *key, orr_error *error);
const char *orr_key_state_name(orr_key_state state); // "active", "decrypt-only", "destroyed"

// Draws the secret of a new file: seal_root and R from the CSPRNG, a random decoy of the pool, the
// time (Unix seconds, UTC). Writes the timestamp text that went into the hash. ORR_KEY when the
// pool is empty. The scheduler draws through host/keys/secret.h.
orr_status orr_file_secret_new(const orr_keyring *keyring, int64_t now, orr_file_secret *secret,
                               char timestamp[20], orr_error *error);
// The deterministic part (paper, key generation 2-4), for vectors. ORR_INTERNAL when OpenSSL fails.
orr_status orr_planet_secret(const orr_decoy *decoy, const char timestamp[20], const uint8_t r[32],
                             uint8_t out[64]);

// Channel sums of a decoy image file (PNG, JPEG or TIFF, 8- or 16-bit (high byte), gray counts as
// three equal channels). Hostile input safe. *flaw (may be NULL) becomes orr_raster's: what the
// file lacks though all its pixels are there, or NULL.
orr_status orr_decoy_from_image(const char *path, orr_decoy *decoy, const char **flaw,
                                orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
