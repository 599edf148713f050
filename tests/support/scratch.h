// A directory that goes with the test that made it.
#ifndef ORRERY_TESTS_SUPPORT_SCRATCH_H
#define ORRERY_TESTS_SUPPORT_SCRATCH_H

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

// Under `parent`, by default where temporary files go.
class Scratch {
  public:
    explicit Scratch(const std::filesystem::path &parent = std::filesystem::temp_directory_path())
        : name((parent / "orrery-test-XXXXXX").string()) {
        EXPECT_NE(mkdtemp(name.data()), nullptr) << name;
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(name, ignored);
    }
    Scratch(const Scratch &) = delete;
    Scratch &operator=(const Scratch &) = delete;
    const std::string &path() const { return name; }
    std::string path(const std::string &below) const { return name + "/" + below; }

  private:
    std::string name;
};

#endif
