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

#include "bench/bench_copy.h"

typedef struct names {
    char **name;
    size_t count, room;
} names;

static const char *from, *to; // to NULL: only read
static names files, directories;
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

static void copy_file(const char *path, unsigned threads) {
    char target[PATH_MAX];
    orr_error error = {0};
    if (to) target_of(path, target);
    if (orr_bench_copy(path, to ? target : NULL, threads, &error) == ORR_OK) return;
    fprintf(stderr, "diskcopy: %s\n", error.text);
    exit(EXIT_FAILURE);
}

static void *copy_files(void *unused) {
    size_t n;
    (void)unused;
    while ((n = atomic_fetch_add(&next_file, 1)) < files.count) copy_file(files.name[n], 1);
    return NULL;
}

static void copy_all(unsigned threads) {
    pthread_t thread[ORR_BENCH_COPY_MOST];
    for (unsigned n = 0; n < threads; n++) {
        errno = pthread_create(&thread[n], NULL, copy_files, NULL);
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
    unsigned long threads = argc > 3 ? strtoul(argv[3], NULL, 10) : ORR_BENCH_COPY_THREADS;
    if (argc < 3 || argc > 4 || threads < 1 || threads > ORR_BENCH_COPY_MOST) {
        fprintf(stderr, "usage: diskcopy FROM TO|- [THREADS]\n");
        return 2;
    }
    from = argv[1];
    to = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    if (nftw(from, found, 16, FTW_PHYS) < 0) die(from, "cannot be looked through");
    if (files.count == 1)
        copy_file(files.name[0], (unsigned)threads);
    else
        copy_all((unsigned)threads);
    flush_directories();
    forget(&files);
    forget(&directories);
    return 0;
}
