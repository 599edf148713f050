// Reads and writes that go on by themselves: by both means, direct and through the page cache.
#include <algorithm>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <mutex>
#include <pthread.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <tuple>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/async.h"
#include "tests/support/confine.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"

namespace {

constexpr size_t BLOCK = 4096;

// Memory as O_DIRECT wants it, in two ranges.
class Memory {
  public:
    explicit Memory(size_t bytes) : each(bytes) {
        for (iovec &range : ranges)
            range = {std::aligned_alloc(BLOCK, (each + BLOCK - 1) / BLOCK * BLOCK), each};
    }
    ~Memory() {
        for (iovec &range : ranges) std::free(range.iov_base);
    }
    uint8_t *operator[](unsigned i) const { return static_cast<uint8_t *>(ranges[i].iov_base); }
    const size_t each;
    iovec ranges[2];
};

// The module, and what it has finished.
class Async {
  public:
    explicit Async(bool threads, unsigned most, const Memory *memory = nullptr)
        : async(threads ? orr_async_open_threads(most, finish, this)
                        : orr_async_open(memory ? memory->ranges : nullptr, memory ? 2 : 0, most,
                                         finish, this)) {
        EXPECT_NE(async, nullptr);
    }
    ~Async() { close(); }
    void close() {
        if (async) orr_async_close(async);
        async = nullptr;
    }
    std::string means() const { return orr_async_means(async); }
    void submit(orr_async_request &r) { orr_async_submit(async, &r); }
    void submit(std::vector<orr_async_request> &all) {
        for (auto &r : all) submit(r);
    }
    // All that it finished, once `count` are.
    std::vector<orr_async_request *> wait(size_t count) {
        std::unique_lock<std::mutex> hold(lock);
        some.wait(hold, [&] { return finished.size() >= count; });
        return finished;
    }
    void run(orr_async_request &r) {
        const size_t before = wait(0).size();
        submit(r);
        wait(before + 1);
    }
    std::function<void(orr_async_request *)> then; // on the thread of the module

