// The tests of SP 800-22 rev. 1a against the P-values that the document prints: its worked examples
// (sections 2.x.4 and 2.x.8) and appendix B, for expansions that are computed here.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <mpfr.h>
#include <gtest/gtest.h>

#include "bench/evidence/sp800_22/nist_special.h"
#include "bench/evidence/sp800_22/sp800_22.h"
#include "tests/support/random.h"

namespace {

struct Sequence {
    std::vector<uint8_t> bytes;
    std::vector<uint64_t> words;
    orr_bits bits{};

    void pack(size_t count) {
        words.assign(ORR_BITS_WORDS(count), 0);
        orr_bits_pack(bytes.data(), 0, count, words.data());
        bits = {words.data(), count};
    }
    explicit Sequence(const std::string &text) : bytes((text.size() + 7) / 8) {
        for (size_t i = 0; i < text.size(); i++) {
            if (text[i] == '1') bytes[i / 8] = uint8_t(bytes[i / 8] | 128 >> i % 8);
        }
        pack(text.size());
    }
    Sequence(std::vector<uint8_t> given, size_t count) : bytes(std::move(given)) { pack(count); }
};

// The first bits of the binary expansion, whole part included.
Sequence expansion(const std::string &name, size_t count) {
    mpfr_t x;
    mpfr_init2(x, mpfr_prec_t(count + 64));
    if (name == "pi") {
        mpfr_const_pi(x, MPFR_RNDZ);
    } else if (name == "e") {
        mpfr_set_ui(x, 1, MPFR_RNDZ);
        mpfr_exp(x, x, MPFR_RNDZ);
    } else {
        mpfr_sqrt_ui(x, name == "sqrt2" ? 2 : 3, MPFR_RNDZ);
    }
    mpz_t z;
    mpz_init(z);
    mpfr_get_z_2exp(z, x);
    mpz_fdiv_q_2exp(z, z, mpz_sizeinbase(z, 2) - count);
    mpz_mul_2exp(z, z, (8 - count % 8) % 8);
    std::vector<uint8_t> bytes((count + 7) / 8);
    mpz_export(bytes.data(), nullptr, 1, 1, 1, 0, z);
    mpz_clear(z);
    mpfr_clear(x);
    return {bytes, count};
}

void expect_p(double p, double printed) {
    EXPECT_NEAR(p, printed, 1.1e-6);
}

TEST(NistExamples, FrequencyAndRuns) {
    Sequence ten("1011010101"), hundred = expansion("pi", 100);
    expect_p(orr_nist_frequency(ten.bits).p, 0.527089);
    EXPECT_NEAR(orr_nist_frequency(ten.bits).statistic, 0.632455532, 1e-9);
    expect_p(orr_nist_frequency(hundred.bits).p, 0.109599);
    Sequence blocks("0110011010");
    EXPECT_NEAR(orr_nist_block_frequency(blocks.bits, 3).statistic, 1, 1e-12);
    expect_p(orr_nist_block_frequency(blocks.bits, 3).p, 0.801252);
    EXPECT_NEAR(orr_nist_block_frequency(hundred.bits, 10).statistic, 7.2, 1e-12);
    expect_p(orr_nist_block_frequency(hundred.bits, 10).p, 0.706438);
    Sequence runs("1001101011");
    EXPECT_EQ(orr_nist_runs(runs.bits).statistic, 7);
    expect_p(orr_nist_runs(runs.bits).p, 0.147232);
    EXPECT_EQ(orr_nist_runs(hundred.bits).statistic, 52);
    expect_p(orr_nist_runs(hundred.bits).p, 0.500798);
    // 2.3.4 (2): nothing but ones fails, whatever its runs.
    EXPECT_EQ(orr_nist_runs(Sequence(std::string(100, '1')).bits).p, 0);
}

TEST(NistExamples, LongestRun) {
    Sequence s("11001100000101010110110001001100111000000000001001001101010100010001001111010110"
               "100000001101011111001100111001101101100010110010");
    orr_nist_value v = orr_nist_longest_run(s.bits, ORR_NIST_AS_PRINTED);
    EXPECT_NEAR(v.statistic, 4.882605, 1e-3); // the document's counts are 4, 9, 3, 0
    v = orr_nist_longest_run(s.bits, ORR_NIST_CORRECTED);
    EXPECT_NEAR(v.statistic, 4.882457, 1e-6);
    expect_p(v.p, 0.180609);
    EXPECT_TRUE(std::isnan(orr_nist_longest_run(expansion("pi", 127).bits, ORR_NIST_CORRECTED).p));
}

std::string text_of(orr_bits bits) {
    std::string text;
    for (size_t i = 0; i < bits.count; i++) {
        text += bits.words[i / 64] >> (63 - i % 64) & 1 ? '1' : '0';
    }
    return text;
}

// Moduli below the threshold, by the definition of the transform.
int plain_below(const std::string &text) {
    size_t n = text.size();
    int below = 0;
    for (size_t k = 0; k < n / 2; k++) {
        double re = 0, im = 0;
        for (size_t i = 0; i < n; i++) {
            double angle = 2 * M_PI * double(i * k % n) / double(n);
            re += (text[i] == '1' ? 1 : -1) * std::cos(angle);
            im -= (text[i] == '1' ? 1 : -1) * std::sin(angle);
        }
        below += re * re + im * im < double(n) * std::log(20);
    }
    return below;
}

TEST(NistExamples, RankAndSpectrum) {
    Sequence s("01011001001010101101");
    orr_nist_value v = orr_nist_rank(s.bits, 3, ORR_NIST_AS_PRINTED);
    EXPECT_NEAR(v.statistic, 0.596953, 1e-6);
    expect_p(v.p, 0.741948);
    v = orr_nist_rank(expansion("e", 100000).bits, 32, ORR_NIST_CORRECTED);
    EXPECT_NEAR(v.statistic, 1.2619656, 1e-7);
    expect_p(v.p, 0.532069);
    // 2.6.4 prints N1 = 4 and 2.6.8 N1 = 46. No modulus of its ten bits reaches 5.47 (the largest
    // is 4.47), so N1 is 5; of its hundred bits 48 stay below. Both are checked against the
    // definition.
    v = orr_nist_spectral(Sequence("1001010011").bits, ORR_NIST_AS_PRINTED);
    EXPECT_NEAR(v.statistic, (plain_below("1001010011") - 4.75) / std::sqrt(0.11875), 1e-9);
    expect_p(v.p, 0.468160);
    std::string pi = text_of(expansion("pi", 100).bits);
    v = orr_nist_spectral(expansion("pi", 100).bits, ORR_NIST_AS_PRINTED);
    EXPECT_NEAR(v.statistic, (plain_below(pi) - 47.5) / std::sqrt(1.1875), 1e-9);
    expect_p(v.p, 0.646355);
}

TEST(NistExamples, Templates) {
    // 001 is the first of four templates of 3 bits that cannot overlap themselves.
    EXPECT_EQ(orr_nist_template(3, 0), 1u);
    orr_nist_value v[4];
    ASSERT_EQ(orr_nist_templates(Sequence("10100100101110010110").bits, 3, 2, v), 4u);
    EXPECT_NEAR(v[0].statistic, 2.133333, 1e-6);
    expect_p(v[0].p, 0.344154);
    // 2.8.4 prints one block each of 1 .. 5 matches and chi-square 3.167729; the sequence that it
    // prints has two of one match and none of two. The chances are its own.
    Sequence overlapping("10111011110010110100011100101110111110000101101001");
    const double pi[6] = {0.324652, 0.182617, 0.142670, 0.106645, 0.077147, 0.166269};
    const int counts[6] = {0, 2, 0, 1, 1, 1};
    double chi_square = 0;
    for (int i = 0; i < 6; i++) chi_square += std::pow(counts[i] - 5 * pi[i], 2) / (5 * pi[i]);
    EXPECT_NEAR(orr_nist_overlapping(overlapping.bits, 2, 10, ORR_NIST_AS_PRINTED).statistic,
                chi_square, 1e-4);
    EXPECT_EQ(orr_nist_templates(overlapping.bits, 9, 8, nullptr), size_t(ORR_NIST_TEMPLATES));
    EXPECT_EQ(orr_nist_template(9, 0), 1u);
    EXPECT_EQ(orr_nist_template(9, 147), 0x1feu);
    EXPECT_EQ(orr_nist_template(9, 148), UINT32_MAX);
}

TEST(NistExamples, Patterns) {
    orr_nist_value v = orr_nist_universal(Sequence("01011010011101010111").bits, 2, 4);
    EXPECT_NEAR(v.statistic, 1.1949875, 1e-7);
    orr_nist_value serial[2];
    orr_nist_serial(Sequence("0011011101").bits, 3, serial);
    EXPECT_NEAR(serial[0].statistic, 1.6, 1e-12);
    EXPECT_NEAR(serial[1].statistic, 0.8, 1e-12);
    expect_p(serial[0].p, 0.808792);
    expect_p(serial[1].p, 0.670320);
    Sequence e = expansion("e", 1000000);
    orr_nist_serial(e.bits, 2, serial);
    EXPECT_NEAR(serial[0].statistic, 0.339764, 1e-6);
    expect_p(serial[0].p, 0.843764);
    EXPECT_NEAR(serial[1].statistic, 0.336400, 1e-6);
    expect_p(serial[1].p, 0.561915);
    v = orr_nist_entropy(Sequence("0100110101").bits, 3);
    EXPECT_NEAR(v.statistic, 10.043859, 1e-6); // the document prints half of a twentieth of it
    expect_p(v.p, 0.261961);
    v = orr_nist_entropy(expansion("pi", 100).bits, 2);
    EXPECT_NEAR(v.statistic, 5.550792, 1e-6);
    expect_p(v.p, 0.235301);
}

TEST(NistExamples, Complexity) {
    orr_nist_value v = orr_nist_complexity(expansion("e", 1000000).bits, 1000, ORR_NIST_AS_PRINTED);
    EXPECT_NEAR(v.statistic, 2.700348, 1e-6);
    expect_p(v.p, 0.845406);
}

TEST(NistExamples, Walks) {
    Sequence ten("1011010111"), hundred = expansion("pi", 100);
    EXPECT_EQ(orr_nist_cusum(ten.bits, 0).statistic, 4);
    expect_p(orr_nist_cusum(ten.bits, 0).p, 0.4116588);
    EXPECT_EQ(orr_nist_cusum(hundred.bits, 0).statistic, 16);
    expect_p(orr_nist_cusum(hundred.bits, 0).p, 0.219194);
    EXPECT_EQ(orr_nist_cusum(hundred.bits, 1).statistic, 19);
    expect_p(orr_nist_cusum(hundred.bits, 1).p, 0.114866);
    orr_nist_value x[8], variant[18];
    Sequence walk("0110110101");
    EXPECT_EQ(orr_nist_excursions(walk.bits, 0, x), 3u);
    EXPECT_NEAR(x[4].statistic, 4.333333, 1e-6); // printed 4.333033 with pi of four digits
    EXPECT_NEAR(x[4].p, 0.502488, 1e-6);         // printed 0.502529
    EXPECT_EQ(orr_nist_excursions_variant(walk.bits, 0, variant), 3u);
    EXPECT_EQ(variant[9].statistic, 4);
    expect_p(variant[9].p, 0.683091);
    orr_nist_excursions(walk.bits, orr_nist_least_cycles(10), x);
    EXPECT_TRUE(std::isnan(x[4].p)); // three cycles are not 500
}

// Tables of 2.14.8 and 2.15.8 for a million bits of e.
TEST(NistExamples, ExcursionsOfE) {
    Sequence e = expansion("e", 1000000);
    orr_nist_value x[8], variant[18];
    EXPECT_EQ(orr_nist_excursions(e.bits, orr_nist_least_cycles(1000000), x), 1490u);
    const double p[8] = {0.573306, 0.197996, 0.164011, 0.007779,
                         0.786868, 0.440912, 0.797854, 0.778186};
    for (int i = 0; i < 8; i++) expect_p(x[i].p, p[i]);
    orr_nist_excursions_variant(e.bits, 500, variant);
    const int visits[18] = {1450, 1435, 1380, 1366, 1412, 1475, 1480, 1468, 1502,
                            1409, 1369, 1396, 1479, 1599, 1628, 1619, 1620, 1610};
    const double q[18] = {0.858946, 0.794755, 0.576249, 0.493417, 0.633873, 0.917283,
                          0.934708, 0.816012, 0.826009, 0.137861, 0.200642, 0.441254,
                          0.939291, 0.505683, 0.445935, 0.512207, 0.538635, 0.593930};
    for (int i = 0; i < 18; i++) {
        EXPECT_EQ(variant[i].statistic, visits[i]) << i;
        expect_p(variant[i].p, q[i]);
    }
}

// Appendix B: a million bits each, parameters as there.
TEST(NistAppendixB, PiESqrt2Sqrt3) {
    struct Row {
        orr_nist_test test;
        size_t part;
        double p[4];
    };
    const std::vector<Row> rows = {
        {ORR_NIST_FREQUENCY, 0, {0.578211, 0.953749, 0.811881, 0.610051}},
        {ORR_NIST_BLOCK_FREQUENCY, 0, {0.380615, 0.211072, 0.833222, 0.473961}},
        {ORR_NIST_CUSUM, 0, {0.628308, 0.669887, 0.879009, 0.917121}},
        {ORR_NIST_CUSUM, 1, {0.663369, 0.724266, 0.957206, 0.689519}},
        {ORR_NIST_RUNS, 0, {0.419268, 0.561917, 0.313427, 0.261123}},
        {ORR_NIST_LONGEST_RUN, 0, {0.024390, 0.718945, 0.012117, 0.446726}},
        {ORR_NIST_RANK, 0, {0.083553, 0.306156, 0.823810, 0.314498}},
        {ORR_NIST_SPECTRAL, 0, {0.010186, 0.847187, 0.581909, 0.776046}},
        {ORR_NIST_NON_OVERLAPPING, 0, {0.165757, 0.078790, 0.569461, 0.532235}},
        {ORR_NIST_OVERLAPPING, 0, {0.296897, 0.110434, 0.791982, 0.082716}},
        {ORR_NIST_UNIVERSAL, 0, {0.669012, 0.282568, 0.130805, 0.165981}},
        {ORR_NIST_ENTROPY, 0, {0.361595, 0.700073, 0.884740, 0.180481}},
        {ORR_NIST_RANDOM_EXCURSIONS, 4, {0.844143, 0.786868, 0.216235, 0.783283}},
        {ORR_NIST_RANDOM_EXCURSIONS_VARIANT, 8, {0.760966, 0.826009, 0.566118, 0.155066}},
        {ORR_NIST_COMPLEXITY, 0, {0.255475, 0.826335, 0.317127, 0.346469}},
        {ORR_NIST_SERIAL, 0, {0.143005, 0.766182, 0.861925, 0.157500}},
    };
    // The four expansions one behind the other, as the battery reads a file.
    std::vector<uint8_t> all;
    for (const char *name : {"pi", "e", "sqrt2", "sqrt3"}) {
        Sequence s = expansion(name, 1000000);
        all.insert(all.end(), s.bytes.begin(), s.bytes.end());
    }
    orr_nist_options options{};
    options.threads = 2;
    options.constants = ORR_NIST_AS_PRINTED;
    orr_nist_result result;
    orr_error error{};
    ASSERT_EQ(orr_nist_bytes(all.data(), all.size(), &options, &result, &error), ORR_OK);
    ASSERT_EQ(result.sequences, 4u);
    for (const Row &row : rows) {
        size_t column = orr_nist_test_first(row.test) + row.part;
        for (size_t s = 0; s < 4; s++) {
            SCOPED_TRACE(std::string(orr_nist_test_key(row.test)) + " " + std::to_string(s));
            expect_p(result.p[s * ORR_NIST_COLUMNS + column], row.p[s]);
        }
    }
    orr_nist_result_free(&result);
}

// ---- against plain definitions ----

unsigned plain_massey(const std::vector<int> &s) {
    size_t n = s.size(), length = 0, m = 0;
    std::vector<int> c(n + 1), b(n + 1);
    c[0] = b[0] = 1;
    for (size_t k = 0; k < n; k++) {
        int d = s[k];
        for (size_t i = 1; i <= length; i++) d ^= c[i] & s[k - i];
        m++; // distance from the last change
        if (!d) continue;
        std::vector<int> t = c;
        for (size_t i = 0; i + m <= n; i++) c[i + m] ^= b[i];
        if (2 * length <= k) {
            length = k + 1 - length;
            b = t;
            m = 0;
        }
    }
    return unsigned(length);
}

TEST(NistPlain, ComplexityOfManyLengths) {
    for (size_t block : {4u, 5u, 13u, 64u, 65u, 129u, 300u}) {
        size_t blocks = 270, n = block * blocks + block / 2;
        Sequence s(random_bytes(n / 8 + 1), n);
        std::vector<uint64_t> counts(7);
        for (size_t b = 0; b < blocks; b++) {
            std::vector<int> bits(block);
            for (size_t i = 0; i < block; i++) {
                size_t at = b * block + i;
                bits[i] = s.bytes[at / 8] >> (7 - at % 8) & 1;
            }
            double m = double(block), sign = block % 2 ? -1 : 1;
            double mean = m / 2 + (9 - sign) / 36 - (m / 3 + 2.0 / 9) / std::pow(2.0, m);
            double t = sign * (plain_massey(bits) - mean) + 2.0 / 9;
            counts[t <= -2.5 ? 0 : t > 2.5 ? 6 : size_t(std::ceil(t + 2.5))]++;
        }
        const double pi[7] = {1 / 96., 1 / 32., 1 / 8., .5, .25, 1 / 16., 1 / 48.};
        double chi = 0;
        for (int i = 0; i < 7; i++) {
            chi +=
                std::pow(double(counts[i]) - double(blocks) * pi[i], 2) / (double(blocks) * pi[i]);
        }
        EXPECT_NEAR(orr_nist_complexity(s.bits, block, ORR_NIST_CORRECTED).statistic, chi, 1e-9)
            << block;
    }
}

TEST(NistPlain, TransformOfAnyLength) {
    for (size_t n : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 25u, 30u, 49u, 97u, 128u, 240u, 1000u}) {
        std::vector<double> z(2 * n), want(2 * n);
        for (double &v : z) v = double(test_random()() >> 11) / 9007199254740992.0 - 0.5;
        for (size_t k = 0; k < n; k++) {
            for (size_t i = 0; i < n; i++) {
                double angle = -2 * M_PI * double(i * k % n) / double(n);
                want[2 * k] += z[2 * i] * std::cos(angle) - z[2 * i + 1] * std::sin(angle);
                want[2 * k + 1] += z[2 * i] * std::sin(angle) + z[2 * i + 1] * std::cos(angle);
            }
        }
        orr_fft *plan = orr_fft_new(n);
        ASSERT_NE(plan, nullptr);
        for (int twice = 0; twice < 2; twice++) { // a plan keeps nothing from its last run
            std::vector<double> got = z;
            orr_fft_run(plan, got.data());
            for (size_t i = 0; i < 2 * n; i++) EXPECT_NEAR(got[i], want[i], 1e-11) << n << " " << i;
        }
        orr_fft_free(plan);
    }
}

