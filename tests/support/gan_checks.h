// What the tests of the DCGAN's implementations share: passes of a network and steps of a trainer,
// compared with the plain C reference.
#ifndef ORRERY_TESTS_SUPPORT_GAN_CHECKS_H
#define ORRERY_TESTS_SUPPORT_GAN_CHECKS_H

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "gan/gan_backend.h"
#include "tests/support/gan_double.h"
#include "tests/support/random.h"

namespace gan_checks {

inline orr_error error;

// ---- networks -----------------------------------------------------------------------------------

struct Shape {
    int transposed;
    uint32_t in_channels, out_channels, in_size, kernel, stride, padding;
    int batch_norm;
    orr_gan_activation activation;
};

inline orr_gan_network one_layer(const Shape &shape) {
    orr_gan_network network{};
    network.layer_count = 1;
    orr_gan_layer &layer = network.layers[0];
    layer.transposed = shape.transposed;
    layer.in_channels = shape.in_channels;
    layer.out_channels = shape.out_channels;
    layer.in_size = shape.in_size;
    layer.kernel = shape.kernel;
    layer.stride = shape.stride;
    layer.padding = shape.padding;
    layer.out_size = shape.transposed
                         ? (shape.in_size - 1) * shape.stride + shape.kernel - 2 * shape.padding
                         : (shape.in_size + 2 * shape.padding - shape.kernel) / shape.stride + 1;
    layer.batch_norm = shape.batch_norm;
    layer.activation = shape.activation;
    EXPECT_EQ(orr_gan_network_layout(&network, &error), ORR_OK) << error.text;
    return network;
}

inline std::vector<float> numbers(size_t count, int integers) {
    std::vector<float> values(count);
    for (float &v : values)
        v = integers ? static_cast<float>(static_cast<int>(test_random()() % 7) - 3)
                     : std::uniform_real_distribution<float>(-1, 1)(test_random());
    return values;
}

// One network on one implementation, and what came of its passes.
struct Run {
    const orr_gan_backend *backend;
    orr_gan_network network;
    orr_gan_net *net = nullptr;
    std::vector<float> output, input_gradient, gradient, running;

    Run(const orr_gan_backend *b, const orr_gan_network &table, uint32_t batch,
        orr_gan_precision precision)
        : backend(b), network(table) {
        orr_gan_options options = orr_gan_default_options();
        options.batch = batch;
        options.precision = precision;
        EXPECT_EQ(b->net_open(b, &table, &options, &net, &error), ORR_OK) << error.text;
    }
    ~Run() { backend->net_close(net); }

    void pass(orr_gan_mode mode, uint32_t count, const std::vector<float> &parameters,
              const std::vector<float> &statistics, const std::vector<float> &input,
              const std::vector<float> &output_gradient) {
        output.assign(count * orr_gan_output_floats(&network), -1);
        input_gradient.assign(count * orr_gan_input_floats(&network), -1);
        gradient.assign(network.parameter_count, 0.25f);
        running.assign(network.running_count, -1);
        ASSERT_EQ(backend->net_set(net, parameters.data(), statistics.data(), &error), ORR_OK);
        ASSERT_EQ(backend->net_forward(net, mode, count, input.data(), output.data(), &error),
                  ORR_OK)
            << error.text;
        ASSERT_EQ(backend->net_backward(net, output_gradient.data(), input_gradient.data(),
                                        gradient.data(), 1, &error),
                  ORR_OK)
            << error.text;
        ASSERT_EQ(backend->net_get(net, nullptr, running.data(), &error), ORR_OK);
    }
};

// The largest difference, relative to the largest value.
inline double distance(const std::vector<float> &a, const std::vector<float> &b) {
    double most = 0, scale = 1e-30;
    EXPECT_EQ(a.size(), b.size());
    for (size_t n = 0; n < a.size(); n++) {
        if (!std::isfinite(a[n]) || !std::isfinite(b[n])) return INFINITY;
        most = std::max(most, std::fabs(static_cast<double>(a[n]) - b[n]));
        scale = std::max(scale, std::fabs(static_cast<double>(b[n])));
    }
    return most / scale;
}

// The numbers of one comparison.
struct Draw {
    std::vector<float> parameters, running, input, gradient;

