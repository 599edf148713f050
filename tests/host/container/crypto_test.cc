// Primitives against published vectors and Python's libraries (tests/vectors/crypto.txt).
#include <gtest/gtest.h>

#include <cstring>
#include <pthread.h>
#include <thread>

#include "host/container/crypto.h"
#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace {

struct Gcm {
    orr_gcm *p;
    explicit Gcm(const uint8_t *key) : p(orr_gcm_new(key)) {}
    ~Gcm() { orr_gcm_free(p); }
};

TEST(Crypto, Sha512) {
    for (auto &v : vectors("crypto.txt", "sha512")) {
        Bytes a = unhex(v[0]), b = unhex(v[1]);
        uint8_t out[64];
        ASSERT_EQ(orr_sha512(a.data(), a.size(), b.empty() ? nullptr : b.data(), b.size(), out),
                  ORR_OK);
        EXPECT_EQ(hex(out, 64), v[2]);
    }
}

TEST(Crypto, HmacSha256) {
    for (auto &v : vectors("crypto.txt", "hmac")) {
        Bytes key = unhex(v[0]), data = unhex(v[1]);
        uint8_t out[32];
        ASSERT_EQ(key.size(), 32u);
        ASSERT_EQ(orr_hmac_sha256(key.data(), data.data(), data.size(), out), ORR_OK);
        EXPECT_EQ(hex(out, 32), v[2]);
    }
}

