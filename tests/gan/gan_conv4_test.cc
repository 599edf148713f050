// The own 4 x 4 convolutions against their definition: bit for bit on small integers, where every
// sum is exact in any order; within a bound on random numbers; the same bits with any threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "gan/onednn/conv4.h"
#include "tests/support/random.h"

#ifdef _OPENMP
#include <omp.h>
#else
#define omp_set_num_threads(n) ((void)(n))
#endif

namespace {

using Floats = std::vector<float>;
using Packed = std::unique_ptr<float, decltype(&std::free)>;

struct Tensors {
    Floats small, large, weight;
};

size_t small_at(const orr_conv4 &s, size_t n, size_t a, size_t y, size_t x) {
    return (((n * (s.a / 8) + a / 8) * s.size + y) * s.size + x) * 8 + a % 8;
}

size_t large_at(const orr_conv4 &s, size_t n, size_t b, size_t y, size_t x) {
    if (!orr_conv4_fits(&s)) return ((n * s.b + b) * 2 * s.size + y) * 2 * s.size + x; // narrow
    return (((n * (s.b / 8) + b / 8) * 2 * s.size + y) * 2 * s.size + x) * 8 + b % 8;
}

// Calls join(small index, large index, weight index) for all that the convolution joins.
void for_all(const orr_conv4 &s, const std::function<void(size_t, size_t, size_t)> &join) {
    for (size_t n = 0; n < s.images; n++)
        for (size_t place = 0; place < s.size * s.size * 16; place++) {
            size_t y = place / 16 / s.size, x = place / 16 % s.size, v = place / 4 % 4,
                   u = place % 4, Y = 2 * y + v - 1, X = 2 * x + u - 1;
            if (Y >= 2 * s.size || X >= 2 * s.size) continue;
            for (size_t a = 0; a < s.a; a++)
                for (size_t b = 0; b < s.b; b++)
                    join(small_at(s, n, a, y, x), large_at(s, n, b, Y, X),
                         (a * s.b + b) * 16 + v * 4 + u);
        }
}

Tensors draw(const orr_conv4 &s, const std::function<float()> &value) {
    Tensors t{Floats(s.images * s.a * s.size * s.size),
              Floats(s.images * s.b * s.size * s.size * 4), Floats(s.a * s.b * 16)};
    for (Floats *all : {&t.small, &t.large, &t.weight})
        for (float &v : *all) v = value();
    return t;
}

Floats scatter(const orr_conv4 &s, const Tensors &t) {
    size_t bytes = s.a * s.b * 16 * sizeof(float);
    Packed packed(static_cast<float *>(std::aligned_alloc(64, bytes)), &std::free);
    Floats large(t.large.size(), NAN); // every element is written
    orr_conv4_pack(&s, t.weight.data(), packed.get());
    orr_conv4_scatter(&s, t.small.data(), packed.get(), large.data());
    return large;
}

// Largest distance from the definition, sums in double.
double scatter_error(const orr_conv4 &s, const Tensors &t) {
    std::vector<double> right(t.large.size(), 0);
    Floats got = scatter(s, t);
    double worst = 0;
    for_all(s, [&](size_t i, size_t j, size_t w) {
        right[j] += static_cast<double>(t.small[i]) * static_cast<double>(t.weight[w]);
    });
    for (size_t j = 0; j < got.size(); j++) {
        double distance = std::fabs(static_cast<double>(got[j]) - right[j]);
        if (!(distance <= worst)) worst = std::isnan(distance) ? HUGE_VAL : distance;
    }
    return worst;
}

double correlate_error(const orr_conv4 &s, const Tensors &t, bool accumulate) {
    std::vector<double> right(t.weight.size(), 0);
    Floats got(t.weight.size(), accumulate ? 0 : NAN);
    double worst = 0;
    if (accumulate) {
        got = t.weight;
        right.assign(t.weight.begin(), t.weight.end());
    }
    orr_conv4_correlate(&s, t.small.data(), t.large.data(), got.data(), accumulate);
    for_all(s, [&](size_t i, size_t j, size_t w) {
        right[w] += static_cast<double>(t.small[i]) * static_cast<double>(t.large[j]);
    });
    for (size_t w = 0; w < got.size(); w++) {
        double distance = std::fabs(static_cast<double>(got[w]) - right[w]);
        if (!(distance <= worst)) worst = std::isnan(distance) ? HUGE_VAL : distance;
    }
    return worst;
}

// Tiles with a rest, chunks of channels with a rest, bands of rows, all sizes of the DCGAN.
const orr_conv4 shapes[] = {{1, 8, 16, 1},  {3, 8, 16, 2},  {2, 40, 32, 3},
                            {7, 64, 16, 4}, {2, 24, 48, 8}, {1, 16, 16, 5},
                            {2, 8, 32, 16}, {1, 8, 16, 32}, {1, 72, 16, 17}};

class GanConv4 : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!orr_conv4_available()) GTEST_SKIP() << "this processor has no AVX2";
    }
};

