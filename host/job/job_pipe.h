// decrypt to a pipe or device: something that takes bytes in order and gives none back. The caller
// has verified all of the file before; it is opened again here, and each tile is authenticated once
// more before its bytes go out.
#ifndef ORRERY_HOST_JOB_JOB_PIPE_H
#define ORRERY_HOST_JOB_JOB_PIPE_H

#include <sys/stat.h>

#include "host/job/job.h"

#ifdef __cplusplus
extern "C" {
#endif

// Writes the original of the encrypted file `path` to `out` (`shown` in messages), on the calling
// thread. `verified` is what stat said of it before it was verified: ORR_IO when it is another file
// by now. options: keyring, backend and mem count. An image of the paper profile is restored in
// memory first: ORR_UNSUPPORTED when the ceiling has no room for it. After a failure bytes may have
// gone out: all that did are authenticated (in the paper profile, equal to their digest), but not
// all that there are. ORR_STOPPED: *stop was set.
orr_status orr_pipe_decrypt(const orr_job_options *options, const char *path,
                            const struct stat *verified, int out, const char *shown,
                            orr_progress *progress, orr_stop_flag *stop, orr_error *error);

#ifdef __cplusplus
}
#endif
#endif
