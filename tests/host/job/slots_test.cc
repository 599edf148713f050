// Wrap slots that are whole by checksum and MAC and do not hold the file's secret: faults of memory
// when they were written, for nobody without the file's keys can make one. Every verb looks at all
// slots, and the key commitment says which secret is right. Slots of several wraps: rewrap changes
// those that it is asked to change.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/support/containers.h"
#include "tests/support/job_fixture.h"
#include "tests/support/small_tiffs.h"

namespace {

enum Fault { NONE, OTHER_PLANET, OTHER_ROOT, NO_WRAP };

class Slots : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        test_seed();
        file = directory / "x.orr.tif";
    }

    // The file with slot `slot` written anew: MAC and checksum are right, what it wraps is not.
    Bytes faulty(const Bytes &bytes, int slot, uint64_t generation, Fault fault,
                 const orr_master_key *key = nullptr) {
        orr_error error{};
        orr_container c{};
        orr_file_secret secret{};
        orr_file_keys keys{};
        write_file(directory / "faulty", bytes);
        int fd = open((directory / "faulty").c_str(), O_RDONLY);
        EXPECT_EQ(orr_container_read(&c, fd, bytes.size(), "faulty", &error), ORR_OK);
        EXPECT_EQ(
            orr_container_unlock(&c, orr_keyring_lookup, &ring, "faulty", &secret, &keys, &error),
            ORR_OK)
            << error.text;
        close(fd);
        if (fault == OTHER_PLANET) secret.planet_secret[slot] ^= 1;
        if (fault == OTHER_ROOT) secret.seal_root[20 + slot] ^= 1;
        const orr_master_key *of = key ? key : &ring.keys[0];
        orr_wraps wraps{};
        orr_wrap_key reader = container_reader(of->key);
        EXPECT_EQ(orr_wraps_make(&wraps, &reader, nullptr, &secret, c.header_bytes, &error),
                  ORR_OK);
        size_t body = 8 + ORR_KEY_ID_BYTES;
        if (fault == NO_WRAP) wraps.bytes[body + test_random()() % (wraps.used - body)] ^= 1;
        Bytes changed = bytes;
        put_slot(&changed, c, keys, slot, generation, wraps);
        orr_wraps_free(&wraps);
        orr_container_free(&c);
        return changed;
    }

    static void put_slot(Bytes *bytes, const orr_container &c, const orr_file_keys &keys, int slot,
                         uint64_t generation, const orr_wraps &wraps) {
        uint8_t *at = bytes->data() + orr_slot_offset(&c.header, slot);
        EXPECT_EQ(
            orr_slot_encode(&wraps, generation, keys.header_mac, at, orr_slot_size(&c.header)),
            ORR_OK);
    }

    // `warnings` -1: any number.
    void expect_end(orr_verb verb, orr_status status, int warnings, const std::string &name) {
        fs::path out =
            verb == ORR_VERB_DECRYPT || verb == ORR_VERB_REENCRYPT ? directory / "out" : "";
        fs::remove_all(directory / "out");
        JobEnd end = run(verb, {file}, out);
        EXPECT_EQ(end.status, status) << name << " verb " << verb << end.said();
        EXPECT_TRUE(warnings < 0 || int(end.warnings.size()) == warnings)
            << name << " verb " << verb << end.said();
        bool is_written = false; // beside a journal
        for (auto &f : files_below(directory / "out")) is_written |= f[0] != '.';
        EXPECT_EQ(is_written, !out.empty() && status == ORR_OK) << name << " verb " << verb;
        if (verb == ORR_VERB_DECRYPT && status == ORR_OK) {
            ASSERT_EQ(files_below(out).size(), 1u) << name;
            EXPECT_TRUE(read_file(out / files_below(out)[0]) == plain) << name;
        }
    }

    // One slot is wrong: every verb goes by the other, and says so; rewrap mends it.
    void expect_spared(const Bytes &bytes, const std::string &name) {
        for (orr_verb verb :
             {ORR_VERB_VERIFY, ORR_VERB_DECRYPT, ORR_VERB_REENCRYPT, ORR_VERB_REWRAP}) {
            write_file(file, bytes);
            expect_end(verb, ORR_OK, 1, name);
        }
        expect_end(ORR_VERB_VERIFY, ORR_OK, 0, name + ", mended");
        expect_end(ORR_VERB_DECRYPT, ORR_OK, 0, name + ", mended");
    }

    // Both are wrong: nothing says that all is well, and nothing is written.
    void expect_refused(const Bytes &bytes, const std::string &name) {
        for (orr_verb verb :
             {ORR_VERB_VERIFY, ORR_VERB_DECRYPT, ORR_VERB_REENCRYPT, ORR_VERB_REWRAP}) {
            write_file(file, bytes);
            expect_end(verb, ORR_AUTH, -1, name);
            EXPECT_TRUE(read_file(file) == bytes) << name;
        }
    }

    // All wraps of a slot, each with its head, as they stand there.
    static std::vector<std::string> wraps_of(const Bytes &bytes) {
        std::vector<std::string> found;
        orr_slot slot;
        orr_wrap wrap;
        EXPECT_EQ(orr_slot_decode(&bytes[ORR_PAGE], ORR_PAGE, &slot), ORR_OK);
        for (size_t at = 0; orr_slot_next(&slot, &at, &wrap);)
            found.emplace_back(reinterpret_cast<const char *>(wrap.key_id) - 8,
                               reinterpret_cast<const char *>(wrap.body) + wrap.body_bytes);
        return found;
    }

    // Writes both slots anew, with the wraps of slot A and what `more` adds or changes.
    template <typename More> void edit(Bytes *bytes, More more) {
        orr_error error{};
        orr_container c{};
        orr_file_secret secret{};
        orr_file_keys keys{};
        orr_wraps wraps{};
        orr_wrap wrap;
        write_file(directory / "edited", *bytes);
        int fd = open((directory / "edited").c_str(), O_RDONLY);
        ASSERT_EQ(orr_container_read(&c, fd, bytes->size(), "edited", &error), ORR_OK);
        ASSERT_EQ(
            orr_container_unlock(&c, orr_keyring_lookup, &ring, "edited", &secret, &keys, &error),
            ORR_OK)
            << error.text;
        close(fd);
        for (size_t at = 0; orr_slot_next(&c.slot[0], &at, &wrap);)
            ASSERT_EQ(orr_wraps_add(&wraps, &wrap, &error), ORR_OK);
        more(&wraps, secret, c.header_bytes);
        for (int slot : {0, 1}) put_slot(bytes, c, keys, slot, 1, wraps);
        orr_wraps_free(&wraps);
        orr_container_free(&c);
    }

    static Bytes noise(size_t bytes) {
        Bytes made(bytes);
        for (auto &b : made) b = uint8_t(test_random()());
        return made;
    }

    fs::path file;
    Bytes plain;
};

