// Every way of damaging an encrypted file is refused with the right exit status and leaves nothing
// in the output directory. Bits flipped in one wrap slot alone are the exception on purpose:
// the other slot is used (a torn rewrap must not cost a file), and a warning says so.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/support/job_fixture.h"
#include "tests/support/places.h"

namespace {

using Statuses = std::vector<orr_status>;

struct Field {
    std::string name;
    uint64_t at, bytes;
    Statuses allowed;
};

std::string number(size_t i) {
    char text[24];
    snprintf(text, sizeof text, "%06zu", i);
    return text;
}

class Damage : public JobTest {
  protected:
    void SetUp() override {
        JobTest::SetUp();
        test_seed();
    }

    orr_geometry geometry_of(const Bytes &file) {
        orr_header header;
        orr_geometry geometry;
        orr_error error;
        EXPECT_EQ(orr_header_decode(file.data() + 32, &header, &error), ORR_OK) << error.text;
        EXPECT_EQ(orr_geometry_init(&geometry, header.length, header.metadata_length, &error),
                  ORR_OK);
        EXPECT_EQ(geometry.file_length, file.size());
        metadata_length = header.metadata_length;
        return geometry;
    }

    // The fields of docs/FORMAT.md up to the data, in a file with one strip array each.
    std::vector<Field> head_fields(const orr_geometry &g) {
        const Statuses auth = {ORR_AUTH}, unsupported = {ORR_UNSUPPORTED},
                       both = {ORR_AUTH, ORR_UNSUPPORTED};
        uint64_t sealed_end = 12288 + metadata_length + 16, tiles = g.tiles;
        uint64_t bits = (g.ifd_offset + 2 + 11 * 12 + 4 + 7) / 8 * 8;
        uint64_t offsets = (bits + 6 + 7) / 8 * 8, counts = (offsets + 4 * tiles + 7) / 8 * 8;
        std::vector<Field> fields = {
            {"byte order", 0, 2, auth},
            {"TIFF version", 2, 2, auth},
            {"IFD offset", 4, 4, auth},
            {"zero behind the TIFF header", 8, 8, auth},
            {"magic", 16, 16, {ORR_NOT_ORRERY}},
            {"version", 32, 2, unsupported},
            {"suite", 34, 2, unsupported},
            {"profile", 36, 1, unsupported},
            {"flags", 37, 1, unsupported},
            {"rule", 38, 2, both},
            {"map constant", 40, 4, both},
            {"reserved 12", 44, 4, unsupported},
            {"file ID", 48, 32, auth},
            {"plaintext length", 80, 8, both},
            {"metadata length", 88, 8, both},
            {"tile bytes", 96, 4, unsupported},
            {"tiles per segment", 100, 4, unsupported},
            {"file length", 104, 8, auth},
            {"pages", 112, 4, unsupported},
            {"reserved 84", 116, 108, unsupported},
            {"commitment", 224, 32, auth},
            {"description", 256, 1024, auth},
            {"zero of page 0", 1280, 2816, auth},
            {"metadata", 12288, metadata_length, auth},
            {"metadata tag", 12288 + metadata_length, 16, auth},
            {"zero before the IFD", sealed_end, g.ifd_offset - sealed_end, auth},
            {"IFD count", g.ifd_offset, 2, auth},
            {"next IFD", g.ifd_offset + 2 + 11 * 12, 4, auth},
            {"zero behind the IFD", g.ifd_offset + 2 + 11 * 12 + 4,
             bits - (g.ifd_offset + 2 + 11 * 12 + 4), auth},
            {"bits per sample", bits, 6, auth},
            {"zero behind the bits per sample", bits + 6, offsets - bits - 6, auth},
            {"strip offsets", offsets, 4 * tiles, auth},
            {"zero behind the strip offsets", offsets + 4 * tiles, counts - offsets - 4 * tiles,
             auth},
            {"strip byte counts", counts, 4 * tiles, auth},
            {"zero before the data", counts + 4 * tiles, g.data_offset - counts - 4 * tiles, auth},
        };
        for (uint64_t i = 0; i < 11; i++)
            fields.push_back(
                {"IFD entry " + std::to_string(i), g.ifd_offset + 2 + 12 * i, 12, auth});
        return fields;
    }

