// Thin wrappers around OpenSSL's EVP interface: every cryptographic primitive of the container.
// Secrets never leave these calls except into the caller's buffers, which the caller wipes.
#ifndef ORRERY_HOST_CONTAINER_CRYPTO_H
#define ORRERY_HOST_CONTAINER_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_GCM_TAG 16
#define ORR_GCM_NONCE 12
#define ORR_KWP_MAX 256 // longest secret that orr_kwp_wrap takes

// OPENSSL_cleanse: overwrites memory in a way the compiler keeps.
void orr_wipe(void *memory, size_t bytes);
// Overwrites the vector registers that memcpy() uses, and 192 KiB of stack below the caller, or
// what a smaller stack has. What the compiler, memcpy() or the dynamic linker spilled there while a
// secret went through vector registers has no name to wipe it by; a thread that handled secrets
// calls this before it ends.
void orr_wipe_stack(void);
// Compares in constant time; nonzero when equal.
int orr_equal_secret(const void *a, const void *b, size_t bytes);
// Bytes of the operating system's generator through OpenSSL's private DRBG. ORR_INTERNAL on
// failure.
orr_status orr_random(void *out, size_t bytes, orr_error *error);

// SHA-512 (FIPS 180-4) of a || b (b may be NULL with zero length).
orr_status orr_sha512(const void *a, size_t a_bytes, const void *b, size_t b_bytes,
                      uint8_t out[64]);
// HMAC-SHA-256 (FIPS 198-1).
orr_status orr_hmac_sha256(const uint8_t key[32], const void *data, size_t bytes, uint8_t out[32]);
// HKDF-Extract and HKDF-Expand with SHA-512 (RFC 5869).
orr_status orr_hkdf_extract(const void *salt, size_t salt_bytes, const void *ikm, size_t ikm_bytes,
                            uint8_t prk[64]);
orr_status orr_hkdf_expand(const uint8_t prk[64], const void *info, size_t info_bytes, void *out,
                           size_t bytes);
// AES-256 key wrap with padding (RFC 5649, SP 800-38F KWP) of 1..ORR_KWP_MAX bytes. wrapped holds
// bytes rounded up to 8, plus 8.
orr_status orr_kwp_wrap(const uint8_t kek[32], const void *secret, size_t bytes, uint8_t *wrapped);
// ORR_KEY when the wrap does not open under this key, or is not one of `bytes` bytes.
orr_status orr_kwp_unwrap(const uint8_t kek[32], const uint8_t *wrapped, size_t wrapped_bytes,
                          void *secret, size_t bytes);
// scrypt (RFC 7914) of a passphrase into a 32-byte key; n = 2^log2_n. The caller caps the cost
// first.
orr_status orr_scrypt(const void *passphrase, size_t bytes, const uint8_t salt[32], unsigned log2_n,
                      unsigned r, unsigned p, uint8_t key[32]);

// X25519 (RFC 7748): the public key of a private one, any 32 bytes.
orr_status orr_x25519_public(const uint8_t private_key[32], uint8_t public_key[32]);
// The shared secret of a private key and another's public one. ORR_AUTH, with `shared` zeroed, when
// it is all zero: then the public key is one of few points that give the same for every private
// key.
orr_status orr_x25519(const uint8_t private_key[32], const uint8_t public_key[32],
                      uint8_t shared[32]);

// AES-256-GCM (SP 800-38D) with one key and many nonces. One context per thread. At most 2^31 - 1
// bytes a call: ORR_INTERNAL above. The caller never repeats a nonce under a key.
typedef struct orr_gcm orr_gcm;
orr_gcm *orr_gcm_new(const uint8_t key[32]); // owned by the caller; NULL when memory runs out
void orr_gcm_free(orr_gcm *gcm);             // wipes; NULL is fine
// Sets another key in an existing context.
orr_status orr_gcm_rekey(orr_gcm *gcm, const uint8_t key[32]);
// out may equal in.
orr_status orr_gcm_seal(orr_gcm *gcm, const uint8_t nonce[12], const void *aad, size_t aad_bytes,
                        const void *in, size_t bytes, void *out, uint8_t tag[16]);
// Returns ORR_AUTH, with `out` zeroed, when the tag is wrong.
orr_status orr_gcm_open(orr_gcm *gcm, const uint8_t nonce[12], const void *aad, size_t aad_bytes,
                        const void *in, size_t bytes, void *out, const uint8_t tag[16]);

#ifdef __cplusplus
}
#endif
#endif