TEST(NistPlain, GammaFunction) {
    // Q(1, x) = e^-x, Q(1/2, x) = erfc(sqrt x), Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1)
    for (double x : {1e-9, 0.3, 1.0, 2.5, 30.0, 300.0}) {
        EXPECT_NEAR(orr_igamc(1, x) / std::exp(-x), 1, 1e-13);
        EXPECT_NEAR(orr_igamc(0.5, x) / std::erfc(std::sqrt(x)), 1, 1e-13);
    }
    EXPECT_EQ(orr_igamc(3, 0), 1);
    EXPECT_EQ(orr_igamc(3, INFINITY), 0);
    EXPECT_TRUE(std::isnan(orr_igamc(0, 1)));
    EXPECT_TRUE(std::isnan(orr_igamc(1, -1)));
}

// Against MPFR's incomplete gamma function, from deep in one tail to deep in the other.
TEST(NistPlain, GammaFunctionInHighPrecision) {
    mpfr_t a, x, q, whole;
    mpfr_inits2(200, a, x, q, whole, nullptr);
    double worst = 0;
    for (double half : {1.0, 2.0, 3.0, 5.0, 9.0, 16.0, 100.0, 1000.0, 7812.0, 262144.0}) {
        for (double z = -20; z <= 20; z += half < 1000 ? 1.25 : 10) { // MPFR takes its time
            double shape = half / 2, at = shape + z * std::sqrt(shape) + 0.1;
            if (at <= 0) continue;
            mpfr_set_d(a, shape, MPFR_RNDN);
            mpfr_set_d(x, at, MPFR_RNDN);
            mpfr_gamma_inc(q, a, x, MPFR_RNDN);
            mpfr_gamma(whole, a, MPFR_RNDN);
            mpfr_div(q, q, whole, MPFR_RNDN);
            double want = mpfr_get_d(q, MPFR_RNDN);
            if (want < 1e-290) continue;
            worst = std::max(worst, std::fabs(orr_igamc(shape, at) / want - 1));
        }
    }
    EXPECT_LT(worst, 1e-12);
    RecordProperty("worst", std::to_string(worst));
    mpfr_clears(a, x, q, whole, nullptr);
}

