#include "host/keys/unlock.h"

#include <string.h>
#include <time.h>

#include "base/text.h"
#include "host/keys/name.h"

static const char NO_PASSPHRASE[] = "orrery v1 keyring without passphrase";
static const char NO_PASSPHRASE_KEY[] = "orrery v1 keyring key";
static const char CODE[] = "orrery v1 recovery code";

const char *orr_unlock_type_name(orr_unlock_type type) {
    switch (type) {
    case ORR_UNLOCK_PASSPHRASE:
        return "passphrase";
    case ORR_UNLOCK_CODE:
        return "recovery-code";
    case ORR_UNLOCK_NONE:
        return "none";
    }
    return "unknown";
}

static uint64_t work_of(unsigned log2_n, unsigned r, unsigned p) {
    return ((uint64_t)1 << log2_n) * r * p;
}

orr_status orr_unlock_cost_check(unsigned log2_n, unsigned r, unsigned p, const char *name,
                                 orr_error *error) {
    int ok = log2_n >= 1 && log2_n <= 24 && r >= 1 && r <= 64 && p >= 1 && p <= 4;
    ok = ok && ((uint64_t)128 << log2_n) * r <= (uint64_t)1 << 28;
    ok = ok && work_of(log2_n, r, p) <= ORR_UNLOCK_MAX_WORK;
    ok = ok && log2_n < 16 * r;
    if (ok) return ORR_OK;
    return orr_fail(
        error, ORR_UNSUPPORTED,
        "%s: asks for scrypt with N = 2^%u, r = %u, p = %u; at most 256 MiB (128 * N * r), N * r * "
        "p = 2^23, N = 2^24, r = 64 and p = 4 are accepted",
        name, log2_n, r, p);
}

orr_status orr_unlocks_check(const orr_unlock *unlocks, size_t count, const char *name,
                             orr_error *error) {
    uint64_t work = 0;
    for (size_t i = 0; i < count; i++) {
        const orr_unlock *u = &unlocks[i];
        if (u->type != ORR_UNLOCK_PASSPHRASE) continue;
        orr_status status = orr_unlock_cost_check(u->log2_n, u->r, u->p, name, error);
        if (status != ORR_OK) return status;
        work += work_of(u->log2_n, u->r, u->p);
    }
    if (work <= ORR_UNLOCK_MAX_WORK) return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: its passphrases together ask for more scrypt work than 2^23 (N * r * p): "
                    "it might take many seconds to open",
                    name);
}

static orr_status hkdf(const uint8_t salt[32], const void *ikm, size_t ikm_bytes, const char *info,
                       uint8_t key[32]) {
    uint8_t prk[64];
    orr_status status = orr_hkdf_extract(salt, 32, ikm, ikm_bytes, prk);
    if (status == ORR_OK) status = orr_hkdf_expand(prk, info, strlen(info), key, 32);
    orr_wipe(prk, sizeof prk);
    return status;
}

orr_status orr_unlock_derive(const orr_unlock *unlock, const orr_passphrase *secret,
                             uint8_t key[32], const char *name, orr_error *error) {
    orr_status status;
    if (unlock->type == ORR_UNLOCK_PASSPHRASE) {
        status = orr_scrypt(secret->bytes, secret->length, unlock->salt, unlock->log2_n, unlock->r,
                            unlock->p, key);
        if (status == ORR_OK) return ORR_OK;
        return orr_fail(
            error, status, "%s: scrypt failed; it needs %llu MiB of memory", name,
            (unsigned long long)((((uint64_t)128 << unlock->log2_n) * unlock->r) >> 20));
    }
    status = unlock->type == ORR_UNLOCK_CODE
                 ? hkdf(unlock->salt, secret->bytes, ORR_CODE_BYTES, CODE, key)
                 : hkdf(unlock->salt, NO_PASSPHRASE, strlen(NO_PASSPHRASE), NO_PASSPHRASE_KEY, key);
    if (status == ORR_OK) return ORR_OK;
    return orr_fail(error, status, "%s: OpenSSL could not derive a key", name);
}

// Which type of unlock takes this?
static orr_unlock_type type_for(const orr_passphrase *secret) {
    if (!secret || !secret->present) return ORR_UNLOCK_NONE;
    return secret->is_code ? ORR_UNLOCK_CODE : ORR_UNLOCK_PASSPHRASE;
}

