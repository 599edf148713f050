// The tile cipher against the plain reference of the archive profile, at every SIMD level.
#include "kernels/backend.h"
#include "kernels/map.h"

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/random.h"
#include "tests/support/reference.h"

namespace {

using reference::Bytes;

struct Case {
    orr_cipher cipher;
    orr_tile_key key;
    std::array<uint64_t, 8> states;
    uint32_t rows;
    Bytes plain;
};

Case random_case(uint32_t rule, uint32_t k2, uint32_t rows) {
    Case c;
    orr_error error;
    EXPECT_EQ(orr_cipher_init(&c.cipher, rule, k2, &error), ORR_OK);
    for (int n = 0; n < 8; n++) c.key.state[n] = c.states[n] = test_random()();
    c.rows = rows;
    c.plain = random_bytes(384 * rows);
    return c;
}

std::vector<orr_simd> levels() {
    std::vector<orr_simd> all = {ORR_SIMD_PORTABLE};
    for (orr_simd level : {ORR_SIMD_AVX2, ORR_SIMD_AVX512})
        if (orr_cpu_simd(level) == level) all.push_back(level);
    return all;
}

uint32_t random_rule() {
    return 1 + test_random()() % ORR_RULE_COUNT;
}

std::string where(const Case &c, orr_simd level) {
    return std::string(orr_simd_name(level)) + ", rule " + std::to_string(c.cipher.rule.number) +
           ", rows " + std::to_string(c.rows);
}

void expect_equals_reference(const Case &c) {
    Bytes cipher = reference::encrypt(c.cipher.rule.number, c.cipher.k2, c.states, c.rows, c.plain);
    for (orr_simd level : levels()) {
        Bytes out(c.plain.size()), back(c.plain.size());
        orr_cpu_tile_encrypt(level)(&c.cipher, &c.key, c.rows, c.plain.data(), out.data());
        EXPECT_TRUE(out == cipher) << "encrypt, " << where(c, level);
        orr_cpu_tile_decrypt(level)(&c.cipher, &c.key, c.rows, cipher.data(), back.data());
        EXPECT_TRUE(back == c.plain) << "decrypt, " << where(c, level);
    }
}

TEST(Tile, EveryRowCountEqualsReference) {
    for (uint32_t rows = 1; rows <= 128; rows++)
        expect_equals_reference(
            random_case(rows % 2 ? ORR_RULE_DEFAULT : random_rule(), ORR_MAP_K2_DEFAULT, rows));
}

TEST(Tile, ReferenceInvertsItself) {
    for (uint32_t rows : {1u, 9u, 128u}) {
        Case c = random_case(random_rule(), ORR_MAP_K2_DEFAULT, rows);
        Bytes cipher =
            reference::encrypt(c.cipher.rule.number, c.cipher.k2, c.states, rows, c.plain);
        EXPECT_TRUE(c.plain ==
                    reference::decrypt(c.cipher.rule.number, c.cipher.k2, c.states, rows, cipher));
    }
}

} // namespace
