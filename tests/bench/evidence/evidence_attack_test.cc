// The attacks of bench/evidence/ succeed where they must (one key for many encryptions, known key
// words) and fail where they must (fresh keys).
#include <cstring>

#include <gtest/gtest.h>

#include "bench/evidence/attack_reuse.h"
#include "bench/evidence/attack_rules.h"
#include "bench/evidence/attack_state.h"
#include "bench/evidence/subject.h"
#include "kernels/backend.h"
#include "kernels/map.h"
#include "tests/support/random.h"

namespace {

using Bytes = std::vector<uint8_t>;

struct Victim {
    orr_attack_layout layout;
    orr_cipher cipher;
    Bytes key;
    bool fresh = false;
};

orr_status encrypt(void *context, size_t count, const uint8_t *plain, uint8_t *cipher,
                   orr_error *error) {
    auto *victim = static_cast<Victim *>(context);
    size_t bytes = orr_attack_bytes(&victim->layout);
    for (size_t n = 0; n < count; n++) {
        if (victim->fresh) victim->key = random_bytes(64);
        if (victim->layout.tile) {
            orr_tile_key key;
            if (orr_subject_tile_key(victim->key.data(), 0, &key) != ORR_OK) return ORR_INTERNAL;
            orr_tile_encrypt_portable(&victim->cipher, &key, victim->layout.shape.rows,
                                      plain + n * bytes, cipher + n * bytes);
            continue;
        }
        orr_volume_key key;
        orr_subject_paper_key(victim->key.data(), &key);
        memcpy(cipher + n * bytes, plain + n * bytes, bytes);
        orr_status status = orr_volume_encrypt(&victim->cipher, &key, victim->layout.shape,
                                               cipher + n * bytes, error);
        if (status != ORR_OK) return status;
    }
    return ORR_OK;
}

void attack(orr_attack_layout layout, uint32_t rule, bool fresh) {
    Victim victim{layout, {}, random_bytes(64), fresh};
    orr_error error{};
    ASSERT_EQ(orr_cipher_init(&victim.cipher, rule, ORR_MAP_K2_DEFAULT, &error), ORR_OK);
    orr_oracle oracle{encrypt, &victim};
    orr_reuse_result result;
    ASSERT_EQ(
        orr_attack_reuse(&layout, &victim.cipher.rule, &oracle, test_random()(), &result, &error),
        ORR_OK)
        << error.text;
    EXPECT_EQ(result.recovered, !fresh) << result.ended << " rule " << rule;
    if (!fresh) {
        EXPECT_EQ(result.places_found, result.places_total);
        Bytes secret = random_bytes(orr_attack_bytes(&layout)), cipher(secret.size()),
              plain(secret.size());
        ASSERT_EQ(encrypt(&victim, 1, secret.data(), cipher.data(), &error), ORR_OK);
        ASSERT_EQ(orr_equivalent_decrypt(&layout, &victim.cipher.rule, &result.key, cipher.data(),
                                         plain.data(), &error),
                  ORR_OK);
        EXPECT_EQ(plain, secret);
    } else {
        EXPECT_LT(result.places_found, result.places_total / 2);
    }
    orr_reuse_result_free(&result);
}

TEST(EvidenceAttack, ReusedKeyOfThePaperProfileFalls) {
    attack({0, {3, 32, 40}}, ORR_RULE_DEFAULT, false);
    attack({0, {3, 17, 64}}, ORR_RULE_DEFAULT, false);
}

TEST(EvidenceAttack, ReusedKeyOfATileFalls) {
    attack({1, {3, 128, 128}}, ORR_RULE_DEFAULT, false);
    attack({1, {3, 5, 128}}, ORR_RULE_DEFAULT, false);
}

TEST(EvidenceAttack, FreshKeysStand) {
    attack({0, {3, 32, 40}}, ORR_RULE_DEFAULT, true);
    attack({1, {3, 128, 128}}, ORR_RULE_DEFAULT, true);
}

TEST(EvidenceAttack, StateFromTwoWords) {
    for (int round = 0; round < 4; round++) {
        uint64_t origin = test_random()();
        uint32_t lane = static_cast<uint32_t>(test_random()() % 512);
        uint64_t first =
            orr_map_step(orr_lane_start(origin, lane, ORR_MAP_K2_DEFAULT), ORR_MAP_K2_DEFAULT);
        uint32_t words[4];
        uint64_t u = first;
        for (uint32_t &w : words) {
            w = orr_map_word(u);
            u = orr_map_step(u, ORR_MAP_K2_DEFAULT);
        }
        // 8 of the 31 unknown bits are given: 2^23 states.
        orr_state_search search{
            ORR_MAP_K2_DEFAULT, words, 4, 1, 8, static_cast<uint32_t>(first >> 55), 2};
        static orr_state_result result;
        orr_error error{};
        ASSERT_EQ(orr_attack_state(&search, &result, &error), ORR_OK);
        EXPECT_EQ(result.tried, 1u << 23);
        // Neighbours with the same square are one state after one step: both fit. Near zero they
        // are too many to list.
        if (result.count == ORR_STATE_CANDIDATES) continue;
        ASSERT_GE(result.count, 1u);
        size_t count = 0;
        bool found = false, seen = false, all = true;
        std::vector<uint64_t> origins(1 << 16);
        for (size_t s = 0; s < result.count; s++) {
            seen |= result.state[s] == first;
            EXPECT_EQ(orr_map_step(result.state[s], ORR_MAP_K2_DEFAULT),
                      orr_map_step(first, ORR_MAP_K2_DEFAULT));
            count = orr_lane_origins(result.state[s], lane, ORR_MAP_K2_DEFAULT, origins.data(),
                                     origins.size());
            all &= count < origins.size();
            for (size_t n = 0; n < count; n++) {
                found |= origins[n] == origin;
                // Every origin leads back to the state.
                EXPECT_EQ(orr_map_step(orr_lane_start(origins[n], lane, ORR_MAP_K2_DEFAULT),
                                       ORR_MAP_K2_DEFAULT),
                          result.state[s]);
            }
        }
        EXPECT_TRUE(seen);
        if (!all) printf("a state near zero: more than %zu origins\n", origins.size());
        EXPECT_TRUE(found || !all) << count;
    }
}

TEST(EvidenceAttack, RulesAndLinearity) {
    orr_rule_census census;
    orr_error error{};
    ASSERT_EQ(orr_rules_count(&census, &error), ORR_OK);
    EXPECT_EQ(census.tables, 240u);       // 8! / |GL(3, 2)|
    EXPECT_EQ(census.like_default, 168u); // |GL(3, 2)|
    EXPECT_EQ(census.affine, 1344u);      // |AGL(3, 2)|
    EXPECT_EQ(census.affine_ranks, 0u);
    EXPECT_FALSE(census.default_is_affine);
    double share, rounds;
    // An affine rule: both rounds are linear equations. The default rule: no such relation.
    ASSERT_EQ(orr_linearity_test(1, 32, test_random()(), &share, &rounds, &error), ORR_OK);
    EXPECT_EQ(rounds, 0);
    EXPECT_GT(share, 0.5);
    ASSERT_EQ(orr_linearity_test(ORR_RULE_DEFAULT, 32, test_random()(), &share, &rounds, &error),
              ORR_OK);
    EXPECT_GT(rounds, 0.9);
}

} // namespace
