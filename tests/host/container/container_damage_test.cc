// Whole archive-profile files under damage: told what is wrong, or read past it.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "base/bytes.h"
#include "tests/support/golden_container.h"
#include "tests/support/random.h"

namespace {

TEST(Refused, EveryByteOfTheHeadIsChecked) {
    Bytes good = golden_file("short");
    Lookup lookup{{0}};
    size_t head = 16384;
    std::map<orr_status, int> seen;
    for (size_t at = 0; at < head; at++) {
        Bytes bytes = good;
        bytes[at] ^= 1 << test_random()() % 8;
        Opened opened;
        orr_status status = opened.open(bytes, lookup);
        seen[status]++;
        bool slot = at >= 4096 && at < 12288, magic = at >= 16 && at < 32,
             header = at >= 32 && at < 224;
        if (slot) { // the other slot still opens the file; verify can tell from slot_good
            EXPECT_EQ(status, ORR_OK) << at;
            EXPECT_NE(opened.container.slot_good[0], opened.container.slot_good[1]) << at;
        } else if (magic) {
            EXPECT_EQ(status, ORR_NOT_ORRERY) << at;
        } else if (header) {
            EXPECT_TRUE(status == ORR_AUTH || status == ORR_UNSUPPORTED) << at << " " << status;
        } else {
            EXPECT_EQ(status, ORR_AUTH) << at;
        }
        EXPECT_TRUE(status == ORR_OK || opened.named) << opened.error.text;
    }
    EXPECT_EQ(seen[ORR_NOT_ORRERY], 16);
    EXPECT_EQ(seen[ORR_OK], 8192);
}

TEST(Refused, TruncationAndGrowthGiveLengths) {
    Bytes good = golden_file("short");
    Lookup lookup{{0}};
    for (size_t length = 0; length < good.size(); length += length < 300 ? 1 : 61) {
        Opened opened;
        orr_status status = opened.open(Bytes(good.begin(), good.begin() + long(length)), lookup);
        EXPECT_EQ(status, length < 24 ? ORR_NOT_ORRERY : ORR_AUTH) << length;
        EXPECT_EQ(opened.says("truncated"), length >= 24) << opened.error.text;
        if (length >= 224) {
            EXPECT_TRUE(opened.says(std::to_string(length).c_str()));
            EXPECT_TRUE(opened.says(std::to_string(good.size()).c_str()));
        }
    }
    Bytes grown = good;
    grown.push_back(0);
    Opened opened;
    EXPECT_EQ(opened.open(grown, lookup), ORR_AUTH);
    EXPECT_TRUE(opened.says("grown"));
}

TEST(Refused, ForeignFilesAreNotOurs) {
    Lookup lookup{{0}};
    Opened opened;
    EXPECT_EQ(opened.open({}, lookup), ORR_NOT_ORRERY);
    EXPECT_EQ(opened.open(Bytes(100000, 0), lookup), ORR_NOT_ORRERY);
    Bytes other = random_bytes(20000);
    memcpy(other.data(), "II*\0\10\0\0\0", 8);
    EXPECT_EQ(opened.open(other, lookup), ORR_NOT_ORRERY);
}

TEST(Refused, KeysAreToldApart) {
    Bytes good = golden_file("one-byte"); // wraps: second key, first key
    Lookup none, first{{0}}, second{{1}}, broken{{}, ORR_INTERNAL};
    Opened opened;
    EXPECT_EQ(opened.open(good, none), ORR_KEY);
    EXPECT_TRUE(opened.says("lacks"));
    EXPECT_EQ(opened.open(good, first), ORR_OK);
    EXPECT_EQ(opened.open(good, second), ORR_OK);
    EXPECT_EQ(opened.open(good, broken), ORR_INTERNAL);
    EXPECT_EQ(opened.secret.seal_root[0] | opened.keys.tile_key[0], 0);
}

// ---- slots

// Slots with right checksums, as someone who tampers would make them.
TEST(Refused, TamperedSlots) {
    Bytes good = golden_file("short");
    Writer writer(golden("short"));
    Lookup lookup{{0}};
    Opened opened;
    const struct {
        size_t at;
        uint8_t flip;
        const char *what;
    } cases[] = {{24 + 8, 1, "a key ID that nobody has"},
                 {24 + 8 + 16 + 50, 1, "a wrap that does not open"},
                 {8, 8, "a generation that the MAC does not cover"},
                 {24, 77 ^ 1, "another type"},
                 {ORR_PAGE - 48, 1, "the MAC itself"}};
    for (auto &c : cases) {
        for (int slot : {0, 1}) {
            Bytes bytes = good;
            uint8_t *at = &bytes[orr_slot_offset(&writer.header, slot)];
            at[c.at] ^= c.flip;
            container_slot_checksum(at, ORR_PAGE);
            EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH) << c.what;
            EXPECT_TRUE(opened.says(slot ? "slot B was altered" : "slot A was altered"))
                << c.what << opened.error.text;
        }
    }
    Bytes bytes = good;
    bytes[4096] ^= 1;
    bytes[8192] ^= 1;
    EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH);
    EXPECT_TRUE(opened.says("all its wrap slots")) << opened.error.text;
}

