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
                 {17, 32, 3},         {19, 8, 1},          {18, 9, 1},          {17, 17, 1}};
    for (auto &cost : costs) {
        Bytes bad = sealed;
        memcpy(&bad[ORR_KEYRING_HEADER_BYTES + 4], &cost, sizeof cost);
        EXPECT_EQ(Open(bad, &pass), ORR_UNSUPPORTED)
            << cost.log2_n << " " << cost.r << " " << cost.p;
        EXPECT_EQ(orr_unlock_cost_check(cost.log2_n, cost.r, cost.p, "k", &error), ORR_UNSUPPORTED);
    }
    EXPECT_EQ(orr_unlock_cost_check(18, 8, 4, "k", &error), ORR_OK); // 256 MiB
    EXPECT_EQ(orr_unlock_cost_check(15, 64, 4, "k", &error), ORR_OK);
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
    sealed[ORR_KEYRING_HEADER_BYTES + 4] = 17;
    sealed[kHead + 4] = 18;
    sealed[kHead + 12] = 4;
    EXPECT_EQ(Open(sealed, &pass), ORR_UNSUPPORTED);
    // A writer does not make what a reader refuses.
    ring.log2_n = 18;
    ring.p = 2;
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &pass, "", &error), ORR_OK) << error.text;
    ring.p = 3;
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
    uint8_t second[16];
    orr_unwrap_key key;
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
    ASSERT_EQ(orr_keyring_lookup(&ring, first, &key, &error), ORR_OK);
    EXPECT_EQ(memcmp(key.master, ring.keys[0].key, 32), 0);
    ASSERT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_DESTROYED, &error), ORR_OK);
    EXPECT_EQ(Bytes(ring.keys[0].key, ring.keys[0].key + 32), Bytes(32, 0));
    EXPECT_EQ(Bytes(ring.keys[0].x25519_private, ring.keys[0].x25519_private + 32), Bytes(32, 0));
    EXPECT_NE(Bytes(ring.keys[0].x25519_public, ring.keys[0].x25519_public + 32), Bytes(32, 0));
    EXPECT_EQ(memcmp(ring.keys[0].id, first, 16), 0);
    EXPECT_EQ(orr_keyring_lookup(&ring, first, &key, &error), ORR_KEY);
    EXPECT_NE(strstr(error.text, "destroyed"), nullptr);
    EXPECT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_ACTIVE, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_DECRYPT_ONLY, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_set_state(&ring, first, ORR_KEY_DESTROYED, &error), ORR_OK);
    ASSERT_EQ(orr_keyring_set_state(&ring, second, ORR_KEY_DECRYPT_ONLY, &error), ORR_OK);
    EXPECT_EQ(orr_keyring_active(&ring, &active, &error), ORR_KEY);
    uint8_t unknown[16] = {};
    EXPECT_EQ(orr_keyring_set_state(&ring, unknown, ORR_KEY_ACTIVE, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_lookup(&ring, unknown, &key, &error), ORR_KEY);
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

// ---- ways in

TEST_F(KeyringTest, RecoveryCodesAreReadAsPeopleWriteThem) {
    orr_passphrase code{}, line{};
    char text[ORR_CODE_TEXT];
    ASSERT_EQ(orr_code_draw(&code, &error), ORR_OK);
    code.bytes[0] = 0;    // begins with 0: O will do
    code.bytes[1] = 0x42; // 00000 00001 00001 0.....: then two 1, or I and l
    ASSERT_EQ(orr_code_text(&code, text, &error), ORR_OK);
    ASSERT_EQ(strlen(text), 63u);
    std::string plain = text, loose = plain;
    ASSERT_EQ(plain.substr(0, 3), "011");
    loose[0] = 'o', loose[1] = 'I', loose[2] = 'l';
    for (char &c : loose) c = c == '-' ? ' ' : static_cast<char>(tolower(c));
    for (const std::string &way : {plain, loose, "\t" + plain + " ", plain + "-"}) {
        line = Pass(way);
        EXPECT_EQ(orr_code_take(&line, "k", &error), ORR_OK) << way << ": " << error.text;
        EXPECT_EQ(memcmp(&line, &code, sizeof code), 0);
    }
    // Each character that is typed wrong, each two that change places, one too few or too many.
    for (size_t at = 0; at < plain.size(); at++) {
        if (plain[at] == '-') continue;
        std::string bad = plain;
        bad[at] = bad[at] == 'A' ? 'B' : 'A';
        line = Pass(bad);
        EXPECT_EQ(orr_code_take(&line, "k", &error), ORR_KEY) << bad;
        EXPECT_NE(strstr(error.text, "mistyped"), nullptr);
        EXPECT_FALSE(line.present);
        EXPECT_EQ(line.length, 0u);
        bad = plain;
        bad.erase(at, 1);
        line = Pass(bad);
        EXPECT_EQ(orr_code_take(&line, "k", &error), ORR_KEY) << bad;
        if (at && plain[at - 1] != '-' && plain[at - 1] != plain[at]) {
            bad = plain;
            std::swap(bad[at], bad[at - 1]);
            line = Pass(bad);
            EXPECT_EQ(orr_code_take(&line, "k", &error), ORR_KEY) << bad;
        }
    }
    for (const std::string &bad : {plain + "0", plain + plain, std::string("U") + plain.substr(1),
                                   plain.substr(0, 62) + "\xc3\xa4", std::string(1000, '0'),
                                   std::string(56, 'u'), std::string("-"), std::string(1, '\0')}) {
        line = Pass(bad);
        EXPECT_EQ(orr_code_take(&line, "k", &error), ORR_KEY) << bad;
    }
}

class WaysTest : public KeyringTest {
  protected:
    void SetUp() override {
        KeyringTest::SetUp();
        Fill(&ring);
        ASSERT_EQ(orr_code_draw(&code, &error), ORR_OK);
        ASSERT_EQ(orr_code_draw(&other, &error), ORR_OK);
        ASSERT_EQ(orr_keyring_add_unlock(&ring, &pass, "day", &error), ORR_OK);
        ASSERT_EQ(orr_keyring_add_unlock(&ring, &code, "safe", &error), ORR_OK);
    }
    Bytes Seal() {
        uint8_t *file = nullptr;
        size_t bytes = 0;
        EXPECT_EQ(orr_keyring_seal(&ring, "k", &file, &bytes, &error), ORR_OK) << error.text;
        Bytes out(file, file + bytes);
        free(file);
        return out;
    }
    std::string Refusal(const Bytes &file, const orr_passphrase *given) {
        Ring back;
        EXPECT_EQ(orr_keyring_open(&back, file.data(), file.size(), given, "k", &error), ORR_KEY);
        return error.text;
    }
    Ring ring;
    orr_passphrase code{}, other{};
};

TEST_F(WaysTest, EachOpensAndOthersAreToldApart) {
    Bytes file = Seal();
    EXPECT_EQ(Open(file, &pass), ORR_OK);
    EXPECT_EQ(Open(file, &code), ORR_OK);
    EXPECT_NE(Refusal(file, &wrong).find("wrong passphrase"), std::string::npos);
    EXPECT_NE(Refusal(file, &other).find("typed right, but is not one of"), std::string::npos);
    EXPECT_NE(Refusal(file, nullptr).find("needs its passphrase or recovery code"),
              std::string::npos);
    orr_keyring_drop_unlock(&ring, 1);
    EXPECT_NE(Refusal(Seal(), &code).find("has no recovery code"), std::string::npos);
    ring.unlock_count = 0;
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &code, "", &error), ORR_OK);
    EXPECT_NE(Refusal(Seal(), &pass).find("has no passphrase"), std::string::npos);
    ring.unlock_count = 0;
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &none, "", &error), ORR_OK);
    EXPECT_NE(Refusal(Seal(), &pass).find("takes no passphrase"), std::string::npos);
    EXPECT_NE(Refusal(Seal(), &code).find("takes no recovery code"), std::string::npos);
    // A damaged payload is no wrong passphrase.
    file[file.size() - 20] ^= 1;
    EXPECT_NE(Refusal(file, &pass).find("damaged"), std::string::npos);
    EXPECT_EQ(Refusal(file, &pass).find("wrong"), std::string::npos);
}

