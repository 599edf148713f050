// Curves and a page from what a run has recorded so far.
#include <stdlib.h>
#include <string.h>

#include "training/session.h"

#define MOST_POINTS 800 // of a curve; more steps are averaged
#define MAX_GRID ((size_t)64 << 20)

// ---- curves

typedef struct curve {
    double *x, *y;
    size_t count;
} curve;

static void free_curves(curve *curves, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(curves[i].x);
        free(curves[i].y);
    }
}

static int new_curve(curve *c, size_t count) {
    c->x = calloc(count ? count : 1, sizeof *c->x);
    c->y = calloc(count ? count : 1, sizeof *c->y);
    c->count = count;
    return c->x && c->y;
}

static double field_of(const void *record, size_t offset) {
    double value;
    memcpy(&value, (const char *)record + offset, sizeof value);
    return value;
}

// One number of the step records over epochs, neighbours averaged down to MOST_POINTS.
static int step_curve(const orr_history *h, size_t offset, curve *c) {
    size_t group = (h->step_count + MOST_POINTS - 1) / MOST_POINTS;
    if (!group) group = 1;
    if (!new_curve(c, (h->step_count + group - 1) / group)) return 0;
    for (size_t i = 0; i < c->count; i++) {
        size_t n = 0;
        for (size_t k = i * group; k < (i + 1) * group && k < h->step_count; k++, n++) {
            c->x[i] = h->steps[k].epoch;
            c->y[i] += field_of(&h->steps[k], offset);
        }
        c->y[i] /= (double)n;
    }
    return 1;
}

static int snapshot_curve(const orr_history *h, size_t offset, curve *c) {
    if (!new_curve(c, h->snapshot_count)) return 0;
    for (size_t i = 0; i < c->count; i++) {
        c->x[i] = h->snapshots[i].numbers.epoch;
        c->y[i] = field_of(&h->snapshots[i], offset);
    }
    return 1;
}

#define MOST_CURVES 5
typedef struct chart {
    const char *title, *description, *unit;
    int of_snapshots;
    size_t count;
    struct {
        const char *label;
        size_t offset;
    } curves[MOST_CURVES];
} chart;

#define STEP(name) offsetof(orr_history_steps, name)
#define SNAPSHOT(name) offsetof(orr_history_snapshot, numbers.name)
static const chart loss_chart = {"Losses",
                                 "Losses of discriminator and generator over epochs",
                                 "binary cross-entropy",
                                 0,
                                 2,
                                 {{"discriminator", STEP(loss_d)}, {"generator", STEP(loss_g)}}};
static const chart watch_chart = {
    "What the discriminator says",
    "Mean probability that an image is real, over epochs",
    "mean probability",
    0,
    2,
    {{"of training images", STEP(d_real)}, {"of generated images", STEP(d_fake_before)}}};
static const chart nearest_chart = {
    "Distance to the nearest training image",
    "Root mean squared difference of generated images to their nearest training images",
    "grey levels",
    1,
    3,
    {{"generated, median", SNAPSHOT(nearest_median)},
     {"generated, least", SNAPSHOT(nearest_least)},
     {"training images to others, median", SNAPSHOT(nearest_real)}}};
static const chart diversity_chart = {
    "Diversity",
    "Mean distance between images",
    "grey levels",
    1,
    2,
    {{"generated", SNAPSHOT(diversity)}, {"training images", SNAPSHOT(diversity_real)}}};

// Draws a chart: on a page with its caption, or alone.
static orr_status draw(const orr_history *h, const chart *what, orr_sink *sink, const char *caption,
                       int on_page, orr_error *error) {
    curve curves[MOST_CURVES] = {{0}};
    orr_plot_series series[MOST_CURVES] = {{0}};
    orr_status status = ORR_OK;
    for (size_t i = 0; i < what->count; i++) {
        int made = what->of_snapshots ? snapshot_curve(h, what->curves[i].offset, &curves[i])
                                      : step_curve(h, what->curves[i].offset, &curves[i]);
        if (!made) status = orr_fail(error, ORR_INTERNAL, "no memory for a curve");
        series[i] =
            (orr_plot_series){.label = what->curves[i].label,
                              .kind = what->of_snapshots ? ORR_PLOT_LINE_POINTS : ORR_PLOT_LINE,
                              .x = curves[i].x,
                              .y = curves[i].y,
                              .count = curves[i].count};
    }
    orr_plot plot = {.title = what->title,
                     .description = what->description,
                     .x = {.label = "epochs"},
                     .y = {.label = what->unit},
                     .series = series,
                     .count = what->count};
    if (status == ORR_OK)
        status =
            on_page ? orr_page_plot(sink, &plot, caption, error) : orr_plot_svg(&plot, sink, error);
    free_curves(curves, what->count);
    return status;
}