// No unlock took the secret. `tried`: how many are of its type.
static orr_status fail_open(const orr_unlock *unlocks, size_t count, orr_unlock_type type,
                            size_t tried, const char *name, orr_error *error) {
    int open_to_all = unlocks[0].type == ORR_UNLOCK_NONE, has_code = 0;
    for (size_t i = 0; i < count; i++) has_code |= unlocks[i].type == ORR_UNLOCK_CODE;
    if (type == ORR_UNLOCK_NONE && !open_to_all)
        return orr_fail(error, ORR_KEY, "%s: this keyring needs its passphrase or recovery code",
                        name);
    if (open_to_all && type != ORR_UNLOCK_NONE)
        return orr_fail(error, ORR_KEY,
                        "%s: this keyring takes no %s, and one was given: if it is not meant to be "
                        "without, somebody may have put another keyring in its place",
                        name, type == ORR_UNLOCK_CODE ? "recovery code" : "passphrase");
    if (!tried && type == ORR_UNLOCK_CODE)
        return orr_fail(error, ORR_KEY,
                        "%s: this keyring has no recovery code; it opens with a passphrase", name);
    if (!tried)
        return orr_fail(error, ORR_KEY,
                        "%s: this keyring has no passphrase; it opens with a recovery code", name);
    if (type == ORR_UNLOCK_CODE)
        return orr_fail(error, ORR_KEY,
                        "%s: the recovery code is typed right, but is not one of this keyring, or "
                        "the keyring is damaged (the seal cannot tell which)",
                        name);
    if (type == ORR_UNLOCK_PASSPHRASE)
        return orr_fail(
            error, ORR_KEY,
            "%s: wrong passphrase, or the keyring is damaged (the seal cannot tell which)%s", name,
            has_code ? "; --recovery-code asks for its recovery code instead" : "");
    return orr_fail(error, ORR_KEY, "%s: the keyring is damaged; restore it from a copy", name);
}

orr_status orr_unlocks_open(const orr_unlock *unlocks, size_t count, const orr_passphrase *secret,
                            uint8_t keyring_key[32], size_t *opened, uint8_t opened_key[32],
                            const char *name, orr_error *error) {
    orr_unlock_type type = type_for(secret);
    size_t tried = 0;
    orr_status status = orr_unlocks_check(unlocks, count, name, error);
    for (size_t i = 0; i < count && status == ORR_OK; i++) {
        if (unlocks[i].type != type) continue;
        tried++;
        status = orr_unlock_derive(&unlocks[i], secret, opened_key, name, error);
        if (status != ORR_OK) break;
        *opened = i;
        if (orr_kwp_unwrap(opened_key, unlocks[i].wrapped, sizeof unlocks[i].wrapped, keyring_key,
                           32) == ORR_OK)
            return ORR_OK;
    }
    orr_wipe(opened_key, 32);
    return status != ORR_OK ? status : fail_open(unlocks, count, type, tried, name, error);
}

static orr_status wrap(orr_keyring *keyring, orr_unlock *unlock, const uint8_t key[32],
                       orr_error *error) {
    if (orr_kwp_wrap(key, keyring->key, sizeof keyring->key, unlock->wrapped) == ORR_OK)
        return ORR_OK;
    return orr_fail(error, ORR_INTERNAL, "OpenSSL could not wrap the keyring key");
}

// May this one stand beside the others?
static orr_status check_addition(const orr_keyring *keyring, const orr_unlock *unlock,
                                 const char *label, orr_error *error) {
    orr_unlock all[ORR_KEYRING_MAX_UNLOCKS];
    size_t n = keyring->unlock_count;
    if (!orr_label_is_valid(label))
        return orr_fail(error, ORR_USAGE,
                        "a label is at most %d bytes of UTF-8 without control characters",
                        ORR_LABEL_BYTES - 1);
    if (n && unlock->type == ORR_UNLOCK_NONE)
        return orr_fail(error, ORR_USAGE,
                        "a keyring that opens without a passphrase opens in no other way");
    if (n == ORR_KEYRING_MAX_UNLOCKS)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "a keyring has at most %d passphrases and recovery codes together; remove "
                        "one first",
                        ORR_KEYRING_MAX_UNLOCKS);
    memcpy(all, keyring->unlocks, n * sizeof *all);
    all[n] = *unlock;
    return orr_unlocks_check(all, n + 1, "the keyring", error);
}

