// Master keys and decoys in memory. keyring_codec.c knows the bytes, keyring_file.c the disk.
#include "host/keys/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "host/keys/name.h"

const char *orr_key_state_name(orr_key_state state) {
    switch (state) {
    case ORR_KEY_ACTIVE:
        return "active";
    case ORR_KEY_DECRYPT_ONLY:
        return "decrypt-only";
    case ORR_KEY_DESTROYED:
        return "destroyed";
    }
    return "unknown";
}

int orr_label_is_valid(const char *label) {
    return strnlen(label, ORR_LABEL_BYTES) < ORR_LABEL_BYTES && orr_text_is_plain(label);
}

static orr_status expand_key(const uint8_t key[32], const char *info, uint8_t *out, size_t bytes,
                             orr_error *error) {
    static const char salt[] = "orrery v1 master key";
    uint8_t prk[64];
    orr_status status = orr_hkdf_extract(salt, strlen(salt), key, 32, prk);
    if (status == ORR_OK) status = orr_hkdf_expand(prk, info, strlen(info), out, bytes);
    orr_wipe(prk, sizeof prk);
    if (status != ORR_OK) return orr_fail(error, status, "OpenSSL could not derive from a key");
    return ORR_OK;
}

orr_status orr_master_key_id(const uint8_t key[32], uint8_t id[ORR_KEY_ID_BYTES],
                             orr_error *error) {
    return expand_key(key, "orrery v1 key id", id, ORR_KEY_ID_BYTES, error);
}

void orr_master_key_copy_public(orr_master_key *copy, const orr_master_key *key) {
    memset(copy, 0, sizeof *copy);
    memcpy(copy->id, key->id, sizeof copy->id);
    memcpy(copy->label, key->label, sizeof copy->label);
    memcpy(copy->x25519_public, key->x25519_public, sizeof copy->x25519_public);
    copy->state = key->state;
    copy->created = key->created;
}

orr_status orr_master_key_pair(orr_master_key *key, orr_error *error) {
    orr_status status = expand_key(key->key, "orrery v1 key x25519", key->x25519_private,
                                   sizeof key->x25519_private, error);
    if (status != ORR_OK) return status;
    if (orr_x25519_public(key->x25519_private, key->x25519_public) == ORR_OK) return ORR_OK;
    return orr_fail(error, ORR_INTERNAL, "OpenSSL could not make an X25519 key");
}

void orr_keyring_free(orr_keyring *keyring) {
    if (keyring->keys) orr_wipe(keyring->keys, keyring->key_count * sizeof *keyring->keys);
    if (keyring->decoys) orr_wipe(keyring->decoys, keyring->decoy_count * sizeof *keyring->decoys);
    free(keyring->keys);
    free(keyring->decoys);
    orr_wipe(keyring, sizeof *keyring);
}

// realloc would leave a copy of the keys in freed memory.
static orr_status append_key(orr_keyring *keyring, const orr_master_key *key, orr_error *error) {
    size_t n = keyring->key_count;
    if (n >= ORR_KEYRING_MAX_KEYS)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "the keyring has %d keys, which is its limit; start another keyring",
                        ORR_KEYRING_MAX_KEYS);
    orr_master_key *grown = calloc(n + 1, sizeof *grown);
    if (!grown) return orr_fail(error, ORR_INTERNAL, "out of memory");
    if (n) memcpy(grown, keyring->keys, n * sizeof *grown);
    grown[n] = *key;
    if (keyring->keys) orr_wipe(keyring->keys, n * sizeof *keyring->keys);
    free(keyring->keys);
    keyring->keys = grown;
    keyring->key_count = n + 1;
    return ORR_OK;
}

static orr_status draw_key(orr_keyring *keyring, const char *label, orr_key_state state,
                           uint8_t id[ORR_KEY_ID_BYTES], orr_error *error) {
    orr_master_key key = {.state = state, .created = (int64_t)time(NULL)};
    if (!label) label = "";
    if (!orr_label_is_valid(label))
        return orr_fail(error, ORR_USAGE,
                        "a label is at most %d bytes of UTF-8 without control characters",
                        ORR_LABEL_BYTES - 1);
    memcpy(key.label, label, strlen(label));
    orr_status status = orr_random(key.key, sizeof key.key, error);
    if (status == ORR_OK) status = orr_master_key_id(key.key, key.id, error);
    if (status == ORR_OK) status = orr_master_key_pair(&key, error);
    if (status == ORR_OK) status = append_key(keyring, &key, error);
    if (status == ORR_OK && id) memcpy(id, key.id, ORR_KEY_ID_BYTES);
    orr_wipe(&key, sizeof key);
    return status;
}

