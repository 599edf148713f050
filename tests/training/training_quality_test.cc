// Sliced Wasserstein distance, nearest training images, diversity, grids.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "gan/philox.h"
#include "tests/support/random.h"
#include "training/quality.h"
#include "training/swd.h"

namespace {

using Bytes = std::vector<uint8_t>;
using Plane = std::vector<double>; // [size][size]

// ---- the distance by its definition, one channel plane at a time: zeros put in and taken out,
// borders mirrored as d c b | a b c d | c b a

const double kernel[5] = {1 / 16., 4 / 16., 6 / 16., 4 / 16., 1 / 16.};

int mirror(int at, int size) {
    while (at < 0 || at >= size) at = at < 0 ? -at : 2 * (size - 1) - at;
    return at;
}

Plane convolve(const Plane &in, int size, double gain) {
    Plane out(in.size());
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++)
            for (int j = 0; j < 5; j++)
                for (int i = 0; i < 5; i++)
                    out[static_cast<size_t>(y * size + x)] +=
                        gain * kernel[j] * kernel[i] *
                        in[static_cast<size_t>(mirror(y + j - 2, size) * size +
                                               mirror(x + i - 2, size))];
    return out;
}

std::vector<Plane> pyramid(Plane image, int size) {
    std::vector<Plane> levels;
    while (size > 16) {
        Plane smooth = convolve(image, size, 1), small, spread(image.size());
        for (int y = 0; y < size; y += 2)
            for (int x = 0; x < size; x += 2) {
                small.push_back(smooth[static_cast<size_t>(y * size + x)]);
                spread[static_cast<size_t>(y * size + x)] = small.back();
            }
        Plane large = convolve(spread, size, 4);
        for (size_t i = 0; i < image.size(); i++) image[i] -= large[i];
        levels.push_back(image);
        image = small;
        size /= 2;
    }
    levels.push_back(image);
    return levels;
}

// Normalised patches of a level: [count * patches][49 * channels].
std::vector<std::vector<double>> patches(const Bytes &images, uint32_t count, int size,
                                         int channels, uint32_t level, uint64_t seed) {
    std::vector<std::vector<double>> out;
    size_t bytes = static_cast<size_t>(size * size * channels);
    for (uint32_t n = 0; n < count; n++) {
        std::vector<Plane> planes;
        for (int c = 0; c < channels; c++) {
            Plane plane;
            for (size_t i = 0; i < bytes; i += static_cast<size_t>(channels))
                plane.push_back(images[n * bytes + i + static_cast<size_t>(c)]);
            planes.push_back(pyramid(plane, size)[level]);
        }
        int side = size >> level;
        for (uint32_t p = 0; p < ORR_SWD_PATCHES; p++) {
            uint32_t words[4];
            orr_philox_block(seed, 0x53574401u, static_cast<uint64_t>(level) << 32 | n, p / 2,
                             words);
            auto place = [&](uint32_t word) {
                return static_cast<int>(
                    (static_cast<uint64_t>(word) * static_cast<uint64_t>(side - 6)) >> 32);
            };
            int x = place(words[p % 2 * 2]), y = place(words[p % 2 * 2 + 1]);
            std::vector<double> patch;
            for (int j = 0; j < 7; j++)
                for (int i = 0; i < 7; i++)
                    for (const Plane &plane : planes)
                        patch.push_back(plane[static_cast<size_t>((y + j) * side + x + i)]);
            out.push_back(patch);
        }
    }
    for (int c = 0; c < channels; c++) {
        double sum = 0, squares = 0, n = 49.0 * static_cast<double>(out.size());
        auto each = [&](auto &&f) {
            for (auto &patch : out)
                for (size_t i = static_cast<size_t>(c); i < patch.size();
                     i += static_cast<size_t>(channels))
                    f(patch[i]);
        };
        each([&](double &v) { sum += v; });
        each([&](double &v) { squares += (v - sum / n) * (v - sum / n); });
        each([&](double &v) { v = squares > 0 ? (v - sum / n) / std::sqrt(squares / n) : 0; });
    }
    return out;
}

