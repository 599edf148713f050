// Whole jobs on a make-believe CUDA device, its kernels executed on the CPU. With randomness and
// time fixed, the files are the CPU's to the last byte: whatever the chunk size, the streams'
// buffers, the number of devices; when the device fails, or flips a bit, in mid-job and the CPU
// goes on; and when the process is killed while the device works and the same command runs again.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include "kernels/compound.h"
#include "kernels/cuda_loader.h"
#include "tests/shim/fault.h"
#include "tests/shim/runtime.h"
#include "tests/support/job_fixture.h"

#ifndef ORRERY_TEST_HOOKS
#error "built against the wrong library"
#endif

namespace {

using Files = std::map<std::string, Bytes>;

class CudaJob : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        shim::runtime = shim::Runtime();
        setenv("ORRERY_TEST_SEED", "cuda", 1);
        const size_t tile = ORR_TILE_BYTES;
        fs::create_directories(directory / "in/deep");
        for (size_t bytes :
             {size_t(0), size_t(1), tile - 1, tile, tile + 1, 9 * tile + 385, size_t(40000)}) {
            fs::path path =
                directory / "in" / (bytes % 2 ? "" : "deep") / ("f" + std::to_string(bytes));
            write_file(path, random_bytes(bytes));
        }
        expected = encrypted(backend);
    }
    void TearDown() override {
        unsetenv("ORRERY_TEST_SEED");
        EXPECT_TRUE(shim::runtime.device_memory.empty());
        EXPECT_TRUE(shim::runtime.pinned_memory.empty());
        for (const std::string &complaint : shim::runtime.complaints) ADD_FAILURE() << complaint;
        JobTest::TearDown();
    }

    Files files(const fs::path &top) {
        Files found;
        for (auto &name : files_below(top)) found[name] = read_file(top / name);
        return found;
    }
    JobEnd encrypt(orr_backend *device, const Tweak &tweak = nullptr) {
        return run_job(ORR_VERB_ENCRYPT, {directory / "in"}, directory / "out", &ring, device,
                       tweak);
    }
    Files encrypted(orr_backend *device, const Tweak &tweak = nullptr) {
        fs::remove_all(directory / "out");
        JobEnd end = encrypt(device, tweak);
        EXPECT_EQ(end.status, ORR_OK) << end.said();
        return files(directory / "out");
    }
    orr_backend *cuda(unsigned device = 0, size_t memory = 0) {
        orr_backend *opened = nullptr;
        orr_error error = {};
        orr_cuda_options options = {memory};
        EXPECT_EQ(ORR_OK, orr_cuda_library_get()->open(device, &options, &opened, &error))
            << error.text;
        return opened;
    }
    // A device with the CPU behind it; what the operator is told goes to `told`.
    orr_backend *with_fallback(orr_backend *device) {
        orr_backend *cpu = nullptr, *both = nullptr;
        orr_error error = {};
        EXPECT_EQ(ORR_OK, orr_cpu_backend_open(1, ORR_SIMD_BEST, &cpu, &error));
        auto report = [](void *context, const orr_error *failure, int) {
            static_cast<std::vector<std::string> *>(context)->push_back(failure->text);
        };
        EXPECT_EQ(ORR_OK, orr_fallback_backend_open(device, cpu, report, &told, &both, &error));
        return both;
    }

    Files expected;
    std::vector<std::string> told;
};

TEST_F(CudaJob, FilesAreTheCpusWhateverTheChunksAndBuffers) {
    ASSERT_EQ(7u, expected.size());
    for (size_t memory : {size_t(0), size_t(16) << 20}) {
        orr_backend *device = cuda(0, memory);
        EXPECT_EQ(expected, encrypted(device));
        EXPECT_EQ(expected, encrypted(device, [](auto &o) { o.chunk_tiles = 129, o.jobs = 1; }));
        EXPECT_EQ(expected, encrypted(device, [](auto &o) { o.chunk_tiles = 500, o.jobs = 5; }));
        device->api->close(device);
    }
}

TEST_F(CudaJob, SeveralDevicesGiveTheSameFiles) {
    shim::runtime.devices = 3;
    orr_backend *members[3] = {cuda(0), cuda(1), cuda(2)}, *all = nullptr;
    orr_error error = {};
    ASSERT_EQ(ORR_OK, orr_multi_backend_open(members, 3, &all, &error)) << error.text;
    EXPECT_EQ(expected, encrypted(all));
    all->api->close(all);
}

