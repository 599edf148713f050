// orrery keystream: the key bytes of tile after tile, for PractRand, TestU01 and the like.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "host/cli/cli.h"
#include "host/cli/stop.h"
#include "kernels/map.h"

// *closed: the reader has gone away, which is how an endless stream ends.
static orr_status write_bytes(const uint8_t *bytes, size_t count, int *closed, orr_error *error) {
    while (count) {
        ssize_t wrote = write(STDOUT_FILENO, bytes, count);
        if (wrote < 0 && errno == EPIPE) {
            *closed = 1;
            return ORR_OK;
        }
        if (wrote < 0 && errno == EINTR && !orr_stop_requested) continue;
        if (wrote < 0 && errno == EINTR) return orr_fail(error, ORR_STOPPED, "stopped");
        if (wrote < 0) return orr_fail(error, ORR_IO, "standard output: %s", strerror(errno));
        bytes += wrote;
        count -= (size_t)wrote;
    }
    return ORR_OK;
}

orr_status orr_cmd_keystream(orr_cli *cli, orr_error *error) {
    const orr_arguments *a = &cli->arguments;
    uint8_t *bytes = malloc(2 * ORR_TILE_BYTES);
    orr_file_secret secret = {0};
    orr_status status = ORR_OK;
    int closed = 0;
    if (!bytes) return orr_fail(error, ORR_INTERNAL, "memory ran out");
    if (isatty(STDOUT_FILENO)) {
        free(bytes);
        return orr_fail(
            error, ORR_USAGE,
            "raw bytes would disturb the terminal; send standard output to a pipe or file");
    }
    memcpy(secret.planet_secret, a->seed, sizeof secret.planet_secret);
    uint64_t left = a->bytes;
    for (uint64_t tile = 0; left && !closed && status == ORR_OK; tile++) {
        orr_tile_key key;
        orr_tile_key_derive(&secret, tile, &key);
        orr_tile_keystream(key.state[3], 1, ORR_TILE_ROWS, ORR_MAP_K2_DEFAULT, bytes);
        orr_tile_keystream(key.state[7], 0, ORR_TILE_ROWS, ORR_MAP_K2_DEFAULT,
                           bytes + ORR_TILE_BYTES);
        size_t count = left < 2 * ORR_TILE_BYTES ? (size_t)left : 2 * ORR_TILE_BYTES;
        status = write_bytes(bytes, count, &closed, error);
        if (a->bytes != UINT64_MAX) left -= count;
        if (status == ORR_OK && orr_stop_requested)
            status = orr_fail(error, ORR_STOPPED, "stopped");
    }
    free(bytes);
    return status;
}
