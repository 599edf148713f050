#include "host/container/repair_pages.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io.h"

// Does this error of a read say that these bytes are damaged, rather than all reading in vain?
// Direct reads and file systems with checksums have words of their own for what is EIO elsewhere.
static int is_damage(int number) {
    return number == EIO || number == ENODATA || number == EILSEQ || number == EBADMSG ||
           number == EUCLEAN;
}

static size_t read_bytes(const orr_repair_source *source, void *buffer, size_t bytes,
                         uint64_t offset) {
    return source->read ? source->read(source->context, buffer, bytes, offset)
                        : orr_pread_in_full(source->fd, buffer, bytes, offset);
}

// Pages that lie side by side in the file, around those that cannot be read.
static orr_status read_run(const orr_repair_source *source, uint64_t offset, uint64_t count,
                           uint8_t *buffer, uint8_t *verdict, orr_error *error) {
    memset(verdict, ORR_VERDICT_DAMAGED, count);
    uint64_t behind = offset < source->length ? (source->length - offset) / ORR_PAGE : 0;
    if (behind < count) count = behind; // the file was cut
    uint64_t done = 0;
    while (done < count) {
        size_t bytes = (count - done) * ORR_PAGE;
        size_t got = read_bytes(source, buffer + done * ORR_PAGE, bytes, offset + done * ORR_PAGE);
        int number = got < bytes ? errno : 0;
        memset(verdict + done, ORR_VERDICT_GOOD, got / ORR_PAGE);
        done += got / ORR_PAGE;
        if (got == bytes || number == 0) break; // done, or cut meanwhile
        if (!is_damage(number))
            return orr_fail_source(error, number, "%s: reading at byte %llu failed: %s",
                                   source->name, (unsigned long long)(offset + done * ORR_PAGE),
                                   strerror(number));
        done++;
    }
    return ORR_OK;
}

orr_status orr_repair_fetch(orr_repair *repair, uint64_t page, uint64_t count, uint8_t *buffer,
                            uint8_t *verdict, orr_error *error) {
    orr_status status = ORR_OK;
    while (count > 0 && status == ORR_OK) {
        uint64_t now = orr_parity_adjacent(&repair->layout, page);
        if (now > count) now = count;
        uint64_t within = page - repair->near_first; // huge before it
        if (within < repair->near_count) {
            if (now > repair->near_count - within) now = repair->near_count - within;
            memcpy(buffer, repair->near + within * ORR_PAGE, now * ORR_PAGE);
            memset(verdict, ORR_VERDICT_GOOD, now);
        } else {
            if (repair->near_count > 0 && page < repair->near_first &&
                now > repair->near_first - page)
                now = repair->near_first - page;
            status = read_run(&repair->source, orr_parity_offset(&repair->layout, page), now,
                              buffer, verdict, error);
        }
        page += now;
        count -= now;
        buffer += now * ORR_PAGE;
        verdict += now;
    }
    return status;
}

orr_status orr_repair_read_sums(const orr_repair *repair, int copy, uint64_t i,
                                uint8_t page[ORR_PAGE], int *good, orr_error *error) {
    uint8_t verdict, seal[16];
    orr_status status = read_run(&repair->source, repair->layout.sums[copy] + i * ORR_PAGE, 1, page,
                                 &verdict, error);
    *good = 0;
    if (status != ORR_OK || verdict != ORR_VERDICT_GOOD) return status;
    orr_parity_seal_sums(repair->file_id, i, page, seal);
    *good = memcmp(seal, page + ORR_PARITY_SUMS * 8, sizeof seal) == 0;
    return ORR_OK;
}

orr_status orr_repair_sum(orr_repair *repair, uint64_t page, uint64_t *sum, int *known,
                          orr_error *error) {
    uint64_t i = page / ORR_PARITY_SUMS;
    size_t place = i % ORR_SUMS_CACHED;
    uint8_t *sums = repair->sums + place * ORR_PAGE;
    if (repair->cached[place] != i + 1) {
        int good = 0;
        repair->cached[place] = 0;
        for (int copy = 0; copy < 2 && !good; copy++) {
            orr_status status = orr_repair_read_sums(repair, copy, i, sums, &good, error);
            if (status != ORR_OK) return status;
        }
        repair->cached[place] = i + 1;
        repair->cached_good[place] = (uint8_t)good;
    }
    *known = repair->cached_good[place];
    *sum = orr_load_le64(sums + page % ORR_PARITY_SUMS * 8);
    return ORR_OK;
}

orr_status orr_repair_check(orr_repair *repair, uint64_t page, uint64_t count,
                            const uint8_t *buffer, uint8_t *verdict, orr_error *error) {
    const orr_repair_source *source = &repair->source;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *bytes = buffer + i * ORR_PAGE;
        uint64_t sum;
        int known;
        if (verdict[i] != ORR_VERDICT_GOOD) continue;
        int judged = source->judge ? source->judge(source->context, page + i) : 0;
        if (judged < 0) verdict[i] = ORR_VERDICT_DAMAGED;
        if (judged) continue;
        orr_status status = orr_repair_sum(repair, page + i, &sum, &known, error);
        if (status != ORR_OK) return status;
        if (known && sum != orr_parity_sum(page + i, bytes))
            verdict[i] = ORR_VERDICT_DAMAGED;
        else if (!known &&
                 !(source->known_good && source->known_good(source->context, page + i, bytes)))
            verdict[i] = ORR_VERDICT_UNCHECKED;
    }
    return ORR_OK;
}

orr_status orr_repair_fits(orr_repair *repair, uint64_t page, const uint8_t bytes[ORR_PAGE],
                           int *fits, orr_error *error) {
    uint64_t sum;
    int known;
    orr_status status = orr_repair_sum(repair, page, &sum, &known, error);
    *fits = status == ORR_OK && known && sum == orr_parity_sum(page, bytes);
    return status;
}
