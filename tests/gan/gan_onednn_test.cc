// oneDNN against the plain C reference: bit for bit on small integers, where every sum is exact in
// any order; within a bound on random numbers; and the same bits from run to run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "gan/gan_device.h"
#include "tests/support/gan_double.h"
#include "tests/support/random.h"

namespace {

using Floats = std::vector<float>;

const orr_gan_backend *onednn;

class GanOneDnn : public testing::Test {
  protected:
    void SetUp() override {
        orr_error error{};
        orr_gan_options options = orr_gan_default_options();
        if (orr_gan_device_open("cpu", &options, &onednn, nullptr, nullptr, &error) != ORR_OK)
            GTEST_SKIP() << error.text;
    }
};

struct Result {
    Floats output, input_gradient, parameter_gradient, running;
};

struct Case {
    std::string name;
    orr_gan_network network;
    uint32_t batch;
};

struct Input {
    Floats parameters, running, input, output_gradient;
};

Result run(const orr_gan_backend *backend, const Case &c, orr_gan_mode mode, const Input &in,
           uint32_t count) {
    Result r;
    orr_error error{};
    orr_gan_options options = orr_gan_default_options();
    options.batch = c.batch;
    options.threads = 1;
    orr_gan_net *net = nullptr;
    EXPECT_EQ(backend->net_open(backend, &c.network, &options, &net, &error), ORR_OK) << error.text;
    r.output.resize(count * orr_gan_output_floats(&c.network));
    r.input_gradient.resize(count * orr_gan_input_floats(&c.network));
    r.parameter_gradient.assign(c.network.parameter_count, 1.0f);
    r.running.resize(c.network.running_count);
    EXPECT_EQ(backend->net_set(net, in.parameters.data(), in.running.data(), &error), ORR_OK);
    EXPECT_EQ(backend->net_forward(net, mode, count, in.input.data(), r.output.data(), &error),
              ORR_OK)
        << error.text;
    EXPECT_EQ(backend->net_backward(net, in.output_gradient.data(), r.input_gradient.data(),
                                    r.parameter_gradient.data(), 1, &error),
              ORR_OK)
        << error.text;
    EXPECT_EQ(backend->net_get(net, nullptr, r.running.data(), &error), ORR_OK);
    backend->net_close(net);
    return r;
}

Input draw(const Case &c, const std::function<float()> &value) {
    Input in;
    in.parameters.resize(c.network.parameter_count);
    in.running.resize(c.network.running_count);
    in.input.resize(c.batch * orr_gan_input_floats(&c.network));
    in.output_gradient.resize(c.batch * orr_gan_output_floats(&c.network));
    for (Floats *all : {&in.parameters, &in.running, &in.input, &in.output_gradient})
        for (float &v : *all) v = value();
    for (uint32_t i = 0; i < c.network.layer_count; i++) {
        const orr_gan_layer &layer = c.network.layers[i];
        for (uint32_t k = 0; layer.batch_norm && k < layer.out_channels; k++)
            in.running[layer.variance + k] = std::fabs(in.running[layer.variance + k]) + 0.5f;
    }
    return in;
}

float small_integer() {
    return static_cast<float>(static_cast<int>(test_random()() % 5) - 2);
}

float normal() {
    return std::normal_distribution<float>(0, 1)(test_random());
}

// Weights as large as those that keep a network's values near one.
void tame(const Case &c, Input *in) {
    for (uint32_t i = 0; i < c.network.layer_count; i++) {
        const orr_gan_layer &layer = c.network.layers[i];
        float scale = 1 / std::sqrt(static_cast<float>(layer.in_channels * 4));
        for (size_t w = 0; w < orr_gan_weight_count(&layer); w++)
            in->parameters[layer.weight + w] *= scale;
    }
}

std::vector<Case> layers(bool exact) {
    std::vector<Case> cases;
    std::vector<orr_gan_activation> kinds = {ORR_GAN_LINEAR, ORR_GAN_RELU, ORR_GAN_LEAKY_RELU};
    if (!exact) kinds.insert(kinds.end(), {ORR_GAN_TANH, ORR_GAN_SIGMOID});
    struct {
        int transposed;
        uint32_t in, out, in_size, out_size, stride, padding;
    } shapes[] = {{0, 3, 16, 16, 8, 2, 1}, {0, 16, 32, 8, 4, 2, 1}, {0, 5, 3, 8, 4, 2, 1},
                  {0, 32, 1, 4, 1, 1, 0},  {1, 20, 32, 1, 4, 1, 0}, {1, 32, 16, 4, 8, 2, 1},
                  {1, 16, 3, 8, 16, 2, 1}, {1, 32, 3, 8, 16, 2, 1}, {0, 3, 32, 16, 8, 2, 1},
                  {1, 8, 1, 16, 32, 2, 1}, {1, 7, 12, 4, 8, 2, 1}};
    for (auto &s : shapes) {
        for (auto activation : kinds) {
            for (int norm : {0, 1}) {
                if (norm && activation >= ORR_GAN_TANH) continue; // no such layer in a DCGAN
                // Nor one that norms four values: of random ones the deviation may be so small that
                // their rounding, divided by it, passes every bound.
                if (norm && !exact && s.out_size == 1) continue;
                Case c{};
                c.batch = 4;
                c.network.layer_count = 1;
                orr_gan_layer &l = c.network.layers[0];
                l.transposed = s.transposed;
                l.in_channels = s.in;
                l.out_channels = s.out;
                l.in_size = s.in_size;
                l.out_size = s.out_size;
                l.kernel = 4;
                l.stride = s.stride;
                l.padding = s.padding;
                l.batch_norm = norm;
                l.activation = activation;
                c.name = std::to_string(s.transposed) + " " + std::to_string(s.in) + "->" +
                         std::to_string(s.out) + " activation " + std::to_string(activation) +
                         " norm " + std::to_string(norm);
                EXPECT_EQ(orr_gan_network_layout(&c.network, nullptr), ORR_OK);
                cases.push_back(c);
            }
        }
    }
    return cases;
}

std::vector<Case> networks() {
    std::vector<Case> cases;
    for (orr_gan_shape shape :
         {orr_gan_shape{16, 1, 7, 3}, orr_gan_shape{32, 3, 20, 8}, orr_gan_shape{64, 3, 100, 8}}) {
        Case g{"generator " + std::to_string(shape.image_size), {}, 4}, d{"discriminator", {}, 4};
        orr_gan_generator(&shape, &g.network);
        orr_gan_discriminator(&shape, &d.network);
        cases.push_back(g);
        cases.push_back(d);
    }
    return cases;
}

::testing::AssertionResult same(const Floats &a, const Floats &b) {
    for (size_t i = 0; i < a.size(); i++) {
        if (!(a[i] == b[i]))
            return ::testing::AssertionFailure() << "at " << i << ": " << a[i] << " and " << b[i];
    }
    return ::testing::AssertionSuccess();
}

// Largest difference, in units of the larger of the two tensors' root mean square and `least`.
double distance(const Floats &a, const Floats &b, double least = 1e-6) {
    double square = 0, worst = 0;
    for (float v : a) square += double(v) * v;
    double scale = std::max(std::sqrt(square / std::max<size_t>(a.size(), 1)), least);
    for (size_t i = 0; i < a.size(); i++)
        worst = std::max(worst, std::fabs(double(a[i]) - b[i]) / scale);
    return worst;
}

// Root mean square of the difference over that of the tensor.
double apart(const Floats &a, const Floats &b) {
    double square = 0, difference = 0;
    for (size_t i = 0; i < a.size(); i++) {
        square += double(a[i]) * a[i];
        difference += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    }
    return std::sqrt(difference / std::max(square, 1e-12));
}

// Did a ReLU within rounding of its kink go one way here and the other way there?
bool kinked(const Floats &a, const Floats &b) {
    for (size_t i = 0; i < a.size(); i++) {
        if ((a[i] > 0) != (b[i] > 0)) return true;
    }
    return false;
}

// Is all of an output so near to its limits that its slope is mostly rounding?
bool saturated(const Floats &output, orr_gan_activation activation) {
    return std::all_of(output.begin(), output.end(), [&](float y) {
        if (activation == ORR_GAN_TANH) return 1 - y * y < 0.2f;
        return activation == ORR_GAN_SIGMOID && y * (1 - y) < 0.05f;
    });
}

} // namespace

