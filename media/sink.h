// Where generated text goes: memory that grows, or an open FILE. The first failure is kept, later
// calls do nothing, and orr_sink_finish() tells; so writers need no check after every line.
#ifndef ORRERY_MEDIA_SINK_H
#define ORRERY_MEDIA_SINK_H

#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_sink {
    FILE *file; // NULL: memory
    char *text; // memory: what was written, NUL-terminated; NULL before the first byte
    size_t length, capacity;
    orr_error error; // status ORR_OK while all is well
} orr_sink;

// Starts a sink in memory; orr_sink_free() gives it back.
void orr_sink_memory(orr_sink *sink);
// Starts a sink on an open file, which stays the caller's to close.
void orr_sink_file(orr_sink *sink, FILE *file);
void orr_sink_free(orr_sink *sink);

// Appends bytes, a string, or printf's output, as they are.
void orr_sink_put(orr_sink *sink, const char *bytes, size_t count);
void orr_sink_text(orr_sink *sink, const char *text);
void orr_sink_format(orr_sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A name that may have any bytes, as part of one line: control characters and \ as \xHH.
void orr_sink_name(orr_sink *sink, const char *name);
// Appends text as character data or attribute value of XML 1.0 and HTML: & < > " ' become
// references; bytes that are not UTF-8, and characters that XML forbids, become U+FFFD. NULL is "".
void orr_sink_escaped(orr_sink *sink, const char *text);
// Appends bytes in base64 (RFC 4648, with padding).
void orr_sink_base64(orr_sink *sink, const void *bytes, size_t count);

// ORR_OK when everything was written (a file is flushed), else the first failure: ORR_IO for a
// file, ORR_INTERNAL when memory ran out.
orr_status orr_sink_finish(orr_sink *sink, orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
