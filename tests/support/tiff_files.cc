#include "tests/support/tiff_files.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tiffio.h>

namespace tiff_files {

namespace {

void silence() {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
}

} // namespace

TemporaryFile::TemporaryFile() : fd_(memfd_create("orrery-test", 0)) {}

TemporaryFile::TemporaryFile(const Bytes &content) : TemporaryFile() {
    if (pwrite(fd_, content.data(), content.size(), 0) != ssize_t(content.size()))
        throw std::runtime_error("memfd");
}

TemporaryFile::~TemporaryFile() {
    close(fd_);
}

Bytes TemporaryFile::content() const {
    struct stat info;
    fstat(fd_, &info);
    Bytes bytes(size_t(info.st_size));
    if (pread(fd_, bytes.data(), bytes.size(), 0) != info.st_size)
        throw std::runtime_error("memfd");
    return bytes;
}

Bytes read_file(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

// ---- tags

namespace {

class Walker {
  public:
    explicit Walker(const Bytes &file) : file_(file) {
        big_endian_ = file.at(0) == 'M';
        bigtiff_ = number(2, 2) == 43;
        word_ = bigtiff_ ? 8 : 4;
    }

    std::vector<Tags> pages() {
        std::vector<Tags> result;
        std::set<uint64_t> seen;
        for (uint64_t at = number(word_, word_); at != 0;) {
            if (!seen.insert(at).second) throw std::runtime_error("loop");
            result.emplace_back();
            at = directory(at, 0, result.back());
        }
        return result;
    }

  private:
    uint64_t number(uint64_t at, size_t bytes) const {
        uint64_t value = 0;
        for (size_t i = 0; i < bytes; i++)
            value = value * 256 + file_.at(at + (big_endian_ ? i : bytes - 1 - i));
        return value;
    }

    uint64_t directory(uint64_t at, uint64_t parent, Tags &tags) {
        size_t count_bytes = bigtiff_ ? 8 : 2;
        uint64_t count = number(at, count_bytes);
        at += count_bytes;
        for (uint64_t n = 0; n < count; n++, at += 4 + 2 * word_) {
            uint16_t id = uint16_t(number(at, 2));
            bool layout = !parent && (id == 273 || id == 279 || id == 324 || id == 325);
            if (layout || tags.count(parent << 16 | id)) continue; // the first of repeated tags
            bool nested = id == 34665 || id == 34853 || (parent && id == 40965);
            Tag tag{uint16_t(number(at + 2, 2)), number(at + 4, word_), {}};
            size_t each = size_of(tag.type);
            size_t bytes = each * tag.count;
            uint64_t from = bytes > word_ ? number(at + 4 + word_, word_) : at + 4 + word_;
            if (nested) directory(number(from, each), id, tags);
            size_t unit = tag.type == 5 || tag.type == 10 ? 4 : each;
            if (!nested)
                for (size_t i = 0; i < bytes; i++)
                    tag.value.push_back(
                        file_.at(from + (big_endian_ ? i - i % unit + unit - 1 - i % unit : i)));
            tags.emplace(parent << 16 | id, tag);
        }
        return number(at, word_);
    }

    static size_t size_of(uint16_t type) {
        switch (type) {
        case 1:
        case 2:
        case 6:
        case 7:
            return 1;
        case 3:
        case 8:
            return 2;
        case 4:
        case 9:
        case 11:
        case 13:
            return 4;
        case 5:
        case 10:
        case 12:
        case 16:
        case 17:
        case 18:
            return 8;
        default:
            throw std::runtime_error("type");
        }
    }

    const Bytes &file_;
    bool big_endian_, bigtiff_;
    size_t word_;
};

} // namespace

std::vector<Tags> tags_of(const Bytes &file) {
    return Walker(file).pages();
}

// ---- pixels

namespace {

Pixels describe(TIFF *tif) {
    Pixels p;
    TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &p.width);
    TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &p.height);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &p.samples);
    TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &p.bits);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &p.format);
    TIFFGetFieldDefaulted(tif, TIFFTAG_PLANARCONFIG, &p.planar);
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &p.compression);
    TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &p.photometric);
    if (p.compression == COMPRESSION_JPEG && p.photometric == PHOTOMETRIC_YCBCR) {
        TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        p.photometric = PHOTOMETRIC_RGB;
    }
    p.tiled = TIFFIsTiled(tif);
    p.chunk_columns = p.width;
    if (p.tiled) {
        TIFFGetField(tif, TIFFTAG_TILEWIDTH, &p.chunk_columns);
        TIFFGetField(tif, TIFFTAG_TILELENGTH, &p.chunk_rows);
    } else {
        TIFFGetFieldDefaulted(tif, TIFFTAG_ROWSPERSTRIP, &p.chunk_rows);
        p.chunk_rows = std::min(p.chunk_rows, p.height);
    }
    return p;
}

