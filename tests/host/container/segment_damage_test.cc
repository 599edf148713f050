// Damage between segments and files: three segments, the last of three tiles.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/damage_fixture.h"
#include "tests/support/places.h"

namespace {

class LargeDamage : public Damage, protected Places {
  protected:
    void SetUp() override {
        Damage::SetUp();
        plain = random_bytes(2 * ORR_SEGMENT_BYTES + 2 * ORR_TILE_BYTES + 700);
        file = container("scan.tif", plain);
        g = geometry_of(file);
        ASSERT_EQ(g.segments, 3u);
        path = directory / "x.orr.tif";
    }
    static void swap(Bytes &a, uint64_t at_a, Bytes &b, uint64_t at_b, uint64_t bytes) {
        std::swap_ranges(a.begin() + long(at_a), a.begin() + long(at_a + bytes),
                         b.begin() + long(at_b));
    }
    void refuse(const Bytes &copy, const std::string &name) {
        ASSERT_TRUE(copy != file) << name;
        expect_refused(copy, ORR_AUTH, name);
    }
    Bytes plain, file;
    fs::path path;
};

TEST_F(LargeDamage, FieldsOfEachSegment) {
    std::vector<Field> fields;
    for (uint64_t s = 0; s < g.segments; s++)
        for (auto &f : segment_fields(g, s)) fields.push_back(f);
    write_file(path, file);
    int fd = open(path.c_str(), O_RDWR);
    ASSERT_GE(fd, 0);
    for (auto &f : fields) {
        if (!f.bytes) continue;
        for (uint64_t at : {f.at, f.at + f.bytes - 1, f.at + test_random()() % f.bytes}) {
            uint8_t changed = file[at] ^ uint8_t(1u << test_random()() % 8);
            ASSERT_EQ(pwrite(fd, &changed, 1, long(at)), 1);
            EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_AUTH) << f.name;
            EXPECT_EQ(run(ORR_VERB_DECRYPT, {path}, directory / "out").status, ORR_AUTH) << f.name;
            EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>()) << f.name;
            ASSERT_EQ(pwrite(fd, &file[at], 1, long(at)), 1);
        }
    }
    close(fd);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_OK);
}

TEST_F(LargeDamage, TruncatedAtEachBoundary) {
    std::vector<uint64_t> lengths;
    for (uint64_t s = 0; s < g.segments; s++)
        for (uint64_t at :
             {orr_segment_offset(&g, s), digest_at(s), salt_at(s), salt_at(s) + 16,
              orr_segment_offset(&g, s) + ORR_PAGE, tile_at(s * ORR_SEGMENT_TILES + 1),
              tile_at(s * ORR_SEGMENT_TILES + orr_segment_tiles(&g, s) - 1)})
            for (int d = 1; d >= -1; d--) lengths.push_back(at + uint64_t(d));
    std::sort(lengths.rbegin(), lengths.rend());
    write_file(path, file);
    for (uint64_t n : lengths) {
        ASSERT_EQ(truncate(path.c_str(), long(n)), 0);
        EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_AUTH) << n;
        EXPECT_EQ(run(ORR_VERB_DECRYPT, {path}, directory / "out").status, ORR_AUTH) << n;
    }
    EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>());
}

