#include "host/container/heal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define WINDOW_PAGES (1u + ORR_SEGMENT_TILES * (ORR_TILE_BYTES / ORR_PAGE)) // a segment

struct orr_healer {
    pthread_mutex_t lock; // guards all below: one solves at a time
    orr_repair *repair;
    orr_parity_layout layout;
    int fd;
    uint64_t corrected, lost;
    uint8_t *window; // WINDOW_PAGES pages, for orr_healer_read_bytes; made on first use
};

orr_status orr_repair_data_end(const orr_header *header, uint64_t *data_end, orr_error *error) {
    // The length of the file grows with that of its data.
    uint64_t least = orr_metadata_offset(header) / ORR_PAGE + 1,
             most = header->file_length / ORR_PAGE;
    while (least <= most) {
        uint64_t middle = least + (most - least) / 2, length = 0;
        orr_status status = orr_file_length(header, middle * ORR_PAGE, &length, NULL);
        // Too few pages for the groups fail, and so do too many for one.
        uint64_t body = middle - orr_metadata_offset(header) / ORR_PAGE;
        int low = status != ORR_OK ? body < header->groups : length < header->file_length;
        if (status == ORR_OK && length == header->file_length) {
            *data_end = middle * ORR_PAGE;
            return ORR_OK;
        }
        if (low)
            least = middle + 1;
        else
            most = middle - 1;
    }
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%u repair pages in each of %lu groups are no repair data of a file of %llu "
                    "bytes",
                    header->repair_pages, (unsigned long)header->groups,
                    (unsigned long long)header->file_length);
}

orr_status orr_healer_open(orr_healer **healer, const orr_header *header, int fd, uint64_t length,
                           const char *name, orr_stop_flag *stop, orr_error *error) {
    const orr_repair_source source = {.fd = fd, .length = length, .name = name, .stop = stop};
    uint64_t data_end;
    *healer = NULL;
    orr_status status = orr_repair_data_end(header, &data_end, error);
    if (status != ORR_OK) return status;
    orr_healer *h = calloc(1, sizeof *h);
    if (!h) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", name);
    h->fd = fd;
    pthread_mutex_init(&h->lock, NULL);
    status = orr_repair_layout(header, data_end, &h->layout, error);
    if (status == ORR_OK)
        status = orr_repair_open(&h->repair, &h->layout, header->file_id, &source, error);
    if (status == ORR_OK)
        *healer = h;
    else
        orr_healer_close(h);
    return status;
}

void orr_healer_close(orr_healer *healer) {
    if (!healer) return;
    orr_repair_close(healer->repair);
    pthread_mutex_destroy(&healer->lock);
    free(healer->window);
    free(healer);
}

const orr_parity_layout *orr_healer_layout(const orr_healer *healer) {
    return &healer->layout;
}

void orr_read_stored(int fd, uint64_t offset, size_t bytes, uint8_t *out) {
    size_t got = orr_pread_in_full(fd, out, bytes, offset);
    if (got == bytes) return;
    memset(out, 0, bytes);
    for (size_t at = 0; at < bytes; at += ORR_PAGE) {
        size_t part = bytes - at < ORR_PAGE ? bytes - at : ORR_PAGE;
        if (orr_pread_in_full(fd, out + at, part, offset + at) != part) memset(out + at, 0, part);
    }
}

// Under the lock.
static orr_status heal(orr_healer *h, uint64_t offset, size_t bytes, uint8_t *out,
                       orr_page_state *states, orr_error *error) {
    uint64_t first = offset / ORR_PAGE - h->layout.first, count = bytes / ORR_PAGE;
    orr_read_stored(h->fd, offset, bytes, out);
    orr_status status = orr_repair_range(h->repair, first, count, out, states, error);
    for (uint64_t i = 0; i < count && status == ORR_OK; i++) {
        h->corrected += states[i] == ORR_PAGE_REPAIRED || states[i] == ORR_PAGE_SOLVED;
        h->lost += states[i] == ORR_PAGE_LOST;
    }
    return status;
}

orr_status orr_healer_read(orr_healer *healer, uint64_t offset, size_t bytes, uint8_t *out,
                           orr_page_state *states, orr_error *error) {
    orr_page_state *own = states ? states : calloc(bytes / ORR_PAGE + 1, sizeof *own);
    if (!own) return orr_fail(error, ORR_INTERNAL, "out of memory");
    pthread_mutex_lock(&healer->lock);
    orr_status status = heal(healer, offset, bytes, out, own, error);
    pthread_mutex_unlock(&healer->lock);
    if (!states) free(own);
    return status;
}

orr_status orr_healer_read_bytes(orr_healer *healer, uint64_t offset, size_t bytes, uint8_t *out,
                                 orr_error *error) {
    static const size_t room = (size_t)WINDOW_PAGES * ORR_PAGE;
    orr_page_state states[WINDOW_PAGES];
    orr_status status = ORR_OK;
    pthread_mutex_lock(&healer->lock);
    if (!healer->window && !(healer->window = malloc(room)))
        status = orr_fail(error, ORR_INTERNAL, "out of memory");
    while (bytes && status == ORR_OK) {
        size_t into = offset % ORR_PAGE, need = (into + bytes + ORR_PAGE - 1) / ORR_PAGE * ORR_PAGE;
        if (need > room) need = room;
        size_t part = need - into < bytes ? need - into : bytes;
        status = heal(healer, offset - into, need, healer->window, states, error);
        if (status == ORR_OK) memcpy(out, healer->window + into, part);
        out += part;
        offset += part;
        bytes -= part;
    }
    pthread_mutex_unlock(&healer->lock);
    return status;
}

void orr_healer_counted(orr_healer *healer, uint64_t *corrected, uint64_t *lost) {
    pthread_mutex_lock(&healer->lock);
    *corrected = healer->corrected;
    *lost = healer->lost;
    pthread_mutex_unlock(&healer->lock);
}

orr_status orr_healer_scan(orr_healer *healer, orr_repair_report *report, orr_error *error) {
    pthread_mutex_lock(&healer->lock);
    orr_status status = orr_repair_all(healer->repair, NULL, NULL, report, error);
    pthread_mutex_unlock(&healer->lock);
    return status;
}
