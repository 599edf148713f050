// A keyring in a directory of its own, for the tests of keys and files.
#ifndef ORRERY_TESTS_SUPPORT_KEYRING_FIXTURE_H
#define ORRERY_TESTS_SUPPORT_KEYRING_FIXTURE_H

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "host/keys/keyring.h"
#include "host/keys/keyring_codec.h"
#include "host/keys/unlock.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"

using Bytes = std::vector<uint8_t>;

inline orr_passphrase Pass(const std::string &text) {
    orr_passphrase p{};
    memcpy(p.bytes, text.data(), text.size());
    p.length = text.size();
    p.present = 1;
    return p;
}

struct Ring : orr_keyring {
    Ring() : orr_keyring{} {}
    ~Ring() { orr_keyring_free(this); }
    Ring(const Ring &) = delete;
    Ring &operator=(const Ring &) = delete;
};

inline void Fill(Ring *ring, const char *label = "first") {
    orr_error error{};
    ASSERT_EQ(orr_keyring_init(ring, label, &error), ORR_OK) << error.text;
    ring->log2_n = 10; // keeps the tests quick
    for (uint64_t i = 0; i < 40; i++) {
        orr_decoy decoy{{1000 + i, 2000 + i, 3000 + i}};
        ASSERT_EQ(orr_keyring_add_decoy(ring, &decoy, &error), ORR_OK);
    }
    memset(ring->generator_hash, 0x5a, 32);
}

inline void ExpectSame(const orr_keyring &a, const orr_keyring &b) {
    ASSERT_EQ(a.key_count, b.key_count);
    ASSERT_EQ(a.decoy_count, b.decoy_count);
    for (size_t i = 0; i < a.key_count; i++) {
        EXPECT_EQ(memcmp(a.keys[i].id, b.keys[i].id, ORR_KEY_ID_BYTES), 0);
        EXPECT_EQ(memcmp(a.keys[i].key, b.keys[i].key, 32), 0);
        EXPECT_EQ(a.keys[i].state, b.keys[i].state);
        EXPECT_EQ(a.keys[i].created, b.keys[i].created);
        EXPECT_STREQ(a.keys[i].label, b.keys[i].label);
        EXPECT_EQ(memcmp(a.keys[i].x25519_private, b.keys[i].x25519_private, 64), 0);
    }
    for (size_t i = 0; i < a.decoy_count; i++)
        EXPECT_EQ(memcmp(&a.decoys[i], &b.decoys[i], sizeof *a.decoys), 0);
    EXPECT_EQ(memcmp(a.generator_hash, b.generator_hash, 32), 0);
}

// A keyring with this one way in (absent: none) in the place of those that it has.
inline orr_status Give(orr_keyring *ring, const orr_passphrase *way) {
    orr_error error{};
    ring->unlock_count = 0;
    return orr_keyring_add_unlock(ring, way, "", &error);
}

// orr_keyring_create with this one way in.
inline orr_status Create(orr_keyring *ring, const std::string &path, const orr_passphrase *way,
                         orr_error *error) {
    orr_status status = Give(ring, way);
    return status == ORR_OK ? orr_keyring_create(ring, path.c_str(), error) : status;
}

inline Bytes ReadFile(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

inline void WriteFile(const std::string &path, const Bytes &bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char *>(bytes.data()), static_cast<long>(bytes.size()));
}

class KeyringTest : public ::testing::Test {
  protected:
    unsigned Mode(const std::string &name) {
        struct stat info {};
        EXPECT_EQ(lstat(name.c_str(), &info), 0) << name;
        return info.st_mode & 07777;
    }
    Bytes Sealed(const orr_passphrase *passphrase) {
        Ring ring;
        Fill(&ring);
        uint8_t *file = nullptr;
        size_t bytes = 0;
        EXPECT_EQ(Give(&ring, passphrase), ORR_OK);
        EXPECT_EQ(orr_keyring_seal(&ring, "k", &file, &bytes, &error), ORR_OK) << error.text;
        Bytes out(file, file + bytes);
        free(file);
        return out;
    }
    static orr_status Open(const Bytes &bytes, const orr_passphrase *passphrase) {
        // An exact heap copy, so that a sanitizer sees any read past the end.
        Bytes copy(bytes);
        copy.shrink_to_fit();
        Ring ring;
        orr_error error{};
        orr_status status =
            orr_keyring_open(&ring, copy.data(), copy.size(), passphrase, "k", &error);
        if (status != ORR_OK) {
            EXPECT_EQ(ring.keys, nullptr);
            EXPECT_EQ(error.status, status);
            EXPECT_GT(strlen(error.text), 5u);
        }
        return status;
    }

    Scratch scratch;
    std::string directory = scratch.path(), path = scratch.path("keyring");
    orr_passphrase pass = Pass("correct horse"), wrong = Pass("correct horsf"), none{};
    orr_error error{};
};

#endif
