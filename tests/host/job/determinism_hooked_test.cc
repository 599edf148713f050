// With randomness and time fixed (the test build only), whole encrypted files are the same bytes
// whatever the number of jobs, the chunk size, the memory, the order of files or the SIMD level.
#include <gtest/gtest.h>

#include <cerrno>
#include <dlfcn.h>
#include <filesystem>

#include <openssl/evp.h>
#if __has_include(<liburing.h>)
#include <liburing.h>
#endif

#include "tests/support/job_fixture.h"
#include "tests/support/small_tiffs.h"

#ifndef ORRERY_TEST_HOOKS
#error "built against the wrong library"
#endif

static bool refuse_ring; // as seccomp and containers do

#if __has_include(<liburing.h>)
extern "C" int io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                          struct io_uring_params *p) {
    static auto real = (decltype(&io_uring_queue_init_params))dlsym(RTLD_NEXT, __func__);
    return refuse_ring ? -EPERM : real(entries, ring, p);
}
#endif

namespace {

using Digests = std::map<std::string, Bytes>;

class Determinism : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        setenv("ORRERY_TEST_SEED", "determinism", 1);
        const size_t tile = ORR_TILE_BYTES, segment = ORR_SEGMENT_BYTES;
        const std::vector<size_t> sizes = {
            0,           1,     383,   384, tile,        tile + 1, 128 * tile,  128 * tile + 1,
            2 * segment, 40000, 60000, 100, segment - 1, 3 * tile, 5 * tile + 7};
        fs::create_directories(directory / "in/deep");
        for (size_t i = 0; i < sizes.size(); i++) {
            fs::path path = directory / "in" / (i % 3 ? "" : "deep") / ("f" + std::to_string(i));
            write_file(path, random_bytes(sizes[i]));
            inputs.push_back(path);
        }
    }
    void TearDown() override {
        unsetenv("ORRERY_TEST_SEED");
        JobTest::TearDown();
    }

    Digests digests(const fs::path &out) {
        Digests found;
        for (auto &name : files_below(out)) {
            Bytes bytes = read_file(out / name), hash(32);
            EXPECT_EQ(
                EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha256(), nullptr),
                1);
            found[name] = hash;
        }
        return found;
    }

    Digests encrypted(const Tweak &tweak, orr_backend *other = nullptr,
                      const std::vector<fs::path> &from = {}) {
        fs::path out = directory / "out";
        fs::remove_all(out);
        JobEnd end =
            run_job(ORR_VERB_ENCRYPT, from.empty() ? std::vector<fs::path>{directory / "in"} : from,
                    out, &ring, other ? other : backend, tweak);
        EXPECT_EQ(end.status, ORR_OK) << end.said();
        return digests(out);
    }

    Digests with_level(orr_simd level, unsigned threads) {
        orr_backend *other;
        orr_error error;
        EXPECT_EQ(orr_cpu_backend_open(threads, level, &other, &error), ORR_OK);
        Digests found = encrypted(nullptr, other);
        other->api->close(other);
        return found;
    }

    std::vector<fs::path> inputs;
};

TEST_F(Determinism, JobsChunksMemory) {
    Digests expected = encrypted(nullptr);
    ASSERT_EQ(expected.size(), inputs.size());
    EXPECT_EQ(encrypted(nullptr), expected);
    EXPECT_EQ(encrypted([](auto &o) { o.jobs = 1; }), expected);
    EXPECT_EQ(encrypted([](auto &o) { o.jobs = 7; }), expected);
    EXPECT_EQ(encrypted([](auto &o) { o.chunk_tiles = 129; }), expected);
    EXPECT_EQ(encrypted([](auto &o) { o.chunk_tiles = 1000; }), expected);
    EXPECT_EQ(encrypted([](auto &o) { o.mem = 200 << 20; }), expected);
    EXPECT_EQ(encrypted([](auto &o) { o.check_cpu = 1; }), expected);
    setenv("ORRERY_TEST_SEED", "another", 1);
    for (auto &[name, digest] : encrypted(nullptr)) EXPECT_NE(digest, expected[name]) << name;
}

