#include "host/container/hpke.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/opensslv.h>

#define MAX_BYTES ((size_t)1 << 20) // longest plaintext and aad

typedef struct context {
    const void *info, *aad;
    size_t info_bytes, aad_bytes;
} context;

#if OPENSSL_VERSION_NUMBER >= 0x30200000L

#include <openssl/hpke.h>

static OSSL_HPKE_CTX *begin(int role) {
    const OSSL_HPKE_SUITE suite = {OSSL_HPKE_KEM_ID_X25519, OSSL_HPKE_KDF_ID_HKDF_SHA256,
                                   OSSL_HPKE_AEAD_ID_AES_GCM_256};
    return OSSL_HPKE_CTX_new(OSSL_HPKE_MODE_BASE, suite, role, NULL, NULL);
}

static orr_status seal(const uint8_t seed[32], const uint8_t public_key[32], const context *c,
                       const void *plain, size_t bytes, uint8_t enc[ORR_HPKE_ENC],
                       uint8_t *sealed) {
    size_t enc_bytes = ORR_HPKE_ENC, sealed_bytes = bytes + ORR_GCM_TAG;
    orr_status status = ORR_INTERNAL;
    OSSL_HPKE_CTX *ctx = begin(OSSL_HPKE_ROLE_SENDER);
    if (ctx && OSSL_HPKE_CTX_set1_ikme(ctx, seed, 32) == 1) {
        status = ORR_AUTH;
        if (OSSL_HPKE_encap(ctx, enc, &enc_bytes, public_key, 32, c->info, c->info_bytes) == 1)
            status =
                OSSL_HPKE_seal(ctx, sealed, &sealed_bytes, c->aad, c->aad_bytes, plain, bytes) == 1
                    ? ORR_OK
                    : ORR_INTERNAL;
    }
    OSSL_HPKE_CTX_free(ctx); // wipes
    return status;
}

static orr_status open_sealed(const uint8_t private_key[32], const uint8_t enc[ORR_HPKE_ENC],
                              const context *c, const uint8_t *sealed, size_t bytes, void *plain) {
    size_t plain_bytes = bytes;
    orr_status status = ORR_INTERNAL;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    OSSL_HPKE_CTX *ctx = key ? begin(OSSL_HPKE_ROLE_RECEIVER) : NULL;
    if (ctx) {
        int ok = OSSL_HPKE_decap(ctx, enc, ORR_HPKE_ENC, key, c->info, c->info_bytes) == 1 &&
                 OSSL_HPKE_open(ctx, plain, &plain_bytes, c->aad, c->aad_bytes, sealed,
                                bytes + ORR_GCM_TAG) == 1;
        status = ok ? ORR_OK : ORR_AUTH;
    }
    OSSL_HPKE_CTX_free(ctx);
    EVP_PKEY_free(key);
    return status;
}

#else

// The identifiers of the KEM, and of the whole suite, that go into each derivation.
typedef struct suite {
    size_t bytes;
    uint8_t id[10];
} suite;
static const suite KEM = {5, {'K', 'E', 'M', 0, 0x20}};
static const suite HPKE = {10, {'H', 'P', 'K', 'E', 0, 0x20, 0, 1, 0, 2}};
static const uint8_t NO_SALT[32]; // HMAC fills a shorter key with zeros

// LabeledExtract(key, label, value) when `length` is 0, else LabeledExpand(key, label, value,
// length) in out's first `length` bytes, 1..32 (RFC 9180, section 4): HKDF's two steps are one HMAC
// each then.
static orr_status labeled(const suite *s, const uint8_t key[32], size_t length, const char *label,
                          const void *value, size_t bytes, uint8_t out[32]) {
    uint8_t text[2 + 7 + 10 + 16 + ORR_HPKE_MAX_INFO + 1] = {0, (uint8_t)length};
    size_t at = length ? 2 : 0, label_bytes = strlen(label);
    memcpy(text + at, "HPKE-v1", 7);
    memcpy(text + at + 7, s->id, s->bytes);
    at += 7 + s->bytes;
    memcpy(text + at, label, label_bytes);
    at += label_bytes;
    if (bytes) memcpy(text + at, value, bytes);
    at += bytes;
    if (length) text[at++] = 1;
    orr_status status = orr_hmac_sha256(key, text, at, out);
    orr_wipe(text, sizeof text);
    return status;
}

// DeriveKeyPair.
static orr_status derive_pair(const uint8_t seed[32], uint8_t private_key[32],
                              uint8_t public_key[32]) {
    uint8_t prk[32];
    orr_status status = labeled(&KEM, NO_SALT, 0, "dkp_prk", seed, 32, prk);
    if (status == ORR_OK) status = labeled(&KEM, prk, 32, "sk", NULL, 0, private_key);
    if (status == ORR_OK) status = orr_x25519_public(private_key, public_key);
    orr_wipe(prk, sizeof prk);
    return status;
}

// The KEM's shared secret: ExtractAndExpand(DH(mine, theirs), enc || the recipient's public key).
static orr_status shared_secret(const uint8_t mine[32], const uint8_t theirs[32],
                                const uint8_t enc[32], const uint8_t recipient[32],
                                uint8_t shared[32]) {
    uint8_t dh[32], prk[32], both[64];
    memcpy(both, enc, 32);
    memcpy(both + 32, recipient, 32);
    orr_status status = orr_x25519(mine, theirs, dh);
    if (status == ORR_OK) status = labeled(&KEM, NO_SALT, 0, "eae_prk", dh, sizeof dh, prk);
    if (status == ORR_OK)
        status = labeled(&KEM, prk, 32, "shared_secret", both, sizeof both, shared);
    orr_wipe(dh, sizeof dh);
    orr_wipe(prk, sizeof prk);
    return status;
}

