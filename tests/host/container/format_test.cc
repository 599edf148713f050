// Geometry, header, keys, slots, metadata: against vectors of the second reader, and under damage.
#include <gtest/gtest.h>

#include <cstring>

#include <xxhash.h>

#include "base/bytes.h"
#include "host/container/format.h"
#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace {

uint64_t number(const std::string &text) {
    return std::stoull(text);
}

// ---- geometry

TEST(Geometry, Vectors) {
    for (auto &v : vectors("container.txt", "geometry")) {
        orr_geometry g;
        orr_error error;
        ASSERT_EQ(orr_geometry_init(&g, number(v[0]), number(v[1]), &error), ORR_OK) << v[0];
        EXPECT_EQ(g.rows, number(v[2])) << v[0];
        EXPECT_EQ(g.tiles, number(v[3])) << v[0];
        EXPECT_EQ(g.segments, number(v[4])) << v[0];
        EXPECT_EQ(g.big, int(number(v[5]))) << v[0];
        EXPECT_EQ(g.ifd_offset, number(v[6])) << v[0];
        EXPECT_EQ(g.data_offset, number(v[7])) << v[0];
        EXPECT_EQ(g.file_length, number(v[8])) << v[0];
    }
}

TEST(Geometry, Limits) {
    orr_geometry g;
    orr_error error;
    EXPECT_EQ(orr_geometry_init(&g, ORR_MAX_LENGTH, 65536, &error), ORR_OK);
    EXPECT_EQ(orr_geometry_init(&g, ORR_MAX_LENGTH + 1, 0, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_geometry_init(&g, UINT64_MAX, 0, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_geometry_init(&g, 0, 65537, &error), ORR_UNSUPPORTED);
    EXPECT_EQ(orr_geometry_init(&g, 0, UINT64_MAX, &error), ORR_UNSUPPORTED);
}

// Segments and tiles partition the file, whatever its length.
void check_partition(uint64_t length, uint64_t metadata) {
    orr_geometry g;
    orr_error error;
    ASSERT_EQ(orr_geometry_init(&g, length, metadata, &error), ORR_OK);
    EXPECT_EQ(g.data_offset % ORR_PAGE, 0u);
    EXPECT_GE(g.data_offset, g.ifd_offset);
    uint64_t tiles = 0, rows = 0, source = 0, at = g.data_offset;
    for (uint64_t s = 0; s < g.segments; s++) {
        EXPECT_EQ(orr_segment_offset(&g, s), at);
        uint64_t expected = orr_segment_tiles(&g, s) * 16 + 32;
        for (uint32_t t = 0; t < orr_segment_tiles(&g, s); t++) {
            uint32_t r = orr_tile_rows(&g, tiles++);
            EXPECT_GE(r, 1u);
            EXPECT_LE(r, 128u);
            rows += r;
            expected += r * 384;
        }
        EXPECT_EQ(orr_segment_file_bytes(&g, s), expected);
        at += expected;
        source += orr_segment_source_bytes(&g, length, s);
    }
    EXPECT_EQ(tiles, g.tiles);
    EXPECT_EQ(rows, g.rows);
    EXPECT_EQ(source, length);
    EXPECT_EQ(at, g.file_length);
    EXPECT_LT(rows * 384 - length, 384u + (length == 0));
    EXPECT_LE(double(g.file_length - length), 24576 + 0.001 * double(length) + double(metadata));
}

TEST(Geometry, Partition) {
    for (uint64_t edge :
         {UINT64_C(0), UINT64_C(384), UINT64_C(49152), ORR_SEGMENT_BYTES, 3 * ORR_SEGMENT_BYTES}) {
        for (int64_t d = -2; d <= 2; d++) {
            if (int64_t(edge) + d >= 0) check_partition(uint64_t(int64_t(edge) + d), 120);
        }
    }
    for (int i = 0; i < 200; i++)
        check_partition(test_random()() % (4 * ORR_SEGMENT_BYTES), test_random()() % 65537);
}

// ---- header and keys

orr_header header_of(const std::vector<std::string> &v) {
    orr_header h = {};
    h.version = h.suite = 1;
    h.profile = orr_profile(number(v[0]));
    h.rule = uint16_t(number(v[1]));
    h.k2 = uint32_t(number(v[2]));
    memcpy(h.file_id, unhex(v[3]).data(), 32);
    h.length = number(v[4]);
    h.metadata_length = number(v[5]);
    h.file_length = number(v[6]);
    h.pages = uint32_t(number(v[7]));
    return h;
}

TEST(Header, Vectors) {
    for (auto &v : vectors("container.txt", "header")) {
        orr_header h = header_of(v), back;
        orr_error error;
        uint8_t raw[ORR_HEADER_BYTES];
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
    }
}

struct Refusal {
    size_t offset;
    std::vector<uint8_t> bytes;
    orr_status status;
    const char *word; // that the message must hold
};

TEST(Header, EachFieldRefusedWithItsReason) {
    Bytes archive = unhex(vectors("container.txt", "header")[0][8]);
    Bytes paper = unhex(vectors("container.txt", "header")[1][8]);
    const Refusal archive_cases[] = {
        {0, {2, 0}, ORR_UNSUPPORTED, "version 2"},
        {0, {0, 0}, ORR_UNSUPPORTED, "version 0"},
        {2, {9}, ORR_UNSUPPORTED, "suite 9"},
        {4, {0}, ORR_UNSUPPORTED, "profile 0"},
        {4, {3}, ORR_UNSUPPORTED, "profile 3"},
        {5, {0x40}, ORR_UNSUPPORTED, "flag 40"},
        {6, {0, 0}, ORR_UNSUPPORTED, "rule 0"},
        {6, {0x81, 0x9d}, ORR_UNSUPPORTED, "rule 40321"},
        {8, {0}, ORR_UNSUPPORTED, "even"},
        {12, {1}, ORR_UNSUPPORTED, "reserved"},
        {48, {1, 0, 0, 0, 0, 0, 0, 0}, ORR_AUTH, "contradicts"},
        {48, {0, 0, 0, 0, 0, 0, 0, 0xff}, ORR_UNSUPPORTED, "more than one"},
        {56, {1, 0, 1}, ORR_UNSUPPORTED, "metadata"},
        {56, {0, 0, 0, 0, 0, 0, 0, 0x80}, ORR_UNSUPPORTED, "metadata"},
        {64, {1}, ORR_UNSUPPORTED, "tiles of"},
        {68, {1}, ORR_UNSUPPORTED, "tiles of"},
        {72, {1}, ORR_AUTH, "contradicts"},
        {80, {2}, ORR_UNSUPPORTED, "pages"},
        {84, {1}, ORR_UNSUPPORTED, "reserved"},
        {191, {1}, ORR_UNSUPPORTED, "reserved"},
    };
    const Refusal paper_cases[] = {
        {48, {0, 0, 0, 0, 0, 0, 0, 0xff}, ORR_AUTH, "contradicts"},
        {56, {1, 0, 0, 4}, ORR_UNSUPPORTED, "metadata"},
        {56, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, ORR_UNSUPPORTED, "metadata"},
        {64, {1}, ORR_UNSUPPORTED, "paper"},
        {68, {1}, ORR_UNSUPPORTED, "paper"},
        {72, {1, 0, 0, 0}, ORR_AUTH, "contradicts"},
        {80, {0, 0, 0, 0}, ORR_UNSUPPORTED, "pages"},
        {80, {0, 0, 1, 0}, ORR_UNSUPPORTED, "65536 pages"},
    };
    auto check = [](const Bytes &good, const Refusal &c) {
        Bytes raw = good;
        std::copy(c.bytes.begin(), c.bytes.end(), raw.begin() + long(c.offset));
        orr_header h;
        orr_error error = {};
        EXPECT_EQ(orr_header_decode(raw.data(), &h, &error), c.status)
            << c.offset << " " << error.text;
        EXPECT_NE(strstr(error.text, c.word), nullptr) << c.offset << " " << error.text;
    };
    for (auto &c : archive_cases) check(archive, c);
    for (auto &c : paper_cases) check(paper, c);
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
                ASSERT_EQ(orr_file_keys_derive(&keys, &secret, raw.data(), &error), ORR_OK);
                EXPECT_NE(memcmp(good.commitment, keys.commitment, 32), 0);
                EXPECT_NE(memcmp(good.tile_key, keys.tile_key, 32), 0);
                EXPECT_NE(memcmp(good.header_mac, keys.header_mac, 32), 0);
            }
            raw[bit / 8] ^= 1 << bit % 8;
        }
        EXPECT_GE(decoded, 256 + 31); // at least the file ID and most of the map constant
    }
}

