// The gan suite: training steps and generated images of the published DCGAN, on the CPU and on a
// CUDA device. Before anything is timed, an implementation's images are compared with the plain
// C reference's. bench/peers-gan times PyTorch on the same shapes.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench_suites.h"
#include "gan/gan_device.h"
#include "gan/philox.h"

#define IMAGES 1024 // of the data set, noise
#define SEED 1
#define MOST 16384 // images generated in a run
#define COMPARED 2 // images; the reference takes a while for each

typedef struct trained {
    const orr_gan_backend *backend;
    orr_gan_trainer *trainer;
    unsigned steps; // that one run makes
} trained;

typedef struct drawn {
    orr_gan_net *net;
    float *latents;
    uint8_t *images;
    uint32_t count;
} drawn;

// What one device is asked to do.
typedef struct plan {
    const char *label, *device; // in the results
    const orr_gan_backend *backend;
    orr_gan_options options;
    double bound;       // of an image's value against the reference
    unsigned steps;     // of a run
    uint32_t generated; // images of a run
    int rounds;
} plan;

// ---- runs ---------------------------------------------------------------------------------------

static orr_status run_training(void *context, double *seconds, orr_error *error) {
    trained *t = context;
    orr_gan_statistics statistics;
    uint32_t batch = t->trainer->options.batch, index[ORR_GAN_MAX_BATCH];
    orr_status status = ORR_OK;
    double start = orr_seconds();
    for (unsigned n = 0; n < t->steps && status == ORR_OK; n++) {
        for (uint32_t i = 0; i < batch; i++) index[i] = (n * batch + i) % IMAGES;
        orr_gan_batch input = {.index = index, .flip = 1};
        status = t->backend->trainer_step(t->trainer, &input, error);
    }
    if (status == ORR_OK) // waits for the device
        status = t->backend->trainer_statistics(t->trainer, &statistics, error);
    *seconds = orr_seconds() - start;
    if (status == ORR_OK && !(isfinite(statistics.loss_d) && isfinite(statistics.loss_g)))
        status = orr_fail(error, ORR_SELF_TEST, "training on %s gives losses that are no numbers",
                          t->backend->name);
    return status;
}

static orr_status run_generation(void *context, double *seconds, orr_error *error) {
    drawn *d = context;
    double start = orr_seconds();
    orr_status status = orr_gan_evaluate_bytes(d->net, d->latents, d->count, d->images, error);
    *seconds = orr_seconds() - start;
    return status;
}

// ---- the comparison -----------------------------------------------------------------------------

// The first images of a generator with these parameters, by one implementation.
static orr_status first_images(const orr_gan_backend *backend, orr_gan_options options,
                               const orr_gan_state *state, const float *latents, float *images,
                               orr_error *error) {
    const orr_gan_network_state *g = &state->state[ORR_GAN_GENERATOR];
    orr_gan_net *net = NULL;
    options.batch = COMPARED;
    orr_status status =
        backend->net_open(backend, &state->networks[ORR_GAN_GENERATOR], &options, &net, error);
    if (status == ORR_OK) status = backend->net_set(net, g->parameters, g->running, error);
    if (status == ORR_OK) status = orr_gan_evaluate(net, latents, COMPARED, images, error);
    backend->net_close(net);
    return status;
}

static orr_status compare(const plan *p, const orr_gan_state *state, const float *latents,
                          orr_error *error) {
    size_t count = COMPARED * orr_gan_output_floats(&state->networks[ORR_GAN_GENERATOR]);
    float *images = calloc(count, sizeof *images), *right = calloc(count, sizeof *right);
    orr_gan_options plain = orr_gan_default_options();
    orr_status status = ORR_OK;
    if (!images || !right) status = orr_fail(error, ORR_INTERNAL, "out of memory for images");
    if (status == ORR_OK)
        status = first_images(p->backend, p->options, state, latents, images, error);
    if (status == ORR_OK)
        status = first_images(orr_gan_reference(), plain, state, latents, right, error);
    for (size_t n = 0; n < count && status == ORR_OK; n++)
        if (!(fabs((double)images[n] - (double)right[n]) <= p->bound))
            status = orr_fail(error, ORR_SELF_TEST,
                              "%s makes other images than the reference (%g for %g); nothing is "
                              "timed",
                              p->label, (double)images[n], (double)right[n]);
    free(images);
    free(right);
    return status;
}

