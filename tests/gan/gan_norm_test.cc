// tanh of the generator's end against the C library's, in double: at every size of argument.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "gan/onednn/norm.h"
#include "tests/support/random.h"

namespace {

std::vector<float> arguments() {
    std::vector<float> x = {0.0f,
                            -0.0f,
                            1e-30f,
                            -1e-38f,
                            0.34657f,
                            0.17328f,
                            9.4999f,
                            9.5001f,
                            88.8f,
                            -1e10f,
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
    std::uniform_real_distribution<float> exponent(-20, 5);
    for (int n = 0; n < 200000; n++) {
        float v = std::exp2(exponent(test_random()));
        x.push_back(n % 2 ? v : -v);
    }
    return x;
}

void check(const orr_norm_kernels *kernels) {
    std::vector<float> x = arguments(), y(x.size(), 7.0f);
    kernels->tanh(x.size(), x.data(), y.data());
    for (size_t n = 0; n < x.size(); n++) {
        double right = std::tanh(static_cast<double>(x[n]));
        EXPECT_LE(std::fabs(static_cast<double>(y[n]) - right), 4e-7 * std::fabs(right))
            << x[n] << " gives " << y[n];
        EXPECT_EQ(std::signbit(y[n]), std::signbit(x[n]));
    }
}

TEST(GanNorm, TanhPortable) {
    check(&orr_norm_portable);
}

TEST(GanNorm, TanhBestHasTheSameBits) {
    std::vector<float> x = arguments(), a(x.size()), b(x.size());
    orr_norm_portable.tanh(x.size(), x.data(), a.data());
    orr_norm_best()->tanh(x.size(), x.data(), b.data());
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

// Losses that are no numbers are looked for, so none may get lost on the way.
TEST(GanNorm, TanhKeepsWhatIsNoNumberAndStaysInItsPlace) {
    std::vector<float> x(19, 0.5f);
    x[3] = x[17] = std::nanf("");
    for (const orr_norm_kernels *kernels : {&orr_norm_portable, orr_norm_best()}) {
        std::vector<float> y(20, 7.0f);
        kernels->tanh(19, x.data(), y.data());
        for (size_t n = 0; n < 19; n++) EXPECT_EQ(std::isnan(y[n]), n == 3 || n == 17) << n;
        EXPECT_EQ(y[19], 7.0f);
    }
}

} // namespace
