// --device for the DCGAN, and on a machine with a GPU the CUDA implementation itself against the
// reference; elsewhere those tests say that they did not run, and with ORRERY_EXPECT_GPU=1 in the
// environment they fail.
#include <cstdlib>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "gan/cuda/gan_cuda_library.h"
#include "gan/gan_device.h"
#include "tests/support/gan_checks.h"

namespace {

using namespace gan_checks;

const orr_gan_backend *opened(const char *device, orr_status status) {
    orr_gan_options options = orr_gan_default_options();
    const orr_gan_backend *backend = nullptr;
    options.device = 77;
    EXPECT_EQ(orr_gan_device_open(device, &options, &backend, nullptr, nullptr, &error), status)
        << device;
    EXPECT_EQ(options.device, 0);
    return backend;
}

// Built without oneDNN, the CPU is refused with the reason.
const orr_gan_backend *cpu() {
    orr_error why = {};
    return opened("cpu",
                  orr_library_table(&orr_gan_onednn_module, &why) ? ORR_OK : ORR_UNSUPPORTED);
}

TEST(GanDevice, WordsAreUnderstood) {
    const orr_gan_backend *backend = cpu();
    EXPECT_EQ(backend != nullptr, orr_gan_onednn_module.state == ORR_LIBRARY_LOADED);
    if (backend) {
        EXPECT_STREQ(backend->name, "onednn");
    } else {
        EXPECT_NE(std::string(error.text).find("liborrery_gan_onednn.so"), std::string::npos);
    }
    for (const char *word : {"gpu", "cuda:", "cuda:x", "cuda:12345", "cuda:0x", "CPU", ""}) {
        EXPECT_EQ(opened(word, ORR_USAGE), nullptr);
        EXPECT_NE(std::string(error.text).find("choose auto, cpu, cuda or cuda:N"),
                  std::string::npos);
    }
}

TEST(GanDevice, WithoutADeviceTheReasonIsGiven) {
    orr_error reason = {};
    if (orr_gan_cuda_count(&reason)) GTEST_SKIP() << "this machine has a CUDA device";
    std::printf("reason: %s\n", reason.text);
    EXPECT_EQ(opened("cuda", ORR_UNSUPPORTED), nullptr);
    EXPECT_STREQ(error.text, reason.text);
    EXPECT_EQ(opened("cuda:1", ORR_UNSUPPORTED), nullptr);
    const orr_gan_backend *backend = cpu();
    EXPECT_EQ(opened("auto", backend ? ORR_OK : ORR_UNSUPPORTED), backend);
}

TEST(GanDevice, TheLibraryOfThisBuildLoads) {
    const char *path = ORRERY_MODULES "/liborrery_gan_cuda.so";
    if (access(path, R_OK) != 0) GTEST_SKIP() << "built without training on CUDA devices";
    EXPECT_NE(orr_library_load(&orr_gan_cuda_module, path, &error), nullptr) << error.text;
}

TEST(GanDevice, BytesOnTheCpuAreThoseOfTheFloats) {
    const orr_gan_backend *backend = cpu();
    if (!backend) GTEST_SKIP() << error.text;
    for (uint32_t count : {0u, 1u, 3u, 8u, 11u})
        check_bytes(backend, orr_gan_shape{16, 3, 20, 5}, ORR_GAN_FLOAT32, 4, count);
}

// What follows needs a GPU.
class GanGpu : public testing::Test {
  protected:
    const orr_gan_backend *cuda = nullptr, *plain = nullptr;

    void SetUp() override {
        if (orr_gan_cuda_count(&error) == 0) {
            const char *expected = std::getenv("ORRERY_EXPECT_GPU");
            if (expected && expected[0] == '1') FAIL() << "a GPU was expected: " << error.text;
            GTEST_SKIP() << error.text;
        }
        auto *library = static_cast<const orr_gan_cuda_library *>(
            orr_library_table(&orr_gan_cuda_module, &error));
        ASSERT_NE(library, nullptr) << error.text;
        cuda = library->backend;
        plain = library->plain;
    }
};

// Integers below 2^8 and their sums are exact in every precision, except that bfloat16 rounds what
// comes out.
TEST_F(GanGpu, LayersAreExactOnSmallIntegers) {
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_TF32})
        for (Shape shape : shapes)
            for (orr_gan_mode mode : {ORR_GAN_TRAIN, ORR_GAN_EVAL}) {
                if (shape.activation == ORR_GAN_LEAKY_RELU) shape.activation = ORR_GAN_RELU;
                SCOPED_TRACE(testing::Message() << "channels " << shape.in_channels << " to "
                                                << shape.out_channels << ", mode " << mode);
                compare(cuda, one_layer(shape), precision, mode, 3, 3, 1, 0);
            }
}

