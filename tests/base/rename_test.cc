// Names that change hands: nothing is replaced, whichever way the file system offers.
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/flush.h"
#include "base/rename.h"
#include "tests/support/scratch.h"

namespace {

struct Rename : testing::Test {
    Scratch scratch;
    int directory = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ~Rename() override { close(directory); }

    void make(const char *name, const std::string &text) {
        int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ASSERT_EQ(write(fd, text.data(), text.size()), ssize_t(text.size()));
        close(fd);
    }
    std::string text(const char *name) {
        char bytes[32];
        int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return "none";
        ssize_t n = read(fd, bytes, sizeof bytes);
        close(fd);
        return std::string(bytes, size_t(n));
    }
};

TEST_F(Rename, EachWayNamesWhatNothingHas) {
    for (orr_naming way : {ORR_NAMING_NOREPLACE, ORR_NAMING_LINK, ORR_NAMING_LOOK}) {
        const orr_naming asked = way;
        make("from", "new");
        EXPECT_EQ(orr_rename_new(directory, "from", "to", &way, 0), 0);
        EXPECT_EQ(way, asked);
        EXPECT_EQ(text("from"), "none");
        EXPECT_EQ(text("to"), "new");
        unlinkat(directory, "to", 0);
    }
}

TEST_F(Rename, NoWayReplacesAnything) {
    make("from", "new");
    make("to", "older");
    for (orr_naming way : {ORR_NAMING_NOREPLACE, ORR_NAMING_LINK, ORR_NAMING_LOOK}) {
        EXPECT_EQ(orr_rename_new(directory, "from", "to", &way, 0), -1);
        EXPECT_EQ(errno, EEXIST);
    }
    EXPECT_EQ(orr_rename_new(directory, "from", "to", nullptr, 0), -1);
    EXPECT_EQ(errno, EEXIST);
    EXPECT_EQ(text("from"), "new");
    EXPECT_EQ(text("to"), "older");
    EXPECT_EQ(orr_rename_new(directory, "missing", "other", nullptr, 0), -1);
    EXPECT_EQ(errno, ENOENT);
}

TEST_F(Rename, LookingWaitsForTheLockUnlessItIsHeld) {
    using namespace std::chrono;
    int lock = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(flock(lock, LOCK_EX), 0);
    orr_naming way = ORR_NAMING_LOOK;
    make("a", "1");
    EXPECT_EQ(orr_rename_new(directory, "a", "b", &way, 1), 0); // the caller holds it
    std::thread holder([&] {
        usleep(200000);
        flock(lock, LOCK_UN);
    });
    const auto start = steady_clock::now();
    EXPECT_EQ(orr_rename_new(directory, "b", "c", &way, 0), 0);
    EXPECT_GE(steady_clock::now() - start, 150ms);
    holder.join();
    EXPECT_EQ(flock(lock, LOCK_EX | LOCK_NB), 0); // and it was released
    close(lock);
}

TEST_F(Rename, ExchangesTwoNames) {
    make("a", "1");
    make("b", "2");
    if (orr_rename_exchange(directory, "a", "b") != 0) {
        ASSERT_TRUE(orr_is_refusal(errno));
        GTEST_SKIP() << "this file system exchanges no names";
    }
    EXPECT_EQ(text("a"), "2");
    EXPECT_EQ(text("b"), "1");
    EXPECT_EQ(orr_rename_exchange(directory, "a", "missing"), -1);
    EXPECT_EQ(errno, ENOENT);
}

TEST(Refusal, IsWhatAFileSystemDoesNotDoAtAll) {
    for (int number : {EPERM, EACCES, EINVAL, ENOSYS, ENOTTY, ENOTSUP, EOPNOTSUPP})
        EXPECT_TRUE(orr_is_refusal(number)) << number;
    for (int number : {EIO, ENOSPC, EDQUOT, EROFS, EBADF, ENOENT, EEXIST, EINTR, ENOMEM, ESTALE})
        EXPECT_FALSE(orr_is_refusal(number)) << number;
}

} // namespace
