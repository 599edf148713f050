// A device under measurement: buffers, events, copies.
#include "bench/cuda/measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "base/bytes.h"
#include "kernels/map.h"

#define UNTOUCHED 0xee // what result buffers hold before a run whose bytes are looked at

struct orr_bench_cuda_session {
    int device, processors;
    size_t tiles, bytes;
    uint8_t *in, *out;           // device
    uint8_t *host_in, *host_out; // pinned
    orr_cuda_task *tasks;        // device
    uint32_t *flags, *table;     // device
    uint32_t *seen;              // host copy of the flags
    cudaStream_t stream, other;
    cudaEvent_t start, middle, end;
    orr_aes_launch aes;
};

// ORR_OK, or the sentence for a failed CUDA call.
static orr_status check(int code, const char *call, orr_error *error) {
    if (code == 0) return ORR_OK;
    return orr_fail(error, ORR_INTERNAL, "%s failed: %s (%s)", call,
                    cudaGetErrorString((cudaError_t)code), cudaGetErrorName((cudaError_t)code));
}

#define TRY(call)                                                 \
    do {                                                          \
        orr_status try_status = check((int)(call), #call, error); \
        if (try_status != ORR_OK) return try_status;              \
    } while (0)

// ---- AES ----------------------------------------------------------------------------------------

static uint8_t doubled(uint8_t x) {
    return (uint8_t)(x << 1 ^ (x & 128 ? 0x1b : 0));
}

// FIPS 197, section 5.1.1, by powers of 3: inverse of 3^n is 3^(255 - n).
static void fill_sbox(uint8_t sbox[256]) {
    uint8_t power[256];
    power[0] = 1;
    for (int n = 1; n < 256; n++) power[n] = doubled(power[n - 1]) ^ power[n - 1];
    sbox[0] = 0x63;
    for (int n = 0; n < 255; n++) {
        uint8_t x = power[(255 - n) % 255];
        uint16_t twice = (uint16_t)(x << 8 | x);
        sbox[power[n]] = (uint8_t)(x ^ twice >> 7 ^ twice >> 6 ^ twice >> 5 ^ twice >> 4 ^ 0x63);
    }
}

static uint32_t substituted(const uint8_t sbox[256], uint32_t x) {
    return (uint32_t)sbox[x >> 24] << 24 | (uint32_t)sbox[x >> 16 & 255] << 16 |
           (uint32_t)sbox[x >> 8 & 255] << 8 | sbox[x & 255];
}

void orr_aes_prepare(uint32_t table[256], uint32_t round_keys[ORR_AES_ROUND_KEYS],
                     const uint8_t key[32]) {
    uint8_t sbox[256], constant = 1;
    fill_sbox(sbox);
    for (int n = 0; n < 256; n++) {
        uint32_t s = sbox[n], twice = doubled(sbox[n]);
        table[n] = twice << 24 | s << 16 | s << 8 | (twice ^ s);
    }
    for (int n = 0; n < 8; n++) round_keys[n] = orr_load_be32(key + 4 * n);
    for (int n = 8; n < ORR_AES_ROUND_KEYS; n++) { // FIPS 197, section 5.2
        uint32_t x = round_keys[n - 1];
        if (n % 8 == 0) {
            x = substituted(sbox, x << 8 | x >> 24) ^ (uint32_t)constant << 24;
            constant = doubled(constant);
        } else if (n % 8 == 4) {
            x = substituted(sbox, x);
        }
        round_keys[n] = round_keys[n - 8] ^ x;
    }
}

// ---- a session ----------------------------------------------------------------------------------

static unsigned count_devices(void) {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0 ? (unsigned)count : 0;
}

// The kernel module's version and the interface it offers.
static void driver_version(char text[32]) {
    char line[160] = "", *at;
    int version = 0;
    FILE *file = fopen("/proc/driver/nvidia/version", "re");
    if (file) {
        if (!fgets(line, sizeof line, file)) line[0] = 0;
        fclose(file);
    }
    (void)cudaDriverGetVersion(&version);
    at = strstr(line, "Module  ");
    snprintf(text, 32, "%.*s%sCUDA %d.%d", at ? (int)strcspn(at + 8, " ") : 0, at ? at + 8 : "",
             at ? ", " : "", version / 1000, version % 1000 / 10);
}

static orr_status describe(unsigned device, orr_bench_cuda_info *info, orr_error *error) {
    struct cudaDeviceProp properties;
    size_t total = 0;
    int clock = 0, memory_clock = 0;
    memset(info, 0, sizeof *info);
    TRY(cudaSetDevice((int)device));
    TRY(cudaGetDeviceProperties(&properties, (int)device));
    TRY(cudaMemGetInfo(&info->memory, &total));
    TRY(cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, (int)device));
    TRY(cudaDeviceGetAttribute(&memory_clock, cudaDevAttrMemoryClockRate, (int)device));
    snprintf(info->name, sizeof info->name, "%.120s", properties.name);
    info->major = properties.major;
    info->minor = properties.minor;
    driver_version(info->driver);
    snprintf(info->clocks, sizeof info->clocks, "at most %d MHz, memory %d MHz", clock / 1000,
             memory_clock / 1000);
    return ORR_OK;
}

