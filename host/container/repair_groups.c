#include "host/container/repair_groups.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 64u // pages of a row read at a time, and the most groups of a window
#define ROWS_AT_ONCE 16u

int orr_repair_is_bad(const orr_repair_group *group, uint32_t row) {
    return group->bad[row / 8] >> row % 8 & 1;
}

static void note(orr_repair_group *group, uint32_t row, uint8_t verdict) {
    if (verdict == ORR_VERDICT_GOOD) return;
    group->bad[row / 8] |= (uint8_t)(1u << row % 8);
    group->damaged++;
    group->damaged_data += row < group->data;
    group->unchecked += verdict == ORR_VERDICT_UNCHECKED;
}

static uint64_t page_of(const orr_repair *repair, const orr_repair_group *group, uint32_t row) {
    return row * repair->layout.groups + group->number;
}

static orr_status stopped(const orr_repair *repair, orr_error *error) {
    return orr_stopped(repair->source.stop) ? orr_fail(error, ORR_STOPPED, "stopped") : ORR_OK;
}

// ---- looking ------------------------------------------------------------------------------------

// One row of the groups, those in one piece that have it and lie side by side.
static orr_status look_at_row(orr_repair *repair, uint32_t row, size_t count, orr_error *error) {
    orr_repair_group *list = repair->list;
    orr_status status = stopped(repair, error);
    for (size_t from = 0, n; from < count && status == ORR_OK; from += n) {
        uint8_t verdict[PIECE];
        for (n = 0; from + n < count && n < PIECE && row < list[from + n].rows; n++)
            if (list[from + n].number != list[from].number + n) break;
        if (n == 0) { // has no such row
            n = 1;
            continue;
        }
        uint64_t page = page_of(repair, &list[from], row);
        status = orr_repair_fetch(repair, page, n, repair->pages, verdict, error);
        if (status == ORR_OK)
            status = orr_repair_check(repair, page, n, repair->pages, verdict, error);
        for (size_t i = 0; i < n && status == ORR_OK; i++) note(&list[from + i], row, verdict[i]);
    }
    return status;
}

orr_status orr_repair_look(orr_repair *repair, const uint64_t *numbers, uint64_t first,
                           size_t count, orr_error *error) {
    const orr_parity_layout *layout = &repair->layout;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = numbers ? numbers[i] : first + i;
        uint32_t data = orr_parity_data_rows(layout, number);
        repair->list[i] =
            (orr_repair_group){.number = number, .data = data, .rows = data + layout->parity};
    }
    orr_status status = ORR_OK;
    for (uint32_t row = 0; row < layout->rows + layout->parity && status == ORR_OK; row++)
        status = look_at_row(repair, row, count, error);
    return status;
}

// ---- solving ------------------------------------------------------------------------------------

// How one group is solved.
typedef struct orr_repair_solution {
    const orr_repair_group *group;
    uint32_t lost_count, sum_count;
    uint8_t lost[ORR_ERASURE_ROWS]; // data rows
    uint8_t used[ORR_ERASURE_ROWS]; // as many good parity rows
    uint8_t kept[ORR_ERASURE_ROWS]; // parity rows with a sum: those used, and those made anew
    uint8_t *pages;                 // the sums, then the lost rows
    int failed;                     // a page that was good cannot be read any more
} solution;

// Of one group: the most sums, and the most lost rows.
static size_t arena_bytes(const orr_parity_layout *layout) {
    uint32_t lost = layout->rows < layout->parity ? layout->rows : layout->parity;
    return (size_t)(layout->parity + lost) * ORR_PAGE;
}

int orr_repair_groups_open(orr_repair *repair) {
    size_t memory = repair->source.memory ? repair->source.memory : ORR_PARITY_MEMORY;
    size_t groups = memory / arena_bytes(&repair->layout);
    repair->window_groups = groups < 1 ? 1 : groups < PIECE ? groups : PIECE;
    repair->list = malloc(sizeof *repair->list * ORR_REPAIR_GROUPS);
    repair->window = malloc(sizeof *repair->window * repair->window_groups);
    repair->pages = malloc((size_t)ROWS_AT_ONCE * PIECE * ORR_PAGE);
    repair->arena = malloc(repair->window_groups * arena_bytes(&repair->layout));
    return repair->list && repair->window && repair->pages && repair->arena;
}

void orr_repair_groups_close(orr_repair *repair) {
    free(repair->list);
    free(repair->window);
    free(repair->pages);
    free(repair->arena);
}

static uint8_t *sum_of(const solution *s, uint32_t i) {
    return s->pages + (size_t)i * ORR_PAGE;
}

