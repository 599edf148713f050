// TIFF directories read as they stand, with every count and offset checked first.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/bytes.h"
#include "host/crypto.h"
#include "host/format.h"
#include "host/image_internal.h"

enum {
    TAG_STRIP_OFFSETS = 273,
    TAG_STRIP_COUNTS = 279,
    TAG_TILE_OFFSETS = 324,
    TAG_TILE_COUNTS = 325,
    TAG_EXIF = 34665,
    TAG_GPS = 34853,
    TAG_INTEROPERABILITY = 40965,
    TYPE_IFD = 13,
    TYPE_IFD8 = 18
};

// ---- elements

unsigned orr_type_bytes(unsigned type) {
    static const uint8_t bytes[19] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type < 19 ? bytes[type] : 0;
}

unsigned orr_type_unit(unsigned type) {
    return type == 5 || type == 10 ? 4 : orr_type_bytes(type);
}

uint64_t orr_tiff_load(const orr_tiff_file *file, const uint8_t *at, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | at[file->big_endian ? i : bytes - 1 - i];
    return value;
}

void orr_tiff_store(const orr_tiff_file *file, uint8_t *at, size_t bytes, uint64_t value) {
    for (size_t i = 0; i < bytes; i++) {
        at[file->big_endian ? bytes - 1 - i : i] = (uint8_t)value;
        value >>= 8;
    }
}

void orr_copy_elements(const orr_tiff_file *file, unsigned type, uint8_t *to, const uint8_t *from,
                       size_t bytes) {
    size_t unit = orr_type_unit(type);
    if (!file->big_endian || unit < 2) {
        if (bytes) memcpy(to, from, bytes);
        return;
    }
    for (size_t n = 0; n + unit <= bytes; n += unit)
        for (size_t i = 0; i < unit; i++) to[n + i] = from[n + unit - 1 - i];
}

// ---- reading

static orr_status read_at(orr_tiff_file *file, uint64_t offset, void *out, size_t bytes) {
    if (offset > file->size || bytes > file->size - offset)
        return orr_image_refuse(
            file->name, file->error,
            "damaged: a directory points beyond the end of the file, to byte %llu",
            (unsigned long long)offset);
    return orr_pread_all(file->fd, out, bytes, offset, file->name, file->error);
}

orr_status orr_tiff_header(orr_tiff_file *file, uint64_t *first) {
    uint8_t head[16] = {0};
    size_t bytes = file->size < sizeof head ? (size_t)file->size : sizeof head;
    orr_status status = read_at(file, 0, head, bytes);
    if (status) return status;
    file->big_endian = head[0] == 'M';
    uint64_t version = orr_tiff_load(file, head + 2, 2);
    file->bigtiff = version == 43;
    int marked = (head[0] == 'I' || head[0] == 'M') && head[1] == head[0];
    int known = version == 42 || (version == 43 && orr_tiff_load(file, head + 4, 2) == 8 &&
                                  orr_tiff_load(file, head + 6, 2) == 0);
    if (bytes < (file->bigtiff ? 16u : 8u) || !marked || !known)
        return orr_image_refuse(file->name, file->error, "not a TIFF file");
    *first = file->bigtiff ? orr_tiff_load(file, head + 8, 8) : orr_tiff_load(file, head + 4, 4);
    return ORR_OK;
}

orr_status orr_tiff_entries(orr_tiff_file *file, uint64_t offset, orr_raw_entry **entries,
                            uint32_t *count, uint64_t *next) {
    size_t word = file->bigtiff ? 8 : 2, each = file->bigtiff ? 20 : 12,
           field = file->bigtiff ? 8 : 4;
    uint8_t number[8];
    orr_status status = read_at(file, offset, number, word);
    if (status) return status;
    uint64_t listed = orr_tiff_load(file, number, word);
    if (listed == 0 || listed > ORR_DIRECTORY_MAX)
        return orr_image_refuse(file->name, file->error, "damaged: a directory of %llu tags",
                                (unsigned long long)listed);
    size_t bytes = (size_t)listed * each + field;
    uint8_t *block = malloc(bytes);
    orr_raw_entry *out = calloc((size_t)listed, sizeof *out);
    if (!block || !out)
        status = orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
    if (!status) status = read_at(file, offset + word, block, bytes);
    for (size_t n = 0; !status && n < listed; n++) {
        const uint8_t *at = block + n * each;
        out[n].id = (uint16_t)orr_tiff_load(file, at, 2);
        out[n].type = (uint16_t)orr_tiff_load(file, at + 2, 2);
        out[n].count = orr_tiff_load(file, at + 4, field);
        memcpy(out[n].field, at + 4 + field, field);
    }
    if (!status) *next = orr_tiff_load(file, block + (size_t)listed * each, field);
    free(block);
    if (status) {
        free(out);
        return status;
    }
    *entries = out;
    *count = (uint32_t)listed;
    return ORR_OK;
}

