// The paper profile on files: decoded TIFF images in, cipher TIFFs of the same geometry out, and
// back.
#ifndef ORRERY_HOST_PAPER_PAPER_H
#define ORRERY_HOST_PAPER_PAPER_H

#include "host/container/format.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// What the cipher may use for one file.
typedef struct orr_paper_means {
    orr_backend *backend; // NULL: the calling thread does all work
    uint64_t memory;      // bytes for the pages in flight; one page may always be
    orr_stop_flag *stop;  // or NULL: ends with ORR_STOPPED between pages and inside long ones
    // Decrypting: NULL, or set to 1 when ORR_AUTH is said of nothing but the pixels, or the
    // directory and gaps around them. The target is a whole TIFF then, of pixels that nothing
    // vouches for.
    int *altered;
    struct orr_healer *healer; // decrypting: reads past damage (host/container/heal.h); or NULL
    // Decrypting: reads the file in place of the two; or NULL. Page 0 counts as right then.
    orr_status (*read)(void *context, void *out, size_t bytes, uint64_t offset, orr_error *error);
    void *context;
} orr_paper_means;

// What a writer needs to know about one new file besides the pixels.
typedef struct orr_paper_request {
    const char *name; // of the source, for messages
    uint16_t rule;
    uint32_t k2;
    const orr_file_secret *secret;
    const orr_wrap_key *readers; // who is to open it
    size_t reader_count;
    unsigned slot_pages;
    const uint8_t *file_id;       // 32 bytes
    const uint8_t *metadata_salt; // ORR_SALT_BYTES
    orr_metadata
        *metadata;         // all but digest and record 8, which are filled in here, is the caller's
    orr_paper_means means; // an image that needs more than its memory is refused
    unsigned parity;       // of repair data, in tenths of a percent; 0: none
    // Writes the repair data of a file whose head and data, up to data_end, are written.
    orr_status (*write_repair)(void *context, const orr_header *header, uint64_t data_end, int fd,
                               orr_error *error);
    void *context;
} orr_paper_request;

// Reads the TIFF at source_fd (any organisation and codec libtiff decodes; 8- and 16-bit integer
// gray or RGB, with extra samples), enciphers each page, writes the whole container to target_fd
// (empty, O_RDWR). Does not fsync. ORR_UNSUPPORTED with a sentence that points to the archive
// profile for palette, 1-bit, float, CMYK, sub-IFDs, undecodable or damaged files and images over
// the limit; ORR_IO.
orr_status orr_paper_encrypt(const orr_paper_request *request, int source_fd, int target_fd,
                             orr_error *error);

// container and keys come from orr_container_read/unlock, metadata from orr_container_metadata.
// `means` may be NULL: the calling thread, one page at a time. Checks the IFDs and the pixel
// digest. target_fd < 0: verify only. Writes a TIFF with the original pixels and tags. ORR_AUTH
// when IFDs, length or pixel digest differ.
orr_status orr_paper_decrypt(const orr_container *container, const orr_file_secret *secret,
                             const orr_metadata *metadata, const orr_paper_means *means,
                             int source_fd, int target_fd, const char *name, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
