// The CUDA tile kernels, executed on the CPU, against the portable tile cipher; and the shim that
// executes them.
#include "tests/shim/shim.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/tile_launch.h"
#include "kernels/map.h"
#include "tests/shim/fault.h"
#include "tests/support/random.h"

namespace {

using shim::Schedule;

orr_cipher cipher_of(uint32_t rule, uint32_t k2 = ORR_MAP_K2_DEFAULT) {
    orr_cipher cipher;
    orr_error error;
    EXPECT_EQ(orr_cipher_init(&cipher, rule, k2, &error), ORR_OK);
    return cipher;
}

uint32_t random_rule() {
    return 1 + test_random()() % ORR_RULE_COUNT;
}

// Tiles of given heights with random bytes and keys, and room for the result. Buffers end at guard
// pages; between the tiles are gaps that nobody may touch.
struct Launch {
    orr_cuda_op op;
    orr_cipher cipher, new_cipher;
    std::vector<orr_cuda_task> tasks;
    std::vector<uint32_t> flags;
    size_t bytes = 0;
    std::unique_ptr<shim::GuardedBuffer> in, out;

    Launch(orr_cuda_op operation, const orr_cipher &c, const orr_cipher &n,
           const std::vector<uint32_t> &heights)
        : op(operation), cipher(c), new_cipher(n), flags(heights.size(), 0) {
        for (uint32_t rows : heights) {
            orr_cuda_task task = {bytes, rows, 0, {}};
            for (auto &key : task.key)
                for (uint64_t &state : key) state = test_random()();
            tasks.push_back(task);
            bytes += 384 * rows + (tasks.size() < heights.size() ? 16 * (rows % 3) : 0);
        }
        in = std::make_unique<shim::GuardedBuffer>(bytes);
        out = std::make_unique<shim::GuardedBuffer>(bytes);
        std::vector<uint8_t> data = random_bytes(bytes);
        std::memcpy(in->data(), data.data(), bytes);
        std::memset(out->data(), 0xee, bytes);
    }

    int run(unsigned blocks, bool check) {
        orr_cuda_launch launch = {};
        launch.in = in->data();
        launch.out = out->data();
        launch.tasks = tasks.data();
        launch.flags = flags.data();
        launch.count = static_cast<uint32_t>(tasks.size());
        orr_cuda_cipher_init(&launch.cipher[0], &cipher);
        orr_cuda_cipher_init(&launch.cipher[1], &new_cipher);
        return orr_cuda_tile_launch(op, check, &launch, blocks, nullptr);
    }

    std::vector<uint8_t> expected() const {
        std::vector<uint8_t> result(bytes, 0xee);
        for (const orr_cuda_task &task : tasks) {
            orr_tile_key key, new_key;
            std::memcpy(key.state, task.key[0], sizeof key.state);
            std::memcpy(new_key.state, task.key[1], sizeof new_key.state);
            const uint8_t *from = in->data() + task.offset;
            uint8_t *to = result.data() + task.offset;
            if (op == ORR_CUDA_ENCRYPT) {
                orr_tile_encrypt_portable(&cipher, &key, task.rows, from, to);
                continue;
            }
            orr_tile_decrypt_portable(&cipher, &key, task.rows, from, to);
            if (op == ORR_CUDA_REENCRYPT)
                orr_tile_encrypt_portable(&new_cipher, &new_key, task.rows, to, to);
        }
        return result;
    }

    bool right() const {
        std::vector<uint8_t> wanted = expected();
        return std::memcmp(wanted.data(), out->data(), bytes) == 0;
    }

    bool flagged_right() const {
        return std::all_of(flags.begin(), flags.end(),
                           [](uint32_t flag) { return flag == ORR_CUDA_TILE_RIGHT; });
    }

