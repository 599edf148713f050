// The paper profile on TIFF files: pixels and tags come back, the cipher image keeps the geometry,
// damage is noticed, and what the profile does not take is refused with a pointer to the other one.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <tiffio.h>

#include "host/paper/image.h"
#include "host/paper/paper.h"
#include "host/paper/paper_layout.h"
#include "kernels/map.h"
#include "tests/support/random.h"
#include "tests/support/tiff_files.h"

namespace {

using tiff_files::Bytes;
using tiff_files::PageSpec;
using tiff_files::Pixels;
using tiff_files::Tags;
using tiff_files::TemporaryFile;

const uint64_t kMemory = 512u << 20;

struct Secrets {
    orr_file_secret secret;
    orr_wrap_key reader = {ORR_WRAP_MASTER, {}, {}};
    uint8_t file_id[32], salt[ORR_SALT_BYTES];
    Secrets() {
        auto fill = [](void *to, size_t bytes) {
            std::vector<uint8_t> random = random_bytes(bytes);
            std::memcpy(to, random.data(), bytes);
        };
        fill(&secret, sizeof secret);
        fill(file_id, sizeof file_id);
        fill(salt, sizeof salt);
        fill(reader.key_id, sizeof reader.key_id);
        fill(reader.key, sizeof reader.key);
    }
    orr_paper_request request(const char *name, uint16_t rule, orr_metadata *metadata,
                              uint64_t memory) const {
        orr_paper_request made = {};
        made.name = name;
        made.rule = rule;
        made.k2 = ORR_MAP_K2_DEFAULT;
        made.secret = &secret;
        made.readers = &reader;
        made.reader_count = made.slot_pages = 1;
        made.file_id = file_id;
        made.metadata_salt = salt;
        made.metadata = metadata;
        made.means.memory = memory;
        return made;
    }
};

orr_status encrypt(const Secrets &secrets, const Bytes &plain, Bytes *cipher, orr_error *error,
                   uint64_t memory = kMemory) {
    TemporaryFile source(plain), target;
    orr_metadata metadata = {};
    std::strcpy(reinterpret_cast<char *>(metadata.path), "scan.tif");
    metadata.path_length = 8;
    metadata.size = plain.size();
    std::strcpy(metadata.timestamp, "02-01-2025 03:04:05");
    orr_paper_request request = secrets.request("scan.tif", ORR_RULE_DEFAULT, &metadata, memory);
    orr_status status = orr_paper_encrypt(&request, source.fd(), target.fd(), error);
    if (status == ORR_OK) *cipher = target.content();
    orr_metadata_free(&metadata);
    return status;
}

orr_status decrypt(const Secrets &secrets, const Bytes &cipher, Bytes *plain, orr_error *error) {
    TemporaryFile source(cipher), target;
    orr_container container = {};
    orr_file_keys keys;
    orr_metadata metadata = {};
    const char *name = "c.orr.tif";
    orr_status status = orr_container_read(&container, source.fd(), cipher.size(), name, error);
    if (status == ORR_OK)
        status = orr_file_keys_derive(&keys, &secrets.secret, container.header_bytes, error);
    if (status == ORR_OK)
        status = orr_container_metadata(&container, source.fd(), &keys, name, &metadata, error);
    if (status == ORR_OK)
        status = orr_paper_decrypt(&container, &secrets.secret, &metadata, nullptr, source.fd(),
                                   plain ? target.fd() : -1, name, error);
    if (status == ORR_OK && plain) *plain = target.content();
    orr_metadata_free(&metadata);
    orr_container_free(&container);
    return status;
}

bool keeps_compression(uint64_t scheme) {
    return std::set<uint64_t>{1, 5, 8, 32773, 32946, 34925, 50000}.count(scheme) != 0;
}

// Tags that must be equal before and after.
Tags comparable(Tags tags, bool jpeg_colours) {
    uint64_t scheme = 1;
    if (tags.count(259) && tags[259].value.size() >= 2)
        scheme = tags[259].value[0] + 256u * tags[259].value[1];
    for (uint64_t id : {273, 279, 324, 325}) tags.erase(id);
    if (!keeps_compression(scheme))
        for (uint64_t id : {259, 317, 347, 512, 514, 515, 517, 518, 50674}) tags.erase(id);
    if (scheme == 1 || scheme == 32773) tags.erase(317);
    if (jpeg_colours)
        for (uint64_t id : {262, 532}) tags.erase(id);
    return tags;
}

// "" when restored has the pixels and tags of plain, else what differs.
std::string difference(const Bytes &plain, const Bytes &restored) {
    std::vector<Pixels> before = tiff_files::pixels_of(plain),
                        after = tiff_files::pixels_of(restored);
    std::vector<Tags> old_tags = tiff_files::tags_of(plain),
                      new_tags = tiff_files::tags_of(restored);
    if (before.empty()) return "the original does not decode";
    if (before.size() != after.size() || old_tags.size() != new_tags.size()) return "page count";
    for (size_t n = 0; n < before.size(); n++) {
        const Pixels &a = before[n], &b = after[n];
        std::string page = "page " + std::to_string(n) + ": ";
        if (a.width != b.width || a.height != b.height || a.samples != b.samples ||
            a.bits != b.bits || a.format != b.format || a.photometric != b.photometric ||
            a.planar != b.planar || a.tiled != b.tiled || a.chunk_columns != b.chunk_columns ||
            a.chunk_rows != b.chunk_rows)
            return page + "structure";
        if (a.planes != b.planes) return page + "pixels";
        if (keeps_compression(a.compression) ? a.compression != b.compression : b.compression != 1)
            return page + "compression";
        bool jpeg_colours = a.compression == COMPRESSION_JPEG && old_tags[n].count(262) &&
                            old_tags[n].at(262).value[0] == PHOTOMETRIC_YCBCR;
        Tags x = comparable(old_tags[n], jpeg_colours), y = comparable(new_tags[n], jpeg_colours);
        // The pixels are gray or RGB: tags of YCbCr would be wrong beside them.
        for (uint64_t id : {529, 530, 531}) x.erase(id);
        if (!keeps_compression(a.compression)) y.erase(259);
        if (jpeg_colours) y.erase(262);
        // A pointer to a nested directory has a new value; its tags are compared one by one.
        if (x == y) continue;
        for (const auto &tag : x)
            if (!y.count(tag.first) || !(y.at(tag.first) == tag.second))
                return page + "tag " + std::to_string(tag.first);
        return page + "a tag too many";
    }
    return "";
}

void expect_round_trip(const Bytes &plain, Bytes *cipher_out = nullptr) {
    Secrets secrets;
    Bytes cipher, restored;
    orr_error error = {};
    ASSERT_EQ(ORR_OK, encrypt(secrets, plain, &cipher, &error)) << error.text;
    ASSERT_EQ(ORR_OK, decrypt(secrets, cipher, &restored, &error)) << error.text;
    EXPECT_EQ("", difference(plain, restored));
    EXPECT_EQ(ORR_OK, decrypt(secrets, cipher, nullptr, &error)) << error.text;
    if (cipher_out) *cipher_out = cipher;
}

Bytes planes_for(const PageSpec &spec) {
    return random_bytes(size_t(spec.width) * spec.height * spec.samples * (spec.bits / 8));
}

// ---- every layout

TEST(Paper, RoundTripsEveryLayout) {
    const uint16_t schemes[] = {COMPRESSION_NONE,          COMPRESSION_LZW,  COMPRESSION_PACKBITS,
                                COMPRESSION_ADOBE_DEFLATE, COMPRESSION_ZSTD, COMPRESSION_LZMA};
    int count = 0;
    for (const char *mode : {"wl4", "wb4", "wl8", "wb8"}) {
        for (uint16_t scheme : schemes) {
            if (!TIFFIsCODECConfigured(scheme)) continue;
            std::vector<PageSpec> specs;
            std::vector<Bytes> planes;
            for (uint16_t bits : {8, 16}) {
                for (uint16_t samples : {1, 2, 3, 4}) {
                    for (uint32_t tile : {0u, 16u}) {
                        uint16_t format = count % 3 == 0 ? SAMPLEFORMAT_INT : SAMPLEFORMAT_UINT;
                        uint16_t colour = samples >= 3 ? PHOTOMETRIC_RGB
                                          : count % 2  ? PHOTOMETRIC_MINISWHITE
                                                       : PHOTOMETRIC_MINISBLACK;
                        uint16_t planar =
                            count / 2 % 2 ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG;
                        bool predicts =
                            scheme != COMPRESSION_NONE && scheme != COMPRESSION_PACKBITS;
                        PageSpec spec = {uint32_t(17 + count % 23),
                                         uint32_t(1 + count % 37),
                                         samples,
                                         bits,
                                         format,
                                         colour,
                                         planar,
                                         scheme,
                                         tile,
                                         uint32_t(1 + count % 9),
                                         uint16_t(predicts ? 1 + count % 2 : 1)};
                        specs.push_back(spec);
                        planes.push_back(planes_for(spec));
                        count++;
                    }
                }
            }
            SCOPED_TRACE(std::string(mode) + " compression " + std::to_string(scheme));
            Bytes plain = tiff_files::build(mode, specs, planes);
            ASSERT_EQ(specs.size(), tiff_files::pixels_of(plain).size());
            expect_round_trip(plain);
        }
    }
}

TEST(Paper, RoundTripsUnusualTagsAndNestedDirectories) {
    for (bool big_endian : {false, true}) {
        for (bool bigtiff : {false, true}) {
            SCOPED_TRACE(testing::Message() << big_endian << bigtiff);
            Bytes plain = tiff_files::build_with_odd_tags(big_endian, bigtiff);
            std::vector<Tags> tags = tiff_files::tags_of(plain);
            ASSERT_EQ(1u, tags[0].count(uint64_t(34665) << 16 | 37500));
            ASSERT_EQ(1u, tags[0].count(uint64_t(40965) << 16 | 1));
            expect_round_trip(plain);
        }
    }
}

// ---- the cipher image

TEST(Paper, CipherImageKeepsTheGeometryAndHidesTheTags) {
    std::vector<PageSpec> specs = {
        {700, 900, 3, 8, 1, PHOTOMETRIC_RGB, 1, COMPRESSION_LZW, 0, 64, 2},
        {33, 65, 1, 16, 2, PHOTOMETRIC_MINISWHITE, 1, COMPRESSION_NONE, 16, 0, 1},
        {5, 4, 4, 16, 1, PHOTOMETRIC_RGB, 2, COMPRESSION_NONE, 0, 4, 1}};
    std::vector<Bytes> planes;
    for (const PageSpec &spec : specs) planes.push_back(planes_for(spec));
    Bytes plain = tiff_files::build("wb4", specs, planes), cipher;
    expect_round_trip(plain, &cipher);
    std::vector<Pixels> pages = tiff_files::pixels_of(cipher);
    ASSERT_EQ(specs.size(), pages.size());
    for (size_t n = 0; n < specs.size(); n++) {
        EXPECT_EQ(specs[n].width, pages[n].width);
        EXPECT_EQ(specs[n].height, pages[n].height);
        EXPECT_EQ(specs[n].samples, pages[n].samples);
        EXPECT_EQ(specs[n].bits, pages[n].bits);
        EXPECT_EQ(specs[n].format, pages[n].format);
        EXPECT_EQ(specs[n].photometric, pages[n].photometric);
        EXPECT_EQ(1, pages[n].planar);
        EXPECT_EQ(1, pages[n].compression);
        EXPECT_NE(planes[n], pages[n].planes);
    }
    std::string text(cipher.begin(), cipher.end());
    EXPECT_EQ(std::string::npos, text.find("PATIENT^SECRET"));
    EXPECT_EQ(std::string::npos, text.find("scan.tif"));
    Tags first = tiff_files::tags_of(cipher)[0];
    std::string description(first[270].value.begin(), first[270].value.end());
    EXPECT_NE(std::string::npos, description.find("NOT sealed"));
    EXPECT_EQ(499u, pages[0].chunk_rows); // strips of at most 1 MiB
}

// The pixels of three pages under a fixed secret, from the Python oracle.
TEST(Paper, GoldenPages) {
    auto hex = [](const std::string &text) {
        Bytes bytes;
        for (size_t n = 0; n + 1 < text.size(); n += 2)
            bytes.push_back(uint8_t(std::stoul(text.substr(n, 2), nullptr, 16)));
        return bytes;
    };
    const uint16_t bits[] = {8, 16, 16}, colours[] = {PHOTOMETRIC_RGB, 1, 1};
    std::ifstream in(ORRERY_SOURCE_DIR "/tests/vectors/paper.txt");
    std::vector<PageSpec> specs;
    std::vector<Bytes> planes, expected;
    Secrets secrets;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string kind, secret, plain, cipher;
        uint32_t n, samples, rows, columns;
        if (!(words >> kind >> n >> secret >> samples >> rows >> columns >> plain >> cipher))
            continue;
        if (kind != "page") continue;
        std::memcpy(secrets.secret.planet_secret, hex(secret).data(), 64);
        specs.push_back({columns / (bits[n] / 8u), rows, uint16_t(samples), bits[n], 1, colours[n],
                         1, COMPRESSION_NONE, 0, rows, 1});
        planes.push_back(hex(plain));
        expected.push_back(hex(cipher));
    }
    ASSERT_EQ(3u, specs.size());
    Bytes cipher;
    orr_error error = {};
    ASSERT_EQ(ORR_OK, encrypt(secrets, tiff_files::build("wl4", specs, planes), &cipher, &error));
    std::vector<Pixels> pages = tiff_files::pixels_of(cipher);
    ASSERT_EQ(3u, pages.size());
    for (size_t n = 0; n < 3; n++) EXPECT_EQ(expected[n], pages[n].planes) << n;
}

