// Reading a container tile by tile on the CPU: bringing back what a damaged file still holds, and
// checking a finished one.
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "host/job_internal.h"
#include "host/text.h"

#define SALVAGED ".salvaged"

// Everything needed to open one tile at a time.
typedef struct tile_reader {
    int fd;
    const orr_geometry *geometry;
    const orr_file_secret *secret;
    const orr_file_keys *keys;
    const orr_cipher *cipher;
    orr_gcm *gcm;
    orr_tile_function decrypt;
} tile_reader;

static orr_status reader_init(tile_reader *r, orr_error *error) {
    r->gcm = orr_gcm_new(r->keys->tile_key);
    r->decrypt = orr_cpu_tile_decrypt(ORR_SIMD_BEST);
    return r->gcm ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory");
}

// Where tile n lies in the file, and its tag.
static uint64_t tile_offset(const tile_reader *r, uint64_t n, uint64_t *tag) {
    uint64_t segment = n / ORR_SEGMENT_TILES, i = n % ORR_SEGMENT_TILES;
    uint64_t at = orr_segment_offset(r->geometry, segment);
    *tag = at + i * ORR_GCM_TAG;
    return at + orr_segment_tiles(r->geometry, segment) * ORR_GCM_TAG + ORR_SEALED_DIGEST_BYTES +
           i * ORR_TILE_BYTES;
}

// Reads, authenticates and deciphers tile n into `tile` (ORR_TILE_BYTES of room).
static orr_status read_tile(const tile_reader *r, uint64_t n, uint8_t *tile, const char *shown,
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
    if (orr_gcm_open(r->gcm, nonce, NULL, 0, tile, bytes, tile, tag) != ORR_OK)
        return orr_fail(error, ORR_AUTH, "%s: tile %llu does not authenticate", shown,
                        (unsigned long long)n);
    status = orr_tile_key_derive(r->secret, n, &key);
    if (status == ORR_OK) r->decrypt(r->cipher, &key, rows, tile, tile);
    orr_wipe(&key, sizeof key);
    return status;
}

static size_t source_bytes(uint64_t length, uint64_t tile) {
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
static int padding_is_zero(const tile_reader *r, uint64_t length, uint64_t n, const uint8_t *tile) {
    size_t end = (size_t)orr_tile_rows(r->geometry, n) * ORR_TILE_ROW_BYTES;
    for (size_t i = source_bytes(length, n); i < end; i++)
        if (tile[i]) return 0;
    return 1;
}

// Compares the digest sealed in the file with that of the segment's deciphered bytes.
static orr_status check_sealed_digest(const tile_reader *r, orr_gcm *digest_gcm, uint64_t segment,
                                      const uint8_t digest[ORR_DIGEST_BYTES], const char *shown,
                                      orr_error *error) {
    uint8_t sealed[ORR_SEALED_DIGEST_BYTES], opened[ORR_DIGEST_BYTES];
    uint64_t at = orr_segment_offset(r->geometry, segment) +
                  orr_segment_tiles(r->geometry, segment) * ORR_GCM_TAG;
    orr_status status = orr_pread_all(r->fd, sealed, sizeof sealed, at, shown, error);
    if (status == ORR_OK) status = orr_digest_open(digest_gcm, segment, sealed, opened);
    if (status == ORR_OK && memcmp(opened, digest, sizeof opened)) status = ORR_SELF_TEST;
    return status;
}

orr_status orr_container_check(int fd, const orr_geometry *geometry, const orr_file_secret *secret,
                               const orr_file_keys *keys, const orr_cipher *cipher, uint64_t length,
                               const uint8_t file_digest[16], const char *shown, orr_error *error) {
    tile_reader r = {fd, geometry, secret, keys, cipher, NULL, NULL};
    uint8_t *tile = malloc(ORR_TILE_BYTES);
    XXH3_state_t *segment = XXH3_createState(), *whole = XXH3_createState();
    orr_gcm *digest_gcm = orr_gcm_new(keys->digest_key);
    XXH128_canonical_t digest;
    orr_status status = tile && segment && whole && digest_gcm
                            ? reader_init(&r, error)
                            : orr_fail(error, ORR_INTERNAL, "out of memory");
    if (status == ORR_OK) {
        XXH3_128bits_reset(whole);
        XXH3_128bits_reset(segment);
    }
    for (uint64_t n = 0; status == ORR_OK && n < geometry->tiles; n++) {
        status = read_tile(&r, n, tile, shown, error);
        if (status == ORR_OK && !padding_is_zero(&r, length, n, tile)) status = ORR_SELF_TEST;
        if (status != ORR_OK) break;
        XXH3_128bits_update(segment, tile, source_bytes(length, n));
        if (n + 1 < geometry->tiles && (n + 1) % ORR_SEGMENT_TILES) continue;
        XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(segment));
        status =
            check_sealed_digest(&r, digest_gcm, n / ORR_SEGMENT_TILES, digest.digest, shown, error);
        XXH3_128bits_update(whole, digest.digest, sizeof digest.digest);
        XXH3_128bits_reset(segment);
    }
    if (status == ORR_OK) {
        XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(whole));
        if (memcmp(digest.digest, file_digest, sizeof digest.digest)) status = ORR_SELF_TEST;
    }
    if (status == ORR_AUTH || status == ORR_SELF_TEST) status = orr_check_failed(shown, error);
    orr_gcm_free(r.gcm);
    orr_gcm_free(digest_gcm);
    XXH3_freeState(segment);
    XXH3_freeState(whole);
    if (tile) orr_wipe(tile, ORR_TILE_BYTES);
    free(tile);
    return status;
}

