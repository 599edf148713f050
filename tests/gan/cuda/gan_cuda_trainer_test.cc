// The training step of the CUDA implementation on a make-believe device: against the reference,
// with and without a CUDA graph, resumed, and with every CUDA call failing in turn.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/gan_checks.h"
#include "tests/support/gan_on_shim.h"

namespace {

using namespace gan_checks;

using GanCudaTrainer = GanOnShim;

TEST_F(GanCudaTrainer, TwentyStepsEqualTheReference) {
    for (orr_gan_shape shape : {small, orr_gan_shape{16, 1, 5, 3}, orr_gan_shape{32, 3, 9, 2}})
        compare_training(cuda, shape, ORR_GAN_FLOAT32, 2e-3, 0.1);
}

TEST_F(GanCudaTrainer, GivenImagesAndLatentsAreUsed) {
    State start(small), ours(small), theirs(small);
    std::vector<uint8_t> images = images_of(small);
    Training device(cuda, start, images), reference(orr_gan_reference(), start, images);
    std::vector<float> real(batch_size * 16 * 16 * 3), latents(batch_size * 12);
    for (int step = 0; step < 3; step++) {
        for (float &v : real) v = std::uniform_real_distribution<float>(-1, 1)(test_random());
        for (float &v : latents) v = std::normal_distribution<float>()(test_random());
        orr_gan_batch batch = {step == 1 ? nullptr : real.data(), nullptr, 0, latents.data()};
        ASSERT_EQ(cuda->trainer_step(device.trainer, &batch, &error), ORR_OK) << error.text;
        ASSERT_EQ(reference.backend->trainer_step(reference.trainer, &batch, &error), ORR_OK);
        expect_near(device.statistics(), reference.statistics(), 1e-4);
    }
    // And pictures of the generator, more than a batch, without a trace in the state.
    std::vector<float> more(10 * 12), a(10 * 16 * 16 * 3), b(a.size());
    for (float &v : more) v = std::normal_distribution<float>()(test_random());
    device.read(&ours);
    ASSERT_EQ(cuda->trainer_sample(device.trainer, more.data(), 10, a.data(), &error), ORR_OK);
    ASSERT_EQ(
        reference.backend->trainer_sample(reference.trainer, more.data(), 10, b.data(), &error),
        ORR_OK);
    EXPECT_LE(distance(a.data(), b.data(), a.size()), 1e-3);
    device.read(&theirs);
    EXPECT_TRUE(ours == theirs);
}

TEST_F(GanCudaTrainer, AGraphChangesNoBitAndNeitherDoesTheSchedule) {
    std::vector<uint8_t> images = images_of(small);
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_BF16}) {
        State start(small), graph(small), eager(small);
        Training with(cuda, start, images, precision), without(plain, start, images, precision);
        unsigned long before = shim::runtime.graph_launches;
        ASSERT_EQ(with.steps(20), ORR_OK) << error.text; // more than may be in flight
        with.read(&graph);
        EXPECT_EQ(shim::runtime.graph_launches - before, 19u);
        ASSERT_EQ(without.steps(20), ORR_OK) << error.text;
        shim::settings.schedule = shim::Schedule::random;
        without.read(&eager); // this is when the device works
        EXPECT_EQ(shim::runtime.graph_launches - before, 19u);
        EXPECT_TRUE(graph == eager);
        shim::settings.schedule = shim::Schedule::forward;
        for (const orr_gan_backend *backend : {cuda, plain}) { // the side as early as it may
            shim::runtime.early = true;
            State early(small);
            Training training(backend, start, images, precision);
            ASSERT_EQ(training.steps(20), ORR_OK) << error.text;
            training.read(&early);
            EXPECT_TRUE(early == graph);
            shim::runtime.early = false;
        }
    }
}

TEST_F(GanCudaTrainer, ResumedTrainingIsTheSameBitForBit) {
    for (orr_gan_precision precision : {ORR_GAN_FLOAT32, ORR_GAN_TF32, ORR_GAN_BF16})
        check_resuming(cuda, small, precision);
}

TEST_F(GanCudaTrainer, Bfloat16TrainsAlike) {
    std::vector<uint8_t> images = images_of(small);
    State start(small);
    Training device(cuda, start, images, ORR_GAN_BF16),
        reference(orr_gan_reference(), start, images);
    ASSERT_EQ(device.steps(5), ORR_OK) << error.text;
    ASSERT_EQ(reference.steps(5), ORR_OK);
    expect_near(device.statistics(), reference.statistics(), 0.1);
}

