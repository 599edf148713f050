// What the program says: people read stderr, programs read stdout (docs/CLI.md).
//
// Text may carry file names from anywhere, so everything for people passes through one escape:
// control characters, bidirectional overrides and bytes that are not UTF-8 show as \xHH.
#ifndef ORRERY_CLI_CONSOLE_H
#define ORRERY_CLI_CONSOLE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_console {
    int json, quiet, verbose;
    int terminal;         // stderr is one
    int bar;              // a progress bar is on the screen
    int output_lost;      // stdout could not be written: errno
    pthread_mutex_t lock; // one line at a time, from any thread
} orr_console;

void orr_console_init(orr_console *console);
void orr_console_free(orr_console *console);

// "orrery: TEXT" on stderr, or {"message_type":"error"} with --json. `file` (may be NULL) is the
// path that the error is about; it only goes into the JSON.
void orr_console_error(orr_console *console, const orr_error *error, const char *file);
// "orrery: warning: TEXT"; silent with -q. `always` prints it on stderr even with -q or --json.
void orr_console_warn(orr_console *console, int always, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// A line without prefix for people; silent with -q or --json.
void orr_console_note(orr_console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// A line of its own below an error: what to do next. Silent with --json, not with -q.
void orr_console_hint(orr_console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// One line of data on stdout, escaped like the rest.
void orr_console_data(orr_console *console, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// A line with a secret on stdout: unbuffered, and left nowhere in the program's memory.
void orr_console_secret(orr_console *console, const char *text);
// Prints an object as one line on stdout and deletes it; NULL (no memory) marks the output lost.
void orr_console_json(orr_console *console, cJSON *object);
// A new object with its message_type; NULL when memory runs out (cJSON calls accept that).
cJSON *orr_json_message(const char *type);
void orr_json_add_hex(cJSON *object, const char *key, const uint8_t *bytes, size_t count);
// The bar of progress.c: draws `text` over the last one, or clears it when text is NULL.
void orr_console_bar(orr_console *console, const char *text);

// `name` where a shell takes it as one word as it stands, else `otherwise`: for commands that
// messages suggest.
const char *orr_shown_name(const char *name, const char *otherwise);
// Text for a person's eyes, NUL-terminated, cut to the buffer at a character's border.
void orr_text_escape(const char *text, char *out, size_t out_bytes);
// "1.4 GiB", "512 B"; "1:02:03", "4:05".
void orr_human_size(uint64_t bytes, char out[24]);
void orr_human_time(double seconds, char out[24]);
// "2026-12-01T16:05:00Z"; "unknown" for a year that has no four digits.
void orr_human_date(int64_t seconds, char out[32]);

#ifdef __cplusplus
}
#endif
#endif