TEST_F(GanConv4, ExactOnSmallIntegers) {
    for (const orr_conv4 &s : shapes) {
        SCOPED_TRACE(::testing::Message()
                     << s.images << " images, " << s.a << " and " << s.b << ", size " << s.size);
        ASSERT_TRUE(orr_conv4_fits(&s));
        Tensors t =
            draw(s, [] { return static_cast<float>(static_cast<int>(test_random()() % 5) - 2); });
        EXPECT_EQ(scatter_error(s, t), 0);
        EXPECT_EQ(correlate_error(s, t, false), 0);
        EXPECT_EQ(correlate_error(s, t, true), 0);
    }
}

TEST_F(GanConv4, NarrowExactOnSmallIntegers) {
    for (const orr_conv4 &s :
         {orr_conv4{2, 64, 3, 4}, orr_conv4{1, 32, 1, 1}, orr_conv4{3, 96, 2, 5},
          orr_conv4{1, 32, 3, 32}, orr_conv4{1, 32, 4, 64}, orr_conv4{2, 32, 3, 2}}) {
        SCOPED_TRACE(::testing::Message()
                     << s.images << " images, " << s.a << " and " << s.b << ", size " << s.size);
        ASSERT_TRUE(orr_conv4_fits_narrow(&s) && !orr_conv4_fits(&s));
        Tensors t =
            draw(s, [] { return static_cast<float>(static_cast<int>(test_random()() % 5) - 2); });
        EXPECT_EQ(scatter_error(s, t), 0);
    }
}

// Sums of n products of normal numbers: partial sums are some sqrt(k), each is rounded to 2^-24 of
// itself, so a sum is off by 2^-24 n / sqrt(6), 5e-5 for n = 2,048; ten times that is the bound.
TEST_F(GanConv4, CloseOnRandomNumbers) {
    std::normal_distribution<float> normal(0, 1);
    for (const orr_conv4 &s : {orr_conv4{2, 512, 16, 4}, orr_conv4{4, 8, 32, 16}}) {
        Tensors t = draw(s, [&] { return normal(test_random()); });
        EXPECT_LE(scatter_error(s, t), 5e-4);
        EXPECT_LE(correlate_error(s, t, false), 5e-4);
    }
}

TEST_F(GanConv4, SameBitsWithAnyThreads) {
    std::normal_distribution<float> normal(0, 1);
    orr_conv4 s = {3, 40, 64, 8};
    Tensors t = draw(s, [&] { return normal(test_random()); });
    Floats first, gradient(t.weight.size()), again(t.weight.size());
    omp_set_num_threads(1);
    first = scatter(s, t);
    orr_conv4_correlate(&s, t.small.data(), t.large.data(), gradient.data(), 0);
    omp_set_num_threads(3);
    EXPECT_EQ(scatter(s, t), first);
    orr_conv4_correlate(&s, t.small.data(), t.large.data(), again.data(), 0);
    EXPECT_EQ(again, gradient);
}

TEST_F(GanConv4, RefusesOtherChannels) {
    for (orr_conv4 s : {orr_conv4{1, 12, 16, 4}, orr_conv4{1, 8, 8, 4}, orr_conv4{1, 8, 3, 4}})
        EXPECT_FALSE(orr_conv4_fits(&s));
    for (orr_conv4 s : {orr_conv4{1, 48, 3, 4}, orr_conv4{1, 32, 5, 4}, orr_conv4{1, 32, 3, 65}})
        EXPECT_FALSE(orr_conv4_fits_narrow(&s));
}

} // namespace
