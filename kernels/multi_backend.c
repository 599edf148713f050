// A backend that spreads batches over several, one for each device (kernels/compound.h).
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/compound.h"

#define MOST_BACKENDS 64

// A batch in flight: the ticket of orr_batch.
typedef struct flight {
    orr_batch batch; // what the inner backend sees
    unsigned member;
} flight;

typedef struct multi_backend {
    orr_backend base;
    unsigned count;
    orr_backend *member[MOST_BACKENDS];
    pthread_mutex_t mutex; // guards the next two
    unsigned turn;
    unsigned in_flight[MOST_BACKENDS];
} multi_backend;

// The member with the fewest batches in flight, the one whose turn it is first; counts the batch.
static unsigned choose(multi_backend *multi) {
    pthread_mutex_lock(&multi->mutex);
    unsigned best = multi->turn;
    for (unsigned n = 1; n < multi->count; n++) {
        unsigned candidate = (multi->turn + n) % multi->count;
        if (multi->in_flight[candidate] < multi->in_flight[best]) best = candidate;
    }
    multi->in_flight[best]++;
    multi->turn = (best + 1) % multi->count;
    pthread_mutex_unlock(&multi->mutex);
    return best;
}

static void leave(multi_backend *multi, unsigned member) {
    pthread_mutex_lock(&multi->mutex);
    multi->in_flight[member]--;
    pthread_mutex_unlock(&multi->mutex);
}

static orr_status multi_submit(orr_backend *backend, orr_batch *batch, orr_error *error) {
    multi_backend *multi = (multi_backend *)backend;
    flight *item = calloc(1, sizeof *item);
    if (!item) return orr_fail(error, ORR_INTERNAL, "out of memory for a batch of tiles");
    item->member = choose(multi);
    item->batch = *batch;
    item->batch.ticket = NULL;
    orr_backend *member = multi->member[item->member];
    orr_status status = member->api->submit(member, &item->batch, error);
    if (status != ORR_OK) {
        leave(multi, item->member);
        free(item);
        return status;
    }
    batch->ticket = item;
    return ORR_OK;
}

static orr_status multi_wait(orr_backend *backend, orr_batch *batch, orr_error *error) {
    multi_backend *multi = (multi_backend *)backend;
    flight *item = batch->ticket;
    if (!item) return orr_fail(error, ORR_INTERNAL, "wait for a batch that was not submitted");
    orr_backend *member = multi->member[item->member];
    orr_status status = member->api->wait(member, &item->batch, error);
    leave(multi, item->member);
    batch->ticket = NULL;
    free(item);
    return status;
}

// A volume in flight: the ticket of orr_volume_task.
typedef struct volume_flight {
    orr_volume_task task; // what the inner backend sees; holds a key
    unsigned member;
} volume_flight;

static void volume_flight_free(volume_flight *item) {
    explicit_bzero(item, sizeof *item);
    free(item);
}

static orr_status multi_volume_submit(orr_backend *backend, orr_volume_task *task,
                                      orr_error *error) {
    multi_backend *multi = (multi_backend *)backend;
    volume_flight *item = calloc(1, sizeof *item);
    if (!item) return orr_fail(error, ORR_INTERNAL, "out of memory for a volume");
    item->member = choose(multi);
    item->task = *task;
    orr_status status = orr_volume_submit(multi->member[item->member], &item->task, error);
    if (status != ORR_OK) {
        leave(multi, item->member);
        volume_flight_free(item);
        return status;
    }
    task->ticket = item;
    return ORR_OK;
}

static orr_status multi_volume_wait(orr_backend *backend, orr_volume_task *task, orr_error *error) {
    multi_backend *multi = (multi_backend *)backend;
    volume_flight *item = task->ticket;
    if (!item) return orr_fail(error, ORR_INTERNAL, "wait for a volume that was not submitted");
    orr_status status = orr_volume_wait(multi->member[item->member], &item->task, error);
    leave(multi, item->member);
    task->ticket = NULL;
    volume_flight_free(item);
    return status;
}

static void multi_properties(const orr_backend *backend, orr_backend_properties *properties) {
    const multi_backend *multi = (const multi_backend *)backend;
    orr_backend_properties one;
    memset(properties, 0, sizeof *properties);
    for (unsigned n = 0; n < multi->count; n++) {
        size_t used = strlen(properties->name);
        multi->member[n]->api->properties(multi->member[n], &one);
        snprintf(properties->name + used, sizeof properties->name - used, "%s%s", n ? " + " : "",
                 one.name);
        properties->threads += one.threads;
        properties->memory += one.memory;
        properties->depth += one.depth;
        properties->volumes += one.volumes;
        properties->separate_output |= one.separate_output;
    }
}

static void *multi_alloc(orr_backend *backend, size_t bytes) {
    orr_backend *first = ((multi_backend *)backend)->member[0];
    return first->api->alloc(first, bytes);
}

static void multi_free(orr_backend *backend, void *memory, size_t used) {
    orr_backend *first = ((multi_backend *)backend)->member[0];
    first->api->free(first, memory, used);
}

static void close_all(orr_backend *const *backends, unsigned count) {
    for (unsigned n = 0; n < count; n++) backends[n]->api->close(backends[n]);
}

static void multi_close(orr_backend *backend) {
    multi_backend *multi = (multi_backend *)backend;
    if (!multi) return;
    close_all(multi->member, multi->count);
    pthread_mutex_destroy(&multi->mutex);
    free(multi);
}

static const orr_backend_api multi_api = {
    .abi = ORR_BACKEND_ABI,
    .name = "multi",
    .properties = multi_properties,
    .alloc = multi_alloc,
    .free = multi_free,
    .submit = multi_submit,
    .wait = multi_wait,
    .close = multi_close,
    .volume_submit = multi_volume_submit,
    .volume_wait = multi_volume_wait,
};

orr_status orr_multi_backend_open(orr_backend *const *backends, unsigned count,
                                  orr_backend **backend, orr_error *error) {
    *backend = NULL;
    multi_backend *multi = calloc(1, sizeof *multi);
    if (!multi || count < 1 || count > MOST_BACKENDS) {
        free(multi);
        close_all(backends, count);
        return orr_fail(error, ORR_INTERNAL, "%u backends cannot be joined: 1..%d fit", count,
                        MOST_BACKENDS);
    }
    multi->base.api = &multi_api;
    multi->count = count;
    memcpy(multi->member, backends, count * sizeof *backends);
    pthread_mutex_init(&multi->mutex, NULL);
    *backend = &multi->base;
    return ORR_OK;
}
