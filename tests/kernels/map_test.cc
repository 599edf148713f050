// The 1-DEC map, lanes, words, zigzag numbering: against the reference and tests/vectors/map.txt.
// `map_test --gtest_also_run_disabled_tests --gtest_filter=*Write*` writes the file from the
// reference.
#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/bitslice.h"
#include "kernels/tile.h"
#include "tests/support/random.h"
#include "tests/support/reference.h"
#include "tests/support/vectors.h"

namespace {

constexpr uint64_t top = (uint64_t(1) << 63) - 1; // largest state

uint64_t number(const std::string &word) {
    return std::stoull(word, nullptr, 0);
}

TEST(Map, StepsOfTheVectorFile) {
    for (const auto &words : vectors("map.txt", "step")) {
        uint64_t k2 = number(words[0]), u = number(words[1]), next = number(words[2]);
        EXPECT_EQ(orr_map_step(u, static_cast<uint32_t>(k2)), next) << words[1];
        EXPECT_EQ(reference::map_step(u, k2), next) << words[1];
        EXPECT_EQ(orr_map_word(next), number(words[3])) << words[1];
    }
}

TEST(Map, LanesOfTheVectorFile) {
    for (const auto &words : vectors("map.txt", "lane")) {
        uint32_t k2 = static_cast<uint32_t>(number(words[0]));
        uint64_t state = number(words[1]);
        uint32_t lane = static_cast<uint32_t>(number(words[2]));
        uint64_t u = orr_lane_start(state, lane, k2);
        std::vector<uint32_t> expected;
        for (size_t n = 3; n < words.size(); n++) {
            expected.push_back(static_cast<uint32_t>(number(words[n])));
            u = orr_map_step(u, k2);
            EXPECT_EQ(orr_map_word(u), expected.back()) << "lane " << lane << ", word " << n - 3;
        }
        EXPECT_EQ(reference::lane_words(state, lane, expected.size(), k2), expected);
    }
}

TEST(Map, RandomStepsEqualTheReference) {
    for (int n = 0; n < 200000; n++) {
        uint64_t u = test_random()() >> (1 + test_random()() % 40);
        if (n % 3 == 0) u = top - u;
        uint32_t k2 = n % 2 ? ORR_MAP_K2_DEFAULT : static_cast<uint32_t>(test_random()()) | 1;
        ASSERT_EQ(orr_map_step(u, k2), reference::map_step(u, k2)) << u << " " << k2;
        ASSERT_LE(orr_map_step(u, k2), top);
    }
}

// y' = 1 - 2 cos^2(arccos(y) e^(1/mu) arccos(y)) with y = cos(pi u), in long double. The fixed
// point keeps 2^-62 of u^2, which K2 / 2 magnifies to about 2^-31 of the angle.
TEST(Map, FollowsThePublishedFormula) {
    const long double pi = 3.14159265358979323846264338327950288L;
    const long double k = ORR_MAP_K2_DEFAULT / 2.0L;
    for (int n = 0; n < 20000; n++) {
        uint64_t state = test_random()() >> 1;
        long double u = std::ldexp(static_cast<long double>(state), -63);
        long double angle = std::fmod(k * u * u, 2.0L); // in units of pi
        long double expected = 1 - 2 * std::pow(std::cos(pi * angle / 2), 2.0L);
        uint64_t next = orr_map_step(state, ORR_MAP_K2_DEFAULT);
        long double got = std::cos(pi * std::ldexp(static_cast<long double>(next), -63));
        // k u^2 loses 30 of the 64 bits of a long double before the reduction.
        ASSERT_NEAR(static_cast<double>(got), static_cast<double>(expected), 0x1p-28) << state;
    }
}

TEST(Zigzag, NumbersCellsAsTheWalkDoes) {
    const int grids[][2] = {{16, 32}, {1, 1}, {1, 7}, {2, 2}, {8, 8}, {3, 5}, {16, 16}};
    for (const auto &grid : grids) {
        auto walk = reference::zigzag_walk(grid[0], grid[1]);
        for (size_t n = 0; n < walk.size(); n++)
            ASSERT_EQ(orr_zigzag(grid[0], grid[1], walk[n][0], walk[n][1]), n)
                << grid[0] << " x " << grid[1];
    }
    auto walk = reference::zigzag_walk(16, 32);
    EXPECT_EQ(walk[1], (std::array<int, 2>{0, 1})) << "the first move goes to the right";
    EXPECT_EQ(walk[2], (std::array<int, 2>{1, 0}));
    EXPECT_EQ(walk.back(), (std::array<int, 2>{15, 31}));
}

TEST(Map, DISABLED_WriteVectors) {
    std::FILE *out = std::fopen(vector_path("map.txt").c_str(), "w");
    ASSERT_NE(out, nullptr);
    std::fprintf(out, "# Written by map_test from tests/support/reference.cc.\n"
                      "# step K2 U NEXT WORD: one map step and the key word of NEXT\n"
                      "# lane K2 STATE LANE WORD...: the first words of a lane\n");
    std::vector<uint64_t> states = {0,
                                    1,
                                    2,
                                    0xffffffff,
                                    0x100000000,
                                    0x100000001,
                                    0x123456789abcdef,
                                    uint64_t(1) << 62,
                                    (uint64_t(1) << 62) + 1,
                                    top - 1,
                                    top};
    for (uint64_t n = 1; n <= 9; n++) states.push_back(n * 0x0e3779b97f4a7c15u & top);
    for (uint64_t k2 : {uint64_t(2825054457), uint64_t(1), uint64_t(0xffffffff)})
        for (uint64_t u : states) {
            uint64_t next = reference::map_step(u, k2);
            std::fprintf(out,
                         "step %" PRIu64 " 0x%016" PRIx64 " 0x%016" PRIx64 " 0x%08" PRIx64 "\n", k2,
                         u, next, next >> 20 & 0xffffffff);
        }
    for (uint64_t state : {uint64_t(0), uint64_t(1), ~uint64_t(0), uint64_t(0x0123456789abcdef)})
        for (uint64_t lane : {0, 1, 31, 32, 511}) {
            std::fprintf(out, "lane 2825054457 0x%016" PRIx64 " %" PRIu64, state, lane);
            for (uint32_t word : reference::lane_words(state, lane, 24, 2825054457))
                std::fprintf(out, " 0x%08x", word);
            std::fprintf(out, "\n");
        }
    ASSERT_EQ(std::fclose(out), 0);
}

} // namespace
