// What is looked at and measured now and then: grids, distances, collapse; and the checkpoint.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gan/philox.h"
#include "training/checkpoint.h"
#include "training/quality.h"
#include "training/session.h"

#define ALIKE 0.25 // of the diversity of real images: below, the generator may have collapsed
#define CLOSE 0.5  // of the distance between real images: below, it may have learnt by heart
#define SURE 0.995 // probabilities of a discriminator that the generator cannot mislead
// Epochs and steps in which images may be alike: a generator begins with gray. (The shipped one's
// had 0.6 of that diversity after 168 steps; of a small set five epochs are a few steps.)
#define PATIENCE 5
#define BEGINNING 200

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static uint32_t generated_count(const orr_session *s) {
    return s->sample_count > ORR_GRID_IMAGES ? s->sample_count : ORR_GRID_IMAGES;
}

orr_status orr_snapshot_prepare(orr_session *s, orr_error *error) {
    size_t bytes = orr_dataset_image_bytes(&s->data);
    uint32_t compared = smaller(ORR_GRID_IMAGES, s->data.count), index[ORR_GRID_IMAGES];
    orr_nearest nearest[ORR_GRID_IMAGES];
    s->sample_count = smaller(ORR_SWD_IMAGES, s->data.count);
    size_t latents = (size_t)generated_count(s) * s->options.shape.latent;
    s->real = malloc(s->sample_count * bytes);
    s->latents = calloc(latents, sizeof *s->latents);
    if (!s->real || !s->latents)
        return orr_fail(error, ORR_INTERNAL, "no memory for images to compare with");
    orr_gan_deviates(s->options.seed, ORR_STREAM_SAMPLE, 0, latents, s->latents);
    orr_dataset_spread(&s->data, compared, 0, s->real, index);
    orr_nearest_find(&s->data, s->real, compared, index, nearest);
    s->nearest_real = orr_nearest_median(nearest, compared);
    s->diversity_real = orr_diversity(s->real, compared, s->data.size, s->data.channels);
    orr_dataset_spread(&s->data, s->sample_count, 0, s->real, NULL);
    orr_swd halves;
    orr_status status =
        orr_swd_of_halves(&s->data, s->sample_count, s->options.seed, &halves, error);
    s->swd_floor = halves.mean;
    return status;
}

static orr_status write_picture(const orr_session *s, const char *name, orr_raster *picture,
                                orr_error *error) {
    uint8_t *bytes = NULL;
    size_t count = 0;
    orr_status status = orr_png_encode(picture, &bytes, &count, error);
    if (status == ORR_OK) status = orr_run_write(&s->run, name, bytes, count, error);
    free(bytes);
    orr_raster_free(picture);
    return status;
}

static orr_status write_grids(const orr_session *s, uint64_t step, const uint8_t *images,
                              const orr_nearest *nearest, orr_error *error) {
    char name[64];
    orr_raster picture;
    orr_status status = orr_grid(images, ORR_GRID_IMAGES, s->data.size, s->data.channels,
                                 ORR_GRID_COLUMNS, &picture, error);
    snprintf(name, sizeof name, "grid-%010llu.png", (unsigned long long)step);
    if (status == ORR_OK) status = write_picture(s, name, &picture, error);
    if (status == ORR_OK)
        status = orr_nearest_grid(&s->data, images, nearest, ORR_GRID_IMAGES, ORR_GRID_COLUMNS,
                                  &picture, error);
    snprintf(name, sizeof name, "nearest-%010llu.png", (unsigned long long)step);
    if (status == ORR_OK) status = write_picture(s, name, &picture, error);
    return status;
}

// Images of `count` latents as bytes; malloc'ed.
static orr_status generate(orr_session *s, const float *latents, uint32_t count, uint8_t **images,
                           orr_error *error) {
    size_t floats = count * orr_dataset_image_bytes(&s->data);
    float *values = malloc(floats * sizeof *values);
    orr_status status = ORR_OK;
    *images = malloc(floats);
    if (!values || !*images) {
        status = orr_fail(error, ORR_INTERNAL, "no memory for %u images", count);
    } else {
        status = s->options.backend->trainer_sample(s->trainer, latents, count, values, error);
        if (status == ORR_OK) orr_gan_to_bytes(values, floats, *images);
    }
    free(values);
    return status;
}

// Means of D's probabilities since the last snapshot but this one.
static void watch_discriminator(orr_session *s) {
    const orr_history *h = &s->history;
    uint64_t since = h->snapshot_count > 1 ? h->snapshots[h->snapshot_count - 2].numbers.step : 0;
    double real = 0, fake = 0, n = 0;
    for (size_t i = h->step_count; i-- > 0 && h->steps[i].step > since; n++) {
        real += h->steps[i].d_real;
        fake += h->steps[i].d_fake_before;
    }
    if (n && real / n > SURE && fake / n < 1 - SURE)
        orr_session_warn(s,
                         "the discriminator is sure of every image (D(x) %.4f, D(G(z)) %.4f): the "
                         "generator learns little; a lower --learning-rate or another --seed may "
                         "help",
                         real / n, fake / n);
}

