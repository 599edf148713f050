// Reads and writes of files that go on while their caller works: through io_uring or, where the
// system refuses that, by a few threads that call pread and pwrite.
#ifndef ORRERY_BASE_ASYNC_H
#define ORRERY_BASE_ASYNC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orr_async orr_async;

// One read or write. The caller owns it, its descriptor and its memory, and leaves them alone from
// orr_async_submit until finished() has it.
typedef struct orr_async_request {
    int fd;          // of a file; with O_DIRECT: memory, bytes and offset are multiples of 4096
    int write;       // nonzero: from memory to the file
    uint8_t *memory; // bytes of them
    size_t bytes;
    uint64_t offset; // in the file
    unsigned buffer; // which of the ranges given to orr_async_open holds it; UINT_MAX: none
    size_t done;     // result: bytes moved. When they are fewer than `bytes`, error says why:
    int error;       // an errno, ENOSPC where a write moves nothing; 0 at the end of a file
    void *owner;     // the caller's
    struct orr_async_request *next; // private, as the next one
    int stuck;
} orr_async_request;

// At most `most` requests (at least one) are under way at once, more wait. `memory`: `count` ranges
// of at most 1 GiB, each of which io_uring pins at its first use, as far as the limit of locked
// memory allows: then a request costs less. They stay the caller's, until orr_async_close.
// finished() is called once for each request, on a thread that is the module's, outside of locks;
// it may submit more and shall not wait. NULL: no memory or no threads.
orr_async *orr_async_open(const struct iovec *memory, unsigned count, unsigned most,
                          void (*finished)(void *context, orr_async_request *request),
                          void *context);
// The same by threads alone, for tests.
orr_async *orr_async_open_threads(unsigned most,
                                  void (*finished)(void *context, orr_async_request *request),
                                  void *context);
// How it is done, for a person: "io_uring", "io_uring, its memory not registered: Cannot allocate
// memory (ulimit -l)", "8 threads (io_uring: Operation not permitted)". Lives as long as `async`.
const char *orr_async_means(const orr_async *async);
// Any thread; neither fails nor waits for a request.
void orr_async_submit(orr_async *async, orr_async_request *request);
// Waits until all that was submitted is finished. NULL is fine. Not from finished().
void orr_async_close(orr_async *async);

#ifdef __cplusplus
}
#endif
#endif
