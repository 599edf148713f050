// What a job takes for finished though another run wrote it. That run may have been killed between
// giving a name and flushing it, and nobody flushes it later: a power cut would take away what this
// job has called finished. So what is trusted is flushed before the job ends: once for each file
// system by syncfs, or, where that does not reach the storage (FUSE), each file and directory.
#ifndef ORRERY_HOST_JOB_TRUST_H
#define ORRERY_HOST_JOB_TRUST_H

#include <pthread.h>
#include <stddef.h>

#include "base/status.h"
#include "host/job/claims.h"

#ifdef __cplusplus
extern "C" {
#endif

struct orr_trusted; // a file system

typedef struct orr_trust {
    pthread_mutex_t lock;
    struct orr_trusted *systems;
    size_t count;
    orr_claims directories; // device and inode of those that were seen on the way to outputs
} orr_trust;

void orr_trust_init(orr_trust *trust);
void orr_trust_free(orr_trust *trust);
// Trusts a file or directory that is open as `fd` (not O_PATH; the caller's). Any thread. ORR_IO
// when it could not be flushed at once, where that is done; ORR_INTERNAL (memory).
orr_status orr_trust_take(orr_trust *trust, int fd, const char *shown, orr_error *error);
// A directory on the way to an output, open as `fd`, and the one that holds it: unless this job
// `made` it, which then sees to its entry, that is trusted. Once for each: *met says
// whether it was met before. As above.
orr_status orr_trust_directory(orr_trust *trust, int fd, int parent, int made, int *met,
                               const char *shown, orr_error *error);
// Flushes all that was trusted. ORR_IO when it did not reach its storage. *unsure (cleared else):
// errno where the system does not flush at all for this program.
orr_status orr_trust_flush(orr_trust *trust, const char *shown, int *unsure, orr_error *error);

// Flushes a file and its name, through symlinks, as far as its place allows: ORR_IO only when
// storage failed.
orr_status orr_trust_path(const char *path, orr_error *error);

#ifdef __cplusplus
}
#endif

#endif
