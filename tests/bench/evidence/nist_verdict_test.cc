// From the P-values of SP 800-22 to a verdict: sources that must fail and others that must pass,
// with as many sequences as there may be; the rule by given P-values; and what a file of bits is
// read as.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "bench/evidence/nist_source.h"
#include "bench/evidence/sp800_22/sp800_22.h"

namespace {

orr_nist_result judge(const std::vector<uint8_t> &bytes, size_t bits) {
    orr_nist_options options{};
    options.bits = bits;
    orr_nist_result result;
    orr_error error{};
    EXPECT_EQ(orr_nist_bytes(bytes.data(), bytes.size(), &options, &result, &error), ORR_OK)
        << error.text;
    return result;
}

std::vector<uint8_t> aes_counter(size_t count, uint8_t key_byte) {
    std::vector<uint8_t> bytes(count), key(32, key_byte), iv(16);
    EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
    int got = 0;
    EXPECT_TRUE(EVP_EncryptInit_ex(aes, EVP_aes_256_ctr(), nullptr, key.data(), iv.data()));
    EXPECT_TRUE(EVP_EncryptUpdate(aes, bytes.data(), &got, bytes.data(), int(count)));
    EVP_CIPHER_CTX_free(aes);
    return bytes;
}

// Sources that must fail, as one sequence, as few and as many.
TEST(NistVerdict, PoorSourcesFailHoweverFewTheSequences) {
    const size_t most = 60 * 100000 / 8;
    std::map<std::string, std::vector<uint8_t>> sources;
    std::mt19937_64 draw(20261201);
    for (size_t i = 0; i < most; i++) {
        sources["zeros"].push_back(0);
        sources["ones"].push_back(0xff);
        sources["0xAA"].push_back(0xaa);
        sources["one byte"].push_back(0x1d);
        sources["counter of bytes"].push_back(uint8_t(i));
        sources["counter of words"].push_back(uint8_t(i / 4 >> 8 * (3 - i % 4)));
        unsigned byte = 0;
        for (int bit = 0; bit < 8; bit++) byte = byte << 1 | (draw() % 100 < 51);
        sources["p = 0.51"].push_back(uint8_t(byte));
    }
    for (const auto &[name, bytes] : sources) {
        for (size_t sequences : {1u, 2u, 10u, 54u, 55u, 60u}) {
            SCOPED_TRACE(name + ", " + std::to_string(sequences));
            orr_nist_result r =
                judge({bytes.begin(), bytes.begin() + long(sequences * 12500)}, 100000);
            ASSERT_EQ(r.sequences, sequences);
            EXPECT_FALSE(r.sound);
            EXPECT_GT(r.applicable, 0);
            EXPECT_LT(r.passed, r.needed);
            orr_nist_result_free(&r);
        }
        SCOPED_TRACE(name + ", a million bits");
        orr_nist_result r = judge({bytes.begin(), bytes.begin() + 125000}, 1000000);
        EXPECT_FALSE(r.sound);
        EXPECT_GE(r.applicable, 13);
        orr_nist_result_free(&r);
    }
}

TEST(NistVerdict, GoodSourcesPassHoweverFewTheSequences) {
    std::vector<uint8_t> aes = aes_counter(60 * 12500, 7), keystream(aes.size());
    orr_nist_subject *made = orr_nist_keystream_new(1);
    orr_nist_source source = orr_nist_subject_source(made);
    orr_error error{};
    for (size_t had = 0, got; had < keystream.size(); had += got) {
        ASSERT_EQ(
            source.read(source.context, &keystream[had], keystream.size() - had, &got, &error),
            ORR_OK);
    }
    orr_nist_subject_free(made);
    for (const auto &bytes : {aes, keystream}) {
        for (size_t sequences : {1u, 2u, 10u, 54u, 55u, 60u}) {
            SCOPED_TRACE(sequences);
            orr_nist_result r =
                judge({bytes.begin(), bytes.begin() + long(sequences * 12500)}, 100000);
            EXPECT_TRUE(r.sound) << r.passed << " of " << r.applicable;
            EXPECT_EQ(r.needed, r.applicable - 1);
            orr_nist_result_free(&r);
        }
        orr_nist_result r = judge({bytes.begin(), bytes.begin() + 375000}, 1000000);
        EXPECT_TRUE(r.sound) << r.passed << " of " << r.applicable;
        orr_nist_result_free(&r);
    }
}

// 60 sequences of which one is zeros: its P-values tell, whatever the proportion says.
TEST(NistVerdict, OneBrokenSequenceAmongManyFails) {
    std::vector<uint8_t> bytes = aes_counter(60 * 12500, 7);
    std::fill(bytes.begin() + 31 * 12500, bytes.begin() + 32 * 12500, uint8_t(0));
    for (size_t sequences : {40u, 60u}) {
        orr_nist_result r = judge({bytes.begin(), bytes.begin() + long(sequences * 12500)}, 100000);
        EXPECT_FALSE(r.sound);
        EXPECT_TRUE(r.tests[ORR_NIST_FREQUENCY].beyond_chance);
        EXPECT_GT(r.tests[ORR_NIST_FREQUENCY].joint_proportion, 0.0027);
        orr_nist_result_free(&r);
    }
}

// Given P-values: all 0.5, then those of `set` changed.
struct Given {
    std::vector<double> p;
    orr_nist_result result{};
    explicit Given(size_t sequences) : p(sequences * ORR_NIST_COLUMNS, 0.5) {
        for (size_t i = 0; i < p.size(); i++) { // even over (0, 1), in every column
            p[i] = (double(i / ORR_NIST_COLUMNS) + 0.5) / double(sequences);
        }
        result.sequences = sequences;
        result.bits = 1000000;
        result.alpha = 0.01;
    }
    void set(size_t sequence, orr_nist_test test, double value, size_t part = 0) {
        p[sequence * ORR_NIST_COLUMNS + orr_nist_test_first(test) + part] = value;
    }
    const orr_nist_result &judged() {
        orr_error error{};
        result.p = p.data();
        EXPECT_EQ(orr_nist_analyse(&result, &error), ORR_OK);
        return result;
    }
};

TEST(NistVerdict, OneSequenceByItsPValues) {
    Given perfect(1);
    EXPECT_TRUE(perfect.judged().sound);
    EXPECT_EQ(perfect.result.passed, 15);
    EXPECT_EQ(perfect.result.needed, 14);
    perfect.set(0, ORR_NIST_RANK, 0.0101);
    EXPECT_EQ(perfect.judged().passed, 15);
    perfect.set(0, ORR_NIST_RANK, 0.0099); // one miss is chance
    EXPECT_EQ(perfect.judged().passed, 14);
    EXPECT_TRUE(perfect.result.sound);
    // Of 148 P-values one below 0.01 is to be expected, one below 0.01 / 148 is not.
    perfect.set(0, ORR_NIST_NON_OVERLAPPING, 0.002, 77);
    EXPECT_EQ(perfect.judged().passed, 14);
    EXPECT_NEAR(perfect.result.tests[ORR_NIST_NON_OVERLAPPING].joint_least,
                1 - std::pow(0.998, 148), 1e-12);
    perfect.set(0, ORR_NIST_NON_OVERLAPPING, 0.00006, 77);
    EXPECT_EQ(perfect.judged().passed, 13);
    EXPECT_FALSE(perfect.result.sound); // two are not
    Given broken(1);
    broken.set(0, ORR_NIST_SPECTRAL, 1e-7); // one miss, but no chance
    EXPECT_EQ(broken.judged().passed, 14);
    EXPECT_EQ(broken.result.needed, 15);
    EXPECT_FALSE(broken.result.sound);
}

TEST(NistVerdict, StandsOnTheTestsThatApply) {
    Given some(1);
    for (size_t i = 0; i < ORR_NIST_EXCURSIONS; i++) {
        some.set(0, ORR_NIST_RANDOM_EXCURSIONS, NAN, i);
    }
    for (size_t i = 0; i < ORR_NIST_EXCURSIONS_VARIANT; i++) {
        some.set(0, ORR_NIST_RANDOM_EXCURSIONS_VARIANT, NAN, i);
    }
    EXPECT_TRUE(some.judged().sound);
    EXPECT_EQ(some.result.passed, 13);
    EXPECT_EQ(some.result.applicable, 13);
    EXPECT_EQ(some.result.needed, 12);
    Given none(1);
    std::fill(none.p.begin(), none.p.end(), NAN);
    EXPECT_FALSE(none.judged().sound); // nothing passed: no pass
    EXPECT_EQ(none.result.needed, 1);
    none.set(0, ORR_NIST_FREQUENCY, 0.001);
    EXPECT_FALSE(none.judged().sound); // a single test forgives nothing
}

TEST(NistVerdict, FewSequencesByWhatTheyCanShow) {
    Given ten(10);
    EXPECT_TRUE(ten.judged().sound);
    EXPECT_EQ(ten.result.passed, 15);
    EXPECT_DOUBLE_EQ(ten.result.columns[0].low, 0.8); // two of ten may fail, three may not
    ten.set(3, ORR_NIST_RUNS, 0.004);
    ten.set(4, ORR_NIST_RUNS, 0.004);
    EXPECT_EQ(ten.judged().passed, 15);
    EXPECT_NEAR(ten.result.tests[ORR_NIST_RUNS].joint_proportion, 2 * 0.0042662, 1e-6);
    ten.set(5, ORR_NIST_RUNS, 0.004);
    EXPECT_FALSE(ten.judged().tests[ORR_NIST_RUNS].passed);
    EXPECT_TRUE(ten.result.sound);
    Given squeezed(40); // none fails, none is above a half
    for (size_t s = 0; s < 40; s++) squeezed.set(s, ORR_NIST_RANK, 0.02 + 0.01 * double(s));
    EXPECT_FALSE(squeezed.judged().tests[ORR_NIST_RANK].passed);
    EXPECT_LT(squeezed.result.tests[ORR_NIST_RANK].joint_uniformity, 1e-4);
}

// 2.3.4: the runs test gives 0 without a look where the ones are out of balance, which a perfect
// source is in one of 16,000 sequences. That is a failed sequence, but not beyond chance.
TEST(NistVerdict, ARunsTestThatWasNotCarriedOutIsNoMiracle) {
    Given thousand(1000);
    thousand.set(0, ORR_NIST_FREQUENCY, 5e-5);
    thousand.set(0, ORR_NIST_RUNS, 0);
    EXPECT_EQ(thousand.judged().passed, 15);
    EXPECT_TRUE(thousand.result.sound);
    EXPECT_DOUBLE_EQ(thousand.result.columns[orr_nist_test_first(ORR_NIST_RUNS)].least, 5e-5);
    thousand.set(0, ORR_NIST_FREQUENCY, 1e-12);
    EXPECT_FALSE(thousand.judged().sound);
}

// ---- files

struct BitsFile {
    std::string path = testing::TempDir() + "orrery-nist-bits";
    explicit BitsFile(const std::string &text) { std::ofstream(path, std::ios::binary) << text; }
    ~BitsFile() { std::remove(path.c_str()); }
    orr_status run(size_t bits, orr_nist_result *result, orr_error *error) const {
        orr_nist_options options{};
        options.bits = bits;
        return orr_nist_file(path.c_str(), &options, result, error);
    }
};

std::string digits_of(const std::vector<uint8_t> &bytes, size_t count) {
    std::string text;
    for (size_t i = 0; i < count; i++) text += bytes[i / 8] >> (7 - i % 8) & 1 ? '1' : '0';
    return text;
}

TEST(NistFile, DigitsAsTextAreBits) {
    std::vector<uint8_t> bytes = aes_counter(1000, 3);
    orr_nist_result plain, text;
    orr_error error{};
    ASSERT_EQ(BitsFile(std::string(bytes.begin(), bytes.end())).run(1003, &plain, &error), ORR_OK);
    EXPECT_EQ(plain.format, ORR_NIST_BYTES);
    std::string digits = digits_of(bytes, 7 * 1003), broken = "  \t";
    for (size_t i = 0; i < digits.size(); i++) {
        broken += digits[i];
        if (i % 25 == 24) broken += "\r\n ";
    }
    for (const std::string &written : {digits, broken}) { // not a whole number of bytes
        ASSERT_EQ(BitsFile(written).run(1003, &text, &error), ORR_OK) << error.text;
        EXPECT_EQ(text.format, ORR_NIST_DIGITS);
        ASSERT_EQ(text.sequences, 7u);
        EXPECT_EQ(text.unused_bits, 0u);
        EXPECT_EQ(std::memcmp(text.p, plain.p, 7 * ORR_NIST_COLUMNS * sizeof *text.p), 0);
        orr_nist_result_free(&text);
    }
    std::string commas = "\xef\xbb\xbf"; // and the byte order mark of UTF-8
    for (char digit : digits) commas += std::string(1, digit) + ",";
    ASSERT_EQ(BitsFile(commas).run(1003, &text, &error), ORR_OK) << error.text;
    EXPECT_EQ(text.format, ORR_NIST_DIGITS);
    ASSERT_EQ(text.sequences, 7u);
    EXPECT_EQ(std::memcmp(text.p, plain.p, 7 * ORR_NIST_COLUMNS * sizeof *text.p), 0);
    orr_nist_result_free(&text);
    digits.pop_back(); // the bits that fill the last byte are none of the data
    ASSERT_EQ(BitsFile(digits).run(1003, &text, &error), ORR_OK) << error.text;
    EXPECT_EQ(text.sequences, 6u);
    EXPECT_EQ(text.unused_bits, 1002u);
    orr_nist_result_free(&text);
    orr_nist_result_free(&plain);
}

TEST(NistFile, WhatIsRefusedAndWhatIsSaid) {
    orr_nist_result result;
    orr_error error{};
    std::string digits(5000, '1');
    EXPECT_EQ(BitsFile(digits + "2").run(1000, &result, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("byte 5000 is neither"), std::string::npos)
        << error.text;
    orr_nist_result_free(&result);
    for (bool last : {false, true})
        for (bool marked : {false, true}) {
            std::string wide = !marked ? "" : last ? "\xff\xfe" : "\xfe\xff";
            for (char digit : digits)
                wide += last ? std::string{digit, '\0'} : std::string{'\0', digit};
            EXPECT_EQ(BitsFile(wide).run(1000, &result, &error), ORR_UNSUPPORTED);
            EXPECT_NE(std::string(error.text).find("UTF-16"), std::string::npos) << error.text;
            orr_nist_result_free(&result);
        }
    EXPECT_EQ(BitsFile("0101").run(1000, &result, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("4 bits are less"), std::string::npos) << error.text;
    orr_nist_result_free(&result);
    EXPECT_EQ(BitsFile("").run(1000, &result, &error), ORR_UNSUPPORTED);
    orr_nist_result_free(&result);
    orr_nist_options options{};
    EXPECT_EQ(orr_nist_file("/", &options, &result, &error), ORR_UNSUPPORTED);
    EXPECT_STREQ(error.text, "/: is a directory; give one file of bits");
    orr_nist_result_free(&result);
    std::string hexadecimal;
    for (int i = 0; i < 2000; i++) hexadecimal += "0123456789abcdef\n"[i % 17];
    ASSERT_EQ(BitsFile(hexadecimal).run(1000, &result, &error), ORR_OK);
    EXPECT_EQ(result.format, ORR_NIST_TEXT);
    EXPECT_EQ(result.sequences, 16u);
    orr_nist_result_free(&result);
}

} // namespace
