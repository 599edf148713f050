// What the image_*.c files share.
#ifndef ORRERY_HOST_PAPER_IMAGE_PARTS_H
#define ORRERY_HOST_PAPER_IMAGE_PARTS_H

#include <stdarg.h>

#include <tiffio.h>

#include "host/paper/image.h"

// Tags and page table of one file take at most this much: the sealed metadata is at most 64 MiB.
#define ORR_RECORD_MAX (67108864u - 65536u)
#define ORR_DIRECTORY_MAX 65535u

// ---- a growing run of bytes (image_buffer.c)
typedef struct orr_buffer {
    uint8_t *data;
    size_t bytes, room;
    int failed; // memory ran out; every later append does nothing
} orr_buffer;

// Appends `bytes` bytes and returns where they start, NULL when memory ran out. `from` NULL: zeros.
uint8_t *orr_buffer_add(orr_buffer *buffer, const void *from, size_t bytes);
void orr_buffer_le16(orr_buffer *buffer, uint16_t value);
void orr_buffer_le32(orr_buffer *buffer, uint32_t value);
void orr_buffer_free(orr_buffer *buffer); // wipes
// Takes memory for `bytes` in all at once, so that growing needs none beside it.
void orr_buffer_reserve(orr_buffer *buffer, size_t bytes);

// ---- encoded tags, of the record and of nested directories (image_page.c)
#define ORR_TAG_BYTES 12 // before a tag's value
// The tag at *at, of which *left bytes follow, and moves on. 0 at the end, or when it is cut.
int orr_tag_next(const uint8_t **at, size_t *left, orr_tag *tag);
// Bytes of one element of a TIFF type, 0 for an unknown type; bytes that change places with the
// byte order (a rational is two numbers of 4).
unsigned orr_type_bytes(unsigned type);
unsigned orr_type_unit(unsigned type);
// Is it of an unsigned integer type?
int orr_tag_is_number(const orr_tag *tag);
// Element n of such a tag.
uint64_t orr_tag_element(const orr_tag *tag, uint32_t n);

// ---- raw directories (image_tags.c)
typedef struct orr_tiff_file {
    int fd;
    uint64_t size;
    int big_endian, bigtiff;
    size_t budget; // bytes of tags that may still be read
    size_t most;   // of which it began, for messages
    const char *name;
    orr_error *error;
} orr_tiff_file;

// One entry as it stands in the file; `field` is its 4 or 8 value bytes.
typedef struct orr_raw_entry {
    uint16_t id, type;
    uint64_t count;
    uint8_t field[8];
} orr_raw_entry;

uint64_t orr_tiff_load(const orr_tiff_file *file, const uint8_t *at, size_t bytes);
void orr_tiff_store(const orr_tiff_file *file, uint8_t *at, size_t bytes, uint64_t value);
// Turns elements between file order and little-endian in place, or copies them so (the same way
// both ways).
void orr_turn_elements(const orr_tiff_file *file, unsigned type, uint8_t *data, size_t bytes);
void orr_copy_elements(const orr_tiff_file *file, unsigned type, uint8_t *to, const uint8_t *from,
                       size_t bytes);

// Reads the TIFF header; *first is the offset of the first directory. ORR_UNSUPPORTED: not a TIFF.
orr_status orr_tiff_header(orr_tiff_file *file, uint64_t *first);
// Entries of the directory at `offset`: *entries is malloc'ed.
orr_status orr_tiff_entries(orr_tiff_file *file, uint64_t offset, orr_raw_entry **entries,
                            uint32_t *count, uint64_t *next);
// Tags of the directory at `offset` with their values, into page->tags.
orr_status orr_tiff_tags(orr_tiff_file *file, uint64_t offset, orr_image_page *page);
// Of a page's directory: the tags that say where strips and tiles are. Tags that lead to places
// which cannot be restored. A pointer to a directory of plain tags that is carried along (level 0:
// in a page).
int orr_tag_is_layout(unsigned id);
int orr_tag_is_pointer(unsigned id, unsigned type);
int orr_tag_is_nested(unsigned id, int level);
// Can a tag of this type hold the offset of a directory?
int orr_tag_points(unsigned type, int bigtiff);
// Offsets of every directory of the main chain: *offsets is malloc'ed.
orr_status orr_tiff_chain(orr_tiff_file *file, uint64_t **offsets, uint32_t *count);

// ---- planes that no page shows (image_planes.c)
// What says that page `index`, in a file of that many bytes, stands for more planes than there are
// pages; NULL when nothing does.
const char *orr_page_hides_planes(const orr_image *image, uint32_t index, uint64_t file_bytes);

// ---- what a page says of itself (image_check.c)
// Why the page's tags would restore a TIFF that others cannot read: they contradict the page, say
// something twice, or point somewhere. NULL when they do not.
const char *orr_page_contradiction(const orr_image_page *page, int bigtiff);
// A tag that describes the pixels and is of type BYTE, which other readers do not understand; 0:
// none.
int orr_page_tag_of_bytes(const orr_image_page *page);
// Lossless schemes that give the same pixels back and that this libtiff can write.
int orr_page_keeps_compression(const orr_image_page *page);
// Do pixels under this scheme have a predictor?
int orr_scheme_predicts(unsigned compression);

// ---- libtiff over a descriptor (image_client.c)
typedef struct orr_tiff_client {
    int fd;
    uint64_t size, position;
    int io_error;        // errno of a failed read or write
    int decoding;        // pixels: warnings of damage are errors
    int complained;      // libtiff reported an error, or we did
    char message[200];   // the first one
    orr_stop_flag *stop; // or NULL
} orr_tiff_client;

// Opens the client's descriptor with libtiff; NULL on failure. `limit` bounds one allocation of
// libtiff, 0: none.
TIFF *orr_tiff_client_open(orr_tiff_client *client, const char *name, const char *mode,
                           uint64_t limit);
// Keeps a message as libtiff's first one.
void orr_tiff_client_complain(orr_tiff_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// "NAME: what; ..." with the sentence that points to the archive profile.
orr_status orr_image_refuse(const char *name, orr_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