TEST_F(GanOneDnn, EveryLayerExactlyOnSmallIntegers) {
    for (const Case &c : layers(true)) {
        for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
            SCOPED_TRACE(c.name + (mode == ORR_GAN_TRAIN ? " train" : " eval"));
            Input in = draw(c, small_integer);
            // Batch norm leaves the integers; its own sums stay exact, and what follows is the same
            // arithmetic.
            Result a = run(orr_gan_reference(), c, mode, in, c.batch),
                   b = run(onednn, c, mode, in, c.batch);
            EXPECT_TRUE(same(a.output, b.output));
            EXPECT_TRUE(same(a.running, b.running));
            const orr_gan_layer &layer = c.network.layers[0];
            if (layer.activation == ORR_GAN_LEAKY_RELU) continue; // 0.2 makes its gradients inexact
            if (layer.batch_norm) {
                Floats x(a.parameter_gradient.begin() + static_cast<long>(layer.gamma),
                         a.parameter_gradient.end());
                Floats y(b.parameter_gradient.begin() + static_cast<long>(layer.gamma),
                         b.parameter_gradient.end());
                EXPECT_TRUE(same(x, y));
                continue; // the gradient that batch norm hands on is no integer
            }
            EXPECT_TRUE(same(a.input_gradient, b.input_gradient));
            EXPECT_TRUE(same(a.parameter_gradient, b.parameter_gradient));
        }
    }
}

