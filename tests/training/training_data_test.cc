// Pictures to training images, folders to data sets, and the order of an epoch.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <png.h>
#include <tiff.h>

#include "base/digest.h"
#include "media/image_file.h"
#include "tests/support/images.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"
#include "training/dataset.h"
#include "training/resample.h"

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

Bytes resampled(uint32_t width, uint32_t height, uint32_t channels, Bytes pixels, uint32_t size,
                uint32_t out_channels) {
    orr_raster picture{width, height, channels, pixels.data(), nullptr};
    Bytes out(size * size * out_channels);
    orr_error error{};
    EXPECT_EQ(orr_resample(&picture, size, out_channels, out.data(), &error), ORR_OK);
    return out;
}

// The mean over the ground an output pixel covers, or linear interpolation between centres: by the
// definition, in doubles.
double weight_of(double from, double to, int x) {
    return std::max(0.0, std::min<double>(to, x + 1) - std::max<double>(from, x));
}

double expected(const Bytes &square, int side, int channels, int c, int size, int ox, int oy) {
    double sum = 0, total = 0, scale = static_cast<double>(side) / size;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double w;
            if (side >= size) {
                w = weight_of(ox * scale, (ox + 1) * scale, x) *
                    weight_of(oy * scale, (oy + 1) * scale, y);
            } else {
                double px = std::clamp((ox + 0.5) * scale - 0.5, 0.0, side - 1.0);
                double py = std::clamp((oy + 0.5) * scale - 0.5, 0.0, side - 1.0);
                w = std::max(0.0, 1 - std::fabs(px - x)) * std::max(0.0, 1 - std::fabs(py - y));
            }
            sum += w * square[static_cast<size_t>((y * side + x) * channels + c)];
            total += w;
        }
    return sum / total;
}

TEST(Resample, EqualsTheDefinition) {
    for (int side : {1, 2, 7, 31, 32, 33, 50, 64, 97})
        for (int size : {1, 8, 32})
            for (int channels : {1, 3}) {
                Bytes square = random_bytes(static_cast<size_t>(side * side * channels));
                auto s = static_cast<uint32_t>(side), n = static_cast<uint32_t>(size);
                auto c = static_cast<uint32_t>(channels);
                Bytes out = resampled(s, s, c, square, n, c);
                for (int y = 0; y < size; y++)
                    for (int x = 0; x < size; x++)
                        for (int k = 0; k < channels; k++)
                            ASSERT_NEAR(out[static_cast<size_t>((y * size + x) * channels + k)],
                                        expected(square, side, channels, k, size, x, y), 0.5 + 1e-9)
                                << side << " to " << size << " at " << x << "," << y;
            }
}

TEST(Resample, TakesTheCentreSquare) {
    // 9 x 4: columns 2..5 are taken.
    Bytes wide(9 * 4), tall(4 * 9), square;
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 9; x++) {
            wide[static_cast<size_t>(y * 9 + x)] = static_cast<uint8_t>(16 * y + x);
            tall[static_cast<size_t>(x * 4 + y)] = static_cast<uint8_t>(16 * y + x);
        }
    for (int y = 0; y < 4; y++)
        for (int x = 2; x < 6; x++) square.push_back(static_cast<uint8_t>(16 * y + x));
    EXPECT_EQ(resampled(9, 4, 1, wide, 4, 1), square);
    Bytes turned;
    for (int x = 2; x < 6; x++)
        for (int y = 0; y < 4; y++) turned.push_back(static_cast<uint8_t>(16 * y + x));
    EXPECT_EQ(resampled(4, 9, 1, tall, 4, 1), turned);
}

TEST(Resample, Colours) {
    EXPECT_EQ(resampled(1, 1, 3, {255, 0, 0}, 1, 1), Bytes{76});
    EXPECT_EQ(resampled(1, 1, 3, {0, 255, 0}, 1, 1), Bytes{150});
    EXPECT_EQ(resampled(1, 1, 3, {0, 0, 255}, 1, 1), Bytes{29});
    EXPECT_EQ(resampled(1, 1, 3, {255, 255, 255}, 1, 1), Bytes{255});
    EXPECT_EQ(resampled(1, 1, 1, {9}, 1, 3), (Bytes{9, 9, 9}));
}

