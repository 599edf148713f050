#include "host/job/health.h"

#include <stdlib.h>
#include <string.h>

#define REPAIR "`orrery repair` mends it from its repair data"

// Is this stored twice, at these places, with the same bytes?
static int same_bytes(const orr_sealed *sealed, uint64_t one, uint64_t other, size_t bytes) {
    uint8_t a[ORR_PAGE], b[ORR_PAGE];
    for (size_t at = 0; at < bytes; at += ORR_PAGE) {
        size_t part = bytes - at < ORR_PAGE ? bytes - at : ORR_PAGE;
        orr_read_stored(sealed->fd, one + at, part, a);
        orr_read_stored(sealed->fd, other + at, part, b);
        if (memcmp(a, b, part)) return 0;
    }
    return 1;
}

// The second page 0 and metadata, and the zero bytes behind the latter.
static int tail_is_whole(const orr_sealed *sealed) {
    const orr_header *header = &sealed->container.header;
    uint64_t second = orr_second_metadata_offset(header), end = second + header->metadata_length;
    size_t gap = (size_t)(orr_slot_offset(header, 2) - end);
    uint8_t zero[ORR_PAGE] = {0}, there[ORR_PAGE];
    orr_read_stored(sealed->fd, end, gap, there);
    return !memcmp(there, zero, gap) &&
           same_bytes(sealed, 0, header->file_length - ORR_PAGE, ORR_PAGE) &&
           same_bytes(sealed, orr_metadata_offset(header), second, (size_t)header->metadata_length);
}

static orr_status check_repair_data(orr_job_file *file, orr_error *error) {
    orr_sealed *sealed = file->from.sealed;
    orr_repair_report report;
    orr_error inner = {0};
    orr_status status = orr_sealed_heal(sealed, &inner);
    if (status == ORR_UNSUPPORTED) {
        orr_job_warn(file->job, "%s: its repair data were not looked at: %s", file->source,
                     inner.text);
        return ORR_OK;
    }
    if (status == ORR_OK) status = orr_healer_scan(sealed->healer, &report, &inner);
    if (status != ORR_OK) return orr_fail(error, status, "%s", inner.text);
    if (tail_is_whole(sealed) && !report.damaged_body && !report.damaged_repair &&
        !report.damaged_sums[0] && !report.damaged_sums[1])
        return ORR_OK;
    file->repair_damaged = 1;
    orr_job_warn_always(
        file->job, "%s: is whole, but its repair data are damaged: `orrery repair` makes them anew",
        file->source);
    return ORR_OK;
}

orr_status orr_health_finish(orr_job_file *file, orr_error *error) {
    orr_sealed *sealed = file->from.sealed;
    int verify = file->to.kind == &orr_sink_none;
    if (!sealed->container.header.groups) return ORR_OK;
    if (!atomic_load(&sealed->damaged)) return verify ? check_repair_data(file, error) : ORR_OK;
    if (!verify || file->job->options->past_damage) {
        orr_job_warn(file->job, "%s: is damaged; all of it was restored; " REPAIR, file->source);
        return ORR_OK;
    }
    file->repairable = 1;
    return orr_fail(error, ORR_AUTH, "%s: is damaged, and all of it can be repaired: " REPAIR,
                    file->source);
}
