#include "host/container/repair.h"

#include <stdlib.h>
#include <string.h>

#include "host/container/repair_groups.h"

// Pages of the sequence that a file of this length can have.
static uint64_t pages_left(const orr_parity_layout *layout, uint64_t length) {
    uint64_t pages = length / ORR_PAGE, repair = layout->repair / ORR_PAGE;
    uint64_t body = pages > layout->first ? pages - layout->first : 0;
    uint64_t parity = pages > repair ? pages - repair : 0;
    uint64_t most = layout->pages - layout->body;
    return (body < layout->body ? body : layout->body) + (parity < most ? parity : most);
}

orr_status orr_repair_open(orr_repair **repair, const orr_parity_layout *layout,
                           const uint8_t file_id[32], const orr_repair_source *source,
                           orr_error *error) {
    *repair = NULL;
    if (pages_left(layout, source->length) < (layout->body + 1) / 2)
        return orr_fail(error, ORR_AUTH,
                        "%s: truncated: so little of it is left that it cannot be repaired",
                        source->name);
    orr_repair *made = calloc(1, sizeof *made);
    orr_status status = ORR_INTERNAL;
    if (made) {
        made->layout = *layout;
        memcpy(made->file_id, file_id, sizeof made->file_id);
        made->source = *source;
        made->sums = malloc((size_t)ORR_SUMS_CACHED * ORR_PAGE);
        status = orr_erasure_init(&made->code, layout->rows, layout->parity, error);
        if (status == ORR_OK && (!orr_repair_groups_open(made) || !made->sums))
            status = ORR_INTERNAL;
    }
    if (status == ORR_INTERNAL) orr_fail(error, status, "%s: out of memory", source->name);
    if (status == ORR_OK)
        *repair = made;
    else
        orr_repair_close(made);
    return status;
}

void orr_repair_close(orr_repair *repair) {
    if (!repair) return;
    orr_repair_groups_close(repair);
    orr_erasure_free(&repair->code);
    free(repair->sums);
    free(repair);
}

// ---- a range ------------------------------------------------------------------------------------

typedef struct range {
    uint64_t first, count;
    uint8_t *buffer;
    orr_page_state *states;
} range;

static orr_status into_range(void *context, uint64_t page, orr_page_state state,
                             const uint8_t *bytes, orr_error *error) {
    const range *r = context;
    uint64_t i = page - r->first; // huge before it
    (void)error;
    if (i >= r->count) return ORR_OK;
    r->states[i] = state;
    if (bytes) memcpy(r->buffer + i * ORR_PAGE, bytes, ORR_PAGE);
    return ORR_OK;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// The groups of the pages that are LOST so far, each once, ascending.
static size_t groups_of(const range *r, uint64_t groups, uint64_t *numbers) {
    size_t count = 0, kept = 0;
    for (uint64_t i = 0; i < r->count; i++)
        if (r->states[i] != ORR_PAGE_GOOD) numbers[count++] = (r->first + i) % groups;
    qsort(numbers, count, sizeof *numbers, by_number);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || numbers[i] != numbers[i - 1]) numbers[kept++] = numbers[i];
    return kept;
}

// Sets `states` to GOOD or LOST and counts the latter.
static orr_status look_at_range(orr_repair *repair, const range *r, uint64_t *damaged,
                                orr_error *error) {
    *damaged = 0;
    for (uint64_t i = 0; i < r->count; i++) {
        uint8_t verdict = ORR_VERDICT_GOOD;
        orr_status status =
            orr_repair_check(repair, r->first + i, 1, r->buffer + i * ORR_PAGE, &verdict, error);
        if (status != ORR_OK) return status;
        r->states[i] = verdict == ORR_VERDICT_GOOD ? ORR_PAGE_GOOD : ORR_PAGE_LOST;
        *damaged += verdict != ORR_VERDICT_GOOD;
    }
    return ORR_OK;
}

orr_status orr_repair_range(orr_repair *repair, uint64_t first, uint64_t count, uint8_t *buffer,
                            orr_page_state *states, orr_error *error) {
    const orr_parity_layout *layout = &repair->layout;
    range r = {.first = first, .count = count, .buffer = buffer, .states = states};
    uint64_t damaged, *numbers = NULL;
    if (count > layout->pages || first > layout->pages - count)
        return orr_fail(error, ORR_INTERNAL, "%s: it has no such pages", repair->source.name);
    repair->near = buffer;
    repair->near_first = first;
    repair->near_count = count;
    orr_status status = look_at_range(repair, &r, &damaged, error);
    if (status != ORR_OK || damaged == 0) goto end;
    numbers = malloc(damaged * sizeof *numbers);
    if (!numbers) {
        status = orr_fail(error, ORR_INTERNAL, "%s: out of memory", repair->source.name);
        goto end;
    }
    size_t groups = groups_of(&r, layout->groups, numbers);
    for (size_t from = 0, n; from < groups && status == ORR_OK; from += n) {
        n = groups - from < ORR_REPAIR_GROUPS ? groups - from : ORR_REPAIR_GROUPS;
        status = orr_repair_look(repair, numbers + from, 0, n, error);
        if (status == ORR_OK)
            status =
                orr_repair_solve(repair, n, first + count > layout->body, into_range, &r, error);
    }
end:
    free(numbers);
    repair->near = NULL;
    repair->near_count = 0;
    return status;
}

