// Repair data as it is laid out and written: the bytes of an independent implementation
// (tests/oracles/parity_oracle.py), the same for any memory and threads.
#include <array>
#include <atomic>
#include <csignal>
#include <fcntl.h>

#include <openssl/sha.h>

#include "tests/support/parity_file.h"

#ifdef ORRERY_HAVE_ISAL
#include <isa-l/erasure_code.h>
#endif

#include "host/container/erasure.h"

namespace {

uint64_t number(const std::string &text) {
    return std::stoull(text);
}

TEST(Parity, ChoosesAsTheOracle) {
    for (const auto &v : vectors("parity.txt", "choose")) {
        uint32_t parity;
        uint64_t groups;
        ASSERT_EQ(orr_parity_choose(number(v[0]), static_cast<unsigned>(number(v[1])), &parity,
                                    &groups, nullptr),
                  ORR_OK);
        EXPECT_EQ(parity, number(v[2])) << v[0] << " " << v[1];
        EXPECT_EQ(groups, number(v[3])) << v[0] << " " << v[1];
    }
}

TEST(Parity, WhatIsChosenIsALayout) {
    for (unsigned tenths = ORR_PARITY_TENTHS_LEAST; tenths <= ORR_PARITY_TENTHS_MOST; tenths++)
        for (uint64_t body = 1; body < ORR_PARITY_MAX_BODY; body += 1 + body / 3) {
            uint32_t parity;
            uint64_t groups;
            orr_parity_layout layout;
            ASSERT_EQ(orr_parity_choose(body, tenths, &parity, &groups, nullptr), ORR_OK);
            ASSERT_EQ(orr_parity_layout_init(&layout, 3, body, parity, groups, 100, 1, nullptr),
                      ORR_OK)
                << body << " " << tenths;
            ASSERT_GE(layout.parity * 1000.0, layout.rows * tenths);
            ASSERT_EQ(layout.sums[0], (3 + body) * ORR_PAGE);
        }
    uint32_t parity;
    uint64_t groups;
    orr_error error;
    EXPECT_EQ(orr_parity_choose(9, 4, &parity, &groups, &error), ORR_USAGE);
    EXPECT_EQ(orr_parity_choose(9, 501, &parity, &groups, &error), ORR_USAGE);
}

TEST(Parity, LayoutIsTheOracles) {
    for (const auto &v : vectors("parity.txt", "layout")) {
        orr_parity_layout l;
        ASSERT_EQ(orr_parity_layout_init(
                      &l, number(v[0]), number(v[1]), static_cast<uint32_t>(number(v[2])),
                      number(v[3]), number(v[4]), static_cast<uint32_t>(number(v[5])), nullptr),
                  ORR_OK);
        const uint64_t got[] = {l.repair, l.sums[1], l.metadata, l.slots, l.page0, l.length};
        for (size_t i = 0; i < 6; i++) EXPECT_EQ(got[i], number(v[6 + i])) << v[1] << " " << i;
    }
}

TEST(Parity, ImpossibleLayoutsAreRefused) {
    const struct {
        uint64_t first, body;
        uint32_t parity;
        uint64_t groups, sealed;
        uint32_t slots;
        orr_status status;
    } cases[] = {
        {3, 100, 0, 1, 0, 1, ORR_AUTH},
        {3, 100, 1, 0, 0, 1, ORR_AUTH},
        {3, 0, 1, 1, 0, 1, ORR_AUTH},
        {3, 100, 1, 101, 0, 1, ORR_AUTH},
        {3, 100, 156, 1, 0, 1, ORR_AUTH},
        {3, 100, 155, 1, 0, 1, ORR_OK},
        {3, 100, 254, 100, 0, 1, ORR_OK},
        {3, 100, 255, 100, 0, 1, ORR_AUTH},
        {3, 100, UINT32_MAX, 100, 0, 1, ORR_AUTH},
        {3, UINT64_MAX, 1, UINT64_MAX, 0, 1, ORR_UNSUPPORTED},
        {3, ORR_PARITY_MAX_BODY, 254, ORR_PARITY_MAX_BODY, 0, 1, ORR_OK},
        {3, ORR_PARITY_MAX_BODY + 1, 1, ORR_PARITY_MAX_BODY, 0, 1, ORR_UNSUPPORTED},
        {UINT64_MAX, 100, 1, 1, 0, 1, ORR_UNSUPPORTED},
        {3, 100, 1, 1, UINT64_MAX, 1, ORR_UNSUPPORTED},
        {3, 100, 1, 1, 0, 0, ORR_UNSUPPORTED},
        {3, 100, 1, 1, 0, 17, ORR_UNSUPPORTED},
    };
    for (const auto &c : cases) {
        orr_parity_layout layout;
        orr_error error;
        EXPECT_EQ(orr_parity_layout_init(&layout, c.first, c.body, c.parity, c.groups, c.sealed,
                                         c.slots, &error),
                  c.status)
            << c.body << " " << c.parity << " " << c.groups;
    }
}

TEST(Parity, RowsOfAGroupAndPlacesOfPages) {
    orr_parity_layout layout;
    ASSERT_EQ(orr_parity_layout_init(&layout, 3, 100, 3, 7, 0, 1, nullptr), ORR_OK);
    for (uint64_t group = 0; group < 7; group++) {
        uint32_t data = 0;
        for (uint64_t page = group; page < 100; page += 7) data++;
        EXPECT_EQ(orr_parity_data_rows(&layout, group), data);
    }
    EXPECT_EQ(orr_parity_adjacent(&layout, 98), 2u);
    EXPECT_EQ(orr_parity_adjacent(&layout, 100), 21u);
    EXPECT_EQ(orr_parity_offset(&layout, 99), layout.sums[0] - ORR_PAGE);
    EXPECT_EQ(orr_parity_offset(&layout, 100), layout.repair);
}

uint8_t recipe(uint64_t page, uint64_t i) {
    return static_cast<uint8_t>((page * 2654435761u + i * 40503u + (i >> 5) * (page + 7)) >> 8);
}

TEST(Parity, BytesAreTheOracles) {
    NEEDS_ISAL();
    for (const auto &v : vectors("parity.txt", "parity")) {
        orr_parity_layout layout;
        uint64_t first = number(v[0]), body = number(v[1]);
        ASSERT_EQ(orr_parity_layout_init(&layout, first, body, static_cast<uint32_t>(number(v[2])),
                                         number(v[3]), 0, 1, nullptr),
                  ORR_OK);
        Bytes start((first + body) * ORR_PAGE);
        for (uint64_t page = 0; page < body; page++)
            for (uint64_t i = 0; i < ORR_PAGE; i++)
                start[(first + page) * ORR_PAGE + i] = recipe(page, i);
        MemoryFile memory;
        memory.put(start, 0);
        orr_parity_work work = {};
        orr_error error;
        ASSERT_EQ(orr_parity_write(memory.fd, &layout, unhex(v[4]).data(), &work, "x", &error),
                  ORR_OK)
            << error.text;
        Bytes file = memory.bytes();
        ASSERT_EQ(file.size(), layout.metadata);
        for (size_t q = 0; q < layout.parity * layout.groups; q++)
            ASSERT_EQ(hex(&file[layout.repair + q * ORR_PAGE], 8), v[6 + q]) << body << " " << q;
        uint8_t digest[32];
        SHA256(&file[layout.sums[0]], file.size() - layout.sums[0], digest);
        EXPECT_EQ(hex(digest, 32), v[5]) << body;
        EXPECT_TRUE(std::equal(start.begin(), start.end(), file.begin()));
    }
}

TEST(Parity, TheSameBytesForAnyMemoryAndThreads) {
    NEEDS_ISAL();
    for (auto [body, parity, groups] :
         {std::array<uint64_t, 3>{1000, 13, 5}, {997, 3, 40}, {640, 40, 64}, {5, 250, 5}}) {
        Parity plain(body, static_cast<uint32_t>(parity), groups);
        Bytes first = plain.file;
        for (size_t memory : {size_t{1}, size_t{3} << 20, size_t{1} << 30})
            for (unsigned threads : {1u, 2u, 5u, 1000u}) {
                orr_parity_work work = {};
                work.memory = memory;
                work.threads = threads;
                Bytes start(first.begin(), first.begin() + static_cast<long>(plain.layout.sums[0]));
                plain.write(start, work);
                ASSERT_EQ(plain.file == first, true) << body << " " << memory << " " << threads;
            }
    }
}

// Over what is there: rubbish, and the same again.
TEST(Parity, WritesOverWhatIsThere) {
    NEEDS_ISAL();
    Parity plain(700, 4, 11);
    Bytes first = plain.file, start = first;
    for (uint64_t i = plain.layout.sums[0]; i < plain.layout.metadata; i++) start[i] ^= 0x5a;
    plain.write(start, {});
    EXPECT_TRUE(plain.file == first);
    plain.write(first, {});
    EXPECT_TRUE(plain.file == first);
}

// What differs is counted; nothing is written.
TEST(Parity, LooksWithoutWriting) {
    NEEDS_ISAL();
    Parity plain(1200, 4, 11);
    const orr_parity_layout &layout = plain.layout;
    auto differ = [&](const std::vector<uint64_t> &offsets) {
        MemoryFile memory;
        Bytes file = plain.file;
        uint64_t count = 99;
        for (uint64_t at : offsets) file[at] ^= 4;
        memory.put(file, 0);
        orr_parity_work work = {};
        work.differ = &count;
        work.threads = 3;
        EXPECT_EQ(orr_parity_write(memory.fd, &layout, plain.id.data(), &work, "file", nullptr),
                  ORR_OK);
        EXPECT_TRUE(memory.bytes() == file);
        return count;
    };
    EXPECT_EQ(differ({}), 0u);
    EXPECT_EQ(differ({layout.repair}), 1u);
    EXPECT_EQ(differ({layout.repair + 5, layout.repair + 6, layout.repair + 7 * ORR_PAGE}), 2u);
    for (uint64_t copy : layout.sums)
        for (uint64_t at : {0u, 4079u, 4080u, 2u * ORR_PAGE + 4000u, 3u * ORR_PAGE - 1u})
            EXPECT_EQ(differ({copy + at}), 1u) << copy << " " << at; // 4000 of the last: behind all
    EXPECT_EQ(differ({layout.repair, layout.sums[0], layout.sums[1]}), 2u);
    EXPECT_EQ(differ({FIRST * ORR_PAGE}), 5u); // four repair pages and a checksum follow from it
}

#ifdef ORRERY_HAVE_ISAL
// ISA-L picks its code by the processor; its portable code gives the same bytes.
TEST(Parity, PortableCodeGivesTheSameBytes) {
    for (auto [data, parity] : {std::array<uint32_t, 2>{1, 1},
                                {3, 2},
                                {20, 20},
                                {243, 12},
                                {170, 85},
                                {1, 254},
                                {254, 1},
                                {128, 127}}) {
        orr_erasure code;
        ASSERT_EQ(orr_erasure_init(&code, data, parity, nullptr), ORR_OK);
        Bytes matrix((data + parity) * data);
        gf_gen_cauchy1_matrix(matrix.data(), static_cast<int>(data + parity),
                              static_cast<int>(data));
        EXPECT_EQ(memcmp(matrix.data() + data * data, code.matrix, parity * data), 0);
        Bytes pages = random_bytes(data * ORR_PAGE), ours(parity * ORR_PAGE), theirs = ours;
        std::vector<uint8_t *> in, out, sums;
        for (uint32_t r = 0; r < data; r++) in.push_back(&pages[r * ORR_PAGE]);
        for (uint32_t p = 0; p < parity; p++) {
            out.push_back(&theirs[p * ORR_PAGE]);
            sums.push_back(&ours[p * ORR_PAGE]);
        }
        for (uint32_t r = 0; r < data; r++)
            orr_erasure_add(&code, r, 0, parity, in[r], sums.data());
        ec_encode_data_base(ORR_PAGE, static_cast<int>(data), static_cast<int>(parity), code.tables,
                            in.data(), out.data());
        EXPECT_TRUE(ours == theirs) << data << " " << parity;
        orr_erasure_free(&code);
    }
}
#else
TEST(Parity, WithoutIsaLEverythingIsOneSentence) {
    orr_parity_layout layout;
    orr_error error;
    ASSERT_EQ(orr_parity_layout_init(&layout, 3, 100, 3, 7, 0, 1, nullptr), ORR_OK);
    MemoryFile memory;
    uint8_t id[32] = {};
    orr_parity_work work = {};
    EXPECT_EQ(orr_parity_write(memory.fd, &layout, id, &work, "x", &error), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "libisal-dev"), nullptr);
    orr_repair *repair = nullptr;
    orr_repair_source source = {};
    source.length = layout.length;
    source.name = "x";
    EXPECT_EQ(orr_repair_open(&repair, &layout, id, &source, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(repair, nullptr);
}
#endif

void count(void *context, uint64_t bytes) {
    *static_cast<std::atomic<uint64_t> *>(context) += bytes;
}

TEST(Parity, ProgressCountsTheBody) {
    NEEDS_ISAL();
    std::atomic<uint64_t> bytes{0};
    orr_parity_work work = {};
    work.threads = 3;
    work.progress = count;
    work.context = &bytes;
    Parity plain(1001, 3, 20, work);
    EXPECT_EQ(bytes, 1001u * ORR_PAGE);
}

TEST(Parity, Stops) {
    NEEDS_ISAL();
    static volatile sig_atomic_t stop = 1;
    orr_parity_layout layout;
    ASSERT_EQ(orr_parity_layout_init(&layout, 0, 100, 3, 7, 0, 1, nullptr), ORR_OK);
    MemoryFile memory;
    memory.put(Bytes(100 * ORR_PAGE), 0);
    orr_parity_work work = {};
    work.stop = &stop;
    work.threads = 4;
    uint8_t id[32] = {};
    orr_error error;
    EXPECT_EQ(orr_parity_write(memory.fd, &layout, id, &work, "x", &error), ORR_STOPPED);
}

TEST(Parity, AFileThatFailsIsNamed) {
    NEEDS_ISAL();
    orr_parity_layout layout;
    ASSERT_EQ(orr_parity_layout_init(&layout, 0, 100, 3, 7, 0, 1, nullptr), ORR_OK);
    MemoryFile memory;
    memory.put(Bytes(99 * ORR_PAGE), 0);
    uint8_t id[32] = {};
    orr_error error;
    orr_parity_work work = {};
    work.threads = 4;
    EXPECT_EQ(orr_parity_write(memory.fd, &layout, id, &work, "a/b", &error), ORR_AUTH);
    EXPECT_STREQ(error.text, "a/b: truncated: it ends at byte 405504");
    memory.put(Bytes(100 * ORR_PAGE), 0);
    int read_only = open(("/proc/self/fd/" + std::to_string(memory.fd)).c_str(), O_RDONLY);
    EXPECT_EQ(orr_parity_write(read_only, &layout, id, &work, "a/b", &error), ORR_IO);
    EXPECT_EQ(error.number, EBADF);
    close(read_only);
}

} // namespace
