// decrypt --salvage brings back every tile that authenticates, exactly, and lists the rest.
#include <gtest/gtest.h>

#include <set>

#include <cjson/cJSON.h>

#include "host/job/output.h"
#include "tests/support/job_fixture.h"
#include "tests/support/places.h"

namespace {

using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

class Salvage : public JobTest, protected Places {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        test_seed();
        plain = random_bytes(2 * ORR_SEGMENT_BYTES + 2 * ORR_TILE_BYTES + 700);
        file = container("scan.tif", plain);
        orr_error error;
        ASSERT_EQ(orr_header_decode(file.data() + 32, &header, &error), ORR_OK) << error.text;
        ASSERT_EQ(orr_geometry_init(&g, &header, &error), ORR_OK);
    }

    JobEnd salvage(const Bytes &damaged) {
        fs::remove_all(directory / "out");
        write_file(directory / "d.orr.tif", damaged);
        return run(ORR_VERB_DECRYPT, {directory / "d.orr.tif"}, directory / "out",
                   [](auto &o) { o.salvage = 1; });
    }

    static Ranges ranges(const cJSON *report, const char *name) {
        Ranges found;
        const cJSON *pair;
        cJSON_ArrayForEach(pair, cJSON_GetObjectItem(report, name)) {
            EXPECT_EQ(cJSON_GetArraySize(pair), 2);
            found.emplace_back(uint64_t(cJSON_GetArrayItem(pair, 0)->valuedouble),
                               uint64_t(cJSON_GetArrayItem(pair, 1)->valuedouble));
        }
        return found;
    }

    // Salvages `damaged` and checks bytes and report against the set of lost tiles.
    void check(const Bytes &damaged, const std::set<uint64_t> &lost,
               const std::string &name = "scan.tif") {
        JobEnd end = salvage(damaged);
        EXPECT_EQ(end.status, ORR_AUTH) << end.said();
        fs::path out = directory / "out" / (name + ".salvaged");
        ASSERT_EQ(files_below(directory / "out"),
                  (std::vector<std::string>{name + ".salvaged", name + ".salvaged.json"}))
            << end.said();
        Bytes expected = plain;
        Ranges good, bad;
        uint64_t kept = 0;
        for (uint64_t n = 0; n < g.tiles; n++) {
            uint64_t start = n * ORR_TILE_BYTES;
            uint64_t stop = std::min<uint64_t>(start + ORR_TILE_BYTES, plain.size());
            Ranges &list = lost.count(n) ? bad : good;
            if (lost.count(n))
                std::fill(expected.begin() + long(start), expected.begin() + long(stop), 0);
            else
                kept += stop - start;
            if (!list.empty() && list.back().second == start)
                list.back().second = stop;
            else
                list.emplace_back(start, stop);
        }
        EXPECT_TRUE(read_file(out) == expected);
        Bytes text = read_file(out.string() + ".json");
        cJSON *report = cJSON_ParseWithLength(reinterpret_cast<char *>(text.data()), text.size());
        ASSERT_NE(report, nullptr);
        EXPECT_EQ(ranges(report, "recovered"), good);
        EXPECT_EQ(ranges(report, "lost"), bad);
        EXPECT_EQ(uint64_t(cJSON_GetObjectItem(report, "length")->valuedouble), plain.size());
        EXPECT_EQ(uint64_t(cJSON_GetObjectItem(report, "recovered_bytes")->valuedouble), kept);
        EXPECT_TRUE(cJSON_IsString(cJSON_GetObjectItem(report, "reason")));
        cJSON_Delete(report);
    }

    orr_header header{};
    Bytes plain, file;
};

TEST_F(Salvage, RandomTiles) {
    for (int round = 0; round < 4; round++) {
        Bytes damaged = file;
        std::set<uint64_t> lost;
        for (int i = 0; i < (round ? 1 << 2 * round : 1); i++) {
            uint64_t n = test_random()() % g.tiles;
            uint64_t at = test_random()() % 2
                              ? tile_at(n) + test_random()() % (384 * orr_tile_rows(&g, n))
                              : tag_at(n) + test_random()() % 16;
            // Two hits on one byte could undo each other.
            if (!lost.insert(n).second) continue;
            damaged[at] ^= uint8_t(1 + test_random()() % 255);
        }
        check(damaged, lost);
    }
}

TEST_F(Salvage, FirstAndLastTile) {
    Bytes damaged = file;
    damaged[tile_at(0)] ^= 1;
    damaged[tile_at(g.tiles - 1)] ^= 1;
    check(damaged, {0, g.tiles - 1});
}

TEST_F(Salvage, EveryTileLost) {
    Bytes damaged = file;
    std::set<uint64_t> lost;
    for (uint64_t n = 0; n < g.tiles; n++) {
        damaged[tag_at(n)] ^= 0x80;
        lost.insert(n);
    }
    check(damaged, lost);
}

TEST_F(Salvage, Truncated) {
    std::vector<uint64_t> lengths = {g.data_offset, orr_segment_offset(&g, 1) + 5,
                                     digest_at(1),  tile_at(200) + 1,
                                     tile_at(201),  file.size() - 1};
    lengths.push_back(g.data_offset + test_random()() % (file.size() - g.data_offset));
    for (uint64_t length : lengths) {
        std::set<uint64_t> lost;
        for (uint64_t n = 0; n < g.tiles; n++)
            if (tile_at(n) + 384 * orr_tile_rows(&g, n) > length) lost.insert(n);
        check(Bytes(file.begin(), file.begin() + long(length)), lost);
    }
}

