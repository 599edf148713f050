// Where everything stands in a paper-profile file: a formula of the page table.
#ifndef ORRERY_HOST_PAPER_PAPER_LAYOUT_H
#define ORRERY_HOST_PAPER_PAPER_LAYOUT_H

#include "host/container/format.h"
#include "host/paper/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_paper_layout {
    int big;
    uint64_t length;               // bytes of all volumes
    uint64_t ifd_offset;           // of the first directory
    uint64_t data_offset;          // of the first page's pixels, multiple of 4096
    uint64_t pixels_end, data_end; // the latter is a multiple of 4096; zero between them
    uint64_t file_length;
    uint8_t *directories;  // data_offset - ifd_offset bytes from ifd_offset on; owned
    uint64_t *page_offset; // of each page's pixels; owned
} orr_paper_layout;

// Rows in a strip of the cipher image: as many as make at most 1 MiB, at least one.
uint32_t orr_paper_strip_rows(const orr_image_page *page);
// Of the header: slot pages, metadata length, repair data. ORR_UNSUPPORTED when a row is over 4 GiB
// or the file would not fit; ORR_INTERNAL (memory).
orr_status orr_paper_layout_init(orr_paper_layout *layout, const orr_image *image,
                                 const orr_header *header, const char *name, orr_error *error);
// Bytes of memory that orr_paper_layout_init takes for this image at most.
uint64_t orr_paper_layout_memory(const orr_image *image);
void orr_paper_layout_free(orr_paper_layout *layout);

#ifdef __cplusplus
}
#endif
#endif
