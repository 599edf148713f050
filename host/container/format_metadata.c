// The sealed metadata: what restores a file besides its bytes.
#include "host/container/format.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"

#define RECORD_HEADER 8
#define TIMESTAMP_BYTES 19

#define TIME_BYTES 12
#define HOLE_BYTES 16
#define IGNORABLE 0x8000u // tags from here on

enum {
    TAG_PATH = 1,
    TAG_SIZE,
    TAG_MTIME,
    TAG_MODE,
    TAG_DIGEST,
    TAG_SHA256,
    TAG_TIME,
    TAG_PAPER,
    TAG_WRITTEN,
    TAG_VAULT,
    TAG_HOLES,
    TAG_REGIONS,
    TAG_DECOY_LABEL
};

size_t orr_metadata_length(const orr_metadata *metadata) {
    size_t bytes = RECORD_HEADER + metadata->path_length;
    bytes += RECORD_HEADER + 8;
    bytes += 2 * (RECORD_HEADER + TIME_BYTES);
    bytes += RECORD_HEADER + 4;
    bytes += RECORD_HEADER + ORR_DIGEST_BYTES;
    if (metadata->has_sha256) bytes += RECORD_HEADER + 32;
    bytes += RECORD_HEADER + TIMESTAMP_BYTES;
    if (metadata->paper) bytes += RECORD_HEADER + metadata->paper_length;
    if (metadata->has_vault_id) bytes += RECORD_HEADER + ORR_VAULT_ID_BYTES;
    if (metadata->holes) bytes += RECORD_HEADER + metadata->holes_length;
    if (metadata->decoy_label[0]) bytes += RECORD_HEADER + strlen(metadata->decoy_label);
    return bytes;
}

uint64_t orr_metadata_sealed_length(const orr_metadata *metadata, orr_profile profile) {
    uint64_t unit = profile == ORR_PROFILE_ARCHIVE ? 1024 : ORR_PAGE;
    uint64_t bytes = ORR_SALT_BYTES + orr_metadata_length(metadata) + ORR_GCM_TAG;
    return (bytes + unit - 1) / unit * unit;
}

static uint8_t *record(uint8_t *out, unsigned tag, const void *value, size_t bytes) {
    orr_store_le16(out, (uint16_t)tag);
    orr_store_le16(out + 2, 0);
    orr_store_le32(out + 4, (uint32_t)bytes);
    memcpy(out + RECORD_HEADER, value, bytes);
    return out + RECORD_HEADER + bytes;
}

static uint8_t *time_record(uint8_t *out, unsigned tag, int64_t seconds, uint32_t nanoseconds) {
    uint8_t time[TIME_BYTES];
    orr_store_le64(time, (uint64_t)seconds);
    orr_store_le32(time + 8, nanoseconds);
    return record(out, tag, time, sizeof time);
}

void orr_metadata_encode(const orr_metadata *metadata, uint8_t *out) {
    uint8_t number[8];
    out = record(out, TAG_PATH, metadata->path, metadata->path_length);
    orr_store_le64(number, metadata->size);
    out = record(out, TAG_SIZE, number, 8);
    out = time_record(out, TAG_MTIME, metadata->mtime_seconds, metadata->mtime_nanoseconds);
    orr_store_le32(number, metadata->mode);
    out = record(out, TAG_MODE, number, 4);
    out = record(out, TAG_DIGEST, metadata->digest, ORR_DIGEST_BYTES);
    if (metadata->has_sha256) out = record(out, TAG_SHA256, metadata->sha256, 32);
    out = record(out, TAG_TIME, metadata->timestamp, TIMESTAMP_BYTES);
    if (metadata->paper) out = record(out, TAG_PAPER, metadata->paper, metadata->paper_length);
    out = time_record(out, TAG_WRITTEN, metadata->written_seconds, metadata->written_nanoseconds);
    if (metadata->has_vault_id)
        out = record(out, TAG_VAULT, metadata->vault_id, ORR_VAULT_ID_BYTES);
    if (metadata->holes) out = record(out, TAG_HOLES, metadata->holes, metadata->holes_length);
    if (metadata->decoy_label[0])
        record(out, TAG_DECOY_LABEL, metadata->decoy_label, strlen(metadata->decoy_label));
}

