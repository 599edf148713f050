// The CUDA backend: one device, several streams (kernels/backend.h is the contract).
//
// A batch is cut into pieces of consecutive tasks. A piece has a slot: a stream with device buffers
// of its own, so that the copy in of one piece, the kernel of another and the copy out of a third
// overlap, and device memory does not grow with the batch. One thread of the backend issues and
// retires all pieces; it alone talks to the device once the backend is open. Every tile is checked
// on the device (kernels/cuda/tile.cuh) before its flag says that it is right.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>
#include <openssl/crypto.h>

#include "base/cuda_count.h"
#include "kernels/backend.h"
#include "kernels/cuda/cuda_volumes.h"
#include "kernels/cuda/tile_launch.h"
#include "kernels/cuda_loader.h"

#define SLOTS 4
#define PIECE_MOST ((size_t)16 << 20) // bytes of a piece; fewer when memory is short
#define PIECE_LEAST ((size_t)1 << 20)
#define PIECE_TASKS 4096
#define LEAST_CAPABILITY 80 // compute capability x 10 of the PTX in the library

// A batch in flight: the ticket of orr_batch. Used by the backend's thread alone until done.
typedef struct job {
    orr_batch *batch;
    size_t next;     // first task that is not in a piece yet
    unsigned pieces; // in flight
    orr_error error; // status ORR_OK while all is well
    int done;        // guarded by the mutex
    struct job *link;
} job;

typedef struct slot {
    cudaStream_t stream;
    uint8_t *in, *out; // device, piece bytes each
    orr_cuda_task *tasks;
    uint32_t *flags;
    orr_cuda_task *staged; // pinned copies of the two
    uint32_t *seen;
    job *job; // whose piece is in flight, or NULL
    size_t first, count;
} slot;

typedef struct cuda_backend {
    orr_backend base;
    orr_cuda_health health;
    size_t piece, memory; // of a piece; on the device, in all
    slot slots[SLOTS];
    unsigned turn; // next slot
    orr_cuda_volumes *volumes;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work, finished;
    job *head, *tail; // jobs with tasks left
    int closing;
} cuda_backend;

// ---- errors -------------------------------------------------------------------------------------

