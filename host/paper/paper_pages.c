#include "host/paper/paper_pages.h"

#include <stdlib.h>
#include <string.h>

#include "host/keys/secret.h"

#define MOST_IN_FLIGHT 128

typedef struct flight {
    uint32_t page;
    uint64_t bytes, need; // of the volume; of memory in all
    uint8_t *in, *out;    // the same memory unless the backend wants two
    orr_backend *backend; // NULL: the calling thread
    orr_volume_task task;
} flight;

typedef struct window {
    const orr_paper_pages *pages;
    int separate;
    uint32_t most; // pages in flight
    uint64_t used; // memory of those in flight
    uint32_t first, count;
    flight ring[MOST_IN_FLIGHT];
} window;

static void free_wiped(void *memory, uint64_t bytes) {
    if (memory) orr_wipe(memory, (size_t)bytes);
    free(memory);
}

static void flight_free(window *w, flight *f) {
    if (f->out != f->in) free_wiped(f->out, f->bytes);
    free_wiped(f->in, f->bytes);
    w->used -= f->need;
    orr_wipe(f, sizeof *f);
}

// Waits for the oldest page and, while all is well, stores it.
static void finish_oldest(window *w, orr_error *first) {
    flight *f = &w->ring[w->first];
    orr_error failure = {.status = ORR_OK};
    orr_status status = orr_volume_wait(f->backend, &f->task, &failure);
    if (status == ORR_OK && first->status == ORR_OK && !orr_stopped(w->pages->means->stop))
        status = w->pages->store(w->pages->context, f->page, f->out, &failure);
    if (status != ORR_OK && first->status == ORR_OK) *first = failure;
    flight_free(w, f);
    w->first = (w->first + 1) % MOST_IN_FLIGHT;
    w->count--;
}

static orr_status prepare(const window *w, flight *f, orr_error *error) {
    const orr_paper_pages *p = w->pages;
    f->in = malloc(f->bytes);
    f->out = w->separate && f->backend ? malloc(f->bytes) : f->in;
    if (!f->in || !f->out) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", p->name);
    orr_status status = p->load(p->context, f->page, f->in, error);
    if (status == ORR_OK) status = p->key(p->context, f->page, &f->task.key, error);
    f->task.op = p->op;
    f->task.cipher = p->cipher;
    f->task.shape = orr_page_shape(&p->image->pages[f->page]);
    f->task.in = f->in;
    f->task.out = f->out;
    f->task.stop = p->means->stop;
    return status == ORR_OK ? orr_volume_submit(f->backend, &f->task, error) : status;
}

// Makes room for a page, loads it and gives it to the backend.
static void start(window *w, uint32_t page, orr_error *first) {
    const orr_paper_pages *p = w->pages;
    flight now = {.page = page, .backend = p->means->backend};
    uint64_t memory = p->means->memory;
    now.bytes = orr_page_bytes(&p->image->pages[page]);
    now.need = orr_page_memory(&p->image->pages[page]);
    if (w->separate && (now.need > memory || now.bytes > memory - now.need))
        now.backend = NULL; // no room for a second buffer
    else if (w->separate)
        now.need += now.bytes;
    while (w->count && (w->count >= w->most || now.need > memory || w->used > memory - now.need))
        finish_oldest(w, first);
    if (first->status != ORR_OK) return;
    w->used += now.need;
    flight *f = &w->ring[(w->first + w->count) % MOST_IN_FLIGHT];
    *f = now;
    if (prepare(w, f, first) == ORR_OK)
        w->count++;
    else
        flight_free(w, f);
}

orr_status orr_paper_pages_run(const orr_paper_pages *pages, orr_error *error) {
    orr_backend_properties properties = {.volumes = 0};
    orr_error first = {.status = ORR_OK};
    orr_backend *backend = pages->means->backend;
    window *w = calloc(1, sizeof *w);
    if (!w) return orr_fail(error, ORR_INTERNAL, "%s: out of memory", pages->name);
    w->pages = pages;
    if (backend) backend->api->properties(backend, &properties);
    w->separate = properties.separate_output;
    // One more than the backend works on: it is loaded or stored meanwhile.
    w->most = properties.volumes < MOST_IN_FLIGHT ? properties.volumes + 1 : MOST_IN_FLIGHT;
    orr_stop_flag *stop = pages->means->stop;
    for (uint32_t n = 0;
         n < pages->image->page_count && first.status == ORR_OK && !orr_stopped(stop); n++)
        start(w, n, &first);
    while (w->count) finish_oldest(w, &first);
    free(w);
    // A page that was cut short, or not begun, or not stored.
    if (orr_stopped(stop) && (first.status == ORR_OK || first.status == ORR_STOPPED))
        orr_fail(&first, ORR_STOPPED, "%s: stopped before it was finished", pages->name);
    if (first.status != ORR_OK && error) *error = first;
    return first.status;
}
