#include "tests/support/containers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/container/content_digest.h"
#include "host/keys/keyring.h"
#include "kernels/map.h"
#include "kernels/vpd.h"

static const orr_file_secret a_secret = {
    "the seal root of a test's files.",
    "a planet secret of sixty-four bytes, known to everybody, abcdefg"};

static void must(int ok, const char *what, const orr_error *error) {
    if (ok) return;
    fprintf(stderr, "a test's container: %s: %s\n", what, error ? error->text : "");
    abort();
}

static void must_be_ok(orr_status status, const char *what, const orr_error *error) {
    must(status == ORR_OK, what, error);
}

static void a_salt(uint64_t segment, uint8_t salt[ORR_SALT_BYTES]) {
    for (int i = 0; i < ORR_SALT_BYTES; i++) salt[i] = (uint8_t)(17 * i + 3 * segment + 1);
}

void container_draft_begin(container_draft *draft, uint64_t length) {
    *draft = (container_draft){.header = {.version = ORR_FORMAT_VERSION,
                                          .suite = ORR_FORMAT_SUITE,
                                          .profile = ORR_PROFILE_ARCHIVE,
                                          .rule = ORR_RULE_DEFAULT,
                                          .k2 = ORR_MAP_K2_DEFAULT,
                                          .file_id = "one fixed file ID, thirty-two by",
                                          .length = length,
                                          .pages = 1,
                                          .slot_pages = 1},
                               .metadata = {.path = "ward/scan1.svs",
                                            .path_length = 14,
                                            .size = length,
                                            .mtime_seconds = -5,
                                            .mode = 0640,
                                            .timestamp = "02-01-2025 03:04:05",
                                            .written_seconds = 1735787046},
                               .secret = a_secret,
                               .metadata_salt = "sixteen of salt",
                               .segment_salt = a_salt};
}

