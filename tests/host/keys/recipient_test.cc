// Recipient files: vectors of the oracle, hostile bytes, and the disk.
#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <sys/resource.h>

#include "base/bytes.h"
#include "host/container/content_digest.h"
#include "host/container/hpke.h"
#include "host/keys/recipient.h"
#include "tests/support/keyring_fixture.h"
#include "tests/support/vectors.h"

namespace {

orr_recipient Some(size_t decoys = 3) {
    orr_recipient r{};
    Bytes private_key = random_bytes(32), id = random_bytes(ORR_KEY_ID_BYTES);
    memcpy(r.key_id, id.data(), id.size());
    EXPECT_EQ(orr_x25519_public(private_key.data(), r.public_key), ORR_OK);
    strcpy(r.label, "second site");
    r.created = 1732406400;
    r.decoy_count = decoys;
    for (size_t i = 0; i < decoys; i++) r.decoys[i] = {{1000 + i, 2000 + i, ORR_DECOY_MAX_SUM - i}};
    return r;
}

Bytes Encode(const orr_recipient &r) {
    Bytes file(ORR_RECIPIENT_MAX_FILE);
    size_t bytes = 0;
    orr_recipient_encode(&r, file.data(), &bytes);
    file.resize(bytes);
    return file;
}

// Decodes an exact copy, so that a sanitizer sees reads behind its end.
orr_status Decode(const Bytes &file, orr_recipient *back = nullptr) {
    Bytes copy(file);
    copy.shrink_to_fit();
    orr_recipient r;
    orr_error error{};
    memset(&r, 0xee, sizeof r);
    orr_status status = orr_recipient_decode(&r, copy.data(), copy.size(), "r", &error);
    if (status != ORR_OK) {
        EXPECT_EQ(error.status, status);
        EXPECT_GT(strlen(error.text), 10u);
        EXPECT_TRUE(orr_all_zero(reinterpret_cast<const uint8_t *>(&r), sizeof r));
    }
    if (back) *back = r;
    return status;
}

// The same file with something changed and its checksum put right.
orr_status DecodeChanged(const std::function<void(Bytes &)> &change) {
    Bytes file = Encode(Some());
    file.resize(file.size() - ORR_RECIPIENT_SUM);
    change(file);
    uint8_t sum[ORR_RECIPIENT_SUM];
    orr_content_digest_of(file.data(), file.size(), sum);
    file.insert(file.end(), sum, sum + sizeof sum);
    return Decode(file);
}

void Put(Bytes &file, size_t at, const Bytes &value) {
    std::copy(value.begin(), value.end(), file.begin() + static_cast<long>(at));
}

TEST(Recipient, Vectors) {
    for (auto &v : vectors("recipient.txt", "recipient")) {
        Bytes file = unhex(v[5]), label = unhex(v[2]);
        orr_recipient r;
        char print[ORR_FINGERPRINT_TEXT];
        ASSERT_EQ(Decode(file, &r), ORR_OK);
        EXPECT_EQ(hex(r.key_id, ORR_KEY_ID_BYTES), v[0]);
        EXPECT_EQ(hex(r.public_key, 32), v[1]);
        EXPECT_EQ(std::string(r.label), std::string(label.begin(), label.end()));
        EXPECT_EQ(r.created, std::stoll(v[3]));
        ASSERT_EQ(r.decoy_count, std::stoul(v[4]));
        for (size_t n = 0; n < r.decoy_count; n++) {
            EXPECT_EQ(r.decoys[n].sum[0], n);
            EXPECT_EQ(r.decoys[n].sum[1], n + 1);
            EXPECT_EQ(r.decoys[n].sum[2], ORR_DECOY_MAX_SUM - n);
        }
        EXPECT_EQ(Encode(r), file);
        ASSERT_EQ(orr_recipient_fingerprint(&r, print, nullptr), ORR_OK);
        std::replace(print, print + strlen(print), ' ', '-');
        EXPECT_EQ(print, v[6]);
    }
}

TEST(Recipient, EveryFlippedBitIsRefused) {
    Bytes file = Encode(Some());
    for (size_t bit = 0; bit < 8 * file.size(); bit++) {
        file[bit / 8] ^= 1 << bit % 8;
        orr_status status = Decode(file);
        if (bit < 64)
            ASSERT_EQ(status, ORR_NOT_ORRERY) << bit;
        else if (bit < 96)
            ASSERT_EQ(status, ORR_UNSUPPORTED) << bit; // version
        else if (bit < 128)
            ASSERT_TRUE(status == ORR_AUTH || status == ORR_UNSUPPORTED) << bit; // decoys
        else
            ASSERT_EQ(status, ORR_AUTH) << bit;
        file[bit / 8] ^= 1 << bit % 8;
    }
    EXPECT_EQ(Decode(file), ORR_OK);
}

TEST(Recipient, EveryOtherLengthIsRefused) {
    Bytes file = Encode(Some());
    for (size_t cut = 0; cut < file.size(); cut++)
        ASSERT_EQ(Decode(Bytes(file.begin(), file.begin() + static_cast<long>(cut))),
                  cut < 8 ? ORR_NOT_ORRERY : ORR_AUTH);
    for (int more = 0; more < 30; more++) {
        file.push_back(0);
        ASSERT_EQ(Decode(file), ORR_AUTH);
    }
}

TEST(Recipient, FieldsAtAndOverTheirLimits) {
    EXPECT_EQ(DecodeChanged([](Bytes &) {}), ORR_OK);
    for (size_t decoys : {1, 256}) EXPECT_EQ(Decode(Encode(Some(decoys))), ORR_OK);
    // 0 and 257 decoys, with the length to match
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f.resize(136), f[12] = 0; }), ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f.resize(136 + 257 * 24), f[12] = 1, f[13] = 1; }),
              ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { Put(f, 12, {255, 255, 255, 255}); }), ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f[8] = 2; }), ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f[8] = 0; }), ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f[10] = 1; }), ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { Put(f, 128, Bytes(8, 0xff)); }), ORR_OK); // created
    EXPECT_EQ(DecodeChanged([](Bytes &f) { Put(f, 64, Bytes(63, 'x')); }), ORR_OK);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { Put(f, 64, Bytes(64, 'x')); }), ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { Put(f, 64, Bytes(64, 0)); }), ORR_OK);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f[64 + 63] = 1; }), ORR_UNSUPPORTED); // behind its end
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f[64] = 0x1b; }), ORR_UNSUPPORTED);
    EXPECT_EQ(DecodeChanged([](Bytes &f) { f[64] = 0xff; }), ORR_UNSUPPORTED);
    for (size_t at = 136; at < 136 + 72; at += 8) {
        Bytes most(8);
        orr_store_le64(most.data(), ORR_DECOY_MAX_SUM);
        EXPECT_EQ(DecodeChanged([&](Bytes &f) { Put(f, at, most); }), ORR_OK);
        orr_store_le64(most.data(), ORR_DECOY_MAX_SUM + 1);
        EXPECT_EQ(DecodeChanged([&](Bytes &f) { Put(f, at, most); }), ORR_UNSUPPORTED);
    }
}

