// No output is more open than its source.
#ifndef ORRERY_HOST_JOB_JOB_MODE_H
#define ORRERY_HOST_JOB_JOB_MODE_H

#include "host/job/job_run.h"

// The permission bits of the output open as `output`, made from the source open as `source` (whose
// stat is `st`): those that creating a file normally gives (0666 less the umask), and the source
// has for the group and others. Outputs are made 0600 and get them when whole.
mode_t orr_sealed_mode(int source, const struct stat *st, int output);
// Those of a directory that stands for the directory `path`, before the umask.
mode_t orr_directory_mode(const char *path, const struct stat *source);
// Makes the directories of the output `target` for which none was walked through (--files-from,
// reencrypt), with the mode of the one that `source` is in.
orr_status orr_job_make_place(const orr_job *job, const char *source, const char *target,
                              orr_error *error);

#endif
