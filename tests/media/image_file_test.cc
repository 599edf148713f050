// Image files down to 8-bit rasters, pixel for pixel, and PNGs that come back as they went.
// (decoy_test.cc damages files of every kind on their way through the same decoders.)
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>
#include <tiff.h>

#include "media/image_file.h"
#include "tests/support/images.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"

namespace {

using Bytes = std::vector<uint8_t>;

class ImageFileTest : public testing::Test {
  protected:
    void TearDown() override { orr_raster_free(&raster); }
    orr_status Read(const orr_window *window = nullptr) {
        orr_raster_free(&raster);
        return orr_raster_read(path.c_str(), window, &raster, &error);
    }
    void Expect(uint32_t width, uint32_t height, uint32_t channels, const Bytes &pixels,
                const orr_window *window = nullptr) {
        ASSERT_EQ(Read(window), ORR_OK) << error.text;
        ASSERT_EQ(raster.width, width);
        ASSERT_EQ(raster.height, height);
        ASSERT_EQ(raster.channels, channels);
        ASSERT_EQ(Bytes(raster.pixels, raster.pixels + pixels.size()), pixels);
    }
    Scratch scratch;
    std::string path = scratch.path("image");
    orr_raster raster{};
    orr_error error{};
};

Bytes high_bytes(const Bytes &wide) { // of samples in the machine's order
    Bytes out(wide.size() / 2);
    for (size_t i = 0; i < out.size(); i++) {
        uint16_t v;
        memcpy(&v, &wide[2 * i], 2);
        out[i] = static_cast<uint8_t>(v >> 8);
    }
    return out;
}

TEST_F(ImageFileTest, TiffPixelsInTheirPlaces) {
    for (uint16_t bits : {8, 16})
        for (uint16_t samples : {1, 3, 4})
            for (const char *mode : {"w", "wb", "w8"})
                for (uint32_t tile : {0u, 16u})
                    for (bool separate : {false, true}) {
                        TiffSpec spec{45, 37, bits, samples, PHOTOMETRIC_MINISBLACK};
                        if (samples >= 3) spec.photometric = PHOTOMETRIC_RGB;
                        spec.mode = mode;
                        spec.tile_width = tile;
                        spec.rows_per_strip = tile ? 32 : 7;
                        spec.separate = separate;
                        Bytes rows = random_bytes(45u * 37 * samples * (bits / 8u)), narrow, want;
                        ASSERT_TRUE(WriteTiff(path, spec, rows));
                        narrow = bits == 16 ? high_bytes(rows) : rows;
                        uint32_t channels = samples >= 3 ? 3 : 1;
                        for (size_t i = 0; i < 45 * 37; i++)
                            for (size_t c = 0; c < channels; c++)
                                want.push_back(narrow[i * samples + c]);
                        Expect(45, 37, channels, want);
                    }
}

TEST_F(ImageFileTest, Png) {
    for (int type : {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA})
        for (bool interlaced : {false, true}) {
            size_t samples = type == PNG_COLOR_TYPE_GRAY ? 1 : type == PNG_COLOR_TYPE_RGB ? 3 : 4;
            Bytes rows = random_bytes(21 * 13 * samples), want;
            ASSERT_TRUE(WritePng(path, {21, 13, 8, type, interlaced, {}}, rows));
            uint32_t channels = samples == 1 ? 1 : 3;
            for (size_t i = 0; i < 21 * 13; i++)
                for (size_t c = 0; c < channels; c++) want.push_back(rows[i * samples + c]);
            Expect(21, 13, channels, want);
        }
    Bytes wide = random_bytes(10 * 10 * 2);
    for (bool interlaced : {false, true}) {
        ASSERT_TRUE(WritePng(path, {10, 10, 16, PNG_COLOR_TYPE_GRAY, interlaced, {}}, wide));
        Expect(10, 10, 1, high_bytes(wide));
    }
}

TEST_F(ImageFileTest, Window) {
    // 12-bit numbers in 16-bit samples: their high byte would be nearly black.
    const uint16_t values[] = {0, 99, 100, 101, 1000, 2098, 2099, 2100, 65535};
    Bytes rows(sizeof values);
    memcpy(rows.data(), values, sizeof values);
    TiffSpec spec{9, 1, 16, 1, PHOTOMETRIC_MINISBLACK};
    ASSERT_TRUE(WriteTiff(path, spec, rows));
    orr_window window{100, 2100};
    Expect(9, 1, 1, {0, 0, 0, 0, 115, 255, 255, 255, 255}, &window);
    spec.photometric = PHOTOMETRIC_MINISWHITE;
    ASSERT_TRUE(WriteTiff(path, spec, rows));
    Expect(9, 1, 1, {255, 255, 255, 255, 140, 0, 0, 0, 0}, &window);
    // Signed ones have no high byte that means anything.
    const int16_t hounsfield[] = {-1024, -160, 40, 240, 3071};
    rows.resize(sizeof hounsfield);
    memcpy(rows.data(), hounsfield, sizeof hounsfield);
    TiffSpec ct{5, 1, 16, 1, PHOTOMETRIC_MINISBLACK};
    ct.sample_format = SAMPLEFORMAT_INT;
    ASSERT_TRUE(WriteTiff(path, ct, rows));
    EXPECT_EQ(Read(), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "needs a window"), nullptr) << error.text;
    orr_window soft_tissue{-160, 240};
    Expect(5, 1, 1, {0, 0, 128, 255, 255}, &soft_tissue);
    orr_window upside_down{5, 5};
    EXPECT_EQ(Read(&upside_down), ORR_USAGE);
}

