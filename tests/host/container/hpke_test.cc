// HPKE and X25519 against published values and the oracle's (tests/vectors/hpke.txt).
#include <gtest/gtest.h>

#include "host/container/hpke.h"
#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace {

struct Message {
    Bytes seed, private_key, public_key, info, aad, plain, enc, sealed;

    explicit Message(const std::vector<std::string> &v)
        : seed(unhex(v[0])), private_key(unhex(v[1])), public_key(unhex(v[2])), info(unhex(v[3])),
          aad(unhex(v[4])), plain(unhex(v[5])), enc(unhex(v[6])), sealed(unhex(v[7])) {}
    Message(size_t info_bytes, size_t aad_bytes, size_t bytes)
        : seed(random_bytes(32)), private_key(random_bytes(32)), public_key(32),
          info(random_bytes(info_bytes)), aad(random_bytes(aad_bytes)), plain(random_bytes(bytes)),
          enc(32), sealed(bytes + 16) {
        EXPECT_EQ(orr_x25519_public(private_key.data(), public_key.data()), ORR_OK);
    }
    orr_status Seal(Bytes *e, Bytes *out) const {
        e->assign(32, 0xee);
        out->assign(plain.size() + 16, 0xee);
        return orr_hpke_seal(seed.data(), public_key.data(), info.data(), info.size(), aad.data(),
                             aad.size(), plain.data(), plain.size(), e->data(), out->data());
    }
    orr_status Open(Bytes *out) const {
        out->assign(sealed.size() > 16 ? sealed.size() - 16 : 0, 0xee);
        return orr_hpke_open(private_key.data(), enc.data(), info.data(), info.size(), aad.data(),
                             aad.size(), sealed.data(), sealed.size(), out->data());
    }
};

TEST(X25519, Vectors) {
    for (auto &v : vectors("hpke.txt", "x25519")) {
        uint8_t shared[32];
        ASSERT_EQ(orr_x25519(unhex(v[0]).data(), unhex(v[1]).data(), shared), ORR_OK) << v[1];
        EXPECT_EQ(hex(shared, 32), v[2]);
    }
    for (auto &v : vectors("hpke.txt", "pair")) {
        uint8_t key[32];
        ASSERT_EQ(orr_x25519_public(unhex(v[0]).data(), key), ORR_OK);
        EXPECT_EQ(hex(key, 32), v[1]);
    }
}

TEST(Hpke, Vectors) {
    for (auto &v : vectors("hpke.txt", "hpke")) {
        Message m(v);
        Bytes enc, sealed, opened;
        ASSERT_EQ(m.Seal(&enc, &sealed), ORR_OK);
        EXPECT_EQ(enc, m.enc);
        EXPECT_EQ(sealed, m.sealed);
        ASSERT_EQ(m.Open(&opened), ORR_OK);
        EXPECT_EQ(opened, m.plain);
    }
}

TEST(Hpke, PointsOfLowOrderAreRefused) {
    auto low = vectors("hpke.txt", "low");
    ASSERT_EQ(low.size(), 14u);
    for (auto &v : low) {
        Message m(65, 0, 96);
        uint8_t shared[32];
        Bytes enc, sealed, opened;
        EXPECT_EQ(orr_x25519(m.private_key.data(), unhex(v[0]).data(), shared), ORR_AUTH) << v[0];
        EXPECT_EQ(Bytes(shared, shared + 32), Bytes(32, 0));
        m.enc = unhex(v[0]);
        EXPECT_EQ(m.Open(&opened), ORR_AUTH) << v[0];
        EXPECT_EQ(opened, Bytes(96, 0));
        m.public_key = unhex(v[0]);
        EXPECT_EQ(m.Seal(&enc, &sealed), ORR_AUTH) << v[0];
    }
}

TEST(Hpke, EveryBitMatters) {
    Message m(20, 7, 50);
    Bytes opened;
    ASSERT_EQ(m.Seal(&m.enc, &m.sealed), ORR_OK);
    for (Bytes *part : {&m.enc, &m.info, &m.aad, &m.sealed}) {
        for (size_t bit = 0; bit < 8 * part->size(); bit++) {
            (*part)[bit / 8] ^= 1 << bit % 8;
            ASSERT_EQ(m.Open(&opened), ORR_AUTH) << bit;
            ASSERT_EQ(opened, Bytes(50, 0)); // nothing is released
            (*part)[bit / 8] ^= 1 << bit % 8;
        }
    }
    ASSERT_EQ(m.Open(&opened), ORR_OK);
    m.private_key[5] ^= 1;
    EXPECT_EQ(m.Open(&opened), ORR_AUTH);
}

TEST(Hpke, AnotherSeedIsAnotherMessage) {
    Message m(20, 0, 96);
    Bytes enc, sealed, again, opened;
    ASSERT_EQ(m.Seal(&m.enc, &m.sealed), ORR_OK);
    m.seed[0] ^= 1;
    ASSERT_EQ(m.Seal(&enc, &sealed), ORR_OK);
    EXPECT_NE(enc, m.enc);
    EXPECT_NE(sealed, m.sealed);
    m.enc = enc; // the other's ciphertext under this key
    EXPECT_EQ(m.Open(&opened), ORR_AUTH);
}

TEST(Hpke, Limits) {
    Message largest(ORR_HPKE_MAX_INFO, 1 << 20, 1 << 20);
    Bytes opened;
    ASSERT_EQ(largest.Seal(&largest.enc, &largest.sealed), ORR_OK);
    ASSERT_EQ(largest.Open(&opened), ORR_OK);
    EXPECT_EQ(opened, largest.plain);
    largest.sealed.push_back(0);
    EXPECT_EQ(largest.Open(&opened), ORR_INTERNAL);
    for (Message m : {Message(ORR_HPKE_MAX_INFO + 1, 0, 96), Message(0, (1 << 20) + 1, 96)}) {
        EXPECT_EQ(m.Seal(&m.enc, &m.sealed), ORR_INTERNAL);
        EXPECT_EQ(m.Open(&opened), ORR_INTERNAL);
    }
    for (Message m : {Message(0, 0, 0), Message(0, 0, (1 << 20) + 1)})
        EXPECT_EQ(m.Seal(&m.enc, &m.sealed), ORR_INTERNAL);
    Message cut(0, 0, 5);
    ASSERT_EQ(cut.Seal(&cut.enc, &cut.sealed), ORR_OK);
    while (!cut.sealed.empty()) {
        cut.sealed.pop_back();
        EXPECT_EQ(cut.Open(&opened), ORR_AUTH) << cut.sealed.size();
    }
}

} // namespace