orr_status orr_keyring_add_unlock(orr_keyring *keyring, const orr_passphrase *secret,
                                  const char *label, orr_error *error) {
    orr_unlock unlock = {.type = type_for(secret), .created = (int64_t)time(NULL)};
    uint8_t key[32];
    orr_status status = ORR_OK;
    if (unlock.type == ORR_UNLOCK_PASSPHRASE) {
        unlock.log2_n = keyring->log2_n;
        unlock.r = keyring->r;
        unlock.p = keyring->p;
    }
    if (keyring->unlock_count && keyring->unlocks[0].type == ORR_UNLOCK_NONE &&
        unlock.type != ORR_UNLOCK_NONE)
        status = orr_keyring_rekey(keyring, NULL, 0, error);
    if (!label) label = "";
    if (status == ORR_OK) status = check_addition(keyring, &unlock, label, error);
    if (status != ORR_OK) return status;
    memcpy(unlock.label, label, strlen(label));
    status = orr_random(unlock.id, sizeof unlock.id, error);
    if (status == ORR_OK) status = orr_random(unlock.salt, sizeof unlock.salt, error);
    if (status == ORR_OK) status = orr_unlock_derive(&unlock, secret, key, "the keyring", error);
    if (status == ORR_OK) status = wrap(keyring, &unlock, key, error);
    orr_wipe(key, sizeof key);
    if (status == ORR_OK) keyring->unlocks[keyring->unlock_count++] = unlock;
    return status;
}

void orr_keyring_drop_unlock(orr_keyring *keyring, size_t index) {
    size_t after = --keyring->unlock_count - index;
    memmove(&keyring->unlocks[index], &keyring->unlocks[index + 1],
            after * sizeof *keyring->unlocks);
}

orr_status orr_keyring_find_unlock(const orr_keyring *keyring, const char *name, size_t *index,
                                   orr_error *error) {
    orr_named named[ORR_KEYRING_MAX_UNLOCKS];
    for (size_t i = 0; i < keyring->unlock_count; i++)
        named[i] = (orr_named){keyring->unlocks[i].id, keyring->unlocks[i].label,
                               orr_unlock_type_name(keyring->unlocks[i].type)};
    return orr_name_find(named, keyring->unlock_count, name, "unlock", "keyring unlock list", index,
                         error);
}

orr_status orr_keyring_try_unlock(const orr_keyring *keyring, size_t index,
                                  const orr_passphrase *secret, orr_unlock_key *key,
                                  orr_error *error) {
    const orr_unlock *unlock = &keyring->unlocks[index];
    uint8_t held[32];
    orr_status status = ORR_KEY;
    if (unlock->type == type_for(secret)) {
        status = orr_unlock_derive(unlock, secret, key->key, "the keyring", error);
        if (status != ORR_OK) return status;
        status = orr_kwp_unwrap(key->key, unlock->wrapped, sizeof unlock->wrapped, held, 32);
        orr_wipe(held, sizeof held);
    }
    memcpy(key->id, unlock->id, sizeof key->id);
    if (status == ORR_OK) return ORR_OK;
    orr_wipe(key->key, sizeof key->key);
    return orr_fail(error, ORR_KEY, "that is not the %s of this unlock",
                    unlock->type == ORR_UNLOCK_CODE ? "recovery code" : "passphrase");
}

orr_status orr_keyring_rekey(orr_keyring *keyring, const orr_unlock_key *keys, size_t count,
                             orr_error *error) {
    size_t kept = 0;
    orr_status status = orr_random(keyring->key, sizeof keyring->key, error);
    for (size_t i = 0; i < keyring->unlock_count && status == ORR_OK; i++) {
        orr_unlock unlock = keyring->unlocks[i];
        for (size_t j = 0; j < count; j++) {
            if (memcmp(unlock.id, keys[j].id, sizeof unlock.id) != 0) continue;
            status = wrap(keyring, &unlock, keys[j].key, error);
            keyring->unlocks[kept++] = unlock;
            break;
        }
    }
    if (status == ORR_OK) keyring->unlock_count = kept;
    return status;
}
