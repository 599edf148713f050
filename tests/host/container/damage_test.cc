// Every way of damaging an encrypted file is refused with the right exit status and leaves nothing
// in the output directory. Bits flipped in one wrap slot alone are the exception on purpose:
// the other slot is used (a torn rewrap must not cost a file), and a warning says so.
#include <gtest/gtest.h>

#include <unistd.h>

#include "base/bytes.h"
#include "tests/support/damage_fixture.h"

namespace {

TEST_F(Damage, WholeFileIsAccepted) {
    Bytes plain = random_bytes(100000), file = container("scan.tif", plain);
    write_file(directory / "x.orr.tif", file);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {directory / "x.orr.tif"}, "").status, ORR_OK);
    EXPECT_EQ(run(ORR_VERB_DECRYPT, {directory / "x.orr.tif"}, directory / "out").status, ORR_OK);
    EXPECT_TRUE(read_file(directory / "out/scan.tif") == plain);
}

TEST_F(Damage, EveryFieldOfTheHead) {
    Bytes file = container("scan.tif", random_bytes(3 * ORR_TILE_BYTES + 1000));
    orr_geometry g = geometry_of(file);
    std::vector<Field> fields = head_fields(g);
    std::vector<Bytes> copies;
    std::vector<Statuses> allowed;
    std::vector<std::string> names;
    uint64_t covered = 0;
    for (auto &f : fields) {
        if (f.name.compare(0, 9, "IFD entry")) covered += f.bytes;
        if (!f.bytes) continue;
        for (uint64_t bit : bits_of(f)) {
            copies.push_back(flipped(file, bit));
            allowed.push_back(f.allowed);
            names.push_back(f.name + ", bit " + std::to_string(bit));
        }
    }
    // The table leaves no byte of the head out.
    EXPECT_EQ(covered + 11 * 12 + 8192, g.data_offset);
    for (size_t i = 0; i < copies.size(); i += 250) {
        size_t n = std::min(copies.size(), i + 250);
        expect_refused({copies.begin() + long(i), copies.begin() + long(n)},
                       {allowed.begin() + long(i), allowed.begin() + long(n)},
                       {names.begin() + long(i), names.begin() + long(n)});
    }
}

TEST_F(Damage, OneSlotIsSparedBothAreNot) {
    Bytes plain = random_bytes(1000), file = container("scan.tif", plain);
    for (auto &f : slot_fields()) {
        uint64_t bit = 8 * f.at + test_random()() % (8 * f.bytes);
        Bytes one = flipped(file, bit);
        expect_spare_slot_used(one, plain, f.name);
        uint64_t other = bit / 8 < 8192 ? bit + 8 * 4096 : bit - 8 * 4096;
        expect_refused(flipped(one, other), ORR_AUTH, f.name + " of both slots");
    }
    Bytes zeroed = file;
    std::fill(zeroed.begin() + 4096, zeroed.begin() + 8192, 0);
    expect_spare_slot_used(zeroed, plain, "slot A zeroed");
}

TEST_F(Damage, RewrapRepairsADamagedSlot) {
    Bytes plain = random_bytes(1000), file = container("scan.tif", plain);
    for (uint64_t at : {4096u + 50, 8192u + 50}) {
        write_file(directory / "x.orr.tif", flipped(file, 8 * at));
        EXPECT_EQ(run(ORR_VERB_REWRAP, {directory / "x.orr.tif"}, "").status, ORR_OK);
        JobEnd end = run(ORR_VERB_VERIFY, {directory / "x.orr.tif"}, "");
        EXPECT_EQ(end.status, ORR_OK);
        EXPECT_TRUE(end.warnings.empty()) << end.said();
    }
}