// Past the page cache or through it, by a ring or by threads, on a disk and in memory.
TEST_F(Determinism, WaysOfContents) {
    std::vector<fs::path> places = {directory};
    char memory[] = "/dev/shm/orrery-test-XXXXXX";
    if (mkdtemp(memory)) places.push_back(memory);
    Digests expected = encrypted([](auto &o) { o.direct = ORR_DIRECT_OFF; });
    for (auto &place : places)
        for (bool ring_is_refused : {false, true})
            for (orr_direct_use use : {ORR_DIRECT_AUTO, ORR_DIRECT_ON, ORR_DIRECT_OFF})
                for (unsigned jobs : {ring_is_refused ? 3u : 1u}) {
                    auto tweak = [&](auto &o) {
                        o.direct = use;
                        o.jobs = jobs;
                        o.chunk_tiles = jobs == 1 ? 0 : 300;
                    };
                    refuse_ring = ring_is_refused;
                    fs::remove_all(place / "out");
                    fs::remove_all(place / "back");
                    JobEnd end = run_job(ORR_VERB_ENCRYPT, {directory / "in"}, place / "out", &ring,
                                         backend, tweak);
                    EXPECT_EQ(end.status, ORR_OK) << end.said();
                    EXPECT_EQ(digests(place / "out"), expected)
                        << place << " refused " << ring_is_refused << " direct " << use;
                    end = run_job(ORR_VERB_DECRYPT, {place / "out"}, place / "back", &ring, backend,
                                  tweak);
                    EXPECT_EQ(end.status, ORR_OK) << end.said();
                    EXPECT_EQ(digests(place / "back/in"), digests(directory / "in"));
                }
    refuse_ring = false;
    if (places.size() > 1) fs::remove_all(places[1]);
}

TEST_F(Determinism, SimdLevelsAndThreads) {
    Digests expected = encrypted(nullptr);
    for (orr_simd level = ORR_SIMD_PORTABLE; level < orr_simd_count(); level++) {
        EXPECT_EQ(with_level(level, 1), expected) << orr_simd_name(level);
        EXPECT_EQ(with_level(level, 3), expected) << orr_simd_name(level);
    }
}

TEST_F(Determinism, OrderOfFiles) {
    Digests expected = encrypted(nullptr, nullptr, inputs);
    ASSERT_EQ(expected.size(), inputs.size());
    for (int i = 0; i < 3; i++) {
        std::shuffle(inputs.begin(), inputs.end(), test_random());
        EXPECT_EQ(encrypted(nullptr, nullptr, inputs), expected);
    }
}

// Re-encryption too; and what it makes opens to the originals.
TEST_F(Determinism, Reencryption) {
    encrypted(nullptr);
    fs::rename(directory / "out", directory / "vault");
    setenv("ORRERY_TEST_SEED", "again", 1);
    Digests first;
    for (auto &[jobs, chunk] : std::map<unsigned, unsigned>{{1, 128}, {2, 333}, {5, 0}}) {
        fs::remove_all(directory / "new");
        JobEnd end =
            run(ORR_VERB_REENCRYPT, {directory / "vault"}, directory / "new", [&](auto &o) {
                o.jobs = jobs;
                o.chunk_tiles = chunk;
            });
        EXPECT_EQ(end.status, ORR_OK) << end.said();
        Digests found = digests(directory / "new");
        EXPECT_EQ(found.size(), inputs.size());
        if (first.empty()) first = found;
        EXPECT_EQ(found, first);
    }
    JobEnd end = run(ORR_VERB_DECRYPT, {directory / "new"}, directory / "back");
    EXPECT_EQ(end.status, ORR_OK) << end.said();
    for (auto &path : inputs)
        EXPECT_TRUE(read_file(directory / "back/in" / fs::relative(path, directory / "in")) ==
                    read_file(path))
            << path;
}

// Images of the paper profile: pages and files in flight, at any memory, give the same files.
TEST_F(Determinism, PaperProfile) {
    std::vector<fs::path> tiffs = write_small_tiffs(directory / "tiffs");
    auto paper = [&](unsigned jobs, uint64_t mem, orr_backend *other) {
        return encrypted(
            [&](auto &o) {
                o.profile = ORR_PROFILE_PAPER;
                o.jobs = jobs;
                o.mem = mem;
            },
            other, tiffs);
    };
    Digests expected = paper(1, 64 << 20, nullptr);
    ASSERT_EQ(expected.size(), tiffs.size());
    for (unsigned threads : {1u, 5u}) {
        orr_backend *other;
        ASSERT_EQ(orr_cpu_backend_open(threads, ORR_SIMD_BEST, &other, nullptr), ORR_OK);
        EXPECT_EQ(paper(1, 64 << 20, other), expected);
        EXPECT_EQ(paper(4, 64 << 20, other), expected);
        EXPECT_EQ(paper(1, 256 << 10, other), expected) << "one or two pages at a time";
        EXPECT_EQ(paper(3, 0, other), expected);
        other->api->close(other);
    }
}

} // namespace
