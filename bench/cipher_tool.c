// cipher: times the tile cipher on one core, whole and by stage, at every SIMD level, next to
// OpenSSL's AES-256-GCM and AES-256-CTR in the same interleaved rounds. Bytes are compared with the
// portable path first; nothing is timed when they differ.
#define _GNU_SOURCE // sched_setaffinity
#include <getopt.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "kernels/cpu/cpu.h"
#include "kernels/map.h"
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define OTHER_RULE 12345u
#define MAX_ITEMS 32
#define MAX_ROUNDS 10001

typedef enum operation {
    ENCRYPT,
    DECRYPT,
    STREAMS,
    RANKS,
    AES_GCM,
    AES_CTR,
} operation;

// One thing that is timed: `level` is NULL for OpenSSL.
typedef struct item {
    char name[48];
    const orr_cpu_level *level;
    operation operation;
    const orr_cipher *cipher;
    double *time, *ratio; // ns per byte, and speed as a share of AES-256-GCM's; by round
} item;

typedef struct bench {
    int rounds, tiles;
    const char *json, *commit;
    orr_simd only; // ORR_SIMD_BEST: every level
    orr_cipher standard, other;
    uint8_t *in, *out;
    orr_tile_key *keys;
    orr_cpu_scratch *scratch;
    EVP_CIPHER_CTX *gcm, *ctr;
    item items[MAX_ITEMS];
    int count;
    double tick_rate; // time stamp counter, per nanosecond
} bench;

// ---- what is timed ------------------------------------------------------------------------------

static double nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// Processor time of this thread, so that other programs on a busy machine do not count.
static double now(void) {
    return nanoseconds(CLOCK_THREAD_CPUTIME_ID);
}

// Time stamp counter; 0 where there is none.
static uint64_t ticks(void) {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return 0;
#endif
}

static void run_aes(EVP_CIPHER_CTX *context, const uint8_t *in, uint8_t *out, int seal) {
    static const uint8_t nonce[16];
    uint8_t tag[16];
    int length = 0;
    if (EVP_EncryptInit_ex2(context, NULL, NULL, nonce, NULL) != 1 ||
        EVP_EncryptUpdate(context, out, &length, in, ORR_TILE_BYTES) != 1 ||
        EVP_EncryptFinal_ex(context, tag, &length) != 1 ||
        (seal && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag) != 1))
        fprintf(stderr, "cipher: OpenSSL failed\n");
}

static void run_item(bench *b, const item *it) {
    for (int n = 0; n < b->tiles; n++) {
        const uint8_t *in = b->in + (size_t)ORR_TILE_BYTES * (size_t)n;
        uint8_t *out = b->out + (size_t)ORR_TILE_BYTES * (size_t)n;
        const orr_tile_key *key = &b->keys[n];
        switch (it->operation) {
        case ENCRYPT:
            it->level->encrypt(it->cipher, key, ORR_TILE_ROWS, in, out, b->scratch);
            break;
        case DECRYPT:
            it->level->decrypt(it->cipher, key, ORR_TILE_ROWS, in, out, b->scratch);
            break;
        case STREAMS:
            it->level->streams(key, ORR_TILE_ROWS, it->cipher->k2, in, out, b->scratch);
            break;
        case RANKS:
            it->level->ranks(key, ORR_TILE_ROWS, it->cipher->k2, b->scratch);
            break;
        case AES_GCM:
            run_aes(b->gcm, in, out, 1);
            break;
        case AES_CTR:
            run_aes(b->ctr, in, out, 0);
            break;
        }
    }
}

static void add_item(bench *b, const char *what, const orr_cpu_level *level, operation does,
                     const orr_cipher *cipher) {
    item *it = &b->items[b->count++];
    snprintf(it->name, sizeof it->name, "%s%s%s", level ? level->name : "", level ? " " : "", what);
    it->level = level;
    it->operation = does;
    it->cipher = cipher;
    it->time = calloc((size_t)b->rounds, sizeof(double));
    it->ratio = calloc((size_t)b->rounds, sizeof(double));
}

