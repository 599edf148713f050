// A backend that redoes on the CPU what its device fails to do (kernels/compound.h).
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/compound.h"

// A batch in flight: the ticket of orr_batch.
typedef struct flight {
    orr_batch batch; // what the inner backend sees
    int on_cpu;
} flight;

// Memory that did not come from the primary.
typedef struct cpu_memory {
    void *start;
    struct cpu_memory *link;
} cpu_memory;

typedef struct fallback_backend {
    orr_backend base;
    orr_backend *primary, *cpu;
    orr_fallback_report report;
    void *context;
    int separate_output;
    pthread_mutex_t mutex; // guards all below
    unsigned mismatches;
    int stopped, reported;
    cpu_memory *memory;
} fallback_backend;

static int is_stopped(fallback_backend *both) {
    pthread_mutex_lock(&both->mutex);
    int stopped = both->stopped;
    pthread_mutex_unlock(&both->mutex);
    return stopped;
}

// Takes note of a failure of the primary and reports it when it is the first or the last.
static void note_failure(fallback_backend *both, const orr_error *error) {
    pthread_mutex_lock(&both->mutex);
    int before = both->stopped;
    if (error->status == ORR_SELF_TEST) {
        both->stopped |= ++both->mismatches >= ORR_FALLBACK_MISMATCHES;
    } else {
        both->stopped = 1;
    }
    int stopped = both->stopped, tell = !both->reported || stopped != before;
    both->reported = 1;
    pthread_mutex_unlock(&both->mutex);
    if (tell && both->report) both->report(both->context, error, stopped);
}

static orr_status start(orr_backend *backend, flight *item, const orr_batch *batch,
                        orr_error *error) {
    item->batch = *batch;
    item->batch.ticket = NULL;
    return backend->api->submit(backend, &item->batch, error);
}

static orr_status fallback_submit(orr_backend *backend, orr_batch *batch, orr_error *error) {
    fallback_backend *both = (fallback_backend *)backend;
    orr_error failure = {.status = ORR_OK};
    if (both->separate_output && batch->in == batch->out && batch->bytes)
        return orr_fail(
            error, ORR_INTERNAL,
            "a batch for a device needs an output of its own, to be redone if it fails");
    flight *item = calloc(1, sizeof *item);
    if (!item) return orr_fail(error, ORR_INTERNAL, "out of memory for a batch of tiles");
    item->on_cpu = is_stopped(both);
    if (!item->on_cpu && start(both->primary, item, batch, &failure) != ORR_OK) {
        note_failure(both, &failure);
        item->on_cpu = 1;
    }
    orr_status status = item->on_cpu ? start(both->cpu, item, batch, error) : ORR_OK;
    if (status != ORR_OK) {
        free(item);
        return status;
    }
    batch->ticket = item;
    return ORR_OK;
}

static orr_status fallback_wait(orr_backend *backend, orr_batch *batch, orr_error *error) {
    fallback_backend *both = (fallback_backend *)backend;
    flight *item = batch->ticket;
    orr_error failure = {.status = ORR_OK};
    orr_status status;
    if (!item) return orr_fail(error, ORR_INTERNAL, "wait for a batch that was not submitted");
    if (item->on_cpu) {
        status = both->cpu->api->wait(both->cpu, &item->batch, error);
    } else {
        status = both->primary->api->wait(both->primary, &item->batch, &failure);
        if (status != ORR_OK) {
            note_failure(both, &failure);
            status = start(both->cpu, item, batch, error);
            if (status == ORR_OK) status = both->cpu->api->wait(both->cpu, &item->batch, error);
        }
    }
    batch->ticket = NULL;
    free(item);
    return status;
}

// ---- volumes ------------------------------------------------------------------------------------

// A volume in flight: the ticket of orr_volume_task.
typedef struct volume_flight {
    orr_volume_task task; // what the inner backend sees; holds a key
    int on_cpu;
} volume_flight;

static void volume_flight_free(volume_flight *item) {
    explicit_bzero(item, sizeof *item);
    free(item);
}

static orr_status start_volume(orr_backend *backend, volume_flight *item,
                               const orr_volume_task *task, orr_error *error) {
    item->task = *task;
    item->task.ticket = NULL;
    return backend->api->volume_submit(backend, &item->task, error);
}

// The primary's failures count; a volume that it does not take is no failure.
static void note_volume_failure(fallback_backend *both, const orr_error *failure) {
    if (failure->status != ORR_UNSUPPORTED) note_failure(both, failure);
}