// ---- all ----------------------------------------------------------------------------------------

typedef struct tally {
    orr_repair_report *report;
    orr_repair_visit visit;
    void *context;
} tally;

static orr_status count_and_visit(void *context, uint64_t page, orr_page_state state,
                                  const uint8_t *bytes, orr_error *error) {
    const tally *t = context;
    t->report->repaired += state == ORR_PAGE_REPAIRED;
    t->report->solved += state == ORR_PAGE_SOLVED;
    t->report->lost += state == ORR_PAGE_LOST;
    return t->visit(t->context, page, state, bytes, error);
}

static void count_groups(const orr_repair *repair, size_t count, int scan,
                         orr_repair_report *report) {
    for (size_t i = 0; i < count; i++) {
        const orr_repair_group *group = &repair->list[i];
        int lost = group->damaged > repair->layout.parity;
        report->damaged_body += group->damaged_data;
        report->damaged_repair += group->damaged - group->damaged_data;
        report->unchecked += group->unchecked;
        report->damaged_groups += group->damaged > 0;
        report->lost_groups += lost;
        if (group->damaged > report->worst) report->worst = group->damaged;
        if (scan) *(lost ? &report->lost : &report->solved) += group->damaged;
    }
}

// Checksum page i as it is: `good` of each copy, and its bytes where one is.
static orr_status read_both(const orr_repair *repair, uint64_t i, uint8_t page[ORR_PAGE],
                            int good[2], orr_error *error) {
    uint8_t other[ORR_PAGE];
    orr_status status = orr_stopped(repair->source.stop)
                            ? orr_fail(error, ORR_STOPPED, "stopped")
                            : orr_repair_read_sums(repair, 0, i, page, &good[0], error);
    if (status == ORR_OK)
        status = orr_repair_read_sums(repair, 1, i, good[0] ? other : page, &good[1], error);
    return status;
}

orr_status orr_repair_all(orr_repair *repair, orr_repair_visit visit, void *context,
                          orr_repair_report *report, orr_error *error) {
    const orr_parity_layout *layout = &repair->layout;
    tally t = {.report = report, .visit = visit, .context = context};
    orr_status status = ORR_OK;
    *report = (orr_repair_report){0};
    for (uint64_t i = 0; i < layout->sum_pages && status == ORR_OK; i++) {
        uint8_t page[ORR_PAGE];
        int good[2];
        status = read_both(repair, i, page, good, error);
        if (status != ORR_OK) break;
        for (int copy = 0; copy < 2; copy++) report->damaged_sums[copy] += !good[copy];
        report->lost_sums += !good[0] && !good[1];
    }
    for (uint64_t from = 0, n; from < layout->groups && status == ORR_OK; from += n) {
        n = layout->groups - from < ORR_REPAIR_GROUPS ? layout->groups - from : ORR_REPAIR_GROUPS;
        status = orr_repair_look(repair, NULL, from, n, error);
        if (status != ORR_OK) break;
        count_groups(repair, n, !visit, report);
        if (visit) status = orr_repair_solve(repair, n, 1, count_and_visit, &t, error);
    }
    return status;
}

int orr_repair_possible(const orr_repair_report *report) {
    return report->lost == 0;
}

orr_status orr_repair_copy_sums(orr_repair *repair, int fd, uint64_t *written, orr_error *error) {
    const orr_parity_layout *layout = &repair->layout;
    orr_status status = ORR_OK;
    *written = 0;
    for (uint64_t i = 0; i < layout->sum_pages && status == ORR_OK; i++) {
        uint8_t page[ORR_PAGE];
        int good[2];
        status = read_both(repair, i, page, good, error);
        if (status != ORR_OK || good[0] == good[1]) continue;
        status = orr_pwrite_all(fd, page, ORR_PAGE, layout->sums[good[0]] + i * ORR_PAGE,
                                repair->source.name, error);
        *written += status == ORR_OK;
    }
    return status;
}
