// The page table of the paper profile: what is malformed, or would restore a TIFF that nobody can
// read, is refused.
#include <algorithm>
#include <cstring>
#include <map>

#include <gtest/gtest.h>

#include "host/paper/image.h"
#include "tests/support/random.h"
#include "tests/support/tiff_files.h"

namespace {

using tiff_files::Bytes;
using tiff_files::TemporaryFile;

const uint64_t kMemory = 512u << 20;

// Writes the image with black pixels: libtiff must read all of it, or it is `refused`.
void expect_readable(const orr_image &image, int *refused = nullptr) {
    orr_image_writer *writer = nullptr;
    orr_error error = {};
    TemporaryFile file;
    ASSERT_EQ(ORR_OK, orr_image_writer_open(&writer, file.fd(), &image, "x", &error)) << error.text;
    for (uint32_t n = 0; n < image.page_count; n++) {
        Bytes volume(orr_page_bytes(&image.pages[n]));
        ASSERT_EQ(ORR_OK, orr_image_write_page(writer, n, volume.data(), &error)) << error.text;
    }
    orr_status status = orr_image_writer_finish(writer, &error);
    orr_image_writer_free(writer);
    if (refused && status == ORR_UNSUPPORTED) {
        ++*refused;
        return;
    }
    ASSERT_EQ(ORR_OK, status) << error.text;
    EXPECT_EQ(image.page_count, tiff_files::pixels_of(file.content()).size());
    orr_image_source *source = nullptr;
    EXPECT_EQ(ORR_OK, orr_image_open(&source, file.fd(), "x", kMemory, &error)) << error.text;
    orr_image_close(source);
}

TEST(PageTable, RecordSurvivesDamageWithoutACrash) {
    TemporaryFile file(tiff_files::build_with_odd_tags(true, false));
    orr_image_source *source = nullptr;
    orr_error error = {};
    uint8_t *record = nullptr;
    size_t bytes = 0;
    ASSERT_EQ(ORR_OK, orr_image_open(&source, file.fd(), "x", kMemory, &error)) << error.text;
    ASSERT_EQ(ORR_OK, orr_image_record_encode(orr_image_of(source), "x", &record, &bytes, &error));
    orr_image_close(source);
    orr_image image;
    ASSERT_EQ(ORR_OK, orr_image_record_decode(&image, record, bytes, "x", &error)) << error.text;
    orr_image_free(&image);
    for (size_t n = 0; n < bytes; n++) {
        Bytes cut(record, record + n);
        EXPECT_EQ(ORR_AUTH, orr_image_record_decode(&image, cut.data(), n, "x", &error));
    }
    int written = 0, refused = 0;
    for (int n = 0; n < 20000; n++) {
        Bytes damaged(record, record + bytes);
        for (int i = 0; i < 2; i++) damaged[test_random()() % bytes] = uint8_t(test_random()());
        if (orr_image_record_decode(&image, damaged.data(), bytes, "x", &error) != ORR_OK) continue;
        if (n % 8 == 0 && orr_page_memory(&image.pages[0]) < 1 << 20) {
            expect_readable(image, &refused);
            written++;
        }
        orr_image_free(&image);
    }
    EXPECT_GT(written - refused, 100);
    std::free(record);
}

// A page table of one gray page of 8 x 4 bytes, made by hand.
struct Table {
    std::map<size_t, uint64_t> fields; // place in the page entry -> another value, of 16 bits
    struct Entry {
        uint16_t id, type;
        std::vector<uint32_t> values;
    };
    std::vector<Entry> tags = {{256, 4, {8}}, {257, 4, {4}}, {258, 3, {8}}, {259, 3, {1}},
                               {262, 3, {1}}, {277, 3, {1}}, {278, 4, {4}}};

