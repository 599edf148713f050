// The tile cipher: every SIMD level against the plain reference, and every step of the cipher
// against tests/vectors/tile.txt. `tile_test --gtest_also_run_disabled_tests
// --gtest_filter=*Write*` writes the file from the reference.
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "kernels/backend.h"
#include "kernels/bitslice.h"
#include "tests/support/random.h"
#include "tests/support/reference.h"
#include "tests/support/vectors.h"

namespace {

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
    std::vector<orr_simd> all;
    for (orr_simd level = ORR_SIMD_PORTABLE; level < orr_simd_count(); level++)
        all.push_back(level);
    return all;
}

uint32_t random_rule() {
    return 1 + test_random()() % ORR_RULE_COUNT;
}

uint32_t random_k2() {
    return static_cast<uint32_t>(test_random()()) | 1;
}

std::string where(const Case &c, orr_simd level) {
    return std::string(orr_simd_name(level)) + ", rule " + std::to_string(c.cipher.rule.number) +
           ", rows " + std::to_string(c.rows);
}

void expect_equals(const Case &c, const Bytes &cipher) {
    for (orr_simd level : levels()) {
        Bytes out(c.plain.size()), back(c.plain.size());
        orr_cpu_tile_encrypt(level, &c.cipher, &c.key, c.rows, c.plain.data(), out.data());
        EXPECT_TRUE(out == cipher) << "encrypt, " << where(c, level);
        orr_cpu_tile_decrypt(level, &c.cipher, &c.key, c.rows, cipher.data(), back.data());
        EXPECT_TRUE(back == c.plain) << "decrypt, " << where(c, level);
    }
}

Bytes reference_cipher(const Case &c) {
    return reference::encrypt(c.cipher.rule.number, c.cipher.k2, c.states, static_cast<int>(c.rows),
                              c.plain);
}

TEST(Tile, EveryRowCountEqualsTheReference) {
    for (uint32_t rows = 1; rows <= 128; rows++)
        for (uint32_t rule : {ORR_RULE_DEFAULT, random_rule()}) {
            Case c = random_case(rule, rows % 3 ? ORR_MAP_K2_DEFAULT : random_k2(), rows);
            expect_equals(c, reference_cipher(c));
        }
}

TEST(Tile, ReferenceInvertsItself) {
    for (uint32_t rows : {1u, 9u, 128u}) {
        Case c = random_case(random_rule(), ORR_MAP_K2_DEFAULT, rows);
        EXPECT_TRUE(c.plain == reference::decrypt(c.cipher.rule.number, c.cipher.k2, c.states,
                                                  static_cast<int>(rows), reference_cipher(c)));
    }
}

// Every level enciphers a short tile under every eighth rule like the portable path, and back; the
// portable path is compared with the reference under some of them.
TEST(Tile, SampleOfRules) {
    for (uint32_t rule = 1 + test_random()() % 8; rule <= ORR_RULE_COUNT; rule += 8) {
        Case c = random_case(rule, ORR_MAP_K2_DEFAULT, 1 + rule % 5);
        Bytes cipher(c.plain.size());
        orr_tile_encrypt_portable(&c.cipher, &c.key, c.rows, c.plain.data(), cipher.data());
        if (rule % 64 < 8) {
            ASSERT_TRUE(cipher == reference_cipher(c)) << rule;
        }
        expect_equals(c, cipher);
        if (HasFailure()) return;
    }
}

TEST(Tile, UnalignedAndInPlace) {
    for (uint32_t rows : {1u, 8u, 77u, 128u}) {
        Case c = random_case(rows == 8 ? random_rule() : ORR_RULE_DEFAULT, random_k2(), rows);
        Bytes cipher = reference_cipher(c);
        size_t bytes = c.plain.size();
        for (orr_simd level : levels())
            for (size_t shift : {1, 7, 16, 31, 33}) {
                Bytes in(bytes + 128, 0xa5), out(bytes + 128, 0x5a), guard = out;
                std::memcpy(in.data() + shift, c.plain.data(), bytes);
                orr_cpu_tile_encrypt(level, &c.cipher, &c.key, rows, in.data() + shift,
                                     out.data() + shift + 3);
                std::memcpy(guard.data() + shift + 3, cipher.data(), bytes);
                EXPECT_TRUE(out == guard) << "bytes outside the tile too, " << where(c, level);
                orr_cpu_tile_encrypt(level, &c.cipher, &c.key, rows, in.data() + shift,
                                     in.data() + shift);
                EXPECT_EQ(0, std::memcmp(in.data() + shift, cipher.data(), bytes));
                orr_cpu_tile_decrypt(level, &c.cipher, &c.key, rows, in.data() + shift,
                                     in.data() + shift);
                EXPECT_EQ(0, std::memcmp(in.data() + shift, c.plain.data(), bytes));
            }
    }
}

