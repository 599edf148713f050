// The golden files of tests/vectors: made here as the second writer made them, and opened.
#ifndef ORRERY_TESTS_SUPPORT_GOLDEN_CONTAINER_H
#define ORRERY_TESTS_SUPPORT_GOLDEN_CONTAINER_H

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "host/container/format.h"
#include "tests/support/containers.h"
#include "tests/support/golden.h"

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
    unsigned slot_pages, repair_pages;
    uint32_t groups;
};

inline std::vector<Golden> goldens() {
    std::vector<Golden> out;
    for (auto &v : vectors("container.txt", "file")) {
        Golden g = {v[0],
                    number(v[1]),
                    v[2] == "1",
                    uint32_t(number(v[3])),
                    uint32_t(number(v[4])),
                    {},
                    number(v[6]),
                    v[7],
                    unsigned(number(v[8])),
                    unsigned(number(v[9])),
                    uint32_t(number(v[10]))};
        Bytes keys = unhex(v[5]);
        for (size_t i = 0; i < keys.size(); i += 32)
            g.masters.emplace_back(keys.begin() + long(i), keys.begin() + long(i) + 32);
        out.push_back(g);
    }
    return out;
}

inline Golden golden(const std::string &name) {
    for (auto &g : goldens()) {
        if (g.name == name) return g;
    }
    throw std::runtime_error("no golden file " + name);
}

inline Bytes golden_file(const std::string &name) {
    return read_file(vector_path("files/" + name + ".orr.tif"));
}

inline Bytes recipe(uint64_t length) {
    Bytes out(length);
    for (uint64_t n = 0; n < length; n++) out[n] = uint8_t(n % 251 + n / 251);
    return out;
}

inline std::string sha256(const Bytes &bytes, uint8_t *raw = nullptr) {
    uint8_t out[32];
    EXPECT_EQ(EVP_Digest(bytes.data(), bytes.size(), out, nullptr, EVP_sha256(), nullptr), 1);
    if (raw) memcpy(raw, out, 32);
    return hex(out, 32);
}

// What stands for something random in the golden files.
inline void golden_draw(const std::string &name, uint8_t *out, size_t bytes) {
    std::string text = "orrery test " + name;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EXPECT_EQ(EVP_DigestInit_ex(context, EVP_shake256(), nullptr), 1);
    EXPECT_EQ(EVP_DigestUpdate(context, text.data(), text.size()), 1);
    EXPECT_EQ(EVP_DigestFinalXOF(context, out, bytes), 1);
    EVP_MD_CTX_free(context);
}

// One file as the second writer would make it; a draft that frees itself.
struct Writer : container_draft {
    Bytes plain;
    std::vector<orr_wrap_key> readers;

    explicit Writer(const Golden &g) : plain(recipe(g.length)) {
        container_draft_begin(this, g.length);
        auto v = vectors("container.txt", "metadata")[1]; // for its path
        Bytes path = unhex(v[0]);
        memset(metadata.path, 0, sizeof metadata.path);
        memcpy(metadata.path, path.data(), path.size());
        metadata.path_length = path.size();
        metadata.mtime_seconds = -1234567890;
        metadata.mtime_nanoseconds = 987654321;
        metadata.mode = 0640;
        metadata.written_seconds = 1736253296;
        metadata.written_nanoseconds = 5;
        strcpy(metadata.timestamp, "07-01-2025 12:34:56");
        metadata.has_sha256 = g.sha256;
        sha256(plain, metadata.sha256);
        secret = golden_secret();
        header.rule = uint16_t(g.rule);
        header.k2 = g.k2;
        header.slot_pages = g.slot_pages;
        header.repair_pages = g.repair_pages;
        header.groups = g.groups;
        memcpy(header.file_id, unhex(vectors("container.txt", "header")[0][3]).data(), 32);
        golden_draw("metadata salt", metadata_salt, sizeof metadata_salt);
        segment_salt = [](uint64_t s, uint8_t *salt) {
            golden_draw("segment salt " + std::to_string(s), salt, ORR_SALT_BYTES);
        };
        for (auto &master : g.masters) readers.push_back(container_reader(master.data()));
        settle();
    }
    Writer(const Writer &) = delete;
    Writer &operator=(const Writer &) = delete;
    ~Writer() { container_draft_end(this); }

