// One thread works in turns. A turn advances the serial key sequences of all images on the device
// by a slice, side by side in one launch, and meanwhile, in a second stream, copies in, enciphers,
// checks and copies out images whose sequences are complete. So an image may join or leave at any
// turn, no launch is long enough for a display's time limit, and nothing depends on how many
// streams a device really runs at a time.
//
// Pixels and tables are secret and lie in ordinary memory, which a driver copies through buffers of
// its own that nobody wipes. So they pass through page-locked memory here, which is wiped at the
// end of each turn.
//
// Device memory is one arena. It starts small; the first image that it cannot hold, or cannot hold
// beside the others, makes it as large as the allowance once it is empty.
#include "kernels/cuda/cuda_volumes.h"

#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>
#include <openssl/crypto.h>

#include "kernels/cuda/volume_launch.h"
#include "kernels/fixed_trig.h"

#define SLICE ((uint64_t)1 << 19)     // steps of a sequence in a turn: some 10 ms
#define TURN_BYTES ((size_t)64 << 20) // of images enciphered in a turn; one image may have more
#define SMALL_ARENA ((size_t)16 << 20)
#define STAGE ((size_t)4 << 20) // page-locked bytes for copies in and out
#define LIST (ORR_CUDA_VOLUMES * ORR_CUDA_SEQUENCES)

// A volume in flight: the ticket of orr_volume_task. The thread's alone from submit until done.
typedef struct job {
    orr_volume_task *task;
    uint32_t *tables;    // host
    size_t need, offset; // bytes and place in the arena
    orr_cuda_volume volume;
    uint64_t start[2]; // u_0 of K4 and of K8
    uint64_t steps;    // of the sequences made so far
    unsigned blocks;   // of the cipher's launches, once they are in the stream
    orr_error error;
    int done; // guarded by the mutex
    struct job *link;
} job;

struct orr_cuda_volumes {
    orr_cuda_health *health;
    size_t allowance;
    pthread_t thread;
    int started, closing; // guarded by the mutex, as are the queue and job.done
    pthread_mutex_t mutex;
    pthread_cond_t work, finished;
    job *head, *tail;
    // The thread's own:
    uint8_t *arena;
    size_t arena_bytes;
    int small, outgrown; // the arena is the first, small one; it did not hold all that came
    job *active[ORR_CUDA_VOLUMES];
    unsigned count;
    cudaStream_t sequences, ciphers;
    orr_cuda_sequence *list, *staged; // on the device and its pinned copy, LIST entries
    uint32_t *seen;                   // pinned copies of flags, by place in active[]
    uint8_t *stage;                   // pinned, STAGE bytes
    size_t staged_bytes;              // of them, in use by copies in that may be under way
};

// ---- the arena ----------------------------------------------------------------------------------

// A gap of `need` bytes between the active images: its offset, or SIZE_MAX.
static size_t find_gap(const orr_cuda_volumes *v, size_t need) {
    size_t at = 0;
    for (unsigned n = 0; n < v->count;) {
        const job *other = v->active[n++];
        if (at < other->offset + other->need && other->offset < at + need) {
            at = other->offset + other->need;
            n = 0;
        }
    }
    return at <= v->arena_bytes && need <= v->arena_bytes - at ? at : SIZE_MAX;
}

static void free_arena(orr_cuda_volumes *v) {
    if (!v->arena) return;
    (void)cudaMemset(v->arena, 0, v->arena_bytes);
    (void)cudaDeviceSynchronize();
    (void)cudaFree(v->arena);
    v->arena = NULL;
    v->arena_bytes = 0;
}

// Makes an empty arena for an image of `need` bytes. ORR_UNSUPPORTED when the device has no room
// now.
static orr_status grow_arena(orr_cuda_volumes *v, size_t need, orr_error *error) {
    const orr_cuda_health *health = v->health;
    size_t bytes = v->allowance;
    v->small = !v->arena && need <= SMALL_ARENA && SMALL_ARENA < bytes;
    if (v->small) bytes = SMALL_ARENA;
    v->outgrown = 0;
    free_arena(v);
    for (;; bytes = bytes / 2 > need ? bytes / 2 : need) {
        cudaError_t code = cudaMalloc((void **)&v->arena, bytes);
        if (code == cudaSuccess) {
            v->arena_bytes = bytes;
            return ORR_OK;
        }
        v->arena = NULL;
        if (code != cudaErrorMemoryAllocation)
            return orr_cuda_check(health, (int)code, "cudaMalloc", error);
        (void)cudaGetLastError(); // forgets that memory ran out; a smaller size is tried
        if (bytes <= need)
            return orr_fail(error, ORR_UNSUPPORTED, "%s: no %zu bytes of device memory are free",
                            health->name, need);
    }
}

