// Loading modules, the CUDA backend above all: what is said when it is missing, foreign, or finds
// no device.
#include <cstdlib>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "cli/modules.h"
#include "kernels/cuda_loader.h"
#include "kernels/device.h"

namespace {

std::string load_error(const std::string &path) {
    orr_error error = {};
    EXPECT_EQ(orr_library_load(&orr_cuda_module, path.c_str(), &error), nullptr);
    EXPECT_EQ(error.status, ORR_UNSUPPORTED);
    return error.text;
}

TEST(Loader, ForeignSharedObjectsAreRefused) {
    EXPECT_NE(load_error("/nowhere/liborrery_cuda.so").find("cannot be loaded"), std::string::npos);
    EXPECT_NE(load_error(ORRERY_MODULES "/libno_entry.so")
                  .find("libno_entry.so is not the CUDA backend (no orr_cuda_library_get"),
              std::string::npos);
    EXPECT_NE(load_error(ORRERY_MODULES "/libwrong_abi.so")
                  .find("libwrong_abi.so has ABI number 12345, "
                        "this program needs "),
              std::string::npos);
    EXPECT_EQ(load_error(ORRERY_MODULES "/liblacking.so"), ORRERY_MODULES
              "/liblacking.so cannot be loaded: libnowhere.so.7: cannot open shared object "
              "file: No such file or directory; on Debian it is in the package libnowhere7");
}

TEST(Loader, ALibraryThatIsMissingTellsItsPackage) {
    const char *const cases[][2] = {{"libdnnl.so.3", "libdnnl3"},
                                    {"libmpfr.so.6", "libmpfr6"},
                                    {"libpng16.so.16", "libpng16-16"},
                                    {"libOpenCL.so.1", "libopencl1"},
                                    {"libgcc_s.so.1", "libgcc-s1"},
                                    {"liborrery.so", ""},
                                    {"", ""}};
    for (auto one : cases) {
        char package[64];
        orr_library_package(one[0], package);
        EXPECT_STREQ(package, one[1]);
    }
}

// The test program stands in the build's directory, as the program does.
TEST(Loader, AModuleThatIsNotThereIsNamedWithItsPackageAndWhereItWasLookedFor) {
    orr_library none = {};
    none.file = "liborrery_none.so";
    none.entry = "orr_none";
    none.what = "the module that nobody has";
    none.package = "orrery-none";
    none.needs = "a none";
    orr_error error = {};
    for (int again = 0; again < 2; again++) {
        EXPECT_EQ(orr_library_table(&none, &error), nullptr);
        EXPECT_EQ(error.status, ORR_UNSUPPORTED);
        EXPECT_EQ(none.state, ORR_LIBRARY_MISSING);
        std::string text = error.text,
                    wanted = "the module that nobody has is not installed: install the "
                             "Debian package orrery-none, or build with a none "
                             "(liborrery_none.so is neither in " ORRERY_MODULES " nor in ";
        EXPECT_EQ(text.substr(0, wanted.size()), wanted);
        EXPECT_EQ(text.find(".."), std::string::npos) << text;
        EXPECT_EQ(text.substr(text.size() - 8), "/orrery)") << text;
    }
}

TEST(Loader, EveryModuleIsLoadedMissingOrRefusedWithAReason) {
    for (size_t n = 0; n < orr_cli_module_count; n++) {
        orr_library *module = orr_cli_modules[n];
        orr_error error = {};
        const void *table = orr_library_table(module, &error);
        std::printf("%s: %s\n", module->file, table ? "loaded" : error.text);
        EXPECT_NE(module->state, ORR_LIBRARY_UNTRIED);
        EXPECT_EQ(module->state == ORR_LIBRARY_LOADED, table != nullptr);
        EXPECT_EQ(error.text[0] == 0, table != nullptr);
        EXPECT_EQ(orr_library_table(module, nullptr), table);
    }
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
    auto *library =
        static_cast<const orr_cuda_library *>(orr_library_load(&orr_cuda_module, path, &error));
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