// The sentence names the call; `cuda` and `error` must be in scope.
#define TRY(call)                                                                         \
    do {                                                                                  \
        orr_status try_status = orr_cuda_check(&cuda->health, (int)(call), #call, error); \
        if (try_status != ORR_OK) return try_status;                                      \
    } while (0)

// ---- pieces -------------------------------------------------------------------------------------

static size_t task_end(const orr_tile_task *task) {
    return task->offset + (size_t)ORR_TILE_ROW_BYTES * task->rows;
}

// Cuts the next piece off a job: tasks first .. first + count - 1 lie in base .. base + *span.
static size_t cut_piece(const cuda_backend *cuda, const job *item, size_t *base, size_t *span) {
    const orr_tile_task *tasks = item->batch->tasks;
    size_t low = tasks[item->next].offset, high = low, count = 0;
    for (size_t n = item->next; n < item->batch->count && count < PIECE_TASKS; n++, count++) {
        size_t start = tasks[n].offset < low ? tasks[n].offset : low;
        size_t end = task_end(&tasks[n]) > high ? task_end(&tasks[n]) : high;
        if (end - start > cuda->piece) break;
        low = start;
        high = end;
    }
    *base = low;
    *span = high - low;
    return count;
}

static void stage_tasks(slot *place, const orr_batch *batch, size_t base) {
    for (size_t n = 0; n < place->count; n++) {
        const orr_tile_task *task = &batch->tasks[place->first + n];
        orr_cuda_task *staged = &place->staged[n];
        staged->offset = task->offset - base;
        staged->rows = task->rows;
        staged->unused = 0;
        memcpy(staged->key[0], task->key.state, sizeof staged->key[0]);
        memcpy(staged->key[1], task->new_key.state, sizeof staged->key[1]);
    }
}

// Copies the tiles out, neighbours in one go. Bytes between tiles are not the backend's to write.
static orr_status copy_out(const cuda_backend *cuda, const slot *place, const orr_batch *batch,
                           size_t base, orr_error *error) {
    const orr_tile_task *tasks = batch->tasks + place->first;
    for (size_t n = 0; n < place->count;) {
        size_t start = tasks[n].offset, end = task_end(&tasks[n]);
        for (n++; n < place->count && tasks[n].offset == end; n++) end = task_end(&tasks[n]);
        TRY(cudaMemcpyAsync(batch->out + start, place->out + (start - base), end - start,
                            cudaMemcpyDeviceToHost, place->stream));
    }
    return ORR_OK;
}

// Queues everything that one piece needs. The keys on the device live no longer than the kernel.
static orr_status issue(cuda_backend *cuda, slot *place, orr_error *error) {
    const orr_batch *batch = place->job->batch;
    size_t base, span, keys;
    orr_cuda_launch launch = {.in = place->in,
                              .out = place->out,
                              .tasks = place->tasks,
                              .flags = place->flags,
                              .count = (uint32_t)place->count};
    cut_piece(cuda, place->job, &base, &span);
    keys = place->count * sizeof *place->tasks;
    orr_cuda_cipher_init(&launch.cipher[0], batch->cipher);
    orr_cuda_cipher_init(&launch.cipher[1],
                         batch->op == ORR_TILE_REENCRYPT ? batch->new_cipher : batch->cipher);
    stage_tasks(place, batch, base);
    TRY(cudaMemcpyAsync(place->in, batch->in + base, span, cudaMemcpyHostToDevice, place->stream));
    TRY(cudaMemcpyAsync(place->tasks, place->staged, keys, cudaMemcpyHostToDevice, place->stream));
    TRY(cudaMemsetAsync(place->flags, 0, place->count * sizeof *place->flags, place->stream));
    TRY(orr_cuda_tile_launch((orr_cuda_op)batch->op, 1, &launch, (unsigned)place->count,
                             place->stream));
    TRY(cudaMemsetAsync(place->tasks, 0, keys, place->stream));
    orr_status status = copy_out(cuda, place, batch, base, error);
    if (status != ORR_OK) return status;
    TRY(cudaMemcpyAsync(place->seen, place->flags, place->count * sizeof *place->flags,
                        cudaMemcpyDeviceToHost, place->stream));
    return ORR_OK;
}

// ---- the backend's thread -----------------------------------------------------------------------

static void finish_if_done(cuda_backend *cuda, job *item) {
    if (item->pieces || item->next < item->batch->count) return;
    pthread_mutex_lock(&cuda->mutex);
    item->done = 1;
    pthread_cond_broadcast(&cuda->finished);
    pthread_mutex_unlock(&cuda->mutex);
}

// Ends a job early and, when the device failed, every later one.
static void fail_job(cuda_backend *cuda, job *item, const orr_error *error, int dead) {
    if (item->error.status == ORR_OK) item->error = *error;
    item->next = item->batch->count;
    if (dead) orr_cuda_bury(&cuda->health, error);
}

// Waits for a slot's piece, looks at its flags, and wipes the staged keys.
static void retire(cuda_backend *cuda, slot *place) {
    job *item = place->job;
    orr_error error = {.status = ORR_OK};
    if (!item) return;
    int code = (int)cudaStreamSynchronize(place->stream);
    if (orr_cuda_check(&cuda->health, code, "cudaStreamSynchronize", &error) != ORR_OK) {
        fail_job(cuda, item, &error, 1);
    } else if (item->error.status == ORR_OK) {
        for (size_t n = 0; n < place->count; n++) {
            if (place->seen[n] == ORR_CUDA_TILE_RIGHT) continue;
            orr_fail(&error, ORR_SELF_TEST,
                     "%s: tile %zu of a batch of %zu failed the check of its own work on the "
                     "device: do not trust this device",
                     cuda->health.name, place->first + n, item->batch->count);
            fail_job(cuda, item, &error, 0);
            break;
        }
    }
    OPENSSL_cleanse(place->staged, place->count * sizeof *place->staged);
    memset(place->seen, 0, place->count * sizeof *place->seen);
    place->job = NULL;
    item->pieces--;
    finish_if_done(cuda, item);
}

// Puts all tasks of a job into pieces.
static void run_job(cuda_backend *cuda, job *item) {
    while (item->next < item->batch->count) {
        slot *place = &cuda->slots[cuda->turn];
        orr_error error = {.status = ORR_OK};
        size_t base, span;
        retire(cuda, place);
        if (orr_cuda_alive(&cuda->health, &error) != ORR_OK) {
            fail_job(cuda, item, &error, 0);
            break;
        }
        if (item->next == item->batch->count) break; // the piece retired just now failed this job
        cuda->turn = (cuda->turn + 1) % SLOTS;
        place->job = item;
        place->first = item->next;
        place->count = cut_piece(cuda, item, &base, &span);
        item->pieces++;
        orr_status status = issue(cuda, place, &error);
        item->next += place->count;
        if (status != ORR_OK) fail_job(cuda, item, &error, 1);
    }
}

// The oldest slot in flight, or NULL.
static slot *oldest(cuda_backend *cuda) {
    for (unsigned n = 0; n < SLOTS; n++) {
        slot *place = &cuda->slots[(cuda->turn + n) % SLOTS];
        if (place->job) return place;
    }
    return NULL;
}

static void *work(void *argument) {
    cuda_backend *cuda = argument;
    orr_error error;
    int code = (int)cudaSetDevice(cuda->health.device);
    if (orr_cuda_check(&cuda->health, code, "cudaSetDevice", &error) != ORR_OK)
        orr_cuda_bury(&cuda->health, &error);
    pthread_mutex_lock(&cuda->mutex);
    for (;;) {
        slot *place = oldest(cuda);
        if (!cuda->head && !place) {
            if (cuda->closing) break;
            pthread_cond_wait(&cuda->work, &cuda->mutex);
            continue;
        }
        job *item = cuda->head;
        if (item) {
            cuda->head = item->link;
            if (!cuda->head) cuda->tail = NULL;
        }
        pthread_mutex_unlock(&cuda->mutex);
        if (item) {
            // The job may end, and be freed, when its last piece retires: hold it until all are in.
            item->pieces++;
            run_job(cuda, item);
            item->pieces--;
            finish_if_done(cuda, item);
        } else {
            retire(cuda, place);
        }
        pthread_mutex_lock(&cuda->mutex);
    }
    pthread_mutex_unlock(&cuda->mutex);
    return NULL;
}

// ---- the backend's functions --------------------------------------------------------------------

static void cuda_properties(const orr_backend *backend, orr_backend_properties *properties) {
    const cuda_backend *cuda = (const cuda_backend *)backend;
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "%.127s", cuda->health.name);
    properties->threads = 1;
    properties->memory = cuda->memory;
    properties->depth = 3;
    properties->volumes = ORR_CUDA_VOLUMES;
    properties->separate_output = 1;
}