// Bits, runs of noise or zeros, pages over other pages: something else than the file.
Bytes damaged(const Bytes &file, std::string *name) {
    Bytes copy = file;
    auto below = [](uint64_t n) { return test_random()() % n; };
    uint64_t size = file.size(), pages = size / ORR_PAGE, at = below(size), kind = below(8);
    uint64_t run = std::min(size - at, 1 + below(below(2) ? 16 : 8192));
    uint64_t a = below(pages) * ORR_PAGE, b = below(pages) * ORR_PAGE;
    *name = "kind " + std::to_string(kind) + " at " + std::to_string(at) + ", run " +
            std::to_string(run) + ", pages at " + std::to_string(a) + " " + std::to_string(b);
    switch (kind) {
    case 0: // noise
        for (uint64_t i = 0; i < run; i++) copy[at + i] = uint8_t(test_random()());
        break;
    case 1: // a lost sector
        std::fill_n(copy.begin() + long(at), run, 0);
        break;
    case 2: // a page written to another's place
        std::copy_n(file.begin() + long(a), ORR_PAGE, copy.begin() + long(b));
        break;
    case 3:
        std::swap_ranges(copy.begin() + long(a), copy.begin() + long(a) + ORR_PAGE,
                         copy.begin() + long(b));
        break;
    default:
        copy = flipped(file, 8 * at + below(8));
    }
    return copy == file ? damaged(file, name) : copy;
}

// Where two files differ: the first such byte of each part.
struct Difference {
    bool magic = false, header = false, slot[2] = {}, rest = false;
    Difference(const Bytes &a, const Bytes &b) {
        for (uint64_t at = 0; at < a.size(); at++) {
            if (a[at] == b[at]) continue;
            bool &part = at >= 16 && at < 32       ? magic
                         : at >= 32 && at < 224    ? header
                         : at >= 4096 && at < 8192 ? slot[0]
                         : in_slot(8 * at)         ? slot[1]
                                                   : rest;
            part = true;
        }
    }
    bool of_one_slot() const { return slot[0] != slot[1] && !magic && !header && !rest; }
    Statuses allowed() const {
        if (magic) return {ORR_NOT_ORRERY};
        return header ? Statuses{ORR_AUTH, ORR_UNSUPPORTED} : Statuses{ORR_AUTH};
    }
};

// Ten thousand; as many as ORRERY_DAMAGES says (scripts/long-tests damage: a million).
TEST_F(Damage, AtRandom) {
    const char *given = getenv("ORRERY_DAMAGES");
    const long count = given ? atol(given) : 10000;
    Bytes plain = random_bytes(ORR_TILE_BYTES + 5000), file = container("scan.tif", plain);
    std::vector<Bytes> copies;
    std::vector<Statuses> allowed;
    std::vector<std::string> names;
    long spared = 0;
    for (long i = 0; i < count && !HasFailure(); i++) {
        std::string name;
        Bytes copy = damaged(file, &name);
        Difference difference(file, copy);
        if (difference.of_one_slot()) {
            // Their tolerance is tested one by one, for some of them: decrypt has to write.
            if (spared++ % 16 == 0) expect_spare_slot_used(copy, plain, name);
        } else {
            copies.push_back(std::move(copy));
            allowed.push_back(difference.allowed());
            names.push_back(name);
        }
        if (copies.size() == 500 || i == count - 1) {
            expect_refused(copies, allowed, names);
            copies.clear();
            allowed.clear();
            names.clear();
        }
    }
    EXPECT_GT(spared, count / 50);
    printf("%ld damages, %ld of them of one wrap slot\n", count, spared);
}

