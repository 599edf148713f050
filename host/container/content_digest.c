#include "host/container/content_digest.h"

#include <string.h>

#include <xxhash.h>

#include "host/container/content_digest_levels.h"
#include "kernels/backend.h"

static void store(XXH128_hash_t hash, uint8_t out[16]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    memcpy(out, canonical.digest, sizeof canonical.digest);
}

static void by_library(const void *bytes, size_t count, uint64_t *low, uint64_t *high) {
    XXH128_hash_t hash = XXH3_128bits(bytes, count);
    *low = hash.low64;
    *high = hash.high64;
}

orr_content_digest_function orr_content_digest_level(const char *name) {
#if defined(__x86_64__)
    if (!strcmp(name, "avx512")) return orr_content_digest_avx512;
    if (!strcmp(name, "avx2")) return orr_content_digest_avx2;
#endif
    (void)name;
    return by_library;
}

void orr_content_digest_of(const void *bytes, size_t count, uint8_t out[16]) {
    const char *level = orr_simd_name(orr_cpu_simd(ORR_SIMD_BEST));
    XXH128_hash_t hash;
    orr_content_digest_level(level)(bytes, count, &hash.low64, &hash.high64);
    store(hash, out);
}

int orr_content_digest_begin(orr_content_digest *digest) {
    digest->segment = XXH3_createState();
    digest->whole = XXH3_createState();
    return digest->segment && digest->whole && XXH3_128bits_reset(digest->segment) == XXH_OK &&
           XXH3_128bits_reset(digest->whole) == XXH_OK;
}

void orr_content_digest_free(orr_content_digest *digest) {
    XXH3_freeState(digest->segment);
    XXH3_freeState(digest->whole);
}

void orr_content_digest_add(orr_content_digest *digest, const void *bytes, size_t count) {
    XXH3_128bits_update(digest->segment, bytes, count);
}

void orr_content_digest_segment(orr_content_digest *digest, uint8_t out[16]) {
    store(XXH3_128bits_digest(digest->segment), out);
    XXH3_128bits_update(digest->whole, out, 16);
    XXH3_128bits_reset(digest->segment);
}

void orr_content_digest_end(const orr_content_digest *digest, uint8_t out[16]) {
    store(XXH3_128bits_digest(digest->whole), out);
}
