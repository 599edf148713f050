#include "base/async.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#ifdef ORRERY_HAVE_URING
#include <liburing.h>
#endif

#define THREADS 8
#define MOST 4096
#define AT_ONCE ((size_t)1 << 30) // bytes of one call
#define BLOCK 4096                // O_DIRECT goes by no less on any disk

#ifdef ORRERY_HAVE_URING
typedef struct orr_range {
    struct iovec bytes;
    enum { UNTRIED, REGISTERED, REFUSED } state;
} orr_range;
#endif

struct orr_async {
    void (*finished)(void *context, orr_async_request *request);
    void *context;
    unsigned most;
    char means[160];
    pthread_t thread[THREADS]; // the first one owns the ring, where there is one
    unsigned threads;
    pthread_mutex_t lock; // of what follows, to `settled`
    pthread_cond_t news;  // without a ring: a request, or the end; while it is made: `settled`
    orr_async_request *first, **last;
    int closing;
    int asleep;  // the ring's thread does not see a request without a wake
    int settled; // 1, or the errno that refuses a ring, negative
    int wake;    // eventfd of which the ring always reads; -1: no ring
#ifdef ORRERY_HAVE_URING
    struct io_uring ring;
    unsigned under_way;
    int listening;     // it reads from `wake` ...
    uint64_t woken;    // ... this
    orr_range *memory; // to be registered, each at its first use
    unsigned count;
    int unregistered; // the errno for which the first one was not
#endif
};

static orr_async_request *take(orr_async *a) {
    orr_async_request *r = a->first;
    if (r) a->first = r->next;
    if (!a->first) a->last = &a->first;
    return r;
}

static int is_direct(int fd) {
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && flags & O_DIRECT;
}

// Takes up what a call moved, or its negative errno. Nonzero: the rest is to be done.
static int goes_on(orr_async_request *r, ssize_t result) {
    int again = result == -EINTR || result == -EAGAIN;
    r->stuck = result == -EAGAIN;
    if (again || r->bytes == 0) return again;
    if (result > 0) {
        r->done += (size_t)result;
        // From no odd place does a direct read go on; it is the end.
        return r->done < r->bytes && (r->write || r->done % BLOCK == 0 || !is_direct(r->fd));
    }
    int odd = result == -EINVAL && r->done % BLOCK != 0; // that is what it has against the rest
    r->error = result != 0 && !odd ? (int)-result : r->write ? ENOSPC : 0;
    return 0;
}

static size_t rest_of(const orr_async_request *r) {
    size_t rest = r->bytes - r->done;
    return rest < AT_ONCE ? rest : AT_ONCE;
}

// ---- threads

static void move(orr_async_request *r) {
    ssize_t now;
    do {
        uint8_t *memory = r->memory + r->done;
        off_t at = (off_t)(r->offset + r->done);
        now =
            r->write ? pwrite(r->fd, memory, rest_of(r), at) : pread(r->fd, memory, rest_of(r), at);
    } while (goes_on(r, now < 0 ? -errno : now));
}

static void *work(void *argument) {
    orr_async *a = argument;
    for (;;) {
        pthread_mutex_lock(&a->lock);
        while (!a->first && !a->closing) pthread_cond_wait(&a->news, &a->lock);
        orr_async_request *r = take(a);
        pthread_mutex_unlock(&a->lock);
        if (!r) return NULL; // closing; what another one's finished() submits, that one does
        move(r);
        a->finished(a->context, r);
    }
}

// Signals are for the program's own threads.
static int start_thread(orr_async *a, void *(*run)(void *)) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&a->thread[a->threads], NULL, run, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    a->threads += !failed;
    return failed;
}

static void start_threads(orr_async *a, const char *why) {
    unsigned wanted = a->most < THREADS ? a->most : THREADS;
    while (a->threads < wanted && start_thread(a, work) == 0) continue;
    snprintf(a->means, sizeof a->means, "%u thread%s%s", a->threads, a->threads == 1 ? "" : "s",
             why);
}

// ---- io_uring

#ifdef ORRERY_HAVE_URING

// Pins a range of memory that is used for the first time. 0, or the errno that refuses it.
static int enlist(orr_async *a, unsigned number) {
    orr_range *range = &a->memory[number];
    __u64 tag = 0;
    if (range->state != UNTRIED) return 0;
    int done = io_uring_register_buffers_update_tag(&a->ring, number, &range->bytes, &tag, 1);
    range->state = done == 1 ? REGISTERED : REFUSED;
    return done == 1 ? 0 : done < 0 ? -done : EINVAL;
}

