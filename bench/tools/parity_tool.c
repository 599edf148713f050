// Repair data of any file, apart from encrypting: what bench/peers-parity times.
//
//   parity write FILE TENTHS [THREADS]   adds repair data of so many tenths of a percent to a file
//                                        of whole pages of 4,096 bytes
//   parity look FILE PAGES TENTHS        reads such a file, which had PAGES pages, and says what is
//                                        damaged
//   parity repair FILE PAGES TENTHS      repairs it in place
//
// It says how long the work itself took, and how much of the file without repair data that is in a
// second.
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/container/repair.h"

static const uint8_t FILE_ID[32];

typedef struct target {
    const char *name;
    int fd;
    uint64_t length;
    orr_parity_layout layout;
} target;

static orr_status open_target(target *t, uint64_t pages, unsigned tenths, orr_error *error) {
    struct stat st;
    uint32_t parity;
    uint64_t groups;
    t->fd = open(t->name, O_RDWR | O_CLOEXEC);
    if (t->fd < 0 || fstat(t->fd, &st) < 0)
        return orr_fail(error, ORR_IO, "%s: cannot be opened", t->name);
    t->length = (uint64_t)st.st_size;
    if (pages == 0) pages = t->length / ORR_PAGE;
    if (pages == 0 || t->length % ORR_PAGE)
        return orr_fail(error, ORR_USAGE, "%s: not of whole pages of 4,096 bytes", t->name);
    orr_status status = orr_parity_choose(pages, tenths, &parity, &groups, error);
    if (status != ORR_OK) return status;
    return orr_parity_layout_init(&t->layout, 0, pages, parity, groups, 0, 1, error);
}

static orr_status write_data(const target *t, unsigned threads, orr_error *error) {
    orr_parity_work work = {.threads = threads};
    orr_status status = orr_parity_write(t->fd, &t->layout, FILE_ID, &work, t->name, error);
    if (status == ORR_OK && ftruncate(t->fd, (off_t)t->layout.length) < 0)
        status = orr_fail(error, ORR_IO, "%s: cannot be made longer", t->name);
    return status;
}

static orr_status put(void *context, uint64_t page, orr_page_state state, const uint8_t *bytes,
                      orr_error *error) {
    const target *t = context;
    (void)state;
    if (!bytes) return ORR_OK;
    return orr_pwrite_all(t->fd, bytes, ORR_PAGE, orr_parity_offset(&t->layout, page), t->name,
                          error);
}

static orr_status repair(target *t, int solve, orr_error *error) {
    orr_repair_source source = {.fd = t->fd, .length = t->length, .name = t->name};
    orr_repair_report report;
    orr_repair *made;
    orr_status status = orr_repair_open(&made, &t->layout, FILE_ID, &source, error);
    if (status == ORR_OK) status = orr_repair_all(made, solve ? put : NULL, t, &report, error);
    orr_repair_close(made);
    if (status != ORR_OK) return status;
    printf("%" PRIu64 " pages damaged, %" PRIu64 " lost\n",
           report.damaged_body + report.damaged_repair, report.lost);
    return orr_repair_possible(&report) ? ORR_OK : orr_fail(error, ORR_AUTH, "%s: lost", t->name);
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    int writes = strcmp(verb, "write") == 0, repairs = strcmp(verb, "repair") == 0;
    if (!(writes && (argc == 4 || argc == 5)) &&
        !((repairs || strcmp(verb, "look") == 0) && argc == 5)) {
        fprintf(stderr, "usage: parity write FILE TENTHS [THREADS] | look|repair FILE PAGES "
                        "TENTHS\n");
        return ORR_USAGE;
    }
    target t = {.name = argv[2], .fd = -1};
    orr_error error = {.status = ORR_OK};
    orr_status status = open_target(&t, writes ? 0 : strtoull(argv[3], NULL, 10),
                                    (unsigned)strtoul(argv[writes ? 3 : 4], NULL, 10), &error);
    double began = orr_seconds();
    if (status == ORR_OK)
        status = writes
                     ? write_data(&t, argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : 1, &error)
                     : repair(&t, repairs, &error);
    double took = orr_seconds() - began;
    if (status == ORR_OK)
        printf("%.4f s, %.3f GB/s\n", took, (double)(t.layout.body * ORR_PAGE) / 1e9 / took);
    else
        fprintf(stderr, "parity: %s\n", error.text);
    if (t.fd >= 0) close(t.fd);
    return status;
}