TEST(Paper, NoticesEveryKindOfDamage) {
    std::vector<PageSpec> specs(3, {9, 7, 3, 8, 1, PHOTOMETRIC_RGB, 1, COMPRESSION_NONE, 0, 7, 1});
    std::vector<Bytes> planes(3, planes_for(specs[0]));
    Secrets secrets, others;
    Bytes cipher, plain = tiff_files::build("wl4", specs, planes), restored;
    orr_error error = {};
    ASSERT_EQ(ORR_OK, encrypt(secrets, plain, &cipher, &error)) << error.text;
    ASSERT_EQ(ORR_OK, decrypt(secrets, cipher, &restored, &error)) << error.text;
    uint64_t data = cipher.size() - 3 * 4096; // three pages of 189 bytes, 4096-aligned
    ASSERT_EQ(0u, data % 4096);
    for (size_t at = 12288; at < cipher.size(); at += at < data ? 3 : 41) {
        Bytes damaged = cipher;
        damaged[at] ^= uint8_t(1u << test_random()() % 8);
        ASSERT_EQ(ORR_AUTH, decrypt(secrets, damaged, &restored, &error)) << at;
    }
    for (size_t length : {cipher.size() - 1, size_t(data), size_t(12288), size_t(100)}) {
        Bytes cut(cipher.begin(), cipher.begin() + long(length));
        ASSERT_EQ(ORR_AUTH, decrypt(secrets, cut, &restored, &error)) << length;
    }
    Bytes grown = cipher;
    grown.push_back(0);
    EXPECT_EQ(ORR_AUTH, decrypt(secrets, grown, &restored, &error));
    EXPECT_EQ(ORR_AUTH, decrypt(others, cipher, &restored, &error));
    // Two equal pages exchanged: the key of a page depends on its number.
    Bytes swapped = cipher;
    std::swap_ranges(swapped.begin() + long(data), swapped.begin() + long(data) + 189,
                     swapped.begin() + long(data) + 4096);
    EXPECT_EQ(ORR_AUTH, decrypt(secrets, swapped, &restored, &error));
}

