// The order of the planets by distance from the Sun never changes, so the cipher may hold it
// constant.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "host/paper/planets.h"
#include "kernels/vpd.h"

namespace {

const int64_t k1800 = -5364662400, k2050 = 2524608000; // Unix seconds of 1 January
enum { kUranus, kMars, kVenus, kNeptune, kJupiter, kEarth, kSaturn, kMercury };

// Perihelia of the almanacs (AU): the date and the distance must both agree.
TEST(Planets, AgreeWithPublishedPerihelia) {
    const struct {
        int planet;
        int64_t time;
        double au, tolerance;
    } known[] = {
        {kEarth, 1704243600, 0.9833, 0.0003}, // 3 January 2024
        {kEarth, 1720159200, 1.0167, 0.0003}, // aphelion, 5 July 2024
        {kMars, 1655791200, 1.3814, 0.002},   // 21 June 2022
        {kJupiter, 1674216000, 4.951, 0.01},  // 20 January 2023
        {kSaturn, 1059220800, 9.031, 0.02},   // 26 July 2003
        {kNeptune, 1725580800, 29.90, 0.05},  // September 2024
    };
    for (const auto &entry : known) {
        double au[8];
        orr_planet_distances(entry.time, au);
        EXPECT_NEAR(entry.au, au[entry.planet], entry.tolerance) << entry.planet;
    }
}

TEST(Planets, OrderIsConstantFrom1800To2050) {
    double nearest[8], farthest[8], au[8];
    std::fill(nearest, nearest + 8, 1e9);
    std::fill(farthest, farthest + 8, 0.0);
    for (int64_t time = k1800; time <= k2050; time += 20 * 86400 + 4321) {
        orr_planet_distances(time, au);
        for (int p = 0; p < 8; p++) {
            nearest[p] = std::min(nearest[p], au[p]);
            farthest[p] = std::max(farthest[p], au[p]);
            int rank = int(std::count_if(au, au + 8, [&](double d) { return d < au[p]; }));
            ASSERT_EQ(orr_heliocentric_rank[p], rank) << p << " at " << time;
        }
    }
    // Stronger: even the ranges over 250 years are apart.
    for (int p = 0; p < 8; p++) {
        for (int q = 0; q < 8; q++) {
            if (orr_heliocentric_rank[p] + 1 != orr_heliocentric_rank[q]) continue;
            EXPECT_LT(farthest[p], nearest[q]) << orr_planet_name[p] << " " << orr_planet_name[q];
        }
    }
}

TEST(Planets, FarTimesGiveFiniteNumbers) {
    for (int64_t time : {INT64_MIN, INT64_MAX, int64_t(0)}) {
        double au[8];
        orr_planet_distances(time, au);
        for (double distance : au) EXPECT_TRUE(std::isfinite(distance));
    }
}

} // namespace