    std::string name() const {
        const char *names[] = {"encrypt", "decrypt", "reencrypt"};
        return std::string(names[op]) + ", rule " + std::to_string(cipher.rule.number) + " -> " +
               std::to_string(new_cipher.rule.number) + ", " + std::to_string(tasks.size()) +
               " tiles, first of " + std::to_string(tasks[0].rows) + " rows";
    }
};

void expect_right(Launch launch, unsigned blocks, bool check) {
    ASSERT_EQ(launch.run(blocks, check), 0) << launch.name() << ": " << shim::last_error;
    EXPECT_TRUE(launch.right()) << launch.name() << ", " << blocks << " blocks";
    EXPECT_EQ(launch.flagged_right(), check) << launch.name();
}

constexpr orr_cuda_op operations[] = {ORR_CUDA_ENCRYPT, ORR_CUDA_DECRYPT, ORR_CUDA_REENCRYPT};

// Each test starts from the forward schedule.
class CudaShim : public testing::Test {
  protected:
    void SetUp() override { shim::settings = {Schedule::forward, test_random()(), 0xa5}; }
};

TEST_F(CudaShim, WholeTilesEqualThePortablePathUnderEverySchedule) {
    for (Schedule schedule : {Schedule::forward, Schedule::reverse, Schedule::random})
        for (orr_cuda_op op : operations)
            for (uint32_t rule : {ORR_RULE_DEFAULT, random_rule()}) {
                shim::settings.schedule = schedule;
                shim::settings.poison = static_cast<uint8_t>(test_random()());
                expect_right(Launch(op, cipher_of(rule), cipher_of(ORR_RULE_DEFAULT), {128}), 1,
                             true);
                expect_right(Launch(op, cipher_of(rule), cipher_of(rule), {128}), 1, false);
            }
}

TEST_F(CudaShim, EveryHeight) {
    std::vector<uint32_t> heights(128);
    for (uint32_t n = 0; n < 128; n++) heights[n] = n + 1;
    for (orr_cuda_op op : operations)
        expect_right(Launch(op, cipher_of(ORR_RULE_DEFAULT), cipher_of(ORR_RULE_DEFAULT), heights),
                     128, true);
    for (orr_cuda_op op : operations)
        expect_right(Launch(op, cipher_of(random_rule()), cipher_of(random_rule()),
                            {1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 119, 120, 121, 126, 127}),
                     16, true);
}

TEST_F(CudaShim, AnyNumberOfBlocks) {
    std::vector<uint32_t> heights = {128, 1, 128, 77, 8, 128, 127};
    shim::settings.schedule = Schedule::random;
    for (unsigned blocks : {1u, 2u, 3u, 7u, 20u})
        for (orr_cuda_op op : operations)
            for (bool check : {false, true})
                expect_right(
                    Launch(op, cipher_of(ORR_RULE_DEFAULT), cipher_of(ORR_RULE_DEFAULT), heights),
                    blocks, check);
}

void expect_many_right(orr_cuda_op op, size_t count) {
    std::vector<uint32_t> heights(count);
    for (uint32_t &rows : heights) rows = 1 + test_random()() % 128;
    expect_right(Launch(op, cipher_of(ORR_RULE_DEFAULT), cipher_of(random_rule()), heights),
                 1 + test_random()() % 300, count < 10000);
}

// Ten thousand take a minute of one core: only when ORRERY_LONG is set (scripts/long-tests shim).
TEST_F(CudaShim, OneToTenThousandTiles) {
    for (size_t count : {1, 10, 100, 1000})
        expect_many_right(operations[test_random()() % 3], count);
    if (std::getenv("ORRERY_LONG"))
        for (orr_cuda_op op : operations) expect_many_right(op, 10000);
}

TEST_F(CudaShim, RandomRulesKeysAndMapConstants) {
    for (int n = 0; n < 60; n++) {
        uint32_t k2 = static_cast<uint32_t>(test_random()()) | 1;
        shim::settings.schedule = n % 2 ? Schedule::random : Schedule::reverse;
        uint32_t rows = n % 3 ? 1 + test_random()() % 128 : 128;
        expect_right(Launch(operations[n % 3], cipher_of(random_rule(), k2),
                            cipher_of(random_rule()), {rows}),
                     1, n % 2);
    }
}

TEST_F(CudaShim, RulesOfEveryAlgebraicForm) {
    // 240 classes of rules differ in their XOR tables; a walk through all 40,320 meets each form.
    for (uint32_t rule = 1; rule <= ORR_RULE_COUNT; rule += 1009)
        expect_right(
            Launch(ORR_CUDA_REENCRYPT, cipher_of(rule), cipher_of(ORR_RULE_COUNT + 1 - rule), {9}),
            1, true);
}

TEST_F(CudaShim, OneFlippedBitIsCaught) {
    for (orr_cuda_op op : operations)
        for (uint32_t rule : {ORR_RULE_DEFAULT, random_rule()})
            for (int n = 0; n < 4; n++) {
                Launch launch(op, cipher_of(rule), cipher_of(rule), {128, 128, 100});
                unsigned thread = n ? test_random()() % 384 : 0; // rows 0..95 exist in all tiles
                shim::next_fault = {true, 1, thread, static_cast<unsigned>(test_random()() % 24),
                                    1u << test_random()() % 32};
                ASSERT_EQ(launch.run(3, true), 0) << shim::last_error;
                EXPECT_FALSE(shim::next_fault.armed) << "the fault did not happen";
                EXPECT_EQ(launch.flags[0], ORR_CUDA_TILE_RIGHT);
                EXPECT_EQ(launch.flags[1], ORR_CUDA_TILE_WRONG) << launch.name();
                EXPECT_EQ(launch.flags[2], ORR_CUDA_TILE_RIGHT);
                EXPECT_FALSE(launch.right());
            }
}

TEST_F(CudaShim, WithoutTheCheckNoFlagIsWritten) {
    Launch launch(ORR_CUDA_ENCRYPT, cipher_of(ORR_RULE_DEFAULT), cipher_of(ORR_RULE_DEFAULT), {8});
    ASSERT_EQ(launch.run(1, false), 0);
    EXPECT_EQ(launch.flags[0], 0u);
}

// ---- the shim itself ----------------------------------------------------------------------------

TEST_F(CudaShim, ShuffleBallotAndBarrierDoWhatAGpuDoes) {
    std::vector<uint32_t> seen(64), up(64), votes(64), any(64);
    for (Schedule schedule : {Schedule::forward, Schedule::reverse, Schedule::random}) {
        shim::settings.schedule = schedule;
        std::string error = shim::launch(1, 64, 256, [&] {
            unsigned n = orr_thread_id();
            ORR_SHARED_WORDS(words);
            seen[n] = orr_shuffle_xor(n * 3, 5);
            up[n] = orr_shuffle_up(n, 4);
            votes[n] = orr_ballot(n % 3 == 0);
            words[n] = n;
            orr_barrier();
            any[n] = words[63 - n];
            any[n] += 100 * orr_barrier_or(n == 17);
            any[n] += 1000 * orr_barrier_or(false);
        });
        ASSERT_EQ(error, "");
        for (unsigned n = 0; n < 64; n++) {
            EXPECT_EQ(seen[n], (n ^ 5) * 3);
            EXPECT_EQ(up[n], n % 32 < 4 ? n : n - 4);
            EXPECT_EQ(votes[n] >> n % 32 & 1, n % 3 == 0);
            EXPECT_EQ(any[n], 100 + 63 - n);
        }
    }
}

TEST_F(CudaShim, PrimitivesOnWords) {
    EXPECT_EQ(orr_byte_permute(0x03020100u, 0x07060504u, 0x0123), 0x00010203u);
    EXPECT_EQ(orr_byte_permute(0x000000aau, 0x000000bbu, 0x4011), 0xbbaa0000u);
    EXPECT_EQ(orr_funnel_right(0x89abcdefu, 0x01234567u, 20), 0x3456789au);
    EXPECT_EQ(orr_funnel_right(5u, 6u, 0), 5u);
    EXPECT_EQ(orr_multiply_high(0xffffffffu, 0xffffffffu), 0xfffffffeu);
    EXPECT_EQ(orr_logic<0xc3>(0x0fu, 0x35u, 0u), ~(0x0fu ^ 0x35u));
    EXPECT_EQ(orr_logic<0x96>(1u, 2u, 7u), 1u ^ 2u ^ 7u);
}

TEST_F(CudaShim, DeadlockIsReported) {
    std::string error = shim::launch(2, 64, 16, [] {
        if (orr_thread_id() == 40) {
            orr_ballot(true); // its warp never comes
        }
        orr_barrier();
    });
    EXPECT_NE(error.find("deadlock"), std::string::npos) << error;
    EXPECT_NE(error.find("block 0"), std::string::npos) << error;
}

TEST_F(CudaShim, DifferentExchangesInOneWarpAreReported) {
    std::string error = shim::launch(1, 32, 16, [] {
        if (orr_thread_id() < 16) {
            orr_ballot(true);
        } else {
            orr_shuffle_xor(1u, 1);
        }
    });
    EXPECT_NE(error.find("different exchanges"), std::string::npos) << error;
}

TEST_F(CudaShim, WriteBeforeSharedMemoryIsReported) {
    std::string error = shim::launch(1, 32, 16, [] {
        ORR_SHARED_WORDS(words);
        volatile uint32_t *outside = words;
        if (orr_thread_id() == 0) outside[-1] = 1;
    });
    EXPECT_NE(error.find("before shared memory"), std::string::npos) << error;
}

TEST_F(CudaShim, AccessBeyondMemoryStopsTheProgram) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_DEATH(shim::launch(1, 32, 16,
                              [] {
                                  ORR_SHARED_WORDS(words);
                                  volatile uint32_t *outside = words;
                                  outside[4]++;
                              }),
                 "");
    EXPECT_DEATH(
        {
            shim::GuardedBuffer buffer(48);
            volatile uint8_t *outside = buffer.data();
            outside[48]++;
        },
        "");
}

TEST_F(CudaShim, SharedMemoryStartsPoisoned) {
    for (uint8_t poison : {uint8_t{0x11}, uint8_t{0x77}}) {
        shim::settings.poison = poison;
        uint32_t first = 0;
        EXPECT_EQ(shim::launch(1, 32, 64,
                               [&] {
                                   ORR_SHARED_WORDS(words);
                                   if (orr_thread_id() == 31) first = words[15];
                               }),
                  "");
        EXPECT_EQ(first, 0x01010101u * poison);
    }
}

} // namespace