class DatasetTest : public testing::Test {
  protected:
    void TearDown() override { orr_dataset_free(&set); }
    void Picture(const std::string &name, uint8_t shade, uint32_t side = 8) {
        fs::path path = root / name;
        fs::create_directories(path.parent_path());
        PngSpec spec{side, side, 8, PNG_COLOR_TYPE_RGB, false, {}};
        ASSERT_TRUE(WritePng(path, spec, Bytes(side * side * 3, shade)));
    }
    orr_status Load(std::vector<std::string> folders, uint32_t channels = 3) {
        orr_dataset_free(&set);
        skipped.clear();
        error = {};
        std::vector<const char *> names;
        for (std::string &folder : folders) names.push_back(folder.c_str());
        orr_dataset_options options{};
        options.folders = names.data();
        options.folder_count = names.size();
        options.size = 8;
        options.channels = channels;
        options.window = window.low < window.high ? &window : nullptr;
        options.context = this;
        options.stop = &stop;
        options.skipped = [](void *self, const char *path, const char *reason) {
            static_cast<DatasetTest *>(self)->skipped[path] = reason;
        };
        return orr_dataset_load(&options, &set, &error);
    }
    Bytes Shades() const { // the first byte of each image
        Bytes shades;
        for (uint32_t i = 0; i < set.count; i++)
            shades.push_back(set.images[i * orr_dataset_image_bytes(&set)]);
        return shades;
    }
    Scratch scratch;
    fs::path root = scratch.path();
    orr_dataset set{};
    orr_error error{};
    orr_window window{0, 0};
    volatile sig_atomic_t stop = 0;
    std::map<std::string, std::string> skipped;
};

TEST_F(DatasetTest, OrderManifestAndHash) {
    Picture("b.png", 2);
    Picture("a/z.png", 1);
    Picture("c/d/e.png", 3);
    Picture("a\nb\\.png", 4);
    ASSERT_EQ(Load({root}), ORR_OK) << error.text;
    EXPECT_EQ(Shades(),
              (Bytes{1, 4, 2, 3})); // names in byte order: "a", "a\nb\\.png", "b.png", "c"
    std::string manifest(set.manifest, set.manifest_bytes);
    EXPECT_NE(manifest.find("  a\\x0Ab\\x5C.png\n"), std::string::npos) << manifest;
    EXPECT_NE(manifest.find("  c/d/e.png\n"), std::string::npos);
    char digest[65];
    ASSERT_EQ(orr_digest_hex(set.images, orr_dataset_image_bytes(&set), digest, nullptr), ORR_OK);
    EXPECT_EQ(manifest.substr(0, 64), digest);
    ASSERT_EQ(orr_digest_hex(set.manifest, set.manifest_bytes, digest, nullptr), ORR_OK);
    EXPECT_STREQ(set.hash, digest);
    std::string before = set.hash;
    ASSERT_EQ(Load({root.string() + "//"}), ORR_OK);
    EXPECT_EQ(before, set.hash);
    Picture("b.png", 5);
    ASSERT_EQ(Load({root}), ORR_OK);
    EXPECT_NE(before, set.hash);
}

TEST_F(DatasetTest, CopiesAreCounted) {
    for (int i = 0; i < 7; i++)
        Picture(std::to_string(i) + ".png", static_cast<uint8_t>(i < 4 ? 9 : i), i % 2 ? 16 : 8);
    ASSERT_EQ(Load({root}), ORR_OK) << error.text;
    EXPECT_EQ(set.copies, 3u); // four of one shade, of two sizes that become one
    ASSERT_EQ(Load({root, root}), ORR_OK) << error.text;
    EXPECT_EQ(set.copies, 10u);
}

TEST_F(DatasetTest, SeveralFoldersInTheirOrder) {
    Picture("one/a.png", 1);
    Picture("two/a.png", 2);
    ASSERT_EQ(Load({root / "two", root / "one"}), ORR_OK) << error.text;
    EXPECT_EQ(Shades(), (Bytes{2, 1}));
}

