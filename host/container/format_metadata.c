// The sealed metadata: what restores a file besides its bytes.
#include "host/container/format.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"

#define RECORD_HEADER 8
#define TIMESTAMP_BYTES 19

enum { TAG_PATH = 1, TAG_SIZE, TAG_MTIME, TAG_MODE, TAG_DIGEST, TAG_SHA256, TAG_TIME, TAG_PAPER };

size_t orr_metadata_length(const orr_metadata *metadata) {
    size_t bytes = RECORD_HEADER + metadata->path_length;
    bytes += RECORD_HEADER + 8;
    bytes += RECORD_HEADER + 12;
    bytes += RECORD_HEADER + 4;
    bytes += RECORD_HEADER + ORR_DIGEST_BYTES;
    if (metadata->has_sha256) bytes += RECORD_HEADER + 32;
    bytes += RECORD_HEADER + TIMESTAMP_BYTES;
    if (metadata->paper) bytes += RECORD_HEADER + metadata->paper_length;
    return bytes;
}

static uint8_t *record(uint8_t *out, unsigned tag, const void *value, size_t bytes) {
    orr_store_le16(out, (uint16_t)tag);
    orr_store_le16(out + 2, 0);
    orr_store_le32(out + 4, (uint32_t)bytes);
    memcpy(out + RECORD_HEADER, value, bytes);
    return out + RECORD_HEADER + bytes;
}

void orr_metadata_encode(const orr_metadata *metadata, uint8_t *out) {
    uint8_t number[12];
    out = record(out, TAG_PATH, metadata->path, metadata->path_length);
    orr_store_le64(number, metadata->size);
    out = record(out, TAG_SIZE, number, 8);
    orr_store_le64(number, (uint64_t)metadata->mtime_seconds);
    orr_store_le32(number + 8, metadata->mtime_nanoseconds);
    out = record(out, TAG_MTIME, number, 12);
    orr_store_le32(number, metadata->mode);
    out = record(out, TAG_MODE, number, 4);
    out = record(out, TAG_DIGEST, metadata->digest, ORR_DIGEST_BYTES);
    if (metadata->has_sha256) out = record(out, TAG_SHA256, metadata->sha256, 32);
    out = record(out, TAG_TIME, metadata->timestamp, TIMESTAMP_BYTES);
    if (metadata->paper) record(out, TAG_PAPER, metadata->paper, metadata->paper_length);
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

// One record's value into its field, but for the paper record, which stays where it is. Returns
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
        if (bytes != 12) return 0;
        metadata->mtime_seconds = (int64_t)orr_load_le64(value);
        metadata->mtime_nanoseconds = orr_load_le32(value + 8);
        return metadata->mtime_nanoseconds < 1000000000u;
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
    default:
        return 0;
    }
}

// metadata->paper then points into `in`.
static orr_status decode(const uint8_t *in, size_t bytes, orr_metadata *metadata,
                         orr_error *error) {
    const unsigned required = 1u << TAG_PATH | 1u << TAG_SIZE | 1u << TAG_MTIME | 1u << TAG_MODE |
                              1u << TAG_DIGEST | 1u << TAG_TIME;
    unsigned seen = 0, last = 0;
    size_t at = 0;
    memset(metadata, 0, sizeof *metadata);
    while (at < bytes) {
        const uint8_t *head = in + at;
        if (bytes - at < RECORD_HEADER) goto end;
        unsigned tag = orr_load_le16(head);
        size_t length = orr_load_le32(head + 4);
        if (tag <= last || tag > TAG_PAPER || orr_load_le16(head + 2) != 0 ||
            length > bytes - at - RECORD_HEADER) {
            goto end;
        }
        if (!take(metadata, tag, head + RECORD_HEADER, length)) goto end;
        last = tag;
        seen |= 1u << tag;
        at += RECORD_HEADER + length;
    }
    if ((seen & required) == required) return ORR_OK;
end:
    metadata->paper = NULL;
    orr_metadata_free(metadata);
    return orr_fail(error, ORR_AUTH,
                    "the sealed metadata is not what this format writes (near byte %zu); a foreign "
                    "program made this file",
                    at);
}

