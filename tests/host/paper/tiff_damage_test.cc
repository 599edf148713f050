// Strips and tiles that hold less than their page says, in every scheme that libtiff has: libtiff
// takes some of them with a warning or none, and leaves memory unset. Both readers refuse them.
#include <algorithm>
#include <cstring>
#include <unistd.h>

#include <gtest/gtest.h>
#include <tiffio.h>

#include "host/paper/image.h"
#include "media/image_file.h"
#include "tests/support/random.h"
#include "tests/support/tiff_files.h"

namespace {

using tiff_files::Bytes;
using tiff_files::TemporaryFile;

struct Page {
    uint16_t scheme, samples, photometric;
    uint32_t width, height, rows, tile; // tile: its side, or 0
    Bytes tables = {};                  // JPEGTables of the page
    std::vector<Bytes> chunks = {};     // their data, as they stand in the file
};

void set_fields(TIFF *tif, const Page &page) {
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, page.width);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, page.height);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, page.samples);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, page.scheme);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, page.photometric);
    if (page.tile) {
        TIFFSetField(tif, TIFFTAG_TILEWIDTH, page.tile);
        TIFFSetField(tif, TIFFTAG_TILELENGTH, page.tile);
    } else {
        TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, page.rows);
    }
}

// The page with its data: smooth, with no row of zeros. False where libtiff lacks the scheme.
bool encode(Page *page) {
    TemporaryFile out;
    TIFF *tif = TIFFFdOpen(dup(out.fd()), "t", "w");
    set_fields(tif, *page);
    if (page->scheme == COMPRESSION_JPEG) {
        TIFFSetField(tif, TIFFTAG_JPEGTABLESMODE, 0);
        if (page->photometric == PHOTOMETRIC_YCBCR)
            TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    uint32_t chunks = page->tile ? TIFFNumberOfTiles(tif) : TIFFNumberOfStrips(tif);
    uint32_t wide = page->tile ? page->tile : page->width;
    bool good = TIFFIsCODECConfigured(page->scheme);
    for (uint32_t n = 0; good && n < chunks; n++) {
        uint32_t high =
            page->tile ? page->tile : std::min(page->rows, page->height - n * page->rows);
        Bytes pixels(size_t(wide) * high * page->samples);
        for (size_t i = 0; i < pixels.size(); i++) pixels[i] = uint8_t(40 + i / wide + i % 7);
        tmsize_t bytes = tmsize_t(pixels.size());
        good = (page->tile ? TIFFWriteEncodedTile(tif, n, pixels.data(), bytes)
                           : TIFFWriteEncodedStrip(tif, n, pixels.data(), bytes)) == bytes;
    }
    TIFFClose(tif);
    if (!good) return false;
    lseek(out.fd(), 0, SEEK_SET);
    tif = TIFFFdOpen(dup(out.fd()), "t", "rcm");
    for (uint32_t n = 0; n < chunks; n++) {
        Bytes data(TIFFGetStrileByteCount(tif, n));
        tmsize_t bytes = tmsize_t(data.size());
        EXPECT_EQ(bytes, page->tile ? TIFFReadRawTile(tif, n, data.data(), bytes)
                                    : TIFFReadRawStrip(tif, n, data.data(), bytes));
        page->chunks.push_back(data);
    }
    TIFFClose(tif);
    return true;
}

Bytes file_of(const Page &page) {
    TemporaryFile out;
    TIFF *tif = TIFFFdOpen(dup(out.fd()), "t", "w");
    set_fields(tif, page);
    if (page.scheme == COMPRESSION_JPEG) TIFFSetField(tif, TIFFTAG_JPEGTABLESMODE, 0);
    for (uint32_t n = 0; n < page.chunks.size(); n++) {
        Bytes data = page.chunks[n];
        if (page.tile)
            TIFFWriteRawTile(tif, n, data.data(), tmsize_t(data.size()));
        else
            TIFFWriteRawStrip(tif, n, data.data(), tmsize_t(data.size()));
    }
    TIFFClose(tif);
    return out.content();
}

// What the paper profile's reader says.
orr_status read_page(const Bytes &bytes, orr_error *error) {
    TemporaryFile file(bytes);
    orr_image_source *source = nullptr;
    *error = {};
    orr_status status = orr_image_open(&source, file.fd(), "scan.tif", 64u << 20, error);
    if (status != ORR_OK) return status;
    Bytes volume(orr_page_bytes(&orr_image_of(source)->pages[0]));
    status = orr_image_read_page(source, 0, volume.data(), error);
    orr_image_close(source);
    return status;
}

orr_status read_raster(const Bytes &bytes, orr_error *error) {
    orr_raster raster = {};
    *error = {};
    orr_status status =
        orr_raster_decode(bytes.data(), bytes.size(), "scan.tif", nullptr, &raster, error);
    orr_raster_free(&raster);
    return status;
}

void expect(orr_status status, const Page &page, const char *what) {
    orr_error error;
    Bytes bytes = file_of(page);
    EXPECT_EQ(status, read_page(bytes, &error)) << what << ": " << error.text;
    EXPECT_EQ(status != ORR_OK, std::strstr(error.text, "archive profile") != nullptr)
        << error.text;
    EXPECT_EQ(status, read_raster(bytes, &error)) << what << ": " << error.text;
}

class TiffDamage : public testing::TestWithParam<Page> {
  protected:
    void SetUp() override {
        TIFFSetErrorHandler(nullptr);
        TIFFSetWarningHandler(nullptr);
        page = GetParam();
        if (!encode(&page)) GTEST_SKIP() << "libtiff lacks scheme " << page.scheme;
    }
    Page page;
};

TEST_P(TiffDamage, SoundPagesAreRead) {
    expect(ORR_OK, page, "sound");
}

TEST_P(TiffDamage, DataOfASmallerImageAreRefused) {
    for (bool narrow : {false, true}) {
        Page small = GetParam(), bad = page;
        small.width = narrow ? 16 : page.width;
        small.rows = small.height = narrow ? page.height : 16;
        small.tile = page.tile ? 16 : 0;
        ASSERT_TRUE(encode(&small));
        bad.chunks.back() = small.chunks[0]; // after sound ones, whose pixels must not show
        expect(ORR_UNSUPPORTED, bad, narrow ? "narrow" : "low");
    }
}

TEST_P(TiffDamage, DataThatAreCutAreRefused) {
    for (size_t parts : {2, 4}) {
        Page bad = page;
        bad.chunks.back().resize(bad.chunks.back().size() / parts);
        expect(ORR_UNSUPPORTED, bad, "cut");
    }
}

// Other schemes have no sums either, but in zeros of JPEG data the end of the image is missing.
TEST_P(TiffDamage, JpegDataThatAreZeroedAreRefused) {
    for (size_t zeros : {20, 80}) {
        Page bad = page;
        if (page.scheme != COMPRESSION_JPEG) return;
        std::fill(bad.chunks.back().end() - long(zeros), bad.chunks.back().end(), 0);
        expect(ORR_UNSUPPORTED, bad, "zeroed");
    }
}

INSTANTIATE_TEST_SUITE_P(
    Schemes, TiffDamage,
    testing::Values(Page{COMPRESSION_NONE, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0},
                    Page{COMPRESSION_LZW, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0},
                    Page{COMPRESSION_PACKBITS, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0},
                    Page{COMPRESSION_ADOBE_DEFLATE, 3, PHOTOMETRIC_RGB, 96, 90, 32, 0},
                    Page{COMPRESSION_LZMA, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0},
                    Page{COMPRESSION_ZSTD, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0},
                    Page{COMPRESSION_WEBP, 3, PHOTOMETRIC_RGB, 96, 90, 32, 0},
                    Page{COMPRESSION_LERC, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0},
                    Page{COMPRESSION_JPEG, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0},
                    Page{COMPRESSION_JPEG, 3, PHOTOMETRIC_YCBCR, 96, 90, 32, 0},
                    Page{COMPRESSION_JPEG, 3, PHOTOMETRIC_YCBCR, 100, 90, 0, 48},
                    Page{COMPRESSION_WEBP, 3, PHOTOMETRIC_RGB, 100, 90, 0, 48}));

// The last strip may be padded to the others' height, as some writers do; a page may be of one
// value, also that of the marks by which missing rows are found.
TEST(TiffOddities, PaddedLastStripAndEvenPages) {
    Page page = {COMPRESSION_JPEG, 1, PHOTOMETRIC_MINISBLACK, 96, 90, 32, 0};
    Page full = {COMPRESSION_JPEG, 1, PHOTOMETRIC_MINISBLACK, 96, 96, 32, 0};
    if (!encode(&page) || !encode(&full)) GTEST_SKIP() << "libtiff lacks JPEG";
    page.chunks.back() = full.chunks.back();
    expect(ORR_OK, page, "padded");
    for (uint8_t value : {0x00, 0xa5, 0x5a, 0xff}) {
        Page even = {COMPRESSION_NONE, 1, PHOTOMETRIC_MINISBLACK, 32, 20, 20, 0};
        even.chunks = {Bytes(32 * 20, value)};
        expect(ORR_OK, even, "even");
    }
}

} // namespace
