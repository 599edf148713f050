// --check cpu: a device that enciphers wrongly, and does not know it, leaves no file.
#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "host/container/tile_read.h"
#include "tests/support/job_fixture.h"
#include "tests/support/small_tiffs.h"

namespace {

// The CPU backend, with one bit of every tile and page that it enciphers flipped.
struct Liar {
    orr_backend base;
    orr_backend_api api;
    orr_backend *honest;
};

Liar *liar_of(orr_backend *backend) {
    return reinterpret_cast<Liar *>(backend);
}

void make_liar(Liar *liar, orr_backend *honest) {
    liar->honest = honest;
    liar->api = *honest->api;
    liar->base.api = &liar->api;
    liar->api.properties = [](const orr_backend *backend, orr_backend_properties *properties) {
        orr_backend *inner = reinterpret_cast<const Liar *>(backend)->honest;
        inner->api->properties(inner, properties);
    };
    liar->api.alloc = [](orr_backend *backend, size_t bytes) {
        orr_backend *inner = liar_of(backend)->honest;
        return inner->api->alloc(inner, bytes);
    };
    liar->api.free = [](orr_backend *backend, void *memory, size_t bytes) {
        orr_backend *inner = liar_of(backend)->honest;
        inner->api->free(inner, memory, bytes);
    };
    liar->api.submit = [](orr_backend *backend, orr_batch *batch, orr_error *error) {
        orr_backend *inner = liar_of(backend)->honest;
        return inner->api->submit(inner, batch, error);
    };
    liar->api.wait = [](orr_backend *backend, orr_batch *batch, orr_error *error) {
        orr_backend *inner = liar_of(backend)->honest;
        orr_status status = inner->api->wait(inner, batch, error);
        for (size_t n = 0; n < batch->count && batch->op != ORR_TILE_DECRYPT; n++)
            batch->out[batch->tasks[n].offset] ^= 4;
        return status;
    };
    liar->api.volume_submit = [](orr_backend *backend, orr_volume_task *task, orr_error *error) {
        orr_backend *inner = liar_of(backend)->honest;
        return inner->api->volume_submit(inner, task, error);
    };
    liar->api.volume_wait = [](orr_backend *backend, orr_volume_task *task, orr_error *error) {
        orr_backend *inner = liar_of(backend)->honest;
        orr_status status = inner->api->volume_wait(inner, task, error);
        if (task->op == ORR_VOLUME_ENCRYPT) task->out[0] ^= 4;
        return status;
    };
}

class CheckCpu : public JobTest, public testing::WithParamInterface<orr_profile> {
  protected:
    JobEnd made(orr_verb verb, const char *from, const char *to, orr_backend *with, bool check) {
        return run_job(verb, {directory / from}, directory / to, &ring, with, [&](auto &o) {
            o.profile = GetParam();
            o.check_cpu = check;
            o.mem = 64 << 20;
        });
    }
};

TEST_P(CheckCpu, AWrongFileIsNotKept) {
    Liar liar;
    make_liar(&liar, backend);
    write_small_tiffs(directory / "in");
    for (orr_verb verb : {ORR_VERB_ENCRYPT, ORR_VERB_REENCRYPT}) {
        std::string name = verb == ORR_VERB_ENCRYPT ? "encrypted" : "reencrypted";
        const char *from = verb == ORR_VERB_ENCRYPT ? "in" : "encrypted";
        JobEnd good = made(verb, from, name.c_str(), backend, true);
        EXPECT_EQ(good.status, ORR_OK) << good.said();
        EXPECT_EQ(good.summary.done, 4u);
        JobEnd unseen = made(verb, from, (name + "-unseen").c_str(), &liar.base, false);
        EXPECT_EQ(unseen.status, ORR_OK) << "only the check sees it\n" << unseen.said();
        JobEnd seen = made(verb, from, (name + "-seen").c_str(), &liar.base, true);
        EXPECT_EQ(seen.status, ORR_SELF_TEST) << seen.said();
        EXPECT_NE(seen.said().find("does not decrypt on the CPU"), std::string::npos)
            << seen.said();
        for (auto &file : files_below(directory / (name + "-seen")))
            EXPECT_EQ(file.find(".tif"), std::string::npos) << file << " was kept";
    }
}

// Nearly every bit of this file's only tile is padding, so what one flipped bit spoils is most
// often padding alone; no digest covers it, and decrypt refuses what is not zero. The paper profile
// pads nothing.
using CheckCpuArchive = JobTest;

TEST_F(CheckCpuArchive, AWrongPaddingIsNotKept) {
    Liar liar;
    make_liar(&liar, backend);
    write_file(directory / "one", Bytes{7});
    for (int round = 0; round < 8; round++) {
        JobEnd seen = run_job(ORR_VERB_ENCRYPT, {directory / "one"}, directory / "one.orr.tif",
                              &ring, &liar.base, [](auto &o) { o.check_cpu = true; });
        EXPECT_EQ(seen.status, ORR_SELF_TEST) << seen.said();
        EXPECT_FALSE(fs::exists(directory / "one.orr.tif"));
        fs::remove(directory / "one.orr.tif");
    }
}

// A sealed digest that is not that of its segment: decrypt refuses the file, so the check must.
TEST_F(CheckCpuArchive, AWrongSealedDigestIsSeen) {
    Bytes plain = random_bytes(2 * ORR_SEGMENT_BYTES + 100), file = container("three", plain);
    fs::path path = directory / "three.orr.tif";
    write_file(path, file);
    int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    orr_container c{};
    orr_file_secret secret;
    orr_file_keys keys;
    orr_metadata metadata{};
    orr_cipher cipher;
    orr_error error{};
    ASSERT_EQ(orr_container_read(&c, fd, file.size(), "c", &error), ORR_OK) << error.text;
    ASSERT_EQ(orr_container_unlock(&c, orr_keyring_lookup, &ring, "c", &secret, &keys, &error),
              ORR_OK);
    ASSERT_EQ(orr_container_read_metadata(&c, fd, &keys, "c", &metadata, &error), ORR_OK);
    ASSERT_EQ(orr_cipher_init(&cipher, c.header.rule, c.header.k2, &error), ORR_OK);
    auto check = [&] {
        return orr_container_check(fd, &c.geometry, &secret, &keys, &cipher, plain.size(),
                                   metadata.digest, nullptr, "c", &error);
    };
    EXPECT_EQ(check(), ORR_OK) << error.text;

    orr_gcm *gcm = orr_gcm_new(keys.digest_key);
    for (uint64_t segment = 0; segment < 3; segment++) {
        uint64_t head = orr_segment_offset(&c.geometry, segment),
                 at = head + offsetof(orr_segment_head, sealed_digest);
        uint8_t right[ORR_SEALED_DIGEST_BYTES], wrong[ORR_SEALED_DIGEST_BYTES], digest[16],
            salt[ORR_SALT_BYTES];
        orr_segment_nonces nonces;
        ASSERT_EQ(pread(fd, salt, sizeof salt,
                        static_cast<off_t>(head + offsetof(orr_segment_head, salt))),
                  16);
        ASSERT_EQ(orr_segment_nonces_derive(&keys, segment, salt, &nonces), ORR_OK);
        ASSERT_EQ(pread(fd, right, sizeof right, static_cast<off_t>(at)), 32);
        ASSERT_EQ(orr_digest_open(gcm, &nonces, right, digest), ORR_OK);
        digest[segment] ^= 1;
        ASSERT_EQ(orr_digest_seal(gcm, &nonces, digest, wrong), ORR_OK);
        ASSERT_EQ(pwrite(fd, wrong, sizeof wrong, static_cast<off_t>(at)), 32);
        EXPECT_EQ(check(), ORR_SELF_TEST) << segment;
        ASSERT_EQ(pwrite(fd, right, sizeof right, static_cast<off_t>(at)), 32);
    }
    EXPECT_EQ(check(), ORR_OK) << error.text;
    orr_gcm_free(gcm);
    orr_metadata_free(&metadata);
    orr_container_free(&c);
    close(fd);
}

INSTANTIATE_TEST_SUITE_P(Profiles, CheckCpu,
                         testing::Values(ORR_PROFILE_ARCHIVE, ORR_PROFILE_PAPER),
                         [](const auto &about) {
                             return about.param == ORR_PROFILE_PAPER ? "Paper" : "Archive";
                         });

} // namespace
