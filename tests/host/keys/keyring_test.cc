// The keyring in memory: bytes, hostile files, states and limits.
#include <functional>

#include "tests/support/keyring_fixture.h"

namespace {

// ---- bytes

const size_t kHead = ORR_KEYRING_HEADER_BYTES + ORR_KEYRING_UNLOCK_BYTES; // with one unlock

TEST_F(KeyringTest, EveryFlippedByteIsRefused) {
    Bytes sealed = Sealed(&pass), clear = Sealed(&none);
    ASSERT_EQ(Open(sealed, &pass), ORR_OK);
    ASSERT_EQ(Open(clear, &none), ORR_OK);
    for (size_t at = 0; at < clear.size(); at++) {
        Bytes bad = clear;
        bad[at] ^= static_cast<uint8_t>(1u << test_random()() % 8);
        orr_status status = Open(bad, &none);
        EXPECT_TRUE(status == ORR_KEY || status == ORR_UNSUPPORTED || status == ORR_NOT_ORRERY)
            << "byte " << at << " status " << status;
    }
    // With scrypt behind each trial: the whole head, and every seventh byte after it.
    for (size_t at = 0; at < sealed.size(); at += at < kHead ? 1 : 7) {
        Bytes bad = sealed;
        bad[at] ^= static_cast<uint8_t>(1u << test_random()() % 8);
        EXPECT_NE(Open(bad, &pass), ORR_OK) << "byte " << at;
    }
}

TEST_F(KeyringTest, EveryTruncationAndGrowthIsRefused) {
    Bytes clear = Sealed(&none);
    for (size_t length = 0; length < clear.size(); length++) {
        orr_status status =
            Open(Bytes(clear.begin(), clear.begin() + static_cast<long>(length)), &none);
        EXPECT_EQ(status, length < 8 ? ORR_NOT_ORRERY : ORR_KEY) << length;
    }
    Bytes grown = clear;
    grown.push_back(0);
    EXPECT_EQ(Open(grown, &none), ORR_KEY);
}

// N * r * p is what a machine pays; 2^23, for one unlock or for all together, is about 4 s.
TEST_F(KeyringTest, HostileCostIsRefusedBeforeAnyWork) {
    Bytes sealed = Sealed(&pass);
    struct {
        uint32_t log2_n, r, p;
    } costs[] = {{0, 8, 1},           {25, 1, 1},          {24, 1, 1},          {20, 9, 1},
                 {17, 65, 1},         {10, 0, 1},          {10, 8, 0},          {10, 8, 5},
                 {0xffffffff, 8, 1},  {63, 8, 1},          {21, 8, 1},          {16, 1, 1},
                 {10, 0xffffffff, 1}, {10, 8, 0xffffffff}, {32, 0x80000000, 1}, {20, 8, 2},
                 {17, 32, 3}};
    for (auto &cost : costs) {
        Bytes bad = sealed;
        memcpy(&bad[ORR_KEYRING_HEADER_BYTES + 4], &cost, sizeof cost);
        EXPECT_EQ(Open(bad, &pass), ORR_UNSUPPORTED)
            << cost.log2_n << " " << cost.r << " " << cost.p;
        EXPECT_EQ(orr_unlock_cost_check(cost.log2_n, cost.r, cost.p, "k", &error), ORR_UNSUPPORTED);
    }
    EXPECT_EQ(orr_unlock_cost_check(20, 8, 1, "k", &error), ORR_OK);
    EXPECT_EQ(orr_unlock_cost_check(17, 64, 1, "k", &error), ORR_OK);
    Ring ring;
    Fill(&ring);
    ring.log2_n = 24;
    EXPECT_EQ(Create(&ring, path, &pass, &error), ORR_UNSUPPORTED);
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(KeyringTest, TheWorkOfAllUnlocksTogetherIsCapped) {
    orr_unlock unlocks[ORR_KEYRING_MAX_UNLOCKS]{};
    for (auto &unlock : unlocks) unlock = {ORR_UNLOCK_PASSPHRASE, 17, 8, 1, {}, {}, {}, 0, ""};
    EXPECT_EQ(orr_unlocks_check(unlocks, 8, "k", &error), ORR_OK); // eight of the default cost
    unlocks[3].log2_n = 18;
    EXPECT_EQ(orr_unlocks_check(unlocks, 8, "k", &error), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_unlocks_check(unlocks, 7, "k", &error), ORR_OK);
    unlocks[7] = {ORR_UNLOCK_CODE, 0, 0, 0, {}, {}, {}, 0, ""}; // costs nothing
    EXPECT_EQ(orr_unlocks_check(unlocks, 8, "k", &error), ORR_OK);
    // In a file: the second unlock's cost alone is fine.
    Ring ring;
    Fill(&ring);
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &pass, "", &error), ORR_OK);
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &wrong, "", &error), ORR_OK);
    uint8_t *file = nullptr;
    size_t bytes = 0;
    ASSERT_EQ(orr_keyring_seal(&ring, "k", &file, &bytes, &error), ORR_OK) << error.text;
    Bytes sealed(file, file + bytes);
    free(file);
    ASSERT_EQ(Open(sealed, &wrong), ORR_OK);
    sealed[ORR_KEYRING_HEADER_BYTES + 4] = 19;
    sealed[kHead + 4] = 20;
    EXPECT_EQ(Open(sealed, &pass), ORR_UNSUPPORTED);
    // A writer does not make what a reader refuses.
    ring.log2_n = 19;
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &pass, "", &error), ORR_OK) << error.text;
    ring.log2_n = 20;
    EXPECT_EQ(orr_keyring_add_unlock(&ring, &pass, "", &error), ORR_UNSUPPORTED);
}