// Sequences that begin inside a byte, on any number of threads.
TEST(NistBattery, SequencesFollowEachOtherBitByBit) {
    const size_t n = 1003, count = 60;
    std::vector<uint8_t> bytes = random_bytes((n * count + 13) / 8);
    orr_nist_options options{};
    options.bits = n;
    orr_nist_result one, three;
    orr_error error{};
    options.threads = 1;
    ASSERT_EQ(orr_nist_bytes(bytes.data(), bytes.size(), &options, &one, &error), ORR_OK);
    options.threads = 3;
    ASSERT_EQ(orr_nist_bytes(bytes.data(), bytes.size(), &options, &three, &error), ORR_OK);
    ASSERT_EQ(one.sequences, count);
    EXPECT_EQ(one.unused_bits, 8 * bytes.size() - n * count);
    EXPECT_EQ(std::memcmp(one.p, three.p, count * ORR_NIST_COLUMNS * sizeof *one.p), 0);
    for (size_t s : {size_t(0), size_t(1), size_t(7), count - 1}) {
        std::vector<uint64_t> words(ORR_BITS_WORDS(n));
        orr_bits_pack(bytes.data(), s * n, n, words.data());
        EXPECT_EQ(one.p[s * ORR_NIST_COLUMNS], orr_nist_frequency({words.data(), n}).p);
        size_t spectral = orr_nist_test_first(ORR_NIST_SPECTRAL);
        EXPECT_EQ(one.p[s * ORR_NIST_COLUMNS + spectral],
                  orr_nist_spectral({words.data(), n}, ORR_NIST_CORRECTED).p);
    }
    EXPECT_TRUE(std::isnan(one.p[orr_nist_test_first(ORR_NIST_RANK)])); // too short for it
    EXPECT_EQ(one.tests[ORR_NIST_RANK].applicable, 0u);
    EXPECT_FALSE(one.tests[ORR_NIST_RANK].passed);
    orr_nist_result_free(&one);
    orr_nist_result_free(&three);
}

