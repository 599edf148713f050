// The requests of an io_uring, for a preloaded library: what the program hands over and what it
// takes back passes here, as long as it uses these functions of liburing (base/async.c).
//
// Who includes this defines ring_asks(), which sees each read and write before the kernel does and
// may alter it, and ring_has(), which sees each completion before the program does and may alter
// that. Both know a request by its user_data. Any thread.
#ifndef ORRERY_TESTS_SUPPORT_PRELOAD_RING_H
#define ORRERY_TESTS_SUPPORT_PRELOAD_RING_H

#if __has_include(<liburing.h>)

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <liburing.h>

static void ring_asks(struct io_uring_sqe *request, int write);
static void ring_has(struct io_uring_cqe *completion);

#define RING_REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static void ring_each(struct io_uring *ring) { // that was prepared since the last call
    struct stat st;
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
        struct io_uring_sqe *e = &ring->sq.sqes[i & *ring->sq.kring_mask];
        int write = e->opcode == IORING_OP_WRITE || e->opcode == IORING_OP_WRITE_FIXED;
        int read = e->opcode == IORING_OP_READ || e->opcode == IORING_OP_READ_FIXED;
        if ((read || write) && fstat(e->fd, &st) == 0 && S_ISREG(st.st_mode)) ring_asks(e, write);
    }
}

int io_uring_submit(struct io_uring *ring) {
    ring_each(ring);
    return RING_REAL(io_uring_submit)(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned count) {
    ring_each(ring);
    return RING_REAL(io_uring_submit_and_wait)(ring, count);
}

unsigned io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **completions,
                                 unsigned room) {
    unsigned count = RING_REAL(io_uring_peek_batch_cqe)(ring, completions, room);
    for (unsigned i = 0; i < count; i++) ring_has(completions[i]);
    return count;
}

// What is remembered of a request until it is completed.
typedef struct ring_note {
    unsigned long long user_data;
    int result;          // fault.c: the negative errno that it is to have; 0: its own
    int die;             // fault.c: SIGKILL comes with its completion
    int less;            // fault.c: bytes that it is said not to have moved
    void *copy;          // fault.c: freed then
    unsigned long inode; // record.c: what is written and where
    const void *memory;
    long long at;
    struct ring_note *next;
} ring_note;

static ring_note *ring_notes;
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;

static void ring_remember(ring_note note) {
    ring_note *one = malloc(sizeof *one);
    if (!one) abort();
    *one = note;
    pthread_mutex_lock(&ring_lock);
    one->next = ring_notes;
    ring_notes = one;
    pthread_mutex_unlock(&ring_lock);
}

// 0: nothing was remembered of it.
static int ring_recall(unsigned long long user_data, ring_note *note) {
    pthread_mutex_lock(&ring_lock);
    ring_note **at = &ring_notes, *one;
    while (*at && (*at)->user_data != user_data) at = &(*at)->next;
    one = *at;
    if (one) *at = one->next;
    pthread_mutex_unlock(&ring_lock);
    if (!one) return 0;
    *note = *one;
    free(one);
    return 1;
}

#endif
#endif
