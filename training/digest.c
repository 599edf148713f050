#include "training/digest.h"

#include <stdio.h>

#include <openssl/sha.h>

orr_status orr_digest(const void *bytes, size_t count, uint8_t out[32], orr_error *error) {
    return SHA256(bytes, count, out) ? ORR_OK
                                     : orr_fail(error, ORR_INTERNAL, "no memory for a checksum");
}

orr_status orr_digest_hex(const void *bytes, size_t count, char out[65], orr_error *error) {
    uint8_t digest[32];
    orr_status status = orr_digest(bytes, count, digest, error);
    for (int i = 0; i < 32 && !status; i++) sprintf(out + 2 * i, "%02x", digest[i]);
    return status;
}
