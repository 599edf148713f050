// The backend seam and the CPU thread pool behind it.
#include <array>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/map.h"
#include "tests/support/random.h"
#include "tests/support/reference.h"

namespace {

// A CPU backend that closes itself.
struct Backend {
    orr_backend *handle = nullptr;
    explicit Backend(unsigned threads, orr_simd level = ORR_SIMD_BEST) {
        orr_error error;
        EXPECT_EQ(orr_cpu_backend_open(threads, level, &handle, &error), ORR_OK);
    }
    ~Backend() {
        if (handle) handle->api->close(handle);
    }
    const orr_backend_api *operator->() const { return handle->api; }
};

orr_cipher cipher_of(uint32_t rule) {
    orr_cipher cipher;
    orr_error error;
    EXPECT_EQ(orr_cipher_init(&cipher, rule, ORR_MAP_K2_DEFAULT, &error), ORR_OK);
    return cipher;
}

orr_tile_key random_key() {
    orr_tile_key key;
    for (uint64_t &state : key.state) state = test_random()();
    return key;
}

// A batch of tiles of random heights with gaps between them that nobody may touch.
struct Tiles {
    Backend &backend;
    std::vector<orr_tile_task> tasks;
    size_t bytes = 0;
    uint8_t *in, *out;
    orr_batch batch = {};
    Tiles(Backend &owner, size_t count, orr_tile_op op, const orr_cipher *cipher,
          const orr_cipher *new_cipher)
        : backend(owner) {
        for (size_t n = 0; n < count; n++) {
            uint32_t rows = 1 + test_random()() % 128;
            tasks.push_back({bytes, rows, random_key(), random_key()});
            bytes += 384 * rows + 16 * (test_random()() % 3);
        }
        in = static_cast<uint8_t *>(backend->alloc(backend.handle, bytes));
        out = static_cast<uint8_t *>(backend->alloc(backend.handle, bytes));
        std::vector<uint8_t> data = random_bytes(bytes);
        if (bytes) std::memcpy(in, data.data(), bytes);
        batch = {op, cipher, new_cipher, in, out, bytes, tasks.data(), count, nullptr};
    }
    ~Tiles() {
        backend->free(backend.handle, in, bytes);
        backend->free(backend.handle, out, bytes);
    }
    std::vector<uint8_t> expected() const {
        std::vector<uint8_t> result(bytes);
        for (const orr_tile_task &task : tasks) {
            const uint8_t *from = in + task.offset;
            uint8_t *to = result.data() + task.offset;
            if (batch.op == ORR_TILE_ENCRYPT) {
                orr_tile_encrypt_portable(batch.cipher, &task.key, task.rows, from, to);
                continue;
            }
            orr_tile_decrypt_portable(batch.cipher, &task.key, task.rows, from, to);
            if (batch.op == ORR_TILE_REENCRYPT)
                orr_tile_encrypt_portable(batch.new_cipher, &task.new_key, task.rows, to, to);
        }
        return result;
    }
};

TEST(Backend, SelfTestPassesAtEveryLevel) {
    for (orr_simd level = ORR_SIMD_BEST; level < orr_simd_count(); level++) {
        Backend backend(2, level);
        orr_error error = {};
        EXPECT_EQ(orr_backend_self_test(backend.handle, &error), ORR_OK) << error.text;
    }
}

// A device that flips one bit of one tile must not pass.
struct FaultyBackend {
    orr_backend base;
    orr_backend *real;
    orr_backend_api api;
    orr_tile_op broken;
};

TEST(Backend, SelfTestCatchesOneWrongBit) {
    Backend real(1);
    for (orr_tile_op op : {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT}) {
        FaultyBackend faulty = {{&faulty.api}, real.handle, *real.handle->api, op};
        faulty.api.properties = [](const orr_backend *b, orr_backend_properties *p) {
            const orr_backend *r = reinterpret_cast<const FaultyBackend *>(b)->real;
            r->api->properties(r, p);
        };
        faulty.api.submit = [](orr_backend *b, orr_batch *batch, orr_error *error) {
            orr_backend *r = reinterpret_cast<FaultyBackend *>(b)->real;
            return r->api->submit(r, batch, error);
        };
        faulty.api.wait = [](orr_backend *b, orr_batch *batch, orr_error *error) {
            auto *self = reinterpret_cast<FaultyBackend *>(b);
            orr_status status = self->real->api->wait(self->real, batch, error);
            if (batch->op == self->broken) batch->out[batch->bytes - 1] ^= 0x10;
            return status;
        };
        orr_error error = {};
        EXPECT_EQ(orr_backend_self_test(&faulty.base, &error), ORR_SELF_TEST);
        EXPECT_NE(std::string(error.text).find("wrong byte"), std::string::npos) << error.text;
    }
}

TEST(Backend, BatchesInFlightGiveTheSameBytesAsOneTileAtATime) {
    orr_cipher cipher = cipher_of(ORR_RULE_DEFAULT), other = cipher_of(4711);
    for (unsigned threads : {1u, 2u, 7u}) {
        Backend backend(threads);
        std::vector<Tiles *> flight;
        for (size_t count : {0, 1, 5, 33})
            for (orr_tile_op op : {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT})
                flight.push_back(new Tiles(backend, count, op, &cipher, &other));
        orr_error error = {};
        for (Tiles *tiles : flight)
            ASSERT_EQ(backend->submit(backend.handle, &tiles->batch, &error), ORR_OK) << error.text;
        for (size_t n = flight.size(); n-- > 0;) { // waiting in another order than submitting
            ASSERT_EQ(backend->wait(backend.handle, &flight[n]->batch, &error), ORR_OK);
            EXPECT_TRUE(std::vector<uint8_t>(flight[n]->out, flight[n]->out + flight[n]->bytes) ==
                        flight[n]->expected());
        }
        for (Tiles *tiles : flight) delete tiles;
    }
}

TEST(Backend, ThreadsMayShareOneBackend) {
    orr_cipher cipher = cipher_of(ORR_RULE_DEFAULT);
    Backend backend(3);
    std::vector<Tiles *> work;
    for (int n = 0; n < 24; n++)
        work.push_back(new Tiles(backend, 3, ORR_TILE_ENCRYPT, &cipher, nullptr));
    std::vector<std::thread> callers;
    for (size_t caller = 0; caller < 4; caller++)
        callers.emplace_back([&, caller] {
            for (size_t n = caller; n < work.size(); n += 4) {
                EXPECT_EQ(backend->submit(backend.handle, &work[n]->batch, nullptr), ORR_OK);
                EXPECT_EQ(backend->wait(backend.handle, &work[n]->batch, nullptr), ORR_OK);
            }
        });
    for (std::thread &caller : callers) caller.join();
    for (Tiles *tiles : work) {
        EXPECT_TRUE(std::vector<uint8_t>(tiles->out, tiles->out + tiles->bytes) ==
                    tiles->expected());
        delete tiles;
    }
}

TEST(Backend, InPlace) {
    orr_cipher cipher = cipher_of(ORR_RULE_DEFAULT), other = cipher_of(1);
    Backend backend(2);
    for (orr_tile_op op : {ORR_TILE_ENCRYPT, ORR_TILE_DECRYPT, ORR_TILE_REENCRYPT}) {
        Tiles tiles(backend, 6, op, &cipher, &other);
        std::vector<uint8_t> expected = tiles.expected();
        std::vector<uint8_t> before(tiles.in, tiles.in + tiles.bytes);
        tiles.batch.out = tiles.in;
        ASSERT_EQ(backend->submit(backend.handle, &tiles.batch, nullptr), ORR_OK);
        ASSERT_EQ(backend->wait(backend.handle, &tiles.batch, nullptr), ORR_OK);
        size_t end = 0;
        for (const orr_tile_task &task : tiles.tasks) {
            for (; end < task.offset; end++) ASSERT_EQ(tiles.in[end], before[end]) << "gap touched";
            end = task.offset + 384 * task.rows;
            ASSERT_EQ(0, std::memcmp(tiles.in + task.offset, expected.data() + task.offset,
                                     384 * task.rows));
        }
    }
}

TEST(Backend, RefusesBatchesThatDoNotFit) {
    orr_cipher cipher = cipher_of(ORR_RULE_DEFAULT);
    Backend backend(1);
    orr_error error = {};
    auto submit = [&](size_t offset, uint32_t rows, orr_tile_op op) {
        Tiles tiles(backend, 1, op, &cipher, nullptr);
        tiles.tasks[0].offset = offset;
        tiles.tasks[0].rows = rows;
        tiles.batch.bytes = 384;
        return backend->submit(backend.handle, &tiles.batch, &error);
    };
    EXPECT_EQ(submit(0, 0, ORR_TILE_ENCRYPT), ORR_INTERNAL);
    EXPECT_EQ(submit(0, 129, ORR_TILE_ENCRYPT), ORR_INTERNAL);
    EXPECT_EQ(submit(0, 2, ORR_TILE_ENCRYPT), ORR_INTERNAL);
    EXPECT_EQ(submit(16, 1, ORR_TILE_ENCRYPT), ORR_INTERNAL);
    EXPECT_EQ(submit(SIZE_MAX - 15, 1, ORR_TILE_ENCRYPT), ORR_INTERNAL);
    EXPECT_EQ(submit(0, 1, ORR_TILE_REENCRYPT), ORR_INTERNAL) << "without a new cipher";
    EXPECT_EQ(submit(0, 1, static_cast<orr_tile_op>(9)), ORR_INTERNAL);
    orr_batch never = {};
    EXPECT_EQ(backend->wait(backend.handle, &never, &error), ORR_INTERNAL);
}

TEST(Backend, PropertiesAndMemory) {
    Backend backend(2, ORR_SIMD_PORTABLE);
    orr_backend_properties properties;
    backend->properties(backend.handle, &properties);
    EXPECT_STREQ(properties.name, "cpu portable, 2 threads");
    EXPECT_EQ(properties.threads, 2u);
    EXPECT_EQ(properties.depth, 2u);
    EXPECT_EQ(backend->abi, static_cast<uint32_t>(ORR_BACKEND_ABI));
    auto *memory = static_cast<uint8_t *>(backend->alloc(backend.handle, 1 << 20));
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
    for (int n = 0; n < 1 << 20; n++) ASSERT_EQ(memory[n], 0);
    backend->free(backend.handle, memory, 1 << 20);
    backend->free(backend.handle, nullptr, 0);
    Backend automatic(0);
    automatic->properties(automatic.handle, &properties);
    EXPECT_GE(properties.threads, 1u);
}

} // namespace
