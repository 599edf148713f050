// The cipher suite's part on a CUDA device: the kernels beside a copy on the device and AES, copies
// to and from it, and the kernel with stages left out.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "bench/bench_suites.h"
#include "kernels/map.h"

#define MOST_WORKS 24
#define OTHER_RULE 12345u

orr_library orr_bench_cuda_module = {.file = "liborrery_bench_cuda.so",
                                     .entry = "orr_bench_cuda_get",
                                     .abi = ORR_BENCH_CUDA_ABI,
                                     .what = "the way to measure CUDA devices",
                                     .package = "orrery-cuda",
                                     .needs = "nvcc"};

typedef struct job {
    const orr_bench_cuda *cuda;
    orr_bench_cuda_session *session;
    orr_bench_cuda_work work;
} job;

typedef struct sheet {
    job jobs[MOST_WORKS];
    orr_measure_item items[MOST_WORKS];
    size_t count;
} sheet;

static orr_status run_job(void *context, double *seconds, orr_error *error) {
    job *j = context;
    return j->cuda->run(j->session, &j->work, seconds, NULL, error);
}

// ---- bytes --------------------------------------------------------------------------------------

static orr_status expected_aes(const uint8_t *in, uint8_t *out, size_t bytes, orr_error *error) {
    orr_tile_key key;
    uint8_t block[16];
    orr_bench_cuda_key(0, 0, &key);
    memcpy(block, (const uint8_t *)key.state + 32, sizeof block);
    EVP_CIPHER_CTX *aes = EVP_CIPHER_CTX_new();
    int good = aes && EVP_EncryptInit_ex2(aes, EVP_aes_256_ctr(), (const uint8_t *)key.state, block,
                                          NULL) == 1;
    for (size_t at = 0; at < bytes && good; at += ORR_TILE_BYTES) {
        int length = 0;
        good = EVP_EncryptUpdate(aes, out + at, &length, in + at, ORR_TILE_BYTES) == 1;
    }
    EVP_CIPHER_CTX_free(aes);
    return good ? ORR_OK : orr_fail(error, ORR_INTERNAL, "OpenSSL's AES-256-CTR failed");
}

static orr_status expected_tiles(const orr_bench_cuda_work *w, const uint8_t *in, uint8_t *out,
                                 orr_error *error) {
    orr_cipher cipher, renewed;
    orr_status status = orr_cipher_init(&cipher, w->rule, ORR_MAP_K2_DEFAULT, error);
    if (status == ORR_OK)
        status = orr_cipher_init(&renewed, w->new_rule, ORR_MAP_K2_DEFAULT, error);
    const orr_simd best = ORR_SIMD_BEST;
    for (size_t n = 0; n < w->tiles && status == ORR_OK; n++) {
        orr_tile_key key, new_key;
        size_t at = n * ORR_TILE_BYTES;
        orr_bench_cuda_key(n, 0, &key);
        orr_bench_cuda_key(n, 1, &new_key);
        if (w->op == ORR_TILE_ENCRYPT)
            status = orr_cpu_tile_encrypt(best, &cipher, &key, ORR_TILE_ROWS, in + at, out + at);
        else
            status = orr_cpu_tile_decrypt(best, &cipher, &key, ORR_TILE_ROWS, in + at, out + at);
        if (status == ORR_OK && w->op == ORR_TILE_REENCRYPT)
            status =
                orr_cpu_tile_encrypt(best, &renewed, &new_key, ORR_TILE_ROWS, out + at, out + at);
        if (status != ORR_OK) orr_fail(error, status, "out of memory to compare bytes");
    }
    return status;
}

// Runs the work once and compares all its bytes with the CPU's.
static orr_status check_job(job *j, const char *name, orr_error *error) {
    const orr_bench_cuda_work *w = &j->work;
    size_t bytes = w->tiles * ORR_TILE_BYTES;
    uint8_t *in = malloc(bytes), *got = malloc(bytes), *expected = malloc(bytes);
    double seconds;
    orr_status status = ORR_OK;
    if (!in || !got || !expected) {
        status = orr_fail(error, ORR_INTERNAL, "out of memory to compare bytes");
    } else {
        orr_bench_cuda_input(in, w->tiles);
        status = j->cuda->run(j->session, w, &seconds, got, error);
        if (status == ORR_OK && w->kind == ORR_BENCH_KERNEL)
            status = expected_tiles(w, in, expected, error);
        else if (status == ORR_OK && w->kind == ORR_BENCH_AES_CTR)
            status = expected_aes(in, expected, bytes, error);
        else
            memcpy(expected, in, bytes);
    }
    if (status == ORR_OK && memcmp(got, expected, bytes) != 0)
        status =
            orr_fail(error, ORR_SELF_TEST,
                     "%s on the device gives other bytes than the CPU; nothing is timed", name);
    free(in);
    free(got);
    free(expected);
    return status;
}

