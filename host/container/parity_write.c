// Writing repair data. A block of consecutive groups has its pages of one row side by side in the
// file, data rows and parity rows alike: page r G + g for its row r. Blocks are independent.
#include "host/container/parity.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"
#include "host/container/erasure.h"

#define ROWS_AT_ONCE 16u // so that sums, which are more than a cache holds, are gone through seldom
#define MAX_THREADS 256u
#define SUM_PAGES_AT_ONCE 16u
#define THREAD_MEMORY ((size_t)16 << 20) // more is slower: 2.2 GB/s at 5 %, 1.6 with 64 MiB

typedef struct writer {
    int fd;
    const orr_parity_layout *layout;
    const orr_parity_work *work;
    const char *name;
    orr_erasure code;
    uint64_t block;     // groups of a block at most
    uint64_t split;     // groups before it have a page of the last row; no block has both kinds
    atomic_ullong next; // first block that nobody has taken
    atomic_ullong pages_differ; // of repair pages, and of any checksums
    atomic_int sums_differ;
    atomic_int failed; // whoever sets it fills the next two
    orr_status status;
    orr_error *error;
} writer;

// What one thread works with.
typedef struct scratch {
    uint8_t *rows; // ROWS_AT_ONCE x block pages of the body
    uint8_t *sums; // parity x block pages
    uint8_t *list; // ROWS_AT_ONCE x block checksums of 8 bytes
} scratch;

static void scratch_free(scratch *s) {
    free(s->rows);
    free(s->sums);
    free(s->list);
}

static int scratch_make(scratch *s, uint64_t block, uint32_t parity) {
    *s = (scratch){.rows = malloc(block * ROWS_AT_ONCE * ORR_PAGE),
                   .sums = malloc(block * parity * ORR_PAGE),
                   .list = malloc(block * ROWS_AT_ONCE * 8)};
    return s->rows && s->sums && s->list;
}

// Is this what the file holds there?
static int holds(const writer *w, const void *bytes, size_t count, uint64_t offset) {
    uint8_t there[ORR_PAGE];
    return orr_pread_in_full(w->fd, there, count, offset) == count && !memcmp(there, bytes, count);
}

// Looks at checksums of `count` pages, which lie in one checksum page, in both copies.
static void compare_list(writer *w, const uint8_t *list, uint64_t count, uint64_t within,
                         uint64_t sum_page) {
    for (int copy = 0; copy < 2; copy++)
        if (!holds(w, list, count * 8, w->layout->sums[copy] + sum_page * ORR_PAGE + within * 8))
            atomic_store(&w->sums_differ, 1);
}

// Checksums of `count` pages from `page` on, to their places in the first copy.
static orr_status put_list(writer *w, uint64_t page, uint64_t count, const uint8_t *list,
                           orr_error *error) {
    orr_status status = ORR_OK;
    while (count > 0 && status == ORR_OK) {
        uint64_t within = page % ORR_PARITY_SUMS;
        uint64_t now = ORR_PARITY_SUMS - within < count ? ORR_PARITY_SUMS - within : count;
        uint64_t offset = w->layout->sums[0] + page / ORR_PARITY_SUMS * ORR_PAGE + within * 8;
        if (w->work->differ)
            compare_list(w, list, now, within, page / ORR_PARITY_SUMS);
        else
            status = orr_pwrite_all(w->fd, list, now * 8, offset, w->name, error);
        page += now;
        count -= now;
        list += now * 8;
    }
    return status;
}

// Data rows from `row` on, `count` of them, of `groups` groups from `group` on.
static orr_status add_rows(writer *w, scratch *s, uint64_t group, uint64_t groups, uint32_t row,
                           uint32_t count, orr_error *error) {
    const orr_parity_layout *layout = w->layout;
    orr_status status = ORR_OK;
    for (uint32_t r = 0; r < count && status == ORR_OK; r++)
        status = orr_pread_all(w->fd, s->rows + r * groups * ORR_PAGE, groups * ORR_PAGE,
                               orr_parity_offset(layout, (row + r) * layout->groups + group),
                               w->name, error);
    if (status != ORR_OK) return status;
    for (uint64_t g = 0; g < groups; g++) {
        uint8_t *sums[ORR_ERASURE_ROWS];
        for (uint32_t p = 0; p < layout->parity; p++)
            sums[p] = s->sums + (p * groups + g) * ORR_PAGE;
        for (uint32_t r = 0; r < count; r++) {
            const uint8_t *page = s->rows + (r * groups + g) * ORR_PAGE;
            uint64_t number = (row + r) * layout->groups + group + g;
            orr_store_le64(s->list + (r * groups + g) * 8, orr_parity_sum(number, page));
            orr_erasure_add(&w->code, row + r, 0, layout->parity, page, sums);
        }
    }
    for (uint32_t r = 0; r < count && status == ORR_OK; r++)
        status = put_list(w, (row + r) * layout->groups + group, groups, s->list + r * groups * 8,
                          error);
    return status;
}

