// Files of every size at the edges of rows, tiles, segments and chunks come back byte for byte, and
// the boundary between classic TIFF and BigTIFF lies where the format says.
#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

#include "base/bytes.h"
#include "tests/support/containers.h"
#include "tests/support/job_fixture.h"

namespace {

class Sizes : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        test_seed();
    }

    // Writes the head of a file of this length and reads it back.
    void expect_head(uint64_t length, bool big) {
        orr_error error{};
        container_draft draft;
        orr_wrap_key reader = container_reader(ring.keys[0].key);
        container_draft_begin(&draft, length);
        container_draft_settle(&draft, &reader, 1);
        const orr_geometry &g = draft.geometry;
        EXPECT_EQ(g.big, big);
        EXPECT_EQ(g.data_end < UINT64_C(1) << 32, !big);
        fs::path path = directory / "huge.orr.tif";
        int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
        ASSERT_GE(fd, 0);
        if (container_draft_write_head(&draft, fd, &error) == ORR_OK)
            expect_readable(fd, g);
        else
            printf("no sparse files here\n");
        container_draft_end(&draft);
        close(fd);
    }

    void expect_readable(int fd, const orr_geometry &g) {
        orr_error error{};
        orr_container c{};
        EXPECT_EQ(orr_container_read(&c, fd, g.file_length, "huge", &error), ORR_OK) << error.text;
        EXPECT_EQ(orr_container_check_head(&c, fd, "huge", &error), ORR_OK) << error.text;
        orr_container_free(&c);
        uint8_t first[16], word[8] = {};
        ASSERT_EQ(pread(fd, first, sizeof first, 0), 16);
        EXPECT_EQ(first[2], g.big ? 43 : 42);
        // The last strip's offset, where a TIFF reader finds it.
        uint64_t entry = g.ifd_offset + (g.big ? 8 + 6 * 20 + 12 : 2 + 6 * 12 + 8);
        ASSERT_EQ(pread(fd, word, g.big ? 8 : 4, long(entry)), g.big ? 8 : 4);
        uint64_t array = orr_load_le64(word), last = g.tiles - 1;
        memset(word, 0, 8);
        ASSERT_EQ(pread(fd, word, g.big ? 8 : 4, long(array + last * (g.big ? 8 : 4))),
                  g.big ? 8 : 4);
        EXPECT_EQ(orr_load_le64(word), orr_tile_offset(&g, last));
        uint64_t end = orr_load_le64(word) + 384u * orr_tile_rows(&g, last);
        EXPECT_EQ((end + ORR_PAGE - 1) / ORR_PAGE * ORR_PAGE, g.file_length);
    }

    // Encrypts, verifies and decrypts files of these sizes as one tree.
    void round_trip(const std::set<uint64_t> &sizes, const Tweak &tweak) {
        fs::path in = directory / "in";
        fs::remove_all(in);
        fs::create_directory(in);
        Bytes noise = random_bytes(*sizes.rbegin() + 64);
        for (uint64_t n : sizes) write_file(in / std::to_string(n), noise.data() + n % 64, n);
        fs::path vault = directory / "vault", back = directory / "back";
        fs::remove_all(vault);
        fs::remove_all(back);
        JobEnd end = run(ORR_VERB_ENCRYPT, {in}, vault, tweak);
        ASSERT_EQ(end.status, ORR_OK) << end.said();
        EXPECT_EQ(end.summary.done, sizes.size());
        EXPECT_EQ(run(ORR_VERB_VERIFY, {vault}, "", tweak).status, ORR_OK);
        end = run(ORR_VERB_DECRYPT, {vault}, back, tweak);
        ASSERT_EQ(end.status, ORR_OK) << end.said();
        for (uint64_t n : sizes) {
            Bytes restored = read_file(back / "in" / std::to_string(n));
            ASSERT_EQ(restored.size(), n);
            EXPECT_TRUE(std::equal(restored.begin(), restored.end(), noise.begin() + n % 64)) << n;
            // The overhead that the format promises.
            EXPECT_LE(fs::file_size(vault / "in" / (std::to_string(n) + ".orr.tif")),
                      double(n) * 1.001 + 25 * 1024)
                << n;
        }
    }
};

std::set<uint64_t> around(const std::vector<uint64_t> &edges, uint64_t reach) {
    std::set<uint64_t> sizes;
    for (uint64_t e : edges)
        for (uint64_t d = 0; d <= 2 * reach; d++)
            if (e + d >= reach) sizes.insert(e + d - reach);
    return sizes;
}

TEST_F(Sizes, RowsAndTiles) {
    std::set<uint64_t> sizes =
        around({0, 16, 384, 768, ORR_TILE_BYTES - 384, ORR_TILE_BYTES, ORR_TILE_BYTES + 384,
                2 * ORR_TILE_BYTES, 3 * ORR_TILE_BYTES},
               2);
    for (uint64_t n : {11u, 100u, 4095u, 4096u, 4097u, 10000u, 65535u, 65536u, 65537u})
        sizes.insert(n);
    round_trip(sizes, nullptr);
}

TEST_F(Sizes, Segments) {
    const uint64_t s = ORR_SEGMENT_BYTES;
    round_trip(around({s - ORR_TILE_BYTES, s, s + 384, s + ORR_TILE_BYTES}, 1), nullptr);
    round_trip(around({2 * s, 3 * s}, 1), nullptr);
}

TEST_F(Sizes, Chunks) {
    const uint64_t chunk = 200 * ORR_TILE_BYTES;
    round_trip(around({chunk, 2 * chunk}, 1), [](auto &o) { o.chunk_tiles = 200; });
}

TEST_F(Sizes, ManyRandom) {
    std::set<uint64_t> sizes;
    for (int i = 0; i < 60; i++) sizes.insert(test_random()() % (4 * ORR_TILE_BYTES));
    for (int i = 0; i < 4; i++) sizes.insert(test_random()() % (3 * ORR_SEGMENT_BYTES));
    round_trip(sizes, [](auto &o) { o.jobs = 4; });
}

// A 5 GiB file takes the BigTIFF path (scripts/long-tests); here the head of such a file is written
// and read back for the lengths at the boundary, on a sparse file of the real length.
TEST_F(Sizes, ClassicAndBigTiff) {
    orr_error error{};
    container_draft draft;
    container_draft_begin(&draft, 0);
    container_draft_settle(&draft, nullptr, 0);
    orr_header h = draft.header;
    container_draft_end(&draft);
    uint64_t low = 0, high = UINT64_C(5) << 30; // low is classic, high is not
    orr_geometry g;
    while (high - low > 1) {
        h.length = low + (high - low) / 2;
        ASSERT_EQ(orr_geometry_init(&g, &h, &error), ORR_OK);
        (g.big ? high : low) = h.length;
    }
    EXPECT_EQ(high % 384, 1u); // a row more
    for (uint64_t length : {low, high, UINT64_C(5) << 30}) expect_head(length, length > low);
}

} // namespace
