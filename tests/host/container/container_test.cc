// Whole archive-profile files: written here byte for byte as the second reader writes them, read
// back, opened by libtiff, and refused under damage.
#include <gtest/gtest.h>

#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tiffio.h>
#include <xxhash.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "host/container/format.h"
#include "tests/support/random.h"
#include "tests/support/vectors.h"

namespace {

// A file in memory, gone at the end.
class TemporaryFile {
  public:
    TemporaryFile() : fd(memfd_create("orrery test", 0)) {
        name = "/proc/self/fd/" + std::to_string(fd);
    }
    ~TemporaryFile() { close(fd); }
    void write(const Bytes &bytes) {
        orr_error error;
        ASSERT_EQ(ftruncate(fd, 0), 0);
        ASSERT_EQ(orr_pwrite_all(fd, bytes.data(), bytes.size(), 0, "test", &error), ORR_OK);
    }
    Bytes read() const {
        struct stat s;
        orr_error error;
        EXPECT_EQ(fstat(fd, &s), 0);
        Bytes out(size_t(s.st_size));
        EXPECT_EQ(orr_pread_all(fd, out.data(), out.size(), 0, "test", &error), ORR_OK);
        return out;
    }
    int fd;
    std::string name;
};

struct Golden {
    std::string name;
    uint64_t length;
    bool sha256;
    uint32_t rule, k2;
    std::vector<Bytes> masters;
    uint64_t file_length;
    std::string file_sha256;
};

std::vector<Golden> goldens() {
    std::vector<Golden> out;
    for (auto &v : vectors("container.txt", "file")) {
        Golden g = {v[0],
                    std::stoull(v[1]),
                    v[2] == "1",
                    uint32_t(std::stoul(v[3])),
                    uint32_t(std::stoul(v[4])),
                    {},
                    std::stoull(v[6]),
                    v[7]};
        Bytes keys = unhex(v[5]);
        for (size_t i = 0; i < keys.size(); i += 32)
            g.masters.emplace_back(keys.begin() + long(i), keys.begin() + long(i) + 32);
        out.push_back(g);
    }
    return out;
}

Golden golden(const std::string &name) {
    for (auto &g : goldens()) {
        if (g.name == name) return g;
    }
    throw std::runtime_error("no golden file " + name);
}

Bytes recipe(uint64_t length) {
    Bytes out(length);
    for (uint64_t n = 0; n < length; n++) out[n] = uint8_t(n % 251 + n / 251);
    return out;
}

std::string sha256(const Bytes &bytes, Bytes *raw = nullptr) {
    uint8_t out[32];
    EXPECT_EQ(EVP_Digest(bytes.data(), bytes.size(), out, nullptr, EVP_sha256(), nullptr), 1);
    if (raw) raw->assign(out, out + 32);
    return hex(out, 32);
}

void xxh3(const uint8_t *data, size_t bytes, uint8_t out[16]) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
    memcpy(out, canonical.digest, 16);
}

orr_file_secret test_secret() {
    orr_file_secret secret;
    memcpy(secret.seal_root, unhex(vectors("container.txt", "keys")[0][0]).data(), 32);
    memcpy(secret.planet_secret, unhex(vectors("container.txt", "tile")[0][0]).data(), 64);
    return secret;
}

Bytes key_id(const Bytes &master) {
    static const std::map<Bytes, Bytes> known = [] {
        std::map<Bytes, Bytes> out;
        for (auto &v : vectors("container.txt", "master")) out[unhex(v[0])] = unhex(v[1]);
        return out;
    }();
    return known.at(master);
}

orr_wrap wrap_of(const Bytes &master, const orr_file_secret &secret) {
    orr_wrap wrap;
    uint8_t both[96];
    memcpy(both, secret.seal_root, 32);
    memcpy(both + 32, secret.planet_secret, 64);
    memcpy(wrap.key_id, key_id(master).data(), 16);
    EXPECT_EQ(orr_kwp_wrap(master.data(), both, 96, wrap.wrapped), ORR_OK);
    return wrap;
}

// One archive-profile file, sealed tile by tile in the plainest way.
struct Writer {
    orr_header header = {};
    orr_geometry geometry = {};
    orr_metadata metadata = {};
    orr_slot slot = {};
    orr_file_keys keys;
    orr_file_secret secret = test_secret();
    Bytes plain, digests;

