// The CUDA backend on a make-believe device: its own source and the kernels' source, executed on
// the CPU, with every CUDA call made to fail in turn.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda_loader.h"
#include "tests/shim/fault.h"
#include "tests/shim/runtime.h"
#include "tests/support/batches.h"
#include "tests/support/cuda_device.h"

namespace {

constexpr orr_tile_op operations[] = {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT};

using CudaBackend = CudaDeviceTest;

TEST_F(CudaBackend, PassesTheSelfTest) {
    open();
    EXPECT_EQ(orr_backend_self_test(backend, &error), ORR_OK) << error.text;
}

TEST_F(CudaBackend, BatchesInFlightEqualThePortablePath) {
    open();
    std::vector<std::unique_ptr<RandomBatch>> flight;
    for (size_t count : {0, 1, 7})
        for (orr_tile_op op : operations)
            flight.push_back(std::make_unique<RandomBatch>(backend, count, op, 40, 12345, 37241));
    for (auto &item : flight) ASSERT_EQ(item->submit(&error), ORR_OK) << error.text;
    for (size_t n = flight.size(); n-- > 0;) {
        ASSERT_EQ(flight[n]->wait(&error), ORR_OK) << error.text;
        EXPECT_TRUE(flight[n]->right());
    }
}

// With 1 MiB pieces a batch of this size goes through every slot more than once.
TEST_F(CudaBackend, DeviceMemoryStaysUnderItsCeiling) {
    size_t ceiling = 12 << 20;
    open(ceiling);
    orr_backend_properties properties;
    backend->api->properties(backend, &properties);
    EXPECT_LE(properties.memory, ceiling);
    EXPECT_EQ(properties.separate_output, 1);
    EXPECT_EQ(std::string(properties.name), "Make-believe GPU 0 (cuda:0)");
    RandomBatch batch(backend, 130, ORR_TILE_ENCRYPT, 128, ORR_RULE_DEFAULT, ORR_RULE_DEFAULT, 100);
    ASSERT_GT(batch.bytes, size_t{9} << 19);
    ASSERT_EQ(batch.run(&error), ORR_OK) << error.text;
    EXPECT_TRUE(batch.right());
    EXPECT_LE(shim::runtime.device_peak, ceiling);
}

TEST_F(CudaBackend, TasksInAnyOrder) {
    open(12 << 20);
    RandomBatch batch(backend, 60, ORR_TILE_DECRYPT, 128);
    std::shuffle(batch.tasks.begin(), batch.tasks.end(), test_random());
    ASSERT_EQ(batch.run(&error), ORR_OK) << error.text;
    EXPECT_TRUE(batch.right());
}

TEST_F(CudaBackend, ThreadsMayShareIt) {
    open();
    std::vector<std::unique_ptr<RandomBatch>> work;
    for (int n = 0; n < 12; n++)
        work.push_back(std::make_unique<RandomBatch>(backend, 2, operations[n % 3], 16));
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < 3; caller++)
        callers.emplace_back([&, caller] {
            for (size_t n = caller; n < work.size(); n += 3) EXPECT_EQ(work[n]->run(), ORR_OK);
        });
    for (std::thread &caller : callers) caller.join();
    for (auto &item : work) EXPECT_TRUE(item->right());
}

TEST_F(CudaBackend, WrongTileIsNamedAndTheDeviceGoesOn) {
    open();
    {
        RandomBatch batch(backend, 5, ORR_TILE_ENCRYPT, 64);
        shim::next_fault = {true, 3, 0, 0, 0x100};
        ASSERT_EQ(batch.submit(&error), ORR_OK);
        EXPECT_EQ(batch.wait(&error), ORR_SELF_TEST);
        EXPECT_NE(std::string(error.text).find("tile 3 of a batch of 5"), std::string::npos)
            << error.text;
        EXPECT_EQ(batch.run(&error), ORR_OK) << error.text;
        EXPECT_TRUE(batch.right());
    }
}