static void watch(orr_session *s, const orr_training_snapshot *n) {
    if (n->step == 0) return;
    watch_discriminator(s);
    if (n->epoch >= PATIENCE && n->step >= BEGINNING && n->diversity < ALIKE * n->diversity_real)
        orr_session_warn(s,
                         "the generated images are much alike (mean distance %.1f, training images "
                         "%.1f): if this stays, the generator has collapsed",
                         n->diversity, n->diversity_real);
    if (n->nearest_median < CLOSE * n->nearest_real)
        orr_session_warn(s,
                         "generated images come close to training images (distance %.1f; training "
                         "images to each other %.1f): look at %s/nearest-%010llu.png",
                         n->nearest_median, n->nearest_real, s->run.path,
                         (unsigned long long)n->step);
}

static double least(const orr_nearest *nearest, uint32_t count) {
    double value = nearest[0].rms;
    for (uint32_t i = 1; i < count; i++)
        if (nearest[i].rms < value) value = nearest[i].rms;
    return value;
}

orr_status orr_snapshot_take(orr_session *s, orr_error *error) {
    uint8_t *images = NULL;
    orr_nearest nearest[ORR_GRID_IMAGES];
    orr_history_snapshot record = {.time = (double)time(NULL)};
    orr_training_snapshot *n = &record.numbers;
    char grid[4096];
    orr_status status = s->options.backend->trainer_state(s->trainer, &s->state, error);
    if (status == ORR_OK) status = generate(s, s->latents, generated_count(s), &images, error);
    if (status != ORR_OK) goto end;
    n->step = s->state.step;
    n->epoch = orr_session_epoch(s, n->step);
    orr_nearest_find(&s->data, images, ORR_GRID_IMAGES, NULL, nearest);
    n->nearest_least = least(nearest, ORR_GRID_IMAGES);
    n->nearest_median = orr_nearest_median(nearest, ORR_GRID_IMAGES);
    n->nearest_real = s->nearest_real;
    n->diversity = orr_diversity(images, ORR_GRID_IMAGES, s->data.size, s->data.channels);
    n->diversity_real = s->diversity_real;
    status = orr_swd_measure(s->real, images, s->sample_count, s->data.size, s->data.channels,
                             s->options.seed, &record.swd, error);
    n->swd = record.swd.mean;
    n->swd_floor = s->swd_floor;
    if (status == ORR_OK) status = write_grids(s, n->step, images, nearest, error);
    if (status == ORR_OK) status = orr_history_add_snapshot(&s->history, &s->run, &record, error);
    if (status == ORR_OK) status = orr_report_write(s, error);
    if (status == ORR_OK)
        status = orr_checkpoint_write(&s->run, &s->state, s->data.hash, s->options.keep, error);
    if (status != ORR_OK) goto end;
    watch(s, n);
    snprintf(grid, sizeof grid, "%s/grid-%010llu.png", s->run.path, (unsigned long long)n->step);
    n->grid = grid;
    if (s->hooks.snapshot) s->hooks.snapshot(s->hooks.context, n);
end:
    free(images);
    return status;
}

// How it fails, and what may help.
static void tell_useless(orr_session *s) {
    const orr_training_outcome *o = &s->outcome;
    const char *advice =
        s->steps < ORR_FEW_STEPS
            ? "steps, which are few: more images, more epochs or a smaller batch make more"
            : "steps: take an earlier checkpoint, or another seed";
    if (o->diversity < ORR_POOL_DIVERSITY)
        orr_session_warn(s,
                         "the generator is of no use for decoys, and `keyring new` will refuse it: "
                         "its images hardly differ, by %.2f grey levels in the mean of %u images, "
                         "where %g are the least, after %llu %s",
                         o->diversity, ORR_POOL_COMPARED, ORR_POOL_DIVERSITY,
                         (unsigned long long)s->state.step, advice);
    else
        orr_session_warn(s,
                         "the generator is of no use for decoys, and `keyring new` will refuse it: "
                         "it makes %zu different images among %zu, after %llu %s",
                         o->different, o->images, (unsigned long long)s->state.step, advice);
}

orr_status orr_snapshot_judge(orr_session *s, orr_error *error) {
    uint32_t count = ORR_POOL_IMAGES, channels = s->data.channels;
    size_t latents = (size_t)count * s->options.shape.latent;
    size_t samples = orr_dataset_image_bytes(&s->data);
    uint8_t *images = NULL;
    float *chosen = calloc(latents, sizeof *chosen);
    uint64_t(*sums)[3] = calloc(count, sizeof *sums);
    orr_training_outcome *o = &s->outcome;
    orr_status status = ORR_OK;
    if (!chosen || !sums) {
        status = orr_fail(error, ORR_INTERNAL, "no memory for %u images", count);
        goto end;
    }
    orr_gan_deviates(s->options.seed, ORR_STREAM_SAMPLE, 0, latents, chosen);
    status = generate(s, chosen, count, &images, error);
    if (status != ORR_OK) goto end;
    for (uint32_t i = 0; i < count; i++)
        orr_channel_sums(images + i * samples, samples, channels, sums[i]);
    o->diversity = orr_diversity(images, ORR_POOL_COMPARED, s->data.size, channels);
    o->different = orr_different_sums(sums, count);
    o->images = count;
    o->useful = orr_pool_useful(o->diversity, o->different, o->images);
    if (o->useful) goto end;
    tell_useless(s);
    // A power cut may have taken the statistics, which are not flushed: then there is no page.
    if (s->history.snapshot_count) status = orr_report_write(s, error);
end:
    free(images);
    free(chosen);
    free(sums);
    return status;
}
