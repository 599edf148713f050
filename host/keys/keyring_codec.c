#include "host/keys/keyring_codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/keys/unlock.h"

static const char PAYLOAD_KEY[] = "orrery v1 keyring payload";

size_t orr_keyring_head_bytes(size_t unlocks) {
    return ORR_KEYRING_HEADER_BYTES + unlocks * ORR_KEYRING_UNLOCK_BYTES;
}

// ---- the head

orr_status orr_keyring_version(const uint8_t *file, uint64_t bytes, const char *name,
                               unsigned *version, orr_error *error) {
    if (bytes < 8 || memcmp(file, ORR_KEYRING_MAGIC, 8) != 0)
        return orr_fail(error, ORR_NOT_ORRERY, "%s: not an Orrery keyring", name);
    if (bytes < ORR_KEYRING_HEADER_BYTES)
        return orr_fail(error, ORR_KEY, "%s: the keyring is truncated; restore it from a copy",
                        name);
    *version = orr_load_le16(file + 8);
    return ORR_OK;
}

static orr_status check_version(unsigned version, const char *name, orr_error *error) {
    if (version == 2) return ORR_OK;
    if (version == 1)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: a keyring of version 1: `orrery keyring convert -k KEYRING` makes it "
                        "one of version 2, and keeps the old file beside it",
                        name);
    return orr_fail(error, ORR_UNSUPPORTED, "%s: keyring version %u; this program reads version 2",
                    name, version);
}

static size_t payload_size(size_t unlocks, size_t keys, size_t decoys) {
    return ORR_KEYRING_PAYLOAD_HEAD + unlocks * ORR_LABEL_BYTES + keys * ORR_KEYRING_KEY_RECORD +
           decoys * ORR_DECOY_RECORD;
}

static void unlock_encode(const orr_unlock *unlock, uint8_t out[ORR_KEYRING_UNLOCK_BYTES]) {
    memset(out, 0, ORR_KEYRING_UNLOCK_BYTES);
    orr_store_le16(out, (uint16_t)unlock->type);
    orr_store_le32(out + 4, unlock->log2_n);
    orr_store_le32(out + 8, unlock->r);
    orr_store_le32(out + 12, unlock->p);
    memcpy(out + 16, unlock->id, sizeof unlock->id);
    memcpy(out + 32, unlock->salt, sizeof unlock->salt);
    memcpy(out + 64, unlock->wrapped, sizeof unlock->wrapped);
    orr_store_le64(out + 104, (uint64_t)unlock->created);
}

static orr_status unlock_decode(orr_unlock *unlock, const uint8_t in[ORR_KEYRING_UNLOCK_BYTES],
                                const char *name, orr_error *error) {
    unsigned type = orr_load_le16(in);
    memset(unlock, 0, sizeof *unlock);
    unlock->type = (orr_unlock_type)type;
    unlock->log2_n = orr_load_le32(in + 4);
    unlock->r = orr_load_le32(in + 8);
    unlock->p = orr_load_le32(in + 12);
    memcpy(unlock->id, in + 16, sizeof unlock->id);
    memcpy(unlock->salt, in + 32, sizeof unlock->salt);
    memcpy(unlock->wrapped, in + 64, sizeof unlock->wrapped);
    unlock->created = (int64_t)orr_load_le64(in + 104);
    if (type < ORR_UNLOCK_PASSPHRASE || type > ORR_UNLOCK_NONE)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: unknown type %u of unlock", name, type);
    int cost = unlock->log2_n || unlock->r || unlock->p;
    if (!orr_all_zero(in + 2, 2) || !orr_all_zero(in + 112, 16) ||
        (type != ORR_UNLOCK_PASSPHRASE && cost))
        return orr_fail(error, ORR_UNSUPPORTED, "%s: an unlock has a field that must be zero",
                        name);
    return ORR_OK;
}

