#include "media/sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void orr_sink_memory(orr_sink *sink) {
    memset(sink, 0, sizeof *sink);
}

void orr_sink_file(orr_sink *sink, FILE *file) {
    memset(sink, 0, sizeof *sink);
    sink->file = file;
}

void orr_sink_free(orr_sink *sink) {
    free(sink->text);
    memset(sink, 0, sizeof *sink);
}

// Makes room for `count` more bytes and a NUL.
static int reserve(orr_sink *sink, size_t count) {
    size_t need = sink->length + count + 1, capacity = sink->capacity ? sink->capacity : 1024;
    if (need <= sink->capacity) return 1;
    while (capacity < need) capacity *= 2;
    char *text = need > count ? realloc(sink->text, capacity) : NULL;
    if (!text) {
        orr_fail(&sink->error, ORR_INTERNAL, "out of memory for %zu bytes of generated text", need);
        return 0;
    }
    sink->text = text;
    sink->capacity = capacity;
    return 1;
}

void orr_sink_put(orr_sink *sink, const char *bytes, size_t count) {
    if (sink->error.status != ORR_OK || count == 0) return;
    if (sink->file) {
        if (fwrite(bytes, 1, count, sink->file) != count)
            orr_fail(&sink->error, ORR_IO, "writing generated text failed: %s", strerror(errno));
        return;
    }
    if (!reserve(sink, count)) return;
    memcpy(sink->text + sink->length, bytes, count);
    sink->length += count;
    sink->text[sink->length] = '\0';
}

void orr_sink_text(orr_sink *sink, const char *text) {
    orr_sink_put(sink, text, strlen(text));
}

void orr_sink_name(orr_sink *sink, const char *name) {
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if (*p < 32 || *p == 127 || *p == '\\')
            orr_sink_format(sink, "\\x%02X", *p);
        else
            orr_sink_put(sink, (const char *)p, 1);
    }
}

void orr_sink_format(orr_sink *sink, const char *format, ...) {
    char text[512], *more = text;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof text) {
        more = malloc((size_t)length + 1);
        if (more) vsnprintf(more, (size_t)length + 1, format, again);
    }
    va_end(again);
    if (length < 0 || !more) {
        if (sink->error.status == ORR_OK)
            orr_fail(&sink->error, ORR_INTERNAL, "out of memory for generated text");
        return;
    }
    orr_sink_put(sink, more, (size_t)length);
    if (more != text) free(more);
}

// Length of the UTF-8 sequence at p (RFC 3629) and its character; 0 when there is none.
static size_t character(const uint8_t *p, uint32_t *value) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80           ? 1
                    : (p[0] >> 5) == 0x06 ? 2
                    : (p[0] >> 4) == 0x0e ? 3
                    : (p[0] >> 3) == 0x1e ? 4
                                          : 0;
    if (!length) return 0;
    *value = length == 1 ? p[0] : p[0] & (0x7fu >> length);
    for (size_t n = 1; n < length; n++) {
        if ((p[n] & 0xc0) != 0x80) return 0; // the NUL at the end stops here as well
        *value = *value << 6 | (p[n] & 0x3fu);
    }
    int surrogate = *value >= 0xd800 && *value < 0xe000;
    return *value < least[length] || *value > 0x10ffff || surrogate ? 0 : length;
}

void orr_sink_escaped(orr_sink *sink, const char *text) {
    const uint8_t *p = (const uint8_t *)(text ? text : "");
    while (*p) {
        uint32_t value = 0;
        size_t length = character(p, &value);
        const char *instead = NULL;
        if (value == '&') instead = "&amp;";
        if (value == '<') instead = "&lt;";
        if (value == '>') instead = "&gt;";
        if (value == '"') instead = "&quot;";
        if (value == '\'') instead = "&#39;";
        int white = value == '\t' || value == '\n' || value == '\r';
        if (!length || (value < 0x20 && !white) || (value >= 0x7f && value < 0xa0) ||
            (value & 0xfffe) == 0xfffe)
            instead = "\xef\xbf\xbd";
        if (instead)
            orr_sink_text(sink, instead);
        else
            orr_sink_put(sink, (const char *)p, length);
        p += length ? length : 1;
    }
}

void orr_sink_base64(orr_sink *sink, const void *bytes, size_t count) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = bytes;
    for (size_t n = 0; n < count; n += 3) {
        uint32_t word = (uint32_t)p[n] << 16;
        if (n + 1 < count) word |= (uint32_t)p[n + 1] << 8;
        if (n + 2 < count) word |= p[n + 2];
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63],
                        (char)(n + 1 < count ? digits[word >> 6 & 63] : '='),
                        (char)(n + 2 < count ? digits[word & 63] : '=')};
        orr_sink_put(sink, four, 4);
    }
}

orr_status orr_sink_finish(orr_sink *sink, orr_error *error) {
    if (sink->error.status == ORR_OK && sink->file && fflush(sink->file) != 0)
        orr_fail(&sink->error, ORR_IO, "writing generated text failed: %s", strerror(errno));
    if (sink->error.status != ORR_OK && error) *error = sink->error;
    return sink->error.status;
}