orr_file_keys vector_keys(orr_file_secret *secret) {
    auto v = vectors("container.txt", "keys")[0];
    orr_file_keys keys;
    orr_error error;
    memset(secret, 0, sizeof *secret);
    memcpy(secret->seal_root, unhex(v[0]).data(), 32);
    EXPECT_EQ(orr_file_keys_derive(&keys, secret, unhex(v[1]).data(), &error), ORR_OK);
    return keys;
}

TEST(Keys, Vectors) {
    orr_file_secret secret;
    orr_file_keys keys = vector_keys(&secret);
    auto v = vectors("container.txt", "keys")[0];
    EXPECT_EQ(hex(keys.tile_key, 32), v[2]);
    EXPECT_EQ(hex(keys.tile_nonce, 12), v[3]);
    EXPECT_EQ(hex(keys.digest_key, 32), v[4]);
    EXPECT_EQ(hex(keys.metadata_key, 32), v[5]);
    EXPECT_EQ(hex(keys.header_mac, 32), v[6]);
    EXPECT_EQ(hex(keys.commitment, 32), v[7]);
}

TEST(Keys, Tiles) {
    orr_file_secret secret;
    orr_file_keys keys = vector_keys(&secret);
    for (auto &v : vectors("container.txt", "tile")) {
        uint8_t nonce[12];
        orr_tile_key key;
        memcpy(secret.planet_secret, unhex(v[0]).data(), 64);
        orr_tile_nonce(&keys, number(v[1]), nonce);
        EXPECT_EQ(hex(nonce, 12), v[2]);
        ASSERT_EQ(orr_tile_key_derive(&secret, number(v[1]), &key), ORR_OK);
        for (int i = 0; i < 8; i++)
            EXPECT_EQ(key.state[i], orr_load_be64(unhex(v[size_t(3 + i)]).data()));
    }
}

