// Volumes on the CUDA backend, on a make-believe device: memory, many images in flight, failures.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/compound.h"
#include "kernels/cuda/volume_launch.h"
#include "kernels/cuda_loader.h"
#include "tests/shim/fault.h"
#include "tests/shim/runtime.h"
#include "tests/support/batches.h"
#include "tests/support/cuda_device.h"
#include "tests/support/volumes.h"

namespace {

constexpr size_t little = 12 << 20; // the tiles' slots and some 1.5 MB for volumes

orr_volume_op random_op() {
    return test_random()() % 2 ? ORR_VOLUME_ENCRYPT : ORR_VOLUME_DECRYPT;
}

std::unique_ptr<RandomVolume> random_volume(uint32_t most = 40) {
    return std::make_unique<RandomVolume>(random_op(), random_shape(most), random_rule());
}

class CudaVolumes : public CudaDeviceTest {
  protected:
    void TearDown() override {
        EXPECT_EQ(shim::runtime.pageable_bytes, 0u) << "copied past the memory that is wiped";
        CudaDeviceTest::TearDown();
    }
    // All in flight together, waited for in another order.
    void run_all(std::vector<std::unique_ptr<RandomVolume>> &flight) {
        for (auto &item : flight)
            ASSERT_EQ(orr_volume_submit(backend, &item->task, &error), ORR_OK) << error.text;
        std::shuffle(flight.begin(), flight.end(), test_random());
        for (auto &item : flight) {
            ASSERT_EQ(orr_volume_wait(backend, &item->task, &error), ORR_OK) << error.text;
            EXPECT_TRUE(item->right()) << item->name();
        }
    }
};

TEST_F(CudaVolumes, ManyInFlightEqualTheDefinition) {
    open();
    orr_backend_properties properties;
    backend->api->properties(backend, &properties);
    EXPECT_GE(properties.volumes, 16u);
    size_t before = shim::runtime.device_bytes;
    std::vector<std::unique_ptr<RandomVolume>> flight;
    for (int n = 0; n < 150; n++) flight.push_back(random_volume());
    EXPECT_EQ(shim::runtime.device_bytes, before) << "no memory for volumes before the first";
    run_all(flight);
}

TEST_F(CudaVolumes, ImagesOfSeveralSlicesAmongSmallOnes) {
    open();
    std::vector<std::unique_ptr<RandomVolume>> flight;
    for (int n = 0; n < 8; n++) flight.push_back(random_volume());
    flight.push_back(
        std::make_unique<RandomVolume>(ORR_VOLUME_ENCRYPT, orr_volume_shape{3, 500, 400}));
    flight.push_back(
        std::make_unique<RandomVolume>(ORR_VOLUME_DECRYPT, orr_volume_shape{1, 530000, 1}, 12345));
    for (int n = 0; n < 8; n++) flight.push_back(random_volume());
    run_all(flight);
}

// Larger than the page-locked memory that copies pass through, alone and behind another.
TEST_F(CudaVolumes, LargerThanTheStage) {
    open();
    std::vector<std::unique_ptr<RandomVolume>> flight;
    flight.push_back(random_volume());
    flight.push_back(
        std::make_unique<RandomVolume>(ORR_VOLUME_ENCRYPT, orr_volume_shape{3, 1200, 1201}, 99));
    run_all(flight);
}

TEST_F(CudaVolumes, TilesAndVolumesAtATime) {
    open();
    // Drawn before there are threads: they would share the generator.
    std::vector<std::unique_ptr<RandomBatch>> batches;
    std::vector<std::unique_ptr<RandomVolume>> volumes;
    for (int n = 0; n < 2; n++)
        batches.push_back(std::make_unique<RandomBatch>(backend, 5, ORR_TILE_REENCRYPT, 30, 12345));
    for (int n = 0; n < 12; n++) volumes.push_back(random_volume());
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < 2; caller++) {
        callers.emplace_back([&, caller] {
            EXPECT_EQ(batches[caller]->run(), ORR_OK);
            EXPECT_TRUE(batches[caller]->right());
        });
        callers.emplace_back([&, caller] {
            for (size_t n = caller; n < volumes.size(); n += 2) {
                EXPECT_EQ(volumes[n]->run(backend), ORR_OK);
                EXPECT_TRUE(volumes[n]->right());
            }
        });
    }
    for (std::thread &caller : callers) caller.join();
}