    explicit Writer(const Golden &g) : plain(recipe(g.length)) {
        orr_error error;
        auto v = vectors("container.txt", "metadata")[1]; // for its path
        Bytes path = unhex(v[0]), hash;
        memcpy(metadata.path, path.data(), path.size());
        metadata.path_length = path.size();
        metadata.size = g.length;
        metadata.mtime_seconds = -1234567890;
        metadata.mtime_nanoseconds = 987654321;
        metadata.mode = 0640;
        strcpy(metadata.timestamp, "07-01-2025 12:34:56");
        metadata.has_sha256 = g.sha256;
        sha256(plain, &hash);
        memcpy(metadata.sha256, hash.data(), 32);
        EXPECT_EQ(orr_geometry_init(&geometry, g.length, orr_metadata_length(&metadata), &error),
                  ORR_OK);
        header.version = header.suite = 1;
        header.profile = ORR_PROFILE_ARCHIVE;
        header.rule = uint16_t(g.rule);
        header.k2 = g.k2;
        memcpy(header.file_id, unhex(vectors("container.txt", "header")[0][3]).data(), 32);
        header.length = g.length;
        header.metadata_length = orr_metadata_length(&metadata);
        header.file_length = geometry.file_length;
        header.pages = 1;
        uint8_t raw[ORR_HEADER_BYTES];
        orr_header_encode(&header, raw);
        EXPECT_EQ(orr_file_keys_derive(&keys, &secret, raw, &error), ORR_OK);
        slot.generation = 1;
        for (auto &master : g.masters) slot.wrap[slot.count++] = wrap_of(master, secret);
    }

    Bytes segment(uint64_t s) {
        orr_gcm *gcm = orr_gcm_new(keys.tile_key), *digest_gcm = orr_gcm_new(keys.digest_key);
        orr_cipher cipher;
        orr_error error;
        uint32_t tiles = orr_segment_tiles(&geometry, s);
        Bytes out(orr_segment_file_bytes(&geometry, s)), padded = plain;
        EXPECT_EQ(orr_cipher_init(&cipher, header.rule, header.k2, &error), ORR_OK);
        padded.resize(geometry.rows * 384);
        for (uint32_t t = 0; t < tiles; t++) {
            uint64_t tile = s * ORR_SEGMENT_TILES + t;
            uint32_t rows = orr_tile_rows(&geometry, tile);
            uint8_t *at = &out[tiles * 16u + 32 + t * size_t(ORR_TILE_BYTES)], nonce[12];
            orr_tile_key key;
            EXPECT_EQ(orr_tile_key_derive(&secret, tile, &key), ORR_OK);
            orr_tile_encrypt_portable(&cipher, &key, rows, &padded[tile * ORR_TILE_BYTES], at);
            orr_tile_nonce(&keys, tile, nonce);
            EXPECT_EQ(orr_gcm_seal(gcm, nonce, nullptr, 0, at, rows * 384u, at, &out[16 * t]),
                      ORR_OK);
        }
        uint8_t digest[16];
        xxh3(plain.data() + s * ORR_SEGMENT_BYTES,
             orr_segment_source_bytes(&geometry, plain.size(), s), digest);
        EXPECT_EQ(orr_digest_seal(digest_gcm, s, digest, &out[tiles * 16u]), ORR_OK);
        digests.insert(digests.end(), digest, digest + 16);
        orr_gcm_free(gcm);
        orr_gcm_free(digest_gcm);
        return out;
    }

    void write(int fd) {
        orr_error error;
        for (uint64_t s = 0; s < geometry.segments; s++) {
            Bytes bytes = segment(s);
            ASSERT_EQ(orr_pwrite_all(fd, bytes.data(), bytes.size(),
                                     orr_segment_offset(&geometry, s), "test", &error),
                      ORR_OK);
        }
        xxh3(digests.data(), digests.size(), metadata.digest);
        ASSERT_EQ(orr_archive_head_write(&header, &keys, &slot, &metadata, fd, "test", &error),
                  ORR_OK)
            << error.text;
    }
};

