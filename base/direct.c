#include "base/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "base/flush.h"
#include "base/io.h"

#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x80 // Linux 6.14
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xf2f52010
#endif

// Kernels before 6.1 do not say what direct transfers need; these file systems take pages.
static int takes_pages(int fd) {
    static const unsigned long known[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                          F2FS_SUPER_MAGIC};
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (((unsigned long)fs.f_type & 0xffffffff) == known[i]) return 1;
    return 0;
}

// Does the file system say that it can? 1, 0, or -1: it says nothing.
static int says(int fd) {
#ifdef STATX_DIOALIGN
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &st) != 0 || !(st.stx_mask & STATX_DIOALIGN))
        return -1;
    return st.stx_dio_mem_align && st.stx_dio_mem_align <= ORR_DIRECT_ALIGNMENT &&
           st.stx_dio_offset_align <= ORR_DIRECT_ALIGNMENT;
#else
    (void)fd;
    return -1;
#endif
}

int orr_direct_begin(int fd, int unknown) {
    int can = says(fd), flags = fcntl(fd, F_GETFL);
    if (can < 0) can = unknown || takes_pages(fd);
    if (!can) return EOPNOTSUPP;
    // A regular file never waits for anybody; marked so, io_uring would not wait for the disk.
    if (flags < 0 || fcntl(fd, F_SETFL, (flags | O_DIRECT) & ~O_NONBLOCK) != 0)
        return errno == EINVAL ? EOPNOTSUPP : errno;
    return 0;
}

void orr_direct_end(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && flags & O_DIRECT) (void)fcntl(fd, F_SETFL, flags & ~O_DIRECT);
}

// As base/io.h, without keeping any of it in the page cache. Of a kernel that cannot, errno tells a
// refusal.
static size_t move_uncached(int writes, int fd, uint8_t *memory, size_t bytes, uint64_t offset) {
    size_t done = 0;
    ssize_t now = 1;
    while (done < bytes && (now > 0 || (now < 0 && errno == EINTR))) {
        const struct iovec rest = {memory + done, bytes - done};
        now = writes ? pwritev2(fd, &rest, 1, (off_t)(offset + done), RWF_DONTCACHE)
                     : preadv2(fd, &rest, 1, (off_t)(offset + done), RWF_DONTCACHE);
        if (now > 0) done += (size_t)now;
    }
    if (now == 0) errno = writes ? ENOSPC : 0;
    return done;
}

size_t orr_pread_by(orr_way way, int fd, void *buffer, size_t bytes, uint64_t offset) {
    size_t done = 0;
    if (way == ORR_WAY_UNCACHED) {
        done = move_uncached(0, fd, buffer, bytes, offset);
        if (done == bytes || !orr_is_refusal(errno)) return done;
    }
    return done + orr_pread_in_full(fd, (char *)buffer + done, bytes - done, offset + done);
}

size_t orr_pwrite_by(orr_way way, int fd, const void *data, size_t bytes, uint64_t offset) {
    size_t done = 0;
    if (way == ORR_WAY_UNCACHED) {
        done = move_uncached(1, fd, (uint8_t *)data, bytes, offset);
        if (done == bytes || !orr_is_refusal(errno)) return done;
    }
    return done + orr_pwrite_in_full(fd, (const char *)data + done, bytes - done, offset + done);
}