orr_status orr_metadata_decode(const uint8_t *in, size_t bytes, orr_metadata *metadata,
                               orr_error *error) {
    orr_status status = decode(in, bytes, metadata, error);
    if (status != ORR_OK || !metadata->paper) return status;
    const uint8_t *paper = metadata->paper;
    // One byte more, so that an empty record is not a null pointer.
    metadata->paper = malloc(metadata->paper_length + 1);
    if (metadata->paper) {
        memcpy(metadata->paper, paper, metadata->paper_length);
        return ORR_OK;
    }
    size_t length = metadata->paper_length;
    orr_metadata_free(metadata);
    return orr_fail(error, ORR_INTERNAL, "out of memory for %zu bytes of metadata", length);
}

void orr_metadata_free(orr_metadata *metadata) {
    if (metadata->paper) {
        orr_wipe(metadata->paper, metadata->paper_length);
        free(metadata->paper);
    }
    orr_wipe(metadata, sizeof *metadata);
}

static const uint8_t zero_nonce[ORR_GCM_NONCE];

orr_status orr_metadata_seal(const orr_metadata *metadata, const orr_file_keys *keys,
                             uint8_t *sealed, orr_error *error) {
    size_t bytes = orr_metadata_length(metadata);
    orr_gcm *gcm = orr_gcm_new(keys->metadata_key);
    orr_status status = ORR_INTERNAL;
    if (gcm) {
        orr_metadata_encode(metadata, sealed);
        status = orr_gcm_seal(gcm, zero_nonce, NULL, 0, sealed, bytes, sealed, sealed + bytes);
    }
    orr_gcm_free(gcm);
    if (status != ORR_OK) {
        orr_wipe(sealed, bytes);
        return orr_fail(error, ORR_INTERNAL, "sealing the metadata failed (OpenSSL or memory)");
    }
    return ORR_OK;
}

orr_status orr_container_read_metadata(const orr_container *container, int fd,
                                       const orr_file_keys *keys, const char *name,
                                       orr_metadata *metadata, orr_error *error) {
    const orr_header *header = &container->header;
    size_t bytes = (size_t)header->metadata_length; // capped by orr_header_decode
    uint8_t *buffer = malloc(bytes + ORR_GCM_TAG);
    orr_gcm *gcm = orr_gcm_new(keys->metadata_key);
    orr_error inner = {0};
    orr_status status = ORR_INTERNAL;
    if (!buffer || !gcm) {
        orr_fail(error, status, "%s: out of memory for %zu bytes of metadata", name, bytes);
        goto end;
    }
    status = orr_pread_all(fd, buffer, bytes + ORR_GCM_TAG, ORR_METADATA_OFFSET, name, error);
    if (status != ORR_OK) goto end;
    status = orr_gcm_open(gcm, zero_nonce, NULL, 0, buffer, bytes, buffer, buffer + bytes);
    if (status != ORR_OK) {
        orr_fail(error, status,
                 status == ORR_AUTH ? "%s: the sealed metadata was altered or damaged"
                                    : "%s: opening the sealed metadata failed (OpenSSL)",
                 name);
        goto end;
    }
    status = decode(buffer, bytes, metadata, &inner);
    if (status != ORR_OK) {
        orr_fail(error, status, "%s: %s", name, inner.text);
        goto end;
    }
    if (metadata->paper) { // up to 64 MiB: it keeps the memory that it was read into
        memmove(buffer, metadata->paper, metadata->paper_length);
        orr_wipe(buffer + metadata->paper_length, bytes - metadata->paper_length);
        metadata->paper = buffer;
        buffer = NULL;
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
    orr_gcm_free(gcm);
    if (buffer) orr_wipe(buffer, bytes);
    free(buffer);
    return status;
}

int64_t orr_metadata_time(const orr_metadata *metadata) {
    struct tm utc = {0};
    const char *end = strptime(metadata->timestamp, "%d-%m-%Y %H:%M:%S", &utc);
    return end && !*end ? (int64_t)timegm(&utc) : 0;
}
