// Pages that lie over those of a file: what it would be if they were written.
#ifndef ORRERY_HOST_CONTAINER_OVERLAY_H
#define ORRERY_HOST_CONTAINER_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "host/container/slot.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_overlay {
    size_t limit; // bytes of pages that it may hold; set by the caller
    size_t count, room;
    uint64_t *numbers; // of pages, plus 1; 0: no page. A hash table with open addresses
    uint8_t **pages;
} orr_overlay;

// Zeros, with a limit, are an empty one; free() makes it that again.
void orr_overlay_free(orr_overlay *overlay);
// Lays a copy of this page over page `number` of the file. ORR_UNSUPPORTED when the limit is
// reached; ORR_INTERNAL (memory).
orr_status orr_overlay_put(orr_overlay *overlay, uint64_t number, const uint8_t page[ORR_PAGE],
                           orr_error *error);
// The page that lies over page `number`, or NULL.
const uint8_t *orr_overlay_page(const orr_overlay *overlay, uint64_t number);

#ifdef __cplusplus
}
#endif
#endif
