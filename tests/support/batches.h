// Batches of random tiles for tests of backends, with the bytes that the portable path makes.
#ifndef ORRERY_TESTS_SUPPORT_BATCHES_H
#define ORRERY_TESTS_SUPPORT_BATCHES_H

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/map.h"
#include "tests/support/random.h"

inline orr_cipher test_cipher(uint32_t rule) {
    orr_cipher cipher;
    orr_error error;
    EXPECT_EQ(orr_cipher_init(&cipher, rule, ORR_MAP_K2_DEFAULT, &error), ORR_OK);
    return cipher;
}

// Tiles of random heights `least`..`most`, with gaps between them that nobody may touch.
struct RandomBatch {
    orr_backend *backend;
    orr_cipher cipher, new_cipher;
    std::vector<orr_tile_task> tasks;
    size_t bytes = 0;
    uint8_t *in, *out;
    orr_batch batch;

    RandomBatch(orr_backend *owner, size_t count, orr_tile_op op, uint32_t most = 128,
                uint32_t rule = ORR_RULE_DEFAULT, uint32_t new_rule = ORR_RULE_DEFAULT,
                uint32_t least = 1)
        : backend(owner), cipher(test_cipher(rule)), new_cipher(test_cipher(new_rule)) {
        for (size_t n = 0; n < count; n++) {
            orr_tile_task task = {
                bytes, static_cast<uint32_t>(least + test_random()() % (most - least + 1)), {}, {}};
            for (uint64_t &state : task.key.state) state = test_random()();
            for (uint64_t &state : task.new_key.state) state = test_random()();
            tasks.push_back(task);
            bytes += 384 * task.rows + 16 * (test_random()() % 3);
        }
        in = static_cast<uint8_t *>(backend->api->alloc(backend, bytes));
        out = static_cast<uint8_t *>(backend->api->alloc(backend, bytes));
        std::vector<uint8_t> data = random_bytes(bytes);
        if (bytes) std::memcpy(in, data.data(), bytes);
        std::memset(out, 0xee, bytes);
        batch = {op, &cipher, &new_cipher, in, out, bytes, tasks.data(), count, nullptr};
    }
    ~RandomBatch() {
        backend->api->free(backend, in, bytes);
        backend->api->free(backend, out, bytes);
    }
    RandomBatch(const RandomBatch &) = delete;
    RandomBatch &operator=(const RandomBatch &) = delete;

    orr_status submit(orr_error *error = nullptr) {
        return backend->api->submit(backend, &batch, error);
    }
    orr_status wait(orr_error *error = nullptr) {
        return backend->api->wait(backend, &batch, error);
    }
    orr_status run(orr_error *error = nullptr) {
        orr_status status = submit(error);
        return status == ORR_OK ? wait(error) : status;
    }

    std::vector<uint8_t> expected() const {
        std::vector<uint8_t> result(bytes, 0xee);
        for (const orr_tile_task &task : tasks) {
            const uint8_t *from = in + task.offset;
            uint8_t *to = result.data() + task.offset;
            if (batch.op == ORR_TILE_ENCRYPT) {
                orr_tile_encrypt_portable(&cipher, &task.key, task.rows, from, to);
                continue;
            }
            orr_tile_decrypt_portable(&cipher, &task.key, task.rows, from, to);
            if (batch.op == ORR_TILE_REENCRYPT)
                orr_tile_encrypt_portable(&new_cipher, &task.new_key, task.rows, to, to);
        }
        return result;
    }
    bool right() const {
        std::vector<uint8_t> wanted = expected();
        return bytes == 0 || std::memcmp(wanted.data(), out, bytes) == 0;
    }
};

#endif
