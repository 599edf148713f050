// Gradients of every layer and of both networks against finite differences in double precision, on
// the reference layers compiled for double (the same source as the float ones).
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "tests/support/gan_double.h"
#include "tests/support/random.h"

namespace {

double uniform() {
    return std::uniform_real_distribution<double>(-1, 1)(test_random());
}

orr_gan_network one_layer(int transposed, uint32_t in_channels, uint32_t out_channels,
                          uint32_t in_size, uint32_t out_size, uint32_t stride, uint32_t padding,
                          int batch_norm, orr_gan_activation activation) {
    orr_gan_network network{};
    network.layer_count = 1;
    orr_gan_layer &layer = network.layers[0];
    layer.transposed = transposed;
    layer.in_channels = in_channels;
    layer.out_channels = out_channels;
    layer.in_size = in_size;
    layer.out_size = out_size;
    layer.kernel = 4;
    layer.stride = stride;
    layer.padding = padding;
    layer.batch_norm = batch_norm;
    layer.activation = activation;
    orr_error error;
    EXPECT_EQ(orr_gan_network_layout(&network, &error), ORR_OK) << error.text;
    return network;
}

// A weighted sum of the outputs is differentiated by every parameter and input, or by a sample of
// them.
void check(const orr_gan_network &network, orr_gan_mode mode, uint32_t batch, size_t samples) {
    gan_double *net = gan_double_open(&network, batch);
    ASSERT_NE(net, nullptr);
    size_t in = batch * orr_gan_input_floats(&network),
           out = batch * orr_gan_output_floats(&network);
    std::vector<double> input(in), output(out), weights(out), input_gradient(in);
    std::vector<double> gradient(network.parameter_count), running(network.running_count);
    double *parameters = gan_double_parameters(net);
    auto draw = [&] {
        for (double &v : input) v = uniform();
        for (double &v : weights) v = uniform();
        for (size_t i = 0; i < network.parameter_count; i++) parameters[i] = uniform();
        for (size_t i = 0; i < network.running_count; i++) running[i] = 0.5 + 0.4 * uniform();
    };
    auto value = [&] {
        std::copy(running.begin(), running.end(), gan_double_running(net));
        gan_double_forward(net, mode, batch, input.data(), output.data());
        double sum = 0;
        for (size_t i = 0; i < out; i++) sum += weights[i] * output[i];
        return sum;
    };
    // A step must take no unit over its kink: that would spoil the differences by all that leads to
    // this unit, of a small layer more than one in a hundred. Nor may a norm divide by next to
    // nothing. One draw in some ten has such a place.
    gan_double_margins margins;
    do {
        draw();
        value();
        margins = gan_double_margins_of(net);
    } while (margins.kink < 1e-4 || margins.deviation < 0.1);
    gan_double_backward(net, weights.data(), input_gradient.data(), gradient.data(), 0);
    std::vector<double> twice = gradient;
    gan_double_backward(net, weights.data(), nullptr, twice.data(), 1);
    for (size_t i = 0; i < twice.size(); i++)
        ASSERT_NEAR(twice[i], 2 * gradient[i], 1e-12 + 1e-12 * std::fabs(gradient[i]));
    auto slope = [&](double &place) {
        double kept = place, step = 1e-6;
        place = kept + step;
        double above = value();
        place = kept - step;
        double below = value();
        place = kept;
        return (above - below) / (2 * step);
    };
    size_t bad = 0, tried = 0;
    auto compare = [&](double expected, double &place) {
        double found = slope(place);
        tried++;
        if (std::fabs(found - expected) > 1e-6 * (1 + std::fabs(expected))) bad++;
    };
    for (size_t i = 0; i < samples; i++) {
        size_t p =
            samples >= network.parameter_count ? i : test_random()() % network.parameter_count;
        if (p < network.parameter_count) compare(gradient[p], parameters[p]);
        size_t x = samples >= in ? i : test_random()() % in;
        if (x < in) compare(input_gradient[x], input[x]);
    }
    EXPECT_EQ(bad, 0u) << "of " << tried;
    gan_double_close(net);
}

} // namespace

TEST(GanGradient, EveryLayer) {
    for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
        for (int norm : {0, 1}) {
            for (auto activation : {ORR_GAN_LINEAR, ORR_GAN_RELU, ORR_GAN_LEAKY_RELU, ORR_GAN_TANH,
                                    ORR_GAN_SIGMOID}) {
                SCOPED_TRACE(testing::Message() << "mode " << mode << " norm " << norm
                                                << " activation " << activation);
                check(one_layer(0, 3, 2, 8, 4, 2, 1, norm, activation), mode, 3, 1000);
                check(one_layer(1, 2, 3, 4, 8, 2, 1, norm, activation), mode, 3, 1000);
                check(one_layer(1, 5, 3, 1, 4, 1, 0, norm, activation), mode, 3, 1000);
                check(one_layer(0, 3, 1, 4, 1, 1, 0, norm, activation), mode, 3, 1000);
            }
        }
    }
}

TEST(GanGradient, BothNetworks) {
    orr_gan_shape shape = {16, 3, 5, 2};
    orr_gan_network network;
    for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
        orr_gan_generator(&shape, &network);
        check(network, mode, 4, 300);
        orr_gan_discriminator(&shape, &network);
        check(network, mode, 4, 300);
    }
}
