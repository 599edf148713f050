// Tiles of an archive-profile container, one at a time on the CPU.
#include "host/container/tile_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/content_digest.h"

orr_status orr_tile_reader_init(orr_tile_reader *r, orr_error *error) {
    r->gcm = orr_gcm_new(r->keys->tile_key);
    return r->gcm ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory");
}

void orr_tile_reader_end(orr_tile_reader *r) {
    orr_gcm_free(r->gcm);
    r->gcm = NULL;
}

// Where tile n lies in the file, and its tag.
static uint64_t tile_offset(const orr_tile_reader *r, uint64_t n, uint64_t *tag) {
    uint64_t segment = n / ORR_SEGMENT_TILES, i = n % ORR_SEGMENT_TILES;
    uint64_t at = orr_segment_offset(r->geometry, segment);
    *tag = at + i * ORR_GCM_TAG;
    return at + orr_segment_tiles(r->geometry, segment) * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES +
           i * ORR_TILE_BYTES;
}

orr_status orr_tile_read(const orr_tile_reader *r, uint64_t n, uint8_t *tile, const char *shown,
                         orr_error *error) {
    uint8_t tag[ORR_GCM_TAG], nonce[ORR_GCM_NONCE];
    uint64_t tag_at, at = tile_offset(r, n, &tag_at);
    uint32_t rows = orr_tile_rows(r->geometry, n);
    size_t bytes = (size_t)rows * ORR_TILE_ROW_BYTES;
    orr_tile_key key;
    orr_status status = orr_pread_all(r->fd, tag, sizeof tag, tag_at, shown, error);
    if (status == ORR_OK) status = orr_pread_all(r->fd, tile, bytes, at, shown, error);
    if (status != ORR_OK) return status;
    orr_tile_nonce(r->keys, n, nonce);
    status = orr_gcm_open(r->gcm, nonce, NULL, 0, tile, bytes, tile, tag);
    if (status == ORR_AUTH)
        return orr_fail(error, ORR_AUTH, "%s: tile %llu does not authenticate", shown,
                        (unsigned long long)n);
    if (status == ORR_OK) status = orr_tile_key_derive(r->secret, n, &key);
    if (status != ORR_OK) return orr_fail(error, status, "%s: out of memory", shown);
    status = orr_cpu_tile_decrypt(ORR_SIMD_BEST, r->cipher, &key, rows, tile, tile);
    orr_wipe(&key, sizeof key);
    return status == ORR_OK ? ORR_OK : orr_fail(error, status, "%s: out of memory", shown);
}

size_t orr_tile_source_bytes(uint64_t length, uint64_t tile) {
    uint64_t at = tile * ORR_TILE_BYTES;
    return length - at < ORR_TILE_BYTES ? (size_t)(length - at) : ORR_TILE_BYTES;
}

orr_status orr_check_failed(const char *shown, orr_error *error) {
    return orr_fail(error, ORR_SELF_TEST,
                    "%s: the finished file does not decrypt on the CPU to what was read: the "
                    "device or memory failed; nothing was kept",
                    shown);
}

// What decrypt will demand of tile n: zeros behind the source's last byte. No digest covers them.
static int padding_is_zero(const orr_tile_reader *r, uint64_t length, uint64_t n,
                           const uint8_t *tile) {
    size_t end = (size_t)orr_tile_rows(r->geometry, n) * ORR_TILE_ROW_BYTES;
    size_t begin = orr_tile_source_bytes(length, n);
    return orr_all_zero(tile + begin, end - begin);
}

// Compares the digest sealed in the file with that of the segment's deciphered bytes.
static orr_status check_sealed_digest(const orr_tile_reader *r, orr_gcm *digest_gcm,
                                      uint64_t segment, const uint8_t digest[ORR_DIGEST_BYTES],
                                      const char *shown, orr_error *error) {
    uint8_t sealed[ORR_SEALED_DIGEST_BYTES], opened[ORR_DIGEST_BYTES];
    uint64_t at = orr_segment_offset(r->geometry, segment) +
                  orr_segment_tiles(r->geometry, segment) * ORR_GCM_TAG;
    orr_status status = orr_pread_all(r->fd, sealed, sizeof sealed, at, shown, error);
    if (status != ORR_OK) return status;
    status = orr_digest_open(digest_gcm, segment, sealed, opened);
    if (status == ORR_INTERNAL) return orr_fail(error, status, "%s: out of memory", shown);
    if (status == ORR_OK && memcmp(opened, digest, sizeof opened)) status = ORR_SELF_TEST;
    return status;
}

