#include "host/keys/keyring_codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static const char MAGIC[8] = {'O', 'R', 'R', 'K', 'E', 'Y', 'R', 'G'};
static const char NO_PASSPHRASE[] = "orrery v1 keyring without passphrase";

// A sum above this cannot come from an image that orr_decoy_from_image or the generator accepts.
#define MAX_SUM (255ull << 26)

orr_status orr_keyring_cost_check(unsigned log2_n, unsigned r, unsigned p, const char *name,
                                  orr_error *error) {
    int ok = log2_n >= 1 && log2_n <= 24 && r >= 1 && r <= 64 && p >= 1 && p <= 4;
    ok = ok && ((uint64_t)128 << log2_n) * r <= (uint64_t)1 << 30;
    ok = ok && log2_n < 16 * r;
    if (ok) return ORR_OK;
    return orr_fail(
        error, ORR_UNSUPPORTED,
        "%s: asks for scrypt with N = 2^%u, r = %u, p = %u; at most 1 GiB (128 * N * r), N = "
        "2^24, r = 64 and p = 4 are accepted",
        name, log2_n, r, p);
}

orr_status orr_keyring_header_decode(orr_keyring_header *header, const uint8_t *file,
                                     uint64_t file_bytes, const char *name, orr_error *error) {
    if (file_bytes < sizeof MAGIC || memcmp(file, MAGIC, sizeof MAGIC))
        return orr_fail(error, ORR_NOT_ORRERY, "%s: not an Orrery keyring", name);
    if (file_bytes < ORR_KEYRING_HEADER_BYTES)
        return orr_fail(error, ORR_KEY, "%s: the keyring is truncated; restore it from a copy",
                        name);
    if (orr_load_le16(file + 8) != 1)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: keyring version %u; this program reads version 1", name,
                        orr_load_le16(file + 8));
    uint16_t kdf = orr_load_le16(file + 10);
    if (kdf > ORR_KDF_SCRYPT)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: unknown key derivation %u", name, kdf);
    header->kdf = (orr_keyring_kdf)kdf;
    header->log2_n = orr_load_le32(file + 12);
    header->r = orr_load_le32(file + 16);
    header->p = orr_load_le32(file + 20);
    memcpy(header->salt, file + 24, 32);
    memcpy(header->nonce, file + 56, ORR_GCM_NONCE);
    header->payload_bytes = orr_load_le32(file + 68);
    if (kdf == ORR_KDF_NONE && (header->log2_n || header->r || header->p))
        return orr_fail(error, ORR_UNSUPPORTED, "%s: scrypt cost without scrypt", name);
    if (kdf == ORR_KDF_SCRYPT) {
        orr_status status =
            orr_keyring_cost_check(header->log2_n, header->r, header->p, name, error);
        if (status != ORR_OK) return status;
    }
    if (header->payload_bytes < ORR_KEYRING_PAYLOAD_HEAD ||
        header->payload_bytes > ORR_KEYRING_MAX_PAYLOAD)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: payload of %u bytes; %u..%u are possible",
                        name, header->payload_bytes, ORR_KEYRING_PAYLOAD_HEAD,
                        ORR_KEYRING_MAX_PAYLOAD);
    uint64_t expected = (uint64_t)ORR_KEYRING_HEADER_BYTES + header->payload_bytes + ORR_GCM_TAG;
    if (file_bytes != expected)
        return orr_fail(
            error, ORR_KEY,
            "%s: the keyring is damaged: %llu bytes where its header says %llu; restore it "
            "from a copy",
            name, (unsigned long long)file_bytes, (unsigned long long)expected);
    return ORR_OK;
}

static void header_encode(const orr_keyring_header *header, uint8_t out[ORR_KEYRING_HEADER_BYTES]) {
    memcpy(out, MAGIC, sizeof MAGIC);
    orr_store_le16(out + 8, 1);
    orr_store_le16(out + 10, (uint16_t)header->kdf);
    orr_store_le32(out + 12, header->log2_n);
    orr_store_le32(out + 16, header->r);
    orr_store_le32(out + 20, header->p);
    memcpy(out + 24, header->salt, 32);
    memcpy(out + 56, header->nonce, ORR_GCM_NONCE);
    orr_store_le32(out + 68, header->payload_bytes);
}

