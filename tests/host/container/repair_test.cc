// Repairing from repair data: any damage of at most m pages in each group comes back byte for byte;
// what is beyond it is reported, and nothing else is lost with it.
#include <csignal>

#include "host/container/repair.h"
#include "tests/support/parity_file.h"

namespace {

constexpr unsigned PERCENTS[] = {5, 10, 50, 200, 500}; // tenths

// Spoils up to m random pages of each group; how many.
uint64_t scatter(Damaged &damaged) {
    const orr_parity_layout &layout = damaged.whole.layout;
    auto &random = test_random();
    uint64_t spoilt = 0;
    for (uint64_t group = 0; group < layout.groups; group++) {
        uint32_t rows = orr_parity_data_rows(&layout, group) + layout.parity;
        std::set<uint64_t> pages;
        uint64_t count = random() % (layout.parity + 1);
        while (pages.size() < std::min<uint64_t>(count, rows))
            pages.insert(random() % rows * layout.groups + group);
        for (uint64_t page : pages) damaged.spoil(page);
        spoilt += pages.size();
    }
    return spoilt;
}

class RepairPercent : public ::testing::TestWithParam<unsigned> {
  protected:
    void SetUp() override {
        NEEDS_ISAL();
        test_seed();
    }
};
INSTANTIATE_TEST_SUITE_P(Each, RepairPercent, ::testing::ValuesIn(PERCENTS));

TEST_P(RepairPercent, EverySinglePage) {
    Parity whole = Parity::of_percent(300, GetParam());
    Damaged clean(whole);
    clean.expect_repaired(0);
    for (uint64_t page = 0; page < whole.layout.pages; page++) {
        Damaged damaged(whole);
        damaged.spoil(page);
        damaged.expect_repaired(1);
        ASSERT_EQ(damaged.visits[0].page, page);
        ASSERT_EQ(damaged.report.damaged_body, page < 300 ? 1u : 0u);
        ASSERT_EQ(damaged.report.worst, 1u);
        if (HasFatalFailure()) return;
    }
}

TEST_P(RepairPercent, RandomScatters) {
    Parity whole = Parity::of_percent(100, GetParam());
    for (int n = 0; n < 1000 && !HasFatalFailure(); n++) {
        Damaged damaged(whole);
        damaged.expect_repaired(scatter(damaged));
    }
}

TEST_P(RepairPercent, RandomScattersOfALargerFile) {
    Parity whole = Parity::of_percent(20000, GetParam());
    for (int n = 0; n < 2 && !HasFatalFailure(); n++) {
        Damaged damaged(whole);
        damaged.memory = n ? 1 : 0;
        damaged.expect_repaired(scatter(damaged));
    }
}

// Runs of m G pages of the file, wherever they start: over checksum pages too.
void expect_run_repaired(const Parity &whole, uint64_t start) {
    const orr_parity_layout &layout = whole.layout;
    Damaged damaged(whole);
    uint64_t length = layout.parity * layout.groups, pages = 0;
    for (uint64_t page = start; page < start + length; page++) {
        uint64_t offset = page * ORR_PAGE;
        damaged.spoil_at(offset);
        pages += offset < layout.sums[0] || (offset >= layout.repair && offset < layout.sums[1]);
    }
    damaged.expect_repaired(pages);
}

TEST_P(RepairPercent, EveryRunAsLongAsTheRepairPages) {
    for (uint64_t body : {1, 60, 333}) {
        Parity whole = Parity::of_percent(body, GetParam());
        const orr_parity_layout &layout = whole.layout;
        uint64_t end = layout.metadata / ORR_PAGE - layout.parity * layout.groups;
        for (uint64_t start = FIRST; start <= end && !HasFatalFailure(); start++)
            expect_run_repaired(whole, start);
    }
}

TEST_P(RepairPercent, RandomRunsOfALargerFile) {
    Parity whole = Parity::of_percent(12345, GetParam());
    const orr_parity_layout &layout = whole.layout;
    uint64_t end = layout.metadata / ORR_PAGE - layout.parity * layout.groups;
    for (int n = 0; n < 8 && !HasFatalFailure(); n++)
        expect_run_repaired(whole, FIRST + test_random()() % (end - FIRST + 1));
}

class Repair : public ::testing::Test {
  protected:
    void SetUp() override {
        NEEDS_ISAL();
        test_seed();
    }
};

TEST_F(Repair, BeyondWhatAGroupCanRepairNothingElseIsLost) {
    Parity whole(500, 3, 10);
    for (int n = 0; n < 50; n++) {
        Damaged damaged(whole);
        std::set<uint64_t> lost;
        while (lost.size() < 4) lost.insert(test_random()() % 53 * 10 + 7);
        for (uint64_t page : lost) damaged.spoil(page);
        damaged.spoil(31), damaged.spoil(41), damaged.spoil(51);
        ASSERT_EQ(damaged.all(false), ORR_OK);
        EXPECT_FALSE(orr_repair_possible(&damaged.report));
        EXPECT_EQ(damaged.report.lost, 4u);
        EXPECT_EQ(damaged.report.solved, 3u);
        EXPECT_EQ(damaged.report.damaged_groups, 2u);
        EXPECT_EQ(damaged.report.lost_groups, 1u);
        EXPECT_EQ(damaged.report.worst, 4u);
        ASSERT_EQ(damaged.all(true), ORR_OK);
        EXPECT_EQ(damaged.report.lost, 4u);
        EXPECT_EQ(damaged.report.repaired, 3u);
        for (const Visit &v : damaged.visits) {
            EXPECT_EQ(v.state, lost.count(v.page) ? ORR_PAGE_LOST : ORR_PAGE_REPAIRED) << v.page;
            EXPECT_EQ(v.bytes.empty(), lost.count(v.page) == 1);
        }
    }
}

TEST_F(Repair, ARangeIsCorrectedInPlace) {
    Parity whole(2000, 5, 40);
    for (int n = 0; n < 300; n++) {
        Damaged damaged(whole);
        damaged.memory = n % 2;
        scatter(damaged);
        uint64_t count = 1 + test_random()() % 200;
        uint64_t first = test_random()() % (whole.layout.pages - count + 1);
        Bytes buffer, right;
        std::set<uint64_t> bad;
        for (uint64_t page = first; page < first + count; page++) {
            const uint8_t *bytes = &damaged.file[orr_parity_offset(&whole.layout, page)];
            if (memcmp(bytes, whole.page(page), ORR_PAGE) != 0) bad.insert(page);
            buffer.insert(buffer.end(), bytes, bytes + ORR_PAGE);
            right.insert(right.end(), whole.page(page), whole.page(page) + ORR_PAGE);
        }
        for (uint64_t page : bad) // what could not be read may be anything
            if (page % 2) std::fill_n(&buffer[(page - first) * ORR_PAGE], ORR_PAGE, 0);
        std::vector<orr_page_state> states;
        ASSERT_EQ(damaged.range(first, count, buffer, states), ORR_OK) << damaged.error.text;
        ASSERT_TRUE(buffer == right);
        for (uint64_t i = 0; i < count; i++)
            ASSERT_EQ(states[i], bad.count(first + i) ? ORR_PAGE_REPAIRED : ORR_PAGE_GOOD);
    }
    Damaged damaged(whole);
    Bytes buffer(3 * ORR_PAGE);
    std::vector<orr_page_state> states;
    EXPECT_EQ(damaged.range(whole.layout.pages - 2, 3, buffer, states), ORR_INTERNAL);
    EXPECT_EQ(damaged.range(UINT64_MAX, 3, buffer, states), ORR_INTERNAL);
}

// What was read for the caller is not read again: its pages may be better than a second look.
TEST_F(Repair, ARangeTakesItsOwnPagesFromTheBuffer) {
    Parity whole(100, 2, 4);
    Damaged damaged(whole);
    for (uint64_t page = 10; page < 50; page++) damaged.unreadable.insert(FIRST + page);
    Bytes buffer(whole.page(10), whole.page(10) + 40 * ORR_PAGE);
    for (uint64_t page : {13, 14}) buffer[(page - 10) * ORR_PAGE + 5] ^= 8; // groups of 9 and 10
    std::vector<orr_page_state> states;
    ASSERT_EQ(damaged.range(10, 40, buffer, states), ORR_OK);
    EXPECT_EQ(memcmp(buffer.data(), whole.page(10), buffer.size()), 0);
    EXPECT_EQ(states[3], ORR_PAGE_REPAIRED);
    EXPECT_EQ(states[4], ORR_PAGE_REPAIRED);
    EXPECT_EQ(std::count(states.begin(), states.end(), ORR_PAGE_GOOD), 38);
}

TEST_F(Repair, ARangeLeavesLostPagesAsTheyAre) {
    Parity whole(100, 2, 4);
    Damaged damaged(whole);
    for (uint64_t page : {1, 5, 9, 2}) damaged.spoil(page);
    auto at = damaged.file.begin() + FIRST * ORR_PAGE;
    Bytes buffer(at, at + 12 * ORR_PAGE), before = buffer;
    std::vector<orr_page_state> states;
    ASSERT_EQ(damaged.range(0, 12, buffer, states), ORR_OK);
    for (uint64_t page = 0; page < 12; page++) {
        bool lost = page % 4 == 1;
        EXPECT_EQ(states[page], lost        ? ORR_PAGE_LOST
                                : page == 2 ? ORR_PAGE_REPAIRED
                                            : ORR_PAGE_GOOD);
        EXPECT_EQ(memcmp(&buffer[page * ORR_PAGE],
                         lost ? &before[page * ORR_PAGE] : whole.page(page), ORR_PAGE),
                  0);
    }
}

TEST_F(Repair, UnreadablePagesAreDamage) {
    Parity whole(600, 3, 20);
    for (int number : {EIO, ENODATA, EILSEQ, EBADMSG, EUCLEAN}) {
        Damaged damaged(whole);
        damaged.number = number;
        for (uint64_t page : {0, 5, 25, 45, 599, 300, 301, 302})
            damaged.unreadable.insert(FIRST + page);
        damaged.unreadable.insert(whole.layout.repair / ORR_PAGE + 3);
        damaged.unreadable.insert(whole.layout.sums[0] / ORR_PAGE);
        damaged.spoil(7);
        damaged.expect_repaired(10);
        EXPECT_EQ(damaged.report.damaged_sums[0], 1u);
        EXPECT_EQ(damaged.report.damaged_sums[1], 0u);
    }
    for (int number : {EBADF, ENOMEM, ESTALE}) {
        Damaged damaged(whole);
        damaged.number = number;
        damaged.unreadable.insert(FIRST + 5);
        EXPECT_EQ(damaged.all(false), ORR_IO);
        EXPECT_EQ(damaged.error.number, number);
    }
}

// Good when it was looked at, unreadable when it was needed: a disk that is dying.
TEST_F(Repair, APageThatFailsLaterIsDamage) {
    Parity whole(3000, 3, 600);
    Damaged damaged(whole);
    for (uint64_t copy : whole.layout.sums) damaged.spoil_at(copy + ORR_PAGE);
    damaged.spoil(7);
    damaged.once = FIRST + 1201; // 601 has no checksum that could tell
    ASSERT_EQ(damaged.all(true), ORR_OK);
    ASSERT_EQ(damaged.visits.size(), 511u);
    for (const Visit &v : damaged.visits)
        EXPECT_EQ(v.state, v.page == 601 ? ORR_PAGE_LOST
                           : v.page == 7 ? ORR_PAGE_REPAIRED
                                         : ORR_PAGE_SOLVED);
}

TEST_F(Repair, ACutFile) {
    Parity whole(600, 3, 20);
    for (uint64_t cut : {whole.layout.page0, whole.layout.sums[1] + 5, whole.layout.sums[1],
                         whole.layout.repair + 100, whole.layout.repair}) {
        Damaged damaged(whole);
        damaged.file.resize(cut);
        uint64_t pages = cut < whole.layout.sums[1] ? 60 : 0;
        damaged.expect_repaired(pages);
        EXPECT_EQ(damaged.report.damaged_repair, pages);
    }
    Damaged damaged(whole);
    damaged.file.resize(whole.layout.sums[0]); // no checksum is left
    EXPECT_EQ(damaged.all(true), ORR_OK);
    EXPECT_EQ(damaged.report.lost, 660u);
    for (uint64_t page = 0; page < 600; page++) damaged.vouched.insert(page);
    EXPECT_EQ(damaged.all(true), ORR_OK);
    EXPECT_EQ(damaged.report.solved, 60u);
    for (const Visit &v : damaged.visits)
        EXPECT_EQ(memcmp(v.bytes.data(), whole.page(v.page), ORR_PAGE), 0);
    damaged.file.resize(310 * ORR_PAGE);
    EXPECT_EQ(damaged.all(true), ORR_OK);
    EXPECT_EQ(damaged.report.lost_groups, 20u);
    for (uint64_t end : {302, 3, 0}) {
        damaged.file.resize(end * ORR_PAGE);
        EXPECT_EQ(damaged.all(true), ORR_AUTH);
    }
}

TEST_F(Repair, ChecksumPagesOfOneCopy) {
    Parity whole(1500, 3, 20);
    const orr_parity_layout &layout = whole.layout;
    ASSERT_EQ(layout.sum_pages, 4u);
    for (unsigned mask = 0; mask < 16; mask++) {
        Damaged damaged(whole);
        for (uint64_t i = 0; i < 4; i++)
            damaged.spoil_at(layout.sums[mask >> i & 1] + i * ORR_PAGE);
        damaged.spoil(3), damaged.spoil(1400), damaged.spoil(1510);
        damaged.expect_repaired(3);
        EXPECT_EQ(damaged.report.damaged_sums[0] + damaged.report.damaged_sums[1], 4u);
        EXPECT_EQ(damaged.report.lost_sums, 0u);
        EXPECT_EQ(damaged.report.unchecked, 0u);
        EXPECT_TRUE(damaged.asked.empty());
        MemoryFile memory;
        memory.put(damaged.file, 0);
        orr_repair *repair = nullptr;
        uint64_t written = 0;
        ASSERT_EQ(damaged.open(&repair), ORR_OK);
        EXPECT_EQ(orr_repair_copy_sums(repair, memory.fd, &written, &damaged.error), ORR_OK);
        orr_repair_close(repair);
        EXPECT_EQ(written, 4u);
        Bytes after = memory.bytes();
        for (int copy = 0; copy < 2; copy++)
            EXPECT_EQ(
                memcmp(&after[layout.sums[copy]], &whole.file[layout.sums[copy]], 4 * ORR_PAGE), 0);
    }
}

TEST_F(Repair, ChecksumPagesLostInBothCopies) {
    Parity whole(3000, 3, 600);
    Damaged damaged(whole);
    for (uint64_t copy : whole.layout.sums) damaged.spoil_at(copy + ORR_PAGE);
    // Pages 510 .. 1019 have no checksum: one of each of their groups.
    damaged.spoil(600);
    damaged.spoil(5);
    ASSERT_EQ(damaged.all(true), ORR_OK);
    EXPECT_EQ(damaged.report.lost_sums, 1u);
    EXPECT_EQ(damaged.report.unchecked, 510u);
    EXPECT_EQ(damaged.report.solved, 510u);
    EXPECT_EQ(damaged.report.repaired, 1u);
    EXPECT_TRUE(orr_repair_possible(&damaged.report));
    for (const Visit &v : damaged.visits) {
        EXPECT_EQ(v.state, v.page == 5 ? ORR_PAGE_REPAIRED : ORR_PAGE_SOLVED);
        EXPECT_EQ(memcmp(v.bytes.data(), whole.page(v.page), ORR_PAGE), 0);
    }
    // Three more of a group that has one without checksum: lost, unless that one is vouched for.
    damaged.spoil(1), damaged.spoil(1201), damaged.spoil(1801);
    ASSERT_EQ(damaged.all(true), ORR_OK);
    EXPECT_EQ(damaged.report.lost, 4u);
    damaged.vouched.insert(601);
    ASSERT_EQ(damaged.all(true), ORR_OK);
    EXPECT_EQ(damaged.report.lost, 0u);
    EXPECT_EQ(damaged.report.unchecked, 509u);
    EXPECT_EQ(damaged.report.repaired, 4u);
    EXPECT_EQ(damaged.asked.size(), 510u);
    Bytes buffer(whole.page(601), whole.page(601) + ORR_PAGE);
    std::vector<orr_page_state> states;
    damaged.vouched.clear();
    ASSERT_EQ(damaged.range(601, 1, buffer, states), ORR_OK);
    EXPECT_EQ(states[0], ORR_PAGE_LOST);
}

// Somebody vouches for a page that is wrong: nothing of its group comes out, be it that a checksum
// tells or that the checksum of another page of the group does.
TEST_F(Repair, AWrongPageThatPassesForGoodIsNoticed) {
    Parity whole(2400, 4, 600);
    Damaged damaged(whole);
    for (uint64_t copy : whole.layout.sums)
        for (uint64_t i : {1, 2}) damaged.spoil_at(copy + i * ORR_PAGE); // pages 510 .. 1529
    damaged.spoil(605);
    damaged.spoil(5);
    orr_repair *repair = nullptr;
    orr_repair_source source = {};
    source.fd = -1;
    source.length = damaged.file.size();
    source.name = "file";
    source.read = Damaged::read;
    source.known_good = [](void *, uint64_t page, const uint8_t *) { return page != 1205 ? 1 : 0; };
    source.context = &damaged;
    ASSERT_EQ(orr_repair_open(&repair, &whole.layout, whole.id.data(), &source, nullptr), ORR_OK);
    EXPECT_EQ(orr_repair_all(repair, Damaged::visit, &damaged, &damaged.report, nullptr), ORR_OK);
    orr_repair_close(repair);
    ASSERT_EQ(damaged.visits.size(), 2u);
    EXPECT_EQ(damaged.visits[0].page, 5u);
    EXPECT_EQ(damaged.visits[1].page, 1205u);
    for (const Visit &v : damaged.visits) EXPECT_EQ(v.state, ORR_PAGE_LOST);
}

// The caller knows better than a checksum: of a right page whose checksum was altered, and of a
// wrong one that has its own.
TEST_F(Repair, PagesAreJudged) {
    Parity whole(100, 2, 20);
    Damaged damaged(whole);
    damaged.spoil(5);
    damaged.spoil(25); // of the same group
    damaged.spoil(45);
    orr_repair *repair = nullptr;
    orr_repair_source source = {};
    source.fd = -1;
    source.length = damaged.file.size();
    source.name = "file";
    source.read = Damaged::read;
    source.judge = [](void *, uint64_t page) { return page == 45 ? 1 : page == 65 ? -1 : 0; };
    source.context = &damaged;
    ASSERT_EQ(orr_repair_open(&repair, &whole.layout, whole.id.data(), &source, nullptr), ORR_OK);
    EXPECT_EQ(orr_repair_all(repair, Damaged::visit, &damaged, &damaged.report, nullptr), ORR_OK);
    ASSERT_EQ(damaged.visits.size(), 3u); // three are damaged, 65 among them: too many
    for (const Visit &v : damaged.visits) EXPECT_EQ(v.state, ORR_PAGE_LOST);
    damaged.visits.clear();
    damaged.file = whole.file;
    damaged.spoil(5);
    EXPECT_EQ(orr_repair_all(repair, Damaged::visit, &damaged, &damaged.report, nullptr), ORR_OK);
    orr_repair_close(repair);
    ASSERT_EQ(damaged.visits.size(), 2u);
    for (const Visit &v : damaged.visits) {
        EXPECT_EQ(v.state, ORR_PAGE_SOLVED) << v.page;
        EXPECT_EQ(memcmp(v.bytes.data(), whole.page(v.page), ORR_PAGE), 0) << v.page;
    }
}

TEST_F(Repair, AnotherFilesChecksumsAreNone) {
    Parity whole(100, 3, 20);
    Damaged damaged(whole);
    whole.id[31] ^= 1;
    ASSERT_EQ(damaged.all(false), ORR_OK);
    EXPECT_EQ(damaged.report.lost_sums, 1u);
    EXPECT_EQ(damaged.report.lost, 160u);
}

orr_status refuse(void *, uint64_t, orr_page_state, const uint8_t *, orr_error *error) {
    return orr_fail(error, ORR_EXISTS, "refused");
}

TEST_F(Repair, EndsWithWhatAVisitSaysAndWhenStopped) {
    Parity whole(100, 3, 20);
    Damaged damaged(whole);
    damaged.spoil(3);
    orr_repair *repair = nullptr;
    ASSERT_EQ(damaged.open(&repair), ORR_OK);
    EXPECT_EQ(orr_repair_all(repair, refuse, nullptr, &damaged.report, &damaged.error), ORR_EXISTS);
    orr_repair_close(repair);
    static volatile sig_atomic_t stop = 1;
    damaged.stop = &stop;
    EXPECT_EQ(damaged.all(true), ORR_STOPPED);
    Bytes buffer(&damaged.file[FIRST * ORR_PAGE], &damaged.file[(FIRST + 9) * ORR_PAGE]);
    std::vector<orr_page_state> states;
    EXPECT_EQ(damaged.range(0, 9, buffer, states), ORR_STOPPED);
}

// With a descriptor, as a command does it: what is solved is written back, then the copies of the
// checksums, and the file is what it was.
TEST_F(Repair, AFileInPlace) {
    Parity whole(5000, 13, 21);
    Damaged damaged(whole);
    scatter(damaged);
    for (uint64_t i = 0; i < whole.layout.sum_pages; i++)
        damaged.spoil_at(whole.layout.sums[i % 2] + i * ORR_PAGE);
    MemoryFile memory;
    memory.put(damaged.file, 0);
    orr_repair_source source = {};
    source.fd = memory.fd;
    source.length = damaged.file.size();
    source.name = "file";
    orr_repair *repair = nullptr;
    ASSERT_EQ(orr_repair_open(&repair, &whole.layout, whole.id.data(), &source, nullptr), ORR_OK);
    ASSERT_EQ(orr_repair_all(repair, Damaged::visit, &damaged, &damaged.report, nullptr), ORR_OK);
    for (const Visit &v : damaged.visits)
        memory.put(v.bytes, orr_parity_offset(&whole.layout, v.page));
    uint64_t written;
    ASSERT_EQ(orr_repair_copy_sums(repair, memory.fd, &written, nullptr), ORR_OK);
    EXPECT_EQ(written, whole.layout.sum_pages);
    EXPECT_TRUE(memory.bytes() == whole.file);
    ASSERT_EQ(orr_repair_all(repair, nullptr, nullptr, &damaged.report, nullptr), ORR_OK);
    EXPECT_EQ(damaged.report.damaged_groups + damaged.report.lost_sums, 0u);
    orr_repair_close(repair);
}

// A file of the greatest size, all zeros but for its checksums; they are made when they are read.
struct Vast {
    orr_parity_layout layout;
    std::set<uint64_t> wrong; // pages of the sequence
    uint64_t reads = 0;