TEST_F(DatasetTest, WhatIsLeftOut) {
    Picture("a.png", 1);
    Picture("b.png", 2);
    Picture("outside/secret.png", 9);
    fs::create_directories(root / "in/loop");
    fs::rename(root / "a.png", root / "in/a.png");
    fs::rename(root / "b.png", root / "in/b.png");
    fs::create_symlink(root / "outside", root / "in/link");
    fs::create_symlink(root / "outside/secret.png", root / "in/link.png");
    fs::create_symlink("../..", root / "in/loop/up");
    ASSERT_EQ(mkfifo((root / "in/fifo").c_str(), 0600), 0);
    std::ofstream(root / "in/notes.txt") << "text";
    Bytes half;
    {
        std::ifstream in(root / "in/a.png", std::ios::binary);
        half.assign(std::istreambuf_iterator<char>(in), {});
        half.resize(half.size() / 2);
    }
    std::ofstream(root / "in/half.png", std::ios::binary)
        .write(reinterpret_cast<char *>(half.data()), static_cast<long>(half.size()));
    ASSERT_EQ(Load({root / "in"}), ORR_OK) << error.text;
    EXPECT_EQ(Shades(), (Bytes{1, 2}));
    EXPECT_EQ(set.skipped, skipped.size());
    std::set<std::string> names;
    for (const auto &[path, reason] : skipped) {
        names.insert(path.substr((root / "in/").string().size()));
        EXPECT_FALSE(reason.empty());
        EXPECT_EQ(reason.find(path), std::string::npos) << reason;
    }
    EXPECT_EQ(names, (std::set<std::string>{"link", "link.png", "loop/up", "fifo", "notes.txt",
                                            "half.png"}));
}

TEST_F(DatasetTest, GrayAndWindow) {
    uint16_t values[64];
    std::fill(values, values + 64, static_cast<uint16_t>(1000));
    Bytes rows(sizeof values);
    memcpy(rows.data(), values, sizeof values);
    for (const char *name : {"a.tif", "b.tif"})
        ASSERT_TRUE(WriteTiff(root / name, {8, 8, 16, 1, PHOTOMETRIC_MINISBLACK}, rows));
    ASSERT_EQ(Load({root}, 1), ORR_OK) << error.text;
    EXPECT_EQ(Shades(), (Bytes{3, 3}));
    window = {0, 2000};
    ASSERT_EQ(Load({root}, 1), ORR_OK) << error.text;
    EXPECT_EQ(Shades(), (Bytes{128, 128}));
}

TEST_F(DatasetTest, NothingToTrainOn) {
    EXPECT_EQ(Load({root}), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "no images found"), nullptr) << error.text;
    Picture("a.png", 1);
    EXPECT_EQ(Load({root}), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "only one image"), nullptr) << error.text;
    EXPECT_EQ(Load({root / "a.png"}), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "not a folder"), nullptr) << error.text;
    EXPECT_EQ(Load({root / "none"}), ORR_IO);
    Picture("b.png", 1);
    stop = 1;
    EXPECT_EQ(Load({root}), ORR_STOPPED);
    EXPECT_EQ(set.images, nullptr);
}

TEST(Order, IsAPermutationOfEachEpoch) {
    for (uint32_t count : {1u, 2u, 3u, 4u, 5u, 1000u}) {
        std::vector<uint32_t> a(count), b(count), sorted(count);
        orr_dataset_order(7, 0, count, a.data());
        orr_dataset_order(7, 1, count, b.data());
        for (auto *order : {&a, &b}) {
            sorted = *order;
            std::sort(sorted.begin(), sorted.end());
            for (uint32_t i = 0; i < count; i++) ASSERT_EQ(sorted[i], i);
        }
        if (count > 100) {
            EXPECT_NE(a, b);
            orr_dataset_order(8, 0, count, b.data());
            EXPECT_NE(a, b);
            orr_dataset_order(7, 0, count, b.data());
            EXPECT_EQ(a, b);
        }
    }
}

// Each of the 24 orders of four images about equally often: chi-square with 23 degrees of freedom
// is above 62 once in 20,000 times; the epochs are fixed, so this passes always or never.
TEST(Order, IsFair) {
    std::map<std::vector<uint32_t>, int> seen;
    const int epochs = 24000;
    for (uint64_t epoch = 0; epoch < epochs; epoch++) {
        std::vector<uint32_t> order(4);
        orr_dataset_order(1, epoch, 4, order.data());
        seen[order]++;
    }
    double chi = 0;
    for (const auto &[order, n] : seen) chi += (n - epochs / 24.0) * (n - epochs / 24.0);
    EXPECT_EQ(seen.size(), 24u);
    EXPECT_LT(chi / (epochs / 24.0), 62);
}

} // namespace
