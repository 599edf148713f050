// Times as text, the clock that only goes on, and the cores of this process.
#include <sched.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/cores.h"

namespace {

TEST(Clock, WritesTimesInUtc) {
    char text[32];
    EXPECT_TRUE(orr_utc(0, ORR_UTC_STAMP, text, sizeof text));
    EXPECT_STREQ(text, "1970-01-01T00:00:00Z");
    EXPECT_TRUE(orr_utc(1732406399, ORR_UTC_MINUTE, text, sizeof text));
    EXPECT_STREQ(text, "2024-11-23 23:59 UTC");
    EXPECT_TRUE(orr_utc(-1, ORR_UTC_STAMP, text, sizeof text));
    EXPECT_STREQ(text, "1969-12-31T23:59:59Z");
}

TEST(Clock, WritesNothingRatherThanSomeOfATime) {
    char text[32] = "before";
    EXPECT_FALSE(orr_utc(0, ORR_UTC_STAMP, text, 20));
    EXPECT_STREQ(text, "");
    EXPECT_FALSE(orr_utc(INT64_MAX, ORR_UTC_STAMP, text, sizeof text));
    EXPECT_STREQ(text, "");
}

TEST(Clock, GoesOn) {
    double before = orr_seconds();
    usleep(2000);
    double after = orr_seconds();
    EXPECT_GE(after - before, 0.002);
    EXPECT_LT(after - before, 60);
}

TEST(Cores, AreThoseThatThisProcessMayUse) {
    cpu_set_t before, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    EXPECT_EQ(orr_cores(), unsigned(CPU_COUNT(&before)));
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(orr_cores(), 1u);
    sched_setaffinity(0, sizeof before, &before);
}

} // namespace