// What no single unlock shows.
static orr_status unlocks_check(const orr_keyring_head *head, const char *name, orr_error *error) {
    for (size_t i = 0; i < head->unlock_count; i++) {
        if (head->unlocks[i].type == ORR_UNLOCK_NONE && head->unlock_count > 1)
            return orr_fail(error, ORR_UNSUPPORTED,
                            "%s: opens without a passphrase, and with one beside it", name);
        for (size_t j = 0; j < i; j++)
            if (!memcmp(head->unlocks[i].id, head->unlocks[j].id, ORR_KEY_ID_BYTES))
                return orr_fail(error, ORR_UNSUPPORTED, "%s: two unlocks have one ID", name);
    }
    return orr_unlocks_check(head->unlocks, head->unlock_count, name, error);
}

orr_status orr_keyring_head_decode(orr_keyring_head *head, const uint8_t *file, uint64_t file_bytes,
                                   const char *name, orr_error *error) {
    unsigned version = 0;
    orr_status status = orr_keyring_version(file, file_bytes, name, &version, error);
    if (status == ORR_OK) status = check_version(version, name, error);
    if (status != ORR_OK) return status;
    head->unlock_count = orr_load_le16(file + 10);
    head->payload_bytes = orr_load_le32(file + 12);
    memcpy(head->nonce, file + 16, sizeof head->nonce);
    memcpy(head->salt, file + 32, sizeof head->salt);
    size_t n = head->unlock_count;
    if (n < 1 || n > ORR_KEYRING_MAX_UNLOCKS || !orr_all_zero(file + 28, 4))
        return orr_fail(error, ORR_UNSUPPORTED, "%s: %zu unlocks, or a byte that must be zero",
                        name, n);
    if (head->payload_bytes < payload_size(n, 1, 0) ||
        head->payload_bytes > payload_size(n, ORR_KEYRING_MAX_KEYS, ORR_KEYRING_MAX_DECOYS))
        return orr_fail(error, ORR_UNSUPPORTED, "%s: a payload of %u bytes is not possible", name,
                        head->payload_bytes);
    uint64_t expected = orr_keyring_head_bytes(n) + (uint64_t)head->payload_bytes + ORR_GCM_TAG;
    if (file_bytes != expected)
        return orr_fail(
            error, ORR_KEY,
            "%s: the keyring is damaged: %llu bytes where its header says %llu; restore it "
            "from a copy",
            name, (unsigned long long)file_bytes, (unsigned long long)expected);
    for (size_t i = 0; i < n && status == ORR_OK; i++)
        status = unlock_decode(&head->unlocks[i], file + orr_keyring_head_bytes(i), name, error);
    return status == ORR_OK ? unlocks_check(head, name, error) : status;
}

static void head_encode(const orr_keyring_head *head, uint8_t *out) {
    memset(out, 0, ORR_KEYRING_HEADER_BYTES);
    memcpy(out, ORR_KEYRING_MAGIC, 8);
    orr_store_le16(out + 8, 2);
    orr_store_le16(out + 10, (uint16_t)head->unlock_count);
    orr_store_le32(out + 12, head->payload_bytes);
    memcpy(out + 16, head->nonce, sizeof head->nonce);
    memcpy(out + 32, head->salt, sizeof head->salt);
    for (size_t i = 0; i < head->unlock_count; i++)
        unlock_encode(&head->unlocks[i], out + orr_keyring_head_bytes(i));
}

// ---- the payload

static void payload_encode(const orr_keyring *keyring, uint8_t *out) {
    orr_store_le32(out, (uint32_t)keyring->key_count);
    orr_store_le32(out + 4, (uint32_t)keyring->decoy_count);
    memcpy(out + 8, keyring->generator_hash, 32);
    out += ORR_KEYRING_PAYLOAD_HEAD;
    for (size_t i = 0; i < keyring->unlock_count; i++, out += ORR_LABEL_BYTES)
        orr_label_store(keyring->unlocks[i].label, out);
    for (size_t i = 0; i < keyring->key_count; i++, out += ORR_KEYRING_KEY_RECORD) {
        const orr_master_key *key = &keyring->keys[i];
        memcpy(out, key->id, ORR_KEY_ID_BYTES);
        memcpy(out + 16, key->key, 32);
        orr_store_le32(out + 48, (uint32_t)key->state);
        orr_store_le32(out + 52, 0);
        orr_store_le64(out + 56, (uint64_t)key->created);
        orr_label_store(key->label, out + 64);
        memcpy(out + 128, key->x25519_private, 32);
        memcpy(out + 160, key->x25519_public, 32);
    }
    orr_decoys_store(keyring->decoys, keyring->decoy_count, out);
}