static int is_registered(orr_async *a, unsigned number) {
    if (number >= a->count) return 0;
    (void)enlist(a, number);
    return a->memory[number].state == REGISTERED;
}

static void ask(orr_async *a, orr_async_request *r) {
    struct io_uring_sqe *e = io_uring_get_sqe(&a->ring); // there is one for each under way
    int fixed = is_registered(a, r->buffer);
    io_uring_prep_rw(r->write ? fixed ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE
                     : fixed  ? IORING_OP_READ_FIXED
                              : IORING_OP_READ,
                     e, r->fd, r->memory + r->done, (unsigned)rest_of(r), r->offset + r->done);
    if (fixed) e->buf_index = (uint16_t)r->buffer;
    // EAGAIN: it was opened with O_NONBLOCK, on a file system that cannot but block.
    if (r->stuck) e->flags |= IOSQE_ASYNC;
    io_uring_sqe_set_data(e, r);
}

static void listen_again(orr_async *a) {
    struct io_uring_sqe *e = io_uring_get_sqe(&a->ring);
    io_uring_prep_rw(IORING_OP_READ, e, a->wake, &a->woken, sizeof a->woken, 0);
    io_uring_sqe_set_data(e, a);
    a->listening = 1;
}

// Hands the ring all that it can take. 0: nothing is left to do, ever.
static int fill(orr_async *a) {
    orr_async_request *r;
    pthread_mutex_lock(&a->lock);
    while (a->under_way < a->most && (r = take(a))) {
        ask(a, r);
        a->under_way++;
    }
    if (!a->listening && !a->closing) listen_again(a);
    a->asleep = a->under_way < a->most;
    int ended = a->closing && a->under_way == 0 && !a->listening;
    pthread_mutex_unlock(&a->lock);
    return !ended;
}

static void wait_for_some(orr_async *a) {
    int result = io_uring_submit_and_wait(&a->ring, 1);
    // What a call for want of memory leaves in the ring, the next one takes.
    if (result < 0 && result != -EINTR) nanosleep(&(struct timespec){0, 1000000}, NULL);
    pthread_mutex_lock(&a->lock);
    a->asleep = 0;
    pthread_mutex_unlock(&a->lock);
}

static void reap(orr_async *a) {
    struct io_uring_cqe *ended[64];
    unsigned count;
    while ((count = io_uring_peek_batch_cqe(&a->ring, ended, 64)) > 0) {
        orr_async_request *request[64];
        int result[64];
        for (unsigned i = 0; i < count; i++) {
            request[i] = io_uring_cqe_get_data(ended[i]);
            result[i] = ended[i]->res;
        }
        io_uring_cq_advance(&a->ring, count);
        for (unsigned i = 0; i < count; i++) {
            if ((void *)request[i] == a) {
                a->listening = 0;
            } else if (goes_on(request[i], result[i])) {
                ask(a, request[i]);
            } else {
                a->under_way--;
                a->finished(a->context, request[i]);
            }
        }
    }
}

// 0, or the errno of what io_uring refuses.
static int begin(orr_async *a) {
    struct io_uring_params p = {0};
#if defined IORING_SETUP_SINGLE_ISSUER && defined IORING_SETUP_DEFER_TASKRUN // Linux 6.1
    p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
#endif
    int result = io_uring_queue_init_params(a->most + 1, &a->ring, &p);
    if (result == -EINVAL) {
        p = (struct io_uring_params){0};
        result = io_uring_queue_init_params(a->most + 1, &a->ring, &p);
    }
    if (result < 0) return -result;
    struct io_uring_probe *probe = io_uring_get_probe_ring(&a->ring);
    result = probe && io_uring_opcode_supported(probe, IORING_OP_WRITE) ? 0 : -ENOSYS;
    io_uring_free_probe(probe);
    if (result == 0) {
        listen_again(a);
        result = io_uring_submit(&a->ring);
    }
    if (result < 0) {
        io_uring_queue_exit(&a->ring);
        return -result;
    }
    if (a->count == 0) return 0;
    a->unregistered = -io_uring_register_buffers_sparse(&a->ring, a->count); // Linux 5.19
    if (a->unregistered)
        a->count = 0;
    else
        a->unregistered = enlist(a, 0);
    return 0;
}