static int level_wanted(const bench *b, orr_simd level) {
    return orr_cpu_simd(level) == level && (b->only == ORR_SIMD_BEST || b->only == level);
}

static void add_items(bench *b) {
    add_item(b, "AES-256-GCM", NULL, AES_GCM, NULL);
    add_item(b, "AES-256-CTR", NULL, AES_CTR, NULL);
    for (int level = ORR_SIMD_PORTABLE; level <= ORR_SIMD_AVX512; level++) {
        if (!level_wanted(b, (orr_simd)level)) continue;
        const orr_cpu_level *l = orr_cpu_level_of((orr_simd)level);
        add_item(b, "encrypt", l, ENCRYPT, &b->standard);
        add_item(b, "decrypt", l, DECRYPT, &b->standard);
        add_item(b, "encrypt, other rule", l, ENCRYPT, &b->other);
        add_item(b, "decrypt, other rule", l, DECRYPT, &b->other);
        add_item(b, "  keystream K4 K8", l, STREAMS, &b->standard);
        add_item(b, "  ranks K1-3 K5-7", l, RANKS, &b->standard);
    }
}

// ---- preparation --------------------------------------------------------------------------------

static void *allocate(size_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 4096, bytes)) return NULL;
    memset(memory, 0, bytes); // pages are there before anything is timed
    return memory;
}

// Fills buffers and keys from a fixed generator. Returns 0 when memory or OpenSSL fails.
static int prepare(bench *b) {
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
           orr_cipher_init(&b->other, OTHER_RULE, ORR_MAP_K2_DEFAULT, NULL) == ORR_OK &&
           EVP_EncryptInit_ex2(b->gcm, EVP_aes_256_gcm(), key, NULL, NULL) == 1 &&
           EVP_EncryptInit_ex2(b->ctr, EVP_aes_256_ctr(), key, NULL, NULL) == 1;
}

// Whether a level's bytes are those of the portable path, both ways, for tiles of several heights.
static int level_is_right(bench *b, const orr_cpu_level *level) {
    static uint8_t expected[ORR_TILE_BYTES], cipher[ORR_TILE_BYTES];
    const orr_cipher *ciphers[2] = {&b->standard, &b->other};
    for (uint32_t rows = 1; rows <= ORR_TILE_ROWS; rows += rows < 8 ? 1 : 15) {
        size_t bytes = (size_t)ORR_TILE_ROW_BYTES * rows;
        for (int n = 0; n < 2 * (b->tiles < 8 ? b->tiles : 8); n++) {
            const orr_tile_key *key = &b->keys[n / 2];
            const uint8_t *in = b->in + (size_t)ORR_TILE_BYTES * (size_t)(n / 2);
            orr_tile_encrypt_portable(ciphers[n % 2], key, rows, in, expected);
            level->encrypt(ciphers[n % 2], key, rows, in, cipher, b->scratch);
            if (memcmp(cipher, expected, bytes) != 0) return 0;
            level->decrypt(ciphers[n % 2], key, rows, cipher, cipher, b->scratch);
            if (memcmp(cipher, in, bytes) != 0) return 0;
        }
    }
    return 1;
}

static int all_levels_are_right(bench *b) {
    for (int level = ORR_SIMD_PORTABLE; level <= ORR_SIMD_AVX512; level++) {
        if (!level_wanted(b, (orr_simd)level)) continue;
        if (level_is_right(b, orr_cpu_level_of((orr_simd)level))) continue;
        fprintf(stderr, "cipher: %s gives other bytes than the portable path; nothing is timed\n",
                orr_simd_name((orr_simd)level));
        return 0;
    }
    return 1;
}

// ---- measuring ----------------------------------------------------------------------------------