TEST(Paper, StripRowsFollowTheFormula) {
    orr_image_page page = {};
    page.width = 1000;
    page.height = 5000;
    page.samples = 3;
    page.bits = 8;
    EXPECT_EQ(349u, orr_paper_strip_rows(&page)); // 1,048,576 / 3,000
    page.bits = 16;
    EXPECT_EQ(174u, orr_paper_strip_rows(&page));
    page.width = 2000000;
    EXPECT_EQ(1u, orr_paper_strip_rows(&page));
    page.width = 3;
    EXPECT_EQ(5000u, orr_paper_strip_rows(&page));
}

// The worked example of docs/FORMAT.md, "Layout".
TEST(Paper, LayoutOfTheWorkedExample) {
    orr_image_page pages[2] = {};
    pages[0].width = 700;
    pages[0].height = 900;
    pages[0].samples = 3;
    pages[0].bits = 8;
    pages[0].photometric = PHOTOMETRIC_RGB;
    pages[1].width = 33;
    pages[1].height = 65;
    pages[1].samples = 1;
    pages[1].bits = 16;
    pages[1].photometric = PHOTOMETRIC_MINISBLACK;
    orr_image image = {0, 0, 2, pages, 0};
    orr_paper_layout layout;
    orr_error error = {};
    orr_header header = {};
    header.slot_pages = 1;
    header.metadata_length = 4096;
    ASSERT_EQ(ORR_OK, orr_paper_layout_init(&layout, &image, &header, "x", &error));
    EXPECT_EQ(0, layout.big);
    EXPECT_EQ(16384u, layout.ifd_offset);
    EXPECT_EQ(20480u, layout.data_offset);
    EXPECT_EQ(1912832u, layout.page_offset[1]);
    EXPECT_EQ(1917122u, layout.pixels_end);
    EXPECT_EQ(1921024u, layout.data_end);
    EXPECT_EQ(1921024u, layout.file_length);
    EXPECT_EQ(1890000u + 4290u, layout.length);
    auto number = [&](size_t at, size_t bytes) {
        uint32_t value = 0;
        for (size_t i = 0; i < bytes; i++) value |= uint32_t(layout.directories[at + i]) << (8 * i);
        return value;
    };
    EXPECT_EQ(12u, number(0, 2));
    EXPECT_EQ(16384u + 152, number(2 + 2 * 12 + 8, 4)); // BitsPerSample
    EXPECT_EQ(20480u, number(160, 4));
    EXPECT_EQ(20480u + 499 * 2100, number(164, 4));
    EXPECT_EQ(401u * 2100, number(172, 4));
    EXPECT_EQ(16384u + 184, number(146, 4)); // next directory
    EXPECT_EQ(11u, number(184, 2));
    for (size_t at = 322; at < 4096; at++) ASSERT_EQ(0, layout.directories[at]) << at;
    orr_paper_layout_free(&layout);
    // Past 4 GiB the same pages make a BigTIFF.
    pages[0].width = pages[0].height = 40000;
    ASSERT_EQ(ORR_OK, orr_paper_layout_init(&layout, &image, &header, "x", &error));
    EXPECT_EQ(1, layout.big);
    EXPECT_EQ(40000ull * 40000 * 3 + 4290, layout.length);
    orr_paper_layout_free(&layout);
}

