#include "host/job/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PIECES \
    256 // in one chunk, unless the configuration says less: bounds the files in flight

typedef enum chunk_state {
    CHUNK_FREE,
    CHUNK_FILLING,
    CHUNK_QUEUED,
    CHUNK_CIPHERING,
    CHUNK_DRAINING
} chunk_state;

typedef struct chunk {
    chunk_state state;
    uint8_t *in, *out;
    size_t used, most; // bytes now, and ever
    unsigned tiles;
    orr_piece pieces[MAX_PIECES];
    unsigned piece_count;
    unsigned reading;  // pieces in front()
    int closed;        // no more pieces will come
    int ordered;       // has a piece that is
    unsigned drained;  // pieces handed to back()
    unsigned finished; // pieces through back()
    orr_cipher cipher, new_cipher;
    int has_cipher;
    orr_tile_op op;
    orr_tile_task *tasks;
    orr_batch batch;
    orr_error error;    // of the batch
    struct chunk *next; // in a queue
} chunk;

typedef struct queue {
    chunk *first, *last;
} queue;

typedef struct engine {
    const orr_stream_config *config;
    const orr_stream_ops *ops;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    chunk *chunks;
    chunk *filling;
    queue to_cipher, to_drain;
    queue closed; // chunks with ordered pieces that are still being read, or behind such a one
    int planning, planned; // a worker is in next(); next() has returned 0
    orr_piece stashed;     // planned, but for another chunk than the one being filled
    int has_stashed;
    unsigned busy; // chunks not free
    int separate;  // in and out differ
} engine;

static void push(queue *q, chunk *c) {
    c->next = NULL;
    if (q->last)
        q->last->next = c;
    else
        q->first = c;
    q->last = c;
}

static chunk *pop(queue *q) {
    chunk *c = q->first;
    if (c) {
        q->first = c->next;
        if (!q->first) q->last = NULL;
    }
    return c;
}

static size_t chunk_bytes(const engine *e) {
    return (size_t)e->config->chunk_tiles * ORR_TILE_BYTES;
}

static chunk *free_chunk(engine *e) {
    for (unsigned i = 0; i < e->config->chunks; i++)
        if (e->chunks[i].state == CHUNK_FREE) return &e->chunks[i];
    return NULL;
}

static int same_cipher(const orr_cipher *a, const orr_cipher *b) {
    return !a == !b && (!a || (a->rule.number == b->rule.number && a->k2 == b->k2));
}

static int fits(const engine *e, const chunk *c, const orr_piece *p) {
    unsigned most = e->config->pieces;
    if (c->piece_count >= (most && most < MAX_PIECES ? most : MAX_PIECES)) return 0;
    if (p->tiles == 0) return 1;
    if (c->tiles + p->tiles > e->config->chunk_tiles || c->used + p->bytes > chunk_bytes(e))
        return 0;
    return !c->has_cipher || (same_cipher(&c->cipher, p->cipher) &&
                              (!p->new_cipher || same_cipher(&c->new_cipher, p->new_cipher)));
}

static void move_on(engine *e, chunk *c) {
    c->state = CHUNK_QUEUED;
    push(c->tiles ? &e->to_cipher : &e->to_drain, c);
    if (!c->tiles) c->state = CHUNK_DRAINING;
    pthread_cond_broadcast(&e->changed);
}

// Called with the lock: when no piece will be added and none is being read the chunk moves on; one
// with ordered pieces not before those that were closed earlier.
static void advance(engine *e, chunk *c) {
    if (!c->ordered) {
        if (c->state == CHUNK_FILLING && c->closed && !c->reading) move_on(e, c);
        return;
    }
    while (e->closed.first && !e->closed.first->reading) move_on(e, pop(&e->closed));
}

static void close_filling(engine *e) {
    chunk *c = e->filling;
    if (!c) return;
    e->filling = NULL;
    c->closed = 1;
    if (c->ordered) push(&e->closed, c);
    advance(e, c);
}

