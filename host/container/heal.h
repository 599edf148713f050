// Reading past damage: what is stored of a file, corrected from its repair data
// (host/container/repair.h). Still no keys: whoever reads authenticates, first what is stored, then
// what is corrected.
#ifndef ORRERY_HOST_CONTAINER_HEAL_H
#define ORRERY_HOST_CONTAINER_HEAL_H

#include "host/container/repair.h"

#ifdef __cplusplus
extern "C" {
#endif

// Where the data of a file with repair data end: the one place that gives the header's file length.
// ORR_UNSUPPORTED when there is none.
orr_status orr_repair_data_end(const orr_header *header, uint64_t *data_end, orr_error *error);

typedef struct orr_healer orr_healer;

// Of the file open as `fd`, which has `length` bytes (perhaps others than its header says). The
// header is authenticated, or will be. *healer is closed with orr_healer_close (NULL is fine);
// `name` and `stop` (or NULL) outlive it. Errors as orr_repair_open.
orr_status orr_healer_open(orr_healer **healer, const orr_header *header, int fd, uint64_t length,
                           const char *name, orr_stop_flag *stop, orr_error *error);
void orr_healer_close(orr_healer *healer);

// Whole pages between metadata and end of the data, from file offset `offset` on: `out` gets them
// corrected as far as their groups can be solved, else as they are stored (zeros where they cannot
// be read). `states`, when it is not NULL, says of each page what it was. Any thread. ORR_IO,
// ORR_STOPPED, ORR_INTERNAL.
orr_status orr_healer_read(orr_healer *healer, uint64_t offset, size_t bytes, uint8_t *out,
                           orr_page_state *states, orr_error *error);
// Bytes at any offset there. As above.
orr_status orr_healer_read_bytes(orr_healer *healer, uint64_t offset, size_t bytes, uint8_t *out,
                                 orr_error *error);
// How many damaged pages were met: corrected, and lost. Any thread.
void orr_healer_counted(orr_healer *healer, uint64_t *corrected, uint64_t *lost);
// Looks through all of the sequence; each page is read once. Any thread.
orr_status orr_healer_scan(orr_healer *healer, orr_repair_report *report, orr_error *error);
const orr_parity_layout *orr_healer_layout(const orr_healer *healer);

// What is stored there, as far as it can be read: zeros in place of pages that cannot.
void orr_read_stored(int fd, uint64_t offset, size_t bytes, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
