#include "media/plot.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media/plot_axis.h"

#define COLOURS 8
#define CHARACTER 7.4       // width of one, about, at 13 px
#define CELL 1.5            // CSS pixels of a cell of a dense series
#define MOST_VERTICES 4000u // of a line; longer ones keep the extremes of each stretch

// The drawing while it is made: the plane is the rectangle inside the axes.
typedef struct drawing {
    const orr_plot *plot;
    orr_sink *sink;
    orr_plot_view x, y;
    double width, height;            // of the whole
    double left, top, right, bottom; // of the plane
    double bar;                      // width of one bar, in pixels
    size_t bars;                     // series of bars
    int slanted;                     // names of the x axis
    int drawn;                       // anything at all
} drawing;

static const char style[] =
    "<style>"
    ".orr-plot{--p0:#0067b1;--p1:#c4500b;--p2:#00795b;--p3:#9c3f86;--p4:#7a6200;--p5:#3c6e91;"
    "--p6:#b3263b;--p7:#5c5c5c;--line:#767676;--grid:#d9d9d9;--back:#fff;color:#1b1b1b;background:"
    "none;"
    "font:13px system-ui,sans-serif;max-width:100%;height:auto}"
    "@media(prefers-color-scheme:dark){.orr-plot{--p0:#6cb8ff;--p1:#ff9d5c;--p2:#4fd0a6;"
    "--p3:#e79bd3;--p4:#dcc04a;--p5:#9cc7e4;--p6:#ff8694;--p7:#b8b8b8;--line:#9a9a9a;"
    "--grid:#3c3c3c;--back:#16181b;color:#e8e8e8}}"
    ".orr-plot text{fill:currentColor}.orr-plot .t{font-size:15px;font-weight:600}"
    ".orr-plot .g{stroke:var(--grid)}.orr-plot .a{stroke:var(--line);fill:none}"
    ".orr-plot .h{stroke:var(--back);stroke-width:4;stroke-linejoin:round;paint-order:stroke}"
    ".orr-plot .m{stroke:currentColor;stroke-dasharray:5 4}"
    ".orr-plot .l{fill:none;stroke-width:2;stroke-linejoin:round}"
    "</style>";

static double x_of(const orr_plot_series *s, size_t n) {
    return s->x ? s->x[n] : (double)n;
}

static int visible(const drawing *d, const orr_plot_series *s, size_t n) {
    return orr_plot_showable(&d->plot->x, x_of(s, n)) && orr_plot_showable(&d->plot->y, s->y[n]);
}

// ---- layout -------------------------------------------------------------------------------------

static size_t text_length(const char *text) {
    size_t length = 0;
    for (; text && *text; text++) length += ((unsigned char)*text & 0xc0) != 0x80;
    return length;
}

// Smallest distance of neighbouring x values of bars, 1 when there is none.
static double bar_spacing(const orr_plot *plot) {
    double spacing = INFINITY;
    for (size_t i = 0; i < plot->count; i++) {
        const orr_plot_series *s = &plot->series[i];
        for (size_t n = 1; s->kind == ORR_PLOT_BARS && n < s->count; n++) {
            double step = fabs(x_of(s, n) - x_of(s, n - 1));
            if (step > 0 && step < spacing) spacing = step;
        }
    }
    return isfinite(spacing) ? spacing : 1;
}

static void find_ranges(drawing *d, double x[2], double y[2]) {
    const orr_plot *plot = d->plot;
    double spacing = bar_spacing(plot);
    for (size_t i = 0; i < plot->count; i++) {
        const orr_plot_series *s = &plot->series[i];
        double half =
            s->kind == ORR_PLOT_BARS && plot->x.scale == ORR_PLOT_LINEAR ? spacing / 2 : 0;
        for (size_t n = 0; n < s->count; n++) {
            if (!visible(d, s, n)) continue;
            d->drawn = 1;
            orr_plot_cover(&plot->x, x_of(s, n) - half, &x[0], &x[1]);
            orr_plot_cover(&plot->x, x_of(s, n) + half, &x[0], &x[1]);
            orr_plot_cover(&plot->y, s->y[n], &y[0], &y[1]);
            if (s->low) orr_plot_cover(&plot->y, s->low[n], &y[0], &y[1]);
            if (s->high) orr_plot_cover(&plot->y, s->high[n], &y[0], &y[1]);
        }
        if (s->kind == ORR_PLOT_BARS && s->count) orr_plot_cover(&plot->y, 0, &y[0], &y[1]);
        d->bars += s->kind == ORR_PLOT_BARS;
    }
    for (size_t n = 0; n < plot->mark_count; n++) {
        const orr_plot_mark *mark = &plot->marks[n];
        double *range = mark->vertical ? x : y;
        orr_plot_cover(mark->vertical ? &plot->x : &plot->y, mark->at, &range[0], &range[1]);
    }
    if (plot->x.name_count) {
        orr_plot_cover(&plot->x, -0.5, &x[0], &x[1]);
        orr_plot_cover(&plot->x, (double)plot->x.name_count - 0.5, &x[0], &x[1]);
    }
}

