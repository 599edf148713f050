#include "host/container/parity.h"

#include <string.h>

#include <xxhash.h>

#include "base/bytes.h"
#include "host/container/erasure.h"

static uint64_t divide_up(uint64_t a, uint64_t b) {
    return a / b + (a % b != 0);
}

orr_status orr_parity_layout_init(orr_parity_layout *layout, uint64_t first, uint64_t body,
                                  uint32_t parity, uint64_t groups, uint64_t sealed,
                                  uint32_t slot_pages, orr_error *error) {
    *layout = (orr_parity_layout){0};
    if (first > ORR_PARITY_MAX_BODY || body > ORR_PARITY_MAX_BODY || slot_pages < 1 ||
        slot_pages > 16 || sealed > 2ull * ORR_MAX_METADATA_PAPER)
        return orr_fail(error, ORR_UNSUPPORTED, "repair data for a file of impossible size");
    if (parity < 1 || groups < 1 || groups > body || parity >= ORR_ERASURE_ROWS ||
        divide_up(body, groups) > ORR_ERASURE_ROWS - parity)
        return orr_fail(error, ORR_AUTH,
                        "the header contradicts itself: %u repair pages in each of %llu groups "
                        "do not go with %llu pages",
                        parity, (unsigned long long)groups, (unsigned long long)body);
    layout->first = first;
    layout->body = body;
    layout->parity = parity;
    layout->groups = groups;
    layout->rows = (uint32_t)divide_up(body, groups);
    layout->pages = body + parity * groups;
    layout->sum_pages = divide_up(layout->pages, ORR_PARITY_SUMS);
    layout->sums[0] = (first + body) * ORR_PAGE;
    layout->repair = layout->sums[0] + layout->sum_pages * ORR_PAGE;
    layout->sums[1] = layout->repair + parity * groups * ORR_PAGE;
    layout->metadata = layout->sums[1] + layout->sum_pages * ORR_PAGE;
    layout->slots = layout->metadata + divide_up(sealed, ORR_PAGE) * ORR_PAGE;
    layout->page0 = layout->slots + (uint64_t)slot_pages * ORR_PAGE;
    layout->length = layout->page0 + ORR_PAGE;
    return ORR_OK;
}

orr_status orr_parity_choose(uint64_t body, unsigned tenths, uint32_t *parity, uint64_t *groups,
                             orr_error *error) {
    if (tenths < ORR_PARITY_TENTHS_LEAST || tenths > ORR_PARITY_TENTHS_MOST)
        return orr_fail(error, ORR_USAGE, "repair data may be 0.5 to 50 percent of a file");
    *groups = divide_up(body, 255000 / (1000 + tenths));
    uint64_t rows = divide_up(body, *groups);
    *parity = (uint32_t)divide_up(rows * tenths, 1000);
    return ORR_OK;
}

uint64_t orr_parity_offset(const orr_parity_layout *layout, uint64_t page) {
    return page < layout->body ? (layout->first + page) * ORR_PAGE
                               : layout->repair + (page - layout->body) * ORR_PAGE;
}

uint64_t orr_parity_adjacent(const orr_parity_layout *layout, uint64_t page) {
    return (page < layout->body ? layout->body : layout->pages) - page;
}

uint32_t orr_parity_data_rows(const orr_parity_layout *layout, uint64_t group) {
    uint64_t of_last = layout->body - (layout->rows - 1) * layout->groups;
    return layout->rows - (group >= of_last);
}

uint64_t orr_parity_sum(uint64_t page, const uint8_t bytes[ORR_PAGE]) {
    return XXH3_64bits_withSeed(bytes, ORR_PAGE, page);
}

void orr_parity_seal_sums(const uint8_t file_id[32], uint64_t i, const uint8_t sums[ORR_PAGE],
                          uint8_t seal[16]) {
    uint8_t all[32 + 8 + 8 * ORR_PARITY_SUMS];
    memcpy(all, file_id, 32);
    orr_store_le64(all + 32, i);
    memcpy(all + 40, sums, sizeof all - 40);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(all, sizeof all));
    memcpy(seal, canonical.digest, 16);
}