// One sample of a decoded chunk to its place in the planes, or back.
void copy_chunk(Pixels &p, uint32_t row, uint32_t column, int plane, Bytes &chunk, bool back) {
    size_t wide = p.bits / 8, samples = plane < 0 ? p.samples : 1;
    for (uint32_t i = 0; i < p.chunk_rows && row + i < p.height; i++) {
        for (uint32_t j = 0; j < p.chunk_columns && column + j < p.width; j++) {
            for (size_t s = 0; s < samples; s++) {
                size_t k = plane < 0 ? s : size_t(plane);
                for (size_t b = 0; b < wide; b++) {
                    uint8_t &there =
                        chunk[((size_t(i) * p.chunk_columns + j) * samples + s) * wide +
                              (wide - 1 - b)];
                    uint8_t &here =
                        p.planes[((k * p.height + row + i) * p.width + column + j) * wide + b];
                    if (back)
                        there = here;
                    else
                        here = there;
                }
            }
        }
    }
}

bool decode(TIFF *tif, Pixels &p) {
    p.planes.resize(size_t(p.width) * p.height * p.samples * (p.bits / 8));
    bool separate = p.planar == PLANARCONFIG_SEPARATE;
    Bytes chunk(size_t(p.tiled ? TIFFTileSize(tif) : TIFFStripSize(tif)));
    for (int s = 0; s < (separate ? p.samples : 1); s++) {
        for (uint32_t i = 0; i < p.height; i += p.chunk_rows) {
            for (uint32_t j = 0; j < p.width; j += p.chunk_columns) {
                tmsize_t got =
                    p.tiled ? TIFFReadEncodedTile(tif, TIFFComputeTile(tif, j, i, 0, uint16_t(s)),
                                                  chunk.data(), tmsize_t(chunk.size()))
                            : TIFFReadEncodedStrip(tif, TIFFComputeStrip(tif, i, uint16_t(s)),
                                                   chunk.data(), tmsize_t(chunk.size()));
                if (got < 0) return false;
                copy_chunk(p, i, j, separate ? s : -1, chunk, false);
            }
        }
    }
    return true;
}

} // namespace

std::vector<Pixels> pixels_of(const Bytes &file) {
    silence();
    TemporaryFile copy(file);
    std::vector<Pixels> pages;
    TIFF *tif = TIFFFdOpen(dup(copy.fd()), "test", "rcm");
    if (!tif) return pages;
    bool good = true;
    do {
        pages.push_back(describe(tif));
        good = decode(tif, pages.back());
    } while (good && TIFFReadDirectory(tif));
    TIFFClose(tif);
    return good ? pages : std::vector<Pixels>();
}

// ---- building

Bytes build(const std::string &mode, const std::vector<PageSpec> &specs,
            const std::vector<Bytes> &planes) {
    silence();
    TemporaryFile out;
    TIFF *tif = TIFFFdOpen(dup(out.fd()), "test", mode.c_str());
    if (!tif) throw std::runtime_error("TIFFFdOpen " + mode);
    for (size_t n = 0; n < specs.size(); n++) {
        const PageSpec &spec = specs[n];
        TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, spec.width);
        TIFFSetField(tif, TIFFTAG_IMAGELENGTH, spec.height);
        TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, spec.samples);
        TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, spec.bits);
        TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, spec.format);
        TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, spec.photometric);
        TIFFSetField(tif, TIFFTAG_PLANARCONFIG, spec.planar);
        TIFFSetField(tif, TIFFTAG_COMPRESSION, spec.compression);
        if (spec.predictor > 1) TIFFSetField(tif, TIFFTAG_PREDICTOR, spec.predictor);
        unsigned colours = spec.photometric == PHOTOMETRIC_RGB ? 3 : 1;
        if (spec.samples > colours) {
            std::vector<uint16_t> extra(spec.samples - colours, EXTRASAMPLE_UNASSALPHA);
            TIFFSetField(tif, TIFFTAG_EXTRASAMPLES, uint16_t(extra.size()), extra.data());
        }
        TIFFSetField(tif, TIFFTAG_IMAGEDESCRIPTION, "PATIENT^SECRET description");
        TIFFSetField(tif, TIFFTAG_XRESOLUTION, 254.5f);
        Bytes profile(100 + n, uint8_t(n));
        TIFFSetField(tif, TIFFTAG_ICCPROFILE, uint32_t(profile.size()), profile.data());
        if (spec.tile) {
            TIFFSetField(tif, TIFFTAG_TILEWIDTH, spec.tile);
            TIFFSetField(tif, TIFFTAG_TILELENGTH, spec.tile);
        } else {
            TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, spec.rows_per_strip);
        }
        Pixels p = describe(tif);
        p.planes = planes[n];
        bool separate = spec.planar == PLANARCONFIG_SEPARATE;
        for (int s = 0; s < (separate ? spec.samples : 1); s++) {
            for (uint32_t i = 0; i < p.height; i += p.chunk_rows) {
                for (uint32_t j = 0; j < p.width; j += p.chunk_columns) {
                    uint32_t rows = p.tiled ? p.chunk_rows : std::min(p.chunk_rows, p.height - i);
                    Bytes chunk(size_t(rows) * p.chunk_columns * (separate ? 1 : p.samples) *
                                (p.bits / 8));
                    copy_chunk(p, i, j, separate ? s : -1, chunk, true);
                    tmsize_t put =
                        p.tiled
                            ? TIFFWriteEncodedTile(tif, TIFFComputeTile(tif, j, i, 0, uint16_t(s)),
                                                   chunk.data(), tmsize_t(chunk.size()))
                            : TIFFWriteEncodedStrip(tif, TIFFComputeStrip(tif, i, uint16_t(s)),
                                                    chunk.data(), tmsize_t(chunk.size()));
                    if (put < 0) throw std::runtime_error("libtiff cannot write the sample");
                }
            }
        }
        TIFFWriteDirectory(tif);
    }
    TIFFClose(tif);
    return out.content();
}