int orr_path_is_safe(const uint8_t *path, size_t length) {
    if (length == 0 || length > ORR_MAX_PATH || memchr(path, 0, length)) return 0;
    // Every component between slashes must name something below: so no leading, doubled or trailing
    // slash either.
    for (size_t start = 0; start <= length;) {
        const uint8_t *slash = memchr(path + start, '/', length - start);
        size_t end = slash ? (size_t)(slash - path) : length;
        size_t bytes = end - start;
        if (bytes == 0 || (bytes == 1 && path[start] == '.') ||
            (bytes == 2 && path[start] == '.' && path[start + 1] == '.')) {
            return 0;
        }
        start = end + 1;
    }
    return 1;
}

static int timestamp_is_valid(const uint8_t *text) {
    static const char shape[] = "00-00-0000 00:00:00";
    for (int i = 0; i < TIMESTAMP_BYTES; i++) {
        int digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != (uint8_t)shape[i]) return 0;
    }
    return 1;
}

static int take_time(const uint8_t *value, size_t bytes, int64_t *seconds, uint32_t *nanoseconds) {
    if (bytes != TIME_BYTES) return 0;
    *seconds = (int64_t)orr_load_le64(value);
    *nanoseconds = orr_load_le32(value + 8);
    return *nanoseconds < 1000000000u;
}

// Ascending, inside the file, none empty, none touching the next.
static int holes_are_valid(const uint8_t *holes, size_t bytes, uint64_t size) {
    uint64_t end = 0;
    if (bytes == 0 || bytes % HOLE_BYTES) return 0;
    for (size_t at = 0; at < bytes; at += HOLE_BYTES) {
        uint64_t offset = orr_load_le64(holes + at), length = orr_load_le64(holes + at + 8);
        if ((at && offset <= end) || length == 0 || offset > size || length > size - offset)
            return 0;
        end = offset + length;
    }
    return 1;
}

static int take_label(orr_metadata *metadata, const uint8_t *value, size_t bytes) {
    if (bytes == 0 || bytes > ORR_DECOY_LABEL_MAX || memchr(value, 0, bytes)) return 0;
    memcpy(metadata->decoy_label, value, bytes);
    return orr_text_is_plain(metadata->decoy_label);
}

// One record's value into its field, but for the long ones, which stay where they are. Returns
// zero when a writer would not have written it.
static int take(orr_metadata *metadata, unsigned tag, const uint8_t *value, size_t bytes) {
    switch (tag) {
    case TAG_PATH:
        if (!orr_path_is_safe(value, bytes)) return 0;
        memcpy(metadata->path, value, bytes);
        metadata->path_length = bytes;
        return 1;
    case TAG_SIZE:
        if (bytes != 8) return 0;
        metadata->size = orr_load_le64(value);
        return 1;
    case TAG_MTIME:
        return take_time(value, bytes, &metadata->mtime_seconds, &metadata->mtime_nanoseconds);
    case TAG_MODE:
        if (bytes != 4) return 0;
        metadata->mode = orr_load_le32(value);
        return metadata->mode <= 07777;
    case TAG_DIGEST:
        if (bytes != ORR_DIGEST_BYTES) return 0;
        memcpy(metadata->digest, value, bytes);
        return 1;
    case TAG_SHA256:
        if (bytes != 32) return 0;
        memcpy(metadata->sha256, value, bytes);
        metadata->has_sha256 = 1;
        return 1;
    case TAG_TIME:
        if (bytes != TIMESTAMP_BYTES || !timestamp_is_valid(value)) return 0;
        memcpy(metadata->timestamp, value, bytes);
        return 1;
    case TAG_PAPER:
        metadata->paper = (uint8_t *)value;
        metadata->paper_length = bytes;
        return 1;
    case TAG_WRITTEN:
        return take_time(value, bytes, &metadata->written_seconds, &metadata->written_nanoseconds);
    case TAG_VAULT:
        if (bytes != ORR_VAULT_ID_BYTES) return 0;
        memcpy(metadata->vault_id, value, bytes);
        metadata->has_vault_id = 1;
        return 1;
    case TAG_HOLES: // of the paper profile's pixels there are none
        metadata->holes = (uint8_t *)value;
        metadata->holes_length = bytes;
        return !metadata->paper && holes_are_valid(value, bytes, metadata->size);
    case TAG_DECOY_LABEL:
        return take_label(metadata, value, bytes);
    default: // regions stand only in files whose header says so, which are refused before
        return 0;
    }
}