int stop_at_three(void *context, uint64_t done, uint64_t total) {
    EXPECT_EQ(total, 10u);
    *static_cast<uint64_t *>(context) = done;
    return done == 3;
}

TEST(NistBattery, StopsAndRefuses) {
    std::vector<uint8_t> bytes = random_bytes(10 * 125);
    uint64_t done = 0;
    orr_nist_options options{};
    options.bits = 1000;
    options.threads = 1;
    options.progress = stop_at_three;
    options.progress_context = &done;
    orr_nist_result result;
    orr_error error{};
    EXPECT_EQ(orr_nist_bytes(bytes.data(), bytes.size(), &options, &result, &error), ORR_STOPPED);
    EXPECT_EQ(done, 3u);
    orr_nist_result_free(&result);
    options.progress = nullptr;
    EXPECT_EQ(orr_nist_bytes(bytes.data(), 124, &options, &result, &error), ORR_UNSUPPORTED);
    orr_nist_result_free(&result);
    options.bits = 10;
    EXPECT_EQ(orr_nist_bytes(bytes.data(), 124, &options, &result, &error), ORR_USAGE);
    orr_nist_result_free(&result);
    options.bits = 0;
    EXPECT_EQ(orr_nist_file("/nonexistent/bits", &options, &result, &error), ORR_IO);
    EXPECT_NE(std::string(error.text).find("/nonexistent/bits"), std::string::npos);
    orr_nist_result_free(&result);
}