orr_status orr_tiff_chain(orr_tiff_file *file, uint64_t **offsets, uint32_t *count) {
    uint64_t *list = malloc(ORR_MAX_PAGES * sizeof *list), next = 0;
    uint32_t pages = 0;
    if (!list) return orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
    orr_status status = orr_tiff_header(file, &next);
    while (!status && next != 0) {
        orr_raw_entry *entries = NULL;
        uint32_t listed = 0;
        for (uint32_t n = 0; n < pages && !status; n++)
            if (list[n] == next)
                status =
                    orr_image_refuse(file->name, file->error, "damaged: its pages form a loop");
        if (!status && pages == ORR_MAX_PAGES)
            status = orr_image_refuse(file->name, file->error, "more than %u pages", ORR_MAX_PAGES);
        if (status) break;
        list[pages++] = next;
        status = orr_tiff_entries(file, next, &entries, &listed, &next);
        free(entries);
    }
    if (!status && pages == 0)
        status = orr_image_refuse(file->name, file->error, "no image inside");
    if (status) {
        free(list);
        return status;
    }
    *offsets = list;
    *count = pages;
    return ORR_OK;
}

// ---- tags with their values

void orr_tags_free(orr_tag *tags, uint32_t count) {
    for (uint32_t n = 0; tags && n < count; n++) {
        if (tags[n].value) orr_wipe(tags[n].value, tags[n].bytes);
        free(tags[n].value);
    }
    free(tags);
}

static int is_layout(unsigned id) {
    return id == TAG_STRIP_OFFSETS || id == TAG_STRIP_COUNTS || id == TAG_TILE_OFFSETS ||
           id == TAG_TILE_COUNTS;
}

// Is this the pointer to a directory of plain tags that we carry along? Level 0 is a page.
static int is_nested(unsigned id, int level) {
    return (level == 0 && (id == TAG_EXIF || id == TAG_GPS)) ||
           (level == 1 && id == TAG_INTEROPERABILITY);
}

// Tags whose value is a place in the file that we cannot bring back.
static int is_unsupported_pointer(unsigned id, unsigned type) {
    static const uint16_t pointers[] = {288, 330, 400,      513,     519,
                                        520, 521, TAG_EXIF, TAG_GPS, TAG_INTEROPERABILITY};
    for (size_t n = 0; n < sizeof pointers / sizeof *pointers; n++)
        if (pointers[n] == id) return 1;
    return type == TYPE_IFD || type == TYPE_IFD8;
}

static orr_status refuse_pointer(const orr_tiff_file *file, const orr_raw_entry *entry) {
    const char *what = "sub-directories (sub-IFDs"; // whatever its number, by its type
    if (entry->id == 288) what = "a list of free space (FreeOffsets";
    if (entry->id == 513) what = "the offset of a JPEG thumbnail (JPEGInterchangeFormat";
    if (entry->id >= 519 && entry->id <= 521) what = "tables of old-style JPEG (an offset";
    return orr_image_refuse(file->name, file->error, "it holds %s, tag %u)", what, entry->id);
}

static orr_status read_tags(orr_tiff_file *file, uint64_t offset, int level, orr_tag **tags,
                            uint32_t *count, uint64_t *next);