// ---- ends of jobs -------------------------------------------------------------------------------

static void finish(orr_cuda_volumes *v, job *item, const orr_error *error) {
    if (error) item->error = *error;
    pthread_mutex_lock(&v->mutex);
    item->done = 1;
    pthread_cond_broadcast(&v->finished);
    pthread_mutex_unlock(&v->mutex);
}

// Takes the first job off the queue.
static job *dequeue(orr_cuda_volumes *v) {
    pthread_mutex_lock(&v->mutex);
    job *item = v->head;
    if (item) v->head = item->link;
    if (!v->head) v->tail = NULL;
    pthread_mutex_unlock(&v->mutex);
    return item;
}

// The device failed: so do all jobs. Nothing may write to their buffers afterwards.
static void fail_all(orr_cuda_volumes *v, const orr_error *error) {
    if (v->sequences) (void)cudaStreamSynchronize(v->sequences);
    if (v->ciphers) (void)cudaStreamSynchronize(v->ciphers);
    if (v->stage) OPENSSL_cleanse(v->stage, STAGE);
    while (v->count) finish(v, v->active[--v->count], error);
    for (job *item; (item = dequeue(v));) finish(v, item, error);
}

// ---- copies -------------------------------------------------------------------------------------

// Waits until the stream of ciphers is empty, and so the stage is free.
static orr_status empty_stage(orr_cuda_volumes *v, orr_error *error) {
    const orr_cuda_health *health = v->health;
    ORR_CUDA_TRY(cudaStreamSynchronize(v->ciphers));
    v->staged_bytes = 0;
    return ORR_OK;
}

// Queues a copy to the device. `from` may change once this returns.
static orr_status copy_in(orr_cuda_volumes *v, void *to, const void *from, size_t bytes,
                          orr_error *error) {
    const orr_cuda_health *health = v->health;
    for (size_t at = 0, n; at < bytes; at += n) {
        orr_status status = v->staged_bytes == STAGE ? empty_stage(v, error) : ORR_OK;
        if (status != ORR_OK) return status;
        uint8_t *stage = v->stage + v->staged_bytes;
        n = STAGE - v->staged_bytes < bytes - at ? STAGE - v->staged_bytes : bytes - at;
        memcpy(stage, (const uint8_t *)from + at, n);
        ORR_CUDA_TRY(
            cudaMemcpyAsync((uint8_t *)to + at, stage, n, cudaMemcpyHostToDevice, v->ciphers));
        v->staged_bytes += n;
    }
    return ORR_OK;
}

// Copies from the device; nothing else may be staged.
static orr_status copy_out(orr_cuda_volumes *v, void *to, const void *from, size_t bytes,
                           orr_error *error) {
    const orr_cuda_health *health = v->health;
    for (size_t at = 0, n; at < bytes; at += n) {
        n = STAGE < bytes - at ? STAGE : bytes - at;
        ORR_CUDA_TRY(cudaMemcpyAsync(v->stage, (const uint8_t *)from + at, n,
                                     cudaMemcpyDeviceToHost, v->ciphers));
        ORR_CUDA_TRY(cudaStreamSynchronize(v->ciphers));
        memcpy((uint8_t *)to + at, v->stage, n);
    }
    return ORR_OK;
}

// ---- a turn -------------------------------------------------------------------------------------

// Takes queued jobs in, first come first served, while there is room.
static orr_status admit(orr_cuda_volumes *v, orr_error *error) {
    while (v->count < ORR_CUDA_VOLUMES) {
        pthread_mutex_lock(&v->mutex);
        job *item = v->head;
        pthread_mutex_unlock(&v->mutex);
        if (!item) return ORR_OK;
        if (v->outgrown && v->count) return ORR_OK; // when it is empty
        size_t at = find_gap(v, item->need);
        if (at == SIZE_MAX || v->outgrown) {
            if (v->count) { // when others are through
                v->outgrown = v->small;
                return ORR_OK;
            }
            orr_status status = grow_arena(v, item->need, error);
            if (status == ORR_UNSUPPORTED) finish(v, dequeue(v), error);
            if (status != ORR_OK && status != ORR_UNSUPPORTED) return status;
            continue;
        }
        item->offset = at;
        orr_cuda_volume_layout(item->task->shape, v->arena + at, &item->volume);
        orr_cuda_cipher_init(&item->volume.cipher, item->task->cipher);
        v->active[v->count++] = dequeue(v);
    }
    return ORR_OK;
}

