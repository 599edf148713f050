// The ways into a keyring: each wraps the keyring key under a key of its own (docs/FORMAT.md,
// "Keyring file").
#ifndef ORRERY_HOST_KEYS_UNLOCK_H
#define ORRERY_HOST_KEYS_UNLOCK_H

#include "host/keys/keyring.h"

#ifdef __cplusplus
extern "C" {
#endif

// The most scrypt work, N * r * p, that opening a keyring may ask for: for one unlock and for all
// of them together. Eight times the default cost; about 4 s.
#define ORR_UNLOCK_MAX_WORK ((uint64_t)1 << 23)

const char *orr_unlock_type_name(orr_unlock_type type); // "passphrase", "recovery-code", "none"

// Is this an scrypt cost that an unlock may have? ORR_UNSUPPORTED when N * r * p or 128 * N * r
// (256 MiB) is over its cap, log2_n outside 1..24, r outside 1..64, p outside 1..4, or N >= 2^(16
// r) (RFC 7914, section 2).
orr_status orr_unlock_cost_check(unsigned log2_n, unsigned r, unsigned p, const char *name,
                                 orr_error *error);
// Of several unlocks: the cost of each, and their work together. `name` is for messages, here and
// below.
orr_status orr_unlocks_check(const orr_unlock *unlocks, size_t count, const char *name,
                             orr_error *error);

// The key under which an unlock wraps the keyring key, as `secret` (absent: none) gives it: costs
// an scrypt where it is a passphrase. ORR_INTERNAL.
orr_status orr_unlock_derive(const orr_unlock *unlock, const orr_passphrase *secret,
                             uint8_t key[32], const char *name, orr_error *error);
// Opens the keyring key with the first unlock that takes `secret`; which, and with what key, in
// *opened and opened_key. ORR_KEY: none does, in the sentence why.
orr_status orr_unlocks_open(const orr_unlock *unlocks, size_t count, const orr_passphrase *secret,
                            uint8_t keyring_key[32], size_t *opened, uint8_t opened_key[32],
                            const char *name, orr_error *error);

// ---- changes of a keyring in memory

// Adds a way in: a passphrase, a recovery code, or (absent: with no other beside it) none. Where
// anybody could open it before, that way goes, with the keyring key that anybody had. ORR_USAGE:
// the label, or none beside others. ORR_UNSUPPORTED: too many, or too much scrypt work together.
orr_status orr_keyring_add_unlock(orr_keyring *keyring, const orr_passphrase *secret,
                                  const char *label, orr_error *error);
// Takes one away and keeps the keyring key: who had it and has a copy still opens what is written
// later (orr_keyring_rekey).
void orr_keyring_drop_unlock(orr_keyring *keyring, size_t index);
// Finds one by ID or label, as orr_keyring_find does keys.
orr_status orr_keyring_find_unlock(const orr_keyring *keyring, const char *name, size_t *index,
                                   orr_error *error);

// The key of one unlock, which somebody has given the secret of. Wiped by its owner.
typedef struct orr_unlock_key {
    uint8_t id[ORR_KEY_ID_BYTES], key[32];
} orr_unlock_key;
// Does `secret` open this unlock? ORR_KEY when not.
orr_status orr_keyring_try_unlock(const orr_keyring *keyring, size_t index,
                                  const orr_passphrase *secret, orr_unlock_key *key,
                                  orr_error *error);
// Draws a new keyring key, so that who has an older copy and a secret that is no longer among the
// unlocks cannot open what is written from now on. The unlocks whose keys are given wrap it; all
// others go. The caller sees to it that some unlock is left, or adds one.
orr_status orr_keyring_rekey(orr_keyring *keyring, const orr_unlock_key *keys, size_t count,
                             orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
