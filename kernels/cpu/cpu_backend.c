// The CPU backend: a pool of threads that take the tiles of queued batches, and whole volumes.
//
// Batches are worked on in the order of submit(); a thread that finds no tile left in one goes on
// to the next, so that batches overlap at their ends. A volume is one piece of work: its key
// sequences are serial, so several volumes go side by side, one on each thread.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cores.h"
#include "kernels/cpu/cpu.h"

#define MAX_THREADS 1024
#define PAGE 4096

// A batch or a volume in flight: the ticket of orr_batch and orr_volume_task.
typedef struct job {
    orr_batch *batch;        // or NULL
    orr_volume_task *volume; // or NULL
    orr_error error;         // of the volume
    size_t count;            // of tasks; a volume is one
    atomic_size_t next;      // first task nobody has taken
    unsigned workers;        // threads inside it; guarded by the mutex, as are the next two
    int done;
    struct job *link;
} job;

typedef struct cpu_backend cpu_backend;

typedef struct cpu_worker {
    cpu_backend *cpu;
    orr_cpu_scratch *scratch;
    pthread_t thread;
} cpu_worker;

struct cpu_backend {
    orr_backend base;
    orr_simd simd;
    const orr_cpu_level *level;
    unsigned threads; // running ones
    cpu_worker *worker;
    pthread_mutex_t mutex;
    pthread_cond_t work, finished;
    job *first, *last; // jobs with tasks left to take
    int closing;
};

// ---- workers ------------------------------------------------------------------------------------

static void run_task(const orr_cpu_level *level, const orr_batch *batch, const orr_tile_task *task,
                     orr_cpu_scratch *scratch) {
    const uint8_t *in = batch->in + task->offset;
    uint8_t *out = batch->out + task->offset;
    switch (batch->op) {
    case ORR_TILE_ENCRYPT:
        level->encrypt(batch->cipher, &task->key, task->rows, in, out, scratch);
        break;
    case ORR_TILE_DECRYPT:
        level->decrypt(batch->cipher, &task->key, task->rows, in, out, scratch);
        break;
    case ORR_TILE_REENCRYPT:
        level->decrypt(batch->cipher, &task->key, task->rows, in, scratch->plain, scratch);
        level->encrypt(batch->new_cipher, &task->new_key, task->rows, scratch->plain, out, scratch);
        break;
    }
}

static void *work(void *argument) {
    cpu_worker *self = argument;
    cpu_backend *cpu = self->cpu;
    pthread_mutex_lock(&cpu->mutex);
    for (;;) {
        while (!cpu->first && !cpu->closing) pthread_cond_wait(&cpu->work, &cpu->mutex);
        job *item = cpu->first;
        if (!item) break;
        item->workers++;
        pthread_mutex_unlock(&cpu->mutex);

        size_t n;
        while ((n = atomic_fetch_add(&item->next, 1)) < item->count) {
            if (item->volume)
                item->error.status = orr_volume_run(item->volume, &item->error);
            else
                run_task(cpu->level, item->batch, &item->batch->tasks[n], self->scratch);
        }
        explicit_bzero(self->scratch, sizeof *self->scratch);
        orr_cpu_wipe_stack();

        pthread_mutex_lock(&cpu->mutex);
        if (cpu->first == item) { // no task left: nobody else may start on it
            cpu->first = item->link;
            if (!cpu->first) cpu->last = NULL;
        }
        if (--item->workers == 0) { // the last one out; wait() may free the job from here on
            item->done = 1;
            pthread_cond_broadcast(&cpu->finished);
        }
    }
    pthread_mutex_unlock(&cpu->mutex);
    return NULL;
}

// ---- the backend's functions --------------------------------------------------------------------

static void cpu_properties(const orr_backend *backend, orr_backend_properties *properties) {
    const cpu_backend *cpu = (const cpu_backend *)backend;
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "cpu %s, %u thread%s",
             orr_simd_name(cpu->simd), cpu->threads, cpu->threads == 1 ? "" : "s");
    properties->threads = cpu->threads;
    properties->depth = 2;
    properties->volumes = cpu->threads;
}

