// Complete reads and writes of encrypted files, with sentences for what fails.
#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/text.h"
#include "host/container/format.h"

orr_status orr_pread_outcome(size_t done, size_t bytes, int number, uint64_t offset,
                             const char *name, orr_error *error) {
    if (done == bytes) return ORR_OK;
    if (number)
        return orr_fail_source(error, number, "%s: reading at byte %llu failed: %s", name,
                               (unsigned long long)(offset + done), strerror(number));
    return orr_fail(error, ORR_AUTH, "%s: truncated: it ends at byte %llu", name,
                    (unsigned long long)(offset + done));
}

orr_status orr_pwrite_outcome(size_t done, size_t bytes, int number, uint64_t offset,
                              const char *name, orr_error *error) {
    if (done == bytes) return ORR_OK;
    return orr_fail_errno(error, number, "%s: writing at byte %llu failed: %s%s", name,
                          (unsigned long long)(offset + done), strerror(number),
                          orr_errno_hint(number));
}

orr_status orr_pread_all(int fd, void *out, size_t bytes, uint64_t offset, const char *name,
                         orr_error *error) {
    size_t got = orr_pread_in_full(fd, out, bytes, offset);
    return orr_pread_outcome(got, bytes, errno, offset, name, error);
}

orr_status orr_pwrite_all(int fd, const void *in, size_t bytes, uint64_t offset, const char *name,
                          orr_error *error) {
    size_t put = orr_pwrite_in_full(fd, in, bytes, offset);
    return orr_pwrite_outcome(put, bytes, errno, offset, name, error);
}
