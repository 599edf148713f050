// Sums of decoy images: every kind that is accepted, against the pixels they were made of; every
// kind that is not; hostile files.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include <png.h>
#include <tiffio.h>

#include "host/keys/keyring.h"
#include "tests/support/images.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"

namespace {

using Bytes = std::vector<uint8_t>;

class DecoyTest : public ::testing::Test {
  protected:
    orr_status Sum() { return orr_decoy_from_image(path.c_str(), &decoy, &flaw, &error); }
    // Sums of pixel-interleaved samples, written independently of the code under test.
    void ExpectSums(const Bytes &rows, size_t samples, size_t bytes, bool inverted = false) {
        uint64_t sums[3] = {};
        for (size_t pixel = 0; pixel * samples * bytes < rows.size(); pixel++)
            for (size_t c = 0; c < 3; c++) {
                size_t sample = pixel * samples + (samples < 3 ? 0 : c);
                uint8_t high = rows[sample * bytes + bytes - 1]; // little-endian
                sums[c] += inverted ? 255 - high : high;
            }
        EXPECT_EQ(Sum(), ORR_OK) << error.text;
        for (int c = 0; c < 3; c++) EXPECT_EQ(decoy.sum[c], sums[c]) << "channel " << c;
    }
    void ExpectRefused(orr_status status = ORR_UNSUPPORTED) {
        memset(&decoy, 1, sizeof decoy);
        error = {};
        EXPECT_EQ(Sum(), status);
        EXPECT_NE(strstr(error.text, path.c_str()), nullptr) << error.text;
        EXPECT_EQ(decoy.sum[0] | decoy.sum[1] | decoy.sum[2], 0u);
    }
    Bytes Read() {
        std::ifstream in(path, std::ios::binary);
        return Bytes(std::istreambuf_iterator<char>(in), {});
    }
    void Write(const Bytes &bytes) {
        unlink(path.c_str()); // truncating in place would make some file systems sync
        std::ofstream(path, std::ios::binary | std::ios::trunc)
            .write(reinterpret_cast<const char *>(bytes.data()), static_cast<long>(bytes.size()));
    }

