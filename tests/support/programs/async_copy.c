// Copies a file through base/async.h, for tests that break what it calls:
// async_copy ring|threads cached|direct PIECE IN OUT
//
// Eight pieces of PIECE bytes (a multiple of 4096) are under way. OUT has its name when it is whole
// and flushed. Says what went wrong in lines "read|write OFFSET: BYTES ERROR"; exit status 1 then.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/async.h"

#define SLOTS 8

typedef struct copy {
    orr_async *async;
    int in, out;
    size_t piece;
    pthread_mutex_t lock;
    uint64_t next, end; // the end is known once a read is short
    int failed;
} copy;

static void tell(copy *c, const orr_async_request *r) {
    printf("%s %llu: %zu %s\n", r->write ? "write" : "read", (unsigned long long)r->offset, r->done,
           r->error ? strerror(r->error) : "end");
    c->failed = 1;
}

static void read_next(copy *c, orr_async_request *r) {
    pthread_mutex_lock(&c->lock);
    int more = c->next < c->end && !c->failed;
    r->offset = c->next;
    if (more) c->next += c->piece;
    pthread_mutex_unlock(&c->lock);
    r->write = 0;
    r->fd = c->in;
    r->bytes = c->piece;
    if (more) orr_async_submit(c->async, r);
}

static void finished(void *context, orr_async_request *r) {
    copy *c = context;
    if (r->error || (r->write && r->done < r->bytes)) {
        pthread_mutex_lock(&c->lock);
        tell(c, r);
        pthread_mutex_unlock(&c->lock);
    } else if (r->write) {
        read_next(c, r);
    } else {
        pthread_mutex_lock(&c->lock);
        uint64_t end = r->offset + r->done;
        if (r->done < r->bytes && end < c->end) c->end = end;
        pthread_mutex_unlock(&c->lock);
        if (r->done == 0) return;
        r->write = 1;
        r->fd = c->out;
        r->bytes = (r->done + 4095) / 4096 * 4096;
        orr_async_submit(c->async, r);
    }
}

static int copy_all(copy *c, int threads) {
    struct iovec memory = {aligned_alloc(4096, SLOTS * c->piece), SLOTS * c->piece};
    orr_async_request requests[SLOTS] = {0};
    if (!memory.iov_base) return 1;
    memset(memory.iov_base, 0, memory.iov_len);
    c->async = threads ? orr_async_open_threads(SLOTS, finished, c)
                       : orr_async_open(&memory, 1, SLOTS, finished, c);
    if (!c->async) return 1;
    fprintf(stderr, "%s\n", orr_async_means(c->async));
    for (size_t i = 0; i < SLOTS; i++) {
        requests[i].memory = (uint8_t *)memory.iov_base + i * c->piece;
        read_next(c, &requests[i]);
    }
    orr_async_close(c->async);
    free(memory.iov_base);
    return c->failed;
}

int main(int count, char **words) {
    char part[PATH_MAX];
    if (count != 6) return 2;
    int direct = strcmp(words[2], "direct") ? 0 : O_DIRECT;
    copy c = {.piece = strtoul(words[3], NULL, 10), .end = UINT64_MAX};
    pthread_mutex_init(&c.lock, NULL);
    snprintf(part, sizeof part, "%s.part", words[5]);
    c.in = open(words[4], O_RDONLY | direct);
    c.out = open(part, O_RDWR | O_CREAT | O_TRUNC | direct, 0600);
    if (c.in < 0 || c.out < 0 || copy_all(&c, !strcmp(words[1], "threads"))) return 1;
    if (ftruncate(c.out, (off_t)c.end) || fsync(c.out) || rename(part, words[5])) return 1;
    int folder = open(".", O_RDONLY | O_DIRECTORY);
    return folder < 0 || fsync(folder) != 0;
}