orr_status orr_container_check(int fd, const orr_geometry *geometry, const orr_file_secret *secret,
                               const orr_file_keys *keys, const orr_cipher *cipher, uint64_t length,
                               const uint8_t file_digest[16], orr_stop_flag *stop,
                               const char *shown, orr_error *error) {
    orr_tile_reader r = {fd, geometry, secret, keys, cipher, NULL};
    uint8_t *tile = malloc(ORR_TILE_BYTES);
    orr_content_digest running;
    orr_gcm *digest_gcm = orr_gcm_new(keys->digest_key);
    uint8_t digest[ORR_DIGEST_BYTES];
    orr_status status = orr_content_digest_begin(&running) && tile && digest_gcm
                            ? orr_tile_reader_init(&r, error)
                            : orr_fail(error, ORR_INTERNAL, "out of memory");
    for (uint64_t n = 0; status == ORR_OK && n < geometry->tiles; n++) {
        status = orr_stopped(stop)
                     ? orr_fail(error, ORR_STOPPED, "%s: stopped while it was checked", shown)
                     : orr_tile_read(&r, n, tile, shown, error);
        if (status == ORR_OK && !padding_is_zero(&r, length, n, tile)) status = ORR_SELF_TEST;
        if (status != ORR_OK) break;
        orr_content_digest_add(&running, tile, orr_tile_source_bytes(length, n));
        if (n + 1 < geometry->tiles && (n + 1) % ORR_SEGMENT_TILES) continue;
        orr_content_digest_segment(&running, digest);
        status = check_sealed_digest(&r, digest_gcm, n / ORR_SEGMENT_TILES, digest, shown, error);
    }
    if (status == ORR_OK) {
        orr_content_digest_end(&running, digest);
        if (memcmp(digest, file_digest, sizeof digest)) status = ORR_SELF_TEST;
    }
    if (status == ORR_AUTH || status == ORR_SELF_TEST) status = orr_check_failed(shown, error);
    orr_tile_reader_end(&r);
    orr_gcm_free(digest_gcm);
    orr_content_digest_free(&running);
    if (tile) orr_wipe(tile, ORR_TILE_BYTES);
    free(tile);
    return status;
}

// Of one segment, with its planet layer taken off: is its digest right? -1: it does not open; -2:
// out of memory.
static int segment_fits(const orr_tile_reader *r, orr_gcm *digest_gcm, uint64_t segment,
                        uint64_t length, uint8_t *tile, const char *shown) {
    orr_content_digest running;
    uint8_t digest[ORR_DIGEST_BYTES];
    uint64_t first = segment * ORR_SEGMENT_TILES;
    orr_status status = orr_content_digest_begin(&running) ? ORR_OK : ORR_INTERNAL;
    for (uint64_t n = first; status == ORR_OK && n < r->geometry->tiles; n++) {
        if (n == first + ORR_SEGMENT_TILES) break;
        status = orr_tile_read(r, n, tile, shown, NULL);
        if (status == ORR_OK)
            orr_content_digest_add(&running, tile, orr_tile_source_bytes(length, n));
    }
    if (status == ORR_OK) {
        orr_content_digest_segment(&running, digest);
        status = check_sealed_digest(r, digest_gcm, segment, digest, shown, NULL);
    }
    orr_content_digest_free(&running);
    return status == ORR_OK ? 1 : status == ORR_SELF_TEST ? 0 : status == ORR_INTERNAL ? -2 : -1;
}

int orr_container_fits(int fd, const orr_geometry *geometry, const orr_file_secret *secret,
                       const orr_file_keys *keys, const orr_cipher *cipher, uint64_t length,
                       const char *shown) {
    orr_tile_reader r = {fd, geometry, secret, keys, cipher, NULL};
    uint8_t *tile = malloc(ORR_TILE_BYTES);
    orr_gcm *digest_gcm = orr_gcm_new(keys->digest_key);
    uint64_t last = geometry->tiles - 1;
    size_t padding = (size_t)orr_tile_rows(geometry, last) * ORR_TILE_ROW_BYTES -
                     orr_tile_source_bytes(length, last);
    int fits = -2;
    if (!tile || !digest_gcm || orr_tile_reader_init(&r, NULL) != ORR_OK) goto end;
    fits = -1;
    // A wrong secret makes noise of the padding: mostly one tile tells, of a segment of many.
    if (padding >= 16 && orr_tile_read(&r, last, tile, shown, NULL) == ORR_OK)
        fits = padding_is_zero(&r, length, last, tile);
    for (uint64_t s = geometry->segments; fits == -1 && s-- > 0;)
        fits = segment_fits(&r, digest_gcm, s, length, tile, shown);
end:
    orr_tile_reader_end(&r);
    orr_gcm_free(digest_gcm);
    if (tile) orr_wipe(tile, ORR_TILE_BYTES);
    free(tile);
    return fits;
}