// ---- refusals

TEST(Paper, RefusesWhatItDoesNotTakeAndPointsToTheArchiveProfile) {
    Secrets secrets;
    Bytes cipher;
    orr_error error = {};
    PageSpec gray = {20, 10, 1, 8, 1, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, 10, 1};
    Bytes good = tiff_files::build("wl4", {gray}, {planes_for(gray)});
    auto refused = [&](const Bytes &plain, const std::string &word, uint64_t memory = kMemory) {
        error = {};
        EXPECT_EQ(ORR_UNSUPPORTED, encrypt(secrets, plain, &cipher, &error, memory)) << word;
        EXPECT_NE(nullptr, std::strstr(error.text, word.c_str())) << error.text;
        EXPECT_NE(nullptr, std::strstr(error.text, "archive profile")) << error.text;
        EXPECT_NE(nullptr, std::strstr(error.text, "scan.tif")) << error.text;
    };
    // Sets two bytes of a tag's entry in the directory: at 0 what tag it is, at 8 its value.
    auto with = [&](unsigned id, size_t place, unsigned value) {
        Bytes changed = good;
        uint32_t at = changed[4] | changed[5] << 8 | changed[6] << 16;
        for (uint8_t *e = &changed[at + 2]; e < &changed[at + 2 + 12 * changed[at]]; e += 12)
            if (unsigned(e[0] | e[1] << 8) == id)
                e[place] = uint8_t(value), e[place + 1] = uint8_t(value >> 8);
        return changed;
    };
    EXPECT_EQ(ORR_OK, encrypt(secrets, good, &cipher, &error)) << error.text;
    refused(with(339, 0, 400), "it holds sub-directories (sub-IFDs, tag 400)");
    refused(with(339, 0, 513), "the offset of a JPEG thumbnail (JPEGInterchangeFormat, tag 513)");
    refused(with(339, 0, 520), "it holds tables of old-style JPEG (an offset, tag 520)");
    refused({}, "not a TIFF");
    refused({'I', 'I'}, "not a TIFF");
    refused(Bytes(5000, 'x'), "not a TIFF");
    refused(with(262, 8, PHOTOMETRIC_PALETTE), "contradicts"); // no colour map
    refused(with(262, 8, PHOTOMETRIC_SEPARATED), "page 1");
    refused(with(262, 8, PHOTOMETRIC_CIELAB), "neither gray nor RGB");
    refused(with(262, 8, PHOTOMETRIC_RGB), "page 1");
    refused(with(339, 8, SAMPLEFORMAT_IEEEFP), "no integers");
    refused(with(258, 8, 4), "neither 8 nor 16");
    refused(with(259, 8, 77), "page 1");
    refused(Bytes(good.begin(), good.begin() + 100), "damaged");
    PageSpec large = {1000, 1000, 1, 8, 1, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_LZW, 0, 10, 1};
    refused(tiff_files::build("wl4", {large}, {planes_for(large)}), "memory", 2u << 20);
}