// Width of a legend entry, 0 when the series has none.
static double entry_width(const orr_plot_series *s) {
    return s->label && *s->label ? 42 + CHARACTER * (double)text_length(s->label) : 0;
}

static int legend_rows(const drawing *d) {
    double at = 0, room = d->width - 24;
    int rows = 0;
    for (size_t n = 0; n < d->plot->count; n++) {
        double width = entry_width(&d->plot->series[n]);
        if (width == 0) continue;
        if (rows == 0 || at + width > room) {
            rows++;
            at = 0;
        }
        at += width;
    }
    return rows;
}

// Room that slanted or level names of the x axis need beneath it.
static double name_room(drawing *d, double plane) {
    size_t longest = 0, names = d->plot->x.name_count;
    for (size_t n = 0; n < names; n++) {
        size_t length = text_length(d->plot->x.names[n]);
        if (length > longest) longest = length;
    }
    d->slanted = names && (double)longest * CHARACTER > plane / (double)names - 8;
    return d->slanted ? fmin(12 + 0.5 * CHARACTER * (double)longest, d->height / 3) : 20;
}

static void lay_out(drawing *d) {
    const orr_plot *plot = d->plot;
    double x[2] = {ORR_PLOT_NOTHING}, y[2] = {ORR_PLOT_NOTHING};
    size_t longest = 1;
    find_ranges(d, x, y);
    orr_plot_view_init(&d->y, &plot->y, y[0], y[1], 1, 6);
    orr_plot_view_init(&d->x, &plot->x, x[0], x[1], 0, d->width < 500 ? 5 : 7);
    for (int n = 0; n < d->y.count; n++) {
        size_t length = text_length(d->y.labels[n]);
        if (length > longest) longest = length;
    }
    d->left = 16 + CHARACTER * (double)longest + (plot->y.label ? 20 : 0);
    d->right = d->width - 20;
    name_room(d, d->right - d->left);
    if (d->slanted) { // the first name reaches out to the left
        double reach = 0.87 * CHARACTER * (double)text_length(plot->x.names[0]) -
                       (d->right - d->left) / (2 * (double)plot->x.name_count);
        d->left = fmax(d->left, fmin(8 + reach, d->width / 3));
    }
    d->top = 12 + (plot->title ? 26 : 0) + 20 * legend_rows(d);
    d->bottom = d->height - 8 - name_room(d, d->right - d->left) - (plot->x.label ? 20 : 0);
    if (d->top > d->height / 2) d->top = d->height / 2; // an immense legend is cut off
    d->x.from = d->left;
    d->x.to = d->right;
    d->y.from = d->bottom;
    d->y.to = d->top;
    double spacing = bar_spacing(plot) * (d->right - d->left) / (d->x.high - d->x.low);
    if (plot->x.scale != ORR_PLOT_LINEAR) spacing = 12;
    double bar = spacing * (d->bars > 1 ? 0.8 : 0.9) / (double)(d->bars ? d->bars : 1);
    d->bar = fmin(fmax(0.5, bar), d->right - d->left); // spacing of hostile numbers is infinite
}

// ---- frame --------------------------------------------------------------------------------------

static void text_at(const drawing *d, double x, double y, const char *extra, const char *text) {
    orr_sink_format(d->sink, "<text x=\"%.1f\" y=\"%.1f\"%s>", x, y, extra);
    orr_sink_escaped(d->sink, text);
    orr_sink_text(d->sink, "</text>");
}

