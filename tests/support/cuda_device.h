// A make-believe CUDA device and the backend on it, for tests.
#ifndef ORRERY_TESTS_SUPPORT_CUDA_DEVICE_H
#define ORRERY_TESTS_SUPPORT_CUDA_DEVICE_H

#include <gtest/gtest.h>

#include "kernels/cuda_loader.h"
#include "tests/shim/runtime.h"

// A fresh device for each test; nothing may be left on it in the end.
class CudaDeviceTest : public testing::Test {
  protected:
    const orr_cuda_library *library = orr_cuda_library_get();
    orr_backend *backend = nullptr;
    orr_error error = {};

    void SetUp() override { shim::runtime = shim::Runtime(); }
    void TearDown() override {
        if (backend) backend->api->close(backend);
        EXPECT_TRUE(shim::runtime.device_memory.empty());
        EXPECT_TRUE(shim::runtime.pinned_memory.empty());
        EXPECT_EQ(shim::runtime.streams, 0u);
        for (const std::string &complaint : shim::runtime.complaints) ADD_FAILURE() << complaint;
    }
    void open(size_t memory = 0) {
        orr_cuda_options options = {memory};
        ASSERT_EQ(library->open(0, &options, &backend, &error), ORR_OK) << error.text;
    }
};

#endif