TEST(Keys, SegmentDigests) {
    orr_file_secret secret;
    orr_file_keys keys = vector_keys(&secret);
    orr_gcm *gcm = orr_gcm_new(keys.digest_key);
    for (auto &v : vectors("container.txt", "digest")) {
        uint8_t sealed[32], digest[16];
        ASSERT_EQ(orr_digest_seal(gcm, number(v[0]), unhex(v[1]).data(), sealed), ORR_OK);
        EXPECT_EQ(hex(sealed, 32), v[2]);
        ASSERT_EQ(orr_digest_open(gcm, number(v[0]), sealed, digest), ORR_OK);
        EXPECT_EQ(hex(digest, 16), v[1]);
        EXPECT_EQ(orr_digest_open(gcm, number(v[0]) + 1, sealed, digest), ORR_AUTH);
    }
    orr_gcm_free(gcm);
}

// ---- slots

orr_slot slot_of(const std::vector<std::string> &v) {
    orr_slot slot = {};
    slot.generation = number(v[0]);
    slot.count = uint32_t(number(v[1]));
    Bytes wraps = unhex(v[2]);
    for (uint32_t i = 0; i < slot.count; i++) {
        memcpy(slot.wrap[i].key_id, &wraps[120 * i], 16);
        memcpy(slot.wrap[i].wrapped, &wraps[120 * i + 16], 104);
    }
    return slot;
}

TEST(Slot, Vectors) {
    orr_file_secret secret;
    orr_file_keys keys = vector_keys(&secret);
    for (auto &v : vectors("container.txt", "slot")) {
        orr_slot slot = slot_of(v), back;
        uint8_t page[ORR_PAGE];
        ASSERT_EQ(orr_slot_encode(&slot, keys.header_mac, page), ORR_OK);
        EXPECT_EQ(hex(page, 504), v[3]);
        EXPECT_TRUE(orr_all_zero(page + 504, 4048 - 504));
        EXPECT_EQ(hex(page + 4048, 32), v[4]);
        EXPECT_EQ(hex(page + 4080, 16), v[5]);
        ASSERT_EQ(orr_slot_decode(page, &back), ORR_OK);
        EXPECT_EQ(memcmp(&back, &slot, sizeof slot), 0);
        EXPECT_EQ(orr_slot_verify(page, keys.header_mac), ORR_OK);
    }
}

