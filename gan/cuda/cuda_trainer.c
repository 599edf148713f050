// The training step on a CUDA device. Data set, parameters, optimizer and random numbers live
// there; the host sends a few words for each step and reads sums when somebody asks for them.
//
// The first step after opening is queued call by call, so that cuDNN loads what it needs; the
// second is captured into a CUDA graph, which every later one replays; what lies on the side
// (device_net.h) becomes branches of it. Real and generated images
// pass through the discriminator side by side, each batch normalised by itself, and their gradients
// add up in one filter gradient: the sum that the PyTorch example takes in two passes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gan/cuda/gan_cuda.h"
#include "gan/philox.h"

#define AHEAD 16 // steps that may be queued before the host waits for the device

typedef struct cuda_trainer {
    orr_gan_trainer base;
    cuda_context context;
    cuda_memory memory, data;
    cuda_net nets[2];
    uint64_t batches[2], seed, step;
    uint64_t opened_at, counted_from; // steps
    uint32_t image_count;
    orr_cuda_progress *progress;
    orr_cuda_input *input;
    uint32_t *index;         // directly behind *input
    float *images, *latents; // of the host, or on their way to it
    float *logit_gradient;   // [2 * batch]
    uint8_t *staged;         // pinned, AHEAD times staged_bytes: what *input and index become
    size_t staged_bytes;
    cudaEvent_t sent[AHEAD];
    cudaGraphExec_t graph;
} cuda_trainer;

static const cuda_net_use uses[2] = {
    {.groups = 1, .backward = 1, .moments = 1},
    {.groups = 2, .backward = 1, .input_gradient = 1, .moments = 1}};

// ---- opening and closing ------------------------------------------------------------------------

void cuda_trainer_close(orr_gan_trainer *trainer) {
    cuda_trainer *self = (cuda_trainer *)trainer;
    if (!self) return;
    (void)cudaSetDevice(self->context.device);
    if (self->context.stream) (void)cudaStreamSynchronize(self->context.stream);
    if (self->graph) (void)cudaGraphExecDestroy(self->graph);
    for (int n = 0; n < AHEAD; n++)
        if (self->sent[n]) (void)cudaEventDestroy(self->sent[n]);
    if (self->staged) {
        memset(self->staged, 0, AHEAD * self->staged_bytes);
        (void)cudaFreeHost(self->staged);
    }
    cuda_memory_close(&self->context, &self->data);
    cuda_memory_close(&self->context, &self->memory);
    cuda_net_close(&self->nets[0]);
    cuda_net_close(&self->nets[1]);
    cuda_context_close(&self->context);
    free(self);
}

static size_t image_floats(const cuda_trainer *self) {
    const orr_gan_shape *shape = &self->base.shape;
    return (size_t)shape->image_size * shape->image_size * shape->channels;
}

static void layout(cuda_trainer *self) {
    cuda_memory *memory = &self->memory;
    uint32_t batch = self->base.options.batch;
    self->progress = cuda_take(memory, sizeof *self->progress);
    self->input = cuda_take(memory, self->staged_bytes);
    self->index = (uint32_t *)(self->input + 1);
    self->images = cuda_take(memory, batch * image_floats(self) * sizeof(float));
    self->latents = cuda_take(memory, (size_t)batch * self->base.shape.latent * sizeof(float));
    self->logit_gradient = cuda_take(memory, 2 * batch * sizeof(float));
    for (int n = 0; n < 2; n++) cuda_net_layout(&self->nets[n], &uses[n], memory);
    // Generated images go where the discriminator looks for them: behind the real ones.
    cuda_net *d = &self->nets[ORR_GAN_DISCRIMINATOR];
    size_t half = (size_t)batch * self->base.shape.image_size * self->base.shape.image_size *
                  d->layers[0].in * d->element;
    cuda_net_last(&self->nets[ORR_GAN_GENERATOR])->output = (uint8_t *)d->input + half;
}