    Bytes encode() const {
        Bytes out;
        auto number = [&](uint64_t value, int size) {
            for (int i = 0; i < size; i++) out.push_back(uint8_t(value >> 8 * i));
        };
        number(1, 2), number(0, 2), number(1, 4); // record: version, flags, pages
        number(8, 4), number(4, 4);
        for (int value : {1, 8, 1, 1, 1, 1, 1, 1, 0, 0}) number(uint64_t(value), 2);
        number(8, 4), number(4, 4), number(0, 4), number(tags.size(), 4);
        for (auto [at, value] : fields) {
            out[8 + at] = uint8_t(value);
            out[8 + at + 1] = uint8_t(value >> 8);
        }
        for (const Entry &tag : tags) {
            int each = tag.type == 3 ? 2 : tag.type == 2 ? 1 : 4;
            number(tag.id, 2), number(tag.type, 2), number(tag.values.size(), 4);
            number(tag.values.size() * size_t(each), 4);
            for (uint32_t value : tag.values) number(value, each);
        }
        return out;
    }
    Table with(Entry tag) const {
        Table other = *this;
        for (Entry &old : other.tags)
            if (old.id == tag.id) {
                old = tag;
                return other;
            }
        other.tags.push_back(tag);
        return other;
    }
    Table without(uint16_t id) const {
        Table other = *this;
        other.tags.erase(std::find_if(other.tags.begin(), other.tags.end(),
                                      [&](const Entry &tag) { return tag.id == id; }));
        return other;
    }
    Table field(size_t at, uint64_t value) const {
        Table other = *this;
        other.fields[at] = value;
        return other;
    }
};

TEST(PageTable, PageTablesThatRestoreNothingReadableAreRefused) {
    const Table sound;
    orr_image image;
    orr_error error = {};
    auto decode = [&](const Bytes &record) {
        return orr_image_record_decode(&image, record.data(), record.size(), "x", &error);
    };
    const Table fine[] = {sound,
                          sound.with({270, 2, {'o', 'k', 0}}),
                          sound.with({530, 3, {2, 2}}), // dropped
                          sound.with({317, 3, {2}}),    // dropped: no scheme
                          sound.without(277),
                          sound.without(278),
                          sound.field(18, 5).with({259, 3, {5}}),
                          sound.field(18, 7).with({259, 3, {7}}).with({347, 4, {1}}),
                          sound.field(18, 5).field(20, 2).with({259, 3, {5}}).with({317, 3, {2}})};
    for (const Table &table : fine) {
        Bytes record = table.encode();
        ASSERT_EQ(ORR_OK, decode(record)) << error.text;
        expect_readable(image);
        orr_image_free(&image);
    }
    Table twice = sound;
    twice.tags.push_back({256, 4, {8}});
    const Table refused[] = {
        twice,
        sound.without(256),
        sound.without(258),
        sound.without(262),
        sound.with({256, 4, {9}}),
        sound.with({256, 4, {8, 8}}),
        sound.with({256, 2, {8}}), // text
        sound.with({257, 9, {4}}), // signed
        sound.with({258, 3, {16}}),
        sound.with({258, 3, {}}),
        sound.with({259, 3, {5}}),
        sound.with({262, 3, {0}}),
        sound.with({277, 3, {3}}),
        sound.with({278, 4, {2}}),
        sound.with({284, 3, {2}}),
        sound.with({339, 3, {3}}),
        sound.with({338, 3, {0, 0, 0, 0}}),
        sound.with({273, 4, {8}}), // where strips are
        sound.with({330, 4, {8}}), // points
        sound.with({40000, 13, {8}}),
        sound.with({34665, 4, {8}}), // EXIF as a plain number
        sound.with({322, 4, {16}}),  // tiles beside strips
        sound.field(18, 5).field(20, 3).with({259, 3, {5}}).with({317, 3, {3}}),
        sound.field(18, 5).with({259, 3, {5}}).with({317, 3, {2}}),
        sound.field(24, 1)}; // decoded from YCbCr, and gray
    for (const Table &table : refused) {
        Bytes record = table.encode();
        EXPECT_EQ(ORR_UNSUPPORTED, decode(record)) << &table - refused;
        EXPECT_NE(nullptr, strstr(error.text, "no readable TIFF can be restored")) << error.text;
    }
}

} // namespace
