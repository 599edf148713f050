// Volumes through the backend seam: the CPU's pool, the fallback, several devices.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/compound.h"
#include "tests/support/failing_device.h"
#include "tests/support/volumes.h"

namespace {

orr_volume_op random_op() {
    return test_random()() % 2 ? ORR_VOLUME_ENCRYPT : ORR_VOLUME_DECRYPT;
}

std::unique_ptr<RandomVolume> random_volume() {
    return std::make_unique<RandomVolume>(random_op(), random_shape(), random_rule());
}

TEST(VolumeBackend, VolumesInFlightOnTheCpuEqualTheDefinition) {
    for (unsigned threads : {1u, 3u}) {
        orr_backend *cpu = open_cpu(threads);
        orr_backend_properties properties;
        cpu->api->properties(cpu, &properties);
        EXPECT_EQ(properties.volumes, threads);
        std::vector<std::unique_ptr<RandomVolume>> flight;
        for (int n = 0; n < 20; n++) flight.push_back(random_volume());
        orr_error error = {};
        for (auto &item : flight)
            ASSERT_EQ(orr_volume_submit(cpu, &item->task, &error), ORR_OK) << error.text;
        for (size_t n = flight.size(); n-- > 0;) {
            ASSERT_EQ(orr_volume_wait(cpu, &flight[n]->task, &error), ORR_OK) << error.text;
            EXPECT_TRUE(flight[n]->right()) << flight[n]->name();
        }
        cpu->api->close(cpu);
    }
}

TEST(VolumeBackend, InPlace) {
    orr_backend *cpu = open_cpu();
    RandomVolume volume(ORR_VOLUME_ENCRYPT, {3, 17, 23});
    std::vector<uint8_t> expected = volume.expected();
    volume.task.out = volume.in.data();
    EXPECT_EQ(volume.run(cpu), ORR_OK);
    EXPECT_TRUE(volume.in == expected);
    cpu->api->close(cpu);
}

TEST(VolumeBackend, ThreadsMayShareOneBackend) {
    orr_backend *cpu = open_cpu(2);
    std::vector<std::unique_ptr<RandomVolume>> work;
    for (int n = 0; n < 12; n++) work.push_back(random_volume());
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < 3; caller++)
        callers.emplace_back([&, caller] {
            for (size_t n = caller; n < work.size(); n += 3) EXPECT_EQ(work[n]->run(cpu), ORR_OK);
        });
    for (std::thread &caller : callers) caller.join();
    for (auto &item : work) EXPECT_TRUE(item->right());
    cpu->api->close(cpu);
}

TEST(VolumeBackend, RefusesWhatIsNoVolume) {
    orr_backend *cpu = open_cpu();
    orr_error error = {};
    auto submit = [&](void (*spoil)(orr_volume_task *)) {
        RandomVolume volume(ORR_VOLUME_ENCRYPT, {1, 2, 3});
        spoil(&volume.task);
        return orr_volume_submit(cpu, &volume.task, &error);
    };
    EXPECT_EQ(submit([](orr_volume_task *t) { t->shape.rows = 0; }), ORR_UNSUPPORTED);
    EXPECT_EQ(submit([](orr_volume_task *t) {
                  t->shape = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
              }),
              ORR_UNSUPPORTED);
    EXPECT_EQ(submit([](orr_volume_task *t) { t->cipher = nullptr; }), ORR_INTERNAL);
    EXPECT_EQ(submit([](orr_volume_task *t) { t->in = nullptr; }), ORR_INTERNAL);
    EXPECT_EQ(submit([](orr_volume_task *t) { t->out = nullptr; }), ORR_INTERNAL);
    EXPECT_EQ(submit([](orr_volume_task *t) { t->op = static_cast<orr_volume_op>(7); }),
              ORR_INTERNAL);
    orr_volume_task never = {};
    EXPECT_EQ(cpu->api->volume_wait(cpu, &never, &error), ORR_INTERNAL);
    cpu->api->close(cpu);
}

struct Fallback : DeviceWithFallback {
    // `count` volumes, two in flight; every byte must be right.
    void run_job(int count) {
        std::unique_ptr<RandomVolume> before;
        for (int n = 0; n <= count; n++) {
            std::unique_ptr<RandomVolume> now = n < count ? random_volume() : nullptr;
            orr_error error = {};
            if (now) {
                ASSERT_EQ(orr_volume_submit(backend, &now->task, &error), ORR_OK);
            }
            if (before) {
                ASSERT_EQ(orr_volume_wait(backend, &before->task, &error), ORR_OK) << error.text;
                EXPECT_TRUE(before->right()) << before->name();
            }
            before = std::move(now);
        }
    }
};

TEST(VolumeFallback, NothingHappensWhileTheDeviceWorks) {
    Fallback both;
    both.run_job(6);
    EXPECT_EQ(both.device.waits, 6);
    EXPECT_TRUE(both.reports.texts.empty());
}