// The sliced Wasserstein distance has a curve for each level, and a line that it cannot pass.
static orr_status draw_swd(const orr_session *s, orr_sink *sink, const char *caption, int on_page,
                           orr_error *error) {
    const orr_history *h = &s->history;
    curve curves[1 + ORR_SWD_LEVELS] = {{0}};
    orr_plot_series series[1 + ORR_SWD_LEVELS] = {{0}};
    char labels[ORR_SWD_LEVELS][24];
    uint32_t levels = h->snapshot_count ? h->snapshots[0].swd.levels : 0;
    int made = snapshot_curve(h, SNAPSHOT(swd), &curves[0]);
    series[0] = (orr_plot_series){.label = "mean", .kind = ORR_PLOT_LINE_POINTS};
    for (uint32_t i = 0; i < levels; i++) {
        made &= snapshot_curve(h, offsetof(orr_history_snapshot, swd.distance) + i * sizeof(double),
                               &curves[1 + i]);
        snprintf(labels[i], sizeof labels[i], "%u pixels", h->snapshots[0].swd.size[i]);
        series[1 + i] = (orr_plot_series){.label = labels[i], .kind = ORR_PLOT_LINE};
    }
    for (uint32_t i = 0; i <= levels; i++) {
        series[i].x = curves[i].x;
        series[i].y = curves[i].y;
        series[i].count = curves[i].count;
    }
    orr_plot_mark floor_mark = {.at = s->swd_floor, .label = "two halves of the training images"};
    orr_plot plot = {.title = "Sliced Wasserstein distance",
                     .description = "Distance between generated and training images over epochs",
                     .x = {.label = "epochs"},
                     .y = {.label = "distance x 1000"},
                     .series = series,
                     .count = 1 + levels,
                     .marks = &floor_mark,
                     .mark_count = 1};
    orr_status status = ORR_OK;
    if (!made)
        status = orr_fail(error, ORR_INTERNAL, "no memory for a curve");
    else
        status =
            on_page ? orr_page_plot(sink, &plot, caption, error) : orr_plot_svg(&plot, sink, error);
    free_curves(curves, 1 + levels);
    return status;
}

// ---- the page

static void put_picture(const orr_session *s, orr_sink *sink, const char *kind,
                        const orr_history_snapshot *snapshot, unsigned width, const char *alt) {
    char name[64], caption[128];
    uint8_t *bytes = NULL;
    size_t count = 0;
    snprintf(name, sizeof name, "%s-%010llu.png", kind, (unsigned long long)snapshot->numbers.step);
    snprintf(caption, sizeof caption, "Epoch %.1f, step %llu", snapshot->numbers.epoch,
             (unsigned long long)snapshot->numbers.step);
    // A grid that somebody has removed is left out: the page is no place to fail for it.
    if (orr_run_read_at(s->run.fd, s->run.path, name, MAX_GRID, &bytes, &count, NULL) == ORR_OK &&
        bytes)
        orr_page_png(sink, bytes, count, width, 0, alt, caption);
    free(bytes);
}

static void put_grids(const orr_session *s, orr_sink *sink) {
    const orr_history *h = &s->history;
    size_t last = h->snapshot_count - 1, places[3] = {0, last / 2, last};
    orr_page_heading(sink, 2, "Images from the same latents");
    orr_page_row_begin(sink);
    for (int i = 0; i < 3; i++)
        if (i == 0 || places[i] != places[i - 1])
            put_picture(s, sink, "grid", &h->snapshots[places[i]], 540, "Grid of generated images");
    orr_page_row_end(sink);
    orr_page_heading(sink, 2, "Each image beside its nearest training image");
    orr_page_note(sink, "Left the generated image, right the training image (or its mirror image) "
                        "that differs least from it; the closest pairs first. Pairs that show the "
                        "same picture are memorised patients: do not share such weights.");
    put_picture(s, sink, "nearest", &h->snapshots[last], 0,
                "Generated images beside their nearest training images");
}