TEST_F(Slots, TheOtherOneIsUsedAndRewrapMends) {
    // Of the last, padding says nothing: a whole segment has to.
    for (size_t size : {1000u, 0u, ORR_TILE_BYTES + 5000u, 3u * 384u}) {
        plain = noise(size);
        Bytes good = container("scan.tif", plain);
        for (int slot : {0, 1})
            for (uint64_t generation : {1, 2})
                for (Fault fault : {OTHER_PLANET, OTHER_ROOT, NO_WRAP})
                    expect_spared(faulty(good, slot, generation, fault),
                                  std::to_string(size) + " bytes, slot " + "AB"[slot] +
                                      ", generation " + std::to_string(generation) + ", fault " +
                                      std::to_string(fault));
    }
}

TEST_F(Slots, BothWrong) {
    for (size_t size : {1000u, 3u * 384u}) {
        plain = noise(size);
        Bytes good = container("scan.tif", plain);
        // By turns, so that the keys of the file can still be had for the second one.
        Bytes planets = faulty(faulty(good, 0, 1, OTHER_PLANET), 1, 1, OTHER_PLANET);
        expect_refused(planets, "two other planets");
        std::copy(planets.begin() + 4096, planets.begin() + 8192, planets.begin() + 8192);
        expect_refused(planets, "one other planet, twice");
        expect_refused(faulty(faulty(good, 0, 1, OTHER_PLANET), 1, 2, NO_WRAP),
                       "planet and no wrap");
        expect_refused(faulty(faulty(good, 0, 1, OTHER_ROOT), 1, 3, NO_WRAP), "root and no wrap");
    }
}

