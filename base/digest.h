// SHA-256 in hexadecimal, of bytes in memory.
#ifndef ORRERY_BASE_DIGEST_H
#define ORRERY_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// 32 bytes. ORR_INTERNAL when OpenSSL has no memory for it.
orr_status orr_digest(const void *bytes, size_t count, uint8_t out[32], orr_error *error);
// 64 lower-case digits and a NUL.
orr_status orr_digest_hex(const void *bytes, size_t count, char out[65], orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