TEST_F(Damage, TruncatedOrGrown) {
    Bytes file = container("scan.tif", random_bytes(2 * ORR_TILE_BYTES + 5000));
    orr_geometry g = geometry_of(file);
    std::vector<uint64_t> lengths = {0,
                                     1,
                                     4,
                                     8,
                                     15,
                                     16,
                                     24,
                                     31,
                                     32,
                                     100,
                                     223,
                                     224,
                                     255,
                                     256,
                                     1280,
                                     4095,
                                     4096,
                                     8191,
                                     8192,
                                     12287,
                                     12288,
                                     12300,
                                     file.size() - 1};
    uint64_t data = g.data_offset + ORR_PAGE;
    for (uint64_t at :
         {uint64_t(12304), g.ifd_offset - 16, g.ifd_offset, g.ifd_offset + 2 + 11 * 12 + 4,
          g.data_offset, g.data_offset + 16, g.data_offset + 48, g.data_offset + 2048,
          g.data_offset + 2080, g.data_offset + 2096, data, data + ORR_TILE_BYTES,
          data + 2 * ORR_TILE_BYTES, data + orr_segment_tile_bytes(&g, 0)})
        for (int d = -1; d <= 1; d++) lengths.push_back(at + uint64_t(d));
    for (int i = 0; i < 500; i++) lengths.push_back(test_random()() % file.size());
    std::vector<Bytes> copies;
    std::vector<Statuses> allowed;
    std::vector<std::string> names;
    for (uint64_t n : lengths) {
        copies.emplace_back(file.begin(), file.begin() + long(n));
        // Too short to show eight bytes of the magic: nobody can say that it was one of ours.
        allowed.push_back({n < 24 ? ORR_NOT_ORRERY : ORR_AUTH});
        names.push_back("cut to " + std::to_string(n));
    }
    for (size_t more : {1u, 15u, 384u, 4096u, 49152u}) {
        for (uint8_t value : {0, 0xff}) {
            copies.push_back(file);
            copies.back().resize(file.size() + more, value);
            allowed.push_back({ORR_AUTH});
            names.push_back("grown by " + std::to_string(more));
        }
    }
    expect_refused(copies, allowed, names);
}

TEST_F(Damage, AbsurdLengthsAndUnknownKinds) {
    Bytes file = container("scan.tif", random_bytes(1000));
    std::vector<Bytes> copies;
    std::vector<Statuses> allowed;
    std::vector<std::string> names;
    auto with = [&](size_t at, uint64_t value, size_t bytes, Statuses statuses) {
        Bytes copy = file;
        for (size_t i = 0; i < bytes; i++) copy[32 + at + i] = uint8_t(value >> 8 * i);
        copies.push_back(copy);
        allowed.push_back(statuses);
        names.push_back("header " + std::to_string(at) + " = " + std::to_string(value));
    };
    const Statuses refused = {ORR_AUTH, ORR_UNSUPPORTED};
    const std::vector<uint64_t> lengths = {
        0,          1,          1ull << 31,        1ull << 32, ORR_MAX_LENGTH, ORR_MAX_LENGTH + 1,
        1ull << 62, 1ull << 63, UINT64_MAX - 4096, UINT64_MAX};
    for (uint64_t v : lengths)
        for (size_t at : {48u, 56u, 72u}) with(at, v, 8, refused);
    for (uint64_t v : {0u, 2u, 7u, 0xffffu}) with(0, v, 2, {ORR_UNSUPPORTED}); // version
    for (uint64_t v : {0u, 1u, 3u, 0xffffu}) with(2, v, 2, {ORR_UNSUPPORTED}); // suite
    for (uint64_t v : {0u, 3u, 0xffu}) with(4, v, 1, {ORR_UNSUPPORTED});       // profile
    for (uint64_t v : {0u, 17u, 0xffu}) with(5, v, 1, {ORR_UNSUPPORTED});      // slot pages
    for (uint64_t v : {2u, 16u}) with(5, v, 1, {ORR_AUTH});
    for (uint64_t v : {1u, 2u, ~0u}) with(12, v, 4, {ORR_UNSUPPORTED});       // features
    for (uint64_t v : {1u, 254u, 0xffffu}) with(84, v, 2, {ORR_UNSUPPORTED}); // repair pages
    for (uint64_t v : {1u, ~0u}) with(88, v, 4, {ORR_UNSUPPORTED});           // groups of them
    with(84, 254 | UINT64_C(1) << 32, 8, {ORR_UNSUPPORTED});
    with(84, 1 | UINT64_C(1) << 32, 8, {ORR_AUTH}); // possible, but not this file
    with(92, 1, 4, {ORR_AUTH});
    with(4, 2, 1, refused); // an archive file that calls itself paper
    for (uint64_t v : {0u, 40321u, 0xffffu}) with(6, v, 2, {ORR_UNSUPPORTED}); // rule
    with(6, 1, 2, {ORR_AUTH});                                                 // another rule
    with(8, ORR_MAP_K2_DEFAULT + 1, 4, {ORR_UNSUPPORTED});                     // even constant
    with(8, ORR_MAP_K2_DEFAULT + 2, 4, {ORR_AUTH});
    for (uint64_t v : {0u, 1u, 0xffffffffu}) {
        with(64, v, 4, {ORR_UNSUPPORTED});
        with(68, v, 4, {ORR_UNSUPPORTED});
        if (v != 1) with(80, v, 4, {ORR_UNSUPPORTED});
    }
    expect_refused(copies, allowed, names);
}