TEST_F(KeyringTest, HostileHeadFields) {
    Bytes clear = Sealed(&none);
    auto with = [&](size_t at, uint32_t value, size_t bytes) {
        Bytes bad = clear;
        memcpy(&bad[at], &value, bytes);
        return Open(bad, &none);
    };
    const size_t unlock = ORR_KEYRING_HEADER_BYTES;
    EXPECT_EQ(with(8, 1, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(8, 3, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(8, 0, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(10, 0, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(10, 9, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(10, 0xffff, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(12, 0xffffffff, 4), ORR_UNSUPPORTED);
    EXPECT_EQ(with(12, ORR_KEYRING_MAX_PAYLOAD + 1, 4), ORR_UNSUPPORTED);
    EXPECT_EQ(with(12, 0, 4), ORR_UNSUPPORTED);
    EXPECT_EQ(with(12, 40 + 64 + 192, 4), ORR_KEY); // another length than the file's
    EXPECT_EQ(with(28, 1, 4), ORR_UNSUPPORTED);
    EXPECT_EQ(with(unlock, 0, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(unlock, 4, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(unlock + 2, 1, 2), ORR_UNSUPPORTED);
    EXPECT_EQ(with(unlock + 4, 10, 4), ORR_UNSUPPORTED); // a cost without scrypt
    EXPECT_EQ(with(unlock + 112, 1, 4), ORR_UNSUPPORTED);
    EXPECT_EQ(with(unlock + 124, 1u << 31, 4), ORR_UNSUPPORTED);
}

// A payload as an authenticated but foreign writer might make it.
class PayloadTest : public KeyringTest {
  protected:
    void SetUp() override {
        KeyringTest::SetUp();
        Fill(&ring);
        ASSERT_EQ(orr_keyring_add(&ring, "second", nullptr, &error), ORR_OK);
        payload.resize(40 + 64 + 2 * 192 + 40 * 24);
        payload[0] = 2;
        payload[4] = 40;
        for (int i = 0; i < 2; i++) {
            uint8_t *at = &payload[40 + 64 + 192 * i];
            memcpy(at, ring.keys[i].id, 16);
            memcpy(at + 16, ring.keys[i].key, 32);
            at[48] = static_cast<uint8_t>(ring.keys[i].state);
            memcpy(at + 64, ring.keys[i].label, strlen(ring.keys[i].label));
            memcpy(at + 128, ring.keys[i].x25519_private, 32);
            memcpy(at + 160, ring.keys[i].x25519_public, 32);
        }
    }
    orr_status Decode(const Bytes &bytes) {
        Ring out;
        out.unlock_count = 1;
        return orr_keyring_payload_decode(&out, bytes.data(), bytes.size(), "k", &error);
    }
    orr_status With(const std::function<void(Bytes &)> &edit) {
        Bytes bad = payload;
        edit(bad);
        return Decode(bad);
    }
    Ring ring;
    Bytes payload;
};

TEST_F(PayloadTest, EachFieldIsChecked) {
    ASSERT_EQ(Decode(payload), ORR_OK) << error.text;
    using B = Bytes;
    const int unlock = 40, key = 104, second = 296, decoys = 488;
    EXPECT_EQ(With([&](B &b) { b[0] = 0; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[0] = 1; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[1] = 2; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { memset(&b[0], 0xff, 8); }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[unlock] = 'n'; }), ORR_OK); // an unlock's label
    EXPECT_EQ(With([&](B &b) { b[unlock] = 0x1b; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[unlock + 63] = 'n'; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[key] ^= 1; }), ORR_UNSUPPORTED);      // ID of another key
    EXPECT_EQ(With([&](B &b) { b[key + 20] ^= 1; }), ORR_UNSUPPORTED); // key of another ID
    EXPECT_EQ(With([&](B &b) { b[key + 48] = 0; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[key + 48] = 4; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[key + 52] = 1; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[key + 48] = 3; }), ORR_UNSUPPORTED); // destroyed, bytes there
    EXPECT_EQ(With([&](B &b) { b[key + 48] = 3, memset(&b[key + 16], 0, 32); }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) {
                  b[key + 48] = 3, memset(&b[key + 16], 0, 32), memset(&b[key + 128], 0, 32);
              }),
              ORR_OK);                                                   // its public half may stay
    EXPECT_EQ(With([&](B &b) { b[second + 48] = 1; }), ORR_UNSUPPORTED); // two active keys
    EXPECT_NE(strstr(error.text, "active"), nullptr);
    EXPECT_EQ(With([&](B &b) { memcpy(&b[second], &b[key], 192), b[second + 48] = 2; }),
              ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "twice"), nullptr);
    EXPECT_EQ(With([&](B &b) { b[key + 127] = 'x'; }), ORR_UNSUPPORTED); // after the label's NUL
    EXPECT_EQ(With([&](B &b) { memset(&b[key + 64], 'x', 64); }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b[key + 64] = 0x1b; }), ORR_UNSUPPORTED); // escape sequences
    EXPECT_EQ(With([&](B &b) { b[key + 130] ^= 1; }), ORR_UNSUPPORTED);  // half of another pair
    EXPECT_EQ(With([&](B &b) { b[key + 170] ^= 1; }), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "X25519"), nullptr);
    EXPECT_EQ(With([&](B &b) { b[decoys + 7] = 1; }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b.pop_back(); }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b.push_back(0); }), ORR_UNSUPPORTED);
    EXPECT_EQ(With([&](B &b) { b.resize(10); }), ORR_UNSUPPORTED);
}

TEST_F(PayloadTest, RandomDamageNeverCrashes) {
    for (int round = 0; round < 20000; round++) {
        Bytes bad = payload;
        for (int n = 1 + static_cast<int>(test_random()() % 4); n; n--)
            bad[test_random()() % (round % 2 ? 300 : bad.size())] =
                static_cast<uint8_t>(test_random()());
        if (round % 3 == 0) bad.resize(test_random()() % bad.size());
        bad.shrink_to_fit();
        (void)Decode(bad);
    }
}

TEST(LabelTest, Utf8WithoutControls) {
    for (const char *good : {"", "a", "MRT Süd, 2026", "\u00a0", "\u4e2d\u6587", "\U0001F52D"})
        EXPECT_TRUE(orr_label_is_valid(good)) << good;
    for (const char *bad : {"a\n", "\x1b[2J", "\x7f", "\xc0\x80", "\xc2\x80", "\xc2\x9b",
                            "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\x80", "\xc3", "\xe2\x82",
                            "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf"})
        EXPECT_FALSE(orr_label_is_valid(bad)) << bad;
    EXPECT_TRUE(orr_label_is_valid(std::string(63, 'x').c_str()));
    EXPECT_FALSE(orr_label_is_valid(std::string(64, 'x').c_str()));
}

// ---- changes

TEST_F(KeyringTest, States) {
    Ring ring;
    uint8_t second[16], key[32];
    Fill(&ring);
    uint8_t first[16];
    memcpy(first, ring.keys[0].id, 16);
    ASSERT_EQ(orr_keyring_add(&ring, "second", second, &error), ORR_OK);
    const orr_master_key *active = nullptr;
    ASSERT_EQ(orr_keyring_active(&ring, &active, &error), ORR_OK);
    EXPECT_EQ(memcmp(active->id, first, 16), 0);
    EXPECT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_DESTROYED, &error), ORR_USAGE);
    EXPECT_EQ(ring.keys[0].state, ORR_KEY_ACTIVE);
    ASSERT_EQ(orr_keyring_set_state(&ring, second, ORR_KEY_ACTIVE, &error), ORR_OK);
    EXPECT_EQ(ring.keys[0].state, ORR_KEY_DECRYPT_ONLY);
    EXPECT_EQ(ring.keys[1].state, ORR_KEY_ACTIVE);
    ASSERT_EQ(orr_keyring_lookup(&ring, first, key, &error), ORR_OK);
    EXPECT_EQ(memcmp(key, ring.keys[0].key, 32), 0);
    ASSERT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_DESTROYED, &error), ORR_OK);
    EXPECT_EQ(Bytes(ring.keys[0].key, ring.keys[0].key + 32), Bytes(32, 0));
    EXPECT_EQ(Bytes(ring.keys[0].x25519_private, ring.keys[0].x25519_private + 32), Bytes(32, 0));
    EXPECT_NE(Bytes(ring.keys[0].x25519_public, ring.keys[0].x25519_public + 32), Bytes(32, 0));
    EXPECT_EQ(memcmp(ring.keys[0].id, first, 16), 0);
    EXPECT_EQ(orr_keyring_lookup(&ring, first, key, &error), ORR_KEY);
    EXPECT_NE(strstr(error.text, "destroyed"), nullptr);
    EXPECT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_ACTIVE, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_DECRYPT_ONLY, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_DESTROYED, &error), ORR_OK);
    ASSERT_EQ(orr_keyring_set_state(&ring, second, ORR_KEY_DECRYPT_ONLY, &error), ORR_OK);
    EXPECT_EQ(orr_keyring_active(&ring, &active, &error), ORR_KEY);
    uint8_t unknown[16] = {};
    EXPECT_EQ(orr_keyring_set_state(&ring, unknown, ORR_KEY_ACTIVE, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_lookup(&ring, unknown, key, &error), ORR_KEY);
    // The destroyed key survives a round trip as an ID.
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK) << error.text;
    Ring back;
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &none, &error), ORR_OK) << error.text;
    ExpectSame(ring, back);
    EXPECT_STREQ(orr_key_state_name(back.keys[0].state), "destroyed");
}

