#include "training/train.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "gan/gan_device.h"
#include "training/checkpoint.h"
#include "training/session.h"

#define COPIES_TOLD 0.01 // of the images: fewer copies are not worth a word
#define MAX_INTERVAL 100 // steps between two lines of statistics; about ten lines an epoch

orr_training_options orr_training_default_options(void) {
    return (orr_training_options){.shape = orr_gan_default_shape(),
                                  .gan = orr_gan_default_options(),
                                  .seed = 1,
                                  .epochs = 100,
                                  .snapshot_every = 5,
                                  .keep = 3,
                                  .flip = 1,
                                  .device = "cpu",
                                  .version = ""};
}

static int stopped(const orr_session *s) {
    return s->hooks.stop && *s->hooks.stop;
}

// ---- data

static void note_skipped(void *context, const char *path, const char *reason) {
    orr_session *s = context;
    orr_sink_name(&s->skipped, path);
    orr_sink_format(&s->skipped, ": %s\n", reason);
    if (s->hooks.skipped) s->hooks.skipped(s->hooks.context, path, reason);
}

static void note_flawed(void *context, const char *path, const char *flaw) {
    orr_session *s = context;
    if (s->hooks.flawed) s->hooks.flawed(s->hooks.context, path, flaw);
}

static void note_reading(void *context, uint32_t images) {
    orr_session *s = context;
    if (s->hooks.reading) s->hooks.reading(s->hooks.context, images);
}

static orr_status read_data(orr_session *s, orr_error *error) {
    const orr_training_options *o = &s->options;
    orr_dataset_options from = {.folders = o->folders,
                                .folder_count = o->folder_count,
                                .size = o->shape.image_size,
                                .channels = o->shape.channels,
                                .window = o->has_window ? &o->window : NULL,
                                .run = &s->run,
                                .skipped = note_skipped,
                                .flawed = note_flawed,
                                .progress = note_reading,
                                .context = s,
                                .stop = s->hooks.stop};
    orr_error failure = {0};
    if (!o->folder_count)
        return orr_fail(error, ORR_USAGE,
                        "%s: there is no run in it to go on with, and a new one needs --data DIR",
                        s->run.path);
    orr_status status = orr_dataset_load(&from, &s->data, &failure);
    if (status == ORR_IO && s->folders) // of options.json
        return orr_fail(error, status,
                        "%s; the run was begun with it, from the directory that was then the "
                        "current one: name with --data where its images are now",
                        failure.text);
    if (status != ORR_OK) return orr_fail(error, status, "%s", failure.text);
    if (*s->recorded_hash && strcmp(s->recorded_hash, s->data.hash))
        return orr_fail(
            error, ORR_UNSUPPORTED,
            "%s: the images are not those that the run was begun with: compare the "
            "folders with its data.txt and skipped.txt, or train anew in another directory",
            s->run.path);
    s->steps = (uint64_t)o->epochs * s->data.count / o->gan.batch;
    if (!s->steps) s->steps = 1;
    if (s->data.copies >= COPIES_TOLD * s->data.count)
        orr_session_warn(s,
                         "%u of the %u images have the same pixels as another one: a generator "
                         "learns by heart what it sees often",
                         s->data.copies, s->data.count);
    if (s->data.count < o->gan.batch)
        orr_session_warn(s, "only %u images for batches of %u: some come twice in a batch",
                         s->data.count, o->gan.batch);
    if (s->steps < ORR_FEW_STEPS)
        orr_session_warn(s,
                         "few steps (%llu): a generator takes some thousands to be of use; more "
                         "images, more epochs or a smaller batch make more",
                         (unsigned long long)s->steps);
    return ORR_OK;
}

// ---- where the run begins, or goes on

static void note_damaged(void *context, const char *reason) {
    orr_session_warn(context, "%s; an earlier one is taken", reason);
}

static orr_status find_state(orr_session *s, orr_error *error) {
    char hash[65];
    int found = 0;
    orr_status status = ORR_OK;
    if (s->run.fd >= 0)
        status = orr_checkpoint_read(&s->run, &s->options.shape, note_damaged, s, &s->state, hash,
                                     &found, error);
    if (status != ORR_OK) return status;
    // From the beginning again, the run would replace what it has come to.
    if (!found && s->run.fd >= 0 && !faccessat(s->run.fd, "generator.safetensors", F_OK, 0))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: the run in it has come to its end, and its checkpoints are gone: it "
                        "cannot go on; train anew in another directory",
                        s->run.path);
    if (!found) {
        status = orr_gan_state_new(&s->options.shape, &s->state, error);
        if (status == ORR_OK) orr_gan_state_init(&s->state, s->options.seed);
    } else if (strcmp(hash, s->data.hash) || s->state.seed != s->options.seed) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s/checkpoints: they are of other data or another seed than options.json "
                        "says",
                        s->run.path);
    }
    s->first_step = s->state.step;
    if (status == ORR_OK && s->first_step > s->steps)
        return orr_fail(error, ORR_USAGE,
                        "%s: the run in it has done %.1f epochs, more than %u; what it was earlier "
                        "is in its checkpoints",
                        s->run.path, (double)s->first_step * s->options.gan.batch / s->data.count,
                        s->options.epochs);
    return status;
}

