// The CUDA volume kernels, executed on the CPU, against kernels/volume.c.
#include "tests/shim/shim.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/volume_launch.h"
#include "tests/shim/fault.h"
#include "tests/support/volumes.h"

namespace {

using shim::Schedule;

constexpr orr_volume_op operations[] = {ORR_VOLUME_ENCRYPT, ORR_VOLUME_DECRYPT};

// A region of device memory that ends at a guard page, filled with a pattern. What is beyond its
// length, to a multiple of 16, must stay.
class Region {
  public:
    explicit Region(size_t bytes)
        : bytes_(bytes), pattern_(static_cast<uint8_t>(test_random()())),
          buffer_((bytes + 15) / 16 * 16) {
        std::memset(buffer_.data(), pattern_, buffer_.size());
    }
    uint8_t *data() const { return buffer_.data(); }
    template <typename WORD> WORD *words() const { return reinterpret_cast<WORD *>(data()); }
    bool end_untouched() const {
        return std::all_of(data() + bytes_, data() + buffer_.size(),
                           [&](uint8_t byte) { return byte == pattern_; });
    }
    size_t size() const { return bytes_; }

  private:
    size_t bytes_;
    uint8_t pattern_;
    shim::GuardedBuffer buffer_;
};

// One image on a device of its own, every region apart.
struct Image {
    RandomVolume volume;
    orr_cuda_volume at = {};
    std::vector<std::unique_ptr<Region>> regions;

    Image(orr_volume_op op, orr_volume_shape shape, uint32_t rule = ORR_RULE_DEFAULT,
          uint32_t k2 = ORR_MAP_K2_DEFAULT)
        : volume(op, shape, rule, k2) {
        EXPECT_GT(orr_cuda_volume_layout(shape, nullptr, &at), 0u);
        size_t bytes = at.bytes, plane = at.plane;
        at.in = region(bytes);
        for (int n = 0; n < 2; n++) {
            at.k8[n] = region(bytes);
            at.k4[n] = region(plane);
            at.scratch[n] = region(bytes);
        }
        size_t table = orr_cuda_volume_table_bytes(shape) / 2;
        uint32_t *tables = nullptr;
        EXPECT_EQ(
            orr_cuda_volume_tables(&volume.task.key, shape, volume.cipher.k2, &tables, nullptr),
            ORR_OK);
        for (int n = 0; n < 2; n++) {
            at.tables[n] = reinterpret_cast<uint32_t *>(region(table));
            std::memcpy(at.tables[n], tables + n * (table / 4), table);
        }
        std::free(tables);
        size_t chunks = (bytes + ORR_CUDA_VOLUME_CHUNK - 1) / ORR_CUDA_VOLUME_CHUNK;
        at.totals = reinterpret_cast<uint32_t *>(region(4 * chunks));
        at.flags = reinterpret_cast<uint32_t *>(region(4 * ORR_CUDA_VOLUME_BLOCKS));
        at.state = reinterpret_cast<uint64_t *>(region(8 * ORR_CUDA_SEQUENCES));
        std::memcpy(at.in, volume.in.data(), bytes);
        std::memset(at.flags, 0, 4 * ORR_CUDA_VOLUME_BLOCKS);
        orr_cuda_cipher_init(&at.cipher, &volume.cipher);
    }
    uint8_t *region(size_t bytes) {
        regions.push_back(std::make_unique<Region>(bytes));
        return regions.back()->data();
    }

    // The sequences from step `done` on, `slice` steps of each.
    void list_sequences(uint64_t done, uint64_t slice, std::vector<orr_cuda_sequence> &list) {
        for (int n = 0; n < ORR_CUDA_SEQUENCES; n++) {
            uint64_t length = n % 2 ? at.bytes : at.plane;
            if (done >= length) continue;
            list.push_back({orr_arccos15(volume.task.key.part[n % 2 ? 7 : 3]), at.state + n,
                            n % 2 ? at.k8[n / 2] : at.k4[n / 2], done,
                            std::min(length, done + slice), volume.cipher.k2, 0});
        }
    }
    int make_sequences(uint64_t slice, unsigned blocks) {
        for (uint64_t done = 0; done < at.bytes; done += slice) {
            std::vector<orr_cuda_sequence> list;
            list_sequences(done, slice, list);
            Region device(list.size() * sizeof list[0]);
            std::memcpy(device.data(), list.data(), device.size());
            orr_cuda_sequence_launch launch = {device.words<orr_cuda_sequence>(),
                                               static_cast<uint32_t>(list.size()), 0};
            int code = orr_cuda_sequence_run(&launch, blocks, nullptr);
            if (code) return code;
        }
        return 0;
    }
    int run(unsigned blocks, uint64_t slice = 1 << 20, unsigned sequence_blocks = 4) {
        int code = make_sequences(slice, sequence_blocks);
        return code ? code : orr_cuda_volume_run(volume.task.op, &at, blocks, nullptr);
    }