// The sequences of a job that are not complete, advanced by a slice, from list[count] on. Returns
// the new count.
static uint32_t list_sequences(const job *item, orr_cuda_sequence *list, uint32_t count) {
    const orr_cuda_volume *volume = &item->volume;
    for (int n = 0; n < ORR_CUDA_SEQUENCES; n++) {
        uint64_t length = n % 2 ? volume->bytes : volume->plane;
        if (item->steps >= length) continue;
        orr_cuda_sequence *s = &list[count++]; // field by field: no copy of a key on the stack
        s->start = item->start[n % 2];
        s->state = volume->state + n;
        s->out = n % 2 ? volume->k8[n / 2] : volume->k4[n / 2];
        s->done = item->steps;
        s->end = length - item->steps < SLICE ? length : item->steps + SLICE;
        s->k2 = item->task->cipher->k2;
        s->unused = 0;
    }
    return count;
}

// Queues a slice of all sequences. Initial states live on the device no longer than the launch.
static orr_status issue_sequences(orr_cuda_volumes *v, orr_error *error) {
    const orr_cuda_health *health = v->health;
    orr_cuda_sequence_launch launch = {.list = v->list};
    for (unsigned n = 0; n < v->count; n++) {
        job *item = v->active[n];
        launch.count = list_sequences(item, v->staged, launch.count);
    }
    if (launch.count == 0) return ORR_OK;
    size_t bytes = launch.count * sizeof *v->list;
    ORR_CUDA_TRY(cudaMemcpyAsync(v->list, v->staged, bytes, cudaMemcpyHostToDevice, v->sequences));
    ORR_CUDA_TRY(orr_cuda_sequence_run(&launch, launch.count, v->sequences));
    ORR_CUDA_TRY(cudaMemsetAsync(v->list, 0, bytes, v->sequences));
    return ORR_OK;
}

// Queues everything that one image with complete sequences needs, up to its flags.
static orr_status issue_cipher(orr_cuda_volumes *v, job *item, uint32_t *seen, orr_error *error) {
    const orr_cuda_health *health = v->health;
    const orr_cuda_volume *volume = &item->volume;
    size_t bytes = volume->bytes, chunks = bytes / ORR_CUDA_VOLUME_CHUNK + 1;
    cudaStream_t stream = v->ciphers;
    item->blocks = (unsigned)(chunks < ORR_CUDA_VOLUME_BLOCKS ? chunks : ORR_CUDA_VOLUME_BLOCKS);
    orr_status status = copy_in(v, volume->in, item->task->in, bytes, error);
    if (status == ORR_OK)
        status = copy_in(v, volume->tables[0], item->tables,
                         orr_cuda_volume_table_bytes(volume->shape), error);
    if (status != ORR_OK) return status;
    ORR_CUDA_TRY(cudaMemsetAsync(volume->flags, 0, item->blocks * sizeof *seen, stream));
    ORR_CUDA_TRY(orr_cuda_volume_run(item->task->op, volume, item->blocks, stream));
    ORR_CUDA_TRY(cudaMemcpyAsync(seen, volume->flags, item->blocks * sizeof *seen,
                                 cudaMemcpyDeviceToHost, stream));
    return ORR_OK;
}

static uint32_t *seen_of(const orr_cuda_volumes *v, unsigned n) {
    return v->seen + (size_t)n * ORR_CUDA_VOLUME_BLOCKS;
}

// Queues the cipher for images that are ready, up to TURN_BYTES.
static orr_status issue_ciphers(orr_cuda_volumes *v, orr_error *error) {
    size_t bytes = 0;
    orr_status status = ORR_OK;
    for (unsigned n = 0; n < v->count && status == ORR_OK; n++) {
        job *item = v->active[n];
        size_t size = item->volume.bytes;
        if (item->steps < size || (bytes && (size > TURN_BYTES || bytes > TURN_BYTES - size)))
            continue;
        bytes += size;
        status = issue_cipher(v, item, seen_of(v, n), error);
    }
    return status;
}

