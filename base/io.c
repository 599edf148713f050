#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

// What is left to do after a call that moved `now` bytes, or failed with -1: nonzero to go on.
static int goes_on(ssize_t now, size_t *done, int at_zero) {
    if (now < 0) return errno == EINTR;
    if (now == 0) errno = at_zero;
    *done += (size_t)now;
    return now > 0;
}

size_t orr_read_in_full(int fd, void *buffer, size_t bytes) {
    size_t done = 0;
    while (done < bytes && goes_on(read(fd, (char *)buffer + done, bytes - done), &done, 0))
        continue;
    return done;
}

size_t orr_pread_in_full(int fd, void *buffer, size_t bytes, uint64_t offset) {
    size_t done = 0;
    while (
        done < bytes &&
        goes_on(pread(fd, (char *)buffer + done, bytes - done, (off_t)(offset + done)), &done, 0))
        continue;
    return done;
}

size_t orr_write_in_full(int fd, const void *data, size_t bytes) {
    size_t done = 0;
    while (done < bytes &&
           goes_on(write(fd, (const char *)data + done, bytes - done), &done, ENOSPC))
        continue;
    return done;
}

size_t orr_pwrite_in_full(int fd, const void *data, size_t bytes, uint64_t offset) {
    size_t done = 0;
    while (done < bytes &&
           goes_on(pwrite(fd, (const char *)data + done, bytes - done, (off_t)(offset + done)),
                   &done, ENOSPC))
        continue;
    return done;
}

size_t orr_write_to_reader(int fd, const void *data, size_t bytes, orr_stop_flag *stop) {
    size_t done = 0;
    while (done < bytes) {
        if (orr_stopped(stop)) {
            errno = EINTR;
            break;
        }
        ssize_t now = write(fd, (const char *)data + done, bytes - done);
        if (now < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            (void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
        else if (!goes_on(now, &done, EIO))
            break;
    }
    return done;
}
