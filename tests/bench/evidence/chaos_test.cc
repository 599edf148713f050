// The 1-DEC map against its published formula, and the tools that describe it against maps whose
// exponent, distribution or cycles are known.
#include <cmath>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "bench/evidence/chaos.h"
#include "kernels/map.h"
#include "tests/support/random.h"

namespace {

TEST(Chaos, OneStepIsThePublishedOne) {
    orr_chaos_agreement a;
    uint64_t seed = test_random()();
    orr_chaos_agree(ORR_MAP_K2_DEFAULT, 2000, seed, &a);
    EXPECT_NEAR(a.mu, 0.0519999999988, 1e-13);
    EXPECT_LT(a.worst_y, std::ldexp(1, -28));
    EXPECT_GT(a.worst_y, std::ldexp(1, -32)); // rounding there must be: this measures something
    EXPECT_GT(a.worst_double_y, 16 * a.worst_y);
    // The square is cut to 2^-62 twice at most, and K2 enlarges that.
    for (uint32_t k2 : {ORR_MAP_K2_DEFAULT, UINT32_MAX, uint32_t(seed) | 1, 35u}) {
        if (k2 < 35) continue;
        orr_chaos_agree(k2, 500, seed, &a);
        EXPECT_LT(a.worst_u, 2.001 * k2 * std::ldexp(1, -63)) << k2;
    }
    EXPECT_EQ(orr_chaos_k2(orr_chaos_mu(1000001)), 1000001u);
    EXPECT_EQ(orr_chaos_k2(0.01), 0u);
}

TEST(Chaos, LyapunovExponents) {
    // Known: ln 2 at r = 4, ln a for Chebyshev, negative in a window of period 3.
    EXPECT_NEAR(orr_chaos_lyapunov(ORR_CHAOS_LOGISTIC, 4, 200000), std::log(2), 0.01);
    EXPECT_NEAR(orr_chaos_lyapunov(ORR_CHAOS_CHEBYSHEV, 4, 200000), std::log(4), 0.01);
    EXPECT_LT(orr_chaos_lyapunov(ORR_CHAOS_LOGISTIC, 3.832, 10000), -0.5);
    EXPECT_GT(orr_chaos_lyapunov(ORR_CHAOS_DCP, 20, 10000), 2);
    EXPECT_GT(orr_chaos_lyapunov(ORR_CHAOS_DSP, 5, 10000), 0.1);
    double mu = 0.0519999999988, ideal = std::log(double(ORR_MAP_K2_DEFAULT)) - 1;
    EXPECT_NEAR(1 / mu + std::log(4 * M_PI) - 1, ideal, 1e-6);
    EXPECT_NEAR(orr_chaos_lyapunov(ORR_CHAOS_DEC, mu, 100000), ideal, 0.02);
    EXPECT_NEAR(orr_chaos_lyapunov_integer(ORR_MAP_K2_DEFAULT, 100000), ideal, 0.02);
    // Both forms away from the limit of large K, where ln K2 - 1 no longer holds.
    for (uint32_t k2 : {25u, 79u, 1375u}) {
        EXPECT_NEAR(orr_chaos_lyapunov(ORR_CHAOS_DEC, orr_chaos_mu(k2), 200000),
                    orr_chaos_lyapunov_integer(k2, 200000), 0.03)
            << k2;
    }
}

// The published map is not chaotic for every mu: a window of period 2, in both of its forms.
TEST(Chaos, AWindowOfTheMap) {
    const double mu = 0.828752;
    EXPECT_LT(orr_chaos_lyapunov(ORR_CHAOS_DEC, mu, 10000), 0);
    double x[4], p[4], u = 0.3, k = 2 * M_PI * std::exp(1 / mu);
    orr_chaos_bifurcation(ORR_CHAOS_DEC, mu, mu, 1, 50000, 4, p, x);
    EXPECT_NEAR(x[0], x[2], 1e-9);
    EXPECT_GT(std::fabs(x[0] - x[1]), 1);
    for (int i = 0; i < 50000; i++) { // the angle, in doubles
        double v = std::fmod(k * u * u, 2);
        u = v > 1 ? v - 1 : 1 - v;
    }
    double v = std::fmod(k * u * u, 2), next = v > 1 ? v - 1 : 1 - v;
    EXPECT_NEAR(std::fabs(std::cos(M_PI * u) - std::cos(M_PI * next)), std::fabs(x[0] - x[1]),
                1e-6);
}

// ln |f'| of each map against a difference quotient.
TEST(Chaos, Slopes) {
    const double parameter[ORR_CHAOS_MAPS] = {0.3, 3.7, 2.5, 1.7, 5};
    for (int map = 0; map < ORR_CHAOS_MAPS; map++) {
        for (double x : {0.2, 0.37, 0.81}) {
            double slope, h = 1e-6;
            orr_chaos_step(orr_chaos_map(map), parameter[map], x, &slope);
            double up = orr_chaos_step(orr_chaos_map(map), parameter[map], x + h, nullptr);
            double down = orr_chaos_step(orr_chaos_map(map), parameter[map], x - h, nullptr);
            EXPECT_NEAR(slope, std::log(std::fabs(up - down) / (2 * h)), 1e-4) << map << " " << x;
        }
    }
}

TEST(Chaos, StatesFollowTheArcsineLaw) {
    orr_chaos_states s;
    orr_chaos_states_integer(ORR_MAP_K2_DEFAULT, 500000, &s);
    EXPECT_EQ(s.samples, 500000u);
    EXPECT_GT(s.p, 1e-6);
    orr_chaos_states_of(ORR_CHAOS_DEC, 0.0519999999988, 500000, &s);
    EXPECT_GT(s.p, 1e-6);
    orr_chaos_states_of(ORR_CHAOS_LOGISTIC, 4, 500000, &s);
    EXPECT_LT(s.chi_square, 500);
    orr_chaos_states_of(ORR_CHAOS_DEC, 1, 500000, &s); // K2 = 34: one step does not mix all
    EXPECT_LT(s.p, 1e-12);
    orr_chaos_states_of(ORR_CHAOS_DCP, 20, 500000, &s);
    EXPECT_LT(s.p, 1e-12);
}

TEST(Chaos, BifurcationOfTheLogisticMap) {
    std::vector<double> parameter(3 * 8), state(3 * 8);
    orr_chaos_bifurcation(ORR_CHAOS_LOGISTIC, 2.8, 3.2, 3, 2000, 8, parameter.data(), state.data());
    EXPECT_EQ(parameter[0], 2.8);
    EXPECT_EQ(parameter[23], 3.2);
    for (int i = 0; i < 8; i++) EXPECT_NEAR(state[i], 1 - 1 / 2.8, 1e-9);        // a fixed point
    for (int i = 0; i < 6; i++) EXPECT_NEAR(state[16 + i], state[18 + i], 1e-9); // a period of two
    EXPECT_GT(std::fabs(state[16] - state[17]), 0.1);
}

TEST(Chaos, SmallMapIsTheMapWhenItIsWhole) {
    uint32_t factor = orr_chaos_small_factor(63, ORR_MAP_K2_DEFAULT);
    EXPECT_EQ(factor, ORR_MAP_K2_DEFAULT);
    for (int i = 0; i < 10000; i++) {
        uint64_t u = test_random()() >> 1;
        // kernels/map.h leaves out low * low: the square may differ in its last place.
        uint64_t ours = orr_map_step(u, factor), exact = orr_chaos_small_step(u, 63, factor);
        int64_t apart = int64_t(ours - exact);
        EXPECT_TRUE(std::llabs(apart) <= int64_t(factor) || ours + exact < 2 * uint64_t(factor) ||
                    (ours > (UINT64_C(1) << 63) - factor && exact > (UINT64_C(1) << 63) - factor))
            << u;
        EXPECT_LT(orr_chaos_small_step(u >> 47, 16, 0xa9), 65536u);
    }
}

// Brent's algorithm against a table of visits, by the same starts and factors.
TEST(Chaos, CyclesOfSixteenBits) {
    const uint64_t seed = 7;
    orr_chaos_cycles c;
    orr_chaos_find_cycles(16, ORR_MAP_K2_DEFAULT, 50, seed, &c);
    double cycle = 0, tail = 0;
    for (uint64_t i = 0; i < 50; i++) {
        uint32_t random = uint32_t(orr_mix64(~(seed + i))) & 0x7fffffffu;
        uint32_t factor = orr_chaos_small_factor(16, (ORR_MAP_K2_DEFAULT & 0x80000000u) | random);
        std::map<uint64_t, uint64_t> when;
        uint64_t u = orr_mix64(seed + i) >> 48, step = 0;
        for (; !when.count(u); step++) {
            when[u] = step;
            u = orr_chaos_small_step(u, 16, factor);
        }
        tail += double(when[u]) / 50;
        cycle += double(step - when[u]) / 50;
    }
    EXPECT_NEAR(c.mean_cycle, cycle, 1e-9);
    EXPECT_NEAR(c.mean_tail, tail, 1e-9);
    EXPECT_LE(c.shortest, c.mean_cycle);
    EXPECT_GE(c.longest, c.mean_cycle);
}

TEST(Chaos, CyclesGrowAsExpected) {
    for (unsigned bits : {24u, 28u, 32u}) {
        orr_chaos_cycles c;
        orr_chaos_find_cycles(bits, ORR_MAP_K2_DEFAULT, 200, 3, &c); // fixed: no chance takes part
        EXPECT_NEAR(c.mean_cycle / c.expected, 1, 0.25) << bits;
        EXPECT_NEAR(c.mean_tail / c.expected, 1, 0.25) << bits;
    }
}

} // namespace