// ---- one plan -----------------------------------------------------------------------------------

static orr_status open_training(const plan *p, const orr_gan_state *state, const uint8_t *data,
                                trained *t, orr_error *error) {
    *t = (trained){.backend = p->backend, .steps = p->steps};
    orr_status status =
        p->backend->trainer_open(p->backend, &p->options, state, &t->trainer, error);
    return status == ORR_OK ? p->backend->trainer_data(t->trainer, data, IMAGES, error) : status;
}

static orr_status open_generation(const plan *p, const orr_gan_state *state, const float *latents,
                                  drawn *d, orr_error *error) {
    const orr_gan_network *network = &state->networks[ORR_GAN_GENERATOR];
    const orr_gan_network_state *g = &state->state[ORR_GAN_GENERATOR];
    d->count = p->generated;
    d->latents = malloc((size_t)d->count * state->shape.latent * sizeof *d->latents);
    d->images = malloc(d->count * orr_gan_output_floats(network));
    if (!d->latents || !d->images)
        return orr_fail(error, ORR_INTERNAL, "out of memory for %u images", d->count);
    memcpy(d->latents, latents, (size_t)d->count * state->shape.latent * sizeof *d->latents);
    orr_status status = p->backend->net_open(p->backend, network, &p->options, &d->net, error);
    return status == ORR_OK ? p->backend->net_set(d->net, g->parameters, g->running, error)
                            : status;
}

// Results count images, not bytes.
static void count_images(orr_bench *bench, size_t first) {
    for (size_t n = first; n < bench->count; n++) {
        bench->results[n].images = bench->results[n].bytes;
        bench->results[n].bytes = 0;
    }
}

static orr_status measure(orr_bench *bench, const plan *p, const orr_gan_state *state,
                          const uint8_t *data, const float *latents, orr_error *error) {
    orr_measure_item items[2] = {{.run = run_training}, {.run = run_generation}};
    uint32_t batch = p->options.batch;
    size_t first = bench->count;
    trained t = {0};
    drawn d = {0};
    orr_bench_progress(bench, "DCGAN on %s, batch %u", p->label, batch);
    orr_status status = compare(p, state, latents, error);
    if (status == ORR_OK) status = open_training(p, state, data, &t, error);
    if (status == ORR_OK) status = open_generation(p, state, latents, &d, error);
    for (int n = 0; n < 2; n++) {
        snprintf(items[n].group, sizeof items[n].group, "DCGAN 64 x 64, %s", p->label);
        snprintf(items[n].name, sizeof items[n].name, "%s, batch %u", n ? "generate" : "train",
                 batch);
        snprintf(items[n].note, sizeof items[n].note,
                 "first images within %g of the plain C reference's", p->bound);
        items[n].context = n ? (void *)&d : (void *)&t;
        items[n].bytes = n ? p->generated : (uint64_t)p->steps * batch;
    }
    if (status == ORR_OK)
        status = orr_measure_rounds(items, 2, p->rounds, bench->options.stop, error);
    if (status == ORR_OK)
        status = orr_bench_add(bench, items, 2, SIZE_MAX, NULL, p->device,
                               strcmp(p->device, "cpu") ? 0 : orr_bench_threads(bench), error);
    count_images(bench, first);
    orr_measure_free(items, 2);
    if (t.trainer) p->backend->trainer_close(t.trainer);
    if (d.net) p->backend->net_close(d.net);
    free(d.latents);
    free(d.images);
    return status;
}

// ---- the suite ----------------------------------------------------------------------------------

// `wanted`: by name.
static orr_status on_cpu(orr_bench *bench, int wanted, const orr_gan_state *state,
                         const uint8_t *data, const float *latents, orr_error *error) {
    int quick = bench->options.quick;
    plan p = {.label = "CPU",
              .device = "cpu",
              .bound = 1e-3,
              .steps = 1,
              .rounds = quick ? 2 : 5,
              .options = orr_gan_default_options()};
    orr_status status = orr_gan_device_open("cpu", &p.options, &p.backend, NULL, NULL, error);
    if (status == ORR_UNSUPPORTED && !wanted) {
        orr_bench_find(bench, "gan: no figures from the CPU: %s is not installed, or does not load",
                       orr_gan_onednn_module.file);
        return ORR_OK;
    }
    p.options.threads = orr_bench_threads(bench);
    for (int n = 0; n < (quick ? 1 : 2) && status == ORR_OK; n++) {
        p.options.batch = n ? 128 : 32;
        p.generated = p.options.batch * (quick ? 1 : 2);
        status = measure(bench, &p, state, data, latents, error);
    }
    return status;
}