TEST(Recipient, PublicKeysThatSealForEverybodyAreRefused) {
    for (auto &v : vectors("hpke.txt", "low"))
        EXPECT_EQ(DecodeChanged([&](Bytes &f) { Put(f, 32, unhex(v[0])); }), ORR_UNSUPPORTED);
    Bytes key(32, 0xff); // 2^255 - 1; then the prime and its neighbours
    EXPECT_EQ(DecodeChanged([&](Bytes &f) { Put(f, 32, key); }), ORR_UNSUPPORTED);
    key[31] = 0x7f;
    EXPECT_EQ(DecodeChanged([&](Bytes &f) { Put(f, 32, key); }), ORR_UNSUPPORTED);
    key[0] = 0xeb; // p - 2
    EXPECT_EQ(DecodeChanged([&](Bytes &f) { Put(f, 32, key); }), ORR_OK);
    EXPECT_EQ(DecodeChanged([&](Bytes &f) { f[63] |= 0x80; }), ORR_UNSUPPORTED);
}

TEST(Recipient, IsTheKeysPublicPart) {
    Ring ring;
    Fill(&ring, "Röntgen 2027");
    orr_recipient r;
    orr_error error{};
    ASSERT_EQ(orr_recipient_make(&r, &ring, &ring.keys[0], &error), ORR_OK) << error.text;
    EXPECT_EQ(memcmp(r.key_id, ring.keys[0].id, ORR_KEY_ID_BYTES), 0);
    EXPECT_STREQ(r.label, "Röntgen 2027");
    EXPECT_EQ(r.created, ring.keys[0].created);
    ASSERT_EQ(r.decoy_count, ring.decoy_count);
    EXPECT_EQ(memcmp(r.decoys, ring.decoys, r.decoy_count * sizeof *r.decoys), 0);
    orr_recipient back;
    ASSERT_EQ(Decode(Encode(r), &back), ORR_OK);
    // What is sealed for the file opens with the key.
    Bytes seed = random_bytes(32), plain = random_bytes(96), enc(32), sealed(112), opened(96);
    ASSERT_EQ(orr_hpke_seal(seed.data(), back.public_key, "x", 1, nullptr, 0, plain.data(), 96,
                            enc.data(), sealed.data()),
              ORR_OK);
    ASSERT_EQ(orr_hpke_open(ring.keys[0].x25519_private, enc.data(), "x", 1, nullptr, 0,
                            sealed.data(), sealed.size(), opened.data()),
              ORR_OK);
    EXPECT_EQ(opened, plain);
}

