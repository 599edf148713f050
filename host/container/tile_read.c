// Tiles of an archive-profile container, one at a time on the CPU.
#include "host/container/tile_read.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "host/container/content_digest.h"
#include "host/container/heal.h"

orr_status orr_tile_reader_init(orr_tile_reader *r, orr_error *error) {
    r->gcm = orr_gcm_new(r->keys->tile_key);
    return r->gcm ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory");
}

void orr_tile_reader_end(orr_tile_reader *r) {
    orr_gcm_free(r->gcm);
    r->gcm = NULL;
}

// Whole pages of the file, as they are stored or, when `healed`, corrected.
static orr_status read_bytes(const orr_tile_reader *r, int healed, uint64_t offset, size_t bytes,
                             uint8_t *out, const char *shown, orr_error *error) {
    return healed ? orr_healer_read_bytes(r->healer, offset, bytes, out, error)
                  : orr_pread_all(r->fd, out, bytes, offset, shown, error);
}

// Takes the seal off tile n: its tag and salt, and its ciphertext, either as stored or corrected.
static orr_status unseal(const orr_tile_reader *r, uint64_t n, int head_healed, int tile_healed,
                         uint8_t *tile, const char *shown, orr_error *error) {
    uint8_t tag[ORR_GCM_TAG], salt[ORR_SALT_BYTES], nonce[ORR_GCM_NONCE];
    uint64_t segment = n / ORR_SEGMENT_TILES, head = orr_segment_offset(r->geometry, segment);
    uint32_t t = (uint32_t)(n % ORR_SEGMENT_TILES);
    size_t bytes = (size_t)orr_tile_rows(r->geometry, n) * ORR_TILE_ROW_BYTES;
    orr_segment_nonces nonces;
    orr_status status =
        read_bytes(r, head_healed, head + (uint64_t)t * ORR_GCM_TAG, sizeof tag, tag, shown, error);
    if (status == ORR_OK)
        status = read_bytes(r, head_healed, head + offsetof(orr_segment_head, salt), sizeof salt,
                            salt, shown, error);
    if (status == ORR_OK)
        status =
            read_bytes(r, tile_healed, orr_tile_offset(r->geometry, n), bytes, tile, shown, error);
    if (status != ORR_OK) return status;
    if (orr_segment_nonces_derive(r->keys, segment, salt, &nonces) != ORR_OK)
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory", shown);
    orr_tile_nonce(&nonces, t, nonce);
    status = orr_gcm_open(r->gcm, nonce, NULL, 0, tile, bytes, tile, tag);
    if (status == ORR_AUTH)
        return orr_fail(error, ORR_AUTH, "%s: tile %llu does not authenticate", shown,
                        (unsigned long long)n);
    return status == ORR_OK ? ORR_OK : orr_fail(error, status, "%s: out of memory", shown);
}

orr_status orr_tile_read(const orr_tile_reader *r, uint64_t n, uint8_t *tile, const char *shown,
                         orr_error *error) {
    uint32_t rows = orr_tile_rows(r->geometry, n);
    orr_tile_key key;
    orr_status status = unseal(r, n, 0, 0, tile, shown, error);
    // What is stored comes first: a checksum that was altered must not hide what authenticates.
    for (int way = 1; r->healer && way < 4 && (status == ORR_AUTH || status == ORR_IO); way++)
        status = unseal(r, n, way & 1, way >> 1, tile, shown, error);
    if (status != ORR_OK) return status;
    status = orr_tile_key_derive(r->secret, n, &key);
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

// Compares the digest sealed in the file with that of the segment's deciphered bytes; what must be
// zero in its head and behind its tiles is.
static orr_status check_segment(const orr_tile_reader *r, orr_gcm *digest_gcm, uint64_t segment,
                                const uint8_t digest[ORR_DIGEST_BYTES], const char *shown,
                                orr_error *error) {
    orr_segment_head head;
    orr_segment_nonces nonces;
    uint8_t opened[ORR_DIGEST_BYTES], padding[ORR_PAGE];
    uint64_t at = orr_segment_offset(r->geometry, segment),
             end = at + ORR_PAGE + orr_segment_tile_bytes(r->geometry, segment);
    size_t pad = orr_segment_padding(r->geometry, segment);
    orr_status status = orr_pread_all(r->fd, &head, sizeof head, at, shown, error);
    if (status == ORR_OK) status = orr_pread_all(r->fd, padding, pad, end, shown, error);
    if (status != ORR_OK) return status;
    status = orr_segment_nonces_derive(r->keys, segment, head.salt, &nonces);
    if (status == ORR_OK) status = orr_digest_open(digest_gcm, &nonces, head.sealed_digest, opened);
    if (status == ORR_INTERNAL) return orr_fail(error, status, "%s: out of memory", shown);
    if (status == ORR_OK &&
        (memcmp(opened, digest, sizeof opened) || !orr_all_zero(padding, pad) ||
         !orr_segment_head_is_clean(&head, orr_segment_tiles(r->geometry, segment))))
        status = ORR_SELF_TEST;
    return status;
}

orr_status orr_container_check(int fd, const orr_geometry *geometry, const orr_file_secret *secret,
                               const orr_file_keys *keys, const orr_cipher *cipher, uint64_t length,
                               const uint8_t file_digest[16], orr_stop_flag *stop,
                               const char *shown, orr_error *error) {
    orr_tile_reader r = {fd, geometry, secret, keys, cipher, NULL, NULL};
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
        status = check_segment(&r, digest_gcm, n / ORR_SEGMENT_TILES, digest, shown, error);
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
