// TIFF directories read as they stand, with every count and offset checked first.

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/container/format.h"
#include "host/paper/image_parts.h"

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

void orr_turn_elements(const orr_tiff_file *file, unsigned type, uint8_t *data, size_t bytes) {
    size_t unit = orr_type_unit(type);
    if (!file->big_endian || unit < 2) return;
    for (size_t n = 0; n + unit <= bytes; n += unit) {
        for (size_t i = 0; i < unit / 2; i++) {
            uint8_t byte = data[n + i];
            data[n + i] = data[n + unit - 1 - i];
            data[n + unit - 1 - i] = byte;
        }
    }
}

void orr_copy_elements(const orr_tiff_file *file, unsigned type, uint8_t *to, const uint8_t *from,
                       size_t bytes) {
    if (bytes) memcpy(to, from, bytes);
    orr_turn_elements(file, type, to, bytes);
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
    if (status != ORR_OK) return status;
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
    if (status != ORR_OK) return status;
    uint64_t listed = orr_tiff_load(file, number, word);
    if (listed == 0 || listed > ORR_DIRECTORY_MAX)
        return orr_image_refuse(file->name, file->error, "damaged: a directory of %llu tags",
                                (unsigned long long)listed);
    size_t bytes = (size_t)listed * each + field;
    uint8_t *block = malloc(bytes);
    orr_raw_entry *out = calloc((size_t)listed, sizeof *out);
    if (!block || !out)
        status = orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
    if (status == ORR_OK) status = read_at(file, offset + word, block, bytes);
    for (size_t n = 0; status == ORR_OK && n < listed; n++) {
        const uint8_t *at = block + n * each;
        out[n].id = (uint16_t)orr_tiff_load(file, at, 2);
        out[n].type = (uint16_t)orr_tiff_load(file, at + 2, 2);
        out[n].count = orr_tiff_load(file, at + 4, field);
        memcpy(out[n].field, at + 4 + field, field);
    }
    if (status == ORR_OK) *next = orr_tiff_load(file, block + (size_t)listed * each, field);
    free(block);
    if (status != ORR_OK) {
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
    while (status == ORR_OK && next != 0) {
        orr_raw_entry *entries = NULL;
        uint32_t listed = 0;
        for (uint32_t n = 0; n < pages && status == ORR_OK; n++)
            if (list[n] == next)
                status =
                    orr_image_refuse(file->name, file->error, "damaged: its pages form a loop");
        if (status == ORR_OK && pages == ORR_MAX_PAGES)
            status = orr_image_refuse(file->name, file->error, "more than %u pages", ORR_MAX_PAGES);
        if (status != ORR_OK) break;
        list[pages++] = next;
        status = orr_tiff_entries(file, next, &entries, &listed, &next);
        free(entries);
    }
    if (status == ORR_OK && pages == 0)
        status = orr_image_refuse(file->name, file->error, "no image inside");
    if (status != ORR_OK) {
        free(list);
        return status;
    }
    *offsets = list;
    *count = pages;
    return ORR_OK;
}

// ---- tags with their values

int orr_tag_is_layout(unsigned id) {
    return id == TAG_STRIP_OFFSETS || id == TAG_STRIP_COUNTS || id == TAG_TILE_OFFSETS ||
           id == TAG_TILE_COUNTS;
}

int orr_tag_is_nested(unsigned id, int level) {
    return (level == 0 && (id == TAG_EXIF || id == TAG_GPS)) ||
           (level == 1 && id == TAG_INTEROPERABILITY);
}

int orr_tag_is_pointer(unsigned id, unsigned type) {
    static const uint16_t pointers[] = {288, 330, 400,      513,     519,
                                        520, 521, TAG_EXIF, TAG_GPS, TAG_INTEROPERABILITY};
    for (size_t n = 0; n < sizeof pointers / sizeof *pointers; n++)
        if (pointers[n] == id) return 1;
    return type == TYPE_IFD || type == TYPE_IFD8;
}

int orr_tag_points(unsigned type, int bigtiff) {
    if (type == TIFF_LONG || type == TYPE_IFD) return 1;
    return bigtiff && (type == TIFF_LONG8 || type == TYPE_IFD8);
}

static orr_status refuse_pointer(const orr_tiff_file *file, const orr_raw_entry *entry) {
    const char *what = "sub-directories (sub-IFDs"; // whatever its number, by its type
    if (entry->id == 288) what = "a list of free space (FreeOffsets";
    if (entry->id == 513) what = "the offset of a JPEG thumbnail (JPEGInterchangeFormat";
    if (entry->id >= 519 && entry->id <= 521) what = "tables of old-style JPEG (an offset";
    return orr_image_refuse(file->name, file->error, "it holds %s, tag %u)", what, entry->id);
}

static orr_status read_tags(orr_tiff_file *file, uint64_t offset, int level, orr_buffer *out,
                            uint32_t *count);

static orr_status no_memory(const orr_tiff_file *file) {
    return orr_fail(file->error, ORR_INTERNAL, "%s: out of memory", file->name);
}

static void add_head(orr_buffer *out, unsigned id, unsigned type, uint32_t count, size_t bytes) {
    orr_buffer_le16(out, (uint16_t)id);
    orr_buffer_le16(out, (uint16_t)type);
    orr_buffer_le32(out, count);
    orr_buffer_le32(out, (uint32_t)bytes);
}

static orr_status read_nested(orr_tiff_file *file, const orr_raw_entry *entry, int level,
                              orr_buffer *out) {
    unsigned bytes = orr_type_bytes(entry->type);
    uint32_t count = 0;
    if (entry->count != 1 || !orr_tag_points(entry->type, file->bigtiff))
        return orr_image_refuse(file->name, file->error, "damaged: tag %u is no pointer",
                                entry->id);
    size_t head = out->bytes;
    add_head(out, entry->id, entry->type | ORR_TAG_DIRECTORY, 0, 0);
    orr_status status =
        read_tags(file, orr_tiff_load(file, entry->field, bytes), level + 1, out, &count);
    if (status != ORR_OK) return status;
    if (out->failed) return no_memory(file);
    orr_store_le32(out->data + head + 4, count);
    orr_store_le32(out->data + head + 8, (uint32_t)(out->bytes - head - ORR_TAG_BYTES));
    return ORR_OK;
}

static orr_status read_value(orr_tiff_file *file, const orr_raw_entry *entry, orr_buffer *out) {
    unsigned each = orr_type_bytes(entry->type);
    if (each == 0)
        return orr_image_refuse(file->name, file->error, "tag %u has the unknown type %u",
                                entry->id, entry->type);
    if (entry->count > file->budget / each)
        return orr_image_refuse(file->name, file->error,
                                "tag %u with %llu values: more than %zu KiB of tags", entry->id,
                                (unsigned long long)entry->count, file->most >> 10);
    size_t bytes = (size_t)entry->count * each, inside = file->bigtiff ? 8 : 4;
    uint64_t offset = orr_tiff_load(file, entry->field, inside);
    if (bytes > inside && (offset > file->size || bytes > file->size - offset))
        return orr_image_refuse(file->name, file->error,
                                "damaged: the value of tag %u lies beyond the end of the file",
                                entry->id);
    add_head(out, entry->id, entry->type, (uint32_t)entry->count, bytes);
    uint8_t *value = orr_buffer_add(out, NULL, bytes);
    if (!value) return no_memory(file);
    orr_status status = ORR_OK;
    if (bytes > inside)
        status = read_at(file, offset, value, bytes);
    else
        memcpy(value, entry->field, bytes);
    orr_turn_elements(file, entry->type, value, bytes);
    file->budget -= bytes;
    return status;
}

// Where strips and tiles are is not carried along; but it must be there to be read.
static orr_status check_layout_tag(orr_tiff_file *file, const orr_raw_entry *entry) {
    uint64_t each = orr_type_bytes(entry->type), inside = file->bigtiff ? 8 : 4;
    uint64_t offset = orr_tiff_load(file, entry->field, (size_t)inside);
    if (each && entry->count > 0 && entry->count <= file->size / each &&
        (entry->count * each <= inside ||
         (offset <= file->size && entry->count * each <= file->size - offset)))
        return ORR_OK;
    return orr_image_refuse(file->name, file->error,
                            "damaged: tag %u says where %llu strips or tiles are, and has no such "
                            "list inside the file",
                            entry->id, (unsigned long long)entry->count);
}

static orr_status read_tags(orr_tiff_file *file, uint64_t offset, int level, orr_buffer *out,
                            uint32_t *count) {
    orr_raw_entry *entries = NULL;
    uint32_t listed = 0;
    uint64_t next = 0;
    uint8_t seen[65536 / 8] = {0}; // of a repeated tag the first one counts, as in libtiff
    orr_status status = orr_tiff_entries(file, offset, &entries, &listed, &next);
    if (status != ORR_OK) return status;
    *count = 0;
    for (uint32_t n = 0; status == ORR_OK && n < listed; n++) {
        const orr_raw_entry *entry = &entries[n];
        uint8_t *bits = &seen[entry->id / 8], bit = (uint8_t)(1u << entry->id % 8);
        if (*bits & bit) continue;
        *bits |= bit;
        if (level == 0 && orr_tag_is_layout(entry->id)) {
            status = check_layout_tag(file, entry);
            continue;
        }
        if (file->budget < ORR_TAG_BYTES) {
            status = orr_image_refuse(file->name, file->error, "more than %zu KiB of tags",
                                      file->most >> 10);
            break;
        }
        file->budget -= ORR_TAG_BYTES;
        if (orr_tag_is_nested(entry->id, level))
            status = read_nested(file, entry, level, out);
        else if (orr_tag_is_pointer(entry->id, entry->type))
            status = refuse_pointer(file, entry);
        else
            status = read_value(file, entry, out);
        ++*count;
    }
    free(entries);
    return status;
}

orr_status orr_tiff_tags(orr_tiff_file *file, uint64_t offset, orr_image_page *page) {
    orr_buffer out = {0};
    orr_status status = read_tags(file, offset, 0, &out, &page->tag_count);
    uint8_t *tags = status || out.failed ? NULL : malloc(out.bytes + 1);
    if (tags) {
        if (out.bytes) memcpy(tags, out.data, out.bytes);
        page->tags = tags; // its own memory, as long as it is, not as the buffer grew
        page->tag_bytes = (uint32_t)out.bytes;
    } else if (status == ORR_OK) {
        status = no_memory(file);
    }
    orr_buffer_free(&out);
    return status;
}
