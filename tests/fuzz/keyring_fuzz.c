// Keyring files. Byte 0 chooses: the rest is a whole file (of version 1 too), a payload, or a
// payload whose key IDs, pairs and seal are put right first, so that the checks behind them are
// reached.
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/keys/keyring_codec.h"
#include "host/keys/unlock.h"
#include "tests/fuzz/fuzz.h"

static const orr_passphrase passphrase = {.bytes = "fuzz", .length = 4, .present = 1};
static const orr_passphrase code = {
    .bytes = "fuzz", .length = ORR_CODE_BYTES, .present = 1, .is_code = 1};

// What opened has to seal and open again, with the same content.
static void check_round_trip(orr_keyring *keyring) {
    orr_error error = {0};
    orr_keyring again;
    uint8_t *file = NULL;
    size_t bytes = 0;
    keyring->log2_n = keyring->r = keyring->p = 1;
    keyring->unlock_count = 0;
    fuzz_check_ok(orr_keyring_add_unlock(keyring, &passphrase, "fuzz", &error), &error,
                  "a passphrase can be added");
    fuzz_check_ok(orr_keyring_add_unlock(keyring, &code, "code", &error), &error,
                  "a recovery code can be added");
    fuzz_check_ok(orr_keyring_seal(keyring, "keyring", &file, &bytes, &error), &error,
                  "a keyring that opened can be sealed");
    fuzz_check_ok(orr_keyring_open(&again, file, bytes, &code, "keyring", &error), &error,
                  "a sealed keyring opens with its code");
    orr_keyring_free(&again);
    fuzz_check_ok(orr_keyring_open(&again, file, bytes, &passphrase, "keyring", &error), &error,
                  "a sealed keyring opens");
    fuzz_check(again.key_count == keyring->key_count && again.decoy_count == keyring->decoy_count,
               "keys and decoys are all there");
    for (size_t i = 0; i < again.key_count; i++) {
        const orr_master_key *a = &again.keys[i], *b = &keyring->keys[i];
        fuzz_check(!memcmp(a->id, b->id, sizeof a->id) && !memcmp(a->key, b->key, 32) &&
                       !memcmp(a->x25519_private, b->x25519_private, 32) &&
                       !memcmp(a->x25519_public, b->x25519_public, 32) && a->state == b->state &&
                       a->created == b->created && strcmp(a->label, b->label) == 0,
                   "keys come back as they were");
    }
    fuzz_check(again.decoy_count == 0 ||
                   !memcmp(again.decoys, keyring->decoys, again.decoy_count * sizeof *again.decoys),
               "decoys come back as they were");
    orr_keyring_free(&again);
    free(file);
}

// The changes of `keyring set-state` and `keyring add`, and what `encrypt` asks.
static void use(orr_keyring *keyring, unsigned choice) {
    orr_error error = {0};
    const orr_master_key *key;
    orr_file_secret secret;
    char timestamp[20], hex[2 * ORR_KEY_ID_BYTES + 1];
    static const char digits[] = "0123456789abcdef";
    orr_unwrap_key found;
    uint8_t id[ORR_KEY_ID_BYTES];
    size_t n = choice % keyring->key_count, active = 0;
    memcpy(id, keyring->keys[n].id, sizeof id);
    for (size_t i = 0; i < sizeof id; i++) {
        hex[2 * i] = digits[id[i] >> 4];
        hex[2 * i + 1] = digits[id[i] & 15];
    }
    hex[2 * sizeof id] = 0;
    fuzz_check_ok(orr_keyring_find(keyring, hex, &key, &error), &error, "a whole ID is found");
    fuzz_check(key == &keyring->keys[n], "the ID names its key");
    hex[4 + choice % 28] = 0;
    orr_keyring_find(keyring, hex, &key, &error);
    orr_status status = orr_keyring_lookup(keyring, id, &found, &error);
    fuzz_check((status == ORR_OK) == (keyring->keys[n].state != ORR_KEY_DESTROYED),
               "a key is there unless it is destroyed");
    if (orr_keyring_active(keyring, &key, &error) == ORR_OK)
        fuzz_check(key->state == ORR_KEY_ACTIVE, "the active key is active");
    orr_file_secret_new(keyring, 1732406400, &secret, timestamp, &error);
    orr_keyring_set_state(keyring, id, (orr_key_state)(1 + choice % 3), &error);
    for (size_t i = 0; i < keyring->key_count; i++)
        active += keyring->keys[i].state == ORR_KEY_ACTIVE;
    fuzz_check(active <= 1, "one key at most is active");
    if (keyring->key_count < ORR_KEYRING_MAX_KEYS)
        fuzz_check_ok(orr_keyring_add(keyring, "new", id, &error), &error, "a key can be added");
}

static void finish(orr_keyring *keyring, unsigned choice) {
    check_round_trip(keyring);
    use(keyring, choice);
    check_round_trip(keyring);
    orr_keyring_free(keyring);
}

// The cost was accepted; pay less.
static void cheapen(uint8_t *file, orr_keyring_head *head) {
    for (size_t i = 0; i < head->unlock_count; i++) {
        uint8_t *at = file + orr_keyring_head_bytes(i);
        if (head->unlocks[i].type != ORR_UNLOCK_PASSPHRASE) continue;
        orr_store_le32(at + 4, 1 + head->unlocks[i].log2_n % 6);
        orr_store_le32(at + 8, 1 + head->unlocks[i].r % 4);
        orr_store_le32(at + 12, 1);
    }
}