static void *cuda_alloc(orr_backend *backend, size_t bytes) {
    const cuda_backend *cuda = (const cuda_backend *)backend;
    void *memory = NULL;
    if (bytes == 0) bytes = 1;
    if (cudaSetDevice(cuda->health.device) != cudaSuccess ||
        cudaHostAlloc(&memory, bytes, cudaHostAllocPortable) != cudaSuccess)
        return NULL;
    memset(memory, 0, bytes);
    return memory;
}

static void cuda_free(orr_backend *backend, void *memory, size_t used) {
    const cuda_backend *cuda = (const cuda_backend *)backend;
    if (!memory) return;
    OPENSSL_cleanse(memory, used);
    (void)cudaSetDevice(
        cuda->health.device); // on a dead device both fail, and the memory goes with it
    (void)cudaFreeHost(memory);
}

static orr_status cuda_volume_submit(orr_backend *backend, orr_volume_task *task,
                                     orr_error *error) {
    return orr_cuda_volumes_submit(((cuda_backend *)backend)->volumes, task, error);
}

static orr_status cuda_volume_wait(orr_backend *backend, orr_volume_task *task, orr_error *error) {
    return orr_cuda_volumes_wait(((cuda_backend *)backend)->volumes, task, error);
}

static orr_status cuda_submit(orr_backend *backend, orr_batch *batch, orr_error *error) {
    cuda_backend *cuda = (cuda_backend *)backend;
    orr_status status = orr_batch_check(batch, error);
    if (status == ORR_OK) status = orr_cuda_alive(&cuda->health, error);
    if (status != ORR_OK) return status;
    job *item = calloc(1, sizeof *item);
    if (!item) return orr_fail(error, ORR_INTERNAL, "out of memory for a batch of tiles");
    item->batch = batch;
    pthread_mutex_lock(&cuda->mutex);
    batch->ticket = item;
    *(cuda->tail ? &cuda->tail->link : &cuda->head) = item;
    cuda->tail = item;
    pthread_cond_signal(&cuda->work);
    pthread_mutex_unlock(&cuda->mutex);
    return ORR_OK;
}

