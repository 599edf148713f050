// Complete reads and writes: through signals, short counts and ends.
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/io.h"

namespace {

struct Pipe {
    int in = -1, out = -1; // read end, write end
    Pipe() {
        int both[2];
        EXPECT_EQ(pipe(both), 0);
        in = both[0];
        out = both[1];
    }
    ~Pipe() {
        close(in);
        end();
    }
    void end() {
        if (out >= 0) close(out);
        out = -1;
    }
};

std::vector<char> pattern(size_t bytes) {
    std::vector<char> text(bytes);
    for (size_t i = 0; i < bytes; i++) text[i] = char(i * 31 + i / 251);
    return text;
}

TEST(Io, ReadsWhatComesInPieces) {
    Pipe pipe;
    const auto sent = pattern(3000);
    std::thread writer([&] {
        for (size_t at = 0; at < sent.size(); at += 100) {
            EXPECT_EQ(write(pipe.out, &sent[at], 100), 100);
            usleep(1000);
        }
    });
    std::vector<char> got(sent.size());
    EXPECT_EQ(orr_read_in_full(pipe.in, got.data(), got.size()), got.size());
    writer.join();
    EXPECT_EQ(got, sent);
}

TEST(Io, TellsAnEndFromAnError) {
    Pipe pipe;
    char got[8];
    ASSERT_EQ(write(pipe.out, "abc", 3), 3);
    pipe.end();
    errno = EIO;
    EXPECT_EQ(orr_read_in_full(pipe.in, got, sizeof got), 3u);
    EXPECT_EQ(errno, 0);
    EXPECT_EQ(orr_read_in_full(-1, got, sizeof got), 0u);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(orr_pread_in_full(pipe.in, got, sizeof got, 0), 0u);
    EXPECT_EQ(errno, ESPIPE);
}

struct Interrupted { // SIGUSR1 interrupts what this thread waits in
    struct sigaction before;
    const pthread_t thread = pthread_self();
    Interrupted() {
        struct sigaction act = {};
        act.sa_handler = [](int) {};
        EXPECT_EQ(sigaction(SIGUSR1, &act, &before), 0);
    }
    ~Interrupted() { sigaction(SIGUSR1, &before, nullptr); }
    void now() const {
        usleep(2000); // it waits by then
        pthread_kill(thread, SIGUSR1);
    }
};

TEST(Io, ReadsThroughSignals) {
    const Interrupted interrupt;
    Pipe pipe;
    char got[4] = "";
    std::thread writer([&] {
        for (const char *text : {"a", "b", "c"}) {
            interrupt.now();
            EXPECT_EQ(write(pipe.out, text, 1), 1);
        }
        interrupt.now();
        pipe.end();
    });
    EXPECT_EQ(orr_read_in_full(pipe.in, got, sizeof got), 3u);
    EXPECT_EQ(errno, 0);
    writer.join();
    EXPECT_STREQ(got, "abc");
}

// Of more than a pipe holds a write is short after a signal, and the next one fails with EINTR.
TEST(Io, WritesThroughSignals) {
    const Interrupted interrupt;
    Pipe pipe;
    const auto sent = pattern(1 << 20);
    std::vector<char> got(sent.size());
    std::thread reader([&] {
        ssize_t n;
        for (size_t at = 0; at < got.size(); at += size_t(n)) {
            interrupt.now();
            interrupt.now();
            n = read(pipe.in, &got[at], 32768);
            if (n <= 0) break;
        }
    });
    EXPECT_EQ(orr_write_in_full(pipe.out, sent.data(), sent.size()), sent.size());
    pipe.end();
    reader.join();
    EXPECT_EQ(got, sent);
}

TEST(Io, WaitsForASlowReaderAlsoWithoutBlocking) {
    Pipe pipe;
    ASSERT_EQ(fcntl(pipe.out, F_SETFL, O_NONBLOCK), 0);
    const auto sent = pattern(300000);
    std::vector<char> got(sent.size());
    std::thread reader([&] {
        usleep(20000);
        EXPECT_EQ(orr_read_in_full(pipe.in, got.data(), got.size()), got.size());
    });
    EXPECT_EQ(orr_write_to_reader(pipe.out, sent.data(), sent.size(), nullptr), sent.size());
    pipe.end();
    reader.join();
    EXPECT_EQ(got, sent);
}

TEST(Io, WritesToNoReaderForEver) {
    Pipe pipe;
    volatile sig_atomic_t stop = 0;
    const auto sent = pattern(300000);
    const Interrupted interrupt;
    std::thread stopper([&] {
        usleep(20000); // the pipe is full by then
        stop = 1;
        interrupt.now();
    });
    size_t put = orr_write_to_reader(pipe.out, sent.data(), sent.size(), &stop);
    EXPECT_EQ(errno, EINTR);
    EXPECT_GT(put, 0u);
    EXPECT_LT(put, sent.size());
    stopper.join();
    signal(SIGPIPE, SIG_IGN);
    close(pipe.in);
    EXPECT_EQ(orr_write_to_reader(pipe.out, sent.data(), 10, nullptr), 0u);
    EXPECT_EQ(errno, EPIPE);
    pipe.in = open("/dev/null", O_RDONLY);
}

TEST(Io, WritesAndReadsAtAnOffset) {
    int fd = memfd_create("io_test", MFD_CLOEXEC);
    ASSERT_GE(fd, 0);
    const auto sent = pattern(10000);
    std::vector<char> got(sent.size());
    EXPECT_EQ(orr_pwrite_in_full(fd, sent.data(), sent.size(), 5), sent.size());
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_EQ(orr_pread_in_full(fd, got.data(), got.size(), 5), got.size());
    EXPECT_EQ(got, sent);
    EXPECT_EQ(orr_pread_in_full(fd, got.data(), got.size(), 1005), got.size() - 1000);
    EXPECT_EQ(errno, 0);
    close(fd);
}

// At a limit the first write is short and the next one fails.
TEST(Io, SaysHowMuchWasWritten) {
    char name[] = "/tmp/io_test_XXXXXX";
    int fd = mkstemp(name);
    ASSERT_GE(fd, 0);
    unlink(name);
    struct rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {1000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto sent = pattern(3000);
    size_t put = orr_write_in_full(fd, sent.data(), sent.size());
    int number = errno;
    size_t put_at = orr_pwrite_in_full(fd, sent.data(), sent.size(), 400);
    int number_at = errno;
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(put, 1000u);
    EXPECT_EQ(number, EFBIG);
    EXPECT_EQ(put_at, 600u);
    EXPECT_EQ(number_at, EFBIG);
    close(fd);
}

} // namespace
