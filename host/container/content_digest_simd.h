// XXH3-128 in the widest vectors that the compiler may use for the file that includes this, with
// NAME defined: xxHash's header is compiled in whole there. The library itself, built for every
// processor of its kind, keeps to the narrowest.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "host/container/content_digest_levels.h"

void NAME(const void *bytes, size_t count, uint64_t *low, uint64_t *high) {
    XXH128_hash_t hash = XXH3_128bits(bytes, count);
    *low = hash.low64;
    *high = hash.high64;
}