TEST(Slot, EveryFlippedBitIsSeen) {
    orr_file_secret secret;
    orr_file_keys keys = vector_keys(&secret);
    orr_slot slot = slot_of(vectors("container.txt", "slot")[0]), back;
    uint8_t page[ORR_PAGE];
    ASSERT_EQ(orr_slot_encode(&slot, keys.header_mac, page), ORR_OK);
    for (size_t bit = 0; bit < 8 * sizeof page; bit++) {
        page[bit / 8] ^= 1 << bit % 8;
        ASSERT_EQ(orr_slot_decode(page, &back), ORR_AUTH) << bit;
        ASSERT_EQ(orr_slot_verify(page, keys.header_mac), bit < 8 * 4080 ? ORR_AUTH : ORR_OK)
            << bit;
        page[bit / 8] ^= 1 << bit % 8;
    }
    keys.header_mac[5] ^= 1;
    EXPECT_EQ(orr_slot_verify(page, keys.header_mac), ORR_AUTH);
}

void put_checksum(uint8_t page[ORR_PAGE]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(page, 4080));
    memcpy(page + 4080, canonical.digest, 16);
}

// Damage with the checksum put right again: what the decoder itself refuses.
TEST(Slot, FieldsRefusedUnderARightChecksum) {
    orr_slot slot = slot_of(vectors("container.txt", "slot")[1]), back;
    const struct {
        size_t offset;
        uint8_t value;
    } cases[] = {{0, 'X'}, {7, '2'}, {13, 0},       {16, 0},  {16, 5},  {19, 1},
                 {20, 1},  {23, 1},  {24 + 240, 1}, {503, 1}, {4047, 1}};
    for (auto &c : cases) {
        uint8_t page[ORR_PAGE], key[32] = {};
        ASSERT_EQ(orr_slot_encode(&slot, key, page), ORR_OK);
        page[c.offset] = c.value;
        put_checksum(page);
        EXPECT_EQ(orr_slot_decode(page, &back), ORR_AUTH) << c.offset;
    }
    slot.count = 0;
    uint8_t page[ORR_PAGE], key[32] = {};
    EXPECT_EQ(orr_slot_encode(&slot, key, page), ORR_INTERNAL);
    slot.count = 5;
    EXPECT_EQ(orr_slot_encode(&slot, key, page), ORR_INTERNAL);
    slot.count = 1;
    slot.generation = 0;
    EXPECT_EQ(orr_slot_encode(&slot, key, page), ORR_INTERNAL);
}

// ---- metadata

orr_metadata metadata_of(const std::vector<std::string> &v) {
    orr_metadata m = {};
    Bytes path = unhex(v[0]), sha256 = unhex(v[3]), paper = unhex(v[4]);
    memcpy(m.path, path.data(), path.size());
    m.path_length = path.size();
    m.size = number(v[1]);
    m.mtime_seconds = -1234567890;
    m.mtime_nanoseconds = 987654321;
    m.mode = 0640;
    memcpy(m.digest, unhex(v[2]).data(), 16);
    m.has_sha256 = !sha256.empty();
    if (m.has_sha256) memcpy(m.sha256, sha256.data(), 32);
    strcpy(m.timestamp, "07-01-2025 12:34:56");
    if (!paper.empty()) {
        m.paper = static_cast<uint8_t *>(malloc(paper.size()));
        memcpy(m.paper, paper.data(), paper.size());
        m.paper_length = paper.size();
    }
    return m;
}

Bytes encoded(const orr_metadata &m) {
    Bytes out(orr_metadata_length(&m));
    orr_metadata_encode(&m, out.data());
    return out;
}

TEST(Metadata, Vectors) {
    for (auto &v : vectors("container.txt", "metadata")) {
        orr_metadata m = metadata_of(v), back;
        orr_error error;
        Bytes raw = encoded(m);
        EXPECT_EQ(hex(raw.data(), raw.size()), v[5]);
        ASSERT_EQ(orr_metadata_decode(raw.data(), raw.size(), &back, &error), ORR_OK) << error.text;
        EXPECT_EQ(encoded(back), raw);
        EXPECT_STREQ(reinterpret_cast<char *>(back.path), reinterpret_cast<char *>(m.path));
        EXPECT_STREQ(back.timestamp, m.timestamp);
        orr_metadata_free(&m);
        orr_metadata_free(&back);
        EXPECT_EQ(back.path_length, 0u);
    }
}