TEST_F(GanGpu, LayersAndNetworksOnRandomNumbers) {
    const struct {
        orr_gan_precision precision;
        double bound;
    } cases[] = {{ORR_GAN_FLOAT32, 2e-4}, {ORR_GAN_TF32, 1e-2}, {ORR_GAN_BF16, 6e-2}};
    for (auto one : cases) {
        for (Shape shape : shapes)
            for (int batch_norm : {0, 1}) {
                shape.batch_norm = batch_norm;
                shape.activation = ORR_GAN_TANH; // smooth: rounding moves nothing over a kink
                compare(cuda, one_layer(shape), one.precision, ORR_GAN_TRAIN, 4, 4, 0, one.bound);
            }
        if (one.precision != ORR_GAN_FLOAT32) continue;
        orr_gan_network network;
        orr_gan_shape shape = {32, 3, 100, 8};
        orr_gan_generator(&shape, &network);
        compare(cuda, network, one.precision, ORR_GAN_TRAIN, 4, 4, 0, 1e-3);
        orr_gan_discriminator(&shape, &network);
        compare(cuda, network, one.precision, ORR_GAN_TRAIN, 4, 4, 0, 1e-3);
    }
}

TEST_F(GanGpu, BytesAreThoseOfTheFloatsHoweverManyBatches) {
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_TF32, ORR_GAN_BF16})
        check_bytes(cuda, orr_gan_shape{64, 3, 100, 64}, precision, 64, 300);
}

TEST_F(GanGpu, TwentyStepsEqualTheReference) {
    compare_training(cuda, orr_gan_shape{32, 3, 100, 8}, ORR_GAN_FLOAT32, 5e-3, 0.3);
}

// For scripts/device-check: few kernels, small enough for compute-sanitizer.
TEST_F(GanGpu, SmallTraining) {
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_BF16}) {
        std::vector<uint8_t> images = images_of(small);
        State start(small);
        Training training(cuda, start, images, precision);
        ASSERT_EQ(training.steps(4), ORR_OK) << error.text;
        EXPECT_TRUE(std::isfinite(training.statistics().loss_d));
    }
}

// And the steps that `orrery bench gan` times, for Nsight Compute: the first is queued call by
// call, the second captured and replayed.
TEST_F(GanGpu, StepsOfTheMeasuredSizes) {
    const orr_gan_shape shape = orr_gan_default_shape();
    std::vector<uint8_t> images = images_of(shape);
    for (auto [precision, batch] : {std::pair(ORR_GAN_TF32, 32u), std::pair(ORR_GAN_BF16, 32u),
                                    std::pair(ORR_GAN_BF16, 128u)}) {
        State start(shape);
        orr_gan_options options = orr_gan_default_options();
        orr_gan_trainer *trainer = nullptr;
        orr_gan_statistics statistics{};
        options.batch = batch;
        options.precision = precision;
        std::vector<uint32_t> index(batch);
        for (uint32_t n = 0; n < batch; n++) index[n] = n % image_count;
        ASSERT_EQ(cuda->trainer_open(cuda, &options, &start.value, &trainer, &error), ORR_OK)
            << error.text;
        EXPECT_EQ(cuda->trainer_data(trainer, images.data(), image_count, &error), ORR_OK);
        orr_gan_batch one = {nullptr, index.data(), 1, nullptr};
        for (int n = 0; n < 2; n++)
            EXPECT_EQ(cuda->trainer_step(trainer, &one, &error), ORR_OK) << error.text;
        EXPECT_EQ(cuda->trainer_statistics(trainer, &statistics, &error), ORR_OK) << error.text;
        EXPECT_TRUE(std::isfinite(statistics.loss_d) && std::isfinite(statistics.loss_g));
        cuda->trainer_close(trainer);
    }
}

TEST_F(GanGpu, AGraphChangesNoBit) {
    for (orr_gan_precision precision : {ORR_GAN_TF32, ORR_GAN_BF16}) {
        orr_gan_shape shape = {64, 3, 100, 64};
        std::vector<uint8_t> images = images_of(shape);
        State start(shape), graph(shape), eager(shape);
        Training with(cuda, start, images, precision), without(plain, start, images, precision);
        ASSERT_EQ(with.steps(20), ORR_OK) << error.text;
        ASSERT_EQ(without.steps(20), ORR_OK) << error.text;
        with.read(&graph);
        without.read(&eager);
        EXPECT_TRUE(graph == eager);
    }
}

TEST_F(GanGpu, ResumedTrainingIsTheSameBitForBit) {
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_TF32, ORR_GAN_BF16})
        check_resuming(cuda, orr_gan_shape{64, 3, 100, 64}, precision);
}

} // namespace
