// Golden vectors: text files of lines "kind word word ...", bytes in hexadecimal, "-" for no bytes.
#ifndef ORRERY_TESTS_SUPPORT_VECTORS_H
#define ORRERY_TESTS_SUPPORT_VECTORS_H

#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

using Bytes = std::vector<uint8_t>;

inline Bytes unhex(const std::string &text) {
    Bytes out;
    if (text == "-") return out;
    if (text.size() % 2) throw std::runtime_error("odd hexadecimal word");
    for (size_t i = 0; i < text.size(); i += 2) {
        out.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
    }
    return out;
}

inline std::string hex(const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    std::string out;
    for (size_t i = 0; i < count; i++) {
        out += digits[bytes[i] >> 4];
        out += digits[bytes[i] & 15];
    }
    return out.empty() ? "-" : out;
}

inline std::string vector_path(const std::string &name) {
    return std::string(ORRERY_SOURCE_DIR) + "/tests/vectors/" + name;
}

// The lines of one kind, each as its words after the kind. Throws when there are none, so that a
// test cannot pass on an empty file.
inline std::vector<std::vector<std::string>> vectors(const std::string &name,
                                                     const std::string &kind) {
    std::ifstream in(vector_path(name));
    std::vector<std::vector<std::string>> found;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string first, word;
        if (!(words >> first) || first != kind) continue;
        found.emplace_back();
        while (words >> word) found.back().push_back(word);
    }
    if (found.empty()) throw std::runtime_error("no vectors of kind " + kind + " in " + name);
    return found;
}

inline Bytes read_file(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + path);
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

#endif
