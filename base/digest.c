#include "base/digest.h"

#include <openssl/sha.h>

#include "base/text.h"

orr_status orr_digest(const void *bytes, size_t count, uint8_t out[32], orr_error *error) {
    return SHA256(bytes, count, out) ? ORR_OK
                                     : orr_fail(error, ORR_INTERNAL, "no memory for a checksum");
}

orr_status orr_digest_hex(const void *bytes, size_t count, char out[65], orr_error *error) {
    uint8_t digest[32];
    orr_status status = orr_digest(bytes, count, digest, error);
    if (status == ORR_OK) orr_hex(digest, sizeof digest, out);
    return status;
}