static orr_status take_memory(cuda_trainer *self, orr_error *error) {
    char what[64];
    uint32_t batch = self->base.options.batch;
    self->staged_bytes = sizeof(orr_cuda_input) + batch * sizeof(uint32_t);
    snprintf(what, sizeof what, "training with batches of %u images", batch);
    layout(self);
    orr_status status = cuda_memory_open(&self->context, &self->memory, what, error);
    if (status != ORR_OK) return status;
    layout(self);
    for (int n = 0; n < 2; n++)
        self->nets[n].adam = (orr_cuda_adam){.progress = self->progress,
                                             .beta1 = self->base.options.beta1,
                                             .beta2 = self->base.options.beta2,
                                             .epsilon = self->base.options.epsilon};
    CUDA_TRY(&self->context, cudaHostAlloc((void **)&self->staged, AHEAD * self->staged_bytes,
                                           cudaHostAllocDefault));
    for (int n = 0; n < AHEAD; n++)
        CUDA_TRY(&self->context, cudaEventCreateWithFlags(&self->sent[n], cudaEventDisableTiming));
    return ORR_OK;
}

static orr_status upload(cuda_trainer *self, const orr_gan_state *state, orr_error *error) {
    orr_cuda_progress progress = {.next = state->step, .seed = state->seed};
    const cuda_context *context = &self->context;
    self->seed = state->seed;
    self->step = self->opened_at = self->counted_from = state->step;
    for (int n = 0; n < 2; n++) {
        const orr_gan_network_state *one = &state->state[n];
        self->batches[n] = one->batches;
        orr_status status = cuda_net_upload(&self->nets[n], one->parameters, one->running,
                                            one->moment1, one->moment2, error);
        if (status != ORR_OK) return status;
    }
    CUDA_TRY(context, cudaMemcpyAsync(self->progress, &progress, sizeof progress,
                                      cudaMemcpyHostToDevice, context->stream));
    CUDA_TRY(context, cuda_wait(context, 0));
    return ORR_OK;
}

orr_status cuda_trainer_open(const orr_gan_backend *backend, const orr_gan_options *options,
                             const orr_gan_state *state, orr_gan_trainer **trainer,
                             orr_error *error) {
    orr_status status = orr_gan_options_check(options, error);
    if (status == ORR_OK) status = orr_gan_shape_check(&state->shape, error);
    if (status != ORR_OK) return status;
    cuda_trainer *self = calloc(1, sizeof *self);
    if (!self) return orr_fail(error, ORR_INTERNAL, "out of memory for a trainer");
    self->base = (orr_gan_trainer){.backend = backend, .options = *options, .shape = state->shape};
    status = cuda_context_open(&self->context, options->device, error);
    for (int n = 0; n < 2 && status == ORR_OK; n++)
        status = cuda_net_open(&self->nets[n], &self->context, &state->networks[n], options,
                               &uses[n], error);
    if (status == ORR_OK) status = take_memory(self, error);
    if (status == ORR_OK) status = upload(self, state, error);
    if (status != ORR_OK) {
        cuda_trainer_close(&self->base);
        return status;
    }
    *trainer = &self->base;
    return ORR_OK;
}

orr_status cuda_trainer_data(orr_gan_trainer *trainer, const uint8_t *images, uint32_t count,
                             orr_error *error) {
    cuda_trainer *self = (cuda_trainer *)trainer;
    const cuda_context *context = &self->context;
    size_t bytes = count * image_floats(self);
    char what[64];
    CUDA_TRY(context, cudaSetDevice(context->device));
    CUDA_TRY(context, cudaStreamSynchronize(context->stream));
    cuda_memory_close(context, &self->data);
    if (self->graph) { // it holds the address
        CUDA_TRY(context, cudaGraphExecDestroy(self->graph));
        self->graph = NULL;
    }
    self->image_count = 0;
    if (count == 0) return ORR_OK;
    snprintf(what, sizeof what, "the data set of %u images", count);
    cuda_take(&self->data, bytes);
    orr_status status = cuda_memory_open(context, &self->data, what, error);
    if (status != ORR_OK) return status;
    cuda_take(&self->data, bytes);
    CUDA_TRY(context, cudaMemcpyAsync(self->data.base, images, bytes, cudaMemcpyHostToDevice,
                                      context->stream));
    CUDA_TRY(context, cuda_wait(context, 0));
    self->image_count = count;
    return ORR_OK;
}