// A self-test in which call number `n` fails, for all n: never a crash, a wrong byte or a leak.
TEST_F(CudaBackend, EveryFailingCallIsAnError) {
    open(12 << 20);
    ASSERT_EQ(RandomBatch(backend, 2, ORR_TILE_REENCRYPT, 4).run(), ORR_OK);
    backend->api->close(backend);
    backend = nullptr;
    unsigned long calls = shim::runtime.calls;
    ASSERT_GT(calls, 20u);
    int survived = 0;
    orr_backend *memory = nullptr; // its buffers survive the device
    ASSERT_EQ(orr_cpu_backend_open(1, ORR_SIMD_BEST, &memory, &error), ORR_OK);
    for (unsigned long n = 1; n <= calls; n++)
        for (bool sticky : {false, true}) {
            shim::runtime = shim::Runtime();
            shim::runtime.fail_call = n;
            shim::runtime.fail_code = sticky ? 700 : 2;
            shim::runtime.fail_sticky = sticky;
            orr_cuda_options options = {12 << 20};
            orr_backend *handle = nullptr;
            error = {};
            if (library->open(0, &options, &handle, &error) != ORR_OK) {
                EXPECT_NE(std::string(error.text), "") << "call " << n;
                EXPECT_EQ(handle, nullptr);
            } else {
                RandomBatch batch(memory, 2, ORR_TILE_REENCRYPT, 4);
                batch.backend = handle;
                orr_status status = batch.run(&error);
                if (status == ORR_OK) {
                    EXPECT_TRUE(batch.right()) << "call " << n << ", " << shim::runtime.failed;
                    survived++;
                } else {
                    EXPECT_EQ(status, ORR_INTERNAL);
                    EXPECT_NE(std::string(error.text).find("Make-believe GPU 0"), std::string::npos)
                        << error.text;
                }
                // After a failed call the device is not used again.
                if (status != ORR_OK) {
                    EXPECT_EQ(batch.run(&error), ORR_INTERNAL);
                }
                batch.backend = memory;
                handle->api->close(handle);
            }
            EXPECT_TRUE(shim::runtime.device_memory.empty()) << "call " << n;
            EXPECT_TRUE(shim::runtime.pinned_memory.empty()) << "call " << n;
            EXPECT_EQ(shim::runtime.streams, 0u);
        }
    memory->api->close(memory);
    // Calls after the last batch (wiping), and memory that runs out once, need not stop anything.
    EXPECT_LT(survived, static_cast<int>(calls));
    shim::runtime = shim::Runtime();
}

TEST_F(CudaBackend, TooLittleMemoryIsSaid) {
    orr_cuda_options options = {1 << 20};
    EXPECT_EQ(library->open(0, &options, &backend, &error), ORR_INTERNAL);
    EXPECT_NE(std::string(error.text).find("1048576 bytes of device memory"), std::string::npos)
        << error.text;
    shim::runtime.memory = 6 << 20;
    EXPECT_EQ(library->open(0, nullptr, &backend, &error), ORR_INTERNAL) << error.text;
}

TEST_F(CudaBackend, WhyThereIsNoDevice) {
    shim::runtime.driver = 0;
    EXPECT_EQ(library->count(&error), 0u);
    EXPECT_STREQ(error.text, "no NVIDIA driver is installed");
    shim::runtime.driver = 12020;
    EXPECT_EQ(library->count(&error), 0u);
    EXPECT_STREQ(error.text,
                 "the NVIDIA driver is too old: it offers CUDA 12.2, this build needs 13.x");
    shim::runtime.driver = 13000;
    shim::runtime.devices = 0;
    EXPECT_EQ(library->count(&error), 0u);
    EXPECT_STREQ(error.text, "the NVIDIA driver shows no device");
    shim::runtime.devices = 2;
    EXPECT_EQ(library->count(&error), 2u);
    orr_cuda_device info;
    EXPECT_EQ(library->describe(1, &info, &error), ORR_OK);
    EXPECT_STREQ(info.name, "Make-believe GPU 1");
    EXPECT_EQ(library->describe(2, &info, &error), ORR_UNSUPPORTED);
    EXPECT_STREQ(error.text, "there is no CUDA device 2: this machine has 2");
    shim::runtime.major = 7;
    shim::runtime.minor = 5;
    EXPECT_EQ(library->open(0, nullptr, &backend, &error), ORR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("compute capability 7.5"), std::string::npos);
}

TEST_F(CudaBackend, RefusesBatchesThatDoNotFit) {
    open();
    RandomBatch batch(backend, 1, ORR_TILE_ENCRYPT, 1);
    batch.tasks[0].rows = 129;
    EXPECT_EQ(batch.submit(&error), ORR_INTERNAL);
    batch.tasks[0].rows = 2;
    batch.batch.bytes = 384;
    EXPECT_EQ(batch.submit(&error), ORR_INTERNAL);
    batch.tasks[0].rows = 1;
    batch.batch.cipher = nullptr;
    EXPECT_EQ(batch.submit(&error), ORR_INTERNAL);
    orr_batch never = {};
    EXPECT_EQ(backend->api->wait(backend, &never, &error), ORR_INTERNAL);
}

} // namespace
