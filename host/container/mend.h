// Mending an encrypted file in place (docs/FORMAT.md, "Repair data"): what is damaged is replaced
// by what authenticates, from the file's own second copies, its repair data, or a copy of the file.
// Nothing but authentic bytes is written over what does not authenticate as it stands, whatever
// checksums and repair data say; each write leaves the file at least as good as it was.
//
// orr_mend_open, then the body (orr_mend_segments, or host/paper/paper_mend.h), then
// orr_mend_finish.
#ifndef ORRERY_HOST_CONTAINER_MEND_H
#define ORRERY_HOST_CONTAINER_MEND_H

#include "host/container/format.h"
#include "host/container/overlay.h"
#include "host/container/repair.h"

#ifdef __cplusplus
extern "C" {
#endif

// What the caller gives; what it points to outlives the orr_mend.
typedef struct orr_mend_options {
    int fd;                       // the file: readable, and writable unless dry_run
    int copy;                     // a copy of it, itself perhaps damaged, or -1
    const char *name, *copy_name; // for messages
    int dry_run;                  // what would be written is held in memory
    size_t memory;                // bytes to take, about
    orr_stop_flag *stop;          // or NULL
    orr_master_lookup lookup;
    void *context; // of the lookup
} orr_mend_options;

typedef struct orr_mend_report {
    uint64_t pages;        // of the file that were written; in a dry run, that would be
    uint64_t copied;       // those of them that came from the copy
    uint64_t lost_tiles;   // that authenticate in no way,
    uint64_t lost_bytes;   // bytes of the original in them
    uint64_t lost_pages;   // paper: at least so many pages of the file hold wrong pixels
    uint64_t lost_digests; // of segments: their tiles open, and cannot be compared
    int lost_metadata;
    int resized; // it had been cut, or had grown
} orr_mend_report;

typedef enum orr_mend_unit { ORR_UNIT_UNKNOWN, ORR_UNIT_RIGHT, ORR_UNIT_BAD } orr_mend_unit;

typedef struct orr_mend {
    orr_mend_options options;
    uint64_t length;          // that the file has
    orr_container file, copy; // the same header; slots of each, of which only authentic ones are
                              // good
    orr_file_secret secret;
    orr_file_keys keys;
    uint8_t page0[ORR_PAGE];        // as it is to be
    uint64_t data_offset, data_end; // the former 0 until it is known (paper)
    uint8_t *sealed;                // sealed metadata in whole pages; NULL while lost
    int sealed_copied;              // they are the copy's
    orr_metadata *metadata;         // what is in them
    orr_parity_layout layout;       // when the header has groups
    orr_repair *repair;             // NULL: no repair data, or no means to use them
    uint64_t doubt_from, doubt_end; // offsets between which what is not known to be right counts
                                    // as damaged, whatever its checksum
    int plain;                      // checksums alone say what is damaged
    int head_copied;                // the header that opened is the copy's
    uint8_t *heads, *tiles;         // orr_mend_unit of each segment's head, of each tile
    orr_overlay overlay;            // dry_run: what would have been written
    orr_overlay hints;  // pages of the copy that have their checksums, unlike the file's
    orr_overlay solved; // pages of the body as repair data give them, when solved_all
    int solved_all;
    uint8_t *hopeless;        // a byte for each group: more is damaged than it can restore
    const orr_overlay *trial; // pages that are tried, or NULL
    orr_mend_report report;
} orr_mend;

// Finds the header that opens, keys and slots; in the file first, then in the copy. A file that was
// cut is made as long as it should be. ORR_NOT_ORRERY, ORR_KEY, ORR_UNSUPPORTED as reading;
// ORR_AUTH also when the copy is one of another file; ORR_IO, ORR_INTERNAL. close() in any case.
orr_status orr_mend_open(orr_mend *mend, const orr_mend_options *options, orr_error *error);
void orr_mend_close(orr_mend *mend); // wipes

// Looks for sealed metadata that open, stored or copied, and with `corrected` from repair data:
// *found. The file is not changed. ORR_UNSUPPORTED, ORR_IO, ORR_STOPPED, ORR_INTERNAL.
orr_status orr_mend_find_metadata(orr_mend *mend, int corrected, int *found, orr_error *error);
// Writes what lies between slots and data: metadata that were found, then directories, which for
// the paper profile the caller gives (data_offset less orr_ifd_offset bytes; data_offset is set).
orr_status orr_mend_front(orr_mend *mend, const uint8_t *directories, orr_error *error);
// Archive profile: metadata, directory and all segments. ORR_OK whatever is lost.
orr_status orr_mend_segments(orr_mend *mend, orr_error *error);
// Does any tile open as it is stored? Reads until one does.
orr_status orr_mend_any_tile(orr_mend *mend, int *found, orr_error *error);
// Counts all that is not known to be right as damaged, between these offsets; 0, 0: nothing.
void orr_mend_doubt(orr_mend *mend, uint64_t from, uint64_t end);
// Is nothing lost?
int orr_mend_is_whole(const orr_mend *mend);
// Everything outside the body: page 0, second copies, slots, checksum and repair pages, and the
// length of a file that had grown; then flushes.
orr_status orr_mend_finish(orr_mend *mend, orr_error *error);

// ---- for its parts, and paper_mend.c

// Reads whole pages as they stand; those that cannot be read are zeros, and their byte of `bad` is
// 1.
void orr_mend_read(const orr_mend *mend, uint64_t offset, uint64_t pages, uint8_t *out,
                   uint8_t *bad);
// Writes those of these pages that differ or cannot be read. ORR_IO; in a dry run ORR_UNSUPPORTED
// when memory is not enough; ORR_INTERNAL.
orr_status orr_mend_put(orr_mend *mend, uint64_t offset, uint64_t pages, const uint8_t *right,
                        int copied, orr_error *error);
// Remembers those of these pages of the body that have their checksum in the copy and not in the
// file: orr_mend_solve takes them for right. As many as memory holds.
orr_status orr_mend_hint(orr_mend *mend, uint64_t offset, uint64_t pages, orr_error *error);
// Solves what is damaged in the whole body, each page being read once or twice: orr_mend_solve then
// knows all, if memory holds what was solved. It does not change the file.
orr_status orr_mend_solve_all(orr_mend *mend, orr_error *error);
// Something is known to be right since that repair data had no part in: what was solved, and what
// could not be, is forgotten.
void orr_mend_solve_anew(orr_mend *mend);
// Does one of these pages of the body lie in a group that is known not to be solvable?
int orr_mend_is_hopeless(const orr_mend *mend, uint64_t offset, uint64_t pages);
// Pages of the body as repair data give them, by orr_repair_range; `states` may be NULL.
orr_status orr_mend_solve(orr_mend *mend, uint64_t offset, uint64_t pages, uint8_t *out,
                          orr_page_state *states, orr_error *error);
// Sets up what needs the header only: data_end, and the means to solve.
orr_status orr_mend_open_repair(orr_mend *mend, orr_error *error);
// Has all that was written brought to the storage; nothing in a dry run. ORR_IO.
orr_status orr_mend_flush(const orr_mend *mend, orr_error *error);
orr_status orr_mend_no_memory(const orr_mend *mend, orr_error *error);
// Finds page 0, keys and slots that open the body, and perhaps metadata.
orr_status orr_mend_find_head(orr_mend *mend, orr_error *error);
// ORR_AUTH when the copy is another file's.
orr_status orr_mend_check_copy(const orr_mend *mend, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