// ---- salvage

// Runs of good and bad tiles as byte ranges [start, end) of the original.
typedef struct ranges {
    cJSON *good, *bad;
    int last; // 1 good, 0 bad, -1 none
    uint64_t start, good_bytes;
} ranges;

static void add_range(cJSON *list, uint64_t start, uint64_t end) {
    cJSON *pair = cJSON_CreateArray();
    cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)start));
    cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)end));
    cJSON_AddItemToArray(list, pair);
}

static void note_range(ranges *r, int good, uint64_t at, uint64_t bytes) {
    if (good) r->good_bytes += bytes;
    if (good == r->last) return;
    if (r->last >= 0 && at > r->start) add_range(r->last ? r->good : r->bad, r->start, at);
    r->last = good;
    r->start = at;
}

// Opens what a damaged file still offers: header, a slot, keys. Metadata only when they
// authenticate.
static orr_status salvage_open(orr_job_file *file, orr_error *error) {
    uint8_t page[ORR_PAGE];
    orr_header header;
    orr_container *c = file->container ? file->container : malloc(sizeof *c);
    orr_side *from = file->from ? file->from : calloc(1, sizeof *from);
    file->container = c;
    file->from = from;
    if (!c || !from) return orr_fail(error, ORR_INTERNAL, "out of memory");
    orr_status status = orr_pread_all(file->fd, page, sizeof page, 0, file->source, error);
    if (status == ORR_OK) status = orr_header_decode(page + 32, &header, error);
    // The length that the header announces, not the one found: a cut file is what salvage is for.
    if (status == ORR_OK)
        status = orr_container_read(c, file->fd, header.file_length, file->source, error);
    if (status == ORR_OK && c->header.profile != ORR_PROFILE_ARCHIVE)
        status = orr_fail(error, ORR_UNSUPPORTED, "the paper profile has no tiles to salvage");
    if (status == ORR_OK)
        status = orr_container_unlock(c, orr_keyring_lookup, (void *)file->job->options->keyring,
                                      file->source, &from->secret, &from->keys, error);
    if (status == ORR_OK)
        status = orr_cipher_init(&from->cipher, c->header.rule, c->header.k2, error);
    if (status == ORR_OK && !file->metadata) {
        orr_metadata *m = calloc(1, sizeof *m);
        if (m &&
            orr_container_read_metadata(c, file->fd, &from->keys, file->source, m, NULL) == ORR_OK)
            file->metadata = m;
        else
            free(m);
    }
    return status;
}

// NAME.salvaged: the sealed path when it could be read, else the container's own name.
static char *salvaged_name(const orr_job_file *file) {
    const orr_job *job = file->job;
    const char *base = job->root.only   ? job->root.only
                       : file->metadata ? (const char *)file->metadata->path
                                        : file->relative;
    size_t n = strlen(base), m = strlen(ORR_SUFFIX);
    char *name = malloc(n + sizeof SALVAGED);
    if (!name) return NULL;
    if (!file->metadata && !job->root.only && n > m && !strcmp(base + n - m, ORR_SUFFIX)) n -= m;
    memcpy(name, base, n);
    memcpy(name + n, SALVAGED, sizeof SALVAGED);
    return name;
}