// KeySchedule of the base mode: no PSK. The nonce is that of the first message, the only one.
static orr_status key_schedule(const uint8_t shared[32], const context *c, uint8_t key[32],
                               uint8_t nonce[32]) {
    uint8_t hashes[1 + 32 + 32] = {0}, secret[32]; // the mode, 0; then two hashes
    orr_status status = labeled(&HPKE, NO_SALT, 0, "psk_id_hash", NULL, 0, hashes + 1);
    if (status == ORR_OK)
        status = labeled(&HPKE, NO_SALT, 0, "info_hash", c->info, c->info_bytes, hashes + 33);
    if (status == ORR_OK) status = labeled(&HPKE, shared, 0, "secret", NULL, 0, secret);
    if (status == ORR_OK) status = labeled(&HPKE, secret, 32, "key", hashes, sizeof hashes, key);
    if (status == ORR_OK)
        status = labeled(&HPKE, secret, ORR_GCM_NONCE, "base_nonce", hashes, sizeof hashes, nonce);
    orr_wipe(secret, sizeof secret);
    return status;
}

// The cipher and nonce that `mine` and `theirs` agree on; *gcm is the caller's.
static orr_status agree(const uint8_t mine[32], const uint8_t theirs[32], const uint8_t enc[32],
                        const uint8_t recipient[32], const context *c, orr_gcm **gcm,
                        uint8_t nonce[32]) {
    uint8_t shared[32], key[32];
    *gcm = NULL;
    orr_status status = shared_secret(mine, theirs, enc, recipient, shared);
    if (status == ORR_OK) status = key_schedule(shared, c, key, nonce);
    if (status == ORR_OK && !(*gcm = orr_gcm_new(key))) status = ORR_INTERNAL;
    orr_wipe(shared, sizeof shared);
    orr_wipe(key, sizeof key);
    return status;
}

static orr_status seal(const uint8_t seed[32], const uint8_t public_key[32], const context *c,
                       const void *plain, size_t bytes, uint8_t enc[ORR_HPKE_ENC],
                       uint8_t *sealed) {
    uint8_t ephemeral[32], nonce[32];
    orr_gcm *gcm = NULL;
    orr_status status = derive_pair(seed, ephemeral, enc);
    if (status == ORR_OK) status = agree(ephemeral, public_key, enc, public_key, c, &gcm, nonce);
    if (status == ORR_OK)
        status =
            orr_gcm_seal(gcm, nonce, c->aad, c->aad_bytes, plain, bytes, sealed, sealed + bytes);
    orr_gcm_free(gcm);
    orr_wipe(ephemeral, sizeof ephemeral);
    orr_wipe(nonce, sizeof nonce);
    return status;
}

static orr_status open_sealed(const uint8_t private_key[32], const uint8_t enc[ORR_HPKE_ENC],
                              const context *c, const uint8_t *sealed, size_t bytes, void *plain) {
    uint8_t recipient[32], nonce[32];
    orr_gcm *gcm = NULL;
    orr_status status = orr_x25519_public(private_key, recipient);
    if (status == ORR_OK) status = agree(private_key, enc, enc, recipient, c, &gcm, nonce);
    if (status == ORR_OK)
        status =
            orr_gcm_open(gcm, nonce, c->aad, c->aad_bytes, sealed, bytes, plain, sealed + bytes);
    orr_gcm_free(gcm);
    orr_wipe(nonce, sizeof nonce);
    return status;
}

#endif

orr_status orr_hpke_seal(const uint8_t seed[32], const uint8_t public_key[32], const void *info,
                         size_t info_bytes, const void *aad, size_t aad_bytes, const void *plain,
                         size_t bytes, uint8_t enc[ORR_HPKE_ENC], uint8_t *sealed) {
    context c = {info, aad, info_bytes, aad_bytes};
    if (info_bytes > ORR_HPKE_MAX_INFO || aad_bytes > MAX_BYTES || bytes < 1 || bytes > MAX_BYTES)
        return ORR_INTERNAL;
    return seal(seed, public_key, &c, plain, bytes, enc, sealed);
}

orr_status orr_hpke_open(const uint8_t private_key[32], const uint8_t enc[ORR_HPKE_ENC],
                         const void *info, size_t info_bytes, const void *aad, size_t aad_bytes,
                         const uint8_t *sealed, size_t sealed_bytes, void *plain) {
    context c = {info, aad, info_bytes, aad_bytes};
    if (info_bytes > ORR_HPKE_MAX_INFO || aad_bytes > MAX_BYTES ||
        sealed_bytes > MAX_BYTES + ORR_GCM_TAG)
        return ORR_INTERNAL;
    if (sealed_bytes <= ORR_GCM_TAG) return ORR_AUTH;
    size_t bytes = sealed_bytes - ORR_GCM_TAG;
    orr_status status = open_sealed(private_key, enc, &c, sealed, bytes, plain);
    if (status != ORR_OK) orr_wipe(plain, bytes);
    return status;
}
