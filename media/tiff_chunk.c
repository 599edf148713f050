#include "media/tiff_chunk.h"

#include <string.h>

int orr_tiff_warning_is_damage(const char *text) {
    static const char *const harmless[] = {
        "Old-style LZW codes",                         // of 1988, and still read
        "JPEG strip size exceeds expected dimensions", // the last strip, padded
        "Warning: unknown JFIF revision", "Unknown Adobe color transform code"};
    for (size_t n = 0; n < sizeof harmless / sizeof *harmless; n++)
        if (strstr(text, harmless[n])) return 0;
    return 1;
}

static int is_all(const uint8_t *bytes, size_t count, uint8_t value) {
    return count > 0 && bytes[0] == value && !memcmp(bytes, bytes + 1, count - 1);
}

orr_chunk orr_tiff_chunk_read(TIFF *tiff, uint32_t chunk, uint8_t *pixels, size_t bytes,
                              size_t row) {
    // Every scheme fills from the top. A last row that still is as it was set, and once more where
    // it was set otherwise, was not filled.
    static const uint8_t marks[] = {0xa5, 0x5a};
    uint8_t *last = pixels + bytes - row;
    for (size_t n = 0; n < sizeof marks; n++) {
        memset(pixels, 0, bytes - row);
        memset(last, marks[n], row);
        tmsize_t got = TIFFIsTiled(tiff)
                           ? TIFFReadEncodedTile(tiff, chunk, pixels, (tmsize_t)bytes)
                           : TIFFReadEncodedStrip(tiff, chunk, pixels, (tmsize_t)bytes);
        if (got < 0 || (size_t)got != bytes) return ORR_CHUNK_FAILED;
        if (!is_all(last, row, marks[n])) return ORR_CHUNK_WHOLE;
    }
    memset(last, 0, row);
    return ORR_CHUNK_SHORT;
}