// What a keyring would do: the golden master keys.
struct Lookup {
    std::vector<Bytes> masters;
    orr_status other = ORR_KEY;
    static orr_status get(void *context, const uint8_t id[16], uint8_t key[32], orr_error *error) {
        auto *self = static_cast<Lookup *>(context);
        for (auto &master : self->masters) {
            if (memcmp(key_id(master).data(), id, 16) == 0) {
                memcpy(key, master.data(), 32);
                return ORR_OK;
            }
        }
        return orr_fail(error, self->other, "the keyring lacks this key");
    }
};

struct Opened {
    orr_container container = {};
    orr_file_secret secret = {};
    orr_file_keys keys = {};
    orr_error error = {};
    bool named = false; // the message names the file

    // The whole way up to the metadata.
    orr_status open(const Bytes &bytes, Lookup &lookup) {
        TemporaryFile file;
        orr_metadata metadata;
        file.write(bytes);
        orr_status status =
            orr_container_read(&container, file.fd, bytes.size(), "scan.svs", &error);
        if (status == ORR_OK) {
            status = orr_container_unlock(&container, Lookup::get, &lookup, "scan.svs", &secret,
                                          &keys, &error);
        }
        if (status == ORR_OK) {
            status =
                orr_container_metadata(&container, file.fd, &keys, "scan.svs", &metadata, &error);
            if (status == ORR_OK) orr_metadata_free(&metadata);
        }
        named = strncmp(error.text, "scan.svs: ", 10) == 0;
        return status;
    }
};

Bytes master(int n) {
    return unhex(vectors("container.txt", "master")[size_t(n)][0]);
}

TEST(Container, WritesWhatTheSecondReaderWrites) {
    for (auto &g : goldens()) {
        TemporaryFile file;
        Writer(g).write(file.fd);
        Bytes bytes = file.read();
        EXPECT_EQ(bytes.size(), g.file_length) << g.name;
        EXPECT_EQ(sha256(bytes), g.file_sha256) << g.name;
    }
}

TEST(Container, ReadsTheGoldenFiles) {
    for (std::string name : {"empty", "one-byte", "short", "rule-1"}) {
        Golden g = golden(name);
        Bytes bytes = read_file(vector_path("files/" + name + ".orr.tif"));
        ASSERT_EQ(sha256(bytes), g.file_sha256);
        Lookup lookup{{master(0)}};
        Opened opened;
        ASSERT_EQ(opened.open(bytes, lookup), ORR_OK) << opened.error.text;
        EXPECT_EQ(opened.container.header.length, g.length);
        EXPECT_EQ(opened.container.active, 0);
        orr_cipher cipher;
        orr_tile_key key;
        uint8_t nonce[12];
        const orr_geometry *geometry = &opened.container.geometry;
        uint32_t rows = orr_tile_rows(geometry, 0);
        Bytes tile(rows * 384), expected = recipe(g.length);
        const uint8_t *segment = &bytes[orr_segment_offset(geometry, 0)];
        orr_gcm *gcm = orr_gcm_new(opened.keys.tile_key);
        orr_tile_nonce(&opened.keys, 0, nonce);
        ASSERT_EQ(
            orr_gcm_open(gcm, nonce, nullptr, 0, segment + 48, tile.size(), tile.data(), segment),
            ORR_OK);
        orr_gcm_free(gcm);
        ASSERT_EQ(orr_cipher_init(&cipher, g.rule, g.k2, &opened.error), ORR_OK);
        ASSERT_EQ(orr_tile_key_derive(&opened.secret, 0, &key), ORR_OK);
        orr_tile_decrypt_portable(&cipher, &key, rows, tile.data(), tile.data());
        expected.resize(tile.size());
        EXPECT_EQ(tile, expected);
    }
}