static size_t payload_size(const orr_keyring *keyring) {
    return ORR_KEYRING_PAYLOAD_HEAD + keyring->key_count * ORR_KEYRING_KEY_RECORD +
           keyring->decoy_count * ORR_KEYRING_DECOY_RECORD;
}

static void payload_encode(const orr_keyring *keyring, uint8_t *out) {
    orr_store_le32(out, (uint32_t)keyring->key_count);
    orr_store_le32(out + 4, (uint32_t)keyring->decoy_count);
    memcpy(out + 8, keyring->generator_hash, 32);
    out += ORR_KEYRING_PAYLOAD_HEAD;
    for (size_t i = 0; i < keyring->key_count; i++, out += ORR_KEYRING_KEY_RECORD) {
        const orr_master_key *key = &keyring->keys[i];
        memcpy(out, key->id, ORR_KEY_ID_BYTES);
        memcpy(out + 16, key->key, 32);
        orr_store_le32(out + 48, (uint32_t)key->state);
        orr_store_le32(out + 52, 0);
        orr_store_le64(out + 56, (uint64_t)key->created);
        memset(out + 64, 0, ORR_LABEL_BYTES);
        memcpy(out + 64, key->label, strnlen(key->label, ORR_LABEL_BYTES - 1));
    }
    for (size_t i = 0; i < keyring->decoy_count; i++, out += ORR_KEYRING_DECOY_RECORD)
        for (int c = 0; c < 3; c++) orr_store_le64(out + 8 * c, keyring->decoys[i].sum[c]);
}

// One key record. ORR_UNSUPPORTED with what is wrong in *why.
static orr_status key_decode(orr_master_key *key, const uint8_t *in, const char **why) {
    uint8_t id[ORR_KEY_ID_BYTES];
    memcpy(key->id, in, ORR_KEY_ID_BYTES);
    memcpy(key->key, in + 16, 32);
    uint32_t state = orr_load_le32(in + 48);
    key->state = (orr_key_state)state;
    key->created = (int64_t)orr_load_le64(in + 56);
    memcpy(key->label, in + 64, ORR_LABEL_BYTES);
    *why = "a key's state";
    if (state < ORR_KEY_ACTIVE || state > ORR_KEY_DESTROYED || orr_load_le32(in + 52))
        return ORR_UNSUPPORTED;
    *why = "a key's label";
    if (!orr_label_is_valid(key->label)) return ORR_UNSUPPORTED;
    size_t length = strlen(key->label);
    if (!orr_all_zero(in + 64 + length, ORR_LABEL_BYTES - length)) return ORR_UNSUPPORTED;
    if (state == ORR_KEY_DESTROYED) {
        *why = "a destroyed key";
        return orr_all_zero(key->key, 32) ? ORR_OK : ORR_UNSUPPORTED;
    }
    *why = "a key's ID";
    if (orr_master_key_id(key->key, id, NULL)) return ORR_INTERNAL;
    return memcmp(id, key->id, sizeof id) ? ORR_UNSUPPORTED : ORR_OK;
}

