// What every implementation of the DCGAN shares: options, state, loss, Adam, latents, bytes.
#include "gan/gan_backend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gan/philox.h"

orr_gan_options orr_gan_default_options(void) {
    return (orr_gan_options){.batch = 128,
                             .precision = ORR_GAN_FLOAT32,
                             .learning_rate = 2e-4f,
                             .beta1 = 0.5f,
                             .beta2 = 0.999f,
                             .epsilon = 1e-8f};
}

orr_status orr_gan_options_check(const orr_gan_options *options, orr_error *error) {
    if (options->batch < 1 || options->batch > ORR_GAN_MAX_BATCH) {
        return orr_fail(error, ORR_UNSUPPORTED, "a batch of %u images; 1 to %d can be used",
                        options->batch, ORR_GAN_MAX_BATCH);
    }
    if (!(options->learning_rate > 0 && options->learning_rate <= 1)) {
        return orr_fail(error, ORR_UNSUPPORTED, "a learning rate of %g; it must be in (0, 1]",
                        (double)options->learning_rate);
    }
    if (!(options->beta1 >= 0 && options->beta1 < 1 && options->beta2 >= 0 && options->beta2 < 1 &&
          options->epsilon > 0)) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "Adam with beta1 %g, beta2 %g, epsilon %g; the betas must be in [0, 1) and "
                        "epsilon above 0",
                        (double)options->beta1, (double)options->beta2, (double)options->epsilon);
    }
    return ORR_OK;
}

orr_status orr_gan_count_check(const orr_gan_net *net, orr_gan_mode mode, uint32_t count,
                               orr_error *error) {
    if (count < 1 || count > net->batch || (mode == ORR_GAN_TRAIN && count != net->batch)) {
        return orr_fail(error, ORR_INTERNAL, "%u images for a network opened for %u", count,
                        net->batch);
    }
    return ORR_OK;
}

orr_status orr_gan_state_new(const orr_gan_shape *shape, orr_gan_state *state, orr_error *error) {
    orr_status status = orr_gan_shape_check(shape, error);
    memset(state, 0, sizeof *state);
    if (status != ORR_OK) return status;
    state->shape = *shape;
    orr_gan_generator(shape, &state->networks[ORR_GAN_GENERATOR]);
    orr_gan_discriminator(shape, &state->networks[ORR_GAN_DISCRIMINATOR]);
    for (int n = 0; n < 2; n++) {
        orr_gan_network_state *one = &state->state[n];
        size_t count = state->networks[n].parameter_count;
        one->parameters = calloc(count, sizeof *one->parameters);
        one->moment1 = calloc(count, sizeof *one->moment1);
        one->moment2 = calloc(count, sizeof *one->moment2);
        one->running = calloc(state->networks[n].running_count, sizeof *one->running);
        if (!one->parameters || !one->moment1 || !one->moment2 || !one->running) {
            orr_gan_state_free(state);
            return orr_fail(error, ORR_INTERNAL, "out of memory for the networks' parameters");
        }
    }
    return ORR_OK;
}

void orr_gan_state_free(orr_gan_state *state) {
    for (int n = 0; n < 2; n++) {
        free(state->state[n].parameters);
        free(state->state[n].moment1);
        free(state->state[n].moment2);
        free(state->state[n].running);
    }
    memset(state, 0, sizeof *state);
}

static void init_layer(const orr_gan_layer *layer, orr_gan_network_state *state) {
    size_t weights = orr_gan_weight_count(layer);
    for (size_t i = 0; i < weights; i++) state->parameters[layer->weight + i] *= 0.02f;
    for (size_t c = 0; layer->batch_norm && c < layer->out_channels; c++) {
        state->parameters[layer->gamma + c] = 1.0f + 0.02f * state->parameters[layer->gamma + c];
        state->parameters[layer->beta + c] = 0.0f;
        state->running[layer->mean + c] = 0.0f;
        state->running[layer->variance + c] = 1.0f;
    }
}