TEST(Container, OpensInLibtiff) {
    for (std::string name : {"empty", "two-tiles", "one-segment", "two-segments"}) {
        Golden g = golden(name);
        TemporaryFile file;
        Writer writer(g);
        writer.write(file.fd);
        TIFF *tiff = TIFFOpen(file.name.c_str(), "r");
        ASSERT_NE(tiff, nullptr);
        uint32_t width = 0, height = 0;
        char *text = nullptr;
        TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
        TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
        ASSERT_EQ(TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &text), 1);
        EXPECT_STREQ(text, orr_description(ORR_PROFILE_ARCHIVE));
        EXPECT_EQ(width, 128u);
        EXPECT_EQ(height, writer.geometry.rows);
        ASSERT_EQ(TIFFNumberOfStrips(tiff), writer.geometry.tiles);
        Bytes strip(ORR_TILE_BYTES), whole = file.read();
        for (uint32_t n = 0; n < writer.geometry.tiles; n++) {
            uint32_t bytes = orr_tile_rows(&writer.geometry, n) * 384, segment = n / 128;
            ASSERT_EQ(TIFFReadEncodedStrip(tiff, n, strip.data(), -1), tmsize_t(bytes));
            uint64_t at = orr_segment_offset(&writer.geometry, segment) +
                          orr_segment_tiles(&writer.geometry, segment) * 16u + 32 +
                          n % 128 * uint64_t(49152);
            ASSERT_EQ(memcmp(strip.data(), &whole[at], bytes), 0) << n;
        }
        EXPECT_EQ(TIFFReadDirectory(tiff), 0); // one image
        TIFFClose(tiff);
    }
}

// Directories up to the largest classic TIFF and beyond: sparse files of which only the head is
// written, with the same bytes as the second reader expects.
TEST(Container, HeadsOfHugeFiles) {
    for (auto &v : vectors("container.txt", "directory")) {
        TemporaryFile file;
        Writer writer(golden("empty")); // lengths replaced below
        orr_error error;
        uint64_t length = std::stoull(v[0]);
        writer.metadata.size = writer.header.length = length;
        ASSERT_EQ(writer.header.metadata_length, std::stoull(v[1]));
        ASSERT_EQ(
            orr_geometry_init(&writer.geometry, length, writer.header.metadata_length, &error),
            ORR_OK);
        writer.header.file_length = writer.geometry.file_length;
        uint8_t raw[ORR_HEADER_BYTES];
        orr_header_encode(&writer.header, raw);
        ASSERT_EQ(orr_file_keys_derive(&writer.keys, &writer.secret, raw, &error), ORR_OK);
        if (ftruncate(file.fd, off_t(writer.geometry.file_length)) != 0)
            GTEST_SKIP() << "no large sparse files here";
        ASSERT_EQ(orr_archive_head_write(&writer.header, &writer.keys, &writer.slot,
                                         &writer.metadata, file.fd, "test", &error),
                  ORR_OK);

        Bytes directory(writer.geometry.data_offset - writer.geometry.ifd_offset);
        ASSERT_EQ(orr_pread_all(file.fd, directory.data(), directory.size(),
                                writer.geometry.ifd_offset, "test", &error),
                  ORR_OK);
        EXPECT_EQ(sha256(directory), v[2]) << length;

        TIFF *tiff = TIFFOpen(file.name.c_str(), "r");
        ASSERT_NE(tiff, nullptr);
        EXPECT_EQ(TIFFIsBigTIFF(tiff), writer.geometry.big);
        EXPECT_EQ(TIFFNumberOfStrips(tiff), writer.geometry.tiles);
        uint32_t last = uint32_t(writer.geometry.tiles - 1);
        EXPECT_EQ(TIFFGetStrileOffset(tiff, last) + TIFFGetStrileByteCount(tiff, last),
                  writer.geometry.file_length);
        TIFFClose(tiff);

        orr_container container;
        Lookup lookup{{master(0)}};
        orr_metadata metadata;
        ASSERT_EQ(
            orr_container_read(&container, file.fd, writer.geometry.file_length, "test", &error),
            ORR_OK);
        ASSERT_EQ(
            orr_container_metadata(&container, file.fd, &writer.keys, "test", &metadata, &error),
            ORR_OK)
            << error.text;
        EXPECT_EQ(metadata.size, length);
        orr_metadata_free(&metadata);
        uint8_t byte;
        uint64_t at = writer.geometry.data_offset - 1; // padding, or the end of the arrays
        ASSERT_EQ(pread(file.fd, &byte, 1, off_t(at)), 1);
        byte ^= 4;
        ASSERT_EQ(pwrite(file.fd, &byte, 1, off_t(at)), 1);
        EXPECT_EQ(orr_container_check_head(&container, file.fd, "test", &error), ORR_AUTH);
        EXPECT_NE(strstr(error.text, std::to_string(at).c_str()), nullptr) << error.text;
    }
}