TEST(Crypto, HmacOfRfc4231Case1) {
    uint8_t key[32] = {}, out[32];
    memset(key, 0x0b, 20);
    ASSERT_EQ(orr_hmac_sha256(key, "Hi There", 8, out), ORR_OK);
    EXPECT_EQ(hex(out, 32), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(Crypto, HkdfSha512) {
    for (auto &v : vectors("crypto.txt", "hkdf")) {
        Bytes salt = unhex(v[0]), ikm = unhex(v[1]), info = unhex(v[2]), okm = unhex(v[4]);
        uint8_t prk[64];
        Bytes out(okm.size());
        ASSERT_EQ(orr_hkdf_extract(salt.data(), salt.size(), ikm.data(), ikm.size(), prk), ORR_OK);
        EXPECT_EQ(hex(prk, 64), v[3]);
        ASSERT_EQ(orr_hkdf_expand(prk, info.data(), info.size(), out.data(), out.size()), ORR_OK);
        EXPECT_EQ(out, okm);
    }
}

TEST(Crypto, KeyWrap) {
    for (auto &v : vectors("crypto.txt", "kwp")) {
        Bytes kek = unhex(v[0]), secret = unhex(v[1]), wrapped = unhex(v[2]);
        Bytes out(wrapped.size()), back(secret.size());
        ASSERT_EQ(orr_kwp_wrap(kek.data(), secret.data(), secret.size(), out.data()), ORR_OK);
        EXPECT_EQ(out, wrapped) << secret.size() << " bytes";
        ASSERT_EQ(
            orr_kwp_unwrap(kek.data(), wrapped.data(), wrapped.size(), back.data(), back.size()),
            ORR_OK);
        EXPECT_EQ(back, secret);
    }
}

TEST(Crypto, KeyWrapRefuses) {
    Bytes kek(32, 7), secret(96, 1), wrapped(104), back(96);
    ASSERT_EQ(orr_kwp_wrap(kek.data(), secret.data(), secret.size(), wrapped.data()), ORR_OK);
    for (size_t bit = 0; bit < 8 * wrapped.size(); bit++) {
        wrapped[bit / 8] ^= 1 << bit % 8;
        EXPECT_EQ(orr_kwp_unwrap(kek.data(), wrapped.data(), 104, back.data(), 96), ORR_KEY);
        wrapped[bit / 8] ^= 1 << bit % 8;
    }
    kek[31] ^= 1;
    EXPECT_EQ(orr_kwp_unwrap(kek.data(), wrapped.data(), 104, back.data(), 96), ORR_KEY);
    kek[31] ^= 1;
    EXPECT_EQ(orr_kwp_unwrap(kek.data(), wrapped.data(), 104, back.data(), 95),
              ORR_KEY); // padding says 96
    EXPECT_EQ(orr_kwp_unwrap(kek.data(), wrapped.data(), 96, back.data(), 96), ORR_KEY);
    EXPECT_EQ(orr_kwp_unwrap(kek.data(), wrapped.data(), 104, back.data(), 0), ORR_INTERNAL);
    EXPECT_EQ(orr_kwp_wrap(kek.data(), secret.data(), 0, wrapped.data()), ORR_INTERNAL);
    EXPECT_EQ(orr_kwp_wrap(kek.data(), secret.data(), ORR_KWP_MAX + 1, wrapped.data()),
              ORR_INTERNAL);
    EXPECT_EQ(orr_kwp_unwrap(kek.data(), wrapped.data(), 104, back.data(), 96), ORR_OK);
}

TEST(Crypto, Scrypt) {
    for (auto &v : vectors("crypto.txt", "scrypt")) {
        Bytes passphrase = unhex(v[0]), salt = unhex(v[1]);
        uint8_t key[32];
        ASSERT_EQ(salt.size(), 32u);
        ASSERT_EQ(orr_scrypt(passphrase.data(), passphrase.size(), salt.data(), std::stoul(v[2]),
                             std::stoul(v[3]), std::stoul(v[4]), key),
                  ORR_OK);
        EXPECT_EQ(hex(key, 32), v[5]);
        EXPECT_EQ(orr_scrypt("x", 1, salt.data(), 0, 1, 1, key), ORR_INTERNAL);
        EXPECT_EQ(orr_scrypt("x", 1, salt.data(), 4, 0, 1, key), ORR_INTERNAL);
        EXPECT_EQ(orr_scrypt("x", 1, salt.data(), 64, 1, 1, key), ORR_INTERNAL);
    }
}

TEST(Crypto, GcmVectors) {
    uint8_t other[32] = {1};
    Gcm gcm(other);
    ASSERT_NE(gcm.p, nullptr);
    for (auto &v : vectors("crypto.txt", "gcm")) {
        Bytes key = unhex(v[0]), nonce = unhex(v[1]), aad = unhex(v[2]), plain = unhex(v[3]),
              cipher = unhex(v[4]);
        Bytes out(plain.size()), tag(16);
        ASSERT_EQ(orr_gcm_rekey(gcm.p, key.data()), ORR_OK);
        // Twice: the second time from a context that has been used.
        for (int turn = 0; turn < 2; turn++) {
            ASSERT_EQ(orr_gcm_seal(gcm.p, nonce.data(), aad.data(), aad.size(), plain.data(),
                                   plain.size(), out.data(), tag.data()),
                      ORR_OK);
            EXPECT_EQ(out, cipher);
            EXPECT_EQ(hex(tag.data(), 16), v[5]);
            ASSERT_EQ(orr_gcm_open(gcm.p, nonce.data(), aad.data(), aad.size(), out.data(),
                                   out.size(), out.data(), tag.data()),
                      ORR_OK);
            EXPECT_EQ(out, plain);
        }
    }
}

TEST(Crypto, GcmRefusesAndReleasesNothing) {
    Bytes key = random_bytes(32), nonce = random_bytes(12), aad = random_bytes(20),
          plain = random_bytes(100);
    Gcm gcm(key.data());
    Bytes sealed(100), tag(16), out(100);
    ASSERT_EQ(orr_gcm_seal(gcm.p, nonce.data(), aad.data(), 20, plain.data(), 100, sealed.data(),
                           tag.data()),
              ORR_OK);
    auto open = [&] {
        std::fill(out.begin(), out.end(), 0xee);
        return orr_gcm_open(gcm.p, nonce.data(), aad.data(), aad.size(), sealed.data(),
                            sealed.size(), out.data(), tag.data());
    };
    for (Bytes *part : {&nonce, &aad, &sealed, &tag}) {
        for (size_t bit = 0; bit < 8 * part->size(); bit++) {
            (*part)[bit / 8] ^= 1 << bit % 8;
            ASSERT_EQ(open(), ORR_AUTH);
            ASSERT_EQ(out, Bytes(100, 0));
            (*part)[bit / 8] ^= 1 << bit % 8;
        }
    }
    EXPECT_EQ(open(), ORR_OK); // a refusal leaves the context usable
    EXPECT_EQ(out, plain);
    key[0] ^= 1;
    ASSERT_EQ(orr_gcm_rekey(gcm.p, key.data()), ORR_OK);
    EXPECT_EQ(open(), ORR_AUTH);
}

TEST(Crypto, EqualAndWipe) {
    uint8_t a[32], b[32];
    memset(a, 5, 32);
    memset(b, 5, 32);
    EXPECT_TRUE(orr_equal_secret(a, b, 32));
    b[31] ^= 0x80;
    EXPECT_FALSE(orr_equal_secret(a, b, 32));
    orr_wipe(a, 32);
    EXPECT_EQ(Bytes(a, a + 32), Bytes(32, 0));
    orr_wipe(nullptr, 0);
}

// A thread on a stack that can be searched once it has ended: a secret is left there, or wiped.
struct OnItsStack {
    std::vector<uint8_t> memory = std::vector<uint8_t>(1 << 20);
    bool wipe = false;

    __attribute__((noinline)) static void leave() {
        volatile uint8_t secret[4096];
        for (size_t i = 0; i < sizeof secret; i++) secret[i] = uint8_t(0xa7 ^ i % 31);
    }
    static void *run(void *self) {
        leave();
        if (static_cast<OnItsStack *>(self)->wipe) orr_wipe_stack();
        return nullptr;
    }
    bool found() {
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        EXPECT_EQ(pthread_attr_setstack(&attributes, memory.data(), memory.size()), 0);
        EXPECT_EQ(pthread_create(&thread, &attributes, run, this), 0);
        EXPECT_EQ(pthread_join(thread, nullptr), 0);
        pthread_attr_destroy(&attributes);
        uint8_t secret[310];
        for (size_t i = 0; i < sizeof secret; i++) secret[i] = uint8_t(0xa7 ^ i % 31);
        return memmem(memory.data(), memory.size(), secret, sizeof secret) != nullptr;
    }
};

TEST(Crypto, WipeStack) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizer keeps frames elsewhere";
#endif
    OnItsStack left, wiped;
    wiped.wipe = true;
    EXPECT_TRUE(left.found()); // the search works
    EXPECT_FALSE(wiped.found());
    OnItsStack small; // it wipes what is there, and no more
    small.wipe = true;
    small.memory.resize(96 << 10);
    EXPECT_FALSE(small.found());
}

TEST(Crypto, RandomDiffersAcrossThreads) {
    uint8_t a[32], b[32];
    orr_error error;
    ASSERT_EQ(orr_random(a, 32, &error), ORR_OK);
    std::thread([&] { ASSERT_EQ(orr_random(b, 32, &error), ORR_OK); }).join();
    EXPECT_NE(memcmp(a, b, 32), 0);
}

} // namespace
