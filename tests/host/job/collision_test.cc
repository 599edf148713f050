// Several inputs that want the same output: none may take another's place or pass for it.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/support/job_fixture.h"

namespace {

class Collision : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        test_seed();
        for (const char *name : {"a", "b"}) fs::create_directory(directory / name);
        first = random_bytes(2 * ORR_SEGMENT_BYTES);
        second = random_bytes(2 * ORR_SEGMENT_BYTES);
    }
    void same_time(const fs::path &path) {
        timespec times[2] = {{1700000000, 0}, {1700000000, 0}};
        ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    }
    // What the container holds.
    Bytes opened(const fs::path &path) {
        fs::remove_all(directory / "opened");
        JobEnd end = run(ORR_VERB_DECRYPT, {path}, directory / "opened");
        EXPECT_EQ(end.status, ORR_OK) << end.said();
        auto files = files_below(directory / "opened");
        EXPECT_EQ(files.size(), 1u);
        return files.size() == 1 ? read_file(directory / "opened" / files[0]) : Bytes();
    }
    Bytes first, second;
};

TEST_F(Collision, TwoSourcesOfOneName) {
    for (bool equal_times : {false, true}) {
        for (int round = 0; round < 3; round++) {
            fs::remove_all(directory / "out");
            write_file(directory / "a/scan.tif", first);
            write_file(directory / "b/scan.tif", second);
            if (equal_times) {
                same_time(directory / "a/scan.tif");
                same_time(directory / "b/scan.tif");
            }
            JobEnd end = run(ORR_VERB_ENCRYPT, {directory / "a/scan.tif", directory / "b/scan.tif"},
                             directory / "out");
            EXPECT_EQ(end.status, ORR_SOME_FAILED) << end.said();
            ASSERT_EQ(end.files.size(), 2u);
            EXPECT_EQ(end.summary.done, 1u) << end.said();
            EXPECT_EQ(end.summary.failed, 1u) << end.said();
            for (auto &f : end.files) {
                if (f.outcome == ORR_OUT_FAILED) {
                    EXPECT_EQ(f.status, ORR_EXISTS) << f.reason;
                } else {
                    bool is_first = f.source == (directory / "a/scan.tif").string();
                    EXPECT_TRUE(opened(directory / "out/scan.tif.orr.tif") ==
                                (is_first ? first : second));
                }
            }
        }
    }
}

TEST_F(Collision, OneSourceTwice) {
    write_file(directory / "a/scan.tif", first);
    JobEnd end = run(ORR_VERB_ENCRYPT, {directory / "a/scan.tif", directory / "a/scan.tif"},
                     directory / "out");
    EXPECT_EQ(end.summary.done, 1u) << end.said();
    EXPECT_EQ(end.summary.failed, 0u) << end.said();
    EXPECT_EQ(end.status, ORR_OK) << end.said();
    EXPECT_TRUE(opened(directory / "out/scan.tif.orr.tif") == first);
}

TEST_F(Collision, TwoContainersOfOneSealedPath) {
    for (bool equal_times : {false, true}) {
        for (const char *name : {"a", "b"}) {
            fs::path source = directory / name / "scan.tif";
            write_file(source, name[0] == 'a' ? first : second);
            if (equal_times) same_time(source);
            fs::remove(directory / (std::string(name) + ".orr.tif"));
            ASSERT_EQ(run(ORR_VERB_ENCRYPT, {source}, directory / (std::string(name) + ".orr.tif"))
                          .status,
                      ORR_OK);
            for (time_t now = time(nullptr); time(nullptr) == now;) usleep(1000); // a later seal
        }
        for (orr_verb verb : {ORR_VERB_DECRYPT, ORR_VERB_REENCRYPT}) {
            fs::remove_all(directory / "out");
            JobEnd end =
                run(verb, {directory / "a.orr.tif", directory / "b.orr.tif"}, directory / "out");
            if (verb == ORR_VERB_DECRYPT) { // the one that was sealed last
                EXPECT_EQ(end.status, ORR_OK) << end.said();
                EXPECT_EQ(end.warnings.size(), 1u) << end.said();
                EXPECT_TRUE(read_file(directory / "out/scan.tif") == second);
                continue;
            }
            EXPECT_EQ(end.status, ORR_SOME_FAILED) << end.said();
            EXPECT_EQ(end.summary.done, 1u) << end.said();
            EXPECT_EQ(end.summary.failed, 1u) << end.said();
            for (auto &f : end.files) {
                if (f.outcome == ORR_OUT_FAILED) {
                    EXPECT_EQ(f.status, ORR_EXISTS) << f.reason;
                    continue;
                }
                bool is_first = f.source == (directory / "a.orr.tif").string();
                EXPECT_TRUE(opened(directory / "out/scan.tif.orr.tif") ==
                            (is_first ? first : second));
            }
        }
    }
}

// Opaque names differ by themselves, but two sources of one path would meet again at decrypt.
TEST_F(Collision, OpaqueNames) {
    for (int i = 0; i < 2; i++) {
        write_file(directory / (i ? "b" : "a") / "scan.tif", i ? second : first);
        same_time(directory / (i ? "b" : "a") / "scan.tif");
    }
    JobEnd end = run(ORR_VERB_ENCRYPT, {directory / "a/scan.tif", directory / "b/scan.tif"},
                     directory / "out", [](auto &o) { o.opaque_names = 1; });
    EXPECT_EQ(end.status, ORR_SOME_FAILED) << end.said();
    EXPECT_EQ(end.summary.done, 1u);
    EXPECT_EQ(end.summary.failed, 1u);
}

} // namespace
