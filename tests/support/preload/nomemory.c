// Refuses memory to a program: LD_PRELOAD=libnomemory.so ORRERY_NO_MEMORY=N lets the N-th request
// (from 1; of malloc, calloc and realloc, in all threads) fail. With ORRERY_MEMORY_LOG=FILE the
// number of all requests is written there at the end.
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

// The C library's own names for them.
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

static atomic_long seen;
static long refused;

static __attribute__((constructor)) void begin(void) {
    const char *n = getenv("ORRERY_NO_MEMORY");
    refused = n ? strtol(n, NULL, 10) : 0;
}

static __attribute__((destructor)) void end(void) {
    const char *log = getenv("ORRERY_MEMORY_LOG");
    long count = atomic_load(&seen);
    FILE *file = log ? fopen(log, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", count);
    fclose(file);
}

static int refuse(void) {
    if (atomic_fetch_add(&seen, 1) + 1 != refused || !refused) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes) {
    return refuse() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return refuse() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes) {
    return refuse() ? NULL : __libc_realloc(memory, bytes);
}