// Two wraps whose key IDs were exchanged, and two that stand in the other order.
TEST(Refused, SwappedWraps) {
    Writer writer(golden("one-byte")); // wraps: second key, first key
    Bytes good = writer.file();
    Lookup first{{0}};
    Opened opened;
    for (bool whole : {false, true}) {
        Bytes bytes = good;
        for (int slot : {0, 1}) {
            uint8_t *at = &bytes[orr_slot_offset(&writer.header, slot)];
            std::swap_ranges(at + 24, at + 24 + (whole ? 128 : 24), at + 24 + 128);
            container_slot_checksum(at, ORR_PAGE);
        }
        EXPECT_EQ(opened.open(bytes, first), ORR_AUTH);
        EXPECT_TRUE(opened.says(whole ? "slot A was altered" : "does not open"))
            << opened.error.text;
    }
    // By somebody who has the file's keys: the wrap that a key names is another's.
    Wraps wraps;
    wraps.make(writer, 1).make(writer, 0);
    std::swap_ranges(wraps.bytes + 8, wraps.bytes + 24, wraps.bytes + 128 + 8);
    for (int slot : {0, 1}) writer.put(good, slot, writer.slot(wraps));
    EXPECT_EQ(opened.open(good, first), ORR_AUTH);
    EXPECT_TRUE(opened.says("does not open")) << opened.error.text;
}

// Two files under one master key with different secrets and IDs.
TEST(Refused, PartsOfAnotherFile) {
    Bytes ours = golden_file("short");
    Writer writer(golden("short"));
    memset(writer.secret.seal_root, 0x5a, 32);
    memset(writer.header.file_id, 0xa5, 32);
    writer.settle();
    Bytes theirs = writer.file();
    Lookup lookup{{0}};
    Opened opened;
    ASSERT_EQ(opened.open(theirs, lookup), ORR_OK);
    ASSERT_EQ(theirs.size(), ours.size());
    const struct {
        size_t at, bytes;
        const char *says;
    } cases[] = {{4096, 8192, "does not open under master key"}, // both slots
                 {4096, 4096, "slot A was altered"},
                 {8192, 4096, "slot B was altered"},
                 {0, 4096, "does not open under master key"}, // page 0
                 {32, 192, "does not open under master key"}, // header
                 {48, 32, "does not open under master key"},  // file ID
                 {224, 32, "commitment"},
                 {12288, 1024, "sealed metadata"},
                 {12288, 16, "sealed metadata"}}; // its salt
    for (auto &c : cases) {
        Bytes bytes = ours;
        std::copy_n(theirs.begin() + long(c.at), c.bytes, bytes.begin() + long(c.at));
        if (c.bytes == 16) bytes[c.at] ^= 1; // both files have the same
        EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH) << c.at;
        EXPECT_TRUE(opened.says(c.says)) << c.at << " " << opened.error.text;
    }
    // A wrap of the same key in another file, under that file's MAC: its key is another.
    Writer mine(golden("short"));
    Wraps moved;
    moved.make(writer, 0);
    for (int slot : {0, 1}) mine.put(ours, slot, mine.slot(moved));
    EXPECT_EQ(opened.open(ours, lookup), ORR_AUTH);
    EXPECT_TRUE(opened.says("does not open under master key")) << opened.error.text;
}

// What a slot's MAC says is right, and its wrap is not: it does not open to the secrets that the
// commitment knows, be it one bit of either.
TEST(Slots, AnotherSecretUnderARightMac) {
    Writer writer(golden("short"));
    Lookup lookup{{0}};
    Opened opened;
    for (orr_wrap_type type : {ORR_WRAP_MASTER, ORR_WRAP_RECIPIENT}) {
        for (size_t byte : {0u, 31u, 32u, 95u}) {
            orr_file_secret other = writer.secret;
            reinterpret_cast<uint8_t *>(&other)[byte] ^= 0x10;
            Wraps wrong, right;
            wrong.make(writer, 0, type, other);
            right.make(writer, 0, type);
            for (int slot : {0, 1}) { // one of them: the other one opens the file
                for (uint64_t generation : {1, 2}) {
                    Bytes bytes = writer.file();
                    writer.put(bytes, slot, writer.slot(wrong, generation));
                    writer.put(bytes, 1 - slot, writer.slot(right));
                    ASSERT_EQ(opened.open(bytes, lookup), ORR_OK) << opened.error.text;
                    EXPECT_EQ(opened.container.active, 1 - slot);
                    EXPECT_TRUE(opened.container.slot_wrong[slot]);
                    EXPECT_FALSE(opened.container.slot_wrong[1 - slot]);
                    EXPECT_EQ(opened.container.known_origin, type == ORR_WRAP_MASTER);
                    EXPECT_EQ(orr_container_stale_slot(&opened.container), slot);
                    EXPECT_EQ(memcmp(&opened.secret, &writer.secret, sizeof other), 0);
                }
            }
            Bytes bytes = writer.file(); // both of them
            for (int slot : {0, 1}) writer.put(bytes, slot, writer.slot(wrong));
            EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH);
            EXPECT_TRUE(opened.says("commitment")) << opened.error.text;
        }
    }
}

