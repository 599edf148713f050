// The test build's fixed randomness (host/keys/secret.h), and with it what a draw does with its
// words.
#include <map>
#include <thread>

#include "host/keys/secret.h"
#include "tests/support/keyring_fixture.h"
#include "tests/support/vectors.h"

#ifndef ORRERY_TEST_HOOKS
#error "built against the wrong library"
#endif

namespace {

Bytes Drawn(const Bytes &path, const std::vector<size_t> &pieces) {
    Bytes out;
    orr_file_draw_begin(path.data(), path.size());
    for (size_t n : pieces) {
        Bytes piece(n);
        EXPECT_EQ(orr_file_random(piece.data(), n, nullptr), ORR_OK);
        out.insert(out.end(), piece.begin(), piece.end());
    }
    return out;
}

TEST(Hooks, StreamsMatchTheirVectors) {
    auto cases = vectors("secret.txt", "draw");
    ASSERT_EQ(cases.size(), 2u);
    for (const auto &c : cases) {
        Bytes seed = unhex(c[0]), path = unhex(c[1]), expected = unhex(c[2]);
        setenv("ORRERY_TEST_SEED", std::string(seed.begin(), seed.end()).c_str(), 1);
        EXPECT_EQ(Drawn(path, {100}), expected);
        EXPECT_EQ(Drawn(path, {64, 36}), expected);
        // Another thread, another order of files: the same bytes.
        Bytes other;
        std::thread([&] {
            Drawn({'x'}, {10});
            other = Drawn(path, {100});
        }).join();
        EXPECT_EQ(other, expected);
    }
    EXPECT_EQ(orr_file_now().tv_sec, 1732406400);
    EXPECT_EQ(orr_file_now().tv_nsec, 0);
    unsetenv("ORRERY_TEST_SEED");
    EXPECT_NE(Drawn({'x'}, {32}), Drawn({'x'}, {32}));
    EXPECT_GT(orr_file_now().tv_sec, 1732406400);
}

TEST(Hooks, ADrawWithoutAFileIsRefused) {
    setenv("ORRERY_TEST_SEED", "1", 1);
    std::thread([] {
        uint8_t byte;
        EXPECT_EQ(orr_file_random(&byte, 1, nullptr), ORR_INTERNAL);
    }).join();
    unsetenv("ORRERY_TEST_SEED");
}

// With known words, which decoy a draw took can be found again. Every decoy of a pool must come up,
// about equally often; draws come from a fixed seed, so the bound cannot fail by chance.
TEST(Hooks, DecoysAreChosenUniformly) {
    const int draws = 8000;
    Ring ring;
    Fill(&ring);
    std::map<size_t, int> hits;
    setenv("ORRERY_TEST_SEED", "uniform", 1);
    for (int i = 0; i < draws; i++) {
        std::string name = "file " + std::to_string(i);
        Bytes path(name.begin(), name.end());
        orr_file_secret secret;
        char timestamp[20];
        orr_file_draw_begin(path.data(), path.size());
        ASSERT_EQ(orr_file_secret_new(&ring, orr_file_now().tv_sec, &secret, timestamp, nullptr),
                  ORR_OK);
        Bytes drawn = Drawn(path, {32, 32});
        ASSERT_EQ(memcmp(secret.seal_root, &drawn[0], 32), 0);
        size_t found = 0, which = 0;
        for (size_t d = 0; d < ring.decoy_count; d++) {
            uint8_t planet[64];
            ASSERT_EQ(orr_planet_secret(&ring.decoys[d], timestamp, &drawn[32], planet), ORR_OK);
            if (!memcmp(planet, secret.planet_secret, 64)) found++, which = d;
        }
        ASSERT_EQ(found, 1u);
        hits[which]++;
    }
    unsetenv("ORRERY_TEST_SEED");
    double expected = static_cast<double>(draws) / static_cast<double>(ring.decoy_count), chi = 0;
    for (size_t d = 0; d < ring.decoy_count; d++)
        chi += (hits[d] - expected) * (hits[d] - expected) / expected;
    EXPECT_EQ(hits.size(), ring.decoy_count);
    EXPECT_LT(chi, 73) << "chi-square of 39 degrees; 73 is the 0.1 % point";
}

} // namespace
