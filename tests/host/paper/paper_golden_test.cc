// The paper profile on the golden TIFF: byte for byte the file that the second reader's arithmetic
// makes (tests/oracles/paper_golden.py), and back.
#include <gtest/gtest.h>

#include <cstring>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/paper/paper.h"
#include "tests/support/vectors.h"

namespace {

struct MemoryFile {
    int fd = memfd_create("orrery test", 0);
    MemoryFile() = default;
    explicit MemoryFile(const Bytes &bytes) {
        orr_error error;
        EXPECT_EQ(orr_pwrite_all(fd, bytes.data(), bytes.size(), 0, "test", &error), ORR_OK);
    }
    ~MemoryFile() { close(fd); }
    Bytes read() const {
        struct stat s;
        orr_error error;
        EXPECT_EQ(fstat(fd, &s), 0);
        Bytes out(static_cast<size_t>(s.st_size));
        EXPECT_EQ(orr_pread_all(fd, out.data(), out.size(), 0, "test", &error), ORR_OK);
        return out;
    }
};

Bytes source() {
    return read_file(vector_path("files/two-pages.tif"));
}
Bytes golden() {
    return read_file(vector_path("files/two-pages.paper.orr.tif"));
}

// The TEST master key of the golden files.
orr_wrap_key reader() {
    orr_wrap_key key = {ORR_WRAP_MASTER, {}, {}};
    auto v = vectors("container.txt", "master")[0];
    memcpy(key.key, unhex(v[0]).data(), 32);
    memcpy(key.key_id, unhex(v[1]).data(), 16);
    return key;
}

orr_status lookup(void *, const uint8_t id[16], orr_unwrap_key *key, orr_error *error) {
    orr_wrap_key known = reader();
    if (memcmp(known.key_id, id, 16) != 0) return orr_fail(error, ORR_KEY, "no such key");
    memcpy(key->master, known.key, 32);
    return ORR_OK;
}

// The golden file, opened.
struct Golden {
    MemoryFile file{golden()};
    orr_container container = {};
    orr_file_secret secret;
    orr_file_keys keys;
    orr_metadata metadata = {};
    uint8_t salt[ORR_SALT_BYTES];
    Golden() {
        orr_error error = {};
        EXPECT_EQ(orr_container_read(&container, file.fd, golden().size(), "golden", &error),
                  ORR_OK)
            << error.text;
        EXPECT_EQ(
            orr_container_unlock(&container, lookup, nullptr, "golden", &secret, &keys, &error),
            ORR_OK)
            << error.text;
        EXPECT_EQ(orr_container_metadata(&container, file.fd, &keys, "golden", &metadata, &error),
                  ORR_OK)
            << error.text;
        // Which salt it was is in the file alone.
        EXPECT_EQ(orr_pread_all(file.fd, salt, sizeof salt, orr_metadata_offset(&container.header),
                                "golden", &error),
                  ORR_OK);
    }
    ~Golden() {
        orr_metadata_free(&metadata);
        orr_container_free(&container);
    }
};

TEST(PaperGolden, EncryptsToTheSameBytes) {
    Golden golden_file;
    const orr_metadata &recorded = golden_file.metadata;
    Bytes plain = source(), path = unhex(vectors("container.txt", "metadata")[1][0]),
          secret = unhex(vectors("container.txt", "keys")[0][0]),
          file_id = unhex(vectors("container.txt", "header")[0][3]);
    orr_metadata metadata = {};
    orr_error error = {};
    memcpy(metadata.path, path.data(), path.size());
    metadata.path_length = path.size();
    metadata.size = plain.size();
    metadata.mtime_seconds = -1234567890;
    metadata.mtime_nanoseconds = 987654321;
    metadata.mode = 0640;
    metadata.written_seconds = 1736253296;
    metadata.written_nanoseconds = 5;
    memcpy(metadata.timestamp, "07-01-2025 12:34:56", 20);
    metadata.has_sha256 = 1;
    memcpy(metadata.sha256, recorded.sha256, 32);

    orr_wrap_key key = reader();
    orr_file_secret known;
    ASSERT_EQ(secret.size(), sizeof known);
    memcpy(&known, secret.data(), sizeof known);
    EXPECT_EQ(memcmp(&known, &golden_file.secret, sizeof known), 0);
    orr_paper_request request = {};
    request.name = "golden";
    request.rule = 37241;
    request.k2 = 2825054457u;
    request.secret = &known;
    request.readers = &key;
    request.reader_count = request.slot_pages = 1;
    request.file_id = file_id.data();
    request.metadata_salt = golden_file.salt;
    request.metadata = &metadata;
    request.means.memory = 64u << 20;
    MemoryFile in(plain), out;
    ASSERT_EQ(orr_paper_encrypt(&request, in.fd, out.fd, &error), ORR_OK) << error.text;
    EXPECT_EQ(hex(metadata.paper, metadata.paper_length),
              hex(recorded.paper, recorded.paper_length));
    EXPECT_EQ(memcmp(metadata.digest, recorded.digest, 16), 0);
    EXPECT_TRUE(out.read() == golden());

    // And back: the same pixels and tags make the same page table.
    MemoryFile back, again;
    ASSERT_EQ(orr_paper_decrypt(&golden_file.container, &golden_file.secret, &recorded, nullptr,
                                golden_file.file.fd, back.fd, "golden", &error),
              ORR_OK)
        << error.text;
    orr_metadata_free(&metadata);
    metadata = recorded;
    metadata.paper = nullptr;
    request.metadata = &metadata;
    ASSERT_EQ(orr_paper_encrypt(&request, back.fd, again.fd, &error), ORR_OK) << error.text;
    EXPECT_TRUE(again.read() == golden());
    orr_metadata_free(&metadata);
}

} // namespace
