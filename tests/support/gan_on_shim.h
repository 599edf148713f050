// The DCGAN's CUDA code on the make-believe device, which is empty again after each test.
#ifndef ORRERY_TESTS_SUPPORT_GAN_ON_SHIM_H
#define ORRERY_TESTS_SUPPORT_GAN_ON_SHIM_H

#include "tests/shim/shim.h"

#include <string>

#include <gtest/gtest.h>

#include "gan/cuda/gan_cuda_library.h"
#include "tests/shim/runtime.h"
#include "tests/support/random.h"

class GanOnShim : public testing::Test {
  protected:
    const orr_gan_backend *cuda = orr_gan_cuda_library_get()->backend;
    const orr_gan_backend *plain = orr_gan_cuda_library_get()->plain;

    void SetUp() override {
        shim::runtime = shim::Runtime();
        shim::settings = {shim::Schedule::forward, test_random()(), 0xa5};
    }
    void TearDown() override {
        EXPECT_TRUE(shim::runtime.device_memory.empty());
        EXPECT_TRUE(shim::runtime.pinned_memory.empty());
        EXPECT_EQ(shim::runtime.streams + shim::runtime.events + shim::runtime.graphs, 0u);
        for (const std::string &complaint : shim::runtime.complaints) ADD_FAILURE() << complaint;
    }
};

#endif
