// Hybrid public key encryption, single shot (RFC 9180): base mode, DHKEM(X25519, HKDF-SHA256),
// HKDF-SHA256, AES-256-GCM. Whoever has a public key can seal; only the private key opens. Nothing
// says who sealed.
#ifndef ORRERY_HOST_CONTAINER_HPKE_H
#define ORRERY_HOST_CONTAINER_HPKE_H

#include <stddef.h>
#include <stdint.h>

#include "host/container/crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_HPKE_ENC 32        // bytes of the encapsulated key
#define ORR_HPKE_MAX_INFO 1024 // longest info

// Seals `bytes` (at least 1, at most 2^20) of plaintext to a public key. `seed` is 32 bytes that
// the caller draws for this call alone: the ephemeral key pair is RFC 9180's DeriveKeyPair of them.
// Any of info and aad may be NULL with zero bytes. `sealed` gets bytes + 16 bytes. ORR_AUTH: the
// public key is one of few points whose shared secret is zero. ORR_INTERNAL: a length out of its
// limits, or OpenSSL fails.
orr_status orr_hpke_seal(const uint8_t seed[32], const uint8_t public_key[32], const void *info,
                         size_t info_bytes, const void *aad, size_t aad_bytes, const void *plain,
                         size_t bytes, uint8_t enc[ORR_HPKE_ENC], uint8_t *sealed);

// Opens what orr_hpke_seal made; `plain` gets sealed_bytes - 16 bytes. ORR_AUTH, with them zeroed:
// it does not open with this key, info and aad, or has no plaintext, or enc is such a point.
// ORR_INTERNAL as above.
orr_status orr_hpke_open(const uint8_t private_key[32], const uint8_t enc[ORR_HPKE_ENC],
                         const void *info, size_t info_bytes, const void *aad, size_t aad_bytes,
                         const uint8_t *sealed, size_t sealed_bytes, void *plain);

#ifdef __cplusplus
}
#endif
#endif