TEST_F(Salvage, Grown) {
    Bytes damaged = file;
    damaged.resize(file.size() + 4096);
    check(damaged, {});
}

TEST_F(Salvage, HeadDamagedButNotWhatOpensIt) {
    Bytes damaged = file;
    damaged[4] ^= 1; // TIFF header
    check(damaged, {});
    damaged = file;
    std::fill(damaged.begin() + 256, damaged.begin() + 5000, 0xff); // description, slot A
    std::fill(damaged.begin() + long(g.ifd_offset), damaged.begin() + long(g.data_offset), 0xff);
    check(damaged, {});
    for (uint64_t s = 0; s < g.segments; s++) damaged[digest_at(s)] ^= 1;
    check(damaged, {});
}

// Without its metadata nobody knows what the file was called: the container's name serves.
TEST_F(Salvage, MetadataDamaged) {
    Bytes damaged = file;
    damaged[orr_metadata_offset(&header)] ^= 1;
    check(damaged, {}, "d");
    damaged[tile_at(130) + 3] ^= 1;
    check(damaged, {130}, "d");
}

TEST_F(Salvage, SparseGapsReachTheTrueLength) {
    Bytes damaged = file;
    std::set<uint64_t> lost;
    for (uint64_t n = 100; n < g.tiles; n++) {
        damaged[tile_at(n) + 1] ^= 1;
        lost.insert(n);
    }
    check(damaged, lost);
}

TEST_F(Salvage, NothingToBringBack) {
    std::vector<std::pair<uint64_t, const char *>> keys = {
        {48, "file ID"}, {224, "commitment"}, {80, "length"}};
    for (auto &[at, name] : keys) {
        Bytes damaged = file;
        damaged[at] ^= 1;
        JobEnd end = salvage(damaged);
        EXPECT_EQ(end.status, ORR_AUTH) << name;
        EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>()) << name;
        ASSERT_EQ(end.warnings.size(), 1u) << name;
        EXPECT_NE(end.warnings[0].find("nothing to salvage"), std::string::npos) << end.warnings[0];
    }
    Bytes damaged = file;
    damaged[4096 + 40] ^= 1;
    damaged[8192 + 40] ^= 1;
    EXPECT_EQ(salvage(damaged).status, ORR_AUTH);
    EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>());
}

TEST_F(Salvage, WholeFilesAndWrongKeysLeaveNoSalvage) {
    JobEnd end = salvage(file);
    EXPECT_EQ(end.status, ORR_OK) << end.said();
    EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>{"scan.tif"});
    fs::remove_all(directory / "out");
    end = run_job(ORR_VERB_DECRYPT, {directory / "d.orr.tif"}, directory / "out", &stranger,
                  backend, [](auto &o) { o.salvage = 1; });
    EXPECT_EQ(end.status, ORR_KEY) << end.said();
    EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>());
}

// What an earlier salvage wrote is not replaced.
TEST_F(Salvage, Twice) {
    Bytes damaged = file;
    damaged[tile_at(1)] ^= 1;
    check(damaged, {1});
    Bytes before = read_file(directory / "out/scan.tif.salvaged");
    damaged[tile_at(2)] ^= 1;
    write_file(directory / "d.orr.tif", damaged);
    JobEnd end = run(ORR_VERB_DECRYPT, {directory / "d.orr.tif"}, directory / "out",
                     [](auto &o) { o.salvage = 1; });
    EXPECT_EQ(end.status, ORR_AUTH);
    EXPECT_TRUE(read_file(directory / "out/scan.tif.salvaged") == before);
    EXPECT_EQ(files_below(directory / "out").size(), 2u);
    ASSERT_EQ(end.warnings.size(), 1u);
    EXPECT_NE(end.warnings[0].find("salvage failed"), std::string::npos) << end.warnings[0];
}

// A dry run, whose output directory does not exist, finds nothing there and can make nothing there.
TEST_F(Salvage, NoOutputDirectory) {
    orr_output_root root{};
    std::string out = (directory / "missing").string();
    orr_error error{};
    ASSERT_EQ(orr_output_root_open(&root, out.c_str(), 0, 1, &error), ORR_OK) << error.text;
    int below;
    const char *name;
    EXPECT_EQ(orr_output_directory(&root, "a/b", 0, &below, &name, &error), ORR_OK) << error.text;
    EXPECT_EQ(below, -1);
    EXPECT_EQ(orr_output_directory(&root, "a/b", 0777, &below, &name, &error), ORR_IO);
    EXPECT_NE(std::string(error.text).find("No such file"), std::string::npos) << error.text;
    orr_output_root_close(&root);
}

TEST_F(Salvage, SmallestFiles) {
    for (size_t n : {0u, 1u, 384u}) {
        plain = random_bytes(n);
        file = container("scan.tif", plain);
        orr_error error;
        ASSERT_EQ(orr_header_decode(file.data() + 32, &header, &error), ORR_OK);
        ASSERT_EQ(orr_geometry_init(&g, &header, &error), ORR_OK);
        Bytes damaged = file;
        damaged[tile_at(0)] ^= 1;
        JobEnd end = salvage(damaged);
        EXPECT_EQ(end.status, ORR_AUTH) << n << end.said();
        EXPECT_TRUE(read_file(directory / "out/scan.tif.salvaged") == Bytes(n)) << n;
    }
}

} // namespace
