// The container: an encrypted file that is a valid TIFF (docs/FORMAT.md). This header is the bytes:
// geometry, headers, wrap slots, sealed metadata. It does no scheduling and knows no file names.
#ifndef ORRERY_HOST_CONTAINER_FORMAT_H
#define ORRERY_HOST_CONTAINER_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "host/container/crypto.h"
#include "kernels/tile.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_PAGE 4096
#define ORR_HEADER_BYTES 192
#define ORR_METADATA_OFFSET 12288
#define ORR_SEGMENT_TILES 128
#define ORR_SEGMENT_BYTES ((uint64_t)ORR_SEGMENT_TILES * ORR_TILE_BYTES) // 6 MiB of plaintext
#define ORR_SEALED_DIGEST_BYTES 32
#define ORR_MAX_LENGTH (384ull * 0xffffffffull)
#define ORR_MAX_WRAPS 4
#define ORR_KEY_ID_BYTES 16
#define ORR_WRAP_BYTES 104
#define ORR_DIGEST_BYTES 16
#define ORR_MAX_METADATA_ARCHIVE 65536u
#define ORR_MAX_METADATA_PAPER 67108864u
#define ORR_MAX_PAGES 65535u
#define ORR_DESCRIPTION_OFFSET 256
#define ORR_DESCRIPTION_MAX 1024
#define ORR_MAGIC_OFFSET 16
#define ORR_MAGIC_BYTES 16
#define ORR_MAGIC "\x89ORRERY\r\n\x1a\n\0\0\0\0" // its 16th byte is the string's NUL
#define ORR_SUFFIX ".orr.tif"
#define ORR_DAMAGED_SUFFIX ".damaged" // then perhaps "-2": put aside by --redo-damaged

typedef enum orr_profile { ORR_PROFILE_ARCHIVE = 1, ORR_PROFILE_PAPER = 2 } orr_profile;

// The immutable header, decoded.
typedef struct orr_header {
    uint16_t version, suite;
    orr_profile profile;
    uint16_t rule;
    uint32_t k2;
    uint8_t file_id[32];
    uint64_t length;          // plaintext length
    uint64_t metadata_length; // plaintext of the sealed metadata
    uint64_t file_length;     // of the whole encrypted file
    uint32_t pages;
} orr_header;

// Everything about an archive-profile file that follows from its lengths.
typedef struct orr_geometry {
    uint64_t rows, tiles, segments;
    int big;              // BigTIFF: the classic layout would reach 2^32 bytes
    uint64_t ifd_offset;  // of the IFD
    uint64_t data_offset; // of segment 0
    uint64_t file_length;
} orr_geometry;

// ORR_UNSUPPORTED when a length is over its cap.
orr_status orr_geometry_init(orr_geometry *geometry, uint64_t length, uint64_t metadata_length,
                             orr_error *error);
// Tiles of a segment; rows of a tile; source bytes of a segment; where a segment starts in the file
// and how long it is.
uint32_t orr_segment_tiles(const orr_geometry *geometry, uint64_t segment);
uint32_t orr_tile_rows(const orr_geometry *geometry, uint64_t tile);
uint64_t orr_segment_source_bytes(const orr_geometry *geometry, uint64_t length, uint64_t segment);
uint64_t orr_segment_offset(const orr_geometry *geometry, uint64_t segment);
uint64_t orr_segment_file_bytes(const orr_geometry *geometry, uint64_t segment);

// The secrets of one file; wiped by the caller with orr_wipe.
typedef struct orr_file_secret {
    uint8_t seal_root[32];
    uint8_t planet_secret[64];
} orr_file_secret;

// What HKDF gives for one file (docs/FORMAT.md, "Keys").
typedef struct orr_file_keys {
    uint8_t tile_key[32], tile_nonce[12], digest_key[32], metadata_key[32], header_mac[32],
        commitment[32];
} orr_file_keys;

// Encodes the header into 192 bytes; decodes and checks it. Decoding caps every field:
// ORR_UNSUPPORTED for an unknown version, suite, profile or flag, nonzero reserved bytes, a bad
// rule or k2, or a length over its cap; ORR_AUTH for a header that contradicts itself (a file
// length that does not follow from the other lengths): no writer makes one, so it was altered.
void orr_header_encode(const orr_header *header, uint8_t out[ORR_HEADER_BYTES]);
orr_status orr_header_decode(const uint8_t in[ORR_HEADER_BYTES], orr_header *header,
                             orr_error *error);