static orr_status fallback_volume_submit(orr_backend *backend, orr_volume_task *task,
                                         orr_error *error) {
    fallback_backend *both = (fallback_backend *)backend;
    orr_error failure = {.status = ORR_OK};
    size_t bytes;
    orr_status status = orr_volume_task_check(task, &bytes, error);
    if (status != ORR_OK) return status;
    if (both->separate_output && task->in == task->out)
        return orr_fail(
            error, ORR_INTERNAL,
            "a volume for a device needs an output of its own, to be redone if it fails");
    volume_flight *item = calloc(1, sizeof *item);
    if (!item) return orr_fail(error, ORR_INTERNAL, "out of memory for a volume");
    item->on_cpu = !both->primary->api->volume_submit || is_stopped(both);
    if (!item->on_cpu && start_volume(both->primary, item, task, &failure) != ORR_OK) {
        note_volume_failure(both, &failure);
        item->on_cpu = 1;
    }
    if (item->on_cpu) status = start_volume(both->cpu, item, task, error);
    if (status != ORR_OK) {
        volume_flight_free(item);
        return status;
    }
    task->ticket = item;
    return ORR_OK;
}

static orr_status fallback_volume_wait(orr_backend *backend, orr_volume_task *task,
                                       orr_error *error) {
    fallback_backend *both = (fallback_backend *)backend;
    volume_flight *item = task->ticket;
    orr_error failure = {.status = ORR_OK};
    orr_status status = ORR_OK;
    if (!item) return orr_fail(error, ORR_INTERNAL, "wait for a volume that was not submitted");
    if (!item->on_cpu) {
        status = both->primary->api->volume_wait(both->primary, &item->task, &failure);
        if (status == ORR_STOPPED) {
            if (error) *error = failure;
        } else if (status != ORR_OK) {
            note_volume_failure(both, &failure);
            status = start_volume(both->cpu, item, task, error);
            item->on_cpu = 1;
        }
    }
    if (status == ORR_OK && item->on_cpu)
        status = both->cpu->api->volume_wait(both->cpu, &item->task, error);
    task->ticket = NULL;
    volume_flight_free(item);
    return status;
}

// ---- the rest -----------------------------------------------------------------------------------

static void fallback_properties(const orr_backend *backend, orr_backend_properties *properties) {
    const fallback_backend *both = (const fallback_backend *)backend;
    both->primary->api->properties(both->primary, properties);
    if (properties->volumes == 0) {
        orr_backend_properties cpu;
        both->cpu->api->properties(both->cpu, &cpu);
        properties->volumes = cpu.volumes;
    }
}

static void *fallback_alloc(orr_backend *backend, size_t bytes) {
    fallback_backend *both = (fallback_backend *)backend;
    void *memory = is_stopped(both) ? NULL : both->primary->api->alloc(both->primary, bytes);
    if (memory) return memory;
    cpu_memory *node = malloc(sizeof *node);
    if (!node) return NULL;
    node->start = both->cpu->api->alloc(both->cpu, bytes);
    if (!node->start) {
        free(node);
        return NULL;
    }
    memory = node->start;
    pthread_mutex_lock(&both->mutex);
    node->link = both->memory;
    both->memory = node;
    pthread_mutex_unlock(&both->mutex);
    return memory;
}

static void fallback_free(orr_backend *backend, void *memory, size_t used) {
    fallback_backend *both = (fallback_backend *)backend;
    cpu_memory *mine = NULL;
    if (!memory) return;
    pthread_mutex_lock(&both->mutex);
    for (cpu_memory **at = &both->memory; *at; at = &(*at)->link) {
        if ((*at)->start != memory) continue;
        mine = *at;
        *at = mine->link;
        break;
    }
    pthread_mutex_unlock(&both->mutex);
    orr_backend *owner = mine ? both->cpu : both->primary;
    owner->api->free(owner, memory, used);
    free(mine);
}

static void fallback_close(orr_backend *backend) {
    fallback_backend *both = (fallback_backend *)backend;
    if (!both) return;
    both->primary->api->close(both->primary);
    both->cpu->api->close(both->cpu);
    pthread_mutex_destroy(&both->mutex);
    free(both);
}

static const orr_backend_api fallback_api = {
    .abi = ORR_BACKEND_ABI,
    .name = "fallback",
    .properties = fallback_properties,
    .alloc = fallback_alloc,
    .free = fallback_free,
    .submit = fallback_submit,
    .wait = fallback_wait,
    .close = fallback_close,
    .volume_submit = fallback_volume_submit,
    .volume_wait = fallback_volume_wait,
};

orr_status orr_fallback_backend_open(orr_backend *primary, orr_backend *cpu,
                                     orr_fallback_report report, void *context,
                                     orr_backend **backend, orr_error *error) {
    orr_backend_properties properties;
    fallback_backend *both = calloc(1, sizeof *both);
    *backend = NULL;
    if (!both) {
        primary->api->close(primary);
        cpu->api->close(cpu);
        return orr_fail(error, ORR_INTERNAL, "out of memory for a backend");
    }
    primary->api->properties(primary, &properties);
    both->base.api = &fallback_api;
    both->primary = primary;
    both->cpu = cpu;
    both->report = report;
    both->context = context;
    both->separate_output = properties.separate_output;
    pthread_mutex_init(&both->mutex, NULL);
    *backend = &both->base;
    return ORR_OK;
}