// ---- a step -------------------------------------------------------------------------------------

static orr_status queue_images(cuda_trainer *self, orr_error *error) {
    const cuda_context *context = &self->context;
    const orr_gan_options *options = &self->base.options;
    const orr_gan_shape *shape = &self->base.shape;
    const cuda_net *g = &self->nets[ORR_GAN_GENERATOR], *d = &self->nets[ORR_GAN_DISCRIMINATOR];
    orr_cuda_begin begin = {self->progress, (double)options->learning_rate, (double)options->beta1,
                            (double)options->beta2};
    orr_cuda_latents latents = {self->input, self->progress, self->latents,   g->input,
                                g->batch,    shape->latent,  g->layers[0].in, ORR_STREAM_LATENT};
    orr_cuda_real real = {.input = self->input,
                          .progress = self->progress,
                          .data = self->data.base,
                          .index = self->index,
                          .images = self->images,
                          .y = d->input,
                          .batch = d->batch,
                          .size = shape->image_size,
                          .channels = shape->channels,
                          .count = self->image_count};
    CUDA_TRY(context, orr_cuda_begin_launch(&begin, context->stream));
    CUDA_TRY(context, cuda_fork(context)); // joined before the discriminator reads them
    CUDA_TRY(context, orr_cuda_real_launch(d->type, &real, context->side.stream));
    CUDA_TRY(context, orr_cuda_latents_launch(g->type, &latents, context->stream));
    return ORR_OK;
}

// Real images with label 1 and generated ones with label 0 through the discriminator; its update.
static orr_status queue_discriminator(cuda_trainer *self, orr_error *error) {
    cuda_net *d = &self->nets[ORR_GAN_DISCRIMINATOR];
    orr_cuda_progress *to = self->progress;
    orr_cuda_bce bce = {.logits = cuda_net_last(d)->output,
                        .gradient = self->logit_gradient,
                        .count = d->batch,
                        .halves = 2,
                        .label = {1, 0},
                        .loss = {&to->loss_real, &to->loss_fake},
                        .probability = {&to->real, &to->fake_before}};
    CUDA_TRY(&self->context, cuda_join(&self->context)); // the real images
    orr_status status = cuda_net_forward(d, 2, ORR_GAN_TRAIN, d->input, error);
    if (status != ORR_OK) return status;
    CUDA_TRY(&self->context, orr_cuda_bce_launch(&bce, self->context.stream));
    return cuda_net_backward(d, 2, ORR_GAN_TRAIN, d->input, self->logit_gradient, CUDA_UPDATE, NULL,
                             error);
}

// The same generated images with label 1 through the updated discriminator; the generator's update.
static orr_status queue_generator(cuda_trainer *self, orr_error *error) {
    cuda_net *g = &self->nets[ORR_GAN_GENERATOR], *d = &self->nets[ORR_GAN_DISCRIMINATOR];
    const void *fake = cuda_net_last(g)->output;
    void *image_gradient = NULL;
    orr_cuda_bce bce = {.logits = cuda_net_last(d)->output,
                        .gradient = self->logit_gradient,
                        .count = d->batch,
                        .halves = 1,
                        .label = {1, 0},
                        .loss = {&self->progress->loss_g},
                        .probability = {&self->progress->fake_after}};
    orr_status status = cuda_net_forward(d, 1, ORR_GAN_TRAIN, fake, error);
    if (status != ORR_OK) return status;
    CUDA_TRY(&self->context, orr_cuda_bce_launch(&bce, self->context.stream));
    status = cuda_net_backward(d, 1, ORR_GAN_TRAIN, fake, self->logit_gradient, CUDA_NO_FILTERS,
                               &image_gradient, error);
    return status == ORR_OK ? cuda_net_backward(g, 1, ORR_GAN_TRAIN, g->input, image_gradient,
                                                CUDA_UPDATE, NULL, error)
                            : status;
}