TEST_F(WaysTest, NoneStandsAlone) {
    EXPECT_EQ(orr_keyring_add_unlock(&ring, &none, "", &error), ORR_USAGE);
    uint8_t before[32];
    ring.unlock_count = 0;
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &none, "", &error), ORR_OK);
    memcpy(before, ring.key, 32);
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &pass, "", &error), ORR_OK);
    ASSERT_EQ(ring.unlock_count, 1u); // in its place, and whoever could read the file had that key
    EXPECT_NE(memcmp(before, ring.key, 32), 0);
    memcpy(before, ring.key, 32);
    ASSERT_EQ(orr_keyring_add_unlock(&ring, &code, "", &error), ORR_OK);
    EXPECT_EQ(memcmp(before, ring.key, 32), 0);
}

TEST_F(WaysTest, AtMostEight) {
    ring.log2_n = 4;
    while (ring.unlock_count < ORR_KEYRING_MAX_UNLOCKS)
        ASSERT_EQ(orr_keyring_add_unlock(&ring, &wrong, "same label", &error), ORR_OK);
    EXPECT_EQ(orr_keyring_add_unlock(&ring, &other, "", &error), ORR_UNSUPPORTED);
    EXPECT_EQ(Open(Seal(), &wrong), ORR_OK);
    size_t index = 0;
    EXPECT_EQ(orr_keyring_find_unlock(&ring, "safe", &index, &error), ORR_OK);
    EXPECT_EQ(index, 1u);
    EXPECT_EQ(orr_keyring_find_unlock(&ring, "same label", &index, &error), ORR_KEY);
    EXPECT_NE(strstr(error.text, "several"), nullptr);
    EXPECT_EQ(orr_keyring_find_unlock(&ring, "nobody", &index, &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_add_unlock(&ring, &other, "bad\nlabel", &error), ORR_USAGE);
}

// Who was shut out has an old copy, and so the old keyring key: of what is written later it opens
// nothing.
TEST_F(WaysTest, ANewKeyringKeyShutsOut) {
    orr_unlock_key keys[2];
    uint8_t old[32], opened[32], held[32];
    EXPECT_EQ(orr_keyring_try_unlock(&ring, 0, &wrong, &keys[0], &error), ORR_KEY);
    EXPECT_EQ(orr_keyring_try_unlock(&ring, 0, &code, &keys[0], &error), ORR_KEY);
    ASSERT_EQ(orr_keyring_try_unlock(&ring, 1, &code, &keys[0], &error), ORR_OK);
    memcpy(old, ring.key, 32);
    Bytes before = Seal();
    ASSERT_EQ(orr_keyring_rekey(&ring, keys, 1, &error), ORR_OK);
    ASSERT_EQ(ring.unlock_count, 1u);
    EXPECT_STREQ(ring.unlocks[0].label, "safe");
    EXPECT_NE(memcmp(old, ring.key, 32), 0);
    Bytes after = Seal();
    EXPECT_EQ(Open(after, &code), ORR_OK);
    EXPECT_EQ(Open(after, &pass), ORR_KEY);
    EXPECT_EQ(Open(before, &pass), ORR_OK);
    // The old unlock, pasted into the new file, brings the old keyring key, which opens nothing.
    Bytes pasted = after;
    memcpy(&pasted[64], &before[64], 128);
    EXPECT_EQ(Open(pasted, &pass), ORR_KEY);
    size_t index = 0;
    EXPECT_EQ(orr_unlocks_open(ring.unlocks, 1, &pass, held, &index, opened, "k", &error), ORR_KEY);
}

// ---- copies that went their own ways

TEST_F(KeyringTest, MergeJoinsKeysAndDecoys) {
    Ring ring, other;
    uint8_t id[16];
    Fill(&ring, "shared");
    ASSERT_EQ(orr_keyring_add(&ring, "going", id, &error), ORR_OK);
    ASSERT_EQ(orr_keyring_add(&ring, "ours", nullptr, &error), ORR_OK);
    Fill(&other, "theirs");
    orr_keyring_merged merged{};
    ASSERT_EQ(orr_keyring_merge(&other, &ring, &merged, &error), ORR_OK) << error.text;
    EXPECT_EQ(merged.keys, 3u);
    EXPECT_EQ(merged.decoys, 0u); // Fill's are the same
    EXPECT_EQ(other.decoy_count, 40u);
    EXPECT_EQ(other.keys[0].state, ORR_KEY_ACTIVE);
    EXPECT_EQ(other.keys[1].state, ORR_KEY_DECRYPT_ONLY); // it was active there
    EXPECT_STREQ(other.keys[1].label, "shared");
    ASSERT_EQ(orr_keyring_set_state(&other, id, ORR_KEY_DESTROYED, &error), ORR_OK);
    orr_decoy decoy{{1, 2, 3}};
    ASSERT_EQ(orr_keyring_add_decoy(&other, &decoy, &error), ORR_OK);
    memset(other.generator_hash, 7, 32);
    strcpy(other.keys[1].label, "renamed");
    ASSERT_EQ(orr_keyring_merge(&ring, &other, &merged, &error), ORR_OK) << error.text;
    EXPECT_EQ(merged.keys, 1u);
    EXPECT_EQ(merged.destroyed, 1u);
    EXPECT_EQ(merged.decoys, 1u);
    ASSERT_EQ(ring.key_count, 4u);
    EXPECT_EQ(ring.keys[0].state, ORR_KEY_ACTIVE);
    EXPECT_STREQ(ring.keys[0].label, "shared"); // ours stays
    EXPECT_EQ(ring.keys[1].state, ORR_KEY_DESTROYED);
    EXPECT_EQ(Bytes(ring.keys[1].key, ring.keys[1].key + 32), Bytes(32, 0));
    EXPECT_EQ(ring.keys[3].state, ORR_KEY_DECRYPT_ONLY);
    EXPECT_EQ(memcmp(ring.generator_hash, Bytes(32).data(), 32), 0);      // of two sources now
    ASSERT_EQ(orr_keyring_merge(&ring, &other, &merged, &error), ORR_OK); // again: nothing
    EXPECT_EQ(merged.keys + merged.destroyed + merged.decoys, 0u);
    ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK) << error.text;
    // A key that the other has, and that is destroyed here, does not come back.
    ASSERT_EQ(orr_keyring_merge(&other, &ring, &merged, &error), ORR_OK);
    EXPECT_EQ(other.keys[2].state, ORR_KEY_DESTROYED);
    other.keys[1].x25519_private[3] ^= 1;
    EXPECT_EQ(orr_keyring_merge(&ring, &other, &merged, &error), ORR_UNSUPPORTED);
    while (ring.key_count < ORR_KEYRING_MAX_KEYS)
        ASSERT_EQ(orr_keyring_add(&ring, "", nullptr, &error), ORR_OK);
    Ring more;
    Fill(&more);
    EXPECT_EQ(orr_keyring_merge(&ring, &more, &merged, &error), ORR_UNSUPPORTED);
}

