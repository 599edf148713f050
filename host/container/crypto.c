#include "host/container/crypto.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

// Algorithms are looked up once: the implicit lookup behind EVP_sha512() and friends takes a lock
// shared by all threads each time.
static struct {
    EVP_MD *sha512;
    EVP_MAC *hmac;
    EVP_KDF *hkdf;
    EVP_CIPHER *gcm, *kwp;
} algorithm;
static pthread_once_t algorithm_once = PTHREAD_ONCE_INIT;

static void algorithm_fetch(void) {
    algorithm.sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
    algorithm.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    algorithm.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    algorithm.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    algorithm.kwp = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL);
}

static void algorithms(void) {
    pthread_once(&algorithm_once, algorithm_fetch);
}

void orr_wipe(void *memory, size_t bytes) {
    if (memory) explicit_bzero(memory, bytes);
}

#define WIPE_STEP ((size_t)32 << 10)
#define WIPE_STEPS 6u

// How many steps below here the stack certainly has room for: it may be small (ulimit -s).
static unsigned wipe_steps(void) {
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size, steps = 0;
    uint8_t here;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 1;
    if (pthread_attr_getstack(&attributes, &lowest, &size) == 0)
        steps = ((uintptr_t)&here - (uintptr_t)lowest) / (WIPE_STEP + 1024);
    pthread_attr_destroy(&attributes);
    if (steps > WIPE_STEPS) return WIPE_STEPS;
    return steps > 1 ? (unsigned)steps - 1 : 1;
}

static __attribute__((noinline)) void wipe_below(unsigned steps) {
    uint8_t below[WIPE_STEP];
    orr_wipe(below, sizeof below);
    if (steps > 1) wipe_below(steps - 1);
    orr_wipe(below, 1); // after the call, so that each step has a frame of its own
}

// memcpy() leaves what it moved last in vector registers, and the dynamic linker, which binds
// functions at their first call, spills all of them below its caller. Which registers depends on
// the length: zeros of many lengths go through them.
static void wipe_registers(void) {
    static const uint8_t zeros[4096];
    uint8_t copy[sizeof zeros];
    for (volatile size_t bytes = 16; bytes <= sizeof zeros; bytes += bytes / 2)
        memcpy(copy, zeros, bytes);
    orr_wipe(copy, sizeof copy);
}

void orr_wipe_stack(void) {
    wipe_registers();
    wipe_below(wipe_steps());
}

int orr_equal_secret(const void *a, const void *b, size_t bytes) {
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

orr_status orr_random(void *out, size_t bytes, orr_error *error) {
    if (bytes > INT_MAX || RAND_priv_bytes(out, (int)bytes) != 1) {
        return orr_fail(error, ORR_INTERNAL,
                        "the operating system's random generator failed; nothing was encrypted");
    }
    return ORR_OK;
}

orr_status orr_sha512(const void *a, size_t a_bytes, const void *b, size_t b_bytes,
                      uint8_t out[64]) {
    algorithms();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && algorithm.sha512 && EVP_DigestInit_ex2(ctx, algorithm.sha512, NULL) == 1 &&
             (a_bytes == 0 || EVP_DigestUpdate(ctx, a, a_bytes) == 1) &&
             (b_bytes == 0 || EVP_DigestUpdate(ctx, b, b_bytes) == 1) &&
             EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx); // wipes its state
    return ok ? ORR_OK : ORR_INTERNAL;
}

orr_status orr_hmac_sha256(const uint8_t key[32], const void *data, size_t bytes, uint8_t out[32]) {
    algorithms();
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t written = 0;
    EVP_MAC_CTX *ctx = algorithm.hmac ? EVP_MAC_CTX_new(algorithm.hmac) : NULL;
    int ok = ctx && EVP_MAC_init(ctx, key, 32, params) == 1 &&
             (bytes == 0 || EVP_MAC_update(ctx, data, bytes) == 1) &&
             EVP_MAC_final(ctx, out, &written, 32) == 1 && written == 32;
    EVP_MAC_CTX_free(ctx);
    return ok ? ORR_OK : ORR_INTERNAL;
}

