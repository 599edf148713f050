// libtiff over a file descriptor: positions of our own, messages kept instead of printed.

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "host/paper/image_parts.h"
#include "media/tiff_chunk.h"

static tmsize_t client_read(thandle_t handle, void *out, tmsize_t bytes) {
    orr_tiff_client *client = handle;
    if (bytes <= 0 || client->position >= client->size) return 0;
    size_t got = orr_pread_in_full(client->fd, out, (size_t)bytes, client->position);
    if (got < (size_t)bytes && errno) client->io_error = errno;
    client->position += got;
    return (tmsize_t)got;
}

static tmsize_t client_write(thandle_t handle, void *in, tmsize_t bytes) {
    orr_tiff_client *client = handle;
    if (bytes <= 0) return 0;
    size_t put = orr_pwrite_in_full(client->fd, in, (size_t)bytes, client->position);
    if (put < (size_t)bytes) client->io_error = errno;
    client->position += put;
    if (client->position > client->size) client->size = client->position;
    return (tmsize_t)put;
}

static toff_t client_seek(thandle_t handle, toff_t offset, int whence) {
    orr_tiff_client *client = handle;
    uint64_t base = whence == SEEK_CUR ? client->position : whence == SEEK_END ? client->size : 0;
    client->position = base + offset;
    return client->position;
}

static int client_close(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t client_size(thandle_t handle) {
    return ((orr_tiff_client *)handle)->size;
}

// libtiff names the row and column where it was, also when it was nowhere yet.
static void drop_unset_places(char *message) {
    static const char *const places[] = {" at row 4294967295", ", col 4294967295",
                                         " at scanline 4294967295", " for scanline 4294967295"};
    for (size_t n = 0; n < sizeof places / sizeof *places; n++) {
        char *found = strstr(message, places[n]);
        size_t length = strlen(places[n]);
        if (found) memmove(found, found + length, strlen(found + length) + 1);
    }
}

static int keep_message(TIFF *tif, void *user, const char *module, const char *format,
                        va_list arguments) {
    orr_tiff_client *client = user;
    (void)tif;
    (void)module;
    if (client->complained) return 1;
    int used = snprintf(client->message, sizeof client->message, "libtiff: ");
    vsnprintf(client->message + used, sizeof client->message - (size_t)used, format, arguments);
    orr_one_line(client->message);
    drop_unset_places(client->message);
    client->complained = 1;
    return 1; // handled: nothing is printed
}

void orr_tiff_client_complain(orr_tiff_client *client, const char *format, ...) {
    va_list arguments;
    if (client->complained) return;
    va_start(arguments, format);
    vsnprintf(client->message, sizeof client->message, format, arguments);
    va_end(arguments);
    client->complained = 1;
}

// libtiff only warns of JPEG data that are cut, broken, or of another size than the page. Warnings
// of tags are none of our concern.
static int take_warning(TIFF *tif, void *user, const char *module, const char *format,
                        va_list arguments) {
    orr_tiff_client *client = user;
    char text[sizeof client->message];
    (void)tif;
    (void)module;
    if (!client->decoding) return 1;
    vsnprintf(text, sizeof text, format, arguments);
    orr_one_line(text);
    if (orr_tiff_warning_is_damage(text)) orr_tiff_client_complain(client, "libtiff: %.180s", text);
    return 1;
}

TIFF *orr_tiff_client_open(orr_tiff_client *client, const char *name, const char *mode,
                           uint64_t limit) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_message, client);
    TIFFOpenOptionsSetWarningHandlerExtR(options, take_warning, client);
    if (limit > 0 && limit < (uint64_t)TIFF_TMSIZE_T_MAX)
        TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)limit);
    TIFF *tif = TIFFClientOpenExt(name, mode, client, client_read, client_write, client_seek,
                                  client_close, client_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tif;
}

orr_status orr_image_refuse(const char *name, orr_error *error, const char *format, ...) {
    char what[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return orr_fail(error, ORR_UNSUPPORTED,
                    "%s: %s. The paper profile enciphers decodable 8- and 16-bit gray or RGB TIFF "
                    "images; use the archive profile (the default), which takes any file",
                    name, what);
}
