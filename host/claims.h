// Which outputs the files of one job have claimed. Two inputs may want the same output: a/scan.tif
// and b/scan.tif given side by side, or two containers of one sealed path. The second one is
// refused before anything is written; size and time alone would make it pass for the first.
#ifndef ORRERY_HOST_CLAIMS_H
#define ORRERY_HOST_CLAIMS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Zero-initialised is empty. At most 128 bytes of memory for each path.
typedef struct orr_claims {
    struct orr_claim_entry *entries; // open addressing
    size_t room, count;
} orr_claims;

typedef enum orr_claim_result {
    ORR_CLAIM_NEW,
    ORR_CLAIM_SAME,  // the same source claimed this path before
    ORR_CLAIM_TAKEN, // another source did
    ORR_CLAIM_MEMORY // memory ran out
} orr_claim_result;

// Claims `path` (bytes, not NUL-terminated) for the source that `identity` names (any bytes that
// are equal for the same source only). Not thread-safe.
orr_claim_result orr_claim(orr_claims *claims, const void *path, size_t path_bytes,
                           const void *identity, size_t identity_bytes);
void orr_claims_free(orr_claims *claims);

#ifdef __cplusplus
}
#endif
#endif