    static std::vector<Field> slot_fields() {
        std::vector<Field> fields;
        for (uint64_t slot = 4096; slot <= 8192; slot += 4096) {
            std::string name = slot == 4096 ? "slot A " : "slot B ";
            for (Field f : std::vector<Field>{{"magic", 0, 8, {}},
                                              {"generation", 8, 8, {}},
                                              {"count", 16, 4, {}},
                                              {"reserved", 20, 4, {}},
                                              {"key ID", 24, 16, {}},
                                              {"wrapped secret", 40, 104, {}},
                                              {"unused wraps", 144, 360, {}},
                                              {"zero", 504, 3544, {}},
                                              {"MAC", 4048, 32, {}},
                                              {"checksum", 4080, 16, {}}})
                fields.push_back({name + f.name, slot + f.at, f.bytes, {ORR_AUTH}});
        }
        return fields;
    }

    static std::vector<Field> segment_fields(const orr_geometry &g, uint64_t s) {
        uint64_t at = orr_segment_offset(&g, s), tiles = orr_segment_tiles(&g, s);
        std::string name = "segment " + std::to_string(s) + " ";
        uint64_t digest = at + 16 * tiles, data = digest + 32;
        uint64_t last = data + (tiles - 1) * ORR_TILE_BYTES;
        uint64_t end = at + orr_segment_file_bytes(&g, s);
        return {
            {name + "first tag", at, 16, {ORR_AUTH}},
            {name + "last tag", digest - 16, 16, {ORR_AUTH}},
            {name + "digest", digest, 16, {ORR_AUTH}},
            {name + "digest tag", digest + 16, 16, {ORR_AUTH}},
            {name + "first tile", data, std::min(end - data, uint64_t(ORR_TILE_BYTES)), {ORR_AUTH}},
            {name + "last tile", last, end - last, {ORR_AUTH}}};
    }

    // Bits of a field that are worth flipping: all of a short one, ends and a few others of a long.
    static std::vector<uint64_t> bits_of(const Field &f) {
        std::vector<uint64_t> bits;
        if (f.bytes <= 16) {
            for (uint64_t b = 0; b < 8 * f.bytes; b++) bits.push_back(8 * f.at + b);
        } else {
            bits = {8 * f.at, 8 * f.at + 7, 8 * (f.at + f.bytes) - 8, 8 * (f.at + f.bytes) - 1};
            for (int i = 0; i < 12; i++) bits.push_back(8 * f.at + test_random()() % (8 * f.bytes));
        }
        return bits;
    }

    static std::string shown(const FileEnd &f) {
        return f.source + " status " + std::to_string(f.status) + " " + f.reason;
    }

    // Verifies all damaged copies in one job, and decrypts a few of them, each in a job of its own
    // (in one job they would be one file given again). `allowed[i]` says what copy i may end with.
    void expect_refused(const std::vector<Bytes> &copies, const std::vector<Statuses> &allowed,
                        const std::vector<std::string> &names) {
        fs::path in = directory / "damaged", out = directory / "out";
        auto check = [&](const JobEnd &end, size_t count) {
            ASSERT_EQ(end.files.size(), count);
            for (auto &f : end.files) {
                size_t i = std::stoul(fs::path(f.source).filename().string().substr(0, 6));
                EXPECT_EQ(f.outcome, ORR_OUT_FAILED) << names[i];
                EXPECT_EQ(std::count(allowed[i].begin(), allowed[i].end(), f.status), 1)
                    << names[i] << ": " << shown(f);
                EXPECT_GT(f.reason.size(), 20u) << names[i];
            }
        };
        fs::remove_all(in);
        fs::remove_all(out);
        fs::create_directory(in);
        for (size_t i = 0; i < copies.size(); i++)
            write_file(in / (number(i) + ".orr.tif"), copies[i]);
        check(run(ORR_VERB_VERIFY, {in}, ""), copies.size());
        size_t step = copies.size() / 40 + 1;
        for (size_t i = test_random()() % step; i < copies.size(); i += step) {
            JobEnd end = run(ORR_VERB_DECRYPT, {in / (number(i) + ".orr.tif")}, out);
            check(end, 1);
            EXPECT_EQ(end.status, end.only().status);
        }
        EXPECT_EQ(files_below(out), std::vector<std::string>());
        fs::remove_all(in);
    }

