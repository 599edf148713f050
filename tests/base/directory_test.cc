// Directories: what is in them, and making them.
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/directory.h"
#include "tests/support/scratch.h"

namespace {

namespace fs = std::filesystem;

struct Directory : testing::Test {
    Scratch scratch;
    int directory = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ~Directory() override { close(directory); }

    std::vector<std::string> names() {
        orr_listing listing;
        EXPECT_EQ(orr_listing_read(directory, &listing), 0);
        std::vector<std::string> all(listing.names, listing.names + listing.count);
        orr_listing_free(&listing);
        return all;
    }
    int make(const std::string &below, mode_t mode = 0700) {
        return orr_directory_make(scratch.path(below).c_str(), mode);
    }
};

TEST_F(Directory, IsListedInByteOrderEachTimeAnew) {
    EXPECT_TRUE(names().empty());
    std::vector<std::string> made;
    for (int i = 0; i < 200; i++) {
        made.push_back("n" + std::to_string(i));
        std::ofstream(scratch.path(made.back()));
    }
    for (const char *more : {"B", "a", "\xff", ".hidden"}) {
        made.push_back(more);
        std::ofstream(scratch.path(more));
    }
    std::sort(made.begin(), made.end());
    EXPECT_EQ(names(), made);
    EXPECT_EQ(names(), made);
    EXPECT_TRUE(orr_directory_lists(directory, "B"));
    EXPECT_FALSE(orr_directory_lists(directory, "b"));
}

TEST_F(Directory, WhatIsNoneIsNotListed) {
    orr_listing listing;
    std::ofstream(scratch.path("file"));
    int file = open(scratch.path("file").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(orr_listing_read(file, &listing), -1);
    EXPECT_EQ(errno, ENOTDIR);
    EXPECT_EQ(listing.count, 0u);
    close(file);
}

TEST_F(Directory, IsMadeOnce) {
    struct stat st;
    EXPECT_EQ(make("a", 0750), 0);
    ASSERT_EQ(stat(scratch.path("a").c_str(), &st), 0);
    mode_t mask = umask(0);
    umask(mask);
    EXPECT_EQ(st.st_mode & 0777, 0750u & ~mask);
    EXPECT_EQ(make("a"), 1);
    EXPECT_EQ(make("a/"), 1);
    std::ofstream(scratch.path("file"));
    EXPECT_EQ(make("file"), 1); // that something has the name is for the caller to look at
    EXPECT_EQ(make("none/b"), -1);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(orr_directory_make_at(directory, "c", 0700), 0);
    EXPECT_EQ(orr_directory_make_at(directory, "c", 0700), 1);
    EXPECT_TRUE(fs::is_directory(scratch.path("c")));
}

TEST_F(Directory, WhatLiesAboveIsMadeAndNothingElse) {
    EXPECT_EQ(orr_directory_make_above(scratch.path("x/y/z").c_str()), 0);
    EXPECT_TRUE(fs::is_directory(scratch.path("x/y")));
    EXPECT_FALSE(fs::exists(scratch.path("x/y/z")));
    EXPECT_EQ(orr_directory_make_above(scratch.path("x/y/z").c_str()), 0);
    EXPECT_EQ(orr_directory_make_above("/"), 0);
    EXPECT_EQ(orr_directory_make_above(""), 0);
    EXPECT_EQ(orr_directory_make_above("plain"), 0);
    EXPECT_FALSE(fs::exists("plain"));
    std::ofstream(scratch.path("file"));
    EXPECT_EQ(orr_directory_make_above(scratch.path("file/p/q").c_str()), -1);
    EXPECT_EQ(errno, ENOTDIR);
}

// The link's own directory is not the one whose entry has to last.
TEST_F(Directory, IsMadeThroughASymlink) {
    fs::create_directory(scratch.path("real"));
    fs::create_directory_symlink("real", scratch.path("link"));
    EXPECT_EQ(make("link"), 1);
    EXPECT_EQ(make("link/below"), 0);
    EXPECT_TRUE(fs::is_directory(scratch.path("real/below")));
}

} // namespace