static void axis_title(const drawing *d, const orr_plot_axis *axis, double x, double y, int turn) {
    if (!axis->label) return;
    orr_sink_format(d->sink, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\"", x, y);
    if (turn) orr_sink_format(d->sink, " transform=\"rotate(-90 %.1f %.1f)\"", x, y);
    orr_sink_text(d->sink, ">");
    orr_sink_escaped(d->sink, axis->label);
    if (axis->unit) {
        orr_sink_text(d->sink, " (");
        orr_sink_escaped(d->sink, axis->unit);
        orr_sink_text(d->sink, ")");
    }
    orr_sink_text(d->sink, "</text>");
}

static double tick_place(const orr_plot_view *view, int n) {
    return view->from +
           (view->to - view->from) * (view->ticks[n] - view->low) / (view->high - view->low);
}

static void x_name(const drawing *d, double x, const char *name) {
    double y = d->bottom + 17;
    if (!d->slanted) {
        text_at(d, x, y, " text-anchor=\"middle\"", name);
        return;
    }
    orr_sink_format(d->sink,
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" "
                    "transform=\"rotate(-30 %.1f %.1f)\">",
                    x + 4, y - 2, x + 4, y - 2);
    orr_sink_escaped(d->sink, name);
    orr_sink_text(d->sink, "</text>");
}