TEST_F(KeyringTest, FindByHex) {
    Ring ring;
    Fill(&ring);
    for (int i = 0; i < 2; i++) ASSERT_EQ(orr_keyring_add(&ring, "x", nullptr, &error), ORR_OK);
    // IDs that share 3 1/2 bytes.
    const uint8_t ids[3][4] = {
        {0xab, 0xcd, 0x12, 0x34}, {0xab, 0xcd, 0x12, 0x35}, {0x01, 0x23, 0x45, 0x67}};
    for (int i = 0; i < 3; i++) memcpy(ring.keys[i].id, ids[i], 4);
    const orr_master_key *key = nullptr;
    EXPECT_EQ(orr_keyring_find(&ring, "0123", &key, &error), ORR_OK);
    EXPECT_EQ(key, &ring.keys[2]);
    EXPECT_EQ(orr_keyring_find(&ring, "ABCD1235", &key, &error), ORR_OK);
    EXPECT_EQ(key, &ring.keys[1]);
    EXPECT_EQ(orr_keyring_find(&ring, "abcd123", &key, &error), ORR_KEY);
    EXPECT_EQ(key, nullptr);
    for (const char *bad :
         {"", "012", "01234", "0123x", "9999", "012345670123456701234567012345678"})
        EXPECT_EQ(orr_keyring_find(&ring, bad, &key, &error),
                  bad == std::string("01234") ? ORR_OK : ORR_KEY)
            << bad;
    std::string whole;
    for (uint8_t byte : ring.keys[0].id) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", byte);
        whole += hex;
    }
    EXPECT_EQ(orr_keyring_find(&ring, whole.c_str(), &key, &error), ORR_OK);
    EXPECT_EQ(key, &ring.keys[0]);
    // By label: "first" is one key's, "x" that of two. Digits may be a label too.
    EXPECT_EQ(orr_keyring_find(&ring, "first", &key, &error), ORR_OK);
    EXPECT_EQ(key, &ring.keys[0]);
    EXPECT_EQ(orr_keyring_find(&ring, "x", &key, &error), ORR_KEY);
    EXPECT_NE(strstr(error.text, "several"), nullptr) << error.text;
    strcpy(ring.keys[2].label, "abcd1234");
    EXPECT_EQ(orr_keyring_find(&ring, "abcd1234", &key, &error), ORR_KEY);
    strcpy(ring.keys[2].label, whole.c_str());
    EXPECT_EQ(orr_keyring_find(&ring, whole.c_str(), &key, &error), ORR_OK);
    EXPECT_EQ(key, &ring.keys[0]);
}

