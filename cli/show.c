// Text that is safe to show: escapes, UTF-8 repair, sizes and times for people.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/console.h"

// Length of the well-formed UTF-8 sequence at s (Unicode 15, table 3-7) and its code point; 0 when
// there is none. NUL never continues a sequence, so this stays inside a C string.
static size_t utf8_sequence(const unsigned char *s, uint32_t *point) {
    if (s[0] < 0x80) {
        *point = s[0];
        return 1;
    }
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    uint32_t value = s[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (s[i] & 0x3f);
    }
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *point = value;
    return length;
}

// Characters that move the cursor, talk to the terminal or reorder the line.
static int is_unsafe(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

void orr_text_escape(const char *text, char *out, size_t out_bytes) {
    const unsigned char *s = (const unsigned char *)text;
    size_t used = 0;
    while (*s) {
        uint32_t point = 0;
        size_t length = utf8_sequence(s, &point);
        int escape = length == 0 || is_unsafe(point);
        if (length == 0) length = 1;
        if (used + (escape ? 4 : 1) * length + 1 > out_bytes) break;
        for (size_t i = 0; i < length; i++) {
            if (escape) {
                used += (size_t)snprintf(out + used, 5, "\\x%02X", s[i]);
            } else {
                out[used++] = (char)s[i];
            }
        }
        s += length;
    }
    out[used] = 0;
}

const char *orr_shown_name(const char *name, const char *otherwise) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-";
    return *name && *name != '-' && strspn(name, plain) == strlen(name) ? name : otherwise;
}

void orr_human_size(uint64_t bytes, char out[24]) {
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t u = 0;
    // 1023.95 would print as 1024.0 of the smaller unit.
    for (; u + 1 < sizeof unit / sizeof *unit && value >= (u ? 1023.95 : 1024.0); u++)
        value /= 1024;
    snprintf(out, 24, u && value < 100 ? "%.1f %s" : "%.0f %s", value, unit[u]);
}

void orr_human_time(double seconds, char out[24]) {
    if (!(seconds >= 0)) seconds = 0;
    if (seconds > 359999) seconds = 359999;
    unsigned s = (unsigned)(seconds + 0.5);
    if (s >= 3600) {
        snprintf(out, 24, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    } else {
        snprintf(out, 24, "%u:%02u", s / 60, s % 60);
    }
}

void orr_human_date(int64_t seconds, char out[32]) {
    if (!orr_utc(seconds, ORR_UTC_STAMP, out, 32)) snprintf(out, 32, "unknown");
}