TEST(Paper, RefusesUnknownRuleAndMap) {
    Secrets secrets;
    PageSpec gray = {20, 10, 1, 8, 1, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, 10, 1};
    TemporaryFile source(tiff_files::build("wl4", {gray}, {planes_for(gray)})), target;
    orr_metadata metadata = {};
    metadata.path_length = 1;
    orr_error error = {};
    orr_paper_request request = secrets.request("s", 40321, &metadata, kMemory);
    EXPECT_EQ(ORR_UNSUPPORTED, orr_paper_encrypt(&request, source.fd(), target.fd(), &error));
    orr_metadata_free(&metadata);
}

// Whatever a few wrong bytes make of a TIFF: it is refused, or its pixels and tags come back.
TEST(Paper, MutatedTiffsAreRefusedOrComeBack) {
    Secrets secrets;
    std::vector<Bytes> seeds;
    for (const char *mode : {"wl4", "wb8"}) {
        PageSpec strips = {13, 9, 3, 8, 1, PHOTOMETRIC_RGB, 1, COMPRESSION_LZW, 0, 4, 2};
        PageSpec tiles = {20, 18, 2, 16, 1, PHOTOMETRIC_MINISBLACK, 2, COMPRESSION_NONE, 16, 0, 1};
        seeds.push_back(
            tiff_files::build(mode, {strips, tiles}, {planes_for(strips), planes_for(tiles)}));
        seeds.push_back(tiff_files::build_with_odd_tags(mode[1] == 'b', mode[2] == '8'));
    }
    int taken = 0;
    for (int n = 0; n < 2000; n++) {
        Bytes plain = seeds[test_random()() % seeds.size()], cipher, restored;
        for (uint64_t i = 1 + test_random()() % 3; i > 0; i--) {
            uint64_t value = test_random()();
            plain[test_random()() % plain.size()] = uint8_t(n % 2 ? value : value % 40);
        }
        orr_error error = {};
        orr_status status = encrypt(secrets, plain, &cipher, &error, 64u << 20);
        ASSERT_TRUE(status == ORR_OK || status == ORR_UNSUPPORTED) << error.text;
        if (status != ORR_OK) continue;
        taken++;
        ASSERT_EQ(ORR_OK, decrypt(secrets, cipher, &restored, &error)) << error.text;
        std::string what = difference(plain, restored);
        if (!what.empty()) {
            std::ofstream("mutated.tif", std::ios::binary)
                .write(reinterpret_cast<const char *>(plain.data()), long(plain.size()));
            FAIL() << n << ": " << what << " (the file is in mutated.tif)";
        }
    }
    EXPECT_GT(taken, 100);
}