TEST_F(GanOneDnn, EveryLayerWithinABoundOnRandomNumbers) {
    double worst = 0;
    for (const Case &c : layers(false)) {
        for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
            SCOPED_TRACE(c.name + (mode == ORR_GAN_TRAIN ? " train" : " eval"));
            Input in;
            Result a;
            do { // once in most cases: four outputs are saturated together in one of twenty
                in = draw(c, normal);
                tame(c, &in);
                a = run(orr_gan_reference(), c, mode, in, c.batch);
            } while (saturated(a.output, c.network.layers[0].activation));
            Result b = run(onednn, c, mode, in, c.batch);
            // What a ReLU lets pass may be next to nothing; it was rounded when it was near one.
            std::vector<double> found = {distance(a.output, b.output, 1),
                                         distance(a.running, b.running)};
            if (!kinked(a.output, b.output)) {
                found.push_back(distance(a.input_gradient, b.input_gradient));
                found.push_back(distance(a.parameter_gradient, b.parameter_gradient));
            }
            for (double d : found) {
                EXPECT_LT(d, 1e-4);
                worst = std::max(worst, d);
            }
        }
    }
    std::printf("worst difference %.2e of the root mean square\n", worst);
}

TEST_F(GanOneDnn, BothNetworksWithinABoundOnRandomNumbers) {
    double worst = 0, most = 0;
    for (const Case &c : networks()) {
        for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
            SCOPED_TRACE(c.name + (mode == ORR_GAN_TRAIN ? " train" : " eval"));
            Input in;
            uint32_t count = mode == ORR_GAN_TRAIN ? c.batch : 3;
            do { // a unit within rounding of its kink may go the other way and moves gradients
                in = draw(c, normal);
                tame(c, &in);
                in.input.resize(count * orr_gan_input_floats(&c.network));
                in.output_gradient.resize(count * orr_gan_output_floats(&c.network));
            } while (gan_double_margins_at(&c.network, mode, count, in.parameters.data(),
                                           in.running.data(), in.input.data())
                         .kink < 2e-5);
            Result a = run(orr_gan_reference(), c, mode, in, count);
            Result b = run(onednn, c, mode, in, count);
            for (double d : {distance(a.output, b.output), distance(a.running, b.running)}) {
                EXPECT_LT(d, 1e-4);
                worst = std::max(worst, d);
            }
            for (double d : {apart(a.input_gradient, b.input_gradient),
                             apart(a.parameter_gradient, b.parameter_gradient)}) {
                EXPECT_LT(d, 1e-4);
                most = std::max(most, d);
            }
        }
    }
    std::printf("outputs within %.2e, gradients apart by %.2e of the root mean square\n", worst,
                most);
}

