// The cipher suite: one core by SIMD level and stage, all cores, the paper profile, a CUDA device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench_levels.h"
#include "bench/bench_suites.h"
#include "kernels/map.h"
#include "kernels/volume.h"

// ---- one core -----------------------------------------------------------------------------------

// OpenSSL is the peer, and the stages have no bytes of their own: neither was compared.
static void say_what_was_compared(orr_bench_result *results, size_t count) {
    for (size_t n = 0; n < count; n++) {
        int stage = strstr(results[n].name, "  ") != NULL;
        if (n >= 2 && !stage) continue;
        results[n].like = NULL;
        snprintf(results[n].note, sizeof results[n].note, "%s",
                 stage ? "a stage of encrypt, alone" : "OpenSSL's own");
    }
}

// The widest level stands last, and is what a job runs.
static void say_how_it_compares(orr_bench *bench, const orr_bench_result *results, size_t count) {
    const orr_bench_result *best = NULL;
    for (size_t n = 0; n + 1 < count; n++) {
        size_t length = strlen(results[n].name);
        if (length > 8 && strcmp(results[n].name + length - 8, " encrypt") == 0) best = &results[n];
    }
    if (best)
        orr_bench_find(bench,
                       "one core: %s %.2f GB/s, %.2f of the speed of AES-256-GCM in OpenSSL; "
                       "decrypt %.2f GB/s, %.2f",
                       best->name, orr_bench_rate(best), best->ratio, orr_bench_rate(best + 1),
                       best[1].ratio);
}

static orr_status one_core(orr_bench *bench, orr_error *error) {
    orr_measure_item items[ORR_LEVELS_MOST] = {0};
    orr_levels *levels = NULL;
    size_t count = 0;
    orr_bench_progress(bench, "cipher on one core, every SIMD level");
    orr_levels_pin();
    orr_status status =
        orr_levels_open(&levels, bench->options.quick ? 16 : 64, ORR_SIMD_BEST, error);
    if (status == ORR_OK) status = orr_levels_check(levels, error);
    if (status == ORR_OK) {
        count = orr_levels_items(levels, items);
        status = orr_measure_rounds(items, count, bench->options.quick ? 9 : 31,
                                    bench->options.stop, error);
    }
    if (status == ORR_OK)
        status = orr_bench_add(bench, items, count, 0, "portable path", "cpu", 1, error);
    if (status == ORR_OK) {
        say_what_was_compared(bench->results + bench->count - count, count);
        say_how_it_compares(bench, bench->results + bench->count - count, count);
    }
    orr_measure_free(items, count);
    orr_levels_close(levels);
    orr_levels_unpin();
    return status;
}

// ---- all cores ----------------------------------------------------------------------------------

// A CPU backend with a batch of whole tiles.
typedef struct pool {
    orr_backend *backend;
    orr_batch batch;
    orr_tile_task *tasks;
    uint8_t *in, *out;
    size_t tiles;
} pool;

static void close_pool(pool *p) {
    if (!p->backend) return;
    p->backend->api->free(p->backend, p->in, p->tiles * ORR_TILE_BYTES);
    p->backend->api->free(p->backend, p->out, p->tiles * ORR_TILE_BYTES);
    p->backend->api->close(p->backend);
    free(p->tasks);
    memset(p, 0, sizeof *p);
}

static orr_status run_pool(void *context, double *seconds, orr_error *error) {
    pool *p = context;
    double start = orr_seconds();
    orr_status status = p->backend->api->submit(p->backend, &p->batch, error);
    if (status == ORR_OK) status = p->backend->api->wait(p->backend, &p->batch, error);
    *seconds = orr_seconds() - start;
    return status;
}

// The bytes of every tile against the portable path.
static orr_status check_pool(pool *p, orr_error *error) {
    static uint8_t expected[ORR_TILE_BYTES];
    double seconds;
    orr_status status = run_pool(p, &seconds, error);
    for (size_t n = 0; n < p->tiles && status == ORR_OK; n++) {
        const orr_tile_task *task = &p->tasks[n];
        const uint8_t *in = p->in + task->offset;
        if (p->batch.op == ORR_TILE_ENCRYPT)
            status =
                orr_tile_encrypt_portable(p->batch.cipher, &task->key, task->rows, in, expected);
        else
            status =
                orr_tile_decrypt_portable(p->batch.cipher, &task->key, task->rows, in, expected);
        if (status == ORR_OK && p->batch.op == ORR_TILE_REENCRYPT)
            status = orr_tile_encrypt_portable(p->batch.new_cipher, &task->new_key, task->rows,
                                               expected, expected);
        if (status != ORR_OK)
            status = orr_fail(error, status, "out of memory to compare bytes");
        else if (memcmp(expected, p->out + task->offset, ORR_TILE_BYTES) != 0)
            status =
                orr_fail(error, ORR_SELF_TEST,
                         "the CPU backend gives other bytes than the portable path (tile %zu); "
                         "nothing is timed",
                         n);
    }
    return status;
}