// ---- what is measured ---------------------------------------------------------------------------

static void add(sheet *s, const job *j, const char *group, const char *name, const char *note) {
    if (s->count == MOST_WORKS) return;
    orr_measure_item *item = &s->items[s->count];
    s->jobs[s->count] = *j;
    snprintf(item->group, sizeof item->group, "%s", group);
    snprintf(item->name, sizeof item->name, "%s", name);
    snprintf(item->note, sizeof item->note, "%s", note);
    item->bytes = j->work.tiles * ORR_TILE_BYTES;
    item->run = run_job;
    item->context = &s->jobs[s->count++];
}

static void list_kernels(sheet *s, job j) {
    static const char *const verbs[3] = {"encrypt", "decrypt", "reencrypt"};
    j.work.kind = ORR_BENCH_DEVICE_COPY;
    add(s, &j, "kernels", "copy on the device", "");
    j.work.kind = ORR_BENCH_AES_CTR;
    add(s, &j, "kernels", "AES-256-CTR", "");
    j.work.kind = ORR_BENCH_KERNEL;
    for (int op = 0; op < 3; op++)
        for (int other = 0; other < 2; other++)
            for (int check = 1; check >= 0; check--) {
                char name[48];
                j.work.op = (orr_tile_op)op;
                j.work.check = check;
                j.work.rule = j.work.new_rule = other ? OTHER_RULE : ORR_RULE_DEFAULT;
                snprintf(name, sizeof name, "%s%s%s", verbs[op], other ? ", other rule" : "",
                         check ? "" : ", no check");
                add(s, &j, "kernels", name, "");
            }
}

static void list_copies(sheet *s, job j) {
    j.work.kind = ORR_BENCH_COPY_IN;
    add(s, &j, "copies", "to the device", "");
    j.work.kind = ORR_BENCH_COPY_OUT;
    add(s, &j, "copies", "from the device", "");
    j.work.kind = ORR_BENCH_COPY_BOTH_WAYS;
    add(s, &j, "copies", "both ways at once, each way", "");
}

static void list_removals(sheet *s, job j) {
    static const struct {
        int without;
        const char *name;
    } parts[] = {
        {ORR_WITHOUT_NOTHING, "whole"},           {ORR_WITHOUT_KEY_WORDS, "no key words"},
        {ORR_WITHOUT_RANKS, "no ranks"},          {ORR_WITHOUT_ENCODING, "no VPD encoding"},
        {ORR_WITHOUT_SHUFFLE, "no intershuffle"}, {ORR_WITHOUT_ALL, "load and store"}};
    j.work = (orr_bench_cuda_work){.kind = ORR_BENCH_KERNEL,
                                   .op = ORR_TILE_ENCRYPT,
                                   .rule = ORR_RULE_DEFAULT,
                                   .new_rule = ORR_RULE_DEFAULT,
                                   .tiles = j.work.tiles};
    for (size_t n = 0; n < sizeof parts / sizeof parts[0]; n++) {
        j.work.without = parts[n].without;
        add(s, &j, "kernel, stages left out", parts[n].name,
            parts[n].without ? "a stage is left out: the bytes mean nothing, the time is evidence"
                             : "the whole kernel, as compared above");
    }
}

// ---- groups -------------------------------------------------------------------------------------

static orr_status measure(orr_bench *bench, const job *j, void (*list)(sheet *, job),
                          const char *like, const char *device, orr_error *error) {
    sheet *s = calloc(1, sizeof *s);
    if (!s) return orr_fail(error, ORR_INTERNAL, "out of memory for a device's figures");
    orr_status status = ORR_OK;
    list(s, *j);
    orr_bench_progress(bench, "%s on %s", s->items[0].group, bench->conditions.device);
    for (size_t n = 0; n < s->count && like && status == ORR_OK; n++)
        status = check_job(&s->jobs[n], s->items[n].name, error);
    if (status == ORR_OK)
        status = orr_measure_rounds(s->items, s->count, bench->options.quick ? 5 : 31,
                                    bench->options.stop, error);
    if (status == ORR_OK)
        status = orr_bench_add(bench, s->items, s->count, 0, like, device, 0, error);
    orr_measure_free(s->items, s->count);
    free(s);
    return status;
}

static void say_rates(orr_bench *bench) {
    const orr_bench_result *copy = NULL;
    for (size_t n = 0; n < bench->count; n++) {
        const orr_bench_result *r = &bench->results[n];
        if (strcmp(r->group, "kernels") != 0) continue;
        if (strcmp(r->name, "copy on the device") == 0) copy = r;
        if (copy && strncmp(r->name, "encrypt", 7) == 0 && !strstr(r->name, "other"))
            orr_bench_find(bench, "kernel, %s: %.0f GB/s, %.2f of a copy on the device", r->name,
                           orr_bench_rate(r), r->ratio);
    }
}