orr_status orr_keyring_key_decode(orr_master_key *key, const uint8_t in[128], const char **why) {
    uint8_t id[ORR_KEY_ID_BYTES];
    memcpy(key->id, in, ORR_KEY_ID_BYTES);
    memcpy(key->key, in + 16, 32);
    uint32_t state = orr_load_le32(in + 48);
    key->state = (orr_key_state)state;
    key->created = (int64_t)orr_load_le64(in + 56);
    *why = "a key's state";
    if (state < ORR_KEY_ACTIVE || state > ORR_KEY_DESTROYED || orr_load_le32(in + 52))
        return ORR_UNSUPPORTED;
    *why = "a key's label";
    if (!orr_label_load(key->label, in + 64)) return ORR_UNSUPPORTED;
    if (state == ORR_KEY_DESTROYED) {
        *why = "a destroyed key";
        return orr_all_zero(key->key, 32) ? ORR_OK : ORR_UNSUPPORTED;
    }
    *why = "a key's ID";
    if (orr_master_key_id(key->key, id, NULL) != ORR_OK) return ORR_INTERNAL;
    return memcmp(id, key->id, sizeof id) ? ORR_UNSUPPORTED : ORR_OK;
}

static orr_status pair_decode(orr_master_key *key, const uint8_t in[64], const char **why) {
    uint8_t public_key[32];
    memcpy(key->x25519_private, in, 32);
    memcpy(key->x25519_public, in + 32, 32);
    *why = "a destroyed key";
    if (key->state == ORR_KEY_DESTROYED)
        return orr_all_zero(key->x25519_private, 32) ? ORR_OK : ORR_UNSUPPORTED;
    *why = "a key's X25519 pair";
    if (orr_x25519_public(key->x25519_private, public_key) != ORR_OK) return ORR_INTERNAL;
    return memcmp(public_key, key->x25519_public, 32) ? ORR_UNSUPPORTED : ORR_OK;
}

orr_status orr_keyring_keys_check(const orr_keyring *keyring, const char **why) {
    size_t active = 0;
    for (size_t i = 0; i < keyring->key_count; i++) {
        active += keyring->keys[i].state == ORR_KEY_ACTIVE;
        *why = "a key ID that is there twice";
        for (size_t j = 0; j < i; j++)
            if (!memcmp(keyring->keys[i].id, keyring->keys[j].id, ORR_KEY_ID_BYTES))
                return ORR_UNSUPPORTED;
    }
    *why = "more than one active key";
    return active <= 1 ? ORR_OK : ORR_UNSUPPORTED;
}

orr_status orr_keyring_decoys_decode(orr_keyring *keyring, const uint8_t *in, const char **why) {
    *why = "a decoy's sum";
    return orr_decoys_load(keyring->decoys, keyring->decoy_count, in) ? ORR_OK : ORR_UNSUPPORTED;
}

orr_status orr_keyring_counts_decode(orr_keyring *keyring, const uint8_t *payload,
                                     const char **why) {
    uint32_t keys = orr_load_le32(payload), decoys = orr_load_le32(payload + 4);
    *why = "the number of keys or decoys";
    if (keys < 1 || keys > ORR_KEYRING_MAX_KEYS || decoys > ORR_KEYRING_MAX_DECOYS)
        return ORR_UNSUPPORTED;
    memcpy(keyring->generator_hash, payload + 8, 32);
    keyring->keys = calloc(keys, sizeof *keyring->keys);
    keyring->decoys = calloc(decoys ? decoys : 1, sizeof *keyring->decoys);
    *why = "memory running out";
    if (keyring->keys) keyring->key_count = keys;
    if (keyring->decoys) keyring->decoy_count = keyring->decoy_room = decoys;
    return keyring->keys && keyring->decoys ? ORR_OK : ORR_INTERNAL;
}

