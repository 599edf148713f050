// The SHA-256 that encrypt --sha256 seals is compared by verify and decrypt.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include "host/container/format.h"
#include "tests/support/job_fixture.h"

namespace {

class Sha256 : public JobTest {
  protected:
    static void record(orr_job_options &options) { options.sha256 = 1; }

    // Seals another SHA-256 into a container, as a fault while it was written would have.
    void falsify(const fs::path &path) {
        orr_container c{};
        orr_file_secret secret;
        orr_file_keys keys;
        orr_metadata metadata{};
        orr_error error{};
        int fd = open(path.c_str(), O_RDWR);
        ASSERT_GE(fd, 0);
        ASSERT_EQ(orr_container_read(&c, fd, fs::file_size(path), "c", &error), ORR_OK)
            << error.text;
        ASSERT_EQ(orr_container_unlock(&c, orr_keyring_lookup, &ring, "c", &secret, &keys, &error),
                  ORR_OK);
        ASSERT_EQ(orr_container_metadata(&c, fd, &keys, "c", &metadata, &error), ORR_OK);
        ASSERT_TRUE(metadata.has_sha256);
        metadata.sha256[test_random()() % 32] ^= 1;
        Bytes salt = random_bytes(ORR_SALT_BYTES);
        ASSERT_EQ(orr_metadata_write(&c.header, &keys, &metadata, salt.data(), fd, "c", &error),
                  ORR_OK);
        orr_metadata_free(&metadata);
        orr_container_free(&c);
        close(fd);
    }
};

TEST_F(Sha256, RightOnesPassWhateverTheLength) {
    test_seed();
    for (size_t size : {size_t{0}, size_t{1}, size_t{ORR_SEGMENT_BYTES},
                        size_t{ORR_SEGMENT_BYTES} + 1, 9 * size_t{ORR_SEGMENT_BYTES} + 777}) {
        Bytes plain = random_bytes(size);
        fs::remove_all(directory / "out");
        write_file(directory / "c.orr.tif", container("scan.bin", plain, record));
        for (unsigned jobs : {1u, 5u}) {
            auto tweak = [=](orr_job_options &o) {
                o.jobs = jobs;
                o.mem = 128 << 20;
            };
            JobEnd end = run(ORR_VERB_VERIFY, {directory / "c.orr.tif"}, "", tweak);
            EXPECT_EQ(end.status, ORR_OK) << end.said();
            end = run(ORR_VERB_DECRYPT, {directory / "c.orr.tif"},
                      directory / "out" / std::to_string(jobs), tweak);
            EXPECT_EQ(end.status, ORR_OK) << end.said();
            EXPECT_TRUE(read_file(directory / "out" / std::to_string(jobs) / "scan.bin") == plain);
        }
    }
}

TEST_F(Sha256, WrongOnesAreRefused) {
    test_seed();
    for (size_t size : {size_t{0}, size_t{5000}, 3 * size_t{ORR_SEGMENT_BYTES}}) {
        fs::path file = directory / "c.orr.tif";
        write_file(file, container("scan.bin", random_bytes(size), record));
        falsify(file);
        JobEnd end = run(ORR_VERB_VERIFY, {file}, "");
        EXPECT_EQ(end.status, ORR_AUTH) << end.said();
        EXPECT_NE(end.only().reason.find("SHA-256"), std::string::npos) << end.said();
        end = run(ORR_VERB_DECRYPT, {file}, directory / "out");
        EXPECT_EQ(end.status, ORR_AUTH) << end.said();
        EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>());
    }
}

// A damaged segment ends the file; nobody waits for its turn.
TEST_F(Sha256, DamageEndsTheFile) {
    test_seed();
    Bytes made = container("scan.bin", random_bytes(9 * size_t{ORR_SEGMENT_BYTES}), record);
    for (int round = 0; round < 4; round++) {
        Bytes damaged = made;
        damaged[16384 + test_random()() % (made.size() - 16384)] ^= 1; // head or tile of a segment
        write_file(directory / "c.orr.tif", damaged);
        JobEnd end = run(ORR_VERB_VERIFY, {directory / "c.orr.tif"}, "", [](orr_job_options &o) {
            o.jobs = 4;
            o.mem = 128 << 20;
        });
        EXPECT_EQ(end.status, ORR_AUTH) << end.said();
    }
}

} // namespace
