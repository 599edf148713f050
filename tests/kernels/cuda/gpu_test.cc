// The CUDA kernels on a real device, against the CPU's bytes. Without a device every test says
// SKIPPED and why; with ORRERY_EXPECT_GPU=1 in the environment that is a failure.
// scripts/device-check runs all of this, and the tests named Small under compute-sanitizer.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "host/keys/unlock.h"
#include "kernels/compound.h"
#include "kernels/cuda_loader.h"
#include "tests/support/batches.h"
#include "tests/support/job_fixture.h"
#include "tests/support/volumes.h"

namespace {

constexpr orr_tile_op operations[] = {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT};

class Gpu : public testing::Test {
  protected:
    orr_backend *backend = nullptr;
    orr_error error = {};
    unsigned devices = 0;

    void SetUp() override {
        const char *expected = std::getenv("ORRERY_EXPECT_GPU");
        devices = orr_cuda_device_count(&error);
        if (devices) return;
        if (expected && std::string(expected) == "1")
            FAIL() << "a GPU was expected: " << error.text;
        GTEST_SKIP() << error.text;
    }
    void TearDown() override {
        if (backend) backend->api->close(backend);
        if (HasFailure())
            std::printf("ORRERY_SEED=%llu\n", static_cast<unsigned long long>(test_seed()));
    }
    orr_backend *opened(unsigned device = 0, size_t memory = 0) {
        orr_backend *fresh = nullptr;
        orr_cuda_options options = {memory};
        EXPECT_EQ(ORR_OK, orr_cuda_backend_open(device, &options, &fresh, &error)) << error.text;
        return fresh;
    }
    void expect_right(size_t count, orr_tile_op op, uint32_t most = 128, uint32_t least = 1,
                      uint32_t rule = ORR_RULE_DEFAULT, uint32_t new_rule = ORR_RULE_DEFAULT) {
        RandomBatch batch(backend, count, op, most, rule, new_rule, least);
        ASSERT_EQ(ORR_OK, batch.run(&error)) << error.text;
        EXPECT_TRUE(batch.right())
            << count << " tiles of " << least << ".." << most << " rows, operation " << op
            << ", rule " << rule << ", new rule " << new_rule;
    }
};

TEST_F(Gpu, SmallBatches) {
    backend = opened(0, 16 << 20);
    for (orr_tile_op op : operations) {
        expect_right(1, op, 128, 128);
        expect_right(3, op, 20);
        expect_right(1, op, 9, 9, random_rule(), random_rule());
    }
}

TEST_F(Gpu, SmallVolumes) {
    backend = opened(0, 16 << 20);
    for (orr_volume_op op : {ORR_VOLUME_ENCRYPT, ORR_VOLUME_DECRYPT}) {
        RandomVolume volume(op, {3, 17, 23}, random_rule());
        ASSERT_EQ(ORR_OK, volume.run(backend, &error)) << error.text;
        EXPECT_TRUE(volume.right()) << volume.name();
    }
}

TEST_F(Gpu, SelfTestOfEveryDevice) {
    for (unsigned n = 0; n < devices; n++) {
        orr_backend *device = opened(n);
        ASSERT_NE(nullptr, device);
        EXPECT_EQ(ORR_OK, orr_backend_self_test(device, &error)) << error.text;
        device->api->close(device);
    }
}

TEST_F(Gpu, HeightsAroundTheEdges) {
    backend = opened();
    for (orr_tile_op op : operations)
        for (uint32_t rows : {1u, 2u, 7u, 8u, 9u, 63u, 64u, 65u, 119u, 120u, 121u, 127u, 128u}) {
            expect_right(5, op, rows, rows);
            expect_right(5, op, rows, rows, random_rule(), random_rule());
        }
}

TEST_F(Gpu, RandomRulesAndKeys) {
    backend = opened();
    for (int turn = 0; turn < 60; turn++)
        expect_right(1 + test_random()() % 40, operations[turn % 3], 128, 1, random_rule(),
                     random_rule());
}

TEST_F(Gpu, OneToTenThousandTiles) {
    backend = opened();
    for (size_t count : {1, 2, 31, 32, 33, 1000})
        for (orr_tile_op op : operations) expect_right(count, op, 128, 100);
    expect_right(10000, operations[test_random()() % 3], 128, 126);
}

// Buffers on the device from the least to plenty: other pieces in the streams, the same bytes.
TEST_F(Gpu, BuffersOfAnySizeAndBatchesInFlight) {
    for (size_t memory : {size_t(10) << 20, size_t(40) << 20, size_t(0)}) {
        backend = opened(0, memory);
        ASSERT_NE(nullptr, backend) << error.text;
        std::vector<std::unique_ptr<RandomBatch>> flight;
        for (int n = 0; n < 6; n++)
            flight.push_back(std::make_unique<RandomBatch>(backend, 200, operations[n % 3], 128,
                                                           random_rule(), random_rule()));
        for (auto &batch : flight) ASSERT_EQ(ORR_OK, batch->submit(&error)) << error.text;
        for (auto &batch : flight) {
            ASSERT_EQ(ORR_OK, batch->wait(&error)) << error.text;
            EXPECT_TRUE(batch->right());
        }
        flight.clear();
        backend->api->close(backend);
        backend = nullptr;
    }
}

TEST_F(Gpu, AllDevicesTogether) {
    std::vector<orr_backend *> members;
    for (unsigned n = 0; n < devices; n++) members.push_back(opened(n));
    if (members.size() < 2) members.push_back(opened(0)); // the same one twice
    ASSERT_EQ(ORR_OK,
              orr_multi_backend_open(members.data(), unsigned(members.size()), &backend, &error))
        << error.text;
    for (int turn = 0; turn < 12; turn++)
        expect_right(50, operations[turn % 3], 128, 1, random_rule(), random_rule());
}

// ---- volumes of the paper profile, all in flight together, straight to the device --------------

using Flight = std::vector<std::unique_ptr<RandomVolume>>;
constexpr orr_volume_op volume_operations[] = {ORR_VOLUME_ENCRYPT, ORR_VOLUME_DECRYPT};

void run_volumes(orr_backend *backend, Flight &flight) {
    orr_error error = {};
    for (auto &item : flight)
        ASSERT_EQ(ORR_OK, backend->api->volume_submit(backend, &item->task, &error)) << error.text;
    for (auto &item : flight) {
        ASSERT_EQ(ORR_OK, backend->api->volume_wait(backend, &item->task, &error))
            << item->name() << ": " << error.text;
        EXPECT_TRUE(item->right()) << item->name();
    }
}

TEST_F(Gpu, VolumesAroundEveryEdge) {
    backend = opened();
    Flight flight;
    auto add = [&](orr_volume_shape shape) {
        for (orr_volume_op op : volume_operations)
            flight.push_back(std::make_unique<RandomVolume>(op, shape, random_rule()));
    };
    for (uint32_t bytes = 1; bytes <= 26; bytes++) { // groups of 3 bytes and units of 12
        add({1, 1, bytes});
        add({1, bytes, 1});
    }
    // Warps, turns and chunks, and more chunks than the scan takes at a time.
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
    run_volumes(backend, flight);
}

TEST_F(Gpu, VolumesOfRandomShapesRulesAndMapConstants) {
    backend = opened();
    Flight flight;
    for (int n = 0; n < 200; n++)
        flight.push_back(std::make_unique<RandomVolume>(
            volume_operations[n % 2], random_shape(300), n % 4 ? random_rule() : ORR_RULE_DEFAULT,
            n % 8 ? ORR_MAP_K2_DEFAULT : static_cast<uint32_t>(test_random()()) | 1));
    run_volumes(backend, flight);
}

// Images whose sequences take many slices and small ones among each other.
TEST_F(Gpu, VolumesOfRealSize) {
    backend = opened();
    Flight flight;
    for (int n = 0; n < 12; n++)
        flight.push_back(std::make_unique<RandomVolume>(volume_operations[n % 2],
                                                        n % 3 ? orr_volume_shape{3, 777, 1031}
                                                              : orr_volume_shape{1, 50, 60}));
    flight.push_back(
        std::make_unique<RandomVolume>(ORR_VOLUME_ENCRYPT, orr_volume_shape{3, 2000, 2001}));
    run_volumes(backend, flight);
}

// Images wait for room on the device, and one that never fits goes elsewhere.
TEST_F(Gpu, VolumesInLittleMemory) {
    backend = opened(0, size_t{24} << 20);
    Flight flight;
    for (int n = 0; n < 40; n++)
        flight.push_back(
            std::make_unique<RandomVolume>(volume_operations[n % 2], random_shape(400)));
    run_volumes(backend, flight);
    RandomVolume large(ORR_VOLUME_ENCRYPT, {3, 1000, 1100});
    EXPECT_EQ(ORR_UNSUPPORTED, backend->api->volume_submit(backend, &large.task, &error));
    EXPECT_EQ(ORR_OK, large.run(backend, &error)) << error.text;
    EXPECT_TRUE(large.right());
}

// ---- the program --------------------------------------------------------------------------------

// Starts orrery; killed after `milliseconds` unless that is negative. The wait status.
int orrery(const std::vector<std::string> &words, int milliseconds = -1) {
    const char *program = std::getenv("ORRERY");
    std::vector<std::string> all = words;
    all.insert(all.begin(), program ? program : ORRERY_PROGRAM);
    std::vector<char *> argv;
    for (std::string &word : all) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t child = fork();
    if (child == 0) {
        execv(argv[0], argv.data());
        _exit(127);
    }
    if (milliseconds >= 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
        kill(child, SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

TEST_F(Gpu, KilledWhileTheDeviceWorksTheSameCommandResumes) {
    Scratch scratch{quick_directory()};
    fs::path directory = scratch.path();
    orr_keyring ring{};
    fill_test_keyring(&ring, 7);
    fs::path keyring = directory / "keyring", in = directory / "in", out = directory / "out";
    ASSERT_EQ(ORR_OK, orr_keyring_add_unlock(&ring, nullptr, "", &error)) << error.text;
    ASSERT_EQ(ORR_OK, orr_keyring_create(&ring, keyring.c_str(), &error)) << error.text;
    fs::create_directory(in);
    for (int n = 0; n < 12; n++)
        write_file(in / ("scan" + std::to_string(n)), random_bytes((8 << 20) + n * 12345));
    std::vector<std::string> encrypt = {"encrypt", "-q", "-k", keyring, "--device",
                                        "cuda",    in,   "-o", out};
    for (int turn = 0; turn < 8; turn++) orrery(encrypt, int(100 + test_random()() % 900));
    EXPECT_EQ(0, orrery(encrypt));
    // What the device made opens on the CPU, and the other way round.
    EXPECT_EQ(0, orrery({"decrypt", "-q", "-k", keyring, "--device", "cpu", out, "-o",
                         directory / "cpu"}));
    EXPECT_EQ(0, orrery({"decrypt", "-q", "-k", keyring, "--device", "cuda", out, "-o",
                         directory / "cuda"}));
    for (auto &entry : fs::directory_iterator(in))
        for (const char *from : {"cpu", "cuda"})
            EXPECT_EQ(read_file(entry.path()),
                      read_file(directory / from / "in" / entry.path().filename()));
    orr_keyring_free(&ring);
}

} // namespace