TEST(Metadata, AnEmptyPaperRecordIsNotAMissingOne) {
    orr_metadata m = metadata_of(vectors("container.txt", "metadata")[0]), back;
    orr_error error;
    m.paper = static_cast<uint8_t *>(malloc(1));
    Bytes raw = encoded(m);
    ASSERT_EQ(orr_metadata_decode(raw.data(), raw.size(), &back, &error), ORR_OK);
    EXPECT_NE(back.paper, nullptr);
    EXPECT_EQ(back.paper_length, 0u);
    orr_metadata_free(&m);
    orr_metadata_free(&back);
}

TEST(Metadata, Refused) {
    orr_metadata m = metadata_of(vectors("container.txt", "metadata")[1]);
    Bytes good = encoded(m);
    auto refused = [](const Bytes &raw, const char *what) {
        orr_metadata back;
        orr_error error = {};
        EXPECT_EQ(orr_metadata_decode(raw.data(), raw.size(), &back, &error), ORR_AUTH) << what;
        EXPECT_STRNE(error.text, "") << what;
    };
    // Offsets of the records.
    std::vector<size_t> at;
    for (size_t i = 0; i < good.size(); i += 8 + orr_load_le32(&good[i + 4])) at.push_back(i);
    ASSERT_EQ(at.size(), 7u);
    at.push_back(good.size());
    for (size_t i = 0; i + 1 < at.size(); i++) {
        Bytes without = good;
        without.erase(without.begin() + long(at[i]), without.begin() + long(at[i + 1]));
        if (good[at[i]] != 6) refused(without, "a record missing");
        Bytes twice = good;
        twice.insert(twice.begin() + long(at[i + 1]), good.begin() + long(at[i]),
                     good.begin() + long(at[i + 1]));
        refused(twice, "a record twice");
        Bytes changed = good;
        changed[at[i] + 2] = 1;
        refused(changed, "reserved bytes");
        changed = good;
        changed[at[i]] = 9;
        refused(changed, "unknown tag");
        changed = good;
        changed[at[i] + 1] = 1;
        refused(changed, "unknown high tag");
        changed = good;
        orr_store_le32(&changed[at[i] + 4], 0xffffffff);
        refused(changed, "length beyond the end");
        changed = good;
        orr_store_le32(&changed[at[i] + 4], orr_load_le32(&changed[at[i] + 4]) - 1);
        if (i) refused(changed, "length one short");
    }
    for (size_t cut = 0; cut < good.size(); cut++)
        refused(Bytes(good.begin(), good.begin() + long(cut)), "cut");
    Bytes changed = good;
    orr_store_le32(&changed[at[2] + 8 + 8], 1000000000);
    refused(changed, "nanoseconds");
    changed = good;
    orr_store_le32(&changed[at[3] + 8], 010000);
    refused(changed, "mode");
    changed = good;
    changed[at[6] + 8 + 4] = '7'; // a digit for a digit is fine
    orr_metadata back;
    orr_error error;
    EXPECT_EQ(orr_metadata_decode(changed.data(), changed.size(), &back, &error), ORR_OK);
    orr_metadata_free(&back);
    changed[at[6] + 8 + 2] = '/';
    refused(changed, "timestamp");
    orr_metadata_free(&m);
}

TEST(Metadata, RandomDamageNeverCrashes) {
    orr_metadata m = metadata_of(vectors("container.txt", "metadata")[2]);
    Bytes good = encoded(m);
    orr_metadata_free(&m);
    for (int i = 0; i < 20000; i++) {
        Bytes raw = good;
        size_t changes = 1 + test_random()() % 4;
        for (size_t c = 0; c < changes; c++)
            raw[test_random()() % raw.size()] = uint8_t(test_random()());
        if (test_random()() % 4 == 0) raw.resize(test_random()() % raw.size());
        orr_metadata back;
        orr_error error;
        if (orr_metadata_decode(raw.data(), raw.size(), &back, &error) == ORR_OK) {
            EXPECT_EQ(encoded(back), raw); // one encoding for each content
            orr_metadata_free(&back);
        }
    }
}

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
