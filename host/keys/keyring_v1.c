// Keyring files of version 1 (docs/FORMAT.md, "Keyring file, version 1"): they are only read, to be
// converted.
#include "host/keys/keyring_codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/keys/unlock.h"

// What scrypt or its absence seals with is an unlock's key, so an unlock stands for the header.
typedef struct v1_header {
    orr_unlock unlock;
    uint8_t nonce[ORR_GCM_NONCE];
    uint32_t payload_bytes;
} v1_header;

static size_t payload_size(uint64_t keys, uint64_t decoys) {
    return ORR_KEYRING_PAYLOAD_HEAD + keys * ORR_KEYRING_V1_RECORD + decoys * ORR_DECOY_RECORD;
}

static orr_status header_decode(v1_header *header, const uint8_t *file, uint64_t file_bytes,
                                const char *name, orr_error *error) {
    unsigned version = 0;
    orr_status status = orr_keyring_version(file, file_bytes, name, &version, error);
    if (status != ORR_OK) return status;
    if (file_bytes < ORR_KEYRING_V1_HEADER)
        return orr_fail(error, ORR_KEY, "%s: the keyring is truncated; restore it from a copy",
                        name);
    unsigned kdf = orr_load_le16(file + 10);
    orr_unlock *unlock = &header->unlock;
    memset(unlock, 0, sizeof *unlock);
    unlock->type = kdf ? ORR_UNLOCK_PASSPHRASE : ORR_UNLOCK_NONE;
    unlock->log2_n = orr_load_le32(file + 12);
    unlock->r = orr_load_le32(file + 16);
    unlock->p = orr_load_le32(file + 20);
    memcpy(unlock->salt, file + 24, 32);
    memcpy(header->nonce, file + 56, ORR_GCM_NONCE);
    header->payload_bytes = orr_load_le32(file + 68);
    if (version != 1 || kdf > 1 || (!kdf && !orr_all_zero(file + 12, 12)))
        return orr_fail(error, ORR_UNSUPPORTED, "%s: unknown version or key derivation", name);
    if (header->payload_bytes < ORR_KEYRING_PAYLOAD_HEAD ||
        header->payload_bytes > payload_size(ORR_KEYRING_MAX_KEYS, ORR_KEYRING_MAX_DECOYS))
        return orr_fail(error, ORR_UNSUPPORTED, "%s: a payload of %u bytes is not possible", name,
                        header->payload_bytes);
    if (file_bytes != (uint64_t)ORR_KEYRING_V1_HEADER + header->payload_bytes + ORR_GCM_TAG)
        return orr_fail(error, ORR_KEY,
                        "%s: the keyring is damaged: its length is not what its header says; "
                        "restore it from a copy",
                        name);
    return orr_unlocks_check(unlock, 1, name, error);
}

orr_status orr_keyring_v1_needs_passphrase(const uint8_t *file, uint64_t file_bytes,
                                           const char *name, int *needs, orr_error *error) {
    v1_header header;
    orr_status status = header_decode(&header, file, file_bytes, name, error);
    if (status == ORR_OK) *needs = header.unlock.type == ORR_UNLOCK_PASSPHRASE;
    return status;
}

static orr_status payload_decode(orr_keyring *keyring, const uint8_t *payload, size_t bytes,
                                 const char *name, orr_error *error) {
    const char *why = "its length";
    orr_status status = orr_keyring_counts_decode(keyring, payload, &why);
    if (status != ORR_OK) goto end;
    why = "its length";
    status = ORR_UNSUPPORTED;
    if (bytes != payload_size(keyring->key_count, keyring->decoy_count)) goto end;
    const uint8_t *at = payload + ORR_KEYRING_PAYLOAD_HEAD;
    for (size_t i = 0; i < keyring->key_count; i++, at += ORR_KEYRING_V1_RECORD) {
        orr_master_key *key = &keyring->keys[i];
        status = orr_keyring_key_decode(key, at, &why);
        if (status == ORR_OK && key->state != ORR_KEY_DESTROYED)
            status = orr_master_key_pair(key, NULL);
        if (status != ORR_OK) goto end;
    }
    status = orr_keyring_keys_check(keyring, &why);
    if (status == ORR_OK) status = orr_keyring_decoys_decode(keyring, at, &why);
end:
    if (status == ORR_OK) return ORR_OK;
    return orr_keyring_decode_failed(keyring, status, name, why, error);
}

static orr_status open_with(orr_keyring *keyring, const v1_header *header, const uint8_t *file,
                            const uint8_t key[32], const char *name, orr_error *error) {
    size_t bytes = header->payload_bytes;
    const uint8_t *body = file + ORR_KEYRING_V1_HEADER;
    orr_status status = ORR_INTERNAL;
    uint8_t *payload = malloc(bytes);
    orr_gcm *gcm = orr_gcm_new(key);
    if (!payload || !gcm) {
        orr_fail(error, status, "%s: out of memory", name);
        goto end;
    }
    status = orr_gcm_open(gcm, header->nonce, file, ORR_KEYRING_V1_HEADER, body, bytes, payload,
                          body + bytes);
    if (status == ORR_AUTH)
        status =
            orr_fail(error, ORR_KEY, "%s: %sthe keyring is damaged%s", name,
                     header->unlock.type == ORR_UNLOCK_PASSPHRASE ? "wrong passphrase, or " : "",
                     header->unlock.type == ORR_UNLOCK_PASSPHRASE ? " (the seal cannot tell which)"
                                                                  : "; restore it from a copy");
    else if (status != ORR_OK)
        orr_fail(error, status, "%s: OpenSSL failed to open the keyring", name);
    if (status == ORR_OK) status = payload_decode(keyring, payload, bytes, name, error);
end:
    orr_gcm_free(gcm);
    if (payload) orr_wipe(payload, bytes);
    free(payload);
    return status;
}

orr_status orr_keyring_v1_open(orr_keyring *keyring, const uint8_t *file, size_t bytes,
                               const orr_passphrase *passphrase, const char *name,
                               orr_error *error) {
    v1_header header;
    uint8_t key[32];
    memset(keyring, 0, sizeof *keyring);
    orr_status status = header_decode(&header, file, bytes, name, error);
    if (status != ORR_OK) return status;
    int given = passphrase && passphrase->present;
    if (given && passphrase->is_code)
        return orr_fail(error, ORR_KEY, "%s: a keyring of version 1 has no recovery code", name);
    if (given != (header.unlock.type == ORR_UNLOCK_PASSPHRASE))
        return orr_fail(error, ORR_KEY,
                        given ? "%s: this keyring takes no passphrase, and one was given"
                              : "%s: this keyring needs its passphrase",
                        name);
    status = orr_unlock_derive(&header.unlock, passphrase, key, name, error);
    if (status == ORR_OK) status = open_with(keyring, &header, file, key, name, error);
    orr_wipe(key, sizeof key);
    if (status != ORR_OK) return status;
    keyring->log2_n = ORR_SCRYPT_LOG2_N;
    keyring->r = ORR_SCRYPT_R;
    keyring->p = ORR_SCRYPT_P;
    status = orr_random(keyring->key, sizeof keyring->key, error);
    if (status != ORR_OK) orr_keyring_free(keyring);
    return status;
}
