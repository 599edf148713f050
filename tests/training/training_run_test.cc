// Checkpoints as bytes, statistics and events, and runs on an implementation that misbehaves.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <png.h>

#include "tests/support/images.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"
#include "training/checkpoint.h"
#include "training/events.h"
#include "training/history.h"
#include "training/train.h"

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

const std::string hash(64, 'a');
const orr_gan_shape tiny{32, 1, 4, 2};

class CheckpointTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(orr_gan_state_new(&tiny, &state, &error), ORR_OK);
        orr_gan_state_init(&state, 77);
        state.step = 1234567890123;
        state.state[0].batches = 5;
        state.state[1].batches = 15;
        for (int n = 0; n < 2; n++)
            for (size_t i = 0; i < state.networks[n].parameter_count; i++) {
                state.state[n].moment1[i] = static_cast<float>(i) * 0.25f;
                state.state[n].moment2[i] = -static_cast<float>(i);
            }
        uint8_t *made;
        size_t count;
        ASSERT_EQ(orr_checkpoint_encode(&state, hash.c_str(), &made, &count, &error), ORR_OK);
        bytes.assign(made, made + count);
        free(made);
    }
    void TearDown() override {
        orr_gan_state_free(&state);
        orr_gan_state_free(&back);
    }
    orr_status Decode(const Bytes &from) {
        orr_gan_state_free(&back);
        return orr_checkpoint_decode(from.data(), from.size(), "file", &back, data_hash, &error);
    }
    orr_gan_state state{}, back{};
    orr_error error{};
    char data_hash[65];
    Bytes bytes;
};

TEST_F(CheckpointTest, ComesBackBitForBit) {
    ASSERT_EQ(Decode(bytes), ORR_OK) << error.text;
    EXPECT_EQ(hash, data_hash);
    EXPECT_EQ(back.seed, 77u);
    EXPECT_EQ(back.step, 1234567890123u);
    EXPECT_EQ(back.state[0].batches, 5u);
    EXPECT_EQ(back.state[1].batches, 15u);
    for (int n = 0; n < 2; n++) {
        size_t count = state.networks[n].parameter_count * sizeof(float);
        EXPECT_EQ(memcmp(back.state[n].parameters, state.state[n].parameters, count), 0);
        EXPECT_EQ(memcmp(back.state[n].moment1, state.state[n].moment1, count), 0);
        EXPECT_EQ(memcmp(back.state[n].moment2, state.state[n].moment2, count), 0);
        count = state.networks[n].running_count * sizeof(float);
        EXPECT_EQ(memcmp(back.state[n].running, state.state[n].running, count), 0);
    }
}

TEST_F(CheckpointTest, AnyDamageIsFound) {
    for (int i = 0; i < 300; i++) {
        Bytes bad = bytes;
        bad[test_random()() % (i < 100 ? 128 : bad.size())] ^=
            static_cast<uint8_t>(1u << test_random()() % 8);
        EXPECT_EQ(Decode(bad), ORR_UNSUPPORTED);
    }
    for (size_t length : {size_t{0}, size_t{7}, size_t{127}, size_t{160}, bytes.size() - 1}) {
        Bytes shorter(bytes.begin(), bytes.begin() + static_cast<long>(length));
        EXPECT_EQ(Decode(shorter), ORR_UNSUPPORTED) << length;
    }
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_EQ(Decode(longer), ORR_UNSUPPORTED);
    for (size_t field = 12; field < 28; field += 4) { // sizes of a network that would be huge
        Bytes bad = bytes;
        memset(&bad[field], 0xff, 4);
        EXPECT_EQ(Decode(bad), ORR_UNSUPPORTED);
    }
}

TEST(Events, Crc32cOfTheStandard) {
    EXPECT_EQ(orr_crc32c("123456789", 9), 0xe3069283u);
    EXPECT_EQ(orr_crc32c(Bytes(32).data(), 32), 0x8a9136aau); // RFC 3720, B.4
    EXPECT_EQ(orr_crc32c(Bytes(32, 0xff).data(), 32), 0x62a8ab43u);
}

// ---- whole runs with the reference implementation, and something wrong with it

orr_gan_backend broken;
uint64_t fail_from; // trainer steps from which the losses are not finite
uint64_t steps_seen;

orr_status broken_statistics(orr_gan_trainer *trainer, orr_gan_statistics *statistics,
                             orr_error *error) {
    orr_status status = orr_gan_reference()->trainer_statistics(trainer, statistics, error);
    steps_seen += statistics->steps;
    if (steps_seen >= fail_from) statistics->loss_d = std::nan("");
    return status;
}

