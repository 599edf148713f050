// TIFF images for the paper profile: pixels as volumes, directories as raw tags, and back.
//
// libtiff decodes and encodes pixels. Tags are read and written by our own bounded walker, so that
// unknown, private and unusual ones come back with their type, count and bytes.
#ifndef ORRERY_HOST_PAPER_IMAGE_H
#define ORRERY_HOST_PAPER_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

// Set in orr_tag.type: the tag points to a directory (EXIF, GPS, interoperability), `count` is its
// number of tags and `value` their encoding (docs/FORMAT.md, "Page table and tags").
#define ORR_TAG_DIRECTORY 0x8000u

typedef struct orr_tag {
    uint16_t id, type;
    uint32_t count, bytes;
    const uint8_t *value; // `bytes` bytes, each element little-endian; not owned
} orr_tag;

typedef struct orr_image_page {
    uint32_t width, height;
    uint16_t samples, bits, sample_format; // bits 8 or 16; sample_format 1 unsigned, 2 signed
    uint16_t photometric;                  // of the decoded pixels: 0, 1 or 2
    uint16_t planar;                       // 1 interleaved, 2 separate planes
    uint16_t compression, predictor, fill_order;
    uint16_t converted;                 // 1: the source holds JPEG YCbCr, decoded as RGB
    uint16_t tiled;                     // 0 strips, 1 tiles
    uint32_t chunk_columns, chunk_rows; // tile size; strips: width, RowsPerStrip
    // Encoded as in the record, in file order, without strip and tile arrays: a file may have
    // 65,535 pages, and decoded tags would take many times as much.
    uint8_t *tags;
    uint32_t tag_bytes, tag_count;
} orr_image_page;

typedef struct orr_image {
    int big_endian, bigtiff;
    uint32_t page_count;
    orr_image_page *pages;
    int borrowed; // the tags lie in the record that they were decoded from
} orr_image;

void orr_image_free(orr_image *image); // wipes tags that are its own
// Bytes that the page table takes, without the tags.
uint64_t orr_image_memory(const orr_image *image);

// The page as a volume: samples x height x (width * bits / 8).
orr_volume_shape orr_page_shape(const orr_image_page *page);
// Bytes of that volume; 0 when it overflows or a side does not fit a TIFF.
uint64_t orr_page_bytes(const orr_image_page *page);
// Memory that one page needs at most while it is enciphered in place: the volume, the cipher's
// scratch (kernels/volume.h), two strips or tiles; UINT64_MAX when that overflows.
uint64_t orr_page_memory(const orr_image_page *page);
// The page's tag `id`; 0 when it is missing.
int orr_page_tag(const orr_image_page *page, unsigned id, orr_tag *tag);
// An element of a tag as a number; 0 when the tag is missing or not an unsigned integer.
int orr_page_tag_number(const orr_image_page *page, unsigned id, unsigned element, uint64_t *value);
// The meaning of sample n >= the colours: ExtraSamples as far as it is valid, else 0.
uint16_t orr_page_extra_sample(const orr_image_page *page, unsigned n);
// Samples that are not colour.
unsigned orr_page_extra_count(const orr_image_page *page);

// A part of a page in libtiff's memory layout: `samples` samples of each pixel interleaved, 16-bit
// samples little-endian, `stride` bytes from row to row.
typedef struct orr_rectangle {
    uint32_t row, rows, column, columns;
    uint32_t first_sample, samples;
    size_t stride;
} orr_rectangle;

void orr_pixels_to_volume(const orr_image_page *page, orr_rectangle part, const uint8_t *pixels,
                          uint8_t *volume);
void orr_pixels_from_volume(const orr_image_page *page, orr_rectangle part, const uint8_t *volume,
                            uint8_t *pixels);

// The strips or tiles of a page as libtiff hands them out, one after the other: sample plane by
// plane, in each row by row.
typedef struct orr_chunks {
    const orr_image_page *page;
    uint32_t rows, samples; // of a whole one
    uint64_t stride;        // bytes of a row
    uint64_t row, column;
    uint32_t sample;
} orr_chunks;

orr_chunks orr_chunks_of(const orr_image_page *page);
// The next one's part of the page; 0 when there is none.
int orr_chunks_next(orr_chunks *chunks, orr_rectangle *part);

// ---- reading
typedef struct orr_image_source orr_image_source;

// Reads every directory of the TIFF at fd and checks that the paper profile takes each page.
// `memory_limit` bounds what one page may need (volume, cipher scratch, strips or tiles) beside the
// tags of all, and these.
// ORR_UNSUPPORTED, with a sentence that points to the archive profile, for anything it does not
// take or that is damaged; ORR_IO; ORR_INTERNAL. `name` must outlive the source. *source is closed
// with orr_image_close.
orr_status orr_image_open(orr_image_source **source, int fd, const char *name,
                          uint64_t memory_limit, orr_error *error);
const orr_image *orr_image_of(const orr_image_source *source);
// Decodes page `index` into a volume of orr_page_bytes() bytes. ORR_UNSUPPORTED when damaged;
// ORR_IO.
orr_status orr_image_read_page(orr_image_source *source, uint32_t index, uint8_t *volume,
                               orr_error *error);
// Frees the tags of all pages, which take as much as the record that was made of them.
void orr_image_source_forget_tags(orr_image_source *source);
// From here on a page that is being read ends with ORR_STOPPED when *stop is set.
void orr_image_source_stop(orr_image_source *source, orr_stop_flag *stop);
void orr_image_close(orr_image_source *source);

// ---- writing
typedef struct orr_image_writer orr_image_writer;

// Writes a TIFF with the pages and tags of `image` to fd (empty, open for reading and writing),
// pages in order. Lossless compression schemes that libtiff can write are used again, others become
// uncompressed. `image` and `name` must outlive the writer. ORR_IO, ORR_INTERNAL.
orr_status orr_image_writer_open(orr_image_writer **writer, int fd, const orr_image *image,
                                 const char *name, orr_error *error);
orr_status orr_image_write_page(orr_image_writer *writer, uint32_t index, const uint8_t *volume,
                                orr_error *error);
// From here on a page that is being written ends with ORR_STOPPED when *stop is set.
void orr_image_writer_stop(orr_image_writer *writer, orr_stop_flag *stop);
// Ends the file: directories with all tags. ORR_UNSUPPORTED when these make a TIFF that libtiff
// cannot read; ORR_IO; ORR_INTERNAL.
orr_status orr_image_writer_finish(orr_image_writer *writer, orr_error *error);
void orr_image_writer_free(orr_image_writer *writer);

// ---- the record of the sealed metadata (tag 8)
// *record is malloc'ed. ORR_UNSUPPORTED when it would be over 64 MiB less 64 KiB; ORR_INTERNAL.
orr_status orr_image_record_encode(const orr_image *image, const char *name, uint8_t **record,
                                   size_t *bytes, orr_error *error);
// The image's tags lie in `record`, which must outlive it. ORR_AUTH for anything that a writer of
// this format would not write; ORR_UNSUPPORTED for tags that contradict the page: what they would
// restore nobody could read; ORR_INTERNAL.
orr_status orr_image_record_decode(orr_image *image, const uint8_t *record, size_t bytes,
                                   const char *name, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