static orr_status read_nested(orr_tiff_file *file, const orr_raw_entry *entry, int level,
                              orr_tag *tag) {
    unsigned bytes = orr_type_bytes(entry->type);
    orr_tag *inner = NULL;
    uint32_t count = 0;
    uint64_t next = 0;
    if (entry->count != 1 || bytes < 4 || bytes > (file->bigtiff ? 8u : 4u))
        return orr_image_refuse(file->name, file->error, "damaged: tag %u is no pointer",
                                entry->id);
    orr_status status =
        read_tags(file, orr_tiff_load(file, entry->field, bytes), level + 1, &inner, &count, &next);
    if (status) return status;
    orr_buffer out = {0};
    orr_tags_encode(&out, inner, count);
    orr_tags_free(inner, count);
    if (out.failed) {
        orr_buffer_free(&out);
        return orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
    }
    *tag =
        (orr_tag){entry->id, entry->type | ORR_TAG_DIRECTORY, count, (uint32_t)out.bytes, out.data};
    return ORR_OK;
}

static orr_status read_value(orr_tiff_file *file, const orr_raw_entry *entry, orr_tag *tag) {
    unsigned each = orr_type_bytes(entry->type);
    if (each == 0)
        return orr_image_refuse(file->name, file->error, "tag %u has the unknown type %u",
                                entry->id, entry->type);
    if (entry->count > file->budget / each)
        return orr_image_refuse(file->name, file->error,
                                "tag %u with %llu values: more than 63 MiB of tags", entry->id,
                                (unsigned long long)entry->count);
    size_t bytes = (size_t)entry->count * each, inside = file->bigtiff ? 8 : 4;
    uint64_t offset = orr_tiff_load(file, entry->field, inside);
    if (bytes > inside && (offset > file->size || bytes > file->size - offset))
        return orr_image_refuse(file->name, file->error,
                                "damaged: the value of tag %u lies beyond the end of the file",
                                entry->id);
    uint8_t *raw = malloc(bytes + 1), *value = malloc(bytes + 1);
    orr_status status = ORR_OK;
    if (!raw || !value)
        status = orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
    else if (bytes > inside)
        status = read_at(file, offset, raw, bytes);
    else
        memcpy(raw, entry->field, bytes);
    if (!status) {
        orr_copy_elements(file, entry->type, value, raw, bytes);
        *tag = (orr_tag){entry->id, entry->type, (uint32_t)entry->count, (uint32_t)bytes, value};
        file->budget -= bytes;
    } else {
        orr_wipe(value, bytes);
        free(value);
    }
    orr_wipe(raw, bytes);
    free(raw);
    return status;
}

static orr_status read_tags(orr_tiff_file *file, uint64_t offset, int level, orr_tag **tags,
                            uint32_t *count, uint64_t *next) {
    orr_raw_entry *entries = NULL;
    uint32_t listed = 0, kept = 0;
    uint8_t seen[65536 / 8] = {0}; // of a repeated tag the first one counts, as in libtiff
    orr_status status = orr_tiff_entries(file, offset, &entries, &listed, next);
    if (status) return status;
    orr_tag *out = calloc(listed, sizeof *out);
    if (!out) status = orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
    for (uint32_t n = 0; !status && n < listed; n++) {
        const orr_raw_entry *entry = &entries[n];
        uint8_t *bits = &seen[entry->id / 8], bit = (uint8_t)(1u << entry->id % 8);
        if ((level == 0 && is_layout(entry->id)) || (*bits & bit)) continue;
        *bits |= bit;
        if (is_nested(entry->id, level)) {
            status = read_nested(file, entry, level, &out[kept]);
        } else if (is_unsupported_pointer(entry->id, entry->type)) {
            status = refuse_pointer(file, entry);
        } else {
            status = read_value(file, entry, &out[kept]);
        }
        size_t overhead = 12; // of a tag in the record
        if (!status && file->budget < overhead)
            status = orr_image_refuse(file->name, file->error, "more than 63 MiB of tags");
        if (out[kept].value) kept++;
        if (!status) file->budget -= overhead;
    }
    free(entries);
    if (status) {
        orr_tags_free(out, kept);
        return status;
    }
    *tags = out;
    *count = kept;
    return ORR_OK;
}

orr_status orr_tiff_tags(orr_tiff_file *file, uint64_t offset, orr_image_page *page,
                         uint64_t *next) {
    return read_tags(file, offset, 0, &page->tags, &page->tag_count, next);
}
