// Charts as SVG 1.1 text: lines, points, steps, bars and dense scatter, readable on light and dark
// ground. A chart stands alone as a file and embeds in a page (media/page.h) unchanged.
#ifndef ORRERY_MEDIA_PLOT_H
#define ORRERY_MEDIA_PLOT_H

#include <stddef.h>

#include "media/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum orr_plot_kind {
    ORR_PLOT_LINE,
    ORR_PLOT_POINTS,
    ORR_PLOT_LINE_POINTS,
    ORR_PLOT_STEPS, // y[n] holds around x[n], half way to the neighbours: outline of a histogram
    ORR_PLOT_BARS,  // around x[n]; several series of bars stand side by side
    ORR_PLOT_DENSE  // any number of points, drawn as a density of bounded size
} orr_plot_kind;

typedef enum orr_plot_scale {
    ORR_PLOT_LINEAR,
    ORR_PLOT_LOG,  // values of 0 and below are left out
    ORR_PLOT_BYTES // logarithmic to base 2, ticks as 64 KiB, 1 MiB ...
} orr_plot_scale;

// Points that are not finite, or not to be shown on the axis, are left out and interrupt a line.
typedef struct orr_plot_series {
    const char *label; // in the legend; NULL: not there
    orr_plot_kind kind;
    const double *x; // NULL: 0, 1, 2 ...
    const double *y;
    const double *low, *high; // ends of error bars; both NULL: none
    size_t count;
} orr_plot_series;

typedef struct orr_plot_axis {
    const char *label, *unit; // shown as "label (unit)"; NULL: none
    orr_plot_scale scale;
    double low, high;         // range; low >= high: from the data
    const char *const *names; // x axis only: names of 0, 1 .. name_count - 1 instead of numbers
    size_t name_count;
    int whole; // linear: ticks at whole numbers only
} orr_plot_axis;

// A dashed reference line at one value: an ideal, a critical value, a limit.
typedef struct orr_plot_mark {
    double at;
    const char *label;
    int vertical; // at an x instead of a y
} orr_plot_mark;

typedef struct orr_plot {
    const char *title;       // NULL: none
    const char *description; // for those who cannot see it; NULL: the title
    unsigned width, height;  // in CSS pixels, 160..4000; 0: 540 and 340
    orr_plot_axis x, y;
    const orr_plot_series *series;
    size_t count;
    const orr_plot_mark *marks;
    size_t mark_count;
} orr_plot;

// Appends the <svg> element to a sink. Without anything to draw it says "no data". ORR_USAGE for
// sizes out of range, ORR_INTERNAL when memory runs out; writing errors are the sink's.
orr_status orr_plot_svg(const orr_plot *plot, orr_sink *sink, orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
