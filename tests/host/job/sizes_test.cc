// Files of every size at the edges of rows, tiles, segments and chunks come back byte for byte, and
// the boundary between classic TIFF and BigTIFF lies where the format says.
#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>

#include "base/bytes.h"
#include "tests/support/job_fixture.h"

namespace {

class Sizes : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        test_seed();
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
                      double(n) * 1.001 + 24576)
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
    const uint64_t metadata_length = 200;
    uint64_t low = 0, high = UINT64_C(5) << 30; // low is classic, high is not
    orr_geometry g;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        ASSERT_EQ(orr_geometry_init(&g, middle, metadata_length, &error), ORR_OK);
        (g.big ? high : low) = middle;
    }
    EXPECT_EQ(high % 384, 1u); // a row more
    for (uint64_t length : {low, high, UINT64_C(5) << 30}) {
        ASSERT_EQ(orr_geometry_init(&g, length, metadata_length, &error), ORR_OK);
        EXPECT_EQ(g.big, length > low);
        if (!g.big) {
            EXPECT_LT(g.file_length, UINT64_C(1) << 32);
        }
        orr_metadata m{};
        m.path_length = size_t(snprintf(reinterpret_cast<char *>(m.path), 8, "a"));
        m.size = length;
        snprintf(m.timestamp, sizeof m.timestamp, "24-11-2024 00:00:00");
        while (orr_metadata_length(&m) < metadata_length) m.path[m.path_length++] = 'a';
        ASSERT_EQ(orr_metadata_length(&m), metadata_length);
        orr_header h{};
        h.version = h.suite = 1;
        h.profile = ORR_PROFILE_ARCHIVE;
        h.rule = ORR_RULE_DEFAULT;
        h.k2 = ORR_MAP_K2_DEFAULT;
        h.length = length;
        h.metadata_length = metadata_length;
        h.file_length = g.file_length;
        h.pages = 1;
        orr_file_secret secret{};
        orr_file_keys keys;
        uint8_t raw[ORR_HEADER_BYTES];
        orr_header_encode(&h, raw);
        ASSERT_EQ(orr_file_keys_derive(&keys, &secret, raw, &error), ORR_OK);
        orr_slot slot{};
        slot.generation = slot.count = 1;
        ASSERT_EQ(orr_wrap_make(&ring.keys[0], &secret, &slot.wrap[0], &error), ORR_OK);
        fs::path path = directory / "huge.orr.tif";
        int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
        ASSERT_GE(fd, 0);
        ASSERT_EQ(orr_archive_head_write(&h, &keys, &slot, &m, fd, "huge", &error), ORR_OK)
            << error.text;
        if (ftruncate(fd, long(g.file_length)) == 0) {
            orr_container c;
            EXPECT_EQ(orr_container_read(&c, fd, g.file_length, "huge", &error), ORR_OK)
                << error.text;
            EXPECT_EQ(orr_container_check_head(&c, fd, "huge", &error), ORR_OK) << error.text;
            uint8_t first[16];
            ASSERT_EQ(pread(fd, first, sizeof first, 0), 16);
            EXPECT_EQ(first[2], g.big ? 43 : 42);
            // The last strip's offset, where a TIFF reader finds it.
            orr_geometry classic;
            ASSERT_EQ(orr_geometry_init(&classic, 1, metadata_length, &error), ORR_OK);
            uint64_t entry = g.ifd_offset + (g.big ? 8 + 6 * 20 + 12 : 2 + 6 * 12 + 8);
            uint8_t word[8] = {};
            ASSERT_EQ(pread(fd, word, g.big ? 8 : 4, long(entry)), g.big ? 8 : 4);
            uint64_t array = orr_load_le64(word), last = g.tiles - 1;
            memset(word, 0, 8);
            ASSERT_EQ(pread(fd, word, g.big ? 8 : 4, long(array + last * (g.big ? 8 : 4))),
                      g.big ? 8 : 4);
            EXPECT_EQ(orr_load_le64(word) + 384u * orr_tile_rows(&g, last), g.file_length);
        } else {
            printf("no sparse files here\n");
        }
        close(fd);
    }
}

} // namespace
