// Networks of the CUDA implementation on a make-believe device, against the plain C reference: its
// host code and its kernels are the real ones, executed on the CPU (tests/shim); only cuDNN's
// convolutions are plain loops there.

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/gan_checks.h"
#include "tests/support/gan_on_shim.h"

namespace {

using namespace gan_checks;

using GanCudaNet = GanOnShim;

TEST_F(GanCudaNet, LayersAreExactOnSmallIntegers) {
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_TF32})
        for (Shape shape : shapes)
            for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
                SCOPED_TRACE(testing::Message() << "layer " << (&shape - shapes));
                if (shape.activation == ORR_GAN_LEAKY_RELU) shape.activation = ORR_GAN_RELU;
                compare(cuda, one_layer(shape), precision, mode, 3, 3, 1, 0);
            }
}

TEST_F(GanCudaNet, LayersOnRandomNumbers) {
    for (Shape shape : shapes)
        for (int batch_norm : {0, 1})
            for (orr_gan_activation activation :
                 {ORR_GAN_LINEAR, ORR_GAN_RELU, ORR_GAN_LEAKY_RELU, ORR_GAN_TANH, ORR_GAN_SIGMOID})
                for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
                    shape.batch_norm = batch_norm;
                    shape.activation = activation;
                    SCOPED_TRACE(testing::Message()
                                 << "channels " << shape.in_channels << " to " << shape.out_channels
                                 << ", norm " << batch_norm << ", activation " << activation
                                 << ", mode " << mode);
                    compare(cuda, one_layer(shape), ORR_GAN_FLOAT32, mode, 4, 4, 0, 2e-5);
                }
}

// More channels than one block has threads for, and a number of them that leaves threads over;
// more rows than blocks.
TEST_F(GanCudaNet, WideLayersAndManyRows) {
    for (Shape shape : {Shape{0, 2, 2070, 3, 1, 1, 0, 1, ORR_GAN_LINEAR},
                        Shape{0, 3, 37, 9, 3, 1, 1, 1, ORR_GAN_LINEAR},
                        Shape{1, 3, 5, 40, 2, 2, 0, 1, ORR_GAN_LINEAR}}) {
        SCOPED_TRACE(testing::Message() << shape.out_channels << " channels");
        compare(cuda, one_layer(shape), ORR_GAN_FLOAT32, ORR_GAN_TRAIN, 4, 4, 1, 1e-4);
        shape.batch_norm = 0;
        shape.activation = ORR_GAN_RELU;
        compare(cuda, one_layer(shape), ORR_GAN_FLOAT32, ORR_GAN_EVAL, 4, 4, 1, 0);
    }
}

TEST_F(GanCudaNet, Bfloat16StaysWithinItsPrecision) {
    for (Shape shape : shapes)
        for (int batch_norm : {0, 1}) {
            // Of four images' one pixel: the deviation that roundings are divided by may be small.
            if (batch_norm && !shape.transposed && shape.padding == 0) continue;
            shape.batch_norm = batch_norm;
            shape.activation = ORR_GAN_TANH; // smooth: rounding moves nothing over a kink
            SCOPED_TRACE(testing::Message() << "channels " << shape.in_channels << " to "
                                            << shape.out_channels << ", norm " << batch_norm);
            compare(cuda, one_layer(shape), ORR_GAN_BF16, ORR_GAN_TRAIN, 4, 4, 0, 0.06);
        }
}

TEST_F(GanCudaNet, NetworksInBothModesUnderEverySchedule) {
    for (shim::Schedule schedule :
         {shim::Schedule::forward, shim::Schedule::reverse, shim::Schedule::random})
        for (orr_gan_shape shape : {orr_gan_shape{16, 3, 20, 5}, orr_gan_shape{32, 1, 7, 4}}) {
            shim::settings.schedule = schedule;
            orr_gan_network network;
            orr_gan_generator(&shape, &network);
            compare(cuda, network, ORR_GAN_FLOAT32, ORR_GAN_TRAIN, 4, 4, 0, 2e-4);
            compare(cuda, network, ORR_GAN_FLOAT32, ORR_GAN_EVAL, 4, 3, 0, 2e-4);
            orr_gan_discriminator(&shape, &network);
            compare(cuda, network, ORR_GAN_FLOAT32, ORR_GAN_TRAIN, 4, 4, 0, 2e-4);
            compare(cuda, network, ORR_GAN_FLOAT32, ORR_GAN_EVAL, 4, 1, 0, 2e-4);
        }
}

