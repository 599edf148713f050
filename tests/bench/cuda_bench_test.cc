// What `orrery bench` measures devices with, on a make-believe device: every kernel's bytes, AES
// against OpenSSL, differences found before anything is timed, every failing CUDA call an error.
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "bench/bench_suites.h"
#include "bench/cuda/measure.h"
#include "tests/shim/fault.h"
#include "tests/shim/runtime.h"
#include "tests/support/random.h"

namespace {

class CudaBench : public testing::Test {
  protected:
    std::unique_ptr<orr_bench> bench = std::make_unique<orr_bench>();
    orr_error error = {};

    void SetUp() override {
        shim::runtime = shim::Runtime();
        bench->options.cuda = orr_bench_cuda_get();
        bench->options.device = "cuda:0";
        bench->options.quick = 1;
        bench->options.most_bytes = ORR_TILE_BYTES;
        bench->suite = "cipher";
    }
    void TearDown() override {
        orr_bench_free(bench.get());
        EXPECT_TRUE(shim::runtime.device_memory.empty());
        EXPECT_TRUE(shim::runtime.pinned_memory.empty());
        EXPECT_EQ(shim::runtime.streams + shim::runtime.events, 0u);
        for (const std::string &complaint : shim::runtime.complaints)
            EXPECT_NE(std::string::npos, complaint.find("not wiped"))
                << complaint; // no secrets here
    }
};

TEST_F(CudaBench, MeasuresKernelsCopiesAndStages) {
    ASSERT_EQ(ORR_OK, orr_bench_on_device(bench.get(), &error)) << error.text;
    std::set<std::string> names;
    for (size_t n = 0; n < bench->count; n++) {
        const orr_bench_result &r = bench->results[n];
        names.insert(r.name);
        EXPECT_STREQ("cuda:0", r.device);
        EXPECT_TRUE(r.like || r.note[0]) << r.name;
        EXPECT_EQ(5, r.seconds.runs);
    }
    for (const char *name :
         {"copy on the device", "AES-256-CTR", "encrypt", "encrypt, no check", "decrypt",
          "reencrypt, other rule, no check", "to the device", "from the device",
          "both ways at once, each way", "whole", "no key words", "load and store"})
        EXPECT_TRUE(names.count(name)) << name;
    EXPECT_NE(nullptr, std::strstr(bench->conditions.device, "Make-believe GPU 0"));
    EXPECT_NE(nullptr, std::strstr(bench->conditions.driver, "CUDA 13.0"));
}

TEST_F(CudaBench, PartsOfTheDevicesTime) {
    for (orr_tile_op op : {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT}) {
        double seconds[ORR_PARTS] = {};
        ASSERT_EQ(ORR_OK, orr_bench_device_parts(bench.get(), op, seconds, &error)) << error.text;
        for (double part : seconds) EXPECT_GT(part, 0);
    }
    bench->options.device = "cpu";
    double seconds[ORR_PARTS];
    EXPECT_EQ(ORR_UNSUPPORTED,
              orr_bench_device_parts(bench.get(), ORR_TILE_ENCRYPT, seconds, &error));
}

TEST_F(CudaBench, OneFlippedBitEndsTheRun) {
    for (unsigned skip : {0u, 1u}) { // the first checked kernel, and the first without a check
        shim::next_fault = {true, 0, 5 + skip, 3, 1u << 7};
        EXPECT_EQ(ORR_SELF_TEST, orr_bench_on_device(bench.get(), &error));
        EXPECT_FALSE(shim::next_fault.armed);
        EXPECT_EQ(0u, bench->count);
    }
}

TEST_F(CudaBench, WithoutADeviceItSaysWhy) {
    shim::runtime.devices = 0;
    bench->options.device = "auto";
    EXPECT_EQ(ORR_OK, orr_bench_on_device(bench.get(), &error));
    ASSERT_EQ(1u, bench->finding_count);
    EXPECT_NE(nullptr, std::strstr(bench->findings[0], "no CUDA device 0")) << bench->findings[0];
    bench->options.device = "cuda:3";
    EXPECT_EQ(ORR_UNSUPPORTED, orr_bench_on_device(bench.get(), &error));
}

TEST_F(CudaBench, EveryFailingCallIsAnError) {
    const orr_bench_cuda *cuda = orr_bench_cuda_get();
    const orr_bench_cuda_kind kinds[] = {ORR_BENCH_KERNEL, ORR_BENCH_AES_CTR,
                                         ORR_BENCH_COPY_BOTH_WAYS};
    std::vector<uint8_t> out(ORR_TILE_BYTES);
    for (orr_bench_cuda_kind kind : kinds) {
        unsigned long call = 1;
        for (;; call++) {
            shim::runtime = shim::Runtime();
            shim::runtime.fail_call = call;
            shim::runtime.fail_code = 700;
            orr_bench_cuda_work work = {kind, ORR_TILE_ENCRYPT, 1, 0, 37241, 37241, 1};
            double seconds = 0;
            orr_status status = ORR_INTERNAL;
            orr_bench_cuda_session *session = cuda->open(0, 1, &error);
            if (session) status = cuda->run(session, &work, &seconds, out.data(), &error);
            cuda->close(session);
            bool hit = !shim::runtime.failed.empty();
            EXPECT_EQ(hit, status != ORR_OK) << shim::runtime.failed;
            EXPECT_TRUE(shim::runtime.device_memory.empty()) << shim::runtime.failed;
            EXPECT_EQ(0u, shim::runtime.streams + shim::runtime.events) << shim::runtime.failed;
            if (!hit) break;
            ASSERT_LT(call, 200u);
        }
        EXPECT_GT(call, 20u);
        shim::runtime.complaints.clear();
    }
}

// Counter mode over any counter, its carries too, and any number of blocks and thread blocks.
TEST_F(CudaBench, AesEqualsOpenSsl) {
    for (int turn = 0; turn < 12; turn++) {
        std::vector<uint8_t> key = random_bytes(32), counter = random_bytes(16);
        size_t blocks = 1 + test_random()() % 3000;
        if (turn % 3 == 0) std::memset(&counter[turn % 2 ? 8 : 0], 0xff, turn % 2 ? 8 : 16);
        std::vector<uint8_t> in = random_bytes(16 * blocks), out(16 * blocks),
                             expected(16 * blocks);
        uint32_t table[256];
        orr_aes_launch launch = {};
        orr_aes_prepare(table, launch.key, key.data());
        launch.in = reinterpret_cast<const uint32_t *>(in.data());
        launch.out = reinterpret_cast<uint32_t *>(out.data());
        launch.table = table;
        launch.blocks = blocks;
        for (int n = 0; n < 16; n++)
            launch.counter[n / 4] = launch.counter[n / 4] << 8 | counter[n];
        ASSERT_EQ(0, orr_measure_aes(&launch, 1 + turn % 4, nullptr));
        EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
        int length = 0;
        ASSERT_EQ(1,
                  EVP_EncryptInit_ex2(aes, EVP_aes_256_ctr(), key.data(), counter.data(), nullptr));
        ASSERT_EQ(1, EVP_EncryptUpdate(aes, expected.data(), &length, in.data(), int(in.size())));
        EVP_CIPHER_CTX_free(aes);
        ASSERT_EQ(expected, out) << blocks << " blocks";
    }
}

// A stage that is left out is really gone: other bytes than the whole; tables that change nothing
// give what no intershuffle gives; load and store give the input.
TEST_F(CudaBench, StagesLeftOutChangeTheBytes) {
    const orr_bench_cuda *cuda = orr_bench_cuda_get();
    orr_bench_cuda_session *session = cuda->open(0, 1, &error);
    ASSERT_NE(nullptr, session) << error.text;
    std::map<int, std::vector<uint8_t>> result;
    std::vector<uint8_t> in(ORR_TILE_BYTES), out(ORR_TILE_BYTES);
    orr_bench_cuda_input(in.data(), 1);
    for (int without : {0, 1, 2, 4, 8, 15}) {
        orr_bench_cuda_work work = {
            ORR_BENCH_KERNEL, ORR_TILE_ENCRYPT, 0, without, 37241, 37241, 1};
        double seconds = 0;
        ASSERT_EQ(ORR_OK, cuda->run(session, &work, &seconds, out.data(), &error)) << error.text;
        result[without] = out;
    }
    for (int without : {1, 2, 4, 8, 15}) EXPECT_NE(result[0], result[without]) << without;
    EXPECT_NE(result[1], result[2]);
    EXPECT_NE(result[2], result[4]);
    EXPECT_EQ(result[2], result[8]);
    EXPECT_EQ(in, result[15]); // two rounds XOR the same constant
    orr_bench_cuda_work work = {ORR_BENCH_KERNEL, ORR_TILE_DECRYPT, 0, 15, 37241, 37241, 1};
    double seconds = 0;
    EXPECT_NE(ORR_OK, cuda->run(session, &work, &seconds, nullptr, &error));
    cuda->close(session);
}

} // namespace
