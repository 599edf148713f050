// The two long key sequences of tiles by themselves, for test batteries.
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

orr_status orr_cpu_keystream(orr_simd level, const orr_tile_key *keys, size_t count, uint32_t k2,
                             uint8_t *out, orr_error *error) {
    const orr_cpu_level *functions = orr_cpu_level_of(level);
    void *memory = NULL;
    if (posix_memalign(&memory, 64, sizeof(orr_cpu_scratch)) != 0)
        return orr_fail(error, ORR_INTERNAL, "out of memory");
    orr_cpu_scratch *scratch = memory;
    for (size_t n = 0; n < count; n++, out += 2 * ORR_TILE_BYTES) {
        functions->streams(&keys[n], ORR_TILE_ROWS, k2, scratch->plain, scratch->plain, scratch);
        memcpy(out, scratch->k4, ORR_TILE_BYTES);
        memcpy(out + ORR_TILE_BYTES, scratch->k8, ORR_TILE_BYTES);
    }
    explicit_bzero(scratch->k4, sizeof scratch->k4);
    explicit_bzero(scratch->k8, sizeof scratch->k8);
    free(memory);
    return ORR_OK;
}