// Looks at the flags of an image that is through, fetches it if they are right, and queues the
// wiping of its place.
static orr_status retire(orr_cuda_volumes *v, job *item, const uint32_t *seen, orr_error *error) {
    const orr_cuda_health *health = v->health;
    const orr_cuda_volume *volume = &item->volume;
    orr_volume_shape shape = item->volume.shape;
    for (unsigned n = 0; n < item->blocks && item->error.status == ORR_OK; n++)
        if (seen[n] != ORR_CUDA_VOLUME_RIGHT)
            orr_fail(&item->error, ORR_SELF_TEST,
                     "%s: a volume of %u x %u x %u bytes failed the check of its own work on the "
                     "device: do not trust this device",
                     v->health->name, shape.channels, shape.rows, shape.columns);
    if (item->error.status == ORR_OK) {
        orr_status status = copy_out(v, item->task->out, volume->k8[0], volume->bytes, error);
        if (status != ORR_OK) return status;
    }
    ORR_CUDA_TRY(cudaMemsetAsync(v->arena + item->offset, 0, item->need, v->ciphers));
    return ORR_OK;
}

// One turn. After a failure the device is dead.
static orr_status turn(orr_cuda_volumes *v, orr_error *error) {
    const orr_cuda_health *health = v->health;
    int fetched = 0;
    orr_status status = orr_cuda_alive(v->health, error);
    if (status == ORR_OK) status = admit(v, error);
    if (status == ORR_OK) status = issue_sequences(v, error);
    if (status == ORR_OK) status = issue_ciphers(v, error);
    if (status == ORR_OK) status = empty_stage(v, error);
    for (unsigned n = 0; n < v->count && status == ORR_OK; n++) {
        if (!v->active[n]->blocks) continue;
        fetched = 1;
        status = retire(v, v->active[n], seen_of(v, n), error);
    }
    if (status == ORR_OK) status = empty_stage(v, error);
    if (status != ORR_OK) return status;
    ORR_CUDA_TRY(cudaStreamSynchronize(v->sequences));
    OPENSSL_cleanse(v->staged, LIST * sizeof *v->staged);
    if (fetched) OPENSSL_cleanse(v->stage, STAGE);
    unsigned kept = 0;
    for (unsigned n = 0; n < v->count; n++) {
        job *item = v->active[n];
        if (item->blocks) {
            finish(v, item, NULL);
            continue;
        }
        item->steps += SLICE;
        v->active[kept++] = item;
    }
    v->count = kept;
    return ORR_OK;
}

// ---- the thread ---------------------------------------------------------------------------------

static orr_status prepare(orr_cuda_volumes *v, orr_error *error) {
    const orr_cuda_health *health = v->health;
    size_t flags = (size_t)ORR_CUDA_VOLUMES * ORR_CUDA_VOLUME_BLOCKS * sizeof *v->seen;
    ORR_CUDA_TRY(cudaSetDevice(health->device));
    ORR_CUDA_TRY(cudaStreamCreateWithFlags(&v->sequences, cudaStreamNonBlocking));
    ORR_CUDA_TRY(cudaStreamCreateWithFlags(&v->ciphers, cudaStreamNonBlocking));
    ORR_CUDA_TRY(cudaMalloc((void **)&v->list, LIST * sizeof *v->list));
    ORR_CUDA_TRY(
        cudaHostAlloc((void **)&v->staged, LIST * sizeof *v->staged, cudaHostAllocDefault));
    memset(v->staged, 0, LIST * sizeof *v->staged);
    ORR_CUDA_TRY(cudaHostAlloc((void **)&v->seen, flags, cudaHostAllocDefault));
    memset(v->seen, 0, flags);
    ORR_CUDA_TRY(cudaHostAlloc((void **)&v->stage, STAGE, cudaHostAllocDefault));
    memset(v->stage, 0, STAGE);
    return ORR_OK;
}

// Wipes, then frees. Errors are ignored: on a dead device the driver has freed everything.
static void release(orr_cuda_volumes *v) {
    size_t flags = (size_t)ORR_CUDA_VOLUMES * ORR_CUDA_VOLUME_BLOCKS * sizeof *v->seen;
    free_arena(v);
    if (v->list) (void)cudaMemset(v->list, 0, LIST * sizeof *v->list);
    (void)cudaDeviceSynchronize();
    (void)cudaFree(v->list);
    if (v->staged) OPENSSL_cleanse(v->staged, LIST * sizeof *v->staged);
    if (v->seen) memset(v->seen, 0, flags);
    if (v->stage) OPENSSL_cleanse(v->stage, STAGE);
    (void)cudaFreeHost(v->staged);
    (void)cudaFreeHost(v->seen);
    (void)cudaFreeHost(v->stage);
    if (v->sequences) (void)cudaStreamDestroy(v->sequences);
    if (v->ciphers) (void)cudaStreamDestroy(v->ciphers);
}

