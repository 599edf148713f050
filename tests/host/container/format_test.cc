// Geometry, header, keys: against vectors of the second reader, and each field refused.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <set>

#include "base/bytes.h"
#include "host/container/format.h"
#include "tests/support/golden.h"
#include "tests/support/random.h"

namespace {

// An archive-profile header that says no more than its lengths.
orr_header lengths(uint64_t length, uint64_t metadata, unsigned slot_pages = 1) {
    orr_header h = {};
    h.version = ORR_FORMAT_VERSION;
    h.suite = ORR_FORMAT_SUITE;
    h.profile = ORR_PROFILE_ARCHIVE;
    h.rule = 1;
    h.k2 = 65537;
    h.pages = 1;
    h.length = length;
    h.metadata_length = metadata;
    h.slot_pages = slot_pages;
    return h;
}

orr_status geometry(const orr_header &h, orr_geometry *g) {
    orr_error error = {};
    orr_status status = orr_geometry_init(g, &h, &error);
    EXPECT_EQ(status == ORR_OK, error.text[0] == 0);
    return status;
}

// ---- geometry

TEST(Geometry, Vectors) {
    for (auto &v : vectors("container.txt", "geometry")) {
        orr_header h = lengths(number(v[0]), number(v[1]), unsigned(number(v[9])));
        orr_geometry g;
        ASSERT_EQ(geometry(h, &g), ORR_OK) << v[0];
        EXPECT_EQ(g.rows, number(v[2])) << v[0];
        EXPECT_EQ(g.tiles, number(v[3])) << v[0];
        EXPECT_EQ(g.segments, number(v[4])) << v[0];
        EXPECT_EQ(g.big, int(number(v[5]))) << v[0];
        EXPECT_EQ(g.ifd_offset, number(v[6])) << v[0];
        EXPECT_EQ(orr_ifd_offset(&h), number(v[6])) << v[0];
        EXPECT_EQ(g.data_offset, number(v[7])) << v[0];
        EXPECT_EQ(g.data_end, number(v[8])) << v[0];
        EXPECT_EQ(g.file_length, number(v[8])) << v[0];
    }
}

TEST(Geometry, Limits) {
    orr_geometry g;
    EXPECT_EQ(geometry(lengths(ORR_MAX_LENGTH, 1048576), &g), ORR_OK);
    EXPECT_EQ(geometry(lengths(ORR_MAX_LENGTH + 1, 1024), &g), ORR_UNSUPPORTED);
    EXPECT_EQ(geometry(lengths(UINT64_MAX, 1024), &g), ORR_UNSUPPORTED);
    EXPECT_EQ(geometry(lengths(0, 1048577), &g), ORR_UNSUPPORTED);
    EXPECT_EQ(geometry(lengths(0, UINT64_MAX), &g), ORR_UNSUPPORTED);
}

// Segments and tiles partition the file, whatever its length, and large parts start on pages.
void check_partition(uint64_t length, uint64_t metadata, unsigned slot_pages) {
    orr_geometry g;
    orr_header h = lengths(length, metadata, slot_pages);
    ASSERT_EQ(geometry(h, &g), ORR_OK);
    EXPECT_EQ(orr_metadata_offset(&h), ORR_PAGE * (1 + 2 * uint64_t(slot_pages)));
    EXPECT_EQ(g.ifd_offset, orr_metadata_offset(&h) + metadata);
    EXPECT_EQ(g.data_offset % ORR_PAGE, 0u);
    EXPECT_GT(g.data_offset, g.ifd_offset);
    uint64_t tiles = 0, rows = 0, source = 0, at = g.data_offset;
    for (uint64_t s = 0; s < g.segments; s++) {
        EXPECT_EQ(orr_segment_offset(&g, s), at);
        EXPECT_EQ(at % ORR_PAGE, 0u);
        uint64_t bytes = 0;
        for (uint32_t t = 0; t < orr_segment_tiles(&g, s); t++) {
            EXPECT_EQ(orr_tile_offset(&g, tiles), at + ORR_PAGE + bytes);
            EXPECT_EQ(orr_tile_offset(&g, tiles) % ORR_PAGE, 0u);
            uint32_t r = orr_tile_rows(&g, tiles++);
            EXPECT_GE(r, 1u);
            EXPECT_LE(r, 128u);
            rows += r;
            bytes += r * 384;
        }
        EXPECT_EQ(orr_segment_tile_bytes(&g, s), bytes);
        EXPECT_LT(orr_segment_padding(&g, s), size_t(ORR_PAGE));
        if (s + 1 < g.segments) {
            EXPECT_EQ(orr_segment_padding(&g, s), 0u);
        }
        at += ORR_PAGE + bytes + orr_segment_padding(&g, s);
        source += orr_segment_source_bytes(&g, length, s);
    }
    EXPECT_EQ(tiles, g.tiles);
    EXPECT_EQ(rows, g.rows);
    EXPECT_EQ(source, length);
    EXPECT_EQ(at, g.data_end);
    EXPECT_EQ(g.file_length, g.data_end);
    EXPECT_EQ(g.data_end % ORR_PAGE, 0u);
    EXPECT_LT(rows * 384 - length, 384u + (length == 0));
    EXPECT_LE(double(g.file_length - length),
              double(metadata + 8192 * (slot_pages - 1)) + 28672 + 0.001 * double(length));
}

TEST(Geometry, Partition) {
    auto metadata = [] { return 1024 * (1 + test_random()() % 1024); };
    auto slots = [] { return unsigned(1 + test_random()() % ORR_MAX_SLOT_PAGES); };
    for (uint64_t edge : {UINT64_C(0), UINT64_C(384), UINT64_C(4096), UINT64_C(49152),
                          ORR_SEGMENT_BYTES, 3 * ORR_SEGMENT_BYTES})
        for (int64_t d = -2; d <= 2; d++)
            if (int64_t(edge) + d >= 0)
                check_partition(uint64_t(int64_t(edge) + d), metadata(), slots());
    for (int i = 0; i < 200; i++)
        check_partition(test_random()() % (4 * ORR_SEGMENT_BYTES), metadata(), slots());
}

// Classic as long as the data end below 2^32: repair data and second head do not count.
TEST(Geometry, RepairDataMakeNoBigTiff) {
    for (auto &v : vectors("container.txt", "geometry")) {
        orr_header h = lengths(number(v[0]), number(v[1]), unsigned(number(v[9])));
        orr_geometry g, with;
        ASSERT_EQ(geometry(h, &g), ORR_OK);
        uint64_t pages = (g.data_end - orr_metadata_offset(&h)) / ORR_PAGE;
        h.groups = uint32_t((pages + 199) / 200);
        h.repair_pages = 1;
        ASSERT_EQ(geometry(h, &with), ORR_OK);
        EXPECT_EQ(with.big, g.big);
        EXPECT_EQ(with.data_end, g.data_end);
        EXPECT_GT(with.file_length, g.data_end + h.groups * uint64_t(ORR_PAGE));
        EXPECT_EQ(with.file_length % ORR_PAGE, 0u);
    }
}

// The file's length with repair data, and where its second head stands.
TEST(FileLength, Vectors) {
    int used = 0;
    for (auto &v : vectors("parity.txt", "layout")) {
        orr_header h = lengths(0, number(v[4]), unsigned(number(v[5])));
        uint64_t first = number(v[0]);
        if (first * ORR_PAGE != orr_metadata_offset(&h)) continue; // of no file
        used++;
        h.repair_pages = unsigned(number(v[2]));
        h.groups = uint32_t(number(v[3]));
        orr_error error = {};
        uint64_t end = (first + number(v[1])) * ORR_PAGE;
        ASSERT_EQ(orr_file_length(&h, end, &h.file_length, &error), ORR_OK) << error.text;
        EXPECT_EQ(h.file_length, number(v[11])) << v[1];
        EXPECT_EQ(orr_slot_offset(&h, 2), number(v[9]));
        EXPECT_EQ(orr_slot_offset(&h, 0), uint64_t(ORR_PAGE));
        EXPECT_EQ(orr_slot_offset(&h, 1), ORR_PAGE + orr_slot_size(&h));
        EXPECT_EQ(h.file_length - ORR_PAGE, number(v[10]));
    }
    EXPECT_GE(used, 3);
}

TEST(FileLength, LimitsOfRepairData) {
    const struct {
        uint64_t body;
        unsigned repair_pages;
        uint32_t groups;
        bool good;
    } cases[] = {
        {10, 0, 0, true},          {10, 1, 10, true},          {10, 1, 11, false},
        {10, 0, 1, false},         {254, 1, 1, true},          {255, 1, 1, false},
        {255, 1, 2, true},         {1, 254, 1, true},          {2, 254, 1, false},
        {2, 254, 2, true},         {2, 255, 2, false},         {1, 255, 1, false},
        {508, 1, 2, true},         {509, 1, 2, false},         {10, 1, ~0u, false},
        {10, 254, 10, true},       {11, 254, 10, false},       {10, ~0u, 10, false},
        {1 << 20, 10, 4280, true}, {1 << 20, 10, 4279, false}, {1 << 20, 10, 4000, false},
    };
    for (auto &c : cases) {
        orr_header h = lengths(0, 1024);
        orr_error error = {};
        uint64_t end = orr_metadata_offset(&h) + c.body * ORR_PAGE, length = 1;
        h.repair_pages = c.repair_pages;
        h.groups = c.groups;
        EXPECT_EQ(orr_file_length(&h, end, &length, &error), c.good ? ORR_OK : ORR_UNSUPPORTED)
            << c.body << " " << c.repair_pages << " " << c.groups;
        if (!c.good) {
            EXPECT_NE(strstr(error.text, "repair"), nullptr) << error.text;
        } else if (c.groups) {
            EXPECT_GT(length, end + c.repair_pages * uint64_t(c.groups) * ORR_PAGE);
        } else {
            EXPECT_EQ(length, end);
        }
    }
}

// ---- header

orr_header header_of(const std::vector<std::string> &v) {
    orr_header h = lengths(number(v[4]), number(v[5]), unsigned(number(v[9])));
    h.profile = orr_profile(number(v[0]));
    h.rule = uint16_t(number(v[1]));
    h.k2 = uint32_t(number(v[2]));
    memcpy(h.file_id, unhex(v[3]).data(), 32);
    h.file_length = number(v[6]);
    h.pages = uint32_t(number(v[7]));
    h.repair_pages = unsigned(number(v[11]));
    h.groups = uint32_t(number(v[12]));
    h.features_ignorable = uint32_t(number(v[13]));
    return h;
}

TEST(Header, Vectors) {
    int read = 0;
    for (auto &v : vectors("container.txt", "header")) {
        orr_header h = header_of(v), back;
        orr_error error = {};
        Bytes expected = unhex(v[8]);
        uint8_t raw[ORR_HEADER_BYTES];
        if (number(v[10])) { // features that must be understood
            EXPECT_EQ(orr_header_decode(expected.data(), &back, &error), ORR_UNSUPPORTED);
            EXPECT_NE(strstr(error.text, "regions"), nullptr) << error.text;
            continue;
        }
        read++;
        orr_header_encode(&h, raw);
        EXPECT_EQ(hex(raw, sizeof raw), v[8]);
        ASSERT_EQ(orr_header_decode(raw, &back, &error), ORR_OK) << error.text;
        EXPECT_EQ(memcmp(back.file_id, h.file_id, 32), 0);
        EXPECT_EQ(back.rule, h.rule);
        EXPECT_EQ(back.k2, h.k2);
        EXPECT_EQ(back.length, h.length);
        EXPECT_EQ(back.metadata_length, h.metadata_length);
        EXPECT_EQ(back.file_length, h.file_length);
        EXPECT_EQ(back.pages, h.pages);
        EXPECT_EQ(back.profile, h.profile);
        EXPECT_EQ(back.slot_pages, h.slot_pages);
        EXPECT_EQ(back.repair_pages, h.repair_pages);
        EXPECT_EQ(back.groups, h.groups);
        EXPECT_EQ(back.features_ignorable, h.features_ignorable);
    }
    EXPECT_EQ(read, 3);
}

struct Edit {
    size_t offset;
    uint64_t value;
    size_t bytes;
};

struct Refusal {
    std::vector<Edit> edits;
    orr_status status;
    const char *word; // that the message must hold
};

void expect_refusals(const Bytes &good, const std::vector<Refusal> &cases) {
    for (auto &c : cases) {
        Bytes raw = good;
        for (auto &e : c.edits)
            for (size_t i = 0; i < e.bytes; i++) raw[e.offset + i] = uint8_t(e.value >> 8 * i);
        orr_header h;
        orr_error error = {};
        EXPECT_EQ(orr_header_decode(raw.data(), &h, &error), c.status)
            << c.edits[0].offset << " " << error.text;
        EXPECT_NE(strstr(error.text, c.word), nullptr) << c.edits[0].offset << " " << error.text;
    }
}

TEST(Header, EachFieldOfTheArchiveRefusedWithItsReason) {
    Bytes archive = unhex(vectors("container.txt", "header")[0][8]);
    orr_header h;
    orr_geometry g;
    orr_error error = {};
    ASSERT_EQ(orr_header_decode(archive.data(), &h, &error), ORR_OK);
    ASSERT_EQ(geometry(h, &g), ORR_OK);
    uint64_t body = (g.data_end - orr_metadata_offset(&h)) / ORR_PAGE;
    const orr_status no = ORR_UNSUPPORTED;
    expect_refusals(archive, {
                                 {{{0, 2, 2}}, no, "version 2"},
                                 {{{0, 0, 2}}, no, "version 0"},
                                 {{{0, 0x101, 2}}, no, "version 257"},
                                 {{{2, 1, 2}}, no, "suite 1"},
                                 {{{2, 3, 2}}, no, "suite 3"},
                                 {{{2, 0x102, 2}}, no, "suite 258"},
                                 {{{4, 0, 1}}, no, "profile 0"},
                                 {{{4, 3, 1}}, no, "profile 3"},
                                 {{{5, 0, 1}}, no, "slots of 0 pages"},
                                 {{{5, 17, 1}}, no, "slots of 17 pages"},
                                 {{{5, 255, 1}}, no, "slots of 255 pages"},
                                 {{{5, 2, 1}}, ORR_AUTH, "contradicts"},
                                 {{{6, 0, 2}}, no, "rule 0"},
                                 {{{6, 40321, 2}}, no, "rule 40321"},
                                 {{{8, 0, 1}}, no, "even"},
                                 {{{12, 1, 4}}, no, "regions"},
                                 {{{12, 2, 4}}, no, "feature 00000002"},
                                 {{{12, 0x80000000, 4}}, no, "feature 80000000"},
                                 {{{48, 1, 8}}, ORR_AUTH, "contradicts"},
                                 {{{48, ORR_MAX_LENGTH + 1, 8}}, no, "more than one"},
                                 {{{48, UINT64_MAX, 8}}, no, "more than one"},
                                 {{{56, 0, 8}}, no, "no multiple of 1024"},
                                 {{{56, 1023, 8}}, no, "no multiple of 1024"},
                                 {{{56, 1025, 8}}, no, "no multiple of 1024"},
                                 {{{56, 5 * 1024, 8}}, ORR_AUTH, "contradicts"},
                                 {{{56, 1048576 + 1024, 8}}, no, "over the limit"},
                                 {{{56, UINT64_C(1) << 63, 8}}, no, "over the limit"},
                                 {{{64, 49151, 4}}, no, "tiles of 49151"},
                                 {{{68, 127, 4}}, no, "segments of 127"},
                                 {{{68, 0, 4}}, no, "segments of 0"},
                                 {{{72, g.file_length + 1, 8}}, ORR_AUTH, "contradicts"},
                                 {{{72, 0, 8}}, ORR_AUTH, "contradicts"},
                                 {{{80, 2, 4}}, no, "2 pages"},
                                 {{{80, 0, 4}}, no, "0 pages"},
                                 {{{84, 1, 2}}, no, "repair"},
                                 {{{88, 1, 4}}, no, "repair"},
                                 {{{84, 255, 2}, {88, body, 4}}, no, "repair"},
                                 {{{84, 256, 2}, {88, body, 4}}, no, "repair"},
                                 {{{84, 1, 2}, {88, body + 1, 4}}, no, "repair"},
                                 {{{84, 1, 2}, {88, 1, 4}}, no, "repair"},
                                 {{{84, 254, 2}, {88, body - 1, 4}}, no, "repair"},
                                 {{{84, 254, 2}, {88, body, 4}}, ORR_AUTH, "contradicts"},
                                 {{{86, 1, 1}}, no, "reserved"},
                                 {{{87, 1, 1}}, no, "reserved"},
                                 {{{96, 1, 1}}, no, "reserved"},
                                 {{{191, 0x80, 1}}, no, "reserved"},
                             });
}

TEST(Header, EachFieldOfThePaperRefusedWithItsReason) {
    const orr_status no = ORR_UNSUPPORTED;
    Bytes paper = unhex(vectors("container.txt", "header")[1][8]);
    uint64_t file = orr_load_le64(&paper[72]), metadata = orr_load_le64(&paper[56]);
    expect_refusals(paper, {
                               {{{48, UINT64_MAX, 8}}, ORR_AUTH, "contradicts"},
                               {{{48, file, 8}}, ORR_AUTH, "contradicts"},
                               {{{56, 0, 8}}, no, "no multiple of 4096"},
                               {{{56, metadata + 1024, 8}}, no, "no multiple of 4096"},
                               {{{56, 67108864 + 4096, 8}}, no, "over the limit"},
                               {{{56, UINT64_MAX - 4095, 8}}, no, "over the limit"},
                               {{{56, 67108864, 8}}, ORR_AUTH, "contradicts"},
                               {{{64, 49152, 4}}, no, "paper"},
                               {{{68, 128, 4}}, no, "paper"},
                               {{{72, 4096, 8}}, ORR_AUTH, "contradicts"},
                               {{{72, file + 1, 8}}, ORR_AUTH, "contradicts"},
                               {{{72, file + 2048, 8}}, ORR_AUTH, "contradicts"},
                               {{{80, 0, 4}}, no, "0 pages"},
                               {{{80, 65536, 4}}, no, "65536 pages"},
                               {{{84, 1, 2}}, no, "repair"},
                               {{{88, 1, 4}}, no, "repair"},
                               {{{84, 255, 2}, {88, 1, 4}}, no, "repair"},
                           });
}

// What a later release may set without asking: read, and bound to the keys.
TEST(Header, IgnorableFeaturesAreIgnored) {
    Bytes raw = unhex(vectors("container.txt", "header")[0][8]);
    for (uint32_t bits : {1u, 0x80000000u, 0xffffffffu}) {
        orr_header h;
        orr_error error = {};
        uint8_t again[ORR_HEADER_BYTES];
        orr_store_le32(&raw[92], bits);
        ASSERT_EQ(orr_header_decode(raw.data(), &h, &error), ORR_OK) << error.text;
        EXPECT_EQ(h.features_ignorable, bits);
        orr_header_encode(&h, again);
        EXPECT_EQ(memcmp(again, raw.data(), sizeof again), 0);
    }
}

TEST(Header, EveryFlippedBitIsRefusedOrChangesTheKeys) {
    orr_file_secret secret = {};
    orr_error error;
    for (auto &v : vectors("container.txt", "header")) {
        Bytes raw = unhex(v[8]);
        orr_file_keys good, keys;
        ASSERT_EQ(orr_file_keys_derive(&good, &secret, raw.data(), &error), ORR_OK);
        int decoded = 0;
        for (size_t bit = 0; bit < 8 * raw.size(); bit++) {
            raw[bit / 8] ^= 1 << bit % 8;
            orr_header h;
            if (orr_header_decode(raw.data(), &h, &error) == ORR_OK) {
                decoded++;
                uint8_t again[ORR_HEADER_BYTES]; // no bit of it is lost
                orr_header_encode(&h, again);
                EXPECT_EQ(memcmp(again, raw.data(), sizeof again), 0) << bit;
                ASSERT_EQ(orr_file_keys_derive(&keys, &secret, raw.data(), &error), ORR_OK);
                EXPECT_NE(memcmp(good.commitment, keys.commitment, 32), 0);
                EXPECT_NE(memcmp(good.tile_key, keys.tile_key, 32), 0);
                EXPECT_NE(memcmp(good.nonce_key, keys.nonce_key, 64), 0);
                EXPECT_NE(memcmp(good.header_mac, keys.header_mac, 32), 0);
            }
            raw[bit / 8] ^= 1 << bit % 8;
        }
        // At least the file ID, most of the map constant and the ignorable features.
        if (!number(v[10])) {
            EXPECT_GE(decoded, 256 + 31 + 32);
        }
    }
}

// ---- keys and nonces

TEST(Keys, Vectors) {
    orr_file_keys keys = golden_keys();
    auto v = vectors("container.txt", "keys")[0];
    EXPECT_EQ(hex(keys.tile_key, 32), v[2]);
    EXPECT_EQ(hex(keys.digest_key, 32), v[3]);
    EXPECT_EQ(hex(keys.metadata_key, 32), v[4]);
    EXPECT_EQ(hex(keys.nonce_key, 64), v[5]);
    EXPECT_EQ(hex(keys.header_mac, 32), v[6]);
    EXPECT_EQ(hex(keys.commitment, 32), v[7]);
}

// The planet secret too: who wraps another one with the right seal_root is found out.
TEST(Keys, EachBitOfBothSecretsIsCommittedTo) {
    Bytes header = golden_header();
    orr_file_keys good = golden_keys(), keys;
    orr_error error;
    for (size_t bit = 0; bit < 8 * sizeof(orr_file_secret); bit++) {
        orr_file_secret secret = golden_secret();
        reinterpret_cast<uint8_t *>(&secret)[bit / 8] ^= uint8_t(1 << bit % 8);
        ASSERT_EQ(orr_file_keys_derive(&keys, &secret, header.data(), &error), ORR_OK);
        EXPECT_NE(memcmp(good.commitment, keys.commitment, 32), 0) << bit;
        EXPECT_NE(memcmp(good.tile_key, keys.tile_key, 32), 0) << bit;
    }
}

TEST(Keys, Tiles) {
    orr_file_secret secret;
    orr_file_keys keys = golden_keys();
    for (auto &v : vectors("container.txt", "tile")) {
        uint8_t nonce[12];
        uint64_t n = number(v[1]);
        orr_segment_nonces nonces;
        orr_tile_key key;
        memcpy(secret.planet_secret, unhex(v[0]).data(), 64);
        ASSERT_EQ(orr_segment_nonces_derive(&keys, n / 128, unhex(v[11]).data(), &nonces), ORR_OK);
        orr_tile_nonce(&nonces, uint32_t(n % 128), nonce);
        EXPECT_EQ(hex(nonce, 12), v[2]);
        ASSERT_EQ(orr_tile_key_derive(&secret, n, &key), ORR_OK);
        for (int i = 0; i < 8; i++)
            EXPECT_EQ(key.state[i], orr_load_be64(unhex(v[size_t(3 + i)]).data()));
    }
}

TEST(Keys, SegmentDigests) {
    orr_file_keys keys = golden_keys();
    orr_gcm *gcm = orr_gcm_new(keys.digest_key);
    for (auto &v : vectors("container.txt", "digest")) {
        uint8_t sealed[32], digest[16];
        uint64_t segment = number(v[0]);
        Bytes salt = unhex(v[3]);
        orr_segment_nonces nonces, other;
        ASSERT_EQ(orr_segment_nonces_derive(&keys, segment, salt.data(), &nonces), ORR_OK);
        ASSERT_EQ(orr_digest_seal(gcm, &nonces, unhex(v[1]).data(), sealed), ORR_OK);
        EXPECT_EQ(hex(sealed, 32), v[2]);
        ASSERT_EQ(orr_digest_open(gcm, &nonces, sealed, digest), ORR_OK);
        EXPECT_EQ(hex(digest, 16), v[1]);
        ASSERT_EQ(orr_segment_nonces_derive(&keys, segment + 1, salt.data(), &other), ORR_OK);
        EXPECT_EQ(orr_digest_open(gcm, &other, sealed, digest), ORR_AUTH);
        salt[15] ^= 1;
        ASSERT_EQ(orr_segment_nonces_derive(&keys, segment, salt.data(), &other), ORR_OK);
        EXPECT_EQ(orr_digest_open(gcm, &other, sealed, digest), ORR_AUTH);
    }
    orr_gcm_free(gcm);
}

// A base of 89 bits, which salt and segment choose: tiles differ in the other seven.
TEST(Keys, NoncesOfASegment) {
    orr_file_keys keys = golden_keys();
    std::set<Bytes> seen;
    for (uint64_t segment : {UINT64_C(0), UINT64_C(1), UINT64_C(256), UINT64_C(262143)}) {
        for (int changed = -1; changed < ORR_SALT_BYTES; changed++) {
            uint8_t salt[ORR_SALT_BYTES] = {}, nonce[ORR_GCM_NONCE];
            orr_segment_nonces nonces;
            if (changed >= 0) salt[changed] = 1;
            ASSERT_EQ(orr_segment_nonces_derive(&keys, segment, salt, &nonces), ORR_OK);
            for (uint32_t t = 0; t < ORR_SEGMENT_TILES; t++) {
                orr_tile_nonce(&nonces, t, nonce);
                EXPECT_EQ(memcmp(nonce, nonces.tile, 11), 0);
                EXPECT_EQ(nonce[11], (nonces.tile[11] & 0x80) | t);
                EXPECT_TRUE(seen.insert(Bytes(nonce, nonce + sizeof nonce)).second);
            }
        }
    }
}

TEST(SegmentHead, ItsUnusedBytesAreZero) {
    auto *bytes = new orr_segment_head();
    auto *raw = reinterpret_cast<uint8_t *>(bytes);
    EXPECT_EQ(sizeof *bytes, size_t(ORR_PAGE));
    EXPECT_EQ(offsetof(orr_segment_head, sealed_digest), 2048u);
    EXPECT_EQ(offsetof(orr_segment_head, salt), 2080u);
    EXPECT_EQ(offsetof(orr_segment_head, zero), 2096u);
    for (uint32_t tiles : {1u, 2u, 127u, 128u}) {
        EXPECT_TRUE(orr_segment_head_is_clean(bytes, tiles));
        for (size_t at = 0; at < ORR_PAGE; at++) {
            raw[at] = 0x40;
            bool used = at < 16 * tiles || (at >= 2048 && at < 2096);
            EXPECT_EQ(orr_segment_head_is_clean(bytes, tiles) != 0, used) << tiles << " " << at;
            raw[at] = 0;
        }
    }
    delete bytes;
}

// ---- paths and texts

TEST(Path, Safety) {
    const struct {
        std::string path;
        bool safe;
    } cases[] = {
        {"a", true},
        {"a/b", true},
        {"a b\n\xff/c", true},
        {"...", true},
        {"..a/b..", true},
        {".hidden", true},
        {"a\\..\\b", true},
        {std::string(4096, 'x'), true},
        {"", false},
        {"/", false},
        {"/a", false},
        {"//a", false},
        {"a/", false},
        {"a//b", false},
        {".", false},
        {"..", false},
        {"./a", false},
        {"../a", false},
        {"a/.", false},
        {"a/..", false},
        {"a/./b", false},
        {"a/../b", false},
        {"a/b/..", false},
        {std::string(4097, 'x'), false},
        {std::string("a\0b", 3), false},
        {std::string("\0", 1), false},
    };
    for (auto &c : cases) {
        EXPECT_EQ(
            orr_path_is_safe(reinterpret_cast<const uint8_t *>(c.path.data()), c.path.size()) != 0,
            c.safe)
            << c.path;
    }
}

TEST(Description, SaysWhatItMust) {
    for (orr_profile profile : {ORR_PROFILE_ARCHIVE, ORR_PROFILE_PAPER}) {
        std::string text = orr_description(profile);
        EXPECT_LT(text.size(), size_t(ORR_DESCRIPTION_MAX));
        for (char c : text) EXPECT_TRUE(c >= ' ' && c <= '~');
        EXPECT_NE(text.find("AES-256-GCM"), std::string::npos);
        EXPECT_NE(text.find("no claimed security"), std::string::npos);
        EXPECT_NE(text.find("orrery decrypt"), std::string::npos);
    }
    EXPECT_NE(std::string(orr_description(ORR_PROFILE_PAPER)).find("NOT sealed"),
              std::string::npos);
}

} // namespace
