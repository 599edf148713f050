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
orr_status lookup(void *, const uint8_t id[16], uint8_t key[32], orr_error *error) {
    auto v = vectors("container.txt", "master")[0];
    if (memcmp(unhex(v[1]).data(), id, 16) != 0) return orr_fail(error, ORR_KEY, "no such key");
    memcpy(key, unhex(v[0]).data(), 32);
    return ORR_OK;
}

TEST(PaperGolden, EncryptsToTheSameBytes) {
    Bytes plain = source(), path = unhex(vectors("container.txt", "metadata")[1][0]);
    orr_file_secret secret;
    orr_slot slot = {};
    orr_metadata metadata = {};
    orr_error error = {};
    uint8_t both[96];
    auto header = vectors("container.txt", "header")[0], keys = vectors("container.txt", "keys")[0];
    Bytes file_id = unhex(header[3]);
    memcpy(secret.seal_root, unhex(keys[0]).data(), 32);
    memcpy(secret.planet_secret, unhex(vectors("container.txt", "tile")[0][0]).data(), 64);
    memcpy(both, secret.seal_root, 32);
    memcpy(both + 32, secret.planet_secret, 64);
    Bytes master = unhex(vectors("container.txt", "master")[0][0]);
    slot.generation = slot.count = 1;
    memcpy(slot.wrap[0].key_id, unhex(vectors("container.txt", "master")[0][1]).data(), 16);
    ASSERT_EQ(orr_kwp_wrap(master.data(), both, 96, slot.wrap[0].wrapped), ORR_OK);
    memcpy(metadata.path, path.data(), path.size());
    metadata.path_length = path.size();
    metadata.size = plain.size();
    metadata.mtime_seconds = -1234567890;
    metadata.mtime_nanoseconds = 987654321;
    metadata.mode = 0640;
    memcpy(metadata.timestamp, "07-01-2025 12:34:56", 20);

    MemoryFile in(plain), out;
    // The golden file records the SHA-256 of the source; read it from there.
    orr_container container;
    orr_file_secret opened;
    orr_file_keys file_keys;
    orr_metadata recorded;
    MemoryFile reference(golden());
    ASSERT_EQ(orr_container_read(&container, reference.fd, golden().size(), "golden", &error),
              ORR_OK);
    ASSERT_EQ(
        orr_container_unlock(&container, lookup, nullptr, "golden", &opened, &file_keys, &error),
        ORR_OK);
    ASSERT_EQ(
        orr_container_metadata(&container, reference.fd, &file_keys, "golden", &recorded, &error),
        ORR_OK)
        << error.text;
    metadata.has_sha256 = 1;
    memcpy(metadata.sha256, recorded.sha256, 32);

    orr_paper_request request = {
        "golden", 37241,          2825054457u, &secret,
        &slot,    file_id.data(), &metadata,   {nullptr, 64u << 20, nullptr, nullptr}};
    ASSERT_EQ(orr_paper_encrypt(&request, in.fd, out.fd, &error), ORR_OK) << error.text;
    EXPECT_EQ(hex(metadata.paper, metadata.paper_length),
              hex(recorded.paper, recorded.paper_length));
    EXPECT_EQ(memcmp(metadata.digest, recorded.digest, 16), 0);
    EXPECT_TRUE(out.read() == golden());

    // And back: the same pixels and tags make the same page table.
    MemoryFile back, again;
    ASSERT_EQ(orr_paper_decrypt(&container, &opened, &recorded, nullptr, reference.fd, back.fd,
                                "golden", &error),
              ORR_OK)
        << error.text;
    orr_metadata_free(&metadata);
    metadata = recorded;
    metadata.paper = nullptr;
    request.metadata = &metadata;
    ASSERT_EQ(orr_paper_encrypt(&request, back.fd, again.fd, &error), ORR_OK) << error.text;
    EXPECT_TRUE(again.read() == golden());
    orr_metadata_free(&metadata);
    orr_metadata_free(&recorded);
}

} // namespace
