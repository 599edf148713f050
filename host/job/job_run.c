#include "host/job/job_run.h"

#include <stdarg.h>
#include <stdio.h>

int orr_job_stopping(const orr_job *job) {
    return *job->stop || atomic_load(&job->fatal);
}

static void tell(orr_job *job, void (*say)(void *, const char *), const char *format,
                 va_list args) {
    const orr_job_hooks *hooks = job->hooks;
    char text[5120];
    vsnprintf(text, sizeof text, format, args);
    pthread_mutex_lock(&job->lock);
    if (say) say(hooks->context, text);
    pthread_mutex_unlock(&job->lock);
}

void orr_job_warn(orr_job *job, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell(job, job->hooks->warning, format, args);
    va_end(args);
}

void orr_job_note(orr_job *job, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tell(job, job->hooks->note, format, args);
    va_end(args);
}

void orr_job_warn_always(orr_job *job, const char *format, ...) {
    va_list args;
    const orr_job_hooks *hooks = job->hooks;
    va_start(args, format);
    tell(job, hooks->warning_always ? hooks->warning_always : hooks->warning, format, args);
    va_end(args);
}

void orr_job_break(orr_job *job, const orr_error *error) {
    pthread_mutex_lock(&job->lock);
    if (job->broke.status == ORR_OK) job->broke = *error;
    pthread_mutex_unlock(&job->lock);
    atomic_store(&job->fatal, 1);
}

static void count_event(orr_job *job, const orr_file_event *event) {
    orr_summary *s = &job->summary;
    orr_progress *p = job->progress;
    s->files++;
    switch (event->outcome) {
    case ORR_OUT_DONE:
        s->done++;
        s->bytes += event->bytes;
        atomic_fetch_add(&p->done_files, 1);
        break;
    case ORR_OUT_PRESENT:
        s->present++;
        atomic_fetch_add(&p->present_files, 1);
        atomic_fetch_add(&p->done_bytes, event->bytes);
        break;
    case ORR_OUT_PLANNED:
        s->planned++;
        s->bytes += event->bytes;
        break;
    case ORR_OUT_SKIPPED:
        s->skipped++;
        atomic_fetch_add(&p->skipped_files, 1);
        break;
    case ORR_OUT_FAILED:
        s->failed++;
        atomic_fetch_add(&p->failed_files, 1);
        if (event->status < 8 * sizeof job->seen) job->seen |= 1u << event->status;
        job->last_status = event->status;
        if (event->status == ORR_STOPPED) atomic_store(&job->undone, 1);
        break;
    }
}

// Of those that something came of.
static void count_origin(orr_summary *s, const orr_file_event *event) {
    int taken = event->outcome == ORR_OUT_FAILED ? event->salvaged || event->released
                                                 : event->outcome != ORR_OUT_SKIPPED;
    s->unknown_origin += taken && event->file_id && !event->known_origin;
    s->lacking += event->outcome == ORR_OUT_PRESENT && event->lacks_recipient;
    s->lacking_repair += event->outcome == ORR_OUT_PRESENT && event->lacks_repair;
    int made = event->outcome == ORR_OUT_DONE || event->outcome == ORR_OUT_PLANNED;
    s->dropped_recipients += made && event->drops_recipient;
    s->dropped_repair += made && event->drops_repair;
    s->went_on += made && event->went_on;
}

void orr_job_report(orr_job *job, const orr_file_event *event) {
    pthread_mutex_lock(&job->lock);
    count_event(job, event);
    count_origin(&job->summary, event);
    if (event->outcome == ORR_OUT_DONE || event->outcome == ORR_OUT_FAILED)
        if (event->target)
            orr_journal_file(job->journal, event->target, event->bytes, event->status);
    if (job->hooks->file) job->hooks->file(job->hooks->context, event);
    pthread_mutex_unlock(&job->lock);
}