  private:
    static void finish(void *context, orr_async_request *r) {
        Async *self = static_cast<Async *>(context);
        if (self->then) self->then(r);
        const std::lock_guard<std::mutex> hold(self->lock);
        self->finished.push_back(r);
        self->some.notify_all();
    }
    orr_async *async;
    std::mutex lock;
    std::condition_variable some;
    std::vector<orr_async_request *> finished;
};

orr_async_request request(int fd, bool write, uint8_t *memory, size_t bytes, uint64_t offset,
                          unsigned buffer = UINT_MAX) {
    orr_async_request r = {};
    r.fd = fd;
    r.write = write;
    r.memory = memory;
    r.bytes = bytes;
    r.offset = offset;
    r.buffer = buffer;
    r.done = 12345;
    r.error = 12345;
    return r;
}

// `count` reads of a block, all of the same one.
std::vector<orr_async_request> reads(int fd, const Memory &memory, size_t count) {
    std::vector<orr_async_request> all;
    for (size_t i = 0; i < count; i++)
        all.push_back(request(fd, false, memory[1] + i * BLOCK, BLOCK, 0, 1));
    return all;
}

bool has_uring(std::string &why) {
    const Async async(false, 2);
    why = "no io_uring here: " + async.means();
    return async.means().rfind("io_uring", 0) == 0;
}

// By threads or the ring; direct or not.
class AsyncBy : public testing::TestWithParam<std::tuple<bool, bool>> {
  protected:
    void SetUp() override {
        std::string why;
        if (!threads && !has_uring(why)) GTEST_SKIP() << why;
        fd = open(scratch.path("file").c_str(),
                  O_RDWR | O_CREAT | O_CLOEXEC | (direct ? O_DIRECT : 0), 0600);
        if (fd < 0 && errno == EINVAL)
            GTEST_SKIP() << scratch.path() << " is on a file system without O_DIRECT";
        ASSERT_GE(fd, 0) << strerror(errno);
    }
    void TearDown() override {
        if (fd >= 0) close(fd);
    }
    void put(const std::vector<uint8_t> &bytes) {
        const int plain = open(scratch.path("file").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
        EXPECT_EQ(write(plain, bytes.data(), bytes.size()), ssize_t(bytes.size()));
        close(plain);
    }
    std::vector<uint8_t> get(size_t room) {
        std::vector<uint8_t> bytes(room);
        const int plain = open(scratch.path("file").c_str(), O_RDONLY | O_CLOEXEC);
        const ssize_t n = pread(plain, bytes.data(), room, 0);
        close(plain);
        bytes.resize(n > 0 ? size_t(n) : 0);
        return bytes;
    }
    const bool threads = std::get<0>(GetParam()), direct = std::get<1>(GetParam());
    const Scratch scratch;
    int fd = -1;
};

std::string name_of(const testing::TestParamInfo<std::tuple<bool, bool>> &info) {
    return std::string(std::get<0>(info.param) ? "Threads" : "Ring") +
           (std::get<1>(info.param) ? "Direct" : "Cached");
}

INSTANTIATE_TEST_SUITE_P(Means, AsyncBy, testing::Combine(testing::Bool(), testing::Bool()),
                         name_of);

// Pieces of random size, at random places that no two share, written and read in random order.
TEST_P(AsyncBy, TakesRandomPiecesThereAndBack) {
    const size_t unit = direct ? BLOCK : 1, pieces = 150;
    std::vector<size_t> starts = {0};
    for (size_t i = 0; i < pieces; i++)
        starts.push_back(starts.back() + unit * (1 + test_random()() % (direct ? 12 : 50000)));
    const auto text = random_bytes(starts.back());
    for (unsigned most : {1u, 2u, 7u, 64u}) {
        const Memory memory(text.size());
        Async async(threads, most, &memory);
        memcpy(memory[0], text.data(), text.size());
        memset(memory[1], 0, text.size());
        for (const bool write : {true, false}) {
            std::vector<orr_async_request> all;
            for (size_t i = 0; i < pieces; i++) {
                const unsigned in = i % 5 == 0 ? UINT_MAX : write ? 0 : 1;
                all.push_back(request(fd, write, memory[write ? 0 : 1] + starts[i],
                                      starts[i + 1] - starts[i], starts[i], in));
            }
            std::shuffle(all.begin(), all.end(), test_random());
            async.submit(all);
            async.wait(write ? pieces : 2 * pieces);
            for (const auto &r : all) {
                EXPECT_EQ(r.done, r.bytes) << strerror(r.error);
                EXPECT_EQ(r.error, 0);
            }
        }
        EXPECT_EQ(memcmp(memory[1], text.data(), text.size()), 0);
        EXPECT_EQ(get(text.size() + 1), text);
        ASSERT_EQ(ftruncate(fd, 0), 0);
    }
}

TEST_P(AsyncBy, FindsTheEndOfAFile) {
    const Memory memory(4 * BLOCK);
    Async async(threads, 4, &memory);
    for (const size_t size : {size_t(0), size_t(1), size_t(512), BLOCK - 1, BLOCK, BLOCK + 904,
                              2 * BLOCK - 512, 2 * BLOCK, 3 * BLOCK + 1}) {
        const auto text = random_bytes(size);
        put(text);
        for (size_t at = 0; at <= 2 * BLOCK; at += BLOCK) {
            auto r = request(fd, false, memory[0], 4 * BLOCK, at, 0);
            async.run(r);
            const size_t there = size > at ? size - at : 0;
            EXPECT_EQ(r.done, there) << size << " " << at;
            EXPECT_EQ(r.error, 0) << size << " " << at;
            EXPECT_TRUE(std::equal(text.end() - ptrdiff_t(there), text.end(), memory[0]));
        }
    }
}

TEST_P(AsyncBy, SaysWhatIsWrongWithADescriptor) {
    const Memory memory(BLOCK);
    Async async(threads, 4);
    const int reader = open(scratch.path("file").c_str(), O_RDONLY | O_CLOEXEC);
    for (auto r : {request(-1, false, memory[0], BLOCK, 0), request(-1, true, memory[0], BLOCK, 0),
                   request(reader, true, memory[0], BLOCK, 0)}) {
        async.run(r);
        EXPECT_EQ(r.done, 0u);
        EXPECT_EQ(r.error, EBADF);
    }
    close(reader);
    const int directory = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto r = request(directory, false, memory[0], BLOCK, 0);
    async.run(r);
    EXPECT_EQ(r.done, 0u);
    EXPECT_EQ(r.error, EISDIR);
    close(directory);
}

TEST_P(AsyncBy, RefusesADirectWriteFromAnOddPlace) {
    if (!direct) return;
    const Memory memory(BLOCK);
    Async async(threads, 4);
    auto r = request(fd, true, memory[0] + 1, 1000, 0);
    async.run(r);
    if (r.done == 1000) GTEST_SKIP() << "a file system that takes any direct write";
    EXPECT_EQ(r.done, 0u);
    EXPECT_EQ(r.error, EINVAL);
}

TEST_P(AsyncBy, SaysThatADiskIsFull) {
    const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0) GTEST_SKIP() << "no /dev/full";
    const Memory memory(BLOCK);
    Async async(threads, 4, &memory);
    auto r = request(full, true, memory[0], BLOCK, 0, 0);
    async.run(r);
    EXPECT_EQ(r.done, 0u);
    EXPECT_EQ(r.error, ENOSPC);
    close(full);
}

// At a limit the first write is short and the next one fails.
TEST_P(AsyncBy, SaysHowMuchWasWritten) {
    const Memory memory(4 * BLOCK);
    Async async(threads, 4, &memory);
    rlimit before;
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit small = {3 * BLOCK, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    auto r = request(fd, true, memory[0], 4 * BLOCK, BLOCK, 0);
    async.run(r);
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(r.done, 2 * BLOCK);
    EXPECT_EQ(r.error, EFBIG);
}

TEST_P(AsyncBy, MovesNothingWhenNothingIsAsked) {
    const Memory memory(BLOCK);
    Async async(threads, 4);
    for (const bool write : {false, true}) {
        auto r = request(fd, write, memory[0], 0, 0);
        async.run(r);
        EXPECT_EQ(r.done, 0u);
        EXPECT_EQ(r.error, 0);
    }
}

TEST_P(AsyncBy, FinishesEachOfManyOnce) {
    const size_t count = 3000;
    const Memory memory(count * BLOCK);
    put(random_bytes(BLOCK));
    for (unsigned most : {0u, 1u, 3u, 100u, UINT_MAX}) {
        Async async(threads, most, &memory);
        auto all = reads(fd, memory, count);
        async.submit(all);
        auto finished = async.wait(count);
        async.close();
        std::sort(finished.begin(), finished.end());
        ASSERT_EQ(finished.size(), count);
        for (size_t i = 0; i < count; i++) EXPECT_EQ(finished[i], &all[i]);
    }
}

TEST_P(AsyncBy, TakesMoreFromWhatIsFinished) {
    const Memory memory(1000 * BLOCK);
    put(random_bytes(BLOCK));
    Async async(threads, 2, &memory);
    auto all = reads(fd, memory, 1000);
    async.then = [&](orr_async_request *r) {
        if (r + 4 < &all[0] + all.size()) async.submit(r[4]);
    };
    for (size_t i = 0; i < 4; i++) async.submit(all[i]);
    async.wait(all.size());
    for (const auto &r : all) EXPECT_EQ(r.done, BLOCK);
}

TEST_P(AsyncBy, TakesRequestsOfManyThreads) {
    const Memory memory(4000 * BLOCK);
    put(random_bytes(BLOCK));
    Async async(threads, 5, &memory);
    auto all = reads(fd, memory, 4000);
    std::vector<std::thread> submitters;
    for (size_t t = 0; t < 4; t++)
        submitters.emplace_back([&, t] {
            for (size_t i = t; i < all.size(); i += 4) {
                async.submit(all[i]);
                if (i % 7 == t) std::this_thread::yield();
            }
        });
    for (auto &thread : submitters) thread.join();
    EXPECT_EQ(async.wait(all.size()).size(), all.size());
    for (const auto &r : all) EXPECT_EQ(r.done, BLOCK);
}

TEST_P(AsyncBy, ClosesWhenAllIsDone) {
    const size_t count = 64;
    const auto text = random_bytes(count * BLOCK);
    const Memory memory(text.size());
    memcpy(memory[0], text.data(), text.size());
    for (unsigned most : {1u, 8u, 64u}) {
        Async async(threads, most, &memory);
        std::vector<orr_async_request> all;
        for (size_t i = 0; i < count; i++)
            all.push_back(request(fd, true, memory[0] + i * BLOCK, BLOCK, i * BLOCK, 0));
        auto more = reads(fd, memory, count);
        async.then = [&](orr_async_request *r) {
            if (r->write) async.submit(more[size_t(r - &all[0])]);
        };
        async.submit(all);
        async.close();
        EXPECT_EQ(async.wait(0).size(), 2 * count);
        EXPECT_EQ(get(text.size() + 1), text);
        ASSERT_EQ(ftruncate(fd, 0), 0);
    }
}

TEST_P(AsyncBy, ReadsWhatWasOpenedNotToWait) {
    const Memory memory(64 * BLOCK);
    const auto text = random_bytes(memory.each);
    put(text);
    const int eager = open(scratch.path("file").c_str(),
                           O_RDONLY | O_NONBLOCK | O_CLOEXEC | (direct ? O_DIRECT : 0));
    ASSERT_GE(eager, 0);
    EXPECT_EQ(fsync(eager), 0);
    EXPECT_EQ(posix_fadvise(eager, 0, 0, POSIX_FADV_DONTNEED), 0);
    Async async(threads, 4, &memory);
    auto r = request(eager, false, memory[0], memory.each, 0, 0);
    async.run(r);
    EXPECT_EQ(r.done, memory.each) << strerror(r.error);
    EXPECT_EQ(memcmp(memory[0], text.data(), text.size()), 0);
    close(eager);
}

TEST(Async, SaysHowItWorks) {
    EXPECT_EQ(Async(true, 100).means(), "8 threads");
    EXPECT_EQ(Async(true, 3).means(), "3 threads");
    EXPECT_EQ(Async(true, 1).means(), "1 thread");
    orr_async_close(nullptr);
}

// What a system keeps from a program is kept from a child. Its exit status: did all go well?
int in_child(const std::function<bool()> &body) {
    const pid_t child = fork();
    if (child == 0) _exit(body() ? 0 : 1);
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

bool moves(const std::string &path, const std::string &means, size_t room) {
    const Memory memory(room);
    Async async(false, 16, &memory);
    if (async.means() != means) {
        fprintf(stderr, "%s, not %s\n", async.means().c_str(), means.c_str());
        return false;
    }
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    memset(memory[0], 7, room);
    auto out = request(fd, true, memory[0], room, 0, 0),
         in = request(fd, false, memory[1], room, 0, 1);
    async.run(out);
    async.run(in);
    close(fd);
    return out.done == room && in.done == room && memcmp(memory[0], memory[1], room) == 0;
}

TEST(Async, WorksWithMemoryThatItMayNotLock) {
    std::string why;
    if (!has_uring(why)) GTEST_SKIP() << why;
    const Scratch scratch;
    EXPECT_EQ(
        in_child([&] {
            return confine_memory() == 0 &&
                   moves(scratch.path("file"),
                         "io_uring, its memory not registered: Cannot allocate memory (ulimit -l)",
                         1 << 20);
        }),
        0);
}

TEST(Async, WorksWhereTheRingIsRefused) {
    std::string why;
    if (!has_uring(why) && why.find("without liburing") != why.npos) GTEST_SKIP() << why;
    const Scratch scratch;
    EXPECT_EQ(in_child([&] {
                  return confine_uring() == 0 &&
                         moves(scratch.path("file"),
                               "8 threads (io_uring: Operation not permitted)", 1 << 20);
              }),
              0);
}

TEST(Async, FailsWhereNoThreadCanBeStarted) {
    EXPECT_EQ(in_child([] {
                  pthread_attr_t huge;
                  pthread_attr_init(&huge);
                  return pthread_attr_setstacksize(&huge, size_t(1) << 47) == 0 &&
                         pthread_setattr_default_np(&huge) == 0 &&
                         orr_async_open(
                             nullptr, 0, 4, [](void *, orr_async_request *) {}, nullptr) == nullptr;
              }),
              0);
}

} // namespace