static orr_status hkdf(int mode, const char *extra_name, const void *extra, size_t extra_bytes,
                       const void *key, size_t key_bytes, void *out, size_t bytes) {
    algorithms();
    char digest[] = "SHA512";
    if (extra_bytes == 0) extra = ""; // OpenSSL refuses a null pointer even for no bytes
    // OSSL_PARAM has no const: the strings are only read.
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, key_bytes),
        OSSL_PARAM_construct_octet_string(extra_name, (void *)(uintptr_t)extra, extra_bytes),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX *ctx = algorithm.hkdf ? EVP_KDF_CTX_new(algorithm.hkdf) : NULL;
    int ok = ctx && EVP_KDF_derive(ctx, out, bytes, params) == 1;
    EVP_KDF_CTX_free(ctx);
    return ok ? ORR_OK : ORR_INTERNAL;
}

orr_status orr_hkdf_extract(const void *salt, size_t salt_bytes, const void *ikm, size_t ikm_bytes,
                            uint8_t prk[64]) {
    return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, OSSL_KDF_PARAM_SALT, salt, salt_bytes, ikm,
                ikm_bytes, prk, 64);
}

orr_status orr_hkdf_expand(const uint8_t prk[64], const void *info, size_t info_bytes, void *out,
                           size_t bytes) {
    return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, OSSL_KDF_PARAM_INFO, info, info_bytes, prk, 64, out,
                bytes);
}

orr_status orr_kwp_wrap(const uint8_t kek[32], const void *secret, size_t bytes, uint8_t *wrapped) {
    algorithms();
    if (bytes == 0 || bytes > ORR_KWP_MAX) return ORR_INTERNAL;
    int part = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx) EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    int ok = ctx && algorithm.kwp &&
             EVP_EncryptInit_ex2(ctx, algorithm.kwp, kek, NULL, NULL) == 1 &&
             EVP_EncryptUpdate(ctx, wrapped, &part, secret, (int)bytes) == 1 &&
             EVP_EncryptFinal_ex(ctx, wrapped + part, &rest) == 1 &&
             (size_t)(part + rest) == (bytes + 7) / 8 * 8 + 8;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? ORR_OK : ORR_INTERNAL;
}

orr_status orr_kwp_unwrap(const uint8_t kek[32], const uint8_t *wrapped, size_t wrapped_bytes,
                          void *secret, size_t bytes) {
    algorithms();
    // The length is checked before the key is tried; OpenSSL writes whole blocks, hence the buffer.
    if (bytes == 0 || bytes > ORR_KWP_MAX) return ORR_INTERNAL;
    if (wrapped_bytes != (bytes + 7) / 8 * 8 + 8) return ORR_KEY;
    uint8_t opened[ORR_KWP_MAX + 16];
    int part = 0, rest = 0;
    orr_status status = ORR_INTERNAL;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx) EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (!ctx || !algorithm.kwp || EVP_DecryptInit_ex2(ctx, algorithm.kwp, kek, NULL, NULL) != 1) {
        goto end;
    }
    status = ORR_KEY;
    if (EVP_DecryptUpdate(ctx, opened, &part, wrapped, (int)wrapped_bytes) != 1 ||
        EVP_DecryptFinal_ex(ctx, opened + part, &rest) != 1 || (size_t)(part + rest) != bytes) {
        goto end;
    }
    memcpy(secret, opened, bytes);
    status = ORR_OK;
end:
    EVP_CIPHER_CTX_free(ctx);
    orr_wipe(opened, sizeof opened);
    return status;
}

orr_status orr_scrypt(const void *passphrase, size_t bytes, const uint8_t salt[32], unsigned log2_n,
                      unsigned r, unsigned p, uint8_t key[32]) {
    if (log2_n == 0 || log2_n > 40 || r == 0 || r > 1024 || p == 0 || p > 1024) {
        return ORR_INTERNAL;
    }
    uint64_t n = 1ull << log2_n;
    uint64_t memory = 128ull * r * (n + p + 2) + (1u << 20); // OpenSSL's own sum, and some air
    return EVP_PBE_scrypt(passphrase, bytes, salt, 32, n, r, p, memory, key, 32) == 1
               ? ORR_OK
               : ORR_INTERNAL;
}

orr_status orr_x25519_public(const uint8_t private_key[32], uint8_t public_key[32]) {
    size_t bytes = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    int ok = key && EVP_PKEY_get_raw_public_key(key, public_key, &bytes) == 1 && bytes == 32;
    EVP_PKEY_free(key); // wipes it
    return ok ? ORR_OK : ORR_INTERNAL;
}