orr_status orr_keyring_init(orr_keyring *keyring, const char *label, orr_error *error) {
    memset(keyring, 0, sizeof *keyring);
    keyring->log2_n = ORR_SCRYPT_LOG2_N;
    keyring->r = ORR_SCRYPT_R;
    keyring->p = ORR_SCRYPT_P;
    orr_status status = orr_random(keyring->key, sizeof keyring->key, error);
    if (status != ORR_OK) return status;
    return draw_key(keyring, label, ORR_KEY_ACTIVE, NULL, error);
}

orr_status orr_keyring_add(orr_keyring *keyring, const char *label, uint8_t id[ORR_KEY_ID_BYTES],
                           orr_error *error) {
    return draw_key(keyring, label, ORR_KEY_DECRYPT_ONLY, id, error);
}

orr_status orr_keyring_add_decoy(orr_keyring *keyring, const orr_decoy *decoy, orr_error *error) {
    size_t n = keyring->decoy_count;
    if (n >= ORR_KEYRING_MAX_DECOYS)
        return orr_fail(error, ORR_UNSUPPORTED, "a keyring holds at most %d decoys",
                        ORR_KEYRING_MAX_DECOYS);
    // One copy for each doubling, not for each image.
    if (n >= keyring->decoy_room) {
        const size_t room = n < 8 ? 16 : 2 * n;
        orr_decoy *grown = calloc(room, sizeof *grown);
        if (!grown) return orr_fail(error, ORR_INTERNAL, "out of memory");
        if (n) memcpy(grown, keyring->decoys, n * sizeof *grown);
        if (keyring->decoys) orr_wipe(keyring->decoys, n * sizeof *grown);
        free(keyring->decoys);
        keyring->decoys = grown;
        keyring->decoy_room = room;
    }
    keyring->decoys[n] = *decoy;
    keyring->decoy_count = n + 1;
    return ORR_OK;
}

static orr_master_key *key_by_id(const orr_keyring *keyring, const uint8_t id[ORR_KEY_ID_BYTES]) {
    for (size_t i = 0; i < keyring->key_count; i++)
        if (!memcmp(keyring->keys[i].id, id, ORR_KEY_ID_BYTES)) return &keyring->keys[i];
    return NULL;
}

static void destroy(orr_master_key *key) {
    orr_wipe(key->key, sizeof key->key);
    orr_wipe(key->x25519_private, sizeof key->x25519_private);
    key->state = ORR_KEY_DESTROYED;
}

orr_status orr_keyring_set_state(orr_keyring *keyring, const uint8_t id[ORR_KEY_ID_BYTES],
                                 orr_key_state state, orr_error *error) {
    char shown[ORR_SHOWN_ID];
    orr_master_key *key = key_by_id(keyring, id);
    orr_shown_id(id, key ? key->label : "", shown);
    if (!key) return orr_fail(error, ORR_KEY, "the keyring has no key %s", shown);
    if (state < ORR_KEY_ACTIVE || state > ORR_KEY_DESTROYED)
        return orr_fail(error, ORR_USAGE, "unknown key state %d", (int)state);
    if (key->state == state) return ORR_OK;
    if (key->state == ORR_KEY_DESTROYED)
        return orr_fail(error, ORR_KEY, "key %s is destroyed: its bytes are gone for good", shown);
    if (state == ORR_KEY_DESTROYED && key->state == ORR_KEY_ACTIVE)
        return orr_fail(error, ORR_USAGE,
                        "key %s is active; make another key active before destroying it", shown);
    if (state == ORR_KEY_ACTIVE)
        for (size_t i = 0; i < keyring->key_count; i++)
            if (keyring->keys[i].state == ORR_KEY_ACTIVE)
                keyring->keys[i].state = ORR_KEY_DECRYPT_ONLY;
    if (state == ORR_KEY_DESTROYED) destroy(key);
    key->state = state;
    return ORR_OK;
}

orr_status orr_keyring_find(const orr_keyring *keyring, const char *name,
                            const orr_master_key **key, orr_error *error) {
    orr_named named[ORR_KEYRING_MAX_KEYS];
    size_t index;
    *key = NULL;
    for (size_t i = 0; i < keyring->key_count; i++)
        named[i] = (orr_named){keyring->keys[i].id, keyring->keys[i].label,
                               orr_key_state_name(keyring->keys[i].state)};
    orr_status status =
        orr_name_find(named, keyring->key_count, name, "key", "keyring list", &index, error);
    if (status == ORR_OK) *key = &keyring->keys[index];
    return status;
}

