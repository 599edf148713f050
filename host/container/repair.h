// Repairing from repair data (docs/FORMAT.md, "Repair data"). It finds damaged pages by their
// checksums and solves their groups. It has no keys: whoever calls it authenticates what comes out
// before it is used or written, and never overwrites a page that authenticates as it stands.
#ifndef ORRERY_HOST_CONTAINER_REPAIR_H
#define ORRERY_HOST_CONTAINER_REPAIR_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "host/container/parity.h"

#ifdef __cplusplus
extern "C" {
#endif

// What was found of a page of the sequence. A page is damaged when it cannot be read (EIO, or
// behind the end of a cut file), when its checksum differs, or when its checksum is lost (in both
// copies) and known_good does not vouch for it.
typedef enum orr_page_state {
    ORR_PAGE_GOOD,     // has its checksum, or known_good vouched for it
    ORR_PAGE_REPAIRED, // damaged; the solved page has its checksum
    ORR_PAGE_SOLVED,   // damaged; solved, with no checksum to compare with
    ORR_PAGE_LOST      // damaged, and so is too much of its group
} orr_page_state;

// Where the file is. What it points to stays the caller's and outlives the orr_repair.
typedef struct orr_repair_source {
    int fd;
    uint64_t length;  // that the file has, which may be another than it should have
    const char *name; // for messages
    // As orr_pread_in_full() of `fd`, which is what NULL means.
    size_t (*read)(void *context, void *buffer, size_t bytes, uint64_t offset);
    // Is this page, whose checksum is lost, known to be right (its tile opens, say)? May be NULL:
    // no. May read the file; must not call back into the same orr_repair.
    int (*known_good)(void *context, uint64_t page, const uint8_t bytes[ORR_PAGE]);
    // What is known of this page besides its checksum: 1 it is right, -1 it is damaged, whatever
    // the checksum says; 0 nothing. May be NULL. Must not call back. With it solved pages are not
    // compared with their checksums (ORR_PAGE_SOLVED): the caller authenticates them.
    int (*judge)(void *context, uint64_t page);
    void *context;       // of all
    size_t memory;       // bytes to take at most; 0: ORR_PARITY_MEMORY. A few MiB it takes anyway
    orr_stop_flag *stop; // or NULL
} orr_repair_source;

typedef struct orr_repair orr_repair;

// Reads nothing but allocates what it needs, bounded whatever the layout says. *repair is closed
// with orr_repair_close (NULL allowed). One thread at a time; several may have one each.
// ORR_UNSUPPORTED (no ISA-L), ORR_AUTH (less than half as many pages are left as the body has:
// nothing to repair with), ORR_INTERNAL (memory).
orr_status orr_repair_open(orr_repair **repair, const orr_parity_layout *layout,
                           const uint8_t file_id[32], const orr_repair_source *source,
                           orr_error *error);
void orr_repair_close(orr_repair *repair);

// Pages `first` .. `first + count - 1` of the sequence, whose bytes as stored are in `buffer` (any
// bytes where they could not be read). Corrects in place what is damaged and says of each page in
// `states` what it was; bytes of lost pages stay. All pages of all groups that have one of them
// damaged are read. ORR_OK also when pages are lost; ORR_IO (reading failed in another way than by
// damage), ORR_STOPPED, ORR_INTERNAL: then `buffer` may be corrected in part, and `states` are
// undefined.
orr_status orr_repair_range(orr_repair *repair, uint64_t first, uint64_t count, uint8_t *buffer,
                            orr_page_state *states, orr_error *error);

typedef struct orr_repair_report {
    uint64_t damaged_body, damaged_repair; // pages; those without checksum are counted here too,
    uint64_t unchecked;                    // when known_good did not vouch for them, and here
    uint64_t damaged_sums[2], lost_sums;   // checksum pages: of each copy, and in both
    uint64_t damaged_groups, lost_groups;  // groups with damage; those that cannot be solved
    uint64_t repaired, solved, lost;       // pages by state; by a scan: `solved` is what could be
    uint32_t worst;                        // most damaged pages of one group
} orr_repair_report;

// Called for each damaged page: `bytes` are what it should be, NULL when it is lost. They are good
// during the call only. Another status than ORR_OK ends the work with it. Group by group, in no
// order that the file has.
typedef orr_status (*orr_repair_visit)(void *context, uint64_t page, orr_page_state state,
                                       const uint8_t *bytes, orr_error *error);

// The whole sequence, each page read once; without `visit` (NULL) that is all, and nothing is
// solved. With it, groups with damage are read again and solved, repair pages as well as body
// pages. ORR_OK whatever was found; else as orr_repair_range.
orr_status orr_repair_all(orr_repair *repair, orr_repair_visit visit, void *context,
                          orr_repair_report *report, orr_error *error);
// Can all that a scan found be repaired?
int orr_repair_possible(const orr_repair_report *report);

// Does a page of the sequence with these bytes have the checksum that is stored? *fits is 0, too,
// when that is lost. ORR_IO.
orr_status orr_repair_fits(orr_repair *repair, uint64_t page, const uint8_t bytes[ORR_PAGE],
                           int *fits, orr_error *error);

// Writes each checksum page that is good in one copy over the other, damaged one, to `fd`, and
// counts them. Pages damaged in both copies stay: orr_parity_write makes them anew when all of the
// body is known right. ORR_IO, ORR_STOPPED.
orr_status orr_repair_copy_sums(orr_repair *repair, int fd, uint64_t *written, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