// A keyring that was loaded has room for its decoys and no more.
TEST_F(KeyringTest, DecoysAndKeysAreAddedToLoadedOnes) {
    for (size_t count : {1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 100, 256}) {
        Ring ring, back;
        orr_decoy decoy{{7, 0, 0}};
        ASSERT_EQ(orr_keyring_init(&ring, "k", &error), ORR_OK);
        for (size_t i = 0; i < count; i++, decoy.sum[0]++)
            ASSERT_EQ(orr_keyring_add_decoy(&ring, &decoy, &error), ORR_OK);
        for (size_t i = 1; i < count && i < 20; i++)
            ASSERT_EQ(orr_keyring_add(&ring, "", nullptr, &error), ORR_OK);
        std::filesystem::remove(path);
        ASSERT_EQ(Create(&ring, path, &none, &error), ORR_OK) << error.text;
        ASSERT_EQ(orr_keyring_load(&back, path.c_str(), &none, &error), ORR_OK) << error.text;
        for (size_t i = 0; i < 2 * count + 20; i++, decoy.sum[0]++)
            ASSERT_EQ(orr_keyring_add_decoy(&back, &decoy, &error), ORR_OK);
        ASSERT_EQ(orr_keyring_add(&back, "", nullptr, &error), ORR_OK);
        ASSERT_EQ(back.decoy_count, 3 * count + 20);
        EXPECT_LE(back.decoy_count, back.decoy_room);
        for (size_t i = 0; i < back.decoy_count; i++) ASSERT_EQ(back.decoys[i].sum[0], 7 + i);
    }
}

TEST_F(KeyringTest, MergeNeverDestroysTheActiveKey) {
    Ring ring, other;
    Fill(&ring);
    Fill(&other);
    orr_keyring_merged merged{};
    ASSERT_EQ(orr_keyring_merge(&other, &ring, &merged, &error), ORR_OK);
    uint8_t id[16];
    memcpy(id, ring.keys[0].id, 16);
    ASSERT_EQ(orr_keyring_set_state(&other, id, ORR_KEY_DESTROYED, &error), ORR_OK);
    EXPECT_EQ(orr_keyring_merge(&ring, &other, &merged, &error), ORR_USAGE);
    EXPECT_EQ(ring.keys[0].state, ORR_KEY_ACTIVE);
    EXPECT_NE(Bytes(ring.keys[0].key, ring.keys[0].key + 32), Bytes(32, 0));
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