// A key that both copies have.
static orr_status merge_key(orr_master_key *ours, const orr_master_key *other,
                            orr_keyring_merged *merged, orr_error *error) {
    char shown[ORR_SHOWN_ID];
    if (ours->state == ORR_KEY_DESTROYED) return ORR_OK;
    if (other->state == ORR_KEY_DESTROYED) {
        if (ours->state == ORR_KEY_ACTIVE)
            return orr_fail(error, ORR_USAGE,
                            "key %s is active here and destroyed in the other keyring; make "
                            "another key active before it is destroyed here too",
                            orr_shown_id(ours->id, ours->label, shown));
        destroy(ours);
        merged->destroyed++;
        return ORR_OK;
    }
    if (orr_equal_secret(ours->x25519_private, other->x25519_private, 32)) return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED,
                    "key %s has another X25519 key in the other keyring: one of the two was not "
                    "written by this program",
                    orr_shown_id(ours->id, ours->label, shown));
}

static int has_decoy(const orr_keyring *keyring, size_t count, const orr_decoy *decoy) {
    for (size_t i = 0; i < count; i++)
        if (!memcmp(&keyring->decoys[i], decoy, sizeof *decoy)) return 1;
    return 0;
}

static orr_status merge_decoys(orr_keyring *keyring, const orr_keyring *other,
                               orr_keyring_merged *merged, orr_error *error) {
    const size_t before = keyring->decoy_count;
    for (size_t i = 0; i < other->decoy_count; i++) {
        if (has_decoy(keyring, before, &other->decoys[i])) continue;
        if (keyring->decoy_count == ORR_KEYRING_MAX_DECOYS) {
            merged->decoys_left_out++;
            continue;
        }
        orr_status status = orr_keyring_add_decoy(keyring, &other->decoys[i], error);
        if (status != ORR_OK) return status;
        merged->decoys++;
    }
    if (!before)
        memcpy(keyring->generator_hash, other->generator_hash, sizeof keyring->generator_hash);
    else if (merged->decoys && memcmp(keyring->generator_hash, other->generator_hash, 32) != 0)
        memset(keyring->generator_hash, 0, sizeof keyring->generator_hash);
    return ORR_OK;
}

orr_status orr_keyring_merge(orr_keyring *keyring, const orr_keyring *other,
                             orr_keyring_merged *merged, orr_error *error) {
    orr_status status = ORR_OK;
    memset(merged, 0, sizeof *merged);
    for (size_t i = 0; i < other->key_count && status == ORR_OK; i++) {
        orr_master_key *ours = key_by_id(keyring, other->keys[i].id);
        if (ours) {
            status = merge_key(ours, &other->keys[i], merged, error);
            continue;
        }
        orr_master_key key = other->keys[i];
        if (key.state == ORR_KEY_ACTIVE) key.state = ORR_KEY_DECRYPT_ONLY;
        status = append_key(keyring, &key, error);
        orr_wipe(&key, sizeof key);
        merged->keys += status == ORR_OK;
    }
    return status == ORR_OK ? merge_decoys(keyring, other, merged, error) : status;
}

orr_status orr_keyring_active(const orr_keyring *keyring, const orr_master_key **key,
                              orr_error *error) {
    *key = NULL;
    for (size_t i = 0; i < keyring->key_count; i++)
        if (keyring->keys[i].state == ORR_KEY_ACTIVE) *key = &keyring->keys[i];
    if (*key) return ORR_OK;
    return orr_fail(
        error, ORR_KEY,
        "the keyring has no active key; make one active with `orrery keyring set-state`");
}

orr_status orr_keyring_lookup(void *keyring, const uint8_t key_id[ORR_KEY_ID_BYTES],
                              orr_unwrap_key *key, orr_error *error) {
    char shown[ORR_SHOWN_ID];
    const orr_master_key *found = key_by_id((const orr_keyring *)keyring, key_id);
    if (found && found->state != ORR_KEY_DESTROYED) {
        memcpy(key->master, found->key, sizeof key->master);
        memcpy(key->x25519, found->x25519_private, sizeof key->x25519);
        return ORR_OK;
    }
    orr_shown_id(key_id, found ? found->label : "", shown);
    if (found) return orr_fail(error, ORR_KEY, "master key %s was destroyed", shown);
    return orr_fail(error, ORR_KEY, "the keyring has no master key %s", shown);
}