static orr_status on_device(orr_bench *bench, const char *device, const orr_gan_state *state,
                            const uint8_t *data, const float *latents, orr_error *error) {
    static const struct {
        const char *label;
        orr_gan_precision precision;
        uint32_t batch;
        double bound;
    } kinds[] = {{"CUDA, TF32", ORR_GAN_TF32, 32, 0.02},
                 {"CUDA, bfloat16", ORR_GAN_BF16, 32, 0.1},
                 {"CUDA, TF32", ORR_GAN_TF32, 128, 0.02},
                 {"CUDA, bfloat16", ORR_GAN_BF16, 128, 0.1},
                 {"CUDA, bfloat16", ORR_GAN_BF16, 1024, 0.1}};
    plan p = {.device = device,
              .rounds = bench->options.quick ? 5 : 15,
              .options = orr_gan_default_options()};
    orr_status status = orr_gan_device_open(device, &p.options, &p.backend, NULL, NULL, error);
    for (size_t n = 0; n < sizeof kinds / sizeof *kinds && status == ORR_OK; n++) {
        p.label = kinds[n].label;
        p.bound = kinds[n].bound;
        p.options.precision = kinds[n].precision;
        p.options.batch = kinds[n].batch;
        p.steps = bench->options.quick ? 20 : 100;
        p.generated = MOST; // several batches in flight
        status = measure(bench, &p, state, data, latents, error);
        if (status != ORR_UNSUPPORTED) continue;
        // A convolution that cuDNN has no engine for, or too little memory: the others may do.
        orr_bench_find(bench, "gan: no figures for %s, batch %u: %.200s", p.label, p.options.batch,
                       error->text);
        status = ORR_OK;
    }
    return status;
}

orr_status orr_bench_gan(orr_bench *bench, orr_error *error) {
    const char *device = bench->options.device ? bench->options.device : "auto";
    orr_gan_shape shape = orr_gan_default_shape();
    orr_gan_state state = {0};
    size_t bytes = (size_t)IMAGES * shape.image_size * shape.image_size * shape.channels;
    uint8_t *data = malloc(bytes);
    float *latents = malloc((size_t)MOST * shape.latent * sizeof *latents);
    orr_error reason = {.status = ORR_OK};
    orr_status status = orr_gan_state_new(&shape, &state, error);
    if (status == ORR_OK && (!data || !latents))
        status = orr_fail(error, ORR_INTERNAL, "out of memory for a data set");
    if (status == ORR_OK) {
        orr_gan_state_init(&state, SEED);
        orr_gan_deviates(SEED, ORR_STREAM_SAMPLE, 0, (size_t)MOST * shape.latent, latents);
        for (size_t n = 0; n < bytes; n++) data[n] = (uint8_t)(n * 2654435761u >> 13);
        if (strncmp(device, "cuda", 4) != 0)
            status = on_cpu(bench, !strcmp(device, "cpu"), &state, data, latents, error);
    }
    if (status == ORR_OK && strcmp(device, "cpu") != 0) {
        if (strcmp(device, "auto") != 0)
            status = on_device(bench, device, &state, data, latents, error);
        else if (orr_gan_cuda_count(&reason))
            status = on_device(bench, "cuda:0", &state, data, latents, error);
        else if (orr_gan_cuda_module.state == ORR_LIBRARY_LOADED)
            orr_bench_find(bench, "gan: no figures from a GPU: %.200s", reason.text);
        else // without the program's directory: findings go into records
            orr_bench_find(bench,
                           "gan: no figures from a GPU: %s is not installed, or does not load",
                           orr_gan_cuda_module.file);
    }
    orr_gan_state_free(&state);
    free(latents);
    free(data);
    return status;
}
