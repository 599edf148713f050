// What the lines of tests/vectors/container.txt share: one secret, one header, two master keys.
#ifndef ORRERY_TESTS_SUPPORT_GOLDEN_H
#define ORRERY_TESTS_SUPPORT_GOLDEN_H

#include <cstring>

#include <gtest/gtest.h>

#include "host/container/format.h"
#include "tests/support/vectors.h"

inline uint64_t number(const std::string &text) {
    return std::stoull(text);
}

inline orr_file_secret golden_secret() {
    Bytes bytes = unhex(vectors("container.txt", "keys")[0][0]);
    orr_file_secret secret;
    EXPECT_EQ(bytes.size(), sizeof secret);
    memcpy(&secret, bytes.data(), sizeof secret);
    return secret;
}

inline Bytes golden_header() {
    return unhex(vectors("container.txt", "keys")[0][1]);
}

inline orr_file_keys golden_keys() {
    orr_file_secret secret = golden_secret();
    orr_file_keys keys;
    orr_error error = {};
    EXPECT_EQ(orr_file_keys_derive(&keys, &secret, golden_header().data(), &error), ORR_OK)
        << error.text;
    return keys;
}

// One of the two keys: all that a keyring has of it, and what others know.
struct GoldenKey {
    Bytes master, id, x25519, x25519_public;
    explicit GoldenKey(size_t n) {
        auto v = vectors("container.txt", "master").at(n);
        master = unhex(v[0]), id = unhex(v[1]), x25519 = unhex(v[2]), x25519_public = unhex(v[3]);
    }
    orr_wrap_key reader(orr_wrap_type type) const {
        orr_wrap_key key = {};
        key.type = type;
        memcpy(key.key_id, id.data(), sizeof key.key_id);
        memcpy(key.key, (type == ORR_WRAP_MASTER ? master : x25519_public).data(), 32);
        return key;
    }
    orr_unwrap_key opener() const {
        orr_unwrap_key key = {};
        memcpy(key.master, master.data(), 32);
        memcpy(key.x25519, x25519.data(), 32);
        return key;
    }
};

inline const GoldenKey &golden_key(size_t n) {
    static const GoldenKey keys[] = {GoldenKey(0), GoldenKey(1)};
    return keys[n];
}

#endif
