// Loading the CUDA backend: what is said when it is missing, foreign, or finds no device.
#include "kernels/cuda_loader.h"
#include "kernels/device.h"

#include <string>

#include <gtest/gtest.h>

#include <unistd.h>

namespace {

std::string load_error(const std::string &path) {
    orr_error error = {};
    EXPECT_EQ(orr_cuda_library_load(path.c_str(), &error), nullptr);
    EXPECT_EQ(error.status, ORR_UNSUPPORTED);
    return error.text;
}

TEST(Loader, ForeignSharedObjectsAreRefused) {
    EXPECT_NE(load_error("/nowhere/liborrery_cuda.so").find("cannot be loaded"), std::string::npos);
    EXPECT_NE(load_error(ORRERY_MODULES "/libno_entry.so").find("not Orrery's CUDA backend"),
              std::string::npos);
    std::string text = load_error(ORRERY_MODULES "/libwrong_abi.so");
    EXPECT_NE(text.find("ABI number " + std::to_string(ORR_CUDA_ABI + 1)), std::string::npos)
        << text;
}

TEST(Loader, WithoutADeviceEveryFunctionSaysWhy) {
    orr_error reason = {};
    unsigned count = orr_cuda_device_count(&reason);
    if (count) GTEST_SKIP() << "this machine has " << count << " CUDA devices";
    EXPECT_NE(std::string(reason.text), "");
    std::printf("reason: %s\n", reason.text);
    EXPECT_EQ(orr_cuda_device_count(nullptr), 0u);
    orr_cuda_device info;
    orr_error error = {};
    EXPECT_EQ(orr_cuda_device_describe(0, &info, &error), ORR_UNSUPPORTED);
    EXPECT_STREQ(error.text, reason.text);
    orr_backend *backend = nullptr;
    EXPECT_EQ(orr_cuda_backend_open(0, nullptr, &backend, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(backend, nullptr);
    EXPECT_EQ(orr_device_open("cuda", nullptr, &backend, &error), ORR_UNSUPPORTED);
    EXPECT_STREQ(error.text, reason.text);
}

TEST(Loader, TheLibraryOfThisBuildLoads) {
    const char *path = ORRERY_MODULES "/liborrery_cuda.so";
    if (access(path, R_OK) != 0) GTEST_SKIP() << "built without CUDA";
    orr_error error = {};
    const orr_cuda_library *library = orr_cuda_library_load(path, &error);
    ASSERT_NE(library, nullptr) << error.text;
    EXPECT_EQ(library->abi, static_cast<uint32_t>(ORR_CUDA_ABI));
    if (library->count(&error) == 0) {
        EXPECT_NE(std::string(error.text).find("NVIDIA driver"), std::string::npos) << error.text;
    }
}

// On a machine with a GPU this runs the kernels there; elsewhere it says that it did not.
TEST(Loader, EveryDeviceHerePassesItsSelfTest) {
    orr_error error = {};
    unsigned count = orr_cuda_device_count(&error);
    if (count == 0) GTEST_SKIP() << error.text;
    for (unsigned n = 0; n < count; n++) {
        orr_backend *backend = nullptr;
        ASSERT_EQ(orr_cuda_backend_open(n, nullptr, &backend, &error), ORR_OK) << error.text;
        EXPECT_EQ(orr_backend_self_test(backend, &error), ORR_OK) << error.text;
        backend->api->close(backend);
    }
}

} // namespace