// What names a key that the keyring lacks cannot be looked at: nothing is said of it.
TEST_F(Slots, OfAnUnknownKey) {
    plain = noise(1000);
    Bytes good = container("scan.tif", plain);
    write_file(file, faulty(good, 1, 1, OTHER_PLANET, &stranger.keys[0]));
    expect_end(ORR_VERB_VERIFY, ORR_OK, 1, "another keyring's"); // the slots are not alike
    expect_end(ORR_VERB_DECRYPT, ORR_OK, 1, "another keyring's");
    write_file(file, faulty(good, 1, 2, NONE, &stranger.keys[0])); // a newer one, too
    expect_end(ORR_VERB_VERIFY, ORR_OK, 1, "another keyring's, newer");
    write_file(file,
               faulty(faulty(good, 1, 2, NONE, &stranger.keys[0]), 0, 2, NONE, &stranger.keys[0]));
    expect_end(ORR_VERB_VERIFY, ORR_KEY, 0, "another keyring's, both");
}

// Without the file's keys there is no MAC: that is no fault but a forgery, wherever it stands.
TEST_F(Slots, AlteredOnesAreRefused) {
    plain = noise(1000);
    Bytes good = container("scan.tif", plain), other = container("scan.tif", plain);
    for (int slot : {0, 1}) {
        Bytes bytes = good;
        std::copy(&other[4096], &other[8192], bytes.begin() + 4096 * (slot + 1));
        expect_refused(bytes, "another file's slot");
    }
}

TEST_F(Slots, Salvage) {
    plain = noise(3 * ORR_TILE_BYTES);
    Bytes bytes = faulty(container("scan.tif", plain), 1, 2, OTHER_PLANET);
    bytes[bytes.size() - 1] ^= 1; // the last tile's
    write_file(file, bytes);
    JobEnd end = run(ORR_VERB_DECRYPT, {file}, directory / "out", [](auto &o) { o.salvage = 1; });
    EXPECT_EQ(end.status, ORR_AUTH) << end.said();
    Bytes saved = read_file(directory / "out" / "scan.tif.salvaged"), kept = plain;
    std::fill(kept.begin() + 2 * ORR_TILE_BYTES, kept.end(), 0);
    EXPECT_TRUE(saved == kept);
}

// One wrap of a slot does not hold the secret that its other ones hold.
TEST_F(Slots, OneWrapOfManyIsWrong) {
    plain = noise(1000);
    ASSERT_EQ(orr_keyring_add(&ring, "second", nullptr, nullptr), ORR_OK);
    Bytes bytes = container("scan.tif", plain);
    edit(&bytes, [&](orr_wraps *wraps, const orr_file_secret &secret, const uint8_t *header) {
        orr_wrap_key second = container_reader(ring.keys[1].key);
        ASSERT_EQ(orr_wraps_make(wraps, &second, nullptr, &secret, header, nullptr), ORR_OK);
        wraps->bytes[wraps->used - 1] ^= 1;
    });
    expect_spared(bytes, "the second of two wraps");
}