    void expect_refused(const Bytes &copy, orr_status status, const std::string &name) {
        expect_refused(std::vector<Bytes>{copy}, {{status}}, {name});
    }

    // One slot damaged: verify and decrypt go by the other one, with a warning.
    void expect_spare_slot_used(const Bytes &copy, const Bytes &plain, const std::string &name) {
        fs::path file = directory / "spare.orr.tif", out = directory / "restored";
        fs::remove_all(out);
        write_file(file, copy);
        JobEnd verify = run(ORR_VERB_VERIFY, {file}, "");
        EXPECT_EQ(verify.status, ORR_OK) << name << verify.said();
        EXPECT_EQ(verify.warnings.size(), 1u) << name << verify.said();
        JobEnd end = run(ORR_VERB_DECRYPT, {file}, out);
        EXPECT_EQ(end.status, ORR_OK) << name << end.said();
        EXPECT_EQ(end.warnings.size(), 1u) << name << end.said();
        ASSERT_EQ(files_below(out).size(), 1u) << name;
        EXPECT_TRUE(read_file(out / files_below(out)[0]) == plain) << name;
    }

    uint64_t metadata_length = 0;
};

Bytes flipped(const Bytes &file, uint64_t bit) {
    Bytes copy = file;
    copy.at(bit / 8) ^= uint8_t(1u << bit % 8);
    return copy;
}

bool in_slot(uint64_t bit) {
    return bit / 8 >= 4096 && bit / 8 < 12288;
}

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

TEST_F(Damage, TenThousandRandomBits) {
    Bytes plain = random_bytes(ORR_TILE_BYTES + 5000), file = container("scan.tif", plain);
    std::vector<Bytes> copies;
    std::vector<Statuses> allowed;
    std::vector<std::string> names;
    int spared = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t bit = test_random()() % (8 * file.size());
        if (in_slot(bit)) {
            // Their tolerance is tested one by one, for some of them: decrypt has to write.
            if (spared++ % 16 == 0)
                expect_spare_slot_used(flipped(file, bit), plain, "bit " + std::to_string(bit));
        } else {
            copies.push_back(flipped(file, bit));
            bool magic = bit / 8 >= 16 && bit / 8 < 32, header = bit / 8 >= 32 && bit / 8 < 224;
            allowed.push_back(magic    ? Statuses{ORR_NOT_ORRERY}
                              : header ? Statuses{ORR_AUTH, ORR_UNSUPPORTED}
                                       : Statuses{ORR_AUTH});
            names.push_back("bit " + std::to_string(bit));
        }
        if (copies.size() == 500 || i == 9999) {
            expect_refused(copies, allowed, names);
            copies.clear();
            allowed.clear();
            names.clear();
        }
    }
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
    for (uint64_t at : {12288 + metadata_length, 12288 + metadata_length + 16, g.ifd_offset,
                        g.ifd_offset + 2 + 11 * 12 + 4, g.data_offset, g.data_offset + 16,
                        g.data_offset + 48, g.data_offset + 80, g.data_offset + 80 + ORR_TILE_BYTES,
                        g.data_offset + 80 + 2 * ORR_TILE_BYTES})
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
    for (uint64_t v : {0u, 2u, 0xffffu}) with(2, v, 2, {ORR_UNSUPPORTED});     // suite
    for (uint64_t v : {0u, 3u, 0xffu}) with(4, v, 1, {ORR_UNSUPPORTED});       // profile
    for (uint64_t v : {1u, 0x80u, 0xffu}) with(5, v, 1, {ORR_UNSUPPORTED});    // flags
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
        ASSERT_EQ(orr_geometry_init(&g, length, header.metadata_length, &error), ORR_OK);
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

// ---- large files: three segments, the last of three tiles

class LargeDamage : public Damage, protected Places {
  protected:
    void SetUp() override {
        Damage::SetUp();
        plain = random_bytes(2 * ORR_SEGMENT_BYTES + 2 * ORR_TILE_BYTES + 700);
        file = container("scan.tif", plain);
        g = geometry_of(file);
        ASSERT_EQ(g.segments, 3u);
        path = directory / "x.orr.tif";
    }
    static void swap(Bytes &a, uint64_t at_a, Bytes &b, uint64_t at_b, uint64_t bytes) {
        std::swap_ranges(a.begin() + long(at_a), a.begin() + long(at_a + bytes),
                         b.begin() + long(at_b));
    }
    void refuse(const Bytes &copy, const std::string &name) {
        ASSERT_TRUE(copy != file) << name;
        expect_refused(copy, ORR_AUTH, name);
    }
    Bytes plain, file;
    fs::path path;
};

TEST_F(LargeDamage, FieldsOfEachSegment) {
    std::vector<Field> fields;
    for (uint64_t s = 0; s < g.segments; s++)
        for (auto &f : segment_fields(g, s)) fields.push_back(f);
    write_file(path, file);
    int fd = open(path.c_str(), O_RDWR);
    ASSERT_GE(fd, 0);
    for (auto &f : fields) {
        for (uint64_t at : {f.at, f.at + f.bytes - 1, f.at + test_random()() % f.bytes}) {
            uint8_t changed = file[at] ^ uint8_t(1u << test_random()() % 8);
            ASSERT_EQ(pwrite(fd, &changed, 1, long(at)), 1);
            EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_AUTH) << f.name;
            EXPECT_EQ(run(ORR_VERB_DECRYPT, {path}, directory / "out").status, ORR_AUTH) << f.name;
            EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>()) << f.name;
            ASSERT_EQ(pwrite(fd, &file[at], 1, long(at)), 1);
        }
    }
    close(fd);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_OK);
}

