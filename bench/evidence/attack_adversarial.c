#include "bench/evidence/attack_adversarial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OVERSHOOT 0.02f

// An untrained discriminator, in the form in which one is read from a file.
static orr_status initial_weights(orr_gan_weights *weights, uint64_t seed, orr_error *error) {
    orr_gan_shape shape = orr_gan_default_shape();
    orr_gan_state state = {0};
    orr_status status = orr_gan_state_new(&shape, &state, error);
    if (status != ORR_OK) return status;
    orr_gan_state_init(&state, seed);
    const orr_gan_network *network = &state.networks[ORR_GAN_DISCRIMINATOR];
    orr_gan_network_state *from = &state.state[ORR_GAN_DISCRIMINATOR];
    weights->shape = shape;
    weights->network = *network;
    weights->parameters = malloc(network->parameter_count * sizeof(float));
    weights->running = malloc(network->running_count * sizeof(float));
    if (weights->parameters && weights->running) {
        memcpy(weights->parameters, from->parameters, network->parameter_count * sizeof(float));
        memcpy(weights->running, from->running, network->running_count * sizeof(float));
    } else {
        status = orr_fail(error, ORR_INTERNAL, "memory ran out");
    }
    orr_gan_state_free(&state);
    return status;
}

orr_status orr_target_open(orr_target *target, const char *path, uint64_t seed, orr_error *error) {
    const orr_gan_backend *backend = orr_gan_reference();
    orr_gan_options options = orr_gan_default_options();
    memset(target, 0, sizeof *target);
    options.batch = 1;
    target->trained = path != NULL;
    orr_status status =
        path ? orr_gan_weights_read(path, ORR_GAN_DISCRIMINATOR, &target->weights, error)
             : initial_weights(&target->weights, seed, error);
    if (status == ORR_OK)
        status =
            backend->net_open(backend, &target->weights.network, &options, &target->net, error);
    if (status == ORR_OK)
        status = backend->net_set(target->net, target->weights.parameters, target->weights.running,
                                  error);
    if (status == ORR_OK) target->floats = orr_gan_input_floats(&target->weights.network);
    return status;
}

void orr_target_close(orr_target *target) {
    if (target->net) target->net->backend->net_close(target->net);
    orr_gan_weights_free(&target->weights);
    memset(target, 0, sizeof *target);
}

orr_status orr_target_ask(orr_target *target, const float *image, float *logit, float *gradient,
                          orr_error *error) {
    static const float one = 1;
    const orr_gan_backend *backend = target->net->backend;
    orr_status status = backend->net_forward(target->net, ORR_GAN_EVAL, 1, image, logit, error);
    if (status == ORR_OK && gradient)
        status = backend->net_backward(target->net, &one, gradient, NULL, 0, error);
    return status;
}

static float clip(float value) {
    return value < -1 ? -1 : value > 1 ? 1 : value;
}

orr_status orr_fgsm(orr_target *target, const float *image, float epsilon, float *adversarial,
                    orr_error *error) {
    float logit, *gradient = malloc(target->floats * sizeof *gradient);
    if (!gradient) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_status status = orr_target_ask(target, image, &logit, gradient, error);
    // d BCE / d logit = sigmoid(logit) - label: negative for label 1, positive for label 0.
    float sign = logit >= 0 ? -1 : 1;
    for (size_t n = 0; n < target->floats && status == ORR_OK; n++) {
        float g = sign * gradient[n];
        adversarial[n] = clip(image[n] + epsilon * (float)((g > 0) - (g < 0)));
    }
    free(gradient);
    return status;
}

orr_status orr_deepfool(orr_target *target, const float *image, unsigned most, float *adversarial,
                        unsigned *steps, orr_error *error) {
    size_t count = target->floats;
    float logit, first, *gradient = malloc(2 * count * sizeof *gradient), *moved = gradient + count;
    if (!gradient) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    memset(moved, 0, count * sizeof *moved);
    memcpy(adversarial, image, count * sizeof *adversarial);
    orr_status status = orr_target_ask(target, image, &first, gradient, error);
    logit = first;
    for (*steps = 0; status == ORR_OK && *steps < most && (logit >= 0) == (first >= 0); ++*steps) {
        double norm = 0;
        for (size_t n = 0; n < count; n++) norm += (double)gradient[n] * gradient[n];
        if (norm == 0) break; // nothing moves the logit
        float step = (float)(-logit / norm);
        for (size_t n = 0; n < count; n++) {
            moved[n] += step * gradient[n];
            adversarial[n] = clip(image[n] + (1 + OVERSHOOT) * moved[n]);
        }
        status = orr_target_ask(target, adversarial, &logit, gradient, error);
    }
    free(gradient);
    return status;
}