// Whether two of the 128 sorting keys of a sequence agree in all bits that come from the map.
bool has_tie(uint64_t state) {
    std::set<uint32_t> upper;
    for (uint32_t lane = 0; lane < 32; lane++) {
        uint64_t u = orr_lane_start(state, lane, ORR_MAP_K2_DEFAULT);
        for (int step = 0; step < 4; step++) {
            u = orr_map_step(u, ORR_MAP_K2_DEFAULT);
            upper.insert(orr_map_word(u) >> 7);
        }
    }
    return upper.size() < 128;
}

// One sequence in some 4,000 has a tie; ranks go by index then.
TEST(Tile, TiesOfSortingKeysGoByIndex) {
    int ties = 0;
    for (uint64_t state = 0; ties < 2; state++) {
        if (!has_tie(state)) continue;
        ties++;
        Case c = random_case(ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, 128);
        c.key.state[0] = c.states[0] = state;
        c.key.state[1] = c.states[1] = state;
        expect_equals(c, reference_cipher(c));
    }
    EXPECT_EQ(orr_index_key(uint64_t(0xffffffff) << 20, 127, 5), 0xffffff85u);
    EXPECT_EQ(orr_index_key(uint64_t(0xfffffff8) << 20, 3, 2), 0xfffffffau);
}

TEST(Tile, LevelsClampAndHaveNames) {
    EXPECT_EQ(orr_cpu_simd(ORR_SIMD_PORTABLE), ORR_SIMD_PORTABLE);
    EXPECT_EQ(orr_cpu_simd(ORR_SIMD_BEST), levels().back());
    EXPECT_EQ(orr_cpu_simd(99), levels().back());
    EXPECT_STREQ(orr_simd_name(ORR_SIMD_BEST), "best");
    const char *const narrowest_first[] = {"portable", "avx2", "avx512"};
    ASSERT_LE(levels().size(), std::size(narrowest_first)) << "a new level: name it above";
    for (orr_simd level : levels()) EXPECT_STREQ(orr_simd_name(level), narrowest_first[level]);
}

// ---- tests/vectors/tile.txt ---------------------------------------------------------------------

// A tile key of the vector file: state n is orr_mix64(1000 * number + n).
std::array<uint64_t, 8> vector_key(uint64_t key) {
    std::array<uint64_t, 8> states;
    for (uint64_t n = 0; n < 8; n++) states[n] = orr_mix64(1000 * key + n);
    return states;
}

// Its plaintext: byte n is the low byte of (n * n + 7 * n) / 16 + number.
Bytes vector_plain(uint64_t key, uint32_t rows) {
    Bytes plain;
    for (uint64_t n = 0; n < 384 * rows; n++)
        plain.push_back(static_cast<uint8_t>((n * n + 7 * n) / 16 + key));
    return plain;
}

std::string sha256(const Bytes &data) {
    uint8_t digest[32];
    size_t length = sizeof digest;
    EXPECT_EQ(EVP_Q_digest(nullptr, "SHA256", nullptr, data.data(), data.size(), digest, &length),
              1);
    return hex(digest, length);
}

// Short data as it is, longer as its digest.
std::string shown(const Bytes &data) {
    return data.size() <= 384 ? hex(data.data(), data.size()) : sha256(data);
}

Bytes bytes_of(const std::vector<int> &numbers) {
    return Bytes(numbers.begin(), numbers.end());
}

// The steps of one tile, in order; words of a `tile` line after KEY RULE K2 ROWS.
struct Steps {
    std::vector<std::string> words;
    void add(const Bytes &data) { words.push_back(shown(data)); }
};

Steps reference_steps(uint64_t number, uint32_t rule, uint32_t k2, uint32_t rows) {
    Steps steps;
    int height = static_cast<int>(rows);
    auto key = vector_key(number);
    Bytes data = vector_plain(number, rows);
    Bytes k4 = reference::keystream(key[3], true, height, k2);
    Bytes k8 = reference::keystream(key[7], false, height, k2);
    steps.add(data);
    steps.add(k4);
    steps.add(k8);
    for (int round = 0; round < 2; round++) {
        auto r1 = reference::ranks(key[4 * round], height, k2);
        auto r2 = reference::ranks(key[4 * round + 1], 128, k2);
        auto r3 = reference::channel_ranks(key[4 * round + 2], k2);
        steps.add(bytes_of(r1));
        steps.add(bytes_of(r2));
        steps.add(bytes_of(r3));
        steps.add(data = reference::vpd(rule, height, data));
        steps.add(data = reference::intershuffle(r1, r2, r3, data));
        steps.add(data = reference::exclusive_or(data, k4));
    }
    steps.add(data = reference::planet_xor(rule, height, data, k8));
    EXPECT_TRUE(data == reference::encrypt(rule, k2, key, height, vector_plain(number, rows)));
    return steps;
}

