#include "host/job/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define MAX_PIECES \
    256 // in one chunk, unless the configuration says less: bounds the files in flight
// So much is read ahead of the workers before they do what is there; more only when there is
// nothing.
#define AHEAD_PIECES 16
#define AHEAD_TILES (2 * ORR_SEGMENT_TILES)

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
    unsigned reading;  // pieces not through front()
    int closed;        // no more pieces will come
    int ordered;       // has a piece that is
    unsigned drained;  // pieces handed to back()
    unsigned finished; // pieces through done()
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

typedef struct piece_queue {
    orr_piece *first, **end;
} piece_queue;

typedef struct engine {
    const orr_stream_config *config;
    const orr_stream_ops *ops;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed; // for workers
    pthread_cond_t batches; // for the thread that talks to the backend
    chunk *chunks;
    chunk *filling;
    queue to_cipher, to_drain;
    queue closed; // chunks with ordered pieces that are still being read, or behind such a one
    piece_queue to_front, written;
    unsigned ahead_pieces, ahead_tiles; // in to_front; a piece without tiles counts as a segment
    int planning, planned;              // a worker is in next(); next() has returned 0
    orr_piece stashed;                  // planned, but for another chunk than the one being filled
    int has_stashed;
    unsigned busy; // chunks not free
    int separate;  // in and out differ
    pthread_mutex_t async_lock;
    orr_async *async; // opened for the first piece that asks for it
    int async_tried;
    unsigned moving[2];       // reads, writes under way; counted for config->stages alone
    uint64_t moving_since[2]; // by its clock: none or more, as their number was last changed
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

static void push_piece(piece_queue *q, orr_piece *p) {
    p->next = NULL;
    *q->end = p;
    q->end = &p->next;
}

static void unlink_piece(piece_queue *q, orr_piece **link) {
    orr_piece *p = *link;
    *link = p->next;
    if (q->end == &p->next) q->end = link;
}

size_t orr_stream_chunk_bytes(unsigned tiles) {
    unsigned heads = (tiles + ORR_SEGMENT_TILES - 1) / ORR_SEGMENT_TILES;
    return (size_t)tiles * ORR_TILE_BYTES + (size_t)heads * ORR_PAGE;
}

static size_t chunk_bytes(const engine *e) {
    return orr_stream_chunk_bytes(e->config->chunk_tiles);
}

// What a piece takes of a chunk: the page of its head, and whole pages of tiles.
static size_t piece_bytes(const orr_piece *p) {
    return ORR_PAGE + (p->bytes + ORR_PAGE - 1) / ORR_PAGE * ORR_PAGE;
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
    if (c->tiles + p->tiles > e->config->chunk_tiles || c->used + piece_bytes(p) > chunk_bytes(e))
        return 0;
    return !c->has_cipher || (same_cipher(&c->cipher, p->cipher) &&
                              (!p->new_cipher || same_cipher(&c->new_cipher, p->new_cipher)));
}

static void move_on(engine *e, chunk *c) {
    c->state = CHUNK_QUEUED;
    push(c->tiles ? &e->to_cipher : &e->to_drain, c);
    if (!c->tiles) c->state = CHUNK_DRAINING;
    if (c->tiles)
        pthread_cond_signal(&e->batches);
    else
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

// Gives a piece its part of the chunk's memory.
static void give_memory(chunk *c, orr_piece *p) {
    if (!c->has_cipher) {
        c->cipher = *p->cipher;
        if (p->new_cipher) c->new_cipher = *p->new_cipher;
        c->op = p->op;
        c->has_cipher = 1;
    }
    size_t offset = c->used + ORR_PAGE;
    p->in = c->in + offset;
    p->out = c->out + offset;
    p->in_head = (orr_segment_head *)(void *)(c->in + c->used);
    p->out_head = (orr_segment_head *)(void *)(c->out + c->used);
    p->tasks = c->tasks + c->tiles;
    for (uint32_t i = 0; i < p->tiles; i++, offset += ORR_TILE_BYTES) p->tasks[i].offset = offset;
    c->used += piece_bytes(p);
    if (c->used > c->most) c->most = c->used;
    c->tiles += p->tiles;
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
    p->home = c;
    p->ready = 0;
    if (p->tiles) give_memory(c, p);
    c->ordered |= p->ordered;
    c->reading++;
    push_piece(&e->to_front, p);
    e->ahead_pieces++;
    e->ahead_tiles += p->tiles ? p->tiles : ORR_SEGMENT_TILES;
    if (c->tiles == e->config->chunk_tiles) close_filling(e);
    return p;
}

static int may_plan(engine *e) {
    return !e->planning && (!e->planned || e->has_stashed) && (e->filling || free_chunk(e));
}

// Called with the lock; may release it while planning. Returns a piece to be read, or NULL.
static orr_piece *plan(engine *e) {
    orr_piece planned;
    if (e->has_stashed) return place(e, &e->stashed);
    memset(&planned, 0, sizeof planned);
    e->planning = 1;
    pthread_mutex_unlock(&e->lock);
    int more = e->ops->next(e->context, &planned);
    pthread_mutex_lock(&e->lock);
    e->planning = 0;
    pthread_cond_broadcast(&e->changed);
    if (more) return place(e, &planned);
    e->planned = 1;
    close_filling(e);
    return NULL;
}

// ---- moving data

// Called with the lock, as a read or a write begins (change 1) or ends (-1): the time with at least
// one under way.
static void time_move(engine *e, int writes, int change) {
    orr_stages *stages = e->config->stages;
    if (!stages) return;
    uint64_t now = orr_stage_clock(stages).clock;
    if (e->moving[writes])
        stages->nanoseconds[writes ? ORR_STAGE_WRITE : ORR_STAGE_READ] +=
            now - e->moving_since[writes];
    e->moving_since[writes] = now;
    e->moving[writes] += (unsigned)change;
}

// On a thread of base/async: a piece was read or written.
static void moved(void *context, orr_async_request *request) {
    engine *e = context;
    orr_piece *p = request->owner;
    pthread_mutex_lock(&e->lock);
    time_move(e, request->write, -1);
    if (request->write)
        push_piece(&e->written, p);
    else
        p->ready = 1;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static orr_async *open_async(engine *e) {
    unsigned count = e->config->chunks, sides = e->separate ? 2 : 1;
    struct iovec *memory = calloc((size_t)count * sides, sizeof *memory);
    orr_async *async = NULL;
    for (unsigned i = 0; memory && i < count * sides; i++) {
        const chunk *c = &e->chunks[i / sides];
        memory[i] = (struct iovec){i % sides ? c->out : c->in, chunk_bytes(e)};
    }
    if (memory) async = orr_async_open(memory, count * sides, 128, moved, e);
    free(memory);
    if (e->ops->means)
        e->ops->means(e->context, async ? orr_async_means(async) : "no other thread: none starts");
    return async;
}

// Has piece->io carried out: moved() hears of it.
static void start_move(engine *e, orr_piece *p) {
    orr_async_request *io = &p->io;
    unsigned sides = e->separate ? 2 : 1, side = e->separate && io->write;
    pthread_mutex_lock(&e->async_lock);
    if (!e->async_tried) e->async = open_async(e);
    e->async_tried = 1;
    pthread_mutex_unlock(&e->async_lock);
    io->owner = p;
    io->buffer = (unsigned)((chunk *)p->home - e->chunks) * sides + side;
    io->done = 0;
    io->error = 0;
    if (e->config->stages) {
        pthread_mutex_lock(&e->lock);
        time_move(e, io->write, 1);
        pthread_mutex_unlock(&e->lock);
    }
    if (e->async) {
        orr_async_submit(e->async, io);
        return;
    }
    io->done = io->write ? orr_pwrite_in_full(io->fd, io->memory, io->bytes, io->offset)
                         : orr_pread_in_full(io->fd, io->memory, io->bytes, io->offset);
    io->error = io->done < io->bytes ? errno : 0;
    moved(e, io);
}

// ---- workers

// A worker thread and what it owns.
typedef struct worker_thread {
    pthread_t thread;
    engine *engine;
    orr_worker worker;
} worker_thread;

// Each of these steps is called with the lock, releases it while it works, and returns 1; 0: there
// is nothing for it to do.

static int finish_piece(engine *e, orr_piece *p) {
    chunk *c = p->home;
    if (e->ops->done) {
        pthread_mutex_unlock(&e->lock);
        e->ops->done(e->context, p);
        pthread_mutex_lock(&e->lock);
    }
    if (++c->finished < c->piece_count) return 1;
    orr_wipe(c->tasks, c->tiles * sizeof *c->tasks);
    c->state = CHUNK_FREE;
    e->busy--;
    pthread_cond_broadcast(&e->changed);
    return 1;
}

static int finish_written(engine *e) {
    orr_piece *p = e->written.first;
    if (!p) return 0;
    unlink_piece(&e->written, &e->written.first);
    return finish_piece(e, p);
}

static int drain(engine *e, orr_worker *worker) {
    chunk *c = e->to_drain.first;
    if (!c) return 0;
    orr_piece *p = &c->pieces[c->drained++];
    if (c->drained == c->piece_count) pop(&e->to_drain);
    pthread_mutex_unlock(&e->lock);
    int writes = e->ops->back(e->context, p, worker);
    if (writes) start_move(e, p);
    pthread_mutex_lock(&e->lock);
    return writes ? 1 : finish_piece(e, p);
}

static int plan_and_read(engine *e) {
    if (!may_plan(e)) return 0;
    orr_piece *p = plan(e);
    if (!p) return 1;
    pthread_mutex_unlock(&e->lock);
    int reads = e->ops->read && e->ops->read(e->context, p);
    if (reads) start_move(e, p);
    pthread_mutex_lock(&e->lock);
    if (reads) return 1;
    p->ready = 1;
    pthread_cond_broadcast(&e->changed);
    return 1;
}

// The next piece that was read. Ordered ones wait for those before them.
static int take_front(engine *e, orr_worker *worker) {
    int waits = 0;
    orr_piece **link = &e->to_front.first;
    while (*link && !((*link)->ready && !((*link)->ordered && waits))) {
        waits |= (*link)->ordered;
        link = &(*link)->next;
    }
    orr_piece *p = *link;
    if (!p) return 0;
    unlink_piece(&e->to_front, link);
    e->ahead_pieces--;
    e->ahead_tiles -= p->tiles ? p->tiles : ORR_SEGMENT_TILES;
    pthread_mutex_unlock(&e->lock);
    e->ops->front(e->context, p, worker);
    pthread_mutex_lock(&e->lock);
    chunk *c = p->home;
    c->reading--;
    advance(e, c);
    return 1;
}

static int reads_ahead(const engine *e) {
    return e->ahead_pieces >= AHEAD_PIECES * e->config->workers ||
           e->ahead_tiles >= AHEAD_TILES * e->config->workers;
}

static void *work(void *argument) {
    worker_thread *self = argument;
    engine *e = self->engine;
    orr_worker *worker = &self->worker;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        if (finish_written(e) || drain(e, worker)) continue;
        if (!reads_ahead(e) && plan_and_read(e)) continue;
        if (take_front(e, worker) || plan_and_read(e)) continue;
        if (e->planned && !e->has_stashed && !e->busy) break;
        pthread_cond_wait(&e->changed, &e->lock);
    }
    pthread_cond_broadcast(&e->changed);
    pthread_cond_signal(&e->batches);
    pthread_mutex_unlock(&e->lock);
    orr_wipe_stack();
    return NULL;
}

// Moves the tasks of pieces that are through together out of the batch.
static size_t gather_tasks(chunk *c) {
    size_t count = 0;
    for (unsigned i = 0; i < c->piece_count; i++) {
        orr_piece *p = &c->pieces[i];
        if (p->through || !p->tiles) continue;
        memmove(c->tasks + count, p->tasks, p->tiles * sizeof *p->tasks);
        p->tasks = c->tasks + count;
        count += p->tiles;
    }
    return count;
}

static void start_batch(engine *e, chunk *c, size_t count, orr_status *status, orr_error *error) {
    c->batch = (orr_batch){.op = c->op,
                           .cipher = &c->cipher,
                           .new_cipher = &c->new_cipher,
                           .in = c->in,
                           .out = c->out,
                           .bytes = chunk_bytes(e),
                           .tasks = c->tasks,
                           .count = count};
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
            size_t count = gather_tasks(c);
            if (count) start_batch(e, c, count, &status, &error);
            pthread_mutex_lock(&e->lock);
            if (count && status == ORR_OK) {
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
            pthread_cond_wait(&e->batches, &e->lock);
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
    orr_async_close(e->async);
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
    e.to_front.end = &e.to_front.first;
    e.written.end = &e.written.first;
    pthread_mutex_init(&e.lock, NULL);
    pthread_mutex_init(&e.async_lock, NULL);
    pthread_cond_init(&e.changed, NULL);
    pthread_cond_init(&e.batches, NULL);
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
            pthread_cond_signal(&e.batches);
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
    pthread_cond_destroy(&e.batches);
    pthread_mutex_destroy(&e.lock);
    pthread_mutex_destroy(&e.async_lock);
    return status;
}