static orr_status put_pages(writer *w, const uint8_t *pages, uint64_t count, uint64_t offset,
                            orr_error *error) {
    if (!w->work->differ)
        return orr_pwrite_all(w->fd, pages, count * ORR_PAGE, offset, w->name, error);
    for (uint64_t i = 0; i < count; i++)
        if (!holds(w, pages + i * ORR_PAGE, ORR_PAGE, offset + i * ORR_PAGE))
            atomic_fetch_add(&w->pages_differ, 1);
    return ORR_OK;
}

static orr_status write_block(writer *w, scratch *s, uint64_t group, uint64_t groups,
                              orr_error *error) {
    const orr_parity_layout *layout = w->layout;
    uint32_t data = orr_parity_data_rows(layout, group);
    memset(s->sums, 0, groups * layout->parity * ORR_PAGE);
    for (uint32_t row = 0; row < data; row += ROWS_AT_ONCE) {
        if (orr_stopped(w->work->stop)) return orr_fail(error, ORR_STOPPED, "stopped");
        if (atomic_load(&w->failed)) return ORR_OK; // another block says why
        uint32_t count = data - row < ROWS_AT_ONCE ? data - row : ROWS_AT_ONCE;
        orr_status status = add_rows(w, s, group, groups, row, count, error);
        if (status != ORR_OK) return status;
        if (w->work->progress) w->work->progress(w->work->context, groups * count * ORR_PAGE);
    }
    orr_status status = ORR_OK;
    for (uint32_t p = 0; p < layout->parity && status == ORR_OK; p++) {
        const uint8_t *pages = s->sums + p * groups * ORR_PAGE;
        uint64_t number = (data + p) * layout->groups + group;
        for (uint64_t g = 0; g < groups; g++)
            orr_store_le64(s->list + g * 8, orr_parity_sum(number + g, pages + g * ORR_PAGE));
        status = put_pages(w, pages, groups, orr_parity_offset(layout, number), error);
        if (status == ORR_OK) status = put_list(w, number, groups, s->list, error);
    }
    return status;
}

// The groups of block n; 0 of them behind the last block.
static uint64_t block_groups(const writer *w, uint64_t n, uint64_t *group) {
    uint64_t before = (w->split + w->block - 1) / w->block;
    uint64_t end = n < before ? w->split : w->layout->groups;
    *group = n < before ? n * w->block : w->split + (n - before) * w->block;
    if (*group >= end) return 0;
    return end - *group < w->block ? end - *group : w->block;
}

static void *work(void *argument) {
    writer *w = argument;
    scratch s;
    orr_error error = {.status = ORR_OK};
    orr_status status = ORR_OK;
    if (!scratch_make(&s, w->block, w->layout->parity))
        status = orr_fail(&error, ORR_INTERNAL, "%s: out of memory for repair data", w->name);
    while (status == ORR_OK && !atomic_load(&w->failed)) {
        uint64_t group;
        uint64_t groups = block_groups(w, atomic_fetch_add(&w->next, 1), &group);
        if (groups == 0) break;
        status = write_block(w, &s, group, groups, &error);
    }
    scratch_free(&s);
    if (status != ORR_OK && !atomic_exchange(&w->failed, 1)) {
        w->status = status;
        if (w->error) *w->error = error;
    }
    return NULL;
}

