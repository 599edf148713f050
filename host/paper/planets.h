// Heliocentric distances at a moment, from published mean orbital elements (Standish, JPL, valid
// 1800-2050), for the paper profile's display only: the order by distance never changes, so no key
// or byte depends on these floating-point numbers.
#ifndef ORRERY_HOST_PAPER_PLANETS_H
#define ORRERY_HOST_PAPER_PLANETS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Distances from the Sun in astronomical units of Uranus, Mars, Venus, Neptune, Jupiter, Earth,
// Saturn, Mercury (the order of kernels/vpd.h) at a Unix time (UTC seconds).
void orr_planet_distances(int64_t unix_time, double au[8]);

#ifdef __cplusplus
}
#endif
#endif
