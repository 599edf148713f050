// cipher: times the tile cipher on one core, whole and by stage, at every SIMD level, next to
// OpenSSL's AES-256-GCM and AES-256-CTR in the same interleaved rounds. Bytes are compared with the
// portable path first; nothing is timed when they differ. `orrery bench cipher` measures the same
// (bench/bench_levels.c) among other things; this program takes any number of rounds.
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "bench/bench_levels.h"
#include "bench/bench_machine.h"
#include "kernels/tile.h"
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define MAX_ROUNDS 10001

typedef struct bench {
    int rounds, tiles;
    const char *json, *commit;
    orr_simd only; // ORR_SIMD_BEST: every level
    orr_measure_item items[ORR_LEVELS_MOST];
    size_t count;
    orr_spread time[ORR_LEVELS_MOST];  // ns per byte
    orr_spread ratio[ORR_LEVELS_MOST]; // speed as a share of AES-256-GCM's in the same round
    double tick_rate;                  // time stamp counter, per nanosecond
} bench;

// Time stamp counter; 0 where there is none.
static uint64_t ticks(void) {
#if defined(__x86_64__)
    return __rdtsc();
#else
    return 0;
#endif
}

static orr_status measure(bench *b, orr_error *error) {
    double begin = orr_seconds();
    uint64_t tick = ticks();
    orr_status status = orr_measure_rounds(b->items, b->count, b->rounds, NULL, error);
    if (status != ORR_OK) return status;
    b->tick_rate = (double)(ticks() - tick) / ((orr_seconds() - begin) * 1e9);
    double *gcm = malloc(sizeof(double) * (size_t)b->rounds);
    double *values = malloc(sizeof(double) * (size_t)b->rounds);
    if (gcm && values) {
        memcpy(gcm, b->items[0].seconds, sizeof(double) * (size_t)b->rounds);
        for (size_t n = 0; n < b->count; n++) {
            const orr_measure_item *it = &b->items[n];
            for (int r = 0; r < b->rounds; r++) values[r] = gcm[r] / it->seconds[r];
            b->ratio[n] = orr_spread_of(values, b->rounds);
            for (int r = 0; r < b->rounds; r++)
                values[r] = it->seconds[r] * 1e9 / (double)it->bytes;
            b->time[n] = orr_spread_of(values, b->rounds);
        }
    } else {
        status = orr_fail(error, ORR_INTERNAL, "out of memory");
    }
    free(gcm);
    free(values);
    return status;
}

// ---- report -------------------------------------------------------------------------------------

static void print_table(const bench *b) {
    char processor[96];
    orr_machine_processor(processor);
    printf("%s, one core; %s; gcc %s\n", processor, OpenSSL_version(OPENSSL_VERSION), __VERSION__);
    printf("%d interleaved rounds of %d tiles of %d bytes; commit %s\n\n", b->rounds, b->tiles,
           ORR_TILE_BYTES, b->commit);
    printf("%-30s %8s %17s %7s %8s %7s\n", "", "ns/byte", "p10 .. p90", "GB/s", "TSC c/B",
           "of GCM");
    for (size_t n = 0; n < b->count; n++) {
        const orr_spread *t = &b->time[n];
        printf("%-30s %8.3f %7.3f .. %6.3f %7.2f %8.2f %7.3f\n", b->items[n].name, t->median,
               t->p10, t->p90, 1 / t->median, t->median * b->tick_rate, b->ratio[n].median);
    }
    printf(
        "\nWhat encrypt takes beyond keystream and ranks are its two rounds; VPD encoding,\n"
        "permutation and XOR are one pass there. Time is processor time of the thread; cycles are\n"
        "those of the time stamp counter in that time; ratios are medians of the rounds' own.\n");
}

static int write_json(const bench *b) {
    char processor[96];
    FILE *file = fopen(b->json, "w");
    if (!file) {
        perror(b->json);
        return 0;
    }
    orr_machine_processor(processor);
    fprintf(file, "{\"benchmark\": \"cipher\", \"commit\": \"%s\", \"processor\": \"%s\",\n",
            b->commit, processor);
    fprintf(file, " \"openssl\": \"%s\", \"compiler\": \"%s\", \"level\": \"%s\",\n",
            OpenSSL_version(OPENSSL_VERSION), __VERSION__, orr_simd_name(b->only));
    fprintf(file, " \"rounds\": %d, \"tiles\": %d, \"tile_bytes\": %d, \"cores\": 1,\n", b->rounds,
            b->tiles, ORR_TILE_BYTES);
    fprintf(file,
            " \"cycles\": \"time stamp counter\", \"ratio\": \"speed / AES-256-GCM speed\",\n");
    fprintf(file, " \"results\": [");
    for (size_t n = 0; n < b->count; n++) {
        const orr_spread *t = &b->time[n], *r = &b->ratio[n];
        fprintf(file, "%s\n  {\"name\": \"%s\", ", n ? "," : "", b->items[n].name);
        fprintf(file, "\"ns_per_byte\": {\"median\": %.4f, \"p10\": %.4f, \"p90\": %.4f}, ",
                t->median, t->p10, t->p90);
        fprintf(file, "\"ratio\": {\"median\": %.4f, \"p10\": %.4f, \"p90\": %.4f}, ", r->median,
                r->p10, r->p90);
        fprintf(file, "\"cycles_per_byte\": %.3f}", t->median * b->tick_rate);
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
    "usage: cipher [--rounds N] [--tiles N] [--level NAME] [--json FILE]\n"
    "              [--commit ID]\n"
    "Times the tile cipher on one core next to OpenSSL AES-256-GCM and AES-256-CTR.\n"
    "  --rounds N   interleaved rounds, 1..10001 [31]\n"
    "  --tiles N    tiles of 48 KiB in each round, 1..65536 [64]\n"
    "  --level N    one SIMD level only, by its name in the table [all that the processor has]\n"
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
            for (orr_simd level = ORR_SIMD_PORTABLE; level < orr_simd_count(); level++)
                if (strcmp(optarg, orr_simd_name(level)) == 0) b->only = level;
            if (b->only == ORR_SIMD_BEST) {
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

int main(int argc, char **argv) {
    static bench b = {.rounds = 31, .tiles = 64, .commit = "unknown", .only = ORR_SIMD_BEST};
    orr_levels *levels = NULL;
    orr_error error = {.status = ORR_OK};
    if (!parse(&b, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    orr_levels_pin();
    orr_status status = orr_levels_open(&levels, b.tiles, b.only, &error);
    if (status == ORR_OK) status = orr_levels_check(levels, &error);
    if (status == ORR_OK) {
        b.count = orr_levels_items(levels, b.items);
        status = measure(&b, &error);
    }
    if (status == ORR_OK) {
        print_table(&b);
        if (b.json && !write_json(&b)) status = ORR_IO;
    } else {
        fprintf(stderr, "cipher: %s\n", error.text);
    }
    orr_measure_free(b.items, b.count);
    orr_levels_close(levels);
    return status == ORR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