// Derives the file's keys from seal_root and the encoded immutable header.
orr_status orr_file_keys_derive(orr_file_keys *keys, const orr_file_secret *secret,
                                const uint8_t header[ORR_HEADER_BYTES], orr_error *error);
// Nonce of tile n; initial states of tile n (archive).
void orr_tile_nonce(const orr_file_keys *keys, uint64_t tile, uint8_t nonce[12]);
orr_status orr_tile_key_derive(const orr_file_secret *secret, uint64_t tile, orr_tile_key *key);
// Seals / opens the digest of a segment. gcm is keyed with digest_key. ORR_AUTH when it does not
// open.
orr_status orr_digest_seal(orr_gcm *gcm, uint64_t segment, const uint8_t digest[16],
                           uint8_t sealed[32]);
orr_status orr_digest_open(orr_gcm *gcm, uint64_t segment, const uint8_t sealed[32],
                           uint8_t digest[16]);

// ---- wrap slots
typedef struct orr_wrap {
    uint8_t key_id[ORR_KEY_ID_BYTES];
    uint8_t wrapped[ORR_WRAP_BYTES];
} orr_wrap;
typedef struct orr_slot {
    uint64_t generation;
    uint32_t count;
    orr_wrap wrap[ORR_MAX_WRAPS];
} orr_slot;
orr_status orr_slot_encode(const orr_slot *slot, const uint8_t header_mac[32],
                           uint8_t page[ORR_PAGE]);
// Checks magic, checksum, zero bytes and count, not the HMAC. ORR_AUTH when damaged.
orr_status orr_slot_decode(const uint8_t page[ORR_PAGE], orr_slot *slot);
// Checks the HMAC. ORR_AUTH when wrong.
orr_status orr_slot_verify(const uint8_t page[ORR_PAGE], const uint8_t header_mac[32]);

// ---- sealed metadata
typedef struct orr_metadata {
    uint8_t path[ORR_MAX_PATH + 1]; // NUL-terminated for convenience; raw bytes
    size_t path_length;
    uint64_t size;
    int64_t mtime_seconds;
    uint32_t mtime_nanoseconds;
    uint32_t mode;
    uint8_t digest[16];
    int has_sha256;
    uint8_t sha256[32];
    char timestamp[20]; // "DD-MM-YYYY HH:MM:SS"
    uint8_t *paper;     // record 8, owned; NULL in the archive profile
    size_t paper_length;
} orr_metadata;
// Length of the encoding in bytes (independent of digest and sha256 values).
size_t orr_metadata_length(const orr_metadata *metadata);
void orr_metadata_encode(const orr_metadata *metadata, uint8_t *out);
// Decodes into *metadata, which the caller then frees. ORR_AUTH for anything that a writer of this
// format would not write (the plaintext was authenticated, so its writer was foreign);
// ORR_INTERNAL.
orr_status orr_metadata_decode(const uint8_t *in, size_t bytes, orr_metadata *metadata,
                               orr_error *error);
void orr_metadata_free(orr_metadata *metadata); // wipes
// The time of its timestamp, in Unix seconds (UTC); 0 when that is none.
int64_t orr_metadata_time(const orr_metadata *metadata);
// Is this a path that decrypt may create below its output directory? (docs/FORMAT.md, metadata tag
// 1)
int orr_path_is_safe(const uint8_t *path, size_t length);

// ---- the head of a file: everything before the data

// The fixed text of a profile's ImageDescription (ASCII, below ORR_DESCRIPTION_MAX bytes).
const char *orr_description(orr_profile profile);
// Where the first IFD starts, in both profiles: behind the sealed metadata.
uint64_t orr_ifd_offset(uint64_t metadata_length);
// Page 0: TIFF header (BigTIFF when `big`), magic, immutable header, commitment, description.
void orr_page0_encode(const orr_header *header, const uint8_t commitment[32], int big,
                      uint64_t ifd_offset, uint8_t page[ORR_PAGE]);
// The sealed metadata, orr_metadata_length() + 16 bytes: ciphertext, then tag. A file's metadata
// key seals once: call it once for a file.
orr_status orr_metadata_seal(const orr_metadata *metadata, const orr_file_keys *keys,
                             uint8_t *sealed, orr_error *error);
// Writes pages 0..2, sealed metadata, IFD and arrays of an archive-profile file to fd with pwrite,
// in pieces of at most 1 MiB; page 0, which holds the magic, last. Both slots get `slot`.
// header->pages, tile and file lengths must be those of orr_geometry_init. Does not fsync.
// ORR_INTERNAL when the metadata's length is not header->metadata_length; ORR_IO.
orr_status orr_archive_head_write(const orr_header *header, const orr_file_keys *keys,
                                  const orr_slot *slot, const orr_metadata *metadata, int fd,
                                  const char *name, orr_error *error);