static orr_status queue_step(cuda_trainer *self, orr_error *error) {
    cuda_net *g = &self->nets[ORR_GAN_GENERATOR];
    orr_status status = queue_images(self, error);
    if (status == ORR_OK) status = cuda_net_forward(g, 1, ORR_GAN_TRAIN, g->input, error);
    if (status == ORR_OK) status = queue_discriminator(self, error);
    if (status == ORR_OK) status = queue_generator(self, error);
    return status;
}

static orr_status capture(cuda_trainer *self, orr_error *error) {
    const cuda_context *context = &self->context;
    cudaGraph_t graph = NULL;
    CUDA_TRY(context, cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal));
    orr_status status = queue_step(self, error);
    int code = (int)cudaStreamEndCapture(context->stream, &graph); // also after a failure
    if (status == ORR_OK) status = cuda_check(context, code, "cudaStreamEndCapture", error);
    if (status == ORR_OK)
        status = cuda_check(
            context,
            (int)cudaGraphInstantiate(&self->graph, graph, cudaGraphInstantiateFlagUseNodePriority),
            "cudaGraphInstantiate", error);
    if (graph) (void)cudaGraphDestroy(graph);
    return status;
}

// ---- what the host sends ------------------------------------------------------------------------

// The arrays of a batch that brings its own; they are the caller's again when this returns, also
// when a copy was refused behind one that is under way.
static orr_status send_arrays(cuda_trainer *self, const orr_gan_batch *batch, orr_error *error) {
    const cuda_context *context = &self->context;
    uint32_t count = self->base.options.batch;
    int code = 0;
    if (!batch->real && !batch->latents) return ORR_OK;
    if (batch->real)
        code = (int)cudaMemcpyAsync(self->images, batch->real,
                                    count * image_floats(self) * sizeof(float),
                                    cudaMemcpyHostToDevice, context->stream);
    if (code == 0 && batch->latents)
        code = (int)cudaMemcpyAsync(self->latents, batch->latents,
                                    (size_t)count * self->base.shape.latent * sizeof(float),
                                    cudaMemcpyHostToDevice, context->stream);
    CUDA_TRY(context, cuda_wait(context, code));
    return ORR_OK;
}

// Fills a place of the pinned ring that the device has read.
static orr_status send_input(cuda_trainer *self, const orr_gan_batch *batch, orr_error *error) {
    const cuda_context *context = &self->context;
    uint32_t count = self->base.options.batch;
    unsigned place = (unsigned)(self->step % AHEAD);
    uint8_t *staged = self->staged + place * self->staged_bytes;
    orr_cuda_input input = {batch->flip != 0, batch->real != NULL, batch->latents != NULL};
    uint32_t *index = (uint32_t *)(staged + sizeof input);
    if (self->step - self->opened_at >= AHEAD)
        CUDA_TRY(context, cudaEventSynchronize(self->sent[place]));
    memcpy(staged, &input, sizeof input);
    for (uint32_t i = 0; i < count; i++) {
        index[i] = batch->real ? 0 : batch->index ? batch->index[i] : i;
        if (!batch->real && index[i] >= self->image_count)
            return orr_fail(error, ORR_INTERNAL, "image %u of a data set of %u", index[i],
                            self->image_count);
    }
    CUDA_TRY(context, cudaMemcpyAsync(self->input, staged, self->staged_bytes,
                                      cudaMemcpyHostToDevice, context->stream));
    CUDA_TRY(context, cudaEventRecord(self->sent[place], context->stream));
    return send_arrays(self, batch, error);
}