    Draw(const orr_gan_network &network, uint32_t count, int integers)
        : parameters(numbers(network.parameter_count, integers)),
          running(numbers(network.running_count, integers)),
          input(numbers(count * orr_gan_input_floats(&network), integers)),
          gradient(numbers(count * orr_gan_output_floats(&network), integers)) {
        for (float &v : running) v = 0.5f + std::fabs(v);
    }
    // Does rounding leave alone what comes out? Not where a unit lies so near to its kink that the
    // gradient goes one way here and the other there (in one of some hundred comparisons of whole
    // networks), where four values that are normed hardly differ, or where all of an output is
    // saturated or next to nothing, by whose largest value distances are measured.
    bool steady(const orr_gan_network &network, orr_gan_mode mode, uint32_t count) const {
        gan_double_margins margins = gan_double_margins_at(&network, mode, count, parameters.data(),
                                                           running.data(), input.data());
        return margins.kink > 2e-5 && margins.deviation > 0.1 && margins.slope > 0.02 &&
               margins.largest > 0.1;
    }
};

// Both implementations on the same random numbers; `bound` on everything that comes out.
inline void compare(const orr_gan_backend *backend, const orr_gan_network &network,
                    orr_gan_precision precision, orr_gan_mode mode, uint32_t batch, uint32_t count,
                    int integers, double bound) {
    Run cuda(backend, network, batch, precision);
    Run reference(orr_gan_reference(), network, batch, ORR_GAN_FLOAT32);
    Draw draw(network, count, integers);
    while (!integers && !draw.steady(network, mode, count)) draw = Draw(network, count, integers);
    cuda.pass(mode, count, draw.parameters, draw.running, draw.input, draw.gradient);
    reference.pass(mode, count, draw.parameters, draw.running, draw.input, draw.gradient);
    EXPECT_LE(distance(cuda.output, reference.output), bound);
    EXPECT_LE(distance(cuda.input_gradient, reference.input_gradient), bound);
    EXPECT_LE(distance(cuda.gradient, reference.gradient), bound);
    EXPECT_LE(distance(cuda.running, reference.running), bound);
}

// Images of a generator as bytes are those of its floats, from `batch` at a time.
inline void check_bytes(const orr_gan_backend *backend, const orr_gan_shape &shape,
                        orr_gan_precision precision, uint32_t batch, uint32_t count) {
    orr_gan_network network;
    orr_gan_generator(&shape, &network);
    Run one(backend, network, batch, precision);
    std::vector<float> parameters = numbers(network.parameter_count, 0);
    std::vector<float> statistics(network.running_count, 1);
    std::vector<float> input = numbers(count * orr_gan_input_floats(&network), 0);
    std::vector<float> values(count * orr_gan_output_floats(&network));
    std::vector<uint8_t> right(values.size()), bytes;
    ASSERT_EQ(backend->net_set(one.net, parameters.data(), statistics.data(), &error), ORR_OK);
    ASSERT_EQ(orr_gan_evaluate(one.net, input.data(), count, values.data(), &error), ORR_OK);
    orr_gan_to_bytes(values.data(), values.size(), right.data());
    for (int again = 0; again < 2; again++) {
        bytes.assign(right.size(), 77);
        ASSERT_EQ(orr_gan_evaluate_bytes(one.net, input.data(), count, bytes.data(), &error),
                  ORR_OK)
            << error.text;
        EXPECT_TRUE(bytes == right) << count << " images";
    }
    if (count == 0) return;
    EXPECT_GT(std::set<uint8_t>(right.begin(), right.end()).size(), 50u);
}

// Every kind of layer: plain and transposed through a plan, matrix product, dot product; channels
// that need padding and that do not.
inline const Shape shapes[] = {
    {0, 3, 8, 8, 4, 2, 1, 0, ORR_GAN_LEAKY_RELU}, {0, 5, 16, 8, 4, 2, 1, 0, ORR_GAN_LINEAR},
    {0, 8, 3, 4, 3, 1, 1, 0, ORR_GAN_RELU},       {0, 10, 1, 4, 4, 1, 0, 0, ORR_GAN_LINEAR},
    {0, 10, 2, 4, 4, 1, 0, 0, ORR_GAN_LINEAR},    {1, 16, 7, 4, 4, 2, 1, 0, ORR_GAN_RELU},
    {1, 8, 3, 4, 4, 2, 1, 0, ORR_GAN_LINEAR},     {1, 13, 9, 1, 4, 1, 0, 0, ORR_GAN_RELU},
};

// ---- training -----------------------------------------------------------------------------------

constexpr uint32_t batch_size = 4, image_count = 9;
constexpr orr_gan_shape small = {16, 3, 12, 4};

// A state that belongs to the test.
struct State {
    orr_gan_state value;
    explicit State(const orr_gan_shape &shape, uint64_t seed = 5) {
        EXPECT_EQ(orr_gan_state_new(&shape, &value, &error), ORR_OK) << error.text;
        orr_gan_state_init(&value, seed);
    }
    ~State() { orr_gan_state_free(&value); }
    State(const State &) = delete;

