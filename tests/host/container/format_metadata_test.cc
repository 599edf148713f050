// Sealed metadata: records against vectors of the second reader, each refused when it is not what
// its table allows, and their seal.
#include <gtest/gtest.h>

#include <cstring>

#include "base/bytes.h"
#include "host/container/format.h"
#include "tests/support/golden.h"
#include "tests/support/random.h"

namespace {

uint8_t *copy_of(const Bytes &bytes) {
    auto *copy = static_cast<uint8_t *>(malloc(bytes.size() + 1));
    if (!bytes.empty()) memcpy(copy, bytes.data(), bytes.size());
    return copy;
}

// Metadata that free themselves.
struct Metadata : orr_metadata {
    Metadata() : orr_metadata{} {}
    Metadata(const Metadata &) = delete;
    Metadata &operator=(const Metadata &) = delete;
    ~Metadata() { orr_metadata_free(this); }
};

void fill(orr_metadata *m, const std::vector<std::string> &v) {
    Bytes path = unhex(v[0]), sha256 = unhex(v[3]), paper = unhex(v[4]), vault = unhex(v[6]),
          holes = unhex(v[7]), label = unhex(v[9]);
    memcpy(m->path, path.data(), path.size());
    m->path_length = path.size();
    m->size = number(v[1]);
    m->mtime_seconds = -1234567890;
    m->mtime_nanoseconds = 987654321;
    m->mode = 0640;
    memcpy(m->digest, unhex(v[2]).data(), 16);
    m->has_sha256 = !sha256.empty();
    if (m->has_sha256) memcpy(m->sha256, sha256.data(), 32);
    strcpy(m->timestamp, "07-01-2025 12:34:56");
    m->written_seconds = 1736253296;
    m->written_nanoseconds = 5;
    m->has_vault_id = !vault.empty();
    if (m->has_vault_id) memcpy(m->vault_id, vault.data(), 16);
    if (!label.empty()) memcpy(m->decoy_label, label.data(), label.size());
    if (!paper.empty()) m->paper = copy_of(paper);
    m->paper_length = paper.size();
    if (!holes.empty()) m->holes = copy_of(holes);
    m->holes_length = holes.size();
}

Bytes encoded(const orr_metadata &m) {
    Bytes out(orr_metadata_length(&m));
    orr_metadata_encode(&m, out.data());
    return out;
}

// Its error is in *text when that is given.
orr_status decode(const Bytes &raw, orr_metadata *into = nullptr, std::string *text = nullptr) {
    Metadata own;
    orr_error error = {};
    Bytes exact(raw); // so that a sanitizer sees any read past the end
    exact.shrink_to_fit();
    orr_status status = orr_metadata_decode(exact.data(), exact.size(), into ? into : &own, &error);
    EXPECT_EQ(status == ORR_OK, error.text[0] == 0) << error.text;
    if (text) *text = error.text;
    return status;
}

using Record = std::pair<unsigned, Bytes>; // tag and value

Bytes join(const std::vector<Record> &records) {
    Bytes out;
    for (auto &[tag, value] : records) {
        size_t at = out.size();
        out.resize(at + 8);
        orr_store_le16(&out[at], uint16_t(tag));
        orr_store_le32(&out[at + 4], uint32_t(value.size()));
        out.insert(out.end(), value.begin(), value.end());
    }
    return out;
}

std::vector<Record> split(const Bytes &raw) {
    std::vector<Record> out;
    for (size_t at = 0; at < raw.size();) {
        uint32_t length = orr_load_le32(&raw[at + 4]);
        auto value = raw.begin() + long(at + 8);
        out.emplace_back(orr_load_le16(&raw[at]), Bytes(value, value + length));
        at += 8 + length;
    }
    return out;
}

// Records of an archive file of `size` bytes, without the optional ones.
std::vector<Record> plain_records(uint64_t size = 1000) {
    Metadata m;
    fill(&m, vectors("container.txt", "metadata")[0]);
    m.size = size;
    return split(encoded(m));
}

std::vector<Record> with(std::vector<Record> records, unsigned tag, const Bytes &value) {
    auto at = records.begin();
    while (at != records.end() && at->first < tag) ++at;
    if (at != records.end() && at->first == tag)
        at->second = value;
    else
        records.emplace(at, tag, value);
    return records;
}

void expect_refused(const std::vector<Record> &records, orr_status status, const char *what) {
    EXPECT_EQ(decode(join(records)), status) << what;
}

Bytes numbers(const std::vector<uint64_t> &values) {
    Bytes out(8 * values.size());
    for (size_t i = 0; i < values.size(); i++) orr_store_le64(&out[8 * i], values[i]);
    return out;
}

TEST(Metadata, Vectors) {
    int read = 0;
    for (auto &v : vectors("container.txt", "metadata")) {
        Metadata m, back;
        Bytes expected = unhex(v[5]);
        if (!unhex(v[8]).empty()) { // regions, which no header that is read allows
            EXPECT_EQ(decode(expected), ORR_AUTH);
            continue;
        }
        read++;
        fill(&m, v);
        Bytes raw = encoded(m);
        EXPECT_EQ(hex(raw.data(), raw.size()), v[5]);
        EXPECT_EQ(orr_metadata_sealed_length(&m, m.paper ? ORR_PROFILE_PAPER : ORR_PROFILE_ARCHIVE),
                  number(v[10]));
        ASSERT_EQ(decode(raw, &back), ORR_OK);
        EXPECT_EQ(encoded(back), raw);
        EXPECT_STREQ(reinterpret_cast<char *>(back.path), reinterpret_cast<char *>(m.path));
        EXPECT_STREQ(back.timestamp, m.timestamp);
        EXPECT_STREQ(back.decoy_label, m.decoy_label);
        EXPECT_EQ(back.written_seconds, m.written_seconds);
        EXPECT_EQ(back.written_nanoseconds, m.written_nanoseconds);
        EXPECT_EQ(back.has_vault_id, m.has_vault_id);
        EXPECT_EQ(back.holes_length, m.holes_length);
        orr_metadata_free(&back);
        EXPECT_EQ(back.path_length, 0u);
    }
    EXPECT_EQ(read, 4);
}

TEST(Metadata, AnEmptyPaperRecordIsNotAMissingOne) {
    Metadata m, back;
    fill(&m, vectors("container.txt", "metadata")[0]);
    m.paper = copy_of({});
    ASSERT_EQ(decode(encoded(m), &back), ORR_OK);
    EXPECT_NE(back.paper, nullptr);
    EXPECT_EQ(back.paper_length, 0u);
}

TEST(Metadata, EachRecordIsCheckedInItsFrame) {
    Metadata m;
    fill(&m, vectors("container.txt", "metadata")[3]);
    const Bytes good = encoded(m);
    const std::vector<Record> records = split(good);
    ASSERT_EQ(records.size(), 11u); // all but 8 and 12
    size_t at = 0;
    for (size_t i = 0; i < records.size(); i++) {
        unsigned tag = records[i].first;
        size_t length = records[i].second.size();
        std::vector<Record> changed = records;
        changed.erase(changed.begin() + long(i));
        bool optional = tag == 6 || tag >= 10;
        EXPECT_EQ(decode(join(changed)), optional ? ORR_OK : ORR_AUTH) << "without " << tag;
        changed = records;
        changed.insert(changed.begin() + long(i), records[i]);
        expect_refused(changed, ORR_AUTH, "a record twice");
        if (i) {
            changed = records;
            std::swap(changed[i], changed[i - 1]);
            expect_refused(changed, ORR_AUTH, "records that do not ascend");
        }
        for (size_t reserved : {2u, 3u}) {
            Bytes raw = good;
            raw[at + reserved] = 1;
            EXPECT_EQ(decode(raw), ORR_AUTH) << "reserved bytes of " << tag;
        }
        Bytes raw = good;
        orr_store_le32(&raw[at + 4], 0xffffffff);
        EXPECT_EQ(decode(raw), ORR_AUTH) << "length of " << tag << " beyond the end";
        raw = good;
        orr_store_le32(&raw[at + 4], uint32_t(good.size() - at - 7));
        EXPECT_EQ(decode(raw), ORR_AUTH) << "length of " << tag << " one beyond the end";
        // A path or label of another length is another path or label.
        for (size_t other : {length - 1, length + 1}) {
            if (tag == 1 || tag == 13) continue;
            changed = records;
            changed[i].second.resize(other);
            EXPECT_EQ(decode(join(changed)), ORR_AUTH) << "length of " << tag << " " << other;
        }
        if (tag != 1) {
            changed = records;
            changed[i].second.clear();
            EXPECT_EQ(decode(join(changed)), ORR_AUTH) << "empty " << tag;
        }
        at += 8 + length;
    }
    // Cut: what is missing is a required record, or looks like the zeros behind the last.
    size_t required = join(std::vector<Record>(records.begin(), records.begin() + 8)).size();
    for (size_t cut = 0; cut < required; cut++)
        EXPECT_EQ(decode(Bytes(good.begin(), good.begin() + long(cut))), ORR_AUTH) << cut;
    for (size_t cut = required; cut < good.size(); cut++) {
        orr_status status = decode(Bytes(good.begin(), good.begin() + long(cut)));
        size_t whole = 0; // is the cut between two records?
        for (auto &record : records) {
            if (whole >= cut) break;
            whole += 8 + record.second.size();
        }
        EXPECT_EQ(status, whole == cut ? ORR_OK : ORR_AUTH) << cut;
    }
}

TEST(Metadata, ValuesOutOfTheirRange) {
    const std::vector<Record> good = plain_records();
    EXPECT_EQ(decode(join(good)), ORR_OK);
    Bytes time(12), mode(4);
    for (unsigned tag : {3u, 9u}) {
        orr_store_le32(&time[8], 999999999);
        EXPECT_EQ(decode(join(with(good, tag, time))), ORR_OK);
        orr_store_le32(&time[8], 1000000000);
        expect_refused(with(good, tag, time), ORR_AUTH, "nanoseconds");
    }
    orr_store_le32(mode.data(), 07777);
    EXPECT_EQ(decode(join(with(good, 4, mode))), ORR_OK);
    orr_store_le32(mode.data(), 010000);
    expect_refused(with(good, 4, mode), ORR_AUTH, "mode");
    std::string stamp = "07-01-2025 12:34:56";
    for (size_t i = 0; i < stamp.size(); i++) {
        std::string changed = stamp;
        bool digit = stamp[i] >= '0' && stamp[i] <= '9';
        changed[i] = digit ? '9' : stamp[i];
        EXPECT_EQ(decode(join(with(good, 7, Bytes(changed.begin(), changed.end())))), ORR_OK) << i;
        for (char wrong : {'/', 'x', digit ? ':' : '0', '\0'}) {
            changed[i] = wrong;
            if (changed == stamp) continue;
            expect_refused(with(good, 7, Bytes(changed.begin(), changed.end())), ORR_AUTH, "time");
        }
    }
    for (std::string path : {"", "/a", "a/..", "a//b", "a/"})
        expect_refused(with(good, 1, Bytes(path.begin(), path.end())), ORR_AUTH, "path");
    expect_refused(with(good, 1, Bytes(4097, 'x')), ORR_AUTH, "path");
}

TEST(Metadata, Holes) {
    const uint64_t size = 1000;
    const std::vector<Record> records = plain_records(size);
    const struct {
        std::vector<uint64_t> holes; // offset, length, offset, length, ...
        bool good;
    } cases[] = {
        {{0, 1}, true},
        {{0, 1000}, true},
        {{999, 1}, true},
        {{0, 5, 6, 5}, true},
        {{0, 1, 2, 1, 4, 996}, true},
        {{}, false},
        {{0}, false},
        {{0, 5, 6}, false},
        {{0, 0}, false},
        {{5, 0}, false},
        {{1000, 0}, false},
        {{0, 5, 5, 5}, false}, // they touch
        {{0, 5, 4, 5}, false}, // they overlap
        {{6, 5, 0, 5}, false}, // they do not ascend
        {{6, 5, 6, 5}, false},
        {{0, 1001}, false},
        {{1, 1000}, false},
        {{1000, 1}, false},
        {{1001, 1}, false},
        {{UINT64_MAX, 1}, false},
        {{1, UINT64_MAX}, false},
        {{UINT64_MAX, 2}, false},
        {{0, 5, UINT64_MAX - 1, 4}, false}, // around the end of the numbers
    };
    for (auto &c : cases) {
        Metadata back;
        Bytes holes = numbers(c.holes);
        std::vector<Record> changed = with(records, 11, holes);
        EXPECT_EQ(decode(join(changed), &back), c.good ? ORR_OK : ORR_AUTH)
            << ::testing::PrintToString(c.holes);
        if (!c.good) continue;
        ASSERT_EQ(back.holes_length, holes.size());
        EXPECT_EQ(memcmp(back.holes, holes.data(), holes.size()), 0);
        EXPECT_EQ(encoded(back), join(changed));
    }
    Bytes ragged = numbers({0, 1});
    ragged.push_back(0);
    expect_refused(with(records, 11, ragged), ORR_AUTH, "a length that is no multiple of 16");
    expect_refused(with(with(records, 8, Bytes(4)), 11, numbers({0, 1})), ORR_AUTH,
                   "holes of pixels");
    expect_refused(with(plain_records(0), 11, numbers({0, 1})), ORR_AUTH, "a hole in nothing");
}

TEST(Metadata, VaultAndDecoyLabel) {
    const std::vector<Record> records = plain_records();
    Metadata back;
    ASSERT_EQ(decode(join(with(records, 10, Bytes(16, 7))), &back), ORR_OK);
    EXPECT_TRUE(back.has_vault_id);
    EXPECT_EQ(Bytes(back.vault_id, back.vault_id + 16), Bytes(16, 7));
    for (size_t bytes : {0u, 15u, 17u})
        expect_refused(with(records, 10, Bytes(bytes)), ORR_AUTH, "vault");
    for (std::string label : {"x", "Münster 7", "雲", "a b"}) {
        Metadata one;
        ASSERT_EQ(decode(join(with(records, 13, Bytes(label.begin(), label.end()))), &one), ORR_OK);
        EXPECT_EQ(one.decoy_label, label);
    }
    EXPECT_EQ(decode(join(with(records, 13, Bytes(63, 'x')))), ORR_OK);
    for (std::string label :
         {std::string(), std::string(64, 'x'), std::string("a\0b", 3), std::string(1, '\0'),
          std::string("a\n"), std::string("\x1b[31m"), std::string("\x7f"), std::string("\xc2\x85"),
          std::string("\xff"), std::string("\xc3"), std::string("\xed\xa0\x80")})
        expect_refused(with(records, 13, Bytes(label.begin(), label.end())), ORR_AUTH, "label");
}

TEST(Metadata, LaterRecordsAreRefusedOrIgnored) {
    const std::vector<Record> records = plain_records();
    for (unsigned tag : {14u, 15u, 255u, 256u, 0x7fffu}) {
        std::string text;
        EXPECT_EQ(decode(join(with(records, tag, Bytes(3, 1))), nullptr, &text), ORR_UNSUPPORTED);
        EXPECT_NE(text.find("record " + std::to_string(tag)), std::string::npos) << text;
        EXPECT_NE(text.find("newer release"), std::string::npos) << text;
    }
    expect_refused(with(records, 12, Bytes(20, 1)), ORR_AUTH, "regions without their header bit");
    for (unsigned tag : {0x8000u, 0x8001u, 0xffffu}) {
        for (size_t bytes : {0u, 1u, 300u}) {
            Metadata back;
            ASSERT_EQ(decode(join(with(records, tag, Bytes(bytes, 9))), &back), ORR_OK) << tag;
            EXPECT_EQ(encoded(back), join(records));
        }
    }
    EXPECT_EQ(decode(join(with(with(records, 0x8000, Bytes()), 0x9000, Bytes(5, 5)))), ORR_OK);
    // They ascend, and have the same frame.
    std::vector<Record> twice = with(records, 0x8000, Bytes());
    twice.push_back({0x8000, Bytes()});
    expect_refused(twice, ORR_AUTH, "an ignorable record twice");
    twice.back().first = 13;
    twice.back().second = Bytes(1, 'x');
    expect_refused(twice, ORR_AUTH, "a record behind an ignorable one");
    Bytes raw = join(with(records, 0x8000, Bytes(4)));
    raw[raw.size() - 12 + 2] = 1;
    EXPECT_EQ(decode(raw), ORR_AUTH) << "reserved bytes";
    raw = join(with(records, 0x8000, Bytes(4)));
    raw[raw.size() - 12 + 4] = 5;
    EXPECT_EQ(decode(raw), ORR_AUTH) << "length beyond the end";
}

TEST(Metadata, ZerosBehindTheLastRecord) {
    const Bytes good = join(plain_records());
    for (size_t zeros : {1u, 7u, 8u, 9u, 500u}) {
        Bytes raw = good;
        raw.resize(good.size() + zeros);
        Metadata back;
        ASSERT_EQ(decode(raw, &back), ORR_OK) << zeros;
        EXPECT_EQ(encoded(back), good);
        for (size_t at = good.size(); at < raw.size(); at++) {
            Bytes changed = raw;
            changed[at] = 1;
            EXPECT_NE(decode(changed), ORR_OK) << zeros << " " << at - good.size();
        }
    }
}

TEST(Metadata, RandomDamageNeverCrashes) {
    for (size_t n : {2u, 3u}) {
        Metadata m;
        fill(&m, vectors("container.txt", "metadata")[n]);
        const Bytes good = encoded(m);
        for (int i = 0; i < 20000; i++) {
            Bytes raw = good;
            size_t changes = 1 + test_random()() % 4;
            for (size_t c = 0; c < changes; c++)
                raw[test_random()() % raw.size()] = uint8_t(test_random()());
            if (test_random()() % 4 == 0) raw.resize(test_random()() % raw.size());
            Metadata back;
            orr_error error;
            if (orr_metadata_decode(raw.data(), raw.size(), &back, &error) != ORR_OK) continue;
            Bytes again = encoded(back); // one encoding for each content, then ignored or zero
            ASSERT_LE(again.size(), raw.size());
            EXPECT_TRUE(std::equal(again.begin(), again.end(), raw.begin()));
            if (again.size() + 8 <= raw.size()) {
                unsigned next = orr_load_le16(&raw[again.size()]);
                EXPECT_TRUE(next == 0 || next >= 0x8000) << next;
            }
        }
    }
}

// ---- the seal

TEST(SealedMetadata, Vectors) {
    orr_file_keys keys = golden_keys();
    for (auto &v : vectors("container.txt", "sealed")) {
        Metadata m;
        orr_error error = {};
        Bytes salt = unhex(v[0]), records = unhex(v[1]), sealed(number(v[2]), 0xee);
        ASSERT_EQ(decode(records, &m), ORR_OK);
        ASSERT_EQ(encoded(m), records);
        ASSERT_EQ(orr_metadata_seal(&m, &keys, salt.data(), sealed.data(), sealed.size(), &error),
                  ORR_OK);
        EXPECT_EQ(hex(sealed.data(), sealed.size()), v[3]);
    }
}

TEST(SealedMetadata, LengthTellsOnlySoMuch) {
    Metadata m;
    fill(&m, vectors("container.txt", "metadata")[0]);
    for (auto [profile, unit] : {std::pair<orr_profile, uint64_t>{ORR_PROFILE_ARCHIVE, 1024},
                                 std::pair<orr_profile, uint64_t>{ORR_PROFILE_PAPER, 4096}}) {
        for (m.path_length = 1; m.path_length <= ORR_MAX_PATH; m.path_length++) {
            uint64_t needed = 16 + orr_metadata_length(&m) + 16,
                     length = orr_metadata_sealed_length(&m, profile);
            ASSERT_EQ(length % unit, 0u);
            ASSERT_GE(length, needed);
            ASSERT_LT(length - needed, unit);
        }
    }
    m.path_length = 1;
}

TEST(SealedMetadata, RoomIsChecked) {
    orr_file_keys keys = golden_keys();
    uint8_t salt[ORR_SALT_BYTES] = {};
    Metadata m;
    fill(&m, vectors("container.txt", "metadata")[0]);
    size_t exact = orr_metadata_length(&m) + 32;
    Bytes sealed(exact);
    orr_error error = {};
    EXPECT_EQ(orr_metadata_seal(&m, &keys, salt, sealed.data(), exact, &error), ORR_OK);
    EXPECT_EQ(orr_metadata_seal(&m, &keys, salt, sealed.data(), exact - 1, &error), ORR_INTERNAL);
    EXPECT_EQ(orr_metadata_seal(&m, &keys, salt, sealed.data(), 31, &error), ORR_INTERNAL);
    EXPECT_EQ(orr_metadata_seal(&m, &keys, salt, sealed.data(), 0, &error), ORR_INTERNAL);
}

} // namespace
