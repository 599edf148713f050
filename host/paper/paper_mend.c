#include "host/paper/paper_mend.h"

#include <stdlib.h>
#include <string.h>

#include "host/container/heal.h"
#include "host/paper/image.h"
#include "host/paper/paper_layout.h"

#define WINDOW 256u    // pages
#define MIXED_PAGES 6u // in which file and copy may differ for all mixtures to be tried

typedef struct pixels {
    orr_mend *mend;
    orr_paper_means means;
    orr_image image;
    orr_paper_layout layout;
    uint8_t *stored, *other; // WINDOW pages each
    uint8_t bad[WINDOW];
    orr_page_state states[WINDOW];
    orr_overlay trial; // what is tried
    uint64_t lost;     // pages that the repair data cannot give
    int copied;        // a page of the trial is the copy's
} pixels;

static orr_status read_trial(void *context, void *out, size_t bytes, uint64_t offset,
                             orr_error *error) {
    const pixels *p = context;
    uint8_t page[ORR_PAGE], bad;
    (void)error;
    while (bytes) {
        size_t into = offset % ORR_PAGE, part = ORR_PAGE - into < bytes ? ORR_PAGE - into : bytes;
        orr_mend_read(p->mend, offset - into, 1, page, &bad);
        memcpy(out, page + into, part);
        out = (uint8_t *)out + part;
        offset += part;
        bytes -= part;
    }
    return ORR_OK;
}

