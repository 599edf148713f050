#include "host/container/overlay.h"

#include <stdlib.h>
#include <string.h>

void orr_overlay_free(orr_overlay *overlay) {
    for (size_t i = 0; i < overlay->room; i++) free(overlay->pages[i]);
    free(overlay->pages);
    free(overlay->numbers);
    *overlay = (orr_overlay){.limit = overlay->limit};
}

// The place of page `number`, or the free one where it would go; `room` is a power of two.
static size_t find(const orr_overlay *overlay, uint64_t number) {
    size_t at = (size_t)((number + 1) * 0x9E3779B97F4A7C15u >> 20) & (overlay->room - 1);
    while (overlay->numbers[at] && overlay->numbers[at] != number + 1)
        at = (at + 1) & (overlay->room - 1);
    return at;
}

static int grow(orr_overlay *overlay) {
    orr_overlay wider = {.limit = overlay->limit, .count = overlay->count};
    wider.room = overlay->room ? 2 * overlay->room : 64;
    wider.numbers = calloc(wider.room, sizeof *wider.numbers);
    wider.pages = calloc(wider.room, sizeof *wider.pages);
    if (!wider.numbers || !wider.pages) {
        free(wider.numbers);
        free(wider.pages);
        return 0;
    }
    for (size_t i = 0; i < overlay->room; i++) {
        if (!overlay->numbers[i]) continue;
        size_t at = find(&wider, overlay->numbers[i] - 1);
        wider.numbers[at] = overlay->numbers[i];
        wider.pages[at] = overlay->pages[i];
    }
    free(overlay->numbers);
    free(overlay->pages);
    *overlay = wider;
    return 1;
}

orr_status orr_overlay_put(orr_overlay *overlay, uint64_t number, const uint8_t page[ORR_PAGE],
                           orr_error *error) {
    if (2 * overlay->count >= overlay->room && !grow(overlay))
        return orr_fail(error, ORR_INTERNAL, "out of memory");
    size_t at = find(overlay, number);
    if (!overlay->numbers[at]) {
        if ((overlay->count + 1) * ORR_PAGE > overlay->limit)
            return orr_fail(error, ORR_UNSUPPORTED,
                            "the corrected pages need more than %zu MiB of memory, which --mem "
                            "divided by -j gives: raise --mem, or lower -j",
                            overlay->limit >> 20);
        overlay->pages[at] = malloc(ORR_PAGE);
        if (!overlay->pages[at]) return orr_fail(error, ORR_INTERNAL, "out of memory");
        overlay->numbers[at] = number + 1;
        overlay->count++;
    }
    memcpy(overlay->pages[at], page, ORR_PAGE);
    return ORR_OK;
}

const uint8_t *orr_overlay_page(const orr_overlay *overlay, uint64_t number) {
    return overlay->count ? overlay->pages[find(overlay, number)] : NULL;
}