static void close_session(orr_bench_cuda_session *s) {
    if (!s) return;
    (void)cudaFree(s->in);
    (void)cudaFree(s->out);
    (void)cudaFree(s->tasks);
    (void)cudaFree(s->flags);
    (void)cudaFree(s->table);
    (void)cudaFreeHost(s->host_in);
    (void)cudaFreeHost(s->host_out);
    if (s->start) (void)cudaEventDestroy(s->start);
    if (s->middle) (void)cudaEventDestroy(s->middle);
    if (s->end) (void)cudaEventDestroy(s->end);
    if (s->stream) (void)cudaStreamDestroy(s->stream);
    if (s->other) (void)cudaStreamDestroy(s->other);
    free(s->seen);
    free(s);
}

static orr_status allocate(orr_bench_cuda_session *s, orr_error *error) {
    size_t flags = s->tiles * sizeof *s->flags;
    TRY(cudaSetDevice(s->device));
    TRY(cudaDeviceGetAttribute(&s->processors, cudaDevAttrMultiProcessorCount, s->device));
    TRY(cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking));
    TRY(cudaStreamCreateWithFlags(&s->other, cudaStreamNonBlocking));
    TRY(cudaEventCreate(&s->start));
    TRY(cudaEventCreate(&s->middle));
    TRY(cudaEventCreate(&s->end));
    TRY(cudaMalloc((void **)&s->in, s->bytes));
    TRY(cudaMalloc((void **)&s->out, s->bytes));
    TRY(cudaMalloc((void **)&s->tasks, s->tiles * sizeof *s->tasks));
    TRY(cudaMalloc((void **)&s->flags, flags));
    TRY(cudaMalloc((void **)&s->table, 1024));
    TRY(cudaHostAlloc((void **)&s->host_in, s->bytes, cudaHostAllocDefault));
    TRY(cudaHostAlloc((void **)&s->host_out, s->bytes, cudaHostAllocDefault));
    s->seen = malloc(flags);
    return s->seen ? ORR_OK : orr_fail(error, ORR_INTERNAL, "out of memory for flags");
}

// The input and the keys, to the device.
static orr_status fill(orr_bench_cuda_session *s, orr_error *error) {
    uint32_t table[256];
    orr_tile_key key;
    orr_cuda_task *tasks = (orr_cuda_task *)s->host_out; // larger than all tasks
    orr_bench_cuda_input(s->host_in, s->tiles);
    for (size_t n = 0; n < s->tiles; n++) {
        orr_cuda_task task = {.offset = n * ORR_TILE_BYTES, .rows = ORR_TILE_ROWS};
        for (int renewed = 0; renewed < 2; renewed++) {
            orr_bench_cuda_key(n, renewed, &key);
            memcpy(task.key[renewed], key.state, sizeof task.key[0]);
        }
        tasks[n] = task;
    }
    orr_bench_cuda_key(0, 0, &key);
    orr_aes_prepare(table, s->aes.key, (const uint8_t *)key.state);
    for (int n = 0; n < 4; n++)
        s->aes.counter[n] = orr_load_be32((uint8_t *)key.state + 32 + 4 * n);
    s->aes.in = (const uint32_t *)s->in;
    s->aes.out = (uint32_t *)s->out;
    s->aes.table = s->table;
    s->aes.blocks = s->bytes / 16;
    TRY(cudaMemcpyAsync(s->in, s->host_in, s->bytes, cudaMemcpyHostToDevice, s->stream));
    TRY(cudaMemcpyAsync(s->tasks, tasks, s->tiles * sizeof *tasks, cudaMemcpyHostToDevice,
                        s->stream));
    TRY(cudaMemcpyAsync(s->table, table, sizeof table, cudaMemcpyHostToDevice, s->stream));
    TRY(cudaStreamSynchronize(s->stream));
    return ORR_OK;
}

