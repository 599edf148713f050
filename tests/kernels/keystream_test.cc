// The key bytes that `orrery keystream` emits are those of the definition, at every SIMD level.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend.h"
#include "kernels/map.h"

namespace {

TEST(Keystream, EveryLevelGivesTheBytesOfTheDefinition) {
    std::vector<orr_tile_key> keys(3);
    uint64_t x = 1;
    for (auto &key : keys) {
        for (uint64_t &state : key.state) state = x = orr_mix64(x + 12345);
    }
    std::vector<uint8_t> expected(keys.size() * 2 * ORR_TILE_BYTES);
    for (size_t n = 0; n < keys.size(); n++) {
        uint8_t *at = expected.data() + n * 2 * ORR_TILE_BYTES;
        orr_tile_keystream(keys[n].state[3], 1, ORR_TILE_ROWS, ORR_MAP_K2_DEFAULT, at);
        orr_tile_keystream(keys[n].state[7], 0, ORR_TILE_ROWS, ORR_MAP_K2_DEFAULT,
                           at + ORR_TILE_BYTES);
    }
    for (orr_simd level = ORR_SIMD_BEST; level < orr_simd_count(); level++) {
        SCOPED_TRACE(orr_simd_name(level));
        std::vector<uint8_t> got(expected.size());
        orr_error error = {};
        ASSERT_EQ(ORR_OK, orr_cpu_keystream(level, keys.data(), keys.size(), ORR_MAP_K2_DEFAULT,
                                            got.data(), &error));
        EXPECT_EQ(expected, got);
    }
}

} // namespace