// A JPEG in memory, in ways that WriteJpeg has not.
struct JpegWay {
    const char *what;
    int channels;
    bool progressive, arithmetic, apart; // apart: each component in a scan of its own
};
Bytes Jpeg(const JpegWay &way, uint32_t width, uint32_t height, const Bytes &rows) {
    jpeg_compress_struct jpeg;
    jpeg_error_mgr errors;
    unsigned char *out = nullptr;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &out, &size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = way.channels;
    jpeg.in_color_space = way.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg.arith_code = way.arithmetic;
    static const jpeg_scan_info scans[3] = {
        {1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    if (way.apart) {
        jpeg.scan_info = scans;
        jpeg.num_scans = 3;
    }
    if (way.progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < height) {
        auto *row = const_cast<JSAMPROW>(&rows[jpeg.next_scanline * width * way.channels]);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    Bytes bytes(out, out + size);
    free(out);
    return bytes;
}

// How many bytes from the end may be missing. Whatever is read of a part has the pixels of the
// whole, and says what it lacks.
size_t MissingAtMost(const Bytes &whole, const char *lacks) {
    orr_raster full{}, part{};
    orr_error error{};
    size_t most = 0;
    EXPECT_EQ(orr_raster_decode(whole.data(), whole.size(), "w", nullptr, &full, &error), ORR_OK);
    EXPECT_EQ(full.flaw, nullptr);
    size_t pixels = size_t(full.width) * full.height * full.channels;
    for (size_t missing = 1; missing < whole.size(); missing++) {
        orr_status status =
            orr_raster_decode(whole.data(), whole.size() - missing, "p", nullptr, &part, &error);
        if (status == ORR_OK) {
            most = missing;
            EXPECT_STREQ(part.flaw, lacks);
            EXPECT_EQ(memcmp(part.pixels, full.pixels, pixels), 0) << missing << " are missing";
        } else {
            EXPECT_EQ(status, ORR_UNSUPPORTED) << error.text;
            EXPECT_EQ(part.pixels, nullptr);
        }
        orr_raster_free(&part);
    }
    orr_raster_free(&full);
    return most;
}

TEST_F(ImageFileTest, AJpegMayLackItsEndMarkerButNoPixels) {
    const JpegWay ways[] = {
        {"gray", 1, false, false, false},          {"colour", 3, false, false, false},
        {"progressive", 3, true, false, false},    {"progressive gray", 1, true, false, false},
        {"three scans", 3, false, false, true},    {"arithmetic", 3, false, true, false},
        {"arithmetic gray", 1, false, true, false}};
    Bytes smooth(44 * 35 * 3), noise = random_bytes(44 * 35 * 3);
    for (size_t i = 0; i < smooth.size(); i++) smooth[i] = uint8_t(i / 132 * 5 + i % 132);
    for (const JpegWay &way : ways)
        for (const Bytes &rows : {smooth, noise}) {
            SCOPED_TRACE(way.what);
            size_t missing = MissingAtMost(Jpeg(way, 44, 35, rows),
                                           "its end-of-image marker is missing, but no pixel is");
            // Of arithmetic coding nobody can tell whether pixels are missing.
            EXPECT_EQ(missing, way.arithmetic ? 0u : 2u);
        }
    Bytes cut = Jpeg(ways[1], 44, 35, noise);
    EXPECT_EQ(orr_raster_decode(cut.data(), cut.size() / 2, "half", nullptr, &raster, &error),
              ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "it is cut short: pixels are missing"), nullptr) << error.text;
    Bytes padded = cut;
    padded.resize(cut.size() - 2);
    padded.resize(cut.size() + 500);
    EXPECT_EQ(orr_raster_decode(padded.data(), padded.size(), "p", nullptr, &raster, &error),
              ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "no end-of-image marker, but other bytes: pixels may be missing"),
              nullptr)
        << error.text;
    // Other damage is none the better for an end that is missing.
    Bytes bad = cut;
    bad.resize(cut.size() - 2);
    for (size_t i = bad.size() - 300; i < bad.size() - 200; i++) bad[i] = 0xff;
    bad[bad.size() - 200] = 0xc4; // a marker; a zero, as noise may have there, would make them data
    EXPECT_EQ(orr_raster_decode(bad.data(), bad.size(), "bad", nullptr, &raster, &error),
              ORR_UNSUPPORTED);
}

TEST_F(ImageFileTest, APngMayLackItsEndChunkButNoPixels) {
    for (bool interlaced : {false, true}) {
        Bytes rows = random_bytes(21 * 13 * 3);
        ASSERT_TRUE(WritePng(path, {21, 13, 8, PNG_COLOR_TYPE_RGB, interlaced, {}}, rows));
        std::ifstream in(path, std::ios::binary);
        Bytes whole{std::istreambuf_iterator<char>(in), {}};
        EXPECT_EQ(MissingAtMost(whole, "its end (the IEND chunk) is missing, but no pixel is"),
                  12u);
        Bytes bad(whole.begin(), whole.end() - 12);
        bad.back() ^= 1; // of the sum over the pixels
        EXPECT_EQ(orr_raster_decode(bad.data(), bad.size(), "bad", nullptr, &raster, &error),
                  ORR_UNSUPPORTED);
    }
}

TEST_F(ImageFileTest, PngComesBack) {
    for (uint32_t channels : {1u, 3u}) {
        orr_raster picture;
        ASSERT_EQ(orr_raster_new(61, 17, channels, &picture, &error), ORR_OK);
        Bytes pixels = random_bytes(61 * 17 * channels);
        memcpy(picture.pixels, pixels.data(), pixels.size());
        ASSERT_EQ(orr_png_write(&picture, path.c_str(), &error), ORR_OK) << error.text;
        Expect(61, 17, channels, pixels);
        struct stat info {};
        ASSERT_EQ(stat(path.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 07777, 0600u);
        // Once more: the file is there.
        EXPECT_EQ(orr_png_write(&picture, path.c_str(), &error), ORR_EXISTS);
        Expect(61, 17, channels, pixels);
        unlink(path.c_str());
        uint8_t *bytes = nullptr;
        size_t length = 0;
        ASSERT_EQ(orr_png_encode(&picture, &bytes, &length, &error), ORR_OK);
        orr_raster back{};
        ASSERT_EQ(orr_raster_decode(bytes, length, "memory", nullptr, &back, &error), ORR_OK);
        EXPECT_EQ(memcmp(back.pixels, pixels.data(), pixels.size()), 0);
        orr_raster_free(&back);
        free(bytes);
        orr_raster_free(&picture);
    }
}

TEST_F(ImageFileTest, PngThatCannotBeWritten) {
    orr_raster picture;
    ASSERT_EQ(orr_raster_new(8, 8, 1, &picture, &error), ORR_OK);
    EXPECT_EQ(orr_png_write(&picture, (scratch.path() + "/none/x.png").c_str(), &error), ORR_IO);
    EXPECT_NE(strstr(error.text, "none/x.png"), nullptr);
    orr_raster_free(&picture);
    EXPECT_EQ(orr_raster_new(0, 8, 1, &picture, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_raster_new(8, 8, 2, &picture, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_raster_new(1u << 31, 1u << 31, 1, &picture, &error), ORR_UNSUPPORTED);
}

// Libraries end messages with a newline, or write two lines; ours have one.
TEST(Message, IsOneLine) {
    for (const auto &[given, wanted] : std::map<std::string, std::string>{
             {"", ""},
             {"as it is", "as it is"},
             {"factors 1,1\nApparently 4,4.\n", "factors 1,1 Apparently 4,4."},
             {" \r\n  Tag X:\n  not possible \t\n", "Tag X: not possible"},
             {"\n", ""}}) {
        std::string text = given;
        orr_one_line(text.data());
        EXPECT_STREQ(text.c_str(), wanted.c_str());
    }
}

} // namespace