static orr_bench_cuda_session *open_session(unsigned device, size_t tiles, orr_error *error) {
    orr_bench_cuda_session *s = calloc(1, sizeof *s);
    if (!s) {
        orr_fail(error, ORR_INTERNAL, "out of memory for a device's buffers");
        return NULL;
    }
    s->device = (int)device;
    s->tiles = tiles;
    s->bytes = tiles * ORR_TILE_BYTES;
    orr_status status = allocate(s, error);
    if (status == ORR_OK) status = check(orr_cuda_tile_prepare(), "prepare kernels", error);
    if (status == ORR_OK) status = check(orr_measure_prepare(), "prepare kernels", error);
    if (status == ORR_OK) status = fill(s, error);
    if (status == ORR_OK) return s;
    close_session(s);
    return NULL;
}

// ---- work ---------------------------------------------------------------------------------------

static orr_status launch_tiles(orr_bench_cuda_session *s, const orr_bench_cuda_work *work,
                               orr_error *error) {
    orr_cipher cipher;
    orr_cuda_launch launch = {.in = s->in,
                              .out = s->out,
                              .tasks = s->tasks,
                              .flags = s->flags,
                              .count = (uint32_t)work->tiles};
    orr_status status = orr_cipher_init(&cipher, work->rule, ORR_MAP_K2_DEFAULT, error);
    if (status != ORR_OK) return status;
    orr_cuda_cipher_init(&launch.cipher[0], &cipher);
    status = orr_cipher_init(&cipher, work->new_rule, ORR_MAP_K2_DEFAULT, error);
    if (status != ORR_OK) return status;
    orr_cuda_cipher_init(&launch.cipher[1], &cipher);
    TRY(cudaEventRecord(s->start, s->stream)); // again: what is above took no time of the device
    if (work->check)
        TRY(orr_cuda_tile_launch((orr_cuda_op)work->op, 1, &launch, (unsigned)work->tiles,
                                 s->stream));
    else
        TRY(orr_measure_tiles((orr_cuda_op)work->op, work->without, &launch, (unsigned)work->tiles,
                              s->stream));
    return ORR_OK;
}

// Both directions at once: the second stream starts behind `start` and ends before `end`.
static orr_status copy_both_ways(orr_bench_cuda_session *s, size_t bytes, orr_error *error) {
    TRY(cudaStreamWaitEvent(s->other, s->start, 0));
    TRY(cudaMemcpyAsync(s->out, s->host_in, bytes, cudaMemcpyHostToDevice, s->stream));
    TRY(cudaMemcpyAsync(s->host_out, s->in, bytes, cudaMemcpyDeviceToHost, s->other));
    TRY(cudaEventRecord(s->middle, s->other));
    TRY(cudaStreamWaitEvent(s->stream, s->middle, 0));
    return ORR_OK;
}