// A header that agrees with itself, on a sparse file of the huge length that it claims.
TEST_F(Damage, ConsistentHugeHeader) {
    Bytes file = container("scan.tif", random_bytes(1000));
    for (uint64_t length : {UINT64_C(5) << 30, UINT64_C(1) << 40}) {
        orr_header header;
        orr_geometry g;
        orr_error error;
        ASSERT_EQ(orr_header_decode(file.data() + 32, &header, &error), ORR_OK);
        header.length = length;
        ASSERT_EQ(orr_geometry_init(&g, &header, &error), ORR_OK);
        header.file_length = g.file_length;
        Bytes copy = file;
        orr_header_encode(&header, copy.data() + 32);
        fs::path path = directory / "huge.orr.tif";
        write_file(path, copy);
        EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_AUTH);
        if (truncate(path.c_str(), long(g.file_length)) != 0) {
            printf("no sparse file of %llu bytes here\n",
                   static_cast<unsigned long long>(g.file_length));
            continue;
        }
        JobEnd end = run(ORR_VERB_DECRYPT, {path}, directory / "out");
        EXPECT_EQ(end.status, ORR_AUTH) << end.said();
        end = run(ORR_VERB_DECRYPT, {path}, directory / "out", [](auto &o) { o.salvage = 1; });
        EXPECT_EQ(end.status, ORR_AUTH) << end.said();
        EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>());
        fs::remove(path);
    }
}

TEST_F(Damage, WrongOrDestroyedKey) {
    Bytes file = container("scan.tif", random_bytes(1000));
    fs::path path = directory / "x.orr.tif", out = directory / "out";
    write_file(path, file);
    for (orr_verb verb : {ORR_VERB_VERIFY, ORR_VERB_DECRYPT, ORR_VERB_REWRAP, ORR_VERB_REENCRYPT}) {
        bool writes = verb == ORR_VERB_DECRYPT || verb == ORR_VERB_REENCRYPT;
        JobEnd end = run_job(verb, {path}, writes ? out : "", &stranger, backend);
        EXPECT_EQ(end.status, ORR_KEY) << end.said();
    }
    orr_error error;
    uint8_t id[ORR_KEY_ID_BYTES], old[ORR_KEY_ID_BYTES];
    memcpy(old, ring.keys[0].id, sizeof old);
    ASSERT_EQ(orr_keyring_add(&ring, "second", id, &error), ORR_OK);
    ASSERT_EQ(orr_keyring_set_state(&ring, id, ORR_KEY_ACTIVE, &error), ORR_OK);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_OK);
    ASSERT_EQ(orr_keyring_set_state(&ring, old, ORR_KEY_DESTROYED, &error), ORR_OK);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_KEY);
    EXPECT_EQ(run(ORR_VERB_DECRYPT, {path}, out).status, ORR_KEY);
    // reencrypt leaves its journal, to say that work is unfinished.
    EXPECT_EQ(files_below(out), std::vector<std::string>{".orrery-journal"});
    EXPECT_TRUE(read_file(path) == file);
}

} // namespace
