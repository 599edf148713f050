// Where the parts of a container stand in its bytes (docs/FORMAT.md).
#ifndef ORRERY_TESTS_SUPPORT_PLACES_H
#define ORRERY_TESTS_SUPPORT_PLACES_H

#include "host/container/format.h"

struct Places {
    orr_geometry g{};

    uint64_t tag_at(uint64_t tile) const {
        return orr_segment_offset(&g, tile / ORR_SEGMENT_TILES) + tile % ORR_SEGMENT_TILES * 16;
    }
    uint64_t digest_at(uint64_t segment) const {
        return orr_segment_offset(&g, segment) + 16 * orr_segment_tiles(&g, segment);
    }
    uint64_t tile_at(uint64_t tile) const {
        return digest_at(tile / ORR_SEGMENT_TILES) + 32 + tile % ORR_SEGMENT_TILES * ORR_TILE_BYTES;
    }
};

#endif
