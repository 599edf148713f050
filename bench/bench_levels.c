#include "bench/bench_levels.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "kernels/cpu/cpu.h"
#include "kernels/map.h"

typedef enum operation { ENCRYPT, DECRYPT, STREAMS, RANKS, AES_GCM, AES_CTR } operation;

// What one item runs: `level` is NULL for OpenSSL.
typedef struct place {
    orr_levels *levels;
    const orr_cpu_level *level;
    operation operation;
    const orr_cipher *cipher;
} place;

struct orr_levels {
    int tiles;
    orr_simd only;
    orr_cipher standard, other;
    uint8_t *in, *out;
    orr_tile_key *keys;
    orr_cpu_scratch *scratch;
    EVP_CIPHER_CTX *gcm, *ctr;
    place places[ORR_LEVELS_MOST];
    size_t count;
};

// ---- preparation --------------------------------------------------------------------------------

static void *allocate(size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 4096, bytes)) return NULL;
    memset(memory, 0, bytes); // pages are there before anything is timed
    return memory;
}

// Fills buffers and keys from a fixed generator. Returns 0 when memory or OpenSSL fails.
static int prepare(orr_levels *b) {
    static const uint8_t key[32] = {1};
    size_t bytes = (size_t)ORR_TILE_BYTES * (size_t)b->tiles;
    b->in = allocate(bytes);
    b->out = allocate(bytes);
    b->scratch = allocate(sizeof *b->scratch);
    b->keys = allocate(sizeof *b->keys * (size_t)b->tiles);
    b->gcm = EVP_CIPHER_CTX_new();
    b->ctr = EVP_CIPHER_CTX_new();
    if (!b->in || !b->out || !b->scratch || !b->keys || !b->gcm || !b->ctr) return 0;
    for (size_t n = 0; n < bytes; n++) b->in[n] = (uint8_t)(orr_mix64(n) >> 56);
    for (int n = 0; n < b->tiles; n++)
        for (int k = 0; k < 8; k++) b->keys[n].state[k] = orr_mix64((uint64_t)(8 * n + k) << 32);
    return orr_cipher_init(&b->standard, ORR_RULE_DEFAULT, ORR_MAP_K2_DEFAULT, NULL) == ORR_OK &&
           orr_cipher_init(&b->other, ORR_LEVELS_OTHER_RULE, ORR_MAP_K2_DEFAULT, NULL) == ORR_OK &&
           EVP_EncryptInit_ex2(b->gcm, EVP_aes_256_gcm(), key, NULL, NULL) == 1 &&
           EVP_EncryptInit_ex2(b->ctr, EVP_aes_256_ctr(), key, NULL, NULL) == 1;
}

orr_status orr_levels_open(orr_levels **levels, int tiles, orr_simd only, orr_error *error) {
    orr_levels *b = *levels = calloc(1, sizeof *b);
    if (b) {
        b->tiles = tiles;
        b->only = only;
        if (prepare(b)) return ORR_OK;
    }
    orr_levels_close(b);
    *levels = NULL;
    return orr_fail(error, ORR_INTERNAL, "out of memory, or OpenSSL lacks AES");
}

void orr_levels_close(orr_levels *b) {
    if (!b) return;
    EVP_CIPHER_CTX_free(b->gcm);
    EVP_CIPHER_CTX_free(b->ctr);
    free(b->in);
    free(b->out);
    free(b->keys);
    free(b->scratch);
    free(b);
}

// ---- bytes --------------------------------------------------------------------------------------

static orr_status compare_level(orr_levels *b, const orr_cpu_level *level) {
    static uint8_t expected[ORR_TILE_BYTES], cipher[ORR_TILE_BYTES];
    const orr_cipher *ciphers[2] = {&b->standard, &b->other};
    for (uint32_t rows = 1; rows <= ORR_TILE_ROWS; rows += rows < 8 ? 1 : 15) {
        size_t bytes = (size_t)ORR_TILE_ROW_BYTES * rows;
        for (int n = 0; n < 2 * (b->tiles < 8 ? b->tiles : 8); n++) {
            const orr_tile_key *key = &b->keys[n / 2];
            const uint8_t *in = b->in + (size_t)ORR_TILE_BYTES * (size_t)(n / 2);
            if (orr_tile_encrypt_portable(ciphers[n % 2], key, rows, in, expected) != ORR_OK)
                return ORR_INTERNAL;
            level->encrypt(ciphers[n % 2], key, rows, in, cipher, b->scratch);
            if (memcmp(cipher, expected, bytes) != 0) return ORR_SELF_TEST;
            level->decrypt(ciphers[n % 2], key, rows, cipher, cipher, b->scratch);
            if (memcmp(cipher, in, bytes) != 0) return ORR_SELF_TEST;
        }
    }
    return ORR_OK;
}

static int level_wanted(const orr_levels *b, orr_simd level) {
    return b->only == ORR_SIMD_BEST || b->only == level;
}

