// Backends made of backends: the CPU redoes what a device fails to do, and several devices share.
#include "kernels/compound.h"
#include "kernels/device.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/batches.h"

namespace {

constexpr orr_tile_op operations[] = {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT};

orr_backend *open_cpu(unsigned threads = 1) {
    orr_backend *backend = nullptr;
    orr_error error;
    EXPECT_EQ(orr_cpu_backend_open(threads, ORR_SIMD_BEST, &backend, &error), ORR_OK);
    return backend;
}

// A device made of the CPU backend, which fails as told. A failing batch leaves rubbish behind.
struct Device {
    orr_backend base;
    orr_backend_api api;
    orr_backend *real;
    int batches = 0, fail_from = 1 << 30, fail_until = 1 << 30; // of wait, counted from 0
    int submits = 0, refuse_from = 1 << 30;
    orr_status status = ORR_INTERNAL;
    bool closed = false, no_memory = false;

    static Device *of(const orr_backend *backend) {
        return reinterpret_cast<Device *>(const_cast<orr_backend *>(backend));
    }
    Device() : base{&api}, api(), real(open_cpu()) {
        api.abi = ORR_BACKEND_ABI;
        api.name = "device";
        api.properties = [](const orr_backend *b, orr_backend_properties *p) {
            of(b)->real->api->properties(of(b)->real, p);
            std::strcpy(p->name, "device");
            p->separate_output = 1;
        };
        api.alloc = [](orr_backend *b, size_t bytes) {
            return of(b)->no_memory ? nullptr : of(b)->real->api->alloc(of(b)->real, bytes);
        };
        api.free = [](orr_backend *b, void *memory, size_t bytes) {
            of(b)->real->api->free(of(b)->real, memory, bytes);
        };
        api.submit = [](orr_backend *b, orr_batch *batch, orr_error *error) {
            if (of(b)->submits++ >= of(b)->refuse_from)
                return orr_fail(error, ORR_INTERNAL, "the device is gone");
            return of(b)->real->api->submit(of(b)->real, batch, error);
        };
        api.wait = [](orr_backend *b, orr_batch *batch, orr_error *error) {
            Device *self = of(b);
            int number = self->batches++;
            orr_status ended = self->real->api->wait(self->real, batch, error);
            if (number < self->fail_from || number >= self->fail_until) return ended;
            for (size_t n = 0; n < batch->count; n++)
                std::memset(batch->out + batch->tasks[n].offset, 0x5a, 384 * batch->tasks[n].rows);
            return orr_fail(error, self->status, "batch %d failed on the device", number);
        };
        api.close = [](orr_backend *b) {
            of(b)->closed = true;
            of(b)->real->api->close(of(b)->real);
        };
    }
};

struct Reports {
    std::vector<std::string> texts;
    std::vector<int> stopped;
    static void take(void *context, const orr_error *error, int stopped) {
        auto *self = static_cast<Reports *>(context);
        self->texts.push_back(error->text);
        self->stopped.push_back(stopped);
    }
};

struct Fallback {
    Device device;
    Reports reports;
    orr_backend *backend = nullptr;
    Fallback() {
        orr_error error;
        EXPECT_EQ(orr_fallback_backend_open(&device.base, open_cpu(), Reports::take, &reports,
                                            &backend, &error),
                  ORR_OK);
    }
    ~Fallback() {
        backend->api->close(backend);
        EXPECT_TRUE(device.closed);
    }
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
    EXPECT_EQ(both.device.batches, 6);
    EXPECT_TRUE(both.reports.texts.empty());
    EXPECT_EQ(orr_backend_self_test(both.backend, nullptr), ORR_OK);
}

TEST(Fallback, DeviceThatDiesInMidJobIsReportedOnceAndLeftAlone) {
    Fallback both;
    both.device.fail_from = 4;
    both.run_job(12);
    EXPECT_LE(both.device.batches, 6) << "a dead device is still used";
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
    EXPECT_EQ(both.device.batches, 8);
    ASSERT_EQ(both.reports.texts.size(), 1u);
    EXPECT_EQ(both.reports.stopped[0], 0);
}

TEST(Fallback, RepeatedMismatchesEndTheUseOfTheDevice) {
    Fallback both;
    both.device.status = ORR_SELF_TEST;
    both.device.fail_from = 1;
    both.run_job(12);
    EXPECT_GE(both.device.batches, 1 + ORR_FALLBACK_MISMATCHES);
    EXPECT_LE(both.device.batches, 2 + ORR_FALLBACK_MISMATCHES);
    ASSERT_EQ(both.reports.texts.size(), 2u) << "first mismatch, and the end";
    EXPECT_EQ(both.reports.stopped[0], 0);
    EXPECT_EQ(both.reports.stopped[1], 1);
}

TEST(Fallback, WithoutDeviceMemoryTheCpuGivesIt) {
    Fallback both;
    both.device.no_memory = true;
    both.run_job(2);
    EXPECT_EQ(both.device.batches, 2);
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
    EXPECT_EQ(first.batches, 4);
    EXPECT_EQ(second.batches, 4);
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
