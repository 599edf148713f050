// Digests of plain contents, as the seal records them, and files compared with them.
#ifndef ORRERY_HOST_JOB_CONTENTS_H
#define ORRERY_HOST_JOB_CONTENTS_H

#include "host/container/format.h"

#ifdef __cplusplus
extern "C" {
#endif

// Has the file open as `fd` (`bytes` long) the contents that `sealed` was made from? Reads all of
// it, in pieces of 1.5 MiB: the digest of the archive profile (XXH3-128 of the digests of its 6 MiB
// segments; docs/FORMAT.md), and its SHA-256 where that was recorded. *same: 0 or 1. ORR_STOPPED,
// ORR_INTERNAL, ORR_IO (also when the file ends early).
orr_status orr_contents_compare(int fd, uint64_t bytes, const orr_metadata *sealed,
                                orr_stop_flag *stop, const char *name, int *same, orr_error *error);

// The same for the paper profile: has the image the sealed pages, each of the sealed size, samples
// and depth, with the sealed digest of all pixels? With `tags` its page table must be the sealed
// one too: what a source has, and a restored image need not (its compression may differ). `memory`
// bounds one page. ORR_UNSUPPORTED for what is no image that can be read so; ORR_STOPPED, ORR_IO,
// ORR_INTERNAL.
orr_status orr_contents_compare_pages(int fd, const orr_metadata *sealed, int tags, uint64_t memory,
                                      orr_stop_flag *stop, const char *name, int *same,
                                      orr_error *error);

// The digest of the archive profile, and the SHA-256, of a file of `bytes` bytes; NULL: not wanted.
// ORR_STOPPED, ORR_INTERNAL, ORR_IO (also when it ends early).
orr_status orr_contents_digest(int fd, uint64_t bytes, orr_stop_flag *stop, const char *name,
                               uint8_t digest[16], uint8_t sha256[32], orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