// The pieces that kernels/ offers one by one, in the same places; the others are left empty.
Steps kernel_steps(const Case &c) {
    Steps steps;
    uint32_t k2 = c.cipher.k2;
    Bytes stream(c.plain.size()), rows(c.rows), columns(128), channels(3), tile = c.plain;
    steps.add(c.plain);
    orr_tile_keystream(c.key.state[3], 1, c.rows, k2, stream.data());
    steps.add(stream);
    orr_tile_keystream(c.key.state[7], 0, c.rows, k2, stream.data());
    steps.add(stream);
    for (int round = 0; round < 2; round++) {
        orr_tile_ranks(c.key.state[4 * round], c.rows, k2, rows.data());
        orr_tile_ranks(c.key.state[4 * round + 1], 128, k2, columns.data());
        orr_tile_channel_ranks(c.key.state[4 * round + 2], k2, channels.data());
        steps.add(rows);
        steps.add(columns);
        steps.add(channels);
        if (round == 0) orr_tile_vpd(&c.cipher.rule, c.rows, tile.data());
        if (round == 0) steps.add(tile);
        while (steps.words.size() < size_t(9 + 6 * round)) steps.words.push_back("");
    }
    return steps;
}

TEST(Tile, StepsOfTheVectorFile) {
    for (const auto &words : vectors("tile.txt", "tile")) {
        ASSERT_EQ(words.size(), 4u + 16u);
        uint64_t number = std::stoull(words[0]);
        Case c;
        uint32_t rule = static_cast<uint32_t>(std::stoul(words[1]));
        uint32_t k2 = static_cast<uint32_t>(std::stoul(words[2]));
        c.rows = static_cast<uint32_t>(std::stoul(words[3]));
        ASSERT_EQ(orr_cipher_init(&c.cipher, rule, k2, nullptr), ORR_OK);
        c.states = vector_key(number);
        for (int n = 0; n < 8; n++) c.key.state[n] = c.states[n];
        c.plain = vector_plain(number, c.rows);
        std::vector<std::string> expected(words.begin() + 4, words.end());
        EXPECT_EQ(reference_steps(number, rule, k2, c.rows).words, expected) << words[0];
        Steps kernel = kernel_steps(c);
        for (size_t n = 0; n < kernel.words.size(); n++)
            EXPECT_TRUE(kernel.words[n].empty() || kernel.words[n] == expected[n]) << "step " << n;
        for (orr_simd level : levels()) {
            Bytes out(c.plain.size());
            orr_cpu_tile_encrypt(level, &c.cipher, &c.key, c.rows, c.plain.data(), out.data());
            EXPECT_EQ(shown(out), expected.back()) << where(c, level);
            orr_cpu_tile_decrypt(level, &c.cipher, &c.key, c.rows, out.data(), out.data());
            EXPECT_EQ(shown(out), expected.front()) << where(c, level);
        }
    }
}

TEST(Tile, DISABLED_WriteVectors) {
    std::FILE *out = std::fopen(vector_path("tile.txt").c_str(), "w");
    ASSERT_NE(out, nullptr);
    std::fprintf(
        out,
        "# Written by tile_test from tests/support/reference.cc: every step of the tile cipher.\n"
        "# tile NUMBER RULE K2 ROWS PLAIN K4 K8  R1 R2 R3 VPD SHUFFLED XORED  R5 R6 R7 VPD "
        "SHUFFLED\n"
        "# XORED  CIPHER: initial state n of the key is mix64(1000 NUMBER + n) (FORMAT, lanes), "
        "byte n\n"
        "# of the plaintext is the low byte of floor((n n + 7 n) / 16) + NUMBER. R1 .. R7 are "
        "ranks, a\n"
        "# byte each. Up to 384 bytes stand in full, more as their SHA-256.\n");
    uint64_t number = 1;
    for (uint32_t rows : {1, 7, 8, 9, 127, 128})
        for (uint32_t rule : {37241, 1, 40320, 12345}) {
            uint32_t k2 = rule == 12345 ? 65537u : ORR_MAP_K2_DEFAULT;
            std::fprintf(out, "tile %" PRIu64 " %u %u %u", number, rule, k2, rows);
            for (const std::string &word : reference_steps(number, rule, k2, rows).words)
                std::fprintf(out, " %s", word.c_str());
            std::fprintf(out, "\n");
            number++;
        }
    ASSERT_EQ(std::fclose(out), 0);
}

} // namespace
