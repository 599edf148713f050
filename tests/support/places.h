// Where the parts of a container stand in its bytes (docs/FORMAT.md).
#ifndef ORRERY_TESTS_SUPPORT_PLACES_H
#define ORRERY_TESTS_SUPPORT_PLACES_H

#include <cstddef>

#include "host/container/format.h"

struct Places {
    orr_geometry g{};

    uint64_t tag_at(uint64_t tile) const {
        return orr_segment_offset(&g, tile / ORR_SEGMENT_TILES) + tile % ORR_SEGMENT_TILES * 16;
    }
    uint64_t digest_at(uint64_t segment) const {
        return orr_segment_offset(&g, segment) + offsetof(orr_segment_head, sealed_digest);
    }
    uint64_t salt_at(uint64_t segment) const {
        return orr_segment_offset(&g, segment) + offsetof(orr_segment_head, salt);
    }
    uint64_t tile_at(uint64_t tile) const { return orr_tile_offset(&g, tile); }
    // Head, tiles, padding.
    uint64_t segment_bytes(uint64_t segment) const {
        return ORR_PAGE + orr_segment_tile_bytes(&g, segment) + orr_segment_padding(&g, segment);
    }
};

#endif