TEST(Container, HeadRefusesMetadataOfAnotherLength) {
    TemporaryFile file;
    Writer writer(golden("empty"));
    orr_error error;
    writer.metadata.path_length--;
    EXPECT_EQ(orr_archive_head_write(&writer.header, &writer.keys, &writer.slot, &writer.metadata,
                                     file.fd, "test", &error),
              ORR_INTERNAL);
    EXPECT_TRUE(file.read().empty());
}

// ---- damage

TEST(Damage, EveryByteOfTheHeadIsChecked) {
    Bytes good = read_file(vector_path("files/short.orr.tif"));
    Lookup lookup{{master(0)}};
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
}

TEST(Damage, TruncationAndGrowthGiveLengths) {
    Bytes good = read_file(vector_path("files/short.orr.tif"));
    Lookup lookup{{master(0)}};
    for (size_t length = 0; length < good.size(); length += length < 300 ? 1 : 61) {
        Opened opened;
        orr_status status = opened.open(Bytes(good.begin(), good.begin() + long(length)), lookup);
        EXPECT_EQ(status, length < 24 ? ORR_NOT_ORRERY : ORR_AUTH) << length;
        bool said = strstr(opened.error.text, "truncated") != nullptr;
        EXPECT_EQ(said, length >= 24) << opened.error.text;
        if (length >= 224) {
            EXPECT_NE(strstr(opened.error.text, std::to_string(length).c_str()), nullptr);
            EXPECT_NE(strstr(opened.error.text, std::to_string(good.size()).c_str()), nullptr);
        }
    }
    Bytes grown = good;
    grown.push_back(0);
    Opened opened;
    EXPECT_EQ(opened.open(grown, lookup), ORR_AUTH);
    EXPECT_NE(strstr(opened.error.text, "grown"), nullptr);
}

TEST(Damage, ForeignFilesAreNotOurs) {
    Lookup lookup{{master(0)}};
    Opened opened;
    EXPECT_EQ(opened.open({}, lookup), ORR_NOT_ORRERY);
    EXPECT_EQ(opened.open(Bytes(100000, 0), lookup), ORR_NOT_ORRERY);
    Bytes other = random_bytes(20000);
    memcpy(other.data(), "II*\0\10\0\0\0", 8);
    EXPECT_EQ(opened.open(other, lookup), ORR_NOT_ORRERY);
}

TEST(Damage, KeysAreToldApart) {
    Bytes good = read_file(vector_path("files/one-byte.orr.tif")); // wraps: second key, first key
    Lookup none, first{{master(0)}}, second{{master(1)}}, broken{{}, ORR_INTERNAL};
    Opened opened;
    EXPECT_EQ(opened.open(good, none), ORR_KEY);
    EXPECT_NE(strstr(opened.error.text, "lacks"), nullptr);
    EXPECT_EQ(opened.open(good, first), ORR_OK);
    EXPECT_EQ(opened.open(good, second), ORR_OK);
    EXPECT_EQ(opened.open(good, broken), ORR_INTERNAL);
    EXPECT_EQ(opened.secret.seal_root[0] | opened.keys.tile_key[0], 0);
}

// Pages with checksums put right again, as someone who tampers would.
void put_slot(Bytes &file, int slot, const Bytes &page) {
    std::copy(page.begin(), page.end(), file.begin() + 4096 * (slot + 1));
    xxh3(&file[size_t(4096 * (slot + 1))], 4080, &file[size_t(4096 * (slot + 1) + 4080)]);
}

TEST(Damage, TamperedSlots) {
    Bytes good = read_file(vector_path("files/short.orr.tif"));
    Bytes page(good.begin() + 4096, good.begin() + 8192);
    Lookup lookup{{master(0)}};
    Opened opened;
    Bytes bytes = good, changed = page;
    changed[24 + 16 + 50] ^= 1; // inside the wrap
    put_slot(bytes, 0, changed);
    EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH);
    EXPECT_NE(strstr(opened.error.text, "slot A was altered"), nullptr) << opened.error.text;
    bytes = good;
    changed = page;
    changed[8] = 9; // a generation that the HMAC does not cover
    for (int slot : {0, 1}) {
        bytes = good;
        put_slot(bytes, slot, changed);
        EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH);
        EXPECT_NE(strstr(opened.error.text, slot ? "slot B" : "slot A"), nullptr)
            << opened.error.text;
    }
    bytes = good;
    changed[24] ^= 1; // a key ID nobody has
    put_slot(bytes, 0, changed);
    EXPECT_EQ(opened.open(bytes, lookup), ORR_KEY);
    bytes = good;
    bytes[4096] ^= 1;
    bytes[8192] ^= 1;
    EXPECT_EQ(opened.open(bytes, lookup), ORR_AUTH);
    EXPECT_NE(strstr(opened.error.text, "both wrap slots"), nullptr) << opened.error.text;
}

