// Damaged copies of an encrypted file, and what verify and decrypt have to say of them.
#ifndef ORRERY_TESTS_SUPPORT_DAMAGE_FIXTURE_H
#define ORRERY_TESTS_SUPPORT_DAMAGE_FIXTURE_H

#include "tests/support/job_fixture.h"

using Statuses = std::vector<orr_status>;

struct Field {
    std::string name;
    uint64_t at, bytes;
    Statuses allowed;
};

inline std::string number(size_t i) {
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
        EXPECT_EQ(orr_geometry_init(&geometry, &header, &error), ORR_OK);
        EXPECT_EQ(geometry.file_length, file.size());
        metadata_length = header.metadata_length;
        return geometry;
    }

    // The fields of docs/FORMAT.md up to the data, in a file with one strip array each.
    std::vector<Field> head_fields(const orr_geometry &g) {
        const Statuses auth = {ORR_AUTH}, unsupported = {ORR_UNSUPPORTED},
                       both = {ORR_AUTH, ORR_UNSUPPORTED};
        uint64_t tag = 12288 + metadata_length - 16, tiles = g.tiles;
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
            {"slot pages", 37, 1, both},
            {"rule", 38, 2, both},
            {"map constant", 40, 4, both},
            {"features that must be understood", 44, 4, unsupported},
            {"file ID", 48, 32, auth},
            {"plaintext length", 80, 8, both},
            {"metadata length", 88, 8, both},
            {"tile bytes", 96, 4, unsupported},
            {"tiles per segment", 100, 4, unsupported},
            {"file length", 104, 8, auth},
            {"pages", 112, 4, unsupported},
            {"repair pages", 116, 2, unsupported},
            {"reserved 86", 118, 2, unsupported},
            {"groups of repair data", 120, 4, unsupported},
            {"features that may be ignored", 124, 4, auth},
            {"reserved 96", 128, 96, unsupported},
            {"commitment", 224, 32, auth},
            {"description", 256, 1024, auth},
            {"zero of page 0", 1280, 2816, auth},
            {"metadata salt", 12288, 16, auth},
            {"metadata", 12304, metadata_length - 32, auth},
            {"metadata tag", tag, 16, auth},
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
                                              {"type of a wrap", 24, 2, {}},
                                              {"reserved of a wrap", 26, 2, {}},
                                              {"length of a wrap", 28, 4, {}},
                                              {"key ID", 32, 16, {}},
                                              {"wrapped secret", 48, 104, {}},
                                              {"zero", 152, 3896, {}},
                                              {"MAC", 4048, 32, {}},
                                              {"checksum", 4080, 16, {}}})
                fields.push_back({name + f.name, slot + f.at, f.bytes, {ORR_AUTH}});
        }
        return fields;
    }

    static std::vector<Field> segment_fields(const orr_geometry &g, uint64_t s) {
        uint64_t at = orr_segment_offset(&g, s), tiles = orr_segment_tiles(&g, s);
        std::string name = "segment " + std::to_string(s) + " ";
        uint64_t data = at + ORR_PAGE, end = data + orr_segment_tile_bytes(&g, s);
        uint64_t last = data + (tiles - 1) * ORR_TILE_BYTES;
        const Statuses auth = {ORR_AUTH};
        return {{name + "first tag", at, 16, auth},
                {name + "last tag", at + 16 * (tiles - 1), 16, auth},
                {name + "zero behind the tags", at + 16 * tiles, 2048 - 16 * tiles, auth},
                {name + "digest", at + 2048, 16, auth},
                {name + "digest tag", at + 2064, 16, auth},
                {name + "salt", at + 2080, 16, auth},
                {name + "zero of its head", at + 2096, 2000, auth},
                {name + "first tile", data, std::min(end - data, uint64_t(ORR_TILE_BYTES)), auth},
                {name + "last tile", last, end - last, auth},
                {name + "zero behind its tiles", end, orr_segment_padding(&g, s), auth}};
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

inline Bytes flipped(const Bytes &file, uint64_t bit) {
    Bytes copy = file;
    copy.at(bit / 8) ^= uint8_t(1u << bit % 8);
    return copy;
}

inline bool in_slot(uint64_t bit) {
    return bit / 8 >= 4096 && bit / 8 < 12288;
}

#endif