// Called with the lock: puts a planned piece into the chunk being filled. Returns the piece's home,
// or NULL when it has to wait for a free chunk (it is stashed then).
static orr_piece *place(engine *e, const orr_piece *planned) {
    if (e->filling && !fits(e, e->filling, planned)) close_filling(e);
    if (!e->filling) {
        chunk *c = free_chunk(e);
        if (!c) {
            if (planned != &e->stashed) e->stashed = *planned;
            e->has_stashed = 1;
            return NULL;
        }
        c->state = CHUNK_FILLING;
        c->used = c->tiles = c->piece_count = c->reading = c->drained = c->finished = 0;
        c->closed = c->ordered = c->has_cipher = 0;
        e->filling = c;
        e->busy++;
    }
    chunk *c = e->filling;
    orr_piece *p = &c->pieces[c->piece_count++];
    *p = *planned;
    e->has_stashed = 0;
    if (p->tiles) {
        if (!c->has_cipher) {
            c->cipher = *p->cipher;
            if (p->new_cipher) c->new_cipher = *p->new_cipher;
            c->op = p->op;
            c->has_cipher = 1;
        }
        p->in = c->in + c->used;
        p->out = c->out + c->used;
        p->tasks = c->tasks + c->tiles;
        size_t offset = c->used;
        for (uint32_t i = 0; i < p->tiles; i++, offset += ORR_TILE_BYTES)
            p->tasks[i].offset = offset;
        c->used += (p->bytes + 63) & ~(size_t)63;
        if (c->used > c->most) c->most = c->used;
        c->tiles += p->tiles;
    }
    c->ordered |= p->ordered;
    c->reading++;
    return p;
}

// Called with the lock; may release it while planning. Returns a piece to run front() on, or NULL.
static orr_piece *plan(engine *e, chunk **home) {
    orr_piece planned, *p;
    if (e->planning || (e->planned && !e->has_stashed)) return NULL;
    if (!e->filling && !free_chunk(e)) return NULL;
    if (e->has_stashed) {
        p = place(e, &e->stashed);
    } else {
        memset(&planned, 0, sizeof planned);
        e->planning = 1;
        pthread_mutex_unlock(&e->lock);
        int more = e->ops->next(e->context, &planned);
        pthread_mutex_lock(&e->lock);
        e->planning = 0;
        pthread_cond_broadcast(&e->changed);
        if (!more) {
            e->planned = 1;
            close_filling(e);
            return NULL;
        }
        p = place(e, &planned);
    }
    *home = e->filling;
    return p;
}

// Called with the lock: the next piece for back(), or NULL.
static orr_piece *drain(engine *e, chunk **home) {
    chunk *c = e->to_drain.first;
    if (!c) return NULL;
    orr_piece *p = &c->pieces[c->drained++];
    if (c->drained == c->piece_count) pop(&e->to_drain);
    *home = c;
    return p;
}

static void retire(engine *e, chunk *c) {
    if (++c->finished < c->piece_count) return;
    orr_wipe(c->tasks, c->tiles * sizeof *c->tasks);
    c->state = CHUNK_FREE;
    e->busy--;
    pthread_cond_broadcast(&e->changed);
}

// A worker thread and what it owns.
typedef struct worker_thread {
    pthread_t thread;
    engine *engine;
    orr_worker worker;
} worker_thread;

static void *work(void *argument) {
    worker_thread *self = argument;
    engine *e = self->engine;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        chunk *c = NULL;
        orr_piece *p = drain(e, &c);
        if (p) {
            pthread_mutex_unlock(&e->lock);
            e->ops->back(e->context, p, &self->worker);
            pthread_mutex_lock(&e->lock);
            retire(e, c);
            continue;
        }
        p = plan(e, &c);
        if (p) {
            pthread_mutex_unlock(&e->lock);
            e->ops->front(e->context, p, &self->worker);
            pthread_mutex_lock(&e->lock);
            c->reading--;
            advance(e, c);
            continue;
        }
        if (e->to_drain.first || (!e->planning && !e->planned && (e->filling || free_chunk(e))))
            continue;
        if (e->planned && !e->has_stashed && !e->busy) break;
        pthread_cond_wait(&e->changed, &e->lock);
    }
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    orr_wipe_stack();
    return NULL;
}

static void start_batch(engine *e, chunk *c, orr_status *status, orr_error *error) {
    c->batch = (orr_batch){.op = c->op,
                           .cipher = &c->cipher,
                           .new_cipher = &c->new_cipher,
                           .in = c->in,
                           .out = c->out,
                           .bytes = chunk_bytes(e),
                           .tasks = c->tasks,
                           .count = c->tiles};
    *status = e->config->backend->api->submit(e->config->backend, &c->batch, error);
}