static void put_numbers(const orr_session *s, orr_sink *sink) {
    static const orr_page_column columns[] = {
        {"", ORR_ALIGN_LEFT}, {"generated", ORR_ALIGN_RIGHT}, {"training images", ORR_ALIGN_RIGHT}};
    const orr_training_snapshot *n = &s->history.snapshots[s->history.snapshot_count - 1].numbers;
    char text[7][32];
    snprintf(text[0], 32, "%.1f", n->swd);
    snprintf(text[1], 32, "%.1f", s->swd_floor);
    snprintf(text[2], 32, "%.1f", n->nearest_least);
    snprintf(text[3], 32, "%.1f", n->nearest_median);
    snprintf(text[4], 32, "%.1f", s->nearest_real);
    snprintf(text[5], 32, "%.1f", n->diversity);
    snprintf(text[6], 32, "%.1f", s->diversity_real);
    orr_page_cell cells[] = {
        {.text = "Sliced Wasserstein distance to training images, x 1000"},
        {.text = text[0]},
        {.text = text[1]},
        {.text = "Distance to the nearest training image, least"},
        {.text = text[2]},
        {.text = NULL},
        {.text = "the same, median of 64"},
        {.text = text[3]},
        {.text = text[4]},
        {.text = "Mean distance between 64 images"},
        {.text = text[5]},
        {.text = text[6]},
    };
    orr_page_table table = {.columns = columns,
                            .column_count = 3,
                            .cells = cells,
                            .row_count = sizeof cells / sizeof *cells / 3};
    orr_page_data_table(sink, &table);
}

static orr_status put_page(const orr_session *s, orr_sink *sink, orr_error *error) {
    const orr_history *h = &s->history;
    const orr_training_options *o = &s->options;
    const orr_training_snapshot *n = &h->snapshots[h->snapshot_count - 1].numbers;
    char summary[512];
    snprintf(summary, sizeof summary,
             "%u images of %u x %u pixels, %u channel%s; width %u, batch %u, seed %llu; "
             "epoch %.1f of %u. Everything here can show patients: treat it like the images that "
             "it comes from.",
             s->data.count, s->data.size, s->data.size, s->data.channels,
             s->data.channels == 1 ? "" : "s", o->shape.width, o->gan.batch,
             (unsigned long long)o->seed, n->epoch, o->epochs);
    orr_page_begin(sink, "Training run", summary);
    if (s->outcome.images && !s->outcome.useful)
        orr_page_note(sink, "This generator is of no use for decoys, and `keyring new` will refuse "
                            "it: its images hardly differ from each other, or are a few in turn.");
    put_numbers(s, sink);
    orr_page_heading(sink, 2, "Curves");
    orr_page_row_begin(sink);
    orr_status status = draw(h, &loss_chart, sink, NULL, 1, error);
    if (status == ORR_OK)
        status = draw_swd(s, sink,
                          "Patches of the Laplacian pyramid (Karras et al. 2018), 64 an image, 128 "
                          "directions: comparable within a data set, not with published values.",
                          1, error);
    if (status == ORR_OK) status = draw(h, &watch_chart, sink, NULL, 1, error);
    if (status == ORR_OK) status = draw(h, &nearest_chart, sink, NULL, 1, error);
    if (status == ORR_OK) status = draw(h, &diversity_chart, sink, NULL, 1, error);
    orr_page_row_end(sink);
    put_grids(s, sink);
    orr_page_end(sink);
    return status;
}

static orr_status write_text(const orr_session *s, const char *name, orr_sink *sink,
                             orr_status status, orr_error *error) {
    if (status == ORR_OK) status = orr_sink_finish(sink, error);
    if (status == ORR_OK) status = orr_run_write(&s->run, name, sink->text, sink->length, error);
    orr_sink_free(sink);
    orr_sink_memory(sink);
    return status;
}

orr_status orr_report_write(const orr_session *s, orr_error *error) {
    orr_sink sink;
    orr_sink_memory(&sink);
    orr_status status = write_text(s, "loss.svg", &sink,
                                   draw(&s->history, &loss_chart, &sink, NULL, 0, error), error);
    if (status == ORR_OK)
        status = write_text(s, "swd.svg", &sink, draw_swd(s, &sink, NULL, 0, error), error);
    if (status == ORR_OK)
        status = write_text(s, "report.html", &sink, put_page(s, &sink, error), error);
    orr_sink_free(&sink);
    return status;
}
