// The training step in host memory, on top of an implementation's networks: the loop body of the
// PyTorch DCGAN example.
#include "gan/gan_backend.h"

#include <stdlib.h>
#include <string.h>

#include "gan/philox.h"

typedef struct host_trainer {
    orr_gan_trainer base;
    orr_gan_state state; // running statistics live in the networks between calls
    orr_gan_net *nets[2];
    float *gradient[2]; // of the parameters
    float *latents, *real, *fake, *image_gradient;
    float *logits, *logit_gradient;
    const uint8_t *data; // lent
    uint32_t data_count;
    orr_gan_statistics sums;
} host_trainer;

void orr_gan_host_trainer_close(orr_gan_trainer *trainer) {
    host_trainer *self = (host_trainer *)trainer;
    if (!self) return;
    for (int n = 0; n < 2; n++) {
        self->base.backend->net_close(self->nets[n]);
        free(self->gradient[n]);
    }
    free(self->latents);
    free(self->real);
    free(self->fake);
    free(self->image_gradient);
    free(self->logits);
    free(self->logit_gradient);
    orr_gan_state_free(&self->state);
    free(self);
}

static void copy_state(orr_gan_state *to, const orr_gan_state *from) {
    for (int n = 0; n < 2; n++) {
        size_t bytes = from->networks[n].parameter_count * sizeof(float);
        memcpy(to->state[n].parameters, from->state[n].parameters, bytes);
        memcpy(to->state[n].moment1, from->state[n].moment1, bytes);
        memcpy(to->state[n].moment2, from->state[n].moment2, bytes);
        memcpy(to->state[n].running, from->state[n].running,
               from->networks[n].running_count * sizeof(float));
        to->state[n].batches = from->state[n].batches;
    }
    to->seed = from->seed;
    to->step = from->step;
}

static orr_status allocate(host_trainer *self, orr_error *error) {
    size_t batch = self->base.options.batch;
    size_t image = orr_gan_output_floats(&self->state.networks[ORR_GAN_GENERATOR]);
    for (int n = 0; n < 2; n++) {
        self->gradient[n] = calloc(self->state.networks[n].parameter_count, sizeof(float));
    }
    self->latents = calloc(batch * self->base.shape.latent, sizeof(float));
    self->real = calloc(batch * image, sizeof(float));
    self->fake = calloc(batch * image, sizeof(float));
    self->image_gradient = calloc(batch * image, sizeof(float));
    self->logits = calloc(batch, sizeof(float));
    self->logit_gradient = calloc(batch, sizeof(float));
    if (!self->gradient[0] || !self->gradient[1] || !self->latents || !self->real || !self->fake ||
        !self->image_gradient || !self->logits || !self->logit_gradient) {
        return orr_fail(error, ORR_INTERNAL,
                        "out of memory for training with batches of %zu images; use a "
                        "smaller batch",
                        batch);
    }
    return ORR_OK;
}

orr_status orr_gan_host_trainer_open(const orr_gan_backend *backend, const orr_gan_options *options,
                                     const orr_gan_state *state, orr_gan_trainer **trainer,
                                     orr_error *error) {
    host_trainer *self = calloc(1, sizeof *self);
    orr_status status;
    if (!self) return orr_fail(error, ORR_INTERNAL, "out of memory for a trainer");
    self->base = (orr_gan_trainer){.backend = backend, .options = *options, .shape = state->shape};
    status = orr_gan_options_check(options, error);
    if (status == ORR_OK) status = orr_gan_state_new(&state->shape, &self->state, error);
    if (status == ORR_OK) status = allocate(self, error);
    for (int n = 0; n < 2 && status == ORR_OK; n++) {
        status = backend->net_open(backend, &state->networks[n], options, &self->nets[n], error);
        if (status == ORR_OK) {
            status = backend->net_set(self->nets[n], state->state[n].parameters,
                                      state->state[n].running, error);
        }
    }
    if (status == ORR_OK) {
        copy_state(&self->state, state);
        *trainer = &self->base;
        self = NULL;
    }
    orr_gan_host_trainer_close(self ? &self->base : NULL);
    return status;
}

orr_status orr_gan_host_trainer_data(orr_gan_trainer *trainer, const uint8_t *images,
                                     uint32_t count, orr_error *error) {
    host_trainer *self = (host_trainer *)trainer;
    (void)error;
    self->data = images;
    self->data_count = count;
    return ORR_OK;
}

// Values of one image of the data set, mirrored or not.
static void take_image(const orr_gan_shape *shape, const uint8_t *bytes, int flip, float *values) {
    uint32_t size = shape->image_size, channels = shape->channels;
    for (uint32_t y = 0; y < size; y++) {
        for (uint32_t x = 0; x < size; x++) {
            const uint8_t *from = bytes + ((size_t)y * size + (flip ? size - 1 - x : x)) * channels;
            for (uint32_t c = 0; c < channels; c++) *values++ = (float)(from[c] / 127.5 - 1.0);
        }
    }
}

static orr_status take_batch(host_trainer *self, const orr_gan_batch *batch, orr_error *error) {
    uint32_t count = self->base.options.batch;
    size_t image = orr_gan_output_floats(&self->state.networks[ORR_GAN_GENERATOR]);
    if (batch->latents) {
        memcpy(self->latents, batch->latents,
               (size_t)count * self->base.shape.latent * sizeof(float));
    } else {
        orr_gan_deviates(self->state.seed, ORR_STREAM_LATENT, self->state.step,
                         (size_t)count * self->base.shape.latent, self->latents);
    }
    if (batch->real) {
        memcpy(self->real, batch->real, count * image * sizeof(float));
        return ORR_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = batch->index ? batch->index[i] : i;
        if (number >= self->data_count) {
            return orr_fail(error, ORR_INTERNAL, "image %u of a data set of %u", number,
                            self->data_count);
        }
        take_image(&self->base.shape, self->data + number * image,
                   batch->flip && orr_flip(self->state.seed, self->state.step, i),
                   self->real + i * image);
    }
    return ORR_OK;
}