static void measure(bench *b) {
    double bytes = (double)ORR_TILE_BYTES * b->tiles;
    double begin = nanoseconds(CLOCK_MONOTONIC);
    uint64_t tick = ticks();
    for (int round = -1; round < b->rounds; round++) { // round -1 warms caches and clocks up
        for (int n = 0; n < b->count; n++) {
            item *it = &b->items[n];
            double start = now();
            run_item(b, it);
            double end = now();
            if (round < 0) continue;
            it->time[round] = (end - start) / bytes;
            it->ratio[round] = b->items[0].time[round] / it->time[round];
        }
    }
    b->tick_rate = (double)(ticks() - tick) / (nanoseconds(CLOCK_MONOTONIC) - begin);
}

static int ascending(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

// The p-th percentile of values that are sorted by now.
static double percentile(const double *sorted, int count, int p) {
    return sorted[(count - 1) * p / 100];
}

// ---- report -------------------------------------------------------------------------------------

static void processor_name(char name[128]) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    snprintf(name, 128, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(name, 128, "%s", colon + 2);
        name[strcspn(name, "\"\\\n")] = 0;
        break;
    }
    if (file) fclose(file);
}

static void print_table(const bench *b) {
    char processor[128];
    processor_name(processor);
    printf("%s, one core; %s; gcc %s\n", processor, OpenSSL_version(OPENSSL_VERSION), __VERSION__);
    printf("%d interleaved rounds of %d tiles of %d bytes; commit %s\n\n", b->rounds, b->tiles,
           ORR_TILE_BYTES, b->commit);
    printf("%-30s %8s %17s %7s %8s %7s\n", "", "ns/byte", "p10 .. p90", "GB/s", "TSC c/B",
           "of GCM");
    for (int n = 0; n < b->count; n++) {
        const item *it = &b->items[n];
        double median = percentile(it->time, b->rounds, 50);
        printf("%-30s %8.3f %7.3f .. %6.3f %7.2f %8.2f %7.3f\n", it->name, median,
               percentile(it->time, b->rounds, 10), percentile(it->time, b->rounds, 90), 1 / median,
               median * b->tick_rate, percentile(it->ratio, b->rounds, 50));
    }
    printf(
        "\nWhat encrypt takes beyond keystream and ranks are its two rounds; VPD encoding,\n"
        "permutation and XOR are one pass there. Time is processor time of the thread; cycles are\n"
        "those of the time stamp counter in that time; ratios are medians of the rounds' own.\n");
}

static int write_json(const bench *b) {
    char processor[128];
    FILE *file = fopen(b->json, "w");
    if (!file) {
        perror(b->json);
        return 0;
    }
    processor_name(processor);
    fprintf(file, "{\"benchmark\": \"cipher\", \"commit\": \"%s\", \"processor\": \"%s\",\n",
            b->commit, processor);
    fprintf(file, " \"openssl\": \"%s\", \"compiler\": \"%s\", \"level\": \"%s\",\n",
            OpenSSL_version(OPENSSL_VERSION), __VERSION__, orr_simd_name(b->only));
    fprintf(file, " \"rounds\": %d, \"tiles\": %d, \"tile_bytes\": %d, \"cores\": 1,\n", b->rounds,
            b->tiles, ORR_TILE_BYTES);
    fprintf(file,
            " \"cycles\": \"time stamp counter\", \"ratio\": \"speed / AES-256-GCM speed\",\n");
    fprintf(file, " \"results\": [");
    for (int n = 0; n < b->count; n++) {
        const item *it = &b->items[n];
        const double *t = it->time, *r = it->ratio;
        fprintf(file, "%s\n  {\"name\": \"%s\", ", n ? "," : "", it->name);
        fprintf(file, "\"ns_per_byte\": {\"median\": %.4f, \"p10\": %.4f, \"p90\": %.4f}, ",
                percentile(t, b->rounds, 50), percentile(t, b->rounds, 10),
                percentile(t, b->rounds, 90));
        fprintf(file, "\"ratio\": {\"median\": %.4f, \"p10\": %.4f, \"p90\": %.4f}, ",
                percentile(r, b->rounds, 50), percentile(r, b->rounds, 10),
                percentile(r, b->rounds, 90));
        fprintf(file, "\"cycles_per_byte\": %.3f}", percentile(t, b->rounds, 50) * b->tick_rate);
    }
    fprintf(file, "\n ]}\n");
    if (fclose(file) != 0) {
        perror(b->json);
        return 0;
    }
    return 1;
}