TEST_F(GanCudaTrainer, SaysWhatIsMissing) {
    State start(small), other(orr_gan_shape{16, 3, 13, 4});
    std::vector<uint8_t> images = images_of(small);
    shim::runtime.memory = 300 << 10;
    {
        Training training(cuda, start, images);
        EXPECT_EQ(training.status, ORR_UNSUPPORTED);
        EXPECT_NE(std::string(error.text).find("training with batches of 4 images needs"),
                  std::string::npos)
            << error.text;
    }
    shim::runtime.memory = 1 << 30;
    Training training(cuda, start, images);
    EXPECT_EQ(training.status, ORR_OK) << error.text;
    size_t held = image_count * 16 * 16 * 3; // by the data set that goes before the next comes
    shim::runtime.memory = shim::runtime.device_bytes - held;
    EXPECT_EQ(cuda->trainer_data(training.trainer, images.data(), 9, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("the data set of 9 images needs"), std::string::npos)
        << error.text;
    shim::runtime.memory = 1 << 30;
    EXPECT_EQ(training.steps(1), ORR_INTERNAL) << "without data";
    training.status = ORR_OK;
    ASSERT_EQ(cuda->trainer_data(training.trainer, images.data(), 9, &error), ORR_OK);
    EXPECT_EQ(training.steps(2), ORR_OK) << error.text;
    uint32_t index[batch_size] = {0, 1, 9, 2};
    orr_gan_batch batch = {nullptr, index, 0, nullptr};
    EXPECT_EQ(cuda->trainer_step(training.trainer, &batch, &error), ORR_INTERNAL);
    EXPECT_EQ(cuda->trainer_state(training.trainer, &other.value, &error), ORR_INTERNAL);
}

// Opening, three steps and reading, with every call from number n on failing, for all n: an error,
// never a crash or a leak.
TEST_F(GanCudaTrainer, EveryFailingCallIsAnError) {
    constexpr orr_gan_shape tiny = {16, 1, 4, 1};
    std::vector<uint8_t> images = images_of(tiny);
    State start(tiny), read(tiny);
    unsigned long calls = 0; // before closing, whose failures nobody can do anything about
    auto run = [&] {
        Training training(cuda, start, images);
        orr_status status = training.steps(3);
        if (status == ORR_OK) status = cuda->trainer_state(training.trainer, &read.value, &error);
        calls = shim::runtime.calls;
        return status;
    };
    ASSERT_EQ(run(), ORR_OK);
    unsigned long all = calls;
    ASSERT_GT(all, 150u);
    for (unsigned long n = 1; n <= all; n += n < 60 ? 1 : 5) {
        shim::runtime = shim::Runtime();
        shim::runtime.fail_call = n;
        shim::runtime.fail_code = 700; // an illegal memory access
        shim::runtime.fail_sticky = true;
        EXPECT_NE(run(), ORR_OK) << "call " << n << ", " << shim::runtime.failed;
        EXPECT_TRUE(shim::runtime.device_memory.empty()) << n << " " << shim::runtime.failed;
        EXPECT_EQ(shim::runtime.streams + shim::runtime.events + shim::runtime.graphs, 0u) << n;
    }
    shim::runtime = shim::Runtime();
}

// A call that fails once: whatever it was, no copy from or to memory of the caller is under way
// when the function returns.
TEST_F(GanCudaTrainer, MemoryOfTheCallerIsItsAgainAfterAFailure) {
    constexpr orr_gan_shape tiny = {16, 1, 4, 1};
    std::vector<uint8_t> images = images_of(tiny);
    std::vector<float> real(batch_size * 16 * 16), latents(batch_size * 4);
    State start(tiny), read(tiny);
    unsigned long calls = 0, under_way = 0;
    auto run = [&] {
        Training training(cuda, start, images);
        orr_status status = training.status;
        orr_gan_batch batch = {real.data(), nullptr, 0, latents.data()};
        orr_gan_statistics statistics;
        if (status == ORR_OK) status = cuda->trainer_step(training.trainer, &batch, &error);
        if (status == ORR_OK)
            status = cuda->trainer_statistics(training.trainer, &statistics, &error);
        if (status == ORR_OK) status = cuda->trainer_state(training.trainer, &read.value, &error);
        calls = shim::runtime.calls;
        under_way = shim::runtime.pageable_under_way;
        return status;
    };
    ASSERT_EQ(run(), ORR_OK);
    unsigned long all = calls;
    ASSERT_GT(all, 100u);
    for (unsigned long n = 1; n <= all; n++) {
        shim::runtime = shim::Runtime();
        shim::runtime.fail_call = n;
        shim::runtime.fail_code = 2;
        EXPECT_NE(run(), ORR_OK) << "call " << n << ", " << shim::runtime.failed;
        EXPECT_EQ(under_way, 0u) << "call " << n << ", " << shim::runtime.failed;
    }
    shim::runtime = shim::Runtime();
}

} // namespace
