// Opening a file to be mended.
#include "host/container/mend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static orr_status extend(orr_mend *mend, orr_error *error) {
    const orr_header *header = &mend->file.header;
    const orr_mend_options *o = &mend->options;
    if (mend->length >= header->file_length) return ORR_OK;
    if (!header->groups && o->copy < 0)
        return orr_fail(error, ORR_AUTH,
                        "%s: truncated: it has %llu bytes, its header says %llu, and it has no "
                        "repair data: give --from COPY, or restore a copy",
                        o->name, (unsigned long long)mend->length,
                        (unsigned long long)header->file_length);
    if (!o->dry_run && ftruncate(o->fd, (off_t)header->file_length) != 0)
        return orr_fail_errno(error, errno, "%s: cannot make it %llu bytes long: %s", o->name,
                              (unsigned long long)header->file_length, strerror(errno));
    mend->report.resized = 1;
    mend->length = header->file_length;
    return ORR_OK;
}

orr_status orr_mend_open(orr_mend *mend, const orr_mend_options *options, orr_error *error) {
    off_t length = lseek(options->fd, 0, SEEK_END);
    *mend = (orr_mend){.options = *options,
                       .overlay.limit = options->memory / 2,
                       .hints.limit = options->memory / 8,
                       .solved.limit = options->memory / 8};
    mend->file.active = mend->copy.active = -1;
    if (length < 0) return orr_fail_source(error, errno, "%s: %s", options->name, strerror(errno));
    mend->length = (uint64_t)length;
    orr_status status = orr_mend_find_head(mend, error);
    if (status != ORR_OK) return status;
    const orr_header *header = &mend->file.header;
    if (header->profile == ORR_PROFILE_ARCHIVE) mend->data_offset = mend->file.geometry.data_offset;
    orr_page0_encode(header, mend->keys.commitment, mend->data_end >= 1ull << 32, mend->page0);
    memcpy(mend->file.page0, mend->page0, ORR_PAGE);
    memcpy(mend->file.commitment, mend->keys.commitment, sizeof mend->file.commitment);
    status = orr_mend_check_copy(mend, error);
    return status == ORR_OK ? extend(mend, error) : status;
}

void orr_mend_close(orr_mend *mend) {
    orr_repair_close(mend->repair);
    orr_container_free(&mend->file);
    orr_container_free(&mend->copy);
    orr_wipe(&mend->secret, sizeof mend->secret);
    orr_wipe(&mend->keys, sizeof mend->keys);
    if (mend->metadata) orr_metadata_free(mend->metadata);
    free(mend->metadata);
    free(mend->sealed);
    free(mend->heads);
    free(mend->tiles);
    orr_overlay_free(&mend->overlay);
    orr_overlay_free(&mend->hints);
    orr_overlay_free(&mend->solved);
    free(mend->hopeless);
}

int orr_mend_is_whole(const orr_mend *mend) {
    const orr_mend_report *r = &mend->report;
    return !r->lost_tiles && !r->lost_pages && !r->lost_digests && !r->lost_metadata;
}