static orr_status open_pool(pool *p, unsigned threads, orr_simd level, orr_tile_op op, size_t tiles,
                            const orr_cipher *cipher, orr_error *error) {
    orr_status status = orr_cpu_backend_open(threads, level, &p->backend, error);
    if (status != ORR_OK) return status;
    p->tiles = tiles;
    p->in = p->backend->api->alloc(p->backend, tiles * ORR_TILE_BYTES);
    p->out = p->backend->api->alloc(p->backend, tiles * ORR_TILE_BYTES);
    p->tasks = calloc(tiles, sizeof *p->tasks);
    if (!p->in || !p->out || !p->tasks)
        return orr_fail(error, ORR_INTERNAL, "out of memory for %zu tiles", tiles);
    orr_bench_cuda_input(p->in, tiles);
    for (size_t n = 0; n < tiles; n++) {
        p->tasks[n].offset = n * ORR_TILE_BYTES;
        p->tasks[n].rows = ORR_TILE_ROWS;
        orr_bench_cuda_key(n, 0, &p->tasks[n].key);
        orr_bench_cuda_key(n, 1, &p->tasks[n].new_key);
    }
    p->batch = (orr_batch){.op = op,
                           .cipher = cipher,
                           .new_cipher = cipher,
                           .in = p->in,
                           .out = p->out,
                           .bytes = tiles * ORR_TILE_BYTES,
                           .tasks = p->tasks,
                           .count = tiles};
    return check_pool(p, error);
}

#define MOST_POOLS 24

// One group of backends: `threads`, `levels` and `ops` say what each is.
typedef struct group {
    pool pools[MOST_POOLS];
    orr_measure_item items[MOST_POOLS];
    unsigned threads[MOST_POOLS];
    size_t count;
    orr_cipher cipher;
} group;

static orr_status add_pool(orr_bench *bench, group *g, const char *name, unsigned threads,
                           orr_simd level, orr_tile_op op, orr_error *error) {
    size_t tiles = bench->options.quick ? 128 : 512;
    if (g->count == MOST_POOLS) return ORR_OK;
    pool *p = &g->pools[g->count];
    orr_measure_item *item = &g->items[g->count];
    g->threads[g->count++] = threads;
    snprintf(item->group, sizeof item->group, "CPU backend");
    snprintf(item->name, sizeof item->name, "%s %s", orr_simd_name(level), name);
    item->bytes = tiles * ORR_TILE_BYTES;
    item->run = run_pool;
    item->context = p;
    return open_pool(p, threads, level, op, tiles, &g->cipher, error);
}

// The best level from one thread to all, every verb; then the other levels on all threads.
static orr_status fill_group(orr_bench *bench, group *g, orr_error *error) {
    static const char *const verbs[3] = {"encrypt", "decrypt", "reencrypt"};
    unsigned most = orr_bench_threads(bench);
    orr_simd best = orr_cpu_simd(ORR_SIMD_BEST);
    orr_status status = ORR_OK;
    for (unsigned threads = 1; status == ORR_OK;
         threads = 2 * threads < most ? 2 * threads : most) {
        for (int op = 0; op < 3 && status == ORR_OK; op++)
            status = add_pool(bench, g, verbs[op], threads, best, (orr_tile_op)op, error);
        if (threads == most) break;
    }
    for (orr_simd level = ORR_SIMD_PORTABLE; level < best && status == ORR_OK; level++)
        status = add_pool(bench, g, verbs[0], most, level, ORR_TILE_ENCRYPT, error);
    return status;
}

static orr_status all_cores(orr_bench *bench, orr_error *error) {
    group *g = calloc(1, sizeof *g);
    if (!g) return orr_fail(error, ORR_INTERNAL, "out of memory for the CPU backend's figures");
    orr_bench_progress(bench, "CPU backend on 1 to %u threads", orr_bench_threads(bench));
    orr_status status = orr_cipher_init(&g->cipher, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, error);
    if (status == ORR_OK) status = fill_group(bench, g, error);
    if (status == ORR_OK)
        status = orr_measure_rounds(g->items, g->count, bench->options.quick ? 5 : 15,
                                    bench->options.stop, error);
    for (size_t n = 0; n < g->count && status == ORR_OK; n++)
        status = orr_bench_add(bench, &g->items[n], 1, SIZE_MAX, "portable path", "cpu",
                               g->threads[n], error);
    orr_measure_free(g->items, g->count);
    for (size_t n = 0; n < g->count; n++) close_pool(&g->pools[n]);
    free(g);
    return status;
}

