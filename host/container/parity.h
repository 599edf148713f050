// Repair data (docs/FORMAT.md, "Repair data"): where everything is, and writing it. Bytes and pages
// only: no keys, no authentication. Whoever repairs authenticates what comes out
// (host/container/repair.h).
#ifndef ORRERY_HOST_CONTAINER_PARITY_H
#define ORRERY_HOST_CONTAINER_PARITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "host/container/format.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_PARITY_MEMORY ((size_t)64 << 20) // what writing and repairing take at most, by default
#define ORR_PARITY_MAX_BODY (1ull << 32)     // pages
#define ORR_PARITY_SUMS 510u                 // checksums in a checksum page
#define ORR_PARITY_TENTHS_LEAST 5u
#define ORR_PARITY_TENTHS_MOST 500u

// Where everything is. "Pages" are of the one sequence of body pages (0 .. body - 1) and repair
// pages (body .. pages - 1); offsets are bytes of the file.
typedef struct orr_parity_layout {
    uint64_t first;     // the page of the file that is page 0 of the sequence
    uint64_t body;      // K
    uint32_t parity;    // m, repair pages of a group
    uint64_t groups;    // G; page s is in group s % G
    uint32_t rows;      // k, data rows of a group; of the last row some groups have no page
    uint64_t pages;     // K + mG
    uint64_t sum_pages; // c, checksum pages of a copy
    uint64_t sums[2];   // offset of each copy of the checksum pages
    uint64_t repair;    // offset of the repair pages
    uint64_t metadata;  // offset of the second sealed metadata
    uint64_t slots;     // offset of wrap slot C
    uint64_t page0;     // offset of the second page 0, the last page
    uint64_t length;    // of the whole file
} orr_parity_layout;

// From page `first` of the file on, `body` pages, with m = `parity`, G = `groups`; `sealed` bytes
// of sealed metadata and `slot_pages` (1..16) pages of a wrap slot come again in the tail.
// ORR_UNSUPPORTED: over a cap; ORR_AUTH: numbers that contradict each other (m or G is 0, G > K,
// k + m > 255). Nothing is allocated.
orr_status orr_parity_layout_init(orr_parity_layout *layout, uint64_t first, uint64_t body,
                                  uint32_t parity, uint64_t groups, uint64_t sealed,
                                  uint32_t slot_pages, orr_error *error);
// The same of a file's header; its data end at `data_end`. ORR_UNSUPPORTED for any fault.
orr_status orr_repair_layout(const orr_header *header, uint64_t data_end, orr_parity_layout *layout,
                             orr_error *error);
// m and G of a writer for `body` >= 1 pages and `tenths` of a percent. ORR_USAGE: not 5..500.
orr_status orr_parity_choose(uint64_t body, unsigned tenths, uint32_t *parity, uint64_t *groups,
                             orr_error *error);

// What a writer does of `tenths` (0: nothing) for a file whose data end at `data_end`: sets the
// header's fields, and its file length. ORR_USAGE, ORR_UNSUPPORTED.
orr_status orr_repair_plan(orr_header *header, uint64_t data_end, unsigned tenths,
                           orr_error *error);

// Where a page of the sequence is in the file, and how many from it on lie there side by side.
uint64_t orr_parity_offset(const orr_parity_layout *layout, uint64_t page);
uint64_t orr_parity_adjacent(const orr_parity_layout *layout, uint64_t page);
// How many pages of group g are data; they are pages g, g + G, ...; its m repair pages follow them.
uint32_t orr_parity_data_rows(const orr_parity_layout *layout, uint64_t group);
// The checksum of a page, and of the 4,080 bytes of checksum page i (16 bytes, canonical).
uint64_t orr_parity_sum(uint64_t page, const uint8_t bytes[ORR_PAGE]);
void orr_parity_seal_sums(const uint8_t file_id[32], uint64_t i, const uint8_t sums[ORR_PAGE],
                          uint8_t seal[16]);

typedef struct orr_parity_work {
    size_t memory;       // bytes to take at most; 0: ORR_PARITY_MEMORY. About 1 MiB it takes anyway
    unsigned threads;    // 0: one. Fewer run where memory or groups are few
    orr_stop_flag *stop; // or NULL
    void (*progress)(void *context, uint64_t bytes); // or NULL: so many more bytes of the body are
    void *context;                                   // done; called from any thread
    // NULL, or nothing is written: becomes the number of repair pages that are not what would be,
    // plus 1 when checksum pages are not. What cannot be read is not.
    uint64_t *differ;
} orr_parity_work;

// Reads the body back from `fd` (readable and writable, not O_DIRECT) and writes repair pages and
// both copies of the checksum pages; the file grows where it must. The bytes depend on neither
// memory nor threads. The tail (metadata, slot, page 0), the file's length and flushing are the
// caller's. May run again over repair data that is there, when all of the body is known right: the
// second copy of a checksum page stays until the first one is whole.
// ORR_UNSUPPORTED (no ISA-L), ORR_IO, ORR_AUTH (the body ends early), ORR_STOPPED, ORR_INTERNAL
// (memory).
orr_status orr_parity_write(int fd, const orr_parity_layout *layout, const uint8_t file_id[32],
                            const orr_parity_work *work, const char *name, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
