// Reading and writing of a file that is mended, and solving: what its other files stand on.
#include "host/container/mend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/flush.h"
#include "base/io.h"
#include "host/container/heal.h"

orr_status orr_mend_no_memory(const orr_mend *mend, orr_error *error) {
    return orr_fail(error, ORR_INTERNAL, "%s: out of memory", mend->options.name);
}

static const uint8_t *laid_over(const orr_mend *mend, uint64_t page) {
    const uint8_t *over = mend->trial ? orr_overlay_page(mend->trial, page) : NULL;
    return over ? over : orr_overlay_page(&mend->overlay, page);
}

void orr_mend_read(const orr_mend *mend, uint64_t offset, uint64_t pages, uint8_t *out,
                   uint8_t *bad) {
    int fd = mend->options.fd;
    memset(bad, 0, pages);
    if (orr_pread_in_full(fd, out, pages * ORR_PAGE, offset) < pages * ORR_PAGE)
        for (uint64_t i = 0; i < pages; i++) {
            uint8_t *page = out + i * ORR_PAGE;
            bad[i] = orr_pread_in_full(fd, page, ORR_PAGE, offset + i * ORR_PAGE) < ORR_PAGE;
            if (bad[i]) memset(page, 0, ORR_PAGE);
        }
    for (uint64_t i = 0; i < pages && (mend->trial || mend->overlay.count); i++) {
        const uint8_t *over = laid_over(mend, offset / ORR_PAGE + i);
        if (!over) continue;
        memcpy(out + i * ORR_PAGE, over, ORR_PAGE);
        bad[i] = 0;
    }
}

orr_status orr_mend_put(orr_mend *mend, uint64_t offset, uint64_t pages, const uint8_t *right,
                        int copied, orr_error *error) {
    const orr_mend_options *o = &mend->options;
    orr_status status = ORR_OK;
    for (uint64_t i = 0; i < pages && status == ORR_OK; i++) {
        const uint8_t *page = right + i * ORR_PAGE;
        uint64_t at = offset + i * ORR_PAGE;
        uint8_t there[ORR_PAGE], bad;
        orr_mend_read(mend, at, 1, there, &bad);
        if (!bad && !memcmp(there, page, ORR_PAGE)) continue;
        status = o->dry_run ? orr_overlay_put(&mend->overlay, at / ORR_PAGE, page, error)
                            : orr_pwrite_all(o->fd, page, ORR_PAGE, at, o->name, error);
        mend->report.pages++;
        mend->report.copied += copied || orr_overlay_page(&mend->hints, at / ORR_PAGE);
    }
    return status;
}

orr_status orr_mend_flush(const orr_mend *mend, orr_error *error) {
    if (mend->options.dry_run || orr_flush(mend->options.fd) >= 0) return ORR_OK;
    return orr_fail_errno(error, errno, "%s: cannot flush this file: %s", mend->options.name,
                          strerror(errno));
}

// ---- for orr_repair

static size_t read_pages(void *context, void *buffer, size_t bytes, uint64_t offset) {
    const orr_mend *mend = context;
    uint8_t bad[64];
    size_t done = 0;
    while (done < bytes) {
        size_t pages = (bytes - done) / ORR_PAGE < sizeof bad ? (bytes - done) / ORR_PAGE : 64;
        orr_mend_read(mend, offset + done, pages, (uint8_t *)buffer + done, bad);
        for (size_t i = 0; i < pages; i++) {
            if (bad[i]) {
                errno = EIO;
                return done + i * ORR_PAGE;
            }
        }
        done += pages * ORR_PAGE;
    }
    return done;
}

static orr_mend_unit unit_of(const orr_mend *mend, uint64_t offset) {
    const orr_header *header = &mend->file.header;
    const orr_geometry *g = &mend->file.geometry;
    if (offset < orr_ifd_offset(header)) return mend->sealed ? ORR_UNIT_RIGHT : ORR_UNIT_BAD;
    if (!mend->data_offset) return ORR_UNIT_UNKNOWN;
    if (offset < mend->data_offset) return ORR_UNIT_RIGHT; // written before this is asked
    if (header->profile == ORR_PROFILE_PAPER) return ORR_UNIT_BAD;
    uint64_t segment = (offset - g->data_offset) / (ORR_PAGE + ORR_SEGMENT_BYTES);
    uint64_t within = offset - orr_segment_offset(g, segment);
    if (within < ORR_PAGE) return mend->heads ? mend->heads[segment] : ORR_UNIT_UNKNOWN;
    uint64_t tile = segment * ORR_SEGMENT_TILES + (within - ORR_PAGE) / ORR_TILE_BYTES;
    return mend->tiles ? mend->tiles[tile] : ORR_UNIT_UNKNOWN;
}

// What is known of a page besides its checksum: 1 right, -1 damaged, 0 nothing.
static int judge(void *context, uint64_t page) {
    const orr_mend *mend = context;
    if (page >= mend->layout.body || mend->plain) return 0;
    uint64_t offset = orr_parity_offset(&mend->layout, page);
    orr_mend_unit unit = unit_of(mend, offset);
    if (unit != ORR_UNIT_BAD) return unit == ORR_UNIT_RIGHT;
    return offset >= mend->doubt_from && offset < mend->doubt_end ? -1 : 0;
}

