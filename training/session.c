#include "training/session.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void orr_session_warn(orr_session *s, const char *format, ...) {
    char text[4608];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (s->hooks.warning) s->hooks.warning(s->hooks.context, text);
}

double orr_session_epoch(const orr_session *s, uint64_t step) {
    double epoch = (double)step * s->options.gan.batch / s->data.count;
    // There is one step, also where a batch has more images than all epochs.
    return fmin(epoch, s->options.epochs);
}
