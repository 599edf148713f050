// Mending what lies around the body: page 0, the second copies, wrap slots, checksum and repair
// pages, and the length.
#include "host/container/mend.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// Of a damaged page 0 at most one is in work at a time.
static orr_status put_page0(orr_mend *mend, orr_error *error) {
    const orr_header *header = &mend->file.header;
    orr_status status = ORR_OK;
    if (header->groups)
        status = orr_mend_put(mend, header->file_length - ORR_PAGE, 1, mend->page0,
                              mend->head_copied, error);
    if (status == ORR_OK) status = orr_mend_flush(mend, error);
    if (status == ORR_OK) status = orr_mend_put(mend, 0, 1, mend->page0, mend->head_copied, error);
    return status == ORR_OK ? orr_mend_flush(mend, error) : status;
}

static orr_status put_second_metadata(orr_mend *mend, orr_error *error) {
    const orr_header *header = &mend->file.header;
    if (!header->groups || !mend->sealed) return ORR_OK;
    uint64_t at = orr_second_metadata_offset(header),
             pages = (header->metadata_length + ORR_PAGE - 1) / ORR_PAGE;
    return orr_mend_put(mend, at, pages, mend->sealed, mend->sealed_copied, error);
}

// ---- slots

static int is_better(const orr_container *c, int slot, const orr_container *than, int other) {
    if (!c->slot_good[slot]) return 0;
    if (!than) return 1;
    if (c->slot_wrong[slot] != than->slot_wrong[other]) return !c->slot_wrong[slot];
    return c->slot[slot].generation > than->slot[other].generation;
}

// The slot that all are to be, of file or copy; NULL: there is none. Does it open with the keyring?
static const orr_slot *best_slot(const orr_mend *mend, int *copied, int *opens) {
    const orr_container *both[2] = {&mend->file, &mend->copy}, *best = NULL;
    int slot = 0;
    for (int i = 0; i < 2; i++)
        for (int n = 0; n < both[i]->slots; n++)
            if (is_better(both[i], n, best, slot)) {
                best = both[i];
                slot = n;
            }
    const orr_mend_options *o = &mend->options;
    orr_file_secret secret;
    orr_file_keys keys;
    *copied = best == &mend->copy;
    *opens = best && orr_container_open_slot(best, slot, o->lookup, o->context, o->name, &secret,
                                             &keys, NULL) == ORR_OK;
    orr_wipe(&secret, sizeof secret);
    orr_wipe(&keys, sizeof keys);
    return best ? &best->slot[slot] : NULL;
}

// The next slot that is to be written: damaged ones first, then wrong ones, then the oldest, so
// that the last one to go is the best of those there were. Older ones stay where the best is for
// keys that are not at hand: without them nobody here could open the file. -1: none is left.
static int next_slot(const orr_container *c, const orr_slot *best, int opens,
                     const int done[ORR_SLOTS]) {
    int next = -1;
    uint64_t least = 0;
    for (int i = 0; i < c->slots; i++) {
        uint64_t rank = !c->slot_good[i] ? 0 : c->slot_wrong[i] ? 1 : 1 + c->slot[i].generation;
        int same = c->slot_good[i] && !memcmp(c->slot[i].bytes, best->bytes, best->size);
        if (rank > 1 && !opens) continue;
        if (done[i] || same || (next >= 0 && rank >= least)) continue;
        next = i;
        least = rank;
    }
    return next;
}

static orr_status check_written(const orr_mend *mend, uint64_t at, const orr_slot *slot, char name,
                                orr_error *error) {
    uint8_t page[ORR_PAGE], bad;
    for (size_t i = 0; i < slot->size; i += ORR_PAGE) {
        orr_mend_read(mend, at + i, 1, page, &bad);
        if (bad || memcmp(page, slot->bytes + i, ORR_PAGE))
            return orr_fail(error, ORR_IO,
                            "%s: wrap slot %c does not read back as it was written: memory or "
                            "storage failed; try again, on another machine if need be",
                            mend->options.name, name);
    }
    return ORR_OK;
}

static orr_status put_slots(orr_mend *mend, orr_error *error) {
    const orr_header *header = &mend->file.header;
    int copied = 0, opens = 0, done[ORR_SLOTS] = {0};
    const orr_slot *best = best_slot(mend, &copied, &opens);
    orr_status status = ORR_OK;
    for (int slot;
         best && status == ORR_OK && (slot = next_slot(&mend->file, best, opens, done)) >= 0;) {
        uint64_t at = orr_slot_offset(header, slot);
        done[slot] = 1;
        status = orr_mend_put(mend, at, best->size / ORR_PAGE, best->bytes, copied, error);
        if (status == ORR_OK) status = orr_mend_flush(mend, error);
        if (status == ORR_OK) status = check_written(mend, at, best, (char)('A' + slot), error);
    }
    return status;
}

// ---- checksum and repair pages

