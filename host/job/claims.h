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

// Zero-initialised is empty. At most 144 bytes of memory for each path, and its name.
typedef struct orr_claims {
    struct orr_claim_entry *entries; // open addressing
    size_t room, count;
} orr_claims;

// Which of several encrypted files of one sealed path counts: one of known origin before any of
// unknown origin, whose times anybody can choose; then the one that was written last.
typedef struct orr_rank {
    int known_origin;
    int64_t seconds; // of record 9 of its metadata
    uint32_t nanoseconds;
} orr_rank;
// Above 0 when a comes first, below 0 when b does, 0 when they are alike.
int orr_rank_compare(orr_rank a, orr_rank b);

typedef enum orr_claim_result {
    ORR_CLAIM_NEW,
    ORR_CLAIM_SAME,  // the same source claimed this path before
    ORR_CLAIM_TAKEN, // another source did
    ORR_CLAIM_OLDER, // these four orr_claim_latest alone
    ORR_CLAIM_NEWER,
    ORR_CLAIM_UNKNOWN,
    ORR_CLAIM_KNOWN,
    ORR_CLAIM_MEMORY // memory ran out
} orr_claim_result;

// Claims `path` (bytes, not NUL-terminated) for the source that `identity` names (any bytes that
// are equal for the same source only). Not thread-safe.
orr_claim_result orr_claim(orr_claims *claims, const void *path, size_t path_bytes,
                           const void *identity, size_t identity_bytes);
// The same for sources that may be copies of one another, told apart by `rank`. ORR_CLAIM_OLDER: a
// source that comes first has the path. ORR_CLAIM_NEWER: this one comes first, and has it now.
// ORR_CLAIM_UNKNOWN, ORR_CLAIM_KNOWN: the same, because of their origin. Sources of one rank are
// ORR_CLAIM_TAKEN.
orr_claim_result orr_claim_latest(orr_claims *claims, const void *path, size_t path_bytes,
                                  const void *identity, size_t identity_bytes, orr_rank rank);
// Keeps a name with a claim that was made, in place of the one that it has; NULL: none. Returns 0
// when memory ran out. The name, until another one is set, or NULL. Not thread-safe.
int orr_claim_set_name(orr_claims *claims, const void *path, size_t path_bytes, const char *name);
const char *orr_claim_name(const orr_claims *claims, const void *path, size_t path_bytes);
// Marks a claim that was made, or asks for its mark. Not thread-safe.
void orr_claim_mark(orr_claims *claims, const void *path, size_t path_bytes);
int orr_claim_is_marked(const orr_claims *claims, const void *path, size_t path_bytes);
void orr_claims_free(orr_claims *claims);

#ifdef __cplusplus
}
#endif
#endif