orr_status orr_x25519(const uint8_t private_key[32], const uint8_t public_key[32],
                      uint8_t shared[32]) {
    static const uint8_t zero[32];
    size_t bytes = 32;
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, 32);
    EVP_PKEY_CTX *ctx = mine ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
    orr_status status = ORR_INTERNAL;
    if (theirs && ctx && EVP_PKEY_derive_init(ctx) == 1 &&
        EVP_PKEY_derive_set_peer(ctx, theirs) == 1) {
        // OpenSSL fails when the secret is zero; whether it does is not left to its version.
        int ok = EVP_PKEY_derive(ctx, shared, &bytes) == 1 && bytes == 32 &&
                 !orr_equal_secret(shared, zero, 32);
        status = ok ? ORR_OK : ORR_AUTH;
    }
    if (status != ORR_OK) orr_wipe(shared, 32);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    return status;
}

struct orr_gcm {
    EVP_CIPHER_CTX *seal, *open; // both hold the key
};

orr_gcm *orr_gcm_new(const uint8_t key[32]) {
    algorithms();
    orr_gcm *gcm = calloc(1, sizeof *gcm);
    if (!gcm) return NULL;
    gcm->seal = EVP_CIPHER_CTX_new();
    gcm->open = EVP_CIPHER_CTX_new();
    if (!gcm->seal || !gcm->open || !algorithm.gcm ||
        EVP_EncryptInit_ex2(gcm->seal, algorithm.gcm, NULL, NULL, NULL) != 1 ||
        EVP_DecryptInit_ex2(gcm->open, algorithm.gcm, NULL, NULL, NULL) != 1 ||
        orr_gcm_rekey(gcm, key) != ORR_OK) {
        orr_gcm_free(gcm);
        return NULL;
    }
    return gcm;
}

void orr_gcm_free(orr_gcm *gcm) {
    if (!gcm) return;
    EVP_CIPHER_CTX_free(gcm->seal); // OpenSSL wipes the key schedule
    EVP_CIPHER_CTX_free(gcm->open);
    free(gcm);
}

orr_status orr_gcm_rekey(orr_gcm *gcm, const uint8_t key[32]) {
    return EVP_EncryptInit_ex2(gcm->seal, NULL, key, NULL, NULL) == 1 &&
                   EVP_DecryptInit_ex2(gcm->open, NULL, key, NULL, NULL) == 1
               ? ORR_OK
               : ORR_INTERNAL;
}

orr_status orr_gcm_seal(orr_gcm *gcm, const uint8_t nonce[12], const void *aad, size_t aad_bytes,
                        const void *in, size_t bytes, void *out, uint8_t tag[16]) {
    if (bytes > INT_MAX || aad_bytes > INT_MAX) return ORR_INTERNAL;
    EVP_CIPHER_CTX *ctx = gcm->seal;
    uint8_t none[16];
    int part = 0;
    int ok = EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
             (aad_bytes == 0 || EVP_EncryptUpdate(ctx, NULL, &part, aad, (int)aad_bytes) == 1) &&
             (bytes == 0 || EVP_EncryptUpdate(ctx, out, &part, in, (int)bytes) == 1) &&
             EVP_EncryptFinal_ex(ctx, none, &part) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, ORR_GCM_TAG, tag) == 1;
    return ok ? ORR_OK : ORR_INTERNAL;
}

orr_status orr_gcm_open(orr_gcm *gcm, const uint8_t nonce[12], const void *aad, size_t aad_bytes,
                        const void *in, size_t bytes, void *out, const uint8_t tag[16]) {
    if (bytes > INT_MAX || aad_bytes > INT_MAX) return ORR_INTERNAL;
    EVP_CIPHER_CTX *ctx = gcm->open;
    uint8_t none[16], expected[ORR_GCM_TAG];
    int part = 0;
    memcpy(expected, tag, sizeof expected);
    int ok = EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, ORR_GCM_TAG, expected) == 1 &&
             (aad_bytes == 0 || EVP_DecryptUpdate(ctx, NULL, &part, aad, (int)aad_bytes) == 1) &&
             (bytes == 0 || EVP_DecryptUpdate(ctx, out, &part, in, (int)bytes) == 1);
    orr_status status = !ok                                          ? ORR_INTERNAL
                        : EVP_DecryptFinal_ex(ctx, none, &part) == 1 ? ORR_OK
                                                                     : ORR_AUTH;
    if (status != ORR_OK && bytes) orr_wipe(out, bytes);
    return status;
}
