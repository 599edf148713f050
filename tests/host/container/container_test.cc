// Whole archive-profile files: written here byte for byte as the second writer writes them, read
// back, and opened by libtiff.
#include <gtest/gtest.h>

#include <cstring>
#include <unistd.h>

#include <tiffio.h>

#include "base/bytes.h"
#include "tests/support/golden_container.h"
#include "tests/support/random.h"

namespace {

TEST(Container, WritesWhatTheSecondWriterWrites) {
    for (auto &g : goldens()) {
        Bytes bytes = Writer(g).file();
        EXPECT_EQ(bytes.size(), g.file_length) << g.name;
        if (!g.groups) {
            EXPECT_EQ(sha256(bytes), g.file_sha256) << g.name;
        }
    }
}

// Repair data apart, which something else writes: up to them, and the second head behind them.
TEST(Container, WritesTheSecondHeadOfTheSecondWriter) {
    Golden g = golden("parity");
    Writer writer(g);
    Bytes bytes = writer.file(), expected = golden_file("parity");
    ASSERT_EQ(bytes.size(), expected.size());
    EXPECT_EQ(sha256(expected), g.file_sha256);
    size_t end = writer.geometry.data_end, head = bytes.size() - 3 * ORR_PAGE;
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + long(end), expected.begin()));
    EXPECT_TRUE(std::equal(bytes.begin() + long(head), bytes.end(), expected.begin() + long(head)));
    // A copy of each part.
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.begin() + ORR_PAGE, bytes.end() - ORR_PAGE));
    EXPECT_TRUE(std::equal(bytes.begin() + ORR_PAGE, bytes.begin() + 2 * ORR_PAGE,
                           bytes.end() - 2 * ORR_PAGE));
    EXPECT_TRUE(std::equal(bytes.begin() + 3 * ORR_PAGE, bytes.begin() + 3 * ORR_PAGE + 1024,
                           bytes.begin() + long(head)));
    EXPECT_TRUE(orr_all_zero(&bytes[head + 1024], ORR_PAGE - 1024));
}

void expect_first_tile(const Bytes &bytes, const Opened &opened, const Golden &g) {
    orr_cipher cipher;
    orr_tile_key key;
    uint8_t nonce[12];
    orr_error error;
    const orr_geometry *geometry = &opened.container.geometry;
    uint32_t rows = orr_tile_rows(geometry, 0);
    Bytes tile(rows * 384), expected = recipe(g.length);
    const uint8_t *segment = &bytes[orr_segment_offset(geometry, 0)];
    orr_segment_nonces nonces;
    orr_gcm *gcm = orr_gcm_new(opened.keys.tile_key);
    ASSERT_EQ(orr_segment_nonces_derive(&opened.keys, 0, segment + 2080, &nonces), ORR_OK);
    orr_tile_nonce(&nonces, 0, nonce);
    ASSERT_EQ(
        orr_gcm_open(gcm, nonce, nullptr, 0, segment + ORR_PAGE, tile.size(), tile.data(), segment),
        ORR_OK);
    orr_gcm_free(gcm);
    ASSERT_EQ(orr_cipher_init(&cipher, uint16_t(g.rule), g.k2, &error), ORR_OK);
    ASSERT_EQ(orr_tile_key_derive(&opened.secret, 0, &key), ORR_OK);
    orr_tile_decrypt_portable(&cipher, &key, rows, tile.data(), tile.data());
    expected.resize(tile.size());
    EXPECT_EQ(tile, expected);
}

TEST(Container, ReadsTheGoldenFiles) {
    for (std::string name : {"empty", "one-byte", "short", "rule-1", "parity"}) {
        Golden g = golden(name);
        Bytes bytes = golden_file(name);
        ASSERT_EQ(sha256(bytes), g.file_sha256);
        Lookup lookup{{0}};
        Opened opened;
        ASSERT_EQ(opened.open(bytes, lookup), ORR_OK) << opened.error.text;
        EXPECT_EQ(opened.container.header.length, g.length);
        EXPECT_EQ(opened.container.active, 0);
        EXPECT_EQ(opened.container.slots, g.groups ? 3 : 2);
        EXPECT_TRUE(opened.container.known_origin);
        for (int i = 0; i < opened.container.slots; i++)
            EXPECT_TRUE(opened.container.slot_good[i] && !opened.container.slot_wrong[i]) << i;
        expect_first_tile(bytes, opened, g);
    }
}

