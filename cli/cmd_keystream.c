// orrery keystream: the key bytes of tile after tile, for PractRand, TestU01 and the like.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cli.h"
#include "cli/stop.h"
#include "kernels/map.h"

#define BATCH 16 // tiles made at a time
#define BATCH_BYTES ((size_t)BATCH * 2 * ORR_TILE_BYTES)

// *closed: the reader has gone away, which is how an endless stream ends.
static orr_status write_bytes(const uint8_t *bytes, size_t count, int *closed, orr_error *error) {
    if (orr_write_to_reader(STDOUT_FILENO, bytes, count, &orr_stop_requested) == count)
        return ORR_OK;
    *closed = errno == EPIPE;
    if (*closed) return ORR_OK;
    if (errno == EINTR) return orr_fail(error, ORR_STOPPED, "stopped");
    return orr_fail(error, ORR_IO, "standard output: %s", strerror(errno));
}

static orr_status run(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    if (isatty(STDOUT_FILENO)) {
        return orr_fail(error, ORR_USAGE,
                        "raw bytes would disturb the terminal; send them to a pipe or a file");
    }
    uint8_t *bytes = malloc(BATCH_BYTES);
    if (!bytes) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    orr_file_secret secret = {0};
    memcpy(secret.planet_secret, a->keystream.seed, sizeof secret.planet_secret);
    orr_status status = ORR_OK;
    int closed = 0;
    uint64_t left = a->keystream.bytes;
    for (uint64_t tile = 0; left && !closed && status == ORR_OK; tile += BATCH) {
        orr_tile_key keys[BATCH];
        for (size_t n = 0; n < BATCH && status == ORR_OK; n++) {
            status = orr_tile_key_derive(&secret, tile + n, &keys[n]);
        }
        if (status != ORR_OK) {
            orr_fail(error, status, "the initial states cannot be derived");
            break;
        }
        status = orr_cpu_keystream(ORR_SIMD_BEST, keys, BATCH, ORR_MAP_K2_DEFAULT, bytes, error);
        if (status != ORR_OK) break;
        size_t count = left < BATCH_BYTES ? (size_t)left : BATCH_BYTES;
        status = write_bytes(bytes, count, &closed, error);
        if (a->keystream.bytes != UINT64_MAX) left -= count;
        if (status == ORR_OK && orr_stop_requested)
            status = orr_fail(error, ORR_STOPPED, "stopped");
    }
    free(bytes);
    return status;
}

static orr_status set_seed(orr_arguments *a, const char *value, orr_error *error) {
    return orr_value_hex(value, "--seed", a->keystream.seed, sizeof a->keystream.seed, error);
}

static const orr_option seed = {.name = "seed",
                                .argument = "HEX",
                                .help = "up to 64 bytes, zeros appended [zeros]",
                                ORR_TAKES(TEXT, keystream.seed),
                                .set = set_seed};
static const orr_option bytes = {.name = "bytes",
                                 .argument = "N",
                                 .help = "how many, as in 1G [until the reader stops]",
                                 ORR_TAKES(SIZE, keystream.bytes)};

const orr_command orr_cmd_keystream = {
    .name = "keystream",
    .synopsis = "[OPTION]...",
    .summary = "raw key bytes on standard output, for test batteries",
    .details = "Writes the key bytes of the archive profile with the published map constant: "
               "for tile 0, 1, 2 ... the 49,152 bytes of K4, then those of K8, in the order of "
               "the tile's bytes. The initial states of tile n are SHA-512(seed || n as 8 "
               "bytes, most significant first).",
    .example = "orrery keystream --bytes 1G | RNG_test stdin32",
    .options = ORR_OPTIONS(&seed, &bytes),
    .exit_statuses = ORR_EXIT(IO),
    .run = run,
};
