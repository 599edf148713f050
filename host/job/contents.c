#include "host/job/contents.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <xxhash.h>

#include "host/paper/image.h"
#include "host/job/output.h"

// Every worker may be here at once, and what --mem allows is the ring's: a part of a segment.
#define PART (ORR_SEGMENT_BYTES / 4)

// The digest while a file is being read.
typedef struct running {
    XXH3_state_t *segment, *whole;
    EVP_MD_CTX *sha; // NULL: not recorded
    uint8_t *buffer;
} running;

static orr_status running_begin(running *r, int sha256, const char *name, orr_error *error) {
    r->segment = XXH3_createState();
    r->whole = XXH3_createState();
    r->buffer = malloc(PART);
    r->sha = sha256 ? EVP_MD_CTX_new() : NULL;
    if (!r->segment || !r->whole || !r->buffer ||
        (sha256 && (!r->sha || !EVP_DigestInit_ex(r->sha, EVP_sha256(), NULL))))
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    XXH3_128bits_reset(r->whole);
    return ORR_OK;
}

static void running_end(running *r, uint64_t bytes) {
    if (r->buffer) orr_wipe(r->buffer, bytes < PART ? (size_t)bytes : PART);
    free(r->buffer);
    EVP_MD_CTX_free(r->sha);
    XXH3_freeState(r->whole);
    XXH3_freeState(r->segment);
}

static orr_status read_parts(running *r, int fd, uint64_t bytes, orr_stop_flag *stop,
                             const char *name, orr_error *error) {
    XXH128_canonical_t digest;
    for (uint64_t at = 0; at < bytes; at += PART) {
        uint64_t left = bytes - at;
        size_t part = (size_t)(left < PART ? left : PART);
        if (orr_stopped(stop))
            return orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", name);
        orr_status status = orr_read_source(fd, r->buffer, part, at, name, error);
        if (status != ORR_OK) return status;
        if (at % ORR_SEGMENT_BYTES == 0) XXH3_128bits_reset(r->segment);
        XXH3_128bits_update(r->segment, r->buffer, part);
        if (r->sha) EVP_DigestUpdate(r->sha, r->buffer, part);
        if (left > PART && (at + PART) % ORR_SEGMENT_BYTES) continue;
        XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(r->segment));
        XXH3_128bits_update(r->whole, digest.digest, sizeof digest.digest);
    }
    return ORR_OK;
}

orr_status orr_contents_compare(int fd, uint64_t bytes, const orr_metadata *sealed,
                                orr_stop_flag *stop, const char *name, int *same,
                                orr_error *error) {
    running r = {0};
    XXH128_canonical_t digest;
    uint8_t sha[32];
    *same = 0;
    orr_status status = running_begin(&r, sealed->has_sha256, name, error);
    if (status == ORR_OK) status = read_parts(&r, fd, bytes, stop, name, error);
    if (status == ORR_OK && r.sha && !EVP_DigestFinal_ex(r.sha, sha, NULL))
        status = orr_fail(error, ORR_INTERNAL, "%s: SHA-256 failed", name);
    if (status == ORR_OK) {
        // A file without a byte has no segment to hash, and one to seal (of no bytes).
        if (!bytes) {
            XXH128_canonicalFromHash(&digest, XXH3_128bits(NULL, 0));
            XXH3_128bits_update(r.whole, digest.digest, sizeof digest.digest);
        }
        XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(r.whole));
        *same = !memcmp(digest.digest, sealed->digest, sizeof digest.digest) &&
                (!r.sha || !memcmp(sha, sealed->sha256, sizeof sha));
    }
    running_end(&r, bytes);
    return status;
}

static int same_page(const orr_image_page *a, const orr_image_page *b) {
    return a->width == b->width && a->height == b->height && a->samples == b->samples &&
           a->bits == b->bits && a->sample_format == b->sample_format;
}

static int same_table(const orr_image *image, const orr_metadata *sealed, const char *name) {
    uint8_t *record = NULL;
    size_t bytes = 0;
    int same = orr_image_record_encode(image, name, &record, &bytes, NULL) == ORR_OK &&
               bytes == sealed->paper_length && !memcmp(record, sealed->paper, bytes);
    free(record);
    return same;
}

// The digest of all pixels, one page at a time.
static orr_status digest_pages(orr_image_source *source, orr_stop_flag *stop, const char *name,
                               uint8_t out[ORR_DIGEST_BYTES], orr_error *error) {
    const orr_image *image = orr_image_of(source);
    XXH3_state_t *state = XXH3_createState();
    XXH128_canonical_t digest;
    if (!state) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    XXH3_128bits_reset(state);
    orr_image_source_stop(source, stop);
    orr_status status = ORR_OK;
    for (uint32_t n = 0; status == ORR_OK && n < image->page_count; n++) {
        uint64_t bytes = orr_page_bytes(&image->pages[n]);
        uint8_t *volume = malloc(bytes);
        status = volume ? orr_image_read_page(source, n, volume, error)
                        : orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
        if (status == ORR_OK) XXH3_128bits_update(state, volume, bytes);
        if (volume) orr_wipe(volume, bytes);
        free(volume);
    }
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(state));
    memcpy(out, digest.digest, ORR_DIGEST_BYTES);
    XXH3_freeState(state);
    return status;
}

orr_status orr_contents_compare_pages(int fd, const orr_metadata *sealed, int tags, uint64_t memory,
                                      orr_stop_flag *stop, const char *name, int *same,
                                      orr_error *error) {
    orr_image table = {0};
    orr_image_source *source = NULL;
    uint8_t digest[ORR_DIGEST_BYTES];
    *same = 0;
    orr_status status =
        orr_image_record_decode(&table, sealed->paper, sealed->paper_length, name, error);
    if (status != ORR_OK) return status;
    status = orr_image_open(&source, fd, name, memory, error);
    int alike = status == ORR_OK && orr_image_of(source)->page_count == table.page_count &&
                (!tags || same_table(orr_image_of(source), sealed, name));
    for (uint32_t n = 0; alike && n < table.page_count; n++)
        alike = same_page(&table.pages[n], &orr_image_of(source)->pages[n]);
    if (alike) status = digest_pages(source, stop, name, digest, error);
    *same = alike && status == ORR_OK && !memcmp(digest, sealed->digest, sizeof digest);
    orr_image_close(source);
    orr_image_free(&table);
    return status;
}

orr_status orr_contents_sha256(int fd, uint64_t bytes, orr_stop_flag *stop, const char *name,
                               uint8_t sha256[32], orr_error *error) {
    uint8_t *buffer = malloc(1 << 20);
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    orr_status status = buffer && sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL)
                            ? ORR_OK
                            : orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    for (uint64_t at = 0; status == ORR_OK && at < bytes; at += 1 << 20) {
        size_t n = bytes - at < 1 << 20 ? (size_t)(bytes - at) : 1 << 20;
        status = orr_read_source(fd, buffer, n, at, name, error);
        if (status == ORR_OK) EVP_DigestUpdate(sha, buffer, n);
        if (status == ORR_OK && orr_stopped(stop))
            status = orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", name);
    }
    if (status == ORR_OK) EVP_DigestFinal_ex(sha, sha256, NULL);
    EVP_MD_CTX_free(sha);
    if (buffer) orr_wipe(buffer, 1 << 20);
    free(buffer);
    return status;
}