    static size_t read(void *context, void *buffer, size_t bytes, uint64_t offset) {
        auto *self = static_cast<Vast *>(context);
        const orr_parity_layout &l = self->layout;
        static const uint8_t zeros[ORR_PAGE] = {}, id[32] = {};
        auto *out = static_cast<uint8_t *>(buffer);
        memset(out, 0, bytes);
        self->reads++;
        for (uint64_t at = offset; at < offset + bytes; at += ORR_PAGE, out += ORR_PAGE) {
            for (uint64_t copy : l.sums) {
                uint64_t i = (at - copy) / ORR_PAGE;
                if (at < copy || i >= l.sum_pages) continue;
                for (uint64_t n = 0; n < ORR_PARITY_SUMS; n++) {
                    uint64_t page = i * ORR_PARITY_SUMS + n;
                    uint64_t sum = page < l.pages ? orr_parity_sum(page, zeros) : 0;
                    memcpy(out + n * 8, &sum, 8);
                }
                orr_parity_seal_sums(id, i, out, out + ORR_PARITY_SUMS * 8);
            }
            for (uint64_t page : self->wrong)
                if (at == orr_parity_offset(&l, page)) out[5] = 1;
        }
        return bytes;
    }
};

TEST_F(Repair, AFileOfTheGreatestSize) {
    for (unsigned tenths : PERCENTS) {
        Vast vast;
        uint32_t parity;
        uint64_t body = 403000000, groups; // 1.65 TB
        ASSERT_EQ(orr_parity_choose(body, tenths, &parity, &groups, nullptr), ORR_OK);
        ASSERT_EQ(orr_parity_layout_init(&vast.layout, 3, body, parity, groups, 0, 1, nullptr),
                  ORR_OK);
        orr_repair_source source = {};
        source.length = vast.layout.length;
        source.name = "file";
        source.read = Vast::read;
        source.context = &vast;
        uint8_t id[32] = {};
        orr_repair *repair = nullptr;
        ASSERT_EQ(orr_repair_open(&repair, &vast.layout, id, &source, nullptr), ORR_OK);
        for (uint64_t first : {uint64_t{0}, body - 2, vast.layout.pages - 3}) {
            for (uint64_t page = first % groups, n = 0; n < parity; page += groups, n++)
                vast.wrong.insert(page);
            vast.wrong.insert(first + 1);
            std::vector<orr_page_state> states(3);
            Bytes buffer(3 * ORR_PAGE, 9);
            ASSERT_EQ(orr_repair_range(repair, first, 3, buffer.data(), states.data(), nullptr),
                      ORR_OK);
            bool more = vast.wrong.count(first) == 0; // then the buffer's is one too many
            EXPECT_EQ(states[0], more ? ORR_PAGE_LOST : ORR_PAGE_REPAIRED) << first;
            EXPECT_EQ(states[1], ORR_PAGE_REPAIRED);
            EXPECT_EQ(states[2], ORR_PAGE_REPAIRED);
            EXPECT_EQ(buffer[0], more ? 9 : 0);
            EXPECT_EQ(std::count(buffer.begin() + ORR_PAGE, buffer.end(), 0), 2 * ORR_PAGE);
            vast.wrong.clear();
        }
        orr_repair_close(repair);
        EXPECT_LT(vast.reads, 6000u);
    }
}

// Headers that nobody wrote: whatever they say, memory stays bounded and nothing is touched that is
// not there.
TEST_F(Repair, HostileLayouts) {
    Parity whole(100, 3, 20);
    Damaged damaged(whole);
    auto &random = test_random();
    auto any = [&](int bits) { return random() >> (64 - random() % bits - 1); };
    int opened = 0;
    for (int n = 0; n < 20000; n++) {
        orr_parity_layout layout;
        orr_error error;
        uint64_t body = any(33), groups = n % 3 ? any(33) : body / (1 + any(8));
        uint64_t length = n % 2 ? damaged.file.size() : any(43);
        if (orr_parity_layout_init(&layout, any(6), body, static_cast<uint32_t>(any(9)), groups,
                                   any(28), static_cast<uint32_t>(1 + any(4)), &error) != ORR_OK)
            continue;
        ASSERT_LT(layout.length, 1ull << 62);
        orr_repair *repair = nullptr;
        orr_repair_source source = {};
        source.length = length;
        source.name = "file";
        source.read = Damaged::read; // the file is short whatever `length` says
        source.context = &damaged;
        uint8_t id[32] = {};
        if (orr_repair_open(&repair, &layout, id, &source, &error) != ORR_OK) continue;
        opened++;
        uint64_t count = std::min<uint64_t>(layout.pages, 1 + any(6));
        uint64_t first = random() % (layout.pages - count + 1);
        Bytes buffer(count * ORR_PAGE);
        std::vector<orr_page_state> states(count);
        EXPECT_EQ(orr_repair_range(repair, first, count, buffer.data(), states.data(), &error),
                  ORR_OK);
        orr_repair_report report;
        if (layout.pages < 100000) {
            EXPECT_EQ(orr_repair_all(repair, Damaged::visit, &damaged, &report, &error), ORR_OK);
        }
        damaged.visits.clear();
        orr_repair_close(repair);
    }
    EXPECT_GT(opened, 100);
}

} // namespace
