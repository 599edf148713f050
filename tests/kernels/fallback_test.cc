// Backends made of backends: the CPU redoes what a device fails to do, and several devices share.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/compound.h"
#include "kernels/device.h"
#include "tests/support/batches.h"
#include "tests/support/failing_device.h"

namespace {

constexpr orr_tile_op operations[] = {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT};

struct Fallback : DeviceWithFallback {
    // A job of `count` batches, two in flight; every byte must be right.
    void run_job(int count) {
        std::unique_ptr<RandomBatch> before;
        for (int n = 0; n < count; n++) {
            auto now = std::make_unique<RandomBatch>(backend, 3, operations[n % 3], 32, 37241,
                                                     1 + test_random()() % ORR_RULE_COUNT);
            ASSERT_EQ(now->submit(), ORR_OK);
            if (before) finish(*before);
            before = std::move(now);
        }
        if (before) finish(*before);
    }
    static void finish(RandomBatch &batch) {
        orr_error error = {};
        ASSERT_EQ(batch.wait(&error), ORR_OK) << error.text;
        EXPECT_TRUE(batch.right());
    }
};

TEST(Fallback, NothingHappensWhileTheDeviceWorks) {
    Fallback both;
    both.run_job(6);
    EXPECT_EQ(both.device.waits, 6);
    EXPECT_TRUE(both.reports.texts.empty());
    EXPECT_EQ(orr_backend_self_test(both.backend, nullptr), ORR_OK);
}

TEST(Fallback, DeviceThatDiesInMidJobIsReportedOnceAndLeftAlone) {
    Fallback both;
    both.device.fail_from = 4;
    both.run_job(12);
    EXPECT_LE(both.device.waits, 6) << "a dead device is still used";
    ASSERT_EQ(both.reports.texts.size(), 1u);
    EXPECT_EQ(both.reports.texts[0], "batch 4 failed on the device");
    EXPECT_EQ(both.reports.stopped[0], 1);
}

TEST(Fallback, DeviceThatRefusesABatchIsLeftAlone) {
    Fallback both;
    both.device.refuse_from = 2;
    both.run_job(6);
    EXPECT_EQ(both.device.submits, 3);
    ASSERT_EQ(both.reports.texts.size(), 1u);
    EXPECT_EQ(both.reports.texts[0], "the device is gone");
}

TEST(Fallback, OneMismatchIsRedoneAndTheDeviceGoesOn) {
    Fallback both;
    both.device.status = ORR_SELF_TEST;
    both.device.fail_from = 2;
    both.device.fail_until = 3;
    both.run_job(8);
    EXPECT_EQ(both.device.waits, 8);
    ASSERT_EQ(both.reports.texts.size(), 1u);
    EXPECT_EQ(both.reports.stopped[0], 0);
}

TEST(Fallback, RepeatedMismatchesEndTheUseOfTheDevice) {
    Fallback both;
    both.device.status = ORR_SELF_TEST;
    both.device.fail_from = 1;
    both.run_job(12);
    EXPECT_GE(both.device.waits, 1 + ORR_FALLBACK_MISMATCHES);
    EXPECT_LE(both.device.waits, 2 + ORR_FALLBACK_MISMATCHES);
    ASSERT_EQ(both.reports.texts.size(), 2u) << "first mismatch, and the end";
    EXPECT_EQ(both.reports.stopped[0], 0);
    EXPECT_EQ(both.reports.stopped[1], 1);
}

TEST(Fallback, WithoutDeviceMemoryTheCpuGivesIt) {
    Fallback both;
    both.device.no_memory = true;
    both.run_job(2);
    EXPECT_EQ(both.device.waits, 2);
}

TEST(Fallback, ABatchInPlaceIsRefusedBecauseItCouldNotBeRedone) {
    Fallback both;
    RandomBatch batch(both.backend, 1, ORR_TILE_ENCRYPT);
    batch.batch.out = batch.in;
    orr_error error = {};
    EXPECT_EQ(batch.submit(&error), ORR_INTERNAL);
    EXPECT_NE(std::string(error.text).find("output of its own"), std::string::npos);
}

TEST(Multi, BatchesAreSharedAndTheBytesAreTheSame) {
    Device first, second;
    orr_backend *members[] = {&first.base, &second.base}, *backend = nullptr;
    orr_error error;
    ASSERT_EQ(orr_multi_backend_open(members, 2, &backend, &error), ORR_OK);
    std::vector<std::unique_ptr<RandomBatch>> flight;
    for (int n = 0; n < 8; n++)
        flight.push_back(std::make_unique<RandomBatch>(backend, 3, operations[n % 3], 32));
    for (auto &item : flight) ASSERT_EQ(item->submit(&error), ORR_OK);
    for (auto &item : flight) {
        ASSERT_EQ(item->wait(&error), ORR_OK);
        EXPECT_TRUE(item->right());
    }
    EXPECT_EQ(first.waits, 4);
    EXPECT_EQ(second.waits, 4);
    orr_backend_properties properties;
    backend->api->properties(backend, &properties);
    EXPECT_STREQ(properties.name, "device + device");
    EXPECT_EQ(properties.threads, 2u);
    EXPECT_EQ(properties.depth, 4u);
    EXPECT_EQ(properties.separate_output, 1);
    EXPECT_EQ(orr_backend_self_test(backend, &error), ORR_OK);
    flight.clear();
    backend->api->close(backend);
    EXPECT_TRUE(first.closed && second.closed);
}

TEST(Multi, ABusyDeviceGetsFewerBatches) {
    Device busy, idle;
    orr_backend *members[] = {&busy.base, &idle.base}, *backend = nullptr;
    orr_error error;
    ASSERT_EQ(orr_multi_backend_open(members, 2, &backend, &error), ORR_OK);
    {
        RandomBatch held(backend, 1, ORR_TILE_ENCRYPT, 4);
        ASSERT_EQ(held.submit(), ORR_OK); // on the first, and stays there
        for (int n = 0; n < 5; n++) {
            RandomBatch batch(backend, 1, ORR_TILE_ENCRYPT, 4);
            EXPECT_EQ(batch.run(), ORR_OK);
        }
        EXPECT_EQ(busy.submits, 1);
        EXPECT_EQ(idle.submits, 5);
        EXPECT_EQ(held.wait(), ORR_OK);
    }
    backend->api->close(backend);
}

TEST(Multi, AFailingMemberIsTheCallersToHearOf) {
    Device device;
    device.fail_from = 0;
    orr_backend *members[] = {&device.base}, *backend = nullptr;
    orr_error error;
    ASSERT_EQ(orr_multi_backend_open(members, 1, &backend, &error), ORR_OK);
    {
        RandomBatch batch(backend, 1, ORR_TILE_ENCRYPT, 4);
        EXPECT_EQ(batch.run(&error), ORR_INTERNAL);
    }
    backend->api->close(backend);
    EXPECT_EQ(orr_multi_backend_open(members, 0, &backend, &error), ORR_INTERNAL);
}

TEST(OpenDevice, WordsThatNameADevice) {
    orr_backend *backend = nullptr;
    orr_error error;
    orr_device_options options = {1, 0, nullptr, nullptr};
    for (const char *word : {"cpu", "auto"}) {
        ASSERT_EQ(orr_device_open(word, &options, &backend, &error), ORR_OK) << error.text;
        RandomBatch(backend, 2, ORR_TILE_ENCRYPT, 8).run();
        backend->api->close(backend);
    }
    for (const char *word : {"", "gpu", "cuda:", "cuda:x", "cuda:1x", "cuda:12345", "CPU"}) {
        EXPECT_EQ(orr_device_open(word, &options, &backend, &error), ORR_USAGE) << word;
        EXPECT_EQ(backend, nullptr);
    }
    EXPECT_NE(orr_device_open("cuda:9999", nullptr, &backend, &error), ORR_OK);
    EXPECT_NE(std::string(error.text), "");
}

} // namespace
