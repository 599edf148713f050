// Lines on stderr for people and on stdout for programs, from any thread.
#include "cli/console.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

#define LINE_BYTES 8192 // the longest line shown; a path has at most 4,096 bytes

void orr_console_init(orr_console *console) {
    memset(console, 0, sizeof *console);
    console->terminal = isatty(STDERR_FILENO);
    pthread_mutex_init(&console->lock, NULL);
}

void orr_console_free(orr_console *console) {
    pthread_mutex_destroy(&console->lock);
}

static void clear_bar(orr_console *console) {
    if (console->bar) fputs("\r\033[K", stderr);
    console->bar = 0;
}

static void print_line(orr_console *console, const char *prefix, const char *format, va_list args) {
    char raw[LINE_BYTES], line[2 * LINE_BYTES];
    vsnprintf(raw, sizeof raw, format, args);
    orr_text_escape(raw, line, sizeof line);
    pthread_mutex_lock(&console->lock);
    clear_bar(console);
    fprintf(stderr, "%s%s\n", prefix, line);
    pthread_mutex_unlock(&console->lock);
}

static __attribute__((format(printf, 3, 4))) void people(orr_console *console, const char *prefix,
                                                         const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line(console, prefix, format, args);
    va_end(args);
}

void orr_console_error(orr_console *console, const orr_error *error, const char *file) {
    if (!console->json) {
        people(console, "orrery: ", "%s", error->text);
        return;
    }
    cJSON *object = orr_json_message("error");
    if (file) orr_json_add_bytes(object, "file", file);
    cJSON_AddStringToObject(object, "status", orr_status_name(error->status));
    cJSON_AddNumberToObject(object, "exit_status", error->status);
    orr_json_add_bytes(object, "text", error->text);
    orr_console_json(console, object);
}

void orr_console_warn(orr_console *console, int always, const char *format, ...) {
    va_list args;
    if (console->json) {
        char raw[LINE_BYTES];
        va_start(args, format);
        vsnprintf(raw, sizeof raw, format, args);
        va_end(args);
        cJSON *object = orr_json_message("warning");
        orr_json_add_bytes(object, "text", raw);
        orr_console_json(console, object);
    }
    if (!always && (console->json || console->quiet)) return;
    va_start(args, format);
    print_line(console, "orrery: warning: ", format, args);
    va_end(args);
}

void orr_console_note(orr_console *console, const char *format, ...) {
    if (console->json || console->quiet) return;
    va_list args;
    va_start(args, format);
    print_line(console, "", format, args);
    va_end(args);
}

void orr_console_hint(orr_console *console, const char *format, ...) {
    if (console->json) return;
    va_list args;
    va_start(args, format);
    print_line(console, "", format, args);
    va_end(args);
}

// Flushed at once: whoever reads the other end wants each line when it happens.
static void put_line(orr_console *console, const char *line) {
    pthread_mutex_lock(&console->lock);
    clear_bar(console);
    if ((fputs(line, stdout) == EOF || putchar('\n') == EOF || fflush(stdout) == EOF) &&
        !console->output_lost) {
        console->output_lost = errno ? errno : EIO;
    }
    pthread_mutex_unlock(&console->lock);
}

void orr_console_data(orr_console *console, const char *format, ...) {
    char raw[LINE_BYTES], line[2 * LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    orr_text_escape(raw, line, sizeof line);
    put_line(console, line);
}

void orr_console_secret(orr_console *console, const char *text) {
    struct iovec line[2] = {{(void *)(uintptr_t)text, strlen(text)}, {"\n", 1}};
    pthread_mutex_lock(&console->lock);
    clear_bar(console);
    for (int i = 0; i < 2; i++)
        if ((fflush(stdout) == EOF || orr_write_in_full(STDOUT_FILENO, line[i].iov_base,
                                                        line[i].iov_len) != line[i].iov_len) &&
            !console->output_lost)
            console->output_lost = errno ? errno : EIO;
    pthread_mutex_unlock(&console->lock);
}

void orr_console_json(orr_console *console, cJSON *object) {
    char *line = object ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    if (line) {
        put_line(console, line);
    } else if (!console->output_lost) {
        console->output_lost = ENOMEM;
    }
    cJSON_free(line);
}

cJSON *orr_json_message(const char *type) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "message_type", type);
    return object;
}

void orr_json_add_hex(cJSON *object, const char *key, const uint8_t *bytes, size_t count) {
    char hex[129];
    if (count > 64) count = 64;
    orr_hex(bytes, count, hex);
    cJSON_AddStringToObject(object, key, hex);
}

void orr_console_bar(orr_console *console, const char *text) {
    pthread_mutex_lock(&console->lock);
    if (text) {
        fprintf(stderr, "\r%s\033[K", text);
        console->bar = 1;
    } else {
        clear_bar(console);
    }
    fflush(stderr);
    pthread_mutex_unlock(&console->lock);
}
