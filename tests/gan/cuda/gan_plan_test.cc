// cuDNN has an engine for every convolution of the DCGAN, on described devices: needs cuDNN and no
// GPU. What the plans compute is checked on a GPU (gan_device_test.cc).
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#ifdef ORRERY_HAVE_CUDNN

#include "gan/cuda/plan.h"
#include "gan/network.h"

namespace {

orr_error error;

struct Device {
    orr_plan_device *device = nullptr;
    explicit Device(const std::string &name) {
        std::ifstream file(ORRERY_SOURCE_DIR "/gan/cuda/devices/" + name + ".json");
        std::stringstream text;
        text << file.rdbuf();
        EXPECT_EQ(orr_plan_device_describe(text.str().c_str(), &device, &error), ORR_OK)
            << name << ": " << error.text;
    }
    ~Device() { orr_plan_device_free(device); }
    Device(const Device &) = delete;
};

const char *const devices[] = {"rtx-a6000", "h100-sxm", "h200"};

int64_t padded(uint32_t channels) {
    return (channels + 7) / 8 * 8;
}

// The convolutions of generator and discriminator, as gan/cuda/device_net.c asks for them.
std::vector<orr_plan_shape> convolutions(const orr_gan_shape &shape, int64_t batch) {
    std::vector<orr_plan_shape> all;
    for (int which : {0, 1}) {
        orr_gan_network network;
        (which ? orr_gan_discriminator : orr_gan_generator)(&shape, &network);
        for (uint32_t n = 0; n < network.layer_count; n++) {
            const orr_gan_layer &layer = network.layers[n];
            int64_t in = padded(layer.in_channels), out = padded(layer.out_channels);
            if (which && n + 1 == network.layer_count) continue; // a dot product
            if (!which && n == 0)
                all.push_back({batch, in, 1, 1, 16 * out, 1, 1, 0});
            else if (layer.transposed)
                all.push_back({batch, out, layer.out_size, layer.out_size, in, 4, 2, 1});
            else
                all.push_back({batch, in, layer.in_size, layer.in_size, out, 4, 2, 1});
        }
    }
    return all;
}

// Builds all plans of a shape; the largest workspace among them.
size_t build_all(const Device &device, const orr_gan_shape &shape, int64_t batch,
                 orr_plan_math math) {
    size_t most = 0;
    for (const orr_plan_shape &convolution : convolutions(shape, batch))
        for (orr_plan_op op :
             {ORR_PLAN_FORWARD, ORR_PLAN_BACKWARD_DATA, ORR_PLAN_BACKWARD_FILTER}) {
            orr_plan *plan = nullptr;
            EXPECT_EQ(
                orr_plan_build(device.device, op, &convolution, math, 64 << 20, &plan, &error),
                ORR_OK)
                << error.text;
            if (!plan) continue;
            EXPECT_NE(std::string(orr_plan_text(plan)).find("engine"), std::string::npos);
            if (std::getenv("ORRERY_PLANS")) // for scripts/gan-cuda-record
                std::printf("plan: %s, %zu bytes\n", orr_plan_text(plan), orr_plan_workspace(plan));
            most = std::max(most, orr_plan_workspace(plan));
            orr_plan_free(plan);
        }
    return most;
}

TEST(GanPlan, EveryConvolutionOfThePublishedNetworkHasADeterministicEngine) {
    for (const char *name : devices) {
        Device device(name);
        if (std::getenv("ORRERY_PLANS")) std::printf("device: %s\n", name);
        for (int64_t batch : {1, 2, 32, 64, 128, 256, 1024, 2048}) // a step has twice as many too
            for (orr_plan_math math : {ORR_PLAN_FLOAT32, ORR_PLAN_TF32, ORR_PLAN_BF16}) {
                size_t workspace = build_all(device, orr_gan_default_shape(), batch, math);
                EXPECT_LE(workspace, size_t{64} << 20);
                if (batch == 128)
                    std::printf("%s, batch %d, math %d: %.1f MB of workspace\n", name,
                                static_cast<int>(batch), math,
                                static_cast<double>(workspace) / 1e6);
            }
    }
}

TEST(GanPlan, OtherShapesToo) {
    for (const char *name : devices) {
        Device device(name);
        for (orr_gan_shape shape : {orr_gan_shape{16, 1, 8, 4}, orr_gan_shape{32, 1, 100, 32},
                                    orr_gan_shape{128, 3, 128, 64}, orr_gan_shape{64, 3, 100, 13}})
            for (orr_plan_math math : {ORR_PLAN_TF32, ORR_PLAN_BF16})
                build_all(device, shape, 16, math);
    }
}

// The same description gives the same engines: training resumes with the same arithmetic.
TEST(GanPlan, TheChoiceOfEnginesIsTheSameEveryTime) {
    for (const char *name : devices) {
        std::vector<std::string> texts[2];
        for (auto &list : texts) {
            Device device(name);
            for (const orr_plan_shape &convolution : convolutions(orr_gan_default_shape(), 128))
                for (orr_plan_math math : {ORR_PLAN_TF32, ORR_PLAN_BF16}) {
                    orr_plan *plan = nullptr;
                    ASSERT_EQ(orr_plan_build(device.device, ORR_PLAN_BACKWARD_FILTER, &convolution,
                                             math, 64 << 20, &plan, &error),
                              ORR_OK);
                    list.push_back(orr_plan_text(plan));
                    orr_plan_free(plan);
                }
        }
        EXPECT_EQ(texts[0], texts[1]);
    }
}

TEST(GanPlan, WhatCannotBeBuiltIsRefusedWithAReason) {
    orr_plan_device *device = nullptr;
    EXPECT_EQ(orr_plan_device_describe("{}", &device, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(device, nullptr);
    EXPECT_NE(std::string(error.text).find("cuDNN"), std::string::npos) << error.text;
    EXPECT_EQ(orr_plan_device_describe("not JSON", &device, &error), ORR_UNSUPPORTED);

    Device a6000("rtx-a6000");
    orr_plan *plan = nullptr;
    orr_plan_shape impossible = {4, 8, 8, 8, 8, 16, 2, 1}; // a kernel larger than the image
    EXPECT_NE(orr_plan_build(a6000.device, ORR_PLAN_FORWARD, &impossible, ORR_PLAN_TF32, 64 << 20,
                             &plan, &error),
              ORR_OK);
    EXPECT_EQ(plan, nullptr);
    EXPECT_NE(std::string(error.text).find("convolution forward"), std::string::npos) << error.text;
}

// cudnnCreate fails without a GPU; with one this test is not needed.
TEST(GanPlan, WithoutADeviceOpeningSaysSo) {
    orr_plan_engine *engine = nullptr;
    if (orr_plan_engine_open(nullptr, &engine, &error) == ORR_OK) {
        orr_plan_engine_close(engine);
        GTEST_SKIP() << "this machine has a GPU";
    }
    EXPECT_EQ(engine, nullptr);
    EXPECT_NE(std::string(error.text).find("opening the device failed"), std::string::npos)
        << error.text;
}

} // namespace

#else

TEST(GanPlan, NeedsCudnn) {
    GTEST_SKIP() << "cuDNN 9 was not found when this was built";
}

#endif
