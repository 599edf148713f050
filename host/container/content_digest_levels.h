// XXH3-128 at levels of vector instructions: the same digests. For content_digest.c and its test.
#ifndef ORRERY_HOST_CONTAINER_CONTENT_DIGEST_LEVELS_H
#define ORRERY_HOST_CONTAINER_CONTENT_DIGEST_LEVELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*orr_content_digest_function)(const void *bytes, size_t count, uint64_t *low,
                                            uint64_t *high);
// The level that the tile cipher calls so (kernels/backend.h). `name` is its name.
orr_content_digest_function orr_content_digest_level(const char *name);

#if defined(__x86_64__)
void orr_content_digest_avx2(const void *bytes, size_t count, uint64_t *low, uint64_t *high);
void orr_content_digest_avx512(const void *bytes, size_t count, uint64_t *low, uint64_t *high);
#endif

#ifdef __cplusplus
}
#endif
#endif
