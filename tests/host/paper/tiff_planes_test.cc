// One directory that stands for many planes: refused, since a TIFF reader finds one of them. So are
// sizes of a type that other readers do not understand.
#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "host/paper/image.h"
#include "tests/support/tiff_files.h"

namespace {

using tiff_files::Bytes;
using tiff_files::TemporaryFile;

struct Entry {
    uint16_t id, type;
    uint32_t count;
    Bytes value; // little-endian
};

Bytes le(uint64_t value, size_t bytes) {
    Bytes out(bytes);
    for (size_t i = 0; i < bytes; i++) out[i] = uint8_t(value >> 8 * i);
    return out;
}

void append(Bytes *to, const Bytes &more) {
    to->insert(to->end(), more.begin(), more.end());
}

Entry number(uint16_t id, uint32_t value) {
    return {id, 4, 1, le(value, 4)};
}

Entry text(const std::string &what) {
    return {270, 2, uint32_t(what.size() + 1), Bytes(what.c_str(), what.c_str() + what.size() + 1)};
}

// `pages` gray pages of 8 x 6, and `planes` planes behind one another, of which these show the
// first; `more` in the first page.
Bytes build(uint32_t pages, uint32_t planes, const std::vector<Entry> &more) {
    Bytes file = {'I', 'I', 42, 0, 0, 0, 0, 0};
    file.resize(8 + 48 * planes, 7);
    size_t link = 4;
    for (uint32_t n = 0; n < pages; n++) {
        std::vector<Entry> tags = {number(256, 8), number(257, 6), number(258, 8),
                                   number(259, 1), number(262, 1), number(273, 8 + 48 * n),
                                   number(277, 1), number(278, 6), number(279, 48)};
        for (const Entry &tag : n == 0 ? more : std::vector<Entry>()) {
            tags.erase(std::remove_if(tags.begin(), tags.end(),
                                      [&](const Entry &old) { return old.id == tag.id; }),
                       tags.end());
            tags.push_back(tag);
        }
        std::sort(tags.begin(), tags.end(),
                  [](const Entry &a, const Entry &b) { return a.id < b.id; });
        Bytes list = le(tags.size(), 2);
        for (Entry &tag : tags) {
            append(&list, le(tag.id, 2));
            append(&list, le(tag.type, 2));
            append(&list, le(tag.count, 4));
            if (tag.value.size() > 4) {
                append(&list, le(file.size(), 4));
                append(&file, tag.value);
                if (file.size() % 2) file.push_back(0);
            } else {
                tag.value.resize(4);
                append(&list, tag.value);
            }
        }
        Bytes at = le(file.size(), 4);
        std::copy(at.begin(), at.end(), file.begin() + long(link));
        append(&file, list);
        link = file.size();
        append(&file, le(0, 4));
    }
    return file;
}

void expect(const char *word, uint32_t pages, uint32_t planes, const std::vector<Entry> &more) {
    TemporaryFile file(build(pages, planes, more));
    orr_image_source *source = nullptr;
    orr_error error = {};
    orr_status status = orr_image_open(&source, file.fd(), "stack.tif", 64u << 20, &error);
    if (status == ORR_OK) orr_image_close(source);
    EXPECT_EQ(word ? ORR_UNSUPPORTED : ORR_OK, status) << (word ? word : "taken") << error.text;
    if (!word) return;
    EXPECT_NE(nullptr, std::strstr(error.text, word)) << error.text;
    EXPECT_NE(nullptr, std::strstr(error.text, "archive profile")) << error.text;
}

TEST(TiffPlanes, Depth) {
    expect("ImageDepth", 1, 4, {number(32997, 4)});
    expect("TileDepth", 1, 4, {number(32998, 4)});
    expect(nullptr, 1, 1, {number(32997, 1), number(32998, 1)});
    expect("ImageDepth", 1, 4, {{32997, 8, 1, le(4, 2)}}); // signed
}

TEST(TiffPlanes, Stacks) {
    expect("MetaMorph", 1, 5, {{33628, 4, 5, Bytes(20)}, {33629, 5, 5, Bytes(40)}});
    expect("MetaMorph", 1, 5, {{33629, 5, 5, Bytes(40)}});
    Bytes head(400);
    expect(nullptr, 1, 1, {{43314, 1, 400, head}});
    head[261] = 5; // big-endian, as on the machines that wrote it
    expect("NIH Image", 1, 5, {{43314, 1, 400, head}});
}

TEST(TiffPlanes, ImageJ) {
    const std::string head = "ImageJ=1.54f\nimages=5\n", tail = "slices=5\nhyperstack=true\n";
    expect("ImageJ", 1, 5, {text(head + tail)});
    expect("ImageJ", 2, 5, {text(head)});
    expect("ImageJ", 1, 5, {text("SCIFIO=0.46\naxes=X,Y,Z\nimages=5\n")});
    expect("ImageJ", 1, 5, {text("ImageJ=1.54f\nimages=99999999999999999999999\n")});
    expect(nullptr, 5, 5, {text(head + tail)});
    expect(nullptr, 1, 1, {text("ImageJ=1.54f\nunit=micron\n")});
    expect(nullptr, 1, 1, {text("ImageJ=1.54f\nimages=")});
}

TEST(TiffPlanes, Shapes) {
    expect("tifffile", 1, 5, {text("{\"shape\": [5, 6, 8], \"truncated\": true}")});
    expect("tifffile", 1, 1, {text("{\"shape\": [5, 6, 8], \"truncated\":true}")});
    expect("tifffile", 1, 40, {text("shape=(40, 6, 8)")});
    expect("tifffile", 2, 40, {text("{\"shape\": [40, 6, 8], \"axes\": \"ZYX\"}")});
    expect(nullptr, 5, 5, {text("{\"shape\": [5, 6, 8]}")});
    expect(nullptr, 1, 1, {text("{\"shape\": [6, 8], \"truncated\": true}")});
    expect(nullptr, 1, 1, {text("{\"shape\": [500, 6, 8]}")}); // taken out of its series
    expect(nullptr, 1, 1, {text("{\"shape\": [")});
    expect(nullptr, 1, 1, {text("{\"note\": \"no shape\"}")});
}

TEST(TiffTypes, OtherReadersKnowThem) {
    const std::pair<uint16_t, uint8_t> fields[] = {{256, 8}, {257, 6}, {258, 8}, {259, 1},
                                                   {262, 1}, {266, 1}, {277, 1}, {278, 6},
                                                   {284, 1}, {339, 1}};
    for (auto [id, value] : fields) {
        SCOPED_TRACE(id);
        expect("of type BYTE", 1, 1, {{id, 1, 1, le(value, 1)}});
        expect(nullptr, 1, 1, {{id, 3, 1, le(value, 2)}});
        expect(nullptr, 1, 1, {{id, 4, 1, le(value, 4)}});
    }
    expect(nullptr, 1, 1, {{65000, 1, 1, le(1, 1)}}); // any other tag may be
}

} // namespace