// Wraps of other types beside a master key's, and records that only some files have.
TEST(Container, ReadsTheGoldenFilesOfOtherKinds) {
    Lookup lookup{{0}};
    Opened opened;
    ASSERT_EQ(opened.open(golden_file("recipients"), lookup), ORR_OK) << opened.error.text;
    EXPECT_EQ(opened.container.header.slot_pages, 2u);
    EXPECT_EQ(opened.container.slot[0].count, 4u);
    EXPECT_TRUE(opened.container.known_origin);
    EXPECT_FALSE(opened.container.slot_wrong[0] || opened.container.slot_wrong[1]);

    ASSERT_EQ(opened.open(golden_file("records"), lookup), ORR_OK) << opened.error.text;
    EXPECT_TRUE(opened.metadata.has_vault_id);
    EXPECT_STREQ(opened.metadata.decoy_label, "Münster 7");
    ASSERT_EQ(opened.metadata.holes_length, 16u);
    EXPECT_EQ(orr_load_le64(opened.metadata.holes), 500u);
    EXPECT_EQ(orr_load_le64(opened.metadata.holes + 8), 100u);

    for (std::string name : {"two-pages.paper", "two-pages-parity.paper"}) {
        ASSERT_EQ(opened.open(golden_file(name), lookup), ORR_OK) << opened.error.text;
        EXPECT_NE(opened.metadata.paper, nullptr);
        EXPECT_EQ(opened.container.slots, name == "two-pages.paper" ? 2 : 3);
    }
    EXPECT_EQ(opened.open(golden_file("two-pages-regions.paper"), lookup), ORR_UNSUPPORTED);
    EXPECT_TRUE(opened.says("regions")) << opened.error.text;
}

TEST(Container, OpensInLibtiff) {
    for (std::string name : {"empty", "two-tiles", "one-segment", "two-segments"}) {
        Golden g = golden(name);
        TemporaryFile file;
        Writer writer(g);
        writer.write(file.fd);
        TIFF *tiff = TIFFOpen(file.name.c_str(), "r");
        ASSERT_NE(tiff, nullptr);
        uint32_t width = 0, height = 0;
        char *text = nullptr;
        TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
        TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
        ASSERT_EQ(TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &text), 1);
        EXPECT_STREQ(text, orr_description(ORR_PROFILE_ARCHIVE));
        EXPECT_EQ(width, 128u);
        EXPECT_EQ(height, writer.geometry.rows);
        ASSERT_EQ(TIFFNumberOfStrips(tiff), writer.geometry.tiles);
        Bytes strip(ORR_TILE_BYTES), whole = file.read();
        for (uint32_t n = 0; n < writer.geometry.tiles; n++) {
            uint32_t bytes = orr_tile_rows(&writer.geometry, n) * 384;
            ASSERT_EQ(TIFFReadEncodedStrip(tiff, n, strip.data(), -1), tmsize_t(bytes));
            uint64_t at = writer.geometry.data_offset + n / 128 * UINT64_C(6295552) + 4096 +
                          n % 128 * UINT64_C(49152);
            ASSERT_EQ(memcmp(strip.data(), &whole[at], bytes), 0) << n;
        }
        EXPECT_EQ(TIFFReadDirectory(tiff), 0); // one image
        TIFFClose(tiff);
    }
}

void expect_in_libtiff(const TemporaryFile &file, const orr_geometry &geometry) {
    TIFF *tiff = TIFFOpen(file.name.c_str(), "r");
    ASSERT_NE(tiff, nullptr);
    EXPECT_EQ(TIFFIsBigTIFF(tiff), geometry.big);
    EXPECT_EQ(TIFFNumberOfStrips(tiff), geometry.tiles);
    uint32_t last = uint32_t(geometry.tiles - 1);
    uint64_t end = TIFFGetStrileOffset(tiff, last) + TIFFGetStrileByteCount(tiff, last);
    EXPECT_EQ(end + orr_segment_padding(&geometry, geometry.segments - 1), geometry.data_end);
    TIFFClose(tiff);
}

