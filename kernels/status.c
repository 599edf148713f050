#include "kernels/status.h"

#include <stdarg.h>
#include <stdio.h>

orr_status orr_fail(orr_error *error, orr_status status, const char *format, ...) {
    if (error) {
        va_list args;
        va_start(args, format);
        error->status = status;
        vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return status;
}

const char *orr_status_name(orr_status status) {
    switch (status) {
    case ORR_OK: return "ok";
    case ORR_INTERNAL: return "internal";
    case ORR_USAGE: return "usage";
    case ORR_SOME_FAILED: return "some-failed";
    case ORR_AUTH: return "authentication";
    case ORR_KEY: return "key";
    case ORR_EXISTS: return "exists";
    case ORR_IO: return "io";
    case ORR_UNSUPPORTED: return "unsupported";
    case ORR_NOT_ORRERY: return "not-orrery";
    case ORR_SELF_TEST: return "self-test";
    case ORR_STOPPED: return "stopped";
    }
    return "internal";
}