// metadata->paper and ->holes then point into `in`.
static orr_status decode(const uint8_t *in, size_t bytes, orr_metadata *metadata,
                         orr_error *error) {
    const unsigned required = 1u << TAG_PATH | 1u << TAG_SIZE | 1u << TAG_MTIME | 1u << TAG_MODE |
                              1u << TAG_DIGEST | 1u << TAG_TIME | 1u << TAG_WRITTEN;
    unsigned seen = 0, last = 0, tag = 0;
    size_t at = 0;
    memset(metadata, 0, sizeof *metadata);
    while (bytes - at >= RECORD_HEADER && orr_load_le16(in + at)) {
        const uint8_t *head = in + at;
        tag = orr_load_le16(head);
        size_t length = orr_load_le32(head + 4);
        if (tag <= last || orr_load_le16(head + 2) || length > bytes - at - RECORD_HEADER) goto end;
        if (tag > TAG_DECOY_LABEL && tag < IGNORABLE) goto end;
        if (tag < IGNORABLE && !take(metadata, tag, head + RECORD_HEADER, length)) goto end;
        last = tag;
        if (tag < IGNORABLE) seen |= 1u << tag;
        at += RECORD_HEADER + length;
    }
    if ((seen & required) == required && orr_all_zero(in + at, bytes - at)) return ORR_OK;
    tag = 0;
end:
    metadata->paper = metadata->holes = NULL;
    orr_metadata_free(metadata);
    if (tag > TAG_DECOY_LABEL && tag < IGNORABLE)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "the sealed metadata have a record %u that this program does not know; use "
                        "a newer release",
                        tag);
    return orr_fail(error, ORR_AUTH,
                    "the sealed metadata is not what this format writes (near byte %zu); a foreign "
                    "program made this file",
                    at);
}

// A copy of a record that may be empty. NULL when memory ran out.
static uint8_t *keep(const uint8_t *record, size_t bytes) {
    uint8_t *copy = malloc(bytes + 1);
    if (copy) memcpy(copy, record, bytes);
    return copy;
}

orr_status orr_metadata_decode(const uint8_t *in, size_t bytes, orr_metadata *metadata,
                               orr_error *error) {
    orr_status status = decode(in, bytes, metadata, error);
    if (status != ORR_OK) return status;
    const uint8_t *paper = metadata->paper, *holes = metadata->holes;
    metadata->paper = paper ? keep(paper, metadata->paper_length) : NULL;
    metadata->holes = holes ? keep(holes, metadata->holes_length) : NULL;
    if (!paper == !metadata->paper && !holes == !metadata->holes) return ORR_OK;
    orr_metadata_free(metadata);
    return orr_fail(error, ORR_INTERNAL, "out of memory for %zu bytes of metadata", bytes);
}

void orr_metadata_free(orr_metadata *metadata) {
    if (metadata->paper) orr_wipe(metadata->paper, metadata->paper_length);
    free(metadata->paper);
    free(metadata->holes);
    orr_wipe(metadata, sizeof *metadata);
}

// nonce = HKDF-Expand(nonce key, "metadata" || 0x00 || salt)
static orr_status nonce_of(const orr_file_keys *keys, const uint8_t salt[ORR_SALT_BYTES],
                           uint8_t nonce[ORR_GCM_NONCE]) {
    uint8_t info[9 + ORR_SALT_BYTES] = "metadata";
    memcpy(info + 9, salt, ORR_SALT_BYTES);
    return orr_hkdf_expand(keys->nonce_key, info, sizeof info, nonce, ORR_GCM_NONCE);
}

orr_status orr_metadata_seal(const orr_metadata *metadata, const orr_file_keys *keys,
                             const uint8_t salt[ORR_SALT_BYTES], uint8_t *sealed, size_t length,
                             orr_error *error) {
    uint8_t nonce[ORR_GCM_NONCE], *text = sealed + ORR_SALT_BYTES;
    size_t records = orr_metadata_length(metadata), bytes = length - ORR_SALT_BYTES - ORR_GCM_TAG;
    if (length < ORR_SALT_BYTES + ORR_GCM_TAG || records > bytes)
        return orr_fail(error, ORR_INTERNAL, "the metadata is not of the length announced");
    orr_gcm *gcm = orr_gcm_new(keys->metadata_key);
    orr_status status = gcm ? nonce_of(keys, salt, nonce) : ORR_INTERNAL;
    if (status == ORR_OK) {
        memcpy(sealed, salt, ORR_SALT_BYTES);
        orr_metadata_encode(metadata, text);
        memset(text + records, 0, bytes - records);
        status = orr_gcm_seal(gcm, nonce, NULL, 0, text, bytes, text, text + bytes);
    }
    orr_gcm_free(gcm);
    if (status != ORR_OK) {
        orr_wipe(sealed, length);
        return orr_fail(error, ORR_INTERNAL, "sealing the metadata failed (OpenSSL or memory)");
    }
    return ORR_OK;
}