double reference(const Bytes &a, const Bytes &b, uint32_t count, int size, int channels,
                 uint32_t level, uint64_t seed) {
    auto pa = patches(a, count, size, channels, level, seed);
    auto pb = patches(b, count, size, channels, level, seed);
    size_t dimensions = pa[0].size();
    double total = 0;
    for (uint32_t d = 0; d < ORR_SWD_DIRECTIONS; d++) {
        std::vector<double> direction;
        for (uint32_t block = 0; direction.size() < dimensions; block++) {
            float four[4];
            orr_normal_block(seed, 0x53574402u, static_cast<uint64_t>(level) << 32 | d, block,
                             four);
            direction.insert(direction.end(), four, four + 4);
        }
        direction.resize(dimensions);
        double norm = 0;
        for (double v : direction) norm += v * v;
        std::vector<double> qa, qb;
        for (size_t p = 0; p < pa.size(); p++) {
            double x = 0, y = 0;
            for (size_t i = 0; i < dimensions; i++) {
                x += pa[p][i] * direction[i];
                y += pb[p][i] * direction[i];
            }
            qa.push_back(x / std::sqrt(norm));
            qb.push_back(y / std::sqrt(norm));
        }
        std::sort(qa.begin(), qa.end());
        std::sort(qb.begin(), qb.end());
        for (size_t p = 0; p < qa.size(); p++) total += std::fabs(qa[p] - qb[p]);
    }
    return 1000 * total / static_cast<double>(pa.size()) / ORR_SWD_DIRECTIONS;
}

TEST(Swd, EqualsTheDefinition) {
    for (int size : {16, 32, 64})
        for (int channels : {1, 3}) {
            uint32_t count = 2;
            size_t bytes = count * static_cast<size_t>(size * size * channels);
            Bytes a = random_bytes(bytes), b = random_bytes(bytes);
            for (size_t i = 0; i < b.size(); i++) b[i] = static_cast<uint8_t>(b[i] / 2 + i % 97);
            orr_swd swd;
            orr_error error{};
            ASSERT_EQ(orr_swd_measure(a.data(), b.data(), count, static_cast<uint32_t>(size),
                                      static_cast<uint32_t>(channels), 5, &swd, &error),
                      ORR_OK)
                << error.text;
            ASSERT_EQ(swd.levels, size == 16 ? 1u : size == 32 ? 2u : 3u);
            double mean = 0;
            for (uint32_t level = 0; level < swd.levels; level++) {
                EXPECT_EQ(swd.size[level], static_cast<uint32_t>(size) >> level);
                double wanted = reference(a, b, count, size, channels, level, 5);
                EXPECT_GT(wanted, 1);
                EXPECT_NEAR(swd.distance[level], wanted, 1e-3 * wanted) << size << " " << level;
                mean += swd.distance[level] / swd.levels;
            }
            EXPECT_NEAR(swd.mean, mean, 1e-9);
        }
}

TEST(Swd, IsADistance) {
    const uint32_t count = 24, size = 32;
    const size_t bytes = count * size * size * 3;
    Bytes a(bytes);
    for (size_t i = 0; i < bytes; i++) a[i] = static_cast<uint8_t>(64 + i / 96 % 32 + i / 7 % 5);
    auto measure = [&](const Bytes &x, const Bytes &y) {
        orr_swd swd{};
        EXPECT_EQ(orr_swd_measure(x.data(), y.data(), count, size, 3, 1, &swd, nullptr), ORR_OK);
        return swd.mean;
    };
    EXPECT_EQ(measure(a, a), 0);
    double last = 0;
    for (int noise : {4, 16, 64}) {
        Bytes b = a, r = random_bytes(bytes);
        for (size_t i = 0; i < bytes; i++) b[i] = static_cast<uint8_t>(b[i] + r[i] % noise);
        double d = measure(a, b);
        EXPECT_NEAR(d, measure(b, a), 1e-6);
        EXPECT_EQ(d, measure(a, b));
        EXPECT_GT(d, last);
        last = d;
    }
    Bytes black(bytes);
    EXPECT_TRUE(std::isfinite(measure(a, black)));
}

