#include "base/clock.h"

double orr_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double orr_seconds(void) {
    return orr_clock(CLOCK_MONOTONIC);
}

int orr_utc(int64_t seconds, const char *format, char *out, size_t room) {
    time_t when = (time_t)seconds;
    struct tm utc;
    if (gmtime_r(&when, &utc) && strftime(out, room, format, &utc)) return 1;
    if (room) out[0] = 0;
    return 0;
}
