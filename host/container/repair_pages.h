// Pages of a file with repair data as they are read, and what their checksums say of them: the
// lower half of host/container/repair.h, for its other files only.
#ifndef ORRERY_HOST_CONTAINER_REPAIR_PAGES_H
#define ORRERY_HOST_CONTAINER_REPAIR_PAGES_H

#include "host/container/erasure.h"
#include "host/container/repair.h"

#define ORR_SUMS_CACHED 64u

// What reading a page and its checksum found.
typedef enum orr_page_verdict {
    ORR_VERDICT_GOOD,
    ORR_VERDICT_DAMAGED,
    ORR_VERDICT_UNCHECKED // its checksum is lost, and nothing vouches for it
} orr_page_verdict;

struct orr_repair {
    orr_parity_layout layout;
    uint8_t file_id[32];
    orr_repair_source source;
    orr_erasure code;
    // The buffer of orr_repair_range: these pages are taken from there.
    const uint8_t *near;
    uint64_t near_first, near_count;
    // Checksum page i is kept in place i % ORR_SUMS_CACHED; `cached` holds i + 1.
    uint64_t cached[ORR_SUMS_CACHED];
    uint8_t cached_good[ORR_SUMS_CACHED];
    uint8_t *sums; // ORR_SUMS_CACHED pages
    // Work space of repair_groups.c.
    struct orr_repair_group *list;
    struct orr_repair_solution *window; // groups solved at a time
    size_t window_groups;
    uint8_t *pages, *arena;
};

// Reads `count` pages from page `page` of the sequence on. verdict[i] becomes GOOD where page i was
// read, else DAMAGED. ORR_IO.
orr_status orr_repair_fetch(orr_repair *repair, uint64_t page, uint64_t count, uint8_t *buffer,
                            uint8_t *verdict, orr_error *error);
// Looks at the checksums of pages that are GOOD so far. ORR_IO.
orr_status orr_repair_check(orr_repair *repair, uint64_t page, uint64_t count,
                            const uint8_t *buffer, uint8_t *verdict, orr_error *error);
// The checksum of a page, from either copy; *known is 0 when it is lost. ORR_IO.
orr_status orr_repair_sum(orr_repair *repair, uint64_t page, uint64_t *sum, int *known,
                          orr_error *error);
// Reads checksum page i of a copy; *good says whether it is whole. ORR_IO.
orr_status orr_repair_read_sums(const orr_repair *repair, int copy, uint64_t i,
                                uint8_t page[ORR_PAGE], int *good, orr_error *error);

#endif
