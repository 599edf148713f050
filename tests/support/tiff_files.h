// TIFF files for tests: building them, and reading tags and pixels back without code of host/.
#ifndef ORRERY_TESTS_TIFF_FILES_H
#define ORRERY_TESTS_TIFF_FILES_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tiff_files {

using Bytes = std::vector<uint8_t>;

// An unlinked file that lives as long as the object.
class TemporaryFile {
  public:
    TemporaryFile();
    explicit TemporaryFile(const Bytes &content);
    ~TemporaryFile();
    TemporaryFile(const TemporaryFile &) = delete;
    TemporaryFile &operator=(const TemporaryFile &) = delete;
    int fd() const { return fd_; }
    Bytes content() const;

  private:
    int fd_;
};

Bytes read_file(const std::string &path);

struct Tag {
    uint16_t type;
    uint64_t count;
    Bytes value; // little-endian elements
    bool operator==(const Tag &other) const {
        return type == other.type && count == other.count && value == other.value;
    }
};
// Tag number -> tag; tags of a nested directory d (EXIF ...) have keys d << 16 | number.
using Tags = std::map<uint64_t, Tag>;

// Tags of every page of the main chain. Throws std::runtime_error when the file is damaged.
std::vector<Tags> tags_of(const Bytes &file);

struct Pixels {
    uint32_t width = 0, height = 0;
    uint16_t samples = 0, bits = 0, format = 0, photometric = 0, planar = 0, compression = 0;
    bool tiled = false;
    uint32_t chunk_columns = 0, chunk_rows = 0;
    Bytes planes; // sample after sample, row by row, 16-bit samples most significant byte first
};
// Decodes every page with libtiff (JPEG YCbCr to RGB). Empty when libtiff fails.
std::vector<Pixels> pixels_of(const Bytes &file);

struct PageSpec {
    uint32_t width, height;
    uint16_t samples, bits, format, photometric, planar, compression;
    uint32_t tile; // side of a tile, or 0
    uint32_t rows_per_strip;
    uint16_t predictor;
};
// Writes pages of given planes (as in Pixels) with a description, a resolution and an ICC-like
// blob.
Bytes build(const std::string &mode, const std::vector<PageSpec> &specs,
            const std::vector<Bytes> &planes);

// A hand-made one-page TIFF, 8-bit gray 5 x 3, with private and unusual tags, EXIF, GPS and
// interoperability directories.
Bytes build_with_odd_tags(bool big_endian, bool bigtiff);

} // namespace tiff_files

#endif
