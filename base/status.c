#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static orr_status fill(orr_error *error, orr_status status, int number, const char *format,
                       va_list args) {
    if (error) {
        error->status = status;
        error->number = number;
        error->of_source = 0;
        vsnprintf(error->text, sizeof error->text, format, args);
    }
    return status;
}

orr_status orr_fail(orr_error *error, orr_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(error, status, 0, format, args);
    va_end(args);
    return status;
}

orr_status orr_fail_errno(orr_error *error, int number, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(error, ORR_IO, number, format, args);
    va_end(args);
    return ORR_IO;
}

orr_status orr_fail_source(orr_error *error, int number, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fill(error, ORR_IO, number, format, args);
    va_end(args);
    if (error) error->of_source = 1;
    return ORR_IO;
}

const char *orr_status_name(orr_status status) {
    static const char *const names[] = {
        [ORR_OK] = "ok",
        [ORR_INTERNAL] = "internal",
        [ORR_USAGE] = "usage",
        [ORR_SOME_FAILED] = "some-failed",
        [ORR_AUTH] = "authentication",
        [ORR_KEY] = "key",
        [ORR_EXISTS] = "exists",
        [ORR_IO] = "io",
        [ORR_UNSUPPORTED] = "unsupported",
        [ORR_INCOMPLETE] = "incomplete",
        [ORR_NOT_ORRERY] = "not-orrery",
        [ORR_SELF_TEST] = "self-test",
        [ORR_STOPPED] = "stopped",
    };
    const char *name = (size_t)status < sizeof names / sizeof *names ? names[status] : NULL;
    return name ? name : "internal";
}

void orr_one_line(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != ' ' && (*from < '\t' || *from > '\r'))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    }
    if (to > text && to[-1] == ' ') to--;
    *to = 0;
}