TEST(VolumeFallback, DeviceThatDiesInMidJobIsReportedOnceAndLeftAlone) {
    Fallback both;
    both.device.fail_from = 4;
    both.run_job(12);
    EXPECT_LE(both.device.waits, 6) << "a dead device is still used";
    ASSERT_EQ(both.reports.texts.size(), 1u);
    EXPECT_EQ(both.reports.texts[0], "volume 4 failed on the device");
    EXPECT_EQ(both.reports.stopped[0], 1);
}

TEST(VolumeFallback, DeviceThatRefusesIsLeftAlone) {
    Fallback both;
    both.device.refuse_from = 2;
    both.run_job(6);
    EXPECT_EQ(both.device.submits, 3);
    ASSERT_EQ(both.reports.texts.size(), 1u);
}

TEST(VolumeFallback, OneMismatchIsRedoneAndTheDeviceGoesOn) {
    Fallback both;
    both.device.status = ORR_SELF_TEST;
    both.device.fail_from = 2;
    both.device.fail_until = 3;
    both.run_job(8);
    EXPECT_EQ(both.device.waits, 8);
    ASSERT_EQ(both.reports.texts.size(), 1u);
    EXPECT_EQ(both.reports.stopped[0], 0);
}

TEST(VolumeFallback, AVolumeTooLargeForTheDeviceGoesToTheCpuAndIsNoFailure) {
    Fallback both;
    both.device.largest = 100;
    both.run_job(12);
    EXPECT_EQ(both.device.submits, 12);
    EXPECT_TRUE(both.reports.texts.empty());
    both.device.status = ORR_UNSUPPORTED; // found out only later
    both.device.largest = SIZE_MAX;
    both.device.fail_from = both.device.waits;
    both.run_job(4);
    EXPECT_TRUE(both.reports.texts.empty());
}

TEST(VolumeFallback, ADeviceWithoutVolumesLeavesThemToTheCpu) {
    Fallback both;
    both.device.api.volume_submit = nullptr;
    both.device.api.volume_wait = nullptr;
    both.run_job(3);
    EXPECT_TRUE(both.reports.texts.empty());
}

// A device that was told to stop has not failed, and its work is not redone.
TEST(VolumeFallback, StoppingIsNoFailure) {
    Fallback both;
    volatile sig_atomic_t flag = 1;
    auto volume = random_volume();
    volume->task.stop = &flag;
    orr_error error = {};
    ASSERT_EQ(orr_volume_submit(both.backend, &volume->task, &error), ORR_OK) << error.text;
    EXPECT_EQ(orr_volume_wait(both.backend, &volume->task, &error), ORR_STOPPED);
    EXPECT_EQ(error.status, ORR_STOPPED);
    EXPECT_TRUE(both.reports.texts.empty());
    both.run_job(3);
    EXPECT_EQ(both.device.waits, 4);
}

TEST(VolumeFallback, InPlaceIsRefusedBecauseItCouldNotBeRedone) {
    Fallback both;
    RandomVolume volume(ORR_VOLUME_ENCRYPT, {1, 4, 4});
    volume.task.out = volume.in.data();
    orr_error error = {};
    EXPECT_EQ(orr_volume_submit(both.backend, &volume.task, &error), ORR_INTERNAL);
    EXPECT_NE(std::string(error.text).find("output of its own"), std::string::npos);
}

TEST(VolumeMulti, VolumesAreSharedAndTheBytesAreTheSame) {
    Device first, second, third;
    second.largest = 50;
    third.api.volume_submit = nullptr;
    orr_backend *members[] = {&first.base, &second.base, &third.base}, *backend = nullptr;
    orr_error error;
    ASSERT_EQ(orr_multi_backend_open(members, 3, &backend, &error), ORR_OK);
    std::vector<std::unique_ptr<RandomVolume>> flight;
    for (int n = 0; n < 12; n++) flight.push_back(random_volume());
    for (auto &item : flight) ASSERT_EQ(orr_volume_submit(backend, &item->task, &error), ORR_OK);
    for (auto &item : flight) {
        ASSERT_EQ(orr_volume_wait(backend, &item->task, &error), ORR_OK);
        EXPECT_TRUE(item->right());
    }
    EXPECT_EQ(first.waits, 4);
    EXPECT_EQ(second.submits, 4);
    EXPECT_EQ(orr_backend_self_test_volumes(backend, &error), ORR_OK) << error.text;
    backend->api->close(backend);
}

TEST(VolumeBackend, SelfTestCatchesOneWrongBit) {
    Device device;
    orr_error error = {};
    EXPECT_EQ(orr_backend_self_test_volumes(&device.base, &error), ORR_OK) << error.text;
    device.flip = true;
    EXPECT_EQ(orr_backend_self_test_volumes(&device.base, &error), ORR_SELF_TEST);
    EXPECT_NE(std::string(error.text).find("device gives a wrong encryption"), std::string::npos)
        << error.text;
    device.base.api->close(&device.base);
}

} // namespace
