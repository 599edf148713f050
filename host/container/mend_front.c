// What lies between the slots and the data: sealed metadata, and directories that they and the
// header determine.
#include "host/container/mend.h"

#include <stdlib.h>
#include <string.h>

#include "host/container/heal.h"

#define WINDOW 256u // pages

static uint64_t sealed_pages(const orr_mend *mend) {
    return (mend->file.header.metadata_length + ORR_PAGE - 1) / ORR_PAGE;
}

// Do these pages hold metadata that open? Then they are kept.
static orr_status try_metadata(orr_mend *mend, const uint8_t *pages, int copied, int *found,
                               orr_error *error) {
    const orr_header *header = &mend->file.header;
    size_t length = (size_t)header->metadata_length;
    uint8_t *opened = malloc(length), *kept = calloc(sealed_pages(mend), ORR_PAGE);
    orr_metadata *m = calloc(1, sizeof *m);
    orr_error inner = {0};
    orr_status status = ORR_INTERNAL;
    if (opened && kept && m) {
        memcpy(opened, pages, length);
        memcpy(kept, pages, length);
        status = orr_metadata_open(header, &mend->keys, opened, mend->options.name, m, &inner);
        opened = NULL; // taken over
    } else {
        orr_mend_no_memory(mend, &inner);
    }
    *found = status == ORR_OK;
    if (*found) {
        mend->sealed = kept;
        mend->sealed_copied = copied;
        mend->metadata = m;
        return ORR_OK;
    }
    free(opened);
    free(kept);
    free(m);
    if (status == ORR_AUTH) return ORR_OK;
    if (error) *error = inner;
    return status;
}

// The sealed metadata that are read in one of these ways.
enum { STORED, SECOND, COPIED, COPIED_SECOND, SOLVED, SOLVED_IN_DOUBT };

static orr_status read_metadata(orr_mend *mend, int way, uint8_t *pages, int *there,
                                orr_error *error) {
    const orr_header *header = &mend->file.header;
    uint64_t count = sealed_pages(mend), at = orr_metadata_offset(header);
    uint8_t *bad = malloc(count);
    orr_status status = bad ? ORR_OK : orr_mend_no_memory(mend, error);
    int second = way == SECOND || way == COPIED_SECOND;
    int copied = way == COPIED || way == COPIED_SECOND;
    *there = (!second || header->groups) && (!copied || mend->options.copy >= 0) &&
             (way < SOLVED || mend->repair);
    if (second && *there) at = orr_second_metadata_offset(header);
    if (status == ORR_OK && *there && copied)
        orr_read_stored(mend->options.copy, at, count * ORR_PAGE, pages);
    else if (status == ORR_OK && *there && way < SOLVED)
        orr_mend_read(mend, at, count, pages, bad);
    if (status == ORR_OK && *there && way >= SOLVED) {
        if (way == SOLVED_IN_DOUBT) orr_mend_doubt(mend, at, at + count * ORR_PAGE);
        status = orr_mend_solve(mend, at, count, pages, NULL, error);
        orr_mend_doubt(mend, 0, 0);
    }
    free(bad);
    return status;
}

orr_status orr_mend_find_metadata(orr_mend *mend, int corrected, int *found, orr_error *error) {
    const int first = corrected ? SOLVED : STORED, last = corrected ? SOLVED_IN_DOUBT : SOLVED - 1;
    uint64_t count = sealed_pages(mend);
    *found = mend->sealed != NULL;
    if (*found) return ORR_OK;
    if (mend->file.header.profile == ORR_PROFILE_PAPER &&
        4 * count * ORR_PAGE > mend->options.memory)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: its tags need %llu MiB of memory; --mem divided by -j gives %llu MiB: "
                        "raise --mem, or lower -j",
                        mend->options.name, (unsigned long long)(4 * count * ORR_PAGE >> 20) + 1,
                        (unsigned long long)(mend->options.memory >> 20));
    uint8_t *pages = malloc(count * ORR_PAGE);
    orr_status status = pages ? ORR_OK : orr_mend_no_memory(mend, error);
    for (int way = first; way <= last && status == ORR_OK && !*found; way++) {
        int there = 0, copied = way == COPIED || way == COPIED_SECOND;
        status = read_metadata(mend, way, pages, &there, error);
        if (status == ORR_OK && there) status = try_metadata(mend, pages, copied, found, error);
    }
    free(pages);
    return status;
}

// The bytes of `count` pages from `at` on as they are to be; those of lost metadata as they stand.
// Returns how many of the first pages cannot be known.
static uint64_t fill(const orr_mend *mend, const uint8_t *directories, uint64_t at, uint64_t count,
                     uint8_t *pages, uint8_t *bad) {
    const orr_header *header = &mend->file.header;
    uint64_t ifd = orr_ifd_offset(header), end = at + count * ORR_PAGE, unknown = 0;
    uint64_t from = at < ifd ? ifd : at; // of directories in these pages
    if (from > end) from = end;
    orr_mend_read(mend, at, count, pages, bad);
    if (mend->sealed && from > at)
        memcpy(pages, mend->sealed + (at - orr_metadata_offset(header)), (size_t)(from - at));
    if (!mend->sealed) {
        unknown = (from - at) / ORR_PAGE;
        unknown += (from - at) % ORR_PAGE && bad[unknown]; // a page of both
    }
    if (from < end && directories)
        memcpy(pages + (from - at), directories + (from - ifd), (size_t)(end - from));
    else if (from < end)
        orr_archive_directory_bytes(&mend->file.geometry, header->profile, from,
                                    (size_t)(end - from), pages + (from - at));
    return unknown;
}

orr_status orr_mend_front(orr_mend *mend, const uint8_t *directories, orr_error *error) {
    uint64_t at = orr_metadata_offset(&mend->file.header);
    uint8_t *pages = malloc((size_t)WINDOW * ORR_PAGE), bad[WINDOW];
    orr_status status = pages ? ORR_OK : orr_mend_no_memory(mend, error);
    while (at < mend->data_offset && status == ORR_OK) {
        uint64_t count = (mend->data_offset - at) / ORR_PAGE;
        if (count > WINDOW) count = WINDOW;
        uint64_t unknown = fill(mend, directories, at, count, pages, bad);
        status = orr_mend_put(mend, at + unknown * ORR_PAGE, count - unknown,
                              pages + unknown * ORR_PAGE, mend->sealed_copied, error);
        at += count * ORR_PAGE;
        if (orr_stopped(mend->options.stop))
            status = orr_fail(error, ORR_STOPPED, "%s: stopped", mend->options.name);
    }
    free(pages);
    return status;
}
