// Jobs whose seals nonce_test.py records: on devices that fail, and one that seals two texts under
// the same keys and nonces.
#include <gtest/gtest.h>

#include "tests/support/failing_device.h"
#include "tests/support/job_fixture.h"

#ifndef ORRERY_TEST_HOOKS
#error "built against the wrong library"
#endif

namespace {

class Nonces : public JobTest {
  protected:
    void make_sources() {
        fs::create_directories(directory / "in");
        for (size_t bytes :
             {size_t(100), size_t(ORR_TILE_BYTES), size_t(2 * ORR_SEGMENT_BYTES + 77)})
            write_file(directory / "in" / std::to_string(bytes), random_bytes(bytes));
    }
    JobEnd encrypt(orr_backend *with, const fs::path &to, const Tweak &tweak = nullptr) {
        return run_job(ORR_VERB_ENCRYPT, {directory / "in"}, directory / to, &ring, with, tweak);
    }
    void expect_restored(const fs::path &from) {
        fs::path back = directory / "back";
        fs::remove_all(back);
        JobEnd end = run(ORR_VERB_DECRYPT, {directory / from}, back);
        ASSERT_EQ(end.status, ORR_OK) << end.said();
        for (auto &name : files_below(directory / "in"))
            EXPECT_EQ(read_file(directory / "in" / name), read_file(back / "in" / name)) << name;
    }
};

// Chunks are redone on the CPU: after the first, after some, and when the device is gone.
TEST_F(Nonces, DevicesThatFail) {
    make_sources();
    auto small = [](auto &o) { o.chunk_tiles = 128; };
    for (int first : {0, 1, 3}) {
        DeviceWithFallback with;
        with.device.fail_from = first;
        with.device.fail_until = first + 2;
        JobEnd end = encrypt(with.backend, "waits" + std::to_string(first), small);
        ASSERT_EQ(end.status, ORR_OK) << end.said();
        EXPECT_FALSE(with.reports.texts.empty());
        expect_restored("waits" + std::to_string(first));
    }
    DeviceWithFallback gone;
    gone.device.refuse_from = 2;
    JobEnd end = encrypt(gone.backend, "gone", small);
    ASSERT_EQ(end.status, ORR_OK) << end.said();
    expect_restored("gone");
    DeviceWithFallback anew;
    anew.device.fail_from = 1;
    anew.device.fail_until = 2;
    end = run_job(ORR_VERB_REENCRYPT, {directory / "gone"}, directory / "anew", &ring, anew.backend,
                  small);
    ASSERT_EQ(end.status, ORR_OK) << end.said();
    expect_restored("anew");
}

// No CPU stands in: the job fails, and the next one begins the same files again.
TEST_F(Nonces, ADeviceWithoutFallback) {
    make_sources();
    Device device;
    device.fail_from = 1;
    device.fail_until = 1 << 20;
    EXPECT_NE(encrypt(&device.base, "out", [](auto &o) { o.chunk_tiles = 128; }).status, ORR_OK);
    JobEnd end = encrypt(backend, "out");
    EXPECT_EQ(end.status, ORR_OK) << end.said();
    expect_restored("out");
    device.api.close(&device.base);
}

// What must never be: the same keys and salts for other contents. Only fixed randomness does it.
TEST_F(Nonces, FixedRandomnessRepeatsThem) {
    setenv("ORRERY_TEST_SEED", "nonces", 1);
    for (const char *to : {"one", "two"}) {
        make_sources();
        JobEnd end = encrypt(backend, to);
        EXPECT_EQ(end.status, ORR_OK) << end.said();
    }
    unsetenv("ORRERY_TEST_SEED");
    EXPECT_NE(files_below(directory / "one").size(), 0u);
}

} // namespace