// Images wait for room; one that never fits is not the device's, and the bytes are the same.
TEST_F(CudaVolumes, DeviceMemoryStaysUnderItsCeiling) {
    open(little);
    orr_backend_properties properties;
    backend->api->properties(backend, &properties);
    EXPECT_EQ(properties.memory, little);
    std::vector<std::unique_ptr<RandomVolume>> flight;
    for (int n = 0; n < 30; n++) flight.push_back(random_volume(180)); // up to 130 KB
    RandomVolume large(ORR_VOLUME_ENCRYPT, {3, 400, 500});
    EXPECT_EQ(backend->api->volume_submit(backend, &large.task, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("does not fit"), std::string::npos) << error.text;
    EXPECT_EQ(large.run(backend, &error), ORR_OK) << "elsewhere";
    EXPECT_TRUE(large.right());
    run_all(flight);
    EXPECT_LE(shim::runtime.device_peak, little);
    EXPECT_GT(shim::runtime.device_peak, little * 9 / 10);
}

// The arena starts small; when it is outgrown, it becomes as large as allowed.
TEST_F(CudaVolumes, TheArenaGrowsWhenItIsOutgrown) {
    open();
    std::vector<std::unique_ptr<RandomVolume>> flight;
    flight.push_back(random_volume());
    run_all(flight);
    size_t small = shim::runtime.device_bytes;
    flight.clear();
    for (int n = 0; n < 4; n++) // 4 x 4.5 MB do not fit 16 MiB at a time
        flight.push_back(
            std::make_unique<RandomVolume>(ORR_VOLUME_ENCRYPT, orr_volume_shape{1, 800, 800}));
    run_all(flight);
    EXPECT_GT(shim::runtime.device_bytes, 2 * small);
    EXPECT_LE(shim::runtime.device_peak, shim::runtime.memory / 2);
}

// Other programs have taken the memory since the backend was opened.
TEST_F(CudaVolumes, WhatTheDeviceHasNoRoomForGoesElsewhere) {
    open();
    shim::runtime.memory = shim::runtime.device_bytes + (1 << 20);
    RandomVolume small(ORR_VOLUME_ENCRYPT, {1, 60, 70}), large(ORR_VOLUME_DECRYPT, {3, 300, 300});
    EXPECT_EQ(backend->api->volume_submit(backend, &large.task, &error), ORR_OK);
    EXPECT_EQ(backend->api->volume_wait(backend, &large.task, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("bytes of device memory are free"), std::string::npos);
    EXPECT_EQ(large.run(backend), ORR_OK);
    EXPECT_TRUE(large.right());
    EXPECT_EQ(backend->api->volume_submit(backend, &small.task, &error), ORR_OK);
    EXPECT_EQ(backend->api->volume_wait(backend, &small.task, &error), ORR_OK);
    EXPECT_TRUE(small.right());
    shim::runtime.memory = size_t{1} << 30;
}

TEST_F(CudaVolumes, WrongVolumeIsNamedAndTheDeviceGoesOn) {
    open();
    RandomVolume volume(ORR_VOLUME_ENCRYPT, {3, 20, 30});
    shim::next_fault = {true, 0, 3, 1, 0x40, 2};
    EXPECT_EQ(volume.run(backend, &error), ORR_SELF_TEST);
    EXPECT_FALSE(shim::next_fault.armed);
    EXPECT_NE(std::string(error.text).find("a volume of 3 x 20 x 30 bytes failed the check"),
              std::string::npos)
        << error.text;
    EXPECT_EQ(volume.run(backend, &error), ORR_OK) << error.text;
    EXPECT_TRUE(volume.right());
}

// With the CPU to fall back on, a device that fails in the midst of a job changes no byte.
TEST_F(CudaVolumes, FallbackInMidJob) {
    for (int kind : {0, 1}) {
        shim::runtime = shim::Runtime();
        open();
        orr_backend *cpu = nullptr, *both = nullptr;
        std::vector<int> stopped;
        auto report = [](void *context, const orr_error *, int stop) {
            static_cast<std::vector<int> *>(context)->push_back(stop);
        };
        ASSERT_EQ(orr_cpu_backend_open(1, ORR_SIMD_BEST, &cpu, &error), ORR_OK);
        ASSERT_EQ(orr_fallback_backend_open(backend, cpu, report, &stopped, &both, &error), ORR_OK);
        backend = both;
        std::vector<std::unique_ptr<RandomVolume>> flight;
        for (int n = 0; n < 10; n++) {
            flight.clear();
            // Where the device is to fail, images of one size, at which the flipped bit is one of
            // the result. Random ones of 25 or 26 bytes in one or two columns come once in ten
            // thousand draws: that bit is then of a byte past their end, and nothing is wrong.
            for (int i = 0; i < 3; i++)
                flight.push_back(n == 4
                                     ? std::make_unique<RandomVolume>(
                                           random_op(), orr_volume_shape{3, 20, 30}, random_rule())
                                     : random_volume());
            if (n == 4 && kind == 0) shim::next_fault = {true, 0, 2, 0, 0x10, 1};
            if (n == 4 && kind == 1) {
                shim::runtime.fail_call = shim::runtime.calls + 9;
                shim::runtime.fail_code = 700;
                shim::runtime.fail_sticky = true;
            }
            run_all(flight);
        }
        ASSERT_EQ(stopped.size(), 1u);
        EXPECT_EQ(stopped[0], kind) << "one wrong result does not end the use of a device";
        backend->api->close(backend);
        backend = nullptr;
    }
}

// Volumes while call number `n` fails, for all n: never a crash, a wrong byte or a leak.
TEST_F(CudaVolumes, EveryFailingCallIsAnError) {
    open(little);
    unsigned long first = shim::runtime.calls;
    ASSERT_EQ(random_volume()->run(backend), ORR_OK);
    backend->api->close(backend);
    backend = nullptr;
    unsigned long calls = shim::runtime.calls;
    ASSERT_GT(calls, first + 25);
    int survived = 0, tried = 0;
    for (unsigned long n = first + 1; n <= calls; n++)
        for (bool sticky : {false, true}) {
            shim::runtime = shim::Runtime();
            open(little);
            shim::runtime.fail_call = n;
            shim::runtime.fail_code = sticky ? 700 : 2;
            shim::runtime.fail_sticky = sticky;
            std::unique_ptr<RandomVolume> volume = random_volume(), other = random_volume();
            error = {};
            orr_status status = backend->api->volume_submit(backend, &volume->task, &error);
            if (status == ORR_OK)
                status = backend->api->volume_wait(backend, &volume->task, &error);
            tried++;
            if (status == ORR_OK) {
                EXPECT_TRUE(volume->right()) << "call " << n << ", " << shim::runtime.failed;
                survived++;
            } else if (status != ORR_UNSUPPORTED) {
                EXPECT_EQ(status, ORR_INTERNAL);
                EXPECT_NE(std::string(error.text).find("Make-believe GPU 0"), std::string::npos)
                    << error.text;
                // After a failed call the device is not used again, for tiles neither.
                EXPECT_EQ(other->run(backend, &error), ORR_INTERNAL);
            }
            backend->api->close(backend);
            backend = nullptr;
            EXPECT_TRUE(shim::runtime.device_memory.empty()) << "call " << n;
            EXPECT_TRUE(shim::runtime.pinned_memory.empty()) << "call " << n;
            EXPECT_EQ(shim::runtime.streams, 0u);
        }
    EXPECT_LT(survived, tried / 2); // the rest: calls that wipe and free
    shim::runtime = shim::Runtime();
}

TEST_F(CudaVolumes, RefusesWhatIsNoVolume) {
    open();
    RandomVolume volume(ORR_VOLUME_ENCRYPT, {1, 2, 3});
    volume.task.cipher = nullptr;
    EXPECT_EQ(backend->api->volume_submit(backend, &volume.task, &error), ORR_INTERNAL);
    volume.task.cipher = &volume.cipher;
    volume.task.shape.rows = 0;
    EXPECT_EQ(backend->api->volume_submit(backend, &volume.task, &error), ORR_UNSUPPORTED);
    orr_volume_task never = {};
    EXPECT_EQ(backend->api->volume_wait(backend, &never, &error), ORR_INTERNAL);
}

} // namespace
