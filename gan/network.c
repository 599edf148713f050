#include "gan/network.h"

#include <string.h>

orr_gan_shape orr_gan_default_shape(void) {
    return (orr_gan_shape){.image_size = 64, .channels = 3, .latent = 100, .width = 64};
}

orr_status orr_gan_shape_check(const orr_gan_shape *shape, orr_error *error) {
    uint32_t size = shape->image_size;
    if (size != 16 && size != 32 && size != 64 && size != 128) {
        return orr_fail(error, ORR_UNSUPPORTED,
                        "images of %u pixels a side; 16, 32, 64 or 128 can be made", size);
    }
    if (shape->channels != 1 && shape->channels != 3) {
        return orr_fail(error, ORR_UNSUPPORTED, "images of %u channels; 1 or 3 can be made",
                        shape->channels);
    }
    if (shape->latent < 1 || shape->latent > ORR_GAN_MAX_LATENT) {
        return orr_fail(error, ORR_UNSUPPORTED, "latent vectors of %u numbers; 1 to %d can be used",
                        shape->latent, ORR_GAN_MAX_LATENT);
    }
    if (shape->width < 1 || shape->width > ORR_GAN_MAX_WIDTH) {
        return orr_fail(error, ORR_UNSUPPORTED, "networks of width %u; 1 to %d can be used",
                        shape->width, ORR_GAN_MAX_WIDTH);
    }
    return ORR_OK;
}

size_t orr_gan_weight_count(const orr_gan_layer *layer) {
    return (size_t)layer->in_channels * layer->out_channels * layer->kernel * layer->kernel;
}

size_t orr_gan_input_floats(const orr_gan_network *network) {
    const orr_gan_layer *first = &network->layers[0];
    return (size_t)first->in_size * first->in_size * first->in_channels;
}

size_t orr_gan_output_floats(const orr_gan_network *network) {
    const orr_gan_layer *last = &network->layers[network->layer_count - 1];
    return (size_t)last->out_size * last->out_size * last->out_channels;
}

orr_status orr_gan_network_layout(orr_gan_network *network, orr_error *error) {
    size_t parameters = 0, running = 0;
    if (network->layer_count < 1 || network->layer_count > ORR_GAN_MAX_LAYERS) {
        return orr_fail(error, ORR_INTERNAL, "a network of %u layers", network->layer_count);
    }
    for (uint32_t i = 0; i < network->layer_count; i++) {
        orr_gan_layer *layer = &network->layers[i];
        // The side of a convolution with fewer pixels is the input of a transposed one.
        uint32_t small = layer->transposed ? layer->in_size : layer->out_size;
        uint32_t large = layer->transposed ? layer->out_size : layer->in_size;
        if (small < 1 || layer->stride < 1 || layer->kernel < 1 ||
            layer->padding >= layer->kernel || layer->in_channels < 1 || layer->out_channels < 1 ||
            (small - 1) * layer->stride + layer->kernel != large + 2 * layer->padding ||
            (i > 0 && (layer[-1].out_size != layer->in_size ||
                       layer[-1].out_channels != layer->in_channels))) {
            return orr_fail(error, ORR_INTERNAL, "layer %u of a network does not fit", i);
        }
        layer->weight = parameters;
        parameters += orr_gan_weight_count(layer);
        layer->gamma = layer->beta = layer->mean = layer->variance = 0;
        if (layer->batch_norm) {
            layer->gamma = parameters;
            layer->beta = parameters + layer->out_channels;
            parameters += 2 * (size_t)layer->out_channels;
            layer->mean = running;
            layer->variance = running + layer->out_channels;
            running += 2 * (size_t)layer->out_channels;
        }
    }
    network->parameter_count = parameters;
    network->running_count = running;
    return ORR_OK;
}

// Layers between a 4 x 4 and a whole image that double the size: 64 pixels need 4.
static uint32_t doublings(const orr_gan_shape *shape) {
    uint32_t count = 0;
    while (4u << count < shape->image_size) count++;
    return count;
}

void orr_gan_generator(const orr_gan_shape *shape, orr_gan_network *network) {
    uint32_t count = doublings(shape);
    memset(network, 0, sizeof *network);
    network->layer_count = count + 1;
    for (uint32_t i = 0; i <= count; i++) {
        int last = i == count;
        network->layers[i] = (orr_gan_layer){
            .transposed = 1,
            .in_channels = i == 0 ? shape->latent : shape->width << (count - i),
            .out_channels = last ? shape->channels : shape->width << (count - 1 - i),
            .in_size = i == 0 ? 1 : 2u << i,
            .out_size = 4u << i,
            .kernel = 4,
            .stride = i == 0 ? 1 : 2,
            .padding = i == 0 ? 0 : 1,
            .batch_norm = !last,
            .activation = last ? ORR_GAN_TANH : ORR_GAN_RELU,
            .module = 3 * i,
        };
    }
    orr_gan_network_layout(network, NULL);
}

void orr_gan_discriminator(const orr_gan_shape *shape, orr_gan_network *network) {
    uint32_t count = doublings(shape);
    memset(network, 0, sizeof *network);
    network->layer_count = count + 1;
    for (uint32_t i = 0; i <= count; i++) {
        int last = i == count;
        network->layers[i] = (orr_gan_layer){
            .transposed = 0,
            .in_channels = i == 0 ? shape->channels : shape->width << (i - 1),
            .out_channels = last ? 1 : shape->width << i,
            .in_size = shape->image_size >> i,
            .out_size = last ? 1 : shape->image_size >> (i + 1),
            .kernel = 4,
            .stride = last ? 1 : 2,
            .padding = last ? 0 : 1,
            .batch_norm = i != 0 && !last,
            .activation = last ? ORR_GAN_LINEAR : ORR_GAN_LEAKY_RELU,
            .module =
                i == 0 ? 0 : 3 * i - 1, // the first layer has no batch norm before its activation
        };
    }
    orr_gan_network_layout(network, NULL);
}
