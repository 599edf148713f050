// Controls for the randomness batteries: what `orrery keystream` would be with a part of it taken
// away, in the same layout (tiles of 512 lanes of 24 words), on standard output.
//
// `control mixer`: every word is one call of the lane mixer (kernels/map.h); the map takes no step.
// If this passes a battery, the battery says nothing about the map.
//
// `control map`: lanes start at plainly counted states, without the mixer; the map steps as in
// tiles.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernels/map.h"
#include "kernels/tile.h"

#define GOLDEN 0x9e3779b97f4a7c15u

// Words of one sequence of a tile in the order of its bytes, as orr_tile_keystream gives those of
// K8. `start` is its initial state; lane n = 32 g + t serves rows 8 g .. 8 g + 7 of word column t,
// channel after channel in each row.
static void fill(uint32_t *words, uint64_t start, int mixer) {
    for (uint32_t lane = 0; lane < ORR_TILE_LANES; lane++) {
        uint64_t u = (start + (lane + 1) * GOLDEN) >> 1;
        for (int step = 0; step < ORR_LANE_DROP; step++) u = orr_map_step(u, ORR_MAP_K2_DEFAULT);
        for (uint32_t step = 0; step < ORR_LANE_WORDS; step++) {
            if (mixer) {
                u = orr_mix64(start + ((uint64_t)lane * ORR_LANE_WORDS + step + 1) * GOLDEN) >> 1;
            } else {
                u = orr_map_step(u, ORR_MAP_K2_DEFAULT);
            }
            uint32_t row = 8 * (lane / 32) + step / 3, channel = step % 3;
            words[(channel * ORR_TILE_ROWS + row) * 32 + lane % 32] = orr_map_word(u);
        }
    }
}

int main(int argc, char **argv) {
    int mixer = argc == 2 && strcmp(argv[1], "mixer") == 0;
    if (argc != 2 || (!mixer && strcmp(argv[1], "map") != 0)) {
        fprintf(stderr, "usage: control mixer|map\n");
        return 2;
    }
    static uint32_t words[ORR_TILE_LANES * ORR_LANE_WORDS];
    uint64_t sequence = 0;
    do {
        // Initial states come from a hash in the product; here from the mixer, at a distance of
        // many lanes.
        fill(words, orr_mix64(++sequence), mixer);
    } while (fwrite(words, sizeof words, 1, stdout) == 1);
    return 0;
}
