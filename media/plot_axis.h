// Internal to media/: ranges, places and ticks of an axis.
#ifndef ORRERY_MEDIA_PLOT_AXIS_H
#define ORRERY_MEDIA_PLOT_AXIS_H

#include "media/plot.h"

#define ORR_PLOT_TICKS 24

typedef struct orr_plot_view {
    const orr_plot_axis *axis;
    double low, high; // shown; logarithms on a logarithmic scale
    double from, to;  // their places in the drawing
    double ticks[ORR_PLOT_TICKS];
    char labels[ORR_PLOT_TICKS][24];
    int count;
} orr_plot_view;

// A range to be grown by orr_plot_cover(): empty at first.
#define ORR_PLOT_NOTHING 1.0, -1.0

// Whether a value can be shown on an axis at all.
int orr_plot_showable(const orr_plot_axis *axis, double value);
// Grows low..high (in values) to hold a value; values that cannot be shown change nothing.
void orr_plot_cover(const orr_plot_axis *axis, double value, double *low, double *high);
// Settles the range (`round`: out to whole ticks), the ticks and their labels.
void orr_plot_view_init(orr_plot_view *view, const orr_plot_axis *axis, double low, double high,
                        int round, int most_ticks);
// Place of a showable value in the drawing.
double orr_plot_place(const orr_plot_view *view, double value);

#endif