namespace {

struct Trained {
    orr_gan_state state{};
    orr_gan_statistics statistics{};
    Floats images;
    ~Trained() { orr_gan_state_free(&state); }
};

const orr_gan_shape kShape = {32, 3, 16, 8};

void train(const orr_gan_backend *backend, unsigned threads, int steps, Trained *trained,
           const orr_gan_state *from = nullptr) { // goes on at from->step
    orr_error error{};
    orr_gan_options options = orr_gan_default_options();
    options.batch = 8;
    options.threads = threads;
    orr_gan_trainer *trainer = nullptr;
    orr_gan_state start{};
    ASSERT_EQ(orr_gan_state_new(&kShape, &start, &error), ORR_OK);
    orr_gan_state_init(&start, 5);
    ASSERT_EQ(backend->trainer_open(backend, &options, from ? from : &start, &trainer, &error),
              ORR_OK)
        << error.text;
    std::vector<uint8_t> data(20 * 32 * 32 * 3);
    for (size_t i = 0; i < data.size(); i++) data[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
    ASSERT_EQ(backend->trainer_data(trainer, data.data(), 20, &error), ORR_OK);
    for (uint64_t s = from ? from->step : 0, end = s + static_cast<uint64_t>(steps); s < end; s++) {
        uint32_t index[8];
        for (uint32_t i = 0; i < 8; i++) index[i] = (i * 7 + static_cast<uint32_t>(s)) % 20;
        orr_gan_batch batch{};
        batch.index = index;
        batch.flip = 1;
        ASSERT_EQ(backend->trainer_step(trainer, &batch, &error), ORR_OK) << error.text;
    }
    ASSERT_EQ(backend->trainer_statistics(trainer, &trained->statistics, &error), ORR_OK);
    ASSERT_EQ(orr_gan_state_new(&kShape, &trained->state, &error), ORR_OK);
    ASSERT_EQ(backend->trainer_state(trainer, &trained->state, &error), ORR_OK);
    Floats latents(11 * 16, 0.5f);
    trained->images.resize(11 * 32 * 32 * 3);
    ASSERT_EQ(backend->trainer_sample(trainer, latents.data(), 11, trained->images.data(), &error),
              ORR_OK);
    backend->trainer_close(trainer);
    orr_gan_state_free(&start);
}

bool same_state(const orr_gan_state &a, const orr_gan_state &b) {
    bool same = a.step == b.step && a.seed == b.seed;
    for (int n = 0; n < 2; n++) {
        size_t bytes = a.networks[n].parameter_count * sizeof(float);
        same = same && !memcmp(a.state[n].parameters, b.state[n].parameters, bytes) &&
               !memcmp(a.state[n].moment1, b.state[n].moment1, bytes) &&
               !memcmp(a.state[n].moment2, b.state[n].moment2, bytes) &&
               !memcmp(a.state[n].running, b.state[n].running,
                       a.networks[n].running_count * sizeof(float)) &&
               a.state[n].batches == b.state[n].batches;
    }
    return same;
}

} // namespace

TEST_F(GanOneDnn, TrainsLikeTheReference) {
    Trained a, b;
    train(orr_gan_reference(), 1, 5, &a);
    train(onednn, 2, 5, &b);
    EXPECT_EQ(a.statistics.steps, 5u);
    EXPECT_EQ(b.state.step, 5u);
    EXPECT_EQ(b.state.state[ORR_GAN_DISCRIMINATOR].batches, 15u);
    EXPECT_NEAR(a.statistics.loss_d, b.statistics.loss_d, 1e-5);
    EXPECT_NEAR(a.statistics.loss_g, b.statistics.loss_g, 1e-5);
    EXPECT_NEAR(a.statistics.d_fake_after, b.statistics.d_fake_after, 1e-5);
    EXPECT_LT(distance(a.images, b.images), 1e-4);
}

TEST_F(GanOneDnn, ResumesBitForBit) {
    for (const orr_gan_backend *backend : {orr_gan_reference(), onednn}) {
        Trained whole, again, half, resumed;
        train(backend, 2, 6, &whole);
        train(backend, 2, 6, &again);
        EXPECT_TRUE(same_state(whole.state, again.state)) << backend->name;
        EXPECT_TRUE(same(whole.images, again.images)) << backend->name;
        train(backend, 2, 2, &half);
        EXPECT_FALSE(same_state(whole.state, half.state)) << backend->name;
        train(backend, 2, 4, &resumed, &half.state);
        EXPECT_TRUE(same_state(whole.state, resumed.state)) << backend->name;
    }
}

TEST_F(GanOneDnn, RefusesWhatItLacks) {
    orr_gan_network network;
    orr_gan_shape shape = orr_gan_default_shape();
    orr_gan_generator(&shape, &network);
    for (const orr_gan_backend *backend : {orr_gan_reference(), onednn}) {
        orr_error error{};
        orr_gan_net *net = nullptr;
        orr_gan_options options = orr_gan_default_options();
        options.batch = 0;
        EXPECT_EQ(backend->net_open(backend, &network, &options, &net, &error), ORR_UNSUPPORTED);
        options.batch = 2;
        options.precision = ORR_GAN_BF16;
        EXPECT_EQ(backend->net_open(backend, &network, &options, &net, &error), ORR_UNSUPPORTED);
        EXPECT_EQ(net, nullptr);
    }
    for (orr_gan_shape bad : {orr_gan_shape{48, 3, 100, 64}, orr_gan_shape{64, 2, 100, 64},
                              orr_gan_shape{64, 3, 0, 64}, orr_gan_shape{64, 3, 100, 100000}}) {
        EXPECT_EQ(orr_gan_shape_check(&bad, nullptr), ORR_UNSUPPORTED);
    }
}