// 4.2: a source whose P-values are known.
TEST(NistBattery, ProportionAndUniformity) {
    orr_nist_result result{};
    orr_error error{};
    result.sequences = 1000;
    result.bits = 1000000;
    result.alpha = 0.01;
    std::vector<double> p(1000 * ORR_NIST_COLUMNS, NAN);
    size_t even = orr_nist_test_first(ORR_NIST_FREQUENCY), bad = orr_nist_test_first(ORR_NIST_RUNS);
    size_t squeezed = orr_nist_test_first(ORR_NIST_RANK);
    for (size_t s = 0; s < 1000; s++) {
        double u = (double(s) + 0.5) / 1000;
        p[s * ORR_NIST_COLUMNS + even] = u;
        p[s * ORR_NIST_COLUMNS + bad] = s < 25 ? 0.001 : u; // 25 of 1000 fail
        p[s * ORR_NIST_COLUMNS + squeezed] = 0.2 + 0.8 * u; // none fails, two tenths are empty
    }
    result.p = p.data();
    ASSERT_EQ(orr_nist_analyse(&result, &error), ORR_OK);
    const orr_nist_column *c = result.columns;
    EXPECT_EQ(c[even].passed, 990u);
    EXPECT_EQ(c[even].uniformity, 1);
    EXPECT_NEAR(c[even].low, 0.980561, 1e-6); // the document's example: 0.99 -+ 0.0094392
    EXPECT_NEAR(c[even].high, 0.999439, 1e-6);
    EXPECT_TRUE(result.tests[ORR_NIST_FREQUENCY].passed);
    EXPECT_EQ(c[bad].passed, 975u);
    EXPECT_FALSE(c[bad].in_band);
    EXPECT_FALSE(result.tests[ORR_NIST_RUNS].passed);
    EXPECT_FALSE(c[squeezed].uniform);
    EXPECT_FALSE(result.tests[ORR_NIST_RANK].passed);
    EXPECT_LT(c[squeezed].kolmogorov, 1e-9);
    EXPECT_FALSE(result.tests[ORR_NIST_SERIAL].passed); // no sequence at all
    EXPECT_EQ(result.passed, 1);
    EXPECT_EQ(result.applicable, 3);
}

// A constant fails what applies to it; so does a counter.
TEST(NistBattery, PoorSourcesFail) {
    std::vector<uint8_t> counter(125000);
    for (size_t i = 0; i < counter.size(); i++) counter[i] = uint8_t(i);
    orr_nist_options options{};
    orr_nist_result result;
    orr_error error{};
    for (int constant = 0; constant < 2; constant++) {
        if (constant) counter.assign(counter.size(), 0);
        ASSERT_EQ(orr_nist_bytes(counter.data(), counter.size(), &options, &result, &error),
                  ORR_OK);
        EXPECT_LT(result.p[orr_nist_test_first(ORR_NIST_SERIAL)], 1e-6);
        EXPECT_LT(result.p[orr_nist_test_first(ORR_NIST_SPECTRAL)], 1e-6);
        if (constant) {
            EXPECT_LT(result.p[orr_nist_test_first(ORR_NIST_COMPLEXITY)], 1e-6);
        }
        EXPECT_LT(result.p[orr_nist_test_first(ORR_NIST_ENTROPY)], 1e-6);
        EXPECT_TRUE(std::isnan(result.p[orr_nist_test_first(ORR_NIST_RANDOM_EXCURSIONS)]));
        orr_nist_result_free(&result);
    }
}

} // namespace
