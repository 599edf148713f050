// What time it is, and how long something took.
#ifndef ORRERY_BASE_CLOCK_H
#define ORRERY_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

// A clock in seconds, and the one that only goes on, from an unknown beginning. Any thread.
double orr_clock(clockid_t clock);
double orr_seconds(void);

#define ORR_UTC_STAMP "%Y-%m-%dT%H:%M:%SZ"
#define ORR_UTC_MINUTE "%Y-%m-%d %H:%M UTC"

// A Unix time as strftime writes it in UTC. Returns 0, with an empty `out`, for a year that it
// cannot hold or when `room` is too small.
int orr_utc(int64_t seconds, const char *format, char *out, size_t room)
    __attribute__((format(strftime, 2, 0)));

static inline int orr_same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

#ifdef __cplusplus
}
#endif
#endif