TEST_F(KeyringTest, LimitsOfKeysAndLabels) {
    Ring ring;
    Fill(&ring);
    EXPECT_EQ(orr_keyring_add(&ring, "bad\nlabel", nullptr, &error), ORR_USAGE);
    EXPECT_EQ(orr_keyring_add(&ring, std::string(64, 'x').c_str(), nullptr, &error), ORR_USAGE);
    while (ring.key_count < ORR_KEYRING_MAX_KEYS)
        ASSERT_EQ(orr_keyring_add(&ring, "", nullptr, &error), ORR_OK);
    EXPECT_EQ(orr_keyring_add(&ring, "", nullptr, &error), ORR_UNSUPPORTED);
    orr_decoy decoy{{255ull << 26, 1, 2}};
    while (ring.decoy_count < ORR_KEYRING_MAX_DECOYS)
        ASSERT_EQ(orr_keyring_add_decoy(&ring, &decoy, &error), ORR_OK);
    EXPECT_EQ(orr_keyring_add_decoy(&ring, &decoy, &error), ORR_UNSUPPORTED);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK) << error.text;
    EXPECT_EQ(std::filesystem::file_size(path),
              static_cast<size_t>(ORR_KEYRING_MAX_FILE) - 7 * (128 + 64)); // one unlock of eight
    Ring back;
    ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &none, &error), ORR_OK) << error.text;
    ExpectSame(ring, back);
}

} // namespace