static uint8_t *lost_page(const solution *s, uint32_t i) {
    return sum_of(s, s->sum_count + i);
}

static void plan(solution *s, const orr_repair_group *group, int remake, uint8_t *pages) {
    *s = (solution){.group = group, .pages = pages};
    for (uint32_t row = 0; row < group->data; row++)
        if (orr_repair_is_bad(group, row)) s->lost[s->lost_count++] = (uint8_t)row;
    uint32_t used = 0;
    for (uint32_t row = group->data; row < group->rows; row++) {
        uint8_t p = (uint8_t)(row - group->data);
        int bad = orr_repair_is_bad(group, row);
        if (!bad && used < s->lost_count)
            s->used[used++] = p;
        else if (!bad || !remake)
            continue;
        s->kept[s->sum_count++] = p;
    }
    memset(pages, 0, (size_t)s->sum_count * ORR_PAGE);
}

// Is this row read?
static int is_needed(const solution *s, uint32_t row) {
    if (orr_repair_is_bad(s->group, row)) return 0;
    return row < s->group->data ||
           (s->lost_count > 0 && row - s->group->data <= s->used[s->lost_count - 1]);
}

// Adds a data row to all sums, those of consecutive parity rows at once.
static void add_data(const orr_repair *repair, const solution *s, uint32_t row,
                     const uint8_t *page) {
    uint8_t *sums[ORR_ERASURE_ROWS];
    for (uint32_t from = 0, n; from < s->sum_count; from += n) {
        for (n = 0; from + n < s->sum_count && s->kept[from + n] == s->kept[from] + n; n++)
            sums[n] = sum_of(s, from + n);
        orr_erasure_add(&repair->code, row, s->kept[from], n, page, sums);
    }
}

static void add_parity(const solution *s, uint32_t row, const uint8_t *page) {
    uint32_t i = 0;
    while (s->kept[i] != row - s->group->data) i++;
    uint8_t *sum = sum_of(s, i);
    for (size_t b = 0; b < ORR_PAGE; b++) sum[b] ^= page[b];
}

// Reads ROWS_AT_ONCE rows of a window. Row r of its group g goes to place r PIECE + g.
static orr_status read_rows(orr_repair *repair, const solution *window, size_t count, uint32_t row,
                            uint8_t *verdict, orr_error *error) {
    orr_status status = ORR_OK;
    for (uint32_t r = 0; r < ROWS_AT_ONCE; r++)
        for (size_t from = 0, n; from < count && status == ORR_OK; from += n ? n : 1) {
            for (n = 0; from + n < count && row + r < window[from + n].group->rows; n++)
                if (!is_needed(&window[from + n], row + r)) break;
            if (n == 0) continue;
            size_t place = r * PIECE + from;
            status = orr_repair_fetch(repair, page_of(repair, window[from].group, row + r), n,
                                      repair->pages + place * ORR_PAGE, verdict + place, error);
        }
    return status;
}

// Adds what read_rows read.
static void add_rows(const orr_repair *repair, solution *window, size_t count, uint32_t row,
                     const uint8_t *verdict) {
    for (size_t g = 0; g < count; g++)
        for (uint32_t r = row; r < row + ROWS_AT_ONCE && r < window[g].group->rows; r++) {
            size_t place = (r - row) * PIECE + g;
            const uint8_t *page = repair->pages + place * ORR_PAGE;
            if (!is_needed(&window[g], r)) continue;
            if (verdict[place] != ORR_VERDICT_GOOD)
                window[g].failed = 1;
            else if (r < window[g].group->data)
                add_data(repair, &window[g], r, page);
            else
                add_parity(&window[g], r, page);
        }
}

// From sums to pages.
static orr_status solve(orr_repair *repair, solution *s, orr_error *error) {
    uint8_t *syndromes[ORR_ERASURE_ROWS], *pages[ORR_ERASURE_ROWS];
    for (uint32_t i = 0, k = 0; i < s->lost_count; i++, k++) {
        while (s->kept[k] != s->used[i]) k++;
        syndromes[i] = sum_of(s, k);
        pages[i] = lost_page(s, i);
    }
    orr_status status =
        orr_erasure_solve(&repair->code, s->lost_count, s->lost, s->used, syndromes, pages, error);
    // The sums of repair pages lack the lost rows; those that were used are of no use any more.
    for (uint32_t i = 0; i < s->lost_count && status == ORR_OK; i++)
        add_data(repair, s, s->lost[i], pages[i]);
    return status;
}