orr_status cuda_trainer_step(orr_gan_trainer *trainer, const orr_gan_batch *batch,
                             orr_error *error) {
    cuda_trainer *self = (cuda_trainer *)trainer;
    const cuda_context *context = &self->context;
    int graph = ((const cuda_backend *)trainer->backend)->graph;
    CUDA_TRY(context, cudaSetDevice(context->device));
    orr_status status = send_input(self, batch, error);
    if (status != ORR_OK) return status;
    if (!graph || self->step == self->opened_at) {
        status = queue_step(self, error);
    } else {
        if (!self->graph) status = capture(self, error);
        if (status == ORR_OK)
            status = cuda_check(context, (int)cudaGraphLaunch(self->graph, context->stream),
                                "cudaGraphLaunch", error);
    }
    if (status != ORR_OK) return status;
    self->step++;
    self->batches[ORR_GAN_GENERATOR] += 1;
    self->batches[ORR_GAN_DISCRIMINATOR] += 3;
    return ORR_OK;
}

// ---- what the host reads ------------------------------------------------------------------------

orr_status cuda_trainer_statistics(orr_gan_trainer *trainer, orr_gan_statistics *statistics,
                                   orr_error *error) {
    cuda_trainer *self = (cuda_trainer *)trainer;
    const cuda_context *context = &self->context;
    orr_cuda_progress sums;
    size_t first = offsetof(orr_cuda_progress, loss_real);
    uint64_t steps = self->step - self->counted_from;
    CUDA_TRY(context, cudaSetDevice(context->device));
    int code = (int)cudaMemcpyAsync(&sums, self->progress, sizeof sums, cudaMemcpyDeviceToHost,
                                    context->stream);
    if (code == 0)
        code = (int)cudaMemsetAsync((uint8_t *)self->progress + first, 0, sizeof sums - first,
                                    context->stream);
    CUDA_TRY(context, cuda_wait(context, code)); // `sums` may be on its way also after a failure
    self->counted_from = self->step;
    double count = steps ? (double)steps : 1;
    *statistics = (orr_gan_statistics){.steps = steps,
                                       .loss_d = (sums.loss_real + sums.loss_fake) / count,
                                       .loss_g = sums.loss_g / count,
                                       .d_real = sums.real / count,
                                       .d_fake_before = sums.fake_before / count,
                                       .d_fake_after = sums.fake_after / count};
    return ORR_OK;
}

orr_status cuda_trainer_sample(orr_gan_trainer *trainer, const float *latents, uint32_t count,
                               float *images, orr_error *error) {
    cuda_trainer *self = (cuda_trainer *)trainer;
    cuda_net *g = &self->nets[ORR_GAN_GENERATOR];
    cuda_staging staging = {self->latents, self->images};
    uint32_t batch = self->base.options.batch;
    orr_status status = cuda_check(&self->context, (int)cudaSetDevice(self->context.device),
                                   "cudaSetDevice", error);
    for (uint32_t done = 0; done < count && status == ORR_OK; done += batch) {
        uint32_t some = count - done < batch ? count - done : batch;
        status = cuda_stage_in(g, &staging, latents + (size_t)done * self->base.shape.latent, some,
                               error);
        if (status == ORR_OK) status = cuda_net_forward(g, 1, ORR_GAN_EVAL, g->input, error);
        if (status == ORR_OK)
            status = cuda_stage_out(g, &staging, images + done * image_floats(self), some, error);
    }
    return status;
}

orr_status cuda_trainer_state(orr_gan_trainer *trainer, orr_gan_state *state, orr_error *error) {
    cuda_trainer *self = (cuda_trainer *)trainer;
    const orr_gan_shape *a = &self->base.shape, *b = &state->shape;
    if (a->image_size != b->image_size || a->channels != b->channels || a->latent != b->latent ||
        a->width != b->width)
        return orr_fail(error, ORR_INTERNAL, "a state of another shape than the trainer's");
    CUDA_TRY(&self->context, cudaSetDevice(self->context.device));
    for (int n = 0; n < 2; n++) {
        orr_gan_network_state *one = &state->state[n];
        orr_status status = cuda_net_download(&self->nets[n], one->parameters, one->running,
                                              one->moment1, one->moment2, error);
        if (status != ORR_OK) return status;
        one->batches = self->batches[n];
    }
    state->seed = self->seed;
    state->step = self->step;
    return ORR_OK;
}
