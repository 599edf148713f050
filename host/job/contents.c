#include "host/job/contents.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/container/content_digest.h"
#include "host/job/output.h"
#include "host/paper/image.h"

// Every worker may be here at once, and what --mem allows is the ring's: a part of a segment.
#define PART (ORR_SEGMENT_BYTES / 4)

// What is made of a file while it is read; what is not wanted stays NULL.
typedef struct running {
    orr_content_digest digest;
    EVP_MD_CTX *sha;
    uint8_t *buffer;
} running;

static orr_status running_begin(running *r, int digest, int sha256, const char *name,
                                orr_error *error) {
    r->buffer = malloc(PART);
    r->sha = sha256 ? EVP_MD_CTX_new() : NULL;
    if ((digest && !orr_content_digest_begin(&r->digest)) || !r->buffer ||
        (sha256 && (!r->sha || !EVP_DigestInit_ex(r->sha, EVP_sha256(), NULL))))
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    return ORR_OK;
}

static void running_end(running *r, uint64_t bytes) {
    if (r->buffer) orr_wipe(r->buffer, bytes < PART ? (size_t)bytes : PART);
    free(r->buffer);
    EVP_MD_CTX_free(r->sha);
    orr_content_digest_free(&r->digest);
}

static orr_status read_parts(running *r, int fd, uint64_t bytes, orr_stop_flag *stop,
                             const char *name, orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES];
    for (uint64_t at = 0; at < bytes; at += PART) {
        uint64_t left = bytes - at;
        size_t part = (size_t)(left < PART ? left : PART);
        if (orr_stopped(stop))
            return orr_fail(error, ORR_STOPPED, "%s: stopped before it was finished", name);
        orr_status status = orr_read_source(fd, r->buffer, part, at, name, error);
        if (status != ORR_OK) return status;
        if (r->sha) EVP_DigestUpdate(r->sha, r->buffer, part);
        if (!r->digest.segment) continue;
        orr_content_digest_add(&r->digest, r->buffer, part);
        if (left <= PART || (at + PART) % ORR_SEGMENT_BYTES == 0)
            orr_content_digest_segment(&r->digest, digest);
    }
    return ORR_OK;
}

orr_status orr_contents_digest(int fd, uint64_t bytes, orr_stop_flag *stop, const char *name,
                               uint8_t digest[16], uint8_t sha256[32], orr_error *error) {
    running r = {0};
    orr_status status = running_begin(&r, digest != NULL, sha256 != NULL, name, error);
    if (status == ORR_OK) status = read_parts(&r, fd, bytes, stop, name, error);
    if (status == ORR_OK && r.sha && !EVP_DigestFinal_ex(r.sha, sha256, NULL))
        status = orr_fail(error, ORR_INTERNAL, "%s: SHA-256 failed", name);
    if (status == ORR_OK && digest) {
        // A file without a byte has one segment to seal, of no bytes.
        if (!bytes) orr_content_digest_segment(&r.digest, digest);
        orr_content_digest_end(&r.digest, digest);
    }
    running_end(&r, bytes);
    return status;
}

orr_status orr_contents_compare(int fd, uint64_t bytes, const orr_metadata *sealed,
                                orr_stop_flag *stop, const char *name, int *same,
                                orr_error *error) {
    uint8_t digest[ORR_DIGEST_BYTES], sha256[32];
    orr_status status = orr_contents_digest(fd, bytes, stop, name, digest,
                                            sealed->has_sha256 ? sha256 : NULL, error);
    *same = status == ORR_OK && !memcmp(digest, sealed->digest, sizeof digest) &&
            (!sealed->has_sha256 || !memcmp(sha256, sealed->sha256, sizeof sha256));
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
    orr_content_digest digest;
    orr_status status = orr_content_digest_begin(&digest)
                            ? ORR_OK
                            : orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    orr_image_source_stop(source, stop);
    for (uint32_t n = 0; status == ORR_OK && n < image->page_count; n++) {
        uint64_t bytes = orr_page_bytes(&image->pages[n]);
        uint8_t *volume = malloc(bytes);
        status = volume ? orr_image_read_page(source, n, volume, error)
                        : orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
        if (status == ORR_OK) orr_content_digest_add(&digest, volume, bytes);
        if (volume) orr_wipe(volume, bytes);
        free(volume);
    }
    if (status == ORR_OK) orr_content_digest_segment(&digest, out); // an image is one
    orr_content_digest_free(&digest);
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