// Copies every tile that authenticates; the others stay holes, which read as zero.
static orr_status salvage_tiles(const tile_reader *r, uint64_t length, const orr_output *output,
                                ranges *found, orr_error *error) {
    uint8_t *tile = malloc(ORR_TILE_BYTES);
    orr_status status = tile ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory");
    for (uint64_t n = 0; status == ORR_OK && n < r->geometry->tiles && n * ORR_TILE_BYTES < length;
         n++) {
        size_t bytes = source_bytes(length, n);
        int good = read_tile(r, n, tile, output->shown, NULL) == ORR_OK;
        note_range(found, good, n * ORR_TILE_BYTES, bytes);
        if (good)
            status =
                orr_pwrite_all(output->fd, tile, bytes, n * ORR_TILE_BYTES, output->shown, error);
    }
    note_range(found, -1, length, 0);
    if (status == ORR_OK && ftruncate(output->fd, (off_t)length) != 0)
        status = orr_fail(error, ORR_IO, "%s: %s", output->shown, strerror(errno));
    if (tile) orr_wipe(tile, ORR_TILE_BYTES);
    free(tile);
    return status;
}

static orr_status write_report(const orr_job_file *file, const char *salvaged, uint64_t length,
                               ranges *found, orr_error *error) {
    orr_output output;
    size_t name_bytes = strlen(salvaged) + sizeof ".json";
    char *name = malloc(name_bytes), *text = NULL;
    cJSON *report = cJSON_CreateObject();
    if (!name || !report) {
        free(name);
        cJSON_Delete(report);
        return orr_fail(error, ORR_INTERNAL, "out of memory");
    }
    snprintf(name, name_bytes, "%s.json", salvaged);
    orr_json_add_bytes(report, "source", file->source);
    orr_json_add_bytes(report, "salvaged", salvaged);
    cJSON_AddNumberToObject(report, "length", (double)length);
    cJSON_AddNumberToObject(report, "recovered_bytes", (double)found->good_bytes);
    cJSON_AddItemToObject(report, "recovered", found->good);
    cJSON_AddItemToObject(report, "lost", found->bad);
    cJSON_AddStringToObject(report, "reason", file->error.text);
    found->good = found->bad = NULL;
    text = cJSON_Print(report);
    orr_status status =
        text ? orr_output_begin(&output, &file->job->root, name, 0, error) : ORR_INTERNAL;
    if (status == ORR_OK) {
        status = orr_pwrite_all(output.fd, text, strlen(text), 0, output.shown, error);
        if (status == ORR_OK) status = orr_output_commit(&output, error);
        orr_output_abort(&output);
    }
    free(text);
    free(name);
    cJSON_Delete(report);
    return status;
}

void orr_salvage(orr_job_file *file) {
    orr_error error = {0};
    orr_output output = {.fd = -1};
    ranges found = {cJSON_CreateArray(), cJSON_CreateArray(), -1, 0, 0};
    char *name = NULL;
    orr_status status = salvage_open(file, &error);
    if (status != ORR_OK) {
        orr_job_warn(file->job, "%s: nothing to salvage: %s", file->source, error.text);
        goto out;
    }
    uint64_t length = file->container->header.length;
    tile_reader r = {.fd = file->fd,
                     .geometry = &file->container->geometry,
                     .secret = &file->from->secret,
                     .keys = &file->from->keys,
                     .cipher = &file->from->cipher};
    name = salvaged_name(file);
    status = name ? reader_init(&r, &error) : orr_fail(&error, ORR_INTERNAL, "out of memory");
    if (status == ORR_OK) status = orr_output_begin(&output, &file->job->root, name, 0, &error);
    if (status == ORR_OK) status = salvage_tiles(&r, length, &output, &found, &error);
    if (status == ORR_OK) status = orr_output_commit(&output, &error);
    orr_output_abort(&output);
    orr_gcm_free(r.gcm);
    uint64_t good = found.good_bytes;
    if (status == ORR_OK) status = write_report(file, name, length, &found, &error);
    if (status == ORR_OK)
        orr_job_warn(file->job,
                     "%s: %llu of %llu bytes were salvaged into %s/%s; the gaps are zero and "
                     "listed in %s/%s.json",
                     file->source, (unsigned long long)good, (unsigned long long)length,
                     file->job->root.path, name, file->job->root.path, name);
    else
        orr_job_warn(file->job, "%s: salvage failed: %s", file->source, error.text);
out:
    cJSON_Delete(found.good);
    cJSON_Delete(found.bad);
    free(name);
}
