// The paper cipher on the real devices of this machine, against kernels/volume.c. Skipped where
// there is none; scripts/device-check runs it where there is one.
#include "kernels/cuda_loader.h"
#include "kernels/device.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/volumes.h"

namespace {

constexpr orr_volume_op operations[] = {ORR_VOLUME_ENCRYPT, ORR_VOLUME_DECRYPT};

using Flight = std::vector<std::unique_ptr<RandomVolume>>;

class DeviceVolumes : public testing::Test {
  protected:
    std::vector<orr_backend *> devices;
    orr_error error = {};

    void SetUp() override {
        unsigned count = orr_cuda_device_count(&error);
        if (count == 0) GTEST_SKIP() << "needs a GPU: " << error.text;
        open(0);
    }
    void open(size_t memory) {
        close();
        orr_cuda_options options = {memory};
        for (unsigned n = 0; n < orr_cuda_device_count(nullptr); n++) {
            orr_backend *backend = nullptr;
            ASSERT_EQ(orr_cuda_backend_open(n, &options, &backend, &error), ORR_OK) << error.text;
            devices.push_back(backend);
        }
    }
    void close() {
        for (orr_backend *backend : devices) backend->api->close(backend);
        devices.clear();
    }
    void TearDown() override { close(); }

    // All in flight together on each device, straight to it: nothing may be done elsewhere.
    void run_all(Flight &flight) {
        for (orr_backend *device : devices) {
            for (auto &item : flight) {
                std::fill(item->out.begin(), item->out.end(), uint8_t{0xee});
                ASSERT_EQ(device->api->volume_submit(device, &item->task, &error), ORR_OK)
                    << error.text;
            }
            for (auto &item : flight) {
                ASSERT_EQ(device->api->volume_wait(device, &item->task, &error), ORR_OK)
                    << item->name() << ": " << error.text;
                EXPECT_TRUE(item->right()) << item->name();
            }
        }
    }
};

TEST_F(DeviceVolumes, ShapesAroundEveryEdge) {
    Flight flight;
    auto add = [&](orr_volume_shape shape) {
        for (orr_volume_op op : operations)
            flight.push_back(std::make_unique<RandomVolume>(op, shape, random_rule()));
    };
    for (uint32_t bytes = 1; bytes <= 26; bytes++) {
        add({1, 1, bytes});
        add({1, bytes, 1});
    }
    for (uint32_t edge : {384u, 3072u, 24576u, 2u * 24576u, 256u * 24576u})
        for (int difference : {-1, 0, 1})
            add({1, 1, static_cast<uint32_t>(static_cast<int>(edge) + difference)});
    for (uint32_t channels : {1u, 3u, 4u})
        for (orr_volume_shape shape : {orr_volume_shape{channels, 1, 3333},
                                       {channels, 3333, 1},
                                       {channels, 64, 64},
                                       {channels, 65, 127},
                                       {channels, 127, 65}})
            add(shape);
    add({70, 2, 3});
    run_all(flight);
}

TEST_F(DeviceVolumes, RandomShapesRulesAndMapConstants) {
    Flight flight;
    for (int n = 0; n < 200; n++)
        flight.push_back(std::make_unique<RandomVolume>(
            operations[n % 2], random_shape(300), n % 4 ? random_rule() : ORR_RULE_DEFAULT,
            n % 8 ? ORR_MAP_K2_DEFAULT : static_cast<uint32_t>(test_random()()) | 1));
    run_all(flight);
}

// Images of many slices, large and small ones among each other.
TEST_F(DeviceVolumes, ScansOfRealSize) {
    Flight flight;
    for (int n = 0; n < 12; n++)
        flight.push_back(
            std::make_unique<RandomVolume>(operations[n % 2], n % 3 ? orr_volume_shape{3, 777, 1031}
                                                                    : orr_volume_shape{1, 50, 60}));
    flight.push_back(
        std::make_unique<RandomVolume>(ORR_VOLUME_ENCRYPT, orr_volume_shape{3, 2000, 2001}));
    run_all(flight);
}

TEST_F(DeviceVolumes, LittleMemory) {
    open(size_t{24} << 20);
    if (HasFatalFailure()) return;
    Flight flight;
    for (int n = 0; n < 40; n++)
        flight.push_back(std::make_unique<RandomVolume>(operations[n % 2], random_shape(400)));
    for (orr_backend *device : devices) {
        for (auto &item : flight)
            ASSERT_EQ(orr_volume_submit(device, &item->task, &error), ORR_OK) << error.text;
        for (auto &item : flight) {
            ASSERT_EQ(orr_volume_wait(device, &item->task, &error), ORR_OK) << error.text;
            EXPECT_TRUE(item->right()) << item->name();
        }
    }
}

TEST_F(DeviceVolumes, SelfTest) {
    for (orr_backend *device : devices)
        EXPECT_EQ(orr_backend_self_test_volumes(device, &error), ORR_OK) << error.text;
}

} // namespace