TEST_F(LargeDamage, MovedWithinAFile) {
    auto moved = [&](const std::string &name, std::vector<std::array<uint64_t, 3>> swaps) {
        Bytes copy = file;
        for (auto &[a, b, bytes] : swaps) swap(copy, a, copy, b, bytes);
        refuse(copy, name);
    };
    const uint64_t tile = ORR_TILE_BYTES;
    moved("neighbouring tiles", {{tile_at(4), tile_at(5), tile}});
    moved("neighbouring tiles with their tags",
          {{tile_at(4), tile_at(5), tile}, {tag_at(4), tag_at(5), 16}});
    moved("same place in two segments, with tags",
          {{tile_at(7), tile_at(128 + 7), tile}, {tag_at(7), tag_at(128 + 7), 16}});
    moved("last of the file and another, with tags",
          {{tile_at(257), tile_at(0), tile}, {tag_at(257), tag_at(0), 16}});
    moved("two tags", {{tag_at(0), tag_at(127), 16}});
    moved("two digests", {{digest_at(0), digest_at(1), 32}});
    moved("two salts", {{salt_at(0), salt_at(1), 16}});
    moved("two digests with their salts", {{digest_at(0), digest_at(1), 48}});
    moved("two heads", {{orr_segment_offset(&g, 0), orr_segment_offset(&g, 1), ORR_PAGE}});
    moved("tiles, tags and salts of two segments", {{tile_at(0), tile_at(128), ORR_SEGMENT_BYTES},
                                                    {tag_at(0), tag_at(128), 2048},
                                                    {salt_at(0), salt_at(1), 16}});
    moved("two whole segments",
          {{orr_segment_offset(&g, 0), orr_segment_offset(&g, 1), segment_bytes(0)}});
    Bytes copy = file;
    memcpy(&copy[tile_at(9)], &file[tile_at(8)], tile);
    memcpy(&copy[tag_at(9)], &file[tag_at(8)], 16);
    refuse(copy, "a tile twice");
    copy = file;
    std::fill(copy.begin() + long(tile_at(200)), copy.begin() + long(tile_at(200) + tile), 0);
    refuse(copy, "a tile zeroed, like a lost sector");
}

TEST_F(LargeDamage, MovedFromAnotherFile) {
    // The same name, size and key; even the same content.
    Bytes other = container("scan.tif", plain);
    ASSERT_EQ(other.size(), file.size());
    auto foreign = [&](const std::string &name, std::vector<std::array<uint64_t, 2>> pieces) {
        Bytes copy = file;
        for (auto &[at, bytes] : pieces) memcpy(&copy[at], &other[at], bytes);
        refuse(copy, name);
    };
    foreign("tile", {{tile_at(3), ORR_TILE_BYTES}});
    foreign("tile and tag", {{tile_at(3), ORR_TILE_BYTES}, {tag_at(3), 16}});
    foreign("tile, tag and salt",
            {{tile_at(3), ORR_TILE_BYTES}, {tag_at(3), 16}, {salt_at(0), 16}});
    foreign("salt", {{salt_at(1), 16}});
    foreign("digest and salt", {{digest_at(1), 48}});
    foreign("segment", {{orr_segment_offset(&g, 1), segment_bytes(1)}});
    foreign("all the data", {{g.data_offset, file.size() - g.data_offset}});
    foreign("digest", {{digest_at(0), 32}});
    foreign("immutable header", {{32, 192}});
    foreign("header and commitment", {{32, 224}});
    foreign("commitment", {{224, 32}});
    foreign("page 0", {{0, 4096}});
    foreign("slot A", {{4096, 4096}});
    foreign("slot B", {{8192, 4096}});
    foreign("both slots", {{4096, 8192}});
    foreign("page 0 and both slots", {{0, 12288}});
    foreign("sealed metadata", {{12288, metadata_length}});
    foreign("salt of the metadata", {{12288, 16}});
    foreign("file ID", {{48, 32}});
    foreign("wrapped secret with nothing recomputed", {{4096 + 48, 104}, {8192 + 48, 104}});
}

// A slot of the same file from before a rewrap is no forgery: it still opens, by design.
TEST_F(LargeDamage, OlderSlotOfTheSameFile) {
    orr_error error;
    uint8_t id[ORR_KEY_ID_BYTES];
    ASSERT_EQ(orr_keyring_add(&ring, "second", id, &error), ORR_OK);
    write_file(path, file);
    JobEnd end = run(ORR_VERB_REWRAP, {path}, "", [&](auto &o) {
        memcpy(o.to_key, id, sizeof id);
        o.has_to = 1;
    });
    ASSERT_EQ(end.status, ORR_OK) << end.said();
    Bytes rewrapped = read_file(path);
    EXPECT_TRUE(std::equal(file.begin(), file.begin() + 4096, rewrapped.begin()));
    EXPECT_TRUE(std::equal(file.begin() + 12288, file.end(), rewrapped.begin() + 12288));
    EXPECT_TRUE(memcmp(&file[4096], &rewrapped[4096], 4096) &&
                memcmp(&file[8192], &rewrapped[8192], 4096));
    memcpy(&rewrapped[4096], &file[4096], 4096);
    write_file(path, rewrapped);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_OK);
}

} // namespace