TEST_F(LargeDamage, TruncatedAtEachBoundary) {
    std::vector<uint64_t> lengths;
    for (uint64_t s = 0; s < g.segments; s++)
        for (uint64_t at : {orr_segment_offset(&g, s), digest_at(s), digest_at(s) + 32,
                            tile_at(s * ORR_SEGMENT_TILES + 1),
                            tile_at(s * ORR_SEGMENT_TILES + orr_segment_tiles(&g, s) - 1)})
            for (int d = 1; d >= -1; d--) lengths.push_back(at + uint64_t(d));
    std::sort(lengths.rbegin(), lengths.rend());
    write_file(path, file);
    for (uint64_t n : lengths) {
        ASSERT_EQ(truncate(path.c_str(), long(n)), 0);
        EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_AUTH) << n;
        EXPECT_EQ(run(ORR_VERB_DECRYPT, {path}, directory / "out").status, ORR_AUTH) << n;
    }
    EXPECT_EQ(files_below(directory / "out"), std::vector<std::string>());
}

TEST_F(LargeDamage, MovedWithinAFile) {
    auto moved = [&](const std::string &name, std::vector<std::array<uint64_t, 3>> swaps) {
        Bytes copy = file;
        for (auto &[a, b, bytes] : swaps) swap(copy, a, copy, b, bytes);
        refuse(copy, name);
    };
    const uint64_t tile = ORR_TILE_BYTES;
    moved("neighbouring tiles", {{tile_at(4), tile_at(5), tile}});
    moved("neighbouring tiles with their tags",
          {{tile_at(4), tile_at(5), tile}, {tag_at(4), tag_at(5), 16}});
    moved("same place in two segments, with tags",
          {{tile_at(7), tile_at(128 + 7), tile}, {tag_at(7), tag_at(128 + 7), 16}});
    moved("last of the file and another, with tags",
          {{tile_at(257), tile_at(0), tile}, {tag_at(257), tag_at(0), 16}});
    moved("two tags", {{tag_at(0), tag_at(127), 16}});
    moved("two digests", {{digest_at(0), digest_at(1), 32}});
    moved("two whole segments",
          {{orr_segment_offset(&g, 0), orr_segment_offset(&g, 1), orr_segment_file_bytes(&g, 0)}});
    Bytes copy = file;
    memcpy(&copy[tile_at(9)], &file[tile_at(8)], tile);
    memcpy(&copy[tag_at(9)], &file[tag_at(8)], 16);
    refuse(copy, "a tile twice");
    copy = file;
    std::fill(copy.begin() + long(tile_at(200)), copy.begin() + long(tile_at(200) + tile), 0);
    refuse(copy, "a tile zeroed, like a lost sector");
}

