// The measures and critical values of bench/evidence/ against NumPy and SciPy
// (tests/vectors/evidence.txt, made by tests/oracles/evidence_oracle.py), and against published
// tables.
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bench/evidence/critical.h"
#include "bench/evidence/metrics.h"
#include "kernels/map.h"
#include "tests/support/vectors.h"

namespace {

using Words = std::vector<std::string>;

void expect_near(double value, const std::string &expected, double relative,
                 const std::string &what) {
    double e = std::stod(expected);
    EXPECT_NEAR(value, e, relative * (std::fabs(e) > 1 ? std::fabs(e) : 1)) << what;
}

// The oracle's picture: a slope with the noise of splitmix64.
struct Picture {
    Bytes data;
    orr_samples samples;
    explicit Picture(const Words &w, uint64_t more = 0) {
        uint64_t state = std::stoull(w[0]) + more;
        uint32_t channels = std::stoul(w[1]), rows = std::stoul(w[2]), columns = std::stoul(w[3]);
        unsigned bits = std::stoul(w[4]);
        for (uint32_t k = 0; k < channels; k++)
            for (uint32_t i = 0; i < rows; i++)
                for (uint32_t j = 0; j < columns; j++) {
                    unsigned noise = orr_mix64(state += 0x9e3779b97f4a7c15u) >> 56;
                    unsigned slope = 3 * i + 5 * j + 40 * k;
                    unsigned sample =
                        bits == 8 ? (slope + noise / 8) % 256 : slope * 61 + noise * 7;
                    if (bits == 16) data.push_back(static_cast<uint8_t>(sample >> 8));
                    data.push_back(static_cast<uint8_t>(sample));
                }
        samples = {data.data(), channels, rows, columns, bits};
    }
};

TEST(EvidenceMetrics, HistogramAgreesWithSciPy) {
    for (auto &w : vectors("evidence.txt", "histogram")) {
        Picture p(w);
        uint64_t counts[256];
        orr_byte_histogram(p.data.data(), p.data.size(), counts);
        expect_near(orr_entropy(counts), w[5], 1e-12, w[0]);
        expect_near(orr_uniform_chi_square(counts), w[6], 1e-12, w[0]);
    }
}

TEST(EvidenceMetrics, CorrelationAgreesWithNumPy) {
    for (auto &w : vectors("evidence.txt", "correlation")) {
        Picture p(w);
        uint32_t channel = static_cast<uint32_t>(std::stoi(w[5]));
        double r =
            orr_correlation(&p.samples, channel, static_cast<orr_direction>(std::stoi(w[6])));
        expect_near(r, w[7], 1e-12, w[0] + " " + w[5] + " " + w[6]);
    }
}

TEST(EvidenceMetrics, DifferencesAgreeWithNumPy) {
    for (auto &w : vectors("evidence.txt", "pair")) {
        Picture a(w), b(w, 100);
        double mse = orr_mse(&a.samples, &b.samples);
        expect_near(mse, w[5], 1e-12, w[0]);
        expect_near(orr_psnr(mse, a.samples.bits), w[6], 1e-12, w[0]);
        expect_near(orr_npcr(&a.samples, &b.samples), w[7], 1e-14, w[0]);
        expect_near(orr_uaci(&a.samples, &b.samples), w[8], 1e-14, w[0]);
    }
}

TEST(EvidenceMetrics, EqualImagesAndEmptyEdges) {
    Bytes one{7};
    orr_samples s{one.data(), 1, 1, 1, 8};
    EXPECT_EQ(orr_mse(&s, &s), 0);
    EXPECT_TRUE(std::isinf(orr_psnr(0, 8)));
    EXPECT_EQ(orr_npcr(&s, &s), 0);
    for (int d = 0; d < 3; d++)
        EXPECT_EQ(orr_correlation(&s, UINT32_MAX, static_cast<orr_direction>(d)), 0);
    uint64_t none[256] = {0};
    EXPECT_EQ(orr_entropy(none), 0);
    EXPECT_EQ(orr_uniform_chi_square(none), 0);
}

// The plug-in entropy of random bytes lies below 8: 512 x 512 of them have 7.9993, no more.
TEST(EvidenceMetrics, EntropyOfRandomBytes) {
    double mean, deviation;
    orr_entropy_of_random(512 * 512, &mean, &deviation);
    EXPECT_NEAR(mean, 7.99930, 5e-6);
    EXPECT_NEAR(deviation, 6.2e-5, 1e-6);
    double sum = 0;
    for (uint64_t trial = 0; trial < 20; trial++) {
        uint64_t counts[256] = {0};
        for (uint64_t n = 0; n < 65536; n++) counts[orr_mix64(trial << 32 | n) >> 56]++;
        sum += orr_entropy(counts);
    }
    orr_entropy_of_random(65536, &mean, &deviation);
    EXPECT_NEAR(sum / 20, mean, 5 * deviation / std::sqrt(20.0));
}

TEST(EvidenceCritical, DistributionsAgreeWithSciPy) {
    for (auto &w : vectors("evidence.txt", "normal"))
        expect_near(orr_normal_upper(std::stod(w[0])), w[1], 1e-12, w[0]);
    for (auto &w : vectors("evidence.txt", "chi2"))
        expect_near(orr_chi_square_tail(std::stod(w[0]), std::stod(w[1])), w[2], 1e-11, w[0]);
    for (auto &w : vectors("evidence.txt", "chi2isf"))
        expect_near(orr_chi_square_critical(std::stod(w[0]), std::stod(w[1])), w[2], 1e-10, w[0]);
    for (auto &w : vectors("evidence.txt", "binomtest"))
        expect_near(orr_binomial_test(std::stoull(w[0]), std::stod(w[1]), std::stoull(w[2])), w[3],
                    1e-9, w[2]);
    for (auto &w : vectors("evidence.txt", "binomcdf"))
        expect_near(orr_binomial_cdf(std::stoull(w[0]), std::stod(w[1]), std::stoull(w[2])), w[3],
                    1e-7, w[2]);
}

TEST(EvidenceCritical, NpcrAndUaciFollowFromTheirDefinitions) {
    for (auto &w : vectors("evidence.txt", "critical")) {
        uint64_t samples = std::stoull(w[0]);
        unsigned bits = std::stoul(w[1]);
        double alpha = std::stod(w[2]), low, high;
        orr_uaci_interval(samples, bits, alpha, &low, &high);
        expect_near(orr_npcr_critical(samples, bits, alpha), w[3], 1e-12, w[0]);
        expect_near(low, w[4], 1e-12, w[0]);
        expect_near(high, w[5], 1e-12, w[0]);
    }
}

// Tables of Wu, Noonan and Agaian (2011) for 8-bit images, in percent with four decimals.
TEST(EvidenceCritical, PublishedTables) {
    struct Row {
        uint64_t side;
        double npcr[3], low[3], high[3];
    };
    const Row rows[] = {
        {256,
         {99.5693, 99.5527, 99.5341},
         {33.2824, 33.2255, 33.1594},
         {33.6447, 33.7016, 33.7677}},
        {512,
         {99.5893, 99.5810, 99.5717},
         {33.3730, 33.3445, 33.3115},
         {33.5541, 33.5826, 33.6156}},
    };
    for (auto &row : rows)
        for (int a = 0; a < ORR_ALPHAS; a++) {
            double low, high;
            orr_uaci_interval(row.side * row.side, 8, orr_alpha[a], &low, &high);
            EXPECT_NEAR(100 * orr_npcr_critical(row.side * row.side, 8, orr_alpha[a]), row.npcr[a],
                        5.1e-5);
            EXPECT_NEAR(100 * low, row.low[a], 1.01e-4);
            EXPECT_NEAR(100 * high, row.high[a], 1.01e-4);
        }
}

// With few equal samples the normal approximation does not keep its word: said exactly.
TEST(EvidenceCritical, AcceptanceOfNpcr) {
    EXPECT_NEAR(orr_npcr_acceptance(512 * 512, 8, 0.05), 0.95, 0.004);
    EXPECT_NEAR(orr_npcr_acceptance(256 * 256, 16, 0.05), 0.9197, 0.0005);
    EXPECT_NEAR(orr_npcr_acceptance(512 * 512, 16, 0.05), 0.9489, 0.0005);
}

} // namespace