orr_status orr_keyring_decode_failed(orr_keyring *keyring, orr_status status, const char *name,
                                     const char *why, orr_error *error) {
    orr_keyring_free(keyring);
    return orr_fail(error, status, "%s: the keyring was not written by this program: %s is wrong",
                    name, why);
}

orr_status orr_keyring_payload_decode(orr_keyring *keyring, const uint8_t *payload, size_t bytes,
                                      const char *name, orr_error *error) {
    orr_status status = ORR_UNSUPPORTED;
    const char *why = "its length";
    if (bytes < ORR_KEYRING_PAYLOAD_HEAD) goto end;
    status = orr_keyring_counts_decode(keyring, payload, &why);
    if (status != ORR_OK) goto end;
    why = "its length";
    status = ORR_UNSUPPORTED;
    if (bytes != payload_size(keyring->unlock_count, keyring->key_count, keyring->decoy_count))
        goto end;
    const uint8_t *at = payload + ORR_KEYRING_PAYLOAD_HEAD;
    why = "an unlock's label";
    for (size_t i = 0; i < keyring->unlock_count; i++, at += ORR_LABEL_BYTES)
        if (!orr_label_load(keyring->unlocks[i].label, at)) goto end;
    for (size_t i = 0; i < keyring->key_count; i++, at += ORR_KEYRING_KEY_RECORD) {
        status = orr_keyring_key_decode(&keyring->keys[i], at, &why);
        if (status == ORR_OK) status = pair_decode(&keyring->keys[i], at + 128, &why);
        if (status != ORR_OK) goto end;
    }
    status = orr_keyring_keys_check(keyring, &why);
    if (status == ORR_OK) status = orr_keyring_decoys_decode(keyring, at, &why);
end:
    if (status == ORR_OK) return ORR_OK;
    return orr_keyring_decode_failed(keyring, status, name, why, error);
}

// ---- the whole

// With a salt of each write's own, a nonce that came twice would do no harm.
static orr_gcm *payload_cipher(const uint8_t keyring_key[32], const uint8_t salt[32]) {
    uint8_t prk[64], key[32];
    orr_gcm *gcm = NULL;
    if (orr_hkdf_extract(salt, 32, keyring_key, 32, prk) == ORR_OK &&
        orr_hkdf_expand(prk, PAYLOAD_KEY, strlen(PAYLOAD_KEY), key, sizeof key) == ORR_OK)
        gcm = orr_gcm_new(key);
    orr_wipe(prk, sizeof prk);
    orr_wipe(key, sizeof key);
    return gcm;
}

// Authenticates and decodes with the keyring key. keyring->unlocks are those of the head.
static orr_status open_with(orr_keyring *keyring, const orr_keyring_head *head, const uint8_t *file,
                            const uint8_t keyring_key[32], const char *name, orr_error *error) {
    size_t bytes = head->payload_bytes, before = orr_keyring_head_bytes(head->unlock_count);
    orr_status status = ORR_INTERNAL;
    uint8_t *payload = malloc(bytes);
    orr_gcm *gcm = payload_cipher(keyring_key, head->salt);
    if (!payload || !gcm) {
        orr_fail(error, status, "%s: out of memory", name);
        goto end;
    }
    status = orr_gcm_open(gcm, head->nonce, file, before, file + before, bytes, payload,
                          file + before + bytes);
    if (status == ORR_AUTH)
        status =
            orr_fail(error, ORR_KEY, "%s: the keyring is damaged; restore it from a copy", name);
    else if (status != ORR_OK)
        orr_fail(error, status, "%s: OpenSSL failed to open the keyring", name);
    if (status == ORR_OK) status = orr_keyring_payload_decode(keyring, payload, bytes, name, error);
end:
    orr_gcm_free(gcm);
    if (payload) orr_wipe(payload, bytes);
    free(payload);
    return status;
}

