// Nonces of segments are as random as they are said to be: thousands of bases under one key, none
// alike with any of their tiles, every bit of them as often 0 as 1.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "host/container/crypto.h"
#include "host/container/format.h"

namespace {

using Nonce = std::array<uint8_t, ORR_GCM_NONCE>;

constexpr unsigned BASES = 1u << 14;

// Of one key, as many as BASES segments sealed once, or one segment sealed BASES times.
std::vector<orr_segment_nonces> bases(bool one_segment) {
    std::vector<orr_segment_nonces> all(BASES);
    orr_file_keys keys = {};
    orr_error error = {};
    EXPECT_EQ(orr_random(&keys, sizeof keys, &error), ORR_OK) << error.text;
    for (unsigned i = 0; i < BASES; i++) {
        uint8_t salt[ORR_SALT_BYTES];
        EXPECT_EQ(orr_random(salt, sizeof salt, &error), ORR_OK) << error.text;
        EXPECT_EQ(orr_segment_nonces_derive(&keys, one_segment ? 7 : i, salt, &all[i]), ORR_OK);
    }
    return all;
}

size_t distinct(std::vector<Nonce> all) {
    std::sort(all.begin(), all.end());
    return static_cast<size_t>(std::unique(all.begin(), all.end()) - all.begin());
}

class Nonces : public ::testing::TestWithParam<bool> {};

TEST_P(Nonces, NoTwoAlike) {
    std::vector<Nonce> tiles, digests;
    for (const orr_segment_nonces &base : bases(GetParam())) {
        Nonce nonce;
        for (uint32_t t = 0; t < ORR_SEGMENT_TILES; t++) {
            orr_tile_nonce(&base, t, nonce.data());
            tiles.push_back(nonce);
        }
        std::copy_n(base.digest, ORR_GCM_NONCE, nonce.begin());
        digests.push_back(nonce);
    }
    EXPECT_EQ(distinct(tiles), size_t{BASES} * ORR_SEGMENT_TILES);
    EXPECT_EQ(distinct(digests), BASES);
}

// Seven standard deviations (64 each): 192 bits go astray once in 2 * 10^9 runs.
TEST_P(Nonces, EveryBitIsBalanced) {
    std::array<unsigned, 16 *ORR_GCM_NONCE> ones = {};
    for (const orr_segment_nonces &base : bases(GetParam()))
        for (unsigned bit = 0; bit < ones.size(); bit++) {
            const uint8_t *part = bit < ones.size() / 2 ? base.tile : base.digest;
            unsigned at = bit % (ones.size() / 2);
            ones[bit] += part[at / 8] >> at % 8 & 1u;
        }
    for (unsigned bit = 0; bit < ones.size(); bit++)
        EXPECT_NEAR(ones[bit], BASES / 2, 7 * 64) << "bit " << bit;
}

// A salt that stays is a nonce that stays: it is the salt that sets two sealings apart.
TEST(NoncesOfSalts, OneSaltIsOneNonce) {
    orr_file_keys keys = {};
    const uint8_t salt[ORR_SALT_BYTES] = {1}, other[ORR_SALT_BYTES] = {2};
    orr_segment_nonces a, b, c;
    ASSERT_EQ(orr_segment_nonces_derive(&keys, 3, salt, &a), ORR_OK);
    ASSERT_EQ(orr_segment_nonces_derive(&keys, 3, salt, &b), ORR_OK);
    ASSERT_EQ(orr_segment_nonces_derive(&keys, 3, other, &c), ORR_OK);
    EXPECT_TRUE(std::equal(a.tile, a.tile + ORR_GCM_NONCE, b.tile));
    EXPECT_FALSE(std::equal(a.tile, a.tile + ORR_GCM_NONCE, c.tile));
}

INSTANTIATE_TEST_SUITE_P(Segments, Nonces, ::testing::Bool());

} // namespace