static void fuzz_opened(orr_status status, orr_keyring *keyring, const orr_error *error,
                        unsigned choice) {
    if (status == ORR_OK)
        finish(keyring, choice);
    else
        fuzz_check(!keyring->keys && !keyring->decoys && error->text[0],
                   "a refused keyring is empty and there is a sentence");
}

static void fuzz_whole_file(const uint8_t *data, size_t size) {
    orr_error error = {0};
    orr_keyring_head head;
    orr_keyring keyring;
    unsigned version = 0;
    int needs = 0;
    if (orr_keyring_version(data, size, "keyring", &version, &error) != ORR_OK) return;
    uint8_t *file = malloc(size);
    fuzz_check(file != NULL, "memory can be had");
    memcpy(file, data, size);
    if (version == 1 &&
        orr_keyring_v1_needs_passphrase(file, size, "keyring", &needs, &error) == ORR_OK) {
        if (needs) orr_store_le32(file + 12, 1), orr_store_le32(file + 16, 1);
        const orr_passphrase *given = needs ? &passphrase : NULL;
        orr_status status = orr_keyring_v1_open(&keyring, file, size, given, "keyring", &error);
        fuzz_opened(status, &keyring, &error, file[size - 1]);
    } else if (orr_keyring_head_decode(&head, file, size, "keyring", &error) == ORR_OK) {
        cheapen(file, &head);
        const orr_passphrase *given = head.unlocks[0].type == ORR_UNLOCK_NONE   ? NULL
                                      : head.unlocks[0].type == ORR_UNLOCK_CODE ? &code
                                                                                : &passphrase;
        orr_status status = orr_keyring_open(&keyring, file, size, given, "keyring", &error);
        fuzz_opened(status, &keyring, &error, file[size - 1]);
    }
    free(file);
}

// Gives every key record of a payload (of one unlock) the ID and the pair of its key bytes.
static void fix_keys(uint8_t *payload, size_t bytes) {
    uint32_t keys = bytes >= 4 ? orr_load_le32(payload) : 0;
    uint8_t *at = payload + ORR_KEYRING_PAYLOAD_HEAD + ORR_LABEL_BYTES;
    for (uint32_t i = 0; i < keys && at + ORR_KEYRING_KEY_RECORD <= payload + bytes; i++) {
        orr_master_key_id(at + 16, at, NULL);
        orr_x25519_public(at + 128, at + 160);
        at += ORR_KEYRING_KEY_RECORD;
    }
}

// A keyring that anybody opens, around any payload: its head, and what seals it.
static orr_gcm *open_head(uint8_t *file, size_t bytes) {
    orr_error error = {0};
    orr_keyring keyring = {0};
    uint8_t prk[64], key[32], *sealed = NULL;
    size_t size = 0;
    fuzz_keyring(&keyring);
    fuzz_check_ok(orr_keyring_add_unlock(&keyring, NULL, "", &error), &error, "a way in");
    fuzz_check_ok(orr_keyring_seal(&keyring, "keyring", &sealed, &size, &error), &error, "sealed");
    memcpy(file, sealed, orr_keyring_head_bytes(1));
    orr_store_le32(file + 12, (uint32_t)bytes);
    orr_hkdf_extract(file + 32, 32, keyring.key, 32, prk);
    orr_hkdf_expand(prk, "orrery v1 keyring payload", 25, key, 32);
    free(sealed);
    orr_keyring_free(&keyring);
    return orr_gcm_new(key);
}

// Seals a payload as a keyring without passphrase (docs/FORMAT.md) and opens that file.
static void fuzz_sealed(const uint8_t *payload, size_t bytes, unsigned choice) {
    orr_error error = {0};
    orr_keyring keyring;
    size_t head = orr_keyring_head_bytes(1), size = head + bytes + ORR_GCM_TAG;
    uint8_t *file = calloc(1, size);
    fuzz_check(file != NULL, "memory can be had");
    orr_gcm *gcm = open_head(file, bytes);
    fuzz_check(gcm != NULL, "memory can be had");
    orr_gcm_seal(gcm, file + 16, file, head, payload, bytes, file + head, file + head + bytes);
    orr_gcm_free(gcm);
    orr_status status = orr_keyring_open(&keyring, file, size, NULL, "keyring", &error);
    fuzz_check(status == ORR_OK || status == ORR_UNSUPPORTED, "a right seal opens");
    if (status == ORR_OK) finish(&keyring, choice);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    orr_error error = {0};
    orr_keyring keyring = {.unlock_count = 1};
    fuzz_input input = {data, size};
    unsigned mode = fuzz_byte(&input);
    if (mode % 3 == 0) {
        fuzz_whole_file(input.at, input.left);
        return 0;
    }
    uint8_t *payload = malloc(input.left ? input.left : 1);
    fuzz_check(payload != NULL, "memory can be had");
    if (input.left) memcpy(payload, input.at, input.left);
    if (mode % 3 == 2) fix_keys(payload, input.left);
    if (mode & 64) {
        fuzz_sealed(payload, input.left, mode >> 3);
    } else if (orr_keyring_payload_decode(&keyring, payload, input.left, "keyring", &error) ==
               ORR_OK) {
        finish(&keyring, mode >> 3);
    }
    free(payload);
    return 0;
}
