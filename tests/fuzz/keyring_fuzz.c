// Keyring files. Byte 0 chooses: the rest is a whole file, a payload, or a payload whose key IDs
// and seal are put right first, so that the checks behind them are reached.
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/keys/keyring_codec.h"
#include "tests/fuzz/fuzz.h"

static const orr_passphrase passphrase = {.bytes = "fuzz", .length = 4, .present = 1};

// What opened has to seal and open again, with the same content.
static void check_round_trip(orr_keyring *keyring) {
    orr_error error = {0};
    orr_keyring again;
    uint8_t *file = NULL;
    size_t bytes = 0;
    keyring->log2_n = keyring->r = keyring->p = 1;
    fuzz_check_ok(orr_keyring_seal(keyring, &passphrase, "keyring", &file, &bytes, &error), &error,
                  "a keyring that opened can be sealed");
    fuzz_check_ok(orr_keyring_open(&again, file, bytes, &passphrase, "keyring", &error), &error,
                  "a sealed keyring opens");
    fuzz_check(again.key_count == keyring->key_count && again.decoy_count == keyring->decoy_count,
               "keys and decoys are all there");
    for (size_t i = 0; i < again.key_count; i++) {
        const orr_master_key *a = &again.keys[i], *b = &keyring->keys[i];
        fuzz_check(!memcmp(a->id, b->id, sizeof a->id) && !memcmp(a->key, b->key, 32) &&
                       a->state == b->state && a->created == b->created &&
                       strcmp(a->label, b->label) == 0,
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
    uint8_t found[32], id[ORR_KEY_ID_BYTES];
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
    orr_status status = orr_keyring_lookup(keyring, id, found, &error);
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

static void fuzz_whole_file(const uint8_t *data, size_t size) {
    orr_error error = {0};
    orr_keyring_header header;
    orr_keyring keyring;
    if (orr_keyring_header_decode(&header, data, size, "keyring", &error) != ORR_OK) return;
    uint8_t *file = malloc(size);
    fuzz_check(file != NULL, "memory can be had");
    memcpy(file, data, size);
    if (header.kdf == ORR_KDF_SCRYPT) { // the cost was accepted; pay less
        orr_store_le32(file + 12, 1 + header.log2_n % 6);
        orr_store_le32(file + 16, 1 + header.r % 4);
        orr_store_le32(file + 20, 1);
    }
    if (orr_keyring_open(&keyring, file, size, &passphrase, "keyring", &error) == ORR_OK)
        finish(&keyring, file[size - 1]);
    else
        fuzz_check(!keyring.keys && !keyring.decoys && error.text[0],
                   "a refused keyring is empty and there is a sentence");
    free(file);
}

// Gives every key record of a payload the ID of its key bytes.
static void fix_ids(uint8_t *payload, size_t bytes) {
    uint32_t keys = bytes >= 4 ? orr_load_le32(payload) : 0;
    uint8_t *at = payload + ORR_KEYRING_PAYLOAD_HEAD;
    for (uint32_t i = 0; i < keys && at + ORR_KEYRING_KEY_RECORD <= payload + bytes; i++) {
        orr_master_key_id(at + 16, at, NULL);
        at += ORR_KEYRING_KEY_RECORD;
    }
}

// Seals a payload as a keyring without passphrase (docs/FORMAT.md) and opens that file.
static void fuzz_sealed(const uint8_t *payload, size_t bytes, unsigned choice) {
    static const char secret[] = "orrery v1 keyring without passphrase";
    orr_error error = {0};
    orr_keyring keyring;
    uint8_t prk[64], key[32];
    size_t size = ORR_KEYRING_HEADER_BYTES + bytes + ORR_GCM_TAG;
    uint8_t *file = calloc(1, size);
    fuzz_check(file != NULL, "memory can be had");
    memcpy(file, "ORRKEYRG", 8);
    orr_store_le16(file + 8, 1);
    orr_store_le32(file + 68, (uint32_t)bytes);
    orr_hkdf_extract(file + 24, 32, secret, strlen(secret), prk);
    orr_hkdf_expand(prk, "orrery v1 keyring key", 21, key, 32);
    orr_gcm *gcm = orr_gcm_new(key);
    fuzz_check(gcm != NULL, "memory can be had");
    orr_gcm_seal(gcm, file + 56, file, ORR_KEYRING_HEADER_BYTES, payload, bytes,
                 file + ORR_KEYRING_HEADER_BYTES, file + ORR_KEYRING_HEADER_BYTES + bytes);
    orr_gcm_free(gcm);
    orr_status status = orr_keyring_open(&keyring, file, size, NULL, "keyring", &error);
    fuzz_check(status == ORR_OK || status == ORR_UNSUPPORTED, "a right seal opens");
    if (status == ORR_OK) finish(&keyring, choice);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    orr_error error = {0};
    orr_keyring keyring;
    fuzz_input input = {data, size};
    unsigned mode = fuzz_byte(&input);
    if (mode % 3 == 0) {
        fuzz_whole_file(input.at, input.left);
        return 0;
    }
    uint8_t *payload = malloc(input.left ? input.left : 1);
    fuzz_check(payload != NULL, "memory can be had");
    if (input.left) memcpy(payload, input.at, input.left);
    if (mode % 3 == 2) fix_ids(payload, input.left);
    if (mode & 64) {
        fuzz_sealed(payload, input.left, mode >> 3);
    } else if (orr_keyring_payload_decode(&keyring, payload, input.left, "keyring", &error) ==
               ORR_OK) {
        finish(&keyring, mode >> 3);
    }
    free(payload);
    return 0;
}
