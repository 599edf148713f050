// The digest of contents is XXH3-128 at every level of vector instructions.
#include <gtest/gtest.h>

#include <xxhash.h>

#include "host/container/content_digest.h"
#include "host/container/content_digest_levels.h"
#include "kernels/backend.h"
#include "tests/support/random.h"

namespace {

TEST(ContentDigest, LevelsAgree) {
    const uint64_t seed = test_seed();
    std::mt19937_64 random(seed);
    std::vector<uint8_t> bytes(700001);
    for (auto &b : bytes) b = (uint8_t)random();
    for (size_t count : {0, 1, 3, 16, 17, 128, 129, 240, 241, 1024, 1025, 49152, 700000})
        for (size_t at : {0, 1}) {
            XXH128_hash_t expected = XXH3_128bits(bytes.data() + at, count);
            for (orr_simd level = ORR_SIMD_PORTABLE; level < orr_simd_count(); level++) {
                uint64_t low = 0, high = 0;
                orr_content_digest_level(orr_simd_name(level))(bytes.data() + at, count, &low,
                                                               &high);
                EXPECT_EQ(low, expected.low64) << orr_simd_name(level) << " " << count;
                EXPECT_EQ(high, expected.high64) << orr_simd_name(level) << " " << count;
            }
            XXH128_canonical_t canonical;
            uint8_t out[16];
            XXH128_canonicalFromHash(&canonical, expected);
            orr_content_digest_of(bytes.data() + at, count, out);
            EXPECT_EQ(memcmp(out, canonical.digest, 16), 0) << count << " seed " << seed;
        }
}

} // namespace
