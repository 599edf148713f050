// A file with repair data, of random bytes, in memory; and a copy of it that can be damaged.
#ifndef ORRERY_TESTS_SUPPORT_PARITY_FILE_H
#define ORRERY_TESTS_SUPPORT_PARITY_FILE_H

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "host/container/repair.h"
#include "tests/support/random.h"
#include "tests/support/vectors.h"

#ifdef ORRERY_HAVE_ISAL
#define NEEDS_ISAL() (void)0
#else
#define NEEDS_ISAL() GTEST_SKIP() << "built without ISA-L"
#endif

class MemoryFile {
  public:
    MemoryFile() : fd(memfd_create("parity", 0)) { EXPECT_GE(fd, 0); }
    ~MemoryFile() { close(fd); }
    MemoryFile(const MemoryFile &) = delete;
    MemoryFile &operator=(const MemoryFile &) = delete;
    Bytes bytes() const {
        Bytes all(static_cast<size_t>(lseek(fd, 0, SEEK_END)));
        EXPECT_EQ(pread(fd, all.data(), all.size(), 0), static_cast<ssize_t>(all.size()));
        return all;
    }
    void put(const Bytes &bytes, uint64_t offset) const {
        EXPECT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
                  static_cast<ssize_t>(bytes.size()));
    }
    const int fd;
};

constexpr uint64_t FIRST = 3; // page of the file that the body starts with

struct Parity {
    orr_parity_layout layout;
    Bytes id = random_bytes(32);
    Bytes file; // as written

    Parity(uint64_t body, uint32_t parity, uint64_t groups, const orr_parity_work &work = {}) {
        orr_error error;
        if (orr_parity_layout_init(&layout, FIRST, body, parity, groups, 5000, 1, &error) != ORR_OK)
            throw std::runtime_error(error.text);
        write(random_bytes((FIRST + body) * ORR_PAGE), work);
    }

    static Parity of_percent(uint64_t body, unsigned tenths) {
        uint32_t parity;
        uint64_t groups;
        if (orr_parity_choose(body, tenths, &parity, &groups, nullptr) != ORR_OK)
            throw std::runtime_error("choose");
        return Parity(body, parity, groups);
    }

    void write(const Bytes &start, const orr_parity_work &work) {
        MemoryFile memory;
        orr_error error;
        memory.put(start, 0);
        EXPECT_EQ(orr_parity_write(memory.fd, &layout, id.data(), &work, "file", &error), ORR_OK)
            << error.text;
        EXPECT_EQ(ftruncate(memory.fd, static_cast<off_t>(layout.length)), 0);
        file = memory.bytes();
    }

    const uint8_t *page(uint64_t number) const {
        return file.data() + orr_parity_offset(&layout, number);
    }
};

// What one visit of orr_repair_all said.
struct Visit {
    uint64_t page;
    orr_page_state state;
    Bytes bytes;
};

struct Damaged {
    const Parity &whole;
    Bytes file;
    std::set<uint64_t> unreadable; // pages of the file
    std::set<uint64_t> vouched;    // pages of the sequence that are known good
    std::set<uint64_t> asked;      // for
    uint64_t once = UINT64_MAX;    // page of the file that can be read once
    bool seen = false;
    size_t memory = 0;
    int number = EIO; // errno of unreadable pages
    orr_stop_flag *stop = nullptr;
    orr_error error;
    orr_repair_report report;
    std::vector<Visit> visits;

    explicit Damaged(const Parity &parity) : whole(parity), file(parity.file) {}

    // Changes a page of the file, or of the sequence.
    void spoil_at(uint64_t offset) { file[offset + test_random()() % ORR_PAGE] ^= 1; }
    void spoil(uint64_t page) { spoil_at(orr_parity_offset(&whole.layout, page)); }

    static size_t read(void *context, void *buffer, size_t bytes, uint64_t offset) {
        auto *self = static_cast<Damaged *>(context);
        size_t there = offset < self->file.size() ? self->file.size() - offset : 0;
        size_t count = std::min(bytes, there);
        errno = 0;
        if (self->once - offset / ORR_PAGE < bytes / ORR_PAGE) {
            if (self->seen) self->unreadable.insert(self->once);
            self->seen = true;
        }
        auto bad = self->unreadable.lower_bound(offset / ORR_PAGE);
        if (bad != self->unreadable.end() && *bad * ORR_PAGE < offset + count) {
            count = *bad * ORR_PAGE - offset;
            errno = self->number;
        }
        int kept = errno;
        if (count) memcpy(buffer, self->file.data() + offset, count);
        errno = kept;
        return count;
    }

    static int known_good(void *context, uint64_t page, const uint8_t *bytes) {
        auto *self = static_cast<Damaged *>(context);
        self->asked.insert(page);
        return self->vouched.count(page) && !memcmp(bytes, self->whole.page(page), ORR_PAGE);
    }

    orr_status open(orr_repair **repair) {
        orr_repair_source source = {};
        source.fd = -1;
        source.length = file.size();
        source.name = "file";
        source.read = read;
        source.known_good = known_good;
        source.context = this;
        source.memory = memory;
        source.stop = stop;
        return orr_repair_open(repair, &whole.layout, whole.id.data(), &source, &error);
    }

    static orr_status visit(void *context, uint64_t page, orr_page_state state,
                            const uint8_t *bytes, orr_error *) {
        auto *self = static_cast<Damaged *>(context);
        self->visits.push_back({page, state, bytes ? Bytes(bytes, bytes + ORR_PAGE) : Bytes()});
        return ORR_OK;
    }

    orr_status all(bool solve) {
        orr_repair *repair = nullptr;
        visits.clear();
        orr_status status = open(&repair);
        if (status == ORR_OK)
            status = orr_repair_all(repair, solve ? visit : nullptr, this, &report, &error);
        orr_repair_close(repair);
        return status;
    }

    orr_status range(uint64_t first, uint64_t count, Bytes &buffer,
                     std::vector<orr_page_state> &states) {
        orr_repair *repair = nullptr;
        states.assign(count, ORR_PAGE_LOST);
        orr_status status = open(&repair);
        if (status == ORR_OK)
            status = orr_repair_range(repair, first, count, buffer.data(), states.data(), &error);
        orr_repair_close(repair);
        return status;
    }

    // Repairs all; every visited page must be right, and these many.
    void expect_repaired(uint64_t pages) {
        ASSERT_EQ(all(true), ORR_OK) << error.text;
        ASSERT_EQ(visits.size(), pages);
        for (const Visit &v : visits) {
            ASSERT_EQ(v.state, ORR_PAGE_REPAIRED) << v.page;
            ASSERT_EQ(memcmp(v.bytes.data(), whole.page(v.page), ORR_PAGE), 0) << v.page;
        }
        ASSERT_TRUE(orr_repair_possible(&report));
        ASSERT_EQ(report.repaired, pages);
    }
};

#endif
