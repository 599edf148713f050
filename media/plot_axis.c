#include "media/plot_axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST 1e300 // beyond, differences could overflow

int orr_plot_showable(const orr_plot_axis *axis, double value) {
    if (!(fabs(value) <= MOST)) return 0;
    return axis->scale == ORR_PLOT_LINEAR || value >= 1 / MOST;
}

void orr_plot_cover(const orr_plot_axis *axis, double value, double *low, double *high) {
    if (!orr_plot_showable(axis, value)) return;
    if (*low > *high) {
        *low = *high = value;
    } else {
        *low = fmin(*low, value);
        *high = fmax(*high, value);
    }
}

static double scaled(const orr_plot_axis *axis, double value) {
    if (axis->scale == ORR_PLOT_LOG) return log10(value);
    return axis->scale == ORR_PLOT_BYTES ? log2(value) : value;
}

double orr_plot_place(const orr_plot_view *view, double value) {
    double share = (scaled(view->axis, value) - view->low) / (view->high - view->low);
    return view->from + (view->to - view->from) * share;
}

// 1, 2 or 5 times a power of ten, at least span / most.
static double nice_step(double span, int most) {
    double raw = span / most, power = pow(10, floor(log10(raw)));
    for (int n = 0; n < 3; n++) {
        static const double steps[3] = {1, 2, 5};
        if (steps[n] * power >= raw * (1 - 1e-9)) return steps[n] * power;
    }
    return 10 * power;
}

static void add_tick(orr_plot_view *view, double at, const char *label) {
    double slack = (view->high - view->low) * 1e-9;
    if (view->count == ORR_PLOT_TICKS || at < view->low - slack || at > view->high + slack) return;
    view->ticks[view->count] = at;
    snprintf(view->labels[view->count++], sizeof view->labels[0], "%s", label);
}

static void linear_ticks(orr_plot_view *view, int round, int most) {
    double step = nice_step(view->high - view->low, most);
    if (view->axis->whole && step < 1) step = 1;
    double top = fmax(fabs(view->low), fabs(view->high)), first = ceil(view->low / step - 1e-9);
    int digits = (int)fmax(0, -floor(log10(step) + 1e-9));
    if (round) {
        first = floor(view->low / step + 1e-9);
        view->low = first * step;
        view->high = ceil(view->high / step - 1e-9) * step;
    }
    for (int n = 0; n < ORR_PLOT_TICKS; n++) {
        char label[24];
        double value = (first + n) * step;
        if (fabs(value) < step / 2) value = 0;
        if (top >= 1e6 || digits > 4)
            snprintf(label, sizeof label, "%.4g", value);
        else
            snprintf(label, sizeof label, "%.*f", digits, value);
        add_tick(view, value, label);
    }
}

// "0.01", "100", and "10^7" with the exponent raised.
static void decade_label(double power, double factor, char label[24]) {
    static const char *const raised[10] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    if (fabs(power) <= 4 || factor != 1) {
        snprintf(label, 24, "%g", factor * pow(10, power));
        return;
    }
    char plain[8];
    snprintf(plain, sizeof plain, "%.0f", fabs(power));
    int at = snprintf(label, 24, "%s", power < 0 ? "10⁻" : "10");
    for (const char *p = plain; *p && at < 20; p++)
        at += snprintf(label + at, 24 - (size_t)at, "%s", raised[*p - '0']);
}

static void log_ticks(orr_plot_view *view, int round, int most) {
    double decades = view->high - view->low;
    if (round && decades > 1) {
        view->low = floor(view->low + 1e-9);
        view->high = ceil(view->high - 1e-9);
    }
    int step = (int)fmax(1, ceil(decades / most)), between = decades <= 2.5;
    for (double power = floor(view->low); power <= view->high; power += step) {
        static const double factors[3] = {1, 2, 5};
        for (int n = 0; n < (between ? 3 : 1); n++) {
            char label[24];
            decade_label(power, factors[n], label);
            add_tick(view, power + log10(factors[n]), label);
        }
    }
    if (view->count >= 2) return;
    // Less than one of those steps: the ends themselves.
    char label[24];
    view->count = 0;
    snprintf(label, sizeof label, "%.3g", pow(10, view->low));
    add_tick(view, view->low, label);
    snprintf(label, sizeof label, "%.3g", pow(10, view->high));
    add_tick(view, view->high, label);
}

static void byte_ticks(orr_plot_view *view, int most) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    static const int steps[] = {1, 2, 5, 10, 20, 50, 100, 200, 500};
    size_t n = 0;
    while (n < 8 && (view->high - view->low) / steps[n] > most) n++;
    double first = ceil(view->low / steps[n] - 1e-9) * steps[n];
    for (double power = first; power <= view->high + 1e-9; power += steps[n]) {
        char label[24];
        if (power >= 0 && power < 70)
            snprintf(label, sizeof label, "%g %s", pow(2, fmod(power, 10)), units[(int)power / 10]);
        else
            snprintf(label, sizeof label, "%.3g B", pow(2, power));
        add_tick(view, power, label);
    }
}

static void name_ticks(orr_plot_view *view) {
    size_t names = view->axis->name_count, step = 1 + (names - 1) / ORR_PLOT_TICKS;
    for (size_t n = 0; n < names; n += step) add_tick(view, (double)n, "");
}

void orr_plot_view_init(orr_plot_view *view, const orr_plot_axis *axis, double low, double high,
                        int round, int most_ticks) {
    view->axis = axis;
    view->count = 0;
    if (axis->low < axis->high && orr_plot_showable(axis, axis->low) &&
        orr_plot_showable(axis, axis->high)) {
        low = axis->low;
        high = axis->high;
        round = 0;
    }
    if (low > high) { // nothing to show
        low = axis->scale == ORR_PLOT_LINEAR ? 0 : 1;
        high = 10;
    }
    view->low = scaled(axis, low);
    view->high = scaled(axis, high);
    double least = fmax(fabs(view->low), fabs(view->high)) * 1e-9;
    if (view->high - view->low <= least) { // one value: some room around it
        double room = axis->scale == ORR_PLOT_LINEAR ? fabs(view->low) * 0.1 : 0.5;
        view->low -= room > 0 ? room : 1;
        view->high += room > 0 ? room : 1;
    }
    if (axis->name_count)
        name_ticks(view);
    else if (axis->scale == ORR_PLOT_LINEAR)
        linear_ticks(view, round, most_ticks);
    else if (axis->scale == ORR_PLOT_LOG)
        log_ticks(view, round, most_ticks);
    else
        byte_ticks(view, most_ticks);
}