static orr_status write_records(orr_session *s, orr_error *error) {
    orr_status status = orr_settings_write(s, error);
    if (status == ORR_OK)
        status =
            orr_run_write(&s->run, "data.txt", s->data.manifest, s->data.manifest_bytes, error);
    if (status == ORR_OK) status = orr_sink_finish(&s->skipped, error);
    if (status == ORR_OK)
        status = orr_run_write(&s->run, "skipped.txt", s->skipped.text, s->skipped.length, error);
    return status != ORR_OK ? status : orr_history_load(&s->history, &s->run, s->state.step, error);
}

static orr_status open_trainer(orr_session *s, orr_error *error) {
    const orr_gan_backend *backend = s->options.backend;
    orr_status status =
        backend->trainer_open(backend, &s->options.gan, &s->state, &s->trainer, error);
    return status != ORR_OK
               ? status
               : backend->trainer_data(s->trainer, s->data.images, s->data.count, error);
}

// ---- the loop

typedef struct loop {
    uint32_t *order, *index;      // of an epoch; of a batch
    uint64_t order_epoch;         // UINT64_MAX: none yet
    double begun, interval_begun; // monotonic seconds
    uint64_t interval_step;
} loop;

// The images of step `step` (train.h says which).
static void pick(const orr_session *s, loop *l, uint64_t step) {
    uint32_t count = s->data.count, batch = s->options.gan.batch;
    for (uint32_t i = 0; i < batch; i++) {
        uint64_t place = step * batch + i, epoch = place / count;
        if (epoch != l->order_epoch) {
            orr_dataset_order(s->options.seed, epoch, count, l->order);
            l->order_epoch = epoch;
        }
        l->index[i] = l->order[place % count];
    }
}

static void tell_progress(const orr_session *s, const loop *l, uint64_t step,
                          const orr_gan_statistics *recent, double rate) {
    double spent = orr_seconds() - l->begun, done = (double)(step - s->first_step);
    orr_training_progress progress = {.step = step,
                                      .steps = s->steps,
                                      .epoch = orr_session_epoch(s, step),
                                      .epochs = s->options.epochs,
                                      .recent = *recent,
                                      .images_per_second = rate,
                                      .remaining =
                                          done > 0 ? spent / done * (double)(s->steps - step) : -1};
    if (s->hooks.progress) s->hooks.progress(s->hooks.context, &progress);
}

// Fetches, records and shows the means since the last time. A loss that is not finite ends the run:
// nothing after it is of use, and no checkpoint of it is written.
static orr_status take_statistics(orr_session *s, loop *l, uint64_t step, orr_error *error) {
    orr_gan_statistics recent;
    orr_status status = s->options.backend->trainer_statistics(s->trainer, &recent, error);
    if (status != ORR_OK || !recent.steps) return status;
    double seconds = orr_seconds() - l->interval_begun;
    double rate = (double)(step - l->interval_step) * s->options.gan.batch / fmax(seconds, 1e-9);
    orr_history_steps record = {.step = step,
                                .epoch = orr_session_epoch(s, step),
                                .time = (double)time(NULL),
                                .loss_d = recent.loss_d,
                                .loss_g = recent.loss_g,
                                .d_real = recent.d_real,
                                .d_fake_before = recent.d_fake_before,
                                .d_fake_after = recent.d_fake_after,
                                .images_per_second = rate};
    status = orr_history_add_steps(&s->history, &s->run, &record, error);
    if (status != ORR_OK) return status;
    if (!isfinite(recent.loss_d) || !isfinite(recent.loss_g))
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: the training has diverged by step %llu (losses %g and %g); the last "
                        "checkpoint is intact; train anew with a lower --learning-rate or another "
                        "--seed",
                        s->run.path, (unsigned long long)step, recent.loss_d, recent.loss_g);
    tell_progress(s, l, step, &recent, rate);
    return ORR_OK;
}

// Does an interval of `every` epochs end with this step?
static int snapshot_due(const orr_session *s, uint64_t step) {
    uint64_t batch = s->options.gan.batch;
    uint64_t interval = (uint64_t)s->options.snapshot_every * s->data.count;
    return step == s->steps || step * batch / interval > (step - 1) * batch / interval;
}

// The first snapshot is before the first step, unless a resumed run has it already.
static orr_status first_snapshot(orr_session *s, orr_error *error) {
    const orr_history *h = &s->history;
    int there =
        h->snapshot_count && h->snapshots[h->snapshot_count - 1].numbers.step >= s->first_step;
    return there || s->first_step ? ORR_OK : orr_snapshot_take(s, error);
}

