// Names are raw bytes; JSON is UTF-8. One way to put the former into the latter.
#ifndef ORRERY_BASE_TEXT_H
#define ORRERY_BASE_TEXT_H

#include <stddef.h>

#include <cjson/cJSON.h>

#ifdef __cplusplus
extern "C" {
#endif

// Longest relative path of a file, in bytes (docs/FORMAT.md, metadata).
#define ORR_MAX_PATH 4096

// Is this NUL-terminated string valid UTF-8 (RFC 3629: no overlong forms, no surrogates)?
int orr_utf8_valid(const char *text);
// The same, and free of control characters (C0, DEL, C1)?
int orr_text_is_plain(const char *text);
// Copies `text` with every invalid byte replaced by U+FFFD. malloc'ed, NULL when memory runs out.
char *orr_utf8_repair(const char *text);
// Adds "key": text to an object; when the bytes are not UTF-8 the repaired text, and
// "key_bytes_hex" with the exact bytes.
void orr_json_add_bytes(cJSON *object, const char *key, const char *text);
// What a person can do about a failed system call: ": free some space ...", or "".
const char *orr_errno_hint(int number);
// Is `text` exactly `lead` and then "I-of-N", decimal without signs or leading zeros?
int orr_part_parse(const char *text, const char *lead, unsigned *part, unsigned *parts);
// Lower-case hex of `bytes` bytes into out (2 * bytes + 1).
void orr_hex(const void *in, size_t bytes, char *out);

#ifdef __cplusplus
}
#endif

#endif
