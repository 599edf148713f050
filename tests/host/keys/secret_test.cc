// File secrets and keyring bytes against values from an independent implementation
// (tests/oracles/secret_oracle.py), and what a draw must look like.
#include <map>
#include <set>

#include "host/keys/secret.h"
#include "tests/support/keyring_fixture.h"
#include "tests/support/vectors.h"

namespace {

TEST(SecretVectors, PlanetSecret) {
    auto cases = vectors("secret.txt", "secret");
    ASSERT_EQ(cases.size(), 4u);
    for (const auto &c : cases) {
        orr_decoy decoy{{strtoull(c[0].c_str(), nullptr, 10), strtoull(c[1].c_str(), nullptr, 10),
                         strtoull(c[2].c_str(), nullptr, 10)}};
        std::string timestamp = c[3] + " " + c[4];
        ASSERT_EQ(timestamp.size(), 19u);
        Bytes out(64);
        ASSERT_EQ(orr_planet_secret(&decoy, timestamp.c_str(), unhex(c[5]).data(), out.data()),
                  ORR_OK);
        EXPECT_EQ(out, unhex(c[6]));
    }
}

TEST(SecretVectors, KeyId) {
    auto cases = vectors("secret.txt", "id");
    ASSERT_EQ(cases.size(), 3u);
    for (const auto &c : cases) {
        Bytes id(16);
        ASSERT_EQ(orr_master_key_id(unhex(c[0]).data(), id.data(), nullptr), ORR_OK);
        EXPECT_EQ(id, unhex(c[1]));
    }
}

TEST(SecretVectors, Pair) {
    auto cases = vectors("secret.txt", "pair");
    ASSERT_EQ(cases.size(), 3u);
    for (const auto &c : cases) {
        orr_master_key key{};
        memcpy(key.key, unhex(c[0]).data(), 32);
        ASSERT_EQ(orr_master_key_pair(&key, nullptr), ORR_OK);
        EXPECT_EQ(Bytes(key.x25519_private, key.x25519_private + 32), unhex(c[1]));
        EXPECT_EQ(Bytes(key.x25519_public, key.x25519_public + 32), unhex(c[2]));
    }
}

orr_passphrase Code(const Bytes &bytes) {
    orr_passphrase code{};
    memcpy(code.bytes, bytes.data(), ORR_CODE_BYTES);
    code.length = ORR_CODE_BYTES;
    code.present = code.is_code = 1;
    return code;
}

TEST(SecretVectors, RecoveryCode) {
    auto cases = vectors("secret.txt", "code");
    ASSERT_EQ(cases.size(), 3u);
    for (const auto &c : cases) {
        char text[ORR_CODE_TEXT];
        orr_error error{};
        orr_passphrase code = Code(unhex(c[0]));
        ASSERT_EQ(orr_code_text(&code, text, nullptr), ORR_OK);
        EXPECT_EQ(text, c[1]);
        orr_passphrase line = Pass(text);
        ASSERT_EQ(orr_code_take(&line, "k", &error), ORR_OK) << error.text;
        EXPECT_EQ(memcmp(&line, &code, sizeof code), 0);
    }
}

void ExpectVector(const orr_keyring &ring) {
    auto ids = vectors("secret.txt", "id"), pairs = vectors("secret.txt", "pair");
    ASSERT_EQ(ring.key_count, 3u);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(Bytes(ring.keys[i].id, ring.keys[i].id + 16), unhex(ids[i][1]));
        EXPECT_EQ(Bytes(ring.keys[i].key, ring.keys[i].key + 32),
                  i == 2 ? Bytes(32) : unhex(ids[i][0]));
        EXPECT_EQ(Bytes(ring.keys[i].x25519_private, ring.keys[i].x25519_private + 32),
                  i == 2 ? Bytes(32) : unhex(pairs[i][1]));
    }
    EXPECT_EQ(ring.keys[0].state, ORR_KEY_DECRYPT_ONLY);
    EXPECT_EQ(ring.keys[1].state, ORR_KEY_ACTIVE);
    EXPECT_EQ(ring.keys[2].state, ORR_KEY_DESTROYED);
    EXPECT_STREQ(ring.keys[0].label, "Röntgen 2023");
    EXPECT_EQ(ring.keys[1].created, 1732406400);
    EXPECT_EQ(ring.keys[2].created, -1);
    ASSERT_EQ(ring.decoy_count, 2u);
    EXPECT_EQ(ring.decoys[0].sum[1], 255ull << 26);
    EXPECT_EQ(ring.decoys[1].sum[2], 3u);
}