// Aligned to a page, which posix_memalign gives too; but calloc alone knows which memory is zero
// already, and leaves that untouched. The address to free lies before the memory.
static void *cpu_alloc(orr_backend *backend, size_t bytes) {
    (void)backend;
    if (bytes > SIZE_MAX - 2 * PAGE) return NULL;
    uint8_t *start = calloc(1, bytes + 2 * PAGE);
    if (!start) return NULL;
    void **memory = (void **)(start + 2 * PAGE - (uintptr_t)start % PAGE);
    memory[-1] = start;
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

static void cpu_free(orr_backend *backend, void *memory, size_t used) {
    (void)backend;
    if (!memory) return;
    explicit_bzero(memory, used);
    free(((void **)memory)[-1]);
}

// Queues a job for what the caller has checked. NULL when memory runs out.
static job *enqueue(cpu_backend *cpu, orr_batch *batch, orr_volume_task *volume) {
    job *item = calloc(1, sizeof *item);
    if (!item) return NULL;
    item->batch = batch;
    item->volume = volume;
    item->count = volume ? 1 : batch->count;
    atomic_init(&item->next, 0);
    pthread_mutex_lock(&cpu->mutex);
    if (cpu->last) {
        cpu->last->link = item;
    } else {
        cpu->first = item;
    }
    cpu->last = item;
    pthread_cond_broadcast(&cpu->work);
    pthread_mutex_unlock(&cpu->mutex);
    return item;
}

// Waits for a job and frees it.
static orr_status join(cpu_backend *cpu, job *item, orr_error *error) {
    if (!item) return orr_fail(error, ORR_INTERNAL, "wait for work that was not submitted");
    pthread_mutex_lock(&cpu->mutex);
    while (!item->done) pthread_cond_wait(&cpu->finished, &cpu->mutex);
    pthread_mutex_unlock(&cpu->mutex);
    orr_status status = item->error.status;
    if (status != ORR_OK && error) *error = item->error;
    free(item);
    return status;
}

static orr_status cpu_submit(orr_backend *backend, orr_batch *batch, orr_error *error) {
    orr_status status = orr_batch_check(batch, error);
    if (status != ORR_OK) return status;
    batch->ticket = enqueue((cpu_backend *)backend, batch, NULL);
    return batch->ticket ? ORR_OK
                         : orr_fail(error, ORR_INTERNAL, "out of memory for a batch of tiles");
}

static orr_status cpu_wait(orr_backend *backend, orr_batch *batch, orr_error *error) {
    job *item = batch->ticket;
    batch->ticket = NULL;
    return join((cpu_backend *)backend, item, error);
}

static orr_status cpu_volume_submit(orr_backend *backend, orr_volume_task *task, orr_error *error) {
    size_t bytes;
    orr_status status = orr_volume_task_check(task, &bytes, error);
    if (status != ORR_OK) return status;
    task->ticket = enqueue((cpu_backend *)backend, NULL, task);
    return task->ticket ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory for a volume");
}

static orr_status cpu_volume_wait(orr_backend *backend, orr_volume_task *task, orr_error *error) {
    job *item = task->ticket;
    task->ticket = NULL;
    return join((cpu_backend *)backend, item, error);
}

// Batches still in flight are finished first, but their tickets are the caller's to wait for.
static void cpu_close(orr_backend *backend) {
    cpu_backend *cpu = (cpu_backend *)backend;
    if (!cpu) return;
    pthread_mutex_lock(&cpu->mutex);
    cpu->closing = 1;
    pthread_cond_broadcast(&cpu->work);
    pthread_mutex_unlock(&cpu->mutex);
    for (unsigned n = 0; n < cpu->threads; n++) {
        pthread_join(cpu->worker[n].thread, NULL);
        free(cpu->worker[n].scratch);
    }
    pthread_cond_destroy(&cpu->finished);
    pthread_cond_destroy(&cpu->work);
    pthread_mutex_destroy(&cpu->mutex);
    free(cpu->worker);
    free(cpu);
}

static const orr_backend_api cpu_api = {
    .abi = ORR_BACKEND_ABI,
    .name = "cpu",
    .properties = cpu_properties,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .submit = cpu_submit,
    .wait = cpu_wait,
    .close = cpu_close,
    .volume_submit = cpu_volume_submit,
    .volume_wait = cpu_volume_wait,
};

orr_status orr_cpu_backend_open(unsigned threads, orr_simd level, orr_backend **backend,
                                orr_error *error) {
    *backend = NULL;
    if (threads == 0) threads = orr_cores();
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    cpu_backend *cpu = calloc(1, sizeof *cpu);
    cpu_worker *worker = calloc(threads, sizeof *worker);
    if (!cpu || !worker) {
        free(cpu);
        free(worker);
        return orr_fail(error, ORR_INTERNAL, "out of memory for the CPU backend");
    }
    cpu->base.api = &cpu_api;
    cpu->simd = orr_cpu_simd(level);
    cpu->level = orr_cpu_level_of(level);
    cpu->worker = worker;
    pthread_mutex_init(&cpu->mutex, NULL);
    pthread_cond_init(&cpu->work, NULL);
    pthread_cond_init(&cpu->finished, NULL);
    while (cpu->threads < threads) {
        cpu_worker *self = &worker[cpu->threads];
        void *scratch = NULL;
        self->cpu = cpu;
        if (posix_memalign(&scratch, 64, sizeof *self->scratch)) break;
        self->scratch = scratch;
        if (pthread_create(&self->thread, NULL, work, self)) {
            free(scratch);
            break;
        }
        cpu->threads++;
    }
    // With fewer a job is only slower.
    if (cpu->threads == 0) {
        cpu_close(&cpu->base);
        return orr_fail(error, ORR_INTERNAL,
                        "no CPU thread could be started: memory, or a limit of processes or of "
                        "address space (ulimit), does not allow it");
    }
    *backend = &cpu->base;
    return ORR_OK;
}
