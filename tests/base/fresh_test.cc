// A file that appears whole or not at all: each way of naming it, and what a failure leaves.
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/fresh.h"
#include "base/io.h"
#include "tests/support/scratch.h"

namespace {

namespace fs = std::filesystem;

struct Fresh : testing::Test {
    Scratch scratch;
    std::string path = scratch.path("file");
    orr_fresh fresh = ORR_FRESH_NONE;

    void TearDown() override { orr_fresh_end(&fresh); }
    void begin(const std::string &text) {
        ASSERT_EQ(orr_fresh_begin(&fresh, path.c_str()), 0);
        ASSERT_EQ(orr_write_in_full(fresh.fd, text.data(), text.size()), text.size());
    }
    void make_older() {
        std::ofstream(path) << "older";
        ASSERT_EQ(chmod(path.c_str(), 0640), 0);
    }
    // Makes flushes of the directory fail (EBADF), and nothing else.
    void break_directory() {
        int broken = open(scratch.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(fresh.directory);
        fresh.directory = broken;
    }
    std::string text() {
        std::ifstream in(path);
        return in ? std::string(std::istreambuf_iterator<char>(in), {}) : "none";
    }
    unsigned mode() {
        struct stat st;
        return stat(path.c_str(), &st) ? 0 : st.st_mode & 07777;
    }
    long entries() { return std::distance(fs::directory_iterator(scratch.path()), {}); }
};

TEST_F(Fresh, IsMarkedUntilItHasItsName) {
    begin("new");
    EXPECT_EQ(text(), "none");
    EXPECT_EQ(entries(), 1);
    struct stat st;
    ASSERT_EQ(fstat(fresh.fd, &st), 0);
    EXPECT_EQ(st.st_mode & 07777, unsigned(0600 | ORR_PARTIAL_MARK));
    ASSERT_EQ(orr_fresh_set_mode(&fresh, 0644), 0);
    ASSERT_EQ(fstat(fresh.fd, &st), 0);
    EXPECT_EQ(st.st_mode & 07777, unsigned(0644 | ORR_PARTIAL_MARK));
    ASSERT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_NEW), 0);
    orr_fresh_end(&fresh);
    EXPECT_EQ(text(), "new");
    EXPECT_EQ(mode(), 0644u);
    EXPECT_EQ(entries(), 1);
}

TEST_F(Fresh, GoesWhenItIsNotCommitted) {
    begin("new");
    orr_fresh_end(&fresh);
    EXPECT_EQ(entries(), 0);
    EXPECT_EQ(orr_fresh_begin(&fresh, (scratch.path() + "/").c_str()), -1);
    EXPECT_EQ(errno, EISDIR);
}

TEST_F(Fresh, IsWrittenThroughAStream) {
    begin("one ");
    FILE *stream = orr_fresh_stream(&fresh);
    ASSERT_TRUE(stream);
    fputs("two", stream);
    ASSERT_EQ(fclose(stream), 0);
    ASSERT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_NEW), 0);
    EXPECT_EQ(text(), "one two");
}

TEST_F(Fresh, ReplacesOnlyWhatItMay) {
    make_older();
    begin("new");
    EXPECT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_NEW), -1);
    EXPECT_EQ(errno, EEXIST);
    EXPECT_EQ(text(), "older");
    EXPECT_EQ(mode(), 0640u);
    EXPECT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_REPLACE), 0);
    EXPECT_EQ(text(), "new");
    orr_fresh_end(&fresh);
    begin("newer");
    EXPECT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_SWAP), 0);
    orr_fresh_end(&fresh);
    EXPECT_EQ(text(), "newer");
    EXPECT_EQ(mode(), 0600u);
    EXPECT_EQ(entries(), 1);
}

TEST_F(Fresh, ANameThatIsNotSafeIsTakenBack) {
    for (orr_fresh_way way : {ORR_FRESH_NEW, ORR_FRESH_SWAP}) {
        begin("new");
        break_directory();
        EXPECT_EQ(orr_fresh_commit(&fresh, way), -1);
        EXPECT_EQ(errno, EBADF);
        orr_fresh_end(&fresh);
        EXPECT_EQ(entries(), 0);
    }
}

TEST_F(Fresh, SwappingIsUndoneAndReplacingIsNot) {
    make_older();
    begin("new");
    break_directory();
    EXPECT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_SWAP), -1);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(text(), "older");
    EXPECT_EQ(mode(), 0640u);
    EXPECT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_REPLACE), -1);
    EXPECT_EQ(errno, EBADF);
    orr_fresh_end(&fresh);
    EXPECT_EQ(text(), "new");
    EXPECT_EQ(entries(), 1);
}

TEST_F(Fresh, WhatTookThePlaceOfThePartialFileStays) {
    begin("new");
    const std::string partial = scratch.path(fresh.partial);
    fs::remove(partial);
    std::ofstream(partial) << "somebody's";
    EXPECT_EQ(orr_fresh_commit(&fresh, ORR_FRESH_NEW), -1);
    EXPECT_EQ(errno, ESTALE);
    orr_fresh_end(&fresh);
    EXPECT_EQ(text(), "none");
    EXPECT_TRUE(fs::exists(partial));
}

TEST(DefaultMode, FollowsTheUmask) {
    mode_t mask = umask(0);
    umask(mask);
    EXPECT_EQ(orr_default_mode(), mode_t(0666 & ~mask));
}

} // namespace