// The records of sealed bytes, opened in place.
static orr_status open_records(uint8_t *sealed, size_t length, const orr_file_keys *keys,
                               const char *name, orr_error *error) {
    uint8_t nonce[ORR_GCM_NONCE], *text = sealed + ORR_SALT_BYTES;
    size_t bytes = length - ORR_SALT_BYTES - ORR_GCM_TAG;
    orr_gcm *gcm = orr_gcm_new(keys->metadata_key);
    orr_status status = gcm ? nonce_of(keys, sealed, nonce) : ORR_INTERNAL;
    if (status == ORR_OK)
        status = orr_gcm_open(gcm, nonce, NULL, 0, text, bytes, text, text + bytes);
    orr_gcm_free(gcm);
    if (status == ORR_OK) return ORR_OK;
    return orr_fail(error, status,
                    status == ORR_AUTH ? "%s: the sealed metadata was altered or damaged"
                                       : "%s: opening the sealed metadata failed (OpenSSL)",
                    name);
}

orr_status orr_metadata_open(const orr_header *header, const orr_file_keys *keys, uint8_t *sealed,
                             const char *name, orr_metadata *metadata, orr_error *error) {
    size_t length = (size_t)header->metadata_length, bytes = length - ORR_SALT_BYTES - ORR_GCM_TAG;
    uint8_t *text = sealed + ORR_SALT_BYTES;
    orr_error inner = {0};
    orr_status status = open_records(sealed, length, keys, name, error);
    if (status != ORR_OK) goto end;
    status = decode(text, bytes, metadata, &inner);
    uint8_t *holes = status == ORR_OK ? metadata->holes : NULL;
    if (holes && !(metadata->holes = keep(holes, metadata->holes_length)))
        status = orr_fail(&inner, ORR_INTERNAL, "out of memory");
    if (status != ORR_OK) {
        metadata->paper = NULL;
        orr_fail(error, status, "%s: %s", name, inner.text);
        goto end;
    }
    if (metadata->paper) { // up to 64 MiB: it keeps the memory that it was read into
        memmove(sealed, metadata->paper, metadata->paper_length);
        orr_wipe(sealed + metadata->paper_length, length - metadata->paper_length);
        metadata->paper = sealed;
        sealed = NULL;
    }
    int archive = header->profile == ORR_PROFILE_ARCHIVE;
    if (archive ? metadata->paper || metadata->size != header->length : !metadata->paper) {
        orr_metadata_free(metadata);
        status = orr_fail(error, ORR_AUTH,
                          "%s: the sealed metadata does not fit the header; a foreign program made "
                          "this file",
                          name);
    }
end:
    if (sealed) orr_wipe(sealed, length);
    free(sealed);
    return status;
}

orr_status orr_container_read_metadata(const orr_container *container, int fd,
                                       const orr_file_keys *keys, const char *name,
                                       orr_metadata *metadata, orr_error *error) {
    const orr_header *header = &container->header;
    size_t length = (size_t)header->metadata_length; // capped by orr_header_decode
    uint8_t *sealed = malloc(length);
    if (!sealed)
        return orr_fail(error, ORR_INTERNAL, "%s: out of memory for %zu bytes of metadata", name,
                        length);
    orr_status status = orr_pread_all(fd, sealed, length, orr_metadata_offset(header), name, error);
    if (status == ORR_OK) return orr_metadata_open(header, keys, sealed, name, metadata, error);
    free(sealed);
    return status;
}

int64_t orr_metadata_time(const orr_metadata *metadata) {
    struct tm utc = {0};
    const char *end = strptime(metadata->timestamp, "%d-%m-%Y %H:%M:%S", &utc);
    return end && !*end ? (int64_t)timegm(&utc) : 0;
}

int orr_metadata_same(const orr_metadata *a, const orr_metadata *b) {
    size_t bytes = orr_metadata_length(a);
    if (orr_metadata_length(b) != bytes) return 0;
    uint8_t *both = malloc(2 * bytes);
    if (!both) return -1;
    orr_metadata_encode(a, both);
    orr_metadata_encode(b, both + bytes);
    int same = !memcmp(both, both + bytes, bytes);
    orr_wipe(both, 2 * bytes);
    free(both);
    return same;
}
