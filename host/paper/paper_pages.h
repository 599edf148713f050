// The pages of one paper-profile file on their way through the cipher: while a backend works on
// some, the next ones are read and the finished ones written.
#ifndef ORRERY_HOST_PAPER_PAPER_PAGES_H
#define ORRERY_HOST_PAPER_PAPER_PAGES_H

#include "host/paper/image.h"
#include "host/paper/paper.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

// Both are called once for each page, from the thread that called orr_paper_pages_run, each in the
// order of the pages. `volume` has orr_page_bytes() bytes.
typedef struct orr_paper_pages {
    orr_volume_op op;
    const orr_image *image;
    const orr_cipher *cipher;
    const orr_paper_means *means;
    const char *name; // of the file, for messages
    void *context;
    orr_status (*key)(void *context, uint32_t page, orr_volume_key *key, orr_error *error);
    orr_status (*load)(void *context, uint32_t page, uint8_t *volume, orr_error *error);
    orr_status (*store)(void *context, uint32_t page, uint8_t *volume, orr_error *error);
} orr_paper_pages;

// Runs all pages: load, cipher, store. As many are in flight as the backend finds worth while and
// as fit means->memory, at least one. A page for which that has no room for the second buffer that
// a device wants is done in place by the calling thread, with the same bytes. Buffers are wiped.
// Returns the first failure; ORR_STOPPED when means->stop was set before the last page was stored.
orr_status orr_paper_pages_run(const orr_paper_pages *pages, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
