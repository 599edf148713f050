// Tiles of an archive-profile container, one at a time on the CPU: what salvage and --check cpu
// read with, apart from the stream of the jobs and from any device. docs/FORMAT.md, "Archive
// profile".
#ifndef ORRERY_HOST_CONTAINER_TILE_READ_H
#define ORRERY_HOST_CONTAINER_TILE_READ_H

#include "host/container/format.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// Everything needed to open one tile. The caller fills the first five and keeps what they point to;
// init makes the other, end frees it.
typedef struct orr_tile_reader {
    int fd;
    const orr_geometry *geometry;
    const orr_file_secret *secret;
    const orr_file_keys *keys;
    const orr_cipher *cipher;
    orr_gcm *gcm;
    struct orr_healer *healer; // the caller's; or NULL: nothing is read past damage
} orr_tile_reader;

// ORR_INTERNAL: out of memory. end() takes a reader that init refused, or one of zeros.
orr_status orr_tile_reader_init(orr_tile_reader *reader, orr_error *error);
void orr_tile_reader_end(orr_tile_reader *reader);

// Reads, authenticates and deciphers tile n into `tile` (ORR_TILE_BYTES of room; rows * 384 bytes
// are written). `shown` names the file in messages. ORR_AUTH: altered; ORR_IO: cannot be read.
orr_status orr_tile_read(const orr_tile_reader *reader, uint64_t n, uint8_t *tile,
                         const char *shown, orr_error *error);

// How many of the `length` bytes of the original are in tile n; what follows them is padding.
size_t orr_tile_source_bytes(uint64_t length, uint64_t n);

// ORR_SELF_TEST: the sentence for a file that --check cpu found to be wrong.
orr_status orr_check_failed(const char *shown, orr_error *error);

// The data of --check cpu in the archive profile: deciphers a finished container of `length` source
// bytes and compares all that decrypt will: tags, sealed segment digests, padding, and
// `file_digest`. ORR_SELF_TEST when something differs; ORR_STOPPED when *stop (or NULL) is set.
orr_status orr_container_check(int fd, const orr_geometry *geometry, const orr_file_secret *secret,
                               const orr_file_keys *keys, const orr_cipher *cipher, uint64_t length,
                               const uint8_t file_digest[16], orr_stop_flag *stop,
                               const char *shown, orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
