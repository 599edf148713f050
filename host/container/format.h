// The container: an encrypted file that is a valid TIFF (docs/FORMAT.md). This header is the bytes:
// geometry, headers, sealed metadata. It does no scheduling and knows no file names.
#ifndef ORRERY_HOST_CONTAINER_FORMAT_H
#define ORRERY_HOST_CONTAINER_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "host/container/crypto.h"
#include "host/container/slot.h"
#include "kernels/tile.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_SEGMENT_TILES 128
#define ORR_SEGMENT_BYTES ((uint64_t)ORR_SEGMENT_TILES * ORR_TILE_BYTES) // 6 MiB of plaintext
#define ORR_SEALED_DIGEST_BYTES 32
#define ORR_SALT_BYTES 16
#define ORR_MAX_LENGTH (384ull * 0xffffffffull)
#define ORR_DIGEST_BYTES 16
#define ORR_MAX_METADATA_ARCHIVE 1048576u // sealed
#define ORR_MAX_METADATA_PAPER 67108864u
#define ORR_MAX_GROUP_PAGES 255u // of repair data: of the body, and its repair pages
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
    uint64_t metadata_length; // of the sealed metadata, salt and tag with it
    uint64_t file_length;     // of the whole encrypted file
    uint32_t pages;
    unsigned slot_pages;         // of each wrap slot, 1..16
    unsigned repair_pages;       // in each group of repair data; 0: there are none
    uint32_t groups;             // of repair data
    uint32_t features_ignorable; // nothing depends on them but the keys
} orr_header;

// What writers put into the fields version and suite.
#define ORR_FORMAT_VERSION 1
#define ORR_FORMAT_SUITE 2

// Where the sealed metadata starts, and the first IFD, in both profiles.
uint64_t orr_metadata_offset(const orr_header *header);
uint64_t orr_ifd_offset(const orr_header *header);
// The length of the file whose data end at `data_end` (a multiple of ORR_PAGE): with the repair
// data that its header asks for. ORR_UNSUPPORTED when its fields are no repair data of such a file.
orr_status orr_file_length(const orr_header *header, uint64_t data_end, uint64_t *length,
                           orr_error *error);

// Everything about an archive-profile file that follows from its lengths.
typedef struct orr_geometry {
    uint64_t rows, tiles, segments;
    int big;              // BigTIFF: the classic layout would reach 2^32 bytes
    uint64_t ifd_offset;  // of the IFD
    uint64_t data_offset; // of segment 0
    uint64_t data_end;    // a multiple of ORR_PAGE; repair data follow
    uint64_t file_length;
} orr_geometry;

// Of the header's lengths, slot pages and repair data. ORR_UNSUPPORTED when one is over its cap.
orr_status orr_geometry_init(orr_geometry *geometry, const orr_header *header, orr_error *error);
// Tiles of a segment; rows of a tile; source bytes of a segment.
uint32_t orr_segment_tiles(const orr_geometry *geometry, uint64_t segment);
uint32_t orr_tile_rows(const orr_geometry *geometry, uint64_t tile);
uint64_t orr_segment_source_bytes(const orr_geometry *geometry, uint64_t length, uint64_t segment);
// Where a segment starts in the file: its head, a page; behind it its tiles. How many bytes its
// tiles have, and the zero bytes behind the last one of a file.
uint64_t orr_segment_offset(const orr_geometry *geometry, uint64_t segment);
uint64_t orr_segment_tile_bytes(const orr_geometry *geometry, uint64_t segment);
size_t orr_segment_padding(const orr_geometry *geometry, uint64_t segment);
// Where the ciphertext of a tile starts.
uint64_t orr_tile_offset(const orr_geometry *geometry, uint64_t tile);

// What HKDF gives for one file (docs/FORMAT.md, "Keys").
typedef struct orr_file_keys {
    uint8_t tile_key[32], digest_key[32], metadata_key[32], nonce_key[64], header_mac[32],
        commitment[32];
} orr_file_keys;

