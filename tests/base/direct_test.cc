// Contents past the page cache: the same bytes and the same errors by every way.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/direct.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"

namespace {

constexpr size_t BLOCK = ORR_DIRECT_ALIGNMENT;

struct Free {
    void operator()(uint8_t *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<uint8_t, Free>;

Memory aligned(size_t bytes) {
    return Memory(static_cast<uint8_t *>(std::aligned_alloc(BLOCK, bytes)));
}

class Direct : public testing::TestWithParam<orr_way> {
  protected:
    void SetUp() override {
        fd = open(scratch.path("file").c_str(), O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
        ASSERT_GE(fd, 0);
        const int number = GetParam() == ORR_WAY_DIRECT ? orr_direct_begin(fd, 1) : 0;
        if (number) GTEST_SKIP() << scratch.path() << ": no O_DIRECT: " << strerror(number);
    }
    void TearDown() override {
        if (fd >= 0) close(fd);
    }
    const Scratch scratch;
    int fd = -1;
};

INSTANTIATE_TEST_SUITE_P(Ways, Direct,
                         testing::Values(ORR_WAY_CACHED, ORR_WAY_UNCACHED, ORR_WAY_DIRECT));

TEST_P(Direct, MovesTheSameBytes) {
    const auto text = random_bytes(5 * BLOCK);
    const Memory out = aligned(text.size()), in = aligned(text.size());
    memcpy(out.get(), text.data(), text.size());
    EXPECT_EQ(orr_pwrite_by(GetParam(), fd, out.get(), text.size(), BLOCK), text.size());
    EXPECT_EQ(orr_pread_by(GetParam(), fd, in.get(), 3 * BLOCK, 2 * BLOCK), 3 * BLOCK);
    EXPECT_EQ(memcmp(in.get(), &text[BLOCK], 3 * BLOCK), 0);
}

TEST_P(Direct, EndsWithTheFile) {
    const Memory memory = aligned(4 * BLOCK);
    memset(memory.get(), 1, 4 * BLOCK);
    for (const size_t size : {size_t(0), size_t(1000), BLOCK, BLOCK + 512, 2 * BLOCK}) {
        ASSERT_EQ(ftruncate(fd, off_t(size)), 0);
        errno = EIO;
        EXPECT_EQ(orr_pread_by(GetParam(), fd, memory.get(), 4 * BLOCK, 0), size);
        // What a direct read says behind an odd end depends on the disk.
        if (GetParam() != ORR_WAY_DIRECT || size % BLOCK == 0) {
            EXPECT_EQ(errno, 0) << size;
        }
    }
}

TEST_P(Direct, SaysWhatFailed) {
    const Memory memory = aligned(BLOCK);
    memset(memory.get(), 1, BLOCK);
    EXPECT_EQ(orr_pread_by(GetParam(), -1, memory.get(), BLOCK, 0), 0u);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(orr_pwrite_by(GetParam(), -1, memory.get(), BLOCK, 0), 0u);
    EXPECT_EQ(errno, EBADF);
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0) return;
    EXPECT_EQ(orr_pwrite_by(GetParam(), full, memory.get(), BLOCK, 0), 0u);
    EXPECT_EQ(errno, ENOSPC);
    close(full);
}

TEST(DirectFlag, IsTurnedOnAndOff) {
    const Scratch scratch;
    const int fd =
        open(scratch.path("file").c_str(), O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    const int number = orr_direct_begin(fd, 1);
    if (number == 0) {
        EXPECT_EQ(fcntl(fd, F_GETFL) & (O_DIRECT | O_NONBLOCK), O_DIRECT);
    } else {
        EXPECT_EQ(number, EOPNOTSUPP);
    }
    orr_direct_end(fd);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_DIRECT, 0);
    orr_direct_end(fd);
    close(fd);
    EXPECT_NE(orr_direct_begin(-1, 1), 0);
    int both[2];
    ASSERT_EQ(pipe(both), 0);
    EXPECT_EQ(orr_direct_begin(both[0], 0), EOPNOTSUPP);
    close(both[0]);
    close(both[1]);
}

TEST(DirectFlag, IsLeftWhereAFileSystemDoesNotSayThatItCan) {
    const int fd = memfd_create("direct_test", MFD_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(orr_direct_begin(fd, 0), EOPNOTSUPP);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_DIRECT, 0);
    close(fd);
}

} // namespace
