// Contents of files past the page cache: O_DIRECT, and the next best where that is refused. What a
// job moves once is then not kept in memory at the cost of what others read again and again, is not
// copied, and comes from the storage itself.
#ifndef ORRERY_BASE_DIRECT_H
#define ORRERY_BASE_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ORR_DIRECT_ALIGNMENT 4096 // of memory, offsets and lengths

// How the contents of an open file are moved.
typedef enum orr_way {
    ORR_WAY_CACHED,   // through the page cache
    ORR_WAY_UNCACHED, // through the page cache, and out of it again where the kernel can
    ORR_WAY_DIRECT    // past it
} orr_way;

// Turns O_DIRECT on for an open regular file, until orr_direct_end: for all that share its open
// file description. `unknown`: also where the file system does not say that it can. Returns 0, or
// an errno value that says why not; EOPNOTSUPP: it cannot, or needs another alignment.
int orr_direct_begin(int fd, int unknown);
// Turns it off again; requests that are aligned are carried out all the same. Fine for any file.
void orr_direct_end(int fd);

// Complete reads and writes (base/io.h) by a way; what is direct must be aligned.
size_t orr_pread_by(orr_way way, int fd, void *buffer, size_t bytes, uint64_t offset);
size_t orr_pwrite_by(orr_way way, int fd, const void *data, size_t bytes, uint64_t offset);

#ifdef __cplusplus
}
#endif
#endif
