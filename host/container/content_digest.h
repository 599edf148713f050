// XXH3-128 of contents (docs/FORMAT.md): of a run of bytes, and of a whole file, which is
// that of its segments' digests.
#ifndef ORRERY_HOST_CONTAINER_CONTENT_DIGEST_H
#define ORRERY_HOST_CONTAINER_CONTENT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Of `count` bytes, in canonical order.
void orr_content_digest_of(const void *bytes, size_t count, uint8_t out[16]);

// While the bytes come in order. Zero-initialised it may be freed.
typedef struct orr_content_digest {
    struct XXH3_state_s *segment, *whole;
} orr_content_digest;

// Returns 0 when memory ran out. Free it in any case.
int orr_content_digest_begin(orr_content_digest *digest);
void orr_content_digest_free(orr_content_digest *digest);
// More bytes of a segment.
void orr_content_digest_add(orr_content_digest *digest, const void *bytes, size_t count);
// That was all of the segment (of an empty file too, which has one): its digest.
void orr_content_digest_segment(orr_content_digest *digest, uint8_t out[16]);
// That of the file, after its last segment.
void orr_content_digest_end(const orr_content_digest *digest, uint8_t out[16]);

#ifdef __cplusplus
}
#endif
#endif
