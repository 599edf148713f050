// What a disk can do: a copy past the page cache by several threads, flushed. bench/peers-disk sets
// programs beside it.
//
//   diskcopy FROM TO [THREADS]   copies a file, or a directory with all that lies below it, to TO,
//                                which must not exist
//   diskcopy FROM - [THREADS]    only reads it
//
// One file: the threads share its pieces. Several: each thread takes whole files, and flushes each;
// directories are flushed at the end.
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define PIECE ((size_t)1 << 20)
#define ALIGNMENT ((size_t)4096) // of memory, offsets and lengths: enough for every disk of today
#define MOST_THREADS 256

// One file that is being copied.
typedef struct copy {
    int in, out; // out -1: only read
    uint64_t bytes;
    _Atomic uint64_t next; // piece to be copied, by its offset
} copy;

typedef struct names {
    char **name;
    size_t count, room;
} names;

static const char *from, *to; // to NULL: only read
static names files, directories;
static copy single;
static _Atomic size_t next_file;

static void die(const char *path, const char *what) {
    fprintf(stderr, "diskcopy: %s: %s: %s\n", path, what, strerror(errno));
    exit(EXIT_FAILURE);
}

// The path below TO of a path below FROM.
static void target_of(const char *path, char target[PATH_MAX]) {
    if (snprintf(target, PATH_MAX, "%s%s", to, path + strlen(from)) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        die(path, "its copy");
    }
}

// ---- one file -----------------------------------------------------------------------------------

static void open_copy(copy *c, const char *path) {
    char target[PATH_MAX];
    struct stat st;
    *c = (copy){.out = -1, .in = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC)};
    if (c->in < 0 || fstat(c->in, &st) < 0) die(path, "cannot be opened for direct reading");
    c->bytes = (uint64_t)st.st_size;
    if (!to) return;
    target_of(path, target);
    c->out = open(target, O_WRONLY | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    if (c->out < 0) die(target, "cannot be made for direct writing");
}

// Copies pieces that no other thread has taken. The last one is written whole, and cut afterwards.
static void copy_pieces(copy *c, void *piece) {
    uint64_t at;
    while ((at = atomic_fetch_add(&c->next, PIECE)) < c->bytes) {
        uint64_t left = c->bytes - at;
        size_t bytes = left < PIECE ? (size_t)left : PIECE;
        size_t whole = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (pread(c->in, piece, whole, (off_t)at) != (ssize_t)bytes) die(from, "reading");
        if (c->out >= 0 && orr_pwrite_in_full(c->out, piece, whole, at) != whole)
            die(to, "writing");
    }
}

static void close_copy(copy *c) {
    close(c->in);
    if (c->out < 0) return;
    if (ftruncate(c->out, (off_t)c->bytes) < 0 || fsync(c->out) < 0 || close(c->out) < 0)
        die(to, "flushing");
}

// ---- threads ------------------------------------------------------------------------------------

static void *work(void *unused) {
    void *piece = aligned_alloc(ALIGNMENT, PIECE);
    size_t n;
    (void)unused;
    if (!piece) die(from, "memory");
    if (files.count == 1) copy_pieces(&single, piece);
    while (files.count > 1 && (n = atomic_fetch_add(&next_file, 1)) < files.count) {
        copy one;
        open_copy(&one, files.name[n]);
        copy_pieces(&one, piece);
        close_copy(&one);
    }
    free(piece);
    return NULL;
}

static void run(unsigned threads) {
    pthread_t thread[MOST_THREADS];
    for (unsigned n = 0; n < threads; n++) {
        errno = pthread_create(&thread[n], NULL, work, NULL);
        if (errno) die(from, "a thread");
    }
    for (unsigned n = 0; n < threads; n++) pthread_join(thread[n], NULL);
}

// ---- the tree -----------------------------------------------------------------------------------

static void keep(names *list, const char *name) {
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->name = realloc(list->name, list->room * sizeof *list->name);
    }
    if (!list->name || !(list->name[list->count++] = strdup(name))) die(name, "memory");
}

static int found(const char *path, const struct stat *st, int kind, struct FTW *where) {
    char target[PATH_MAX];
    (void)where;
    if (kind == FTW_F && S_ISREG(st->st_mode)) keep(&files, path);
    if (kind != FTW_D || !to) return 0;
    target_of(path, target);
    if (mkdir(target, 0700) < 0) die(target, "cannot be made");
    keep(&directories, target);
    return 0;
}

static void flush_directories(void) {
    for (size_t n = 0; n < directories.count; n++) {
        int fd = open(directories.name[n], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0) die(directories.name[n], "flushing");
        close(fd);
    }
}

static void forget(names *list) {
    for (size_t n = 0; n < list->count; n++) free(list->name[n]);
    free(list->name);
}

int main(int argc, char **argv) {
    unsigned long threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 8;
    if (argc < 3 || argc > 4 || threads < 1 || threads > MOST_THREADS) {
        fprintf(stderr, "usage: diskcopy FROM TO|- [THREADS]\n");
        return 2;
    }
    from = argv[1];
    to = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    if (nftw(from, found, 16, FTW_PHYS) < 0) die(from, "cannot be looked through");
    if (files.count == 1) open_copy(&single, files.name[0]);
    run((unsigned)threads);
    if (files.count == 1) close_copy(&single);
    flush_directories();
    forget(&files);
    forget(&directories);
    return 0;
}
