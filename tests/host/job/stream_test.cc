// The streaming engine, with a mock verb: every piece goes through front and back once, in a
// bounded ring, and the cipher in between is the backend's.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "host/job/stream.h"
#include "tests/support/random.h"

namespace {

struct Piece {
    uint32_t tiles;
    std::atomic<int> fronts{0}, backs{0};
    std::vector<uint8_t> result;
};

struct Job {
    std::vector<Piece> pieces;
    size_t next = 0;
    std::atomic<int> planning{0}, overlapping{0}, in_flight{0}, most{0};
    orr_cipher cipher{}, other{};
    std::atomic<orr_status> seen{ORR_OK};
    // With `in_order` each piece waits in back() for the one before it.
    bool in_order = false, late = false;
    std::mutex lock;
    std::condition_variable changed;
    size_t turn = 0;
    bool (*through)(size_t piece) = [](size_t) { return false; };
    explicit Job(size_t n) : pieces(n) {
        orr_cipher_init(&cipher, 37241, 2825054457u, nullptr);
        orr_cipher_init(&other, 5, 2825054457u, nullptr);
    }
};

const uint32_t kRows = 8; // short tiles keep the portable cipher quick

void key_of(size_t piece, uint32_t tile, orr_tile_key *key) {
    for (int i = 0; i < 8; i++) key->state[i] = piece * 1000003 + tile * 31 + i;
}

uint8_t byte_of(size_t piece, size_t n) {
    return (uint8_t)(piece * 7 + n % 251);
}

int next_piece(void *context, orr_piece *piece) {
    Job *job = (Job *)context;
    if (job->planning.fetch_add(1)) job->overlapping = 1;
    size_t n = job->next++;
    if (n < job->pieces.size()) {
        piece->file = &job->pieces[n];
        piece->segment = n;
        piece->tiles = job->pieces[n].tiles;
        piece->bytes =
            piece->tiles ? (piece->tiles - 1) * (size_t)ORR_TILE_BYTES + kRows * ORR_TILE_ROW_BYTES
                         : 0;
        piece->op = ORR_TILE_ENCRYPT;
        piece->ordered = job->in_order;
        piece->cipher = n % 5 == 4 ? &job->other : &job->cipher; // forces chunks to close early
        int now = job->in_flight.fetch_add(1) + 1, most = job->most;
        while (now > most && !job->most.compare_exchange_weak(most, now)) {
        }
    }
    job->planning--;
    return n < job->pieces.size();
}

void front(void *context, orr_piece *piece, orr_worker *) {
    Piece *p = (Piece *)piece->file;
    // Some pieces are read so slowly that later ones overtake them.
    if (((Job *)context)->in_order && piece->segment % 3 == 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    p->fronts++;
    piece->through = ((Job *)context)->through(piece->segment);
    for (size_t i = 0; i < piece->bytes; i++) piece->in[i] = byte_of(piece->segment, i);
    if (piece->through) return; // its tasks stay empty
    for (uint32_t i = 0; i < piece->tiles; i++) {
        piece->tasks[i].rows = i + 1 == piece->tiles ? kRows : ORR_TILE_ROWS;
        key_of(piece->segment, i, &piece->tasks[i].key);
    }
}

int back(void *context, orr_piece *piece, orr_worker *) {
    Job *job = (Job *)context;
    Piece *p = (Piece *)piece->file;
    if (piece->backend_status != ORR_OK) job->seen = piece->backend_status;
    if (job->in_order) {
        std::unique_lock<std::mutex> held(job->lock);
        if (!job->changed.wait_for(held, std::chrono::seconds(20),
                                   [&] { return job->turn == piece->segment || job->late; }))
            job->late = true;
        job->turn++;
        job->changed.notify_all();
    }
    const uint8_t *result = piece->through ? piece->in : piece->out;
    if (piece->bytes) p->result.assign(result, result + piece->bytes);
    job->in_flight--;
    p->backs++;
    return 0;
}

const orr_stream_ops kOps = {next_piece, nullptr, front, back, nullptr, nullptr};

void expect_ciphered(const Job &job, size_t n) {
    const Piece &p = job.pieces[n];
    const orr_cipher *cipher = n % 5 == 4 ? &job.other : &job.cipher;
    size_t at = 0;
    for (uint32_t i = 0; i < p.tiles; i++) {
        uint32_t rows = i + 1 == p.tiles ? kRows : ORR_TILE_ROWS;
        std::vector<uint8_t> tile(rows * ORR_TILE_ROW_BYTES), expected(tile.size());
        for (size_t b = 0; b < tile.size(); b++) tile[b] = byte_of(n, at + b);
        orr_tile_key key;
        key_of(n, i, &key);
        orr_tile_encrypt_portable(cipher, &key, rows, tile.data(), expected.data());
        ASSERT_EQ(0, memcmp(expected.data(), p.result.data() + at, tile.size()))
            << "piece " << n << " tile " << i;
        at += tile.size();
    }
}

orr_status run(Job *job, orr_backend *backend, unsigned workers, unsigned chunk_tiles,
               unsigned chunks) {
    orr_stream_config config = {backend, workers, chunk_tiles, chunks, 0, nullptr};
    orr_error error = {};
    return orr_stream_run(&config, &kOps, job, &error);
}

class Stream : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(ORR_OK, orr_cpu_backend_open(2, ORR_SIMD_BEST, &backend, nullptr));
    }
    void TearDown() override { backend->api->close(backend); }
    orr_backend *backend = nullptr;
};