    bool operator==(const State &other) const {
        for (int n = 0; n < 2; n++) {
            size_t bytes = value.networks[n].parameter_count * sizeof(float);
            size_t statistics = value.networks[n].running_count * sizeof(float);
            const orr_gan_network_state &a = value.state[n], &b = other.value.state[n];
            if (std::memcmp(a.parameters, b.parameters, bytes) ||
                std::memcmp(a.moment1, b.moment1, bytes) ||
                std::memcmp(a.moment2, b.moment2, bytes) ||
                std::memcmp(a.running, b.running, statistics) || a.batches != b.batches)
                return false;
        }
        return value.step == other.value.step && value.seed == other.value.seed;
    }
};

// The largest difference of two arrays, in units of the largest value of the second.
inline double distance(const float *a, const float *b, size_t count) {
    double most = 0, scale = 1e-30;
    for (size_t n = 0; n < count; n++) {
        if (!std::isfinite(a[n])) return INFINITY;
        most = std::max(most, std::fabs(static_cast<double>(a[n]) - b[n]));
        scale = std::max(scale, std::fabs(static_cast<double>(b[n])));
    }
    return most / scale;
}

struct Training {
    const orr_gan_backend *backend;
    orr_gan_trainer *trainer = nullptr;
    std::vector<uint8_t> data;
    orr_status status;

    Training(const orr_gan_backend *b, const State &state, const std::vector<uint8_t> &images,
             orr_gan_precision precision = ORR_GAN_FLOAT32)
        : backend(b), data(images) {
        orr_gan_options options = orr_gan_default_options();
        options.batch = batch_size;
        options.precision = precision;
        status = b->trainer_open(b, &options, &state.value, &trainer, &error);
        if (status == ORR_OK) status = b->trainer_data(trainer, data.data(), image_count, &error);
    }
    ~Training() { backend->trainer_close(trainer); }