void orr_gan_state_init(orr_gan_state *state, uint64_t seed) {
    static const uint32_t streams[2] = {ORR_STREAM_GENERATOR, ORR_STREAM_DISCRIMINATOR};
    state->seed = seed;
    state->step = 0;
    for (int n = 0; n < 2; n++) {
        orr_gan_network_state *one = &state->state[n];
        size_t count = state->networks[n].parameter_count;
        orr_gan_deviates(seed, streams[n], 0, count, one->parameters);
        memset(one->moment1, 0, count * sizeof *one->moment1);
        memset(one->moment2, 0, count * sizeof *one->moment2);
        one->batches = 0;
        for (uint32_t i = 0; i < state->networks[n].layer_count; i++) {
            init_layer(&state->networks[n].layers[i], one);
        }
    }
}

double orr_gan_bce(const float *logits, uint32_t count, float label, float *gradient,
                   double *probability) {
    double loss = 0, sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        double logit = logits[i], tail = exp(-fabs(logit));
        double sigmoid = logit >= 0 ? 1 / (1 + tail) : tail / (1 + tail);
        // not fmax: it would hide a NaN
        loss += (logit > 0 ? logit : logit * 0) - logit * (double)label + log1p(tail);
        sum += sigmoid;
        if (gradient) gradient[i] = (float)((sigmoid - (double)label) / count);
    }
    if (probability) *probability = sum / count;
    return loss / count;
}

void orr_gan_adam(const orr_gan_options *options, uint64_t t, size_t count, const float *gradient,
                  float *parameters, float *moment1, float *moment2) {
    float beta1 = options->beta1, beta2 = options->beta2, epsilon = options->epsilon;
    float rate = (float)((double)options->learning_rate / (1 - pow((double)beta1, (double)t)));
    float root = (float)sqrt(1 - pow((double)beta2, (double)t));
    for (size_t i = 0; i < count; i++) {
        float g = gradient[i];
        float m = beta1 * moment1[i] + (1 - beta1) * g;
        float v = beta2 * moment2[i] + (1 - beta2) * g * g;
        moment1[i] = m;
        moment2[i] = v;
        parameters[i] -= rate * (m / (sqrtf(v) / root + epsilon));
    }
}

void orr_gan_deviates(uint64_t seed, uint32_t stream, uint64_t step, size_t count,
                      float *deviates) {
    for (size_t i = 0; i < count; i += 4) {
        float four[4];
        size_t some = count - i < 4 ? count - i : 4;
        orr_normal_block(seed, stream, step, (uint32_t)(i / 4), four);
        memcpy(deviates + i, four, some * sizeof *four);
    }
}

void orr_gan_to_bytes(const float *values, size_t count, uint8_t *bytes) {
    for (size_t i = 0; i < count; i++) {
        float scaled = (values[i] + 1.0f) * 127.5f + 0.5f;
        bytes[i] = scaled >= 255.0f ? 255 : scaled > 0.0f ? (uint8_t)scaled : 0;
    }
}

orr_status orr_gan_evaluate(orr_gan_net *net, const float *input, uint32_t count, float *output,
                            orr_error *error) {
    size_t in = orr_gan_input_floats(&net->network), out = orr_gan_output_floats(&net->network);
    for (uint32_t done = 0; done < count; done += net->batch) {
        uint32_t some = count - done < net->batch ? count - done : net->batch;
        orr_status status = net->backend->net_forward(net, ORR_GAN_EVAL, some, input + done * in,
                                                      output + done * out, error);
        if (status != ORR_OK) return status;
    }
    return ORR_OK;
}

orr_status orr_gan_evaluate_bytes(orr_gan_net *net, const float *input, uint32_t count,
                                  uint8_t *bytes, orr_error *error) {
    if (net->backend->net_bytes) return net->backend->net_bytes(net, input, count, bytes, error);
    size_t in = orr_gan_input_floats(&net->network), out = orr_gan_output_floats(&net->network);
    uint32_t most = count < net->batch ? count : net->batch;
    float *values = calloc(most ? most * out : 1, sizeof *values);
    orr_status status = ORR_OK;
    if (!values) return orr_fail(error, ORR_INTERNAL, "out of memory for a batch of images");
    for (uint32_t done = 0; done < count && status == ORR_OK; done += most) {
        uint32_t some = count - done < most ? count - done : most;
        status =
            net->backend->net_forward(net, ORR_GAN_EVAL, some, input + done * in, values, error);
        if (status == ORR_OK) orr_gan_to_bytes(values, some * out, bytes + done * out);
    }
    explicit_bzero(values, most * out * sizeof *values); // they may be decoys
    free(values);
    return status;
}