// The discriminator on `images` with a label, in training mode: loss and mean probability; the
// gradients by the parameters, the images or both.
static orr_status judge(host_trainer *self, const float *images, float label, float *image_gradient,
                        float *parameter_gradient, int accumulate, double *loss,
                        double *probability, orr_error *error) {
    const orr_gan_backend *backend = self->base.backend;
    orr_gan_net *net = self->nets[ORR_GAN_DISCRIMINATOR];
    uint32_t count = self->base.options.batch;
    orr_status status =
        backend->net_forward(net, ORR_GAN_TRAIN, count, images, self->logits, error);
    if (status != ORR_OK) return status;
    self->state.state[ORR_GAN_DISCRIMINATOR].batches++;
    *loss += orr_gan_bce(self->logits, count, label, self->logit_gradient, probability);
    return backend->net_backward(net, self->logit_gradient, image_gradient, parameter_gradient,
                                 accumulate, error);
}

static orr_status update(host_trainer *self, int n, orr_error *error) {
    orr_gan_network_state *state = &self->state.state[n];
    orr_gan_adam(&self->base.options, self->state.step + 1, self->state.networks[n].parameter_count,
                 self->gradient[n], state->parameters, state->moment1, state->moment2);
    return self->base.backend->net_set(self->nets[n], state->parameters, NULL, error);
}

orr_status orr_gan_host_trainer_step(orr_gan_trainer *trainer, const orr_gan_batch *batch,
                                     orr_error *error) {
    host_trainer *self = (host_trainer *)trainer;
    const orr_gan_backend *backend = self->base.backend;
    float *gradient = self->gradient[ORR_GAN_DISCRIMINATOR];
    double loss_d = 0, loss_g = 0, d_real = 0, before = 0, after = 0;
    orr_status status = take_batch(self, batch, error);
    if (status != ORR_OK) return status;
    status = judge(self, self->real, 1.0f, NULL, gradient, 0, &loss_d, &d_real, error);
    if (status != ORR_OK) return status;
    status = backend->net_forward(self->nets[ORR_GAN_GENERATOR], ORR_GAN_TRAIN,
                                  self->base.options.batch, self->latents, self->fake, error);
    if (status != ORR_OK) return status;
    self->state.state[ORR_GAN_GENERATOR].batches++;
    status = judge(self, self->fake, 0.0f, NULL, gradient, 1, &loss_d, &before, error);
    if (status == ORR_OK) status = update(self, ORR_GAN_DISCRIMINATOR, error);
    if (status != ORR_OK) return status;
    status = judge(self, self->fake, 1.0f, self->image_gradient, NULL, 0, &loss_g, &after, error);
    if (status != ORR_OK) return status;
    status = backend->net_backward(self->nets[ORR_GAN_GENERATOR], self->image_gradient, NULL,
                                   self->gradient[ORR_GAN_GENERATOR], 0, error);
    if (status == ORR_OK) status = update(self, ORR_GAN_GENERATOR, error);
    if (status != ORR_OK) return status;
    self->state.step++;
    self->sums.steps++;
    self->sums.loss_d += loss_d;
    self->sums.loss_g += loss_g;
    self->sums.d_real += d_real;
    self->sums.d_fake_before += before;
    self->sums.d_fake_after += after;
    return ORR_OK;
}

orr_status orr_gan_host_trainer_statistics(orr_gan_trainer *trainer, orr_gan_statistics *statistics,
                                           orr_error *error) {
    orr_gan_statistics *sums = &((host_trainer *)trainer)->sums;
    double steps = sums->steps ? (double)sums->steps : 1;
    (void)error;
    *statistics = (orr_gan_statistics){.steps = sums->steps,
                                       .loss_d = sums->loss_d / steps,
                                       .loss_g = sums->loss_g / steps,
                                       .d_real = sums->d_real / steps,
                                       .d_fake_before = sums->d_fake_before / steps,
                                       .d_fake_after = sums->d_fake_after / steps};
    memset(sums, 0, sizeof *sums);
    return ORR_OK;
}

orr_status orr_gan_host_trainer_sample(orr_gan_trainer *trainer, const float *latents,
                                       uint32_t count, float *images, orr_error *error) {
    return orr_gan_evaluate(((host_trainer *)trainer)->nets[ORR_GAN_GENERATOR], latents, count,
                            images, error);
}

orr_status orr_gan_host_trainer_state(orr_gan_trainer *trainer, orr_gan_state *state,
                                      orr_error *error) {
    host_trainer *self = (host_trainer *)trainer;
    const orr_gan_shape *a = &self->state.shape, *b = &state->shape;
    if (a->image_size != b->image_size || a->channels != b->channels || a->latent != b->latent ||
        a->width != b->width) {
        return orr_fail(error, ORR_INTERNAL, "a state of another shape than the trainer's");
    }
    for (int n = 0; n < 2; n++) {
        orr_status status =
            self->base.backend->net_get(self->nets[n], NULL, self->state.state[n].running, error);
        if (status != ORR_OK) return status;
    }
    copy_state(state, &self->state);
    return ORR_OK;
}