// ---- command line -------------------------------------------------------------------------------

static const char usage[] =
    "usage: cipher [--rounds N] [--tiles N] [--level portable|avx2|avx512] [--json FILE]\n"
    "              [--commit ID]\n"
    "Times the tile cipher on one core next to OpenSSL AES-256-GCM and AES-256-CTR.\n"
    "  --rounds N   interleaved rounds, 1..10001 [31]\n"
    "  --tiles N    tiles of 48 KiB in each round, 1..65536 [64]\n"
    "  --level L    one SIMD level only [all that the processor has]\n"
    "  --json FILE  also write the results there\n"
    "  --commit ID  what to call the source, such as \"$(git rev-parse HEAD)\" [unknown]\n";

static int parse_count(const char *text, int most) {
    char *end;
    long value = strtol(text, &end, 10);
    return *end || value < 1 || value > most ? 0 : (int)value;
}

// Returns 0 after a mistake.
static int parse(bench *b, int argc, char **argv) {
    static const struct option options[] = {{"rounds", 1, NULL, 'r'}, {"tiles", 1, NULL, 't'},
                                            {"level", 1, NULL, 'l'},  {"json", 1, NULL, 'j'},
                                            {"commit", 1, NULL, 'c'}, {"help", 0, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'r':
            b->rounds = parse_count(optarg, MAX_ROUNDS);
            break;
        case 't':
            b->tiles = parse_count(optarg, 65536);
            break;
        case 'j':
            b->json = optarg;
            break;
        case 'c':
            b->commit = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        case 'l':
            for (int level = ORR_SIMD_PORTABLE; level <= ORR_SIMD_AVX512; level++)
                if (strcmp(optarg, orr_simd_name((orr_simd)level)) == 0) b->only = (orr_simd)level;
            if (b->only == ORR_SIMD_BEST || orr_cpu_simd(b->only) != b->only) {
                fprintf(stderr, "cipher: this processor has no level '%s'\n", optarg);
                return 0;
            }
            break;
        default:
            return 0;
        }
    }
    return optind == argc && b->rounds && b->tiles && !strpbrk(b->commit, "\"\\");
}

// Stays on the core it runs on, so that rounds do not mix cores; runs on when that is not allowed.
static void stay_on_one_core(void) {
    cpu_set_t set;
    int cpu = sched_getcpu();
    if (cpu < 0) return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static void release(bench *b) {
    for (int n = 0; n < b->count; n++) {
        free(b->items[n].time);
        free(b->items[n].ratio);
    }
    EVP_CIPHER_CTX_free(b->gcm);
    EVP_CIPHER_CTX_free(b->ctr);
    free(b->in);
    free(b->out);
    free(b->keys);
    free(b->scratch);
}

int main(int argc, char **argv) {
    static bench b = {.rounds = 31, .tiles = 64, .commit = "unknown", .only = ORR_SIMD_BEST};
    int result = EXIT_FAILURE;
    if (!parse(&b, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    stay_on_one_core();
    if (!prepare(&b)) {
        fprintf(stderr, "cipher: out of memory, or OpenSSL lacks AES\n");
        goto done;
    }
    if (!all_levels_are_right(&b)) goto done;
    add_items(&b);
    measure(&b);
    for (int n = 0; n < b.count; n++) {
        qsort(b.items[n].time, (size_t)b.rounds, sizeof(double), ascending);
        qsort(b.items[n].ratio, (size_t)b.rounds, sizeof(double), ascending);
    }
    print_table(&b);
    if (!b.json || write_json(&b)) result = EXIT_SUCCESS;
done:
    release(&b);
    return result;
}