    void settle() { container_draft_settle(this, readers.data(), readers.size()); }
    void write(int fd) { container_draft_write(this, plain.data(), fd); }
    Bytes file() {
        TemporaryFile temporary;
        write(temporary.fd);
        return temporary.read();
    }
    // A slot that says what these wraps say, under the file's MAC.
    Bytes slot(const orr_wraps &list, uint64_t generation = 1) const {
        Bytes out(orr_slot_size(&header));
        EXPECT_EQ(orr_slot_encode(&list, generation, keys.header_mac, out.data(), out.size()),
                  ORR_OK);
        return out;
    }
    void put(Bytes &file, int n, const Bytes &slot_bytes) const {
        std::copy(slot_bytes.begin(), slot_bytes.end(),
                  file.begin() + long(orr_slot_offset(&header, n)));
    }
};

struct Wraps : orr_wraps {
    Wraps() : orr_wraps{} {}
    Wraps(const Wraps &) = delete;
    Wraps &operator=(const Wraps &) = delete;
    ~Wraps() { orr_wraps_free(this); }
    Wraps &make(const Writer &writer, size_t key, orr_wrap_type type = ORR_WRAP_MASTER) {
        return make(writer, key, type, writer.secret);
    }
    Wraps &make(const Writer &writer, size_t key, orr_wrap_type type,
                const orr_file_secret &secret) {
        static const uint8_t seed[32] = {7};
        orr_wrap_key reader = golden_key(key).reader(type);
        EXPECT_EQ(orr_wraps_make(this, &reader, seed, &secret, writer.header_bytes, nullptr),
                  ORR_OK);
        return *this;
    }
    Wraps &add(unsigned type, const uint8_t *id, const Bytes &body) {
        orr_wrap wrap = {type, id, body.data(), body.size()};
        EXPECT_EQ(orr_wraps_add(this, &wrap, nullptr), ORR_OK);
        return *this;
    }
};

// What a keyring would do: the golden keys with these numbers.
struct Lookup {
    std::vector<size_t> known;
    orr_status other = ORR_KEY;
    static orr_status get(void *context, const uint8_t id[16], orr_unwrap_key *key,
                          orr_error *error) {
        auto *self = static_cast<Lookup *>(context);
        for (size_t n : self->known) {
            if (memcmp(golden_key(n).id.data(), id, 16)) continue;
            *key = golden_key(n).opener();
            return ORR_OK;
        }
        return orr_fail(error, self->other, "the keyring lacks this key");
    }
};

struct Opened {
    orr_container container = {};
    orr_file_secret secret = {};
    orr_file_keys keys = {};
    orr_metadata metadata = {};
    orr_error error = {};
    bool named = false; // the message names the file

    Opened() = default;
    Opened(const Opened &) = delete;
    Opened &operator=(const Opened &) = delete;
    ~Opened() { forget(); }

    // The whole way up to the metadata.
    orr_status open(const Bytes &bytes, Lookup &lookup) {
        TemporaryFile file;
        file.write(bytes);
        forget();
        orr_status status =
            orr_container_read(&container, file.fd, bytes.size(), "scan.svs", &error);
        if (status == ORR_OK)
            status = orr_container_unlock(&container, Lookup::get, &lookup, "scan.svs", &secret,
                                          &keys, &error);
        if (status == ORR_OK)
            status =
                orr_container_metadata(&container, file.fd, &keys, "scan.svs", &metadata, &error);
        named = strncmp(error.text, "scan.svs: ", 10) == 0;
        return status;
    }
    bool says(const char *words) const { return strstr(error.text, words) != nullptr; }
    void forget() {
        orr_container_free(&container);
        orr_metadata_free(&metadata);
        error = {};
    }
};

#endif
