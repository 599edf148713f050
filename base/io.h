// Complete reads and writes of descriptors, through signals and short counts.
#ifndef ORRERY_BASE_IO_H
#define ORRERY_BASE_IO_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Each returns how many bytes were moved. When they are fewer than `bytes`, errno says why; it is 0
// at the end of a file. What takes an offset leaves the position of `fd`. Any thread.
size_t orr_read_in_full(int fd, void *buffer, size_t bytes);
size_t orr_pread_in_full(int fd, void *buffer, size_t bytes, uint64_t offset);
size_t orr_write_in_full(int fd, const void *data, size_t bytes);
size_t orr_pwrite_in_full(int fd, const void *data, size_t bytes, uint64_t offset);
// To a reader that may be slow, also where the descriptor does not wait (O_NONBLOCK). errno is
// EINTR once *stop (may be NULL) is set.
size_t orr_write_to_reader(int fd, const void *data, size_t bytes, orr_stop_flag *stop);

#ifdef __cplusplus
}
#endif
#endif
