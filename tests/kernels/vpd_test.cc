// VPD rules: all 40,320 against the reference; some of them in tests/vectors/rule.txt.
// `vpd_test --gtest_also_run_disabled_tests --gtest_filter=*Write*` writes the file from the
// reference.
#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/bitslice.h"
#include "kernels/tile.h"
#include "kernels/vpd.h"
#include "tests/support/random.h"
#include "tests/support/reference.h"
#include "tests/support/vectors.h"

namespace {

orr_rule rule_of(uint32_t number) {
    orr_rule rule;
    orr_error error;
    EXPECT_EQ(orr_rule_init(&rule, number, &error), ORR_OK);
    return rule;
}

// The bits of one symbol as three words, substituted, and back.
int substitute(const orr_anf &anf, int v) {
    orr_slice_32 x = {0u - (v >> 2 & 1), 0u - (v >> 1 & 1), 0u - (v & 1)};
    orr_slice_32 y = orr_substitute_32(x, anf.c);
    EXPECT_TRUE((y.a == 0 || ~y.a == 0) && (y.b == 0 || ~y.b == 0) && (y.c == 0 || ~y.c == 0));
    return static_cast<int>(4 * (y.a & 1) + 2 * (y.b & 1) + (y.c & 1));
}

std::string digits(const std::vector<int> &symbols) {
    std::string text;
    for (int v : symbols) text += static_cast<char>('0' + v);
    return text;
}

template <typename Sequence> std::string digits_of(const Sequence &sequence) {
    return digits(std::vector<int>(std::begin(sequence), std::end(sequence)));
}

TEST(Rule, EveryRuleEqualsTheReference) {
    std::set<std::string> seen;
    for (uint32_t number = 1; number <= ORR_RULE_COUNT; number++) {
        orr_rule rule = rule_of(number);
        const auto &planets = reference::planets_of_rule(number);
        ASSERT_EQ(rule.number, number);
        for (int v = 0; v < 8; v++) {
            int rank = reference::distance_rank(planets[v]);
            ASSERT_EQ(rule.planet[v], planets[v]) << number;
            ASSERT_EQ(rule.symbol[planets[v]], v) << number;
            ASSERT_EQ(rule.rank[v], rank) << number;
            ASSERT_EQ(rule.unrank[rank], v) << number;
            ASSERT_EQ(substitute(rule.planet_anf, v), planets[v]) << number;
            ASSERT_EQ(substitute(rule.symbol_anf, planets[v]), v) << number;
            ASSERT_EQ(substitute(rule.rank_anf, v), rank) << number;
            ASSERT_EQ(substitute(rule.unrank_anf, rank), v) << number;
        }
        seen.insert(digits_of(rule.planet));
    }
    EXPECT_EQ(seen.size(), size_t(ORR_RULE_COUNT)) << "no two rules are the same permutation";
}

TEST(Rule, DefaultIsTheOrderFromTheSun) {
    orr_rule rule = rule_of(ORR_RULE_DEFAULT);
    const char *from_sun[8] = {"Mercury", "Venus",  "Earth",  "Mars",
                               "Jupiter", "Saturn", "Uranus", "Neptune"};
    for (int v = 0; v < 8; v++) {
        EXPECT_STREQ(orr_planet_name[rule.planet[v]], from_sun[v]);
        EXPECT_EQ(rule.rank[v], v);
        EXPECT_EQ(orr_heliocentric_rank[rule.planet[v]], v);
    }
}

uint32_t substitute(orr_slice_64 (*function)(orr_slice_64), uint32_t v) {
    orr_slice_64 y = function({0ul - (v >> 2 & 1), 0ul - (v >> 1 & 1), 0ul - (v & 1)});
    EXPECT_TRUE((y.a == 0 || ~y.a == 0) && (y.b == 0 || ~y.b == 0) && (y.c == 0 || ~y.c == 0));
    return 4 * (y.a & 1) + 2 * (y.b & 1) + (y.c & 1);
}

// The states of the default rule are its planets under a linear map, so their XOR is as good.
TEST(Rule, FormulasOfTheDefaultRule) {
    orr_rule rule = rule_of(ORR_RULE_DEFAULT);
    uint32_t state_of_planet[8];
    for (uint32_t v = 0; v < 8; v++) {
        uint32_t state = substitute(orr_standard_state_64, v);
        EXPECT_EQ(substitute(orr_standard_symbol_64, state), v);
        state_of_planet[rule.planet[v]] = state;
    }
    for (uint32_t p = 0; p < 8; p++)
        for (uint32_t q = 0; q < 8; q++)
            EXPECT_EQ(state_of_planet[p ^ q], state_of_planet[p] ^ state_of_planet[q]);
}

TEST(Rule, OutOfRangeIsRefused) {
    orr_rule rule;
    orr_cipher cipher;
    for (uint32_t number : {0u, ORR_RULE_COUNT + 1, UINT32_MAX}) {
        orr_error error = {};
        EXPECT_EQ(orr_rule_init(&rule, number, &error), ORR_UNSUPPORTED);
        EXPECT_NE(std::string(error.text).find("1..40320"), std::string::npos);
        EXPECT_EQ(orr_cipher_init(&cipher, number, ORR_MAP_K2_DEFAULT, nullptr), ORR_UNSUPPORTED);
    }
    for (uint32_t k2 : {0u, 2u, ORR_MAP_K2_DEFAULT + 1})
        EXPECT_EQ(orr_cipher_init(&cipher, ORR_RULE_DEFAULT, k2, nullptr), ORR_UNSUPPORTED) << k2;
}

// One row is enough to see every symbol pair; a few more rows bring in the step between columns.
TEST(Vpd, EveryRuleOnShortTiles) {
    for (uint32_t number = 1; number <= ORR_RULE_COUNT; number++) {
        orr_rule rule = rule_of(number);
        uint32_t rows = 1 + number % 3;
        Bytes plain = random_bytes(384 * rows), tile = plain;
        orr_tile_vpd(&rule, rows, tile.data());
        if (number % 16 == 0) { // the reference takes its time
            ASSERT_TRUE(tile == reference::vpd(number, static_cast<int>(rows), plain)) << number;
        }
        orr_tile_vpd_inverse(&rule, rows, tile.data());
        ASSERT_TRUE(tile == plain) << number;
    }
}

TEST(Vpd, RulesOfTheVectorFile) {
    for (const auto &words : vectors("rule.txt", "rule")) {
        orr_rule rule = rule_of(static_cast<uint32_t>(std::stoul(words[0])));
        EXPECT_EQ(digits_of(rule.planet), words[1]);
        EXPECT_EQ(digits_of(rule.rank), words[2]);
    }
}

TEST(Vpd, SequencesOfTheVectorFile) {
    for (const auto &words : vectors("rule.txt", "vpd")) {
        uint32_t number = static_cast<uint32_t>(std::stoul(words[0]));
        orr_rule rule = rule_of(number);
        std::vector<int> s1;
        for (char digit : words[1]) s1.push_back(digit - '0');
        std::vector<int> s2 = reference::vpd_encode(number, s1);
        EXPECT_EQ(digits(s2), words[2]);
        EXPECT_EQ(reference::vpd_decode(number, s2), s1);
        std::string encoded;
        uint8_t state = 0;
        for (size_t i = 0; i < s1.size(); i++) {
            state ^= rule.planet[s1[i]];
            encoded += static_cast<char>('0' + rule.symbol[state]);
        }
        EXPECT_EQ(encoded, words[2]) << "running XOR of planets, rule " << number;
    }
}

TEST(Vpd, DISABLED_WriteVectors) {
    std::FILE *out = std::fopen(vector_path("rule.txt").c_str(), "w");
    ASSERT_NE(out, nullptr);
    std::fprintf(out, "# Written by vpd_test from tests/support/reference.cc.\n"
                      "# rule NUMBER PLANETS RANKS: of symbols 0 to 7, one digit each\n"
                      "# vpd NUMBER S1 S2: a sequence of symbols and its VPD encoding\n");
    const uint32_t numbers[] = {1, 2, 24, 5040, 5041, 12345, 20160, 37241, 40319, 40320};
    for (uint32_t number : numbers) {
        const auto &planets = reference::planets_of_rule(number);
        std::string ranks;
        for (int planet : planets)
            ranks += static_cast<char>('0' + reference::distance_rank(planet));
        std::fprintf(out, "rule %u %s %s\n", number, digits_of(planets).c_str(), ranks.c_str());
    }
    for (uint32_t number : numbers) {
        std::vector<int> s1;
        uint64_t z = number;
        for (int n = 0; n < 100; n++) s1.push_back(static_cast<int>(orr_mix64(z += 977) >> 61));
        for (int v = 0; v < 8; v++) s1.insert(s1.begin(), {v, v});
        std::fprintf(out, "vpd %u %s %s\n", number, digits(s1).c_str(),
                     digits(reference::vpd_encode(number, s1)).c_str());
    }
    ASSERT_EQ(std::fclose(out), 0);
}

} // namespace