static void *work(void *argument) {
    orr_cuda_volumes *v = argument;
    orr_error error = {.status = ORR_OK};
    orr_status status = prepare(v, &error);
    for (;;) {
        if (status != ORR_OK) {
            orr_cuda_bury(v->health, &error);
            fail_all(v, &error);
        }
        pthread_mutex_lock(&v->mutex);
        while (!v->head && !v->count && !v->closing) pthread_cond_wait(&v->work, &v->mutex);
        int idle = !v->head && !v->count;
        pthread_mutex_unlock(&v->mutex);
        if (idle) break;
        status = turn(v, &error);
    }
    release(v);
    return NULL;
}

// ---- the queue ----------------------------------------------------------------------------------

static void job_free(job *item) {
    if (item->tables) {
        size_t bytes = orr_cuda_volume_table_bytes(item->task->shape);
        OPENSSL_cleanse(item->tables, bytes);
    }
    free(item->tables);
    OPENSSL_cleanse(item, sizeof *item);
    free(item);
}

// The host's part of the work, on the caller's thread.
static orr_status job_prepare(const orr_cuda_volumes *v, job *item, orr_error *error) {
    orr_volume_task *task = item->task;
    size_t bytes;
    orr_status status = orr_volume_task_check(task, &bytes, error);
    if (status != ORR_OK) return status;
    item->need = orr_cuda_volume_layout(task->shape, NULL, &item->volume);
    if (item->need == 0 || item->need > v->allowance)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s: a volume of %zu bytes does not fit the %zu bytes of device memory "
                        "that may be used",
                        v->health->name, bytes, v->allowance);
    item->start[0] = orr_arccos15(task->key.part[3]);
    item->start[1] = orr_arccos15(task->key.part[7]);
    return orr_cuda_volume_tables(&task->key, task->shape, task->cipher->k2, &item->tables, error);
}

orr_status orr_cuda_volumes_submit(orr_cuda_volumes *v, orr_volume_task *task, orr_error *error) {
    orr_status status = orr_cuda_alive(v->health, error);
    if (status != ORR_OK) return status;
    job *item = calloc(1, sizeof *item);
    if (!item) return orr_fail(error, ORR_INTERNAL, "out of memory for a volume");
    item->task = task;
    status = job_prepare(v, item, error);
    if (status != ORR_OK) {
        job_free(item);
        return status;
    }
    pthread_mutex_lock(&v->mutex);
    if (!v->started && pthread_create(&v->thread, NULL, work, v)) {
        status = orr_fail(error, ORR_INTERNAL, "no thread for volumes on %s can be started",
                          v->health->name);
        job_free(item);
    } else {
        v->started = 1;
        task->ticket = item;
        *(v->tail ? &v->tail->link : &v->head) = item;
        v->tail = item;
        pthread_cond_signal(&v->work);
    }
    pthread_mutex_unlock(&v->mutex);
    return status;
}

orr_status orr_cuda_volumes_wait(orr_cuda_volumes *v, orr_volume_task *task, orr_error *error) {
    job *item = task->ticket;
    if (!item) return orr_fail(error, ORR_INTERNAL, "wait for a volume that was not submitted");
    pthread_mutex_lock(&v->mutex);
    while (!item->done) pthread_cond_wait(&v->finished, &v->mutex);
    pthread_mutex_unlock(&v->mutex);
    orr_status status = item->error.status;
    if (status != ORR_OK && error) *error = item->error;
    task->ticket = NULL;
    job_free(item);
    return status;
}

orr_status orr_cuda_volumes_open(orr_cuda_volumes **volumes, orr_cuda_health *health,
                                 size_t allowance, orr_error *error) {
    orr_cuda_volumes *v = *volumes = calloc(1, sizeof *v);
    if (!v) return orr_fail(error, ORR_INTERNAL, "out of memory for the CUDA backend");
    v->health = health;
    size_t list = LIST * sizeof *v->list; // is the rest of the device memory that this takes
    v->allowance = allowance > list ? allowance - list : 0;
    pthread_mutex_init(&v->mutex, NULL);
    pthread_cond_init(&v->work, NULL);
    pthread_cond_init(&v->finished, NULL);
    return ORR_OK;
}

void orr_cuda_volumes_close(orr_cuda_volumes *v) {
    if (!v) return;
    pthread_mutex_lock(&v->mutex);
    v->closing = 1;
    pthread_cond_signal(&v->work);
    pthread_mutex_unlock(&v->mutex);
    if (v->started) pthread_join(v->thread, NULL);
    pthread_cond_destroy(&v->finished);
    pthread_cond_destroy(&v->work);
    pthread_mutex_destroy(&v->mutex);
    free(v);
}