static void draw_axes(const drawing *d) {
    const orr_plot *plot = d->plot;
    for (int n = 0; n < d->y.count; n++) {
        double y = tick_place(&d->y, n);
        orr_sink_format(d->sink, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>", d->left, y, d->right);
        text_at(d, d->left - 7, y + 4.5, " text-anchor=\"end\"", d->y.labels[n]);
    }
    for (int n = 0; n < d->x.count; n++) {
        double x = tick_place(&d->x, n);
        orr_sink_format(d->sink, "<path class=\"a\" d=\"M%.1f %.1fv5\"/>", x, d->bottom);
        if (plot->x.name_count)
            x_name(d, x, plot->x.names[(size_t)d->x.ticks[n]]);
        else
            text_at(d, x, d->bottom + 18, " text-anchor=\"middle\"", d->x.labels[n]);
    }
    orr_sink_format(d->sink, "<path class=\"a\" d=\"M%.1f %.1fV%.1fH%.1f\"/>", d->left, d->top,
                    d->bottom, d->right);
    axis_title(d, &plot->x, (d->left + d->right) / 2, d->height - 8, 0);
    axis_title(d, &plot->y, 16, (d->top + d->bottom) / 2, 1);
}

static void draw_marks(const drawing *d) {
    for (size_t n = 0; n < d->plot->mark_count; n++) {
        const orr_plot_mark *mark = &d->plot->marks[n];
        const orr_plot_view *view = mark->vertical ? &d->x : &d->y;
        if (!orr_plot_showable(view->axis, mark->at)) continue;
        double at = orr_plot_place(view, mark->at);
        if (at < fmin(view->from, view->to) - 0.5 || at > fmax(view->from, view->to) + 0.5)
            continue;
        if (mark->vertical) {
            orr_sink_format(d->sink, "<path class=\"m\" d=\"M%.1f %.1fV%.1f\"/>", at, d->top,
                            d->bottom);
            text_at(d, at + 4, d->top + 13, " class=\"h\"", mark->label);
        } else {
            orr_sink_format(d->sink, "<path class=\"m\" d=\"M%.1f %.1fH%.1f\"/>", d->left, at,
                            d->right);
            double above = at - d->top < 18 ? at + 15 : at - 5;
            text_at(d, d->right - 4, above, " class=\"h\" text-anchor=\"end\"", mark->label);
        }
    }
}

// ---- series -------------------------------------------------------------------------------------

// Sign of the n-th series: circle, square, diamond, triangle; so that colour is not all.
static void draw_sign(const drawing *d, size_t n, double x, double y, double r) {
    static const char *const paths[3] = {"m-1-1h2v2h-2z", "m0-1.3l1.3 1.3l-1.3 1.3l-1.3-1.3z",
                                         "m0-1.2l1.2 2.2h-2.4z"};
    if (n % 4 == 0)
        orr_sink_format(d->sink, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", x, y, r);
    else
        orr_sink_format(d->sink,
                        "<path transform=\"translate(%.1f %.1f)scale(%.1f)\" d=\"M0 0%s\"/>", x, y,
                        r, paths[n % 4 - 1]);
}

static const char *dashes(size_t n) {
    static const char *const patterns[3] = {"", " stroke-dasharray=\"8 3\"",
                                            " stroke-dasharray=\"2 3\""};
    return patterns[n / COLOURS % 3];
}

// One vertex of a path; `*pen` is whether the line is running.
static void vertex(const drawing *d, const orr_plot_series *s, size_t n, int *pen) {
    if (!visible(d, s, n)) {
        *pen = 0;
        return;
    }
    orr_sink_format(d->sink, "%s%.1f %.1f", *pen ? "L" : "M", orr_plot_place(&d->x, x_of(s, n)),
                    orr_plot_place(&d->y, s->y[n]));
    *pen = 1;
}

// Of n..end-1: the two places of the least and greatest y that can be shown, in order; n twice when
// there is none.
static void extremes(const drawing *d, const orr_plot_series *s, size_t n, size_t end,
                     size_t at[2]) {
    size_t least = n, most = n;
    for (; n < end; n++) {
        if (!visible(d, s, n)) continue; // NaN compares with nothing, infinity with everything
        if (!visible(d, s, least)) least = most = n;
        if (s->y[n] < s->y[least]) least = n;
        if (s->y[n] > s->y[most]) most = n;
    }
    at[0] = least < most ? least : most;
    at[1] = least < most ? most : least;
}

static void draw_line(const drawing *d, const orr_plot_series *s, size_t colour) {
    size_t stride = s->count / (MOST_VERTICES / 2) + 1, at[2];
    int pen = 0;
    orr_sink_format(d->sink, "<path class=\"l\" stroke=\"var(--p%zu)\"%s d=\"", colour % COLOURS,
                    dashes(colour));
    for (size_t n = 0; n < s->count; n += stride) {
        if (stride == 1) {
            vertex(d, s, n, &pen);
            continue;
        }
        extremes(d, s, n, n + stride < s->count ? n + stride : s->count, at);
        vertex(d, s, at[0], &pen);
        if (at[1] != at[0]) vertex(d, s, at[1], &pen);
    }
    orr_sink_text(d->sink, "\"/>");
}

static void draw_steps(const drawing *d, const orr_plot_series *s, size_t colour) {
    size_t stride = s->count / MOST_VERTICES + 1;
    int pen = 0;
    double edge = 0;
    orr_sink_format(d->sink, "<path class=\"l\" stroke=\"var(--p%zu)\"%s d=\"", colour % COLOURS,
                    dashes(colour));
    for (size_t n = 0; n < s->count; n += stride) {
        if (!visible(d, s, n)) {
            pen = 0;
            continue;
        }
        double x = orr_plot_place(&d->x, x_of(s, n)), y = orr_plot_place(&d->y, s->y[n]);
        int more = n + stride < s->count && visible(d, s, n + stride);
        double next = more ? (x + orr_plot_place(&d->x, x_of(s, n + stride))) / 2 : x + (x - edge);
        if (!pen) edge = more ? 2 * x - next : x - d->bar / 2;
        if (!more && !pen) next = x + d->bar / 2;
        if (pen)
            orr_sink_format(d->sink, "V%.1fH%.1f", y, next);
        else
            orr_sink_format(d->sink, "M%.1f %.1fH%.1f", edge, y, next);
        edge = next;
        pen = 1;
    }
    orr_sink_text(d->sink, "\"/>");
}

static void draw_bars(const drawing *d, const orr_plot_series *s, size_t colour, size_t place) {
    double base = d->plot->y.scale == ORR_PLOT_LINEAR ? orr_plot_place(&d->y, 0) : d->bottom;
    double shift = ((double)place - (double)d->bars / 2) * d->bar;
    orr_sink_format(d->sink, "<path fill=\"var(--p%zu)\" d=\"", colour % COLOURS);
    for (size_t n = 0; n < s->count; n++) {
        if (!visible(d, s, n)) continue;
        double x = orr_plot_place(&d->x, x_of(s, n)) + shift, y = orr_plot_place(&d->y, s->y[n]);
        orr_sink_format(d->sink, "M%.1f %.1fV%.1fh%.2fV%.1fz", x, base, y, d->bar, base);
    }
    orr_sink_text(d->sink, "\"/>");
}

static void draw_points(const drawing *d, const orr_plot_series *s, size_t colour) {
    orr_sink_format(d->sink, "<g fill=\"var(--p%zu)\">", colour % COLOURS);
    for (size_t n = 0; n < s->count; n++) {
        if (!visible(d, s, n)) continue;
        draw_sign(d, colour, orr_plot_place(&d->x, x_of(s, n)), orr_plot_place(&d->y, s->y[n]),
                  s->count > 200 ? 1.5 : 3.2);
    }
    orr_sink_text(d->sink, "</g>");
}

static void draw_error_bars(const drawing *d, const orr_plot_series *s, double shift) {
    if (!s->low || !s->high) return;
    orr_sink_text(d->sink, "<path fill=\"none\" stroke=\"currentColor\" d=\"");
    for (size_t n = 0; n < s->count; n++) {
        if (!visible(d, s, n) || !orr_plot_showable(&d->plot->y, s->low[n]) ||
            !orr_plot_showable(&d->plot->y, s->high[n]))
            continue;
        orr_sink_format(d->sink, "M%.1f %.1fV%.1fm-3 0h6M%.1f %.1fm-3 0h6",
                        orr_plot_place(&d->x, x_of(s, n)) + shift, orr_plot_place(&d->y, s->low[n]),
                        orr_plot_place(&d->y, s->high[n]),
                        orr_plot_place(&d->x, x_of(s, n)) + shift,
                        orr_plot_place(&d->y, s->low[n]));
    }
    orr_sink_text(d->sink, "\"/>");
}

// ---- dense series -------------------------------------------------------------------------------

// One path of horizontal strokes for the cells whose count lies in low..high.
static void draw_level(const drawing *d, const uint32_t *cells, int columns, int rows, uint32_t low,
                       uint32_t high, double opacity) {
    orr_sink_format(d->sink, "<path opacity=\"%.2f\" d=\"", opacity);
    for (int row = 0; row < rows; row++) {
        const uint32_t *line = cells + (size_t)row * (size_t)columns;
        for (int n = 0; n < columns; n++) {
            int start = n;
            while (n < columns && line[n] >= low && line[n] <= high) n++;
            if (n > start) orr_sink_format(d->sink, "M%d %dh%d", start, row, n - start);
        }
    }
    orr_sink_text(d->sink, "\"/>");
}

static orr_status draw_dense(const drawing *d, const orr_plot_series *s, size_t colour,
                             orr_error *error) {
    int columns = (int)((d->right - d->left) / CELL) + 1,
        rows = (int)((d->bottom - d->top) / CELL) + 1;
    uint32_t *cells = calloc((size_t)columns * (size_t)rows, sizeof *cells), most = 1;
    if (!cells) return orr_fail(error, ORR_INTERNAL, "out of memory for a chart");
    for (size_t n = 0; n < s->count; n++) {
        if (!visible(d, s, n)) continue;
        double x = (orr_plot_place(&d->x, x_of(s, n)) - d->left) / CELL;
        double y = (orr_plot_place(&d->y, s->y[n]) - d->top) / CELL;
        if (!(x >= 0 && x < columns && y >= 0 && y < rows)) continue;
        uint32_t *cell = &cells[(size_t)(int)y * (size_t)columns + (size_t)(int)x];
        if (*cell < UINT32_MAX) ++*cell;
        if (*cell > most) most = *cell;
    }
    // Three shades, by the cube root of the greatest count.
    double shade = fmax(1, cbrt((double)most));
    uint32_t first = (uint32_t)shade, second = (uint32_t)fmax(shade * shade, first + 1.0);
    orr_sink_format(d->sink,
                    "<g transform=\"translate(%.1f %.1f)scale(%.2f)translate(0 .5)\" fill=\"none\" "
                    "stroke=\"var(--p%zu)\">",
                    d->left, d->top, CELL, colour % COLOURS);
    draw_level(d, cells, columns, rows, 1, first, most > 1 ? 0.45 : 0.9);
    if (most > 1) draw_level(d, cells, columns, rows, first + 1, second, 0.7);
    if (most > 1) draw_level(d, cells, columns, rows, second + 1, UINT32_MAX, 1);
    orr_sink_text(d->sink, "</g>");
    free(cells);
    return ORR_OK;
}

// ---- the whole ----------------------------------------------------------------------------------

static orr_status draw_series(const drawing *d, orr_error *error) {
    orr_status status = ORR_OK;
    size_t place = 0;
    double width = d->right - d->left + 8, height = d->bottom - d->top + 4;
    // A drawing of its own clips what a given range leaves out, without names that could collide.
    orr_sink_format(d->sink,
                    "<svg x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                    "viewBox=\"%.1f %.1f %.1f %.1f\">",
                    d->left - 4, d->top - 4, width, height, d->left - 4, d->top - 4, width, height);
    for (size_t n = 0; n < d->plot->count && status == ORR_OK; n++) {
        const orr_plot_series *s = &d->plot->series[n];
        double shift = 0;
        if (s->kind == ORR_PLOT_LINE || s->kind == ORR_PLOT_LINE_POINTS) draw_line(d, s, n);
        if (s->kind == ORR_PLOT_POINTS || s->kind == ORR_PLOT_LINE_POINTS) draw_points(d, s, n);
        if (s->kind == ORR_PLOT_STEPS) draw_steps(d, s, n);
        if (s->kind == ORR_PLOT_BARS) {
            shift = ((double)place - (double)d->bars / 2 + 0.5) * d->bar;
            draw_bars(d, s, n, place++);
        }
        if (s->kind == ORR_PLOT_DENSE) status = draw_dense(d, s, n, error);
        draw_error_bars(d, s, shift);
    }
    orr_sink_text(d->sink, "</svg>");
    return status;
}

static void draw_legend(const drawing *d) {
    double x = 12, y = d->plot->title ? 44 : 18;
    int first = 1;
    for (size_t n = 0; n < d->plot->count; n++) {
        const orr_plot_series *s = &d->plot->series[n];
        double width = entry_width(s);
        if (width == 0) continue;
        if (!first && x + width > d->width - 12) {
            x = 12;
            y += 20;
        }
        first = 0;
        if (y > d->top) return;
        orr_sink_format(d->sink, "<g fill=\"var(--p%zu)\">", n % COLOURS);
        if (s->kind == ORR_PLOT_BARS || s->kind == ORR_PLOT_DENSE)
            orr_sink_format(d->sink, "<path d=\"M%.1f %.1fh18v10h-18z\"/>", x, y - 9);
        else if (s->kind != ORR_PLOT_POINTS)
            orr_sink_format(d->sink,
                            "<path class=\"l\" stroke=\"var(--p%zu)\"%s d=\"M%.1f %.1fh20\"/>",
                            n % COLOURS, dashes(n), x, y - 4);
        if (s->kind == ORR_PLOT_POINTS || s->kind == ORR_PLOT_LINE_POINTS)
            draw_sign(d, n, x + 10, y - 4, 3.2);
        orr_sink_text(d->sink, "</g>");
        text_at(d, x + 26, y, "", s->label);
        x += width;
    }
}

orr_status orr_plot_svg(const orr_plot *plot, orr_sink *sink, orr_error *error) {
    drawing d = {.plot = plot, .sink = sink};
    unsigned width = plot->width ? plot->width : 540, height = plot->height ? plot->height : 340;
    if (width < 160 || width > 4000 || height < 160 || height > 4000)
        return orr_fail(error, ORR_USAGE, "a chart of %u x %u pixels: each side has 160 to 4000",
                        width, height);
    d.width = width;
    d.height = height;
    lay_out(&d);
    orr_sink_format(sink,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"orr-plot\" role=\"img\" "
                    "width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" aria-label=\"",
                    width, height, width, height);
    orr_sink_escaped(sink, plot->description ? plot->description : plot->title);
    orr_sink_format(sink, "\">%s", style);
    if (plot->title) text_at(&d, 12, 22, " class=\"t\"", plot->title);
    draw_legend(&d);
    draw_axes(&d);
    orr_status status = draw_series(&d, error);
    draw_marks(&d);
    if (!d.drawn)
        text_at(&d, (d.left + d.right) / 2, (d.top + d.bottom) / 2, " text-anchor=\"middle\"",
                "no data");
    orr_sink_text(sink, "</svg>\n");
    return status;
}
