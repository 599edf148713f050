// Small images written with the libraries themselves, from pixels that a test knows.
#ifndef ORRERY_TESTS_SUPPORT_IMAGES_H
#define ORRERY_TESTS_SUPPORT_IMAGES_H

#include <cstdint>
#include <string>
#include <vector>

// Samples as stored: 16-bit ones in the machine's order, rows packed to whole bytes below 8 bits.
struct PngSpec {
    uint32_t width, height;
    int bits, color_type; // PNG_COLOR_TYPE_*
    bool interlaced;
    std::vector<uint8_t> palette; // RGB triples
};
bool WritePng(const std::string &path, const PngSpec &spec, const std::vector<uint8_t> &rows);

// channels 1 (gray) or 3 (RGB), 8 bits.
bool WriteJpeg(const std::string &path, uint32_t width, uint32_t height, int channels,
               bool progressive, const std::vector<uint8_t> &rows);

struct TiffSpec {
    uint32_t width, height;
    uint16_t bits, samples, photometric;
    const char *mode = "w"; // as TIFFOpen: "wb" big-endian, "w8" BigTIFF
    uint16_t compression = 1;
    uint32_t rows_per_strip = 7; // or the tile's height
    uint32_t tile_width = 0;     // 0: strips
    bool separate = false;
    uint16_t sample_format = 1;
    std::vector<uint16_t> palette = {}; // 3 x 256
};
// `rows` is always pixel-interleaved, 16-bit samples in the machine's order.
bool WriteTiff(const std::string &path, const TiffSpec &spec, const std::vector<uint8_t> &rows);

#endif
