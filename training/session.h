// One run while it is at work; shared by train.c, settings.c, snapshot.c and report.c.
#ifndef ORRERY_TRAINING_SESSION_H
#define ORRERY_TRAINING_SESSION_H

#include "media/page.h"
#include "training/dataset.h"
#include "training/history.h"
#include "training/quality.h"
#include "training/train.h"

#define ORR_GRID_IMAGES 64u // of the fixed latents
#define ORR_GRID_COLUMNS 8u
#define ORR_FEW_STEPS 1000u // with fewer no generator is as good as it could be

typedef struct orr_session {
    orr_training_options options; // in force; strings lent, or of settings
    orr_training_hooks hooks;
    char **folders; // of options.json; owned
    size_t folder_count;
    char recorded_hash[65];   // of options.json; "" for a new run
    char recorded_device[64]; // and what it ran on
    orr_run_directory run;
    orr_dataset data;
    orr_sink skipped; // lines of skipped.txt
    orr_gan_state state;
    orr_gan_trainer *trainer;
    orr_history history;
    uint64_t steps, first_step; // of the run; where this session began
    // What real images give, for comparison; the same all along.
    uint32_t sample_count; // images compared with as many training images
    uint8_t *real;         // [sample_count] of the data set
    float *latents;        // [max(sample_count, ORR_GRID_IMAGES)][latent], fixed
    double swd_floor, nearest_real, diversity_real;
    orr_training_outcome outcome; // of the whole run; zero before
} orr_session;

void orr_session_warn(orr_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
double orr_session_epoch(const orr_session *s, uint64_t step);

// settings.c: options.json. Reading merges it into s->options (ORR_USAGE when given options
// contradict it).
orr_status orr_settings_read(orr_session *s, orr_error *error);
orr_status orr_settings_write(const orr_session *s, orr_error *error);

// snapshot.c
orr_status orr_snapshot_prepare(orr_session *s, orr_error *error);
// Grids, measures, report and checkpoint of the present step, in this order.
orr_status orr_snapshot_take(orr_session *s, orr_error *error);
// Sets s->outcome. When the generator is of no use: warns, and writes the report anew with it.
orr_status orr_snapshot_judge(orr_session *s, orr_error *error);

// run_report.c: loss.svg, swd.svg, report.html from the history.
orr_status orr_report_write(const orr_session *s, orr_error *error);

#endif