TEST(Recipient, TakesAtMostSoManyDecoysEachOnce) {
    Ring ring;
    Fill(&ring);
    orr_recipient r;
    std::vector<unsigned> taken(1024);
    for (uint64_t i = ring.decoy_count; i < taken.size(); i++) {
        orr_decoy decoy{{1000 + i, 2000 + i, 3000 + i}};
        ASSERT_EQ(orr_keyring_add_decoy(&ring, &decoy, nullptr), ORR_OK);
    }
    for (int turn = 0; turn < 400; turn++) {
        ASSERT_EQ(orr_recipient_make(&r, &ring, &ring.keys[0], nullptr), ORR_OK);
        ASSERT_EQ(r.decoy_count, 256u);
        uint64_t last = 0;
        for (size_t n = 0; n < 256; n++) {
            ASSERT_GT(r.decoys[n].sum[0], last); // in the pool's order, so none is there twice
            last = r.decoys[n].sum[0];
            taken[last - 1000]++;
        }
    }
    // 100 each on average, deviation 8.7: 9 deviations happen to nobody.
    EXPECT_GT(*std::min_element(taken.begin(), taken.end()), 22u);
    EXPECT_LT(*std::max_element(taken.begin(), taken.end()), 178u);
}

TEST(Recipient, ThereIsNoneOfADestroyedKeyOrWithoutDecoys) {
    Ring ring, bare;
    Fill(&ring);
    orr_recipient r;
    orr_error error{};
    ASSERT_EQ(orr_keyring_add(&ring, "second", nullptr, &error), ORR_OK);
    EXPECT_EQ(orr_recipient_make(&r, &ring, &ring.keys[1], &error), ORR_OK);
    ASSERT_EQ(orr_keyring_set_state(&ring, ring.keys[1].id, ORR_KEY_DESTROYED, &error), ORR_OK);
    EXPECT_EQ(orr_recipient_make(&r, &ring, &ring.keys[1], &error), ORR_KEY);
    ASSERT_EQ(orr_keyring_init(&bare, "none", &error), ORR_OK);
    EXPECT_EQ(orr_recipient_make(&r, &bare, &bare.keys[0], &error), ORR_KEY);
}

class RecipientFile : public KeyringTest {
  protected:
    orr_recipient recipient = Some(), back{};
    orr_status Read(const std::string &from) {
        return orr_recipient_read(&back, from.c_str(), &error);
    }
};

TEST_F(RecipientFile, IsWrittenOnceAndReadBack) {
    mode_t before = umask(027);
    // orr_default_mode() looks at the umask once; so does this test.
    ASSERT_EQ(orr_recipient_write(&recipient, path.c_str(), &error), ORR_OK) << error.text;
    umask(before);
    EXPECT_EQ(Mode(path), 0640u);
    EXPECT_EQ(ReadFile(path), Encode(recipient));
    ASSERT_EQ(Read(path), ORR_OK) << error.text;
    EXPECT_EQ(memcmp(&recipient, &back, sizeof back), 0);
    EXPECT_EQ(orr_recipient_write(&recipient, path.c_str(), &error), ORR_EXISTS);
    std::string link = directory + "/dangling";
    ASSERT_EQ(symlink("nowhere", link.c_str()), 0);
    EXPECT_EQ(orr_recipient_write(&recipient, link.c_str(), &error), ORR_EXISTS);
    EXPECT_EQ(orr_recipient_write(&recipient, (directory + "/").c_str(), &error), ORR_USAGE);
    EXPECT_EQ(orr_recipient_write(&recipient, (directory + "/no/r").c_str(), &error), ORR_IO);
    EXPECT_EQ(error.number, ENOENT);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 2);
}

TEST_F(RecipientFile, FailedWritesLeaveNothing) {
    struct rlimit old, tiny;
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
    tiny = old;
    tiny.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    orr_status status = orr_recipient_write(&recipient, path.c_str(), &error);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT_EQ(status, ORR_IO);
    EXPECT_EQ(error.number, EFBIG);
    EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(RecipientFile, OtherThingsAreRefused) {
    EXPECT_EQ(Read(path), ORR_KEY);
    EXPECT_EQ(Read(directory), ORR_NOT_ORRERY);
    EXPECT_EQ(Read("/dev/null"), ORR_NOT_ORRERY);
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_EQ(Read(path), ORR_NOT_ORRERY); // and does not wait
    unlink(path.c_str());
    WriteFile(path, Sealed(&none));
    EXPECT_EQ(Read(path), ORR_NOT_ORRERY);
    EXPECT_EQ(Read(path + "/x"), ORR_IO);
    Bytes file = Encode(Some(256));
    WriteFile(path, file);
    ASSERT_EQ(truncate(path.c_str(), 1ll << 40), 0); // sparse: only its beginning is read
    EXPECT_EQ(Read(path), ORR_AUTH);
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_TRUE(orr_recipient_is_here(fd));
    close(fd);
}

} // namespace