TEST(Damage, HeaderOrSlotOfAnotherFile) {
    // Two files under one master key with different secrets and IDs.
    Bytes ours = read_file(vector_path("files/short.orr.tif"));
    TemporaryFile file;
    Golden g = golden("short");
    Writer writer(g);
    orr_error error;
    uint8_t raw[ORR_HEADER_BYTES];
    memset(writer.secret.seal_root, 0x5a, 32);
    memset(writer.header.file_id, 0xa5, 32);
    orr_header_encode(&writer.header, raw);
    ASSERT_EQ(orr_file_keys_derive(&writer.keys, &writer.secret, raw, &error), ORR_OK);
    writer.slot.wrap[0] = wrap_of(g.masters[0], writer.secret);
    writer.write(file.fd);
    Bytes theirs = file.read();
    Lookup lookup{{master(0)}};
    Opened opened;
    ASSERT_EQ(opened.open(theirs, lookup), ORR_OK);
    ASSERT_EQ(theirs.size(), ours.size());
    Bytes slots = ours, header = ours, commitment = ours;
    std::copy(theirs.begin() + 4096, theirs.begin() + 12288, slots.begin() + 4096);
    std::copy(theirs.begin(), theirs.begin() + 4096, header.begin());
    std::copy(theirs.begin() + 224, theirs.begin() + 256, commitment.begin() + 224);
    for (const Bytes *bytes : {&slots, &header, &commitment}) {
        EXPECT_EQ(opened.open(*bytes, lookup), ORR_AUTH);
        EXPECT_NE(strstr(opened.error.text, "commitment"), nullptr) << opened.error.text;
    }
    Bytes metadata = ours;
    std::copy(theirs.begin() + 12288, theirs.begin() + 16384, metadata.begin() + 12288);
    EXPECT_EQ(opened.open(metadata, lookup), ORR_AUTH);
    EXPECT_NE(strstr(opened.error.text, "sealed metadata"), nullptr) << opened.error.text;
}

TEST(Damage, StaleSlotIsTheOneToWrite) {
    orr_container c = {};
    c.slot_good[0] = c.slot_good[1] = 1;
    c.slot[0].generation = c.slot[1].generation = 4;
    EXPECT_EQ(orr_container_stale_slot(&c), 1);
    c.slot[0].generation = 3;
    EXPECT_EQ(orr_container_stale_slot(&c), 0);
    c.slot_good[1] = 0;
    EXPECT_EQ(orr_container_stale_slot(&c), 1);
    c.slot_good[1] = 1;
    c.slot[0].generation = 9;
    c.slot_good[0] = 0;
    EXPECT_EQ(orr_container_stale_slot(&c), 0);
}

TEST(Damage, TheNewestGoodSlotIsUsed) {
    Bytes good = read_file(vector_path("files/short.orr.tif"));
    Writer writer(golden("short"));
    Lookup first{{master(0)}}, second{{master(1)}};
    uint8_t page[ORR_PAGE];
    writer.slot.generation = 2;
    writer.slot.wrap[0] = wrap_of(master(1), writer.secret);
    ASSERT_EQ(orr_slot_encode(&writer.slot, writer.keys.header_mac, page), ORR_OK);
    std::copy(page, page + ORR_PAGE, good.begin() + 8192); // B is newer: rewrap stopped half way
    Opened opened;
    EXPECT_EQ(opened.open(good, second), ORR_OK);
    EXPECT_EQ(opened.container.active, 1);
    EXPECT_EQ(opened.open(good, first), ORR_KEY);
    good[8192 + 100] ^= 1; // the newer slot is torn: the older one counts
    EXPECT_EQ(opened.open(good, first), ORR_OK);
    EXPECT_EQ(opened.container.slot_good[1], 0);
}

} // namespace