static orr_status start_work(orr_bench_cuda_session *s, const orr_bench_cuda_work *work,
                             orr_error *error) {
    size_t bytes = work->tiles * ORR_TILE_BYTES;
    TRY(cudaEventRecord(s->start, s->stream));
    switch (work->kind) {
    case ORR_BENCH_KERNEL:
        return launch_tiles(s, work, error);
    case ORR_BENCH_AES_CTR:
        s->aes.blocks = bytes / 16;
        TRY(orr_measure_aes(&s->aes, 2 * (unsigned)s->processors, s->stream));
        return ORR_OK;
    case ORR_BENCH_DEVICE_COPY:
        TRY(cudaMemcpyAsync(s->out, s->in, bytes, cudaMemcpyDeviceToDevice, s->stream));
        return ORR_OK;
    case ORR_BENCH_COPY_IN:
        TRY(cudaMemcpyAsync(s->out, s->host_in, bytes, cudaMemcpyHostToDevice, s->stream));
        return ORR_OK;
    case ORR_BENCH_COPY_OUT:
        TRY(cudaMemcpyAsync(s->host_out, s->in, bytes, cudaMemcpyDeviceToHost, s->stream));
        return ORR_OK;
    case ORR_BENCH_COPY_BOTH_WAYS:
        return copy_both_ways(s, bytes, error);
    }
    return orr_fail(error, ORR_INTERNAL, "unknown work for a device");
}

// Nothing that an earlier run left may pass for this run's.
static orr_status clear_results(orr_bench_cuda_session *s, orr_error *error) {
    memset(s->host_out, UNTOUCHED, s->bytes);
    // In the stream of the work: the default stream does not wait for it, nor it for the default.
    TRY(cudaMemsetAsync(s->out, UNTOUCHED, s->bytes, s->stream));
    TRY(cudaMemsetAsync(s->flags, 0, s->tiles * sizeof *s->flags, s->stream));
    TRY(cudaStreamSynchronize(s->stream)); // s->other works on them too
    return ORR_OK;
}

static orr_status fetch_results(orr_bench_cuda_session *s, const orr_bench_cuda_work *work,
                                uint8_t *out, orr_error *error) {
    size_t bytes = work->tiles * ORR_TILE_BYTES, flags = work->tiles * sizeof *s->flags;
    int host = work->kind == ORR_BENCH_COPY_OUT, both = work->kind == ORR_BENCH_COPY_BOTH_WAYS;
    if (both && memcmp(s->host_out, s->host_in, bytes) != 0)
        return orr_fail(error, ORR_SELF_TEST, "a copy from the device brought other bytes");
    if (!host) {
        TRY(cudaMemcpyAsync(s->host_out, s->out, bytes, cudaMemcpyDeviceToHost, s->stream));
        TRY(cudaStreamSynchronize(s->stream));
    }
    memcpy(out, s->host_out, bytes);
    if (work->kind != ORR_BENCH_KERNEL || !work->check) return ORR_OK;
    TRY(cudaMemcpyAsync(s->seen, s->flags, flags, cudaMemcpyDeviceToHost, s->stream));
    TRY(cudaStreamSynchronize(s->stream));
    for (size_t n = 0; n < work->tiles; n++)
        if (s->seen[n] != ORR_CUDA_TILE_RIGHT)
            return orr_fail(error, ORR_SELF_TEST,
                            "tile %zu failed the check of its own work on the device", n);
    return ORR_OK;
}

static orr_status run(orr_bench_cuda_session *s, const orr_bench_cuda_work *work, double *seconds,
                      uint8_t *out, orr_error *error) {
    float milliseconds = 0;
    if (work->tiles == 0 || work->tiles > s->tiles)
        return orr_fail(error, ORR_INTERNAL, "%zu tiles in a session of %zu", work->tiles,
                        s->tiles);
    TRY(cudaSetDevice(s->device));
    orr_status status = out ? clear_results(s, error) : ORR_OK;
    if (status == ORR_OK) status = start_work(s, work, error);
    if (status != ORR_OK) return status;
    TRY(cudaEventRecord(s->end, s->stream));
    TRY(cudaStreamSynchronize(s->other));
    TRY(cudaStreamSynchronize(s->stream));
    TRY(cudaEventElapsedTime(&milliseconds, s->start, s->end));
    *seconds = (double)milliseconds * 1e-3;
    return out ? fetch_results(s, work, out, error) : ORR_OK;
}

__attribute__((visibility("default"))) const orr_bench_cuda *orr_bench_cuda_get(void) {
    static const orr_bench_cuda cuda = {.abi = ORR_BENCH_CUDA_ABI,
                                        .count = count_devices,
                                        .describe = describe,
                                        .open = open_session,
                                        .run = run,
                                        .close = close_session};
    return &cuda;
}