// Are both copies of all checksum pages the same bytes?
static orr_status compare_sums(const orr_mend *mend, uint64_t *differ, orr_error *error) {
    const orr_parity_layout *layout = &mend->layout;
    uint8_t one[ORR_PAGE], other[ORR_PAGE], bad[2];
    *differ = 0;
    for (uint64_t i = 0; i < layout->sum_pages; i++) {
        if (orr_stopped(mend->options.stop))
            return orr_fail(error, ORR_STOPPED, "%s: stopped", mend->options.name);
        orr_mend_read(mend, layout->sums[0] + i * ORR_PAGE, 1, one, &bad[0]);
        orr_mend_read(mend, layout->sums[1] + i * ORR_PAGE, 1, other, &bad[1]);
        *differ += bad[0] || bad[1] || memcmp(one, other, ORR_PAGE);
    }
    return ORR_OK;
}

// What is damaged of them by the checksums alone, in a dry run whose body is not yet right on the
// disk. Those that do not fit the body, which is right, are wrong themselves.
static orr_status plan_repair_data(orr_mend *mend, orr_error *error) {
    orr_repair_report found;
    uint64_t differ;
    orr_status status = compare_sums(mend, &differ, error);
    mend->plain = 1;
    if (status == ORR_OK) status = orr_repair_all(mend->repair, NULL, NULL, &found, error);
    mend->plain = 0;
    if (status == ORR_OK) mend->report.pages += found.damaged_repair + differ;
    return status;
}

// Checksums go into the first copy a few at a time, and a part of a bad block cannot be written.
static orr_status clear_unreadable_sums(orr_mend *mend, orr_error *error) {
    static const uint8_t zero[ORR_PAGE];
    uint8_t page[ORR_PAGE], bad;
    orr_status status = ORR_OK;
    for (uint64_t i = 0; i < mend->layout.sum_pages && status == ORR_OK; i++) {
        uint64_t at = mend->layout.sums[0] + i * ORR_PAGE;
        orr_mend_read(mend, at, 1, page, &bad);
        if (bad)
            status =
                orr_pwrite_all(mend->options.fd, zero, ORR_PAGE, at, mend->options.name, error);
    }
    return status;
}

// All of the body is right, so checksums and repair pages follow from it.
static orr_status mend_repair_data(orr_mend *mend, orr_error *error) {
    const orr_mend_options *o = &mend->options;
    const uint8_t *id = mend->file.header.file_id;
    uint64_t wrong = 0, differ = 0;
    orr_parity_work work = {.memory = o->memory / 2, .stop = o->stop, .differ = &wrong};
    if (o->dry_run && mend->overlay.count) return plan_repair_data(mend, error);
    orr_status status = orr_mend_flush(mend, error);
    if (status == ORR_OK)
        status = orr_parity_write(o->fd, &mend->layout, id, &work, o->name, error);
    if (status == ORR_OK) status = compare_sums(mend, &differ, error);
    mend->report.pages += wrong + (differ ? differ - 1 : 0); // one is counted already
    if (status != ORR_OK || !wrong || o->dry_run) return status;
    work.differ = NULL;
    status = clear_unreadable_sums(mend, error);
    if (status != ORR_OK) return status;
    return orr_parity_write(o->fd, &mend->layout, id, &work, o->name, error);
}

// Not all of the body is: of two copies of a checksum page the good one is taken.
static orr_status copy_sums(orr_mend *mend, orr_error *error) {
    uint64_t written = 0;
    orr_status status = ORR_OK;
    if (!mend->options.dry_run)
        status = orr_repair_copy_sums(mend->repair, mend->options.fd, &written, error);
    mend->report.pages += written;
    return status;
}

// ---- the end

static orr_status cut_growth(orr_mend *mend, orr_error *error) {
    const orr_mend_options *o = &mend->options;
    uint64_t length = mend->file.header.file_length;
    if (mend->length <= length || !orr_mend_is_whole(mend)) return ORR_OK;
    mend->report.resized = 1;
    if (o->dry_run) return ORR_OK;
    orr_status status = orr_mend_flush(mend, error);
    if (status == ORR_OK && ftruncate(o->fd, (off_t)length) != 0)
        status = orr_fail_errno(error, errno, "%s: cannot cut it back to %llu bytes: %s", o->name,
                                (unsigned long long)length, strerror(errno));
    return status;
}

orr_status orr_mend_finish(orr_mend *mend, orr_error *error) {
    orr_status status = orr_mend_flush(mend, error);
    if (status == ORR_OK) status = put_second_metadata(mend, error);
    if (status == ORR_OK) status = put_page0(mend, error);
    if (status == ORR_OK) status = put_slots(mend, error);
    if (status == ORR_OK && mend->repair)
        status = orr_mend_is_whole(mend) ? mend_repair_data(mend, error) : copy_sums(mend, error);
    if (status == ORR_OK) status = cut_growth(mend, error);
    return status == ORR_OK ? orr_mend_flush(mend, error) : status;
}