// What a segment is sealed with besides the file's keys: derived from its number and the salt in
// its head.
typedef struct orr_segment_nonces {
    uint8_t tile[ORR_GCM_NONCE]; // base: the low 7 bits of its last byte become the tile's number
    uint8_t digest[ORR_GCM_NONCE];
} orr_segment_nonces;

// The first page of a segment.
typedef struct orr_segment_head {
    uint8_t tags[ORR_SEGMENT_TILES][ORR_GCM_TAG];
    uint8_t sealed_digest[ORR_SEALED_DIGEST_BYTES];
    uint8_t salt[ORR_SALT_BYTES];
    uint8_t
        zero[ORR_PAGE - ORR_SEGMENT_TILES * ORR_GCM_TAG - ORR_SEALED_DIGEST_BYTES - ORR_SALT_BYTES];
} orr_segment_head;

// Encodes the header into 192 bytes; decodes and checks it. Decoding caps every field:
// ORR_UNSUPPORTED for an unknown version, suite, profile or flag, nonzero reserved bytes, a bad
// rule or k2, or a length over its cap; ORR_AUTH for a header that contradicts itself (a file
// length that does not follow from the other lengths): no writer makes one, so it was altered.
void orr_header_encode(const orr_header *header, uint8_t out[ORR_HEADER_BYTES]);
orr_status orr_header_decode(const uint8_t in[ORR_HEADER_BYTES], orr_header *header,
                             orr_error *error);

// Derives the file's keys from its secret and the encoded immutable header.
orr_status orr_file_keys_derive(orr_file_keys *keys, const orr_file_secret *secret,
                                const uint8_t header[ORR_HEADER_BYTES], orr_error *error);
// Nonces of a segment; of tile t of it, 0..127; initial states of tile n of the file (archive).
orr_status orr_segment_nonces_derive(const orr_file_keys *keys, uint64_t segment,
                                     const uint8_t salt[ORR_SALT_BYTES],
                                     orr_segment_nonces *nonces);
void orr_tile_nonce(const orr_segment_nonces *nonces, uint32_t t, uint8_t nonce[ORR_GCM_NONCE]);
orr_status orr_tile_key_derive(const orr_file_secret *secret, uint64_t tile, orr_tile_key *key);
// Seals / opens the digest of a segment. gcm is keyed with digest_key. ORR_AUTH when it does not
// open.
orr_status orr_digest_seal(orr_gcm *gcm, const orr_segment_nonces *nonces, const uint8_t digest[16],
                           uint8_t sealed[32]);
orr_status orr_digest_open(orr_gcm *gcm, const orr_segment_nonces *nonces, const uint8_t sealed[32],
                           uint8_t digest[16]);
// Opens each tile of a segment in place, and its digest. gcm is rekeyed. ORR_AUTH: *failed is the
// tile, counted in the segment, that does not authenticate, or their number when the digest does
// not.
orr_status orr_segment_open(orr_gcm *gcm, const orr_file_keys *keys, const orr_geometry *geometry,
                            uint64_t segment, const orr_segment_head *head, uint8_t *tiles,
                            uint8_t digest[ORR_DIGEST_BYTES], uint32_t *failed);
// Is everything zero in a head that must be: tags behind the last of `tiles`, and its rest?
int orr_segment_head_is_clean(const orr_segment_head *head, uint32_t tiles);