void orr_mend_doubt(orr_mend *mend, uint64_t from, uint64_t end) {
    mend->doubt_from = from;
    mend->doubt_end = end;
}

orr_status orr_mend_open_repair(orr_mend *mend, orr_error *error) {
    const orr_header *header = &mend->file.header;
    const orr_mend_options *o = &mend->options;
    const orr_repair_source source = {.fd = o->fd,
                                      .length = header->file_length,
                                      .name = o->name,
                                      .read = read_pages,
                                      .judge = judge,
                                      .context = mend,
                                      .memory = o->memory / 8,
                                      .stop = o->stop};
    orr_status status = ORR_OK;
    mend->data_offset = 0;
    mend->data_end = header->file_length;
    if (header->profile == ORR_PROFILE_ARCHIVE)
        mend->data_end = mend->file.geometry.data_end;
    else if (header->groups)
        status = orr_repair_data_end(header, &mend->data_end, error);
    if (status != ORR_OK || !header->groups) return status;
    status = orr_repair_layout(header, mend->data_end, &mend->layout, error);
    if (status != ORR_OK) return status;
    status = orr_repair_open(&mend->repair, &mend->layout, header->file_id, &source, error);
    return status == ORR_UNSUPPORTED ? ORR_OK : status; // without ISA-L
}

// ---- solving

static orr_status keep_solved(void *context, uint64_t page, orr_page_state state,
                              const uint8_t *bytes, orr_error *error) {
    orr_mend *mend = context;
    if (state == ORR_PAGE_LOST) mend->hopeless[page % mend->layout.groups] = 1;
    if (!bytes || page >= mend->layout.body) return ORR_OK;
    orr_status status = orr_overlay_put(&mend->solved, mend->layout.first + page, bytes, error);
    if (status == ORR_UNSUPPORTED) mend->solved_all = 0; // too many: they are solved when needed
    return status == ORR_UNSUPPORTED ? ORR_OK : status;
}

orr_status orr_mend_solve_all(orr_mend *mend, orr_error *error) {
    orr_repair_report report;
    mend->hopeless = calloc(mend->layout.groups, 1);
    if (!mend->hopeless) return orr_mend_no_memory(mend, error);
    mend->solved_all = 1;
    mend->trial = &mend->hints;
    orr_status status = orr_repair_all(mend->repair, keep_solved, mend, &report, error);
    mend->trial = NULL;
    return status;
}

void orr_mend_solve_anew(orr_mend *mend) {
    mend->solved_all = 0;
    orr_overlay_free(&mend->solved);
    memset(mend->hopeless, 0, mend->layout.groups);
}

int orr_mend_is_hopeless(const orr_mend *mend, uint64_t offset, uint64_t pages) {
    uint64_t first = offset / ORR_PAGE - mend->layout.first;
    for (uint64_t i = 0; i < pages && mend->hopeless; i++)
        if (mend->hopeless[(first + i) % mend->layout.groups]) return 1;
    return 0;
}

// Lays what was solved over pages as they stand.
static void lay_solved(const orr_mend *mend, uint64_t offset, uint64_t pages, uint8_t *out) {
    for (uint64_t i = 0; i < pages; i++) {
        const uint8_t *page = orr_overlay_page(&mend->solved, offset / ORR_PAGE + i);
        if (page) memcpy(out + i * ORR_PAGE, page, ORR_PAGE);
    }
}

orr_status orr_mend_solve(orr_mend *mend, uint64_t offset, uint64_t pages, uint8_t *out,
                          orr_page_state *states, orr_error *error) {
    uint8_t *bad = malloc(pages);
    orr_page_state *own = states ? states : calloc(pages, sizeof *own);
    orr_status status = bad && own ? ORR_OK : orr_mend_no_memory(mend, error);
    if (status == ORR_OK) {
        mend->trial = &mend->hints;
        orr_mend_read(mend, offset, pages, out, bad);
        if (mend->solved_all && !mend->doubt_end)
            lay_solved(mend, offset, pages, out);
        else
            status = orr_repair_range(mend->repair, offset / ORR_PAGE - mend->layout.first, pages,
                                      out, own, error);
        mend->trial = NULL;
    }
    free(bad);
    if (!states) free(own);
    return status;
}

orr_status orr_mend_hint(orr_mend *mend, uint64_t offset, uint64_t pages, orr_error *error) {
    orr_status status = ORR_OK;
    for (uint64_t i = 0; i < pages && status == ORR_OK; i++) {
        uint64_t at = offset + i * ORR_PAGE, number = at / ORR_PAGE - mend->layout.first;
        uint8_t page[ORR_PAGE], bad;
        int fits = 0;
        orr_mend_read(mend, at, 1, page, &bad);
        if (!bad) status = orr_repair_fits(mend->repair, number, page, &fits, error);
        if (fits || status != ORR_OK) continue;
        orr_read_stored(mend->options.copy, at, ORR_PAGE, page);
        status = orr_repair_fits(mend->repair, number, page, &fits, error);
        if (fits && status == ORR_OK &&
            orr_overlay_put(&mend->hints, at / ORR_PAGE, page, NULL) == ORR_UNSUPPORTED)
            return ORR_OK; // no more of them
    }
    return status;
}