static orr_status cuda_wait(orr_backend *backend, orr_batch *batch, orr_error *error) {
    cuda_backend *cuda = (cuda_backend *)backend;
    job *item = batch->ticket;
    if (!item) return orr_fail(error, ORR_INTERNAL, "wait for a batch that was not submitted");
    pthread_mutex_lock(&cuda->mutex);
    while (!item->done) pthread_cond_wait(&cuda->finished, &cuda->mutex);
    pthread_mutex_unlock(&cuda->mutex);
    orr_status status = item->error.status;
    if (status != ORR_OK && error) *error = item->error;
    batch->ticket = NULL;
    free(item);
    return status;
}

// ---- opening and closing ------------------------------------------------------------------------

// Wipes, then frees. Errors are ignored: on a dead device the driver has freed everything.
static void free_slots(cuda_backend *cuda) {
    for (int n = 0; n < SLOTS; n++) {
        slot *place = &cuda->slots[n];
        if (place->in) (void)cudaMemset(place->in, 0, cuda->piece);
        if (place->out) (void)cudaMemset(place->out, 0, cuda->piece);
        if (place->tasks) (void)cudaMemset(place->tasks, 0, PIECE_TASKS * sizeof *place->tasks);
        (void)cudaDeviceSynchronize();
        (void)cudaFree(place->in);
        (void)cudaFree(place->out);
        (void)cudaFree(place->tasks);
        (void)cudaFree(place->flags);
        if (place->staged) OPENSSL_cleanse(place->staged, PIECE_TASKS * sizeof *place->staged);
        (void)cudaFreeHost(place->staged);
        (void)cudaFreeHost(place->seen);
        if (place->stream) (void)cudaStreamDestroy(place->stream);
        memset(place, 0, sizeof *place);
    }
}

static orr_status fill_slot(cuda_backend *cuda, slot *place, orr_error *error) {
    size_t keys = PIECE_TASKS * sizeof *place->tasks, flags = PIECE_TASKS * sizeof *place->flags;
    TRY(cudaStreamCreateWithFlags(&place->stream, cudaStreamNonBlocking));
    TRY(cudaMalloc((void **)&place->in, cuda->piece));
    TRY(cudaMalloc((void **)&place->out, cuda->piece));
    TRY(cudaMalloc((void **)&place->tasks, keys));
    TRY(cudaMalloc((void **)&place->flags, flags));
    TRY(cudaHostAlloc((void **)&place->staged, keys, cudaHostAllocDefault));
    TRY(cudaHostAlloc((void **)&place->seen, flags, cudaHostAllocDefault));
    memset(place->seen, 0, flags);
    return ORR_OK;
}

static size_t slot_bytes(size_t piece) {
    return 2 * piece + PIECE_TASKS * (sizeof(orr_cuda_task) + sizeof(uint32_t));
}

// The queue of volumes may have what the slots leave of the ceiling.
static orr_status make_volumes(cuda_backend *cuda, size_t ceiling, orr_error *error) {
    size_t allowance = ceiling - cuda->memory;
    orr_status status = orr_cuda_volumes_open(&cuda->volumes, &cuda->health, allowance, error);
    if (status == ORR_OK) cuda->memory = ceiling;
    return status;
}

// Makes the slots as large as the ceiling and the device allow.
static orr_status make_slots(cuda_backend *cuda, size_t ceiling, orr_error *error) {
    orr_status status = ORR_OK;
    cuda->piece = PIECE_MOST;
    while (cuda->piece >= PIECE_LEAST) {
        cuda->memory = SLOTS * slot_bytes(cuda->piece);
        if (cuda->memory <= ceiling) {
            status = ORR_OK;
            for (int n = 0; n < SLOTS && status == ORR_OK; n++)
                status = fill_slot(cuda, &cuda->slots[n], error);
            if (status == ORR_OK) return ORR_OK;
            free_slots(cuda);
            (void)cudaGetLastError(); // forgets that memory ran out; the next size is tried
        }
        cuda->piece /= 2;
    }
    if (status != ORR_OK) return status;
    return orr_fail(error, ORR_INTERNAL,
                    "%s: %zu bytes of device memory may be used, at least %zu are needed: close "
                    "other programs on it, or allow more",
                    cuda->health.name, ceiling, SLOTS * slot_bytes(PIECE_LEAST));
}

static orr_status prepare_device(cuda_backend *cuda, const orr_cuda_options *options,
                                 orr_error *error) {
    size_t available = 0, total = 0, ceiling = options ? options->memory : 0;
    TRY(cudaSetDevice(cuda->health.device));
    // Waiting threads sleep, because the processor's cores have sealing to do.
    TRY(cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync));
    TRY(cudaMemGetInfo(&available, &total));
    TRY(orr_cuda_tile_prepare());
    if (ceiling == 0) ceiling = available / 2;
    orr_status status = make_slots(cuda, ceiling, error);
    return status == ORR_OK ? make_volumes(cuda, ceiling, error) : status;
}

