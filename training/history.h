// The numbers of a run: in memory for the curves, in statistics.jsonl for everybody else.
#ifndef ORRERY_TRAINING_HISTORY_H
#define ORRERY_TRAINING_HISTORY_H

#include "training/run_directory.h"
#include "training/swd.h"
#include "training/train.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_STATISTICS "statistics.jsonl"
#define ORR_EVENTS "events.out.tfevents.1.orrery"

typedef struct orr_history_steps {
    uint64_t step;      // the last one that the means are of
    double epoch, time; // time: seconds since 1970
    double loss_d, loss_g, d_real, d_fake_before, d_fake_after, images_per_second;
} orr_history_steps;

typedef struct orr_history_snapshot {
    orr_training_snapshot numbers; // grid is NULL
    orr_swd swd;
    double time;
} orr_history_snapshot;

typedef struct orr_history {
    orr_history_steps *steps;
    size_t step_count, step_room;
    orr_history_snapshot *snapshots;
    size_t snapshot_count, snapshot_room;
} orr_history;

// Reads what a run has recorded up to `last_step` and drops what was recorded after it (the steps
// come again), also from the files. Lines that are none of ours are dropped. A missing file is an
// empty history.
orr_status orr_history_load(orr_history *history, const orr_run_directory *run, uint64_t last_step,
                            orr_error *error);
void orr_history_free(orr_history *history);
// Add to memory, statistics.jsonl and the event file.
orr_status orr_history_add_steps(orr_history *history, const orr_run_directory *run,
                                 const orr_history_steps *steps, orr_error *error);
orr_status orr_history_add_snapshot(orr_history *history, const orr_run_directory *run,
                                    const orr_history_snapshot *snapshot, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