TEST_F(CudaJob, DecryptionAndReencryptionToo) {
    orr_backend *device = cuda();
    setenv("ORRERY_TEST_SEED", "again", 1);
    for (orr_backend *with : {backend, device}) {
        fs::path to = directory / (with == device ? "new-cuda" : "new-cpu");
        JobEnd end = run_job(ORR_VERB_REENCRYPT, {directory / "out"}, to, &ring, with);
        EXPECT_EQ(end.status, ORR_OK) << end.said();
    }
    EXPECT_EQ(files(directory / "new-cpu"), files(directory / "new-cuda"));
    JobEnd end =
        run_job(ORR_VERB_DECRYPT, {directory / "new-cuda"}, directory / "back", &ring, device);
    EXPECT_EQ(end.status, ORR_OK) << end.said();
    EXPECT_EQ(files(directory / "in"), files(directory / "back/in"));
    device->api->close(device);
}

TEST_F(CudaJob, ADeviceThatDiesInMidJobLeavesTheFilesToTheCpu) {
    orr_backend *device = with_fallback(cuda());
    unsigned long opened = shim::runtime.calls;
    EXPECT_EQ(expected, encrypted(device));
    unsigned long all = shim::runtime.calls;
    EXPECT_TRUE(told.empty());
    device->api->close(device);
    for (int turn = 0; turn < 6; turn++) {
        shim::runtime = shim::Runtime();
        told.clear();
        device = with_fallback(cuda());
        // Not in the last ten, which are those of closing or of the last look at flags.
        shim::runtime.fail_call = opened + 12 + test_random()() % (all - opened - 22);
        shim::runtime.fail_code = 700;
        shim::runtime.fail_sticky = true;
        EXPECT_EQ(expected, encrypted(device)) << "call " << shim::runtime.fail_call;
        if (!shim::runtime.failed.empty() &&
            shim::runtime.failed.find("Host") == std::string::npos &&
            shim::runtime.failed != "cudaSetDevice") {
            ASSERT_FALSE(told.empty()) << shim::runtime.failed;
            EXPECT_NE(std::string::npos, told[0].find(shim::runtime.failed)) << told[0];
        }
        device->api->close(device);
        shim::runtime.complaints.clear(); // a dead device is not wiped
        shim::runtime.fail_call = 0;
    }
}

TEST_F(CudaJob, AFlippedBitIsRedoneOnTheCpu) {
    orr_backend *device = with_fallback(cuda());
    // In row 0, which every tile has.
    shim::next_fault = {true, 0, unsigned(test_random()() % 32), unsigned(test_random()() % 3),
                        1u << 9};
    EXPECT_EQ(expected, encrypted(device));
    EXPECT_FALSE(shim::next_fault.armed);
    ASSERT_EQ(1u, told.size());
    EXPECT_NE(std::string::npos, told[0].find("failed the check of its own work")) << told[0];
    device->api->close(device);
}

TEST_F(CudaJob, KilledWhileTheDeviceWorksLosesNothing) {
    orr_backend *device = cuda();
    unsigned long opened = shim::runtime.calls;
    encrypted(device);
    unsigned long all = shim::runtime.calls;
    device->api->close(device);
    for (int turn = 0; turn < 5; turn++) {
        // Not the last tenth: the number of calls varies a little with what shares a batch.
        unsigned long kill = opened + 2 + test_random()() % ((all - opened) * 9 / 10 - 2);
        shim::runtime = shim::Runtime();
        fs::remove_all(directory / "out");
        std::fflush(nullptr);
        pid_t child = fork();
        if (child == 0) {
            shim::runtime.kill_call = kill;
            orr_backend *mine = cuda();
            encrypt(mine);
            _exit(0); // it was not killed
        }
        int status = 0;
        ASSERT_EQ(child, waitpid(child, &status, 0));
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "call " << kill;
        // What has its name already is whole.
        for (auto &[name, bytes] : files(directory / "out"))
            if (expected.count(name)) {
                EXPECT_EQ(expected[name], bytes) << name << ", call " << kill;
            }
        device = cuda();
        JobEnd end = encrypt(device);
        EXPECT_EQ(end.status, ORR_OK) << end.said();
        EXPECT_EQ(expected, files(directory / "out")) << "call " << kill;
        device->api->close(device);
    }
}

} // namespace