TEST(Slots, WrapsThatDoNotOpenArePassedOver) {
    Writer writer(golden("short"));
    orr_file_secret other = writer.secret;
    other.planet_secret[5] ^= 1;
    const auto M = ORR_WRAP_MASTER, R = ORR_WRAP_RECIPIENT;
    struct Wrap {
        size_t key;
        orr_wrap_type type;
        bool right;
    };
    const struct {
        std::vector<Wrap> wraps;
        std::vector<size_t> known;
        orr_status status;
        bool origin, wrong;
    } cases[] = {
        {{{0, M, true}}, {0}, ORR_OK, true, false},
        {{{0, M, true}}, {1}, ORR_KEY, false, false},
        {{{0, R, true}}, {0}, ORR_OK, false, false},
        {{{0, R, true}, {0, M, true}}, {0}, ORR_OK, true, false},
        {{{1, M, true}, {0, M, true}}, {0}, ORR_OK, true, false},
        {{{0, M, false}, {1, M, true}}, {0}, ORR_AUTH, false, false},
        {{{0, M, false}, {1, M, true}}, {1}, ORR_OK, true, false},
        {{{0, M, false}, {1, M, true}}, {0, 1}, ORR_OK, true, true},
        {{{0, M, true}, {1, M, false}}, {0, 1}, ORR_OK, true, true},
        {{{0, M, false}, {0, R, true}}, {0}, ORR_OK, false, true},
        {{{0, M, true}, {0, R, false}}, {0}, ORR_OK, true, false}, // nobody asks it
        {{{0, M, true}, {1, R, false}}, {0}, ORR_OK, true, false},
        {{{0, M, true}, {1, R, false}}, {0, 1}, ORR_OK, true, true},
        {{{0, R, false}, {1, R, true}}, {0, 1}, ORR_OK, false, true},
        {{{0, R, false}, {1, R, true}}, {0}, ORR_AUTH, false, false},
        {{{0, M, false}, {0, R, false}}, {0}, ORR_AUTH, false, false},
    };
    for (size_t i = 0; i < std::size(cases); i++) {
        auto &c = cases[i];
        Wraps wraps;
        for (auto &w : c.wraps) wraps.make(writer, w.key, w.type, w.right ? writer.secret : other);
        Bytes bytes = writer.file();
        for (int slot : {0, 1}) writer.put(bytes, slot, writer.slot(wraps));
        Lookup lookup{c.known};
        Opened opened;
        ASSERT_EQ(opened.open(bytes, lookup), c.status) << i << " " << opened.error.text;
        if (c.status != ORR_OK) continue;
        EXPECT_EQ(opened.container.known_origin != 0, c.origin) << i;
        EXPECT_EQ(opened.container.slot_wrong[0] != 0, c.wrong) << i;
        EXPECT_EQ(opened.container.slot_wrong[1] != 0, c.wrong) << i;
        EXPECT_EQ(memcmp(&opened.secret, &writer.secret, sizeof other), 0) << i;
    }
}

TEST(Slots, UnknownTypesAreSkipped) {
    Writer writer(golden("short"));
    const uint8_t *id = golden_key(0).id.data();
    Lookup lookup{{0}};
    Opened opened;
    Wraps with, without;
    with.add(77, id, Bytes(104, 1)).add(3, id, Bytes(8)).make(writer, 0).add(77, id, {});
    without.add(77, id, Bytes(104, 1));
    Bytes bytes = writer.file();
    for (int slot : {0, 1}) writer.put(bytes, slot, writer.slot(with));
    ASSERT_EQ(opened.open(bytes, lookup), ORR_OK) << opened.error.text;
    EXPECT_EQ(opened.container.slot[0].count, 4u);
    EXPECT_FALSE(opened.container.slot_wrong[0] || opened.container.slot_wrong[1]);
    for (int slot : {0, 1}) writer.put(bytes, slot, writer.slot(without));
    EXPECT_EQ(opened.open(bytes, lookup), ORR_KEY);
    EXPECT_TRUE(opened.says("no wrap in it is of a kind")) << opened.error.text;
}