// Frees everything but the thread.
static void dispose(cuda_backend *cuda) {
    orr_cuda_volumes_close(cuda->volumes);
    free_slots(cuda);
    pthread_cond_destroy(&cuda->finished);
    pthread_cond_destroy(&cuda->work);
    pthread_mutex_destroy(&cuda->mutex);
    pthread_mutex_destroy(&cuda->health.mutex);
    free(cuda);
}

static void cuda_close(orr_backend *backend) {
    cuda_backend *cuda = (cuda_backend *)backend;
    if (!cuda) return;
    pthread_mutex_lock(&cuda->mutex);
    cuda->closing = 1;
    pthread_cond_signal(&cuda->work);
    pthread_mutex_unlock(&cuda->mutex);
    pthread_join(cuda->thread, NULL);
    (void)cudaSetDevice(cuda->health.device);
    dispose(cuda);
}

static const orr_backend_api cuda_api = {
    .abi = ORR_BACKEND_ABI,
    .name = "cuda",
    .properties = cuda_properties,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .submit = cuda_submit,
    .wait = cuda_wait,
    .close = cuda_close,
    .volume_submit = cuda_volume_submit,
    .volume_wait = cuda_volume_wait,
};

// ---- what the library exports -------------------------------------------------------------------

static orr_status describe_device(unsigned device, orr_cuda_device *info, orr_error *error) {
    struct cudaDeviceProp properties;
    unsigned count = orr_cuda_count(error);
    if (count == 0) return ORR_UNSUPPORTED;
    if (device >= count)
        return orr_fail(error, ORR_UNSUPPORTED, "there is no CUDA device %u: this machine has %u",
                        device, count);
    cudaError_t code = cudaGetDeviceProperties(&properties, (int)device);
    if (code != cudaSuccess)
        return orr_fail(error, ORR_INTERNAL, "CUDA device %u does not describe itself: %s (%s)",
                        device, cudaGetErrorString(code), cudaGetErrorName(code));
    memset(info, 0, sizeof *info);
    snprintf(info->name, sizeof info->name, "%.120s", properties.name);
    snprintf(info->bus, sizeof info->bus, "%04x:%02x:%02x.0", (unsigned)properties.pciDomainID,
             (unsigned)properties.pciBusID, (unsigned)properties.pciDeviceID);
    info->major = properties.major;
    info->minor = properties.minor;
    info->multiprocessors = (unsigned)properties.multiProcessorCount;
    info->memory = properties.totalGlobalMem;
    info->ecc = properties.ECCEnabled;
    return ORR_OK;
}

static orr_status open_backend(unsigned device, const orr_cuda_options *options,
                               orr_backend **backend, orr_error *error) {
    orr_cuda_device info;
    *backend = NULL;
    orr_status status = describe_device(device, &info, error);
    if (status != ORR_OK) return status;
    if (10 * info.major + info.minor < LEAST_CAPABILITY)
        return orr_fail(error, ORR_UNSUPPORTED,
                        "%s (device %u) has compute capability %d.%d; 8.0 or later is needed",
                        info.name, device, info.major, info.minor);
    cuda_backend *cuda = calloc(1, sizeof *cuda);
    if (!cuda) return orr_fail(error, ORR_INTERNAL, "out of memory for the CUDA backend");
    cuda->base.api = &cuda_api;
    cuda->health.device = (int)device;
    snprintf(cuda->health.name, sizeof cuda->health.name, "%s (cuda:%u)", info.name, device);
    pthread_mutex_init(&cuda->health.mutex, NULL);
    pthread_mutex_init(&cuda->mutex, NULL);
    pthread_cond_init(&cuda->work, NULL);
    pthread_cond_init(&cuda->finished, NULL);
    status = prepare_device(cuda, options, error);
    if (status == ORR_OK && pthread_create(&cuda->thread, NULL, work, cuda))
        status = orr_fail(error, ORR_INTERNAL, "no thread for the CUDA backend can be started");
    if (status == ORR_OK) {
        *backend = &cuda->base;
        return ORR_OK;
    }
    dispose(cuda);
    return status;
}

__attribute__((visibility("default"))) const orr_cuda_library *orr_cuda_library_get(void) {
    static const orr_cuda_library library = {ORR_CUDA_ABI, orr_cuda_count, describe_device,
                                             open_backend};
    return &library;
}
