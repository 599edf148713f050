// Mean orbital elements and their rates at J2000: E. M. Standish, "Keplerian Elements for
// Approximate Positions of the Major Planets", table 1 (JPL; valid 1800-2050). "Earth" is the
// Earth-Moon barycentre.

#include "host/paper/planets.h"

#include <math.h>

#define DEGREE (3.14159265358979323846 / 180)

// Value at J2000 and change in a Julian century: semi-major axis (AU), eccentricity, mean longitude
// and longitude of perihelion (degrees).
typedef struct elements {
    double axis[2], eccentricity[2], longitude[2], perihelion[2];
} elements;

static const elements planet_elements[8] = {
    {{19.18916464, -0.00196176},
     {0.04725744, -0.00004397},
     {313.23810451, 428.48202785},
     {170.95427630, 0.40805281}}, // Uranus
    {{1.52371034, 0.00001847},
     {0.09339410, 0.00007882},
     {-4.55343205, 19140.30268499},
     {-23.94362959, 0.44441088}}, // Mars
    {{0.72333566, 0.00000390},
     {0.00677672, -0.00004107},
     {181.97909950, 58517.81538729},
     {131.60246718, 0.00268329}}, // Venus
    {{30.06992276, 0.00026291},
     {0.00859048, 0.00005105},
     {-55.12002969, 218.45945325},
     {44.96476227, -0.32241464}}, // Neptune
    {{5.20288700, -0.00011607},
     {0.04838624, -0.00013253},
     {34.39644051, 3034.74612775},
     {14.72847983, 0.21252668}}, // Jupiter
    {{1.00000261, 0.00000562},
     {0.01671123, -0.00004392},
     {100.46457166, 35999.37244981},
     {102.93768193, 0.32327364}}, // Earth
    {{9.53667594, -0.00125060},
     {0.05386179, -0.00050991},
     {49.95424423, 1222.49362201},
     {92.59887831, -0.41897216}}, // Saturn
    {{0.38709927, 0.00000037},
     {0.20563593, 0.00001906},
     {252.25032350, 149472.67411175},
     {77.45779628, 0.16047689}}, // Mercury
};

// Solves Kepler's equation E - e sin E = M by Newton's rule; for e < 0.21 six steps reach 1e-15.
static double eccentric_anomaly(double mean, double eccentricity) {
    double anomaly = mean + eccentricity * sin(mean);
    for (int step = 0; step < 6; step++)
        anomaly -=
            (anomaly - eccentricity * sin(anomaly) - mean) / (1 - eccentricity * cos(anomaly));
    return anomaly;
}

void orr_planet_distances(int64_t unix_time, double au[8]) {
    double centuries = ((double)unix_time / 86400 + 2440587.5 - 2451545.0) / 36525;
    centuries = fmax(-10, fmin(10, centuries)); // far outside, the linear rates mean nothing
    for (int p = 0; p < 8; p++) {
        const elements *planet = &planet_elements[p];
        double axis = planet->axis[0] + planet->axis[1] * centuries;
        double eccentricity = planet->eccentricity[0] + planet->eccentricity[1] * centuries;
        double mean = planet->longitude[0] - planet->perihelion[0] +
                      (planet->longitude[1] - planet->perihelion[1]) * centuries;
        double anomaly = eccentric_anomaly(remainder(mean, 360) * DEGREE, eccentricity);
        au[p] = axis * (1 - eccentricity * cos(anomaly));
    }
}