// What no single record shows: one active key at most, no ID twice.
static orr_status keys_check(const orr_keyring *keyring, const char **why) {
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

orr_status orr_keyring_payload_decode(orr_keyring *keyring, const uint8_t *payload, size_t bytes,
                                      const char *name, orr_error *error) {
    orr_status status = ORR_UNSUPPORTED;
    const char *why = "its length";
    memset(keyring, 0, sizeof *keyring);
    if (bytes < ORR_KEYRING_PAYLOAD_HEAD) goto end;
    uint32_t keys = orr_load_le32(payload), decoys = orr_load_le32(payload + 4);
    why = "the number of keys or decoys";
    if (keys < 1 || keys > ORR_KEYRING_MAX_KEYS || decoys > ORR_KEYRING_MAX_DECOYS) goto end;
    keyring->key_count = keys;
    keyring->decoy_count = decoys;
    why = "its length";
    if (bytes != payload_size(keyring)) goto end;
    memcpy(keyring->generator_hash, payload + 8, 32);
    keyring->keys = calloc(keys, sizeof *keyring->keys);
    keyring->decoys = calloc(decoys ? decoys : 1, sizeof *keyring->decoys);
    status = ORR_INTERNAL;
    why = "memory running out";
    if (!keyring->keys || !keyring->decoys) goto end;
    const uint8_t *at = payload + ORR_KEYRING_PAYLOAD_HEAD;
    for (uint32_t i = 0; i < keys; i++, at += ORR_KEYRING_KEY_RECORD)
        if ((status = key_decode(&keyring->keys[i], at, &why)) != ORR_OK) goto end;
    if ((status = keys_check(keyring, &why)) != ORR_OK) goto end;
    for (uint32_t i = 0; i < decoys; i++, at += ORR_KEYRING_DECOY_RECORD)
        for (int c = 0; c < 3; c++) {
            keyring->decoys[i].sum[c] = orr_load_le64(at + 8 * c);
            why = "a decoy's sum";
            if (keyring->decoys[i].sum[c] > MAX_SUM) status = ORR_UNSUPPORTED;
        }
end:
    if (status == ORR_OK) return ORR_OK;
    // The counts may be larger than what was allocated.
    if (!keyring->keys) keyring->key_count = 0;
    if (!keyring->decoys) keyring->decoy_count = 0;
    orr_keyring_free(keyring);
    return orr_fail(error, status, "%s: the keyring was not written by this program: %s is wrong",
                    name, why);
}

// The key that seals the file. Without a passphrase it follows from the header alone: the seal then
// finds damage and the file mode is the only protection.
static orr_status sealing_key(const orr_keyring_header *header, const orr_passphrase *passphrase,
                              uint8_t key[32], const char *name, orr_error *error) {
    orr_status status;
    if (header->kdf == ORR_KDF_SCRYPT) {
        status = orr_scrypt(passphrase->bytes, passphrase->length, header->salt, header->log2_n,
                            header->r, header->p, key);
        if (status == ORR_OK) return ORR_OK;
        return orr_fail(
            error, status, "%s: scrypt failed; it needs %llu MiB of memory", name,
            (unsigned long long)((((uint64_t)128 << header->log2_n) * header->r) >> 20));
    }
    uint8_t prk[64];
    status = orr_hkdf_extract(header->salt, 32, NO_PASSPHRASE, strlen(NO_PASSPHRASE), prk);
    if (status == ORR_OK) status = orr_hkdf_expand(prk, "orrery v1 keyring key", 21, key, 32);
    orr_wipe(prk, sizeof prk);
    if (status != ORR_OK)
        return orr_fail(error, status, "%s: OpenSSL could not derive a key", name);
    return ORR_OK;
}

// Authenticates and decodes with a derived key.
static orr_status open_with(orr_keyring *keyring, const orr_keyring_header *header,
                            const uint8_t *file, const uint8_t key[32], const char *name,
                            orr_error *error) {
    size_t bytes = header->payload_bytes;
    orr_status status = ORR_INTERNAL;
    uint8_t *payload = malloc(bytes);
    orr_gcm *gcm = orr_gcm_new(key);
    if (!payload || !gcm) {
        orr_fail(error, status, "%s: out of memory", name);
        goto end;
    }
    status = orr_gcm_open(gcm, header->nonce, file, ORR_KEYRING_HEADER_BYTES,
                          file + ORR_KEYRING_HEADER_BYTES, bytes, payload,
                          file + ORR_KEYRING_HEADER_BYTES + bytes);
    if (status == ORR_AUTH && header->kdf == ORR_KDF_SCRYPT)
        status = orr_fail(
            error, ORR_KEY,
            "%s: wrong passphrase, or the keyring is damaged (the seal cannot tell which)", name);
    else if (status == ORR_AUTH)
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
    orr_keyring_header header;
    uint8_t key[32];
    memset(keyring, 0, sizeof *keyring);
    orr_status status = orr_keyring_header_decode(&header, file, bytes, name, error);
    if (status != ORR_OK) return status;
    int sealed = header.kdf == ORR_KDF_SCRYPT;
    if (sealed && (!passphrase || !passphrase->present))
        return orr_fail(error, ORR_KEY, "%s: this keyring needs its passphrase", name);
    if (!sealed && passphrase && passphrase->present)
        return orr_fail(error, ORR_KEY,
                        "%s: this keyring takes no passphrase, and one was given: if it is not "
                        "meant to be without, somebody may have put another keyring in its place",
                        name);
    status = sealing_key(&header, passphrase, key, name, error);
    if (status == ORR_OK) status = open_with(keyring, &header, file, key, name, error);
    orr_wipe(key, sizeof key);
    if (status != ORR_OK) return status;
    memcpy(keyring->seal, header.salt, sizeof header.salt);
    memcpy(keyring->seal + sizeof header.salt, header.nonce, sizeof header.nonce);
    keyring->has_passphrase = sealed;
    keyring->log2_n = sealed ? header.log2_n : ORR_SCRYPT_LOG2_N;
    keyring->r = sealed ? header.r : ORR_SCRYPT_R;
    keyring->p = sealed ? header.p : ORR_SCRYPT_P;
    return ORR_OK;
}

static orr_status header_new(orr_keyring_header *header, const orr_keyring *keyring, int sealed,
                             const char *name, orr_error *error) {
    memset(header, 0, sizeof *header);
    header->kdf = sealed ? ORR_KDF_SCRYPT : ORR_KDF_NONE;
    if (sealed) {
        header->log2_n = keyring->log2_n;
        header->r = keyring->r;
        header->p = keyring->p;
        orr_status status =
            orr_keyring_cost_check(header->log2_n, header->r, header->p, name, error);
        if (status != ORR_OK) return status;
    }
    header->payload_bytes = (uint32_t)payload_size(keyring);
    orr_status status = orr_random(header->salt, sizeof header->salt, error);
    return status != ORR_OK ? status : orr_random(header->nonce, sizeof header->nonce, error);
}

// Seals into file, which has room, and opens the result again: a keyring that does not open must
// never take the place of one that does.
static orr_status seal_with(const orr_keyring *keyring, const orr_keyring_header *header,
                            uint8_t *file, const uint8_t key[32], const char *name,
                            orr_error *error) {
    uint8_t *body = file + ORR_KEYRING_HEADER_BYTES;
    size_t bytes = header->payload_bytes;
    orr_keyring copy;
    orr_gcm *gcm = orr_gcm_new(key);
    if (!gcm) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    header_encode(header, file);
    payload_encode(keyring, body);
    orr_status status = orr_gcm_seal(gcm, header->nonce, file, ORR_KEYRING_HEADER_BYTES, body,
                                     bytes, body, body + bytes);
    orr_gcm_free(gcm);
    if (status != ORR_OK) {
        orr_wipe(body, bytes);
        return orr_fail(error, status, "%s: OpenSSL failed to seal the keyring", name);
    }
    status = open_with(&copy, header, file, key, name, error);
    if (status == ORR_OK) orr_keyring_free(&copy);
    return status;
}

orr_status orr_keyring_seal(const orr_keyring *keyring, const orr_passphrase *passphrase,
                            const char *name, uint8_t **file, size_t *bytes, orr_error *error) {
    orr_keyring_header header;
    uint8_t key[32];
    *file = NULL;
    *bytes = 0;
    if (keyring->key_count > ORR_KEYRING_MAX_KEYS || keyring->decoy_count > ORR_KEYRING_MAX_DECOYS)
        return orr_fail(error, ORR_INTERNAL, "%s: too many keys or decoys", name);
    int sealed = passphrase && passphrase->present;
    orr_status status = header_new(&header, keyring, sealed, name, error);
    if (status == ORR_OK) status = sealing_key(&header, passphrase, key, name, error);
    if (status != ORR_OK) return status;
    *bytes = ORR_KEYRING_HEADER_BYTES + (size_t)header.payload_bytes + ORR_GCM_TAG;
    *file = malloc(*bytes);
    status = *file ? seal_with(keyring, &header, *file, key, name, error)
                   : orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    orr_wipe(key, sizeof key);
    if (status != ORR_OK) {
        free(*file);
        *file = NULL;
    }
    return status;
}
