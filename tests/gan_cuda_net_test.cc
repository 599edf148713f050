// Networks of the CUDA implementation on a make-believe device, against the plain C reference: its
// host code and its kernels are the real ones, executed on the CPU (tests/shim); only cuDNN's
// convolutions are plain loops there.
#include "gan/cuda/library.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/shim/runtime.h"
#include "tests/shim/shim.h"
#include "tests/support/gan_checks.h"

namespace {

using namespace gan_checks;

class GanCudaNet : public testing::Test {
  protected:
    const orr_gan_backend *cuda = orr_gan_cuda_library_get()->backend;

    void SetUp() override {
        shim::runtime = shim::Runtime();
        shim::settings = {shim::Schedule::forward, test_random()(), 0xa5};
    }
    void TearDown() override {
        EXPECT_TRUE(shim::runtime.device_memory.empty());
        EXPECT_EQ(shim::runtime.streams, 0u);
        for (const std::string &complaint : shim::runtime.complaints) ADD_FAILURE() << complaint;
    }
};

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

TEST_F(GanCudaNet, Bfloat16StaysWithinItsPrecision) {
    for (Shape shape : shapes)
        for (int batch_norm : {0, 1}) {
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
    shim::runtime.memory = 1 << 20;
    EXPECT_EQ(cuda->net_open(cuda, &network, &options, &net, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("MiB of device memory"), std::string::npos);
    shim::runtime.devices = 0;
    EXPECT_EQ(orr_gan_cuda_library_get()->count(&error), 0u);
}

} // namespace