// Makes zero what a page of the file holds behind the pixels of an image's page.
static void clear_gap(const pixels *p, uint64_t at, uint8_t page[ORR_PAGE]) {
    uint32_t low = 0, high = p->image.page_count; // the last image page that begins at or before it
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (p->layout.page_offset[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    uint64_t end = p->layout.page_offset[low] + orr_page_bytes(&p->image.pages[low]);
    if (end < at + ORR_PAGE && end >= at)
        memset(page + (end - at), 0, (size_t)(at + ORR_PAGE - end));
    else if (end < at)
        memset(page, 0, ORR_PAGE);
}

// Lays `right` over page i of the window at `at`, if that is another one.
static orr_status try_page(pixels *p, uint64_t at, uint64_t i, uint8_t right[ORR_PAGE], int copied,
                           orr_error *error) {
    uint64_t offset = at + i * ORR_PAGE;
    clear_gap(p, offset, right);
    if (!p->bad[i] && !memcmp(right, p->stored + i * ORR_PAGE, ORR_PAGE)) return ORR_OK;
    p->copied |= copied;
    return orr_overlay_put(&p->trial, offset / ORR_PAGE, right, error);
}

// ---- what is tried

// How a window's pages are chosen: into p->other, *copied where they are the copy's.
typedef orr_status (*chooser)(pixels *p, uint64_t at, uint64_t count, uint8_t *copied,
                              orr_error *error);

static orr_status choose_stored(pixels *p, uint64_t at, uint64_t count, uint8_t *copied,
                                orr_error *error) {
    (void)at;
    (void)copied;
    (void)error;
    memcpy(p->other, p->stored, count * ORR_PAGE);
    return ORR_OK;
}

// From repair data; what they cannot give from the copy.
static orr_status choose_solved(pixels *p, uint64_t at, uint64_t count, uint8_t *copied,
                                orr_error *error) {
    orr_mend *mend = p->mend;
    orr_status status = orr_mend_solve(mend, at, count, p->other, p->states, error);
    for (uint64_t i = 0; i < count && status == ORR_OK; i++) {
        if (p->states[i] != ORR_PAGE_LOST) continue;
        p->lost++;
        copied[i] = mend->options.copy >= 0;
        if (copied[i])
            orr_read_stored(mend->options.copy, at + i * ORR_PAGE, ORR_PAGE,
                            p->other + i * ORR_PAGE);
    }
    return status;
}

static orr_status choose_in_doubt(pixels *p, uint64_t at, uint64_t count, uint8_t *copied,
                                  orr_error *error) {
    orr_mend_doubt(p->mend, 0, UINT64_MAX);
    orr_status status = choose_solved(p, at, count, copied, error);
    orr_mend_doubt(p->mend, 0, 0);
    return status;
}

static orr_status choose_copy(pixels *p, uint64_t at, uint64_t count, uint8_t *copied,
                              orr_error *error) {
    (void)error;
    orr_read_stored(p->mend->options.copy, at, count * ORR_PAGE, p->other);
    memset(copied, 1, count);
    return ORR_OK;
}

// Of the copy only what is zero, or cannot be read, in the file: a bad block, or a hole.
static orr_status choose_holes(pixels *p, uint64_t at, uint64_t count, uint8_t *copied,
                               orr_error *error) {
    static const uint8_t zero[ORR_PAGE];
    orr_status status = choose_copy(p, at, count, copied, error);
    for (uint64_t i = 0; i < count; i++) {
        copied[i] = !memcmp(p->stored + i * ORR_PAGE, zero, ORR_PAGE);
        if (!copied[i]) memcpy(p->other + i * ORR_PAGE, p->stored + i * ORR_PAGE, ORR_PAGE);
    }
    return status;
}

// Fills the trial.
static orr_status gather(pixels *p, chooser choose, orr_error *error) {
    const orr_mend *mend = p->mend;
    orr_status status = ORR_OK;
    orr_overlay_free(&p->trial);
    p->lost = 0;
    p->copied = 0;
    for (uint64_t at = p->layout.data_offset; at < p->layout.data_end && status == ORR_OK;
         at += (uint64_t)WINDOW * ORR_PAGE) {
        uint8_t copied[WINDOW] = {0};
        uint64_t count = (p->layout.data_end - at) / ORR_PAGE;
        if (count > WINDOW) count = WINDOW;
        orr_mend_read(mend, at, count, p->stored, p->bad);
        status = orr_stopped(mend->options.stop)
                     ? orr_fail(error, ORR_STOPPED, "%s: stopped", mend->options.name)
                     : choose(p, at, count, copied, error);
        for (uint64_t i = 0; i < count && status == ORR_OK; i++)
            status = try_page(p, at, i, p->other + i * ORR_PAGE, copied[i], error);
    }
    return status;
}

// Do the pixels, with these pages laid over them, have the digest of all?
static orr_status is_right(pixels *p, const orr_overlay *trial, int *right, orr_error *error) {
    orr_mend *mend = p->mend;
    orr_error inner = {0};
    mend->trial = trial;
    orr_status status = orr_paper_decrypt(&mend->file, &mend->secret, mend->metadata, &p->means,
                                          mend->options.fd, -1, mend->options.name, &inner);
    mend->trial = NULL;
    *right = status == ORR_OK;
    if (status == ORR_OK || status == ORR_AUTH) return ORR_OK;
    if (error) *error = inner;
    return status;
}

static orr_status keep(pixels *p, const orr_overlay *trial, orr_error *error) {
    orr_status status = ORR_OK;
    for (size_t i = 0; i < trial->room && status == ORR_OK; i++)
        if (trial->numbers[i])
            status = orr_mend_put(p->mend, (trial->numbers[i] - 1) * ORR_PAGE, 1, trial->pages[i],
                                  p->copied, error);
    return status;
}

static orr_status attempt(pixels *p, chooser choose, int *right, orr_error *error) {
    orr_status status = gather(p, choose, error);
    if (status == ORR_OK) status = is_right(p, &p->trial, right, error);
    return status == ORR_OK && *right ? keep(p, &p->trial, error) : status;
}

// All mixtures of file and copy, where they differ in few pages: those of the last attempt.
static orr_status mix(pixels *p, int *right, orr_error *error) {
    orr_status status = ORR_OK;
    if (p->trial.count > MIXED_PAGES) return ORR_OK;
    for (uint32_t mask = 1; mask + 1 < 1u << p->trial.count && status == ORR_OK && !*right;
         mask++) {
        orr_overlay some = {.limit = p->trial.limit};
        uint32_t n = 0;
        for (size_t i = 0; i < p->trial.room && status == ORR_OK; i++) {
            if (!p->trial.numbers[i]) continue;
            if (mask >> n++ & 1)
                status = orr_overlay_put(&some, p->trial.numbers[i] - 1, p->trial.pages[i], error);
        }
        if (status == ORR_OK) status = is_right(p, &some, right, error);
        if (status == ORR_OK && *right) status = keep(p, &some, error);
        orr_overlay_free(&some);
    }
    return status;
}

static orr_status mend_pixels(pixels *p, orr_error *error) {
    const chooser choices[] = {choose_stored, choose_solved, choose_in_doubt, choose_holes,
                               choose_copy};
    orr_mend *mend = p->mend;
    uint64_t lost = 1;
    int right = 0;
    orr_status status = ORR_OK;
    if (mend->repair && mend->options.copy >= 0)
        status = orr_mend_hint(mend, p->layout.data_offset,
                               (p->layout.data_end - p->layout.data_offset) / ORR_PAGE, error);
    for (size_t i = 0; i < sizeof choices / sizeof *choices && status == ORR_OK && !right; i++) {
        int solves = choices[i] == choose_solved || choices[i] == choose_in_doubt;
        if (solves && !mend->repair) continue;
        if ((choices[i] == choose_copy || choices[i] == choose_holes) && mend->options.copy < 0)
            continue;
        status = attempt(p, choices[i], &right, error);
        if (choices[i] == choose_solved && p->lost) lost = p->lost;
    }
    if (status == ORR_OK && !right && mend->options.copy >= 0) status = mix(p, &right, error);
    if (!right) mend->report.lost_pages = lost;
    return status;
}

static orr_status open_pixels(pixels *p, orr_error *error) {
    orr_mend *mend = p->mend;
    const orr_metadata *m = mend->metadata;
    const char *name = mend->options.name;
    orr_status status = orr_image_record_decode(&p->image, m->paper, m->paper_length, name, error);
    if (status == ORR_OK)
        status = orr_paper_layout_init(&p->layout, &p->image, &mend->file.header, name, error);
    if (status == ORR_OK && (p->layout.file_length != mend->file.header.file_length ||
                             p->layout.data_end != mend->data_end))
        status = orr_fail(error, ORR_AUTH, "%s: the page table does not fit the header", name);
    p->stored = malloc((size_t)WINDOW * ORR_PAGE);
    p->other = malloc((size_t)WINDOW * ORR_PAGE);
    if (status == ORR_OK && (!p->stored || !p->other)) status = orr_mend_no_memory(mend, error);
    return status;
}

orr_status orr_paper_mend(orr_mend *mend, const orr_paper_means *means, orr_error *error) {
    pixels *p = calloc(1, sizeof *p);
    if (!p) return orr_mend_no_memory(mend, error);
    *p = (pixels){.mend = mend, .means = *means, .trial.limit = mend->options.memory / 2};
    p->means.read = read_trial;
    p->means.context = p;
    int found = 0;
    orr_status status = orr_mend_find_metadata(mend, 0, &found, error);
    if (status == ORR_OK && !found && mend->repair)
        status = orr_mend_find_metadata(mend, 1, &found, error);
    mend->report.lost_metadata = !found;
    if (status == ORR_OK && found) status = open_pixels(p, error);
    if (status == ORR_OK && found) {
        mend->data_offset = p->layout.data_offset;
        status = orr_mend_front(mend, p->layout.directories, error);
    }
    if (status == ORR_OK && found) status = mend_pixels(p, error);
    orr_overlay_free(&p->trial);
    orr_paper_layout_free(&p->layout);
    orr_image_free(&p->image);
    free(p->stored);
    free(p->other);
    free(p);
    return status;
}
