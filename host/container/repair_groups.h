// Groups of pages with repair data: finding what is damaged in them, and solving them. The middle
// of host/container/repair.h, for its other files only.
#ifndef ORRERY_HOST_CONTAINER_REPAIR_GROUPS_H
#define ORRERY_HOST_CONTAINER_REPAIR_GROUPS_H

#include "host/container/repair_pages.h"

#define ORR_REPAIR_GROUPS 4096u // of a list

// Row i of a group is page i G + number: `data` rows, then the repair pages.
typedef struct orr_repair_group {
    uint64_t number;
    uint32_t data, rows;
    uint32_t damaged, unchecked; // rows that are not good; those of them whose checksum is lost
    uint32_t damaged_data;
    uint8_t bad[32]; // a bit for each row
} orr_repair_group;

// Work space of `repair`, whose layout and source are set. 0: no memory. close() takes any.
int orr_repair_groups_open(orr_repair *repair);
void orr_repair_groups_close(orr_repair *repair);

int orr_repair_is_bad(const orr_repair_group *group, uint32_t row);

// Fills a list of the `count` groups whose numbers ascend in `numbers`, or, when that is NULL, of
// those from `first` on; then reads and checks all their pages. ORR_IO, ORR_STOPPED.
orr_status orr_repair_look(orr_repair *repair, const uint64_t *numbers, uint64_t first,
                           size_t count, orr_error *error);

// Solves those of the repair's first `count` groups that have damage, and calls `visit` for each
// damaged page; for repair pages only with `remake`. ORR_IO, ORR_STOPPED, what `visit` says.
orr_status orr_repair_solve(orr_repair *repair, size_t count, int remake, orr_repair_visit visit,
                            void *context, orr_error *error);

#endif