TEST_F(Stream, EveryPieceOnceAndCiphered) {
    uint64_t seed = test_seed();
    for (unsigned workers : {1u, 2u, 7u})
        for (unsigned chunks : {2u, 5u}) {
            Job job(60);
            uint64_t state = seed + workers * 10 + chunks;
            for (Piece &p : job.pieces) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                p.tiles = (state >> 40) % 4 == 0 ? 0 : 1 + (uint32_t)((state >> 33) % 3);
            }
            job.pieces[7].tiles = ORR_SEGMENT_TILES; // one that fills a chunk alone
            ASSERT_EQ(ORR_OK, run(&job, backend, workers, ORR_SEGMENT_TILES, chunks))
                << "seed " << seed;
            EXPECT_EQ(0, job.overlapping) << "next() is called by one thread at a time";
            for (size_t n = 0; n < job.pieces.size(); n++) {
                ASSERT_EQ(1, job.pieces[n].fronts) << n;
                ASSERT_EQ(1, job.pieces[n].backs) << n;
                expect_ciphered(job, n);
            }
        }
}

TEST_F(Stream, OrderedPiecesMayWaitForEachOther) {
    for (unsigned workers : {1u, 2u, 3u, 7u})
        for (unsigned chunks : {2u, 6u}) {
            Job job(40);
            job.in_order = true;
            for (size_t n = 0; n < job.pieces.size(); n++) // one to a chunk, and some together
                job.pieces[n].tiles = n % 8 < 4 ? ORR_SEGMENT_TILES / 2 + 1 : 2;
            ASSERT_EQ(ORR_OK, run(&job, backend, workers, ORR_SEGMENT_TILES, chunks));
            ASSERT_FALSE(job.late) << workers << " workers, " << chunks << " chunks";
            for (size_t n = 0; n < job.pieces.size(); n++) expect_ciphered(job, n);
        }
}

// The backend sees the tiles of the others alone, and of some batches none.
TEST_F(Stream, PiecesThatAreThroughAreLeftAlone) {
    for (unsigned workers : {1u, 3u}) {
        Job job(48);
        job.through = [](size_t n) { return n % 3 == 1 || (n >= 16 && n < 32); };
        for (size_t n = 0; n < job.pieces.size(); n++)
            job.pieces[n].tiles = 1 + (uint32_t)(n * 5 % 60);
        ASSERT_EQ(ORR_OK, run(&job, backend, workers, ORR_SEGMENT_TILES, 3));
        EXPECT_EQ(ORR_OK, job.seen);
        for (size_t n = 0; n < job.pieces.size(); n++) {
            const Piece &p = job.pieces[n];
            ASSERT_EQ(1, p.backs) << n;
            if (!job.through(n)) expect_ciphered(job, n);
            for (size_t i = 0; job.through(n) && i < p.result.size(); i++)
                ASSERT_EQ(byte_of(n, i), p.result[i]) << "piece " << n << " byte " << i;
        }
    }
}

TEST_F(Stream, NoWork) {
    Job job(0);
    EXPECT_EQ(ORR_OK, run(&job, backend, 3, ORR_SEGMENT_TILES, 2));
}

TEST_F(Stream, PiecesWithoutTilesOnly) {
    Job job(1000); // all tiles = 0: more than fit one chunk's piece list
    ASSERT_EQ(ORR_OK, run(&job, backend, 3, ORR_SEGMENT_TILES, 2));
    for (Piece &p : job.pieces) ASSERT_EQ(1, p.backs);
}

TEST_F(Stream, RingBoundsWhatIsInFlight) {
    Job job(40);
    for (Piece &p : job.pieces) p.tiles = ORR_SEGMENT_TILES / 2 + 1; // one to a chunk
    ASSERT_EQ(ORR_OK, run(&job, backend, 4, ORR_SEGMENT_TILES, 3));
    EXPECT_LE(job.most, 3 + 1) << "three chunks, and one piece planned ahead";
}

