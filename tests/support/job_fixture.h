// Whole jobs in the test's own process: a directory, keyrings without a passphrase, a CPU backend.
#ifndef ORRERY_TESTS_SUPPORT_JOB_FIXTURE_H
#define ORRERY_TESTS_SUPPORT_JOB_FIXTURE_H

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/job/job.h"
#include "kernels/map.h"
#include "tests/support/random.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

inline Bytes read_file(const fs::path &path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in.good()) << path;
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

inline void write_file(const fs::path &path, const void *bytes, size_t count) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(static_cast<const char *>(bytes), static_cast<long>(count));
    EXPECT_TRUE(out.good()) << path;
}

inline void write_file(const fs::path &path, const Bytes &bytes) {
    write_file(path, bytes.data(), bytes.size());
}

struct FileEnd {
    orr_outcome outcome;
    orr_status status;
    std::string source, target, reason, sha256;
    uint64_t bytes;
    std::string key_id;
};

struct JobEnd {
    orr_status status; // what the program exits with
    orr_summary summary;
    std::vector<FileEnd> files;
    std::vector<std::string> warnings, misnamed;
    std::string error;

    // The only file of a job with one file.
    const FileEnd &only() const {
        static const FileEnd none{ORR_OUT_FAILED,         ORR_INTERNAL, "", "",
                                  "no file was reported", "",           0,  ""};
        EXPECT_EQ(files.size(), 1u);
        return files.size() == 1 ? files[0] : none;
    }
    std::string said() const {
        std::string all = error;
        for (auto &f : files) all += "\n" + f.source + ": " + f.reason;
        for (auto &w : warnings) all += "\nwarning: " + w;
        return all;
    }
};

using Tweak = std::function<void(orr_job_options &)>;

// A keyring with keys and decoys that are the same in every run: known bytes to look for.
inline void fill_test_keyring(orr_keyring *ring, uint8_t mark) {
    orr_error error{};
    ASSERT_EQ(orr_keyring_init(ring, "test", &error), ORR_OK) << error.text;
    for (uint64_t i = 0; i < 3; i++) {
        orr_decoy decoy{{1000u * mark + i, 2000 + i, 3000 + i}};
        ASSERT_EQ(orr_keyring_add_decoy(ring, &decoy, &error), ORR_OK) << error.text;
    }
}

inline JobEnd run_job(orr_verb verb, const std::vector<fs::path> &inputs, const fs::path &output,
                      const orr_keyring *ring, orr_backend *backend, const Tweak &tweak = nullptr) {
    std::vector<std::string> names(inputs.begin(), inputs.end());
    std::vector<char *> paths;
    for (auto &n : names) paths.push_back(n.data());
    std::string out = output.string();
    orr_job_options options{};
    options.verb = verb;
    options.inputs.paths = paths.data();
    options.inputs.count = paths.size();
    options.output = out.empty() ? nullptr : out.c_str();
    options.profile = ORR_PROFILE_ARCHIVE;
    options.rule = ORR_RULE_DEFAULT;
    options.k2 = ORR_MAP_K2_DEFAULT;
    options.jobs = 2;
    options.mem = 1; // the smallest ring
    options.keyring = ring;
    options.backend = backend;
    if (tweak) tweak(options);
    JobEnd end{};
    orr_job_hooks hooks{};
    hooks.context = &end;
    hooks.file = [](void *context, const orr_file_event *event) {
        auto text = [](const char *s) { return std::string(s ? s : ""); };
        static_cast<JobEnd *>(context)->files.push_back(
            {event->outcome, event->status, text(event->source), text(event->target),
             text(event->reason), text(event->sha256), event->bytes, text(event->key_id)});
    };
    hooks.warning = [](void *context, const char *text) {
        // Tests give damaged copies names of their own, which is worth a warning, but not theirs.
        JobEnd *job = static_cast<JobEnd *>(context);
        bool misnamed = strstr(text, "by its seal: it was renamed");
        (misnamed ? job->misnamed : job->warnings).push_back(text);
    };
    orr_progress progress{};
    volatile sig_atomic_t stop = 0;
    orr_error error{};
    end.status = orr_job_run(&options, &hooks, &progress, &stop, &end.summary, &error);
    if (end.status == ORR_OK)
        end.status = end.summary.status;
    else
        end.error = error.text;
    return end;
}

// In memory where there is room for it: the tests flush thousands of small files.
inline fs::path quick_directory() {
    std::error_code none;
    bool memory =
        !getenv("TMPDIR") && fs::space("/dev/shm", none).available > UINT64_C(2) << 30 && !none;
    return memory ? fs::path("/dev/shm") : fs::temp_directory_path();
}

class JobTest : public ::testing::Test {
  protected:
    void SetUp() override {
        orr_error error{};
        fill_test_keyring(&ring, 1);
        fill_test_keyring(&stranger, 2);
        ASSERT_EQ(orr_cpu_backend_open(2, ORR_SIMD_BEST, &backend, &error), ORR_OK) << error.text;
    }
    void TearDown() override {
        if (backend) backend->api->close(backend);
        orr_keyring_free(&ring);
        orr_keyring_free(&stranger);
        if (HasFailure())
            std::printf("ORRERY_SEED=%llu\n", static_cast<unsigned long long>(test_seed()));
    }

    JobEnd run(orr_verb verb, const std::vector<fs::path> &inputs, const fs::path &output,
               const Tweak &tweak = nullptr) {
        return run_job(verb, inputs, output, &ring, backend, tweak);
    }

    // Encrypts `plain` as directory/name and returns the container's bytes.
    Bytes container(const std::string &name, const Bytes &plain, const Tweak &tweak = nullptr) {
        write_file(directory / name, plain);
        fs::path out = directory / (name + ".made.orr.tif");
        JobEnd end = run(ORR_VERB_ENCRYPT, {directory / name}, out, tweak);
        EXPECT_EQ(end.status, ORR_OK) << end.said();
        Bytes made = read_file(out);
        fs::remove(out);
        return made;
    }

    // Every file below a directory, with its relative path.
    static std::vector<std::string> files_below(const fs::path &top) {
        std::vector<std::string> found;
        if (!fs::exists(top)) return found;
        for (auto &entry : fs::recursive_directory_iterator(top))
            // What jobs note of their sources (host/job/state.h) is no output.
            if (!entry.is_directory() && entry.path().filename() != ".orrery-state")
                found.push_back(fs::relative(entry.path(), top).string());
        std::sort(found.begin(), found.end());
        return found;
    }

    Scratch scratch{quick_directory()};
    fs::path directory = scratch.path();
    orr_keyring ring{}, stranger{};
    orr_backend *backend = nullptr;
};

#endif