// ---- real files, where they are

std::filesystem::path data_directory() {
    const char *given = std::getenv("ORRERY_DATA");
    return given ? given : ORRERY_SOURCE_DIR "/../shared/data";
}

// In a child with 3 GiB of address space and 60 seconds of processor time: 0 round trip, 8 refused
// politely, else a fault.
int try_file(const std::filesystem::path &path) {
    std::cout.flush();
    pid_t child = fork();
    if (child == 0) {
#if !defined(__SANITIZE_ADDRESS__)
        struct rlimit limit = {3ul << 30, 3ul << 30};
        setrlimit(RLIMIT_AS, &limit);
#endif
        struct rlimit seconds = {60, 60};
        setrlimit(RLIMIT_CPU, &seconds);
        alarm(900); // against waiting for ever; a loaded machine is no fault
        Secrets secrets;
        orr_error error = {};
        Bytes plain = tiff_files::read_file(path), cipher, restored;
        orr_status status = encrypt(secrets, plain, &cipher, &error);
        if (status == ORR_UNSUPPORTED) {
            std::cout << path.filename().string() << ": " << error.text << "\n" << std::flush;
            _exit(std::strstr(error.text, "archive profile") ? 8 : 1);
        }
        if (status == ORR_OK) status = decrypt(secrets, cipher, &restored, &error);
        std::string what = status != ORR_OK ? error.text : difference(plain, restored);
        if (!what.empty())
            std::cout << path.filename().string() << ": " << what << "\n" << std::flush;
        _exit(what.empty() ? 0 : 1);
    }
    int state = 0;
    waitpid(child, &state, 0);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 1000 + state;
}

