// The host's side of the volume kernels that needs no CUDA: where an image lies in device memory,
// and its tables.
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "kernels/cuda/volume_launch.h"

#define ALIGNMENT 256

// Gives the next region of a layout its place; *total is SIZE_MAX once something overflows.
static void *take(uint8_t *base, size_t *total, size_t bytes) {
    size_t at = *total, end;
    if (__builtin_add_overflow(at, bytes, &end) || end > SIZE_MAX - ALIGNMENT) {
        *total = SIZE_MAX;
        return NULL;
    }
    *total = (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return base ? base + at : NULL;
}

static size_t table_words(orr_volume_shape shape) { // of one table
    return 2 * ((size_t)shape.rows + shape.columns + shape.channels);
}

size_t orr_cuda_volume_table_bytes(orr_volume_shape shape) {
    return 2 * table_words(shape) * sizeof(uint32_t);
}

size_t orr_cuda_volume_layout(orr_volume_shape shape, uint8_t *base, orr_cuda_volume *volume) {
    size_t total = 0, plane, bytes, words = table_words(shape);
    if (__builtin_mul_overflow((size_t)shape.rows, (size_t)shape.columns, &plane) ||
        __builtin_mul_overflow(plane, (size_t)shape.channels, &bytes))
        return 0;
    size_t chunks = bytes / ORR_CUDA_VOLUME_CHUNK + 1;
    memset(volume, 0, sizeof *volume);
    volume->bytes = bytes;
    volume->plane = plane;
    volume->shape = shape;
    volume->in = take(base, &total, bytes);
    for (int n = 0; n < 2; n++) {
        volume->k8[n] = take(base, &total, bytes);
        volume->k4[n] = take(base, &total, plane);
        volume->scratch[n] = take(base, &total, bytes);
    }
    // One after the other without a gap: they are copied in one go.
    volume->tables[0] = take(base, &total, 2 * words * sizeof(uint32_t));
    volume->tables[1] = volume->tables[0] ? volume->tables[0] + words : NULL;
    volume->totals = take(base, &total, chunks * sizeof(uint32_t));
    volume->flags = take(base, &total, ORR_CUDA_VOLUME_BLOCKS * sizeof(uint32_t));
    volume->state = take(base, &total, ORR_CUDA_SEQUENCES * sizeof(uint64_t));
    return total == SIZE_MAX ? 0 : total;
}

orr_status orr_cuda_volume_tables(const orr_volume_key *key, orr_volume_shape shape, uint32_t k2,
                                  uint32_t **tables, orr_error *error) {
    const uint32_t counts[3] = {shape.rows, shape.columns, shape.channels};
    size_t words = table_words(shape);
    uint32_t *rank = calloc(2 * words, sizeof *rank);
    orr_status status = ORR_OK;
    *tables = rank;
    if (!rank) return orr_fail(error, ORR_INTERNAL, "out of memory for the tables of a volume");
    for (int n = 0; n < 6 && status == ORR_OK; n++) {
        uint32_t count = counts[n % 3];
        status = orr_volume_ranks(key->part[n < 3 ? n : n + 1], count, k2, rank, error);
        for (uint32_t i = 0; i < count && status == ORR_OK; i++) rank[words + rank[i]] = i;
        rank += count;
    }
    if (status == ORR_OK) return ORR_OK;
    OPENSSL_cleanse(*tables, orr_cuda_volume_table_bytes(shape));
    free(*tables);
    *tables = NULL;
    return status;
}
