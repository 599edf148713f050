// Wraps and wrap slots: against vectors of the second reader, under damage, and moved about.
#include <gtest/gtest.h>

#include <cstring>

#include "base/bytes.h"
#include "host/container/slot.h"
#include "tests/support/containers.h"
#include "tests/support/golden.h"
#include "tests/support/random.h"

namespace {

const size_t WRAPS = 24, FOOT = 48; // where the wraps start; MAC and checksum
const uint8_t SEED[32] = "seed of all wraps of this test.";
const unsigned LATER = 77; // a type of wraps that this release does not know

// A list of wraps that frees itself.
struct Wraps : orr_wraps {
    Wraps() : orr_wraps{} {}
    Wraps(const Wraps &) = delete;
    Wraps &operator=(const Wraps &) = delete;
    ~Wraps() { orr_wraps_free(this); }

    void make(const orr_wrap_key &reader, const orr_file_secret &secret = golden_secret(),
              const Bytes &header = golden_header(), const uint8_t *seed = SEED) {
        orr_error error = {};
        ASSERT_EQ(orr_wraps_make(this, &reader, seed, &secret, header.data(), &error), ORR_OK)
            << error.text;
    }
    void make(size_t key, orr_wrap_type type = ORR_WRAP_MASTER) {
        make(golden_key(key).reader(type));
    }
    orr_status add(unsigned type, const Bytes &id, const Bytes &body, orr_error *error = nullptr) {
        orr_wrap wrap = {type, id.data(), body.empty() ? id.data() : body.data(), body.size()};
        return orr_wraps_add(this, &wrap, error);
    }
    // What already has its encoding.
    void add_encoded(const Bytes &raw) {
        for (size_t at = 0; at < raw.size();) {
            uint32_t length = orr_load_le32(&raw[at + 4]);
            const uint8_t *id = &raw[at + 8];
            orr_wrap wrap = {orr_load_le16(&raw[at]), id, id + 16, length - 16};
            ASSERT_EQ(orr_wraps_add(this, &wrap, nullptr), ORR_OK);
            at += 8 + length;
        }
    }
    Bytes slot(uint64_t generation = 1, size_t pages = 1) const {
        Bytes out(pages * ORR_PAGE, 0xee);
        EXPECT_EQ(
            orr_slot_encode(this, generation, golden_keys().header_mac, out.data(), out.size()),
            ORR_OK);
        return out;
    }
};

orr_status decode(const Bytes &bytes, orr_slot *slot = nullptr) {
    orr_slot own;
    return orr_slot_decode(bytes.data(), bytes.size(), slot ? slot : &own);
}

std::vector<orr_wrap> wraps_of(const orr_slot &slot) {
    std::vector<orr_wrap> out;
    orr_wrap wrap;
    for (size_t at = 0; orr_slot_next(&slot, &at, &wrap);) out.push_back(wrap);
    return out;
}

orr_status open_wrap(const orr_wrap &wrap, const orr_unwrap_key &key,
                     const Bytes &header = golden_header(), orr_file_secret *secret = nullptr) {
    orr_file_secret own;
    return orr_wrap_open(&wrap, &key, header.data(), secret ? secret : &own);
}

orr_status open_wrap(const orr_wrap &wrap, size_t key) {
    return open_wrap(wrap, golden_key(key).opener());
}

// ---- one wrap

TEST(Wrap, Vectors) {
    int made[3] = {};
    for (auto &v : vectors("container.txt", "wrap")) {
        Bytes raw = unhex(v[6]), secret = unhex(v[5]), key = unhex(v[2]), seed = unhex(v[3]);
        orr_wrap_key reader = {orr_wrap_type(number(v[0])), {}, {}};
        orr_unwrap_key opener = {};
        orr_file_secret wrapped, opened = {};
        memcpy(&wrapped, secret.data(), sizeof wrapped);
        memcpy(reader.key_id, unhex(v[1]).data(), sizeof reader.key_id);
        made[reader.type]++;
        if (reader.type == ORR_WRAP_MASTER) {
            memcpy(reader.key, key.data(), 32);
            memcpy(opener.master, key.data(), 32);
        } else {
            ASSERT_EQ(orr_x25519_public(key.data(), reader.key), ORR_OK);
            memcpy(opener.x25519, key.data(), 32);
        }
        Wraps wraps;
        wraps.make(reader, wrapped, unhex(v[4]), seed.empty() ? nullptr : seed.data());
        EXPECT_EQ(hex(wraps.bytes, wraps.used), v[6]);
        orr_wrap wrap = {reader.type, &raw[8], &raw[24], raw.size() - 24};
        EXPECT_EQ(open_wrap(wrap, opener, unhex(v[4]), &opened), ORR_OK);
        EXPECT_EQ(memcmp(&opened, &wrapped, sizeof opened), 0);
    }
    EXPECT_EQ(made[ORR_WRAP_MASTER], 2);
    EXPECT_EQ(made[ORR_WRAP_RECIPIENT], 2);
}

TEST(Wrap, OpensWithItsKeyInItsFileAlone) {
    for (orr_wrap_type type : {ORR_WRAP_MASTER, ORR_WRAP_RECIPIENT}) {
        bool master = type == ORR_WRAP_MASTER;
        Bytes header = golden_header();
        orr_unwrap_key key = golden_key(0).opener();
        orr_file_secret opened, right = golden_secret();
        Wraps wraps;
        wraps.make(0, type);
        Bytes body(wraps.bytes + 24, wraps.bytes + wraps.used);
        ASSERT_EQ(body.size(), master ? 104u : 144u);
        orr_wrap wrap = {type, wraps.bytes + 8, body.data(), body.size()};
        EXPECT_EQ(open_wrap(wrap, key, header, &opened), ORR_OK);
        EXPECT_EQ(memcmp(&opened, &right, sizeof right), 0);
        for (size_t bit = 0; bit < 8 * body.size(); bit++) {
            body[bit / 8] ^= uint8_t(1 << bit % 8);
            EXPECT_EQ(open_wrap(wrap, key), ORR_AUTH) << bit;
            body[bit / 8] ^= uint8_t(1 << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * header.size(); bit += 7) { // any other file
            header[bit / 8] ^= uint8_t(1 << bit % 8);
            EXPECT_EQ(open_wrap(wrap, key, header), ORR_AUTH) << bit;
            header[bit / 8] ^= uint8_t(1 << bit % 8);
        }
        uint8_t *secret = master ? key.master : key.x25519;
        for (size_t bit = 8; bit < 240; bit += 5) {
            secret[bit / 8] ^= uint8_t(1 << bit % 8);
            EXPECT_EQ(open_wrap(wrap, key), ORR_AUTH) << bit;
            secret[bit / 8] ^= uint8_t(1 << bit % 8);
        }
        EXPECT_EQ(open_wrap(wrap, 1), ORR_AUTH);
        wrap.type = LATER;
        EXPECT_EQ(open_wrap(wrap, key), ORR_UNSUPPORTED);
        wrap.type = type;
        EXPECT_EQ(open_wrap(wrap, key), ORR_OK);
    }
}

// A master key does not wrap by itself: the key that does depends on the file.
TEST(Wrap, IsNoWrapUnderTheMasterKeyItself) {
    orr_file_secret secret = golden_secret();
    Bytes body(104);
    ASSERT_EQ(orr_kwp_wrap(golden_key(0).master.data(), &secret, sizeof secret, body.data()),
              ORR_OK);
    Wraps wraps;
    wraps.make(0);
    EXPECT_NE(memcmp(wraps.bytes + 24, body.data(), body.size()), 0);
    orr_wrap wrap = {ORR_WRAP_MASTER, wraps.bytes + 8, body.data(), body.size()};
    EXPECT_EQ(open_wrap(wrap, 0), ORR_AUTH);
}

// ---- slots

TEST(Slot, Vectors) {
    orr_file_keys keys = golden_keys();
    for (auto &v : vectors("container.txt", "slot")) {
        Wraps wraps;
        orr_slot slot;
        wraps.add_encoded(unhex(v[2]));
        EXPECT_EQ(wraps.count, number(v[1]));
        Bytes bytes = wraps.slot(number(v[0]), number(v[6])), head = unhex(v[3]);
        size_t end = bytes.size() - FOOT;
        EXPECT_EQ(hex(bytes.data(), head.size()), v[3]);
        EXPECT_TRUE(orr_all_zero(&bytes[head.size()], end - head.size()));
        EXPECT_EQ(hex(&bytes[end], 32), v[4]);
        EXPECT_EQ(hex(&bytes[end + 32], 16), v[5]);
        ASSERT_EQ(decode(bytes, &slot), ORR_OK);
        EXPECT_EQ(slot.generation, number(v[0]));
        EXPECT_EQ(slot.count, wraps.count);
        EXPECT_EQ(orr_slot_verify(&slot, keys.header_mac), ORR_OK);
        Wraps again; // what is read is what was written
        for (auto &wrap : wraps_of(slot)) ASSERT_EQ(orr_wraps_add(&again, &wrap, nullptr), ORR_OK);
        EXPECT_EQ(hex(again.bytes, again.used), v[2]);
    }
}

TEST(Slot, WrapsOfEachTypeAreFound) {
    Wraps wraps;
    Bytes id(16, 0x1d);
    ASSERT_EQ(wraps.add(LATER, id, Bytes(40, 7)), ORR_OK);
    wraps.make(1);
    ASSERT_EQ(wraps.add(3, id, Bytes()), ORR_OK); // no body at all
    wraps.make(0);
    ASSERT_EQ(wraps.add(0xffff, id, Bytes(1000, 9)), ORR_OK);
    wraps.make(1, ORR_WRAP_RECIPIENT);
    Bytes bytes = wraps.slot();
    orr_slot slot;
    ASSERT_EQ(decode(bytes, &slot), ORR_OK);
    std::vector<orr_wrap> found = wraps_of(slot);
    ASSERT_EQ(found.size(), 6u);
    const unsigned types[] = {LATER, 1, 3, 1, 0xffff, 2};
    const size_t sizes[] = {40, 104, 0, 104, 1000, 144};
    for (size_t i = 0; i < 6; i++) {
        EXPECT_EQ(found[i].type, types[i]);
        EXPECT_EQ(found[i].body_bytes, sizes[i]);
    }
    EXPECT_EQ(open_wrap(found[1], 1), ORR_OK);
    EXPECT_EQ(open_wrap(found[3], 0), ORR_OK);
    EXPECT_EQ(open_wrap(found[1], 0), ORR_AUTH);
    EXPECT_EQ(open_wrap(found[0], 0), ORR_UNSUPPORTED);
    EXPECT_EQ(open_wrap(found[5], 1), ORR_OK);
    EXPECT_EQ(open_wrap(found[5], 0), ORR_AUTH);
}

TEST(Slot, EveryFlippedBitIsSeen) {
    orr_file_keys keys = golden_keys();
    for (size_t pages : {1u, 2u}) {
        Wraps wraps;
        for (int i = 0; i < 20; i++) wraps.make(size_t(i % 2));
        Bytes bytes = wraps.slot(1, pages);
        size_t summed = bytes.size() - 16; // with the MAC
        orr_slot slot = {}, other;
        ASSERT_EQ(decode(bytes, &slot), ORR_OK);
        for (size_t bit = 0; bit < 8 * bytes.size(); bit++) {
            bytes[bit / 8] ^= uint8_t(1 << bit % 8);
            ASSERT_EQ(decode(bytes, &other), ORR_AUTH) << bit;
            ASSERT_EQ(orr_slot_verify(&slot, keys.header_mac), bit < 8 * summed ? ORR_AUTH : ORR_OK)
                << bit;
            bytes[bit / 8] ^= uint8_t(1 << bit % 8);
        }
        keys.header_mac[5] ^= 1;
        EXPECT_EQ(orr_slot_verify(&slot, keys.header_mac), ORR_AUTH);
        keys.header_mac[5] ^= 1;
    }
}

// Damage with the checksum put right again: what the decoder itself refuses.
TEST(Slot, FieldsRefusedUnderARightChecksum) {
    Wraps wraps;
    wraps.make(0);                                                   // at 24, 128 bytes
    ASSERT_EQ(wraps.add(LATER, Bytes(16, 5), Bytes(40, 7)), ORR_OK); // at 152, 64 bytes
    const Bytes good = wraps.slot();                                 // zero from 216
    const struct {
        size_t offset;
        uint64_t value;
        size_t bytes;
        const char *what;
    } cases[] = {
        {0, 'X', 1, "magic"},
        {7, '2', 1, "magic"},
        {8, 0, 8, "generation 0"},
        {16, 0, 4, "no wraps"},
        {16, 1, 4, "a wrap behind the last"},
        {16, 3, 4, "a wrap that is not there"},
        {16, 257, 4, "more wraps than there may be"},
        {16, 0xffffffff, 4, "more wraps than there may be"},
        {20, 1, 1, "reserved"},
        {23, 1, 1, "reserved"},
        {24, 0, 2, "type 0"},
        {26, 1, 1, "reserved of a wrap"},
        {27, 1, 1, "reserved of a wrap"},
        {28, 112, 4, "a master key's wrap too short"},
        {28, 128, 4, "a master key's wrap too long"},
        {24, 2, 2, "a recipient's wrap of another length"},
        {28, 120 + 64, 4, "a master key's wrap over the next"},
        {152 + 4, 0, 4, "a wrap without a key ID"},
        {152 + 4, 8, 4, "a wrap without a key ID"},
        {152 + 4, 48, 4, "a wrap a word shorter"},
        {152 + 4, 57, 4, "no multiple of 8"},
        {152 + 4, 60, 4, "no multiple of 8"},
        {152 + 4, ORR_PAGE - FOOT - 152, 4, "a wrap into the MAC"},
        {152 + 4, 0xfffffff8, 4, "a wrap beyond everything"},
        {216, 1, 1, "zero bytes"},
        {ORR_PAGE - FOOT - 1, 1, 1, "zero bytes"},
    };
    for (auto &c : cases) {
        Bytes bytes = good;
        for (size_t i = 0; i < c.bytes; i++) bytes[c.offset + i] = uint8_t(c.value >> 8 * i);
        ASSERT_NE(bytes, good) << c.what;
        container_slot_checksum(bytes.data(), bytes.size());
        EXPECT_EQ(decode(bytes), ORR_AUTH) << c.what;
    }
    Bytes bytes = good; // what no rule forbids, the MAC sees
    bytes[152] = LATER + 1;
    orr_store_le32(&bytes[152 + 4], 64);
    container_slot_checksum(bytes.data(), bytes.size());
    orr_slot slot;
    EXPECT_EQ(decode(bytes, &slot), ORR_OK);
    EXPECT_EQ(orr_slot_verify(&slot, golden_keys().header_mac), ORR_AUTH);
    // A slot read in another size is none.
    bytes = good;
    bytes.resize(2 * ORR_PAGE);
    EXPECT_EQ(decode(bytes), ORR_AUTH);
}

TEST(Slot, SwappedWrapsAreSeenByTheMac) {
    Wraps wraps, swapped;
    wraps.make(0);
    wraps.make(1);
    swapped.make(1);
    swapped.make(0);
    Bytes bytes = wraps.slot(), other = swapped.slot();
    std::copy(other.begin(), other.end() - long(FOOT), bytes.begin());
    container_slot_checksum(bytes.data(), bytes.size());
    orr_slot slot;
    ASSERT_EQ(decode(bytes, &slot), ORR_OK);
    EXPECT_EQ(orr_slot_verify(&slot, golden_keys().header_mac), ORR_AUTH);
}

TEST(Slot, RandomDamageUnderARightChecksum) {
    Wraps wraps;
    for (int i = 0; i < 30; i++)
        if (test_random()() % 2)
            wraps.make(size_t(i % 2));
        else
            ASSERT_EQ(wraps.add(unsigned(4 + i), Bytes(16, uint8_t(i)), Bytes(8 * size_t(i % 7))),
                      ORR_OK);
    const Bytes good = wraps.slot(3, 2);
    const orr_file_keys keys = golden_keys();
    for (int i = 0; i < 20000; i++) {
        Bytes bytes = good;
        for (uint64_t left = 1 + test_random()() % 3; left; left--) {
            size_t at = test_random()() % (test_random()() % 2 ? WRAPS + 16 : wraps.used + WRAPS);
            bytes[at] = uint8_t(test_random()());
        }
        container_slot_checksum(bytes.data(), bytes.size());
        orr_slot slot;
        if (decode(bytes, &slot) != ORR_OK) continue;
        std::vector<orr_wrap> found = wraps_of(slot);
        ASSERT_EQ(found.size(), slot.count);
        for (auto &wrap : found) {
            ASSERT_GE(wrap.body, bytes.data() + WRAPS);
            ASSERT_LE(wrap.body + wrap.body_bytes, bytes.data() + bytes.size() - FOOT);
        }
        if (bytes != good) {
            ASSERT_EQ(orr_slot_verify(&slot, keys.header_mac), ORR_AUTH);
        }
    }
}

// ---- how much a slot takes

TEST(Slot, Limits) {
    uint8_t mac[32] = {};
    Bytes page(ORR_PAGE), id(16, 1);
    orr_error error = {};
    Wraps none, some, many, large;
    EXPECT_EQ(orr_slot_encode(&none, 1, mac, page.data(), page.size()), ORR_INTERNAL);
    for (int i = 0; i < 31; i++) some.make(0); // 31 * 128 = 3968 of 4024 bytes
    EXPECT_EQ(orr_slot_encode(&some, 0, mac, page.data(), page.size()), ORR_INTERNAL);
    EXPECT_EQ(orr_slot_encode(&some, 1, mac, page.data(), page.size()), ORR_OK);
    ASSERT_EQ(some.add(LATER, id, Bytes(32)), ORR_OK); // 56 more: exactly full
    EXPECT_EQ(orr_slot_encode(&some, UINT64_MAX, mac, page.data(), page.size()), ORR_OK);
    orr_slot slot;
    ASSERT_EQ(decode(page, &slot), ORR_OK);
    EXPECT_EQ(wraps_of(slot).size(), 32u);
    EXPECT_EQ(slot.generation, UINT64_MAX);
    ASSERT_EQ(some.add(LATER, id, Bytes()), ORR_OK);
    EXPECT_EQ(orr_slot_encode(&some, 1, mac, page.data(), page.size()), ORR_INTERNAL);

    for (int i = 0; i < 256; i++) ASSERT_EQ(many.add(LATER, id, Bytes(8)), ORR_OK);
    EXPECT_EQ(many.add(LATER, id, Bytes(8), &error), ORR_UNSUPPORTED);
    EXPECT_NE(strstr(error.text, "256 wraps"), nullptr) << error.text;
    EXPECT_EQ(many.count, 256u);
    Bytes whole = many.slot(1, ORR_MAX_SLOT_PAGES);
    EXPECT_EQ(decode(whole), ORR_OK);

    const size_t most = ORR_MAX_SLOT_PAGES * ORR_PAGE - WRAPS - FOOT;
    EXPECT_EQ(large.add(LATER, id, Bytes(most - 24 + 8), &error), ORR_UNSUPPORTED);
    ASSERT_EQ(large.add(LATER, id, Bytes(most - 24), &error), ORR_OK);
    EXPECT_EQ(large.add(LATER, id, Bytes(), &error), ORR_UNSUPPORTED);
    whole = large.slot(1, ORR_MAX_SLOT_PAGES);
    ASSERT_EQ(decode(whole, &slot), ORR_OK);
    EXPECT_EQ(wraps_of(slot).size(), 1u);
}

TEST(Slot, PagesForSoManyKeysAndAsManyAgain) {
    std::vector<orr_wrap_key> keys(300, golden_key(0).reader(ORR_WRAP_MASTER));
    unsigned last = 1;
    for (size_t count = 1; count <= 256; count++) {
        unsigned pages = orr_slot_pages_for(keys.data(), count);
        ASSERT_GE(pages, last) << count;
        ASSERT_LE(pages, ORR_MAX_SLOT_PAGES) << count;
        size_t room = pages * size_t(ORR_PAGE) - WRAPS - FOOT;
        if (pages < ORR_MAX_SLOT_PAGES) {
            EXPECT_GE(room, 2 * 128 * count) << count;
        }
        EXPECT_GE(room, 128 * count) << count;
        if (pages > 1) {
            EXPECT_LT(room - ORR_PAGE, 2 * 128 * count) << count;
        }
        last = pages;
    }
    EXPECT_EQ(orr_slot_pages_for(keys.data(), 1), 1u);
    EXPECT_EQ(orr_slot_pages_for(keys.data(), 15), 1u);
    EXPECT_EQ(orr_slot_pages_for(keys.data(), 16), 2u);
    EXPECT_EQ(orr_slot_pages_for(keys.data(), 257), 0u);
    for (auto &key : keys) key.type = ORR_WRAP_RECIPIENT; // 168 bytes each
    EXPECT_EQ(orr_slot_pages_for(keys.data(), 11), 1u);
    EXPECT_EQ(orr_slot_pages_for(keys.data(), 12), 2u);
    EXPECT_EQ(orr_slot_pages_for(keys.data(), 256), ORR_MAX_SLOT_PAGES);
}

} // namespace