// ---- sealed metadata
#define ORR_VAULT_ID_BYTES 16
#define ORR_DECOY_LABEL_MAX 63
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
    char timestamp[20];      // "DD-MM-YYYY HH:MM:SS"
    int64_t written_seconds; // when the file was written
    uint32_t written_nanoseconds;
    int has_vault_id;
    uint8_t vault_id[ORR_VAULT_ID_BYTES];
    char decoy_label[ORR_DECOY_LABEL_MAX + 1]; // of a conditional decoy; "": none
    uint8_t *paper;                            // record 8, owned; NULL in the archive profile
    size_t paper_length;
    uint8_t *holes; // record 11, owned; NULL without
    size_t holes_length;
} orr_metadata;
// Length of the records in bytes (independent of digest and sha256 values), and of the sealed
// metadata that hold them in a profile: with salt, tag and padding.
size_t orr_metadata_length(const orr_metadata *metadata);
uint64_t orr_metadata_sealed_length(const orr_metadata *metadata, orr_profile profile);
void orr_metadata_encode(const orr_metadata *metadata, uint8_t *out);
// Decodes records and the zero bytes behind them into *metadata, which the caller then frees.
// ORR_UNSUPPORTED for a record that a later release may write; ORR_AUTH for anything else that a
// writer of this format would not write (the plaintext was authenticated, so its writer was
// foreign); ORR_INTERNAL.
orr_status orr_metadata_decode(const uint8_t *in, size_t bytes, orr_metadata *metadata,
                               orr_error *error);
void orr_metadata_free(orr_metadata *metadata); // wipes
// Have they the same records? -1: memory ran out.
int orr_metadata_same(const orr_metadata *a, const orr_metadata *b);
// The time of its timestamp, in Unix seconds (UTC); 0 when that is none.
int64_t orr_metadata_time(const orr_metadata *metadata);
// Is this a path that decrypt may create below its output directory? (docs/FORMAT.md, metadata tag
// 1)
int orr_path_is_safe(const uint8_t *path, size_t length);

// ---- the head of a file: everything before the data

// The fixed text of a profile's ImageDescription (ASCII, below ORR_DESCRIPTION_MAX bytes).
const char *orr_description(orr_profile profile);
// Page 0: TIFF header (BigTIFF when `big`), magic, immutable header, commitment, description.
void orr_page0_encode(const orr_header *header, const uint8_t commitment[32], int big,
                      uint8_t page[ORR_PAGE]);
// The sealed metadata, `length` bytes (orr_metadata_sealed_length): salt, ciphertext, tag. Each
// sealing takes a new salt.
orr_status orr_metadata_seal(const orr_metadata *metadata, const orr_file_keys *keys,
                             const uint8_t salt[ORR_SALT_BYTES], uint8_t *sealed, size_t length,
                             orr_error *error);
// A file is written in this order, all with pwrite and without fsync: its data and directories
// (orr_archive_directory_write: IFD and arrays of the archive profile, in pieces of at most 1 MiB),
// sealed metadata (with repair data twice), repair data, then head: slots and page 0, which holds
// the magic, last (with repair data the second copies first). ORR_INTERNAL when the metadata's or
// the wraps' length is not what the header says; ORR_IO.
orr_status orr_archive_directory_write(const orr_header *header, int fd, const char *name,
                                       orr_error *error);
// The bytes of that directory from file offset `offset` on: both multiples of 8, between IFD and
// data.
void orr_archive_directory_bytes(const orr_geometry *geometry, orr_profile profile, uint64_t offset,
                                 size_t bytes, uint8_t *out);
orr_status orr_metadata_write(const orr_header *header, const orr_file_keys *keys,
                              const orr_metadata *metadata, const uint8_t salt[ORR_SALT_BYTES],
                              int fd, const char *name, orr_error *error);
orr_status orr_head_write(const orr_header *header, const orr_file_keys *keys,
                          const orr_wraps *wraps, int big, int fd, const char *name,
                          orr_error *error);

// Complete reads and writes at an offset. ORR_IO with errno's text; for a read that meets the end
// of the file, ORR_AUTH ("truncated").
orr_status orr_pread_all(int fd, void *out, size_t bytes, uint64_t offset, const char *name,
                         orr_error *error);
orr_status orr_pwrite_all(int fd, const void *in, size_t bytes, uint64_t offset, const char *name,
                          orr_error *error);
// The same of a read or write of `bytes` that somebody else did: `done` were moved, and when they
// are fewer `number` is the errno.
orr_status orr_pread_outcome(size_t done, size_t bytes, int number, uint64_t offset,
                             const char *name, orr_error *error);