// The one thread that talks to the backend: keeps `depth` batches in flight, oldest first.
static void *cipher(void *argument) {
    engine *e = argument;
    orr_backend *backend = e->config->backend;
    orr_backend_properties properties;
    queue in_flight = {0};
    unsigned flying = 0;
    backend->api->properties(backend, &properties);
    unsigned depth = properties.depth ? properties.depth : 1;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        orr_status status = ORR_OK;
        orr_error error = {0};
        chunk *c = flying < depth ? pop(&e->to_cipher) : NULL;
        if (c) {
            c->state = CHUNK_CIPHERING;
            pthread_mutex_unlock(&e->lock);
            start_batch(e, c, &status, &error);
            pthread_mutex_lock(&e->lock);
            if (status == ORR_OK) {
                push(&in_flight, c);
                flying++;
                continue;
            }
        } else if ((c = pop(&in_flight))) {
            flying--;
            pthread_mutex_unlock(&e->lock);
            status = backend->api->wait(backend, &c->batch, &error);
            pthread_mutex_lock(&e->lock);
        } else {
            if (e->planned && !e->has_stashed && !e->busy) break;
            pthread_cond_wait(&e->changed, &e->lock);
            continue;
        }
        c->error = error;
        for (unsigned i = 0; i < c->piece_count; i++) {
            c->pieces[i].backend_status = status;
            c->pieces[i].backend_error = &c->error;
        }
        c->state = CHUNK_DRAINING;
        push(&e->to_drain, c);
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static orr_status allocate(engine *e, orr_error *error) {
    orr_backend *backend = e->config->backend;
    e->chunks = calloc(e->config->chunks, sizeof *e->chunks);
    if (!e->chunks) return orr_fail(error, ORR_INTERNAL, "out of memory for the chunk ring");
    for (unsigned i = 0; i < e->config->chunks; i++) {
        chunk *c = &e->chunks[i];
        c->in = backend->api->alloc(backend, chunk_bytes(e));
        c->out = e->separate ? backend->api->alloc(backend, chunk_bytes(e)) : c->in;
        c->tasks = calloc(e->config->chunk_tiles, sizeof *c->tasks);
        if (!c->in || !c->out || !c->tasks)
            return orr_fail(error, ORR_INTERNAL,
                            "out of memory for %u chunks of %zu bytes: lower --mem",
                            e->config->chunks, chunk_bytes(e));
    }
    return ORR_OK;
}

static void release(engine *e) {
    orr_backend *backend = e->config->backend;
    for (unsigned i = 0; e->chunks && i < e->config->chunks; i++) {
        chunk *c = &e->chunks[i];
        if (c->in) backend->api->free(backend, c->in, c->most);
        if (e->separate && c->out) backend->api->free(backend, c->out, c->most);
        if (c->tasks) orr_wipe(c->tasks, e->config->chunk_tiles * sizeof *c->tasks);
        free(c->tasks);
        orr_wipe(c->pieces, sizeof c->pieces);
    }
    free(e->chunks);
    orr_wipe(&e->stashed, sizeof e->stashed);
}

// Starts up to config->workers threads and returns how many run: with fewer the job is only slower.
static unsigned start_workers(engine *e, worker_thread *threads) {
    unsigned started = 0;
    while (started < e->config->workers) {
        worker_thread *s = &threads[started];
        s->engine = e;
        s->worker.gcm = orr_gcm_new((const uint8_t[32]){0});
        if (!s->worker.gcm || pthread_create(&s->thread, NULL, work, s) != 0) {
            orr_gcm_free(s->worker.gcm);
            break;
        }
        started++;
    }
    return started;
}

orr_status orr_stream_run(const orr_stream_config *config, const orr_stream_ops *ops, void *context,
                          orr_error *error) {
    engine e = {.config = config, .ops = ops, .context = context};
    orr_backend_properties properties;
    pthread_t driver;
    config->backend->api->properties(config->backend, &properties);
    e.separate = properties.separate_output;
    worker_thread *threads = calloc(config->workers, sizeof *threads);
    pthread_mutex_init(&e.lock, NULL);
    pthread_cond_init(&e.changed, NULL);
    orr_status status =
        threads ? allocate(&e, error) : orr_fail(error, ORR_INTERNAL, "out of memory for threads");
    if (status == ORR_OK && pthread_create(&driver, NULL, cipher, &e) != 0) {
        status = orr_fail(error, ORR_INTERNAL, "cannot start a thread");
    } else if (status == ORR_OK) {
        unsigned started = start_workers(&e, threads);
        if (!started) {
            status = orr_fail(error, ORR_INTERNAL, "cannot start a worker thread");
            pthread_mutex_lock(&e.lock);
            e.planned = 1;
            pthread_cond_broadcast(&e.changed);
            pthread_mutex_unlock(&e.lock);
        }
        for (unsigned i = 0; i < started; i++) {
            pthread_join(threads[i].thread, NULL);
            orr_gcm_free(threads[i].worker.gcm);
        }
        pthread_join(driver, NULL);
    }
    release(&e);
    free(threads);
    pthread_cond_destroy(&e.changed);
    pthread_mutex_destroy(&e.lock);
    return status;
}