std::set<std::string> try_directory(const std::string &name) {
    std::set<std::string> taken;
    int refused = 0;
    for (const auto &entry : std::filesystem::directory_iterator(data_directory() / name)) {
        std::string file = entry.path().filename();
        if (entry.path().extension() == ".tsv" || entry.path().extension() == ".md") continue;
        int result = try_file(entry.path());
        EXPECT_TRUE(result == 0 || result == 8) << file << ": " << result;
        if (result == 0) taken.insert(file);
        refused += result == 8;
    }
    std::cout << name << ": " << taken.size() << " round trips, " << refused << " refused\n";
    return taken;
}

TEST(PaperFiles, Scans) {
    if (!std::filesystem::exists(data_directory() / "scans"))
        GTEST_SKIP() << "no " << data_directory();
    std::set<std::string> taken = try_directory("scans");
    for (const char *file :
         {"cr-chest-1841x1955-u15-deflate.tif", "cr-hip-1760x2140-u10-deflate.tif",
          "ct-abdomen-512-u12-onestrip.tif", "ct-chest-512-s16.tif", "ct-ge-512-s16.tif",
          "histo-stomach-biopsy-756x486-rgb8.tif", "mandrill-512-gray8-quirky.tif",
          "mr-brain-philips-512-u12.tif", "mr-cranium-256-u12.tif",
          "mr-knee-256x19-u12-multipage.tif", "mr-knee-512-s16-bigendian.tif",
          "mr-sella-256-s16.tif", "nm-bonescan-256x1024-s16.tif", "us-ge-640x480-rgb8.tif",
          "vl-endoscopy-esophagus-756x486-rgb8.tif", "xa-angio-1024-u10-bigtiff.tif"})
        EXPECT_EQ(1u, taken.count(file)) << file;
    for (const char *file : {"us-palette-800x600.tif", "seg-liver-512x3-1bit-multipage.tif",
                             "pmap-128-float64.tif", "rtdose-10x15-u32-multipage.tif"})
        EXPECT_EQ(0u, taken.count(file)) << file;
}

TEST(PaperFiles, ValidTiffs) {
    if (!std::filesystem::exists(data_directory() / "tiff-valid"))
        GTEST_SKIP() << "no " << data_directory();
    std::set<std::string> taken = try_directory("tiff-valid");
    for (const char *file : {"commons__BigTIFFLong8Tiles.tif",
                             "commons__BigTIFFMotorola.tif",
                             "derived__biopsy-lzma-separate.tif",
                             "derived__he-pyramid-multiifd-jpeg.tif",
                             "derived__mr-brain-zstd-onerowstrips.tif",
                             "derived__mr-knee-19pages-bigtiff-none.tif",
                             "imagecodecs__gray.lzma.u1.tif",
                             "imagecodecs__rgb.tiled.webp.u1.tif",
                             "imagecodecs__rgb.tiled.zstd.u1.tif",
                             "imagetiff__int16_zstd.tif",
                             "imagetiff__seq-1c-8b-tiled-bigtiff-20f3db0c.tiff",
                             "libtiffnet__gray8a-tile.tif",
                             "libvips__CMU-1-Small-Region.svs",
                             "libvips__sample.tif",
                             "magicknet__Invitation.tif",
                             "oiio__2048.tif",
                             "pillow__hopper_bigtiff.tif",
                             "pillow__tiff_16bit_RGB.tiff",
                             "rasterio__RGBA.uint16.tif",
                             "rasterio__all-nodata.tif",
                             "rasterio__shade.tif",
                             "rasterio__world.byte.tif",
                             "rasterio__world.rgb.tif",
                             "sharp__tifftag-photoshop.tiff",
                             "twelvemonkeys__house.tif",
                             "twelvemonkeys__sm_colors_pb_tile.tif",
                             "twelvemonkeys__xerox-jpeg-ycbcr-weird-coefficients.tif"})
        EXPECT_EQ(1u, taken.count(file)) << file;
}

TEST(PaperFiles, BrokenTiffs) {
    if (!std::filesystem::exists(data_directory() / "tiff-broken"))
        GTEST_SKIP() << "no " << data_directory();
    try_directory("tiff-broken");
}

} // namespace