// Tiles that fit in a quarter of the device's free memory, at most 8,192 (384 MiB) or 1,024 in a
// quick run; the input and output of a session are this large.
static size_t tiles_for(const orr_bench *bench, const orr_bench_cuda_info *info) {
    size_t most = bench->options.quick ? 1024 : 8192, fit = info->memory / 4 / ORR_TILE_BYTES;
    if (bench->options.most_bytes && most > bench->options.most_bytes / ORR_TILE_BYTES)
        most = (size_t)(bench->options.most_bytes / ORR_TILE_BYTES);
    return fit < most ? fit : most;
}

orr_status orr_bench_device_wanted(const orr_bench *bench, orr_error *error) {
    orr_error reason = {.status = ORR_OK};
    unsigned device = 0;
    const char *wanted = bench->options.device;
    if (!wanted || strncmp(wanted, "cuda", 4) != 0 || orr_bench_device(bench, &device, &reason))
        return ORR_OK;
    return orr_fail(error, ORR_UNSUPPORTED, "--device %s: %s; --device auto measures what is there",
                    wanted, reason.text);
}

orr_status orr_bench_on_device(orr_bench *bench, orr_error *error) {
    orr_error reason = {.status = ORR_OK};
    orr_bench_cuda_info info = {0};
    unsigned device = 0;
    char name[24];
    const orr_bench_cuda *cuda = orr_bench_device(bench, &device, &reason);
    if (!cuda) {
        orr_bench_find(bench, "no device was measured: %.220s", reason.text);
        return orr_bench_device_wanted(bench, error);
    }
    orr_status status = cuda->describe(device, &info, error);
    if (status != ORR_OK) return status;
    orr_bench_conditions *c = &bench->conditions;
    snprintf(name, sizeof name, "cuda:%u", device);
    snprintf(c->device, sizeof c->device, "%s (%s, compute capability %d.%d)", info.name, name,
             info.major, info.minor);
    snprintf(c->driver, sizeof c->driver, "%s", info.driver);
    snprintf(c->clocks, sizeof c->clocks, "%s", info.clocks);
    job j = {.cuda = cuda, .work = {.tiles = tiles_for(bench, &info)}};
    if (j.work.tiles == 0)
        return orr_fail(error, ORR_UNSUPPORTED, "%s has no free memory to measure in", info.name);
    j.session = cuda->open(device, j.work.tiles, error);
    if (!j.session) return error->status;
    status = measure(bench, &j, list_kernels, "CPU and OpenSSL", name, error);
    if (status == ORR_OK) status = measure(bench, &j, list_copies, "the input", name, error);
    if (status == ORR_OK) status = measure(bench, &j, list_removals, NULL, name, error);
    if (status == ORR_OK) say_rates(bench);
    cuda->close(j.session);
    return status;
}

orr_status orr_bench_device_parts(orr_bench *bench, orr_tile_op op, double seconds[ORR_PARTS],
                                  orr_error *error) {
    static const orr_bench_cuda_kind kinds[ORR_PARTS] = {ORR_BENCH_COPY_IN, ORR_BENCH_KERNEL,
                                                         ORR_BENCH_COPY_OUT};
    orr_bench_cuda_info info;
    unsigned device;
    const orr_bench_cuda *cuda = orr_bench_device(bench, &device, error);
    if (!cuda) return ORR_UNSUPPORTED;
    orr_status status = cuda->describe(device, &info, error);
    if (status != ORR_OK) return status;
    job j = {.cuda = cuda,
             .work = {.op = op,
                      .check = 1,
                      .rule = ORR_RULE_DEFAULT,
                      .new_rule = ORR_RULE_DEFAULT,
                      .tiles = tiles_for(bench, &info)}};
    if (j.work.tiles > 1024) j.work.tiles = 1024;
    j.session = cuda->open(device, j.work.tiles, error);
    if (!j.session) return error->status;
    for (int part = 0; part < ORR_PARTS && status == ORR_OK; part++) {
        double times[5];
        j.work.kind = kinds[part];
        status = check_job(&j, "a stage", error); // which also warms up
        for (int n = 0; n < 5 && status == ORR_OK; n++) status = run_job(&j, &times[n], error);
        if (status == ORR_OK)
            seconds[part] =
                orr_spread_of(times, 5).median / (double)(j.work.tiles * ORR_TILE_BYTES);
    }
    cuda->close(j.session);
    return status;
}