orr_status orr_keyring_open(orr_keyring *keyring, const uint8_t *file, size_t bytes,
                            const orr_passphrase *passphrase, const char *name, orr_error *error) {
    orr_keyring_head head;
    memset(keyring, 0, sizeof *keyring);
    orr_status status = orr_keyring_head_decode(&head, file, bytes, name, error);
    if (status != ORR_OK) return status;
    memcpy(keyring->unlocks, head.unlocks, head.unlock_count * sizeof *head.unlocks);
    keyring->unlock_count = head.unlock_count;
    status = orr_unlocks_open(head.unlocks, head.unlock_count, passphrase, keyring->key,
                              &keyring->opened, keyring->opened_key, name, error);
    if (status == ORR_OK) status = open_with(keyring, &head, file, keyring->key, name, error);
    if (status != ORR_OK) {
        orr_keyring_free(keyring);
        return status;
    }
    memcpy(keyring->seal, head.salt, sizeof head.salt);
    memcpy(keyring->seal + sizeof head.salt, head.nonce, sizeof head.nonce);
    keyring->log2_n = ORR_SCRYPT_LOG2_N;
    keyring->r = ORR_SCRYPT_R;
    keyring->p = ORR_SCRYPT_P;
    return ORR_OK;
}

static orr_status head_new(orr_keyring_head *head, const orr_keyring *keyring, const char *name,
                           orr_error *error) {
    memset(head, 0, sizeof *head);
    head->unlock_count = keyring->unlock_count;
    memcpy(head->unlocks, keyring->unlocks, sizeof head->unlocks);
    head->payload_bytes =
        (uint32_t)payload_size(keyring->unlock_count, keyring->key_count, keyring->decoy_count);
    orr_status status = unlocks_check(head, name, error);
    if (status == ORR_OK) status = orr_random(head->salt, sizeof head->salt, error);
    return status != ORR_OK ? status : orr_random(head->nonce, sizeof head->nonce, error);
}

// Does what was sealed come back? A keyring that does not open must never take the place of one
// that does.
static orr_status check_sealed(const orr_keyring *keyring, const uint8_t *file, size_t bytes,
                               const char *name, orr_error *error) {
    orr_keyring copy = {0};
    orr_keyring_head head;
    orr_status status = orr_keyring_head_decode(&head, file, bytes, name, error);
    if (status != ORR_OK) return status;
    copy.unlock_count = head.unlock_count;
    status = open_with(&copy, &head, file, keyring->key, name, error);
    if (status == ORR_OK) orr_keyring_free(&copy);
    return status;
}

// Seals into file, which has room.
static orr_status seal_with(const orr_keyring *keyring, const orr_keyring_head *head, uint8_t *file,
                            const char *name, orr_error *error) {
    size_t before = orr_keyring_head_bytes(head->unlock_count), bytes = head->payload_bytes;
    uint8_t *body = file + before;
    orr_gcm *gcm = payload_cipher(keyring->key, head->salt);
    if (!gcm) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    head_encode(head, file);
    payload_encode(keyring, body);
    orr_status status =
        orr_gcm_seal(gcm, head->nonce, file, before, body, bytes, body, body + bytes);
    orr_gcm_free(gcm);
    if (status == ORR_OK)
        return check_sealed(keyring, file, before + bytes + ORR_GCM_TAG, name, error);
    orr_wipe(body, bytes);
    return orr_fail(error, status, "%s: OpenSSL failed to seal the keyring", name);
}

orr_status orr_keyring_seal(const orr_keyring *keyring, const char *name, uint8_t **file,
                            size_t *bytes, orr_error *error) {
    orr_keyring_head head;
    *file = NULL;
    *bytes = 0;
    if (keyring->key_count > ORR_KEYRING_MAX_KEYS ||
        keyring->decoy_count > ORR_KEYRING_MAX_DECOYS || !keyring->unlock_count ||
        keyring->unlock_count > ORR_KEYRING_MAX_UNLOCKS)
        return orr_fail(error, ORR_INTERNAL, "%s: too many keys or decoys, or no way in", name);
    orr_status status = head_new(&head, keyring, name, error);
    if (status != ORR_OK) return status;
    *bytes = orr_keyring_head_bytes(head.unlock_count) + head.payload_bytes + ORR_GCM_TAG;
    *file = malloc(*bytes);
    status = *file ? seal_with(keyring, &head, *file, name, error)
                   : orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    if (status != ORR_OK) {
        free(*file);
        *file = NULL;
    }
    return status;
}