// Seals the checksum pages, whose checksums are there, and writes both copies.
static orr_status finish_sums(const writer *w, const uint8_t file_id[32], orr_error *error) {
    const orr_parity_layout *layout = w->layout;
    uint8_t *pages = malloc((size_t)SUM_PAGES_AT_ONCE * ORR_PAGE);
    if (!pages) return orr_fail(error, ORR_INTERNAL, "%s: out of memory for repair data", w->name);
    orr_status status = ORR_OK;
    for (uint64_t i = 0; i < layout->sum_pages && status == ORR_OK; i += SUM_PAGES_AT_ONCE) {
        uint64_t count = layout->sum_pages - i;
        if (count > SUM_PAGES_AT_ONCE) count = SUM_PAGES_AT_ONCE;
        size_t bytes = count * ORR_PAGE;
        status = orr_stopped(w->work->stop)
                     ? orr_fail(error, ORR_STOPPED, "stopped")
                     : orr_pread_all(w->fd, pages, bytes, layout->sums[0] + i * ORR_PAGE, w->name,
                                     error);
        for (uint64_t n = 0; n < count && status == ORR_OK; n++) {
            uint8_t *page = pages + n * ORR_PAGE;
            uint64_t used = layout->pages - (i + n) * ORR_PARITY_SUMS;
            if (used < ORR_PARITY_SUMS) memset(page + used * 8, 0, (ORR_PARITY_SUMS - used) * 8);
            orr_parity_seal_sums(file_id, i + n, page, page + ORR_PARITY_SUMS * 8);
        }
        for (int copy = 0; copy < 2 && status == ORR_OK; copy++)
            status = orr_pwrite_all(w->fd, pages, bytes, layout->sums[copy] + i * ORR_PAGE, w->name,
                                    error);
    }
    free(pages);
    return status;
}

// The same without writing: their checksums were compared.
static orr_status check_sums(writer *w, const uint8_t file_id[32], orr_error *error) {
    const orr_parity_layout *layout = w->layout;
    uint8_t page[ORR_PAGE];
    for (uint64_t i = 0; i < layout->sum_pages && !atomic_load(&w->sums_differ); i++) {
        uint64_t used = layout->pages - i * ORR_PARITY_SUMS;
        if (orr_stopped(w->work->stop)) return orr_fail(error, ORR_STOPPED, "stopped");
        if (orr_pread_in_full(w->fd, page, ORR_PAGE, layout->sums[0] + i * ORR_PAGE) < ORR_PAGE) {
            atomic_store(&w->sums_differ, 1);
            break;
        }
        if (used < ORR_PARITY_SUMS) memset(page + used * 8, 0, (ORR_PARITY_SUMS - used) * 8);
        orr_parity_seal_sums(file_id, i, page, page + ORR_PARITY_SUMS * 8);
        for (int copy = 0; copy < 2; copy++)
            if (!holds(w, page, ORR_PAGE, layout->sums[copy] + i * ORR_PAGE))
                atomic_store(&w->sums_differ, 1);
    }
    *w->work->differ = atomic_load(&w->pages_differ) + (unsigned)atomic_load(&w->sums_differ);
    return ORR_OK;
}

// Threads that memory and groups are enough for, and the groups of their blocks.
static unsigned share(writer *w) {
    const orr_parity_work *work = w->work;
    size_t memory = work->memory ? work->memory : ORR_PARITY_MEMORY;
    size_t of_group = (size_t)(ROWS_AT_ONCE + w->layout->parity) * ORR_PAGE + ROWS_AT_ONCE * 8;
    uint64_t most = memory / of_group ? memory / of_group : 1; // groups in work at a time
    uint64_t threads = work->threads ? work->threads : 1;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    if (threads > most) threads = most;
    if (threads > w->layout->groups) threads = w->layout->groups;
    uint64_t even = (w->layout->groups + threads - 1) / threads;
    uint64_t quick = THREAD_MEMORY / of_group; // at least 15
    w->block = most / threads < even ? most / threads : even;
    if (w->block > quick) w->block = quick;
    return (unsigned)threads;
}

orr_status orr_parity_write(int fd, const orr_parity_layout *layout, const uint8_t file_id[32],
                            const orr_parity_work *options, const char *name, orr_error *error) {
    writer w = {.fd = fd,
                .layout = layout,
                .work = options,
                .name = name,
                .split = layout->body % layout->groups,
                .status = ORR_OK,
                .error = error};
    orr_status status = orr_erasure_init(&w.code, layout->rows, layout->parity, error);
    if (status == ORR_OK) {
        pthread_t thread[MAX_THREADS];
        unsigned threads = share(&w), started = 0;
        while (started + 1 < threads && pthread_create(&thread[started], NULL, work, &w) == 0)
            started++;
        work(&w); // this thread is one of them
        for (unsigned n = 0; n < started; n++) pthread_join(thread[n], NULL);
        status = w.status;
        if (status == ORR_OK)
            status =
                options->differ ? check_sums(&w, file_id, error) : finish_sums(&w, file_id, error);
    }
    orr_erasure_free(&w.code);
    return status;
}
