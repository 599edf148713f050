#include "host/job/in_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

// Through its descriptor, so that a renamed path cannot swap it.
int orr_in_place_open(const orr_job_file *file, orr_error *error) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file->from.fd);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        orr_fail_errno(error, errno, "%s: cannot open for writing: %s", file->source,
                       strerror(errno));
    } else if (flock(fd, LOCK_EX) != 0) {
        orr_fail(error, ORR_IO, "%s: cannot lock: %s", file->source, strerror(errno));
        close(fd);
        fd = -1;
    }
    return fd;
}