void container_draft_settle(container_draft *draft, const orr_wrap_key *readers, size_t count) {
    orr_error error = {0};
    orr_header *header = &draft->header;
    header->metadata_length = orr_metadata_sealed_length(&draft->metadata, header->profile);
    must_be_ok(orr_geometry_init(&draft->geometry, header, &error), "lengths", &error);
    header->file_length = draft->geometry.file_length;
    orr_header_encode(header, draft->header_bytes);
    must_be_ok(orr_file_keys_derive(&draft->keys, &draft->secret, draft->header_bytes, &error),
               "keys", &error);
    orr_wraps_free(&draft->wraps);
    for (size_t i = 0; i < count; i++) {
        const uint8_t seed[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
        must_be_ok(orr_wraps_make(&draft->wraps, &readers[i], seed, &draft->secret,
                                  draft->header_bytes, &error),
                   "a wrap", &error);
    }
}

orr_status container_draft_write_head(const container_draft *draft, int fd, orr_error *error) {
    const orr_header *header = &draft->header;
    if (ftruncate(fd, (off_t)header->file_length) != 0)
        return orr_fail(error, ORR_IO, "no file of this length here");
    must_be_ok(orr_archive_directory_write(header, fd, "draft", error), "directory", error);
    must_be_ok(orr_metadata_write(header, &draft->keys, &draft->metadata, draft->metadata_salt, fd,
                                  "draft", error),
               "metadata", error);
    must_be_ok(orr_head_write(header, &draft->keys, &draft->wraps, draft->geometry.big, fd, "draft",
                              error),
               "head", error);
    return ORR_OK;
}

static void seal_tile(const container_draft *draft, orr_gcm *gcm, const orr_cipher *cipher,
                      const orr_segment_nonces *nonces, uint64_t tile, const uint8_t *plain,
                      uint8_t *out, uint8_t tag[ORR_GCM_TAG]) {
    static uint8_t padded[ORR_TILE_BYTES];
    uint8_t nonce[ORR_GCM_NONCE];
    orr_tile_key key;
    uint32_t rows = orr_tile_rows(&draft->geometry, tile);
    uint64_t at = tile * ORR_TILE_BYTES, left = draft->header.length - at;
    memset(padded, 0, sizeof padded);
    if (left) memcpy(padded, plain + at, left < ORR_TILE_BYTES ? left : ORR_TILE_BYTES);
    must_be_ok(orr_tile_key_derive(&draft->secret, tile, &key), "key of a tile", NULL);
    orr_tile_encrypt_portable(cipher, &key, rows, padded, out);
    orr_tile_nonce(nonces, (uint32_t)(tile % ORR_SEGMENT_TILES), nonce);
    must_be_ok(orr_gcm_seal(gcm, nonce, NULL, 0, out, (size_t)rows * ORR_TILE_ROW_BYTES, out, tag),
               "a tile", NULL);
}

size_t container_draft_segment(const container_draft *draft, const uint8_t *plain, uint64_t segment,
                               uint8_t *out, uint8_t digest[ORR_DIGEST_BYTES]) {
    orr_error error = {0};
    const orr_geometry *g = &draft->geometry;
    orr_segment_head head = {0};
    orr_segment_nonces nonces;
    orr_cipher cipher;
    orr_gcm *tiles = orr_gcm_new(draft->keys.tile_key),
            *digests = orr_gcm_new(draft->keys.digest_key);
    must(tiles && digests, "memory", NULL);
    must_be_ok(orr_cipher_init(&cipher, draft->header.rule, draft->header.k2, &error), "a cipher",
               &error);
    draft->segment_salt(segment, head.salt);
    must_be_ok(orr_segment_nonces_derive(&draft->keys, segment, head.salt, &nonces), "nonces",
               NULL);
    for (uint32_t t = 0; t < orr_segment_tiles(g, segment); t++)
        seal_tile(draft, tiles, &cipher, &nonces, segment * ORR_SEGMENT_TILES + t, plain,
                  out + ORR_PAGE + (size_t)t * ORR_TILE_BYTES, head.tags[t]);
    orr_content_digest_of(plain + segment * ORR_SEGMENT_BYTES,
                          orr_segment_source_bytes(g, draft->header.length, segment), digest);
    must_be_ok(orr_digest_seal(digests, &nonces, digest, head.sealed_digest), "a digest", NULL);
    memcpy(out, &head, sizeof head);
    size_t bytes = ORR_PAGE + orr_segment_tile_bytes(g, segment);
    memset(out + bytes, 0, orr_segment_padding(g, segment));
    orr_gcm_free(tiles);
    orr_gcm_free(digests);
    return bytes + orr_segment_padding(g, segment);
}

void container_draft_write(container_draft *draft, const uint8_t *plain, int fd) {
    orr_error error = {0};
    uint64_t segments = draft->geometry.segments;
    uint8_t *out = malloc(ORR_PAGE + ORR_SEGMENT_BYTES),
            *digests = malloc(segments * ORR_DIGEST_BYTES);
    must(out && digests, "memory", NULL);
    for (uint64_t s = 0; s < segments; s++) {
        size_t bytes =
            container_draft_segment(draft, plain, s, out, digests + s * ORR_DIGEST_BYTES);
        must_be_ok(orr_pwrite_all(fd, out, bytes, orr_segment_offset(&draft->geometry, s), "draft",
                                  &error),
                   "a segment", &error);
    }
    orr_content_digest_of(digests, segments * ORR_DIGEST_BYTES, draft->metadata.digest);
    must_be_ok(container_draft_write_head(draft, fd, &error), "head", &error);
    free(out);
    free(digests);
}

void container_draft_end(container_draft *draft) {
    orr_wraps_free(&draft->wraps);
    orr_metadata_free(&draft->metadata);
}

orr_wrap_key container_reader(const uint8_t master[32]) {
    orr_error error = {0};
    orr_wrap_key reader = {.type = ORR_WRAP_MASTER};
    must_be_ok(orr_master_key_id(master, reader.key_id, &error), "a key's ID", &error);
    memcpy(reader.key, master, sizeof reader.key);
    return reader;
}

void container_slot_checksum(uint8_t *slot, size_t size) {
    orr_content_digest_of(slot, size - ORR_DIGEST_BYTES, slot + size - ORR_DIGEST_BYTES);
}
