// Random volumes for tests of backends, with the bytes that kernels/volume.c makes.
#ifndef ORRERY_TESTS_SUPPORT_VOLUMES_H
#define ORRERY_TESTS_SUPPORT_VOLUMES_H

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/fixed_trig.h"
#include "tests/support/random.h"

inline orr_volume_key random_volume_key() {
    orr_volume_key key;
    for (uint64_t &part : key.part) part = test_random()() % ORR_TEN15;
    return key;
}

inline std::string text_of(orr_volume_shape shape) {
    return std::to_string(shape.channels) + " x " + std::to_string(shape.rows) + " x " +
           std::to_string(shape.columns);
}

// One volume with random bytes and key; input and output are apart.
struct RandomVolume {
    orr_cipher cipher;
    orr_volume_task task = {};
    std::vector<uint8_t> in, out;

    RandomVolume(orr_volume_op op, orr_volume_shape shape, uint32_t rule = ORR_RULE_DEFAULT,
                 uint32_t k2 = ORR_MAP_K2_DEFAULT)
        : in(random_bytes(size_t{shape.channels} * shape.rows * shape.columns)),
          out(in.size(), 0xee) {
        orr_error error;
        EXPECT_EQ(orr_cipher_init(&cipher, rule, k2, &error), ORR_OK);
        task.op = op;
        task.cipher = &cipher;
        task.key = random_volume_key();
        task.shape = shape;
        task.in = in.data();
        task.out = out.data();
    }
    RandomVolume(const RandomVolume &) = delete;
    RandomVolume &operator=(const RandomVolume &) = delete;

    orr_status run(orr_backend *backend, orr_error *error = nullptr) {
        orr_status status = orr_volume_submit(backend, &task, error);
        return status == ORR_OK ? orr_volume_wait(backend, &task, error) : status;
    }
    std::vector<uint8_t> expected() const {
        std::vector<uint8_t> data = in;
        auto *function = task.op == ORR_VOLUME_ENCRYPT ? orr_volume_encrypt : orr_volume_decrypt;
        EXPECT_EQ(function(&cipher, &task.key, task.shape, data.data(), nullptr), ORR_OK);
        return data;
    }
    bool right() const { return out == expected(); }
    std::string name() const {
        return std::string(task.op == ORR_VOLUME_ENCRYPT ? "encrypt " : "decrypt ") +
               text_of(task.shape) + ", rule " + std::to_string(cipher.rule.number);
    }
};

inline orr_volume_shape random_shape(uint32_t most = 40) {
    auto side = [&] { return static_cast<uint32_t>(1 + test_random()() % most); };
    return {static_cast<uint32_t>(1 + test_random()() % 4), side(), side()};
}

inline uint32_t random_rule() {
    return static_cast<uint32_t>(1 + test_random()() % ORR_RULE_COUNT);
}

#endif