// Images of a generator as bytes, from a network of two images at a time.
struct Images {
    orr_gan_network network;
    orr_gan_net *net = nullptr;
    std::vector<float> input;
    std::vector<uint8_t> bytes;

    orr_status open(const orr_gan_backend *cuda, orr_gan_precision precision, uint32_t count) {
        const orr_gan_shape shape = {16, 3, 20, 5};
        orr_gan_options options = orr_gan_default_options();
        options.batch = 2;
        options.precision = precision;
        orr_gan_generator(&shape, &network);
        input = numbers(count * orr_gan_input_floats(&network), 0);
        bytes.assign(count * orr_gan_output_floats(&network), 77);
        std::vector<float> parameters = numbers(network.parameter_count, 0);
        std::vector<float> running(network.running_count, 1);
        orr_status status = cuda->net_open(cuda, &network, &options, &net, &error);
        if (status != ORR_OK) return status;
        return cuda->net_set(net, parameters.data(), running.data(), &error);
    }
    orr_status run(uint32_t count) {
        return orr_gan_evaluate_bytes(net, input.data(), count, bytes.data(), &error);
    }
    ~Images() {
        if (net) net->backend->net_close(net);
    }
};

TEST_F(GanCudaNet, BytesAreThoseOfTheFloatsHoweverManyBatches) {
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_BF16})
        for (uint32_t count : {0u, 1u, 2u, 3u, 4u, 5u, 11u})
            check_bytes(cuda, orr_gan_shape{16, 3, 20, 5}, precision, 2, count);
}

// A backward pass needs a forward pass of floats.
TEST_F(GanCudaNet, BytesLeaveNothingForABackwardPass) {
    Images images;
    ASSERT_EQ(images.open(cuda, ORR_GAN_FLOAT32, 2), ORR_OK) << error.text;
    std::vector<float> values(images.bytes.size());
    ASSERT_EQ(orr_gan_evaluate(images.net, images.input.data(), 2, values.data(), &error), ORR_OK);
    ASSERT_EQ(images.run(2), ORR_OK) << error.text;
    EXPECT_EQ(cuda->net_backward(images.net, values.data(), nullptr, nullptr, 0, &error),
              ORR_INTERNAL);
}

// Every value that a byte can come from, and those that are no number.
TEST_F(GanCudaNet, BytesAreRoundedAsOnTheHost) {
    Shape shape = {1, 8, 3, 1, 1, 1, 0, 0, ORR_GAN_LINEAR};
    orr_gan_network network = one_layer(shape);
    orr_gan_options options = orr_gan_default_options();
    options.batch = 300;
    orr_gan_net *net = nullptr;
    ASSERT_EQ(cuda->net_open(cuda, &network, &options, &net, &error), ORR_OK) << error.text;
    std::vector<float> weights(network.parameter_count, 0), input(300 * 8, 0), values;
    for (int c = 0; c < 3; c++) weights[c] = 1; // of the first channel that goes in
    ASSERT_EQ(cuda->net_set(net, weights.data(), nullptr, &error), ORR_OK);
    for (int n = 0; n < 300; n++) input[n * 8] = static_cast<float>(n - 20) * 0.98f / 127.5f - 1.0f;
    input[8 * 8] = INFINITY;
    input[9 * 8] = -INFINITY;
    for (int n = 0; n < 300; n++) values.insert(values.end(), 3, input[n * 8]);
    std::vector<uint8_t> bytes(900, 77), right(900);
    orr_gan_to_bytes(values.data(), values.size(), right.data());
    ASSERT_EQ(orr_gan_evaluate_bytes(net, input.data(), 300, bytes.data(), &error), ORR_OK);
    EXPECT_TRUE(bytes == right);
    EXPECT_EQ(std::vector<uint8_t>(bytes.begin() + 24, bytes.begin() + 30),
              (std::vector<uint8_t>{255, 255, 255, 0, 0, 0}));
    cuda->net_close(net);
}