// Directories up to the largest classic TIFF and beyond: sparse files of which only the head is
// written, with the same bytes as the second reader expects.
TEST(Container, HeadsOfHugeFiles) {
    for (auto &v : vectors("container.txt", "directory")) {
        TemporaryFile file;
        Writer writer(golden("empty")); // lengths replaced below
        const orr_geometry &g = writer.geometry;
        orr_error error = {};
        uint64_t length = number(v[0]);
        writer.metadata.size = writer.header.length = length;
        writer.settle();
        ASSERT_EQ(writer.header.metadata_length, number(v[1]));
        if (container_draft_write_head(&writer, file.fd, &error) != ORR_OK)
            GTEST_SKIP() << "no large sparse files here";
        Bytes directory(g.data_offset - g.ifd_offset);
        ASSERT_EQ(orr_pread_all(file.fd, directory.data(), directory.size(), g.ifd_offset, "test",
                                &error),
                  ORR_OK);
        EXPECT_EQ(sha256(directory), v[2]) << length;
        expect_in_libtiff(file, g);

        Opened opened;
        orr_container *c = &opened.container;
        ASSERT_EQ(orr_container_read(c, file.fd, g.file_length, "test", &error), ORR_OK);
        ASSERT_EQ(
            orr_container_metadata(c, file.fd, &writer.keys, "test", &opened.metadata, &error),
            ORR_OK)
            << error.text;
        EXPECT_EQ(opened.metadata.size, length);
        uint8_t byte;
        uint64_t at = g.data_offset - 1; // padding, or the end of the arrays
        ASSERT_EQ(pread(file.fd, &byte, 1, off_t(at)), 1);
        byte ^= 4;
        ASSERT_EQ(pwrite(file.fd, &byte, 1, off_t(at)), 1);
        EXPECT_EQ(orr_container_check_head(c, file.fd, "test", &error), ORR_AUTH);
        EXPECT_NE(strstr(error.text, std::to_string(at).c_str()), nullptr) << error.text;
    }
}

TEST(Container, HeadRefusesWhatHasAnotherLength) {
    TemporaryFile file;
    Writer writer(golden("empty"));
    orr_error error = {};
    memset(writer.metadata.path, 'x', 1500);
    writer.metadata.path_length = 1500;
    EXPECT_EQ(orr_metadata_write(&writer.header, &writer.keys, &writer.metadata,
                                 writer.metadata_salt, file.fd, "test", &error),
              ORR_INTERNAL);
    Wraps many;
    for (int i = 0; i < 32; i++) many.make(writer, 0);
    EXPECT_EQ(orr_head_write(&writer.header, &writer.keys, &many, 0, file.fd, "test", &error),
              ORR_INTERNAL);
    EXPECT_TRUE(file.read().empty());
}

TEST(Container, SlotsOfSeveralPages) {
    for (unsigned pages : {2u, 7u, 16u}) {
        Golden g = golden("short");
        g.slot_pages = pages;
        Writer writer(g);
        size_t count = std::min<size_t>(256, (pages * ORR_PAGE - 72) / 128);
        while (writer.readers.size() < count)
            writer.readers.insert(writer.readers.begin(),
                                  container_reader(random_bytes(32).data()));
        writer.settle();
        Bytes good = writer.file();
        Lookup first{{0}}, second{{1}};
        Opened opened;
        ASSERT_EQ(opened.open(good, first), ORR_OK) << opened.error.text;
        EXPECT_EQ(opened.container.slot[0].count, count);
        EXPECT_EQ(opened.container.slot[1].count, count);
        EXPECT_EQ(orr_metadata_offset(&opened.container.header), 4096u * (1 + 2 * pages));
        expect_first_tile(good, opened, g);
        EXPECT_EQ(opened.open(good, second), ORR_KEY);
        for (int n : {0, 1}) { // the last byte of a slot is one of it
            Bytes bytes = good;
            bytes[orr_slot_offset(&writer.header, n) + pages * ORR_PAGE - 1] ^= 1;
            ASSERT_EQ(opened.open(bytes, first), ORR_OK);
            EXPECT_FALSE(opened.container.slot_good[n]);
            EXPECT_TRUE(opened.container.slot_good[1 - n]);
        }
    }
}

} // namespace