TEST(Swd, RefusesWhatItCannotMeasure) {
    orr_swd swd;
    Bytes a(3 * 128 * 128);
    for (uint32_t size : {0u, 4u, 24u, 256u})
        EXPECT_EQ(orr_swd_measure(a.data(), a.data(), 1, size, 3, 1, &swd, nullptr),
                  ORR_UNSUPPORTED);
    EXPECT_EQ(orr_swd_measure(a.data(), a.data(), 0, 32, 3, 1, &swd, nullptr), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_swd_measure(a.data(), a.data(), 1, 32, 2, 1, &swd, nullptr), ORR_UNSUPPORTED);
}

class QualityTest : public testing::Test {
  protected:
    static constexpr uint32_t size = 8, channels = 3, bytes = size * size * channels;
    Bytes images = random_bytes(50 * bytes);
    orr_dataset set{images.data(), 50, size, channels, 0, 0, nullptr, 0, ""};

    Bytes Image(uint32_t n) const {
        return Bytes(images.begin() + n * bytes, images.begin() + (n + 1) * bytes);
    }
    static Bytes Mirrored(const Bytes &image) {
        Bytes out(bytes);
        for (uint32_t y = 0; y < size; y++)
            for (uint32_t x = 0; x < size; x++)
                memcpy(&out[(y * size + x) * channels],
                       &image[(y * size + size - 1 - x) * channels], channels);
        return out;
    }
    static double Rms(const Bytes &a, const Bytes &b) {
        double sum = 0;
        for (size_t i = 0; i < bytes; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return std::sqrt(sum / bytes);
    }
};

TEST_F(QualityTest, NearestIsTheNearest) {
    Bytes seekers = random_bytes(20 * bytes);
    for (uint32_t n = 0; n < 20; n += 2) // every other one is near to some image, or to its mirror
        for (size_t i = 0; i < bytes; i++) {
            Bytes near = n % 4 ? Mirrored(Image(n + 3)) : Image(n + 3);
            seekers[n * bytes + i] = static_cast<uint8_t>(near[i] ^ (i % 3));
        }
    std::vector<orr_nearest> found(20);
    std::vector<uint32_t> leave_out(20);
    for (uint32_t n = 0; n < 20; n++) leave_out[n] = n % 3 ? 1000 : n + 3;
    const uint32_t *choices[] = {nullptr, leave_out.data()};
    for (const uint32_t *out : choices) {
        orr_nearest_find(&set, seekers.data(), 20, out, found.data());
        for (uint32_t n = 0; n < 20; n++) {
            Bytes seeker(seekers.begin() + n * bytes, seekers.begin() + (n + 1) * bytes);
            double best = 1e9;
            for (uint32_t i = 0; i < 50; i++)
                if (!out || out[n] != i)
                    best = std::min({best, Rms(seeker, Image(i)), Rms(seeker, Mirrored(Image(i)))});
            EXPECT_NEAR(found[n].rms, best, 1e-9);
            Bytes named = Image(found[n].index);
            EXPECT_NEAR(Rms(seeker, found[n].mirrored ? Mirrored(named) : named), best, 1e-9);
        }
    }
    EXPECT_EQ(orr_nearest_median(found.data(), 0), 0);
    orr_nearest four[] = {{0, 0, 4}, {0, 0, 1}, {0, 0, 9}, {0, 0, 2}};
    EXPECT_EQ(orr_nearest_median(four, 4), 3);
    EXPECT_EQ(orr_nearest_median(four, 3), 4);
    EXPECT_EQ(orr_nearest_median(four, 1), 4);
    orr_nearest equal[] = {{0, 0, 4}, {0, 0, 4}, {0, 0, 9}, {0, 0, 4}, {0, 0, 9}, {0, 0, 9}};
    EXPECT_EQ(orr_nearest_median(equal, 6), 6.5);
}

// In a set that has every picture twice, the copy would be each one's nearest.
TEST_F(QualityTest, CopiesOfAnImageAreNotItsNeighbours) {
    std::vector<uint32_t> self(50);
    std::vector<orr_nearest> alone(50), doubled(50);
    for (uint32_t n = 0; n < 50; n++) self[n] = n;
    orr_nearest_find(&set, images.data(), 50, self.data(), alone.data());
    Bytes twice = images;
    for (uint32_t n = 0; n < 50; n++) {
        Bytes copy = n % 2 ? Image(n) : Mirrored(Image(n));
        twice.insert(twice.end(), copy.begin(), copy.end());
    }
    orr_dataset more = set;
    more.images = twice.data();
    more.count = 100;
    orr_nearest_find(&more, images.data(), 50, self.data(), doubled.data());
    for (uint32_t n = 0; n < 50; n++) {
        EXPECT_GT(alone[n].rms, 10);
        EXPECT_EQ(doubled[n].rms, alone[n].rms);
    }
    more.count = 1; // nothing else is there
    orr_nearest_find(&more, images.data(), 1, self.data(), doubled.data());
    EXPECT_EQ(doubled[0].rms, 0);
    // A generated image that is one of them is at no distance.
    orr_nearest_find(&set, images.data(), 50, nullptr, doubled.data());
    for (uint32_t n = 0; n < 50; n++) EXPECT_EQ(doubled[n].rms, 0);
}

TEST_F(QualityTest, Diversity) {
    Bytes same;
    for (int i = 0; i < 5; i++) same.insert(same.end(), images.begin(), images.begin() + bytes);
    EXPECT_EQ(orr_diversity(same.data(), 5, size, channels), 0);
    EXPECT_EQ(orr_diversity(same.data(), 1, size, channels), 0);
    double wanted =
        (Rms(Image(0), Image(1)) + Rms(Image(0), Image(2)) + Rms(Image(1), Image(2))) / 3;
    EXPECT_NEAR(orr_diversity(images.data(), 3, size, channels), wanted, 1e-9);
}

TEST_F(QualityTest, Grids) {
    orr_raster grid;
    orr_error error{};
    ASSERT_EQ(orr_grid(images.data(), 5, size, channels, 3, &grid, &error), ORR_OK);
    EXPECT_EQ(grid.width, 3 * 10 + 2u);
    EXPECT_EQ(grid.height, 2 * 10 + 2u);
    auto at = [&](uint32_t x, uint32_t y) { return &grid.pixels[(y * grid.width + x) * 3]; };
    EXPECT_EQ(memcmp(at(12, 12), &images[4 * bytes], 24), 0); // image 4: column 1, row 1
    EXPECT_EQ(*at(0, 0), 255);
    EXPECT_EQ(*at(25, 15), 255); // no sixth image
    orr_raster_free(&grid);
    // The closest pair first, a mirrored neighbour mirrored.
    orr_nearest nearest[] = {{7, 0, 30.0}, {9, 1, 10.0}};
    ASSERT_EQ(orr_nearest_grid(&set, images.data(), nearest, 2, 8, &grid, &error), ORR_OK);
    EXPECT_EQ(grid.width, 2 * 18 + 2u);
    EXPECT_EQ(memcmp(at(2, 2), &images[1 * bytes], 24), 0);
    EXPECT_EQ(memcmp(at(10, 2), Mirrored(Image(9)).data(), 24), 0);
    EXPECT_EQ(memcmp(at(20, 2), &images[0], 24), 0);
    EXPECT_EQ(memcmp(at(28, 2), &images[7 * bytes], 24), 0);
    orr_raster_free(&grid);
    EXPECT_NE(orr_grid(images.data(), 0, size, channels, 3, &grid, &error), ORR_OK);
}

} // namespace