namespace {

// Writes numbers in the byte order and width of the file it builds.
class Builder {
  public:
    Builder(bool big_endian, bool bigtiff) : big_endian_(big_endian), word_(bigtiff ? 8 : 4) {}

    void put(uint64_t value, size_t bytes) { put_at(out.size(), value, bytes); }
    void put_at(size_t at, uint64_t value, size_t bytes) {
        if (out.size() < at + bytes) out.resize(at + bytes);
        for (size_t i = 0; i < bytes; i++)
            out[big_endian_ ? at + bytes - 1 - i : at + i] = uint8_t(value >> (8 * i));
    }
    size_t word() const { return word_; }

    struct Entry {
        uint16_t id, type;
        uint64_t count;
        size_t each;
        std::vector<uint64_t> numbers;
    };

    // Values first, then the directory; returns its offset.
    uint64_t directory(const std::vector<Entry> &entries) {
        std::vector<Bytes> fields;
        for (const Entry &entry : entries) {
            size_t at = out.size();
            for (uint64_t number : entry.numbers) put(number, entry.each);
            Bytes value(out.begin() + long(at), out.end());
            if (value.size() <= word_) {
                out.resize(at);
                value.resize(word_);
            } else {
                Builder offset(big_endian_, word_ == 8);
                offset.put(at, word_);
                value = offset.out;
                if (out.size() % 2) out.push_back(0);
            }
            fields.push_back(value);
        }
        uint64_t here = out.size();
        put(entries.size(), word_ == 8 ? 8 : 2);
        for (size_t n = 0; n < entries.size(); n++) {
            put(entries[n].id, 2);
            put(entries[n].type, 2);
            put(entries[n].count, word_);
            out.insert(out.end(), fields[n].begin(), fields[n].end());
        }
        put(0, word_);
        return here;
    }

    Bytes out;

  private:
    bool big_endian_;
    size_t word_;
};

} // namespace

Bytes build_with_odd_tags(bool big_endian, bool bigtiff) {
    Builder b(big_endian, bigtiff);
    b.out = {uint8_t(big_endian ? 'M' : 'I'), uint8_t(big_endian ? 'M' : 'I')};
    b.put(bigtiff ? 43 : 42, 2);
    if (bigtiff) b.put(8 << 16, 4), b.put_at(4, 8, 2), b.put_at(6, 0, 2);
    size_t first = b.out.size();
    b.put(0, b.word());
    uint64_t pixels = b.out.size();
    for (int n = 0; n < 16; n++) b.put(uint64_t(n * 13), 1);
    uint64_t interoperability = b.directory({{1, 2, 4, 1, {'R', '9', '8', 0}}});
    uint64_t exif = b.directory({{33434, 5, 1, 4, {1, 250}},
                                 {36864, 7, 4, 1, {'0', '2', '3', '1'}},
                                 {37500, 7, 9, 1, {1, 2, 3, 4, 5, 6, 7, 8, 9}},
                                 {40965, 4, 1, 4, {interoperability}}});
    uint64_t gps = b.directory({{0, 1, 4, 1, {2, 3, 0, 0}}, {2, 5, 3, 4, {48, 1, 51, 1, 30, 1}}});
    uint64_t page = b.directory({
        {256, 3, 1, 2, {5}},
        {257, 4, 1, 4, {3}},
        {258, 3, 1, 2, {8}},
        {259, 3, 1, 2, {1}},
        {262, 3, 1, 2, {1}},
        {269, 2, 6, 1, {'d', 'o', 'c', 0, 'x', 0}},
        {273, 4, 1, 4, {pixels}},
        {279, 4, 1, 4, {15}},
        {282, 5, 1, 4, {72, 1}},
        {34665, 4, 1, 4, {exif}},
        {34853, 4, 1, 4, {gps}},
        {65000, 12, 2, 8, {0x3ff0000000000000, 0x4000000000000001}},
        {65001, 8, 3, 2, {65535, 1, 2}},
        {65002, 10, 1, 4, {0xffffffff, 7}},
        {65003, 6, 2, 1, {255, 128}},
        {65004, 11, 1, 4, {0x3f800000}},
        {65005, 9, 5, 4, {1, 2, 3, 4, 0xfffffffe}},
    });
    b.put_at(first, page, b.word());
    return b.out;
}

} // namespace tiff_files
