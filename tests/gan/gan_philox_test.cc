// Counter-based random numbers of the DCGAN: known answers, and the deviates against the textbook
// formula.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "gan/gan_backend.h"
#include "gan/philox.h"

// Known answers of Philox4x32-10 published with the paper (kat_vectors of its Random123 library).
TEST(Philox, KnownAnswers) {
    struct {
        uint32_t counter[4], key[2], expected[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (auto &one : known) {
        orr_philox(one.counter, one.key);
        for (int i = 0; i < 4; i++) EXPECT_EQ(one.counter[i], one.expected[i]);
    }
}

TEST(Philox, BlockPlacesItsArguments) {
    uint32_t words[4], counter[4] = {7, 2, 0x89abcdef, 0x01234567},
                       key[2] = {0x55667788, 0x11223344};
    orr_philox_block(0x1122334455667788u, 2, 0x0123456789abcdefu, 7, words);
    orr_philox(counter, key);
    for (int i = 0; i < 4; i++) EXPECT_EQ(words[i], counter[i]);
}

TEST(Philox, DeviatesFollowBoxAndMuller) {
    std::vector<uint32_t> values = {0,          1,          2,          0x20000000, 0x1fffffff,
                                    0x3fffffff, 0x40000000, 0x60000000, 0x7fffffff, 0x80000000,
                                    0xa0000000, 0xc0000000, 0xe0000000, 0xb504f333, 0xb504f334,
                                    0xfffffffe, 0xffffffff};
    for (uint32_t i = 0; i < 300; i++) values.push_back(i * 2654435761u);
    for (uint32_t a : values) {
        for (uint32_t b : values) {
            float first, second;
            orr_normal_pair(a, b, &first, &second);
            long double r = std::sqrt(-2 * std::log((a + 1.0L) / 4294967296.0L));
            long double t = 2 * 3.14159265358979323846264338L * b / 4294967296.0L;
            long double x = r * std::cos(t), y = r * std::sin(t);
            ASSERT_NEAR(first, static_cast<double>(x),
                        std::fabs(static_cast<double>(x)) * 6e-8 + 1e-12);
            ASSERT_NEAR(second, static_cast<double>(y),
                        std::fabs(static_cast<double>(y)) * 6e-8 + 1e-12);
        }
    }
}

TEST(Philox, DeviatesAreNormal) {
    std::vector<float> z(1 << 20);
    orr_gan_deviates(42, ORR_STREAM_LATENT, 3, z.size(), z.data());
    double sum = 0, square = 0, cube = 0, fourth = 0;
    for (float v : z) {
        sum += v;
        square += double(v) * v;
        cube += double(v) * v * v;
        fourth += double(v) * v * v * v;
    }
    double n = static_cast<double>(z.size());
    EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
    EXPECT_NEAR(square / n, 1, 5 * std::sqrt(2 / n));
    EXPECT_NEAR(cube / n, 0, 5 * std::sqrt(15 / n));
    EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96 / n));
}

// The same bits on every machine: a checksum of deviates and coins.
TEST(Philox, DeviatesAreFixed) {
    std::vector<float> z(4099);
    uint64_t hash = 14695981039346656037u, coins = 0;
    orr_gan_deviates(0x0123456789abcdef, ORR_STREAM_SAMPLE, 5, z.size(), z.data());
    for (float v : z) {
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        hash = (hash ^ bits) * 1099511628211u;
    }
    for (uint32_t i = 0; i < 64; i++) coins |= uint64_t(orr_flip(7, 9, i)) << i;
    EXPECT_EQ(hash, 5873011113201871607u);
    EXPECT_EQ(coins, 14345510869149943720u);
}