static void settle(orr_async *a, int refused) {
    pthread_mutex_lock(&a->lock);
    a->settled = refused ? -refused : 1;
    pthread_cond_broadcast(&a->news);
    pthread_mutex_unlock(&a->lock);
}

static void *own_ring(void *argument) {
    orr_async *a = argument;
    int refused = begin(a);
    settle(a, refused);
    if (refused) return NULL;
    while (fill(a)) {
        wait_for_some(a);
        reap(a);
    }
    if (a->count) io_uring_unregister_buffers(&a->ring); // now; the rest of it goes some time later
    io_uring_queue_exit(&a->ring);
    return NULL;
}

// 0, or the errno that refuses it.
static int try_ring(orr_async *a) {
    int failed = start_thread(a, own_ring);
    if (failed) return failed;
    pthread_mutex_lock(&a->lock);
    while (!a->settled) pthread_cond_wait(&a->news, &a->lock);
    pthread_mutex_unlock(&a->lock);
    if (a->settled < 0) {
        pthread_join(a->thread[--a->threads], NULL);
        return -a->settled;
    }
    if (a->unregistered)
        snprintf(a->means, sizeof a->means, "io_uring, its memory not registered: %s%s",
                 strerror(a->unregistered), a->unregistered == ENOMEM ? " (ulimit -l)" : "");
    else
        snprintf(a->means, sizeof a->means, "io_uring");
    return 0;
}

static void start(orr_async *a, const struct iovec *memory, unsigned count) {
    char why[64];
    a->memory = calloc(count, sizeof *a->memory);
    a->count = a->memory ? count : 0;
    for (unsigned i = 0; i < a->count; i++) a->memory[i].bytes = memory[i];
    a->wake = eventfd(0, EFD_CLOEXEC);
    int failed = a->wake < 0 ? errno : try_ring(a);
    if (!failed) return;
    if (a->wake >= 0) close(a->wake);
    a->wake = -1;
    snprintf(why, sizeof why, " (io_uring: %s)", strerror(failed));
    start_threads(a, why);
}

#else

static void start(orr_async *a, const struct iovec *memory, unsigned count) {
    (void)memory;
    (void)count;
    start_threads(a, " (built without liburing)");
}

#endif

// ---- either

static orr_async *new_async(unsigned most, void (*finished)(void *, orr_async_request *),
                            void *context) {
    orr_async *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->finished = finished;
    a->context = context;
    a->most = most == 0 ? 1 : most < MOST ? most : MOST;
    a->last = &a->first;
    a->wake = -1;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->news, NULL);
    return a;
}

static orr_async *if_started(orr_async *a) {
    if (a->threads > 0) return a;
    orr_async_close(a);
    return NULL;
}

orr_async *orr_async_open(const struct iovec *memory, unsigned count, unsigned most,
                          void (*finished)(void *context, orr_async_request *request),
                          void *context) {
    orr_async *a = new_async(most, finished, context);
    if (!a) return NULL;
    start(a, memory, count);
    return if_started(a);
}

orr_async *orr_async_open_threads(unsigned most,
                                  void (*finished)(void *context, orr_async_request *request),
                                  void *context) {
    orr_async *a = new_async(most, finished, context);
    if (!a) return NULL;
    start_threads(a, "");
    return if_started(a);
}

const char *orr_async_means(const orr_async *a) {
    return a->means;
}

void orr_async_submit(orr_async *a, orr_async_request *r) {
    r->done = 0;
    r->error = r->stuck = 0;
    r->next = NULL;
    pthread_mutex_lock(&a->lock);
    *a->last = r;
    a->last = &r->next;
    if (a->wake < 0) pthread_cond_signal(&a->news);
    if (a->asleep) eventfd_write(a->wake, 1);
    a->asleep = 0;
    pthread_mutex_unlock(&a->lock);
}

void orr_async_close(orr_async *a) {
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    a->closing = 1;
    pthread_cond_broadcast(&a->news);
    if (a->wake >= 0) eventfd_write(a->wake, 1);
    pthread_mutex_unlock(&a->lock);
    for (unsigned i = 0; i < a->threads; i++) pthread_join(a->thread[i], NULL);
    if (a->wake >= 0) close(a->wake);
    pthread_cond_destroy(&a->news);
    pthread_mutex_destroy(&a->lock);
#ifdef ORRERY_HAVE_URING
    free(a->memory);
#endif
    free(a);
}