TEST_F(LargeDamage, MovedFromAnotherFile) {
    // The same name, size and key; even the same content.
    Bytes other = container("scan.tif", plain);
    ASSERT_EQ(other.size(), file.size());
    auto foreign = [&](const std::string &name, std::vector<std::array<uint64_t, 2>> pieces) {
        Bytes copy = file;
        for (auto &[at, bytes] : pieces) memcpy(&copy[at], &other[at], bytes);
        refuse(copy, name);
    };
    foreign("tile", {{tile_at(3), ORR_TILE_BYTES}});
    foreign("tile and tag", {{tile_at(3), ORR_TILE_BYTES}, {tag_at(3), 16}});
    foreign("segment", {{orr_segment_offset(&g, 1), orr_segment_file_bytes(&g, 1)}});
    foreign("all the data", {{g.data_offset, file.size() - g.data_offset}});
    foreign("digest", {{digest_at(0), 32}});
    foreign("immutable header", {{32, 192}});
    foreign("header and commitment", {{32, 224}});
    foreign("commitment", {{224, 32}});
    foreign("page 0", {{0, 4096}});
    foreign("slot A", {{4096, 4096}});
    foreign("slot B", {{8192, 4096}});
    foreign("both slots", {{4096, 8192}});
    foreign("page 0 and both slots", {{0, 12288}});
    foreign("sealed metadata", {{12288, metadata_length + 16}});
    foreign("file ID", {{48, 32}});
    foreign("wrapped secret with nothing recomputed", {{4096 + 40, 104}, {8192 + 40, 104}});
}

// A slot of the same file from before a rewrap is no forgery: it still opens, by design.
TEST_F(LargeDamage, OlderSlotOfTheSameFile) {
    orr_error error;
    uint8_t id[ORR_KEY_ID_BYTES];
    ASSERT_EQ(orr_keyring_add(&ring, "second", id, &error), ORR_OK);
    write_file(path, file);
    JobEnd end = run(ORR_VERB_REWRAP, {path}, "", [&](auto &o) {
        memcpy(o.to_key, id, sizeof id);
        o.has_to = 1;
    });
    ASSERT_EQ(end.status, ORR_OK) << end.said();
    Bytes rewrapped = read_file(path);
    EXPECT_TRUE(std::equal(file.begin(), file.begin() + 4096, rewrapped.begin()));
    EXPECT_TRUE(std::equal(file.begin() + 12288, file.end(), rewrapped.begin() + 12288));
    EXPECT_TRUE(memcmp(&file[4096], &rewrapped[4096], 4096) &&
                memcmp(&file[8192], &rewrapped[8192], 4096));
    memcpy(&rewrapped[4096], &file[4096], 4096);
    write_file(path, rewrapped);
    EXPECT_EQ(run(ORR_VERB_VERIFY, {path}, "").status, ORR_OK);
}

} // namespace