TEST_F(GanCudaNet, FailuresOnTheWayLeaveNothingBehind) {
    unsigned long calls = 0;
    auto run = [&] {
        Images images;
        orr_status status = images.open(cuda, ORR_GAN_FLOAT32, 7);
        if (status == ORR_OK) status = images.run(7);
        calls = shim::runtime.calls;
        return status;
    };
    ASSERT_EQ(run(), ORR_OK) << error.text;
    unsigned long all = calls;
    ASSERT_GT(all, 60u);
    for (int sticky : {0, 1})
        for (unsigned long n = 1; n <= all; n++) {
            shim::runtime = shim::Runtime();
            shim::runtime.fail_call = n;
            shim::runtime.fail_code = 700; // an illegal memory access
            shim::runtime.fail_sticky = sticky;
            EXPECT_NE(run(), ORR_OK) << "call " << n << ", " << shim::runtime.failed;
            EXPECT_TRUE(shim::runtime.device_memory.empty()) << n << " " << shim::runtime.failed;
            EXPECT_TRUE(shim::runtime.pinned_memory.empty()) << n << " " << shim::runtime.failed;
            EXPECT_EQ(shim::runtime.streams + shim::runtime.events, 0u) << n;
        }
    shim::runtime = shim::Runtime();
}

TEST_F(GanCudaNet, ADiscriminatorMakesNoBytes) {
    const orr_gan_shape shape = {16, 3, 20, 5};
    orr_gan_network network;
    orr_gan_options options = orr_gan_default_options();
    orr_gan_net *net = nullptr;
    uint8_t byte;
    orr_gan_discriminator(&shape, &network);
    std::vector<float> input(orr_gan_input_floats(&network));
    ASSERT_EQ(cuda->net_open(cuda, &network, &options, &net, &error), ORR_OK) << error.text;
    EXPECT_EQ(orr_gan_evaluate_bytes(net, input.data(), 1, &byte, &error), ORR_INTERNAL);
    cuda->net_close(net);
}

TEST_F(GanCudaNet, DevicesThatCannotBeUsedSayWhy) {
    const orr_gan_cuda_library *library = orr_gan_cuda_library_get();
    shim::runtime.devices = 2;
    shim::runtime.old_devices = 1;
    EXPECT_EQ(library->check(0, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("(cuda:0) has compute capability 7.5; 8.0 or later"),
              std::string::npos)
        << error.text;
    EXPECT_EQ(library->check(1, &error), ORR_OK) << error.text;
    EXPECT_EQ(library->check(2, &error), ORR_UNSUPPORTED);
}

TEST_F(GanCudaNet, RefusesWhatItCannotDo) {
    orr_gan_network network = one_layer(shapes[0]);
    orr_gan_options options = orr_gan_default_options();
    orr_gan_net *net = nullptr;
    options.device = 1;
    EXPECT_EQ(cuda->net_open(cuda, &network, &options, &net, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(std::string(error.text), "there is no CUDA device 1: this machine has 1");
    options.device = 0;
    shim::runtime.major = 7;
    EXPECT_EQ(cuda->net_open(cuda, &network, &options, &net, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("7.6; 8.0 or later"), std::string::npos) << error.text;
    shim::runtime.major = 8;
    shim::runtime.memory = 1 << 18;
    EXPECT_EQ(cuda->net_open(cuda, &network, &options, &net, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("MiB of device memory"), std::string::npos);
    shim::runtime.devices = 0;
    EXPECT_EQ(orr_gan_cuda_library_get()->count(&error), 0u);
}

} // namespace