// Complete reads and writes at an offset. ORR_IO with errno's text; for a read that meets the end
// of the file, ORR_AUTH ("truncated").
orr_status orr_pread_all(int fd, void *out, size_t bytes, uint64_t offset, const char *name,
                         orr_error *error);
orr_status orr_pwrite_all(int fd, const void *in, size_t bytes, uint64_t offset, const char *name,
                          orr_error *error);

// An encrypted file opened for reading, before any key: page 0 and both slots.
typedef struct orr_container {
    orr_header header;
    uint8_t header_bytes[ORR_HEADER_BYTES];
    uint8_t commitment[32];
    uint8_t page0[ORR_PAGE], slot_page[2][ORR_PAGE];
    orr_slot slot[2];
    int slot_good[2];      // checksum right
    int slot_wrong[2];     // after unlock: good, but a wrap in it does not hold the file's secret
    int planets_differ;    // after unlock: the slots agree in seal_root only; which is right is
                           // for the data to say (host/container/tile_read.h)
    int active;            // slot with the highest generation among the good ones, -1 when none;
                           // after unlock the one that was opened
    orr_geometry geometry; // archive profile only
} orr_container;

// Does the file open as `fd` have the magic of an encrypted file? Also 1 when that cannot be read.
int orr_has_magic(int fd);

// Reads pages 0..2 from fd (pread) and checks what needs no key. actual_length is fstat's.
// ORR_NOT_ORRERY when the magic is missing; ORR_AUTH for truncation or growth against the header's
// file length, and when both slots are damaged; ORR_UNSUPPORTED and ORR_AUTH as orr_header_decode;
// ORR_IO. `name` is for messages.
orr_status orr_container_read(orr_container *container, int fd, uint64_t actual_length,
                              const char *name, orr_error *error);
// The same for salvage: any length, and a slot that cannot be read is a damaged one.
orr_status orr_container_read_damaged(orr_container *container, int fd, const char *name,
                                      orr_error *error);
// The slot that rewrap writes first: a damaged or wrong one, else the older, else (same generation)
// B.
int orr_container_stale_slot(const orr_container *container);

// A source of master keys: fills key for an ID. Returns ORR_OK, or ORR_KEY with *error when the
// keyring lacks or has destroyed it.
typedef orr_status (*orr_master_lookup)(void *context, const uint8_t key_id[ORR_KEY_ID_BYTES],
                                        uint8_t key[32], orr_error *error);

// Unwraps the file secret with the first wrap of a good slot whose key the lookup has; derives the
// keys; compares the commitment; checks the slot's HMAC. ORR_KEY (no such key), ORR_AUTH (header,
// slot or commitment altered).
orr_status orr_container_open_slot(const orr_container *container, int slot,
                                   orr_master_lookup lookup, void *context, const char *name,
                                   orr_file_secret *secret, orr_file_keys *keys, orr_error *error);
// The same with the active slot or, when that is ORR_AUTH, the other one; then checks the HMAC of
// every good slot (ORR_AUTH), and sets slot_wrong, planets_differ and active.
orr_status orr_container_unlock(orr_container *container, orr_master_lookup lookup, void *context,
                                const char *name, orr_file_secret *secret, orr_file_keys *keys,
                                orr_error *error);
// Reads, authenticates and decodes the sealed metadata. The caller frees *metadata, after success
// only. ORR_AUTH, ORR_IO, ORR_INTERNAL (memory).
orr_status orr_container_read_metadata(const orr_container *container, int fd,
                                       const orr_file_keys *keys, const char *name,
                                       orr_metadata *metadata, orr_error *error);
// Rebuilds what needs no key and compares it with the file's bytes, in pieces of at most 1 MiB:
// page 0 and the zero bytes before the IFD, and in the archive profile IFD, arrays and padding up
// to the data. So a changed bit in TIFF header, description, IFD or arrays is ORR_AUTH. (The paper
// profile's IFDs are checked by host/paper/paper.h.) Salvage may skip it: nothing here is needed to
// find or open a tile.
orr_status orr_container_check_head(const orr_container *container, int fd, const char *name,
                                    orr_error *error);
// Both of the above.
orr_status orr_container_metadata(const orr_container *container, int fd, const orr_file_keys *keys,
                                  const char *name, orr_metadata *metadata, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