static orr_status run_steps(orr_session *s, loop *l, orr_error *error) {
    const orr_gan_backend *backend = s->options.backend;
    uint64_t per_epoch = s->data.count / s->options.gan.batch, interval = per_epoch / 10;
    if (interval < 1) interval = 1;
    if (interval > MAX_INTERVAL) interval = MAX_INTERVAL;
    orr_status status = first_snapshot(s, error);
    l->begun = l->interval_begun = orr_seconds();
    l->interval_step = s->first_step;
    for (uint64_t step = s->first_step; status == ORR_OK && step < s->steps;) {
        orr_gan_batch batch = {.index = l->index, .flip = s->options.flip};
        if (stopped(s)) {
            status = take_statistics(s, l, step, error);
            if (status == ORR_OK) status = backend->trainer_state(s->trainer, &s->state, error);
            if (status == ORR_OK)
                status =
                    orr_checkpoint_write(&s->run, &s->state, s->data.hash, s->options.keep, error);
            return status != ORR_OK
                       ? status
                       : orr_fail(error, ORR_STOPPED,
                                  "stopped after step %llu of %llu; there is a checkpoint of "
                                  "it, and --resume goes on from there",
                                  (unsigned long long)step, (unsigned long long)s->steps);
        }
        pick(s, l, step);
        status = backend->trainer_step(s->trainer, &batch, error);
        if (status != ORR_OK) break;
        int due = snapshot_due(s, ++step);
        if (due || step % interval == 0) {
            status = take_statistics(s, l, step, error);
            if (status == ORR_OK && due) status = orr_snapshot_take(s, error);
            l->interval_begun = orr_seconds();
            l->interval_step = step;
        }
    }
    return status;
}

static orr_status loop_until_done(orr_session *s, orr_error *error) {
    loop l = {.order_epoch = UINT64_MAX};
    l.order = calloc(s->data.count, sizeof *l.order);
    l.index = calloc(s->options.gan.batch, sizeof *l.index);
    orr_status status =
        l.order && l.index
            ? run_steps(s, &l, error)
            : orr_fail(error, ORR_INTERNAL, "no memory for the order of %u images", s->data.count);
    free(l.order);
    free(l.index);
    return status;
}

static void tell_start(const orr_session *s) {
    orr_training_setting setting = {.images = s->data.count,
                                    .skipped = s->data.skipped,
                                    .steps = s->steps,
                                    .first_step = s->first_step,
                                    .epochs = s->options.epochs,
                                    .data_hash = s->data.hash};
    if (s->hooks.start) s->hooks.start(s->hooks.context, &setting);
}

static orr_status run_session(orr_session *s, orr_error *error) {
    const orr_training_options *o = &s->options;
    orr_status status = orr_run_directory_open(&s->run, o->run, o->resume, !o->dry_run, error);
    if (status == ORR_OK && !s->run.fresh) status = orr_settings_read(s, error);
    if (status == ORR_OK) status = orr_gan_shape_check(&o->shape, error);
    if (status == ORR_OK) status = orr_gan_options_check(&o->gan, error);
    // The trainer says so too, but only after all images have been read.
    if (status == ORR_OK && o->gan.precision != ORR_GAN_FLOAT32 &&
        !orr_gan_device_is_gpu(o->backend))
        status = orr_fail(error, ORR_UNSUPPORTED,
                          "the CPU computes in float32 only; leave the precision out");
    if (status == ORR_OK) status = read_data(s, error);
    if (status == ORR_OK) status = find_state(s, error);
    if (status != ORR_OK) return status;
    tell_start(s);
    if (o->dry_run) return ORR_OK;
    orr_checkpoint_sweep(&s->run);
    status = open_trainer(s, error); // first: what a device refuses leaves no run behind
    if (status == ORR_OK) status = write_records(s, error);
    if (status == ORR_OK) status = orr_snapshot_prepare(s, error);
    if (status == ORR_OK) status = loop_until_done(s, error);
    if (status == ORR_OK) status = s->options.backend->trainer_state(s->trainer, &s->state, error);
    if (status == ORR_OK)
        status = orr_checkpoint_export(s->run.path, &s->state, s->data.hash, error);
    if (status == ORR_OK) orr_checkpoint_retire(&s->run, s->state.step, o->keep);
    if (status == ORR_OK) status = orr_snapshot_judge(s, error);
    if (status == ORR_OK && s->hooks.finished) s->hooks.finished(s->hooks.context, &s->outcome);
    return status;
}

orr_status orr_train(const orr_training_options *options, const orr_training_hooks *hooks,
                     orr_error *error) {
    orr_session *s = calloc(1, sizeof *s);
    if (!s) return orr_fail(error, ORR_INTERNAL, "out of memory");
    s->options = *options;
    if (hooks) s->hooks = *hooks;
    s->run.fd = -1;
    orr_sink_memory(&s->skipped);
    orr_status status = run_session(s, error);
    if (s->trainer) options->backend->trainer_close(s->trainer);
    orr_gan_state_free(&s->state);
    orr_dataset_free(&s->data);
    orr_history_free(&s->history);
    orr_sink_free(&s->skipped);
    orr_run_directory_close(&s->run);
    for (size_t i = 0; i < s->folder_count; i++) free(s->folders[i]);
    free(s->folders);
    free(s->real);
    free(s->latents);
    free(s);
    return status;
}
