#include "tests/support/images.h"

#include <cstdio>
#include <cstring>

#include <jpeglib.h>
#include <png.h>
#include <tiffio.h>

bool WritePng(const std::string &path, const PngSpec &spec, const std::vector<uint8_t> &rows) {
    FILE *file = fopen(path.c_str(), "wb");
    if (!file) return false;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_set_IHDR(png, info, spec.width, spec.height, spec.bits, spec.color_type,
                 spec.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (!spec.palette.empty())
        png_set_PLTE(png, info, reinterpret_cast<png_const_colorp>(spec.palette.data()),
                     static_cast<int>(spec.palette.size() / 3));
    png_write_info(png, info);
    if (spec.bits == 16) png_set_swap(png); // this machine is little-endian, PNG is not
    size_t stride = rows.size() / spec.height;
    std::vector<png_bytep> pointers;
    for (uint32_t y = 0; y < spec.height; y++)
        pointers.push_back(const_cast<png_bytep>(rows.data() + y * stride));
    png_write_image(png, pointers.data());
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return fclose(file) == 0;
}

bool WriteJpeg(const std::string &path, uint32_t width, uint32_t height, int channels,
               bool progressive, const std::vector<uint8_t> &rows) {
    FILE *file = fopen(path.c_str(), "wb");
    if (!file) return false;
    jpeg_compress_struct jpeg;
    jpeg_error_mgr errors;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = channels;
    jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < height) {
        JSAMPROW row =
            const_cast<JSAMPROW>(rows.data() + static_cast<size_t>(jpeg.next_scanline) * width *
                                                   static_cast<size_t>(channels));
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return fclose(file) == 0;
}

bool WriteTiff(const std::string &path, const TiffSpec &spec, const std::vector<uint8_t> &rows) {
    TIFF *tiff = TIFFOpen(path.c_str(), spec.mode);
    if (!tiff) return false;
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, spec.width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, spec.height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, spec.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, spec.samples);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, spec.photometric);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, spec.compression);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, spec.sample_format);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG,
                 spec.separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (spec.compression == COMPRESSION_JPEG) {
        TIFFSetField(tiff, TIFFTAG_JPEGQUALITY, 100);
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (!spec.palette.empty())
        TIFFSetField(tiff, TIFFTAG_COLORMAP, &spec.palette[0], &spec.palette[256],
                     &spec.palette[512]);
    uint32_t across = spec.tile_width ? spec.tile_width : spec.width, down = spec.rows_per_strip;
    if (spec.tile_width) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, across);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, down);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, down);
    }
    size_t size = spec.bits / 8u ? spec.bits / 8u : 1, planes = spec.separate ? spec.samples : 1;
    size_t stored = spec.separate ? 1 : spec.samples;
    bool good = true;
    uint32_t number = 0;
    for (size_t plane = 0; plane < planes; plane++)
        for (uint32_t y0 = 0; y0 < spec.height; y0 += down)
            for (uint32_t x0 = 0; x0 < spec.width; x0 += across) {
                // What lies outside the image is 0xEE: it must not count.
                uint32_t high =
                    spec.tile_width || spec.height - y0 > down ? down : spec.height - y0;
                std::vector<uint8_t> block(size * stored * across * high, 0xee);
                for (uint32_t y = y0; y < spec.height && y < y0 + high; y++)
                    for (uint32_t x = x0; x < spec.width && x < x0 + across; x++)
                        memcpy(&block[((y - y0) * across + x - x0) * stored * size],
                               &rows[((static_cast<size_t>(y) * spec.width + x) * spec.samples +
                                      plane) *
                                     size],
                               stored * size);
                tmsize_t bytes = static_cast<tmsize_t>(block.size());
                good =
                    good && (spec.tile_width
                                 ? TIFFWriteEncodedTile(tiff, number, block.data(), bytes)
                                 : TIFFWriteEncodedStrip(tiff, number, block.data(), bytes)) >= 0;
                number++;
            }
    TIFFClose(tiff);
    return good;
}