// The solved page of a damaged row; NULL for a repair page that was not made anew.
static const uint8_t *solved_page(const solution *s, uint32_t row) {
    for (uint32_t i = 0; i < s->lost_count; i++)
        if (s->lost[i] == row) return lost_page(s, i);
    for (uint32_t i = 0; i < s->sum_count; i++)
        if (s->kept[i] == row - s->group->data) return sum_of(s, i);
    return NULL;
}

static int wants(const solution *s, uint32_t row, int remake) {
    return orr_repair_is_bad(s->group, row) && (remake || row < s->group->data);
}

// What became of a damaged row, but that it may have no checksum to tell. *other is set when it has
// another one. Where pages are judged by more than checksums, those say nothing here: what comes
// out is judged, too.
static orr_status judge(orr_repair *repair, const solution *s, uint32_t row, orr_page_state *state,
                        int *other, orr_error *error) {
    uint64_t page = page_of(repair, s->group, row), sum;
    int known;
    orr_status status = orr_repair_sum(repair, page, &sum, &known, error);
    if (status != ORR_OK) return status;
    known = known && !repair->source.judge;
    int differs = known && sum != orr_parity_sum(page, solved_page(s, row));
    *other |= differs;
    *state = differs ? ORR_PAGE_LOST : known ? ORR_PAGE_REPAIRED : ORR_PAGE_SOLVED;
    return ORR_OK;
}

// Hands out the damaged rows. Where a solved page has another checksum than it should, a page of
// the group is wrong that passed for good: then those with no checksum to compare with are lost
// too.
static orr_status deliver(orr_repair *repair, const solution *s, int remake, orr_repair_visit visit,
                          void *context, orr_error *error) {
    const orr_repair_group *group = s->group;
    orr_page_state state[ORR_ERASURE_ROWS];
    orr_status status = ORR_OK;
    int other = 0;
    for (uint32_t row = 0; row < group->rows && status == ORR_OK; row++) {
        state[row] = ORR_PAGE_LOST;
        if (!s->failed && wants(s, row, remake))
            status = judge(repair, s, row, &state[row], &other, error);
    }
    for (uint32_t row = 0; row < group->rows && status == ORR_OK; row++) {
        if (!wants(s, row, remake)) continue;
        if (other && state[row] == ORR_PAGE_SOLVED) state[row] = ORR_PAGE_LOST;
        status = visit(context, page_of(repair, group, row), state[row],
                       state[row] == ORR_PAGE_LOST ? NULL : solved_page(s, row), error);
    }
    return status;
}

// Groups that lie side by side, all with damage that can be solved.
static orr_status solve_window(orr_repair *repair, const orr_repair_group *group, size_t count,
                               int remake, orr_repair_visit visit, void *context,
                               orr_error *error) {
    const orr_parity_layout *layout = &repair->layout;
    solution *window = repair->window;
    uint8_t verdict[ROWS_AT_ONCE * PIECE];
    orr_status status = ORR_OK;
    for (size_t g = 0; g < count; g++)
        plan(&window[g], &group[g], remake, repair->arena + g * arena_bytes(layout));
    for (uint32_t row = 0; row < layout->rows + layout->parity && status == ORR_OK;
         row += ROWS_AT_ONCE) {
        status = stopped(repair, error);
        if (status == ORR_OK) status = read_rows(repair, window, count, row, verdict, error);
        if (status == ORR_OK) add_rows(repair, window, count, row, verdict);
    }
    for (size_t g = 0; g < count && status == ORR_OK; g++) {
        if (!window[g].failed) status = solve(repair, &window[g], error);
        if (status == ORR_OK) status = deliver(repair, &window[g], remake, visit, context, error);
    }
    return status;
}

static int is_solvable(const orr_repair *repair, const orr_repair_group *group, int remake) {
    return group->damaged <= repair->layout.parity &&
           (remake ? group->damaged : group->damaged_data) > 0;
}

orr_status orr_repair_solve(orr_repair *repair, size_t count, int remake, orr_repair_visit visit,
                            void *context, orr_error *error) {
    const orr_repair_group *list = repair->list;
    orr_status status = ORR_OK;
    for (size_t from = 0, n; from < count && status == ORR_OK; from += n ? n : 1) {
        for (n = 0; from + n < count && n < repair->window_groups; n++)
            if (list[from + n].number != list[from].number + n ||
                !is_solvable(repair, &list[from + n], remake))
                break;
        if (n > 0) {
            status = solve_window(repair, &list[from], n, remake, visit, context, error);
        } else if (list[from].damaged > repair->layout.parity) {
            solution none = {.group = &list[from], .failed = 1};
            status = deliver(repair, &none, remake, visit, context, error);
        }
    }
    return status;
}
