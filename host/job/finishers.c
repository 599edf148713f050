#include "host/job/finishers.h"

#include <pthread.h>
#include <stdlib.h>

#include "host/job/job_file.h"

struct orr_finishers {
    pthread_mutex_t lock;
    pthread_cond_t given, ended; // a file, or the end of the job; a file
    void (*end)(orr_job_file *file);
    orr_job_file *first, *last; // waiting for a thread
    unsigned waiting, files;    // for a thread; with those that are being ended
    unsigned most, started, idle;
    int closed; // no more files will come
    pthread_t threads[];
};

orr_finishers *orr_finishers_new(unsigned threads, void (*end)(orr_job_file *file)) {
    orr_finishers *f = calloc(1, sizeof *f + threads * sizeof *f->threads);
    if (!f) return NULL;
    f->end = end;
    f->most = threads;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->given, NULL);
    pthread_cond_init(&f->ended, NULL);
    return f;
}

// Under the lock.
static orr_job_file *take_first(orr_finishers *f) {
    orr_job_file *file = f->first;
    f->first = file->next;
    if (!f->first) f->last = NULL;
    f->waiting--;
    return file;
}

static void *run(void *argument) {
    orr_finishers *f = argument;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        if (f->first) {
            orr_job_file *file = take_first(f);
            pthread_mutex_unlock(&f->lock);
            f->end(file);
            pthread_mutex_lock(&f->lock);
            f->files--;
            pthread_cond_broadcast(&f->ended);
            continue;
        }
        if (f->closed) break;
        f->idle++;
        pthread_cond_wait(&f->given, &f->lock);
        f->idle--;
    }
    pthread_mutex_unlock(&f->lock);
    orr_wipe_stack();
    return NULL;
}

int orr_finishers_take(orr_finishers *f, orr_job_file *file) {
    pthread_mutex_lock(&f->lock);
    // Of the free ones each file that waits already has woken one.
    if (f->waiting >= f->idle && f->started < f->most &&
        pthread_create(&f->threads[f->started], NULL, run, f) == 0)
        f->started++;
    int taken = f->started > 0;
    if (taken) {
        file->next = NULL;
        if (f->last)
            f->last->next = file;
        else
            f->first = file;
        f->last = file;
        f->waiting++;
        f->files++;
        pthread_cond_signal(&f->given);
    }
    pthread_mutex_unlock(&f->lock);
    return taken;
}

void orr_finishers_wait(orr_finishers *f, unsigned files) {
    pthread_mutex_lock(&f->lock);
    while (f->files >= files) pthread_cond_wait(&f->ended, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

void orr_finishers_free(orr_finishers *f) {
    if (!f) return;
    pthread_mutex_lock(&f->lock);
    f->closed = 1;
    pthread_cond_broadcast(&f->given);
    pthread_mutex_unlock(&f->lock);
    for (unsigned i = 0; i < f->started; i++) pthread_join(f->threads[i], NULL);
    pthread_cond_destroy(&f->ended);
    pthread_cond_destroy(&f->given);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
