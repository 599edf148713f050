// A directory of small TIFFs for whole jobs of the paper profile: one and many pages, gray and RGB,
// 8 and 16 bits, odd sizes.
#ifndef ORRERY_TESTS_SUPPORT_SMALL_TIFFS_H
#define ORRERY_TESTS_SUPPORT_SMALL_TIFFS_H

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <tiffio.h>

#include "tests/support/random.h"

struct SmallPage {
    uint32_t width, height;
    uint16_t samples, bits;
};

inline void write_small_tiff(const std::filesystem::path &path,
                             const std::vector<SmallPage> &pages) {
    TIFF *tiff = TIFFOpen(path.c_str(), "w");
    ASSERT_NE(tiff, nullptr) << path;
    for (const SmallPage &page : pages) {
        TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, page.width);
        TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, page.height);
        TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, page.samples);
        TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, page.bits);
        TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
        TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC,
                     page.samples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 7u);
        for (uint32_t row = 0; row < page.height; row++) {
            std::vector<uint8_t> line =
                random_bytes(size_t{page.width} * page.samples * (page.bits / 8));
            ASSERT_EQ(TIFFWriteScanline(tiff, line.data(), row, 0), 1);
        }
        ASSERT_EQ(TIFFWriteDirectory(tiff), 1);
    }
    TIFFClose(tiff);
}

// Fills `directory`; the names of the files come back. Sides are `least`..`most`.
inline std::vector<std::filesystem::path>
write_small_tiffs(const std::filesystem::path &directory, uint32_t most = 60, uint32_t least = 1) {
    std::vector<std::filesystem::path> files;
    auto side = [&] { return static_cast<uint32_t>(least + test_random()() % (most - least + 1)); };
    std::filesystem::create_directories(directory);
    for (size_t count : {1, 1, 2, 9}) {
        std::vector<SmallPage> pages;
        for (size_t n = 0; n < count; n++)
            pages.push_back({side(), side(), static_cast<uint16_t>(test_random()() % 2 ? 3 : 1),
                             static_cast<uint16_t>(test_random()() % 2 ? 16 : 8)});
        files.push_back(directory / ("scan" + std::to_string(files.size()) + ".tif"));
        write_small_tiff(files.back(), pages);
    }
    return files;
}

#endif
