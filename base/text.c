#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Length of the valid UTF-8 sequence at p, 0 when there is none.
static size_t sequence(const uint8_t *p) {
    if (p[0] < 0x80) return 1;
    size_t n = p[0] >= 0xc2 && p[0] < 0xe0   ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    return n;
}

int orr_utf8_valid(const char *text) {
    const uint8_t *p = (const uint8_t *)text;
    while (*p) {
        size_t n = sequence(p);
        if (!n) return 0;
        p += n;
    }
    return 1;
}

int orr_text_is_plain(const char *text) {
    for (const uint8_t *p = (const uint8_t *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) return 0;
    return orr_utf8_valid(text);
}

char *orr_utf8_repair(const char *text) {
    const uint8_t *p = (const uint8_t *)text;
    char *out = malloc(strlen(text) * 3 + 1), *q = out;
    if (!out) return NULL;
    while (*p) {
        size_t n = sequence(p);
        if (n) {
            memcpy(q, p, n);
            q += n;
            p += n;
        } else {
            memcpy(q, "\xef\xbf\xbd", 3);
            q += 3;
            p++;
        }
    }
    *q = 0;
    return out;
}

void orr_hex(const void *in, size_t bytes, char *out) {
    const uint8_t *p = in;
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = "0123456789abcdef"[p[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    out[2 * bytes] = 0;
}

void orr_json_add_bytes(cJSON *object, const char *key, const char *text) {
    if (orr_utf8_valid(text)) {
        cJSON_AddStringToObject(object, key, text);
        return;
    }
    char *repaired = orr_utf8_repair(text), *hex = malloc(strlen(text) * 2 + 1), name[64];
    if (repaired) cJSON_AddStringToObject(object, key, repaired);
    if (hex) {
        orr_hex(text, strlen(text), hex);
        snprintf(name, sizeof name, "%s_bytes_hex", key);
        cJSON_AddStringToObject(object, name, hex);
    }
    free(repaired);
    free(hex);
}

const char *orr_errno_hint(int number) {
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return ": free some space and run the same command again";
    case EFBIG:
        return ": the file system, or `ulimit -f`, allows no larger file";
    case EACCES:
    case EPERM:
        return ": check permissions";
    case EROFS:
        return ": it was mounted so, or became so after an error of its disk";
    case ENODEV:
    case ENXIO:
    case ENOTCONN:
    case ESHUTDOWN:
    case ESTALE:
        return ": is its disk or share still there?";
    case EMFILE:
    case ENFILE:
        return ": allow more open files (`ulimit -n`), or lower -j";
    default:
        return "";
    }
}

int orr_part_parse(const char *text, const char *lead, unsigned *part, unsigned *parts) {
    size_t n = strlen(lead);
    char same[32];
    if (strncmp(text, lead, n) != 0 || sscanf(text + n, "%u-of-%u", part, parts) != 2) return 0;
    snprintf(same, sizeof same, "%u-of-%u", *part, *parts);
    return !strcmp(text + n, same);
}