// What is of another keyring, or of a type that this release does not know, stays; what is of
// another key of this one is replaced.
TEST_F(Slots, RewrapKeepsWhatItWasNotAskedToChange) {
    uint8_t second[ORR_KEY_ID_BYTES];
    plain = noise(1000);
    Bytes bytes = container("scan.tif", plain);
    const Bytes unknown_body = noise(40);
    edit(&bytes, [&](orr_wraps *wraps, const orr_file_secret &secret, const uint8_t *header) {
        orr_wrap_key other = container_reader(stranger.keys[0].key);
        ASSERT_EQ(orr_wraps_make(wraps, &other, nullptr, &secret, header, nullptr), ORR_OK);
        for (const uint8_t *id : {ring.keys[0].id, stranger.keys[0].id}) {
            orr_wrap unknown = {77, id, unknown_body.data(), unknown_body.size()};
            ASSERT_EQ(orr_wraps_add(wraps, &unknown, nullptr), ORR_OK);
        }
    });
    std::vector<std::string> before = wraps_of(bytes);
    ASSERT_EQ(before.size(), 4u);
    ASSERT_EQ(orr_keyring_add(&ring, "second", second, nullptr), ORR_OK);
    auto to_second = [&](auto &o) {
        o.has_to = 1;
        memcpy(o.to_key, second, sizeof second);
    };
    write_file(file, bytes);
    ASSERT_EQ(run(ORR_VERB_REWRAP, {file}, "", to_second).status, ORR_OK);
    bytes = read_file(file);
    std::vector<std::string> after = wraps_of(bytes);
    ASSERT_EQ(after.size(), 4u);
    for (size_t i = 1; i < 4; i++)
        EXPECT_EQ(std::count(after.begin(), after.end(), before[i]), 1) << i;
    EXPECT_EQ(std::count(after.begin(), after.end(), before[0]), 0);
    for (auto &[keyring, key] : {std::pair(&ring, 1), std::pair(&stranger, 0)}) {
        JobEnd end = run_job(ORR_VERB_VERIFY, {file}, "", keyring, backend);
        EXPECT_EQ(end.status, ORR_OK) << end.said();
        char id[2 * ORR_KEY_ID_BYTES + 1]; // that which opened it, though others stand before it
        orr_hex(keyring->keys[key].id, ORR_KEY_ID_BYTES, id);
        EXPECT_EQ(end.only().key_id, id);
    }
    ASSERT_EQ(orr_keyring_set_state(&ring, second, ORR_KEY_DESTROYED, nullptr), ORR_OK);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {file}, "").status, ORR_KEY);
    EXPECT_EQ(run_job(ORR_VERB_VERIFY, {file}, "", &stranger, backend).status, ORR_OK);
}

TEST_F(Slots, PaperProfile) {
    write_small_tiff(directory / "scan.tif", {{20, 10, 3, 8}});
    plain = read_file(directory / "scan.tif");
    JobEnd end = run(ORR_VERB_ENCRYPT, {directory / "scan.tif"}, directory / "paper.orr.tif",
                     [](auto &o) { o.profile = ORR_PROFILE_PAPER, o.mem = 0; });
    ASSERT_EQ(end.status, ORR_OK) << end.said();
    Bytes good = read_file(directory / "paper.orr.tif");
    for (int slot : {0, 1})
        for (Fault fault : {OTHER_PLANET, NO_WRAP}) {
            write_file(file, faulty(good, slot, 2, fault));
            auto memory = [](auto &o) { o.mem = 0; };
            EXPECT_EQ(run(ORR_VERB_VERIFY, {file}, "", memory).warnings.size(), 1u);
            end = run(ORR_VERB_REWRAP, {file}, "", memory);
            EXPECT_EQ(end.status, ORR_OK) << end.said();
            end = run(ORR_VERB_VERIFY, {file}, "", memory);
            EXPECT_EQ(end.status, ORR_OK) << end.said();
            EXPECT_TRUE(end.warnings.empty()) << end.said();
        }
    write_file(file, faulty(faulty(good, 0, 1, OTHER_PLANET), 1, 1, OTHER_PLANET));
    EXPECT_EQ(run(ORR_VERB_REWRAP, {file}, "", [](auto &o) { o.mem = 0; }).status, ORR_AUTH);
}

} // namespace
