#include "bench/bench_timed.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bench/bench_measure.h"

typedef struct timed_backend {
    orr_backend base;
    orr_backend *inner;
    pthread_mutex_t lock;
    unsigned flying;
    double since, busy;
} timed_backend;

static void begin(timed_backend *t) {
    pthread_mutex_lock(&t->lock);
    if (t->flying++ == 0) t->since = orr_seconds();
    pthread_mutex_unlock(&t->lock);
}

static void end(timed_backend *t) {
    pthread_mutex_lock(&t->lock);
    if (--t->flying == 0) t->busy += orr_seconds() - t->since;
    pthread_mutex_unlock(&t->lock);
}

static void timed_properties(const orr_backend *backend, orr_backend_properties *properties) {
    orr_backend *inner = ((const timed_backend *)backend)->inner;
    inner->api->properties(inner, properties);
}

static void *timed_alloc(orr_backend *backend, size_t bytes) {
    orr_backend *inner = ((timed_backend *)backend)->inner;
    return inner->api->alloc(inner, bytes);
}

static void timed_free(orr_backend *backend, void *memory, size_t used) {
    orr_backend *inner = ((timed_backend *)backend)->inner;
    inner->api->free(inner, memory, used);
}

static orr_status timed_submit(orr_backend *backend, orr_batch *batch, orr_error *error) {
    timed_backend *t = (timed_backend *)backend;
    begin(t);
    orr_status status = t->inner->api->submit(t->inner, batch, error);
    if (status != ORR_OK) end(t);
    return status;
}

static orr_status timed_wait(orr_backend *backend, orr_batch *batch, orr_error *error) {
    timed_backend *t = (timed_backend *)backend;
    orr_status status = t->inner->api->wait(t->inner, batch, error);
    end(t);
    return status;
}

static void timed_close(orr_backend *backend) {
    timed_backend *t = (timed_backend *)backend;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

orr_backend *orr_timed_backend_open(orr_backend *inner) {
    static const orr_backend_api api = {
        .abi = ORR_BACKEND_ABI,
        .name = "timed",
        .properties = timed_properties,
        .alloc = timed_alloc,
        .free = timed_free,
        .submit = timed_submit,
        .wait = timed_wait,
        .close = timed_close,
    };
    timed_backend *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->base.api = &api;
    t->inner = inner;
    pthread_mutex_init(&t->lock, NULL);
    return &t->base;
}

double orr_timed_backend_busy(orr_backend *timed) {
    timed_backend *t = (timed_backend *)timed;
    pthread_mutex_lock(&t->lock);
    double busy = t->busy;
    t->busy = 0;
    pthread_mutex_unlock(&t->lock);
    return busy;
}
