// Random input for tests. The seed is printed, and ORRERY_SEED in the environment repeats a run.
#ifndef ORRERY_TESTS_SUPPORT_RANDOM_H
#define ORRERY_TESTS_SUPPORT_RANDOM_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

inline uint64_t test_seed() {
    static const uint64_t seed = [] {
        const char *given = std::getenv("ORRERY_SEED");
        uint64_t value = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
        std::printf("ORRERY_SEED=%llu\n", static_cast<unsigned long long>(value));
        return value;
    }();
    return seed;
}

inline std::mt19937_64 &test_random() {
    static std::mt19937_64 generator(test_seed());
    return generator;
}

inline std::vector<uint8_t> random_bytes(size_t count) {
    std::vector<uint8_t> bytes(count);
    for (uint8_t &b : bytes) b = static_cast<uint8_t>(test_random()() >> 56);
    return bytes;
}

#endif