orr_status orr_levels_check(orr_levels *b, orr_error *error) {
    for (orr_simd level = ORR_SIMD_PORTABLE; level < orr_simd_count(); level++) {
        if (!level_wanted(b, level)) continue;
        orr_status status = compare_level(b, orr_cpu_level_of(level));
        if (status == ORR_OK) continue;
        if (status == ORR_INTERNAL)
            return orr_fail(error, status, "out of memory to compare bytes");
        return orr_fail(error, ORR_SELF_TEST,
                        "%s gives other bytes than the portable path; nothing is timed",
                        orr_simd_name(level));
    }
    return ORR_OK;
}

// ---- what is timed ------------------------------------------------------------------------------

static int run_aes(EVP_CIPHER_CTX *context, const uint8_t *in, uint8_t *out, int seal) {
    static const uint8_t nonce[16];
    uint8_t tag[16];
    int length = 0;
    return EVP_EncryptInit_ex2(context, NULL, NULL, nonce, NULL) == 1 &&
           EVP_EncryptUpdate(context, out, &length, in, ORR_TILE_BYTES) == 1 &&
           EVP_EncryptFinal_ex(context, tag, &length) == 1 &&
           (!seal || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
}

static int run_tile(const place *p, int n) {
    orr_levels *b = p->levels;
    const uint8_t *in = b->in + (size_t)ORR_TILE_BYTES * (size_t)n;
    uint8_t *out = b->out + (size_t)ORR_TILE_BYTES * (size_t)n;
    const orr_tile_key *key = &b->keys[n];
    switch (p->operation) {
    case ENCRYPT:
        p->level->encrypt(p->cipher, key, ORR_TILE_ROWS, in, out, b->scratch);
        break;
    case DECRYPT:
        p->level->decrypt(p->cipher, key, ORR_TILE_ROWS, in, out, b->scratch);
        break;
    case STREAMS:
        p->level->streams(key, ORR_TILE_ROWS, p->cipher->k2, in, out, b->scratch);
        break;
    case RANKS:
        p->level->ranks(key, ORR_TILE_ROWS, p->cipher->k2, b->scratch);
        break;
    case AES_GCM:
        return run_aes(b->gcm, in, out, 1);
    case AES_CTR:
        return run_aes(b->ctr, in, out, 0);
    }
    return 1;
}

// Processor time of this thread, so that other programs on a busy machine do not count.
static orr_status run_place(void *context, double *seconds, orr_error *error) {
    const place *p = context;
    double start = orr_clock(CLOCK_THREAD_CPUTIME_ID);
    for (int n = 0; n < p->levels->tiles; n++)
        if (!run_tile(p, n)) return orr_fail(error, ORR_INTERNAL, "OpenSSL's AES failed");
    *seconds = orr_clock(CLOCK_THREAD_CPUTIME_ID) - start;
    return ORR_OK;
}

static void add(orr_levels *b, orr_measure_item *items, const char *what,
                const orr_cpu_level *level, operation does, const orr_cipher *cipher) {
    orr_measure_item *item = &items[b->count];
    place *p = &b->places[b->count++];
    *p = (place){b, level, does, cipher};
    memset(item, 0, sizeof *item);
    snprintf(item->group, sizeof item->group, "one core");
    snprintf(item->name, sizeof item->name, "%s%s%s", level ? level->name : "", level ? " " : "",
             what);
    item->bytes = (uint64_t)ORR_TILE_BYTES * (uint64_t)b->tiles;
    item->run = run_place;
    item->context = p;
}

size_t orr_levels_items(orr_levels *b, orr_measure_item items[ORR_LEVELS_MOST]) {
    b->count = 0;
    add(b, items, "AES-256-GCM", NULL, AES_GCM, NULL);
    add(b, items, "AES-256-CTR", NULL, AES_CTR, NULL);
    for (orr_simd level = ORR_SIMD_PORTABLE; level < orr_simd_count(); level++) {
        if (!level_wanted(b, level) || b->count + 6 > ORR_LEVELS_MOST) continue;
        const orr_cpu_level *l = orr_cpu_level_of(level);
        add(b, items, "encrypt", l, ENCRYPT, &b->standard);
        add(b, items, "decrypt", l, DECRYPT, &b->standard);
        add(b, items, "encrypt, other rule", l, ENCRYPT, &b->other);
        add(b, items, "decrypt, other rule", l, DECRYPT, &b->other);
        add(b, items, "  keystream K4 K8", l, STREAMS, &b->standard);
        add(b, items, "  ranks K1-3 K5-7", l, RANKS, &b->standard);
    }
    return b->count;
}

// ---- one core -----------------------------------------------------------------------------------

static cpu_set_t before;
static int pinned;

void orr_levels_pin(void) {
    cpu_set_t set;
    int cpu = sched_getcpu();
    if (cpu < 0 || sched_getaffinity(0, sizeof before, &before) != 0) return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pinned = sched_setaffinity(0, sizeof set, &set) == 0;
}

void orr_levels_unpin(void) {
    if (pinned) (void)sched_setaffinity(0, sizeof before, &before);
    pinned = 0;
}
