#include "cli/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/stop.h"

#define TICK_NANOSECONDS 200000000 // the bar moves five times a second
#define RATE_SECONDS 10.0          // what the rate looks back over
#define MAX_COLUMNS 512

struct orr_ticker {
    orr_console *console;
    const char *verb;
    orr_progress *progress;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int stop, stop_said;
    double start, last_time, last_line, rate;
    uint64_t last_bytes;
};

static unsigned terminal_columns(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col < MAX_COLUMNS ? size.ws_col : MAX_COLUMNS;
}

static orr_progress_view look(orr_ticker *t) {
    orr_progress *p = t->progress;
    double time = orr_seconds(), step = time - t->last_time;
    orr_progress_view view = {
        .done_bytes = p->done_bytes,
        .total_bytes = p->total_bytes,
        .done_files = p->done_files,
        .total_files = p->total_files,
        .failed_files = p->failed_files,
        .present_files = p->present_files,
        .skipped_files = p->skipped_files,
        .counted = p->counted,
        .elapsed = time - t->start,
        .remaining = -1,
    };
    if (step > 0) {
        // A moving average whose memory grows with the run until it spans RATE_SECONDS.
        double span = view.elapsed < RATE_SECONDS ? view.elapsed : RATE_SECONDS;
        double weight = span > step ? step / span : 1;
        uint64_t moved = view.done_bytes > t->last_bytes ? view.done_bytes - t->last_bytes : 0;
        t->rate += weight * ((double)moved / step - t->rate);
        t->last_time = time;
        t->last_bytes = view.done_bytes;
    }
    view.rate = t->rate;
    if (view.counted && view.rate > 0 && view.total_bytes >= view.done_bytes) {
        view.remaining = (double)(view.total_bytes - view.done_bytes) / view.rate;
    }
    return view;
}

static double share_of(const orr_progress_view *view) {
    if (view->total_bytes == 0)
        return view->total_files ? (double)view->done_files / (double)view->total_files : 0;
    double share = (double)view->done_bytes / (double)view->total_bytes;
    return share < 1 ? share : 1;
}

// "1.2 GiB of 3.4 GiB, 430 MiB/s, 0:05 left, 12 of 57 files, 1 failed"
static void describe(const orr_progress_view *view, char *out, size_t out_bytes) {
    char done[24], total[24], rate[24], left[24], failed[40] = "", time[40] = "";
    orr_human_size(view->done_bytes, done);
    orr_human_size(view->total_bytes, total);
    orr_human_size((uint64_t)view->rate, rate);
    if (view->remaining >= 0) {
        orr_human_time(view->remaining, left);
        snprintf(time, sizeof time, ", %s left", left);
    }
    if (view->failed_files)
        snprintf(failed, sizeof failed, ", %" PRIu64 " failed", view->failed_files);
    snprintf(out, out_bytes, "%s of %s%s, %s/s%s, %" PRIu64 " of %" PRIu64 "%s files%s", done,
             total, view->counted ? "" : "+", rate, time, view->done_files, view->total_files,
             view->counted ? "" : "+", failed);
}

void orr_progress_bar(const orr_progress_view *view, const char *verb, unsigned columns, char *out,
                      size_t out_bytes) {
    char text[256], head[64], line[2 * MAX_COLUMNS];
    describe(view, text, sizeof text);
    // While the tree is still being counted a percentage would only go backwards.
    if (view->counted) {
        snprintf(head, sizeof head, "%s %3.0f%%", verb, floor(100 * share_of(view)));
    } else {
        snprintf(head, sizeof head, "%s  ..%%", verb);
    }
    size_t room = columns > 1 ? columns - 1 : 0, used = strlen(head) + strlen(text) + 5;
    size_t cells = room > used ? room - used : 0;
    if (cells > 40) cells = 40;
    if (cells < 8 || !view->counted) {
        snprintf(line, sizeof line, "%s  %s", head, text);
    } else {
        char bar[48];
        size_t full = (size_t)((double)cells * share_of(view));
        for (size_t i = 0; i < cells; i++) bar[i] = (char)(i < full ? '=' : i == full ? '>' : ' ');
        bar[cells] = 0;
        snprintf(line, sizeof line, "%s [%s] %s", head, bar, text);
    }
    snprintf(out, out_bytes, "%.*s", (int)room, line);
}

static void show_json(orr_ticker *t, const orr_progress_view *view) {
    cJSON *object = orr_json_message("status");
    cJSON_AddStringToObject(object, "command", t->verb);
    cJSON_AddBoolToObject(object, "counted", view->counted);
    cJSON_AddNumberToObject(object, "share_done", share_of(view));
    cJSON_AddNumberToObject(object, "bytes_done", (double)view->done_bytes);
    cJSON_AddNumberToObject(object, "bytes_total", (double)view->total_bytes);
    cJSON_AddNumberToObject(object, "files_done", (double)view->done_files);
    cJSON_AddNumberToObject(object, "files_total", (double)view->total_files);
    cJSON_AddNumberToObject(object, "files_present", (double)view->present_files);
    cJSON_AddNumberToObject(object, "files_skipped", (double)view->skipped_files);
    cJSON_AddNumberToObject(object, "files_failed", (double)view->failed_files);
    cJSON_AddNumberToObject(object, "bytes_per_second", floor(view->rate));
    cJSON_AddNumberToObject(object, "seconds_elapsed", floor(view->elapsed * 10) / 10);
    if (view->remaining >= 0)
        cJSON_AddNumberToObject(object, "seconds_remaining", ceil(view->remaining));
    orr_console_json(t->console, object);
}

static void tick(orr_ticker *t) {
    orr_console *console = t->console;
    orr_progress_view view = look(t);
    double time = t->last_time;
    if (orr_stop_requested && !t->stop_said) {
        t->stop_said = 1;
        orr_console_note(console, "stopping; another signal leaves at once");
    }
    if (console->json) {
        if (time - t->last_line < 1) return;
        show_json(t, &view);
    } else if (console->terminal) {
        char line[MAX_COLUMNS + 1];
        orr_progress_bar(&view, t->verb, terminal_columns(), line, sizeof line);
        orr_console_bar(console, line);
    } else {
        if (time - t->last_line < 60) return;
        char text[256];
        describe(&view, text, sizeof text);
        orr_console_note(console, "%s: %s", t->verb, text);
    }
    t->last_line = time;
}

static void *run(void *argument) {
    orr_ticker *t = argument;
    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_NANOSECONDS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&t->wake, &t->lock, &until);
        if (!t->stop) tick(t);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

orr_ticker *orr_ticker_start(orr_console *console, const char *verb, orr_progress *progress) {
    if (console->quiet) return NULL;
    orr_ticker *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    *t = (orr_ticker){.console = console, .verb = verb, .progress = progress};
    t->start = t->last_time = t->last_line = orr_seconds();
    if (console->json)
        t->last_line -= 1; // a program wants to know at once that the run is under way
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&t->lock, NULL);
    // Signals belong to the main thread, whose blocking calls they must end.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) return t;
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

void orr_ticker_stop(orr_ticker *t) {
    if (!t) return;
    pthread_mutex_lock(&t->lock);
    t->stop = 1;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    if (!t->console->json && t->console->terminal) orr_console_bar(t->console, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