TEST(Slots, AnyGoodSlotThatOpensIsUsed) {
    Bytes good = golden_file("short");
    Writer writer(golden("short"));
    Lookup first{{0}}, second{{1}}, none;
    Wraps other;
    other.make(writer, 1);
    writer.put(good, 1, writer.slot(other, 2)); // B is newer: rewrap stopped half way
    Opened opened;
    EXPECT_EQ(opened.open(good, second), ORR_OK);
    EXPECT_EQ(opened.container.active, 1);
    EXPECT_EQ(orr_container_stale_slot(&opened.container), 0);
    EXPECT_EQ(opened.open(good, first), ORR_OK); // the newer one is not for this key
    EXPECT_EQ(opened.container.active, 0);
    EXPECT_FALSE(opened.container.slot_wrong[0] || opened.container.slot_wrong[1]);
    EXPECT_EQ(opened.open(good, none), ORR_KEY);
    good[8192 + 100] ^= 1; // the newer slot is torn: the older one counts
    EXPECT_EQ(opened.open(good, first), ORR_OK);
    EXPECT_EQ(opened.container.slot_good[1], 0);
    EXPECT_EQ(opened.open(good, second), ORR_KEY);
}

// ---- the second head

TEST(SecondHead, SlotCIsOneOfThem) {
    Writer writer(golden("parity"));
    const Bytes good = golden_file("parity");
    const uint64_t c = orr_slot_offset(&writer.header, 2);
    Lookup lookup{{0}};
    Opened opened;
    ASSERT_EQ(c, good.size() - 2 * ORR_PAGE);
    Bytes bytes = good;
    bytes[4096 + 100] ^= 1;
    bytes[8192 + 100] ^= 1;
    ASSERT_EQ(opened.open(bytes, lookup), ORR_OK) << opened.error.text;
    EXPECT_EQ(opened.container.active, 2);
    bytes[c + 100] ^= 1;
    EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH);
    EXPECT_TRUE(opened.says("all its wrap slots")) << opened.error.text;

    bytes = good; // alone
    bytes[c + 100] ^= 1;
    ASSERT_EQ(opened.open(bytes, lookup), ORR_OK) << opened.error.text;
    EXPECT_FALSE(opened.container.slot_good[2]);
    EXPECT_EQ(opened.container.active, 0);
    EXPECT_EQ(orr_container_stale_slot(&opened.container), 2);

    container_slot_checksum(&bytes[c], ORR_PAGE); // by somebody without keys
    EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH);
    EXPECT_TRUE(opened.says("slot C was altered")) << opened.error.text;

    Wraps other;
    other.make(writer, 1); // the newest, for another key
    bytes = good;
    writer.put(bytes, 2, writer.slot(other, 2));
    Lookup second{{1}};
    ASSERT_EQ(opened.open(bytes, second), ORR_OK) << opened.error.text;
    EXPECT_EQ(opened.container.active, 2);
    ASSERT_EQ(opened.open(bytes, lookup), ORR_OK) << opened.error.text;
    EXPECT_EQ(opened.container.active, 0);
}

TEST(StaleSlot, IsTheOneToWrite) {
    auto stale = [](std::vector<uint64_t> generations, int active, int damaged, int wrong) {
        orr_container c = {};
        c.slots = int(generations.size());
        c.active = active;
        for (int i = 0; i < c.slots; i++) {
            c.slot[i].generation = generations[size_t(i)];
            c.slot_good[i] = i != damaged;
            c.slot_wrong[i] = i == wrong;
        }
        return orr_container_stale_slot(&c);
    };
    EXPECT_EQ(stale({4, 4}, 0, -1, -1), 1);
    EXPECT_EQ(stale({3, 4}, 1, -1, -1), 0);
    EXPECT_EQ(stale({4, 3}, 0, -1, -1), 1);
    EXPECT_EQ(stale({4, 9}, 0, 1, -1), 1);
    EXPECT_EQ(stale({9, 4}, 1, 0, -1), 0);
    EXPECT_EQ(stale({9, 4}, 1, -1, 0), 0);
    EXPECT_EQ(stale({9, 4}, 0, -1, 0), 0); // which opened the file, but holds another's wrap too
    EXPECT_EQ(stale({4, 4, 4}, 0, -1, -1), 2);
    EXPECT_EQ(stale({5, 4, 4}, 0, -1, -1), 2);
    EXPECT_EQ(stale({5, 4, 5}, 0, -1, -1), 1);
    EXPECT_EQ(stale({5, 5, 6}, 2, -1, -1), 1);
    EXPECT_EQ(stale({5, 5, 6}, 0, 2, -1), 2);
    EXPECT_EQ(stale({5, 5, 6}, 0, -1, 2), 2);
    EXPECT_EQ(stale({5, 5, 4}, 1, 0, 2), 0);
}

} // namespace
