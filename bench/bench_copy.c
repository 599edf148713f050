#include "bench/bench_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define PIECE ((size_t)1 << 20)
#define ALIGNMENT ((size_t)4096) // of memory, offsets and lengths: enough for every disk of today

typedef struct copy {
    const char *from, *to;
    int in, out; // out -1: only read
    uint64_t bytes;
    _Atomic uint64_t next; // piece to be copied, by its offset
    _Atomic int failure;   // errno of a thread; 0: none
} copy;

static uint64_t whole(uint64_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

// Copies pieces that no other thread has taken. The last one is written whole, and cut afterwards.
static void *copy_pieces(void *context) {
    copy *c = context;
    void *piece = aligned_alloc(ALIGNMENT, c->bytes < PIECE ? whole(c->bytes + 1) : PIECE);
    uint64_t at;
    if (!piece) c->failure = ENOMEM;
    while (!c->failure && (at = atomic_fetch_add(&c->next, PIECE)) < c->bytes) {
        uint64_t left = c->bytes - at;
        size_t bytes = left < PIECE ? (size_t)left : PIECE, all = (size_t)whole(bytes);
        errno = EIO; // of a file that became shorter
        if (pread(c->in, piece, all, (off_t)at) != (ssize_t)bytes ||
            (c->out >= 0 && orr_pwrite_in_full(c->out, piece, all, at) != all))
            c->failure = errno ? errno : EIO;
    }
    free(piece);
    return NULL;
}

static orr_status open_copy(copy *c, orr_error *error) {
    struct stat st;
    c->out = -1;
    c->in = open(c->from, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (c->in >= 0 && fstat(c->in, &st) == 0) {
        c->bytes = (uint64_t)st.st_size;
        if (!c->to) return ORR_OK;
        c->out = open(c->to, O_WRONLY | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
        // Writes that make a file longer wait for one another.
        if (c->out >= 0 && c->bytes > PIECE) (void)fallocate(c->out, 0, 0, (off_t)c->bytes);
        if (c->out >= 0) return ORR_OK;
    }
    const char *path = c->in < 0 ? c->from : c->to;
    if (errno == EINVAL)
        return orr_fail(error, ORR_UNSUPPORTED, "%s: no reading or writing past the page cache",
                        path);
    return orr_fail(error, ORR_IO, "%s: cannot be opened: %s", path, strerror(errno));
}

static orr_status run_threads(copy *c, unsigned threads, orr_error *error) {
    pthread_t thread[ORR_BENCH_COPY_MOST];
    unsigned started = 0;
    while (started + 1 < threads && !c->failure) {
        c->failure = pthread_create(&thread[started], NULL, copy_pieces, c);
        if (!c->failure) started++;
    }
    if (!c->failure) copy_pieces(c);
    for (unsigned n = 0; n < started; n++) pthread_join(thread[n], NULL);
    if (!c->failure) return ORR_OK;
    return orr_fail(error, c->failure == EINVAL ? ORR_UNSUPPORTED : ORR_IO,
                    "%s: cannot be copied past the page cache: %s", c->from, strerror(c->failure));
}

orr_status orr_bench_copy(const char *from, const char *to, unsigned threads, orr_error *error) {
    copy c = {.from = from, .to = to};
    orr_status status = open_copy(&c, error);
    if (status == ORR_OK) status = run_threads(&c, threads, error);
    if (status == ORR_OK && c.out >= 0 && (ftruncate(c.out, (off_t)c.bytes) || fsync(c.out)))
        status = orr_fail(error, ORR_IO, "%s: cannot be flushed: %s", to, strerror(errno));
    if (c.out >= 0 && close(c.out) && status == ORR_OK)
        status = orr_fail(error, ORR_IO, "%s: cannot be closed: %s", to, strerror(errno));
    if (c.in >= 0) close(c.in);
    return status;
}