orr_status broken_step(orr_gan_trainer *, const orr_gan_batch *, orr_error *error) {
    return orr_fail(error, ORR_INTERNAL, "the device has fallen off the bus");
}

orr_status poisoned_state(orr_gan_trainer *trainer, orr_gan_state *state, orr_error *error) {
    orr_status status = orr_gan_reference()->trainer_state(trainer, state, error);
    if (state->step >= fail_from) state->state[0].parameters[3] = std::nanf("");
    return status;
}

class RunTest : public testing::Test {
  protected:
    void SetUp() override {
        fs::create_directory(root / "data");
        for (int i = 0; i < 10; i++) {
            PngSpec spec{16, 16, 8, PNG_COLOR_TYPE_GRAY, false, {}};
            ASSERT_TRUE(WritePng(root / "data" / (std::to_string(i) + ".png"), spec,
                                 random_bytes(16 * 16)));
        }
        broken = *orr_gan_reference();
        steps_seen = 0;
        fail_from = UINT64_MAX;
    }
    orr_status Train(uint32_t epochs, bool resume = false) {
        std::string run = root / "run", data = root / "data";
        const char *folder = data.c_str();
        orr_training_options options = orr_training_default_options();
        options.run = run.c_str();
        options.folders = &folder;
        options.folder_count = 1;
        options.resume = resume;
        options.shape = tiny;
        options.gan.batch = 5;
        options.epochs = epochs;
        options.snapshot_every = 1;
        options.keep = 100;
        options.given = ORR_TRAINING_GAVE_EPOCHS;
        options.backend = &broken;
        options.version = "test";
        error = {};
        return orr_train(&options, nullptr, &error);
    }
    size_t Checkpoints() const {
        size_t count = 0;
        for (const auto &entry : fs::directory_iterator(root / "run/checkpoints"))
            count += entry.path().filename().string().rfind("step-", 0) == 0;
        return count;
    }
    Scratch scratch;
    fs::path root = scratch.path();
    orr_error error{};
};

TEST_F(RunTest, LossesThatAreNotFiniteEndIt) {
    broken.trainer_statistics = broken_statistics;
    fail_from = 5;
    EXPECT_EQ(Train(10), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "diverged by step 5"), nullptr) << error.text;
    EXPECT_EQ(Checkpoints(), 3u); // steps 0, 2, 4
    broken = *orr_gan_reference();
    EXPECT_EQ(Train(10, true), ORR_OK) << error.text;
    EXPECT_EQ(Checkpoints(), 11u);
}

TEST_F(RunTest, WeightsThatAreNotFiniteAreNotKept) {
    broken.trainer_state = poisoned_state;
    fail_from = 3;
    EXPECT_EQ(Train(10), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "not finite after step 4"), nullptr) << error.text;
    EXPECT_EQ(Checkpoints(), 2u);
}

TEST_F(RunTest, AFailingDeviceFailsTheRunAndNothingElse) {
    ASSERT_EQ(Train(1), ORR_OK) << error.text;
    broken.trainer_step = broken_step;
    EXPECT_EQ(Train(2, true), ORR_INTERNAL);
    EXPECT_NE(strstr(error.text, "fallen off the bus"), nullptr) << error.text;
    EXPECT_EQ(Checkpoints(), 2u);
    broken = *orr_gan_reference();
    EXPECT_EQ(Train(2, true), ORR_OK) << error.text;
}

TEST_F(RunTest, StatisticsOfAResumedRunAreThoseOfItsCheckpoint) {
    ASSERT_EQ(Train(3), ORR_OK) << error.text;
    orr_run_directory run;
    ASSERT_EQ(orr_run_directory_open(&run, (root / "run").c_str(), 1, 1, &error), ORR_OK);
    // Junk that a crash or an editor could leave.
    std::ofstream(root / "run/statistics.jsonl", std::ios::app)
        << "{\"kind\":\"steps\",\"step\":\n\n[]\n{\"kind\":\"other\",\"step\":1}\nnull\n";
    orr_history history;
    ASSERT_EQ(orr_history_load(&history, &run, 4, &error), ORR_OK) << error.text;
    EXPECT_EQ(history.step_count, 4u);
    EXPECT_EQ(history.snapshot_count, 3u);
    EXPECT_EQ(history.snapshots[2].swd.levels, 2u);
    EXPECT_GT(history.snapshots[2].swd.distance[1], 0);
    EXPECT_EQ(history.snapshots[2].swd.mean, history.snapshots[2].numbers.swd);
    orr_history_free(&history);
    std::ifstream in(root / "run/statistics.jsonl");
    EXPECT_EQ(std::count(std::istreambuf_iterator<char>(in), {}, '\n'), 7);
    orr_run_directory_close(&run);
}

} // namespace
