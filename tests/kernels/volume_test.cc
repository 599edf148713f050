// The paper profile's cipher on volumes: golden vectors, equality with the plain reference,
// inverse.

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "kernels/map.h"
#include "kernels/volume.h"
#include "tests/support/reference_paper.h"

namespace {

using reference::Bytes;

uint64_t test_seed() {
    const char *text = std::getenv("ORRERY_SEED");
    uint64_t seed = text ? std::strtoull(text, nullptr, 0) : std::random_device{}();
    std::cout << "ORRERY_SEED=" << seed << "\n";
    return seed;
}

Bytes from_hex(const std::string &text) {
    Bytes bytes;
    for (size_t n = 0; n + 1 < text.size(); n += 2)
        bytes.push_back(uint8_t(std::stoul(text.substr(n, 2), nullptr, 16)));
    return bytes;
}

orr_cipher cipher_of(uint32_t rule, uint32_t k2) {
    orr_cipher cipher;
    orr_error error = {};
    EXPECT_EQ(ORR_OK, orr_cipher_init(&cipher, rule, k2, &error)) << error.text;
    return cipher;
}

// Calls `line(words)` for every line of a vector file that starts with `kind`.
template <typename Function>
int each_line(const std::string &file, const std::string &kind, Function line) {
    std::ifstream in(std::string(ORRERY_SOURCE_DIR "/tests/vectors/") + file);
    EXPECT_TRUE(in.good()) << file;
    int count = 0;
    for (std::string text; std::getline(in, text);) {
        std::istringstream words(text);
        std::string first;
        if (words >> first && first == kind) {
            line(words);
            count++;
        }
    }
    EXPECT_GT(count, 0) << kind;
    return count;
}

TEST(Trig, GoldenVectors) {
    each_line("trig.txt", "cos", [](std::istringstream &words) {
        uint64_t u;
        int64_t y;
        words >> std::hex >> u >> std::dec >> y;
        EXPECT_EQ(y, orr_cos15(u)) << std::hex << u;
        EXPECT_EQ(y, reference::cos15(u)) << std::hex << u;
    });
    each_line("trig.txt", "arccos", [](std::istringstream &words) {
        uint64_t part, u;
        words >> part >> std::hex >> u;
        EXPECT_EQ(u, orr_arccos15(part)) << part;
        EXPECT_EQ(u, reference::arccos15(part)) << part;
    });
    each_line("trig.txt", "sequence", [](std::istringstream &words) {
        uint32_t k2;
        uint64_t part;
        words >> k2 >> part;
        std::vector<int64_t> ours = reference::sequence(part, k2, 6);
        uint64_t u = orr_arccos15(part);
        for (int64_t expected, n = 0; words >> expected; n++) {
            u = orr_map_step(u, k2);
            EXPECT_EQ(expected, orr_cos15(u));
            EXPECT_EQ(expected, ours[n]);
        }
    });
}

// The integer cosine against MPFR: at most 2^-60 off, so Y is the truncated true value or its
// neighbour; the neighbour only where cos(pi u) 10^15 lies within 0.001 of an integer.
TEST(Trig, CosineErrorIsBounded) {
    std::mt19937_64 random(test_seed());
    double below = 0, above = 0;
    for (int n = 0; n < 200000; n++) {
        uint64_t u = random() >> 1;
        if (n % 4 == 1)
            u = (uint64_t(1) << 62) + (random() >> (2 + n % 60)) - (random() >> (2 + n % 60));
        if (n % 4 == 2) u = random() >> (1 + n % 62);
        u &= (uint64_t(1) << 63) - 1;
        int64_t y = orr_cos15(u);
        ASSERT_EQ(y, reference::cos15(u)) << std::hex << u;
        double error = reference::cos15_error(u, y); // in [0, 1) when exactly truncated
        if (y < 0 || u > uint64_t(1) << 62) error = -error;
        below = std::min(below, error);
        above = std::max(above, error - 1);
    }
    std::cout << "distance outside [Y, Y + 1): " << -below << " below, " << above << " above\n";
    EXPECT_GT(below, -1e15 * std::ldexp(1, -60));
    EXPECT_LT(above, 1e15 * std::ldexp(1, -60));
}

TEST(Trig, ArccosineInvertsCosine) {
    std::mt19937_64 random(test_seed());
    for (int n = 0; n < 2000; n++) {
        uint64_t part = random() % 1000000000000000u;
        if (n % 3 == 1) part = random() % 1000;
        if (n % 3 == 2) part = 999999999999999u - random() % 1000;
        uint64_t u = orr_arccos15(part);
        ASSERT_GT(u, 0u);
        ASSERT_LE(u, uint64_t(1) << 62);
        ASSERT_EQ(u, reference::arccos15(part)) << part;
        EXPECT_LE(std::abs(reference::cos15_error(u, int64_t(part))), 0.001) << part;
    }
}

TEST(Trig, MapConstant) {
    uint32_t k2 = 0;
    orr_error error = {};
    ASSERT_EQ(ORR_OK, orr_map_constant(0.0519999999988, &k2, &error));
    EXPECT_EQ(ORR_MAP_K2_DEFAULT, k2);
    for (double mu : {0.0509, 0.06, 0.08, 0.1, 0.1168}) {
        ASSERT_EQ(ORR_OK, orr_map_constant(mu, &k2, &error)) << mu;
        EXPECT_EQ(1u, k2 % 2);
        EXPECT_LE(std::abs(4 * M_PI * std::exp(1 / mu) - k2), 1.00001) << mu;
    }
    for (double mu : {0.0, -1.0, 0.0508, 0.117, 1e300, -0.052, double(NAN), double(INFINITY)}) {
        EXPECT_EQ(ORR_UNSUPPORTED, orr_map_constant(mu, &k2, &error)) << mu;
        EXPECT_NE(nullptr, std::strstr(error.text, "mu")) << error.text;
    }
}

TEST(Volume, KeyFromHash) {
    each_line("volume.txt", "hash", [](std::istringstream &words) {
        std::string hex;
        words >> hex;
        orr_volume_key key;
        orr_volume_key_from_hash(&key, from_hex(hex).data());
        for (uint64_t part : key.part) {
            uint64_t expected;
            words >> expected;
            EXPECT_EQ(expected, part);
        }
    });
}

TEST(Volume, GoldenVectors) {
    each_line("volume.txt", "volume", [](std::istringstream &words) {
        uint32_t rule, k2;
        orr_volume_shape shape;
        std::string hash, plain_hex, cipher_hex;
        words >> rule >> k2 >> shape.channels >> shape.rows >> shape.columns >> hash >> plain_hex >>
            cipher_hex;
        orr_volume_key key;
        orr_volume_key_from_hash(&key, from_hex(hash).data());
        orr_cipher cipher = cipher_of(rule, k2);
        Bytes plain = from_hex(plain_hex), data = plain;
        orr_error error = {};
        ASSERT_EQ(ORR_OK, orr_volume_encrypt(&cipher, &key, shape, data.data(), &error));
        EXPECT_EQ(from_hex(cipher_hex), data);
        ASSERT_EQ(ORR_OK, orr_volume_decrypt(&cipher, &key, shape, data.data(), &error));
        EXPECT_EQ(plain, data);
    });
}

void compare_with_reference(std::mt19937_64 &random, uint32_t rule, uint32_t k2,
                            orr_volume_shape shape) {
    SCOPED_TRACE(testing::Message() << "rule " << rule << " k2 " << k2 << " shape "
                                    << shape.channels << " " << shape.rows << " " << shape.columns);
    orr_volume_key key;
    reference::PaperCase plain_case{rule, k2, {}, shape.channels, shape.rows, shape.columns};
    for (int n = 0; n < 8; n++) plain_case.part[n] = key.part[n] = random() % 1000000000000000u;
    Bytes plain(size_t(shape.channels) * shape.rows * shape.columns);
    for (uint8_t &byte : plain) byte = uint8_t(random());
    Bytes expected = reference::paper_encrypt(plain_case, plain), data = plain;
    orr_cipher cipher = cipher_of(rule, k2);
    orr_error error = {};
    ASSERT_EQ(ORR_OK, orr_volume_encrypt(&cipher, &key, shape, data.data(), &error));
    ASSERT_EQ(expected, data);
    ASSERT_EQ(plain, reference::paper_decrypt(plain_case, expected));
    ASSERT_EQ(ORR_OK, orr_volume_decrypt(&cipher, &key, shape, data.data(), &error));
    ASSERT_EQ(plain, data);
}

TEST(Volume, EqualsTheReferenceOnEveryShape) {
    std::mt19937_64 random(test_seed());
    for (uint32_t channels : {1u, 2u, 3u, 4u, 5u})
        for (uint32_t rows : {1u, 2u, 3u, 7u, 16u})
            for (uint32_t columns : {1u, 2u, 3u, 5u, 8u, 17u})
                compare_with_reference(random, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT,
                                       {channels, rows, columns});
    for (orr_volume_shape shape : {orr_volume_shape{3, 64, 65},
                                   {1, 1, 1000},
                                   {1, 1000, 1},
                                   {7, 31, 33},
                                   {3, 65, 64},
                                   {64, 3, 5},
                                   {1, 128, 100}})
        compare_with_reference(random, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, shape);
}

TEST(Volume, EqualsTheReferenceUnderManyRules) {
    std::mt19937_64 random(test_seed());
    for (uint32_t rule = 1; rule <= ORR_RULE_COUNT; rule += 1 + random() % 700) {
        uint32_t k2 = uint32_t(random()) | 65537;
        compare_with_reference(random, rule, k2, {3, 4, uint32_t(5 + random() % 3)});
    }
    compare_with_reference(random, ORR_RULE_COUNT, 4294967295u, {3, 5, 7});
}

// The flag may be set at any moment. One that is set from the start leaves the data as they are;
// one that never is changes nothing.
TEST(Volume, StopsWhenToldTo) {
    orr_error error;
    orr_cipher cipher;
    orr_volume_key key{{1, 2, 3, 4, 5, 6, 7, 8}};
    ASSERT_EQ(orr_cipher_init(&cipher, 37241, 2825054457u, &error), ORR_OK) << error.text;
    volatile sig_atomic_t flag = 0;
    const orr_volume_shape shape{3, 500, 400};
    std::vector<uint8_t> plain(3 * 500 * 400, 7), data = plain, other = plain;
    ASSERT_EQ(orr_volume_encrypt(&cipher, &key, shape, data.data(), &error), ORR_OK);
    ASSERT_EQ(orr_volume_encrypt_until(&cipher, &key, shape, other.data(), &flag, &error), ORR_OK);
    EXPECT_TRUE(other == data);
    flag = 1;
    for (auto run : {orr_volume_encrypt_until, orr_volume_decrypt_until}) {
        EXPECT_EQ(run(&cipher, &key, shape, other.data(), &flag, &error), ORR_STOPPED);
        EXPECT_TRUE(other == data);
    }
    flag = 0;
    ASSERT_EQ(orr_volume_decrypt_until(&cipher, &key, shape, other.data(), &flag, &error), ORR_OK);
    EXPECT_TRUE(other == plain);
    // Much longer than the pause, so the flag comes in the middle.
    std::vector<uint8_t> large(size_t{3} * 4000 * 4000);
    std::thread signal([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        flag = 1;
    });
    EXPECT_EQ(orr_volume_encrypt_until(&cipher, &key, {3, 4000, 4000}, large.data(), &flag, &error),
              ORR_STOPPED);
    signal.join();
}

TEST(Volume, RefusesEmptyAndOverflowingShapes) {
    orr_cipher cipher = cipher_of(ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT);
    orr_volume_key key = {};
    orr_error error = {};
    uint8_t byte = 7;
    for (orr_volume_shape shape : {orr_volume_shape{0, 1, 1},
                                   {1, 0, 1},
                                   {1, 1, 0},
                                   {4294967295u, 4294967295u, 4294967295u}}) {
        EXPECT_EQ(ORR_UNSUPPORTED, orr_volume_encrypt(&cipher, &key, shape, &byte, &error));
        EXPECT_EQ(ORR_UNSUPPORTED, orr_volume_decrypt(&cipher, &key, shape, &byte, &error));
        EXPECT_EQ(7, byte);
    }
}

} // namespace
