#include "bench/evidence/parallel.h"

#include <pthread.h>
#include <signal.h>

#include "base/cores.h"

#define MAX_THREADS 256

typedef struct pool {
    orr_parallel_work work;
    void *context;
    size_t next, count;
    orr_error first; // failure
    pthread_mutex_t lock;
} pool;

static void *run(void *argument) {
    pool *p = argument;
    for (;;) {
        orr_error error = {0};
        pthread_mutex_lock(&p->lock);
        size_t index = p->first.status == ORR_OK && p->next < p->count ? p->next++ : p->count;
        pthread_mutex_unlock(&p->lock);
        if (index == p->count) return NULL;
        orr_status status = p->work(p->context, index, &error);
        if (status == ORR_OK) continue;
        pthread_mutex_lock(&p->lock);
        if (p->first.status == ORR_OK) p->first = error;
        p->first.status = p->first.status == ORR_OK ? status : p->first.status;
        pthread_mutex_unlock(&p->lock);
    }
}

orr_status orr_parallel(unsigned threads, size_t count, orr_parallel_work work, void *context,
                        orr_error *error) {
    pool p = {.work = work, .context = context, .count = count};
    pthread_t thread[MAX_THREADS];
    size_t started = 0;
    sigset_t all, before;
    if (threads == 0) threads = orr_cores();
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    pthread_mutex_init(&p.lock, NULL);
    sigfillset(&all); // signals belong to the main thread
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (started + 1 < threads && started + 1 < count &&
           pthread_create(&thread[started], NULL, run, &p) == 0)
        started++; // fewer threads than asked for only take longer
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    run(&p);
    for (size_t n = 0; n < started; n++) pthread_join(thread[n], NULL);
    pthread_mutex_destroy(&p.lock);
    if (p.first.status != ORR_OK && error) *error = p.first;
    return p.first.status;
}
