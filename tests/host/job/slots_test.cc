// Wrap slots that are whole by checksum and MAC and do not hold the file's secret: faults of memory
// when they were written, for nobody without the file's keys can make one. Every verb looks at both
// slots; where they differ in what no commitment covers, the data decide.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
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
        // Bytes of K1: K3 and K7 order three channels, so that others of them decipher the same.
        if (fault == OTHER_PLANET) secret.planet_secret[slot] ^= 1;
        if (fault == OTHER_ROOT) secret.seal_root[20 + slot] ^= 1;
        orr_slot made{};
        made.generation = generation;
        made.count = 1;
        EXPECT_EQ(orr_wrap_make(key ? key : &ring.keys[0], &secret, &made.wrap[0], &error), ORR_OK);
        if (fault == NO_WRAP) made.wrap[0].wrapped[test_random()() % ORR_WRAP_BYTES] ^= 1;
        Bytes changed = bytes;
        EXPECT_EQ(orr_slot_encode(&made, keys.header_mac, &changed[ORR_PAGE * (slot + 1)]), ORR_OK);
        return changed;
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
    expect_end(ORR_VERB_VERIFY, ORR_OK, 0, "another keyring's");
    expect_end(ORR_VERB_DECRYPT, ORR_OK, 0, "another keyring's");
    write_file(file, faulty(good, 1, 2, NONE, &stranger.keys[0])); // the newer one counts
    expect_end(ORR_VERB_VERIFY, ORR_KEY, 0, "another keyring's, newer");
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
    bytes[bytes.size() - 1] ^= 1;
    // One segment is all there is, and it does not open: which secret is right nobody can tell.
    write_file(file, bytes);
    JobEnd end = run(ORR_VERB_DECRYPT, {file}, directory / "out", [](auto &o) { o.salvage = 1; });
    EXPECT_EQ(end.status, ORR_AUTH) << end.said();
    EXPECT_TRUE(files_below(directory / "out").empty());
    plain = noise(ORR_SEGMENT_BYTES + 1000);
    bytes = faulty(container("scan.tif", plain), 1, 2, OTHER_PLANET);
    bytes[bytes.size() - 1] ^= 1;
    write_file(file, bytes);
    end = run(ORR_VERB_DECRYPT, {file}, directory / "out", [](auto &o) { o.salvage = 1; });
    EXPECT_EQ(end.status, ORR_AUTH) << end.said();
    Bytes saved = read_file(directory / "out" / "scan.tif.salvaged");
    EXPECT_TRUE(std::equal(saved.begin(), saved.begin() + ORR_SEGMENT_BYTES, plain.begin()));
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
