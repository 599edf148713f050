// Which outputs the files of one job have claimed. Two inputs may want the same output: a/scan.tif
// and b/scan.tif given side by side, or two containers of one sealed path. The second one is
// refused before anything is written; size and time alone would make it pass for the first.
#ifndef ORRERY_HOST_JOB_CLAIMS_H
#define ORRERY_HOST_JOB_CLAIMS_H

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
    ORR_CLAIM_OLDER, // orr_claim_latest alone
    ORR_CLAIM_NEWER,
    ORR_CLAIM_MEMORY // memory ran out
} orr_claim_result;

// Claims `path` (bytes, not NUL-terminated) for the source that `identity` names (any bytes that
// are equal for the same source only). Not thread-safe.
orr_claim_result orr_claim(orr_claims *claims, const void *path, size_t path_bytes,
                           const void *identity, size_t identity_bytes);
// The same for sources that may be copies of one another, told apart by when they were made
// (`time`, any unit). ORR_CLAIM_OLDER: a later source has the path. ORR_CLAIM_NEWER: this one is
// later than that which had it, and has it now. Sources of one time are ORR_CLAIM_TAKEN.
orr_claim_result orr_claim_latest(orr_claims *claims, const void *path, size_t path_bytes,
                                  const void *identity, size_t identity_bytes, int64_t time);
// Marks a claim that was made, or asks for its mark. Not thread-safe.
void orr_claim_mark(orr_claims *claims, const void *path, size_t path_bytes);
int orr_claim_is_marked(const orr_claims *claims, const void *path, size_t path_bytes);
void orr_claims_free(orr_claims *claims);

#ifdef __cplusplus
}
#endif
#endif