    Scratch scratch;
    std::string path = scratch.path("image");
    orr_decoy decoy{};
    const char *flaw = nullptr;
    orr_error error{};
};

TEST_F(DecoyTest, Png) {
    const struct {
        int type;
        size_t samples;
    } kinds[] = {{PNG_COLOR_TYPE_GRAY, 1},
                 {PNG_COLOR_TYPE_GRAY_ALPHA, 2},
                 {PNG_COLOR_TYPE_RGB, 3},
                 {PNG_COLOR_TYPE_RGB_ALPHA, 4}};
    for (const auto &kind : kinds)
        for (int bits : {8, 16})
            for (bool interlaced : {false, true})
                for (uint32_t width : {1u, 2u, 5u, 64u, 33u}) {
                    uint32_t height = width == 64 ? 1 : 37;
                    size_t bytes = static_cast<size_t>(bits) / 8;
                    Bytes rows = random_bytes(width * height * kind.samples * bytes);
                    PngSpec spec{width, height, bits, kind.type, interlaced, {}};
                    ASSERT_TRUE(WritePng(path, spec, rows));
                    ExpectSums(rows, kind.samples, bytes);
                }
}

TEST_F(DecoyTest, PngPaletteAndFewBits) {
    Bytes palette = random_bytes(3 * 16), rows = random_bytes(4 * 9); // 8 x 9 pixels of 4 bits
    uint64_t colors[3] = {}, gray = 0;
    for (uint8_t byte : rows)
        for (int v : {byte >> 4, byte & 15}) {
            for (int c = 0; c < 3; c++) colors[c] += palette[3 * static_cast<size_t>(v) + c];
            gray += static_cast<uint64_t>(v) * 17;
        }
    for (bool interlaced : {false, true}) {
        ASSERT_TRUE(WritePng(path, {8, 9, 4, PNG_COLOR_TYPE_PALETTE, interlaced, palette}, rows));
        ASSERT_EQ(Sum(), ORR_OK) << error.text;
        for (int c = 0; c < 3; c++) EXPECT_EQ(decoy.sum[c], colors[c]);
        ASSERT_TRUE(WritePng(path, {8, 9, 4, PNG_COLOR_TYPE_GRAY, interlaced, {}}, rows));
        ASSERT_EQ(Sum(), ORR_OK) << error.text;
        for (int c = 0; c < 3; c++) EXPECT_EQ(decoy.sum[c], gray);
    }
}

TEST_F(DecoyTest, Jpeg) {
    // One colour without chroma survives JPEG exactly.
    for (bool progressive : {false, true}) {
        ASSERT_TRUE(WriteJpeg(path, 33, 17, 3, progressive, Bytes(33 * 17 * 3, 77)));
        ASSERT_EQ(Sum(), ORR_OK) << error.text;
        for (uint64_t sum : decoy.sum) EXPECT_EQ(sum, 33u * 17 * 77);
        ASSERT_TRUE(WriteJpeg(path, 33, 17, 1, progressive, Bytes(33 * 17, 200)));
        ASSERT_EQ(Sum(), ORR_OK) << error.text;
        for (uint64_t sum : decoy.sum) EXPECT_EQ(sum, 33u * 17 * 200);
    }
    // And a red one gives red, green and blue in that order.
    Bytes red;
    for (int i = 0; i < 64 * 64; i++) red.insert(red.end(), {200, 100, 20});
    ASSERT_TRUE(WriteJpeg(path, 64, 64, 3, false, red));
    ASSERT_EQ(Sum(), ORR_OK) << error.text;
    EXPECT_NEAR(static_cast<double>(decoy.sum[0]) / 4096, 200, 2);
    EXPECT_NEAR(static_cast<double>(decoy.sum[1]) / 4096, 100, 2);
    EXPECT_NEAR(static_cast<double>(decoy.sum[2]) / 4096, 20, 2);
}

TEST_F(DecoyTest, Tiff) {
    for (uint16_t bits : {8, 16})
        for (uint16_t samples : {1, 2, 3, 4})
            for (const char *mode : {"w", "wb", "w8"})
                for (uint32_t tile : {0u, 16u})
                    for (bool separate : {false, true})
                        for (uint16_t compression : {COMPRESSION_NONE, COMPRESSION_LZW}) {
                            TiffSpec spec{45, 37, bits, samples, PHOTOMETRIC_MINISBLACK};
                            spec.photometric =
                                samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
                            spec.mode = mode;
                            spec.tile_width = tile;
                            spec.rows_per_strip = tile ? 32 : 7;
                            spec.separate = separate;
                            spec.compression = compression;
                            Bytes rows = random_bytes(45 * 37 * samples * (bits / 8u));
                            ASSERT_TRUE(WriteTiff(path, spec, rows));
                            ExpectSums(rows, samples, bits / 8u);
                        }
}

TEST_F(DecoyTest, TiffInvertedPaletteJpeg) {
    TiffSpec spec{20, 30, 16, 1, PHOTOMETRIC_MINISWHITE};
    Bytes rows = random_bytes(20 * 30 * 2);
    ASSERT_TRUE(WriteTiff(path, spec, rows));
    ExpectSums(rows, 1, 2, true);

    TiffSpec palette{20, 30, 8, 1, PHOTOMETRIC_PALETTE};
    for (int i = 0; i < 768; i++) palette.palette.push_back(static_cast<uint16_t>(test_random()()));
    rows = random_bytes(20 * 30);
    uint64_t sums[3] = {};
    for (uint8_t v : rows)
        for (size_t c = 0; c < 3; c++) sums[c] += palette.palette[256 * c + v] >> 8;
    ASSERT_TRUE(WriteTiff(path, palette, rows));
    ASSERT_EQ(Sum(), ORR_OK) << error.text;
    for (int c = 0; c < 3; c++) EXPECT_EQ(decoy.sum[c], sums[c]);

    TiffSpec jpeg{32, 32, 8, 3, PHOTOMETRIC_YCBCR};
    jpeg.compression = COMPRESSION_JPEG;
    jpeg.rows_per_strip = 16;
    ASSERT_TRUE(WriteTiff(path, jpeg, Bytes(32 * 32 * 3, 77)));
    ASSERT_EQ(Sum(), ORR_OK) << error.text;
    for (uint64_t sum : decoy.sum) EXPECT_EQ(sum, 32u * 32 * 77);
}

TEST_F(DecoyTest, UnsupportedKinds) {
    TiffSpec specs[] = {
        {16, 16, 32, 1, PHOTOMETRIC_MINISBLACK}, {16, 16, 8, 4, PHOTOMETRIC_SEPARATED},
        {16, 16, 8, 3, PHOTOMETRIC_CIELAB},      {16, 16, 8, 3, PHOTOMETRIC_YCBCR},
        {16, 16, 8, 2, PHOTOMETRIC_RGB},         {16, 16, 8, 6, PHOTOMETRIC_RGB}};
    for (const auto &spec : specs) {
        SCOPED_TRACE(spec.photometric);
        ASSERT_TRUE(WriteTiff(path, spec, Bytes(16 * 16 * spec.samples * (spec.bits / 8u))));
        ExpectRefused();
    }
    TiffSpec real{16, 16, 16, 1, PHOTOMETRIC_MINISBLACK};
    real.sample_format = SAMPLEFORMAT_IEEEFP;
    ASSERT_TRUE(WriteTiff(path, real, Bytes(512)));
    ExpectRefused();
    for (const char *text : {"", "x", "GIF89a", "BM", "\x89PNG", "II*"}) {
        Write(Bytes(text, text + strlen(text)));
        ExpectRefused();
    }
}

TEST_F(DecoyTest, NotFiles) {
    ExpectRefused(ORR_IO);
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    ExpectRefused();
    unlink(path.c_str());
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    ExpectRefused();
    rmdir(path.c_str());
    Write({0xff, 0xd8, 0xff});
    ASSERT_EQ(truncate(path.c_str(), (64 << 20) + 1), 0);
    ExpectRefused();
}

// Dimensions over the cap, declared in a small file: refused before anything of that size exists.
TEST_F(DecoyTest, HugeDimensions) {
    ASSERT_TRUE(WritePng(path, {4, 4, 8, PNG_COLOR_TYPE_GRAY, false, {}}, Bytes(16)));
    Bytes png = Read();
    for (uint32_t size : {8193u, 0x7fffffffu, 0u}) {
        Bytes bad = png;
        for (int i = 0; i < 4; i++)
            bad[16 + i] = bad[20 + i] = static_cast<uint8_t>(size >> (24 - 8 * i));
        uint32_t crc = 0xffffffff; // of the changed IHDR
        for (int i = 12; i < 29; i++) {
            crc ^= bad[i];
            for (int b = 0; b < 8; b++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
        for (int i = 0; i < 4; i++) bad[29 + i] = static_cast<uint8_t>(~crc >> (24 - 8 * i));
        Write(bad);
        ExpectRefused();
    }
    ASSERT_TRUE(WriteJpeg(path, 8, 8, 1, true, Bytes(64, 1)));
    Bytes jpeg = Read();
    size_t frame = 0;
    while (jpeg[frame] != 0xff || jpeg[frame + 1] != 0xc2) frame++;
    memset(&jpeg[frame + 5], 0xff, 4);
    Write(jpeg);
    ExpectRefused();
    // Tiles far larger than the image: libtiff would decode them whole.
    TiffSpec spec{64, 64, 8, 1, PHOTOMETRIC_MINISBLACK};
    spec.tile_width = 16;
    spec.rows_per_strip = 16;
    ASSERT_TRUE(WriteTiff(path, spec, Bytes(64 * 64)));
    Bytes tiff = Read();
    for (size_t at = 0; at + 12 <= tiff.size(); at++) {
        uint16_t tag;
        memcpy(&tag, &tiff[at], 2);
        if (tag != TIFFTAG_TILEWIDTH && tag != TIFFTAG_TILELENGTH) continue;
        if (tiff[at + 2] != 3 && tiff[at + 2] != 4) continue;
        Bytes bad = tiff;
        uint32_t huge = 1u << 28, type = 4;
        memcpy(&bad[at + 2], &type, 2);
        memcpy(&bad[at + 8], &huge, 4);
        Write(bad);
        ExpectRefused();
    }
}

TEST_F(DecoyTest, TruncationAndDamageNeverCrash) {
    std::vector<Bytes> files;
    ASSERT_TRUE(WritePng(path, {40, 30, 8, PNG_COLOR_TYPE_RGB, true, {}}, random_bytes(3600)));
    files.push_back(Read());
    ASSERT_TRUE(WritePng(path, {40, 30, 8, PNG_COLOR_TYPE_PALETTE, false, random_bytes(768)},
                         random_bytes(1200)));
    files.push_back(Read());
    for (bool progressive : {false, true}) {
        ASSERT_TRUE(WriteJpeg(path, 40, 30, 3, progressive, random_bytes(3600)));
        files.push_back(Read());
    }
    for (uint16_t compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE}) {
        TiffSpec spec{40, 30, 8, 3, PHOTOMETRIC_RGB};
        spec.compression = compression;
        spec.tile_width = compression == COMPRESSION_LZW ? 16 : 0;
        spec.rows_per_strip = 16;
        ASSERT_TRUE(WriteTiff(path, spec, random_bytes(3600)));
        files.push_back(Read());
    }
    for (const Bytes &file : files) {
        for (int i = 0; i < 60; i++) {
            size_t kept = test_random()() % file.size();
            Write(Bytes(file.begin(), file.begin() + static_cast<long>(kept)));
            // Only the end of the file's format may be missing (image_file_test.cc), and is told.
            orr_status status = Sum();
            bool lacks_little = file.size() - kept <= 12 && flaw;
            EXPECT_EQ(status, lacks_little ? ORR_OK : ORR_UNSUPPORTED) << error.text;
        }
        for (int i = 0; i < 250; i++) {
            Bytes bad = file;
            for (int n = 1 + static_cast<int>(test_random()() % 3); n; n--)
                bad[test_random()() % (i % 2 ? bad.size() : std::min<size_t>(bad.size(), 200))] =
                    static_cast<uint8_t>(test_random()());
            Write(bad);
            orr_status status = Sum();
            EXPECT_TRUE(status == ORR_OK || status == ORR_UNSUPPORTED) << error.text;
        }
    }
}

// Real scans and real broken files, where there are any.
TEST_F(DecoyTest, RealFiles) {
    const char *data = getenv("ORRERY_DATA");
    std::filesystem::path root = data ? data : ORRERY_SOURCE_DIR "/../shared/data";
    if (!std::filesystem::is_directory(root)) GTEST_SKIP() << "no " << root << "; set ORRERY_DATA";
    int good = 0;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file()) continue;
        path = entry.path();
        error = {};
        orr_status status = Sum();
        EXPECT_TRUE(status == ORR_OK || status == ORR_UNSUPPORTED) << path << ": " << error.text;
        if (status == ORR_OK) good++;
        std::string name = entry.path().filename();
        const std::set<std::string> sound = {"baboon-512-rgb8.png", "skin-isic-0000000-512.jpg",
                                             "us-palette-800x600.tif",
                                             "xa-angio-1024-u10-bigtiff.tif"};
        if (sound.count(name)) {
            EXPECT_EQ(status, ORR_OK) << error.text;
        }
    }
    EXPECT_GT(good, 5);
}

} // namespace