    orr_status steps(unsigned count) {
        for (unsigned n = 0; n < count && status == ORR_OK; n++) {
            uint32_t index[batch_size];
            for (uint32_t i = 0; i < batch_size; i++) index[i] = (n * batch_size + i) % image_count;
            orr_gan_batch batch = {nullptr, index, 1, nullptr};
            status = backend->trainer_step(trainer, &batch, &error);
        }
        return status;
    }
    orr_gan_statistics statistics() {
        orr_gan_statistics result{};
        EXPECT_EQ(backend->trainer_statistics(trainer, &result, &error), ORR_OK) << error.text;
        return result;
    }
    void read(State *state) {
        ASSERT_EQ(backend->trainer_state(trainer, &state->value, &error), ORR_OK) << error.text;
    }
};

inline std::vector<uint8_t> images_of(const orr_gan_shape &shape) {
    return random_bytes(size_t{image_count} * shape.image_size * shape.image_size * shape.channels);
}

inline void expect_near(const orr_gan_statistics &a, const orr_gan_statistics &b, double bound) {
    EXPECT_EQ(a.steps, b.steps);
    EXPECT_NEAR(a.loss_d, b.loss_d, bound);
    EXPECT_NEAR(a.loss_g, b.loss_g, bound);
    EXPECT_NEAR(a.d_real, b.d_real, bound);
    EXPECT_NEAR(a.d_fake_before, b.d_fake_before, bound);
    EXPECT_NEAR(a.d_fake_after, b.d_fake_after, bound);
}

// Twenty steps: latents, flips and the choice of images are the implementation's own, so they are
// compared as well. Adam divides by the size of a gradient, so that noise in one that is nearly
// zero moves a parameter by up to the learning rate a step (2e-4 * 20 against weights of 0.02).
// A unit that noise has moved over its kink by then shows in the last gradient, which moments are
// made of: in one of some twenty draws by 0.1 of the largest for float32 sums in another order.
inline void compare_training(const orr_gan_backend *backend, const orr_gan_shape &shape,
                             orr_gan_precision precision, double bound, double moments) {
    std::vector<uint8_t> images = images_of(shape);
    State start(shape), ours(shape), theirs(shape);
    Training device(backend, start, images, precision),
        reference(orr_gan_reference(), start, images);
    for (unsigned part : {1, 5, 14}) {
        ASSERT_EQ(device.steps(part), ORR_OK) << error.text;
        ASSERT_EQ(reference.steps(part), ORR_OK) << error.text;
        expect_near(device.statistics(), reference.statistics(), part == 1 ? bound / 100 : bound);
    }
    device.read(&ours);
    reference.read(&theirs);
    for (int n = 0; n < 2; n++) {
        const orr_gan_network &network = start.value.networks[n];
        const orr_gan_network_state &a = ours.value.state[n], &b = theirs.value.state[n];
        EXPECT_LE(distance(a.parameters, b.parameters, network.parameter_count), bound);
        EXPECT_LE(distance(a.moment1, b.moment1, network.parameter_count), moments);
        EXPECT_LE(distance(a.moment2, b.moment2, network.parameter_count), moments);
        EXPECT_LE(distance(a.running, b.running, network.running_count), bound);
        EXPECT_EQ(a.batches, b.batches);
    }
    EXPECT_EQ(ours.value.step, 20u);
}

// Two runs of 9 steps, the second by a new trainer from the first one's state, and one of 18.
inline void check_resuming(const orr_gan_backend *backend, const orr_gan_shape &shape,
                           orr_gan_precision precision) {
    std::vector<uint8_t> images = images_of(shape);
    State start(shape), whole(shape), half(shape), resumed(shape);
    {
        Training one(backend, start, images, precision);
        ASSERT_EQ(one.steps(9), ORR_OK) << error.text; // whose images repeat after nine steps
        ASSERT_EQ(one.steps(9), ORR_OK) << error.text;
        one.read(&whole);
    }
    {
        Training first(backend, start, images, precision);
        ASSERT_EQ(first.steps(9), ORR_OK) << error.text;
        first.read(&half);
    }
    Training second(backend, half, images, precision);
    ASSERT_EQ(second.steps(9), ORR_OK) << error.text;
    second.read(&resumed);
    EXPECT_TRUE(whole == resumed);
    EXPECT_FALSE(whole == half);
}

} // namespace gan_checks

#endif