// ---- the paper profile --------------------------------------------------------------------------

typedef struct picture {
    orr_cipher cipher;
    orr_volume_key key;
    orr_volume_shape shape;
    uint8_t *data, *original;
    size_t bytes;
    int inverse;
} picture;

static orr_status run_picture(void *context, double *seconds, orr_error *error) {
    picture *p = context;
    double start = orr_seconds();
    orr_status status = p->inverse
                            ? orr_volume_decrypt(&p->cipher, &p->key, p->shape, p->data, error)
                            : orr_volume_encrypt(&p->cipher, &p->key, p->shape, p->data, error);
    *seconds = orr_seconds() - start;
    return status;
}

static orr_status open_picture(picture *p, uint32_t side, orr_error *error) {
    uint8_t hash[64];
    p->shape = (orr_volume_shape){3, side, side};
    p->bytes = (size_t)3 * side * side;
    p->data = malloc(p->bytes);
    p->original = malloc(p->bytes);
    if (!p->data || !p->original)
        return orr_fail(error, ORR_INTERNAL, "out of memory for an image of %u x %u", side, side);
    for (size_t n = 0; n < p->bytes; n++) p->data[n] = (uint8_t)(orr_mix64(n) >> 56);
    for (size_t n = 0; n < sizeof hash; n++) hash[n] = (uint8_t)(orr_mix64(n ^ side) >> 40);
    memcpy(p->original, p->data, p->bytes);
    orr_volume_key_from_hash(&p->key, hash);
    return orr_cipher_init(&p->cipher, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, error);
}

// Encrypted and decrypted again, the image must be what it was, and not have been so in between.
static orr_status check_picture(picture *p, orr_error *error) {
    double seconds;
    p->inverse = 0;
    orr_status status = run_picture(p, &seconds, error);
    int changed = memcmp(p->data, p->original, p->bytes) != 0;
    p->inverse = 1;
    if (status == ORR_OK) status = run_picture(p, &seconds, error);
    if (status != ORR_OK || (changed && memcmp(p->data, p->original, p->bytes) == 0)) return status;
    return orr_fail(error, ORR_SELF_TEST,
                    "the paper profile does not restore an image of %u x %u; nothing is timed",
                    p->shape.rows, p->shape.columns);
}

static orr_status paper_profile(orr_bench *bench, orr_error *error) {
    static const uint32_t sides[] = {128, 256, 512, 1024};
    enum { SIDES = sizeof sides / sizeof sides[0] };
    picture pictures[2 * SIDES] = {0};
    orr_measure_item items[2 * SIDES] = {0};
    size_t count = bench->options.quick ? 2 * (SIDES - 1) : 2 * SIDES;
    double bytes[SIDES], seconds[SIDES];
    orr_status status = ORR_OK;
    orr_bench_progress(bench, "paper profile");
    for (size_t n = 0; n < count && status == ORR_OK; n++) {
        picture *p = &pictures[n];
        status = open_picture(p, sides[n / 2], error);
        if (status == ORR_OK) status = check_picture(p, error);
        p->inverse = (int)(n % 2);
        items[n] = (orr_measure_item){.bytes = p->bytes, .run = run_picture, .context = p};
        snprintf(items[n].group, sizeof items[n].group, "paper profile, whole images");
        snprintf(items[n].name, sizeof items[n].name, "%s %u x %u RGB",
                 n % 2 ? "decrypt" : "encrypt", sides[n / 2], sides[n / 2]);
    }
    if (status == ORR_OK)
        status = orr_measure_rounds(items, count, bench->options.quick ? 5 : 15,
                                    bench->options.stop, error);
    if (status == ORR_OK)
        status = orr_bench_add(bench, items, count, SIZE_MAX, "round trip", "cpu", 1, error);
    for (size_t n = 0; n < count / 2 && status == ORR_OK; n++) {
        bytes[n] = (double)items[2 * n].bytes;
        seconds[n] = bench->results[bench->count - count + 2 * n].seconds.median;
    }
    if (status == ORR_OK)
        orr_bench_fit_points(bench, "paper profile, encrypt", bytes, seconds, count / 2);
    orr_measure_free(items, count);
    for (size_t n = 0; n < 2 * SIDES; n++) {
        free(pictures[n].data);
        free(pictures[n].original);
    }
    return status;
}

orr_status orr_bench_cipher(orr_bench *bench, orr_error *error) {
    orr_status status = orr_bench_device_wanted(bench, error); // before minutes on the CPU
    if (status == ORR_OK) status = one_core(bench, error);
    if (status == ORR_OK) status = all_cores(bench, error);
    if (status == ORR_OK) status = paper_profile(bench, error);
    if (status == ORR_OK) status = orr_bench_on_device(bench, error);
    return status;
}