orr_status orr_pwrite_outcome(size_t done, size_t bytes, int number, uint64_t offset,
                              const char *name, orr_error *error);

// An encrypted file opened for reading. Zeros at first; orr_container_free frees it.
typedef struct orr_container {
    orr_header header;
    uint8_t header_bytes[ORR_HEADER_BYTES];
    uint8_t commitment[32];
    uint8_t page0[ORR_PAGE];
    int slots;                 // 2: A and B; 3: C, too, behind the repair data
    uint8_t *slot_bytes;       // of all slots, one after the other
    orr_slot slot[ORR_SLOTS];  // decoded, when it is good
    int slot_good[ORR_SLOTS];  // checksum right
    int slot_wrong[ORR_SLOTS]; // after unlock: good, but a wrap in it does not hold the file's
                               // secret
    int active;                // slot with the highest generation among the good ones, -1 when
                               // none; after unlock the one that was opened
    int known_origin;          // after unlock: a wrap of a master key opened it
    uint8_t opened_by[ORR_KEY_ID_BYTES]; // after unlock: that key, or the recipient's
    orr_geometry geometry;               // archive profile only
} orr_container;
void orr_container_free(orr_container *container);

// Does the file open as `fd` have the magic of an encrypted file, in its first page or in its last?
// Also 1 when that cannot be read.
int orr_has_magic(int fd);

// Reads page 0 and the slots from fd (pread) and checks what needs no key. actual_length is
// fstat's. ORR_NOT_ORRERY when the magic is missing; ORR_AUTH for truncation or growth against the
// header's file length, and when all slots are damaged; ORR_UNSUPPORTED and ORR_AUTH as
// orr_header_decode; ORR_IO; ORR_INTERNAL (memory). `name` is for messages.
orr_status orr_container_read(orr_container *container, int fd, uint64_t actual_length,
                              const char *name, orr_error *error);
// The same past damage, with page 0 at `offset`: 0, or that of the second one. Any length, and a
// slot that cannot be read is a damaged one.
orr_status orr_container_read_damaged(orr_container *container, int fd, uint64_t offset,
                                      const char *name, orr_error *error);
// The same with a page 0 from elsewhere. `slots` is not 0 when that has a header, also where no
// slot is good (ORR_AUTH).
orr_status orr_container_read_page0(orr_container *container, const uint8_t page0[ORR_PAGE], int fd,
                                    const char *name, orr_error *error);
// Where a slot starts, and how many bytes it has.
uint64_t orr_slot_offset(const orr_header *header, int slot);
size_t orr_slot_size(const orr_header *header);
// The slot that rewrap writes first: a damaged or wrong one, else the oldest, else (same
// generation) the last.
int orr_container_stale_slot(const orr_container *container);

// Opens the file secret with a wrap of this good slot whose key the lookup has: those of master
// keys first, then those of recipients, and what does not open is passed over; derives the keys,
// compares the commitment, checks the slot's HMAC. ORR_KEY (no such key), ORR_AUTH (header, slot or
// commitment altered).
orr_status orr_container_open_slot(const orr_container *container, int slot,
                                   orr_master_lookup lookup, void *context, const char *name,
                                   orr_file_secret *secret, orr_file_keys *keys, orr_error *error);
// The same with every good slot, the highest generation first; then checks the HMAC of all good
// slots (ORR_AUTH), and sets slot_wrong, active, known_origin and
// opened_by.
orr_status orr_container_unlock(orr_container *container, orr_master_lookup lookup, void *context,
                                const char *name, orr_file_secret *secret, orr_file_keys *keys,
                                orr_error *error);
// Authenticates and decodes sealed metadata: header->metadata_length bytes, malloc'ed, which are
// taken over. Errors as below.
orr_status orr_metadata_open(const orr_header *header, const orr_file_keys *keys, uint8_t *sealed,
                             const char *name, orr_metadata *metadata, orr_error *error);
// Where the second sealed metadata start in a file with repair data: whole pages before slot C.
uint64_t orr_second_metadata_offset(const orr_header *header);
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
