// Small encrypted files of the archive profile, made in the plainest way: tile by tile, with the
// portable cipher and known salts. In C, for the fuzz targets too. What fails here is a fault of
// the test, and ends the process with a sentence.
//     container_draft_begin(&draft, length);  change header, metadata, secret, salts;
//     container_draft_settle(&draft, readers, count);  container_draft_write(&draft, plain, fd);
#ifndef ORRERY_TESTS_SUPPORT_CONTAINERS_H
#define ORRERY_TESTS_SUPPORT_CONTAINERS_H

#include "host/container/format.h"

#ifdef __cplusplus
extern "C" {
#endif

// A file to be. The first part is the caller's, filled with something valid by begin; the second
// follows from it in settle.
typedef struct container_draft {
    orr_header header; // but metadata_length and file_length
    orr_metadata metadata;
    orr_file_secret secret;
    uint8_t metadata_salt[ORR_SALT_BYTES];
    void (*segment_salt)(uint64_t segment, uint8_t salt[ORR_SALT_BYTES]);

    uint8_t header_bytes[ORR_HEADER_BYTES];
    orr_geometry geometry;
    orr_file_keys keys;
    orr_wraps wraps;
} container_draft;

// A file of `length` bytes: default rule and map constant, one slot page, no repair data, a path
// below a directory, fixed file ID and secret. container_draft_end frees what it holds.
void container_draft_begin(container_draft *draft, uint64_t length);
// Lengths, keys, and a wrap for each reader. May be called again after a change.
void container_draft_settle(container_draft *draft, const orr_wrap_key *readers, size_t count);
// All that is not data: directory, sealed metadata, slots, page 0. The file gets its length, which
// a hole may give it. ORR_IO when the file system refuses that.
orr_status container_draft_write_head(const container_draft *draft, int fd, orr_error *error);
// A segment as it stands in the file: its head, its tiles, zeros to a page. `plain` is the whole
// file's; `out` has room for ORR_PAGE + ORR_SEGMENT_BYTES. Returns its bytes.
size_t container_draft_segment(const container_draft *draft, const uint8_t *plain, uint64_t segment,
                               uint8_t *out, uint8_t digest[ORR_DIGEST_BYTES]);
// The whole file; fills in metadata.digest.
void container_draft_write(container_draft *draft, const uint8_t *plain, int fd);
void container_draft_end(container_draft *draft);

// Whoever has this master key.
orr_wrap_key container_reader(const uint8_t master[32]);
// Puts a changed slot's checksum right, as somebody without keys could.
void container_slot_checksum(uint8_t *slot, size_t size);

#ifdef __cplusplus
}
#endif
#endif