    bool right() const {
        std::vector<uint8_t> wanted = volume.expected();
        return std::memcmp(wanted.data(), at.k8[0], at.bytes) == 0;
    }
    bool flagged_right(unsigned blocks) const {
        return std::all_of(at.flags, at.flags + blocks,
                           [](uint32_t flag) { return flag == ORR_CUDA_VOLUME_RIGHT; }) &&
               std::all_of(at.flags + blocks, at.flags + ORR_CUDA_VOLUME_BLOCKS,
                           [](uint32_t flag) { return flag == 0; });
    }
    bool ends_untouched() const {
        return std::all_of(regions.begin(), regions.end(),
                           [](const auto &region) { return region->end_untouched(); });
    }
};

void expect_right(Image &&image, unsigned blocks, uint64_t slice = 1 << 20,
                  unsigned sequence_blocks = 4) {
    std::string what = image.volume.name() + ", " + std::to_string(blocks) + " blocks";
    ASSERT_EQ(image.run(blocks, slice, sequence_blocks), 0) << what << ": " << shim::last_error;
    EXPECT_TRUE(image.right()) << what;
    EXPECT_TRUE(image.flagged_right(blocks)) << what;
    EXPECT_TRUE(image.ends_untouched()) << what;
    EXPECT_TRUE(std::memcmp(image.at.in, image.volume.in.data(), image.at.bytes) == 0) << what;
}

class CudaVolumeShim : public testing::Test {
  protected:
    void SetUp() override {
        shim::settings = {Schedule::forward, test_random()(),
                          static_cast<uint8_t>(test_random()())};
    }
};

TEST_F(CudaVolumeShim, EveryLengthAroundGroupsAndUnits) {
    for (uint32_t bytes = 1; bytes <= 26; bytes++)
        for (orr_volume_op op : operations) {
            shim::settings.schedule = static_cast<Schedule>(bytes % 3);
            expect_right(Image(op, {1, 1, bytes}, random_rule()), 1 + bytes % 2);
            expect_right(Image(op, {1, bytes, 1}, random_rule()), 1);
            expect_right(Image(op, {bytes, 1, 1}, random_rule()), 1);
        }
}

TEST_F(CudaVolumeShim, LengthsAroundWarpsTurnsAndChunks) {
    const uint32_t turn = ORR_CUDA_VOLUME_THREADS * 12, chunk = ORR_CUDA_VOLUME_CHUNK;
    for (uint32_t edge : {32u * 12, turn, chunk, 2 * chunk})
        for (int difference : {-13, -1, 0, 1, 11}) {
            uint32_t bytes = edge + static_cast<uint32_t>(difference);
            orr_volume_op op = operations[test_random()() % 2];
            shim::settings.schedule = static_cast<Schedule>(test_random()() % 3);
            expect_right(Image(op, {1, 1, bytes}, random_rule()), 2);
        }
}

TEST_F(CudaVolumeShim, ManyChunksAreScannedInSeveralTurns) {
    for (unsigned blocks : {1u, 3u, 9u, 40u})
        expect_right(Image(ORR_VOLUME_ENCRYPT, {3, 256, 280}, random_rule()), blocks, 1 << 16);
    // More chunks than the block that scans them has threads.
    const orr_volume_shape large = {1, 2200, 2900};
    ASSERT_GT(2200u * 2900u, ORR_CUDA_VOLUME_THREADS * ORR_CUDA_VOLUME_CHUNK + 0u);
    expect_right(Image(ORR_VOLUME_DECRYPT, large, random_rule()), 64, 1 << 22);
}

TEST_F(CudaVolumeShim, ShapesOfEveryKindUnderEverySchedule) {
    const orr_volume_shape shapes[] = {{1, 1, 700}, {1, 700, 1}, {3, 1, 333}, {3, 333, 1},
                                       {4, 2, 97},  {4, 97, 2},  {3, 64, 64}, {1, 65, 63},
                                       {4, 33, 31}, {2, 17, 40}, {5, 8, 9},   {70, 2, 3}};
    for (Schedule schedule : {Schedule::forward, Schedule::reverse, Schedule::random})
        for (const orr_volume_shape &shape : shapes)
            for (orr_volume_op op : operations) {
                shim::settings.schedule = schedule;
                shim::settings.poison = static_cast<uint8_t>(test_random()());
                expect_right(
                    Image(op, shape,
                          schedule == Schedule::forward ? ORR_RULE_DEFAULT : random_rule()),
                    1 + test_random()() % 4);
            }
}

TEST_F(CudaVolumeShim, RandomShapesRulesKeysAndMapConstants) {
    for (int n = 0; n < 60; n++) {
        uint32_t k2 = static_cast<uint32_t>(test_random()()) | 1;
        shim::settings.schedule = static_cast<Schedule>(n % 3);
        expect_right(Image(operations[n % 2], random_shape(60), random_rule(), k2),
                     1 + test_random()() % 5, 1 + test_random()() % 3000, 1 + test_random()() % 6);
    }
}

TEST_F(CudaVolumeShim, RulesOfEveryAlgebraicForm) {
    for (uint32_t rule = 1; rule <= ORR_RULE_COUNT; rule += 1009)
        expect_right(Image(operations[rule % 2], {1, 5, 13}, rule), 1);
}

TEST_F(CudaVolumeShim, AnyNumberOfBlocks) {
    for (unsigned blocks : {1u, 2u, 7u, 64u, 1024u})
        for (orr_volume_op op : operations) {
            shim::settings.schedule = blocks > 64 ? Schedule::forward : Schedule::random;
            expect_right(Image(op, {3, 20, 21}, random_rule()), blocks);
        }
}

// Slices of any length, also ones that end inside a run of steps, give one sequence.
TEST_F(CudaVolumeShim, SlicesOfSequences) {
    for (uint64_t slice : {1u, 2u, 127u, 128u, 129u, 255u, 256u, 257u, 500u})
        for (Schedule schedule : {Schedule::forward, Schedule::reverse, Schedule::random}) {
            shim::settings.schedule = schedule;
            Image image(ORR_VOLUME_ENCRYPT, {slice > 2 ? 3u : 1u, 13, 17});
            ASSERT_EQ(image.make_sequences(slice, 3), 0) << shim::last_error;
            for (int use = 0; use < 2; use++) {
                uint64_t u = orr_arccos15(image.volume.task.key.part[7]);
                for (uint64_t n = 0; n < image.at.bytes; n++) {
                    u = orr_map_step(u, image.volume.cipher.k2);
                    ASSERT_EQ(image.at.k8[use][n], static_cast<uint8_t>(orr_cos15_magnitude(u)))
                        << "slice " << slice << ", byte " << n;
                }
            }
            EXPECT_TRUE(image.ends_untouched());
        }
}

// The sequences of several images in one launch.
TEST_F(CudaVolumeShim, ImagesSideBySide) {
    std::vector<std::unique_ptr<Image>> images;
    std::vector<orr_cuda_sequence> list;
    for (int n = 0; n < 6; n++) {
        images.push_back(std::make_unique<Image>(operations[n % 2], random_shape(), random_rule()));
        images.back()->list_sequences(0, 1 << 20, list);
    }
    std::shuffle(list.begin(), list.end(), test_random());
    shim::settings.schedule = Schedule::random;
    orr_cuda_sequence_launch launch = {list.data(), static_cast<uint32_t>(list.size()), 0};
    ASSERT_EQ(orr_cuda_sequence_run(&launch, 7, nullptr), 0) << shim::last_error;
    for (auto &image : images) {
        ASSERT_EQ(orr_cuda_volume_run(image->volume.task.op, &image->at, 2, nullptr), 0);
        EXPECT_TRUE(image->right() && image->flagged_right(2)) << image->volume.name();
    }
}

// Wherever a bit flips, in the key sequences, in the work or in the check of it: a result that is
// not right never has all flags right.
TEST_F(CudaVolumeShim, OneFlippedBitIsCaught) {
    int wrong = 0, happened = 0;
    for (int n = 0; n < 150; n++) {
        orr_volume_op op = operations[n % 2];
        Image image(op, {3, 24, 32}, n % 4 < 2 ? ORR_RULE_DEFAULT : random_rule());
        // Threads of one warp in each kind of pass; sequences have theirs from 32 on.
        unsigned block = test_random()() % 2, thread = test_random()() % 128;
        shim::next_fault = {true,
                            block,
                            thread,
                            static_cast<unsigned>(test_random()() % 4),
                            1u << test_random()() % 8,
                            test_random()() % 30};
        ASSERT_EQ(image.run(2, 1 << 20, 2), 0) << shim::last_error;
        bool hit = !shim::next_fault.armed;
        shim::next_fault.armed = false;
        happened += hit;
        wrong += !image.right();
        EXPECT_EQ(image.flagged_right(2), !hit)
            << image.volume.name() << ", block " << block << ", thread " << thread;
    }
    EXPECT_GT(happened, 50);
    EXPECT_GT(wrong, 20);
}

// The comparison misses no bit: each bit of one unit, flipped in the last pass of the check.
TEST_F(CudaVolumeShim, EveryBitIsCompared) {
    const unsigned thread = 70; // not one that works on sequences
    for (orr_volume_op op : operations) {
        auto run = [&](unsigned long after, unsigned word, uint32_t flip) {
            Image image(op, {1, 30, 31});
            shim::next_fault = {true, 0, thread, word, flip, after};
            EXPECT_EQ(image.run(1), 0);
            bool hit = !shim::next_fault.armed;
            shim::next_fault.armed = false;
            EXPECT_EQ(image.flagged_right(1), !hit) << word << ", " << flip;
            return hit;
        };
        unsigned long last = 0;
        while (run(last + 1, 0, 1)) last++;
        EXPECT_GT(last, 8u);
        for (unsigned word = 0; word < 4; word++)
            for (unsigned bit = 0; bit < 24; bit++) EXPECT_TRUE(run(last, word, 1u << bit));
    }
}

// A bit that flips in device memory between two passes is caught like one that flips in a register.
TEST_F(CudaVolumeShim, FlippedKeyBytesAndTablesAreCaught) {
    for (int n = 0; n < 40; n++) {
        Image image(operations[n % 2], {2, 19, 30}, random_rule());
        ASSERT_EQ(image.make_sequences(1 << 20, 4), 0);
        uint8_t flip = static_cast<uint8_t>(1u << test_random()() % 8);
        uint64_t at = test_random()() % image.at.plane;
        int use = test_random()() % 2;
        if (n % 4 < 2)
            image.at.k8[use][at] ^= flip;
        else
            image.at.k4[use][at] ^= flip;
        if (n % 8 == 7) { // a table in place of a key byte
            image.at.k4[use][at] ^= flip;
            std::swap(image.at.tables[use][0], image.at.tables[use][1]);
        }
        ASSERT_EQ(orr_cuda_volume_run(image.volume.task.op, &image.at, 1, nullptr), 0);
        EXPECT_FALSE(image.flagged_right(1)) << n;
    }
}

TEST_F(CudaVolumeShim, LayoutIsApartAndRefusesWhatOverflows) {
    orr_cuda_volume at;
    std::vector<uint8_t> base(1);
    for (int n = 0; n < 50; n++) {
        orr_volume_shape shape = random_shape(300);
        uint8_t *start = reinterpret_cast<uint8_t *>(uintptr_t{1} << 32);
        size_t total = orr_cuda_volume_layout(shape, start, &at);
        size_t bytes = size_t{shape.channels} * shape.rows * shape.columns;
        std::vector<std::pair<uint8_t *, size_t>> parts = {
            {at.in, bytes},
            {at.k8[0], bytes},
            {at.k8[1], bytes},
            {at.scratch[0], bytes},
            {at.scratch[1], bytes},
            {at.k4[0], at.plane},
            {at.k4[1], at.plane},
            {reinterpret_cast<uint8_t *>(at.tables[0]), orr_cuda_volume_table_bytes(shape)},
            {reinterpret_cast<uint8_t *>(at.totals), 4 * (bytes / ORR_CUDA_VOLUME_CHUNK + 1)},
            {reinterpret_cast<uint8_t *>(at.flags), 4 * ORR_CUDA_VOLUME_BLOCKS},
            {reinterpret_cast<uint8_t *>(at.state), 8 * ORR_CUDA_SEQUENCES}};
        std::sort(parts.begin(), parts.end());
        for (size_t p = 0; p < parts.size(); p++) {
            EXPECT_EQ(reinterpret_cast<uintptr_t>(parts[p].first) % 256, 0u);
            uint8_t *end = p + 1 < parts.size() ? parts[p + 1].first : start + total;
            EXPECT_LE(parts[p].first + parts[p].second, end);
        }
        EXPECT_EQ(orr_cuda_volume_layout(shape, nullptr, &at), total);
    }
    EXPECT_EQ(orr_cuda_volume_layout({UINT32_MAX, UINT32_MAX, UINT32_MAX}, nullptr, &at), 0u);
    EXPECT_EQ(orr_cuda_volume_layout({1, UINT32_MAX, UINT32_MAX}, nullptr, &at), 0u);
}

} // namespace