TEST(SecretVectors, KeyringFile) {
    auto cases = vectors("secret.txt", "keyring");
    ASSERT_EQ(cases.size(), 7u);
    for (const auto &c : cases) {
        Ring ring;
        orr_error error{};
        orr_passphrase given{};
        Bytes text = unhex(c[1]), file = unhex(c[2]);
        if (c[0] == "passphrase") given = Pass(std::string(text.begin(), text.end()));
        if (c[0] == "code") given = Code(text);
        ASSERT_EQ(orr_keyring_open(&ring, file.data(), file.size(), &given, "k", &error), ORR_OK)
            << error.text;
        ExpectVector(ring);
        EXPECT_EQ(orr_unlock_type_name(ring.unlocks[ring.opened].type),
                  c[0] == "code" ? "recovery-code" : c[0]);
        EXPECT_EQ(ring.unlocks[0].created, 1700000000);
        // What this program writes of it, it opens.
        uint8_t *again = nullptr;
        size_t bytes = 0;
        ASSERT_EQ(orr_keyring_seal(&ring, "k", &again, &bytes, &error), ORR_OK) << error.text;
        EXPECT_EQ(bytes, file.size());
        Ring back;
        EXPECT_EQ(orr_keyring_open(&back, again, bytes, &given, "k", &error), ORR_OK) << error.text;
        free(again);
    }
    Ring ring;
    orr_error error{};
    Bytes both = unhex(cases[2][2]);
    orr_passphrase given = Code(unhex(cases[2][1]));
    ASSERT_EQ(orr_keyring_open(&ring, both.data(), both.size(), &given, "k", &error), ORR_OK);
    ASSERT_EQ(ring.unlock_count, 3u);
    EXPECT_STREQ(ring.unlocks[0].label, "night shift");
}

TEST(SecretVectors, KeyringFileOfVersion1) {
    auto cases = vectors("secret.txt", "keyring1");
    ASSERT_EQ(cases.size(), 3u);
    for (const auto &c : cases) {
        Ring ring;
        orr_error error{};
        orr_passphrase given{};
        Bytes text = unhex(c[0]), file = unhex(c[1]);
        if (!text.empty()) given = Pass(std::string(text.begin(), text.end()));
        ASSERT_EQ(orr_keyring_v1_open(&ring, file.data(), file.size(), &given, "k", &error), ORR_OK)
            << error.text;
        ExpectVector(ring);
        EXPECT_EQ(Bytes(ring.keys[2].x25519_public, ring.keys[2].x25519_public + 32), Bytes(32));
        Ring refused;
        EXPECT_EQ(orr_keyring_open(&refused, file.data(), file.size(), &given, "k", &error),
                  ORR_UNSUPPORTED);
        EXPECT_NE(strstr(error.text, "keyring convert"), nullptr);
    }
}

class DrawTest : public ::testing::Test {
  protected:
    void SetUp() override { Fill(&ring); }
    orr_status Draw(int64_t now) {
        return orr_file_secret_new(&ring, now, &secret, timestamp, &error);
    }
    Ring ring;
    orr_file_secret secret{};
    char timestamp[20] = {};
    orr_error error{};
};

TEST_F(DrawTest, Timestamps) {
    const struct {
        int64_t now;
        const char *text;
    } cases[] = {{0, "01-01-1970 00:00:00"},
                 {-1, "31-12-1969 23:59:59"},
                 {951782400, "29-02-2000 00:00:00"},
                 {1732453509, "24-11-2024 13:05:09"},
                 {253402300799, "31-12-9999 23:59:59"}};
    setenv("TZ", "America/New_York", 1); // UTC all the same
    for (const auto &c : cases) {
        ASSERT_EQ(Draw(c.now), ORR_OK) << error.text;
        EXPECT_STREQ(timestamp, c.text);
    }
    for (int64_t bad : {INT64_C(253402300800), INT64_MAX, INT64_MIN}) {
        memset(&secret, 1, sizeof secret);
        EXPECT_EQ(Draw(bad), ORR_UNSUPPORTED);
        EXPECT_EQ(Bytes(secret.seal_root, secret.seal_root + 32), Bytes(32)) << "not wiped";
    }
}

TEST_F(DrawTest, NeedsADecoy) {
    size_t count = ring.decoy_count;
    ring.decoy_count = 0;
    EXPECT_EQ(Draw(0), ORR_KEY);
    EXPECT_NE(strstr(error.text, "decoy"), nullptr);
    ring.decoy_count = count;
}

TEST_F(DrawTest, NothingComesTwice) {
    std::set<Bytes> roots, planets;
    for (int i = 0; i < 2000; i++) {
        ASSERT_EQ(Draw(0), ORR_OK);
        roots.emplace(secret.seal_root, secret.seal_root + 32);
        planets.emplace(secret.planet_secret, secret.planet_secret + 64);
    }
    EXPECT_EQ(roots.size(), 2000u);
    EXPECT_EQ(planets.size(), 2000u);
    EXPECT_EQ(planets.count(Bytes(64)), 0u);
}

} // namespace