// A backend that looks at memory before it is wiped.
struct WatchingBackend {
    orr_backend base;
    orr_backend *cpu;
    std::map<void *, size_t> memory; // bytes by address
    size_t used = 0;
    bool more = false; // than was told has been written
};

// The ring is wiped as far as it was used, and what is not wiped was not used.
TEST_F(Stream, WhatWasUsedIsWiped) {
    static orr_backend_api api = *backend->api;
    WatchingBackend watching;
    watching.cpu = backend;
    api.properties = [](const orr_backend *b, orr_backend_properties *p) {
        orr_backend *cpu = ((const WatchingBackend *)b)->cpu;
        cpu->api->properties(cpu, p);
        p->separate_output = 1;
    };
    api.alloc = [](orr_backend *b, size_t n) {
        WatchingBackend *w = (WatchingBackend *)b;
        void *memory = w->cpu->api->alloc(w->cpu, n);
        w->memory[memory] = n;
        return memory;
    };
    api.free = [](orr_backend *b, void *memory, size_t n) {
        WatchingBackend *w = (WatchingBackend *)b;
        const uint8_t *byte = (const uint8_t *)memory;
        for (size_t i = n; i < w->memory[memory]; i++) w->more |= byte[i] != 0;
        w->used += n;
        w->cpu->api->free(w->cpu, memory, n);
    };
    api.submit = [](orr_backend *b, orr_batch *batch, orr_error *error) {
        orr_backend *cpu = ((WatchingBackend *)b)->cpu;
        return cpu->api->submit(cpu, batch, error);
    };
    api.wait = [](orr_backend *b, orr_batch *batch, orr_error *error) {
        orr_backend *cpu = ((WatchingBackend *)b)->cpu;
        return cpu->api->wait(cpu, batch, error);
    };
    watching.base.api = &api;
    Job small(2), large(40);
    for (Piece &p : small.pieces) p.tiles = 1;
    ASSERT_EQ(ORR_OK, run(&small, &watching.base, 2, ORR_SEGMENT_TILES, 5));
    EXPECT_FALSE(watching.more);
    EXPECT_EQ(watching.used, 2u * 2 * 2 * ORR_PAGE)
        << "two pieces, in and out, each a page for its head and one of tiles";
    for (size_t n = 0; n < large.pieces.size(); n++) large.pieces[n].tiles = 1 + n * 3;
    ASSERT_EQ(ORR_OK, run(&large, &watching.base, 2, ORR_SEGMENT_TILES, 3));
    EXPECT_FALSE(watching.more);
}

// A backend whose batches fail from the second on.
struct FailingBackend {
    orr_backend base;
    orr_backend *cpu;
    std::atomic<int> batches{0};
};

TEST_F(Stream, BackendFailureReachesEveryPiece) {
    static orr_backend_api api = *backend->api;
    FailingBackend failing;
    failing.cpu = backend;
    api.properties = [](const orr_backend *b, orr_backend_properties *p) {
        orr_backend *cpu = ((const FailingBackend *)b)->cpu;
        cpu->api->properties(cpu, p);
        p->separate_output = 1;
    };
    api.alloc = [](orr_backend *b, size_t n) {
        orr_backend *cpu = ((FailingBackend *)b)->cpu;
        return cpu->api->alloc(cpu, n);
    };
    api.free = [](orr_backend *b, void *memory, size_t n) {
        orr_backend *cpu = ((FailingBackend *)b)->cpu;
        cpu->api->free(cpu, memory, n);
    };
    api.submit = [](orr_backend *b, orr_batch *batch, orr_error *error) {
        FailingBackend *f = (FailingBackend *)b;
        if (f->batches++) return orr_fail(error, ORR_SELF_TEST, "injected");
        return f->cpu->api->submit(f->cpu, batch, error);
    };
    api.wait = [](orr_backend *b, orr_batch *batch, orr_error *error) {
        orr_backend *cpu = ((FailingBackend *)b)->cpu;
        return cpu->api->wait(cpu, batch, error);
    };
    failing.base.api = &api;
    Job job(8);
    for (Piece &p : job.pieces) p.tiles = ORR_SEGMENT_TILES;
    ASSERT_EQ(ORR_OK, run(&job, &failing.base, 2, ORR_SEGMENT_TILES, 3));
    EXPECT_EQ(ORR_SELF_TEST, job.seen);
    for (Piece &p : job.pieces) EXPECT_EQ(1, p.backs);
    EXPECT_EQ(8, failing.batches);
}

} // namespace
